"""Elementwise rows that somebody else writes: any operand may be without a derivative."""

from __future__ import annotations

import functools
from itertools import product

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.words import elementwise as e
from tests.checks import close

dnp = dx.numpy


@pytest.fixture(autouse=True)
def rows_are_removed():
    before = dict(ELEMENTWISE)
    yield
    ELEMENTWISE.clear()
    ELEMENTWISE.update(before)


def monomial(*xs):
    """x0 * x1**2 * x2**3 ..., with derivatives that depend on all operands."""
    return functools.reduce(lambda total, ix: total * ix[1] ** (ix[0] + 1), enumerate(xs), 1.0)


def slope(i, arity, with_result):
    """The derivative of the monomial by its operand i, with or without the help of the result."""
    names = ", ".join([f"x{k}" for k in range(arity)])
    if with_result:
        return eval(f"lambda {names}, out: {i + 1} * out / x{i}")
    powers = " * ".join(
        [f"x{k} ** {k + 1 if k != i else i}" for k in range(arity) if (k, i) != (i, 0)]
    )
    return eval(f"lambda {names}: {i + 1}.0 * {powers}" if powers else f"lambda {names}: 1.0")


PATTERNS = [
    *[p for n in (1, 2) for p in product(("none", "plain", "result"), repeat=n)],
    *product(("none", "plain"), repeat=3),
]


def made(pattern, **options):
    n = len(pattern)
    slopes = [None if k == "none" else slope(i, n, k == "result") for i, k in enumerate(pattern)]
    lower = lambda ctx, *values: ctx.inline(monomial, *values)
    return e.Elementwise("of_tests", monomial, lower, *slopes, accepts="f", **options)


def partials(pattern, *xs):
    """The derivatives that the row states, 0 where it states none."""
    n = len(pattern)
    by = [slope(i, n, False)(*xs) if k != "none" else 0.0 for i, k in enumerate(pattern)]
    return dnp.stack([dnp.asarray(b, float) + 0.0 * xs[0] for b in by])


def seconds(pattern, *xs):
    """Their derivatives: of what is made of the result, by way of the row's own."""
    n, out = len(pattern), monomial(*xs)
    first = partials(pattern, *xs)
    true = dx.jacfwd(lambda *xs: partials(pattern, *xs), tuple(range(n)))(*xs)
    found = np.zeros((n, n))
    for i, j in product(range(n), range(n)):
        if pattern[i] == "result":
            found[i, j] = (i + 1) * (first[j] / xs[i] - (i == j) * out / xs[i] ** 2)
        else:
            found[i, j] = true[j][i]
    return found


@pytest.mark.parametrize("pattern", PATTERNS, ids="-".join)
def test_each_derivative_belongs_to_its_operand(pattern):
    row, n = made(pattern, singular=pattern[0] == "none"), len(pattern)
    f = lambda *xs: row.bind(*xs)
    xs = [dnp.asarray(v) for v in (1.3, -0.7, 2.1)[:n]]
    by = tuple(range(n))
    expected = np.asarray(partials(pattern, *xs))
    for way in (dx.jacrev, dx.jacfwd, lambda f, by: dx.jit(dx.grad(f, by))):
        close(np.stack(way(f, by)(*xs)), expected)
    for i in by:  # alone: the others are constants
        close(dx.grad(f, i)(*xs), expected[i])
        close(dx.jvp(f, xs, [dnp.asarray(float(k == i)) for k in by])[1], expected[i])
    rows = [dnp.stack([x, 2 * x]) for x in xs]
    found = dx.vmap(dx.grad(f, by))(*rows)
    close(np.stack(found)[:, 1], np.asarray(partials(pattern, *[2 * x for x in xs])))
    gradient = lambda *xs: dnp.stack(dx.grad(f, by)(*xs))
    for way in (dx.jacfwd, dx.jacrev, lambda f, by: dx.jit(dx.jacrev(f, by))):
        close(np.asarray(way(gradient, by)(*xs)).T, seconds(pattern, *xs))


@pytest.mark.parametrize("pattern", PATTERNS, ids="-".join)
def test_an_operand_that_stands_twice_and_numbers(pattern):
    row, n = made(pattern), len(pattern)
    x, kept = 1.4, [i for i, k in enumerate(pattern) if k != "none"]
    degree = n * (n + 1) // 2
    expected = sum([i + 1 for i in kept]) * x ** (degree - 1)
    same = lambda x: row.bind(*[dnp.asarray(x)] * n)
    close(dx.grad(same)(x), expected)
    close(dx.jit(dx.grad(same))(x), expected)
    series = dx.derivatives(same, x, 3)
    close(series[1], expected)
    if not {"none", "result"} <= {*pattern}:  # where both are, the result has the row's derivative
        close(series[2], expected * (degree - 1) / x)
        close(series[3], expected * (degree - 1) * (degree - 2) / x**2)
    close(dx.laplacian(lambda v: dnp.sum(same(v)))(dnp.full(2, x)), 2 * series[2])
    for i in range(n):  # Python scalars everywhere else
        alone = lambda x, i=i: row.bind(*[x if k == i else 1.5 for k in range(n)])
        wanted = (i + 1) * x**i * 1.5 ** (degree - i - 1) if i in kept else 0.0
        close(dx.grad(alone)(dnp.asarray(x)), wanted)
        close(dx.jit(dx.grad(alone))(x), wanted)


def test_nothing_has_a_derivative():
    row = e.Elementwise("of_tests", np.maximum, "maximum", accepts="f", arity=2)
    assert row.arity == 2 and row.derivatives == ()
    close(row.bind(dnp.ones(2), dnp.zeros(2)), np.ones(2))
    close(dx.grad(lambda x: row.bind(x, x) * x)(2.0), 2.0)
    assert e.Elementwise("of_tests", np.maximum, "maximum", None, None).derivatives == ()


class Rule:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return self.k * x

    def method(self, x, out):
        return self.k * x + 0.0 * out


@pytest.mark.parametrize(
    "derivative",
    [
        lambda x, k=2.0: k * x,
        lambda x, *, k=2.0: k * x,
        lambda *xs: 2.0 * xs[0],
        functools.partial(lambda k, x: k * x, 2.0),
        functools.partial(lambda x, out, k: k * x + 0 * out, k=2.0),
        Rule(2.0),
        Rule(2.0).method,
        dx.jit(lambda x: 2.0 * x),
    ],
)
def test_derivatives_are_callables_of_any_kind(derivative):
    row = e.Elementwise("of_tests", np.square, lambda ctx, x: ctx.op("multiply", x, x), derivative)
    close(dx.grad(row.bind)(dnp.asarray(3.0)), 6.0)
    close(dx.jit(dx.grad(row.bind))(3.0), 6.0)
    close(dx.grad(dx.grad(row.bind))(dnp.asarray(3.0)), 2.0)


def test_numpy_functions_are_derivatives_too():
    row = e.Elementwise("of_tests", np.sin, "sine", np.cos)
    close(dx.jit(dx.grad(row.bind))(0.5), np.cos(0.5))


def test_derivatives_of_the_wrong_shape_are_refused():
    with pytest.raises(
        TypeError, match=r"of_tests: a derivative .* 2 operands.* operand 1 takes 1"
    ):
        e.Elementwise("of_tests", np.multiply, "multiply", lambda x, y: y, lambda x: x)
    with pytest.raises(
        TypeError, match=r"of_tests: expects a derivative, or None, .* 3 op.* got 2"
    ):
        e.Elementwise("of_tests", np.multiply, "multiply", None, None, arity=3)
