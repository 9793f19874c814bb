"""64 bits off, as in jax: every array that comes in or is asked for has 32 bits at most.

`dx.config.default_bits = 32` alone only says what Python's numbers and creation functions give;
float64 arrays of NumPy's stay float64. jax without x64 has no such arrays at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...primitives.config import config, make_usual
from ...primitives.support.foreign import admit_wide
from ...primitives.types import forget_promotions


class Wide:
    """Whether 64 bits are on. `wide` is the one instance, for the process."""

    on = True

    def set(self, on: bool) -> None:
        """Turn 64 bits on or off, for all threads."""
        self.on = on = bool(on)
        admit_wide(on)
        forget_promotions()
        make_usual("default_bits", 64 if on else 32)
        config.default_bits = 64 if on else 32

    @contextmanager
    def within(self, on: bool = True) -> Iterator[None]:
        """Turn 64 bits on or off within a `with` block."""
        before = self.on
        self.set(on)
        try:
            yield
        finally:
            self.set(before)


wide = Wide()
