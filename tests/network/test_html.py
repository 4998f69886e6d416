"""What a notebook shows of a network and of a workbook: numbers, colours, and no foreign markup."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conv_sheet.cells import style
from conv_sheet.network.spec import from_tables
from conv_sheet.state import WorkbookState
from tests.graphs import GRAPHS
from tests.networks import fastai, small, state_of


class Page(HTMLParser):
    """Tags, texts and pictures of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.pictures: dict[str, NDArray[np.uint8]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        says = dict(attrs)
        if tag == "img":
            raw = base64.b64decode((says["src"] or "").removeprefix("data:image/png;base64,"))
            self.pictures[says["alt"] or ""] = np.asarray(Image.open(io.BytesIO(raw)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_table_has_each_layer_with_what_it_reads_and_costs() -> None:
    page = Page(small()._repr_html_())
    rows = "|".join(page.texts)
    assert "conv1|Conv2d|3×5×5|39" in rows  # 3 kernels of 2×3×2 weights and a bias
    assert rows.endswith("total|78")  # … and 3 × 12 weights with 3 biases
    assert "sum|Add|second, input|" in "|".join(Page(GRAPHS["a residual block"]._repr_html_()).texts)


def test_maps_are_pictures_in_the_colours_of_the_sheets() -> None:
    state = fastai()
    page = Page(state._repr_html_())
    values = state.activations["relu1"][0]
    shown = page.pictures["relu1 1"]
    full = np.array(list(bytes.fromhex(style.WARM)))
    wanted = 255 + values[0][..., None] / values.max() * (full - 255.0)
    assert shown.shape == (26, 26, 3)
    assert np.abs(shown - wanted).max() <= 0.5
    assert {"input 1", "relu1 2", "relu2 1", "pool 2"} <= page.pictures.keys()
    assert "100%" in page.texts and "7" in page.texts


def test_values_below_zero_have_another_colour_and_a_colour_picture_is_one() -> None:
    network = from_tables({"input": [3, 2, 2], "layers": [{"kind": "Tanh"}, {"kind": "Identity"}]}).network
    image = np.zeros((3, 2, 2))
    image[0, 0, 0] = 1
    pixels = Page(WorkbookState.of(network, image, {})._repr_html_()).pictures
    assert pixels["input"][0, 0].tolist() == [255, 0, 0]
    signed = Page(WorkbookState.of(network, image - 2 * image[:, ::-1, ::-1], {})._repr_html_()).pictures
    shown = next(picture for name, picture in signed.items() if name.endswith(" 1") and "input" not in name)
    assert shown[1, 1].tolist() == list(bytes.fromhex(style.BLUE))


def test_texts_are_no_markup() -> None:
    spec = small().spec() | {"title": "<script>alert(1)</script>", "classes": ["<b>", '"&', "c"]}
    made = from_tables(spec)
    page = Page(state_of(made.network, 1, made.lesson)._repr_html_())
    assert not {"script", "b>"} & page.tags
    assert {"<b>", '"&', "<script>alert(1)</script>"} <= set(page.texts)


def test_what_python_prints_is_one_short_line() -> None:
    for shown in (repr(fastai()), repr(fastai().network), repr(GRAPHS["a residual block"])):
        assert "\n" not in shown and len(shown) < 150
