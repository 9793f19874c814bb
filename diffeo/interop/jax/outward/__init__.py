"""diffeo's programs as jax's: `to_jax`."""
