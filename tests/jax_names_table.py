"""jax's documented public names, beside what diffeo has under the same names."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

#: Stands for what diffeo does not have.
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()

#: jax's modules whose names are counted, in the order of the page.
MODULES = (
    "jax", "jax.numpy", "jax.numpy.linalg", "jax.numpy.fft", "jax.lax", "jax.lax.linalg",
    "jax.random", "jax.nn", "jax.nn.initializers", "jax.image", "jax.scipy.cluster.vq",
    "jax.scipy.fft", "jax.scipy.integrate", "jax.scipy.interpolate", "jax.scipy.linalg",
    "jax.scipy.ndimage", "jax.scipy.optimize", "jax.scipy.signal", "jax.scipy.sparse.linalg",
    "jax.scipy.spatial.transform", "jax.scipy.special", "jax.scipy.stats", "jax.tree",
    "jax.tree_util", "jax.flatten_util", "jax.ops", "jax.dtypes", "jax.dlpack", "jax.debug",
    "jax.errors", "jax.stages", "jax.typing", "jax.test_util", "jax.ad_checkpoint",
    "jax.custom_batching", "jax.custom_derivatives", "jax.core", "jax.extend.core", "jax.ref",
    "jax.experimental", "jax.experimental.jet", "jax.experimental.ode",
    "jax.experimental.checkify", "jax.experimental.sparse", "jax.example_libraries.optimizers",
    "jax.example_libraries.stax", "jax.profiler", "jax.monitoring",
)  # fmt: skip

#: Modules whose submodules of one level are counted, too.
WITH_SUBMODULES = ("jax.scipy.stats",)

#: Modules that define more than their documentation names.
DOCUMENTED = {
    "jax.experimental.jet": ("jet",),
    "jax.experimental.ode": ("odeint",),
}

#: Modules that list no names; what they define for their own use does not count.
WITHOUT_LISTS = "jax.example_libraries"
HELPERS = {"map", "zip", "annotations"}


class Name(NamedTuple):
    """A public name of jax's, what it is there, and what it is here, or `MISSING`."""

    module: str
    name: str
    theirs: Any
    ours: Any

    @property
    def full(self) -> str:
        """As the table of exceptions has it: `jax.lax.add`."""
        return f"{self.module}.{self.name}"


def modules() -> Iterator[str]:
    """The full names of jax's modules that are counted."""
    for module in MODULES:
        yield module
        if module in WITH_SUBMODULES:
            path = importlib.import_module(module).__path__
            below = sorted([info.name for info in pkgutil.iter_modules(path)])
            yield from [f"{module}.{name}" for name in below if not name.startswith("_")]


def public_names(module: str) -> list[str]:
    """The documented names of a module of jax's: those of `__all__` or, as jax says what it
    exports by `import x as x`, what is written so or defined there.
    """
    space = importlib.import_module(module)
    if module in DOCUMENTED:
        return [*DOCUMENTED[module]]
    names = set(getattr(space, "__all__", ())) or set(_exported(inspect.getsource(space)))
    return sorted([n for n in names if _counts(space, n)])


def _exported(source: str) -> Iterator[str]:
    """The names that the text of a module defines, or imports as themselves."""
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from [alias.asname for alias in node.names if alias.asname]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            targets = [t for t in node.targets for t in (getattr(t, "elts", None) or [t])]
            yield from [t.id for t in targets if isinstance(t, ast.Name)]


def _counts(space: Any, name: str) -> bool:
    """Whether a name is public, and neither a module nor a helper for annotations."""
    if name.startswith("_") or not hasattr(space, name):
        return False
    value = getattr(space, name)
    if isinstance(value, types.ModuleType):
        return False
    # `Params = Any` is for the annotations of a module; the names of jax.typing are not.
    helper = value is Any or typing.get_origin(value) is not None or name in HELPERS
    return not (helper and space.__name__.startswith(WITHOUT_LISTS))


def ours(full: str) -> Any:
    """What diffeo has under a full name of jax's, or `MISSING`."""
    home, _, name = full.replace("jax", "diffeo", 1).rpartition(".")
    if not home:
        return importlib.import_module(name)
    try:
        return getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("diffeo"):
            raise
    except AttributeError:
        pass
    try:
        return importlib.import_module(f"{home}.{name}")
    except ModuleNotFoundError:
        return MISSING


def names() -> Iterator[Name]:
    """Every public name of every module."""
    for module in modules():
        space = importlib.import_module(module)
        for name in public_names(module):
            yield Name(module, name, getattr(space, name), ours(f"{module}.{name}"))
