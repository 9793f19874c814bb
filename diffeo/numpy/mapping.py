"""Functions that apply a user's function to parts of arrays: vectorize, apply_along_axis, ...

`vectorize` reads signatures such as `(n,k),(k)->(n)`. The names are *core dimensions*: the last
axes of an argument, which the function takes at once. `vmap` maps over the axes before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..api.vmap import vmap
from ..primitives.core import describe, with_user_line
from ..primitives.words.promotion import broadcast_shapes, broadcast_to
from ..primitives.words.structural import expand_dims
from ..typing import ArrayLike
from .common import arr, axis_of
from .shaping import moveaxis

#: The core dimensions of one argument or result, such as "(n,k)"; then a whole signature.
_CORE = r"\((?:\w+(?:,\w+)*,?)?\)"
_SIGNATURE = re.compile(rf"^(?:{_CORE}(?:,{_CORE})*)?->{_CORE}(?:,{_CORE})*$")


def _core_dimensions(text: str) -> list[tuple[str, ...]]:
    """Return the names in each pair of brackets: "(n,k),(k)" is [("n", "k"), ("k",)]."""
    groups = re.findall(r"\(([^()]*)\)", text)
    return [tuple([name for name in g.split(",") if name]) for g in groups]


def _parse(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the core dimensions of the arguments, and of the results, of a signature."""
    text = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(text):
        raise with_user_line(
            ValueError(f"vectorize: a signature looks like '(n,k),(k)->(n)', got {signature!r}")
        )
    left, right = text.split("->")
    return _core_dimensions(left), _core_dimensions(right)


def _passed_on(x: Any, key: int | str, excluded: Collection, signature: str | None) -> bool:
    """Return whether an argument is not mapped over, but passed as it is.

    Raises:
        ValueError: for None where a signature says that there is an array.
    """
    if key in excluded:
        return True
    if x is not None:
        return False
    if signature is not None:
        raise with_user_line(
            ValueError(
                f"vectorize: argument {key!r} is None, and signature {signature!r} has an array "
                "there; name it in excluded"
            )
        )
    return True


def _checked(
    fun: Callable, cores: Sequence[tuple[str, ...]], sizes: dict[str, int]
) -> Callable[..., Any]:
    """Return a function whose results must fit the core dimensions of a signature."""

    def call(*args: Any) -> Any:
        out = fun(*args)
        if len(cores) > 1 and not isinstance(out, (tuple, list)):
            raise with_user_line(
                TypeError(
                    f"vectorize: expected a tuple of {len(cores)} results, got {describe(out)}"
                )
            )
        results = out if len(cores) > 1 else [out]
        if len(results) != len(cores):
            raise with_user_line(
                TypeError(f"vectorize: the signature has {len(cores)} results, got {len(results)}")
            )
        known = dict(sizes)
        for x, core in zip(results, cores):
            shape = np.shape(x)
            fits = len(shape) == len(core)
            if not fits or not all([known.setdefault(d, n) == n for d, n in zip(core, shape)]):
                raise with_user_line(
                    ValueError(
                        f"vectorize: a result of shape {shape} does not fit the core dimensions "
                        f"({','.join(core)}) with {sizes}"
                    )
                )
        return out

    return call


def _loop_shapes(
    arrays: Sequence[Any], cores: Sequence[tuple[str, ...]], sizes: dict[str, int]
) -> list[tuple[int, ...]]:
    """Return the shapes of the axes of each array that are mapped over; `sizes` gets those of the
    core dimensions.

    Raises:
        ValueError: if an array has too few axes, or a core dimension has different sizes.
    """
    shapes = []
    for i, (x, core) in enumerate(zip(arrays, cores)):
        ndim = x.ndim - len(core)
        core_sizes = x.shape[ndim:] if ndim >= 0 else ()
        fits = ndim >= 0 and all([sizes.setdefault(d, n) == n for d, n in zip(core, core_sizes)])
        if not fits:
            raise with_user_line(
                ValueError(
                    f"vectorize: argument {i}, {describe(x)}, does not fit the core dimensions "
                    f"({','.join(core)}) with {sizes}"
                )
            )
        shapes.append(x.shape[:ndim])
    return shapes


