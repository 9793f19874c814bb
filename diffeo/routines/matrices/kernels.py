"""Who computes a routine of linear algebra: a table for each platform.

A lowering rule asks for a routine in LAPACK's terms: its name, in the form for real numbers and
without the letter for the dtype ("syevd" for dsyevd and zheevd); its operands; the types of all of
its results; its options, which are letters and numbers. A row of the platform's table emits
operations that give these results, in this order. Results that no rule reads may be anything. A
routine without a row does not exist on the platform: `has` says so.

Start with `call`, then the table `CPU`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.core import Value
from ...primitives.types import ShapedArray, complex64, complex128, float32, float64
from ...primitives.words.elementwise import conj, select
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import iota, move_axis

#: The first letter of LAPACK's routines for a dtype.
LETTERS = {float32: "s", float64: "d", complex64: "c", complex128: "z"}
#: Other names of routines for complex matrices, where the transpose becomes the adjoint.
_COMPLEX = {"orgqr": "ungqr", "syevd": "heevd", "sytrd": "hetrd"}

Operands = Sequence[Any]
Types = Sequence[ShapedArray]


def lapack_name(name: str, dtype: np.dtype) -> str:
    """Return LAPACK's name of a routine for a dtype: `dsyevd`, `zheevd`."""
    return LETTERS[dtype] + (_COMPLEX.get(name, name) if dtype.kind == "c" else name)


def has(platform: str, name: str) -> bool:
    """Return whether a platform has a routine."""
    return name in TABLES.get(platform, XLA)


def call(
    ctx: LoweringContext, name: str, operands: Operands, outs: Types, **chosen: Any
) -> list[Any]:
    """Emit a routine for matrices that are not empty; return its results, of the types `outs`.

    Raises:
        NotImplementedError: if the platform does not have it.
    """
    row = TABLES.get(ctx.platform, XLA).get(name)
    if row is None:
        raise NotImplementedError(
            f"a program for {ctx.platform} cannot do what LAPACK's {name} does; compute it on the "
            "CPU: dx.device_put(x, dx.devices('cpu')[0])"
        )
    return row(ctx, operands, outs, **chosen)


def _kernel(
    ctx: LoweringContext,
    target: str,
    operands: Operands,
    outs: Types,
    in_place: Any = None,
    **config: Any,
) -> list[Any]:
    """Emit a call of a kernel of matrices in column-major order.

    The kernel writes results over operands. `in_place` holds pairs (operand, result); by default a
    result is written over the operand at the same position, if their types are the same.
    """
    matrices = max([v.aval.ndim for v in operands])
    if in_place is None:
        in_place = [(i, i) for i, (v, o) in enumerate(zip(operands, outs)) if v.aval == o]
    return ctx.custom_call(target, operands, outs, matrices=matrices, in_place=in_place, **config)


def _flag(value: bool) -> str:
    return str(value).lower()


# --------------------------------------------------------------------------------------------------
# The CPU: LAPACK, as jaxlib brings it


def _lapack(name: str) -> Callable:
    """Return the row for a routine of LAPACK's own."""

    def row(ctx: LoweringContext, operands: Operands, outs: Types, **chosen: Any) -> list[Any]:
        target = f"lapack_{lapack_name(name, operands[0].aval.dtype)}_ffi"
        config = {
            k: f"{ord(v)} : ui8" if isinstance(v, str) else f"{v} : i32" for k, v in chosen.items()
        }
        return _kernel(ctx, target, operands, outs, _IN_PLACE.get(name), **config)

    return row


#: The solution of a triangular system is written over its second operand.
_IN_PLACE = {"trsm": [(1, 0)]}

#: The routines of the CPU.
CPU: dict[str, Callable] = {
    name: _lapack(name)
    for name in ("trsm", "potrf", "getrf", "geqrf", "geqp3", "orgqr", "syevd", "gesdd", "geev",
                 "gees", "gehrd", "sytrd", "gtsv")
}  # fmt: skip


# --------------------------------------------------------------------------------------------------
# What XLA can do wherever it compiles: operations of StableHLO, and calls that it expands itself


def _triangular_solve(
    ctx: LoweringContext,
    operands: Operands,
    outs: Types,
    side: str,
    uplo: str,
    trans_x: str,
    diag: str,
) -> list[Any]:
    form = {"N": "NO_TRANSPOSE", "T": "TRANSPOSE", "C": "ADJOINT"}[trans_x]
    attributes = {
        "left_side": _flag(side == "L"),
        "lower": _flag(uplo == "L"),
        "unit_diagonal": _flag(diag == "U"),
        "transpose_a": f"#stablehlo<transpose {form}>",
    }
    return ctx.emit("triangular_solve", operands, outs, attributes)


