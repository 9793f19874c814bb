"""Lines of the table for Fourier transforms and XLA's generator of bits."""

from __future__ import annotations

import numpy as np

from diffeo.routines.fft import Fft
from diffeo.routines.random_bits import RngBitGenerator
from tests.sampling import comp, real, sample

for _kind in ("FFT", "IFFT"):
    sample(Fft(_kind, (5,)), comp(5))
    sample(Fft(_kind, (4,)), comp(3, 4), note="rows")
    sample(Fft(_kind, (2, 3)), comp(2, 2, 3), note="two axes")
    sample(Fft(_kind, (2, 1, 3)), comp(2, 1, 3), note="three axes")
    sample(Fft(_kind, (3,)), comp(0, 3), note="no rows")
    sample(Fft(_kind, (1,)), comp(1), note="size one")
for _n in (1, 2, 5, 6):
    sample(Fft("RFFT", (_n,)), real(_n), note=f"of {_n}")
    sample(Fft("IRFFT", (_n,)), comp(_n // 2 + 1), note=f"to {_n}")
sample(Fft("RFFT", (4,)), real(2, 4), note="rows")
sample(Fft("RFFT", (2, 3)), real(2, 2, 3), note="two axes")
sample(Fft("RFFT", (2, 1, 4)), real(2, 1, 4), note="three axes")
sample(Fft("RFFT", (4,)), real(0, 4), note="no rows")
sample(Fft("IRFFT", (4,)), comp(2, 3), note="rows")
sample(Fft("IRFFT", (3, 4)), comp(2, 3, 3), note="two axes")
sample(Fft("IRFFT", (2, 1, 5)), comp(2, 1, 3), note="three axes")
sample(Fft("IRFFT", (5,)), comp(0, 3), note="no rows")
sample(Fft("FFT", (3,)), np.array([1.0, np.nan, 2.0]) + 0j, note="nan", smooth=False)

_state = np.array([0x1234567890ABCDEF, 5], np.uint64)
_last = np.array([2**64 - 1, 2**64 - 2], np.uint64)
for _algorithm in ("THREE_FRY", "PHILOX"):
    for _shape in ((), (5,), (3, 4), (3, 5), (0, 2)):
        _bits = RngBitGenerator(_shape, np.dtype(np.uint32), _algorithm)
        sample(_bits, _state, note=f"{_algorithm} {_shape}")
    for _dtype in (np.uint8, np.uint16, np.uint64):
        _bits = RngBitGenerator((3, 3), np.dtype(_dtype), _algorithm)
        sample(_bits, _last, note=f"{_algorithm} {np.dtype(_dtype)}, the counter overflows")
    _bits = RngBitGenerator((3,), np.dtype(np.uint32), _algorithm)
    sample(_bits, np.stack([_state, _last]), note=f"{_algorithm} of two states")
    sample(_bits, np.zeros((0, 2), np.uint64), note=f"{_algorithm} of no states")
sample(RngBitGenerator((3,), np.dtype(np.uint32), "DEFAULT"), _state, note="the default")
