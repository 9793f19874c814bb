"""`jax.lax.sin_p` and the like: the primitives without parameters, under jax's names.

Other primitives are classes here, of which each choice of parameters is an instance, so there is no
one object that such a name could mean.
"""

from ....primitives.support.table import ELEMENTWISE
from ....primitives.words import elementwise as _rows
from .meshes import with_sharding_constraint  # noqa: F401  (libraries import it)

#: The rows that mean what jax's primitive of the same name does.
_SHARED = """
abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil complex conj cos cosh div eq erf
erf_inv exp exp2 expm1 floor ge gt imag is_finite le log log1p logistic lt max min mul ne neg not or
pow real rem round rsqrt shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt
square sub tan tanh xor
""".split()

assert _rows  # which makes the rows
globals().update({f"{name}_p": ELEMENTWISE[name] for name in _SHARED if name in ELEMENTWISE})

__all__ = [f"{name}_p" for name in _SHARED if name in ELEMENTWISE]
