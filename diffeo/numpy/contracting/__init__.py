"""Products of arrays, and what is made of products: convolutions, polynomials."""
