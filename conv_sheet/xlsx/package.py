"""A closed .xlsx or .xlsm file as what it is: a zip of parts held together by relationships.

Parts are found the way ECMA-376 part 2 (Open Packaging Conventions) says, from ``_rels/.rels`` on, never by
their usual names, so that files saved by Excel, LibreOffice, Gnumeric or openpyxl are all read, transitional
or strict. `patch_cells` changes stored values, no other byte of their sheets and no other part.
"""

import copy
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write
from conv_sheet.xlsx.patch import CellValue, with_values

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Relationship:
    """A line of a .rels part; ``target`` is a part name (no leading slash), or an address if ``external``."""

    id: str
    type: str
    target: str
    external: bool

    @property
    def kind(self) -> str:
        """Last word of the type, the same in transitional and strict files: ``worksheet``, ``comments``."""
        return self.type.rpartition("/")[2]


@dataclass(frozen=True)
class Package:
    """A workbook file that stays closed: names of all parts, its workbook part, and each worksheet's by title.

    >>> import openpyxl, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "book.xlsx")
    >>> openpyxl.Workbook().save(path)
    >>> Package.open(path).worksheets
    {'Sheet': 'xl/worksheets/sheet1.xml'}
    >>> folder.cleanup()
    """

    path: Path
    names: tuple[str, ...]
    workbook: str
    worksheets: Mapping[str, str]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Find the workbook part and the worksheets of the file at ``path``.

        Raises `WorkbookError` if it is no .xlsx or .xlsm file, or one that is encrypted or damaged.
        """
        with _reading(path) as archive:
            package = cls(path, tuple(archive.namelist()), "", {})
        mains = [link.target for link in package.relationships("") if link.kind == "officeDocument"]
        if not mains or not mains[0].casefold().endswith(".xml"):
            raise WorkbookError(f"{path} is not an .xlsx or .xlsm workbook: save it as one first")
        targets = {link.id: link.target for link in package.relationships(mains[0]) if link.kind == "worksheet"}
        worksheets = {
            sheet.get("name", ""): targets[relation]
            for sheet in package.tree(mains[0]).iterfind("{*}sheets/{*}sheet")
            for key, relation in sheet.items()
            if key.endswith("}id") and relation in targets
        }
        return replace(package, workbook=mains[0], worksheets=worksheets)

    def read(self, part: str) -> bytes:
        """Bytes of a part."""
        if part not in self.names:
            raise WorkbookError(f"{self.path} is damaged: it has no part {part}")
        with _reading(self.path) as archive:
            return archive.read(part)

    def tree(self, part: str) -> ElementTree.Element:
        """Root element of an XML part."""
        try:
            return ElementTree.fromstring(self.read(part))
        except ElementTree.ParseError as error:
            raise WorkbookError(f"{self.path} is damaged: part {part}: {error}") from error

    def relationships(self, part: str) -> tuple[Relationship, ...]:
        """What ``part`` (``""``: the package itself) points to; nothing if it has no .rels part."""
        rels = self._spelled(relationships_part(part))
        if rels not in self.names:
            return ()
        return tuple(self._relationship(part, link) for link in self.tree(rels))

    def _relationship(self, part: str, link: ElementTree.Element) -> Relationship:
        target, external = link.get("Target", ""), link.get("TargetMode") == "External"
        if not external:
            folder = posixpath.dirname(part)
            target = self._spelled(posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
        return Relationship(link.get("Id", ""), link.get("Type", ""), target, external)

    def _spelled(self, part: str) -> str:
        """The part's name as the zip spells it: upper and lower case are the same in the conventions."""
        return next((name for name in self.names if name.casefold() == part.casefold()), part)

    def worksheet(self, name: str) -> str:
        """Part name of the worksheet called ``name``; raises `WorkbookError`, listing those there are."""
        if name not in self.worksheets:
            raise WorkbookError(f"{self.path} has no worksheet {name!r}; it has {', '.join(self.worksheets)}")
        return self.worksheets[name]

    def save(self, dst: Path, parts: Mapping[str, bytes]) -> None:
        """Write the package to ``dst`` (its own path is fine); ``parts`` are replaced or, if new, appended.

        Every other entry keeps its bytes, date, attributes and place.
        """
        missing = dict(parts)
        with (
            atomic_write(dst) as temporary,
            _reading(self.path) as source,
            zipfile.ZipFile(temporary, "w") as result,
        ):
            result.comment = source.comment
            for entry in source.infolist():
                data = missing.pop(entry.filename, None)
                written = copy.copy(entry)
                result.writestr(written, source.read(entry) if data is None else data)
                written.external_attr = entry.external_attr
            for name, data in missing.items():
                result.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)


def relationships_part(part: str) -> str:
    """Name of the part that holds the relationships of ``part``.

    >>> relationships_part("xl/workbook.xml")
    'xl/_rels/workbook.xml.rels'
    """
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


@contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise WorkbookError(f"{path} does not exist") from error
    except zipfile.BadZipFile as error:
        raise WorkbookError(
            f"{path} is not an .xlsx or .xlsm workbook (or has a password): save it as one first"
        ) from error
    except (zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise WorkbookError(f"{path} is damaged: {error}") from error


def patch_cells(src: Path, dst: Path, values: Mapping[str, Mapping[tuple[int, int], CellValue]]) -> None:
    """Store values in cells of a closed workbook: ``values[sheet][row, column]``, both counted from 1.

    A formula cell keeps its formula and gets a new stored value; any other cell becomes that number, text or
    boolean and keeps its style. A cell that is not there yet is inserted without a style. Everything else in
    the sheet, and every other part of the file, stays byte for byte. ``dst`` may be ``src`` and is replaced
    only when it is complete.

    Raises `WorkbookError` for a sheet that does not exist, a value that a cell cannot hold (NaN, infinity, a
    text too long) or a damaged file. ``dst`` is then left as it was.

    >>> import openpyxl, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "book.xlsx")
    >>> openpyxl.Workbook().save(path)
    >>> patch_cells(path, path, {"Sheet": {(2, 3): 0.5, (1, 1): "seven"}})
    >>> sheet = openpyxl.load_workbook(path)["Sheet"]
    >>> sheet["C2"].value, sheet["A1"].value
    (0.5, 'seven')
    >>> folder.cleanup()
    """
    package = Package.open(src)
    parts = {}
    for sheet, cells in values.items():
        part = package.worksheet(sheet)
        xml = package.read(part)
        try:
            parts[part] = with_values(xml, cells)
        except WorkbookError as error:
            raise WorkbookError(f"{src}, sheet {sheet!r}: {error}") from error
    package.save(dst, parts)
