import re
from collections.abc import Callable

import pytest

from conv_sheet.errors import SpecError
from conv_sheet.ops.options import sizes as pair


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair("value", (1, 2, 3)), "value = [1, 2, 3] must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", "ab"), "stride = 'ab' must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", 1.5), "stride = 1.5 must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", (1, True)), "stride = [1, True] must be a whole number, 1 or more, or a pair of them"),
        (
            lambda: pair("padding", (1, -1), least=0),
            "padding = [1, -1] must be a whole number, 0 or more, or a pair of them",
        ),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
