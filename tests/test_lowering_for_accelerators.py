"""Linear algebra and calls of Python in programs for accelerators: what the programs say, since
there is nothing here to run them on.

jax is the oracle: for the same operands it calls the same kernels, with the same attributes of the
same types, in the same layouts. What XLA expands on every platform is run on the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.engine.pipeline import Prepared
from diffeo.engine.runner import Runner
from diffeo.lowering.text.module import lower_module
from diffeo.primitives import Array, stage
from diffeo.primitives.core import Primitive
from diffeo.primitives.types import ShapedArray
from diffeo.primitives.words.dot import DotGeneral
from diffeo.routines.matrices.hessenberg import Hessenberg, Tridiagonal
from diffeo.routines.matrices.linalg import Cholesky, Lu, LuPivotsToPermutation, TriangularSolve
from diffeo.routines.matrices.qr import Geqrf, HouseholderProduct
from diffeo.routines.matrices.schur import Schur
from diffeo.routines.matrices.spectral import Eig, Eigh, Svd
from diffeo.routines.matrices.tridiagonal_solve import TridiagonalSolve
from tests.laws import close

DTYPES = ("float32", "float64", "complex64", "complex128")


def program(primitive: Primitive, shapes: list[tuple[int, ...]], dtype: Any) -> Any:
    """The program that binds a primitive."""

    def fun(*xs: Any) -> list[Any]:
        out = primitive.bind(*xs)
        return list(out) if primitive.multiple_results else [out]

    return stage(fun, [ShapedArray(s, np.dtype(dtype)) for s in shapes], primitive.name)


def part(line: str, key: str) -> str:
    """The value of an attribute that is a list or a dictionary, or nothing."""
    found = re.search(rf" {key} = (?=[\[{{])", line)
    if not found:
        return ""
    start, depth = found.end(), 0
    for i in range(start, len(line)):
        depth += (line[i] in "[{") - (line[i] in "]}")
        if not depth:
            return line[start : i + 1]
    raise AssertionError(line)


def calls(text: str) -> list[tuple]:
    """What the kernels that a module calls can see of the call: their name, attributes, the order
    of the operands' and results' axes in memory, their types, and what is written in place.
    """
    found = []
    for line in text.splitlines():
        named = re.search(r'custom_call @(\w+)|call_target_name = "(\w+)"', line)
        if not named or "Sharding" in line:
            continue
        config = part(line, "mhlo.backend_config") or part(line, "backend_config")
        layouts = [
            [re.findall(r"\d+", one) for one in re.findall(r"dense<([^>]*)>", part(line, key))]
            for key in ("operand_layouts", "result_layouts")
        ]
        types = re.findall(r"tensor<[^ ,)]*(?:<f\d+>>)?", line[line.rindex(": (") :])
        in_place = sorted(re.findall(r"output_operand_alias<(.*?)>", line))
        found.append((named[1] or named[2], set(config.strip("{}").split(", ")), layouts,
                      types, in_place))  # fmt: skip
    return found


def by_jax(jax: Any, fun: Callable, shapes: list[tuple], dtype: Any, platform: str) -> list[tuple]:
    operands = [jax.ShapeDtypeStruct(s, dtype) for s in shapes]
    lowered = jax.jit(fun).trace(*operands).lower(lowering_platforms=(platform,))
    return calls(lowered.as_text())


A, TALL, FLAT, TWO = [(6, 6)], [(9, 6)], [(6, 9)], [(2, 6, 6)]

#: (what is tested, the primitive, its operands, the same by jax)
KERNELS = {
    "cholesky": (Cholesky(), A, lambda la, x: la.cholesky(x, symmetrize_input=False)),
    "cholesky-two": (Cholesky(), TWO, lambda la, x: la.cholesky(x, symmetrize_input=False)),
    "lu": (Lu(), TALL, lambda la, x: la.lu(x)),
    "lu-two": (Lu(), TWO, lambda la, x: la.lu(x)),
    "geqrf": (Geqrf(), TALL, lambda la, x: by_jax_internals().geqrf(x)),
    "geqp3": (Geqrf(True), TALL, lambda la, x: la.qr(x, pivoting=True, full_matrices=False)),
    "householder": (
        HouseholderProduct(), [(9, 6), (6,)], lambda la, x, t: la.householder_product(x, t)),
    "eigh": (Eigh(), A, lambda la, x: la.eigh(x, symmetrize_input=False)),
    "eigh-upper": (Eigh("U"), TWO, lambda la, x: la.eigh(x, lower=False, symmetrize_input=False)),
    "eig": (Eig(True, True), A, lambda la, x: la.eig(x)),
    "eig-values": (Eig(False, False), TWO, lambda la, x: la.eig(
        x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)),
    "svd": (Svd(), TALL, lambda la, x: la.svd(x, full_matrices=False)),
    "svd-flat": (Svd(), FLAT, lambda la, x: la.svd(x, full_matrices=False)),
    "svd-full": (Svd(True), [(2, 6, 9)], lambda la, x: la.svd(x, full_matrices=True)),
    "svd-values": (Svd(False, False), TALL, lambda la, x: la.svd(
        x, compute_uv=False, full_matrices=False)),
    "svd-many": (Svd(), [(40, 50)], lambda la, x: la.svd(x, full_matrices=False)),
    "svd-large": (Svd(), [(1100, 40)], lambda la, x: la.svd(x, full_matrices=False)),
    "svd-large-flat": (Svd(), [(2, 40, 1100)], lambda la, x: la.svd(x, full_matrices=False)),
    "svd-large-full": (Svd(True), [(40, 1100)], lambda la, x: la.svd(x, full_matrices=True)),
    "svd-large-values": (Svd(False, False), [(1100, 40)], lambda la, x: la.svd(
        x, compute_uv=False, full_matrices=False)),
    "svd-large-flat-values": (Svd(False, False), [(40, 1100)], lambda la, x: la.svd(
        x, compute_uv=False, full_matrices=False)),
    "tridiagonal": (Tridiagonal(), A, lambda la, x: la.tridiagonal(x)),
    "tridiagonal-upper": (Tridiagonal(False), TWO, lambda la, x: la.tridiagonal(x, lower=False)),
    "tridiagonal_solve": (TridiagonalSolve(), [(6,), (6,), (6,), (6, 2)],
                          lambda la, *xs: la.tridiagonal_solve(*xs)),
    "tridiagonal_solve-two": (TridiagonalSolve(), [*[(3, 6)] * 3, (3, 6, 2)],
                              lambda la, *xs: la.tridiagonal_solve(*xs)),
}  # fmt: skip


def by_jax_internals() -> Any:
    from jax._src.lax import linalg  # its public functions call more than the one kernel

    return linalg


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERNELS)
def test_cuda_kernels_are_called_as_jax_calls_them(jax, monkeypatch, name: str, dtype: str):
    # As for any version of cuSOLVER: for some, jax takes its method for eigenvalues.
    monkeypatch.setattr("jax._src.lax.linalg.cuda_versions", None)
    primitive, shapes, fun = KERNELS[name]
    text = lower_module(program(primitive, shapes, dtype), "cuda").text
    expected = by_jax(jax, partial(fun, jax.lax.linalg), shapes, dtype, "cuda")
    found = calls(text)
    assert "lapack_" not in text
    assert len(found) >= 1
    assert found == expected[: len(found)]


def test_cuda_permutes_rows_by_a_kernel(jax):
    pivots = LuPivotsToPermutation(6)
    text = lower_module(program(pivots, [(2, 4)], np.int32), "cuda").text
    fun = lambda p: jax.lax.linalg.lu_pivots_to_permutation(p, 6)
    assert calls(text) == by_jax(jax, fun, [(2, 4)], np.int32, "cuda")
    assert "cu_lu_pivots" in lower_module(program(Lu(), [(6, 6)], np.float32), "cuda").text


#: What XLA's calls for TPU are, beside the operations of StableHLO.
EXPANDED = {
    "geqrf": (Geqrf(), TALL, lambda la, x: by_jax_internals().geqrf(x)),
    "householder": (
        HouseholderProduct(), [(9, 6), (6,)], lambda la, x, t: la.householder_product(x, t)),
    "lu": (Lu(), [(2, 9, 6)], lambda la, x: la.lu(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPANDED)
def test_tpu_calls_what_jax_calls(jax, name: str):
    primitive, shapes, fun = EXPANDED[name]
    text = lower_module(program(primitive, shapes, np.float32), "tpu").text
    expected = by_jax(jax, partial(fun, jax.lax.linalg), shapes, np.float32, "tpu")
    assert calls(text) == expected


def run_module(jaxpr: Any, module: Any, arrays: list[Array]) -> list[Any]:
    """The results of a program that was lowered as it is."""
    return Runner(Prepared(jaxpr, module, None, jaxpr.out_avals, ())).run(arrays)


def run(primitive: Primitive, platform: str, *arrays: np.ndarray) -> list[Any]:
    """The results of the program for another platform, run on the CPU."""
    jaxpr = program(primitive, [a.shape for a in arrays], arrays[0].dtype)
    module = lower_module(jaxpr, platform)
    assert "lapack_" not in module.text
    return run_module(jaxpr, module, [Array(a) for a in arrays])


def matrix(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    """Matrices that are positive definite, if they are square."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *shape))
    x = (x[0] + 1j * x[1] if np.dtype(dtype).kind == "c" else x[0]).astype(dtype)
    if shape[-1] != shape[-2]:
        return x
    return x @ np.swapaxes(x, -1, -2).conj() + np.eye(shape[-1], dtype=dtype) * shape[-1]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("platform", ["tpu", "someplugin"])
