"""Errors a user can act on. Each message is one line: what is wrong, where, and the way out."""


class ConvSheetError(Exception):
    """Base of every error that conv-sheet raises on purpose; the command line prints it as one line."""


class SpecError(ConvSheetError):
    """The description of a network (TOML, options, names) is wrong."""


class ShapeError(SpecError):
    """Two shapes do not fit together; the message names the layer and both shapes."""


class WorkbookError(ConvSheetError):
    """A workbook cannot be read, written or trusted; the message names the file, sheet or cell."""


class DataError(ConvSheetError):
    """Pictures, weights or data files cannot be used; the message names the file or tensor."""
