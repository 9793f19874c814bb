"""Types of values: shapes, dtypes, weak scalars, and how dtypes promote.

A `ShapedArray` is what an array is to the language: shape, dtype, and whether the dtype is *weak*,
that is, came from a Python scalar and gives way to any array's dtype of the same kind or a higher
one (NEP 50).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from . import settings as process_settings
from .settings import device_name, process

bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))
bfloat16, float8_e5m2 = np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.float8_e5m2)
complex64, complex128 = np.dtype(np.complex64), np.dtype(np.complex128)

#: The dtype of a tangent or cotangent of an integer or boolean array: it holds no information (as
#: in JAX).
float0 = np.dtype([("float0", np.void, 0)])


class ShapedArray:
    """The type of an array: shape, dtype and weakness. Interned: equal types are one object.

    Identity is equality, so types compare and hash at the speed of a pointer in caches and on the
    dispatch path.

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

    def __new__(cls, shape: tuple[int, ...], dtype: Any, weak_type: bool = False) -> ShapedArray:
        key = (shape, dtype, weak_type)
        found = _interned.get(key)
        if found is not None:
            return found
        shape, dtype = tuple([int(n) for n in shape]), np.dtype(dtype)
        if any(n < 0 for n in shape):
            raise TypeError(f"a shape needs sizes >= 0, got {shape}")
        with _intern_lock:
            strong = _interned.get((shape, dtype, False)) or _make_pair(shape, dtype)
            found = strong.weak if weak_type else strong
            _interned[key] = found
        return found

    def update(self, shape: tuple[int, ...] | None = None, dtype: Any = None) -> ShapedArray:
        """The same type with another shape or dtype."""
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


_interned: dict[tuple, ShapedArray] = {}
_intern_lock = threading.RLock()


def _make_pair(shape: tuple[int, ...], dtype: np.dtype) -> ShapedArray:
    """A strong type and its weak twin, linked; the strong one is returned."""
    strong, weak = object.__new__(ShapedArray), object.__new__(ShapedArray)
    for aval, is_weak in ((strong, False), (weak, True)):
        aval.shape, aval.dtype, aval.weak_type = shape, dtype, is_weak
        aval.ndim, aval.size = len(shape), math.prod(shape)
        aval.strong, aval.weak = strong, weak
    _interned[shape, dtype, False], _interned[shape, dtype, True] = strong, weak
    return strong


_SHORT = {"bool": "bool", "bfloat16": "bf16", "float": "f", "int": "i", "uint": "u", "complex": "c"}


@cache
def short_dtype(dtype: np.dtype) -> str:
    """`f64` for float64, `i32` for int32, `bf16`, `bool`, `c128` ...: how programs are printed."""
    name = dtype.name
    if name in _SHORT:
        return _SHORT[name]
    head = name.rstrip("0123456789")
    return _SHORT[head] + name[len(head) :] if head in _SHORT else name


# --------------------------------------------------------------------------------------------------
# Default dtypes


#: The settings that programs depend on.
PROGRAM_SETTINGS = ("default_bits", "fuse_derivatives", "simplify", "default_device")
#: Those that are on or off.
SWITCHES = ("fuse_derivatives", "simplify", "progress", "log_compiles")
#: All that `dx.config` has.
SETTINGS = (
    "default_bits", *SWITCHES, "default_device", "num_cpu_devices", "platforms", "preallocate",
    "memory_fraction",
)  # fmt: skip
_settings: dict[tuple, tuple] = {}


