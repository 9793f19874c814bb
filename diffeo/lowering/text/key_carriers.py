"""Keys of random numbers in a program's text: elements of a carrier, which are moved about as they
are, and only here taken apart into words.

A key of two words is an element of ui64, one of four words an element of complex<f64>, whose parts
are two words each. The first word has the lowest bits, as it has in the memory of the host.
"""

from __future__ import annotations

from typing import Any

from ...primitives.types import ShapedArray, bool_, float64, uint32
from .writer import Operand, Writer


class KeyCarriers(Writer):
    """The part of the builder that turns keys into words and back."""

    def key_words(self, keys: Operand) -> Operand:
        """Return the words of keys, uint32, along a new last axis."""
        shape, dtype = keys.aval.shape, keys.aval.dtype
        count: int = dtype.words  # type: ignore[attr-defined]
        words, pair = ShapedArray((*shape, count), uint32), ShapedArray((*shape, 2), uint32)
        if count <= 2:
            return self.op("reshape" if count == 1 else "bitcast_convert", keys, out=words)
        part = ShapedArray(shape, float64)
        parts = [self.op(name, keys, out=part) for name in ("real", "imag")]
        pairs = [self.op("bitcast_convert", p, out=pair) for p in parts]
        return self.op("concatenate", *pairs, out=words, dimension=f"{len(shape)} : i64")

    def keys_of(self, words: Operand, aval: ShapedArray) -> Operand:
        """Return keys of the type `aval` made of words along the last axis."""
        shape = aval.shape
        count: int = aval.dtype.words  # type: ignore[attr-defined]
        if count <= 2:
            return self.op("reshape" if count == 1 else "bitcast_convert", words, out=aval)
        part, pair = ShapedArray(shape, float64), ShapedArray((*shape, 2), uint32)
        pairs = [
            self.op(
                "slice",
                words,
                out=pair,
                start_indices=self._i64s(*[0] * len(shape), i),
                limit_indices=self._i64s(*shape, i + 2),
                strides=self._i64s(*[1] * len(shape), 1),
            )
            for i in (0, 2)
        ]
        parts = [self.op("bitcast_convert", p, out=part) for p in pairs]
        return self.op("complex", *parts, out=aval)

    def compare_keys(self, direction: str, x: Operand, y: Operand) -> Operand:
        """Return where keys are equal ("EQ"), or not ("NE"): in all their words, or in any."""
        shape = x.aval.shape
        words = [self.key_words(v) for v in (x, y)]
        attributes = {
            "comparison_direction": f"#stablehlo<comparison_direction {direction}>",
            "compare_type": "#stablehlo<comparison_type UNSIGNED>",
        }
        out = words[0].aval.update(dtype=bool_)
        [by_word] = self.emit("compare", words, [out], attributes)
        count = out.shape[-1]
        joined: Any = None
        for i in range(count):
            [column] = self.emit(
                "slice",
                [by_word],
                [ShapedArray((*shape, 1), bool_)],
                {
                    "start_indices": self._i64s(*[0] * len(shape), i),
                    "limit_indices": self._i64s(*shape, i + 1),
                    "strides": self._i64s(*[1] * len(shape), 1),
                },
            )
            column = self.op("reshape", column, out=ShapedArray(shape, bool_))
            join = "and" if direction == "EQ" else "or"
            joined = column if joined is None else self.op(join, joined, column, out=column.aval)
        return joined

    def _i64s(self, *numbers: int) -> str:
        return f"array<i64: {', '.join(map(str, numbers))}>"
