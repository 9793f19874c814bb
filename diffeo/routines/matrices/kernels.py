"""Who computes a routine of linear algebra: a table for each platform.

A rule asks for a routine in LAPACK's terms: its name, in the form for real numbers and without the
letter for the dtype; its operands; the types of all of its results; its choices, letters and
numbers. A row of the platform's table emits what gives these results, in this order; those that no
rule looks at may be anything. What has no row is not there: `has` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.types import ShapedArray, complex64, complex128, float32, float64
from ...primitives.words.elementwise import conj, select
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import iota, move_axis

#: The letter by which LAPACK's routines for a dtype begin.
LETTERS = {float32: "s", float64: "d", complex64: "c", complex128: "z"}
#: What routines are called for complex matrices, where the transpose is the adjoint.
_COMPLEX = {"orgqr": "ungqr", "syevd": "heevd", "sytrd": "hetrd"}

Operands = Sequence[Any]
Types = Sequence[ShapedArray]


def lapack_name(name: str, dtype: np.dtype) -> str:
    """LAPACK's name of a routine for a dtype: `dsyevd`, `zheevd`."""
    return LETTERS[dtype] + (_COMPLEX.get(name, name) if dtype.kind == "c" else name)


def has(platform: str, name: str) -> bool:
    """Whether a platform has a routine."""
    return name in TABLES.get(platform, XLA)


def call(ctx: Any, name: str, operands: Operands, outs: Types, **chosen: Any) -> list[Any]:
    """The results, of the types `outs`, of a routine for matrices that are not empty.

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
    ctx: Any, target: str, operands: Operands, outs: Types, in_place: Any = None, **config: str
) -> list[Any]:
    """Call a kernel of matrices in column-major order. It writes results over the operands in
    their place, if the types are the same; else `in_place` says over which.
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
    """A row for a routine of LAPACK's own."""

    def row(ctx: Any, operands: Operands, outs: Types, **chosen: Any) -> list[Any]:
        target = f"lapack_{lapack_name(name, operands[0].aval.dtype)}_ffi"
        config = {
            k: f"{ord(v)} : ui8" if isinstance(v, str) else f"{v} : i32" for k, v in chosen.items()
        }
        return _kernel(ctx, target, operands, outs, _IN_PLACE.get(name), **config)

    return row


#: A triangular system has its solution in place of its second operand.
_IN_PLACE = {"trsm": [(1, 0)]}

CPU: dict[str, Callable] = {
    name: _lapack(name)
    for name in ("trsm", "potrf", "getrf", "geqrf", "geqp3", "orgqr", "syevd", "gesdd", "geev",
                 "gees", "gehrd", "sytrd", "gtsv")
}  # fmt: skip


# --------------------------------------------------------------------------------------------------
# What XLA can do wherever it compiles: operations of StableHLO, and calls that it expands itself


def _triangular_solve(
    ctx: Any, operands: Operands, outs: Types, side: str, uplo: str, trans_x: str, diag: str
) -> list[Any]:
    form = {"N": "NO_TRANSPOSE", "T": "TRANSPOSE", "C": "ADJOINT"}[trans_x]
    attributes = {
        "left_side": _flag(side == "L"),
        "lower": _flag(uplo == "L"),
        "unit_diagonal": _flag(diag == "U"),
        "transpose_a": f"#stablehlo<transpose {form}>",
    }
    return ctx.emit("triangular_solve", operands, outs, attributes)


def _cholesky(ctx: Any, operands: Operands, outs: Types, uplo: str) -> list[Any]:
    """It is nan where it fails."""
    found = ctx.emit("cholesky", operands, outs[:1], {"lower": _flag(uplo == "L")})
    return [*found, ctx.constant(0, outs[1])]


def _expanded(
    ctx: Any, target: str, operands: Operands, outs: Types, config: str = ""
) -> list[Any]:
    """A call that XLA replaces by a program."""
    attributes = {
        "call_target_name": f'"{target}"',
        "api_version": "1 : i32",
        "backend_config": f'"{config}"',
    }
    return ctx.emit("custom_call", operands, outs, attributes)


def _eigh(ctx: Any, operands: Operands, outs: Types, mode: str, uplo: str) -> list[Any]:
    """Jacobi's method: (lower, sorted, the most sweeps, a bound that XLA does not look at)."""
    config = f"{int(uplo == 'L')},1,100,1e-6"
    return [*_expanded(ctx, "Eigh", operands, outs[:2], config), ctx.constant(0, outs[2])]


def _lu(ctx: Any, operands: Operands, outs: Types) -> list[Any]:
    """TPU's own; its pivots count from 0."""
    order = outs[1].update((*outs[0].shape[:-1],))
    lu, pivots, _ = _expanded(ctx, "LuDecomposition", operands, [*outs[:2], order])
    return [lu, ctx.op("add", pivots, 1, out=outs[1]), ctx.constant(0, outs[2])]


