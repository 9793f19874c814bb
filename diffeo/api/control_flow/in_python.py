"""Loops as Python's, for `dx.config.disable_jit`: a debugger can stop in each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...primitives.array import as_value
from ...primitives.core import Value
from ...primitives.words.slicing import concatenate
from ...primitives.words.structural import reshape
from ...trees import tree


def scan_in_python(
    f: Callable, init: Any, xs: Value | None, steps: int, reverse: bool
) -> tuple[Any, Any]:
    """Do what `scan` does, one call of `f` after the other; there is at least one step."""
    leaves, structure = tree.flatten(xs)
    arrays = [as_value(x) for x in leaves]
    carry, ys = tree.map(as_value, init), []
    order = range(steps)
    for i in reversed(order) if reverse else order:
        carry, y = f(carry, tree.unflatten(structure, [x[i] for x in arrays]))
        ys.append(y)
    if reverse:
        ys.reverse()
    return tree.map(as_value, carry), tree.map(lambda *rows: _stacked(rows), *ys)


def _stacked(rows: Any) -> Any:
    values = [as_value(row) for row in rows]
    return concatenate([reshape(v, (1, *v.shape)) for v in values], 0)


def while_in_python(cond_fun: Callable, body_fun: Callable, init_val: Any, going: bool) -> Any:
    """Do what `while_loop` does, one call after the other; `going` is the first condition."""
    carry = tree.map(as_value, init_val)
    while going:
        carry = tree.map(as_value, body_fun(carry))
        going = bool(cond_fun(carry))
    return carry
