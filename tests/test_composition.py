"""Transformations of transformations: every ordered pair on every primitive (see
`transformations.py`), random programs, and a few towers of four.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.operations import cumulative
from diffeo.primitives import Array
from diffeo.primitives.words import dot, elementwise, powers, reduction, slicing, structural
from diffeo.routines.special.special import NamedFormula
from tests.laws import close, differences, function_of, host, value
from tests.samples import SAMPLES, Sample
from tests.transformations import ALL, Jit, Vmap, check_pair, directions, name_of

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
# --------------------------------------------------------------------------------------------------
# Every pair on every primitive


def is_complex(sample: Sample) -> bool:
    return any([sample.args[i].dtype.kind == "c" for i in sample.by])


def one_per_primitive(candidates: Sequence[Sample]) -> list[Sample]:
    """The first sample of each primitive, and the first complex one."""
    found: dict[Any, Sample] = {}
    for s in candidates:
        if s.arrays and sum([s.args[i].size for i in s.arrays]):
            found.setdefault((s.primitive.name, is_complex(s)), s)
    return list(found.values())


def marked(samples: Sequence[Sample]) -> list:
    """Complex samples of primitives that have a real one wait for the exhaustive run, and so do
    further members of a family of formulas, which have one set of rules.
    """
    plain = {s.primitive.name for s in samples if not is_complex(s)}
    families = [type(s.primitive) for s in samples]

    def waits(i: int, s: Sample) -> bool:
        kind = type(s.primitive)
        further = issubclass(kind, NamedFormula) and families.index(kind) < i
        return further or (is_complex(s) and s.primitive.name in plain)

    marks = [pytest.mark.exhaustive if waits(i, s) else [] for i, s in enumerate(samples)]
    return [pytest.param(s, marks=m) for s, m in zip(samples, marks)]


SMOOTH = one_per_primitive([s for s in SAMPLES if s.differentiable])
DISCRETE = one_per_primitive(
    [s for s in SAMPLES if s.smooth and s.primitive.name not in {t.primitive.name for t in SMOOTH}]
)


@pytest.mark.parametrize("inner", ALL, ids=name_of)
@pytest.mark.parametrize("outer", ALL, ids=name_of)
@pytest.mark.parametrize("sample", marked(SMOOTH), ids=repr)
@pytest.mark.sampled(6)
def test_pair(sample: Sample, outer: Any, inner: Any):
    fun = function_of(sample, sample.by)
    check_pair(outer, inner, fun, [sample.args[i] for i in sample.by])


@pytest.mark.parametrize("inner", (Vmap, Jit), ids=name_of)
@pytest.mark.parametrize("outer", (Vmap, Jit), ids=name_of)
@pytest.mark.parametrize("sample", DISCRETE, ids=repr)
@pytest.mark.sampled(1)
def test_pair_without_derivatives(sample: Sample, outer: Any, inner: Any):
    def fun(*xs: Any) -> list:
        operands = list(sample.args)
        for i, x in zip(sample.arrays, xs):
            operands[i] = x
        return sample.bind(*operands)

    check_pair(outer, inner, fun, [sample.args[i] for i in sample.arrays])


# --------------------------------------------------------------------------------------------------
# Random programs

UNARY = (
    elementwise.sin.bind,
    elementwise.tanh.bind,
    elementwise.logistic.bind,
    lambda x: elementwise.exp.bind(elementwise.tanh.bind(x)),
    lambda x: elementwise.sqrt.bind(x * x + 1.0),
    lambda x: elementwise.log.bind(x * x + 0.5),
    lambda x: powers.integer_pow(elementwise.sin.bind(x), 3),
    lambda x: elementwise.select(x > 0, x * x * x, 0.0) * 0.1,  # two derivatives at the kink
    lambda x: -x,
)
BINARY = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: elementwise.sin.bind(x) * y,
    lambda x, y: x / (y * y + 1.0),
    lambda x, y: elementwise.power.bind(x * x + 0.5, elementwise.tanh.bind(y)),
    lambda x, y: elementwise.atan2.bind(x, y * y + 0.5),
)
SHAPES = (
    lambda x: structural.transpose(x, tuple(reversed(range(x.ndim)))),
    lambda x: structural.reshape(x, (x.size,)),
    lambda x: slicing.rev(x, tuple(range(x.ndim))),
    lambda x: slicing.pad(x, (1,) * x.ndim, (0,) * x.ndim, value=0.5),
    lambda x: slicing.concatenate([x, x], 0) if x.ndim else x,
    lambda x: slicing.slice_in_dim(x, 0, x.shape[0], 2) if x.ndim else x,
    lambda x: structural.expand_dims(x, (0,)) if x.ndim < 3 else slicing.index_in_dim(x, 0),
    lambda x: structural.reduce_sum(x, (x.ndim - 1,)) * 0.5 if x.ndim else x,
    lambda x: cumulative.cumsum(x, 0) if x.ndim else x,
    lambda x: reduction.reduce_prod(elementwise.tanh.bind(x), (0,)) if x.ndim else x,
)


def contract(x: Any, y: Any) -> Any:
    """A product over the last axis of `x` and the first axis of `y` that fits, or an outer one."""
    for axis in range(y.ndim):
        if x.ndim and x.shape[-1] == y.shape[axis]:
            return dot.dot_general(x, y, ((x.ndim - 1,), (axis,))) * 0.1
    return dot.outer(x, y) if x.ndim + y.ndim < 4 else x


def join(x: Any, y: Any, op: Callable) -> Any:
    """A binary operation on operands brought to one shape."""
    if x.shape != y.shape:
        y = structural.broadcast_in_dim(structural.reduce_sum(y, range(y.ndim)), x.shape, ())
    return op(x, y)


def run(program: Sequence[tuple[int, int, int]], x: Any, y: Any) -> Any:
    """Each step (kind, operand, operand) adds a value; the result is a number made of the last."""
    values = [x, y]
    kinds = len(UNARY) + len(BINARY) + len(SHAPES) + 1
    for kind, i, j in program:
        a, b = values[i % len(values)], values[j % len(values)]
        kind %= kinds
        if kind < len(UNARY):
            out = UNARY[kind](a)
        elif kind < len(UNARY) + len(BINARY):
            out = join(a, b, BINARY[kind - len(UNARY)])
        elif kind < kinds - 1:
            out = SHAPES[kind - len(UNARY) - len(BINARY)](a)
        else:
            out = contract(a, b)
        values.append(out if out.size <= 200 else elementwise.sin.bind(a))
    total = [structural.reduce_sum(elementwise.sin.bind(v), range(v.ndim)) for v in values[-2:]]
    return total[0] + total[1]


steps = st.tuples(st.integers(0, 25), st.integers(0, 7), st.integers(0, 7))
X = np.random.default_rng(1).uniform(-1, 1, (2, 3))
Y = np.random.default_rng(2).uniform(-1, 1, 3)


@settings(max_examples=80)
@given(st.lists(steps, min_size=1, max_size=8))
def test_random_program(program: list):
    def fun(x: Any, y: Any) -> Any:
        return run(program, x, y)

    x, y = value(X), value(Y)
    gradient = dx.grad(fun, (0, 1))
    both = lambda x, y: (fun(x, y), *gradient(x, y))
    eager = both(x, y)
    vs = directions([X, Y])
    slope = differences(lambda *a: [fun(*map(value, a))], [X, Y], vs)[0]
    found = sum([np.sum(host(g) * v) for g, v in zip(eager[1:], vs)])
    np.testing.assert_allclose(found, slope, 1e-7, 1e-7)
    for out, expected in zip(dx.jit(both)(x, y), eager):
        close(out, expected, 1e-11, 1e-11)
    xs, ys = (np.stack([a, a[::-1], 0.5 * a]) for a in (X, Y))
    rows = [both(value(a), value(b)) for a, b in zip(xs, ys)]
    for out, expected in zip(dx.vmap(both)(xs, ys), zip(*rows)):
        close(out, np.stack(list(map(host, expected))), 1e-11, 1e-11)
    # Forward over reverse and reverse over forward are the same Hessian-vector product.
    directional = lambda x, y: dx.jvp(fun, (x, y), tuple(map(value, vs)))[1]
    forward = dx.jvp(gradient, (x, y), tuple(map(value, vs)))[1]
    for a, b in zip(forward, dx.grad(directional, (0, 1))(x, y)):
        close(a, b, 1e-9, 1e-9)
    curvature = dx.taylor(fun, (x, y), list(map(value, vs)), 2)[2]
    doubled = sum([np.sum(host(h) * v) for h, v in zip(forward, vs)])
    np.testing.assert_allclose(2 * float(curvature), doubled, 1e-9, 1e-9)


# --------------------------------------------------------------------------------------------------
# Towers


def wave(x: Any) -> Any:
    """A function of one number, all of whose derivatives are easy to believe."""
    return elementwise.sin.bind(x) * elementwise.exp.bind(x * 0.5)


def wave_derivative(x: np.ndarray, order: int) -> np.ndarray:
    return (np.exp(0.5 * x) * ((0.5 + 1j) ** order * np.exp(1j * x))).imag


POINTS = np.array([-0.7, 0.2, 1.3])


@pytest.mark.parametrize(
    "tower, order",
    [
        (lambda f: dx.vmap(dx.grad(dx.grad(f))), 2),
        (lambda f: dx.jit(dx.vmap(dx.grad(dx.jit(f)))), 1),
        (lambda f: dx.vmap(dx.jit(dx.grad(dx.jit(dx.grad(f))))), 2),
        (lambda f: dx.vmap(dx.grad(dx.grad(dx.grad(dx.grad(f))))), 4),
        (lambda f: dx.vmap(dx.jacfwd(dx.jacrev(dx.jit(dx.grad(f))))), 3),
        (lambda f: dx.vmap(lambda x: dx.grad(lambda y: dx.derivatives(f, y, 2)[2])(x)), 3),
        (lambda f: dx.jit(dx.vmap(lambda x: dx.derivatives(dx.grad(dx.jit(f)), x, 3)[3])), 4),
        (lambda f: lambda xs: dx.grad(lambda s: sum_of(dx.vmap(dx.jit(f))(xs + s)))(0.0), 1),
        (lambda f: dx.jit(lambda xs: dx.jvp(dx.vmap(dx.grad(f)), (xs,), (xs * 0 + 1.0,))[1]), 2),
    ],
)  # fmt: skip
def test_tower(tower: Callable, order: int):
    out = host(tower(wave)(value(POINTS)))
    expected = wave_derivative(POINTS, order)
    np.testing.assert_allclose(out, expected if out.shape else expected.sum(), 1e-11)


def sum_of(x: Any) -> Any:
    return structural.reduce_sum(x, range(x.ndim))


def test_grad_of_vmap_of_jit_of_grad():
    """d/dw of the sum over rows of |d/dx f(w, x)|^2, against differences."""
    layer = lambda w, x: sum_of(elementwise.tanh.bind(dot.dot_general(w, x, ((1,), (0,)))))
    slope = dx.jit(dx.grad(layer, 1))
    penalty = lambda w, xs: sum_of(dx.vmap(lambda x: sum_of(slope(w, x) ** 2))(xs))
    rng = np.random.default_rng(0)
    w, xs, v = (rng.normal(size=s) for s in ((2, 3), (4, 3), (2, 3)))
    expected = differences(lambda w: [penalty(value(w), value(xs))], [w], [v])[0]
    for gradient in (dx.grad(penalty), dx.jit(dx.grad(penalty)), dx.grad(dx.jit(penalty))):
        np.testing.assert_allclose(np.sum(host(gradient(w, xs)) * v), expected, 1e-8)


def test_closed_over_tracers():
    """Inner transformations may use values of outer ones without being told."""
    fun = lambda x: dx.grad(lambda y: dx.jit(lambda z: z * z * x)(y) * y)(x)  # 3 x^2 * x
    np.testing.assert_allclose(host(dx.grad(fun)(2.0)), 9 * 4.0)
    np.testing.assert_allclose(host(dx.jit(dx.grad(fun))(2.0)), 9 * 4.0)
    np.testing.assert_allclose(host(dx.vmap(fun)(Array(POINTS))), 3 * POINTS**3)
    np.testing.assert_allclose(host(dx.jit(dx.vmap(dx.grad(fun)))(POINTS)), 9 * POINTS**2)