def _cholesky(ctx: LoweringContext, operands: Operands, outs: Types, uplo: str) -> list[Any]:
    """Emit XLA's Cholesky decomposition, which is nan where it fails."""
    factors = ctx.emit("cholesky", operands, outs[:1], {"lower": _flag(uplo == "L")})
    return [*factors, ctx.constant(0, outs[1])]


def _expanded(
    ctx: LoweringContext, target: str, operands: Operands, outs: Types, config: str = ""
) -> list[Any]:
    """Emit a call that XLA replaces by operations of its own."""
    attributes = {
        "call_target_name": f'"{target}"',
        "api_version": "1 : i32",
        "backend_config": f'"{config}"',
    }
    return ctx.emit("custom_call", operands, outs, attributes)


def _eigh(ctx: LoweringContext, operands: Operands, outs: Types, mode: str, uplo: str) -> list[Any]:
    """Emit Jacobi's method.

    Its configuration is (lower, sorted, the most sweeps, a bound that XLA does not look at).
    """
    config = f"{int(uplo == 'L')},1,100,1e-6"
    return [*_expanded(ctx, "Eigh", operands, outs[:2], config), ctx.constant(0, outs[2])]


def _lu(ctx: LoweringContext, operands: Operands, outs: Types) -> list[Any]:
    """Emit TPU's own LU decomposition, whose pivots count from 0."""
    order = outs[1].update((*outs[0].shape[:-1],))
    lu, pivots, _ = _expanded(ctx, "LuDecomposition", operands, [*outs[:2], order])
    # LAPACK's pivots count from 1.
    return [lu, ctx.op("add", pivots, 1, out=outs[1]), ctx.constant(0, outs[2])]


#: The routines that XLA has on every platform.
XLA: dict[str, Callable] = {
    "trsm": _triangular_solve,
    "potrf": _cholesky,
    "geqrf": lambda ctx, xs, outs: _expanded(ctx, "Qr", xs, outs),
    "orgqr": lambda ctx, xs, outs: _expanded(
        ctx, "ProductOfElementaryHouseholderReflectors", xs, outs),
    "syevd": _eigh,
}  # fmt: skip

#: The routines of TPUs.
TPU: dict[str, Callable] = XLA | {"getrf": _lu}


# --------------------------------------------------------------------------------------------------
# CUDA: cuSOLVER and cuSPARSE, cuBLAS by way of XLA; hybrid kernels call LAPACK on the host


def _cuda(target: str, **fixed: str) -> Callable:
    """Return the row for a kernel that has LAPACK's operands and results."""

    def row(ctx: LoweringContext, operands: Operands, outs: Types, **chosen: Any) -> list[Any]:
        triangle = {"lower": _flag(chosen["uplo"] == "L")} if "uplo" in chosen else {}
        return _kernel(ctx, target, operands, outs, **triangle, **fixed)

    return row


def _geev(ctx: LoweringContext, operands: Operands, outs: Types, **chosen: str) -> list[Any]:
    """Emit the eigenvalues of a general matrix by LAPACK or MAGMA.

    cuSOLVER gives no left vectors, and none at all before CUDA 12.6.
    """
    kind = "real" if operands[0].aval.dtype.kind == "f" else "comp"
    sides = {side: _flag(chosen[f"compute_{side}"] == "V") for side in ("left", "right")}
    return _kernel(ctx, f"cuhybrid_eig_{kind}", operands, outs, **sides, **_HYBRID)


#: Hybrid kernels use MAGMA if its library is found.
_HYBRID = {"magma": '"auto"'}

#: Up to this many rows and columns cuSOLVER's Jacobi method is faster than its QR method.
_JACOBI = 1024
#: Up to this many rows and columns Jacobi's kernel for many matrices is used; it must be asked for
#: all vectors, square u and v.
_TOGETHER = 32


def _cuda_svd(ctx: LoweringContext, operands: Operands, outs: Types, mode: str) -> list[Any]:
    """Emit singular values by Jacobi's method, or for large matrices by the QR method."""
    a, s, u, vh, info = outs
    *lead, m, n = a.shape
    if max(m, n) > _JACOBI:
        return _cuda_svd_by_qr(ctx, operands, outs, mode)
    square = mode == "A" or min(m, n) <= _TOGETHER
    k = min(m, n)
    left, right = (a.update((*lead, size, size if square else k)) for size in (m, n))
    flags = {"full_matrices": _flag(square), "compute_uv": _flag(mode != "N")}
    types = [a, s, left, right, info]
    a, s, left, right, info = _kernel(ctx, "cusolver_gesvdj_ffi", operands, types, **flags)
    if mode != "N":  # the kernel gives v, not its adjoint
        left = ctx.inline(lambda x: _columns(x, u.shape[-1]), left)
        right = ctx.inline(lambda x: _adjoint(_columns(x, vh.shape[-2])), right)
    return [a, s, left, right, info]


