"""The one door into a closed .xlsx or .xlsm file: a zip of parts held together by relationships.

Parts are found the way ECMA-376 part 2 (Open Packaging Conventions) says, from ``_rels/.rels`` on, never by
their usual names, so that files saved by Excel, LibreOffice, Gnumeric or openpyxl are all read, transitional
or strict. Whatever is wrong with a file is one line that names the file and the part.
"""

import copy
import posixpath
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Self
from xml.etree import ElementTree

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write, require_regular
from conv_sheet.xlsx import packing
from conv_sheet.zips import DAMAGE, Zip

MAX_ENTRIES = 10_000
"""Parts of one file: the largest lesson has about forty, and a workbook with a picture in each row some thousands."""
MAX_UNPACKED = 400 << 20
"""Bytes of all parts together: a network of a million cells, saved without shared formulas, takes half of them."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


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
    workbook: str = ""
    worksheets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Find the workbook part and the worksheets of the file at ``path``.

        Raises `WorkbookError` if it is no .xlsx or .xlsm file, or one that is encrypted, damaged or too large.
        """
        with _opened(path) as archive:
            _check_entries(path, archive.infolist())
            package = cls(path, tuple(archive.namelist()))
        mains = [link.target for link in package.relationships("") if link.kind == "officeDocument"]
        if not mains or not mains[0].casefold().endswith(".xml"):
            raise WorkbookError(f"{path} is not an .xlsx or .xlsm workbook: save it as one first")
        package = replace(package, workbook=mains[0])
        targets = {link.id: link.target for link in package.related(mains[0], "worksheet")}
        worksheets = {
            sheet.get("name", ""): targets[relation]
            for sheet in package.book.iterfind("{*}sheets/{*}sheet")
            for key, relation in sheet.items()
            if key.endswith("}id") and relation in targets
        }
        return replace(package, worksheets=worksheets)

    @cached_property
    def book(self) -> ElementTree.Element:
        """Root element of the workbook part."""
        return self.tree(self.workbook)

    @cached_property
    def _spelling(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.names}

    def read(self, part: str) -> bytes:
        """Bytes of a part."""
        with self.stream(part) as stream:
            return stream.read()

    @contextmanager
    def stream(self, part: str) -> Iterator[IO[bytes]]:
        """A part to be read piece by piece; what the block raises on damage is told as one line."""
        if part not in self._spelling.values():
            raise WorkbookError(f"{self.path} is damaged: it has no part {part}")
        with _opened(self.path) as archive:
            try:
                with archive.open(part) as stream:
                    yield stream
            except (*DAMAGE, OSError) as error:
                raise WorkbookError(f"{self.path} is damaged: part {part}: {_told(error)}") from error

    def tree(self, part: str) -> ElementTree.Element:
        """Root element of an XML part."""
        data = self.read(part)
        try:
            return ElementTree.fromstring(data, ElementTree.XMLParser(target=_Builder()))
        except (ElementTree.ParseError, LookupError, ValueError) as error:
            raise WorkbookError(f"{self.path} is damaged: part {part}: {_told(error)}") from error

    def relationships(self, part: str) -> tuple[Relationship, ...]:
        """What ``part`` (``""``: the package itself) points to; nothing if it has no .rels part."""
        rels = self._spelled(relationships_part(part))
        if rels not in self.names:
            return ()
        return tuple(self._relationship(part, link) for link in self.tree(rels))

    def related(self, part: str, kind: str) -> tuple[Relationship, ...]:
        """What ``part`` points to with one kind of relationship, inside the file."""
        return tuple(link for link in self.relationships(part) if link.kind == kind and not link.external)

    def _relationship(self, part: str, link: ElementTree.Element) -> Relationship:
        target, external = link.get("Target", ""), link.get("TargetMode") == "External"
        if not external:
            folder = posixpath.dirname(part)
            target = self._spelled(posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
        return Relationship(link.get("Id", ""), link.get("Type", ""), target, external)

    def _spelled(self, part: str) -> str:
        """The part's name as the zip spells it: upper and lower case are the same in the conventions."""
        return self._spelling.get(part.casefold(), part)

    def worksheet(self, name: str) -> str:
        """Part name of the worksheet called ``name``; raises `WorkbookError`, listing those there are."""
        if name not in self.worksheets:
            raise WorkbookError(f"{self.path} has no worksheet {name!r}; it has {', '.join(self.worksheets)}")
        return self.worksheets[name]

    def save(self, dst: Path, parts: Mapping[str, bytes | None]) -> None:
        """Write the package to ``dst`` (its own path is fine).

        ``parts`` are replaced or, if new, appended; those that are None are left out. Every other entry keeps its
        bytes, date, attributes and place.
        """
        missing = dict(parts)
        with atomic_write(dst) as temporary, _opened(self.path) as source, zipfile.ZipFile(temporary, "w") as result:
            result.comment = source.comment
            for entry in source.infolist():
                if entry.filename not in missing:
                    self.read(entry.filename)  # a damaged part is told as one
                    packing.carry(source, entry, result)
                elif (data := missing.pop(entry.filename)) is not None:
                    packing.write(result, copy.copy(entry), data)
            for name, data in missing.items():
                if data is not None:
                    result.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)


def relationships_part(part: str) -> str:
    """Name of the part that holds the relationships of ``part``.

    >>> relationships_part("xl/workbook.xml")
    'xl/_rels/workbook.xml.rels'
    """
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


class _Builder(ElementTree.TreeBuilder):
    """Builds trees of documents that declare nothing of their own."""

    def doctype(self, *declaration: object) -> None:
        raise ValueError("it has a DOCTYPE, which no workbook may have")


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    require_regular(path)
    try:
        archive = Zip(path)
    except OSError as error:
        raise WorkbookError(f"{path} cannot be read: {_told(error)}") from error
    except DAMAGE as error:
        raise WorkbookError(
            f"{path} is not an .xlsx or .xlsm workbook (or has a password): save it as one first"
        ) from error
    with archive:
        yield archive


def _check_entries(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise WorkbookError(f"{path} has {len(entries):,} parts; {MAX_ENTRIES:,} are the most that are read")
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNPACKED:
        raise WorkbookError(f"{path} unpacks to {size >> 20:,} MiB; {MAX_UNPACKED >> 20:,} are the most that are read")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.casefold()
        if name in seen:
            raise WorkbookError(f"{path} is damaged: it has the part {entry.filename} twice")
        seen.add(name)
        if entry.flag_bits & _ENCRYPTED:
            raise WorkbookError(f"{path} has a password: part {entry.filename} is encrypted; save it without one")
        if entry.compress_type not in _METHODS:
            method = f"part {entry.filename} is packed by method {entry.compress_type}"
            raise WorkbookError(f"{path}: {method}, which no spreadsheet program uses: save it again in one")


def _told(error: Exception) -> str:
    """What an exception says, in one line."""
    said = getattr(error, "strerror", None) or str(error) or "it ends too early"
    return " ".join(str(said).split())
