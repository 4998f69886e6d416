"""The audit finds nothing in a lesson, and everything that is put into one for it to find."""

import re
import zipfile
from pathlib import Path

import pytest

from conv_sheet import lessons
from tests.books import some
from tests.conftest import Once
from tests.lessons import built
from tests.networks import SMALL, written
from tests.networks import state_of as random_state
from tests.oracles import validator
from tests.oracles.audit import findings

SHEET, BOOK, CHART = "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/charts/chart1.xml"
NETWORK = "xl/worksheets/sheet2.xml"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [(name, "xlsx") for name in lessons.names()] + [("fastai", "xlsm"), ("backprop", "xlsm"), ("kernels", "xlsm")],
)
def test_a_lesson_has_nothing_that_excel_repairs(name: str, suffix: str, once: Once) -> None:
    assert findings(built(once, name, f".{suffix}")) == []


@pytest.mark.parametrize("name", some(lessons.names(), 4))
def test_another_program_finds_nothing_either(name: str, once: Once) -> None:
    assert validator.audit_findings(built(once, name)) == []


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conv_sheet.network.graph import Network

    network = Network.from_spec(SMALL | {"classes": ["1", "2", "=1+1"]})
    return written(tmp_path_factory.mktemp("audit"), random_state(network), "book.xlsx")


@pytest.mark.parametrize(
    ("part", "pattern", "instead", "message"),
    [
        (SHEET, "<sheetData>", "<sheetData><", "not well-formed"),
        (SHEET, "<sheetData>", "\x07<sheetData>", "not well-formed"),
        ("[Content_Types].xml", '<Default [^>]*Extension="rels"[^>]*>|<Default [^>]*rels[^>]*>', "", "no content type"),
        ("[Content_Types].xml", "sheet1.xml", "sheet99.xml", "sheet99.xml is declared, and not there"),
        ("xl/_rels/workbook.xml.rels", "/?(xl/)?styles.xml", "/xl/nosuch.xml", "leads to /xl/nosuch.xml"),
        ("xl/_rels/workbook.xml.rels", 'Id="sharedStrings"', 'Id="rId2"', "uses an id twice"),
        (BOOK, 'name="NumPy"', 'name="network"', "two sheets have one title"),
        (BOOK, 'name="NumPy"', f'name="{"x" * 32}"', "no title of a sheet"),
        (BOOK, 'definedName name="conv1_bias"', 'definedName name="AB12"', "no defined name: AB12"),
        (BOOK, 'definedName name="conv1_bias"', 'definedName name="status"', "the name status is there twice"),
        (BOOK, r">Network!\$[^<]*</definedName>", ">#REF!</definedName>", "leads nowhere"),
        ("xl/sharedStrings.xml", 'uniqueCount="', 'uniqueCount="9', "the number of shared strings is wrong"),
        ("xl/sharedStrings.xml", '<t xml:space="preserve">', "<t> ", "would be lost"),
        ("xl/styles.xml", '<cellXfs count="', '<cellXfs count="9', "the number of cellXfs is wrong"),
        ("xl/styles.xml", '<numFmt numFmtId="164"', '<numFmt numFmtId="999"', "without its number format"),
        (CHART, "<numCache>.*?</numCache>", "", "does not hold what it draws"),
        (CHART, '<overlay val="0"/>', "", "lies over the bars"),
        (CHART, '<roundedCorners val="0"/>', "", "round corners"),
        (SHEET, "<ignoredErrors>.*?</ignoredErrors>", "", "gets a green corner: '1' is a text"),
        (SHEET, "(<ignoredErrors>.*?</ignoredErrors>)(<drawing[^>]*>)", r"\2\1", "another order"),
        (SHEET, ' ht="[^"]*"', "", "has no height"),
        (SHEET, '<c r="B1"', '<c r="B2"', "B2 is out of order"),
        (SHEET, '<c r="B1" s="', '<c r="B1" s="99', "B1 has no style"),
        (SHEET, '<mergeCell ref="', '<mergeCell ref="A1:XFD50"/><mergeCell ref="', "is merged twice"),
        (SHEET, '<mergeCell ref="', '<mergeCell ref="ZZ1:ZZ1"/><mergeCell ref="', "is merged with nothing"),
        (SHEET, 'location="[^"]*"', 'location="Nosuch!A1"', "leads to Nosuch!A1"),
        (NETWORK, r"(<cfRule type=\"expression\"[^>]*><formula>)", r"\1Start!A1=", "reads another sheet"),
        (NETWORK, r'(<cfRule type="expression" [^>]*dxfId=")', r"\g<1>99", "has no look"),
        (NETWORK, "</f><v>[^<]*</v>", "</f>", "has a formula without a value"),
        (NETWORK, "</f><v>[0-9.]*</v>", "</f><v>1e-320</v>", "has no number of Excel's: 1e-320"),
        (NETWORK, "<f>", "<f>LAMBDA(1)+", "calls LAMBDA"),
        (NETWORK, "<f>", "<f>SUM(INDEX(A1:B2,1,1):INDEX(A1:B2,2,2))+", "makes a range out of two results"),
        (NETWORK, "<f>", "<f>SUMXMY2(Network!A1:B2,NumPy!A1:B2)+", "in another way than by SUMPRODUCT"),
        (NETWORK, '(<f t="shared" ref="[^"]*" si=")', r"\g<1>9", "shares a formula that is not there"),
        (NETWORK, '(<col [^>]*width=")', r"\g<1>9999", "wide"),
        (NETWORK, '(<dataValidation [^>]*error=")', rf"\g<1>{'x' * 230}", "says too much in error"),
    ],
)
def test_what_is_broken_is_found(
    part: str, pattern: str, instead: str, message: str, book: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(path, "w") as result:
        for name in source.namelist():
            content = source.read(name).decode()
            if name == part:
                changed, count = re.subn(pattern, instead, content, count=1, flags=re.DOTALL)
                assert count == 1, f"{part} has no {pattern}"
                content = changed
            result.writestr(name, content)
    assert message in "\n".join(findings(path))


def test_the_book_that_is_broken_is_whole(book: Path) -> None:
    assert findings(book) == []
