"""Small parts of `jax._src`: `util`, and what `core`, `dtypes` and `lax` keep to themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_dtypes
import numpy as np

from diffeo.primitives.core import typeof as _typeof
from diffeo.primitives.words.structural import convert_element_type as _convert

__version__ = version_str = jax.__version__
version = jax.__version_info__


def safe_map(f: Callable, *args: Any) -> list[Any]:
    """Map a function over sequences of one length."""
    lists = [list(a) for a in args]
    assert len({len(x) for x in lists}) <= 1, "sequences of different lengths"
    return [f(*xs) for xs in zip(*lists)]


def safe_zip(*args: Any) -> list[tuple]:
    """Zip sequences of one length."""
    lists = [list(a) for a in args]
    assert len({len(x) for x in lists}) <= 1, "sequences of different lengths"
    return list(zip(*lists))


def unzip2(pairs: Any) -> tuple[tuple, tuple]:
    """Return the first and the second parts of pairs."""
    pairs = list(pairs)
    return tuple([a for a, _ in pairs]), tuple([b for _, b in pairs])


def split_list(xs: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """Return a list in parts of these sizes, and the rest."""
    xs, parts = list(xs), []
    for n in sizes:
        parts.append(xs[:n])
        xs = xs[n:]
    return [*parts, xs]


def subvals(xs: Sequence[Any], changes: Any) -> tuple:
    """Return a sequence with other values at some places."""
    out = list(xs)
    for i, value in changes:
        out[i] = value
    return tuple(out)


def tuple_update(t: tuple, i: int, value: Any) -> tuple:
    """Return a tuple with another value at one place."""
    return (*t[:i], value, *t[i + 1 :])


def curry(f: Callable) -> Callable:
    """Return f such that f(x)(y) is f(x, y)."""
    return lambda *args: lambda *more, **kwargs: f(*args, *more, **kwargs)


def is_weakly_typed(x: Any) -> bool:
    """Return whether a value's dtype gives way to others."""
    return bool(_typeof(x).weak_type)


def dtype(x: Any) -> np.dtype:
    """Return the dtype of a value."""
    return _typeof(x).dtype


_float8_dtypes = [d for d in dir(ml_dtypes) if d.startswith("float8")]
_float8_dtypes = [np.dtype(getattr(ml_dtypes, name)) for name in _float8_dtypes]


def safe_to_cast(given: Any, target: Any) -> bool:
    """Return whether a dtype holds what another does, by jax's promotion."""
    return jax.numpy.promote_types(given, target) == np.dtype(target)


def default_int_dtype() -> np.dtype:
    """Return the dtype of Python's integers."""
    return np.dtype(np.int64 if jax.config.jax_enable_x64 else np.int32)


def default_float_dtype() -> np.dtype:
    """Return the dtype of Python's floats."""
    return np.dtype(np.float64 if jax.config.jax_enable_x64 else np.float32)


def to_inexact_dtype(given: Any) -> np.dtype:
    """Return the dtype of floats for one of integers, and others as they are."""
    found = np.dtype(given)
    return default_float_dtype() if found.kind in "biu" else found


def _const(example: Any, value: Any) -> Any:
    """Return a number in the dtype of another value."""
    return np.asarray(value, dtype(example))


def _convert_element_type(x: Any, new: Any = None, weak_type: bool = False) -> Any:
    """Return an array in another dtype, weak or not."""
    x = jax.numpy.asarray(x)
    return _convert(x, x.dtype if new is None else new, weak_type)
