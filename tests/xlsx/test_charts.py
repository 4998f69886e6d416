"""Charts show their bars where nothing calculates, and keep showing the right ones when a closed file is changed."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.packaging.relationship import get_dependents
from openpyxl.reader.drawings import find_images

from conv_sheet import actions
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.office import closed
from conv_sheet.xlsx.reader import Stored
from tests.conftest import Once
from tests.lessons import built, state_of
from tests.networks import SMALL, fastai, written
from tests.networks import state_of as random_state

DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"


def charts(path: Path, sheet: str) -> list[Any]:
    """The charts of a sheet as openpyxl reads them: what the file says, and nothing calculated."""
    with zipfile.ZipFile(path) as archive:
        number = re.findall(r'<sheet [^>]*name="([^"]+)"', archive.read("xl/workbook.xml").decode()).index(sheet) + 1
        rels = get_dependents(archive, f"xl/worksheets/_rels/sheet{number}.xml.rels")
        drawings = [rel.target for rel in rels.find(SpreadsheetDrawing._rel_type)]
        return [chart for drawing in drawings for chart in find_images(archive, drawing)[0]]


def bars(path: Path) -> tuple[list[str], list[float]]:
    """Labels and lengths of the bars on `Start`, as they stand in the chart."""
    (chart,) = charts(path, "Start")
    (series,) = chart.series
    labels, lengths = series.cat.strRef.strCache, series.val.numRef.numCache
    assert (labels.ptCount, lengths.ptCount) == (len(labels.pt), len(lengths.pt))
    return [point.v for point in labels.pt], [float(point.v) for point in lengths.pt]


def parts(path: Path, folder: str) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name).decode() for name in archive.namelist() if re.fullmatch(rf"{folder}/\w+\.xml", name)]


def test_the_bars_are_there_before_anything_calculates(tmp_path: Path) -> None:
    state = fastai()
    labels, lengths = bars(written(tmp_path, state))
    assert labels == list(state.network.classes)
    np.testing.assert_allclose(lengths, state.output, rtol=1e-14)


def test_the_bars_follow_a_command_on_a_closed_file(tmp_path: Path) -> None:
    path = written(tmp_path, fastai())
    before = bars(path)
    closed.press(path, actions.random_kernels)
    after = bars(path)
    assert after[0] == before[0]
    assert after[1] != before[1]
    shown = Stored.open(path).block(Stored.open(path).names["softmax_out"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(after[1], np.ravel(np.array(shown, dtype=float)))


def test_classes_are_texts_also_where_they_read_as_numbers_or_need_escapes(tmp_path: Path) -> None:
    names = ["1", "<b> & _x0041_", "=1+1"]
    path = written(tmp_path, random_state(Network.from_spec(SMALL | {"classes": names})))
    (chart,) = parts(path, "xl/charts")
    assert "<strRef>" in chart
    assert "&lt;b&gt; &amp; _x005F_x0041_" in chart
    assert bars(path)[0][::2] == ["1", "=1+1"]


def lesson(once: Once, name: str, folder: Path) -> Path:
    """A lesson's workbook that a test may change."""
    return Path(shutil.copy(built(once, name), folder))


def of_buttons(path: Path) -> list[Any]:
    """The chart of a training: the one with a single line."""
    return [chart for chart in charts(path, "Backprop") if len(chart.series) == 1]


def drawn(path: Path) -> dict[str, list[tuple[float, float]]]:
    """The points of charts with several lines, as they stand in the chart, by what the legend calls them."""
    lines = [line for chart in charts(path, "Backprop") if chart.legend for line in chart.series]
    caches = {line.tx.v: (line.xVal.numRef.numCache.pt, line.yVal.numRef.numCache.pt) for line in lines}
    assert len(caches) == len(lines)
    return {label: [(float(x.v), float(y.v)) for x, y in zip(*both, strict=True)] for label, both in caches.items()}


