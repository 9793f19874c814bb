"""Samples of the decompositions of matrices and of systems of equations.

Eigenvectors and singular vectors of complex matrices have free phases, and so have null spaces:
there the laws of derivatives are tested on functions that do not depend on the choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from diffeo.primitives.words.elementwise import conj
from diffeo.primitives.words.slicing import slice_in_dim
from diffeo.routines.matrices import determinant, levels, linalg, polar, qr, spectral
from diffeo.routines.matrices.matrices import adjoint, matmul
from tests.sampling import Draw, call_sample, comp, i32, real, sample


def _near(diagonal: Any, *shape: int, complex_: bool = False) -> Draw:
    """Matrices near a diagonal one, not symmetric."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        parts = rng.uniform(-0.4, 0.4, (2, *shape))
        place = np.zeros(shape[-2:])
        np.fill_diagonal(place, diagonal)
        return place + (parts[0] + 1j * parts[1] if complex_ else parts[0])

    return draw


def _program(fun: Callable, *operands: Any, note: str) -> None:
    """A sample of the program of a function."""

    def flat(*xs: Any) -> list[Any]:
        found = fun(*xs)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    call_sample(flat, *operands, note=note)


_apart, _spread, _far = (1.0, 2.0, 3.5), (-1.0, 1.5, 4.0), (1.0, 2.0, 3.5, 5.0, 7.0)
_none, _wide, _tall = np.zeros((0, 0)), np.zeros((2, 0, 3)), np.zeros((3, 0))

sample(linalg.TriangularSolve(), _near(2.0, 3, 3), real(3, 2))
sample(linalg.TriangularSolve("R", "U"), _near(2.0, 3, 3), real(2, 3), note="right, upper")
sample(
    linalg.TriangularSolve("L", "U", "T"), _near(2.0, 5, 5), real(5, 2), note="upper, transposed"
)
sample(
    linalg.TriangularSolve("R", "L", "C", "U"),
    _near(2.0, 3, 3, complex_=True),
    comp(1, 3),
    note="complex, adjoint, unit",
)
sample(
    linalg.TriangularSolve("R", "U", "C"),
    _near(2.0, 5, 5, complex_=True),
    comp(2, 5),
    note="complex, adjoint",
)
sample(linalg.TriangularSolve("L", "L", "N", "U"), _near(2.0, 2, 2, 2), real(2, 2, 2), note="two")
sample(linalg.TriangularSolve(), _near(2.0, 1, 1), real(1, 1), note="size one")
sample(linalg.TriangularSolve(), _none, np.zeros((0, 2)), note="empty")
sample(linalg.TriangularSolve(), np.eye(3), np.zeros((3, 0)), note="nothing to solve")
sample(linalg.TriangularSolve(), np.zeros((2, 2)), np.ones((2, 1)), note="singular", smooth=False)
sample(
    linalg.TriangularSolve("L", "U"),
    np.array([[2, 1], [0, 4]], np.float32),
    np.array([[1], [2]], np.float32),
    note="float32",
)

sample(linalg.Cholesky(), _near(2.0, 3, 3))
sample(linalg.Cholesky(), _near(3.0, 5, 5), note="by LAPACK")
sample(linalg.Cholesky(), _near(2.0, 2, 2, complex_=True), note="complex")
sample(linalg.Cholesky(), _near(3.0, 5, 5, complex_=True), note="complex, by LAPACK")
sample(linalg.Cholesky(), _near(2.0, 2, 2, 2), note="two")
sample(linalg.Cholesky(), np.array([[4.0]]), note="size one")
sample(linalg.Cholesky(), _none, note="empty")
sample(linalg.Cholesky(), np.zeros((0, 2, 2)), note="none")
sample(
    linalg.Cholesky(),
    np.array([np.eye(2), -np.eye(2), np.full((2, 2), np.nan), np.ones((2, 2))]),
    note="not definite",
    smooth=False,
)
sample(
    linalg.Cholesky(),
    np.array([np.eye(5), -np.eye(5)]),
    note="not definite, by LAPACK",
    smooth=False,
)
sample(linalg.Cholesky(), np.array([[2, 1], [1, 4]], np.float32), note="float32")

