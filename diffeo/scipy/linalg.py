"""Linear algebra, with the names and conventions of scipy.linalg and jax.scipy.linalg.

All functions take any leading axes: many matrices at once. Derivatives of functions of matrices
are right, to any order, also where eigenvalues are equal.
"""

from .factors import (
    eigh,
    eigh_tridiagonal,
    eigvalsh,
    hessenberg,
    null_space,
    orth,
    pinv,
    pinvh,
    polar,
    qr,
    qr_multiply,
    svd,
    svdvals,
)
from .matrix_functions import (
    expm,
    expm_frechet,
    fractional_matrix_power,
    funm,
    logm,
    rsf2csf,
    schur,
    solve_sylvester,
    sqrtm,
)
from .solving import (
    cho_factor,
    cho_solve,
    cholesky,
    det,
    inv,
    lu,
    lu_factor,
    lu_solve,
    solve,
    solve_banded,
    solve_triangular,
    solveh_banded,
)
from .special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    khatri_rao,
    leslie,
    pascal,
    toeplitz,
)

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "companion",
    "convolution_matrix", "det", "dft", "eigh", "eigh_tridiagonal", "eigvalsh", "expm",
    "expm_frechet", "fiedler", "fiedler_companion", "fractional_matrix_power", "funm", "hadamard",
    "hankel", "helmert", "hessenberg", "hilbert", "inv", "invhilbert", "invpascal", "khatri_rao",
    "leslie", "logm", "lu", "lu_factor", "lu_solve", "null_space", "orth", "pascal", "pinv",
    "pinvh", "polar", "qr", "qr_multiply", "rsf2csf", "schur", "solve", "solve_banded",
    "solve_sylvester", "solve_triangular", "solveh_banded", "sqrtm", "svd", "svdvals", "toeplitz",
]
