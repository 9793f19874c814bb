"""Programs are compiled for an NVIDIA GPU, by its own compiler, on a machine that has none.

The plugin's wheels hold the compiler, and it takes a description of a GPU in place of one. So what
is tested is all but the numbers: that the compiler takes every operation that diffeo writes, and
that linear algebra, convolutions and calls of Python end in kernels that are registered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo import lax
from diffeo import numpy as dnp
from diffeo.lowering import compat
from diffeo.lowering.devices import cuda, plugins
from diffeo.lowering.text.module import lower_module
from diffeo.primitives import stage
from diffeo.primitives.jaxpr import Jaxpr, eliminate_dead_code
from diffeo.primitives.types import ShapedArray
from tests.samples import SAMPLES, Sample

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        cuda.library() is None,
        reason="the CUDA plugin is not installed: pip install --no-deps "
        f"jax-cuda13-pjrt=={compat.version} jax-cuda13-plugin=={compat.version}",
    ),
]

#: What the compiler wants to know of a GPU: here an H100.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: 84978434048 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 12 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


@pytest.fixture(scope="module")
def compiled() -> Callable[[Jaxpr], str]:
    """A program's machine code for an H100, of which the compiler shows its last intermediate
    form.
    """
    jaxlib, (ir, context) = compat._jax, compat._mlir()
    topology = jaxlib.get_c_api_topology(
        plugins.load("cuda"), "", {"target_config": H100, "topology": "1x1x1"}
    )
    (device,) = topology._make_compile_only_devices()
    assert (topology.platform, device.device_kind) == ("cuda", "NVIDIA H100 80GB HBM3")

    def compile_(jaxpr: Jaxpr) -> str:
        text = lower_module(eliminate_dead_code(jaxpr), "cuda").text
        assert "lapack_" not in text
        with context:
            module = ir.Module.parse(text)
        options = compat.compile_options(device, {})
        made = device.client.compile(module, compat.device_list(device), options)
        assert len(made.serialize()) > 0
        return made.hlo_modules()[0].to_string()

    return compile_


def floats(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(dtype)


def mlp(params: Any, x: Any) -> Any:
    for w, b in params:
        x = dnp.tanh(x @ w + b)
    return dnp.mean(x**2)


def cnn(params: Any, x: Any) -> Any:
    for w in params:
        x = dx.nn.relu(lax.conv(x, w, (2, 2), "SAME"))
    return dnp.mean(x**2)


def transformer(params: Any, x: Any) -> Any:
    wq, wk, wv, w1, w2 = params
    normal = (x - dnp.mean(x, -1, keepdims=True)) / (dnp.std(x, -1, keepdims=True) + 1e-5)
    q, k, v = normal @ wq, normal @ wk, normal @ wv
    scores = dx.nn.softmax(q @ dnp.swapaxes(k, -1, -2) / 8.0)
    return dnp.mean((x + dx.nn.gelu((scores @ v) @ w1) @ w2) ** 2)


def step(fun: Callable) -> Callable:
    """A step of gradient descent."""

    def update(params: Any, x: Any) -> Any:
        loss, grads = dx.value_and_grad(fun)(params, x)
        return loss, dx.tree.map(lambda p, g: p - 0.1 * g, params, grads)

    return update


def wave(x: Any) -> Any:
    return dnp.tanh(dnp.sin(x) * x)


def iterate(x: Any, count: Any) -> Any:
    """Loops and a conditional, of a length that is known and of one that is not."""
    x, _ = lax.scan(lambda c, _: (dnp.sin(c), c), x, None, length=10)
    x = lax.fori_loop(0, count, lambda i, c: c * 0.9 + i, x)
    return lax.cond(dnp.sum(x) > 0, dnp.cos, dnp.sin, x)


def calls_python(x: Any) -> Any:
    dx.debug.print("{}", x)
    return dx.pure_callback(np.sin, x, x)


SQUARE, LAYERS = floats(50, 50, dtype=float), [(floats(64, 64), floats(64)) for _ in range(3)]

#: (a function, its arguments, a kernel that must be called)
PROGRAMS: dict[str, tuple[Callable, tuple, str]] = {
    "dot-float32": (lambda a: a @ a, (floats(256, 256),), ""),
    "dot-float64": (lambda a: a @ a, (floats(256, 256, dtype=float),), ""),
    "dot-bfloat16": (lambda a: a @ a, (floats(256, 256, dtype=ml_dtypes.bfloat16),), ""),
    "mlp": (step(mlp), (LAYERS, floats(32, 64)), ""),
    "cnn": (step(cnn), ([floats(8, 3, 3, 3), floats(8, 8, 3, 3)], floats(4, 3, 32, 32)), "__cudnn"),
    "transformer": (step(transformer), ([floats(64, 64)] * 5, floats(2, 16, 64)), ""),
    "taylor": (lambda x: dx.derivatives(wave, x, 6), (np.float32(0.5),), ""),
    "laplacian": (dx.vmap(dx.laplacian(lambda x: dnp.sum(wave(x)))), (floats(8, 4),), ""),
    "hessian": (dx.hessian(lambda x: dnp.sum(wave(x) ** 2)), (floats(5),), ""),
    "fft": (lambda x: dnp.fft.irfft(dnp.fft.rfft(x) * 2), (floats(8, 64),), "fft_type=RFFT"),
    "fft-2d": (lambda x: dnp.fft.fft2(x), (floats(8, 8, dtype=complex),), "fft_type=FFT"),
    "normal": (lambda k: dx.random.normal(k, (1000,)), (dx.random.key(0),), ""),
    "keys": (lambda k: dx.random.uniform(dx.random.split(k, 4)[2]), (dx.random.key(0),), ""),
    "sort": (lambda x: dnp.sort(x), (floats(100),), ""),
    "argsort": (lambda x: dnp.argsort(x), (floats(5000),), ""),
    "top_k": (lambda x: lax.top_k(x, 5), (floats(100),), ""),
    "scatter": (dx.grad(lambda x, i: dnp.sum(x[i] ** 2)), (floats(9), np.array([1, 1, 4])), ""),
    "iterate": (iterate, (floats(4), 7), ""),
    "iterate-gradient": (dx.grad(lambda x: dnp.sum(iterate(x, 3))), (floats(4),), ""),
    "python": (calls_python, (floats(4),), "xla_ffi_python_gpu_callback"),
    "solve": (dx.grad(lambda a: dnp.sum(dnp.linalg.solve(a, a + 1))), (SQUARE,),
              "cusolver_getrf_ffi"),
    "triangular": (lambda a: dx.scipy.linalg.solve_triangular(a, a), (SQUARE,),
                   "__cublas$triangularSolve"),
    "cholesky": (dx.grad(lambda a: dnp.sum(dnp.linalg.cholesky(a))), (SQUARE,),
                 "cusolver_potrf_ffi"),
    "qr": (dx.grad(lambda a: dnp.sum(dnp.linalg.qr(a)[0])), (SQUARE,), "cusolver_geqrf_ffi"),
    "eigh": (dx.grad(lambda a: dnp.sum(dnp.linalg.eigh(a)[1] ** 3)), (SQUARE,),
             "cusolver_syevd_ffi"),
    "svd": (dx.grad(lambda a: dnp.sum(dnp.linalg.svd(a)[0] ** 3)), (SQUARE,),
            "cusolver_gesvdj_ffi"),
    "svd-large": (lambda a: dnp.linalg.svd(a, full_matrices=False), (floats(1100, 30),),
                  "cusolver_gesvd_ffi"),
    "eig": (lambda a: dnp.linalg.eig(a), (SQUARE,), "cuhybrid_eig_real"),
    "schur": (lambda a: dx.scipy.linalg.schur(a), (SQUARE,), "xla_ffi_python_gpu_callback"),
    "sqrtm": (lambda a: dx.scipy.linalg.sqrtm(a), (SQUARE,), "xla_ffi_python_gpu_callback"),
    "det": (dx.grad(lambda a: dnp.linalg.slogdet(a)[1]), (SQUARE,), "cu_lu_pivots_to_permutation"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(compiled, name: str):
    fun, args, kernel = PROGRAMS[name]
    assert kernel in compiled(dx.jit(fun).trace(*args).jaxpr)


def representatives() -> list[Sample]:
    """The first sample of every primitive, and all of those for which kernels are chosen by
    platform; not of `device_put`, which is to a processor and refuses.
    """
    found: dict[str, Sample] = {}
    for sample in SAMPLES:
        page = type(sample.primitive).__module__.rpartition(".")[2]
        chosen = page in ("linalg", "qr", "spectral", "schur", "hessenberg", "tridiagonal_solve")
        found.setdefault(sample.name if chosen else sample.primitive.name, sample)
    return [sample for sample in found.values() if sample.primitive.name != "device_put"]


@pytest.mark.parametrize("sample", representatives(), ids=repr)
def test_primitives(compiled, sample: Sample):
    def fun(*xs: Any) -> list[Any]:
        operands = list(sample.args)
        for i, x in zip(sample.arrays, xs):
            operands[i] = x
        return sample.bind(*operands)

    arrays = [sample.args[i] for i in sample.arrays]
    types = [ShapedArray(np.shape(a), a.dtype) for a in arrays]
    assert compiled(stage(fun, types, sample.primitive.name)).startswith("HloModule")