sample(linalg.Lu(), _near(0.0, 3, 3))
sample(linalg.Lu(), _near(0.0, 2, 4), note="wide")
sample(linalg.Lu(), _near(0.0, 4, 2), note="tall")
sample(linalg.Lu(), _near(2.0, 5, 5), note="by LAPACK")
sample(linalg.Lu(), _near(2.0, 3, 5), note="wide, by LAPACK")
sample(linalg.Lu(), _near(2.0, 5, 3), note="tall, by LAPACK")
sample(linalg.Lu(), comp(3, 3), note="complex")
sample(linalg.Lu(), comp(2, 5, 5), note="two complex")
sample(linalg.Lu(), np.array([[-2.0]]), note="size one")
sample(linalg.Lu(), _none, note="empty")
sample(linalg.Lu(), _wide, note="no rows")
sample(linalg.Lu(), _tall, note="no columns")
sample(linalg.Lu(), np.zeros((2, 2)), note="singular", smooth=False)

sample(linalg.LuPivotsToPermutation(4), i32([2, 1, 3]))
sample(linalg.LuPivotsToPermutation(3), i32([[0, 2, 2], [2, 2, 2]]), note="two")
sample(linalg.LuPivotsToPermutation(2), np.zeros((0,), np.int32), note="no pivots")
sample(linalg.LuPivotsToPermutation(2), np.zeros((0, 2), np.int32), note="none")


def _known(a: np.ndarray) -> tuple[np.ndarray, ...]:
    """A matrix, its decomposition and its permutation."""
    lu, _, order = linalg.Lu().impl(a)
    return a, lu, order


_three, _two = _near(2.0, 3, 3)(np.random.default_rng(1)), comp(2, 2, 2)(np.random.default_rng(2))
_five = _near(2.0, 5, 5)(np.random.default_rng(3))
sample(linalg.LuSolve(), *_known(_three), real(3, 2), by=(3,))
sample(linalg.LuSolve("T"), *_known(_five), real(5, 1), by=(3,), note="transposed")
sample(linalg.LuSolve("T"), *_known(_two), comp(2, 2, 1), by=(3,), note="two complex")
sample(linalg.LuSolve(), *_known(_none), np.zeros((0, 2)), by=(3,), note="empty")
for _given in (_three, _five, _two, np.ones((2, 3, 3))):
    _value = np.asarray(np.linalg.det(_given))
    _kind = f"{_given.shape[-1]} of {_given.dtype}"
    for _primitive in (
        determinant.Determinant(),
        determinant.LogDeterminant(),
        determinant.Adjugate(),
    ):
        sample(_primitive, *_known(_given), _value, smooth=False, by=(), note=_kind)
sample(determinant.PseudoInverse(), np.ones((3, 2)), np.full((2, 3), 1 / 6), smooth=False, by=())

_program(linalg.solve, _near(2.0, 3, 3), real(3, 1), note="solve")
_program(linalg.solve, _near(2.0, 5, 5), real(5, 1), note="solve by LAPACK")
_program(linalg.solve, _near(2.0, 2, 2, complex_=True), comp(2, 2), note="solve complex")
_program(linalg.inverse, _near(2.0, 2, 2, 2), note="two inverses")
_program(determinant.det, _near(2.0, 3, 3), note="det")
_program(determinant.det, _near(0.5, 4, 4, complex_=True), note="complex det")
_program(determinant.det, _near(1.0, 5, 5), note="det by LAPACK")
_program(
    lambda x: determinant.det(matmul(x, adjoint(x))),
    np.array([[1.0, 2.0], [2.0, 4.0]]),
    note="det of a singular matrix",
)
_program(determinant.slogdet, _near(2.0, 3, 3), note="slogdet")
_program(determinant.slogdet, _near(1.0, 5, 5, complex_=True), note="complex slogdet")
_program(lambda x: determinant.pinv(x, 1e-9), _near(1.0, 3, 2), note="pinv of a tall matrix")
_program(
    lambda x: determinant.pinv(x, 1e-9),
    _near(1.0, 2, 3, complex_=True),
    note="pinv of a wide complex matrix",
)

# --------------------------------------------------------------------------------------------------
# Eigenvalues, singular values

