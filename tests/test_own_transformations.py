"""The transformations of docs/your-own-transformation.md, put to harder tests than the page does:
intervals contain what they must, uncertainties are those of Jacobians, counts are counted by hand;
all of them through control flow, and on both sides of jit, vmap and grad.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from tests.test_docs import ROOT, blocks, run_block

lax, dnp = dx.lax, dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def definitions() -> SimpleNamespace:
    """What the page defines, without its examples."""
    page = ROOT / "docs" / "your-own-transformation.md"
    names: dict[str, Any] = {"__name__": page.stem}
    for language, code, line, _ in blocks(page.read_text()):
        if language == "python" and re.search(r"^class ", code, re.MULTILINE):
            run_block(code, line, page, names)
    return SimpleNamespace(**names)


OWN = definitions()
bounds, propagate, count = OWN.bounds, OWN.propagate, OWN.count
POINTS = dnp.array([0.5, -1.0, 2.0])
MATRIX = dnp.array([[1.0, -2.0, 0.5], [0.3, 0.0, -1.0]])


def recurrent(x: Any) -> Any:
    step = lambda c, a: (np.tanh(c * a + x), c)
    return lax.scan(step, x, POINTS)


def branches_in_steps(x: Any) -> Any:
    step = lambda c, a: (lax.cond(c > a, np.sin, lambda c: c * x, c), c - a)
    return lax.scan(step, x, POINTS, reverse=True)[1]


def counted(x: Any) -> Any:
    body = lambda c: (c[0] + 1, np.sin(c[1]) + 0.5 * x)
    return lax.while_loop(lambda c: c[0] < 4, body, (0, x))[1]


def shrink(x: Any) -> Any:
    """Shrinks |x| below a limit: how many steps it takes depends on x."""
    return lax.while_loop(lambda y: abs(y) > 0.4, lambda y: 0.6 * y, x)


def at_most(x: Any) -> Any:
    """Grows, so that intervals do not end it: the counter does."""
    going = lambda c: (c[0] < 6) & (abs(c[1]) < 3.0)
    return lax.while_loop(going, lambda c: (c[0] + 1, 1.5 * c[1] + 0.1), (0, x))[1]


def loop_in_steps(x: Any) -> Any:
    step = lambda c, a: (shrink(c + a), np.exp(-c))
    return lax.scan(step, x, POINTS)[1]


PROGRAMS = {
    "arithmetic": lambda x: (x * x - 3.0 / (x * x + 1.0)) ** 3 + abs(x) * np.cos(2.0 * x),
    "functions": lambda x: np.exp(-x) * np.log(x * x + 1.0) - np.sqrt(abs(x) + 0.5) + np.tanh(x),
    "where": lambda x: np.where((x > 0.1) & (x < 1.0), x * x, np.where(x <= -0.5, -x, 0.3 * x)),
    "matrices": lambda x: np.dot(MATRIX, np.sin(x * POINTS)).max() + (x * POINTS)[None].sum(),
    "cond": lambda x: lax.cond(x > 0.2, lambda x: x * x, lambda x: 0.5 - x, x),
    "switch": lambda x: lax.switch(np.floor(x).astype(int), [np.sin, np.cos, lambda x: 2.0 * x], x),
    "scan": recurrent,
    "scan of cond": branches_in_steps,
    "while by a counter": counted,
    "while by the value": shrink,
    "while by both": at_most,
    "scan of while": loop_in_steps,
    "fori_loop": lambda x: lax.fori_loop(0, 4, lambda i, c: c * x - i, 1.0),
    "map": lambda x: lax.map(lambda a: lax.cond(a > x, np.sin, np.cos, a * x), POINTS),
}  # fmt: skip

each_program = pytest.mark.parametrize("fun", PROGRAMS.values(), ids=PROGRAMS)


def leaves(outs: Any) -> list[np.ndarray]:
    return [np.asarray(o) for o in dx.tree.leaves(outs)]


def ends(outs: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The lower and the upper bounds of a result that consists of pairs."""
    found = leaves(outs)
    return found[::2], found[1::2]


def pairs(outs: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(*ends(outs)))


