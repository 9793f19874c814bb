"""`jax.numpy`'s names of dtypes that depend on whether 64 bits are on."""

from .... import numpy as dnp
from ..bits import wide

#: Names whose values change: a served module asks each time.
CHANGING = {
    "float_": lambda: dnp.float64 if wide.on else dnp.float32,
    "int_": lambda: dnp.int64 if wide.on else dnp.int32,
    "uint": lambda: dnp.uint64 if wide.on else dnp.uint32,
    "complex_": lambda: dnp.complex128 if wide.on else dnp.complex64,
}

__all__ = []