def test_what_xla_expands_agrees_with_lapack(platform: str, dtype: str):
    tolerance = 3e-4 if dtype == "float32" else 1e-10
    a, b, tall = matrix(2, 6, 6, dtype=dtype), matrix(2, 6, 3, dtype=dtype), matrix(9, 6)
    for primitive, operands in [
        (Cholesky(), [a]),
        *[(TriangularSolve("L", uplo, form), [a, b]) for uplo in "LU" for form in "NTC"],
        (TriangularSolve("R", "U", "N", "U"), [a / 20, np.swapaxes(b, 1, 2).copy()]),
    ]:
        for found, expected in zip(run(primitive, platform, *operands),
                                   as_list(primitive.impl(*operands)), strict=True):  # fmt: skip
            close(found, expected, tolerance, tolerance)
    # XLA's Jacobi method stops when what is left is the root of a rounding error.
    w, v = (np.asarray(x) for x in run(Eigh(), platform, a))
    np.testing.assert_allclose(w, Eigh().impl(a)[0], tolerance)
    np.testing.assert_allclose(a @ v, v * w[:, None, :], 0, max(tolerance, 1e-6))
    if dtype != "complex128":  # LAPACK's reflections of complex vectors are others
        tall = tall.astype(dtype)
        packed, taus = (np.asarray(x) for x in run(Geqrf(), platform, tall))
        (q,) = run(HouseholderProduct(), platform, packed, taus)
        np.testing.assert_allclose(np.asarray(q) @ np.triu(packed)[:6], tall, 0, tolerance)