def same(a: Any, b: Any) -> None:
    for x, y in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def total(outs: Any) -> Any:
    """A number that depends on all results."""
    return sum([np.sum(np.cos(o)) for o in dx.tree.leaves(outs)])


# --------------------------------------------------------------------------------------------------
# Intervals


@each_program
@settings(max_examples=25)
@given(st.floats(-2.0, 2.0), st.floats(0.0, 1.5), st.booleans())
def test_bounds_contain_values(fun, low, width, compiled):
    bounded = dx.jit(bounds(fun)) if compiled else bounds(fun)
    lows, highs = ends(bounded((low, low + width)))
    for x in np.linspace(low, low + width, 23):
        for value, below, above in zip(leaves(fun(dnp.array(x))), lows, highs, strict=True):
            slack = 1e-12 * (1.0 + abs(value))
            assert np.all(below <= value + slack) and np.all(value <= above + slack)


@each_program
def test_bounds_of_a_point_are_the_value(fun):
    """Where everything is decided, so is the result."""
    lows, highs = ends(bounds(fun)((0.7, 0.7)))
    same(lows, fun(0.7))
    same(highs, fun(0.7))


@pytest.mark.parametrize("name", ["cond", "switch", "scan", "scan of cond", "fori_loop", "map"])
def test_bounds_of_gradients_contain_them(name):
    gradient = dx.grad(lambda x: total(PROGRAMS[name](x)))
    low, high = bounds(gradient)((0.55, 0.6))
    for x in np.linspace(0.55, 0.6, 11):
        assert low - 1e-9 <= gradient(x) <= high + 1e-9


def test_a_predicate_that_decides_leaves_one_branch():
    steps = lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))
    jaxpr = dx.make_jaxpr(bounds(steps))((1.0, 2.0))
    (loop,) = [e.primitive for e in jaxpr.eqns if e.primitive.name == "while"]
    assert len(loop.out_avals) == 3  # the counter, one point; and two bounds


def test_a_loop_that_is_undecided_ends():
    """The old carry, mixed into the new one, would keep the condition undecided for ever."""
    low, high = bounds(shrink)((0.5, 2.0))
    assert low == pytest.approx(0.5 * 0.6**4) and high == pytest.approx(2.0 * 0.6)


def test_integers_have_no_bounds_bit_by_bit():
    with pytest.raises(TypeError, match="select"):
        bounds(lambda n: n & 5)((2, 3))


@pytest.mark.parametrize(
    ("fun", "name"), [(np.tan, "tan"), (lambda x: lax.cond(x > 0, np.tan, np.sin, x), "tan")]
)
def test_a_missing_rule_is_named(fun, name):
    with pytest.raises(NotImplementedError, match=f"Interval has no rule .*'{name}'"):
        bounds(fun)((0.1, 0.2))


# --------------------------------------------------------------------------------------------------
# Uncertainties


def flat(outs: Any) -> Any:
    """All results as one vector."""
    return dnp.concatenate([dnp.ravel(o) for o in dx.tree.leaves(outs)])


@each_program
@settings(max_examples=10)
@given(st.floats(-2.0, 2.0), st.booleans())
def test_uncertainties_are_those_of_jacobians(fun, x, compiled):
    """Of a function of two inputs, in which both occur more than once."""
    both = lambda x, y: flat(fun(0.8 * x + 0.3 * x * y))
    propagated = dx.jit(propagate(both)) if compiled else propagate(both)
    value, sigma = propagated((x, 0.1), (0.5, 0.2))
    by_x, by_y = dx.jacrev(both, argnums=(0, 1))(x, 0.5)
    same(value, both(x, 0.5))
    np.testing.assert_allclose(sigma, np.hypot(0.1 * by_x, 0.2 * by_y), rtol=1e-9, atol=1e-12)


@each_program
def test_uncertainties_agree_with_finite_differences(fun):
    shifted = [flat(fun(dnp.array(0.7 + h))) for h in (-1e-6, 1e-6)]
    _, sigma = propagate(lambda x: flat(fun(x)))((0.7, 0.1))
    slopes = abs(shifted[1] - shifted[0]) / 2e-6
    np.testing.assert_allclose(sigma, 0.1 * slopes, rtol=1e-6, atol=1e-9)


