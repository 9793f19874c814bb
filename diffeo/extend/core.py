"""What programs are made of, with the names of `jax.extend.core`.

`Primitive` is that of jax's documentation, to which rules are given one by one; diffeo's own kind
is `dx.Primitive`. Programs are diffeo's: a `Jaxpr` holds its constants, so it is a `ClosedJaxpr`,
too.

Examples:
    >>> import diffeo as dx
    >>> from diffeo.extend.core import jaxpr_as_fun
    >>> closed = dx.make_jaxpr(lambda x: 2 * dx.numpy.sin(x))(1.0)
    >>> [eqn.primitive.name for eqn in closed.jaxpr.eqns]
    ['sin', 'mul']
    >>> jaxpr_as_fun(closed)(0.5)
    [Array(0.95885108)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..primitives.core import state, typeof
from ..primitives.jaxpr import Eqn as JaxprEqn
from ..primitives.jaxpr import Jaxpr, Literal, Var, check_jaxpr, sub_jaxprs
from ..primitives.types import ShapedArray
from .definitions import Applied, Parameters
from .definitions import Definition as Primitive

__all__ = [
    "ClosedJaxpr", "Effect", "Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var", "check_jaxpr",
    "get_opaque_trace_state", "jaxpr_as_fun", "jaxprs_in_params", "mapped_aval", "new_jaxpr_eqn",
    "subjaxprs", "unmapped_aval", "valid_jaxtype",
]  # fmt: skip


class _Closed(type):
    """The type of `ClosedJaxpr`, by which every program is one."""

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Jaxpr)


class ClosedJaxpr(metaclass=_Closed):
    """A program with the values of its constants: makes a `Jaxpr`, which every program is.

    Args:
        jaxpr: a program.
        consts: values for its `constvars`.
    """

    def __new__(cls, jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> Any:
        if len(consts) != len(jaxpr.const_vars):
            raise TypeError(
                f"ClosedJaxpr: the program has {len(jaxpr.const_vars)} constants, got {len(consts)}"
            )
        parts = jaxpr.in_vars, jaxpr.eqns, jaxpr.outs, jaxpr.const_vars
        return Jaxpr(*parts, consts, jaxpr.name)


def mapped_aval(size: int, axis: int | None, aval: ShapedArray) -> ShapedArray:
    """Return the type of an array without an axis that is mapped over.

    Args:
        size: the size of the axis.
        axis: its position; None if the array is not mapped over.
        aval: the type with the axis.

    Raises:
        ValueError: if the axis has another size, or does not exist.

    Examples:
        >>> from diffeo.core import ShapedArray
        >>> mapped_aval(3, 1, ShapedArray((2, 3), "float32"))
        f32[2]
    """
    if axis is None:
        return aval
    if not 0 <= axis < aval.ndim or aval.shape[axis] != size:
        raise ValueError(f"mapped_aval: {aval} has no axis {axis} of size {size}")
    return ShapedArray(aval.shape[:axis] + aval.shape[axis + 1 :], aval.dtype, aval.weak_type)


def unmapped_aval(size: int, axis: int | None, aval: ShapedArray) -> ShapedArray:
    """Return the type of an array with an axis that is mapped over.

    Args:
        size: the size of the axis.
        axis: its position; None if the array is not mapped over.
        aval: the type without the axis.

    Raises:
        ValueError: if there is no such position.

    Examples:
        >>> from diffeo.core import ShapedArray
        >>> unmapped_aval(3, 0, ShapedArray((2,), "float32"))
        f32[3,2]
    """
    if axis is None:
        return aval
    if not 0 <= axis <= aval.ndim:
        raise ValueError(f"unmapped_aval: {aval} gets no axis at {axis}")
    return ShapedArray((*aval.shape[:axis], size, *aval.shape[axis:]), aval.dtype, aval.weak_type)


def jaxpr_as_fun(closed_jaxpr: Jaxpr) -> Callable[..., list[Any]]:
    """Return a program as a function of arrays that returns a list of arrays."""
    return closed_jaxpr.__call__


def new_jaxpr_eqn(
    invars: Sequence[Any],
    outvars: Sequence[Var],
    primitive: Any,
    params: Mapping[str, Any],
    effects: Iterable[Any] = (),
    source_info: Any = None,
    ctx: Any = None,
) -> JaxprEqn:
    """Return an equation of a program.

    Args:
        invars, outvars: the operands and results.
        primitive: a primitive, of either kind.
        params: its parameters.
        effects: none; what a primitive does besides is the primitive's affair.
        source_info: the line of the user's, as another equation's `source`.
        ctx: None.

    Raises:
        ValueError: for effects, or a context.
    """
    if tuple(effects) or ctx is not None:
        raise ValueError(
            "new_jaxpr_eqn: effects and ctx are what the primitive says; leave them out"
        )
    if isinstance(primitive, Primitive):
        applied: Any = Applied(primitive, Parameters(params))
    else:
        applied = primitive.with_parameters(params)
    return JaxprEqn(applied, tuple(invars), tuple(outvars), source_info)


def subjaxprs(jaxpr: Jaxpr) -> Iterable[Jaxpr]:
    """Yield the programs among the parameters of a program's equations."""
    for eqn in jaxpr.eqns:
        yield from sub_jaxprs(eqn.primitive)


def jaxprs_in_params(params: Mapping[str, Any]) -> Iterable[Jaxpr]:
    """Yield the programs among parameters, also those in tuples and lists."""
    for value in params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(item, Jaxpr):
                yield item


def valid_jaxtype(x: Any) -> bool:
    """Return whether an object is an array, a traced value or a number.

    Examples:
        >>> valid_jaxtype(1.0), valid_jaxtype("a")
        (True, False)
    """
    try:
        typeof(x)
    except TypeError:
        return False
    return True


class Effect:
    """The base class of what a primitive may do besides computing its results.

    Every primitive of `def_effectful_abstract_eval` counts as having an effect, whichever it is.
    """


class TraceState:
    """The transformation that is current: equal while it is the same one."""

    def __init__(self) -> None:
        self.trace = state.trace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TraceState) and other.trace is self.trace

    def __hash__(self) -> int:
        return hash(id(self.trace))


def get_opaque_trace_state(*, convention: str | None = None) -> TraceState:
    """Return an object that stands for the current transformation, to compare with later ones.

    Args:
        convention: the name of the library that asks; not used.

    Examples:
        >>> get_opaque_trace_state() == get_opaque_trace_state()
        True
    """
    return TraceState()
