"""Calls of an executable with NumPy arrays and Python numbers among the operands.

jaxlib's own dispatcher of compiled functions brings such operands to the device without a Python
object for each buffer, which takes half as long as `put`. It is asked for one executable at a time:
which one that is, types decide that the caller has compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import compat
from .buffers import put
from .executables import Executable


def host_caller(executable: Executable, constants: Sequence[Any]) -> Callable[..., list[Any]]:
    """A function of an executable's operands (without the constants, which come first) that returns
    the buffers of its results.

    Operands are buffers, NumPy arrays, or Python scalars, of the executable's types. NumPy arrays
    may be used in place while the program runs: the caller hands over copies.
    """
    avals = executable.in_avals[len(constants) :]
    constants = list(constants)

    def call(*operands: Any) -> list[Any]:
        values = [
            put(np.asarray(x, a.dtype), a, alias=True, device=executable.device)
            if isinstance(x, (np.ndarray, np.generic, int, float, complex))
            else x
            for x, a in zip(operands, avals)
        ]
        return executable.execute(constants + values)

    if constants or executable.calls_python:
        return call
    return compat.native_caller(
        call, executable._loaded, executable.device._sharding, len(avals), executable.out_avals
    )
