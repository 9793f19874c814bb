"""Find where a program of 32 bits becomes 64 bits wide: `dx.debug.widenings`.

A beginning is a value of 64 bits that no value of 64 bits leads to. `_beginnings` finds them in a
program, `_note` keeps one for each line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..primitives.config import config
from ..primitives.constants import Full
from ..primitives.jaxpr import Jaxpr, Literal, sub_jaxprs
from ..primitives.support.sources import show_source, source_line
from ..primitives.types import ShapedArray, complex128, float64, int64, uint64
from ..trees.arguments import argument_or_keyword, check_callable
from .jit import make_jaxpr

#: How results name a value that the function closes over.
_OUTSIDE = "a value from outside"
#: The dtypes of 64 bits.
_WIDE = (float64, int64, uint64, complex128)


class Widening(NamedTuple):
    """A place where 64 bits begin.

    Attributes:
        what: the operation, the argument or the constant, for people.
        dtype: of 64 bits (complex128 is two of them).
        shape: of the array.
        file, line: where it is in the user's program; "?" and 0 for an argument.
        source: the line, as messages show it; empty for an argument.
    """

    what: str
    dtype: np.dtype
    shape: tuple[int, ...]
    file: str
    line: int
    source: str

    def __repr__(self) -> str:
        where = f"\n  at {self.source}" if self.source else ""
        return f"{self.what} is {self.dtype}{list(self.shape)}{where}"


class Widenings(tuple[Widening, ...]):
    """The result of `dx.debug.widenings`: a tuple that is printed with a line for each entry."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "nothing is wider than 32 bits"


def widenings(fun: Callable, *args: Any, **kwargs: Any) -> Widenings:
    """Find which values in a program of 32 bits become 64 bits wide, and on which lines.

    The function is traced, not run, under `dx.config.defaults(32)`. The result lists beginnings:
    arguments of 64 bits, values of 64 bits that the function closes over, and operations whose
    result has 64 bits though no operand has. Values that are wide because of these are left out.

    Args:
        fun: a function of arrays and trees, which may be a derivative or a jitted function.
        args, kwargs: its arguments, or `ShapeDtypeStruct`s in their place. Python's numbers are of
            32 bits; a NumPy array keeps its dtype.

    Returns:
        A tuple of named tuples `(what, dtype, shape, file, line, source)`, in the order of the
        program, each place once.

    Raises:
        TypeError: if `fun` is not callable, or an argument is neither an array nor a number.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> def loss(x):
        ...     return dx.numpy.sum(x * np.float64(0.5))
        >>> [found] = dx.debug.widenings(loss, np.ones(3, "float32"))
        >>> found.what, found.dtype
        ('a value from outside', dtype('float64'))
        >>> dx.debug.widenings(lambda x: 0.5 * x, np.ones(3, "float32"))
        nothing is wider than 32 bits
    """
    check_callable(fun, "debug.widenings")
    with config.defaults(32):
        jaxpr = make_jaxpr(fun)(*args, **kwargs)
    arguments = (args, kwargs)
    entries: dict[tuple, Widening] = {}
    for i, var in enumerate(jaxpr.in_vars):
        if var.aval.dtype in _WIDE:
            _note(entries, argument_or_keyword(arguments, i), var.aval, None)
    for what, aval, source in _beginnings(jaxpr, set()):
        _note(entries, what, aval, source)
    return Widenings(entries.values())


def _note(found: dict[tuple, Widening], what: str, aval: ShapedArray, source: Any) -> None:
    """Add an entry to `found`, one for each dtype and line."""
    file, line, _ = source_line(source)
    shown = show_source(source) if source else ""
    item = Widening(what, aval.dtype, aval.shape, file, line, shown)
    key = (aval.dtype, file, line) if source else (what,)
    if key not in found or what == _OUTSIDE:  # the cause of the conversions on the line
        found[key] = item


def _beginnings(jaxpr: Jaxpr, known: set[Any]) -> Iterator[tuple[str, ShapedArray, Any]]:
    """Yield (what, type, source) for each beginning in a program and the programs it holds.

    `known` are the constants of 64 bits that were yielded before.
    """
    for eqn in jaxpr.eqns:
        wide = False
        for v in eqn.inputs:
            if type(v) is not Literal and v.aval.dtype in _WIDE:
                wide = True
                if v in jaxpr.const_vars and v not in known:
                    known.add(v)
                    yield _OUTSIDE, v.aval, eqn.source
        inner = False
        for program in sub_jaxprs(eqn.primitive):
            for beginning in _beginnings(program, known):
                inner = True
                yield beginning
        # The 1 at which a gradient begins is as wide as the value, which is reported itself.
        seed = eqn.primitive == Full((), eqn.outs[0].aval.dtype, 1) if eqn.outs else False
        if not (wide or inner or seed):
            # One result of an operation is enough: all are on one line.
            for aval in [v.aval for v in eqn.outs if v.aval.dtype in _WIDE][:1]:
                yield f"the result of {eqn.primitive.name}", aval, eqn.source
    for v in jaxpr.outs:
        if v in jaxpr.const_vars and v.aval.dtype in _WIDE and v not in known:
            known.add(v)
            yield "a value from outside, which is returned,", v.aval, None