def test_several_lines_are_drawn_and_named_before_anything_calculates_and_follow_a_command(
    once: Once, tmp_path: Path
) -> None:
    path = lesson(once, "backprop", tmp_path)
    before = drawn(path)
    assert {label: len(points) for label, points in before.items()} == {
        **{"all 3 pictures": 12, "this one": 12, "rate now": 1},
        **{"SGD": 11, "with momentum 0.9": 11},
    }
    assert before["SGD"][0] == before["with momentum 0.9"][0]
    assert before["rate now"] == [point for point in before["all 3 pictures"] if point[0] == 0.1]
    closed.press(path, actions.train_step)
    after = drawn(path)
    assert all(after[label] != points for label, points in before.items())
    assert [chart.legend for chart in of_buttons(path)] == [None]


def test_where_equal_factors_are_equally_far_apart_no_number_is_zero(tmp_path: Path) -> None:
    path = written(tmp_path, state_of("backprop").with_typed({"learning_rate": 0.0}))
    (chart,) = (chart for chart in charts(path, "Backprop") if chart.x_axis.scaling.logBase == 10)
    low, high = chart.x_axis.scaling.min, chart.x_axis.scaling.max
    numbers = [float(point.v) for line in chart.series for point in line.xVal.numRef.numCache.pt]
    assert low == min(numbers) > 0 and max(numbers) < high
    assert chart.y_axis.crosses == "min"


def test_classes_are_written_at_the_edge_of_the_chart_and_not_over_bars_below_zero(once: Once) -> None:
    (chart,) = charts(built(once, "multi-label"), "Start")
    assert chart.x_axis.tickLblPos == "low"


def test_where_a_chart_begins_below_zero_its_labels_stay_at_its_edges(once: Once) -> None:
    curves, slopes = charts(built(once, "activations"), "Activations")
    assert [(chart.x_axis.scaling.min, chart.y_axis.scaling.min) for chart in (curves, slopes)] == [(-6, -2), (-6, 0)]
    assert {axis.tickLblPos for chart in (curves, slopes) for axis in (chart.x_axis, chart.y_axis)} == {"low"}


def test_a_chart_without_points_yet_says_so(once: Once, tmp_path: Path) -> None:
    path = lesson(once, "backprop", tmp_path)
    (chart,) = of_buttons(path)
    cache = chart.series[0].yVal.numRef.numCache
    assert (cache.ptCount > 0, cache.pt) == (True, [])
    closed.press(path, actions.train_steps)
    (chart,) = of_buttons(path)
    points = chart.series[0].yVal.numRef.numCache.pt
    assert [point.idx for point in points] == list(range(11))
    assert float(points[0].v) > float(points[-1].v)


@pytest.mark.parametrize("name", ["fastai", "backprop"])
def test_titles_and_corners_are_as_excel_draws_them_for_itself(once: Once, name: str) -> None:
    for chart in parts(built(once, name), "xl/charts"):
        assert '<roundedCorners val="0"/>' in chart
        assert chart.count("<title>") + chart.count("<legend>") == chart.count('<overlay val="0"/>')


def test_drawings_have_the_prefix_that_readers_expect(tmp_path: Path) -> None:
    (drawing,) = parts(written(tmp_path, fastai()), "xl/drawings")
    assert set(re.findall(r"</?(\w+):", drawing)) == {"xdr", "a", "c"}
    assert not re.search(r"</?\w+[\s/>]", drawing)


def test_digits_that_are_texts_are_no_warning(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path, fastai())) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    (area,) = re.findall(
        r'<ignoredErrors><ignoredError sqref="([^"]*)" numberStoredAsText="1"/></ignoredErrors>', sheet
    )
    assert "AF6:AF15" in area.split()
    assert sheet.index("<ignoredErrors>") < sheet.index("<drawing")
    plain = random_state(Network.from_spec(SMALL | {"classes": ["a", "b", "c"]}), lesson=Lesson())
    with zipfile.ZipFile(written(tmp_path, plain, "plain.xlsx")) as archive:
        assert b"ignoredErrors" not in archive.read("xl/worksheets/sheet1.xml")
