"""diffeo's arrays where jax's are expected.

`to_jax_array` is the method `__jax_array__` of arrays, by which jax's functions take them. With
`teach_jax`, which runs when this file is loaded, jax also knows the class: as arguments of
functions that it compiles, as leaves of its trees, as operands of `jax.lax`. Only jax asks for the
method, and `diffeo.interop.jax` loads the file, so jax is there.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import Tracer, with_user_line


def to_jax_array(self: Any) -> Any:
    """Return the array as jax's, in jax's default precision; without a copy where that is possible.

    Raises:
        TypeError: for a value that diffeo is tracing.
    """
    if isinstance(self, Tracer):
        raise with_user_line(TypeError(_traced(self)))
    # Only jax calls this, so it is there; diffeo never loads it for others.
    import jax

    return jax.numpy.asarray(np.asarray(self))


def _traced(x: Tracer) -> str:
    return (
        f"this {x.aval} is traced by diffeo, and jax cannot compute with it.\n  It is {x.origin()}."
        "\n  Wrap the function of jax's, diffeo.interop.jax.from_jax(f), or write diffeo's value "
        "first: x * y for an array y of jax's"
    )


def teach_jax() -> bool:
    """Enter the class of arrays into jax's tables of what is a value. Return whether they are as
    they were when this was written; elsewhere, convert by np.asarray(x).
    """
    jax = sys.modules.get("jax")
    if jax is None:
        return False
    try:
        # No public function of jax's declares another class of arrays.
        from jax._src import core, dtypes
        from jax._src.interpreters import pxla

        types, shard = core.pytype_aval_mappings, pxla.shard_arg_handlers
        values, of_numpy = dtypes.canonicalize_value_handlers, shard[np.ndarray]
    except (ImportError, AttributeError, KeyError):
        return False

    def aval(x: Any) -> Any:
        dtype = dtypes.canonicalize_dtype(x.dtype)
        return core.ShapedArray(x.shape, dtype, weak_type=x.weak_type)

    def refuse(x: Any) -> Any:
        raise with_user_line(TypeError(_traced(x)))

    def put(xs: Any, *where: Any) -> Any:
        hosts = [np.asarray(x, dtypes.canonicalize_dtype(x.dtype)) for x in xs]
        return of_numpy(hosts, *where)

    types[Array], shard[Array] = aval, put
    values[Array] = lambda x, *_, **__: to_jax_array(x)
    types[Tracer] = refuse
    return True


#: Whether jax knows the class of arrays.
known_to_jax = teach_jax()
