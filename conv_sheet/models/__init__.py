"""Models of others: read into a spec and its weights."""

from conv_sheet.models.imported import Imported

__all__ = ["Imported"]
