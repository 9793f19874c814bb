"""NumPy's ufuncs on traced values: with keywords, their methods, and those of Python functions.

A method without a function of its own in diffeo (`np.hypot.reduce`, say) is folded: element by
element, by `scan` where there are many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...api.control_flow.loops import scan
from ...primitives.array import known
from ...primitives.core import Value, describe, typeof, with_user_line
from ...primitives.types import SCALARS
from ...primitives.words.operators import NUMPY
from ...primitives.words.promotion import broadcast_shapes, broadcast_to
from ...primitives.words.slicing import concatenate, stack
from ...primitives.words.structural import convert_element_type, expand_dims, reshape
from ..choosing import where as choose
from ..common import arr, axes_of, axis_of, keep_axes, no_such
from ..making.creation import array
from ..reducing import cumulative, reductions
from ..shaping import moveaxis
from .array_likes import array_like
from .finding import home_of
from .protocols import refused_output, unsupported

#: Reductions that diffeo has a function for.
_REDUCTIONS: dict[Any, Callable] = {
    np.add: reductions.sum,
    np.multiply: reductions.prod,
    np.maximum: reductions.max,
    np.minimum: reductions.min,
}
_ACCUMULATIONS: dict[Any, Callable] = {
    np.add: cumulative.cumsum,
    np.multiply: cumulative.cumprod,
    np.maximum: cumulative.cummax,
    np.minimum: cumulative.cummin,
}
#: Up to how many steps a fold is written out.
_FEW = 8
#: Stands for a keyword that is left out, where None means something.
_LEFT_OUT: Any = object()


def call_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a ufunc, or one of its methods, on values of which some are traced.

    Raises:
        TypeError: for a ufunc that diffeo does not have; for `out=`, as nothing is written; for
            `where=` of a call, which leaves elements without a value.
    """
    name, home = home_of(ufunc)
    name = name if method == "__call__" else f"{name}.{method}"
    kwargs = dict(kwargs)
    out = kwargs.pop("out", None)
    if out is not None and any([o is not None for o in out]):
        raise refused_output(name, out)
    if method == "at":
        raise refused_output(name, inputs[0])
    inputs = [array_like(x) for x in inputs]
    if NUMPY[ufunc] is None and not _is_of_python(ufunc):
        raise unsupported(name, home)
    return _METHODS[method](name, ufunc, inputs, **kwargs)


def _refuse(name: str, keywords: dict[str, Any]) -> None:
    for keyword, value in keywords.items():
        raise with_user_line(
            TypeError(
                f"{name}: {keyword}={describe(value)} is not supported on traced values; compute "
                "it without"
            )
        )


# --------------------------------------------------------------------------------------------------
# Calls


def _call(
    name: str,
    ufunc: Any,
    inputs: Sequence[Any],
    where: Any = True,
    order: str = "K",
    subok: bool = True,
    dtype: Any = None,
    signature: str | None = None,
    casting: str | None = None,
    **others: Any,
) -> Any:
    """Call a ufunc with keywords. `order` and `subok` are about memory and classes, which traced
    values do not have.
    """
    if not (isinstance(where, (bool, np.bool_)) and where):
        raise with_user_line(
            TypeError(
                f"{name}: where= leaves the other elements without a value, as out= cannot be "
                "written into when an operand is traced. Write np.where(condition, result, other)"
            )
        )
    if order not in ("K", "A", "C", "F"):
        raise no_such(name, "order", order, ("K", "A", "C", "F"))
    if ufunc is np.vecdot:  # the one generalised ufunc whose `axis` ours has
        axis = others.pop("axis", -1)
        function: Callable = lambda x, y: NUMPY[ufunc](x, y, axis=axis)
    else:
        function = NUMPY[ufunc] or _of_python(ufunc)
    _refuse(name, others)
    if dtype is None and signature is None and casting is None:
        return function(*inputs)
    dtypes = _resolved(ufunc, inputs, dtype, signature, casting)
    if dtype is None and signature is None:
        return function(*inputs)  # the casts are allowed
    outs = function(*[convert_element_type(arr(x), d) for x, d in zip(inputs, dtypes)])
    if ufunc.nout == 1:
        return convert_element_type(outs, dtypes[-1])
    return tuple([convert_element_type(o, d) for o, d in zip(outs, dtypes[ufunc.nin :])])


