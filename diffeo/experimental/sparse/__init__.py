"""Sparse arrays, by JAX's names: arrays that keep the elements that are not zero, and where they
stand.

`BCOO` is the array to begin with: any number of axes, of which the leading ones may be batch axes
and the trailing ones dense; it goes through `jit`, `vmap`, loops and derivatives as a tree of its
data and indices. `sparsify` makes a function of sparse arrays of one of dense arrays.

Examples:
    >>> import numpy as np
    >>> import diffeo as dx
    >>> from diffeo.experimental import sparse
    >>> m = sparse.BCOO.fromdense(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 4.0]]))
    >>> m
    BCOO(float64[2, 3], nse=3)
    >>> dx.jit(lambda m, v: m @ v)(m, np.ones(3))
    Array([2., 5.])
    >>> sparse.grad(lambda m: ((m @ np.ones(3)) ** 2).sum())(m).todense()
    Array([[ 0.,  4.,  0.],
           [10.,  0., 10.]])
"""

from ..._loading import Late as _Late

_late = _Late(
    __name__,
    """
.base: CuSparseEfficiencyWarning JAXSparse SparseEfficiencyError SparseEfficiencyWarning
.bcoo: BCOO
.functions: bcoo_broadcast_in_dim bcoo_concatenate bcoo_dot_general bcoo_dot_general_sampled
    bcoo_dynamic_slice bcoo_extract bcoo_fromdense bcoo_multiply_dense bcoo_multiply_sparse
    bcoo_reduce_sum bcoo_reshape bcoo_rev bcoo_slice bcoo_sort_indices bcoo_squeeze
    bcoo_sum_duplicates bcoo_todense bcoo_transpose bcoo_update_layout
.bcsr: BCSR bcsr_broadcast_in_dim bcsr_concatenate bcsr_dot_general bcsr_extract bcsr_fromdense
    bcsr_sum_duplicates bcsr_todense
.derivatives: grad jacfwd jacobian jacrev value_and_grad
.making: empty eye random_bcoo todense
.matrices: COO CSC CSR coo_fromdense coo_matmat coo_matvec coo_todense csr_fromdense csr_matmat
    csr_matvec csr_todense
.transform: sparsify
""",
)
__getattr__, __dir__ = _late.load, _late.listed
__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]
