"""Reverse mode through loops of unknown length, and through scans with checkpoints."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.programs.checkpointing import LEAF, distances

jax.config.update("jax_enable_x64", True)


def by_while(x, n, checkpoints=None):
    """A loop of traced length."""
    step = lambda c: (c[0] + 1, dx.numpy.sin(c[1]) * 1.1 + x * c[0])
    return dx.lax.while_loop(lambda c: c[0] < n, step, (0, x), checkpoints=checkpoints)[1]


def by_python(x, n):
    """The same, unrolled."""
    y = x
    for i in range(n):
        y = jax.numpy.sin(y) * 1.1 + x * i
    return y


compiled = {k: dx.jit(dx.grad(lambda x, n, k=k: by_while(x, n, k))) for k in (4, 5, 8, 128)}
reference = jax.jit(
    jax.grad(
        lambda x, n: jax.lax.scan(
            lambda c, i: (jax.numpy.where(i < n, jax.numpy.sin(c) * 1.1 + x * i, c), None),
            x,
            jax.numpy.arange(6000),
        )[0]
    )
)


@settings(deadline=None, max_examples=60)
@given(st.integers(-1, 6000), st.sampled_from(sorted(compiled)))
def test_any_length_with_any_number_of_checkpoints(n: int, checkpoints: int):
    np.testing.assert_allclose(compiled[checkpoints](0.7, n), reference(0.7, n), rtol=1e-8)


@pytest.mark.parametrize("n", [0, 1, 2, LEAF, LEAF + 1, 3 * LEAF])
def test_eager(n: int):
    np.testing.assert_allclose(dx.grad(by_while)(0.7, n), jax.grad(by_python)(0.7, n), rtol=1e-10)


def test_second_derivatives():
    f = lambda x: by_while(x, 6, 4)
    expected = jax.grad(jax.grad(by_python))(0.7, 6)
    hessians = (
        dx.grad(dx.grad(f)),
        dx.hessian(f),
        dx.jacfwd(dx.jacfwd(f)),
        dx.jit(dx.grad(dx.grad(f))),
    )
    for h in hessians:
        np.testing.assert_allclose(h(0.7), expected, rtol=1e-10)


def test_rows_that_end_at_different_times():
    x, n = np.linspace(0.1, 0.9, 5), np.array([0, 3, 50, 7, 1])
    expected = [jax.grad(by_python)(a, int(m)) for a, m in zip(x, n)]
    for f in (dx.vmap(dx.grad(by_while)), dx.jit(dx.vmap(dx.grad(by_while)))):
        np.testing.assert_allclose(f(x, n), expected, rtol=1e-9)
    total = lambda x: dx.numpy.sum(dx.vmap(by_while)(x, n))
    np.testing.assert_allclose(dx.grad(total)(x), expected, rtol=1e-9)
    np.testing.assert_allclose(dx.jit(dx.grad(total))(x), expected, rtol=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoints", [4, 7, 64])
@pytest.mark.parametrize("length", [1, 33, 200])
@pytest.mark.sampled(3)
def test_scan_with_checkpoints(length: int, checkpoints: int, reverse: bool):
    rng = np.random.default_rng(0)
    w, h, xs = rng.normal(size=(3, 3)) / 2, rng.normal(size=3), rng.normal(size=(length, 3))

    def loss(lib, **options):
        def fun(w, h, xs):
            step = lambda h, x: ((new := lib.numpy.tanh(w @ h + x)), (new * x, 1))
            end, (ys, _) = lib.lax.scan(step, h, xs, reverse=reverse, **options)
            return lib.numpy.sum(end) + lib.numpy.sum(ys**2)

        return lib.grad(fun, (0, 1, 2))

    expected = loss(jax)(w, h, xs)
    for f in (loss(dx, checkpoints=checkpoints), dx.jit(loss(dx, checkpoints=checkpoints))):
        for a, b in zip(f(w, h, xs), expected):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


def test_a_loop_inside_of_a_scan_whose_length_varies():
    """The condition depends on what varies from step to step, the carry on constants alone."""

    def loss(w, ns):
        power = lambda n: dx.lax.fori_loop(0, n, lambda i, y: y * w, dx.numpy.sin(w))
        return dx.lax.scan(lambda c, n: (c + power(n), None), 0.0, ns)[0]

    plain = lambda w: sum(jax.numpy.sin(w) * w**n for n in range(4))
    for f in (dx.grad(loss), dx.jit(dx.grad(loss))):
        np.testing.assert_allclose(f(0.7, np.arange(4)), jax.grad(plain)(0.7), rtol=1e-12)
    second = dx.jacfwd(dx.grad(loss))(0.7, np.arange(4))
    np.testing.assert_allclose(second, jax.grad(jax.grad(plain))(0.7), rtol=1e-12)


def test_linear_transpose_and_linearize():
    f = lambda x: dx.lax.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, 2.0 * c[1]), (0, x))[1]
    assert float(dx.linear_transpose(f, 1.0)(1.0)[0]) == 32.0
    y, tangent = dx.linearize(lambda x: by_while(x, 9), 0.7)
    np.testing.assert_allclose(tangent(2.0), 2 * jax.grad(by_python)(0.7, 9), rtol=1e-10)
    np.testing.assert_allclose(y, by_python(0.7, 9), rtol=1e-12)


def memory(n: int, checkpoints: int) -> int:
    """Bytes that the compiled gradient of n steps of a loop over 1000 numbers takes for itself."""
    loss = lambda x, n: dx.numpy.sum(by_while(x, n, checkpoints))
    found = dx.jit(dx.grad(loss)).lower(np.ones(1000), n).compile().memory_analysis()
    return found["temp"]


def test_memory_is_that_of_the_slots():
    carry = 8 * 1000
    few, many = memory(10, 16), memory(10, 256)
    assert few < 16 * carry + 16 * carry  # the slots, and what the loops themselves carry
    assert 200 * carry < many - few < 2.5 * 256 * carry


def test_distances_are_binomial():
    table = distances(5)
    assert table[0].tolist() == [1] * table.shape[1]
    assert table[3, :4].tolist() == [1, 4, 10, 20]
    assert np.all(distances(200) >= 1)


def test_a_long_loop():
    """10^5 steps, of which the forward pass alone would keep 10^5 carries in jax."""
    f = lambda x, n: dx.lax.fori_loop(0, n, lambda i, y: y * (1 - 1e-6 * x), x)
    n = 10**5
    x = 1.5
    exact = (1 - 1e-6 * x) ** n - x * n * 1e-6 * (1 - 1e-6 * x) ** (n - 1)
    np.testing.assert_allclose(dx.jit(dx.grad(f))(x, n), exact, rtol=1e-9)
