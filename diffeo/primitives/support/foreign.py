"""Which of NumPy's arrays and scalars may come in, and why the others may not.

An array of NumPy's may say more than its numbers: a mask, a unit, names of fields, another product.
Such an array is refused, since what it says would be lost without a word.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .key_types import BY_ELEMENT

ndarray = np.ndarray

#: The dtype of a tangent or cotangent of an integer or boolean array: it holds no information (as
#: in JAX).
float0 = np.dtype([("float0", np.void, 0)])

_NAMES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip
_NARROW = (
    "bfloat16", "int2", "uint2", "int4", "uint4", "float4_e2m1fn", "float8_e3m4", "float8_e4m3",
    "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
    "float8_e8m0fnu",
)  # fmt: skip
_BY_NAME = {name: np.dtype(name) for name in _NAMES}
_BY_NAME |= {n: np.dtype(getattr(ml_dtypes, n)) for n in _NARROW if hasattr(ml_dtypes, n)}
#: The dtypes that come in as they are: NumPy's numbers that the compiler knows, those of ml_dtypes,
#: float0 and the dtypes of keys; without those of 64 bits after `admit_wide(False)`.
DTYPES = {*_BY_NAME.values(), float0, *BY_ELEMENT}
#: What the names of dtypes mean; of 64 bits, what `admit_wide` says.
_MEANT = dict(_BY_NAME)
_NARROWER = {
    "float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64",
}  # fmt: skip
#: What to do instead, by the letter of a dtype that arrays cannot have.
_INSTEAD = {
    "g": "longdouble has no counterpart on other machines: convert it with .astype(np.float64)",
    "G": "clongdouble has no counterpart on other machines: convert it with .astype(np.complex128)",
    "M": "dates are no numbers: convert them with (x - start) / np.timedelta64(1, 's')",
    "m": "a duration has a unit: convert it with x / np.timedelta64(1, 's')",
    "O": "objects are no numbers: convert them with .astype(float)",
}


def array_dtype(dtype: Any) -> np.dtype:
    """Return the dtype that a name, type or dtype means, in the byte order of this machine.

    After `admit_wide(False)` it is one of 32 bits where 64 were asked for.

    Raises:
        TypeError: for what is no dtype, and for a dtype that arrays cannot have: strings, objects,
            dates, records, longdouble.

    Examples:
        >>> array_dtype("float32"), array_dtype(">f8")
        (dtype('float32'), dtype('float64'))
    """
    try:
        type_ = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(
            f"{dtype!r} is no dtype; expected one of NumPy's, such as np.float32, its name or a "
            "Python type of numbers"
        ) from None
    if type_ in DTYPES:
        return type_ if type_.names is None else BY_ELEMENT.get(type_, type_)
    native = _MEANT.get(type_.name)  # in another byte order, or with metadata, or too wide
    if native is None:
        instead = _INSTEAD.get(type_.char, "arrays hold numbers of bool, integers, floats, complex")
        raise TypeError(f"there are no arrays of dtype {type_}: {instead}")
    return native


def exact_dtype(dtype: Any) -> np.dtype:
    """Return what `array_dtype` returns, but of 64 bits whenever that was asked for: what a type
    says of itself.
    """
    allowed, asked = array_dtype(dtype), np.dtype(dtype)
    return allowed if asked.names is not None or asked in DTYPES else _BY_NAME[asked.name]


def admit_wide(on: bool) -> None:
    """Let dtypes of 64 bits come in as they are (the usual), or as those of 32 bits.

    This holds for the process. Arrays and programs that exist keep the types that they have.
    """
    for wide, narrow in _NARROWER.items():
        _MEANT[wide] = _BY_NAME[wide if on else narrow]
        (DTYPES.add if on else DTYPES.discard)(_BY_NAME[wide])


# --------------------------------------------------------------------------------------------------
# Arrays of other libraries


def taken_in(x: Any) -> Any:
    """Return the array of another library (jax, torch, pandas ...) as one of NumPy's; anything else
    as it is.

    It says itself how it becomes an array, by `__jax_array__`, `__array__` or `__dlpack__`, and may
    refuse: a tensor on an accelerator, say, or one whose derivative torch records.
    """
    kind = type(x)
    if isinstance(x, (ndarray, np.generic, type)):
        return x
    host, why_not = adopted[0](x)
    if host is not None or why_not is not None:
        return x if host is None else host  # what jax traces is refused by its name
    if hasattr(kind, "__jax_array__"):
        return x.__jax_array__()
    if hasattr(kind, "__array__"):
        return np.asanyarray(x)  # which keeps a mask, so that it is refused
    return np.from_dlpack(x) if hasattr(kind, "__dlpack__") else x


# --------------------------------------------------------------------------------------------------
# Subclasses of ndarray

#: What a subclass of ndarray may define without giving operations another meaning.
_HARMLESS = frozenset(
    {
        "__copy__", "__deepcopy__", "__dict__", "__doc__", "__format__", "__getstate__", "__hash__",
        "__init__", "__module__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setstate__", "__sizeof__", "__str__", "__weakref__",
    }
)  # fmt: skip
_OPERATIONS = frozenset(vars(ndarray)) - _HARMLESS
#: With these a class answers NumPy's functions itself, as classes with units do.
_PROTOCOLS = frozenset({"__array_ufunc__", "__array_function__"})


def redefined(kind: type) -> list[str]:
    """Return the operations of ndarray to which a subclass gives a meaning of its own."""
    above = kind.__mro__[: kind.__mro__.index(ndarray)]
    return sorted({n for c in above if c is not np.memmap for n in vars(c) if n in _OPERATIONS})


def is_plain(kind: type) -> bool:
    """Return whether a class is NumPy's array or scalar, or a subclass that adds nothing to the
    numbers but a place (`np.memmap`) or data and methods of its own.
    """
    return kind is ndarray or not issubclass(kind, ndarray) or not redefined(kind)


def refusal(x: Any, converted: bool = False) -> str | None:
    """Return why an object may not come in and what to do, or None if nothing is known against it.

    Args:
        x: the object.
        converted: whether the user asks for the conversion to a plain array, as `np.asarray` makes
            it of a matrix.
    """
    if not isinstance(x, (ndarray, np.generic)):
        return adopted[0](x)[1]
    kind = type(x)
    if hasattr(kind, "filled"):  # asked so, as `numpy.ma` may not be loaded yet
        return (
            "its mask would be lost: put a number in the place of what is masked, x.filled(0.0), "
            "or carry the mask along as an array of its own, np.ma.getmaskarray(x)"
        )
    if x.dtype not in DTYPES:
        try:
            array_dtype(x.dtype)
        except TypeError as error:
            return str(error)
    if is_plain(kind):
        return None
    names = redefined(kind)
    if converted and not _PROTOCOLS & set(names):
        return None
    return (
        f"{kind.__name__} gives ndarray's {', '.join(names[:3])}{' ...' if names[3:] else ''} a "
        "meaning of its own, which would be lost: convert it yourself, np.asarray(x) has the "
        "numbers alone"
    )


# --------------------------------------------------------------------------------------------------
# Arrays of other libraries

#: A function of an object: (its numbers as a NumPy array that nobody writes to, or None; why it may
#: not come in, or None). `trees/adopted.py` puts one here that knows jax's arrays.
adopted: list[Any] = [lambda x: (None, None)]


def host_of(x: Any) -> ndarray | None:
    """Return the numbers of another library's array, as `adopted` says; None for anything else."""
    return adopted[0](x)[0]
