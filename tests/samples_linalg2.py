"""Samples of Schur's decomposition and what is built on it, of reductions by reflections, and of
tridiagonal systems.
"""

from __future__ import annotations

import numpy as np

from diffeo.routines.matrices.cholesky_update import CholeskyUpdate
from diffeo.routines.matrices.hessenberg import Hessenberg, Tridiagonal
from diffeo.routines.matrices.schur import Schur, TriangularSylvester
from diffeo.routines.matrices.sylvester import MatrixSqrt, Sylvester
from diffeo.routines.matrices.tridiagonal_solve import TridiagonalSolve
from tests.sampling import comp, real, sample

# fmt: off


def _drawn(*shape: int, seed: int = 0, by: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape) * by


def _apart(*shape: int, seed: int = 0) -> np.ndarray:
    """Square matrices whose eigenvalues are real and far from each other."""
    return _drawn(*shape, seed=seed, by=0.4) + np.diag(2.0 * np.arange(shape[-1]) - 3.0)


def _mixed(*shape: int, seed: int = 0) -> np.ndarray:
    """Complex matrices of the same kind."""
    return _apart(*shape, seed=seed) + 1j * _drawn(*shape, seed=seed + 1, by=0.5)


_pairs = np.array([[0.5, 2.0, 0.3, 0.4], [-1.0, 0.5, 0.6, -0.2], [0.1, -0.2, -1.5, 1.2],
                   [0.2, 0.3, -0.7, -1.0]])
_apart3, _mixed3, _empty = _apart(3, 3), _mixed(3, 3), np.zeros((0, 0))

sample(Schur(), _apart3)
sample(Schur(), _pairs, note="pairs of complex eigenvalues")
sample(Schur(), np.array([[3.0, 2.0, 0.1], [-1.0, 3.0, 0.2], [0.3, 0.1, -2.0]]), note="one pair")
sample(Schur(), _mixed3, note="complex")
sample(Schur(), _mixed(2, 2, 2), note="two complex")
sample(Schur(), np.array([[1.5]]), note="size one")
sample(Schur(), np.array([[1.5 - 2j]]), note="complex, size one")
sample(Schur(), _empty, note="empty")
sample(Schur(), np.zeros((0, 2, 2)), note="none")
sample(Schur(), np.eye(2), note="one eigenvalue", smooth=False)
sample(Schur(), _apart(2, 2).astype(np.float32), note="float32", by=())

_upper = np.triu(_apart3)
_lifted = np.triu(_drawn(3, 3)) + 5 * np.eye(3)
sample(TriangularSylvester(), _lifted, _upper, real(3, 3))
sample(TriangularSylvester("upper"), _lifted, _upper, real(3, 3), note="upper")
for _part in ("all", "lower"):
    sample(TriangularSylvester(_part), np.triu(_mixed3) + 5 * np.eye(3),
           np.triu(_mixed(3, 3, seed=2)), comp(3, 3), note=f"{_part} complex")
_small = np.array([[3.0, 1.0], [0.0, 2.0]])
sample(TriangularSylvester(), _small, np.array([[1.5]]), real(2, 1), note="tall")
sample(TriangularSylvester(), np.array([[1.5]]), _small, real(1, 2), note="wide")
sample(TriangularSylvester(), _empty, np.eye(2), np.zeros((0, 2)), note="empty")
sample(TriangularSylvester("lower"), -np.eye(2), np.eye(2), real(2, 2), note="no pivot",
       smooth=False)

sample(Sylvester(), _apart3 + 4 * np.eye(3), _apart(2, 2, seed=3) + 4 * np.eye(2), real(3, 2))
sample(Sylvester(), _pairs + 3 * np.eye(4), np.array([[1.0]]), real(4, 1), note="pairs")
sample(Sylvester(), _mixed(2, 2, 2) + 4 * np.eye(2), _mixed(2, 1, 1) + 4, comp(2, 2, 1),
       note="complex")
sample(Sylvester(), np.eye(2), _empty, np.zeros((2, 0)), note="empty")
sample(Sylvester(), np.eye(2), -np.eye(2), np.zeros((2, 2)), note="0 where it is singular",
       smooth=False)

