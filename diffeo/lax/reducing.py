"""Reductions over axes, by operations that have a name or by any associative function.

`reduce` traces its function once, for two scalars (`Computation`). If the function is a single
operation such as `add`, the primitive of that reduction is taken; else the general one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..numpy.common import arr, axis_of, dtype_of, no_sharding, static_ints
from ..operations import extrema
from ..primitives.array import Array
from ..primitives.constants import full
from ..primitives.core import Primitive, Tracer, Value, describe, snake_case, with_user_line
from ..primitives.jaxpr import Jaxpr, eliminate_dead_code
from ..primitives.staging import stage
from ..primitives.support.sources import rename
from ..primitives.types import SCALARS, ShapedArray, promote_types
from ..primitives.words import reduction, structural
from ..primitives.words.reduction import Monoid
from ..programs.call import Call
from ..routines.windows import general_reduce
from ..routines.windows.general_reduce import walk
from ..trees import tree
from ..typing import ArrayLike
from . import elementwise as functions
from .strict import apply


def _reduction(primitive: Any, doc: str) -> Callable[[Any, Sequence[int]], Any]:
    """Make the public function of a reduction.

    `primitive` is its class, `doc` the beginning of the function's docstring.
    """

    def function(operand: Any, axes: Sequence[int]) -> Any:
        return apply(primitive(static_ints(axes, snake_case(primitive.__name__), "axes")), operand)

    raises = "Raises:\n        TypeError: for a wrong axis or dtype."
    function.__doc__ = f"{doc} over axes.\n\n    {raises}\n    "
    return function


reduce_max = _reduction(reduction.ReduceMax, "The largest element")
reduce_min = _reduction(reduction.ReduceMin, "The smallest element")
reduce_prod = _reduction(reduction.ReduceProd, "The product")
reduce_and = _reduction(reduction.ReduceAnd, "The and of bits or booleans")
reduce_or = _reduction(reduction.ReduceOr, "The or of bits or booleans")
reduce_xor = _reduction(reduction.ReduceXor, "The exclusive or of bits or booleans")

# The functions get the names under which they stand in this module.
for _name, _function in list(globals().items()):
    if getattr(_function, "__name__", "") == "function":
        rename(_function, _name)


def reduce_sum(operand: Any, axes: Sequence[int], *, out_sharding: Any = None) -> Any:
    """The sum over axes.

    Raises:
        TypeError: for a wrong axis or dtype.
    """
    if out_sharding is not None:
        raise no_sharding("reduce_sum", out_sharding)
    return apply(structural.ReduceSum(static_ints(axes, "reduce_sum", "axes")), operand)


#: The elementwise primitives of functions that need not be traced.
_ROWS = {
    functions.add: reduction.ADD.row,
    functions.mul: reduction.MUL.row,
    functions.max: reduction.MAX.row,
    functions.min: reduction.MIN.row,
    functions.bitwise_and: reduction.AND.row,
    functions.bitwise_or: reduction.OR.row,
    functions.bitwise_xor: reduction.XOR.row,
}
#: The reductions by a single elementwise primitive, by that primitive.
_SINGLE = {
    kind.monoid.row: kind
    for kind in (
        reduction.ReduceMax,
        reduction.ReduceMin,
        reduction.ReduceProd,
        reduction.ReduceAnd,
        reduction.ReduceOr,
        reduction.ReduceXor,
    )
} | {reduction.ADD.row: structural.ReduceSum}


class Computation:
    """A function of two trees of scalars, traced: how reductions combine elements.

    Attributes:
        name: of the reduction, for messages.
        function: the function of the user's.
        xs, inits: the operands and their initial values, as arrays of equal dtypes.
        structure: of the trees of operands and results.
        single: the elementwise primitive if the function does nothing else, else None.
    """

    def __init__(self, name: str, operands: Any, init_values: Any, function: Any):
        if not callable(function):
            raise with_user_line(
                TypeError(
                    f"{name}: expects a function of two trees of scalars, got {describe(function)}"
                )
            )
        leaves, self.structure = tree.flatten(operands)
        inits, other = tree.flatten(init_values)
        self.name, self.function = name, function
        self.same_structure("init_values", other)
        self.xs = [arr(x) for x in leaves]
        self.inits = [self.initial(arr(v), x) for v, x in zip(inits, self.xs)]
        self.single = _ROWS.get(function) if len(leaves) == 1 else None  # type: ignore[arg-type]
        if self.single is None:
            # The function is a single operation if its program has one equation, which has the
            # results and the operands of the program.
            eqns = self.program.eqns
            if (
                len(eqns) == 1
                and self.program.outs == tuple(eqns[0].outs)
                and (set(eqns[0].inputs) == set(self.program.in_vars))
            ):
                self.single = eqns[0].primitive

    @cached_property
    def program(self) -> Jaxpr:
        """The program of the function, without calls of other programs and without constants."""
        traced = stage(self.flat, [ShapedArray((), x.dtype) for x in self.xs] * 2, self.name)
        # Calls are replaced by the equations of their programs, and constants by numbers.
        rule = lambda primitive, values: (
            walk(primitive.jaxpr, values, self.constant, rule)
            if type(primitive) is Call
            else primitive.bind(*values)
        )
        inlined = lambda *scalars: walk(traced, scalars, self.constant, rule)
        return eliminate_dead_code(stage(inlined, traced.in_avals, self.name))

    def same_structure(self, what: str, other: Any) -> None:
        """Raise a TypeError unless a tree has the structure of the operands."""
        if other != self.structure:
            names = ("the operands", what)
            raise with_user_line(
                TypeError(
                    f"{self.name}: {what} must have the structure of the "
                    f"operands: {tree.first_difference(self.structure, other, names=names)}"
                )
            )

    def initial(self, value: Value, x: Value) -> Any:
        """Return an initial value, checked; a Python scalar gets the dtype of its operand."""
        fits = value.dtype == x.dtype or (
            value.weak_type and promote_types(value.aval, x.aval.strong)[0] == x.dtype
        )
        if value.shape or not fits:
            raise with_user_line(
                TypeError(
                    f"{self.name}: an initial value must be a scalar of its operand's dtype, "
                    f"{x.dtype}; got {describe(value)}"
                )
            )
        # A known value is converted at once, so that no operation is added to a program that is
        # being traced.
        if type(value) is Array:
            return Array(np.asarray(value).astype(x.dtype))
        return structural.convert_element_type(value, x.dtype)

    def flat(self, *scalars: Any) -> list[Any]:
        """Call the function with leaves, and return the leaves of its result."""
        n = len(scalars) // 2
        trees = [tree.unflatten(self.structure, s) for s in (scalars[:n], scalars[n:])]
        out = self.function(*trees)
        leaves, other = tree.flatten(out)
        self.same_structure("the computation's result", other)
        return [self.initial(arr(leaf), s) for leaf, s in zip(leaves, scalars)]

    def constant(self, value: Any) -> Any:
        """Return a number from outside; TypeError for arrays and traced values."""
        if type(value) in SCALARS:
            return value
        if isinstance(value, Tracer) or value.shape:
            raise with_user_line(
                TypeError(
                    f"{self.name}: the computation uses {describe(value)} from outside; it may "
                    "use its "
                    "arguments and numbers only. Make it one more operand, or use associative_scan"
                )
            )
        return full((), np.asarray(value).item(), value.dtype)

    def begins_neutral(self, monoid: Monoid) -> bool:
        """Return whether the only initial value is known to change nothing."""
        value = self.inits[0]
        return type(value) is Array and np.asarray(value) == monoid.neutral(value.dtype)


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
    out_sharding: Any = None,
) -> Any:
    """Combine the elements over axes by an associative function.

    Args:
        operands: an array, or a tree of arrays of one shape, which are reduced together.
        init_values: a scalar for each array, of its dtype, which `computation` leaves as it is
            (0 for a sum); the result where there are no elements.
        computation: a function of two trees of scalars like `operands`, the earlier elements
            first, that returns another. It may use nothing from outside but numbers.
        dimensions: the axes.

    Returns:
        A tree like `operands`, without the axes.

    Raises:
        TypeError: for operands, initial values or results that do not fit one another, and for a
            computation that uses other arrays.

    Examples:
        >>> import diffeo as dx
        >>> reduce(dx.numpy.array([3.0, 5.0]), 4.0, dx.lax.max, (0,))
        Array(5.)
        >>> longest = lambda x, y: dx.numpy.hypot(x, y)
        >>> reduce(dx.numpy.array([[3.0, 4.0], [5.0, 12.0]]), 0.0, longest, (1,))
        Array([ 5., 13.])
    """
    if out_sharding is not None:
        raise no_sharding("reduce", out_sharding)
    traced = Computation("reduce", operands, init_values, computation)
    axes = static_ints(dimensions, "reduce", "dimensions")
    primitive = _SINGLE.get(traced.single)
    if primitive is not None and not (
        primitive is structural.ReduceSum and traced.xs[0].dtype == np.bool_
    ):
        out = apply(primitive(axes), traced.xs[0])
        init = structural.broadcast_in_dim(traced.inits[0], out.shape, ())
        monoid = getattr(primitive, "monoid", reduction.ADD)
        outs = [out if traced.begins_neutral(monoid) else monoid.row.bind(init, out)]
    else:
        outs = apply(general_reduce.Reduce(traced.program, axes), *traced.xs, *traced.inits)
    return tree.unflatten(traced.structure, outs)


def axis_primitive(name: str, operand: Any, axis: int, make: Callable[[int], Primitive]) -> Any:
    """Apply a primitive made for an axis, which may be counted from the end.

    `make` returns the primitive for an axis >= 0.
    """
    operand = arr(operand)
    return apply(make(axis_of(axis, operand.ndim, name)), operand)


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """Return the position of the largest element along an axis.

    Of equal elements the first one counts; the first nan counts before all numbers.
    """
    dtype = dtype_of(index_dtype)
    return axis_primitive("argmax", operand, axis, lambda a: extrema.ArgMax(a, dtype))


def argmin(operand: ArrayLike, axis: int, index_dtype: Any) -> Any:
    """Return the position of the smallest element along an axis.

    Of equal elements the first one counts; the first nan counts before all numbers.
    """
    dtype = dtype_of(index_dtype)
    return axis_primitive("argmin", operand, axis, lambda a: extrema.ArgMin(a, dtype))
