"""`sparsify`: functions of dense arrays, of sparse ones. It is an interpreter, whose value is an
array or a sparse array; what a primitive does to a sparse one is a function of `BCOO`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...primitives.array import as_value
from ...primitives.core import Primitive, Value, typeof, with_user_line
from ...primitives.types import ShapedArray
from ...transforms.interpreter import Interpreter
from ...trees import tree
from ...trees.arguments import WRAPPED, check_callable, name_of
from . import products, shaping
from .base import JAXSparse
from .bcoo import BCOO
from .bcsr import BCSR
from .elements import add


class Sparsify(Interpreter):
    """An interpreter whose value is an array, or a BCOO."""

    def lift(self, x: Any) -> Any:
        return x

    def split(self, value: Any) -> tuple[Sequence[Any], Any]:
        if not isinstance(value, BCOO):
            return (value,), None
        arrays, structure = tree.flatten(value)
        return arrays, structure

    def build(self, static: Any, arrays: Sequence[Any]) -> Any:
        return arrays[0] if static is None else tree.unflatten(static, arrays)

    def count(self, static: Any) -> int:
        return 1 if static is None else static.num_leaves

    def join(self, a: Any, b: Any) -> Any:
        if a == b:
            return a
        raise with_user_line(
            NotImplementedError(
                "sparsify: branches, and the steps of a loop, must return sparse arrays of one "
                "layout, number of elements and promises about indices, or dense ones"
            )
        )

    def decides(self, value: Any) -> Any:
        return self._dense(value, "a decision")

    def aval(self, value: Any) -> ShapedArray:
        if isinstance(value, BCOO):
            return ShapedArray(value.shape, typeof(value.data).dtype)
        return typeof(value)

    def concrete(self, value: Any) -> Any:
        return None if isinstance(value, BCOO) else value

    def describe(self) -> str:
        return "sparsify"

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        if not any([isinstance(v, BCOO) for v in values]):
            return primitive.bind(*values)
        rule = _RULES.get(primitive.name)
        if rule is None:
            raise self.missing(primitive)
        return rule(primitive, *values)

    def missing(self, primitive: Primitive) -> Exception:
        return with_user_line(
            NotImplementedError(
                f"sparsify: there is no rule for the primitive '{primitive.name}' of a sparse "
                "array, whose result would mostly not be sparse; make the array dense first, by "
                "sparse.todense"
            )
        )

    def _dense(self, value: Any, what: str) -> Any:
        if isinstance(value, BCOO):
            raise with_user_line(NotImplementedError(f"sparsify: {what} by a sparse array"))
        return value


def sparsify(f: Callable, use_tracer: bool = False) -> Callable:
    """Return a function of sparse arrays that computes what `f` does of dense ones.

    Zeros are kept out where an operation can: products and contractions, sums, elementwise
    functions with f(0) = 0, transposition, shapes, slices, concatenation, within compiled
    functions, conditionals and loops.

    Args:
        f: a function of trees of arrays; arguments may hold `BCOO` and `BCSR`.
        use_tracer: without effect; there is one way to do it.

    Returns:
        A function whose results are sparse (`BCOO`) where they are known to be.

    Raises:
        NotImplementedError: (when called) for an operation that would make a sparse array dense.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> f = sparse.sparsify(lambda m, v: np.tanh(2.0 * m).T @ v)
        >>> f(sparse.eye(2), np.ones(2)).round(3)
        Array([0.964, 0.964])
    """
    check_callable(f, "sparsify")

    @functools.wraps(f, assigned=WRAPPED)
    def sparse_function(*args: Any, **kwargs: Any) -> Any:
        is_sparse = lambda x: isinstance(x, JAXSparse)
        leaves, structure = tree.flatten((args, kwargs), is_leaf=is_sparse)
        places = [i for i, x in enumerate(leaves) if is_sparse(x) or isinstance(x, Value)]
        interpreter = Sparsify()
        interpreter.function_name = name_of(f)
        out_tree, others = None, []

        def flat(*values: Any) -> list[Any]:
            nonlocal out_tree, others
            full = list(leaves)
            for i, value in zip(places, values):
                full[i] = value
            new_args, new_kwargs = tree.unflatten(structure, full)
            others, out_tree = tree.flatten(f(*new_args, **new_kwargs), is_leaf=is_sparse)
            return [x for x in others if isinstance(x, Value)]

        values = [_taken(leaves[i]) for i in places]
        outs = iter(interpreter.trace_flat(flat, values))
        results = [next(outs) if isinstance(x, Value) else x for x in others]
        return tree.unflatten(out_tree, results)

    return sparse_function


def _taken(x: Any) -> Any:
    if isinstance(x, BCSR):
        return x.to_bcoo()
    if isinstance(x, JAXSparse) and not isinstance(x, BCOO):
        raise with_user_line(
            NotImplementedError(f"sparsify takes BCOO and BCSR, got {type(x).__name__}")
        )
    return x if isinstance(x, BCOO) else as_value(x)


# --------------------------------------------------------------------------------------------------
# What primitives do


def _elementwise(linear: bool) -> Callable:
    return lambda primitive, x: x.mapped(primitive.bind, linear)


def _sum(primitive: Any, x: Any, y: Any) -> Any:
    if isinstance(x, BCOO) and isinstance(y, BCOO):
        return add(x, y)
    return _no_dense(primitive)


def _difference(primitive: Any, x: Any, y: Any) -> Any:
    if isinstance(x, BCOO) and isinstance(y, BCOO):
        return add(x, -y)
    return _no_dense(primitive)


def _no_dense(primitive: Any) -> Any:
    raise with_user_line(
        NotImplementedError(
            f"sparsify: '{primitive.name}' of a sparse and a dense array would be dense; make the "
            "array dense first, by sparse.todense"
        )
    )


def _product(primitive: Any, x: Any, y: Any) -> Any:
    return x * y if isinstance(x, BCOO) else y * x


def _quotient(primitive: Any, x: Any, y: Any) -> Any:
    if isinstance(y, BCOO):
        return _no_dense(primitive)
    values = products.multiply_dense(x, primitive.bind(y * 0 + 1, y))
    return _same_pattern(x, values)


def _same_pattern(x: Any, values: Any) -> Any:
    return x.replaced(
        values, x.indices,
        indices_sorted=x.indices_sorted, unique_indices=x.unique_indices,
    )  # fmt: skip


def _dot(primitive: Any, x: Any, y: Any) -> Any:
    numbers, dtype = (primitive.contract, primitive.batch_dims), primitive.preferred_element_type
    if isinstance(x, BCOO) and isinstance(y, BCOO):
        return products.dot_sparse(x, y, numbers, dtype)
    if isinstance(x, BCOO):
        return products.dot_dense(x, y, numbers, dtype)
    return products.dense_dot(x, y, numbers, dtype)


def _concatenate(primitive: Any, *xs: Any) -> Any:
    made = [x if isinstance(x, BCOO) else BCOO.fromdense(x, nse=typeof(x).size) for x in xs]
    return shaping.concatenate(made, primitive.axis)


def _power(primitive: Any, x: Any) -> Any:
    return x.mapped(primitive.bind) if primitive.n > 0 else _no_dense(primitive)


def _slice(primitive: Any, x: Any) -> Any:
    return shaping.slice_(x, primitive.starts, primitive.limits, primitive.strides)


def _reduce(primitive: Any, x: Any) -> Any:
    out = products.reduce_sum(x, primitive.axes)
    return out if out.shape else out.todense()  # a number is dense


def _reverse(primitive: Any, x: Any) -> Any:
    axes = primitive.axes if hasattr(primitive, "axes") else (primitive.axis,)
    return shaping.rev(x, axes)


#: Functions with f(0) = 0.
_ODD = (
    "abs", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "erf", "expm1", "floor", "log1p",
    "round", "round_nearest_even", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip

_RULES: dict[str, Callable] = {
    **{name: _elementwise(False) for name in _ODD},
    **{
        name: _elementwise(True)
        for name in ("neg", "real", "imag", "conj", "copy", "stop_gradient", "convert_element_type")
    },
    "add": _sum,
    "sub": _difference,
    "mul": _product,
    "div": _quotient,
    "dot_general": _dot,
    "integer_pow": _power,
    "concatenate": _concatenate,
    "slice": _slice,
    "rev": _reverse,
    "dynamic_slice": lambda p, x, *starts: shaping.dynamic_slice(x, starts, p.sizes),
    "reduce_sum": _reduce,
    "transpose": lambda p, x: shaping.transpose(x, p.permutation),
    "reshape": lambda p, x: shaping.reshape(x, p.shape),
    "broadcast_in_dim": lambda p, x: shaping.broadcast_in_dim(x, p.shape, p.dims),
}
