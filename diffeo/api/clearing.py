"""Forgetting traced and compiled programs: clear_caches."""

from __future__ import annotations

import ctypes
import gc

from ..engine.on_device import single_program_for
from ..engine.stages import instances
from ..lowering.compiler import clear_cache
from ..lowering.devices.buffers import plain_program


def clear_caches() -> None:
    """Forget all traced and compiled programs of this process, of all functions.

    Memory is given back unless somebody holds on to it: a `Compiled` that is kept lives on. A
    program that is needed again is traced and compiled again, or loaded from the disk (see
    `dx.compilation_cache`, whose `clear` empties the cache on the disk). Without a call of this
    function, programs take up to about 1 GiB.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.jit(lambda x: x + 1)
        >>> f(1.0)
        Array(2.)
        >>> dx.clear_caches()
        >>> f
        <jit of <lambda>, 0 signatures>
    """
    for instance in list(instances):
        instance.clear_cache()
    single_program_for.cache_clear()
    plain_program.cache_clear()
    gc.collect()  # programs and the objects that made them may refer to each other
    clear_cache()
    # The C library keeps what is freed for itself, here hundreds of MB, unless it is told; on other
    # systems than glibc's there is nothing to tell.
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)
