"""New values in sheet XML: the bytes that have to change, in whatever dialect the sheet is written."""

import math
import re
from collections.abc import Mapping
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet.cells.grid import column_letters
from conv_sheet.cells.values import LARGEST
from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.patch import CellValue, Formula, Typed, with_values

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"


def sheet(data: str, namespace: str = MAIN) -> str:
    return f'<worksheet xmlns="{namespace}"><sheetData>{data}</sheetData></worksheet>'


def patched(data: str, values: Mapping[tuple[int, int], CellValue]) -> str:
    before, after = sheet("|").split("|")
    result = with_values(sheet(data).encode(), values).decode()
    assert result.startswith(before)
    assert result.endswith(after)
    return result[len(before) : -len(after)]


B1 = {(1, 2): 0.5}


@pytest.mark.parametrize(
    ("cell", "value", "expected"),
    [
        # A formula keeps its text and attributes; the type follows the value.
        ("<c r='B1'><f>A1</f><v>1</v></c>", 0.5, "<c r='B1'><f>A1</f><v>0.5</v></c>"),
        ("<c r='B1' t='str'><f>A1</f><v>x</v></c>", 0.5, "<c r='B1'><f>A1</f><v>0.5</v></c>"),
        ("<c r='B1' t='e'><f>A1</f><v>#REF!</v></c>", True, "<c r='B1' t=\"b\"><f>A1</f><v>1</v></c>"),
        ("<c r='B1' t='n'><f>A1</f><v>1</v></c>", 2.0, "<c r='B1' t='n'><f>A1</f><v>2</v></c>"),
        ("<c r='B1'><f>A1</f><v/></c>", "a<b", "<c r='B1' t=\"str\"><f>A1</f><v>a&lt;b</v></c>"),
        ("<c r='B1'><f>A1</f></c>", 0.5, "<c r='B1'><f>A1</f><v>0.5</v></c>"),
        ("<c r='B1'><f t='shared' si='0'/><v>1</v></c>", 3, "<c r='B1'><f t='shared' si='0'/><v>3</v></c>"),
        (
            "<c r='B1' cm='1'><f t='array' ref='B1'>A1:A3</f><v>1</v></c>",
            3,
            "<c r='B1' cm='1'><f t='array' ref='B1'>A1:A3</f><v>3</v></c>",
        ),
        # A plain cell keeps its style and place.
        ("<c s='7' r='B1'><v>1</v></c>", 1e-300, "<c s='7' r='B1'><v>1e-300</v></c>"),
        ("<c r='B1' s='7' t='s'><v>12</v></c>", 0.5, "<c r='B1' s='7'><v>0.5</v></c>"),
        (
            "<c r='B1' t='s'><v>12</v></c>",
            " ok ",
            "<c r='B1' t=\"inlineStr\"><is><t xml:space=\"preserve\"> ok </t></is></c>",
        ),
        ("<c r='B1' t='inlineStr'><is><t>old</t></is></c>", 4, "<c r='B1'><v>4</v></c>"),
        ("<c r='B1' vm='2' t='e'><v>#VALUE!</v></c>", 4, "<c r='B1'><v>4</v></c>"),
        # Empty cells that only carry a style, in both spellings.
        ("<c r='B1' s='7'/>", 0.5, "<c r='B1' s='7'><v>0.5</v></c>"),
        ("<c r='B1' s='7' ></c>", False, "<c r='B1' s='7'  t=\"b\"><v>0</v></c>"),
        # What XML allows and few writers do.
        ("<c r='B1'><!-- > --><v ><![CDATA[1]]></v ></c >", 2, "<c r='B1'><!-- > --><v>2</v></c >"),
        ("<c\n r = 'B1'\n>\n <v>1</v>\n</c>", 2, "<c\n r = 'B1'\n>\n <v>2</v>\n</c>"),
        (
            "<c r='B1' x:t='>' xmlns:x='u'><x:v>9</x:v></c>",
            2,
            "<c r='B1' x:t='>' xmlns:x='u'><v>2</v><x:v>9</x:v></c>",
        ),
    ],
)  # fmt: skip
def test_the_smallest_change(cell: str, value: CellValue, expected: str) -> None:
    row = '<row r="1" spans="1:2"><c r="A1"><v>7</v></c>{}<c r="C1"/></row>'
    assert patched(row.format(cell), {(1, 2): value}) == row.format(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('<row r="1"/>', '<row r="1"><c r="B1"><v>0.5</v></c></row>'),
        (
            '<row r="1" spans="1:1" ht="9"><c r="A1"/></row>',
            '<row r="1" ht="9"><c r="A1"/><c r="B1"><v>0.5</v></c></row>',
        ),
        (
            '<row r="1" spans="3:3"><c r="C1"/></row>',
            '<row r="1"><c r="B1"><v>0.5</v></c><c r="C1"/></row>',
        ),
        ('<row r="3"/>', '<row r="1"><c r="B1"><v>0.5</v></c></row><row r="3"/>'),
        ("", '<row r="1"><c r="B1"><v>0.5</v></c></row>'),
        # No references at all: places count on.
        ("<row><c/><c/></row><row/>", "<row><c/><c><v>0.5</v></c></row><row/>"),
        ("<row><c/></row>", '<row><c/><c r="B1"><v>0.5</v></c></row>'),
    ],
)
def test_missing_cells_and_rows_are_inserted_in_order(data: str, expected: str) -> None:
    assert patched(data, B1) == expected


