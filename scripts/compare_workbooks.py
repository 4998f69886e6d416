"""Compares two workbooks cell by cell, and says what differs: python -m scripts.compare_workbooks OLD NEW.

Values, formulas (shared ones written out), styles, merged cells, sizes, validations, conditional formats, defined names
and the names of the parts. The exit status is 1 where something differs.
"""

import sys
import zipfile
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import openpyxl

_SHOWN = 4
Facts = dict[tuple[str, str], dict[Hashable, object]]
"""What a workbook says: by sheet and kind of fact, by place."""


def facts(path: Path) -> Facts:
    """Everything of a workbook that is compared."""
    found: Facts = defaultdict(dict)
    values, formulas = (openpyxl.load_workbook(path, data_only=data_only) for data_only in (True, False))
    for sheet in formulas.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is not None or cell.has_style:
                    title, at = sheet.title, cell.coordinate
                    found[title, "value"][at] = values[title][at].value
                    found[title, "formula"][at] = cell.value if cell.data_type == "f" else None
                    found[title, "style"][at] = _style(cell)
        _around(found, sheet)
    found["", "name"] = {name: defined.attr_text for name, defined in formulas.defined_names.items()}
    with zipfile.ZipFile(path) as archive:
        found["", "part"] = dict.fromkeys(archive.namelist(), True)
    return found


def _style(cell: Any) -> tuple[object, ...]:
    font, fill, border, alignment = cell.font, cell.fill, cell.border, cell.alignment
    sides = tuple((side.style, side.color and side.color.rgb) for side in (border.left, border.right, border.top))
    return (
        *(font.name, font.sz, font.b, font.i, font.u, font.color and font.color.rgb),
        *(fill.fill_type, fill.fgColor.rgb, sides, cell.number_format),
        *(alignment.horizontal, alignment.vertical, alignment.wrap_text, alignment.shrink_to_fit, alignment.indent),
    )


def _around(found: Facts, sheet: Any) -> None:
    """What a sheet has beside its cells."""
    title = sheet.title
    found[title, "merged"] = {str(area): True for area in sheet.merged_cells.ranges}
    found[title, "width"] = {letter: one.width for letter, one in sheet.column_dimensions.items()}
    found[title, "height"] = {row: one.height for row, one in sheet.row_dimensions.items() if one.customHeight}
    found[title, "validation"] = {
        str(rule.sqref): (rule.type, rule.formula1, rule.formula2, rule.prompt)
        for rule in sheet.data_validations.dataValidation
    }
    found[title, "conditional format"] = {
        (str(area.sqref), number): (rule.type, tuple(rule.formula))
        for area in sheet.conditional_formatting
        for number, rule in enumerate(area.rules)
    }
    found[title, "hyperlink"] = {link.ref: link.location for link in sheet._hyperlinks}


def differences(old: Facts, new: Facts) -> Iterator[str]:
    """A line for each sheet and kind of fact in which two workbooks differ."""
    for sheet, kind in sorted({*old, *new}):
        one, other = old.get((sheet, kind), {}), new.get((sheet, kind), {})
        apart = [place for place in {**one, **other} if not _same(one, other, place)]
        if apart:
            first = "; ".join(f"{place}: {one.get(place)!r} → {other.get(place)!r}" for place in apart[:_SHOWN])
            yield f"{sheet or 'workbook'}, {kind}: {len(apart):,} of {len({**one, **other}):,} differ: {first}"


def _same(one: Mapping[Hashable, object], other: Mapping[Hashable, object], place: Hashable) -> bool:
    a, b = one.get(place), other.get(place)
    if isinstance(a, float | int) and isinstance(b, float | int):
        return abs(a - b) <= 1e-12 * max(1.0, abs(a))
    return a == b


if __name__ == "__main__":
    lines = list(differences(*(facts(Path(name)) for name in sys.argv[1:3])))
    print(*lines or ["no difference"], sep="\n")
    sys.exit(bool(lines))
