"""Frozen dataclasses that are made quickly: importing the language makes a hundred of them."""

from __future__ import annotations

import copy
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C", bound=type)


class OwnCopy:
    """What never changes, or stands for one thing only, is its own copy, as functions are."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        return self


@dataclass(frozen=True, eq=False, repr=False)
class _Pattern:
    field: Any


_FIELD, _PARAMETERS = fields(_Pattern)[0], _Pattern.__dataclass_params__  # type: ignore


@dataclass_transform(frozen_default=True, eq_default=False)
def frozen(cls: C) -> C:
    """A class decorator: `dataclass(frozen=True, eq=False, repr=False)` at a sixth of its cost.

    To everybody else, the class is a dataclass: `fields`, `replace` and dataclasses that inherit
    from it work. A field may have a default, but no `dataclasses.field(...)`.

    Examples:
        >>> @frozen
        ... class Point:
        ...     x: float
        ...     y: float = 0.0
        >>> p = Point(1.0)
        >>> p.x, p.y
        (1.0, 0.0)
        >>> p.x = 2.0
        Traceback (most recent call last):
        dataclasses.FrozenInstanceError: cannot assign to field 'x'
    """
    found: dict[str, Any] = {}
    for base in cls.__mro__[:0:-1]:
        found.update(base.__dict__.get("__dataclass_fields__", ()))
    own = cls.__dict__
    for name, hint in own.get("__annotations__", {}).items():
        if not str(hint).startswith("ClassVar"):
            field = found[name] = copy.copy(_FIELD)
            field.name, field.type, field.default = name, hint, own.get(name, MISSING)
    made = {
        "__dataclass_fields__": found,
        "__dataclass_params__": _PARAMETERS,
        "__match_args__": tuple(found),
        "__init__": _initializer(cls, found),
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
    }
    for name, value in made.items():
        setattr(cls, name, value)
    return cls


def _initializer(cls: type, found: dict[str, Any]) -> Any:
    """A function that takes the fields; written out, since primitives are made all the time."""
    scope = {n: f.default for n, f in found.items() if f.default is not MISSING}
    taken = ", ".join(["self", *[f"{n}={n}" if n in scope else n for n in found]])
    # `update`, as it leaves a dictionary from which Python reads attributes faster.
    kept = ", ".join([f"{n}={n}" for n in found])
    exec(f"def __init__({taken}): self.__dict__.update({kept})", scope)
    made = scope["__init__"]
    made.__module__, made.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    made.__annotations__ = {**{n: f.type for n, f in found.items()}, "return": None}
    return made


def _is_frozen(self: Any, name: str) -> bool:
    """As for all dataclasses: further attributes are the business of subclasses."""
    return "__dataclass_fields__" in type(self).__dict__ or name in self.__dataclass_fields__


def _refuse_to_set(self: Any, name: str, value: Any) -> None:
    if _is_frozen(self, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: Any, name: str) -> None:
    if _is_frozen(self, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)
