"""Names by which jax means something else than diffeo: one module for each of jax's."""
