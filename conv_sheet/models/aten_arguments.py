"""Arguments of PyTorch's operators: activations and constants, and what to say where one is the other."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.values import Constant, Operand, Value

Args = Mapping[str, Any]
"""By the names of the operators' schemas; what an archive leaves out has the schema's default."""
Operation = Callable[[GraphBuilder, Args], Any]


def value_of(b: GraphBuilder, operand: Any) -> Value:
    """The activation that an operator works on."""
    if not isinstance(operand, Value):
        b.refuse("it works on a constant, where an activation is expected")
    return operand


def constant_of(b: GraphBuilder, operand: Any, what: str) -> Constant:
    """A constant that an operator needs, such as a weight; `what` names it in the error."""
    if not isinstance(operand, np.ndarray):
        b.refuse(f"its {what} is not a constant")
    return operand


def optional_of(b: GraphBuilder, operand: Any, what: str) -> Constant | None:
    """The same, where it may be left out."""
    return None if operand is None else constant_of(b, operand, what)


def operand_of(operand: Any) -> Operand:
    """An activation or a constant; plain numbers become constants."""
    return operand if isinstance(operand, Value | np.ndarray) else np.asarray(operand)
