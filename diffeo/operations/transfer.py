"""`DevicePut`: an array on another device, as an operation that transformations see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..primitives.array import Array, machine
from ..primitives.builder import LoweringContext
from ..primitives.core import Value, with_user_line
from ..primitives.families import Linear
from ..primitives.types import ShapedArray


@dataclass(frozen=True, eq=False, repr=False)
class DevicePut(Linear):
    """The operand, committed to a device, or with None to none; cotangents go back to `source`.

    A program runs on one device: there it is the identity, and a device of another platform an
    error. Devices are known by their names, so that programs can be pickled and compared.
    """

    device: str | None
    source: str | None = None
    accepts = "k"  # none of the short ways of evaluation, which would leave the operand where it is

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        return x

    def move(self, x: Array) -> Array:
        """What evaluation does."""
        return machine.move(x, self.device)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        platform = (self.device or ctx.platform).partition(":")[0]
        if platform != ctx.platform:
            raise with_user_line(
                ValueError(
                    f"device_put to {self.device!r} inside of a program for "
                    f"{ctx.platform!r}: a compiled program runs on one device. Put the array "
                    "there outside of the compiled function"
                )
            )
        return x

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (DevicePut(self.source, self.device).bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]
