"""Minimization, with the names and conventions of scipy.optimize and jax.scipy.optimize."""

from .minimizing import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]
