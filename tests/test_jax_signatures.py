"""A call that jax's functions take, diffeo's take: parameters, their order, their defaults.

`python -m tests.test_jax_signatures` prints every difference. Parameters of diffeo beyond jax's are
no differences if they have defaults; nor are jax's private ones, which begin with `_`.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.interop import exceptions

jax: Any
try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

pytestmark = pytest.mark.skipif(jax is None, reason="jax is not installed")

#: The modules whose functions are compared, relative to `jax` and to `diffeo`.
MODULES = (
    "", "numpy", "numpy.linalg", "numpy.fft", "lax", "lax.linalg", "nn", "nn.initializers", "tree",
    "image", "scipy.special", "scipy.linalg", "scipy.signal", "scipy.fft",
)  # fmt: skip

#: What differs, by `jax.module.function(parameter=)`, and why.
EXCEPTIONS = {entry: why for entry, why in exceptions.EXCEPTIONS.items() if "(" in entry}
#: Not functions: types of numbers, of arrays and for annotations.
NO_FUNCTIONS = {
    "jax.Array", "jax.Device", "jax.Ref", "jax.numpy.ndarray", "jax.lax.PrecisionLike",
    "jax.lax.ConvGeneralDilatedDimensionNumbers", "jax.nn.initializers.Initializer",
}  # fmt: skip

#: Types of jax's objects that stand for an argument that is not given.
_NOT_GIVEN = {"Unspecified", "UnspecifiedValue", "NotSpecified", "NoDefault", "DeprecatedArg"}
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def module(root: Any, path: str) -> Any:
    return importlib.import_module(f"{root.__name__}.{path}") if path else root


def pairs() -> Iterator[tuple[str, Callable, Callable]]:
    """(the full name in jax, jax's function, diffeo's function) of all functions that both have."""
    for path in MODULES:
        theirs, ours = module(jax, path), module(dx, path)
        for name in dir(theirs):
            full = ".".join(["jax", *path.split("."), name]) if path else f"jax.{name}"
            function = getattr(theirs, name)
            scalar_type = isinstance(getattr(function, "dtype", None), np.dtype)
            if name.startswith("_") or not callable(function) or full in NO_FUNCTIONS:
                continue
            if hasattr(ours, name) and not scalar_type:
                yield full, function, getattr(ours, name)
    x, y = jax.numpy.ones((2, 2)), dx.numpy.ones((2, 2))
    objects = ("jax.Array", x, y), ("jax.Array.at[]", x.at[0], y.at[0])
    for space, theirs, ours in objects:
        for name in dir(ours):
            # jax refuses some attributes of NumPy's when they are asked for.
            with suppress(NotImplementedError):
                if name.startswith("_") or not callable(getattr(theirs, name, None)):
                    continue
                yield f"{space}.{name}", getattr(theirs, name), getattr(ours, name)
    for name in ("reduce", "accumulate", "reduceat", "outer", "at"):
        full = f"jax.numpy.ufunc.{name}"
        yield full, getattr(jax.numpy.add, name), getattr(dx.numpy.add, name)


def parameters(function: Callable) -> list[inspect.Parameter] | None:
    """The parameters of a function; None if Python does not know them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return None


def same_default(a: Any, b: Any) -> bool:
    if isinstance(a, enum.Enum) and isinstance(b, enum.Enum):
        return a.name == b.name
    if isinstance(a, (type, np.dtype)) and isinstance(b, (type, np.dtype)):
        return np.dtype(a) == np.dtype(b)
    # Objects that stand for "not given" are the libraries' own.
    if type(a) is object or type(a).__name__ in _NOT_GIVEN:
        return b in (None, False, True, inspect.Parameter.empty) or type(b) is object
    return type(a) is type(b) and a == b


def differences(full: str, theirs: Callable, ours: Callable) -> Iterator[tuple[str, str]]:
    """(name of the entry, what differs) of a function."""
    expected, have = parameters(theirs), parameters(ours)
    if expected is None:
        return
    if have is None:
        yield full, "has no signature"
        return
    by_name = {p.name: p for p in have}
    places = [p.name for p in have if p.kind in POSITIONAL]
    kinds = {p.kind for p in have}
    takes_any = inspect.Parameter.VAR_POSITIONAL in kinds
    for position, p in enumerate(expected):
        entry = f"{full}({p.name}=)"
        if p.name.startswith("_"):
            continue
        if p.kind is inspect.Parameter.VAR_POSITIONAL:
            if not takes_any and len(places) < 2:
                yield entry, "does not take any number of operands"
            continue
        if p.kind is inspect.Parameter.VAR_KEYWORD:
            options = [q for q in have if q.kind in NAMED and q.default is not q.empty]
            if inspect.Parameter.VAR_KEYWORD not in kinds and not options:
                yield entry, "does not take keywords"
            continue
        mine = by_name.get(p.name)
        if p.kind in POSITIONAL and not takes_any:
            if position >= len(places):
                yield entry, "cannot be given by its position"
                continue
            if p.kind is inspect.Parameter.POSITIONAL_ONLY:
                mine = by_name[places[position]]
            elif places[position] != p.name:
                yield entry, f"stands where diffeo has {places[position]}"
                continue
        if p.kind in NAMED and (mine is None or mine.kind not in NAMED):
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                yield entry, "is missing"
            continue
        same = mine is None or p.default is p.empty or same_default(p.default, mine.default)
        if mine is not None and not same:
            yield entry, f"has the default {mine.default!r}, jax's is {p.default!r}"
    names = {p.name for p in expected}
    if inspect.Parameter.VAR_POSITIONAL in {p.kind for p in expected}:
        return
    for q in have:
        required = q.default is q.empty and q.kind in NAMED
        if required and q.name not in names and q.name not in places[: len(expected)]:
            yield f"{full}({q.name}=)", "is required here"


def all_differences() -> dict[str, str]:
    return {
        entry: what
        for full, theirs, ours in pairs()
        for entry, what in differences(full, theirs, ours)
    }


def test_signatures():
    unknown = {k: v for k, v in all_differences().items() if k not in EXCEPTIONS}
    assert not unknown, "\n".join([f"{k} {v}" for k, v in unknown.items()])


def test_exceptions_are_needed():
    assert set(EXCEPTIONS) <= set(all_differences())


if __name__ == "__main__":
    for entry, what in all_differences().items():
        print(entry, what, f"({EXCEPTIONS[entry]})" if entry in EXCEPTIONS else "")
