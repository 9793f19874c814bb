"""The rules that choose CUDA's kernels give the right numbers if the kernels do.

The kernels are emulated by NumPy and SciPy: every call of one becomes a call of a Python function
that does what cuSOLVER, cuSPARSE and the hybrid kernels promise, and the program runs on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.linalg import get_lapack_funcs

from diffeo.engine.pipeline import Prepared
from diffeo.engine.runner import Runner
from diffeo.lowering.text.module import Module
from diffeo.lowering.text.stablehlo import Builder
from diffeo.primitives import Array, stage
from diffeo.primitives.jaxpr import Jaxpr
from diffeo.primitives.types import ShapedArray
from diffeo.routines.matrices.hessenberg import Tridiagonal
from diffeo.routines.matrices.linalg import LuPivotsToPermutation
from diffeo.routines.matrices.qr import HouseholderProduct
from diffeo.routines.matrices.spectral import Eig, Svd
from tests.laws import close
from tests.samples import SAMPLES, Sample
from tests.sampling import comp, real

pytestmark = pytest.mark.slow

#: What is left in the other triangle by routines that write one.
GARBAGE = 7


def potrf(a: np.ndarray, lower: bool) -> Any:
    assert lower
    try:
        return np.tril(np.linalg.cholesky(a)) + np.triu(np.full_like(a, GARBAGE), 1), 0
    except np.linalg.LinAlgError:
        return a, 1


def getrf(a: np.ndarray) -> Any:
    lu, pivots, info = get_lapack_funcs("getrf", [a])(a)
    return lu, pivots + 1, info


def geqrf(a: np.ndarray) -> Any:
    packed, taus = np.linalg.qr(a, "raw")
    return packed.T, taus


def geqp3(a: np.ndarray, free: np.ndarray, magma: str) -> Any:
    assert not free.any() and magma == "auto"
    packed, order, taus, *_ = get_lapack_funcs("geqp3", [a])(a)
    return packed, order, taus


def orgqr(a: np.ndarray, taus: np.ndarray) -> Any:
    return HouseholderProduct().one(a, taus)[0]


def syevd(a: np.ndarray, lower: bool, algorithm: str) -> Any:
    w, v = np.linalg.eigh(a, "L" if lower else "U")
    return v, w, 0


def sytrd(a: np.ndarray, lower: bool) -> Any:
    found, info = Tridiagonal(lower).one(a)
    return *found, info


def gesvdj(a: np.ndarray, full_matrices: bool, compute_uv: bool) -> Any:
    """It gives v, and if it is not asked for vectors it leaves their memory as it is."""
    u, s, vh = np.linalg.svd(a, full_matrices)
    v = vh.conj().T
    return (a, s, u, v, 0) if compute_uv else (a, s, u * 0 + GARBAGE, v * 0 + GARBAGE, 0)


def gesvd(a: np.ndarray, full_matrices: bool, compute_uv: bool, transposed: bool) -> Any:
    assert transposed == (a.shape[0] < a.shape[1])
    u, s, vh = np.linalg.svd(a, full_matrices)
    left, right = (u, vh) if compute_uv else (a.dtype.type(0), a.dtype.type(0))
    return (a, s, right, left, 0) if transposed else (a, s, left, right, 0)


def geev(a: np.ndarray, left: bool, right: bool, magma: str) -> Any:
    (w, *both), info = Eig(True, True).one(a)
    return *([w] if a.dtype.kind == "c" else [w.real, w.imag]), *both, info


def gtsv2(dl: np.ndarray, d: np.ndarray, du: np.ndarray, b: np.ndarray) -> Any:
    assert len(d) >= 3 and dl[0] == 0 and du[-1] == 0
    try:
        return (np.linalg.solve(np.diag(d) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1), b),)
    except np.linalg.LinAlgError:
        return (np.full_like(b, np.nan),)


def pivots(given: np.ndarray, size: int) -> Any:
    return (LuPivotsToPermutation(size).impl(given),)


EMULATED: dict[str, Callable] = {
    "cusolver_potrf_ffi": potrf, "cusolver_getrf_ffi": getrf, "cusolver_geqrf_ffi": geqrf,
    "cuhybrid_geqp3": geqp3, "cusolver_orgqr_ffi": orgqr, "cusolver_syevd_ffi": syevd,
    "cusolver_sytrd_ffi": sytrd, "cusolver_gesvdj_ffi": gesvdj, "cusolver_gesvd_ffi": gesvd,
    "cuhybrid_eig_real": geev, "cuhybrid_eig_comp": geev, "cusparse_gtsv2_ffi": gtsv2,
    "cu_lu_pivots_to_permutation": pivots,
}  # fmt: skip


class Emulation(Builder):
    """Writes programs for CUDA in which Python functions stand for CUDA's kernels."""

    def __init__(self) -> None:
        super().__init__("cuda")
        self.used: set[str] = set()

    def custom_call(
        self, target: str, operands: Sequence[Any], outs: Sequence[ShapedArray], **how: Any
    ) -> list[Any]:
        if target == "xla_ffi_python_gpu_callback":
            return super().custom_call(target.replace("gpu", "cpu"), operands, outs, **how)
        self.used.add(target)
        flags = {"true": True, "false": False}
        chosen = {k: flags.get(v, v.strip('"')) for k, v in how.items()
                  if k not in ("matrices", "in_place", "effects")}  # fmt: skip
        if target == "cu_lu_pivots_to_permutation":
            chosen["size"] = outs[0].shape[-1]
        kernel = partial(EMULATED[target], **chosen)
        rank = 1 if target in ("cusparse_gtsv2_ffi", "cu_lu_pivots_to_permutation") else 2

        def each(*arrays: np.ndarray) -> list[np.ndarray]:
            results = [np.zeros(o.shape, o.dtype) for o in outs]
            for place in np.ndindex(arrays[0].shape[:-rank]):
                try:
                    found = kernel(*[a[place] for a in arrays])
                except np.linalg.LinAlgError:  # the report comes last, if there is one
                    found = [np.full(o.shape[len(place) :], np.nan) for o in outs[:-1]] + [1]
                for result, x in zip(results, found, strict=True):
                    if result.ndim < len(place):  # not asked for
                        assert not result.ndim
                        continue
                    assert np.shape(x) == result[place].shape
                    result[place] = x
            return results

        return self.call_python(each, operands, outs, effects=False)


