"""jax's names of what programs, equations and primitives have, as base classes of them.

Interpreters of programs that were written for jax read these. They cost nothing until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any


class PrimitiveNames:
    """Parameters of a primitive by name."""

    def named_parameters(self) -> dict[str, Any]:
        """Return the static parameters by name."""
        return {f: getattr(self, f) for f in getattr(self, "__dataclass_fields__", ())}

    def with_parameters(self, params: Mapping[str, Any]) -> Any:
        """Return the primitive with other parameters, by name."""
        same = self.named_parameters() == params
        return self if same else replace(self, **params)  # type: ignore[type-var]

    def get_bind_params(self, params: Mapping[str, Any]) -> tuple[list, dict[str, Any]]:
        """Return (functions, parameters) with which `bind` applies the primitive again; there are
        no functions.
        """
        return [], dict(params)


class EquationNames:
    """An equation's parts."""

    __slots__ = ()

    primitive: Any
    inputs: Any
    outs: Any
    source: Any

    @property
    def invars(self) -> list[Any]:
        """The operands."""
        return list(self.inputs)

    @property
    def outvars(self) -> list[Any]:
        """The variables of the results."""
        return list(self.outs)

    @property
    def params(self) -> dict[str, Any]:
        """The static parameters by name: `primitive.bind(*operands, **params)` applies them."""
        return self.primitive.named_parameters()

    @property
    def effects(self) -> frozenset:
        """What the equation does besides computing its results."""
        return frozenset(self.primitive.effects)

    @property
    def source_info(self) -> Any:
        """The line of the user's program."""
        return self.source


class ProgramNames:
    """A program's parts."""

    __slots__ = ()

    in_vars: Any
    outs: Any
    const_vars: Any
    consts: Any

    @property
    def jaxpr(self) -> Any:
        """The program itself: it is what jax calls a closed one, and what is in that."""
        return self

    @property
    def invars(self) -> list[Any]:
        """The inputs."""
        return list(self.in_vars)

    @property
    def outvars(self) -> list[Any]:
        """The results."""
        return list(self.outs)

    @property
    def constvars(self) -> list[Any]:
        """The variables of the constants."""
        return list(self.const_vars)

    @property
    def literals(self) -> list[Any]:
        """The constants."""
        return list(self.consts)
