"""What Excel is known to repair, or to show in another way than it was meant, looked for in the parts of a file.

Collected from the documentation of the format, from [MS-OI29500], and from reports about other writers of workbooks.
The validators ask whether a file is as the schema says, which is less.
"""

import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from openpyxl.utils.cell import column_index_from_string, range_boundaries

from conv_sheet.cells.formula import FUNCTIONS

Element = ElementTree.Element
Area = tuple[int, int, int, int]

_ORDER = (
    *("sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "sheetCalcPr", "sheetProtection"),
    *("protectedRanges", "scenarios", "autoFilter", "sortState", "dataConsolidate", "customSheetViews", "mergeCells"),
    *("phoneticPr", "conditionalFormatting", "dataValidations", "hyperlinks", "printOptions", "pageMargins"),
    *("pageSetup", "headerFooter", "rowBreaks", "colBreaks", "customProperties", "cellWatches", "ignoredErrors"),
    *("smartTags", "drawing", "legacyDrawing", "legacyDrawingHF", "picture", "oleObjects", "controls"),
    *("webPublishItems", "tableParts", "extLst"),
)
_COUNTED = ("fonts", "fills", "borders", "cellXfs", "cellStyleXfs", "dxfs", "cellStyles", "numFmts")
_NAME = re.compile(r"[A-Za-z_\\][A-Za-z0-9_.\\?]*")
_LIKE_A_CELL = re.compile(r"[A-Za-z]{1,3}[0-9]{1,7}|[Rr][0-9]*(?:[Cc][0-9]*)?|[Cc][0-9]*")
_LITERAL = re.compile(r'"((?:[^"]|"")*)"')
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9._]*)\(")
_OVER_TWO_SHEETS = re.compile(r"\bSUMXMY2\([^()]*!")
_TARGET = re.compile(r"^(?:'((?:[^']|'')+)'|([A-Za-z0-9_.]+))!(\$?[A-Z]+\$?\d+(?::\$?[A-Z]+\$?\d+)?)$")
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_RULE_TEXTS = (("promptTitle", 32), ("errorTitle", 32), ("prompt", 255), ("error", 225))
_CELL_TYPES = {"n", "s", "str", "b", "e", "inlineStr"}
_DIGITS = re.compile(r"\s*[-+]?[\d.,]*\d[\d.,]*%?\s*")
_LARGEST, _SMALLEST = 9.99999999999999e307, 2.2250738585072014e-308


class Book(NamedTuple):
    """The parts of a file, and what its sheets refer to."""

    parts: Mapping[str, bytes]
    workbook: Element
    strings: Sequence[str]
    styles: Element
    sheets: Mapping[str, Element]
    names: frozenset[str]


def findings(path: Path) -> list[str]:
    """Everything that Excel might repair in a workbook, a line each."""
    with zipfile.ZipFile(path) as archive:
        found = list(_entries(archive))
        parts = {name: archive.read(name) for name in archive.namelist()}
    found += _xml(parts)
    if found or (found := [*_types(parts), *_links(parts)]):
        return found
    book = _book(parts)
    found += [*_workbook(book), *_strings(book), *_styles(book), *_charts(parts)]
    for title, sheet in book.sheets.items():
        for check in (_order, _columns, _merges, _formats, _rules, _hyperlinks, _cells):
            found += [f"{title}: {line}" for line in check(sheet, book)]
    return found


# -- the package -------------------------------------------------------------------------------------------------------


def _entries(archive: zipfile.ZipFile) -> Iterator[str]:
    for name, count in Counter(name.lower() for name in archive.namelist()).items():
        if count > 1:
            yield f"{name} is there {count} times"
    for entry in archive.infolist():
        if entry.flag_bits & 1 or entry.compress_type not in (0, 8):
            yield f"{entry.filename} is encrypted, or packed in a way that Excel does not know"


def _xml(parts: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in parts.items():
        if not name.endswith((".xml", ".rels", ".vml")):
            continue
        try:
            ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            yield f"{name}: {error}"
        if _NO_CHARACTER.search(content.decode()):
            yield f"{name} has a character that XML has not"


def _types(parts: Mapping[str, bytes]) -> Iterator[str]:
    types = ElementTree.fromstring(parts["[Content_Types].xml"])
    defaults = {e.get("Extension", "").lower() for e in types if e.tag.endswith("Default")}
    own = {e.get("PartName", "")[1:] for e in types if e.tag.endswith("Override")}
    yield from (f"{name} is declared, and not there" for name in own - parts.keys())
    for name in parts.keys() - own - {"[Content_Types].xml"}:
        if name.rpartition(".")[2].lower() not in defaults:
            yield f"{name} has no content type"


def _links(parts: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in parts.items():
        if not name.endswith(".rels"):
            continue
        links = list(ElementTree.fromstring(content))
        if len({link.get("Id") for link in links}) != len(links):
            yield f"{name} uses an id twice"
        for link in links:
            if link.get("TargetMode") == "External":
                yield f"{name} leads out of the file: {link.get('Target')}"
            elif _target(name, link) not in parts:
                yield f"{name} leads to {link.get('Target')}, which is not there"


def _target(rels: str, link: Element) -> str:
    folder = posixpath.dirname(posixpath.dirname(rels))
    return posixpath.normpath(posixpath.join("/", folder, link.get("Target", ""))).lstrip("/")


def _book(parts: Mapping[str, bytes]) -> Book:
    workbook = ElementTree.fromstring(parts["xl/workbook.xml"])
    rels = "xl/_rels/workbook.xml.rels"
    targets = {link.get("Id"): _target(rels, link) for link in ElementTree.fromstring(parts[rels])}
    sheets = {
        sheet.get("name", ""): ElementTree.fromstring(parts[targets[value]])
        for sheet in workbook.iterfind("{*}sheets/{*}sheet")
        for key, value in sheet.items()
        if key.endswith("}id")
    }
    table = ElementTree.fromstring(parts.get("xl/sharedStrings.xml", b"<sst/>"))
    strings = ["".join(t.text or "" for t in item.iterfind(".//{*}t")) for item in table]
    styles = ElementTree.fromstring(parts["xl/styles.xml"])
    names = frozenset(name.get("name", "").lower() for name in workbook.iterfind(".//{*}definedName"))
    return Book(parts, workbook, strings, styles, sheets, names)


# -- workbook, strings, styles, charts ---------------------------------------------------------------------------------


def _workbook(book: Book) -> Iterator[str]:
    if len({title.lower() for title in book.sheets}) != len(book.sheets):
        yield "two sheets have one title"
    for title in book.sheets:
        if len(title) > 31 or re.search(r"[\[\]:*?/\\]|^'|'$", title) or title.lower() == "history":
            yield f"no title of a sheet: {title}"
    seen: set[tuple[str, str | None]] = set()
    for item in book.workbook.iterfind(".//{*}definedName"):
        name, scope = item.get("name", ""), item.get("localSheetId")
        if (name.lower(), scope) in seen:
            yield f"the name {name} is there twice"
        seen.add((name.lower(), scope))
        if name.startswith("_xlnm."):
            continue
        if not _NAME.fullmatch(name) or _LIKE_A_CELL.fullmatch(name) or len(name) > 255:
            yield f"no defined name: {name}"
        if "#REF" in (item.text or ""):
            yield f"the name {name} leads nowhere"


def _strings(book: Book) -> Iterator[str]:
    if "xl/sharedStrings.xml" not in book.parts:
        return
    table = ElementTree.fromstring(book.parts["xl/sharedStrings.xml"])
    if table.get("uniqueCount") not in (None, str(len(book.strings))):
        yield "the number of shared strings is wrong"
    for item in table.iterfind(".//{*}t"):
        text = item.text or ""
        if len(text) > 32_767:
            yield f"a text of {len(text):,} characters"
        if text != text.strip() and "{http://www.w3.org/XML/1998/namespace}space" not in item.attrib:
            yield f"spaces of {text[:40]!r} would be lost"


def _styles(book: Book) -> Iterator[str]:
    sizes = {}
    for tag in _COUNTED:
        table = book.styles.find(f"{{*}}{tag}")
        sizes[tag] = 0 if table is None else len(table)
        if table is not None and table.get("count") not in (None, str(len(table))):
            yield f"the number of {tag} is wrong"
    formats = {item.get("numFmtId", "") for item in book.styles.iterfind(".//{*}numFmt")}
    for look in book.styles.iterfind("{*}cellXfs/{*}xf"):
        for attribute, tag in (("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders")):
            if int(look.get(attribute, 0)) >= sizes[tag]:
                yield f"a style without {tag}"
        if int(look.get("numFmtId", 0)) >= 164 and look.get("numFmtId") not in formats:
            yield "a style without its number format"
    for item in book.styles.iterfind(".//{*}numFmt"):
        if len(item.get("formatCode", "")) > 255:
            yield f"a number format of {len(item.get('formatCode', ''))} characters"


def _charts(parts: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in parts.items():
        if not re.fullmatch(r"xl/charts/chart\d+\.xml", name):
            continue
        chart = ElementTree.fromstring(content)
        for source in ("numRef", "strRef"):
            for item in chart.iterfind(f".//{{*}}{source}"):
                if item.find(f"{{*}}{source[:3]}Cache/{{*}}ptCount") is None:
                    yield f"{name} does not hold what it draws of {item.findtext('{*}f')}"
        corners = chart.find("{*}roundedCorners")
        if corners is None or corners.get("val") != "0":
            yield f"{name} has round corners"
        for title in chart.iterfind(".//{*}title"):
            overlay = title.find("{*}overlay")
            if overlay is None or overlay.get("val") != "0":
                yield f"the title of {name} lies over the bars"


# -- a sheet -----------------------------------------------------------------------------------------------------------


def _order(sheet: Element, book: Book) -> Iterator[str]:
    places = [_ORDER.index(child.tag.rpartition("}")[2]) for child in sheet]
    if places != sorted(places):
        yield "elements in another order than Excel's"


def _columns(sheet: Element, book: Book) -> Iterator[str]:
    last = 0
    for column in sheet.iterfind(".//{*}col"):
        if int(column.get("min", 0)) <= last:
            yield f"column {column.get('min')} is there twice"
        last = int(column.get("max", 0))
        if float(column.get("width", 9)) > 255:
            yield f"column {last} is {column.get('width')} wide"


def _areas(reference: str) -> list[Area]:
    return [range_boundaries(part) for part in reference.split()]


def _meet(one: Area, other: Area) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _merges(sheet: Element, book: Book) -> Iterator[str]:
    references = [merge.get("ref", "") for merge in sheet.iterfind(".//{*}mergeCell")]
    areas = [range_boundaries(reference) for reference in references]
    for number, area in enumerate(areas):
        if area[:2] == area[2:]:
            yield f"{references[number]} is merged with nothing"
        if any(_meet(area, other) for other in areas[:number]):
            yield f"{references[number]} is merged twice"


def _formats(sheet: Element, book: Book) -> Iterator[str]:
    differential = book.styles.find("{*}dxfs")
    looks = 0 if differential is None else len(differential)
    for rules in sheet.iterfind(".//{*}conditionalFormatting"):
        where = rules.get("sqref", "")
        if len(where) > 8_000:
            yield f"a conditional format for {len(where.split())} areas"
        for rule in rules.iterfind(".//{*}cfRule"):
            if rule.get("type") == "expression" and int(rule.get("dxfId", looks)) >= looks:
                yield f"the conditional format of {where[:30]} has no look"
            bounds = [v.get("val", "") for v in rule.iterfind(".//{*}cfvo") if v.get("type") == "formula"]
            for text in [*(formula.text or "" for formula in rule.iterfind(".//{*}formula")), *bounds]:
                if "!" in text or "{" in text:
                    yield f"the conditional format of {where[:30]} reads another sheet, or a constant: {text}"
                if len(text) > 8_192 or any(len(literal) > 255 for literal in _LITERAL.findall(text)):
                    yield f"the conditional format of {where[:30]} is too long"
            if any(re.search(r"(?<![$A-Z])[A-Z]{1,3}\$?\d|\$[A-Z]{1,3}\d", text) for text in bounds):
                yield f"the colour scale of {where[:30]} moves: {bounds}"
    priorities = Counter(rule.get("priority") for rule in sheet.iterfind(".//{*}cfRule"))
    if any(count > 1 for count in priorities.values()):
        yield "two conditional formats have one priority"


def _rules(sheet: Element, book: Book) -> Iterator[str]:
    taken: list[tuple[Area, str]] = []
    for rule in sheet.iterfind(".//{*}dataValidation"):
        where = rule.get("sqref", "")
        for attribute, most in _RULE_TEXTS:
            if len(rule.get(attribute, "")) > most:
                yield f"the rule for {where} says too much in {attribute}"
        for text in (rule.findtext(f"{{*}}{tag}") or "" for tag in ("formula1", "formula2")):
            if len(text) > 255:
                yield f"the rule for {where} has a formula of {len(text)} characters"
        for area in _areas(where):
            if any(_meet(area, other) and owner != where for other, owner in taken):
                yield f"two rules for {where}"
            taken.append((area, where))


def _hyperlinks(sheet: Element, book: Book) -> Iterator[str]:
    for link in sheet.iterfind(".//{*}hyperlink"):
        place = link.get("location", "")
        found = _TARGET.match(place)
        title = (found[1] or found[2]).replace("''", "'") if found else ""
        if title not in book.sheets and place.lower() not in book.names:
            yield f"{link.get('ref')} leads to {place}, which is not there"


def _cells(sheet: Element, book: Book) -> Iterator[str]:
    looks = book.styles.find("{*}cellXfs")
    most = 0 if looks is None else len(looks)
    ignored = [area for item in sheet.iterfind(".//{*}ignoredError") for area in _areas(item.get("sqref", ""))]
    shared: set[str] = set()
    last_row = 0
    for row in sheet.iterfind(".//{*}row"):
        number, last_column = int(row.get("r", 0)), 0
        if number <= last_row:
            yield f"row {number} stands behind row {last_row}"
        last_row = number
        if not 0 < float(row.get("ht", 0)) <= 409.5:
            yield f"row {number} has no height"
        for cell in row.iterfind("{*}c"):
            where = cell.get("r", "")
            letters = where.rstrip("0123456789")
            column = column_index_from_string(letters)
            if where != f"{letters}{number}" or column <= last_column:
                yield f"{where} is out of order"
            last_column = column
            if int(cell.get("s", 0)) >= most:
                yield f"{where} has no style"
            yield from (f"{where} {line}" for line in _cell(cell, book, shared))
            text = _text(cell, book)
            inside = (column, number, column, number)
            if text is not None and _DIGITS.fullmatch(text) and not any(_meet(inside, area) for area in ignored):
                yield f"{where} gets a green corner: {text!r} is a text"


def _text(cell: Element, book: Book) -> str | None:
    """The text of a cell that has one."""
    value = cell.findtext("{*}v")
    if cell.get("t") == "s" and value is not None:
        return book.strings[int(value)]
    return value if cell.get("t") == "str" else None


def _cell(cell: Element, book: Book, shared: set[str]) -> Iterator[str]:
    kind, value, formula = cell.get("t", "n"), cell.findtext("{*}v"), cell.find("{*}f")
    if kind not in _CELL_TYPES or kind == "e":
        yield f"has an error, or an unknown type: {value}"
    if kind == "n" and value is not None:
        number = float(value)
        if not (number == 0 or _SMALLEST <= abs(number) <= _LARGEST):
            yield f"has no number of Excel's: {value}"
    if formula is None:
        return
    if value is None:
        yield "has a formula without a value"
    text, group = formula.text or "", formula.get("si", "")
    if formula.get("t") not in (None, "shared"):
        yield f"has a formula of the type {formula.get('t')}"
    if formula.get("t") == "shared":
        if formula.get("ref"):
            shared.add(group)
        if group not in shared or "!" in text:
            yield "shares a formula that is not there, or that names another sheet"
    yield from _formula(text)


def _formula(text: str) -> Iterator[str]:
    if len(text) > 8_192 or any(len(literal.replace('""', '"')) > 255 for literal in _LITERAL.findall(text)):
        yield "has a formula, or a text in one, that is too long"
    bare = _LITERAL.sub('""', text)
    depth = deepest = 0
    for sign in bare:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    if deepest > 60:
        yield f"has a formula of {deepest} levels"
    if unknown := set(_CALL.findall(bare)) - FUNCTIONS:
        yield f"calls {', '.join(sorted(unknown))}"
    if re.search(r"\):[A-Z$]|INDEX\([^()]*\):", bare):
        yield f"makes a range out of two results: {text[:80]}"
    if _OVER_TWO_SHEETS.search(bare):
        yield f"compares two sheets in another way than by SUMPRODUCT: {text[:80]}"
