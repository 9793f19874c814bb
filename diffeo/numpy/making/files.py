"""Arrays from files, bytes, texts and iterators, and arrays into files, by NumPy's functions.

They work on known numbers, at once: while a function is traced, what they read is a constant.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Any

import ml_dtypes
import numpy as np

from ...primitives.array import Array
from ...primitives.core import Value, with_user_line
from ...typing import ArrayLike
from .creation import array, asarray


def _numbers(x: Any) -> Any:
    """Return an array of diffeo as NumPy's, and anything else as it is."""
    return np.asarray(x) if isinstance(x, Value) else x


def load(file: IO[bytes] | str | os.PathLike, *args: Any, **kwargs: Any) -> Any:
    """Read what `save` or `savez` has written; see `numpy.load` for the other arguments.

    Returns:
        An Array of an .npy file. Of an .npz file, NumPy's mapping from names to NumPy arrays.

    Raises:
        ValueError: for pickled objects, unless `allow_pickle=True` says that the file is trusted.

    Examples:
        >>> import io
        >>> import diffeo as dx
        >>> file = io.BytesIO()
        >>> save(file, dx.numpy.array([1, 2], "bfloat16"))
        >>> _ = file.seek(0)
        >>> load(file)
        Array([1, 2], dtype=bfloat16)
    """
    out = np.load(file, *args, **kwargs)
    if not isinstance(out, np.ndarray):
        return out
    # NumPy's format has no name for bfloat16, and writes two bytes of no meaning.
    return array(out.view(ml_dtypes.bfloat16) if out.dtype == "V2" else out)


def save(file: Any, arr: ArrayLike, allow_pickle: bool = True) -> None:
    """Write an array to an .npy file; see `numpy.save`."""
    np.save(file, _numbers(arr), allow_pickle=allow_pickle)


def savez(file: Any, *args: Any, allow_pickle: bool = True, **kwds: Any) -> None:
    """Write several arrays to an .npz file, under the names of keywords, or arr_0, arr_1 ...

    Raises:
        ValueError: for objects that are no numbers, if `allow_pickle` is False.
    """
    values, named = [_numbers(x) for x in args], {k: _numbers(v) for k, v in kwds.items()}
    if not allow_pickle and any(
        [np.asarray(v).dtype.hasobject for v in [*values, *named.values()]]
    ):
        raise with_user_line(
            ValueError("savez: with allow_pickle=False, arrays must hold numbers, not objects")
        )
    np.savez(file, *values, **named)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    """Read numbers from bytes: `count` of them (-1: all) from byte `offset` on.

    Examples:
        >>> frombuffer(bytes([1, 0, 2, 0]), "int16")
        Array([1, 2], dtype=int16)
    """
    return asarray(np.frombuffer(buffer, dtype, count, offset))


def fromfile(
    file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0
) -> Array:
    """Read numbers from a file of bytes, or with `sep` of a text; see `numpy.fromfile`."""
    return asarray(np.fromfile(file, dtype, count, sep, offset))


def fromiter(iter: Iterable, dtype: Any, count: int = -1) -> Array:
    """Read numbers, `count` of them (-1: all), from an iterable.

    Examples:
        >>> fromiter((k * k for k in range(4)), int)
        Array([0, 1, 4, 9])
    """
    return asarray(np.fromiter(iter, dtype, count))


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """Read numbers from a text, in which `sep` stands between them.

    Examples:
        >>> fromstring("1 2.5", sep=" ")
        Array([1. , 2.5])
    """
    return asarray(np.fromstring(string, dtype, count, sep=sep))
