"""Types of values: shapes, dtypes, weak scalars, and how dtypes promote.

A `ShapedArray`, also called an *aval*, is what an array is to the language: shape, dtype, and
whether the dtype is *weak*. A weak dtype came from a Python scalar. It gives way to the dtype of
any array of the same kind or a higher one (NEP 50): `2.0` plus a float32 is a float32.
"""

from __future__ import annotations

import math
import operator
import threading
from functools import cache, lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from .config import task_settings
from .support.errors import TypePromotionError
from .support.foreign import array_dtype, exact_dtype, float0
from .support.key_types import BY_ELEMENT

bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))
bfloat16, float8_e5m2 = np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.float8_e5m2)
complex64, complex128 = np.dtype(np.complex64), np.dtype(np.complex128)


class AbstractValue:
    """A type of values: what they are to the language."""

    __slots__ = ()


class ShapedArray(AbstractValue):
    """The type of an array: shape, dtype and weakness. Equal types are one object.

    Types are *interned*: since identity is equality, they compare and hash at the speed of a
    pointer, in caches and on the dispatch path. `strong` and `weak` are the two types of the same
    shape and dtype.

    Examples:
        >>> a = ShapedArray((2, 3), np.float64)
        >>> a, a is ShapedArray((2, 3), "float64"), a.size
        (f64[2,3], True, 6)
    """

    __slots__ = ("__weakref__", "dtype", "ndim", "shape", "size", "strong", "weak", "weak_type")

    shape: tuple[int, ...]
    dtype: np.dtype
    weak_type: bool
    ndim: int
    size: int
    strong: ShapedArray
    weak: ShapedArray

    #: None: a type does not say on which devices an array is.
    sharding = None

    def __new__(
        cls, shape: tuple[int, ...], dtype: Any, weak_type: bool = False, *, sharding: None = None
    ) -> ShapedArray:
        if sharding is not None:
            raise NotImplementedError(f"a type has no sharding, got {sharding!r}: leave it out")
        key = (shape, dtype, weak_type)
        aval = _interned.get(key)
        if aval is not None:
            return aval
        try:
            shape = tuple([operator.index(n) for n in shape])
        except TypeError:
            raise TypeError(f"a shape is a tuple of integers, got {shape!r}") from None
        dtype = exact_dtype(dtype)
        if any(n < 0 for n in shape):
            raise TypeError(f"a shape needs sizes >= 0, got {shape}")
        _check_size(shape, dtype)
        with _intern_lock:
            # Now with the shape and dtype brought to one form.
            strong = _interned.get((shape, dtype, False)) or _make_pair(shape, dtype)
            aval = strong.weak if weak_type else strong
            _interned[key] = aval
        return aval

    def update(self, shape: tuple[int, ...] | None = None, dtype: Any = None) -> ShapedArray:
        """Return the same type with another shape or dtype."""
        shape = self.shape if shape is None else shape
        return ShapedArray(shape, self.dtype if dtype is None else dtype, self.weak_type)

    @property
    def nbytes(self) -> int:
        """The bytes that such an array takes."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"{short_dtype(self.dtype)}[{','.join(map(str, self.shape))}]"

    def __reduce__(self):
        return ShapedArray, (self.shape, self.dtype, self.weak_type)


def _check_size(shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Check that an array of the shape would not be larger than any memory: sizes are of 64 bits.

    Axes of size 0 do not help, since the other sizes are multiplied somewhere all the same.

    Raises:
        ValueError: if the number of bytes does not fit.
    """
    size = math.prod([n for n in shape if n]) * max(dtype.itemsize, 1)
    if size >= 1 << 63:
        raise ValueError(
            f"an array of shape {shape} and dtype {dtype} would have {size:.3g} bytes, and sizes "
            "end at 2**63; use smaller axes"
        )


#: The one object of each type, by what it was asked for with: the same type has several keys, as
#: `np.float64` and "float64" are different keys.
_interned: dict[tuple, ShapedArray] = {}
_intern_lock = threading.RLock()


def _make_pair(shape: tuple[int, ...], dtype: np.dtype) -> ShapedArray:
    """Make a strong type and its weak twin, linked to each other, and return the strong one."""
    strong, weak = object.__new__(ShapedArray), object.__new__(ShapedArray)
    for aval, is_weak in ((strong, False), (weak, True)):
        aval.shape, aval.dtype, aval.weak_type = shape, dtype, is_weak
        aval.ndim, aval.size = len(shape), math.prod(shape)
        aval.strong, aval.weak = strong, weak
    _interned[shape, dtype, False], _interned[shape, dtype, True] = strong, weak
    return strong


_SHORT = {"bool": "bool", "bfloat16": "bf16", "float": "f", "int": "i", "uint": "u", "complex": "c"}


