"""Calls of a compiled program with NumPy arrays and Python numbers among the operands.

jaxlib's own dispatcher of compiled functions brings such operands to the device without a Python
object for each buffer. That takes half as long as `put`. The dispatcher is asked for one executable
at a time: the caller has compared the operands' types, and knows which executable they need.

`engine/jitted.py` asks for a `HostCaller` once for each executable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.array import Deleted
from . import compat
from .devices.buffers import put
from .executables import Executable


class HostCaller(NamedTuple):
    """How an executable is called with operands of the host.

    Attributes:
        call: a function of the operands: buffers, NumPy arrays or Python scalars, of the
            executable's types. The executable's first operands, the constants, are not among them.
            It returns the buffers of the results. It may return None, having run nothing, where an
            operand is not of its type. NumPy arrays may be used in place while the program runs, so
            the caller hands over copies.
        refused: the exceptions of `call` where an operand is not of its type and nothing has run.
        failed: the exceptions of `call` where XLA does not run the program, or gives up.
    """

    call: Callable[..., list[Any] | None]
    refused: tuple[type[Exception], ...]
    failed: tuple[type[Exception], ...]


def host_caller(executable: Executable, constants: Sequence[Any]) -> HostCaller:
    """Return how to call an executable whose first operands are these constants.

    With constants, calls of Python or a loop that is watched for signals, `call` is Python code.
    Otherwise, it is jaxlib's dispatcher.
    """
    avals = executable.in_avals[len(constants) :]
    constants = list(constants)
    run, handlers = executable.parts

    def call(*operands: Any) -> list[Any] | None:
        try:
            values = [
                put(np.asarray(x, a.dtype), a, alias=True, device=executable.device)
                if isinstance(x, (np.ndarray, np.generic, int, float, complex))
                else x
                for x, a in zip(operands, avals)
            ]
        except (TypeError, OverflowError):  # an operand that does not fit its type
            return None
        if any([type(x) is Deleted for x in values]):
            return None
        return run(constants + values).consume_with_handlers(handlers)

    if constants or executable.calls_python or executable.watched:
        # `call` catches what a refused operand raises. Other exceptions may come from the user's
        # functions, so they are not listed.
        return HostCaller(call, (), (compat.XlaError,))
    native = compat.native_caller(
        call, executable._loaded, executable.device._sharding, len(avals), executable.out_avals
    )
    return HostCaller(native, (TypeError, OverflowError), (compat.XlaError, ValueError))
