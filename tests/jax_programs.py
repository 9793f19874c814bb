"""Programs of jax's for the tests of the converters: for each kind of primitive at least one.

`PROGRAMS` has for each name a function that jax can trace, and its arguments. Only loaded where jax
is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from jax.ad_checkpoint import checkpoint_name
from jax.scipy import linalg, special

_rng = np.random.default_rng(0)
m = _rng.uniform(0.2, 0.9, (4, 4))
v = _rng.uniform(0.2, 0.9, 4)
spd = m @ m.T + 4 * np.eye(4)
c = v + 1j * v[::-1]
some = np.array([0, 2, 9])
twice = np.array([0, 0])


@jax.custom_jvp
def tripled(a, b):
    return jnp.sin(a) * b


tripled.defjvp(lambda p, t: (tripled(*p), 3 * t[0] * p[1] + t[1]))


@jax.custom_vjp
def backwards(a, b):
    return jnp.sin(a) * b


backwards.defvjp(
    lambda a, b: (backwards(a, b), (a, b)), lambda r, g: (3 * g * r[1], g * jnp.cos(r[0]))
)


def key_loop(key):
    step = lambda k, _: (jax.random.split(k)[0], jax.random.normal(k))
    return lax.scan(step, key, None, length=3)[1]


def windows(combine, start, padding="VALID"):
    return lambda x: lax.reduce_window(x, start, combine, (2, 2), (1, 1), padding)


max_pool = windows(lax.max, -np.inf)
key = lambda: jax.random.key(0)
rbg = lambda: jax.random.key(0, impl="rbg")
attend = lambda q: nn.dot_product_attention(*[q[None, :, None]] * 3)
keep_a = jax.checkpoint_policies.save_only_these_names("a")
keep_dots = jax.checkpoint_policies.dots_saveable

PROGRAMS: dict[str, tuple[Callable, ...]] = {
    # matrices
    "svd": (lambda x: jnp.linalg.svd(x)[1], m),
    "svd vectors": (lambda x: abs(jnp.linalg.svd(x, full_matrices=False)[0]), m),
    "eigh": (lambda x: jnp.linalg.eigh(x + x.T)[0], m),
    "qr": (lambda x: jnp.linalg.qr(x)[1], m),
    "solve": (jnp.linalg.solve, m, v),
    "inv": (jnp.linalg.inv, m),
    "slogdet": (lambda x: jnp.linalg.slogdet(x)[1], m),
    "cholesky": (jnp.linalg.cholesky, spd),
    "eig": (lambda x: jnp.linalg.eigvals(x).real.sum(), m),
    "pinv": (jnp.linalg.pinv, m),
    "expm": (linalg.expm, m),
    "lu": (lambda x: linalg.lu_factor(x)[0], m),
    "triangular_solve": (lambda x, b: linalg.solve_triangular(x, b, lower=True), spd, v),
    "schur": (lambda x: abs(linalg.schur(x)[0]).sum(), spd),
    "hessenberg": (lambda x: lax.linalg.hessenberg(x)[0], m),
    "tridiagonal_solve": (
        lambda d: lax.linalg.tridiagonal_solve(0 * d, d, 0 * d, d[:, None] ** 3), v,
    ),
    "symmetric_product": (lambda x: lax.linalg.symmetric_product(x, x), m),
    "householder_product": (lambda x, t: lax.linalg.householder_product(x, t), m, v),
    # programs
    "scan": (lambda a, x: lax.scan(lambda s, y: (jnp.sin(s + y), s * y), a, x), v[0], v),
    "scan backwards": (
        lambda a, x: lax.scan(lambda s, y: (jnp.sin(s + y), s * y), a, x, reverse=True), v[0], v,
    ),
    "while": (
        lambda x: lax.while_loop(
            lambda s: s[1] < 3, lambda s: (jnp.sin(s[0]), s[1] + 1), (x, 0)
        )[0],
        v,
    ),
    "fori": (lambda x: lax.fori_loop(0, 3, lambda i, s: s * x + i, x), v),
    "cond": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), v),
    "switch": (lambda x: lax.switch(2, [jnp.sin, jnp.cos, jnp.tan], x), v),
    "map": (lambda x: lax.map(jnp.sin, x), v),
    "associative_scan": (lambda x: lax.associative_scan(jnp.multiply, x), v),
    "linear_solve": (
        lambda a, b: lax.custom_linear_solve(
            lambda x: a @ x, b, lambda _, y: jnp.linalg.solve(a, y),
            lambda _, y: jnp.linalg.solve(a.T, y),
        ),
        m, v,
    ),
    "root": (
        lambda a: lax.custom_root(
            lambda y: y * y - a, a, lambda f, x: jnp.sqrt(a), lambda g, y: y / g(1.0)
        ),
        v[0],
    ),
    "remat": (jax.checkpoint(lambda x: jnp.sin(jnp.sin(x))), v),
    "remat names": (
        jax.checkpoint(lambda x: jnp.sin(x @ x) * checkpoint_name(jnp.cos(x), "a"), policy=keep_a),
        v,
    ),
    "remat dots": (jax.checkpoint(lambda x: jnp.sin(x @ x), policy=keep_dots), v),
    "custom_jvp": (tripled, v, v),
    "custom_vjp": (backwards, v, v),
    "grad inside": (lambda x: jax.grad(lambda y: jnp.sum(jnp.tanh(y) ** 3))(x), v),
    "hessian inside": (lambda x: jax.hessian(lambda y: jnp.sum(jnp.tanh(y) ** 3))(x), v),
    "psum": (lambda x: jax.vmap(lambda a: a / lax.psum(a, "i"), axis_name="i")(x), v),
    "stop_gradient": (lambda x: x * lax.stop_gradient(x), v),
    "barrier": (lambda x: lax.optimization_barrier(x) * 2, v),
    # nn
    "relu": (nn.relu, v - 0.5),
    "gelu": (nn.gelu, v),
    "softmax": (nn.softmax, m),
    "attention": (attend, m),
    "conv": (lambda x: lax.conv(x[None, None], x[None, None], (1, 1), "SAME"), m),
    # random
    "normal": (lambda k: jax.random.normal(k, (3,)), key()),
    "raw key": (lambda k: jax.random.normal(k, (3,)), jax.random.PRNGKey(0)),
    "split": (lambda k: jax.vmap(jax.random.normal)(jax.random.split(k, 3)), key()),
    "fold_in": (lambda k: jax.random.uniform(jax.random.fold_in(k, 3)), key()),
    "gamma": (jax.random.gamma, key(), v),
    "beta": (lambda k, a: jax.random.beta(k, a, a), key(), v),
    "rbg": (lambda k: jax.random.normal(k, (3,)), rbg()),
    "permutation": (lambda k: jax.random.permutation(k, 5), key()),
    "choice": (lambda k, x: jax.random.choice(k, x, (3,)), key(), v),
    "categorical": (lambda k, x: jax.random.categorical(k, x, shape=(3,)), key(), v),
    "seed": (lambda n: jax.random.normal(jax.random.key(n)), np.int64(3)),
    "keys in a scan": (key_loop, key()),
    # callbacks
    "pure_callback": (
        lambda x: jax.pure_callback(np.sin, x, lax.stop_gradient(x), vmap_method="sequential"), v,
    ),
    # orders, windows, reductions
    "sort": (jnp.sort, v),
    "argsort": (jnp.argsort, v),
    "top_k": (lambda x: lax.top_k(x, 2), v),
    "approx_max_k": (lambda x: lax.approx_max_k(x, 2), v),
    "unique": (lambda x: jnp.unique(x, size=2), v),
    "max_pool": (max_pool, m),
    "sum_pool": (windows(lax.add, 0.0, "SAME"), m),
    "prod_pool": (windows(lax.mul, 1.0), m),
    "max_pool gradient": (lambda x: jax.grad(lambda y: (max_pool(y) ** 2).sum())(x), m),
    "max_pool tangent": (lambda x: jax.jvp(max_pool, (x,), (x,)), m),
    "reduce": (lambda x: lax.reduce(x, 1.0, lambda a, b: a * b, (0,)), v),
    "argmax": (lambda x: jnp.argmax(x, 1), m),
    "cumsum": (jnp.cumsum, v),
    "cumprod": (jnp.cumprod, v),
    "cummax": (lambda x: lax.cummax(x, reverse=True), v),
    "cumlogsumexp": (lax.cumlogsumexp, v),
    "quantile": (lambda x: jnp.quantile(x, 0.3), v),
    "histogram": (lambda x: jnp.histogram(x, 4)[0], v),
    # products, transforms
    "fft": (lambda x: jnp.abs(jnp.fft.fft(x)), v),
    "irfft2": (lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x)), m),
    "einsum": (lambda x: jnp.einsum("ij,jk->ki", x, x), m),
    "ragged_dot": (lambda x: lax.ragged_dot(x, x[None], np.array([4])), m),
    "convolve": (lambda x: jnp.convolve(x, x), v),
    # places
    "gather": (lambda x: x[some], v),
    "scatter_add": (lambda x: x.at[twice].add(x[:2]), v),
    "scatter": (lambda x: x.at[1].set(2.0), v),
    "scatter_apply": (lambda x: x.at[some[:2]].apply(jnp.sin), v),
    "scatter_mul": (lambda x: x.at[some[:1]].mul(2.0), v),
    "scatter_max": (lambda x: x.at[some[:1]].max(0.5), v),
    "dynamic_slice": (lambda x: lax.dynamic_slice(x, (1,), (2,)), v),
    "dynamic_update": (lambda x: lax.dynamic_update_slice(x, x[:2] ** 2, (1,)), v),
    "parts": (lambda x: jnp.split(x, 2), v),
    "pad": (lambda x: lax.pad(x, 0.0, [(1, 1, 1)]), v),
    "reflect": (lambda x: jnp.pad(x, 1, mode="reflect"), v),
    "tril": (jnp.tril, m),
    "resize": (lambda x: jax.image.resize(x, (2, 3), "linear"), m),
    "interp": (lambda x: jnp.interp(0.5, jnp.sort(x), x), v),
    # elements
    "clamp": (lambda x: lax.clamp(0.3, x, 0.7), v),
    "where": (lambda x: jnp.where(x > 0.5, x, -x), v),
    "select_n": (lambda x: lax.select_n(np.array([0, 1, 2, 0]), x, 2 * x, 3 * x), v),
    "betainc": (lambda x: special.betainc(0.7, 1.3, x), v),
    "gammainc": (lambda x: special.gammainc(0.7, x), v),
    "polygamma": (lambda x: special.polygamma(1, x), v),
    "zeta": (lambda x: special.zeta(x + 1, 0.5 + np.zeros(4)), v),
    "i0": (special.i0, v),
    "erf": (lambda x: special.erf(x) + special.erfc(x) ** 2 + special.erfinv(x), v),
    "power": (lambda x: x**x, v),
    "integer power": (lambda x: x**3, v),
    "logsumexp": (special.logsumexp, v),
    "norm": (jnp.linalg.norm, v),
    "complex": (lambda x: jnp.abs(x + 1j * x) ** 2, v),
    "conj": (lambda x: (jnp.conj(x * 1j) * x).imag, v),
    "bits": (lambda x: lax.population_count(x) ^ lax.clz(x) << 1, np.arange(4)),
    "bitcast": (lambda x: lax.bitcast_convert_type(x, jnp.int64), v),
    "half": (lambda x: x.astype(jnp.bfloat16) * 2, v),
    "reduce_precision": (lambda x: lax.reduce_precision(x, 8, 7), v),
    "round": (lambda x: lax.round(3 * x) + jnp.round(3 * x) + jnp.floor(5 * x), v),
}  # fmt: skip

#: Programs whose first derivative is not compared, with the reason.
NO_GRADIENT = {
    "while": "jax has no reverse mode through while",
    "prod_pool": "jax has none",
    "scatter_apply": "jax has none",
    "tridiagonal_solve": "jax's rule is of newer versions",
    "hessenberg": "jax has none",
    "schur": "jax has none",
    "householder_product": "jax has none in some versions",
    "cummax": "ties",
    "half": "seven bits",
    "symmetric_product": "jax has none",
}

#: Programs that jax does not batch.
NO_VMAP = {"ragged_dot": "jax has no such batch"}


def floats(args: tuple[Any, ...]) -> list[int]:
    """The positions of the arguments that have a derivative."""
    return [i for i, a in enumerate(args) if getattr(a, "dtype", None) == np.float64]
