"""The discrete Fourier transform along the last axes, in four kinds.

FFT and IFFT transform complex numbers. RFFT transforms real numbers, and gives the half of the
spectrum from which the other half follows by symmetry; IRFFT is its inverse. Start with `Fft`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.core import Value
from ..primitives.families import Linear
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, complex64, complex128, float32, float64
from ..primitives.words.elementwise import conj, select
from ..primitives.words.structural import (
    Shape,
    broadcast_in_dim,
    inverse_permutation,
    iota,
    move_axis,
    transpose,
)

#: The names of the kinds, as StableHLO has them.
KINDS = ("FFT", "IFFT", "RFFT", "IRFFT")
#: The complex dtype for each real one, and the other way round.
_COMPLEX = {float32: complex64, float64: complex128}
_REAL = {c: r for r, c in _COMPLEX.items()}


def ends(kind: str, lengths: Shape) -> tuple[Shape, Shape]:
    """Return the sizes of the transformed axes before and after the transform.

    Of a real signal's spectrum half is left out: RFFT of 8 numbers has 5.
    """
    half = (*lengths[:-1], lengths[-1] // 2 + 1)
    return half if kind == "IRFFT" else lengths, half if kind == "RFFT" else lengths


@frozen
class Fft(Linear):
    """The Fourier transform over the last one to three axes; `kind` is FFT, IFFT, RFFT or IRFFT.

    `lengths` are the sizes of these axes in space. In the spectrum of RFFT and IRFFT, the last axis
    has the size `n // 2 + 1` for the length n. IFFT and IRFFT divide by the product of `lengths`.
    """

    kind: str
    lengths: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        k, real = len(self.lengths), "R" in self.kind
        if self.kind not in KINDS or not 1 <= k <= min(3, x.ndim) or min(self.lengths) < 1:
            raise ValueError(
                f"fft: expects one of the kinds {KINDS} and one to three lengths >= 1, at most one "
                f"for each axis of {x}; got {self.kind!r} with lengths {self.lengths}"
            )
        before, after = ends(self.kind, self.lengths)
        if x.shape[-k:] != before:
            raise ValueError(
                f"fft: {self.kind} of lengths {self.lengths} expects {before} as the last axes, "
                f"got {x}"
            )
        accepted = _COMPLEX if self.kind == "RFFT" else _REAL
        if x.dtype not in accepted:
            raise TypeError(f"fft: {self.kind} expects {' or '.join(map(str, accepted))}, got {x}")
        return ShapedArray(x.shape[:-k] + after, accepted[x.dtype] if real else x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        name, k = self.kind.lower(), len(self.lengths)
        if k == 1:
            return getattr(np.fft, name)(x, self.lengths[0])
        return getattr(np.fft, name + "n")(x, self.lengths, range(-k, 0))

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        kind = f"#stablehlo<fft_type {self.kind}>"
        return ctx.op("fft", x, fft_type=kind, fft_length=ctx.i64s(self.lengths))

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        """Transform the cotangent; the matrices of FFT and IFFT are symmetric.

        In half a spectrum, an element that stands for two counts twice.
        """
        size, n = math.prod(self.lengths), self.lengths[-1]
        if self.kind == "RFFT":
            weighted = select(_single(ct.shape, n), ct * size, ct * (size / 2))
            return (Fft("IRFFT", self.lengths).bind(conj.bind(weighted)),)
        if self.kind == "IRFFT":
            spectrum = Fft("RFFT", self.lengths).bind(ct)
            once = _single(spectrum.shape, n)
            return (conj.bind(select(once, spectrum * (1 / size), spectrum * (2 / size))),)
        return (self.bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(move_axis(args[0], dims[0], 0)), 0


def _single(shape: Shape, n: int) -> Any:
    """Return which elements of half a spectrum of `n` numbers stand for themselves alone.

    These are the frequencies 0 and n/2.
    """
    frequency = iota(np.int64, (shape[-1],))
    alone = (frequency == 0) | (frequency * 2 == n)
    return broadcast_in_dim(alone, shape, (len(shape) - 1,))


def fft(x: Any, kind: str, lengths: Sequence[int]) -> Any:
    """Transform over any number of last axes, three at a time.

    The real kinds halve the last axis: it is transformed first by RFFT, and last by IRFFT.
    """
    lengths, k = tuple(lengths), len(lengths)
    if k <= 3:
        return Fft(kind, lengths).bind(x) if k else x
    first = [*range(x.ndim - k, x.ndim - 3)]
    order = [*range(x.ndim - k), *range(x.ndim - 3, x.ndim), *first]
    if kind != "IRFFT":
        x = Fft(kind, lengths[-3:]).bind(x)
    x = fft(transpose(x, order), kind.replace("R", ""), lengths[:-3])
    x = transpose(x, inverse_permutation(order))
    return Fft(kind, lengths[-3:]).bind(x) if kind == "IRFFT" else x
