"""jax's arrays as operands and arguments, without jax being imported here.

As `lowering/pytree.py` adopts jax's containers, these are adopted when they are met.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.support.foreign import adopted

#: Why a value that jax is tracing may not come in.
TRACED = (
    "it is traced by jax, whose transformations do not see what diffeo does; call "
    "diffeo.interop.jax.to_jax(f) in the place of f, or use diffeo's transformations"
)


def of_jax(x: Any) -> tuple[np.ndarray | None, str | None]:
    """Return the numbers of an array of jax's, on the CPU without a copy, as jax does not write to
    them; the words of its keys. For a value that jax is tracing, return why it may not come in.
    """
    kind = type(x)
    if kind.__module__.partition(".")[0] not in ("jax", "jaxlib"):
        return None, None
    names = [c.__name__ for c in kind.__mro__]
    if "ArrayImpl" in names:
        return np.asarray(x), None
    if "PRNGKeyArray" in names:
        return np.asarray(x._base_array), None
    return None, TRACED if "Tracer" in names else None


adopted[0] = of_jax