class Typed:
    """A base class of values that have a type, `aval`, and so a shape and a dtype."""

    __slots__ = ()

    aval: ShapedArray

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.aval.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.aval.size

    @property
    def nbytes(self) -> int:
        """The number of bytes of the elements."""
        return self.aval.nbytes

    @property
    def itemsize(self) -> int:
        """The number of bytes of an element."""
        return self.aval.dtype.itemsize

    @property
    def weak_type(self) -> bool:
        """Whether the dtype came from a Python scalar and gives way to other dtypes."""
        return self.aval.weak_type


@cache
def short_dtype(dtype: np.dtype) -> str:
    """Return the name of a dtype as programs print it: `f64` for float64, `i32`, `bf16`, `bool`,
    `c128`.
    """
    name = dtype.name
    if name in _SHORT:
        return _SHORT[name]
    head = name.rstrip("0123456789")
    return _SHORT[head] + name[len(head) :] if head in _SHORT else name


# --------------------------------------------------------------------------------------------------
# Default dtypes


def default_dtype(kind: type) -> np.dtype:
    """Return the dtype of a Python scalar of type `kind` (bool, int, float, complex) when nothing
    else decides.
    """
    wide = task_settings().default_bits == 64
    if kind is float:
        return float64 if wide else float32
    if kind is int:
        return int64 if wide else int32
    if kind is complex:
        return complex128 if wide else complex64
    return bool_


#: The types of Python scalars.
SCALARS = frozenset((bool, int, float, complex))
#: The ranks of Python scalars. A dtype holds those whose rank is not above its own.
SCALAR_RANK = {bool: 0, int: 1, float: 2, complex: 3}
#: The ranks of dtypes, by their letters. "V" is what NumPy says of most dtypes of ml_dtypes.
KIND_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


def scalar_aval(kind: type) -> ShapedArray:
    """Return the type of a Python scalar: weak, except for bool."""
    return ShapedArray((), default_dtype(kind), kind is not bool)


# --------------------------------------------------------------------------------------------------
# Promotion: the lattice that JAX documents (docs "Type promotion semantics"), with 64 bits enabled.
# `_UP` says for each node which nodes stand right above it. Two dtypes meet at the least node above
# both. A name with a star is the weak type of that kind.

_FLOAT8 = [
    f"float8_{name}"
    for name in ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
    if hasattr(ml_dtypes, f"float8_{name}")
]
_UP = {
    "bool": ("int*",),
    "int*": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float*",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float*",),
    "float*": ("complex*", "bfloat16", "float16", *_FLOAT8),
    **dict.fromkeys(_FLOAT8, ()),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex*": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}
_STAR = {"int*": int, "float*": float, "complex*": complex}


def _upper(node: str) -> set[str]:
    """Return the nodes of the lattice at or above a node."""
    reached, todo = set(), [node]
    while todo:
        n = todo.pop()
        if n not in reached:
            reached.add(n)
            todo += _UP[n]
    return reached


_ABOVE = {node: _upper(node) for node in _UP}


def _node(dtype: np.dtype, weak: bool) -> str:
    """Return the node of the lattice for a dtype: with a star if it is weak, its name otherwise."""
    if weak and dtype.kind in "iufcV":
        kind = {"i": "int*", "u": "int*", "c": "complex*"}.get(dtype.kind, "float*")
        return kind
    return dtype.name


@cache
def _least_upper(a: str, b: str) -> str | None:
    """Return the least node at or above two nodes, None if there is none."""
    common = _ABOVE.get(a, {a}) & _ABOVE.get(b, {b})
    least = [n for n in common if common <= _ABOVE.get(n, {n})]
    return least[0] if least else None


@lru_cache(maxsize=4096)
def _promote(types: tuple[tuple[np.dtype, bool], ...], mode: int) -> tuple[np.dtype, bool]:
    """Promote types. The mode is that of the settings: negative if promotion is strict."""
    if len(set(types)) == 1:
        return types[0]
    node = _node(*types[0])
    for dtype, weak in types[1:]:
        other = _node(dtype, weak)
        joined = _least_upper(node, other)
        # Strictly, only weak types give way: what is no weak type's must be the result.
        if mode < 0 and not {n for n in (node, other) if n not in _STAR} <= {joined}:
            joined = None
        if joined is None:
            names = ", ".join(sorted({d.name for d, _ in types}))
            if any([d.kind == "k" for d, _ in types]):
                raise TypeError(f"no common dtype for {names}: {KEYS}")
            strictly = " (dx.config.numpy_dtype_promotion is 'strict')" if mode < 0 else ""
            raise TypePromotionError(
                f"no common dtype for {names}{strictly}: convert explicitly with .astype(...)"
            )
        node = joined
    if node not in _STAR:
        joined = np.dtype(node)
        # What two types are promoted to is narrowed as what users ask for is; Python's numbers
        # beside a type leave it as it is.
        return joined if {d for d, w in types if not w} == {joined} else array_dtype(joined), False
    # A weak dtype that is already of the kind wanted stays (a weak float32 among weak integers,
    # say).
    kept = [d for d, w in types if w and _node(d, w) == node]
    return max(kept, key=lambda d: d.itemsize) if kept else default_dtype(_STAR[node]), True


