"""Loading of names at their first use, by PEP 562.

A script uses a small part of diffeo, and importing all of it would double the start-up time. So a
package has a table of which module defines which name (`Late`), and imports the module when the
first of its names is asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .primitives.support.signals import Held


class MissingName(AttributeError):
    """A package does not have a name. Which names are near it, and why it may be missing, is found
    out when the message is read: `hasattr` and the like read none.
    """

    def __init__(self, late: Late, name: str):
        # Without `obj`, of which Python would look for the nearest name once more.
        super().__init__(f"module {late.package!r} has no attribute {name!r}", name=name)
        self.late = late

    def __reduce__(self) -> Any:
        return AttributeError, (str(self),)

    def __str__(self) -> str:
        import difflib  # for messages alone, and takes some milliseconds to load

        message, name = str(self.args[0]), str(self.name)
        theirs = f"jax{self.late.package.removeprefix('diffeo')}.{name}"
        reason = loaded("diffeo.interop.exceptions").reason(theirs)
        if reason is not None:
            message += f"; diffeo does not have {theirs}: {reason}"
        public = [n for n in self.late.listed() if not n.startswith("_")]
        near = difflib.get_close_matches(name, public, 3, 0.7)
        return f"{message}; the nearest names are: {', '.join(near)}" if near else message


class Late:
    """The names of a package that are loaded late, and where they are defined.

    Args:
        package: its `__name__`.
        table: for each module, relative to the package, a colon and the names that the module
            defines; for ".", the package's own modules.

    Examples:
        >>> import sys, types
        >>> sys.modules["made"] = made = types.ModuleType("made")
        >>> late = Late("made", "math: sqrt floor  operator: neg")
        >>> made.__getattr__ = late.load
        >>> made.sqrt(4.0), late.names
        (2.0, ['sqrt', 'floor', 'neg'])
        >>> del sys.modules["made"]
    """

    def __init__(self, package: str, table: str):
        self.package = package
        #: The module that defines each name, relative to the package; "." for a module itself.
        self.home: dict[str, str] = {}
        home = ""
        for word in table.split():
            if word.endswith(":"):
                home = word[:-1]
            else:
                self.home[word] = home

    @property
    def names(self) -> list[str]:
        """All of the names, for `__all__`."""
        return list(self.home)

    def load(self, name: str) -> Any:
        """Return the value of a name, which the package has from now on; for `__getattr__`.

        Raises:
            AttributeError: if there is no such name; names the nearest, and why jax's is missing.
        """
        home, package = self.home.get(name), sys.modules[self.package]
        if home is None:
            raise MissingName(self, name)
        if home == ".":
            return loaded(f".{name}", self.package)
        value = getattr(loaded(home, self.package), name)
        setattr(package, name, value)
        return value

    def listed(self) -> list[str]:
        """Return the names that the package has and those that it would load; for `__dir__`."""
        return sorted({*vars(sys.modules[self.package]), *self.home})


def loaded(name: str, package: str | None = None) -> Any:
    """Import a module as a whole if it is not yet imported, and return it.

    What a module registers must not be registered twice. So an exception of a signal's handler
    (Ctrl-C, say) does not interrupt the import, but comes after it.

    Examples:
        >>> loaded("math").sqrt(4.0)
        2.0
    """
    with Held():
        return import_module(name, package)