def test_an_empty_sheet_data_is_opened() -> None:
    xml = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData/></x:worksheet>'
    row = '<x:row r="1"><x:c r="B1"><x:v>0.5</x:v></x:c></x:row>'
    expected = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{row}</x:sheetData></x:worksheet>'
    assert with_values(xml.encode(), B1).decode() == expected


def test_prefixes_strict_names_and_a_byte_order_mark() -> None:
    start = f'\ufeff<?xml version="1.0" encoding="utf-8"?><ä:worksheet xmlns:ä="{STRICT}"><ä:sheetData><ä:row r="1">'
    end = "</ä:row></ä:sheetData></ä:worksheet>"
    cell = "<ä:c r='B1'><ä:f>A1</ä:f><ä:v>{}</ä:v></ä:c>"
    result = with_values((start + cell.format(1) + end).encode(), B1)
    assert result.decode() == start + cell.format(0.5) + end


def test_rows_outside_the_sheet_data_are_not_rows() -> None:
    other = '<{0}><row r="1"><c r="B1"><v>1</v></c></row></{0}>'
    xml = f'<worksheet xmlns="{MAIN}">{other.format("sheetPr")}<sheetData/>{other.format("extLst")}</worksheet>'
    row = '<row r="1"><c r="B1"><v>0.5</v></c></row>'
    result = with_values(xml.encode(), B1).decode()
    assert result == xml.replace("<sheetData/>", f"<sheetData>{row}</sheetData>")


def test_a_sheet_longer_than_one_chunk() -> None:
    rows = "".join(f'<row r="{row}"><c r="A{row}"><v>{row}</v></c></row>' for row in range(1, 9001))
    assert patched(rows, {(9000, 1): 5}) == rows.replace("<v>9000</v>", "<v>5</v>")
    assert patched(rows, {(9001, 1): 5}) == rows + '<row r="9001"><c r="A9001"><v>5</v></c></row>'


def test_cells_that_share_a_formula_get_their_own_when_its_first_cell_loses_it() -> None:
    def row(number: int, first: str, second: str) -> str:
        return f'<row r="{number}"><c r="A{number}">{first}<v>1</v></c><c r="B{number}">{second}<v>2</v></c></row>'

    child = '<f t="shared" si="0"/>'
    before = row(1, '<f t="shared" ref="A1:B2" si="0">D1&amp;"x"</f>', child) + row(2, child, child)
    own = [f'<f>{column}{number}&amp;"x"</f>' for number in (1, 2) for column in "DE"]
    for value, instead in ((Typed(1.0), ""), (Formula("1/9", 1.0), "<f>1/9</f>")):
        assert patched(before, {(1, 1): value}) == row(1, instead, own[1]) + row(2, own[2], own[3])
    assert patched(before, {(1, 2): Typed(2.0)}) == before.replace(child, "", 1)
    assert patched(before, {(1, 1): Typed(1.0), (2, 1): Typed(1.0)}) == row(1, "", own[1]) + row(2, "", own[3])


def test_cells_with_one_array_formula_stay() -> None:
    with pytest.raises(WorkbookError, match="cell A1 is one of several with one array formula"):
        patched('<row r="1"><c r="A1"><f t="array" ref="A1:A2">B1:B2</f></c></row>', {(1, 1): Typed(1.0)})


