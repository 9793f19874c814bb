"""Linear algebra: products, norms, systems of equations, decompositions, under NumPy's names.

A stack of matrices has axes in front, which broadcast. Where LAPACK fails (at a matrix that is not
positive definite, say), results are nan, and a singular matrix gives inf or nan: a compiled program
cannot raise an error. `eigh` says which functions have derivatives at equal eigenvalues.
"""

from ..contracting.einsum import multi_dot
from ..contracting.products import matmul, tensordot, vecdot
from ..shaping import matrix_transpose
from .decompositions import (
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from .norms import cond, cross, diagonal, matrix_norm, matrix_rank, norm, outer, trace, vector_norm
from .systems import (
    det,
    inv,
    lstsq,
    matrix_power,
    pinv,
    slogdet,
    solve,
    tensorinv,
    tensorsolve,
)

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv",
    "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose",
    "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip
