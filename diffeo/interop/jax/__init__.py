"""Programs of jax's as diffeo's, and diffeo's as jax's.

`from_jax(f)` makes a function that jax can trace a function of diffeo's; `to_jax(f)` makes one of
diffeo's a function that stands inside `jax.jit`, `jax.grad` and `jax.vmap`. Needs jax.
"""

from .. import meeting  # noqa: F401  (jax learns of our arrays)
from .inward.function import FromJax, from_jax
from .outward.function import ToJax, to_jax

__all__ = ["FromJax", "ToJax", "from_jax", "to_jax"]