def vectorize(
    pyfunc: Callable, *, excluded: Collection[int | str] = frozenset(), signature: str | None = None
) -> Callable:
    """Turn a function of single numbers (or of core arrays, by `signature`) into one of arrays.

    The leading axes of the arguments broadcast against each other, and the function is mapped over
    them by `vmap`.

    Args:
        pyfunc: The function.
        excluded: The positions and names of arguments that are passed as they are.
        signature: The core dimensions of the other arguments and of the results, such as
            `'(n,k),(k)->(n)'`; numbers by default.

    Raises:
        TypeError: if `pyfunc` is no function; for another number of arguments or results than the
            signature has; for `excluded` that are no positions and names.
        ValueError: for a malformed signature, or arguments or results that do not fit it or do not
            broadcast.

    Arguments that are None are passed as they are, if there is no signature.

    Examples:
        >>> import diffeo as dx
        >>> dot = vectorize(lambda a, b: dx.numpy.sum(a * b), signature="(n),(n)->()")
        >>> dot(dx.numpy.ones((2, 3)), dx.numpy.arange(3.0))
        Array([3., 3.])
    """
    if not callable(pyfunc):
        raise with_user_line(TypeError(f"vectorize: expects a function, got {describe(pyfunc)}"))
    wrong = [x for x in excluded if not isinstance(x, (int, str)) or (isinstance(x, int) and x < 0)]
    if wrong:
        kind = ValueError if isinstance(wrong[0], int) else TypeError
        raise with_user_line(
            kind(
                "vectorize: excluded has positions, counted from 0, and names of arguments, got "
                f"{describe(wrong[0])}"
            )
        )
    core_dimensions, of_results = (None, None) if signature is None else _parse(signature)

    @wraps(pyfunc)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        positions = [i for i, x in enumerate(args) if not _passed_on(x, i, excluded, signature)]
        names = [k for k, x in kwargs.items() if not _passed_on(x, k, excluded, signature)]
        cores = [()] * (len(positions) + len(names)) if core_dimensions is None else core_dimensions
        if len(cores) != len(positions) + len(names):
            raise with_user_line(
                TypeError(
                    f"vectorize: signature {signature!r} has {len(cores)} arguments, got "
                    f"{len(positions) + len(names)}"
                )
            )

        def call(*values: Any) -> Any:
            new, named = list(args), dict(kwargs)
            for i, v in zip(positions, values):
                new[i] = v
            named.update(zip(names, values[len(positions) :]))
            return pyfunc(*new, **named)

        # The arguments that are mapped over: positional ones, then keywords. `call` puts them back.
        arrays = [arr(x) for x in (*[args[i] for i in positions], *[kwargs[k] for k in names])]
        sizes: dict[str, int] = {}
        shapes = _loop_shapes(arrays, cores, sizes)
        out = call if of_results is None else _checked(call, of_results, sizes)
        loop = broadcast_shapes(*shapes) if shapes else ()
        arrays = [broadcast_to(x, loop + x.shape[len(s) :]) for x, s in zip(arrays, shapes)]
        for _ in loop:
            out = vmap(out)
        return out(*arrays)

    return mapped


def apply_along_axis(func1d: Callable, axis: int, arr: ArrayLike, *args: Any, **kwargs: Any) -> Any:
    """Apply a function of vectors to each line along an axis.

    The axes of the function's result stand where that axis was.

    Examples:
        >>> import diffeo as dx
        >>> apply_along_axis(dx.numpy.sum, 0, dx.numpy.ones((3, 2)))
        Array([3., 3.])
    """
    x = _array(arr)
    axis = axis_of(axis, x.ndim, "apply_along_axis")
    call = lambda v: func1d(v, *args, **kwargs)
    x = moveaxis(x, axis, -1)
    for _ in range(x.ndim - 1):
        call = vmap(call)
    out = call(x)
    new = range(x.ndim - 1, out.ndim)
    return moveaxis(out, list(new), [axis + i for i in range(len(new))]) if len(new) else out


_array = arr  # `apply_along_axis` has a parameter of that name


def apply_over_axes(func: Callable, a: Any, axes: Any) -> Any:
    """Apply `func(x, axis)` for one axis after the other.

    An axis that the function drops is put back with size 1.

    Examples:
        >>> import diffeo as dx
        >>> apply_over_axes(dx.numpy.sum, dx.numpy.ones((3, 2)), (0, 1))
        Array([[6.]])
    """
    x = arr(a)
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        axis = axis_of(axis, x.ndim, "apply_over_axes")
        out = func(x, axis)
        if out.ndim == x.ndim - 1:
            out = expand_dims(out, (axis,))
        if out.ndim != x.ndim:
            raise with_user_line(
                ValueError(
                    "apply_over_axes: the function must keep or drop one axis of "
                    f"{describe(x)}, got "
                    f"{describe(out)}"
                )
            )
        x = out
    return x
