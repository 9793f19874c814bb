"""The number of the platform that a program is compiled for, which chooses among functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.families import Discrete
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray


@frozen
class PlatformIndex(Discrete):
    """The position of the platform among groups of names; that of None if no group has it.

    It has no operands. Evaluation is on the CPU; a compiled program knows its platform when it is
    lowered.
    """

    groups: tuple[tuple[str, ...] | None, ...]
    keeps_weak = False

    def position(self, platform: str) -> int:
        """Return the position of a platform; NotImplementedError if there is none."""
        for i, group in enumerate(self.groups):
            if group is not None and platform in group:
                return i
        if None in self.groups:
            return self.groups.index(None)
        names = ", ".join([name for group in self.groups if group is not None for name in group])
        raise NotImplementedError(
            f"platform_dependent: there is nothing for the platform '{platform}': there are "
            f"functions for {names or 'none'}, and no default"
        )

    def abstract_eval(self) -> ShapedArray:
        return ShapedArray((), np.dtype(np.int32))

    def impl(self) -> np.ndarray:
        return np.asarray(self.position("cpu"), np.int32)

    def lower(self, ctx: LoweringContext) -> Any:
        return ctx.constant(self.position(ctx.platform), self.abstract_eval())
