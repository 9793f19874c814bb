"""Modules named `jax` that are diffeo's: `as_jax`, and the command `python -m diffeo.as_jax`."""