def _resolved(ufunc: Any, inputs: Sequence[Any], dtype: Any, signature: Any, casting: Any) -> Any:
    """Return the dtypes with which NumPy would compute; its own errors for what it refuses."""
    if dtype is not None:
        signature = (*[None] * ufunc.nin, *[np.dtype(dtype)] * ufunc.nout)
    avals = [typeof(x) for x in inputs]
    dtypes = [
        type(x) if type(x) in SCALARS and type(x) is not bool else a.dtype
        for x, a in zip(inputs, avals)
    ]
    options = {"casting": casting or "same_kind"}
    if signature is not None:
        options["signature"] = signature
    return ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout), **options)


def _outer(name: str, ufunc: Any, inputs: Sequence[Any], **kwargs: Any) -> Any:
    a, b = (arr(x) for x in inputs)
    return _call(name, ufunc, [reshape(a, a.shape + (1,) * b.ndim), b], **kwargs)


def _is_of_python(ufunc: Any) -> bool:
    """Return whether a ufunc is made of a Python function, as by np.frompyfunc."""
    return all([set(t) <= set("O->") for t in ufunc.types])


def _of_python(ufunc: Any) -> Callable:
    """Return the function on arrays that calls the Python function for each element."""

    def function(*inputs: Any) -> Any:
        arrays = [arr(x) for x in inputs]
        shape = broadcast_shapes(*[x.shape for x in arrays])
        boxes = []
        for x in arrays:
            box = np.empty(shape, object)
            stretched = broadcast_to(x, shape)
            for i in np.ndindex(shape):
                box[i] = stretched[i]
            boxes.append(box)
        results = ufunc(*boxes)
        outs = results if ufunc.nout > 1 else (results,)
        outs = [reshape(array(list(np.ravel(_box(o)))), shape) for o in outs]
        return tuple(outs) if ufunc.nout > 1 else outs[0]

    return function


def _box(x: Any) -> np.ndarray:
    """Return an array of objects; NumPy returns the object alone for an array without axes."""
    if isinstance(x, np.ndarray):
        return x
    box = np.empty((), object)
    box[()] = x
    return box


# --------------------------------------------------------------------------------------------------
# Reductions


def _reduce(
    name: str,
    ufunc: Any,
    inputs: Sequence[Any],
    axis: Any = 0,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = _LEFT_OUT,
    where: Any = True,
) -> Any:
    x = arr(inputs[0])
    initial = _LEFT_OUT if initial is None else initial
    masked = not (isinstance(where, (bool, np.bool_)) and where)
    # NumPy itself says whether there is such a reduction, and over such axes.
    ufunc.reduce(np.ones((1,) * x.ndim, x.dtype), axis=axis, dtype=dtype)
    ours = _REDUCTIONS.get(ufunc)
    if ours is not None:
        options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        if ufunc in (np.add, np.multiply):
            options["dtype"] = dtype
        elif dtype is not None:
            x = convert_element_type(x, np.dtype(dtype))
        if initial is not _LEFT_OUT:
            options["initial"] = initial
        return ours(x, **options, **({"where": array_like(where)} if masked else {}))
    axes = axes_of(axis, x.ndim, name)
    x = _in_dtype(ufunc, x, dtype)
    flags = broadcast_to(arr(array_like(where)), x.shape) if masked else None
    if initial is _LEFT_OUT and ufunc.identity is not None and (masked or not _count(x, axes)):
        initial = ufunc.identity
    if initial is _LEFT_OUT and (masked or not _count(x, axes)):
        what = "where=" if masked else "no elements"
        raise with_user_line(ValueError(f"{name}: {what} needs initial=, as there is no identity"))
    out = _fold(
        ufunc, _in_front(x, axes), initial, None if flags is None else _in_front(flags, axes)
    )
    return keep_axes(out, x.shape, axes) if keepdims else out


def _count(x: Value, axes: Sequence[int]) -> int:
    return int(np.prod([x.shape[a] for a in axes]))


def _in_front(x: Any, axes: Sequence[int]) -> Any:
    """Return an array whose first axis goes over some axes together."""
    moved = moveaxis(x, axes, tuple(range(len(axes))))
    return reshape(moved, (_count(x, axes), *moved.shape[len(axes) :]))


