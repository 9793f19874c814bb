"""`as_jax`: from now on modules named `jax...` are diffeo's.

A finder on `sys.meta_path` answers for `jax` and everything in it. The module it makes, a `Served`,
has the names of an overlay (`overlays.py`, where jax means something else than diffeo by a name),
and those of diffeo's module of the same name; each is looked up at its first use.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from ...primitives.array import Array
from ..exceptions import reason
from .bits import wide
from .modules import FALLBACKS, INTERNALS, MODULES, OVERLAYS, VERSION

#: The words by which the environment turns a setting on.
_ON = {"1", "true", "yes", "y", "on", "t"}


class Served(ModuleType):
    """A module named `jax...`: the names of an overlay, then of diffeo's module, then submodules.

    Attributes:
        _sources: the modules that have its names, the first one first.
    """

    _sources: tuple[ModuleType, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [n for n in dir(self) if not n.startswith("_")]
        sources = self._sources
        if name.startswith("__"):  # of diffeo's modules most of them say what is diffeo's own
            sources = tuple(
                [
                    s
                    for s in sources
                    if (name in vars(s) and "overlays" in s.__name__)
                    or name in getattr(s, "__all__", ())
                ]
            )
        for source in sources:
            changing = getattr(source, "CHANGING", {})
            if name in changing:
                return changing[name]()
            try:
                value = getattr(source, name)
            except AttributeError:
                continue
            if isinstance(value, ModuleType) and f"{self.__name__}.{name}" in MODULES:
                break  # jax's module of that name has overlays of its own
            setattr(self, name, value)
            return value
        if f"{self.__name__}.{name}" in MODULES and _home(f"{self.__name__}.{name}"):
            return import_module(f"{self.__name__}.{name}")
        raise AttributeError(
            f"module {self.__name__!r} of diffeo has no attribute {name!r}{_because(self, name)}",
            name=name,
            obj=self,
        )

    def __dir__(self) -> list[str]:
        names = {n for s in self._sources for n in getattr(s, "__all__", None) or dir(s)}
        start = f"{self.__name__}."
        inner = {
            m[len(start) :] for m in MODULES if m.startswith(start) and "." not in m[len(start) :]
        }
        return sorted({*vars(self), *names, *[n for n in inner if _home(start + n)]})


def _because(module: ModuleType, name: str) -> str:
    """Return why a name is not there, as the table of exceptions has it, or an empty text."""
    why = reason(f"{module.__name__}.{name}")
    return f": {why}" if why else ""


def _home(name: str) -> str:
    """Return diffeo's module for one of jax's, or an empty text; an overlay alone counts."""
    inner = name.partition(".")[2]
    home = f"diffeo.{inner}" if inner else "diffeo"
    try:
        there = home in sys.modules or find_spec(home) is not None
    except ModuleNotFoundError:  # of a package above
        there = False
    except ValueError:  # of a module that its package has made, without a file
        there = True
    if there:
        return home
    return "diffeo" if name in MODULES and (name in OVERLAYS or name in FALLBACKS) else ""


class Finder:
    """Finds `jax` and its modules; is their loader, too."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how to load a module of jax's; None for other modules.

        Raises:
            ModuleNotFoundError: for a module of jax's that diffeo does not have, with the reason.
        """
        if name.partition(".")[0] != "jax":
            return None
        if name not in INTERNALS and (name not in MODULES or not _home(name)):
            why = reason(name)
            raise ModuleNotFoundError(
                f"No module named {name!r}: diffeo serves jax's modules here, and has not this one"
                f"{': ' + why if why else ''}",
                name=name,
            )
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that looks its names up in diffeo."""
        module = Served(spec.name)
        if spec.name in INTERNALS:
            module._sources = tuple([import_module(n) for n in INTERNALS[spec.name].split()])
            return module
        home = _home(spec.name)
        sources: list[ModuleType] = []
        if spec.name in OVERLAYS:
            sources.append(import_module(OVERLAYS[spec.name]))
        if home != "diffeo" or spec.name == "jax":
            sources.append(import_module(home))
        if spec.name in FALLBACKS:
            sources.append(import_module(FALLBACKS[spec.name]))
        module._sources = tuple(sources)
        module.__doc__ = next((s.__doc__ for s in sources if "overlays" not in s.__name__), "")
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Finish the module, once the import system knows it."""
        if module.__name__ == "jax":
            module.__version__ = VERSION  # type: ignore[attr-defined]
            module.__version_info__ = tuple([int(n) for n in VERSION.split(".")])  # type: ignore


finder = Finder()


def is_served() -> bool:
    """Return whether modules named jax are diffeo's in this process."""
    return finder in sys.meta_path


def as_jax(enable_x64: bool | None = None) -> ModuleType:
    """Serve modules named `jax`, `jax.numpy` ... from diffeo in this process, from now on.

    Scripts and pure-Python libraries that use jax's public names run unmodified. Defaults are
    jax's: there are no arrays of 64 bits unless they are asked for.

    Args:
        enable_x64: whether there are arrays of 64 bits; by default, what JAX_ENABLE_X64 says in the
            environment, else not. `jax.config.update("jax_enable_x64", True)` changes it later.

    Returns:
        The module `jax`.

    Raises:
        RuntimeError: if jax itself is already imported.

    Examples:
        >>> import subprocess, sys
        >>> code = '''
        ... import diffeo as dx
        ... dx.interop.as_jax()
        ... import jax, jax.numpy as jnp
        ... print(jax.grad(jnp.tanh)(jnp.array(0.5)).dtype)
        ... '''
        >>> run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        >>> print(run.stdout)
        float32
    """
    if not is_served():
        there = [m for m in sys.modules if m.partition(".")[0] == "jax"]
        if there:
            raise RuntimeError(
                "as_jax: jax is already imported in this process, and what imported it holds on to "
                "it; call as_jax() before anything imports jax, or run python -m diffeo.as_jax"
            )
        sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
        # jax itself, where it is, would take an array with this attribute for one of its own.
        setattr(Array, "sharding", property(lambda x: x.device.sharding))  # noqa: B010
        # Eager functions are NumPy's here, and jax's do not warn of a division by zero.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"diffeo\.")
        if enable_x64 is None:
            enable_x64 = os.environ.get("JAX_ENABLE_X64", "").lower() in _ON
    if enable_x64 is not None:
        wide.set(enable_x64)
    return import_module("jax")


def names_of(module: str) -> Sequence[str]:
    """Return the public names of a served module."""
    return [n for n in dir(import_module(module)) if not n.startswith("_")]
