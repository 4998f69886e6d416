"""What a spec says of its tries may come from anybody: no formula, no place, no text of it does harm."""

from typing import Any

import pytest

from conv_sheet.errors import SpecError, WorkbookError
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets import registry
from tests.networks import SMALL, state_of

TRY = {"text": "Type.", "at": "conv1_weight_1_1"}


def pages(**said: Any) -> None:
    spec = from_tables(SMALL | {"try": [TRY | said]})
    registry.pages(state_of(spec.network, lesson=spec.lesson))


@pytest.mark.parametrize("key", ["check", "then"])
@pytest.mark.parametrize(
    ("formula", "fault"),
    [
        ("cmd|'/C calc'!A0=0", "is none of its forms"),
        ('WEBSERVICE("http://localhost/?"&prediction)="x"', "there is no function WEBSERVICE"),
        ('HYPERLINK("http://localhost")=1', "there is no function HYPERLINK"),
        ('INDIRECT("Network!A1")=1', "there is no function INDIRECT"),
        ('CALL("kernel32","WinExec","JC","calc")=1', "there is no function CALL"),
        ("RAND()>0", "there is no function RAND"),
        ("'[other.xlsx]S'!A1=1", r"there is no sheet '\[other.xlsx\]S'"),
        ("[other.xlsx]S!A1=1", "is none of its forms"),
        ("'file:///etc/passwd'#$S.A1=1", "is none of its forms"),
        ("Nowhere!A1=1", "there is no sheet 'Nowhere'"),
        ("nothing=1", "there is no name nothing"),
        ("SUM(", "it ends too early"),
        ("1=1)+(1", "is left over"),
        ('prediction="' + "a" * 256 + '"', "a text of more than 255 characters"),
        ("(" * 3000 + "1" + ")" * 3000, "nested more than 64 deep"),
    ],
)
def test_a_condition_is_a_formula_of_our_own_words_only(key: str, formula: str, fault: str) -> None:
    with pytest.raises(SpecError, match=rf"^\[\[try\]\] at conv1_weight_1_1: {key} = .*{fault}"):
        pages(**{"check": "1=1", key: formula})


def test_a_long_condition_is_one_line() -> None:
    with pytest.raises(WorkbookError, match=r"^[^\n]{,2100}$"):
        pages(check="+".join(["1"] * 9000) + "=1")


def test_what_a_lesson_says_is_taken() -> None:
    pages(check='AND(INDEX(conv1_weight_1_1,1,1)=2,Network!A1<>"")', then="ABS(SUM(conv1_out_1)-1)<0.001")


@pytest.mark.parametrize("place", ["'[other.xlsx]S'!A1", "Network!A1", "nothing"])
def test_a_link_leads_to_a_name_of_the_workbook(place: str) -> None:
    with pytest.raises(SpecError, match=r"^\[\[try\]\]: "):
        pages(at=place)
