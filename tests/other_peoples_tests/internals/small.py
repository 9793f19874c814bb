"""Small parts of `jax._src`: `util`, and what `core`, `dtypes` and `lax` keep to themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_dtypes
import numpy as np

from diffeo.primitives.core import typeof as _typeof
from diffeo.primitives.words.structural import convert_element_type as _convert

#: The number of jaxlib's interface to jax: as of a version that has all that tests ask about.
jaxlib_extension_version = 10_000
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


def unzip3(triples: Any) -> tuple[tuple, tuple, tuple]:
    """Return the first, the second and the third parts of triples."""
    triples = list(triples)
    return tuple([tuple([t[i] for t in triples]) for i in range(3)])  # type: ignore


class _Tokens:
    """What remembers effects that are under way: here a call returns when they have happened."""

    def clear(self) -> None:
        """Forget them."""

    def block_until_ready(self) -> None:
        """Wait for them."""
        jax.effects_barrier()


runtime_tokens = _Tokens()


class TypedNdArray:
    """The class of numbers that jax writes into programs: nothing here is an instance."""


TypedInt = TypedFloat = TypedComplex = TypedNdArray


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
    if isinstance(x, (type, np.dtype)):
        return x in (bool, int, float, complex)
    return bool(_typeof(x).weak_type)


def dtype(x: Any) -> np.dtype:
    """Return the dtype of a value, or of a kind of Python's numbers."""
    if isinstance(x, (type, np.dtype, str)):
        return np.dtype(jax.dtypes.canonicalize_dtype(x))
    return _typeof(x).dtype


_float8_dtypes = [d for d in dir(ml_dtypes) if d.startswith("float8")]
_float8_dtypes = [np.dtype(getattr(ml_dtypes, name)) for name in _float8_dtypes]


for _name in dir(ml_dtypes):  # the classes of narrow numbers
    if re.fullmatch(r"(b?float|u?int)\d.*|bfloat16", _name):
        globals()[_name] = getattr(ml_dtypes, _name)
#: Those that this ml_dtypes does not have.
int1 = getattr(ml_dtypes, "int1", None)
uint1 = getattr(ml_dtypes, "uint1", None)


def safe_to_cast(given: Any, target: Any) -> bool:
    """Return whether a dtype holds what another does, by jax's promotion."""
    return jax.numpy.promote_types(given, target) == np.dtype(target)


def default_int_dtype() -> np.dtype:
    """Return the dtype of Python's integers."""
    return np.dtype(np.int64 if jax.config.jax_enable_x64 else np.int32)


def default_float_dtype() -> np.dtype:
    """Return the dtype of Python's floats."""
    return np.dtype(np.float64 if jax.config.jax_enable_x64 else np.float32)


def default_uint_dtype() -> np.dtype:
    """Return the dtype of integers without a sign."""
    return np.dtype(np.uint64 if jax.config.jax_enable_x64 else np.uint32)


def default_complex_dtype() -> np.dtype:
    """Return the dtype of Python's complex numbers."""
    return np.dtype(np.complex128 if jax.config.jax_enable_x64 else np.complex64)


def to_numeric_dtype(given: Any) -> np.dtype:
    """Return the dtype of integers for that of booleans, and others as they are."""
    found = np.dtype(given)
    return default_int_dtype() if found.kind == "b" else found


def canonicalize_value(x: Any) -> Any:
    """Return a value as jax's functions take it up."""
    return jax.numpy.asarray(x)


def check_and_canonicalize_user_dtype(given: Any, fun_name: str | None = None) -> Any:
    """Return the dtype that arrays have who are asked for one."""
    return jax.dtypes.canonicalize_dtype(given, allow_extended_dtype=True)


def shaped_abstractify(x: Any) -> Any:
    """Return the type of a value."""
    return _typeof(x)


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
