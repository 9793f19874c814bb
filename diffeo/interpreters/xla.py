"""What programs still use of `jax.interpreters.xla`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.jit import jit
from ..extend.definitions import Definition
from ..primitives.array import as_value
from ..primitives.core import typeof

__all__ = ["apply_primitive", "canonicalize_dtype_handlers", "pytype_aval_mappings"]

#: Classes that stand for arrays, by jax's older way: programs may read it, and nothing else does.
canonicalize_dtype_handlers: dict[type, Any] = {np.ndarray: as_value}
#: Classes whose objects are arrays, and the function that gives their type; as the one above.
pytype_aval_mappings: dict[type, Any] = {np.ndarray: typeof}


def apply_primitive(prim: Definition, *args: Any, **params: Any) -> Any:
    """Compile a primitive by its rule for lowering, and apply it to arrays.

    `prim.def_impl(functools.partial(apply_primitive, prim))` makes it the rule for evaluation.
    """
    return jit(lambda *xs: prim.bind(*xs, **params))(*args)
