"""`as_autograd`: from now on modules named `autograd...` are those of `diffeo.interop.autograd`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from .serve import Served

#: The version of autograd whose public names these are.
VERSION = "1.9.1"
_HOME = "diffeo.interop."


class AutogradFinder:
    """Finds `autograd` and its modules; is their loader, too."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how to load a module of autograd's; None for other modules.

        Raises:
            ModuleNotFoundError: for a module of autograd's that diffeo does not have.
        """
        if name.partition(".")[0] != "autograd":
            return None
        home = _HOME + name
        # `machinery` is diffeo's own; a module made by its package has no file to be found.
        if "machinery" in name or not _is_there(home):
            raise ModuleNotFoundError(
                f"No module named {name!r}: diffeo serves autograd's modules here, and has not "
                "this one",
                name=name,
            )
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that looks its names up in diffeo's."""
        module, home = Served(spec.name), import_module(_HOME + spec.name)
        module._sources, module.__doc__ = (home,), home.__doc__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Finish the module, once the import system knows it."""
        if module.__name__ == "autograd":
            module.__version__ = VERSION  # type: ignore[attr-defined]
        elif module.__name__ == "autograd.numpy":
            module.__version__ = np.__version__  # type: ignore[attr-defined]


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return True
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above, or what is above is no package
        return False


_finder = AutogradFinder()


def as_autograd() -> ModuleType:
    """Serve modules named `autograd`, `autograd.numpy` ... from diffeo in this process.

    Scripts and pure-Python libraries that use autograd's public names run unmodified.

    Returns:
        The module `autograd`.

    Raises:
        RuntimeError: if autograd itself is already imported.

    Examples:
        >>> import subprocess, sys
        >>> code = '''
        ... import diffeo as dx
        ... dx.interop.as_autograd()
        ... import autograd, autograd.numpy as np
        ... print(autograd.grad(np.tanh)(0.0))
        ... '''
        >>> run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        >>> print(run.stdout)
        1.0
    """
    if _finder not in sys.meta_path:
        if any([m.partition(".")[0] == "autograd" for m in sys.modules]):
            raise RuntimeError(
                "as_autograd: autograd is already imported in this process, and what imported it "
                "holds on to it; call as_autograd() before anything imports autograd, or run "
                "python -m diffeo.as_autograd"
            )
        sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]
    return import_module("autograd")
