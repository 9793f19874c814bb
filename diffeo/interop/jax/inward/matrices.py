"""Rules for matrices: jax's primitives of linear algebra are functions of `diffeo.lax.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....lax import linalg
from ....primitives.constants import full
from ....primitives.core import Value
from .reader import default_only, rule, to_dtype


def _typed(eqn: Any, outs: Any) -> list[Any]:
    """Return results in the dtypes that jax says they have (pivots are int32)."""
    return [to_dtype(o, v.aval.dtype) for o, v in zip(outs, eqn.outvars)]


@rule("cholesky")
def _cholesky(eqn: Any, x: Any) -> Any:
    return linalg.cholesky(x, symmetrize_input=False)


@rule("cholesky_update")
def _cholesky_update(eqn: Any, r: Any, w: Any) -> Any:
    return linalg.cholesky_update(r, w)


@rule("eig")
def _eig(eqn: Any, x: Any) -> list[Any]:
    p = eqn.params
    left, right = p["compute_left_eigenvectors"], p["compute_right_eigenvectors"]
    return _typed(
        eqn, linalg.eig(x, compute_left_eigenvectors=left, compute_right_eigenvectors=right)
    )


@rule("eigh")
def _eigh(eqn: Any, x: Any) -> list[Any]:
    p = eqn.params
    return _typed(
        eqn,
        linalg.eigh(
            x,
            lower=p["lower"],
            symmetrize_input=False,
            sort_eigenvalues=p["sort_eigenvalues"],
            subset_by_index=p["subset_by_index"],
        ),
    )


@rule("hessenberg")
def _hessenberg(eqn: Any, x: Any) -> list[Any]:
    return _packed_hessenberg(x)


def _packed_hessenberg(x: Any) -> list[Any]:
    return list(linalg.hessenberg(x))


@rule("householder_product")
def _householder_product(eqn: Any, a: Any, taus: Any) -> Any:
    return linalg.householder_product(a, taus)


@rule("ormqr")
def _ormqr(eqn: Any, a: Any, taus: Any, c: Any) -> Any:
    return linalg.ormqr(a, taus, c, left=eqn.params["left"], transpose=eqn.params["transpose"])


@rule("lu")
def _lu(eqn: Any, x: Value) -> list[Any]:
    return _typed(eqn, linalg.lu(x))


@rule("lu_pivots_to_permutation")
def _pivots(eqn: Any, pivots: Any) -> Any:
    return linalg.lu_pivots_to_permutation(pivots, int(eqn.params["permutation_size"]))


@rule("qr")
def _qr(eqn: Any, x: Any) -> list[Any]:
    p = eqn.params
    outs = linalg.qr(x, pivoting=p.get("pivoting", False), full_matrices=p["full_matrices"])
    return _typed(eqn, outs)


@rule("schur")
def _schur(eqn: Any, x: Any) -> list[Any]:
    default_only(eqn, select_callable=None, sort_eig_vals=False)
    return list(linalg.schur(x, compute_schur_vectors=eqn.params["compute_schur_vectors"]))


@rule("svd")
def _svd(eqn: Any, x: Any) -> list[Any]:
    p = eqn.params
    out = linalg.svd(
        x,
        full_matrices=p["full_matrices"],
        compute_uv=p["compute_uv"],
        subset_by_index=p["subset_by_index"],
    )
    if not p["compute_uv"]:
        return [out]
    u, s, vh = out
    return [s, u, vh]


@rule("symmetric_product")
def _symmetric_product(eqn: Any, a: Any, c: Any) -> Any:
    return linalg.symmetric_product(a, c, alpha=eqn.params["alpha"], beta=eqn.params["beta"])


@rule("triangular_solve")
def _triangular_solve(eqn: Any, a: Value, b: Value) -> Any:
    return linalg.triangular_solve(a, b, **eqn.params)


@rule("tridiagonal")
def _tridiagonal(eqn: Any, a: Any) -> list[Any]:
    outs = list(linalg.tridiagonal(a, lower=eqn.params["lower"]))
    count = len(eqn.outvars)
    if count == 5:  # with LAPACK's report, 0 where all went well
        outs.append(full(eqn.outvars[4].aval.shape, 0, np.dtype(np.int32)))
    return _typed(eqn, outs)


@rule("tridiagonal_solve")
def _tridiagonal_solve(eqn: Any, dl: Any, d: Any, du: Any, b: Any) -> Any:
    default_only(eqn, perturb_singular=False)
    return linalg.tridiagonal_solve(dl, d, du, b)
