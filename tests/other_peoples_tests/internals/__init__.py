"""Stands for the parts of `jax._src` that jax's own tests use: `finder.install()`."""
