"""Rules of one's own, loops and conditionals, nested at random: to second order, and in every mode,
they are what the same function without the rules is. Each rule states the derivative that there is.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import diffeo as dx

lax, dnp = dx.lax, dx.numpy
AT = (0.4, 0.8)

# -- Rules --


def by_jvp(f):
    g = dx.custom_jvp(f)
    g.defjvp(lambda primals, tangents: (g(*primals), dx.jvp(f, primals, tangents)[1]))
    return g


def by_vjp(f, change=lambda p, x, ct: ct):
    """`change` does to a cotangent what is nothing in the end."""
    g = dx.custom_vjp(f)
    pull = lambda kept, ct: dx.vjp(f, *kept)[1](change(*kept, ct))
    g.defvjp(lambda p, x: (g(p, x), (p, x)), pull)
    return g


def closing_over(f):
    """Of one argument; the rules close over the other."""

    def h(p, x):
        def pull(kept, ct):
            return dx.vjp(lambda x: f(p, x), kept)[1](ct)

        g = dx.custom_vjp(lambda x: f(p, x))
        g.defvjp(lambda x: (f(p, x), x), pull)
        k = dx.custom_jvp(lambda x: f(p, x))
        k.defjvp(lambda primals, tangents: dx.jvp(lambda x: f(p, x), primals, tangents))
        return 0.5 * g(x) + 0.5 * k(x)

    return h


def by_both(f):
    g = dx.custom_rule(f)
    g.jvp(lambda primals, tangents: dx.jvp(f, primals, tangents))
    g.vjp(lambda p, x: (f(p, x), (p, x)), lambda kept, ct: dx.vjp(f, *kept)[1](ct))
    return g


def by_root(f):
    def h(p, x):
        equation = lambda y: y - f(p, x)
        step = lambda equation, y: y - equation(y)
        return lax.custom_root(equation, 0.0 * x, step, lambda g, b: b / g(1.0))

    return h


def by_solve(f):
    def h(p, x):
        a = 2.0 + dnp.sin(p)
        step = lambda mv, b: lambda i, y: y + 0.4 * (b - mv(y))
        solve = lambda mv, b: lax.fori_loop(0, 60, step(mv, b), 0.0 * b)
        return a * lax.custom_linear_solve(lambda y: a * y, f(p, x), solve, symmetric=True)

    return h


RULES = {
    "jvp": by_jvp, "vjp": by_vjp, "both": by_both, "root": by_root,
    "solve": by_solve, "gradient": lambda f: dx.custom_gradient(lambda p, x: dx.vjp(f, p, x)),
    "checkpoint": dx.checkpoint, "jit": dx.jit,
}  # fmt: skip

# -- Loops and conditionals --

ROWS = np.array([0.5, -0.3])
# fmt: off
NESTS = {
    "scan": lambda f: lambda p, x: lax.scan(
        lambda c, s: (dnp.sin(f(p, c)) + s * x, f(c, x)), x, ROWS)[0],
    "slices": lambda f: lambda p, x: lax.scan(
        lambda c, s: (0.5 * c + s, f(p * s, x)), p, ROWS, reverse=True)[1].sum(),
    "fori": lambda f: lambda p, x: lax.fori_loop(0, 2, lambda i, c: dnp.tanh(f(p, c)), x),
    "map": lambda f: lambda p, x: lax.map(lambda s: f(p, s * x), ROWS).sum(),
    "nothing": lambda f: lambda p, x: lax.fori_loop(0, 0, lambda i, c: f(p, c), x) * p
        + lax.map(lambda s: f(p, s), np.zeros(0)).sum(),
    "cond": lambda f: lambda p, x: lax.cond(x > 0.1, f, lambda p, x: p * x * x, p, x),
    "closures": lambda f: lambda p, x: lax.cond(p > x, lambda: f(p, x), lambda: f(x, p)),
    "switch": lambda f: lambda p, x: lax.switch(
        dnp.asarray(2 * x).astype(int),
        [f, lambda p, x: f(p, p) * x, lambda p, x: dnp.sin(x)], p, x),
    "twice": lambda f: lambda p, x: 0.5 * f(f(p, x), x),
    "rows": lambda f: lambda p, x: dx.vmap(f, (None, 0))(p, dnp.stack([x, p * x])).sum(),
}
#: Their derivatives take long to compile.
LOOPS = {
    "while": lambda f: lambda p, x: lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, dnp.cos(f(p, c[1])) * x), (0, x))[1],
    "limit": lambda f: lambda p, x: lax.while_loop(
        lambda c: c < 2 + p, lambda c: c + 0.5 + 0.1 * dnp.sin(f(p, c)) ** 2, x),
    "bounds": lambda f: lambda p, x: lax.fori_loop(
        0, 1 + dnp.asarray(x > 0).astype(int), lambda i, c: dnp.tanh(f(p, c)), x),
    "checkpoints": lambda f: lambda p, x: lax.scan(
        lambda c, s: (dnp.sin(f(p, c)) * s, None), x, ROWS, checkpoints=4)[0],
}
# fmt: on
BASES = (
    lambda p, x: dnp.sin(p * x) + 0.3 * x,
    lambda p, x: p * dnp.tanh(x) + x * x * 0.2,
    lambda p, x: dnp.exp(-x * x) * p,
)

# -- Derivatives --


def first(h):
    return lambda p, x: dnp.stack(dx.grad(h, (0, 1))(p, x))


def twice_reverse(h):
    return first(lambda p, x: first(h)(p, x) @ np.array([0.7, -0.4]))


def forward_of_reverse(h):
    return lambda p, x: dx.jvp(first(h), (p, x), (0.7, -0.4))[1]


def twice_forward(h):
    inner = lambda p, x: dx.jvp(h, (p, x), (0.7, -0.4))[1]
    return lambda p, x: dx.jvp(inner, (p, x), (1.0, 0.5))[1]


def series(h):
    along = lambda p, x: lambda t: h(p + 0.7 * t, x - 0.4 * t)
    return lambda p, x: dnp.stack(dx.derivatives(along(p, x), 0.0, 2))


def each_row(derivative):
    return lambda h: lambda p, x: dx.vmap(derivative(h), (None, 0))(p, dnp.stack([x, -x, p]))


def of_rows(derivative):
    batched = lambda h: lambda p, x: dx.vmap(h, (None, 0))(p, dnp.stack([x, -x, p])).sum()
    return lambda h: derivative(batched(h))


FIRST = {"value": lambda h: h, "first": first, "each row": each_row(first),
         "of rows": of_rows(first)}  # fmt: skip
SECOND = {"twice reverse": twice_reverse, "forward of reverse": forward_of_reverse,
          "twice forward": twice_forward, "series": series,
          "of rows, twice": of_rows(twice_reverse)}  # fmt: skip


def check(f, plain, modes, jit):
    for name, derivative in modes.items():
        expected = derivative(plain)(*AT)
        found = derivative(f)(*AT)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9, err_msg=name)
        if jit:
            found = dx.jit(derivative(f))(*AT)
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9, err_msg=name)


def nest(seed, nests):
    """A function with rules, and the same without."""
    rng = np.random.default_rng(seed)
    f = plain = BASES[rng.integers(len(BASES))]
    for _ in range(rng.integers(2, 4)):
        if rng.random() < 0.5:
            f = list(RULES.values())[rng.integers(len(RULES))](f)
        else:
            around = list(nests.values())[rng.integers(len(nests))]
            f, plain = around(f), around(plain)
    return f, plain


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.sampled(2)
def test_nests_have_the_derivatives_of_what_they_compute(seed):
    f, plain = nest(seed, NESTS)
    check(f, plain, {**FIRST, **SECOND}, jit=seed % 4 == 0)
    h = 1e-5
    steps = [(h, 0.0), (0.0, h)]
    slopes = [(plain(*np.add(AT, s)) - plain(*np.subtract(AT, s))) / (2 * h) for s in steps]
    np.testing.assert_allclose(first(f)(*AT), slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_nests_with_loops_of_unknown_length(seed):
    f, plain = nest(seed, {**NESTS, **LOOPS})
    check(f, plain, {**FIRST, "forward of reverse": forward_of_reverse, "series": series}, True)


@pytest.mark.parametrize("around", NESTS)
def test_rules_that_close_over_traced_values(around):
    f = lambda p, x: closing_over(BASES[0])(p, NESTS[around](BASES[1])(p, x))
    plain = lambda p, x: BASES[0](p, NESTS[around](BASES[1])(p, x))
    check(f, plain, {**FIRST, "forward of reverse": forward_of_reverse}, jit=False)
    modes = {"value": FIRST["value"], "first": first, "forward of reverse": forward_of_reverse}
    check(NESTS[around](closing_over(BASES[0])), NESTS[around](BASES[0]), modes, jit=True)


# -- Loops in backward rules --


def count(p, x, ct):
    step = lambda c: (c[0] + 1, c[1] * dnp.exp((2 * c[0] - 1) * p))
    return lax.while_loop(lambda c: c[0] < 2, step, (0, ct))[1]


def limit(p, x, ct):
    """What the loop computes beside the cotangent is no tangent."""
    step = lambda c: (c[0] + 1, c[1] + 0.5 * ct * x, c[2], c[3] + ct)
    out = lax.while_loop(lambda c: c[0] < 2, step, (0, 0.0 * ct, x, p))
    return out[1] / out[2]


def newton(p, x, ct):
    a = 2 + p * p
    step = lambda y: y - (y * y - a) / (2 * y)
    root = lax.while_loop(lambda y: abs(y * y - a) > 1e-13, step, 2.0)
    return ct * root / dnp.sqrt(a)


def within(p, x, ct):
    inner = lambda c: lax.fori_loop(0, 1 + dnp.asarray(x > 0).astype(int), lambda i, c: c, c)
    return lax.cond(x > 0, inner, lambda c: c, lax.fori_loop(0, 2, lambda i, c: inner(c), ct))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("change", [count, limit, newton, within])
@pytest.mark.sampled(2)
def test_loops_in_backward_rules(change, jit):
    plain = BASES[0]
    f = by_vjp(plain, change)
    if change is limit:  # one argument alone moves; the other is a count of cotangents
        f = by_vjp(plain, lambda p, x, ct: lax.stop_gradient(0.0 * p) * ct + limit(p, x, ct))
    modes = [first, forward_of_reverse]
    modes += [] if change is limit else [twice_forward, series]
    for derivative in modes:
        run = dx.jit(derivative(f)) if jit else derivative(f)
        np.testing.assert_allclose(run(*AT), derivative(plain)(*AT), rtol=1e-9)


# -- Loops of no steps --

NOTHING = {
    "scan": (lambda w, c: sum(dx.tree.leaves(dx.tree.map(dnp.sum, lax.scan(
        lambda c, x: (dnp.sin(w * c) + x.sum(), (c * x, w)), c, np.zeros((0, 3)))))),
        lambda w, c: c + 0.0 * w),
    "reverse": (lambda w, c: lax.scan(lambda c, x: (w * c, c), c, dnp.zeros(0) * w, reverse=True)[0]
                * w, lambda w, c: c * w),
    "checkpoints": (lambda w, c: lax.scan(lambda c, x: (w * c, c), c, np.zeros(0), checkpoints=4)[0]
                    * w, lambda w, c: c * w),
    "map": (lambda w, c: lax.map(lambda x: x * w, np.zeros((0, 2)), batch_size=3).sum() + c,
            lambda w, c: c + 0.0 * w),
    "fori": (lambda w, c: lax.fori_loop(3, -2, lambda i, c: c * w, c) * w, lambda w, c: c * w),
    "bounds": (lambda w, c: lax.fori_loop(0, dnp.asarray(c > 9).astype(int), lambda i, c: c * w, c)
               * w, lambda w, c: c * w),
    "while": (lambda w, c: lax.while_loop(lambda c: c > 9, lambda c: c * w, c) * w,
              lambda w, c: c * w),
}  # fmt: skip
NO_ROWS = {
    "no rows": lambda h: lambda p, x: dx.vmap(h)(np.zeros(0), np.zeros(0)),
    "gradients of no rows": lambda h: lambda p, x: dx.vmap(dx.grad(h))(np.zeros(0), np.zeros(0)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_loops_of_no_steps(name):
    slow = ("bounds", "while")
    modes = {**FIRST, **SECOND, **NO_ROWS}
    for mode, derivative in modes.items():
        if name in slow and mode in ("twice reverse", "of rows", "of rows, twice"):
            continue
        check(*NOTHING[name], {mode: derivative}, jit=name not in slow)


@pytest.mark.parametrize(("indexed", "jit"), [*product((True, False), (dx.jit, lambda f: f))])
def test_no_rows_of_indices(indexed, jit):
    x, i = np.zeros((0, 5)), np.zeros(0, int)
    axes, place = ((0, 0), i) if indexed else ((0, None), 3)
    assert jit(dx.vmap(lambda x, i: x[i] > 0, axes))(x, place).shape == (0,)
    assert jit(dx.vmap(lambda x, i: x.at[i].set(1.0), axes))(x, place).shape == (0, 5)
    assert jit(dx.vmap(dx.grad(lambda x, i: x[i]), axes))(x, place).shape == (0, 5)
