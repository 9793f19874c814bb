"""`jax.lax.sin_p` and the like: jax's names of primitives.

Those without parameters are diffeo's own. Other primitives are classes here, of which each choice
of parameters is an instance, so there is no one object that such a name could mean: a
`PrimitiveName` stands for it, which can be imported, compared and be the key of a table, but not be
bound.
"""

from __future__ import annotations

from typing import Any

from ....primitives.support.table import ELEMENTWISE
from ....primitives.words import elementwise as _rows

#: The rows that mean what jax's primitive of the same name does.
_SHARED = """
abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil complex conj cos cosh div eq erf
erf_inv exp exp2 expm1 floor ge gt imag is_finite le log log1p logistic lt max min mul ne neg not or
pow real rem round rsqrt shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt
square sub tan tanh xor
"""

#: jax's primitives that have parameters, or are none of diffeo's.
_OTHERS = """
all_gather all_to_all argmax argmin axis_index bessel_i0e bessel_i1e bitcast_convert_type
broadcast_in_dim cholesky clamp clz concatenate cond conv_general_dilated convert_element_type copy
cumlogsumexp cummax cummin cumprod cumsum custom_jvp_call custom_vjp_call device_put digamma
dot_general dynamic_slice dynamic_update_slice eig eigh erfc fft gather igamma igamma_grad_a igammac
integer_pow iota jit lgamma linear_solve lu name nextafter optimization_barrier pad pmax pmin
polygamma population_count ppermute psum qr random_bits random_fold_in random_seed random_split
reduce reduce_and reduce_max reduce_min reduce_or reduce_precision reduce_prod reduce_sum
reduce_window reduce_window_max reduce_window_min reduce_window_sum reduce_xor
regularized_incomplete_beta remat reshape rev rng_bit_generator scan scatter scatter_add scatter_max
scatter_min scatter_mul select_and_gather_add select_and_scatter_add select_n slice sort split
squeeze stop_gradient svd threefry2x32 top_k transpose triangular_solve tridiagonal_solve while zeta
"""


class PrimitiveName:
    """The name of a primitive of jax's that has parameters.

    Args:
        name: the name, without `_p`.
    """

    def __init__(self, name: str):
        self.name = name

    def bind(self, *args: Any, **params: Any) -> Any:
        """Raise a NotImplementedError: call the function of that name instead."""
        raise NotImplementedError(
            f"jax.lax.{self.name}_p.bind: diffeo's primitives with parameters are classes; call "
            f"the function, jax.lax.{self.name}"
        )

    def __eq__(self, other: object) -> bool:
        return getattr(other, "name", None) == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name


assert _rows  # which makes the rows
_NAMES: dict[str, Any] = {f"{name}_p": PrimitiveName(name) for name in _OTHERS.split()}
_NAMES |= {f"{name}_p": ELEMENTWISE[name] for name in _SHARED.split() if name in ELEMENTWISE}
globals().update(_NAMES)

__all__ = [*_NAMES]  # pyright: ignore[reportUnsupportedDunderAll]