def pages(*names: str) -> list[Sample]:
    return [s for s in SAMPLES if type(s.primitive).__module__.rpartition(".")[2] in names]


LINALG = pages("linalg", "qr", "spectral", "schur", "hessenberg", "tridiagonal_solve")


def written(primitive: Any, arrays: Sequence[np.ndarray]) -> tuple[Jaxpr, Emulation]:
    """The program that binds a primitive, and how it is written."""

    def fun(*xs: Any) -> list[Any]:
        out = primitive.bind(*xs)
        return list(out) if primitive.multiple_results else [out]

    types = [ShapedArray(np.shape(a), a.dtype) for a in arrays]
    jaxpr, builder = stage(fun, types, primitive.name), Emulation()
    builder.function(jaxpr.closed_over(), "main", "public")
    return jaxpr, builder


def emulate(primitive: Any, arrays: Sequence[np.ndarray]) -> list[Any]:
    """The results."""
    jaxpr, builder = written(primitive, arrays)
    module = Module("\n".join(["module {", *builder.functions, "}"]), builder.python)
    prepared = Prepared(jaxpr, module, None, jaxpr.out_avals, ())
    return Runner(prepared).run([Array(a) for a in arrays])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("sample", LINALG, ids=repr)
def test_samples(sample: Sample):
    found = emulate(sample.primitive, sample.args)
    tolerance = 1e-5 if sample.args[0].dtype in (np.float32, np.complex64) else 1e-11
    for x, expected in zip(found, sample.impl(*sample.args), strict=True):
        if "tridiagonal_solve-singular" not in sample.name:  # some are infinite, or all are nan
            close(x, expected, tolerance, tolerance)


@pytest.mark.parametrize("kind", [real, comp])
@pytest.mark.parametrize("shape", [(1100, 3), (2, 3, 1100), (40, 50), (2, 5, 4), (4, 5)])
@pytest.mark.parametrize("primitive", [Svd(), Svd(True), Svd(False, False)], ids=repr)
def test_singular_values(primitive: Svd, shape: tuple[int, ...], kind: Callable):
    a = kind(*shape)(np.random.default_rng(0))
    found, used = emulate(primitive, [a]), written(primitive, [a])[1].used
    assert used == {"cusolver_gesvd_ffi" if max(shape) > 1024 else "cusolver_gesvdj_ffi"}
    for x, expected in zip(found, primitive.impl(a), strict=True):
        close(x, expected, 1e-10, 1e-10)


def test_every_emulated_kernel_is_used():
    used = {"cusolver_gesvd_ffi"}  # above
    for sample in LINALG:
        used |= written(sample.primitive, sample.args)[1].used
    assert used == set(EMULATED)
