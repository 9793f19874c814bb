"""Attention, products of quantised arrays, and other late additions to nn and lax; beside jax."""

from __future__ import annotations

import math

import ml_dtypes
import mpmath
import numpy as np
import pytest

import diffeo as dx
from diffeo.lowering.text.module import lower_module
from tests.checks import close, rng
from tests.ways import slopes

dnp, nn, lax = dx.numpy, dx.nn, dx.lax

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


# --------------------------------------------------------------------------------------------------
# Attention

BIAS, MASK = rng(1, 4, 5, 6), rng(2, 1, 5, 6, seed=1) > -0.5
LENGTHS = {
    "query_seq_lengths": np.array([3, 5], np.int32),
    "key_value_seq_lengths": np.array([4, 6], np.int32),
}
HOW = {
    "plain": {}, "causal": {"is_causal": True}, "bias": {"bias": BIAS}, "mask": {"mask": MASK},
    "window": {"local_window_size": (1, 2), "scale": 0.3}, "narrow": {"local_window_size": 1},
    "lengths": LENGTHS,
    "all": {"bias": BIAS, "mask": MASK, "is_causal": True, "return_residual": True, **LENGTHS},
}  # fmt: skip


def operands(dtype, heads=2):
    draw = lambda *shape, seed: rng(*shape, seed=seed).astype(dtype)
    return draw(2, 5, 4, 3, seed=1), draw(2, 6, heads, 3, seed=2), draw(2, 6, heads, 3, seed=3)


@needs_jax
@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-5), ("float32", 1e-4), ("bf16", 2e-2)])
@pytest.mark.parametrize("name", sorted(HOW))
@pytest.mark.sampled(5)
def test_attention_is_jaxs(name, dtype, rtol):
    how, xs = HOW[name], operands(ml_dtypes.bfloat16 if dtype == "bf16" else dtype)
    expected = jax.nn.dot_product_attention(*xs, **how)
    found = [nn.dot_product_attention(*xs, **how)]
    found.append(dx.jit(lambda *xs: nn.dot_product_attention(*xs, **how))(*xs))
    for result in found:
        for a, b in zip(*map(dx.tree.leaves, (result, dx.tree.map(np.asarray, expected)))):
            assert a.dtype == b.dtype
            close(np.asarray(a, float), np.asarray(b, float), rtol, rtol)


def test_attention_is_its_formula():
    q, k, v = operands(float, heads=4)
    scores = np.einsum("btnh,bsnh->bnts", q, k) / math.sqrt(3) + BIAS
    scores = np.where(MASK, scores, -np.inf)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.einsum("bnts,bsnh->btnh", weights, v)
    f = lambda q, k, v, b: nn.dot_product_attention(q, k, v, b, MASK)
    close(f(q, k, v, BIAS), expected)
    one = lambda q, k, v, m: nn.dot_product_attention(q, k, v, BIAS[0], m)
    close(dx.vmap(one)(q, k, v, MASK), expected)
    for i, x in enumerate((q, k, v, BIAS)):
        rest = [q, k, v, BIAS]
        slopes(lambda x, i=i, rest=rest: f(*rest[:i], x, *rest[i + 1 :]), x)


