"""`autograd.scipy`: SciPy's functions, which take traced values too."""

from . import integrate, linalg, misc, optimize, signal, special, stats

__all__ = ["integrate", "linalg", "misc", "optimize", "signal", "special", "stats"]