sample(MatrixSqrt(), _mixed3 + 5 * np.eye(3))
sample(MatrixSqrt(), 4 * np.eye(3) + 0j, note="one eigenvalue")
sample(MatrixSqrt(), np.array([[4.0, 1.0], [0.0, 4.0]]) + 0j, note="defective")
sample(MatrixSqrt(), _mixed(2, 2, 2) + 5 * np.eye(2), note="two")
sample(MatrixSqrt(), np.array([[-4.0 + 0j]]), note="size one", smooth=False)
sample(MatrixSqrt(), np.zeros((2, 2), complex), note="zero", smooth=False)
sample(MatrixSqrt(), np.ones((2, 2), complex), note="singular", smooth=False)
sample(MatrixSqrt(), _empty + 0j, note="empty")

sample(Hessenberg(), _drawn(4, 4, seed=5) + 1.0)
sample(Hessenberg(), _mixed(2, 3, 3), note="complex")
sample(Tridiagonal(), _drawn(4, 4, seed=5) + 1.0)
sample(Tridiagonal(False), _drawn(4, 4, seed=5) + 1.0, note="upper")
sample(Tridiagonal(), _mixed(2, 3, 3), note="complex")
sample(Tridiagonal(False), _mixed(3, 3), note="complex upper")
for _n, _text in ((0, "empty"), (1, "size one")):
    for _primitive in (Hessenberg(), Tridiagonal(), Tridiagonal(False)):
        sample(_primitive, _mixed(_n, _n), note=_text)
sample(Hessenberg(), _apart(2, 2), note="two by two")
sample(Tridiagonal(), _mixed(2, 2), note="two by two")
sample(Hessenberg(), np.diag([1.0, 2.0, 3.0]), note="nothing to do", smooth=False)
sample(Tridiagonal(), np.diag([1.0, 2.0, 3.0]), note="nothing to do", smooth=False)

for _n in (1, 2, 3):
    sample(TridiagonalSolve(), real(_n), real(_n, low=3.0, high=4.0), real(_n), real(_n, 2),
           note=f"{_n}")
sample(TridiagonalSolve(), np.array([[0.1, 1.5, 1.7], [0.2, -1.4, 1.3]]),
       np.array([[0.5, 0.3, 0.2], [0.4, -0.3, 0.6]]),
       np.array([[2.0, 1.5, 0.3], [1.2, -1.8, 0.1]]), real(2, 3, 1), note="pivoting")
sample(TridiagonalSolve(), comp(3), comp(3), comp(3), comp(3, 2), note="complex")
sample(TridiagonalSolve(), *[np.zeros(0)] * 3, np.zeros((0, 2)), note="empty")
sample(TridiagonalSolve(), *[np.ones(2)] * 3, np.zeros((2, 0)), note="nothing to solve")
sample(TridiagonalSolve(), *[np.ones(2)] * 3, np.ones((2, 1)), note="singular", smooth=False)
sample(TridiagonalSolve(), *[np.zeros(1)] * 3, np.ones((1, 1)), note="zero", smooth=False)

_factor = np.triu(_drawn(3, 3)) * 0.5 + 2 * np.eye(3)
_turned = np.triu(_mixed3, 1) + 3 * np.eye(3)
sample(CholeskyUpdate(), _factor, real(3))
sample(CholeskyUpdate(True), _factor, real(3, low=0.3, high=0.7), note="downdate")
sample(CholeskyUpdate(), np.stack([_turned, 2 * _turned]), comp(2, 3), note="complex")
sample(CholeskyUpdate(True), _turned, comp(3), note="complex downdate")
sample(CholeskyUpdate(), _factor + np.tril(np.ones((3, 3)), -1), real(3), note="below the diagonal")
sample(CholeskyUpdate(), np.array([[2.0]]), real(1), note="size one")
sample(CholeskyUpdate(), _empty, np.zeros(0), note="empty")
sample(CholeskyUpdate(), -_factor, np.array([0.0, 0.5, 0.0]), note="negative and zero",
       smooth=False)
sample(CholeskyUpdate(), np.zeros((2, 2)), np.array([0.0, 3.0]), note="zero factor", smooth=False)
sample(CholeskyUpdate(True), np.eye(2), np.array([0.5, 3.0]), note="not definite", smooth=False)