def _columns(x: Value, count: int) -> Any:
    """Return the first `count` columns."""
    return slice_in_dim(x, 0, count, axis=x.ndim - 1)


def _adjoint(x: Value) -> Any:
    flipped = move_axis(x, x.ndim - 1, x.ndim - 2)
    return conj.bind(flipped) if x.dtype.kind == "c" else flipped


def _cuda_svd_by_qr(ctx: LoweringContext, operands: Operands, outs: Types, mode: str) -> list[Any]:
    """Emit singular values by cuSOLVER's QR method.

    The routine wants at least as many rows as columns. Other matrices are handed over in row-major
    order: then the routine sees the transposed matrices, and gives u and vh in each other's place.
    """
    a, s, u, vh, info = outs
    turned = a.shape[-2] < a.shape[-1]
    if mode == "N":
        u = vh = a.update(())
    results = ctx.custom_call(
        "cusolver_gesvd_ffi",
        operands,
        [a, s, vh, u, info] if turned else [a, s, u, vh, info],
        matrices=a.ndim + turned,
        in_place=[(0, 0)],
        full_matrices=_flag(mode == "A"),
        compute_uv=_flag(mode != "N"),
        transposed=_flag(turned),
    )
    if mode == "N":
        return [*results[:2], results[0], results[0], results[4]]
    return [*results[:2], results[2 + turned], results[3 - turned], results[4]]


#: The fewest equations that cuSPARSE takes.
_FEWEST = 3


def _cuda_gtsv(ctx: LoweringContext, operands: Operands, outs: Types) -> list[Any]:
    """Emit tridiagonal systems by cuSPARSE.

    cuSPARSE wants zeros at the diagonals' unused ends, and reports nothing of a singular matrix.
    """
    n, axis = outs[1].shape[-1], outs[1].ndim - 1

    def prepared(dl: Value, d: Value, du: Value, b: Value) -> list[Any]:
        index = iota(np.int32, d.shape, axis)
        dl, du = select(index == 0, 0.0, dl), select(index == n - 1, 0.0, du)
        # Equations x = 0 make up the fewest that cuSPARSE takes.
        more = [max(_FEWEST - n, 0) if i == axis else 0 for i in range(b.ndim)]
        none = [0] * b.ndim
        lines = [pad(x, none[:-1], more[:-1], value=v) for x, v in ((dl, 0), (d, 1), (du, 0))]
        return [*lines, pad(b, none, more)]

    padded = ctx.inline(prepared, *operands)
    (x,) = _kernel(ctx, "cusparse_gtsv2_ffi", padded, [padded[3].aval], [(3, 0)])
    x = ctx.inline(lambda x: slice_in_dim(x, 0, n, axis=axis), x)
    return [*operands[:3], x, ctx.constant(0, outs[4])]


def _cuda_permutation(ctx: LoweringContext, operands: Operands, outs: Types) -> list[Any]:
    """Emit the permutation that pivots make; operands are vectors, in row-major order."""
    ndim = outs[0].ndim
    return ctx.custom_call("cu_lu_pivots_to_permutation", operands, outs, matrices=ndim + 1)


#: The routines of CUDA.
CUDA: dict[str, Callable] = {
    "trsm": _triangular_solve,
    "potrf": _cuda("cusolver_potrf_ffi"),
    "getrf": _cuda("cusolver_getrf_ffi"),
    "geqrf": _cuda("cusolver_geqrf_ffi"),
    "orgqr": _cuda("cusolver_orgqr_ffi"),
    "sytrd": _cuda("cusolver_sytrd_ffi"),
    "syevd": lambda ctx, xs, outs, mode, uplo: _cuda("cusolver_syevd_ffi", algorithm="0 : ui8")(
        ctx, xs, outs, uplo=uplo),
    "gesdd": _cuda_svd,
    "geev": _geev,
    "geqp3": _cuda("cuhybrid_geqp3", **_HYBRID),
    "gtsv": _cuda_gtsv,
    #: No routine of LAPACK's: see `LuPivotsToPermutation`.
    "pivots": _cuda_permutation,
}  # fmt: skip

#: The table of each platform; a platform that is not listed has the routines of `XLA`.
TABLES = {"cpu": CPU, "cuda": CUDA, "tpu": TPU}
