"""diffeo's arrays where jax's are expected.

`to_jax_array` is the method `__jax_array__` of arrays, by which jax's functions take them. After
`teach_jax`, which `import diffeo.interop.jax` calls, jax also knows the class: as arguments of
functions that it compiles, as leaves of its trees, as operands of `jax.lax`. Only jax asks for the
method, so it is there.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import Tracer, Value, with_user_line
from ..primitives.support.errors import UnexpectedTracerError


def to_jax_array(self: Value) -> Any:
    """Return the array as jax's, in jax's default precision; without a copy where that is possible.

    A value that diffeo is tracing is returned as it is: so jax's operators leave it to the value's,
    and jax's functions refuse it (`teach_jax` says with what message).
    """
    if isinstance(self, Tracer):
        return self
    # Only jax calls this, so it is there; diffeo never loads it for others.
    import jax

    return jax.numpy.asarray(np.asarray(self))


def _traced(x: Tracer) -> str:
    return (
        f"this {x.aval} is traced by diffeo, and jax cannot compute with it.\n  It is {x.origin()}."
        "\n  Wrap the function of jax's: diffeo.interop.jax.from_jax(f). Operators with arrays of "
        "jax's work as they are, y * x"
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

    def aval(x: Value) -> Any:
        dtype = dtypes.canonicalize_dtype(x.dtype)
        return core.ShapedArray(x.shape, dtype, weak_type=x.weak_type)

    def refuse(x: Any) -> Any:
        raise with_user_line(UnexpectedTracerError(_traced(x)))

    def put(xs: Any, *where: Any) -> Any:
        hosts = [np.asarray(x, dtypes.canonicalize_dtype(x.dtype)) for x in xs]
        return of_numpy(hosts, *where)

    types[Array], shard[Array] = aval, put
    values[Array] = lambda x, *_, **__: to_jax_array(x)
    types[Tracer] = refuse
    return True


teach_jax()