XLA: dict[str, Callable] = {
    "trsm": _triangular_solve,
    "potrf": _cholesky,
    "geqrf": lambda ctx, xs, outs: _expanded(ctx, "Qr", xs, outs),
    "orgqr": lambda ctx, xs, outs: _expanded(
        ctx, "ProductOfElementaryHouseholderReflectors", xs, outs),
    "syevd": _eigh,
}  # fmt: skip

TPU: dict[str, Callable] = XLA | {"getrf": _lu}


# --------------------------------------------------------------------------------------------------
# CUDA: cuSOLVER and cuSPARSE, cuBLAS by way of XLA; hybrid kernels call LAPACK on the host


def _cuda(target: str, **fixed: str) -> Callable:
    """A row for a kernel that has LAPACK's operands and results."""

    def row(ctx: Any, operands: Operands, outs: Types, **chosen: Any) -> list[Any]:
        triangle = {"lower": _flag(chosen["uplo"] == "L")} if "uplo" in chosen else {}
        return _kernel(ctx, target, operands, outs, **triangle, **fixed)

    return row


def _geev(ctx: Any, operands: Operands, outs: Types, **chosen: str) -> list[Any]:
    """By LAPACK or MAGMA: cuSOLVER gives no left vectors, and none at all before CUDA 12.6."""
    kind = "real" if operands[0].aval.dtype.kind == "f" else "comp"
    sides = {side: _flag(chosen[f"compute_{side}"] == "V") for side in ("left", "right")}
    return _kernel(ctx, f"cuhybrid_eig_{kind}", operands, outs, **sides, **_HYBRID)


#: MAGMA if its library is found.
_HYBRID = {"magma": '"auto"'}

#: Up to this many rows and columns cuSOLVER's Jacobi method is faster than its QR method.
_JACOBI = 1024
#: Up to this many rows and columns its kernel for many matrices takes them, all vectors wanted.
_TOGETHER = 32


def _cuda_svd(ctx: Any, operands: Operands, outs: Types, mode: str) -> list[Any]:
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
    if mode != "N":  # it gives v, not the adjoint
        left = ctx.inline(lambda x: _columns(x, u.shape[-1]), left)
        right = ctx.inline(lambda x: _adjoint(_columns(x, vh.shape[-2])), right)
    return [a, s, left, right, info]


def _columns(x: Any, count: int) -> Any:
    return slice_in_dim(x, 0, count, axis=x.ndim - 1)


def _adjoint(x: Any) -> Any:
    flipped = move_axis(x, x.ndim - 1, x.ndim - 2)
    return conj.bind(flipped) if x.dtype.kind == "c" else flipped


def _cuda_svd_by_qr(ctx: Any, operands: Operands, outs: Types, mode: str) -> list[Any]:
    """The routine wants at least as many rows as columns. In row-major order it sees the transposed
    matrices, and gives u and vh in each other's place.
    """
    a, s, u, vh, info = outs
    turned = a.shape[-2] < a.shape[-1]
    if mode == "N":
        u = vh = a.update(())
    found = ctx.custom_call(
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
        return [*found[:2], found[0], found[0], found[4]]
    return [*found[:2], found[2 + turned], found[3 - turned], found[4]]


#: The fewest equations that cuSPARSE takes.
_FEWEST = 3


def _cuda_gtsv(ctx: Any, operands: Operands, outs: Types) -> list[Any]:
    """cuSPARSE wants zeros at the diagonals' unused ends, and says nothing of a singular matrix."""
    n, axis = outs[1].shape[-1], outs[1].ndim - 1

    def prepared(dl: Any, d: Any, du: Any, b: Any) -> list[Any]:
        place = iota(np.int32, d.shape, axis)
        dl, du = select(place == 0, 0.0, dl), select(place == n - 1, 0.0, du)
        more = [max(_FEWEST - n, 0) if i == axis else 0 for i in range(b.ndim)]
        none = [0] * b.ndim
        lines = [pad(x, none[:-1], more[:-1], value=v) for x, v in ((dl, 0), (d, 1), (du, 0))]
        return [*lines, pad(b, none, more)]

    given = ctx.inline(prepared, *operands)
    (x,) = _kernel(ctx, "cusparse_gtsv2_ffi", given, [given[3].aval], [(3, 0)])
    x = ctx.inline(lambda x: slice_in_dim(x, 0, n, axis=axis), x)
    return [*operands[:3], x, ctx.constant(0, outs[4])]


def _cuda_permutation(ctx: Any, operands: Operands, outs: Types) -> list[Any]:
    """Of vectors, in the order in which they are."""
    ndim = outs[0].ndim
    return ctx.custom_call("cu_lu_pivots_to_permutation", operands, outs, matrices=ndim + 1)


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

#: On a platform that is not listed there is what XLA has everywhere.
TABLES = {"cpu": CPU, "cuda": CUDA, "tpu": TPU}
