"""Plain NumPy and SciPy code on traced values."""
