"""Serves `jax._src` to jax's own tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from diffeo.interop.serving.modules import INTERNALS
from diffeo.interop.serving.serve import Served

from .absent import Absent, NameMissing

_HERE = __package__
#: The public modules that have the names of an internal one.
PUBLIC = {
    "api": "jax", "core": "jax.core jax.extend.core jax.errors jax",
    "dtypes": "jax.dtypes jax.numpy jax",
    "lax": "jax.lax", "lax.lax": "jax.lax", "lax.control_flow": "jax.lax",
    "lax.linalg": "jax.lax.linalg", "lax.parallel": "jax.lax", "lax.slicing": "jax.lax",
    "lax.windowed_reductions": "jax.lax", "tree_util": "jax.tree_util", "errors": "jax.errors",
    "random": "jax.random", "random.core": "jax.random", "interpreters.ad": "jax.interpreters.ad",
    "interpreters.batching": "jax.interpreters.batching",
    "interpreters.mlir": "jax.interpreters.mlir",
    "interpreters.partial_eval": "jax.interpreters.partial_eval",
    "custom_derivatives": "jax.custom_derivatives", "custom_batching": "jax.custom_batching",
    "ad_checkpoint": "jax.ad_checkpoint jax", "numpy": "jax.numpy", "numpy.linalg":
    "jax.numpy.linalg",
    "nn": "jax.nn", "nn.functions": "jax.nn", "public_test_util": "jax.test_util",
    "linear_util": "jax.extend.linear_util", "dispatch": "jax.interpreters.xla",
    "array": "jax", "stages": "jax.stages", "api_util": "jax.api_util", "sharding_impls":
    "jax.sharding", "debugging": "jax.debug", "flatten_util": "jax.flatten_util",
    "scipy.special": "jax.scipy.special", "image.scale": "jax.image", "callback": "jax",
}  # fmt: skip
#: The files here that have the names of an internal module, before any public one.
OURS = {
    "test_util": "helpers", "util": "small", "config": "settings", "dtypes": "small",
    "core": "small", "lax.lax": "small", "literals": "small", "lib": "small", "dispatch": "small",
    "random": "keys", "random.prng": "keys", "random.threefry2x32": "keys",
}  # fmt: skip
#: Tables of jax's tests that are loaded from the checkout as they are.
THEIRS = {"internal_test_util.lax_test_util", "internal_test_util.test_harnesses", "lax_reference"}

#: The modules that are asked for as attributes of those above.
KNOWN = {*PUBLIC, *OURS, *THEIRS}


class Inside(ModuleType):
    """A module of `jax._src`: names of ours, then public ones, then `Absent`."""

    _sources: tuple[ModuleType, ...] = ()

    def __getattr__(self, name: str) -> Any:
        inner = f"{self.__name__}.{name}".removeprefix("jax._src.")
        if inner in KNOWN:  # before a public module of the same name
            return import_module(f"jax._src.{inner}")
        if name in ("__file__", "__path__"):  # there is none, whatever the sources have
            raise AttributeError(name)
        for source in self._sources:
            try:
                return getattr(source, name)
            except AttributeError:
                continue
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "jax._src":
            return import_module(f"jax._src.{inner}")
        return Absent(f"{self.__name__}.{name}")


class InsideFinder:
    """Finds and loads the modules under `jax._src`."""

    def __init__(self, checkout: Path):
        self.checkout = checkout

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how to load a module of jax's insides."""
        if name != "jax._src" and not name.startswith("jax._src."):
            return None
        inner = name.removeprefix("jax._src").lstrip(".")
        file = self.checkout / "jax" / "_src" / f"{inner.replace('.', '/')}.py"
        if inner in THEIRS and file.exists():
            return importlib.util.spec_from_file_location(name, file)
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module, with what is known of it."""
        inner = spec.name.removeprefix("jax._src").lstrip(".")
        module = Inside(spec.name)
        sources = [import_module(f"{_HERE}.{OURS[inner]}")] if inner in OURS else []
        for name in PUBLIC.get(inner, "").split():
            try:
                sources.append(import_module(name))
            except ModuleNotFoundError:
                continue
        module._sources = tuple(sources)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is."""


def missing_names(served: Callable) -> Callable:
    """Return the look-up of names of a served module, with something absent for those that are not
    there: a file of tests that has one in a table is loaded all the same.
    """

    def look_up(self: Served, name: str) -> Any:
        try:
            return served(self, name)
        except AttributeError:
            if name.startswith("_") or f"{self.__name__}.{name}" in INTERNALS:
                raise
            return Absent(f"{self.__name__}.{name}", NameMissing)

    return look_up


class WhileLoading:
    """A plugin of pytest: names that are missing are something absent while files are loaded."""

    def pytest_collection(self) -> None:
        """Begin."""
        self.before = Served.__getattr__
        Served.__getattr__ = missing_names(self.before)  # type: ignore[method-assign]
        Absent.loading = True

    def pytest_collection_finish(self) -> None:
        """End."""
        Served.__getattr__ = self.before  # type: ignore[method-assign]
        Absent.loading = False


def install() -> None:
    """Serve `jax._src` in this process, and what of jax's tests' own helpers is public."""
    checkout = Path(os.environ.get("JAX_CHECKOUT", "."))
    sys.meta_path.insert(0, InsideFinder(checkout))  # type: ignore[arg-type]
    import_module("jax._src")