def test_the_size_of_the_sheet_grows_with_it() -> None:
    xml = f'<worksheet xmlns="{MAIN}"><dimension ref="B2"/><sheetData/></worksheet>'
    assert '<dimension ref="A2:C7"/>' in with_values(xml.encode(), {(7, 1): 1.0, (3, 3): 1.0}).decode()
    assert '<dimension ref="B2"/>' in with_values(xml.encode(), {(2, 2): 1.0}).decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "cell B1: a cell cannot hold the number nan: use smaller numbers before it"),
        (-math.inf, "cell B1: a cell cannot hold the number -inf: use smaller numbers before it"),
        (1e308, "cell B1: a cell cannot hold the number 1e+308: use smaller numbers before it"),
        ("x" * 32_768, "cell B1: 32,768 characters of text; a cell holds 32,767"),
    ],
)
def test_what_a_cell_cannot_hold(value: CellValue, message: str) -> None:
    with pytest.raises(WorkbookError, match=f"^{re.escape(message)}$"):
        patched("", {(1, 2): value})


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (sheet("").encode("utf-16"), "in UTF-16, not UTF-8"),
        (b'<?xml version="1.0" encoding="latin-1"?>' + sheet("").encode(), "in latin-1, not UTF-8"),
        (b'<!DOCTYPE worksheet [<!ENTITY a "1">]>' + sheet("").encode(), "DOCTYPE"),
        (sheet("<row>").encode(), "damaged: mismatched tag"),
        (b"", "damaged: no element found"),
        (f'<worksheet xmlns="{MAIN}"/>'.encode(), "no sheetData"),
        (f'<chartsheet xmlns="{MAIN}"/>'.encode(), "not that of a worksheet"),
        (b'<worksheet xmlns="urn:other"/>', "not that of a worksheet"),
    ],
)
def test_what_cannot_be_patched_is_refused(xml: bytes, message: str) -> None:
    with pytest.raises(WorkbookError, match=message):
        with_values(xml, B1)


addresses = st.tuples(st.integers(1, 12), st.integers(1, 12))
numbers = st.floats(-LARGEST, LARGEST, allow_subnormal=False)
texts = st.text(max_size=8)
cell_values = st.one_of(numbers, st.booleans(), texts)


@st.composite
def sheets(draw: st.DrawFn) -> tuple[str, dict[tuple[int, int], str]]:
    """Sheet data in mixed spellings, and what is in it: each cell's formula, or "" for none."""
    cells = sorted(draw(st.sets(addresses, max_size=20)))
    formulas: dict[tuple[int, int], str] = {}
    rows = []
    for row in sorted({row for row, _ in cells} | draw(st.sets(st.integers(1, 12), max_size=3))):
        text = ""
        for column in [column for other, column in cells if other == row]:
            formula = draw(st.sampled_from(["", "SUM(A20:B20)"]))
            formulas[row, column] = formula
            inside = (f"<f>{formula}</f>" if formula else "") + draw(st.sampled_from(["", "<v>1</v>", "<v/>"]))
            start = f'<c r="{column_letters(column)}{row}" s="{draw(st.integers(0, 3))}"'
            text += f"{start}>{inside}</c>" if inside else f"{start}/>"
        rows.append(f'<row r="{row}">{text}</row>' if text else f'<row r="{row}"/>')
    return "".join(rows), formulas


def unescape(text: str) -> str:
    """ST_Xstring read the other way round (ECMA-376 part 1, 22.9.2.19)."""
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def read(cell: ElementTree.Element) -> tuple[str, CellValue]:
    """Formula and value of a cell, by its declared type."""
    formula = cell.findtext(f"{{{MAIN}}}f", "")
    text = cell.findtext(f"{{{MAIN}}}v", "")
    match cell.get("t", "n"):
        case "n":
            return formula, float(text or "nan")
        case "b":
            return formula, {"0": False, "1": True}[text]
        case "str":
            assert formula
            return formula, unescape(text)
        case "inlineStr":
            assert not formula
            return formula, unescape(cell.findtext(f"{{{MAIN}}}is/{{{MAIN}}}t", ""))
        case kind:
            raise AssertionError(kind)


@given(sheets(), st.dictionaries(addresses, cell_values, max_size=20))
def test_any_values_anywhere(
    before: tuple[str, dict[tuple[int, int], str]], values: dict[tuple[int, int], CellValue]
) -> None:
    data, formulas = before
    xml = with_values(sheet(data).encode(), values)
    assert with_values(xml, values) == xml
    rows = list(ElementTree.fromstring(xml).iter(f"{{{MAIN}}}row"))
    numbers = [int(row.attrib["r"]) for row in rows]
    assert numbers == sorted(set(numbers))
    expected = sorted(set(formulas) | set(values))
    cells = [cell for row in rows for cell in row]
    assert [cell.attrib["r"] for cell in cells] == [f"{column_letters(column)}{row}" for row, column in expected]
    for place, cell in zip(expected, cells, strict=True):
        formula, value = read(cell)
        assert formula == formulas.get(place, "")
        if place in values:
            assert (type(value), value) == (type(values[place]), values[place])


@given(st.text())
def test_escaped_text_is_text_of_xml_and_reads_back(text: str) -> None:
    element = ElementTree.fromstring(f"<t>{encode.text(text)}</t>")
    assert unescape(element.text or "") == text