def as_list(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("primitive", [Schur(), Hessenberg()], ids=["schur", "hessenberg"])
def test_what_cuda_lacks_is_computed_by_the_host(primitive: Primitive):
    a = matrix(2, 6, 6)
    jaxpr = program(primitive, [a.shape], a.dtype)
    module = lower_module(jaxpr, "cuda")
    assert [c[0] for c in calls(module.text)] == ["xla_ffi_python_gpu_callback"]
    found = module.functions[0](a)
    assert [x.shape for x in found] == [v.shape for v in jaxpr.out_avals]
    assert all([x.flags.c_contiguous for x in found])
    # The same program, with the name of the CPU's kernel, runs here.
    here = module._replace(text=module.text.replace("python_gpu", "python_cpu"))
    for out, expected in zip(run_module(jaxpr, here, [Array(a)]), primitive.impl(a), strict=True):
        close(out, expected)


@pytest.mark.parametrize("primitive", [Svd(), Eig(), Schur(), TridiagonalSolve(), Geqrf(True)])
def test_what_tpu_lacks_is_an_error_with_the_users_line(primitive: Primitive):
    shapes = [*[(6,)] * 3, (6, 2)] if type(primitive) is TridiagonalSolve else A
    with pytest.raises(NotImplementedError, match=rf"(?s)^{primitive.name}: a program for tpu "
                       r"cannot .* CPU.*\n  at test_lowering_for_accelerators.py"):  # fmt: skip
        lower_module(program(primitive, shapes, np.float32), "tpu")


def test_callbacks_by_platform():
    def fun(x):
        dx.debug.print("{}", x)
        return dx.pure_callback(np.sin, x, x)

    jaxpr = dx.jit(fun).trace(np.zeros(3)).jaxpr
    on_gpu = calls(lower_module(jaxpr, "cuda").text)
    on_cpu = calls(lower_module(jaxpr).text)
    assert [c[0] for c in on_gpu] == ["xla_ffi_python_gpu_callback"] * 2
    assert [c[1:] for c in on_gpu] == [c[1:] for c in on_cpu]
    with pytest.raises(NotImplementedError, match="a program for tpu cannot call Python functions"):
        lower_module(jaxpr, "tpu")


@pytest.mark.parametrize("given, asked", [
    ("float64", "float32"), ("complex64", "complex128"), ("int16", "float32"), ("int32", "int64"),
    ("float16", "bfloat16"), ("int8", "float64"),
])  # fmt: skip
def test_products_that_accelerators_lack_are_made_of_those_that_they_have(given: str, asked: str):
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(-9, 9, (4, 4)).astype(given) for _ in range(2))
    dot = DotGeneral(((1,), (0,)), preferred_element_type=np.dtype(asked))
    (found,) = run(dot, "cuda", x, y)
    close(found, dot.impl(x, y), 1e-6, 1e-6)
    text = lower_module(program(dot, [x.shape, y.shape], x.dtype), "cuda").text
    (line,) = [one for one in text.splitlines() if "stablehlo.dot_general" in one]
    assert len(set(re.findall(r"tensor<4x4x(.*?)>", line))) == 1


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int64"])
def test_convolutions_of_integers(dtype: str):
    x, y = np.array([[[100, 100, 3, 7]]], dtype), np.array([[[3, 2]]], dtype)
    jaxpr = dx.jit(lambda x, y: dx.lax.conv(x, y, (1,), "VALID")).trace(x, y).jaxpr
    module = lower_module(jaxpr, "cuda")
    assert bool(module.functions) == (dtype == "int64")
    here = module._replace(text=module.text.replace("python_gpu", "python_cpu"))
    close(run_module(jaxpr, here, [Array(x), Array(y)])[0], dx.lax.conv(x, y, (1,), "VALID"))