def test_attention_refuses_what_does_not_fit():
    q, k, v = operands(float)
    attend = nn.dot_product_attention
    for call, message in (
        (lambda: attend(q, k[..., :2], v), "of one dtype, with N a multiple of K"),
        (lambda: attend(q, k, v.astype("float32")), "of one dtype"),
        (lambda: attend(q, k, v, np.ones((3, 1, 5, 6))), r"bias must broadcast to"),
        (lambda: attend(q, k, v, mask=np.ones((1, 1, 5, 6))), "mask must be boolean"),
        (lambda: attend(q, k, v, key_value_seq_lengths=np.ones(3, int)), "must be 2 integers"),
        (lambda: attend(q, k, v, implementation="flash"), "implementation must be one of"),
        (lambda: attend(q[0, 0], k, v), "query needs 3 or 4 axes"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NotImplementedError, match="implementation='cudnn'"):
        attend(q, k, v, implementation="cudnn")


# --------------------------------------------------------------------------------------------------
# Few bits


def held(x, mode):
    """A matrix as blocks with scales hold it, by NumPy and ml_dtypes."""
    config = nn.get_scaled_dot_general_config(mode)
    blocks = x.reshape(*x.shape[:-1], -1, config.block_size)
    largest = np.float32(ml_dtypes.finfo(config.data_type).max)
    scale = np.abs(blocks).max(-1, keepdims=True) / largest
    if mode == "mxfp8":
        scale = np.exp2(np.ceil(np.log2(scale.astype(float)))).astype("float32")
    else:
        scale = scale.astype(config.scale_type).astype("float32")
    numbers = np.clip(blocks / scale, -largest, largest).astype(config.data_type)
    return (numbers.astype("float32") * scale).reshape(x.shape)


@pytest.mark.parametrize("mode", ["mxfp8", "nvfp4"])
def test_scaled_dot_general(mode):
    x, y = (rng(2, 32, 64, seed=s).astype("float32") for s in (1, 2))
    configs = [nn.get_scaled_dot_general_config(mode)] * 3
    numbers = ((2,), (2,)), ((0,), (0,))
    f = lambda x, y: nn.scaled_dot_general(x, y, numbers, configs=configs)
    expected = np.einsum("bmk,bnk->bmn", held(x, mode), held(y, mode))
    close(f(x, y), expected, 1e-5, 1e-4)
    close(dx.jit(f)(x, y), expected, 1e-5, 1e-4)
    g = rng(2, 32, 32, seed=3).astype("float32")
    pulled = dx.grad(lambda x, y: dnp.sum(f(x, y) * g), (0, 1))(x, y)
    turned = np.ascontiguousarray(g.swapaxes(1, 2))
    if mode == "mxfp8":
        of = lambda a, b: held(a, mode) @ held(b, mode).swapaxes(1, 2)
        rows = lambda v: np.ascontiguousarray(v.swapaxes(1, 2))
        wanted = of(g, rows(y)), of(turned, rows(x))
    else:
        wanted = g @ y, turned @ x
    close(pulled, wanted, 1e-4, 1e-3)
    plain = nn.scaled_dot_general(x, y, numbers)
    close(plain, np.einsum("bmk,bnk->bmn", x, y), 1e-4, 1e-4)


def test_scaled_matmul():
    a, b = rng(2, 3, 8), rng(2, 5, 8, seed=1)
    u, v = rng(2, 3, 4, seed=2), rng(2, 5, 4, seed=3)
    wide = lambda x, s: x * np.repeat(s, 2, -1)
    expected = np.einsum("bmk,bnk->bmn", wide(a, u), wide(b, v))
    f = lambda *xs: nn.scaled_matmul(*xs, preferred_element_type="float64")
    close(f(a, b, u, v), expected)
    slopes(lambda u: f(a, b, u, v), u)
    with pytest.raises(ValueError, match="scaled_matmul: expects"):
        nn.scaled_matmul(a, b, u, v[..., :3])
    with pytest.raises(ValueError, match="needs a multiple of 32"):
        configs = [nn.get_scaled_dot_general_config("mxfp8")] * 3
        nn.scaled_dot_general(a, b, (((2,), (2,)), ((0,), (0,))), configs=configs)


@needs_jax
def test_scaled_dot_is_jaxs():
    x, y = (rng(*s).astype("float32") for s in ((2, 3, 8), (2, 8, 5)))
    u, v = np.abs(rng(2, 3, 2)) + 0.5, np.abs(rng(2, 4, 5)) + 0.5
    how = {"lhs_scale": u, "rhs_scale": v}
    for dtype in ("float32", None):
        expected = jax.lax.scaled_dot(x, y, **how, preferred_element_type=dtype)
        found = lax.scaled_dot(x, y, **how, preferred_element_type=dtype)
        assert found.dtype == expected.dtype
        close(np.asarray(found, float), np.asarray(expected, float), 1e-2)
    with pytest.raises(TypeError, match="rhs_scale must have the shape"):
        lax.scaled_dot(x, y, rhs_scale=v[:, :3])


# --------------------------------------------------------------------------------------------------
# Elements, weights, platforms


def test_log1mexp():
    x = np.array([1e-300, 1e-9, 0.1, math.log(2), 0.7, 3.0, 40.0, 800.0])
    with mpmath.workdps(400):
        expected = [float(mpmath.log(1 - mpmath.exp(-mpmath.mpf(v)))) for v in x]
        slope = [float(1 / mpmath.expm1(mpmath.mpf(v))) for v in x]
    close(nn.log1mexp(x), np.array(expected))
    close(dx.vmap(dx.grad(nn.log1mexp))(x), np.array(slope))
    slopes(nn.log1mexp, np.abs(rng(7)) + 0.1)
    beyond = dx.jit(nn.log1mexp)  # compiled, as NumPy would warn
    assert beyond(0.0) == -math.inf and np.isnan(beyond(-1.0))


def test_sparse_activations():
    x = np.array([-3.0, -0.7, 0.2, 0.9, 2.0])
    close(nn.sparse_plus(x), np.where(x > 1, x, np.where(x < -1, 0, (x + 1) ** 2 / 4)))
    close(dx.vmap(dx.grad(nn.sparse_plus))(x), np.asarray(nn.sparse_sigmoid(x)))
    slopes(nn.sparse_plus, x)
    slopes(lambda x: nn.sparse_sigmoid(x) ** 2, x)


@needs_jax
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (3, 2, 4)])
def test_orthogonal_weights_are_jaxs(shape):
    for axis in (-1, 0):
        theirs = jax.nn.initializers.orthogonal(2.0, axis)(jax.random.key(3), shape, "float64")
        found = nn.initializers.orthogonal(2.0, axis)(dx.random.key(3), shape, "float64")
        close(found, np.asarray(theirs), 1e-9, 1e-12)
    if len(shape) > 2:
        theirs = jax.nn.initializers.delta_orthogonal()(jax.random.key(3), shape, "float64")
        found = nn.initializers.delta_orthogonal()(dx.random.key(3), shape, "float64")
        close(found, np.asarray(theirs), 1e-9, 1e-12)
    else:
        with pytest.raises(ValueError, match="delta_orthogonal: needs 3 to 5 axes"):
            nn.initializers.delta_orthogonal()(dx.random.key(3), shape)


