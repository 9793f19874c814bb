"""The discrete Fourier transform over the last axes."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from ..numpy.common import arr, static_ints
from ..primitives.core import describe, with_user_line
from ..primitives.types import complex64, float32, is_complex
from ..primitives.words.promotion import to_inexact
from ..primitives.words.structural import convert_element_type
from ..routines import fft as page
from .strict import apply


class FftType(enum.IntEnum):
    """A kind of transform.

    FFT and IFFT transform complex numbers forth and back, RFFT and IRFFT real ones.
    """

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """Transform the last `len(fft_lengths)` axes; see dx.numpy.fft for the kinder functions.

    Args:
        x: real numbers for RFFT, else complex ones (real ones are made complex).
        fft_type: an `FftType`, or its name.
        fft_lengths: the sizes of these axes; of the real side, for RFFT and IRFFT, whose spectrum
            has the size `n // 2 + 1` along the last one.

    Returns:
        Complex numbers of the operand's precision, or real ones for IRFFT. Inverse transforms
        divide by the product of the lengths.

    Raises:
        ValueError: for an unknown kind, lengths that do not fit the shape, or complex numbers for
            RFFT.
        TypeError: for float16 and bfloat16 with RFFT.

    Examples:
        >>> import diffeo as dx
        >>> fft(dx.numpy.array([1.0, 2.0, 3.0, 4.0]), FftType.RFFT, (4,))
        Array([10.+0.j, -2.+2.j, -2.+0.j])
    """
    name = fft_type.name if isinstance(fft_type, FftType) else str(fft_type).upper()
    if name not in FftType.__members__:
        raise with_user_line(
            ValueError(
                f"fft: fft_type must be one of {', '.join(FftType.__members__)}, got {fft_type!r}"
            )
        )
    lengths = static_ints(fft_lengths, "fft", "fft_lengths")
    x = arr(to_inexact(x))
    if name == "RFFT":
        if is_complex(x.dtype):
            raise with_user_line(ValueError(f"fft: RFFT is of real numbers, got {describe(x)}"))
    elif not is_complex(x.dtype):
        narrow = x.dtype.itemsize <= float32.itemsize
        x = convert_element_type(x, complex64 if narrow else "complex128")
    # The primitive transforms up to three axes; `page.fft` takes more of them three at a time.
    if len(lengths) <= 3:
        return apply(page.Fft(name, lengths), x) if lengths else x
    expected = page.ends(name, lengths)[0]
    if x.shape[-len(lengths) :] != expected or min(lengths) < 1:
        raise with_user_line(
            ValueError(
                f"fft: {name} of lengths {lengths} expects {expected} as the last axes, got "
                f"{describe(x)}"
            )
        )
    return page.fft(x, name, lengths)