class Config(threading.local):
    """Settings of the library. `dx.config` is the one instance.

    Attributes:
        default_bits: 64 (NumPy's: float64, int64, complex128) or 32; the dtypes that Python
            scalars and creation functions get when nothing else decides.
        fuse_derivatives: nested derivatives by a scalar, `grad(grad(f))` say, are computed in one
            Taylor pass (the default); if False, each level differentiates the one inside.
        simplify: programs are simplified before they are compiled (the default); if False, only
            dead code goes.
        default_device: where programs run whose operands are not bound to a device; a device, its
            name ("cpu:1", "cuda") or None: the first device of the default platform.
        num_cpu_devices: how many devices the processor counts as, 1 by default.
        platforms: the platforms to use, the default one first, as "cuda,cpu"; None: accelerators
            that are there, then the processor.
        preallocate: whether an accelerator's memory is taken as a whole at the start; False.
        memory_fraction: the part of an accelerator's memory that may be used; None: XLA's choice.
        progress: what takes long to compile says so, in a terminal or a notebook.
        log_compiles: say on the logger "diffeo" what is traced and compiled, why, and how long it
            took.
        settings: the values of all settings that programs depend on; of equal settings, the same
            object.

    A setting holds for the thread that makes it; those from `num_cpu_devices` to `memory_fraction`
    hold for the process, and can be made only before a device is first used; the environment can
    make them, too: DIFFEO_NUM_CPU_DEVICES, DIFFEO_PLATFORMS, DIFFEO_PREALLOCATE and
    DIFFEO_MEMORY_FRACTION.

    Raises:
        AttributeError: where a setting is made that does not exist.
        TypeError, ValueError: where it cannot have the value.
    """

    default_bits = 64
    fuse_derivatives = True
    simplify = True
    progress = True
    log_compiles = False
    num_cpu_devices = process_settings.num_cpu_devices
    platforms = process_settings.platforms
    preallocate = process_settings.preallocate
    memory_fraction = process_settings.memory_fraction
    _default_device: str | None = None

    settings: tuple = ()

    def __init__(self) -> None:
        self._note_settings()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise AttributeError(
                f"dx.config has no setting {name!r}; the settings are {', '.join(SETTINGS)}"
            )
        if name in SWITCHES and type(value) is not bool:
            raise TypeError(f"dx.config.{name} is True or False, got {value!r}")
        if name == "default_bits" and value not in (32, 64):
            raise ValueError(f"default dtypes have 32 or 64 bits, got {value!r}")
        super().__setattr__(name, value)
        self._note_settings()

    def _note_settings(self) -> None:
        now = tuple([getattr(self, name) for name in PROGRAM_SETTINGS])
        super().__setattr__("settings", _settings.setdefault(now, now))

    @contextmanager
    def simplification(self, on: bool) -> Iterator[None]:
        """Have programs that are lowered within a `with` block simplified, or not: see `simplify`.

        Examples:
            >>> import diffeo as dx
            >>> f = lambda x: dx.numpy.sin(x) + dx.numpy.sin(x)
            >>> with dx.config.simplification(False):
            ...     print(dx.jit(f).lower(1.0).as_text().count("sine"))
            2
            >>> print(dx.jit(f).lower(1.0).as_text().count("sine"))
            1
        """
        before, self.simplify = self.simplify, bool(on)
        try:
            yield
        finally:
            self.simplify = before

    @property
    def default_device(self) -> str | None:
        """See the class."""
        return self._default_device

    @default_device.setter
    def default_device(self, device: Any) -> None:
        super().__setattr__("_default_device", device_name(device))
        process.placed = process.placed or device is not None

    @contextmanager
    def separate_derivatives(self) -> Iterator[None]:
        """Let each level of nested derivatives differentiate the one inside, within a `with`
        block: see `fuse_derivatives`. It matters while a function is called or traced.

        Examples:
            >>> import diffeo as dx
            >>> with dx.config.separate_derivatives():
            ...     print(dx.grad(dx.grad(lambda x: x ** 3))(2.0))
            12.0
        """
        before, self.fuse_derivatives = self.fuse_derivatives, False
        try:
            yield
        finally:
            self.fuse_derivatives = before

    @contextmanager
    def defaults(self, bits: int) -> Iterator[None]:
        """Use 32- or 64-bit default dtypes within a `with` block.

        Examples:
            >>> import diffeo as dx
            >>> with dx.config.defaults(32):
            ...     print(dx.numpy.zeros(2).dtype)
            float32
        """
        before, self.default_bits = self.default_bits, bits
        try:
            yield
        finally:
            self.default_bits = before


config = Config()


def default_dtype(kind: type) -> np.dtype:
    """The dtype of a Python scalar of type `kind` (bool, int, float, complex) when nothing else
    decides.
    """
    wide = config.default_bits == 64
    if kind is float:
        return float64 if wide else float32
    if kind is int:
        return int64 if wide else int32
    if kind is complex:
        return complex128 if wide else complex64
    return bool_


SCALARS = frozenset((bool, int, float, complex))
#: A dtype holds the Python scalars whose rank is not above that of its kind.
SCALAR_RANK = {bool: 0, int: 1, float: 2, complex: 3}
KIND_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


def scalar_aval(kind: type) -> ShapedArray:
    """The type of a Python scalar: weak, except for bool."""
    return ShapedArray((), default_dtype(kind), kind is not bool)


# --------------------------------------------------------------------------------------------------
# Promotion: the lattice that JAX documents (docs "Type promotion semantics"), with 64 bits enabled.
# A name with a star is the weak type of that kind.

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
    reached, todo = set(), [node]
    while todo:
        n = todo.pop()
        if n not in reached:
            reached.add(n)
            todo += _UP[n]
    return reached


_ABOVE = {node: _upper(node) for node in _UP}


def _node(dtype: np.dtype, weak: bool) -> str:
    if weak and dtype.kind in "iufcV" and dtype != bool_:
        kind = {"i": "int*", "u": "int*", "c": "complex*"}.get(dtype.kind, "float*")
        return kind
    return dtype.name