def test_uncertainties_agree_with_samples():
    """To first order: of many draws, and of inputs that are arrays."""
    fun = lambda v, t: lax.scan(lambda h, dt: (h + v[0] * dt - 4.9 * v[1] * dt * dt, h), 0.0, t)[0]
    v, t = np.array([3.0, 1.0]), np.array([0.1, 0.2, 0.3])
    _, sigma = propagate(fun)((v, np.array([0.01, 0.02])), (t, np.full(3, 0.001)))
    rng = np.random.default_rng(0)
    draws = 20000
    heights = dx.jit(dx.vmap(fun))(
        v + np.array([0.01, 0.02]) * rng.normal(size=(draws, 2)),
        t + 0.001 * rng.normal(size=(draws, 3)),
    )
    assert abs(np.std(heights) / sigma - 1) < 0.03


def test_what_is_correlated_cancels():
    assert propagate(lambda x: np.sin(x) - np.sin(x))((0.3, 0.1))[1] == 0.0
    difference = lambda x: lax.scan(lambda c, a: (c + a, c), 0.0, x * dnp.array([1.0, -1.0]))[0]
    assert propagate(difference)((0.3, 0.1))[1] == 0.0


def test_discrete_results_have_no_uncertainty():
    (_, first), (value, second) = propagate(lambda x: (x > 0, np.floor(x).astype(int)))((1.5, 0.1))
    assert value == 1 and first == 0 and second == 0


# --------------------------------------------------------------------------------------------------
# Counts

ONE = lambda primitive: 1
PRODUCTS = lambda primitive: int(primitive.name == "mul")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("fun", "x", "expected"),
    [
        (lambda x: np.sin(x) * x + np.cos(x), 1.0, 3),
        (lambda x: 1.0, 1.0, 0),
        (lambda x: lax.cond(x > 0, lambda x: np.sin(np.sin(x)), lambda x: -x, x), 1.0, 2),
        (lambda x: lax.cond(x > 0, lambda x: np.sin(np.sin(x)), lambda x: -x, x), -1.0, 1),
        (lambda x: lax.switch(2, [np.sin, np.cos, lambda x: -np.exp(x)], x), 1.0, 2),
        (lambda x: lax.scan(lambda c, _: (np.sin(c) * x, None), x, None, length=5)[0], 1.0, 10),
        (lambda x: lax.scan(lambda c, _: (c, np.sin(c)), x, None, length=5)[1], 1.0, 1),
        (lambda x: lax.scan(lambda c, a: (c + a, None), x, np.sin(x * POINTS))[0], 1.0, 6),
        (lambda x: lax.while_loop(lambda c: c > 1.0, lambda c: abs(abs(c)) / 2, x), 1000.0, 30),
        (lambda x: lax.while_loop(lambda c: c > 1.0, lambda c: abs(abs(c)) / 2, x), 1.0, 0),
        (lambda x: lax.scan(
            lambda c, _: (lax.while_loop(lambda y: y > 1.0, lambda y: y / 2, 4.0 * c), None),
            x, None, length=3)[0], 1.0, 9),
        (lambda x: dx.jit(np.sin)(np.sin(x)), 1.0, 2),
    ],
)  # fmt: skip
def test_counts_are_those_by_hand(fun, x, expected, compiled):
    x = dnp.array(x)
    counted = dx.jit(count(fun)) if compiled else count(fun)
    value, n = counted(x)
    same(value, fun(x))
    assert n == expected


def test_costs_that_differ_do_not_share_programs():
    fun = dx.jit(lambda x: np.sin(x) * np.cos(x) * x)
    assert count(fun, ONE)(2.0)[1] == 3
    assert count(fun, PRODUCTS)(2.0)[1] == 2
    assert count(fun, ONE)(2.0)[1] == 3


# --------------------------------------------------------------------------------------------------
# Each of them among other transformations