sample(spectral.WithinLevels(), real(3, 3), np.zeros((3, 3), bool))
sample(spectral.WithinLevels(False), comp(2, 2), np.zeros((2, 2), bool), note="complex")
sample(
    spectral.WithinLevels(),
    np.array([[1.0, 1e-17], [0.5, 2.0]]),
    np.array([[False, True], [True, False]]),
    note="mixed",
    smooth=False,
)
sample(spectral.WithinLevels(), _none, np.zeros((0, 0), bool), note="empty")

for _complex in (False, True):
    _a = _near(_apart, 3, 3, complex_=_complex)(np.random.default_rng(0))
    _a = _a + _a.conj().T
    _some = np.array([[True, True, False], [True, True, False], [False, False, True]])
    _w, _v = np.linalg.eigh(_a)
    _u, _s, _vh = np.linalg.svd(_a[:, :2], full_matrices=False)
    _note = "complex" if _complex else ""
    for _sign in (-1, 0, 1):
        sample(levels.DiagonalSylvester(_sign), np.diag(_w).astype(_a.dtype), _v, ~_some, by=(1,),
               note=f"{_sign} {_note}")  # fmt: skip
    sample(levels.EighLevels(), _a, _w.astype(_a.dtype), _v, _some, smooth=False, by=(), note=_note)
    sample(levels.SvdLevels(), _a[:, :2], _u, _s.astype(_a.dtype), _vh.conj().T, _some[:2, :2],
           smooth=False, by=(), note=_note)  # fmt: skip
    sample(polar.PolarFactor(), _a[:, :2], _u @ _vh, _vh.conj().T, smooth=False, by=(), note=_note)
    _program(lambda x: polar.polar(x)[0], _a, note=f"polar {_note}")
sample(levels.DiagonalSylvester(-1), _none, _none, np.zeros((0, 0), bool), note="empty")
_program(lambda x: polar.polar(x, True)[1], 2.0 * np.eye(3)[:, :2], note="polar of equal values")

sample(spectral.Eigh(), _near(_apart, 3, 3))
sample(spectral.Eigh("U"), _near(_far, 5, 5), note="upper triangle")
sample(spectral.Eigh("L", False), _near(_apart, 3, 3), note="values")
sample(spectral.Eigh("U", False), _near(_apart, 3, 3, complex_=True), note="values, complex")
sample(spectral.Eigh(), _near(_apart[:2], 2, 2, 2), note="two")
sample(spectral.Eigh(), _near(_apart, 3, 3, complex_=True), note="complex", smooth=False, by=())
sample(spectral.Eigh(), np.array([[-2.0]]), note="size one")
sample(spectral.Eigh(), _none, note="empty")
sample(spectral.Eigh("L", False), np.zeros((0, 2, 2)), note="none")
sample(spectral.Eigh("L", False), np.full((2, 2), np.nan), note="nan", smooth=False)
sample(spectral.Eigh(), np.array([[1, 0.5], [0.5, 3]], np.float32), note="float32")

sample(spectral.Eig(), _near(_spread, 3, 3))
sample(spectral.Eig(True, True), _near(_spread, 3, 3), note="both left and right")
sample(spectral.Eig(False, False), _near(_apart, 3, 3), note="values")
sample(
    spectral.Eig(True, False),
    np.array([[0.5, 2.0, 0.1], [-1.0, 0.4, 0.2], [0.3, 0.1, 3.0]]),
    note="a pair, left",
)
sample(
    spectral.Eig(), np.array([[0.5, 2.0, 0.1], [-1.0, 0.4, 0.2], [0.3, 0.1, 3.0]]), note="a pair"
)
sample(spectral.Eig(True, True), _near(_apart, 3, 3, complex_=True), note="complex, left and right")
sample(spectral.Eig(), _near(_apart[:2], 2, 2, 2), note="two")
sample(spectral.Eig(), np.array([[-2.0]]), note="size one")
sample(spectral.Eig(True, True), _none, note="empty")

