"""jax's programs as diffeo's: `from_jax`."""
