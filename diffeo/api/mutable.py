"""Mutable arrays for users: making refs, reading and writing them by functions."""

from __future__ import annotations

from typing import Any

from ..engine.refs import Ref, read
from ..primitives.constants import full
from ..primitives.core import describe, with_user_line
from ..primitives.support.foreign import array_dtype


def new_ref(
    init_val: Any, *, memory_space: Any = None, kind: str | None = None, pin: bool = False
) -> Ref:
    """Return a mutable array.

    Refs are for what has no place among a function's results: counters, statistics, gradients that
    a backward pass comes across. Functions that read and write refs can be jitted and
    differentiated, and serve in loops and conditionals; see `docs/refs.md` for what cannot be done.

    Args:
        init_val: the array that the ref holds at first, whose shape and dtype it keeps.
        memory_space, kind, pin: None, None and False: they choose memory that diffeo leaves to the
            compiler.

    Raises:
        TypeError: if `init_val` is no array.
        NotImplementedError: for a choice of memory.

    Examples:
        >>> import diffeo as dx
        >>> count = dx.new_ref(0)
        >>> @dx.jit
        ... def f(x):
        ...     count[...] += 1
        ...     return 2 * x
        >>> f(1.0), f(2.0), count
        (Array(2.), Array(4.), Ref(2))
    """
    for name, value in (("memory_space", memory_space), ("kind", kind), ("pin", pin or None)):
        if value is not None:
            raise with_user_line(
                NotImplementedError(
                    f"new_ref: {name}={value!r} is not honoured, as the compiler chooses the "
                    "memory; leave it out"
                )
            )
    if isinstance(init_val, Ref):
        raise with_user_line(TypeError("new_ref: a Ref cannot hold a Ref; read it, by ref[...]"))
    return Ref(init_val)


def empty_ref(ty: Any, memory_space: Any = None, pin: bool = False) -> Ref:
    """Return a mutable array of a type, which holds zeros.

    Args:
        ty: what has a shape and a dtype: a `ShapeDtypeStruct`, an array.
        memory_space, pin: as for `new_ref`.

    Examples:
        >>> import diffeo as dx
        >>> dx.empty_ref(dx.ShapeDtypeStruct((2,), "float64"))
        Ref([0., 0.])
    """
    zeros = full(tuple(ty.shape), 0, array_dtype(ty.dtype))
    return new_ref(zeros, memory_space=memory_space, pin=pin)


def freeze(ref: Ref) -> Any:
    """Return what a ref holds, and let the ref not be used any more.

    Raises:
        ValueError: outside of the function in which the ref was made.

    Examples:
        >>> import diffeo as dx
        >>> ref = dx.new_ref(dx.numpy.ones(2))
        >>> dx.freeze(ref)
        Array([1., 1.])
        >>> ref
        Ref(<frozen>)
    """
    value = read(_checked("freeze", ref))
    ref.end("frozen")
    return value


def free_ref(ref: Ref) -> None:
    """Let a ref not be used any more.

    Raises:
        ValueError: outside of the function in which the ref was made.
    """
    _checked("free_ref", ref).end("freed")


def get(ref: Ref, idx: int | None = None) -> Any:
    """Return `ref[idx]`; without an index, all of it.

    Examples:
        >>> import diffeo as dx
        >>> dx.ref.get(dx.new_ref(dx.numpy.arange(3)), 1)
        Array(1)
    """
    return _checked("get", ref)[... if idx is None else idx]


def set(ref: Ref, idx: int, value: Any) -> None:
    """Do `ref[idx] = value`; with None for an index, all of it is written."""
    _checked("set", ref)[... if idx is None else idx] = value


def swap(ref: Ref, idx: int, value: Any) -> Any:
    """Do `ref[idx] = value`, and return what `ref[idx]` was before.

    Examples:
        >>> import diffeo as dx
        >>> ref = dx.new_ref(dx.numpy.arange(3))
        >>> dx.ref.swap(ref, 1, 7), ref
        (Array(1), Ref([0, 7, 2]))
    """
    before = get(ref, idx)
    set(ref, idx, value)
    return before


def addupdate(ref: Ref, idx: int, x: Any) -> None:
    """Do `ref[idx] += x`; elements that an index names twice are added to twice.

    Examples:
        >>> import diffeo as dx
        >>> ref = dx.new_ref(dx.numpy.zeros(2))
        >>> dx.ref.addupdate(ref, dx.numpy.array([1, 1]), 1.0)
        >>> ref
        Ref([0., 2.])
    """
    ref = _checked("addupdate", ref)
    ref[...] = ref[...].at[... if idx is None else idx].add(x)


def _checked(name: str, ref: Any) -> Ref:
    if not isinstance(ref, Ref):
        raise with_user_line(
            TypeError(f"{name}: expected a Ref, made by dx.new_ref, got {describe(ref)}")
        )
    return ref
