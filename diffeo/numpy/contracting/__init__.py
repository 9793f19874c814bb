"""Products of arrays, and functions built on products: convolutions, polynomials."""
