"""diffeo beside jax: `python -m benchmarks` from the repository's root.

Nothing is imported here, because `benchmarks.fresh` measures imports in fresh processes.
"""
