"""Lines of the table for callbacks: with integer results, their derivative is zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from diffeo.operations.callbacks import DebugCallback, HostFunction, IoCallback, PureCallback
from diffeo.operations.checks import Check, CheckFailure, Site
from diffeo.primitives.types import ShapedArray
from tests.sampling import bools, comp, ints, real, sample


def _summary(*arrays: np.ndarray) -> list[Any]:
    total = sum([np.abs(np.asarray(a).astype(np.complex128)).sum() for a in arrays])
    return [np.int64(total), np.array([len(arrays), 7], np.int32)]


_function = HostFunction(_summary, "summary")
_avals = ShapedArray((), np.dtype(np.int64)), ShapedArray((2,), np.dtype(np.int32))

for _method in ("sequential", "sequential_unrolled"):
    sample(PureCallback(_function, _avals, _method), real(2, 3), ints(3), note=_method, by=())
_small = HostFunction(lambda x: [np.asarray(abs(x) < 1, np.int64)], "small", operands=1)
sample(
    PureCallback(_small, _avals[:1], "expand_dims"), real(), note="expand_dims", by=()
)  # fmt: skip
sample(
    PureCallback(HostFunction(lambda *_: [], "nothing"), (), "sequential"),
    real(2), note="no results", by=(),
)  # fmt: skip
sample(IoCallback(_function, _avals), comp(2), bools(), real(0, 3), by=())
# Others cannot be compiled; tests/test_checkify.py tries what they say.
_site = Site(CheckFailure, "a code that is not zero", (ShapedArray((2,), np.dtype(np.int32)),))
_code, _shown = np.zeros((), np.int32), np.array([3, -4], np.int32)
sample(Check((_site,), (_site.slot,), debug=True), _code, _shown, by=())
sample(DebugCallback(HostFunction(lambda *_: [], "nothing"), ()), real(2, 3), ints(), by=())