def test_platform_dependent():
    f = lambda x: lax.platform_dependent(
        x, cpu=lambda x: x**3, cuda=lambda x: x * 3, default=lambda x: -x
    )
    for g in (f, dx.jit(f)):
        close(g(3.0), np.array(27.0))
    slopes(f, rng(3))
    close(dx.vmap(f)(np.arange(3.0)), np.arange(3.0) ** 3)
    program = dx.make_jaxpr(f)(3.0)
    index = {"cpu": 0, "cuda": 1, "tpu": 2}
    for platform, i in index.items():
        text = lower_module(program, platform).text
        assert f"value = dense<{i}> : tensor<i32>" in text
    with pytest.raises(NotImplementedError, match="nothing for the platform 'cpu'"):
        lax.platform_dependent(1.0, tpu=lambda x: x)
    with pytest.raises(ValueError, match="'cuda' or 'rocm'"):
        lax.platform_dependent(1.0, gpu=lambda x: x)


def test_composite():
    def power(x, /, *, n):
        return x**n

    named = lax.composite(power, "my.power", version=1)
    close(dx.grad(lambda x: named(x, n=3))(2.0), np.array(12.0))
    with pytest.raises(dx.errors.UnexpectedTracerError, match="n is traced"):
        dx.jit(lambda x: named(x, n=x))(2.0)