def _in_dtype(ufunc: Any, x: Value, dtype: Any) -> Any:
    """Return the array in the dtype in which NumPy reduces it."""
    one = None if dtype is None else np.dtype(dtype)
    options = {} if one is None else {"signature": (one, None, one)}
    resolved = ufunc.resolve_dtypes((None, x.dtype, None), reduction=True, **options)
    return convert_element_type(x, resolved[1])


def _step(ufunc: Any) -> Callable:
    """Return the function of two arrays, with results of one type."""
    function = NUMPY[ufunc] or _of_python(ufunc)

    def step(carry: Value, x: Value) -> Any:
        return convert_element_type(arr(function(carry, x)), carry.dtype)

    return step


def _fold(ufunc: Any, x: Value, initial: Any, flags: Value | None = None) -> Any:
    """Return `f(... f(f(x[0], x[1]), x[2]) ...)`."""
    step = _step(ufunc)
    if initial is _LEFT_OUT:
        carry, x = _result_like(ufunc, x[0]), x[1:]
    else:
        carry = broadcast_to(convert_element_type(arr(initial), _carried(ufunc, x)), x.shape[1:])
    n = x.shape[0]
    if flags is None:
        items: Any = x
        one = step
    else:
        items = (x, flags)
        one = lambda c, item: choose(item[1], step(c, item[0]), c)
    if n > _FEW:
        return scan(lambda c, item: (one(c, item), None), carry, items)[0]
    for i in range(n):
        carry = one(carry, x[i] if flags is None else (x[i], flags[i]))
    return carry


def _carried(ufunc: Any, x: Value) -> Any:
    """Return the dtype of results: that of the numbers, or bool of comparisons."""
    return np.bool_ if all([t.endswith("?") for t in ufunc.types if "O" not in t]) else x.dtype


def _result_like(ufunc: Any, first: Value) -> Any:
    return convert_element_type(first, _carried(ufunc, first))


def _accumulate(
    name: str, ufunc: Any, inputs: Sequence[Any], axis: int = 0, dtype: Any = None
) -> Any:
    x = arr(inputs[0])
    ufunc.accumulate(np.ones((1,) * x.ndim, x.dtype), axis=axis, dtype=dtype)  # NumPy's errors
    axis = axis_of(axis, x.ndim, name)
    ours = _ACCUMULATIONS.get(ufunc)
    if ours is not None and x.dtype.kind != "b":
        if ufunc in (np.add, np.multiply):
            return ours(x, axis=axis, dtype=dtype)
        return ours(x if dtype is None else convert_element_type(x, np.dtype(dtype)), axis)
    x = moveaxis(_in_dtype(ufunc, x, dtype), axis, 0)
    if not x.shape[0]:
        return moveaxis(convert_element_type(x, _carried(ufunc, x)), 0, axis)
    step, first = _step(ufunc), _result_like(ufunc, x[0])

    def both(carry: Any, item: Any) -> Any:
        carry = step(carry, item)
        return carry, carry

    if x.shape[0] > _FEW:
        rest = scan(both, first, x[1:])[1]
        return moveaxis(concatenate([expand_dims(first, (0,)), rest], 0), 0, axis)
    results = [first]
    for item in x[1:]:
        results.append(step(results[-1], item))
    return moveaxis(stack(results, 0), 0, axis)


def _reduceat(
    name: str, ufunc: Any, inputs: Sequence[Any], axis: int = 0, dtype: Any = None
) -> Any:
    x, starts = arr(inputs[0]), known(arr(inputs[1]))
    if starts is None:
        raise with_user_line(
            TypeError(
                f"{name}: the indices must be known, as they say how many elements each segment "
                "has; dx.ops.segment_sum takes traced segments"
            )
        )
    axis = axis_of(axis, x.ndim, name)
    moved = moveaxis(x, axis, 0)
    n = moved.shape[0]
    if any([not 0 <= i < n for i in starts]):
        raise with_user_line(IndexError(f"{name}: indices {starts} are out of bounds of {n}"))
    pieces = []
    for i, end in zip(starts, [*starts[1:], n]):
        end = max(end, i + 1)  # where indices do not rise, one element alone
        pieces.append(_reduce(name, ufunc, [moved[i:end]], dtype=dtype))
    if not pieces:
        return moveaxis(moved[:0], 0, axis)
    return moveaxis(stack(pieces, 0), 0, axis)


_METHODS: dict[str, Callable] = {
    "__call__": _call,
    "outer": _outer,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "reduceat": _reduceat,
}
