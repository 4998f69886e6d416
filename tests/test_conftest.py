"""What needs other programs is marked so, and what is not marked runs without them."""

from types import ModuleType

from tests import conftest
from tests.oracles import cells, libreoffice


def module(**names: object) -> ModuleType:
    made = ModuleType("test_something")
    vars(made).update(names)
    return made


def test_a_module_that_imports_an_oracle_asks_programs() -> None:
    assert conftest.asks_programs(module(libreoffice=libreoffice))
    assert conftest.asks_programs(module(recalculate=libreoffice.recalculate))
    assert not conftest.asks_programs(module(cells=cells, values=cells.values, number=1, text="tests.oracles.gnumeric"))
