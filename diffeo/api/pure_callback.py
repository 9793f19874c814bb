"""Callbacks for users: Python functions of trees of arrays, called from transformed programs.

All three functions here make a `HostFunction` of the user's function, a function of flat arrays
(`_host_function`), and bind a primitive that calls it when the program runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..operations.callbacks import (
    VMAP_METHODS,
    DebugCallback,
    HostFunction,
    IoCallback,
    PureCallback,
)
from ..primitives.array import as_value
from ..primitives.core import describe, user_source, with_user_line
from ..primitives.types import ShapedArray
from ..trees import tree
from ..trees.arguments import argument_or_keyword, check_callable, name_of

#: A mark among the leaves of a function's arguments: an array goes there.
_ARRAY = object()


def pure_callback(
    callback: Callable,
    result_shape_dtypes: Any,
    *args: Any,
    sharding: str | None = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """Call a pure Python function when the program runs, and return its result.

    In eager mode the function is called at once, from a compiled program each time that the result
    is needed. It must be pure: diffeo may call it more or less often than the program says. It has
    no derivative (give it one with `dx.custom_jvp` or `dx.custom_vjp`). The caller of the program
    gets an exception of the function as it was raised.

    Args:
        callback: a function of trees of NumPy arrays, which it cannot write to. It returns arrays
            (NumPy's, or what `np.asarray` makes one of) or numbers. It may use diffeo itself.
        result_shape_dtypes: a tree of the structure of its result, whose leaves have a `shape` and
            a `dtype`: `dx.ShapeDtypeStruct`s, or arrays.
        *args: its arguments, trees of arrays.
        sharding: None; there is one device.
        vmap_method: what vmap does. "sequential" (or "sequential_unrolled") calls the function for
            one row after the other. With the other methods, the function gets all rows at once,
            along a new first axis, and its results have that axis, too. For arguments that are not
            mapped, the new axis has size 1 with "expand_dims"; "broadcast_all" repeats these
            arguments; "legacy_vectorized" leaves them as they are. None is an error under vmap.
        **kwargs: its keyword arguments, trees of arrays.

    Returns:
        The result of the function, a tree of arrays.

    Raises:
        TypeError: if `callback` is not a function, an argument holds something that is not an
            array or a number, `result_shape_dtypes` something without shape and dtype; when it is
            called, if a result is not as `result_shape_dtypes` says.
        ValueError: for an unknown `vmap_method`.
        NotImplementedError: under vmap without a `vmap_method`; if it is differentiated; for a
            `sharding`.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> def count_above(x, limit):
        ...     return np.sum(x > limit, dtype=np.int64)
        >>> @dx.jit
        ... def f(x):
        ...     return dx.pure_callback(count_above, dx.ShapeDtypeStruct((), "int64"), x, 1.5)
        >>> f(dx.numpy.arange(4.0))
        Array(2)
    """
    _check("pure_callback", callback, sharding)
    if vmap_method is not None and vmap_method not in VMAP_METHODS:
        raise with_user_line(
            ValueError(
                f"pure_callback of {name_of(callback)}: vmap_method is one of "
                f"{', '.join(map(repr, VMAP_METHODS))} or None, got {vmap_method!r}"
            )
        )
    out_tree, avals = _results("pure_callback", callback, result_shape_dtypes)
    function, arrays = _host_function("pure_callback", callback, args, kwargs, out_tree)
    outs = PureCallback(function, avals, vmap_method).bind(*arrays)
    return tree.unflatten(out_tree, outs)


def io_callback(
    callback: Callable,
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a Python function that may have effects, and return its result: it may read a file, say,
    or keep a log.

    The function is called exactly once where the program says so, also if the result is not
    needed. On one device, all callbacks with effects happen in the order of the program.

    Args:
        callback, result_shape_dtypes, *args, sharding, **kwargs: as those of `pure_callback`.
        ordered: the program relies on the order. vmap would not keep the order, as it calls each
            callback for all rows before the next, and so refuses.

    Returns:
        The result of the function, a tree of arrays.

    Raises:
        TypeError: as `pure_callback` does.
        ValueError: under vmap with `ordered`.
        NotImplementedError: if it is differentiated and has results that could have a derivative;
            for a `sharding`.

    Examples:
        >>> import diffeo as dx
        >>> log = []
        >>> @dx.jit
        ... def f(x):
        ...     dx.io_callback(lambda v: log.append(float(v)), None, x)
        ...     return 2 * x
        >>> f(3.0), log
        (Array(6.), [3.0])
    """
    _check("io_callback", callback, sharding)
    out_tree, avals = _results("io_callback", callback, result_shape_dtypes)
    function, arrays = _host_function("io_callback", callback, args, kwargs, out_tree)
    return tree.unflatten(out_tree, IoCallback(function, avals, ordered).bind(*arrays))


def debug_callback(
    callback: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any
) -> None:
    """Call a Python function with values of the program, when the program runs. Public as
    `dx.debug.callback`.

    Transformations leave the call as it is: under `grad` and `jvp` the callback sees the values of
    the function itself, under `vmap` it is called for each row. The caller of the program gets an
    exception of the callback.

    Args:
        callback: a function of trees of NumPy arrays, which it cannot write to; its result is not
            looked at.
        *args: its arguments: trees of arrays, and anything else that is known when the function is
            traced.
        ordered: accepted, as JAX has it; all callbacks happen in the order of the program.
        **kwargs: its keyword arguments.

    Raises:
        TypeError: if `callback` is not a function.

    Examples:
        >>> import diffeo as dx
        >>> @dx.jit
        ... def f(x):
        ...     y = dx.numpy.sin(x)
        ...     dx.debug.callback(lambda y: print("y is", y), y)
        ...     return y * x
        >>> dx.grad(f)(0.0)
        y is 0.0
        Array(0.)
    """
    del ordered
    check_callable(callback, "debug.callback")
    function, arrays = _host_function("debug.callback", callback, args, kwargs, None)
    DebugCallback(function, ()).bind(*arrays)


def _check(what: str, callback: Any, sharding: str | None) -> None:
    check_callable(callback, what)
    if sharding is not None:
        raise with_user_line(
            NotImplementedError(
                f"{what} of {name_of(callback)}: sharding={sharding!r} names a device, and there "
                "is one only; leave it None"
            )
        )


def _results(what: str, callback: Callable, described: Any) -> tuple[Any, tuple[ShapedArray, ...]]:
    """Return the structure and the types of a function's results, as the user described them."""
    leaves, structure = tree.flatten(described)
    try:
        return structure, tuple([ShapedArray(tuple(x.shape), np.dtype(x.dtype)) for x in leaves])
    except (AttributeError, TypeError):
        raise with_user_line(
            TypeError(
                f"{what} of {name_of(callback)}: result_shape_dtypes holds "
                "dx.ShapeDtypeStruct(shape, dtype) or arrays in the structure of the result, got "
                f"{describe(described)}"
            )
        ) from None


def _host_function(
    what: str, callback: Callable, args: tuple, kwargs: dict, out_tree: Any
) -> tuple[HostFunction, list[Any]]:
    """Make a function of flat arrays from a function of trees; return it with its arrays.

    An argument that is no array raises TypeError. If `out_tree` is None, the function has no
    results, and such an argument is a constant.
    """
    leaves, in_tree = tree.flatten((args, kwargs))
    arrays: list[Any] = []
    constants: list[Any] = []
    for i, leaf in enumerate(leaves):
        try:
            arrays.append(as_value(leaf))
            constants.append(_ARRAY)
        except TypeError as error:
            if out_tree is not None:
                where = argument_or_keyword((args, kwargs), i)
                message = f"{what} of {name_of(callback)}: {where}: {error}"
                raise with_user_line(TypeError(message)) from None
            constants.append(leaf)
    source = user_source()

    def called(*values: np.ndarray) -> Sequence[Any]:
        operands = iter(values)
        filled = [next(operands) if c is _ARRAY else c for c in constants]
        positional, named = tree.unflatten(in_tree, filled)
        result = callback(*positional, **named)
        if out_tree is None:
            return ()
        outs, structure = tree.flatten(result)
        if structure != out_tree:
            difference = tree.first_difference(out_tree, structure)
            raise function.located(
                f"{what} of {name_of(callback)}: the result has not the structure of "
                f"result_shape_dtypes: {difference}"
            )
        return outs

    label = partial(_place, out_tree)
    function = HostFunction(called, name_of(callback), label, source, len(arrays))
    return function, arrays


def _place(out_tree: Any, number: int) -> str:
    """Return the name of leaf `number` of the result, for messages."""
    example = tree.unflatten(out_tree, range(out_tree.num_leaves))
    path = tree.keystr(tree.leaves_with_path(example)[number][0])
    return f"the result at {path}" if path else "the result"