@cache
def _least_upper(a: str, b: str) -> str | None:
    common = _ABOVE.get(a, {a}) & _ABOVE.get(b, {b})
    least = [n for n in common if common <= _ABOVE.get(n, {n})]
    return least[0] if least else None


@lru_cache(maxsize=4096)
def _promote(types: tuple[tuple[np.dtype, bool], ...], bits: int) -> tuple[np.dtype, bool]:
    node = _node(*types[0])
    for dtype, weak in types[1:]:
        other = _node(dtype, weak)
        joined = _least_upper(node, other)
        if joined is None:
            names = ", ".join(sorted({d.name for d, _ in types}))
            raise TypeError(f"no common dtype for {names}: convert explicitly with .astype(...)")
        node = joined
    if node not in _STAR:
        return np.dtype(node) if node != "bfloat16" else bfloat16, False
    # A weak dtype that is already of the kind wanted stays (a weak float32 among weak integers,
    # say).
    kept = [d for d, w in types if w and _node(d, w) == node]
    return max(kept, key=lambda d: d.itemsize) if kept else default_dtype(_STAR[node]), True


def promote_types(*avals: ShapedArray) -> tuple[np.dtype, bool]:
    """The dtype (and its weakness) to which operands of these types are brought before they meet.

    Raises:
        TypeError: when the lattice has no common upper bound (two different float8 types, say).

    Examples:
        >>> promote_types(ShapedArray((), np.int64), ShapedArray((), np.float32))
        (dtype('float32'), False)
        >>> promote_types(ShapedArray((), np.float32), scalar_aval(float))
        (dtype('float32'), False)
    """
    return _promote(tuple([(a.dtype, a.weak_type) for a in avals]), config.default_bits)


# --------------------------------------------------------------------------------------------------
# Kinds of dtypes


@cache
def is_float(dtype: np.dtype) -> bool:
    """True for real floating-point dtypes, bfloat16 and the float8 types included."""
    return (
        dtype.kind == "f"
        or dtype == bfloat16
        or (dtype.name.startswith("float") and dtype != float0)
    )


@cache
def is_storage(dtype: np.dtype) -> bool:
    """True for float8, int4 and their like: types in which arrays are kept and moved, but not
    computed with.

    NumPy's kind of float8_e5m2 alone is "f", which the short ways of eager arithmetic look at.
    """
    narrow = dtype.kind == "V" and dtype.names is None and dtype != bfloat16
    return narrow or dtype == float8_e5m2


#: Kinds of dtypes by their letters.
KINDS = {
    "b": "boolean",
    "i": "signed integer",
    "u": "unsigned integer",
    "f": "floating-point",
    "c": "complex",
    "s": "float8 and int4",
}
STORAGE = "float8 and int4 arrays are for storage: convert them with .astype(...) to compute"


@cache
def kind_of(dtype: np.dtype) -> str:
    """The letter of KINDS for a dtype; bfloat16 counts as floating-point."""
    return "s" if is_storage(dtype) else "f" if dtype.kind == "V" else dtype.kind


def check_scalar(name: str, value: Any, dtype: np.dtype) -> None:
    """TypeError unless a dtype holds a Python scalar: for integers, within their limits."""
    rank, limits = _held(dtype)
    fits = SCALAR_RANK[type(value)] <= rank
    if fits and limits is not None:
        fits = limits.min <= value <= limits.max
    if not fits:
        raise TypeError(f"{name}: the scalar {value} does not fit {dtype}; convert first")


@cache
def _held(dtype: np.dtype) -> tuple[int, Any]:
    """The highest rank of the scalars that a dtype holds, and the limits of integers."""
    if "int" in dtype.name:
        return 1, ml_dtypes.iinfo(dtype)
    return KIND_RANK.get(dtype.kind, 2), None


@cache
def is_inexact(dtype: np.dtype) -> bool:
    """True for floating-point and complex dtypes: those that carry derivatives."""
    return is_float(dtype) or dtype.kind == "c"


def is_complex(dtype: np.dtype) -> bool:
    """True for complex64 and complex128."""
    return dtype.kind == "c"


def is_integer(dtype: np.dtype) -> bool:
    """True for signed and unsigned integers."""
    return dtype.kind in "iu"


def real_dtype(dtype: np.dtype) -> np.dtype:
    """float64 for complex128, float32 for complex64, the dtype itself otherwise."""
    return {complex128: float64, complex64: float32}.get(dtype, dtype)


def complex_dtype(dtype: np.dtype) -> np.dtype:
    """complex64 for float32, complex128 for float64, the dtype itself if complex."""
    return dtype if dtype.kind == "c" else (complex128 if dtype == float64 else complex64)