sample(spectral.Svd(), _near(_apart, 3, 3))
sample(spectral.Svd(), _near(_apart[:2], 4, 2), note="tall")
sample(spectral.Svd(), _near(_apart[:2], 2, 4), note="wide")
sample(spectral.Svd(True), _near(_apart, 3, 3), note="full")
sample(spectral.Svd(True), _near(_apart[:2], 4, 2), note="full, tall", smooth=False, by=())
sample(
    spectral.Svd(True),
    _near(_apart[:2], 2, 4, complex_=True),
    note="full, wide, complex",
    smooth=False,
    by=(),
)
sample(spectral.Svd(False, False), _near(_apart[:2], 3, 2, complex_=True), note="values, complex")
sample(spectral.Svd(False, False), _near(_apart[:2], 2, 3), note="values, wide")
sample(spectral.Svd(), _near(_apart[:2], 2, 2, 2), note="two")
sample(spectral.Svd(), np.array([[-2.0]]), note="size one")
sample(spectral.Svd(), _none, note="empty")
sample(spectral.Svd(True), _wide, note="full, no rows")
sample(spectral.Svd(False, False), _tall, note="values, no columns")
sample(spectral.Svd(False, False), np.full((2, 2), np.nan), note="nan", smooth=False)
sample(spectral.Svd(), np.array([[1, 0.5], [0.2, 3]], np.float32), note="float32")


def _part(u: Any, vh: Any) -> Any:
    """What the first column of u and the first row of vh make."""
    return matmul(slice_in_dim(u, 0, 1, axis=u.ndim - 1), slice_in_dim(vh, 0, 1, axis=vh.ndim - 2))


def _eigenspace(x: Any) -> Any:
    w, v = spectral.Eigh().bind(x)
    return [w, _part(v, adjoint(v))]


def _singular(x: Any) -> Any:
    u, s, vh = spectral.Svd(True).bind(x)
    rest = slice_in_dim(u, s.shape[-1], u.shape[-1], axis=u.ndim - 1)
    return [s, _part(u, vh), matmul(rest, adjoint(rest))]


_program(_eigenspace, _near(_apart, 3, 3, complex_=True), note="projection on an eigenspace")
_program(_singular, _near(_apart[:2], 4, 2), note="singular spaces")
_program(_singular, _near(_apart[:2], 3, 2, complex_=True), note="complex singular spaces")
_program(
    lambda x: spectral.Eig(True, True).bind(x)[0] * conj.bind(spectral.Eig().bind(x)[0]),
    _near(_apart[:2], 2, 2),
    note="eigenvalues twice",
)

# --------------------------------------------------------------------------------------------------
# QR

for _pivoting in (False, True):
    _how = " pivoting" if _pivoting else ""
    sample(qr.Geqrf(_pivoting), _near(_apart, 3, 3), note=f"square{_how}")
    sample(qr.Geqrf(_pivoting), _near(_apart[:2], 4, 2), note=f"tall{_how}")
    sample(qr.Geqrf(_pivoting), _near(_apart[:2], 2, 3, complex_=True), note=f"wide, complex{_how}")
    sample(qr.Geqrf(_pivoting), _wide, note=f"empty{_how}")
    sample(qr.Geqrf(_pivoting), _tall, note=f"no columns{_how}")
    sample(qr.Qr(_pivoting), _near(_apart, 3, 3), note=f"square{_how}")
    sample(qr.Qr(_pivoting), _near(_apart[:2], 4, 2, complex_=True), note=f"tall, complex{_how}")
    sample(qr.Qr(_pivoting), _near(_apart[:2], 2, 3), note=f"wide{_how}")
    sample(qr.Qr(_pivoting), _near(_apart[:2], 2, 2, 2), note=f"two{_how}")
    sample(qr.Qr(_pivoting), _none, note=f"empty{_how}")
    sample(qr.Qr(_pivoting), _wide, note=f"no rows{_how}")
sample(qr.Qr(), np.zeros((2, 2)), note="singular", smooth=False)
sample(qr.Qr(), np.array([[1, 0.5], [0.2, 3]], np.float32), note="float32")
sample(qr.HouseholderProduct(), real(4, 3), real(3))
sample(qr.HouseholderProduct(), comp(3, 3), comp(2), note="complex, two reflections")
sample(qr.HouseholderProduct(), real(2, 2, 2), real(2, 2), note="two")
sample(qr.HouseholderProduct(), real(2, 1), np.zeros(1), note="no reflection")
sample(qr.HouseholderProduct(), _tall, np.zeros(0), note="empty")
sample(qr.HouseholderProduct(), real(3, 2), np.zeros(0), note="of none")
_program(lambda x: qr.qr(x), _near(_apart[:2], 4, 2), note="a full q")