def forget_promotions() -> None:
    """Forget how types promote, as the dtypes that come in are others from now on."""
    _promote.cache_clear()


def promote_types(*avals: ShapedArray) -> tuple[np.dtype, bool]:
    """Return the dtype, and its weakness, to which operands of these types are brought before they
    meet.

    Raises:
        TypeError: when the lattice has no common upper bound (two different float8 types, say).

    Examples:
        >>> promote_types(ShapedArray((), np.int64), ShapedArray((), np.float32))
        (dtype('float32'), False)
        >>> promote_types(ShapedArray((), np.float32), scalar_aval(float))
        (dtype('float32'), False)
    """
    return _promote(tuple([(a.dtype, a.weak_type) for a in avals]), task_settings().promotion)


# --------------------------------------------------------------------------------------------------
# Kinds of dtypes


@cache
def is_float(dtype: np.dtype) -> bool:
    """Return whether a dtype is real floating-point; bfloat16 and the float8 types are, too."""
    return (
        dtype.kind == "f"
        or dtype == bfloat16
        or (dtype.name.startswith("float") and dtype != float0)
    )


@cache
def is_storage(dtype: np.dtype) -> bool:
    """Return whether a dtype is float8, int4 or the like, or of keys: arrays are kept and moved in
    it, but not computed with.

    float8_e5m2 is asked for apart, since NumPy's letter for it is "f". The short ways of eager
    arithmetic, which look at the letter, leave it out for the same reason.
    """
    narrow = dtype.kind in "Vk" and dtype not in (bfloat16, float0)
    return narrow or dtype == float8_e5m2


#: Kinds of dtypes by their letters.
KINDS = {
    "b": "boolean",
    "i": "signed integer",
    "u": "unsigned integer",
    "f": "floating-point",
    "c": "complex",
    "s": "float8 and int4",
    "k": "key",
}
STORAGE = "float8 and int4 arrays are for storage: convert them with .astype(...) to compute"
KEYS = (
    "keys are no numbers: draw some with them, dx.random.uniform(key), or take the words, "
    "dx.random.key_data(keys)"
)


@cache
def kind_of(dtype: np.dtype) -> str:
    """Return the letter of KINDS for a dtype; bfloat16 counts as floating-point."""
    if dtype in BY_ELEMENT:
        return "k"
    return "s" if is_storage(dtype) else "f" if dtype.kind == "V" else dtype.kind


def check_scalar(name: str, value: Any, dtype: np.dtype) -> None:
    """Check that a dtype holds a Python scalar; for integers, that it is within their limits.

    Raises:
        TypeError: if it does not.
    """
    rank, limits = _held(dtype)
    fits = SCALAR_RANK[type(value)] <= rank
    if fits and limits is not None:
        fits = limits[0] <= value <= limits[1]
    if not fits:
        raise TypeError(f"{name}: the scalar {value} does not fit {dtype}; convert first")


@cache
def limits_of(dtype: np.dtype) -> tuple[int, int]:
    """Return the least and the largest integer of a dtype."""
    info = ml_dtypes.iinfo(dtype)
    return int(info.min), int(info.max)


@cache
def _held(dtype: np.dtype) -> tuple[int, Any]:
    """Return the highest rank of the scalars that a dtype holds, and the limits of integers."""
    if "int" in dtype.name:
        return 1, limits_of(dtype)
    if dtype.kind == "k":
        return 1, (0, 0)
    return KIND_RANK.get(dtype.kind, 2), None


@cache
def is_inexact(dtype: np.dtype) -> bool:
    """Return whether a dtype is floating-point or complex: those carry derivatives."""
    return is_float(dtype) or dtype.kind == "c"


def is_complex(dtype: np.dtype) -> bool:
    """Return whether a dtype is complex64 or complex128."""
    return dtype.kind == "c"


def is_integer(dtype: np.dtype) -> bool:
    """Return whether a dtype is of signed or unsigned integers."""
    return dtype.kind in "iu"


def real_dtype(dtype: np.dtype) -> np.dtype:
    """Return float64 for complex128, float32 for complex64, the dtype itself otherwise."""
    return {complex128: float64, complex64: float32}.get(dtype, dtype)


def complex_dtype(dtype: np.dtype) -> np.dtype:
    """Return complex64 for float32, complex128 for float64, the dtype itself if complex."""
    return dtype if dtype.kind == "c" else (complex128 if dtype == float64 else complex64)
