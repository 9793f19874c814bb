"""Programs of jax's as diffeo's, and diffeo's as jax's.

`from_jax(f)` makes a function that jax can trace a function of diffeo's; `to_jax(f)` makes one of
diffeo's a function that stands inside `jax.jit`, `jax.grad` and `jax.vmap`. Needs jax.
"""

from .inward.function import FromJax, from_jax

__all__ = ["FromJax", "from_jax"]