OURS = {
    "bounds": (bounds, lambda x: (x, x + 0.1)),
    "propagate": (propagate, lambda x: (x, 0.1 + 0.0 * x)),
    "count": (lambda fun: lambda pair: count(fun)(pair[0]), lambda x: (x, x)),
}
each_of_ours = pytest.mark.parametrize("ours", OURS.values(), ids=OURS)


@each_program
@each_of_ours
@pytest.mark.sampled(2)
def test_jit_on_both_sides(fun, ours):
    transform, pair = ours
    expected = transform(fun)(pair(dnp.array(0.45)))
    same(dx.jit(transform(fun))(pair(dnp.array(0.45))), expected)
    same(transform(dx.jit(fun))(pair(dnp.array(0.45))), expected)
    same(dx.jit(transform(dx.jit(fun)))(pair(dnp.array(0.45))), expected)


@each_program
@each_of_ours
@pytest.mark.parametrize("compiled", [False, True])
def test_vmap_around_is_a_loop(fun, ours, compiled):
    transform, pair = ours
    xs = dnp.array([-1.3, 0.15, 0.9])
    mapped = dx.vmap(transform(fun))
    found = leaves((dx.jit(mapped) if compiled else mapped)(pair(xs)))
    rows = [leaves(transform(fun)(pair(x))) for x in xs]
    same(found, [np.stack(column) for column in zip(*rows)])


UNDECIDED = ("while by the value", "while by both", "scan of while")


@pytest.mark.parametrize(
    ("program", "name"),
    [(p, "propagate") for p in PROGRAMS] + [(p, "bounds") for p in PROGRAMS if p not in UNDECIDED],
)
def test_vmap_inside_is_vmap_around(program, name):
    """The rows are independent; so are their bounds, and their errors. A loop that an interval does
    not decide need not end with vmap inside (see the page).
    """
    fun, (transform, pair) = PROGRAMS[program], OURS[name]
    xs = dnp.array([-1.3, 0.15, 0.9])
    same(transform(dx.vmap(fun))(pair(xs)), dx.vmap(transform(fun))(pair(xs)))


@each_program
@pytest.mark.parametrize("name", ["bounds", "propagate"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.sampled(2)
def test_gradient_of_bounds_and_uncertainties(fun, name, compiled):
    """By the end of the interval, and by the uncertainty."""
    transform = OURS[name][0]
    loss = lambda p: total(transform(fun)((0.45, p)))
    gradient = dx.jit(dx.grad(loss)) if compiled else dx.grad(loss)
    p = 0.63
    slope = (loss(p + 1e-6) - loss(p - 1e-6)) / 2e-6
    np.testing.assert_allclose(gradient(p), slope, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dx.jvp(loss, (p,), (1.0,))[1], slope, rtol=1e-5, atol=1e-7)


@each_program
def test_gradient_beside_a_count(fun):
    loss = lambda x: total(fun(x))
    gradient, n = dx.grad(count(loss), has_aux=True)(0.45)
    same(gradient, dx.grad(loss)(0.45))
    assert n == count(loss)(0.45)[1]


@each_program
def test_around_gradients(fun):
    """The gradient is a program like any other: it has an uncertainty, and a count."""
    gradient = dx.grad(lambda x: total(fun(x)))
    value, sigma = propagate(gradient)((0.45, 0.1))
    same(value, gradient(0.45))
    same(sigma, 0.1 * abs(dx.grad(gradient)(0.45)))
    value, n = count(gradient)(0.45)
    same(value, gradient(0.45))
    assert n > 0


@each_program
def test_of_each_other(fun):
    """Bounds of an uncertainty, uncertainties of bounds, counts of both."""
    upper = lambda x: bounds(fun)((0.4, x))
    shifted = [flat(upper(0.7 + h)) for h in (-1e-6, 1e-6)]
    sigma = ends(propagate(upper)((0.7, 0.1)))[1]
    slopes = abs(shifted[1] - shifted[0]) / 2e-6
    np.testing.assert_allclose(flat(sigma), 0.1 * slopes, rtol=1e-5, atol=1e-7)
    same([value for value, _ in pairs(count(upper)(0.7))], upper(0.7))
