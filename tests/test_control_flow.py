"""cond, switch, scan, while_loop, fori_loop and map: values, types and all transformations, beside
jax where jax can, and beside unrolled Python loops where it cannot.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import diffeo as dx

jax.config.update("jax_enable_x64", True)
# fmt: off

RNG = np.random.default_rng(0)
W, H, XS = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=(4, 3))
VECTOR = np.linspace(0.1, 1.0, 5)


def agree(fun: Any, *args: Any, weak: bool = False) -> None:
    """`fun(lib)` gives a function; both libraries' results have equal structure, types, values."""
    ours, theirs = fun(dx)(*args), fun(jax)(*args)
    assert dx.tree.structure(ours) == dx.tree.structure(dx.tree.map(lambda x: x, theirs))
    for a, b in zip(dx.tree.leaves(ours), jax.tree.leaves(theirs)):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.weak_type == b.weak_type or not weak
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), 1e-10, 1e-12)


def recurrent(lib, **options):
    return lambda w, h, xs: lib.lax.scan(
        lambda h, x: ((new := lib.numpy.tanh(w @ h + x)), {"y": new * 2.0, "n": 1}), h, xs,
        **options)


def total(lib, run):
    return lambda *args: sum(lib.numpy.sum(leaf**2) for leaf in jax.tree.leaves(run(*args))
                             if leaf.dtype == np.float64)


def chosen(lib):
    return lambda p, x: lib.lax.cond(p > 0, lib.numpy.sin, lambda x: x * 2.0, x)


def switched(lib):
    return lambda i, x: lib.lax.switch(
        i, [lib.numpy.sin, lambda x: x**3, lambda x: 1.0 * x, lambda x: 0.0 * x], x)


def repeated(lib):
    return lambda x, n: lib.lax.while_loop(
        lambda c: c[0] < n, lambda c: (c[0] + 1, lib.numpy.sin(c[1]) * 1.5 + x), (0, x))[1]


def counted(lib):
    return lambda x: lib.lax.fori_loop(2, 7, lambda i, c: lib.numpy.sin(c) * x + i, x)


MANY = (np.stack([W, 2 * W]), H, np.stack([XS, -XS], 1))
ROWS = (0, None, 1)

PROGRAMS = {
    "scan": (recurrent, (W, H, XS)),
    "scan, reverse": (lambda lib: recurrent(lib, reverse=True), (W, H, XS)),
    "scan, unrolled": (lambda lib: recurrent(lib, unroll=3), (W, H, XS)),
    "scan, all unrolled": (lambda lib: recurrent(lib, unroll=True), (W, H, XS)),
    "scan, unroll=0": (lambda lib: recurrent(lib, unroll=0), (W, H, XS)),
    "gradient of scan": (lambda lib: lib.grad(total(lib, recurrent(lib)), (0, 1, 2)), (W, H, XS)),
    "jvp of scan": (lambda lib: lambda *a: lib.jvp(total(lib, recurrent(lib)), a, a), (W, H, XS)),
    "hessian of scan": (lambda lib: lib.hessian(total(lib, recurrent(lib)), 1), (W, H, XS)),
    "reverse twice": (lambda lib: lib.jacrev(lib.grad(total(lib, recurrent(lib)), 0), 2),
                      (W, H, XS)),
    "vmap of scan": (lambda lib: lib.vmap(recurrent(lib), ROWS), MANY),
    "vmap of gradient": (lambda lib: lib.vmap(
        lib.grad(total(lib, recurrent(lib)), (0, 1, 2)), ROWS), MANY),
    "gradient of vmap": (lambda lib: lib.grad(lambda *a: lib.numpy.sum(
        lib.vmap(total(lib, recurrent(lib)), ROWS)(*a)), (0, 1, 2)), MANY),
    "cond": (chosen, (1.0, VECTOR)),
    "cond, integer predicate": (lambda lib: lambda p, x: lib.lax.cond(
        p, lib.numpy.sin, lambda x: x * 2.0, x), (2, VECTOR)),
    "gradient of cond": (lambda lib: lib.grad(lambda x, p: lib.numpy.sum(chosen(lib)(p, x))),
                         (VECTOR, -1.0)),
    "cond, rows of one predicate": (lambda lib: lib.vmap(chosen(lib), (None, 0)), (1.0, VECTOR)),
    "cond, a predicate for each row": (lambda lib: lib.vmap(chosen(lib)), (VECTOR - 0.5, VECTOR)),
    "gradient of vmap of cond": (lambda lib: lib.grad(lambda x: lib.numpy.sum(lib.vmap(
        lambda x: chosen(lib)(x - 0.5, x))(x))), (VECTOR,)),
    "hessian of cond": (lambda lib: lib.hessian(lambda x: lib.lax.cond(
        x[0] > 0, lambda x: lib.numpy.sum(lib.numpy.sin(x) * x[1]), lib.numpy.sum, x)), (VECTOR,)),
    "switch": (switched, (1, VECTOR)),
    "switch, clamped": (switched, (99, VECTOR)),
    "switch, below": (switched, (-5, VECTOR)),
    "gradients of switch": (lambda lib: lib.vmap(lib.grad(switched(lib), 1)),
                            (np.arange(5), VECTOR)),
    "while": (repeated, (0.7, 5)),
    "while, no steps": (repeated, (0.7, -1)),
    "jvp of while": (lambda lib: lambda x: lib.jvp(lambda x: repeated(lib)(x, 5), (x,), (1.0,)),
                     (0.7,)),
    "while, rows end at different times": (lambda lib: lib.vmap(repeated(lib)),
                                           (VECTOR, np.arange(5))),
    "fori": (counted, (0.7,)),
    "gradient of fori": (lambda lib: lib.grad(counted(lib)), (0.7,)),
    "fori, traced bounds": (lambda lib: lib.jit(lambda n, x: lib.lax.fori_loop(
        1, n, lambda i, c: lib.numpy.sin(c) * x + i, x)), (5, 0.7)),
    "map": (lambda lib: lambda xs: lib.lax.map(lambda x: (lib.numpy.sin(x), x.sum()), xs), (XS,)),
    "map, batches": (lambda lib: lambda xs: lib.lax.map(
        lambda x: (lib.numpy.sin(x), x.sum()), xs, batch_size=3), (XS,)),
    "map, small batches": (lambda lib: lambda xs: lib.lax.map(
        lambda x: lib.numpy.sin(x), xs, batch_size=9), (XS,)),
    "gradient of map": (lambda lib: lib.grad(lambda xs: lib.numpy.sum(lib.lax.map(
        lambda x: lib.numpy.prod(lib.numpy.sin(x)), xs, batch_size=3))), (XS,)),
    "map of all at once": (lambda lib: lambda xs: lib.lax.map(
        lambda x: lib.numpy.sin(x), xs, batch_size=0), (XS,)),
    "no xs": (lambda lib: lambda x: lib.lax.scan(lambda c, _: (c * x, c), x, None, 4), (0.7,)),
    "no steps": (lambda lib: lambda x, xs: lib.lax.scan(lambda c, x: (c * x, c), x, xs),
                 (np.array(0.7), np.zeros(0))),
    "a Python number as carry": (lambda lib: lambda xs: lib.lax.scan(
        lambda c, x: (c + x, c), 0, xs), (np.float32([1, 2, 3]),)),
    "nested": (lambda lib: lib.grad(lambda x: lib.lax.scan(
        lambda c, _: (lib.lax.cond(c > 1.0, lambda c: c * 0.5, lambda c: lib.lax.fori_loop(
            0, 3, lambda i, c: lib.numpy.sin(c) + x, c), c), c), x, None, 5)[1].sum()), (0.7,)),
    "integers carried along": (lambda lib: lib.grad(lambda x: lib.lax.scan(
        lambda c, _: ((c[0] + 1, c[1] * x, ~c[2]), c[0]), (0, x, True), None, 3)[0][1]), (1.3,)),
    "a choice by what varies among constants, gradient": (lambda lib: lib.grad(
        lambda w, xs: lib.numpy.sum(lib.lax.scan(lambda c, x: (c + lib.lax.cond(
            x > 0, lambda: lib.numpy.sin(w) * w, lambda: w * w), None), 0.0, xs)[0])),
        (0.7, XS[0])),
    "a length that varies, constant carry, gradient": (lambda lib: lib.grad(
        lambda w, ns: lib.numpy.sum(lib.lax.scan(lambda c, n: (c * w + lib.lax.fori_loop(
            0, 3, lambda i, y: lib.numpy.where(i < n, lib.numpy.sin(y * w), y), w), None),
            1.0, ns)[0])), (0.7, np.arange(4))),
    "associative scan inside": (lambda lib: lambda xs: lib.lax.map(
        lambda x: lib.lax.associative_scan(lib.numpy.multiply, x), xs), (XS,)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.sampled(2)
def test_as_in_jax(name: str, compiled: bool):
    fun, args = PROGRAMS[name]
    # Our tangents and cotangents are never weak.
    plain = not any(word in name for word in ("gradient", "jvp", "hessian", "nested", "integers"))
    agree((lambda lib: lib.jit(fun(lib))) if compiled else fun, *args, weak=plain)


def test_an_operand_for_each_branch():
    f = lambda p, x: dx.lax.cond(p, x, lambda x: x * x, (x, 2.0), lambda y: y[0] * y[1])
    for transform in (lambda f: f, dx.jit, dx.vmap):
        p, x = (np.array([True]), np.array([3.0])) if transform is dx.vmap else (True, 3.0)
        assert np.all(transform(f)(p, x) == 9.0) and np.all(transform(f)(p ^ True, x) == 6.0)
    assert [float(dx.grad(lambda x, p=p: f(p, x))(3.0)) for p in (True, False)] == [6.0, 2.0]


def test_closed_over_values_have_derivatives():
    def loss(lib):
        def fun(a, b):
            step = lambda c, x: (lib.numpy.sin(c * a) + x, c)
            end, _ = lib.lax.scan(step, b, lib.numpy.arange(3.0))
            return lib.lax.cond(end > 0, lambda: end * a, lambda: end - b)
        return lib.grad(fun, (0, 1))

    agree(loss, 0.7, 0.3)
    agree(lambda lib: lib.jit(loss(lib)), 0.7, 0.3)


def test_python_control_flow_where_values_are_known():
    def f(x):
        y = x * x if x > 0 else -x
        while y < 10:
            y = y * 2
        return y

    assert float(dx.grad(f)(2.0)) == 16.0
    assert float(dx.grad(f)(-1.0)) == -16.0


def test_only_the_chosen_branch_is_computed_in_eager_mode():
    with np.errstate(all="raise"):
        f = lambda x: dx.lax.cond(x > 0, dx.numpy.log, lambda x: x, x)
        assert float(f(-1.0)) == -1.0


def test_finished_rows_stay_untouched():
    step = lambda c: (c[0] - 1, 1 / (c[0] - 1.0) + c[1])  # infinite where a row is long done
    run = lambda n: dx.lax.while_loop(lambda c: c[0] > 1, step, (n, 0.0))[1]
    with np.errstate(all="ignore"):
        rows = dx.vmap(run)(dx.numpy.array([1, 2, 3, 8]))
    expected = [run(n) for n in (1, 2, 3, 8)]
    np.testing.assert_array_equal(rows, np.array(expected))


def test_collectives_in_loops():
    def run(lib):
        step = lambda c, x: (c + lib.lax.psum(x, "i"), lib.lax.axis_index("i"))
        return lib.vmap(lambda xs: lib.lax.scan(step, 0.0, xs), axis_name="i")

    agree(run, XS)
    gradient = lambda lib: lib.grad(lambda xs: lib.numpy.sum(run(lib)(xs)[0] ** 2))
    agree(gradient, XS)


LOOPS = {  # with what they are when unrolled
    "scan": (lambda t: dx.lax.scan(lambda c, _: (dx.numpy.sin(c * t), None), t, None, 2)[0] * t,
             lambda t: dx.numpy.sin(dx.numpy.sin(t * t) * t) * t, 0.6),
    "while": (lambda t: dx.lax.while_loop(lambda c: c < 9.0, lambda c: c * c, t),
              lambda t: ((t * t) ** 2) ** 2, 1.5),
    "cond": (lambda t: dx.lax.cond(t > 9.0, dx.numpy.sin, dx.numpy.cos, t), dx.numpy.cos, 1.5),
}


@pytest.mark.parametrize("name", LOOPS)
def test_derivatives_of_every_order(name: str):
    fun, plain, point = LOOPS[name]
    expected = np.array(dx.derivatives(plain, point, 9))
    np.testing.assert_allclose(np.array(dx.derivatives(fun, point, 9)), expected, rtol=1e-10)
    reverse = fun
    for k in range(1, 3 if name == "while" else 4):
        reverse = dx.grad(reverse)
        np.testing.assert_allclose(reverse(point), expected[k], rtol=1e-9)
    forward = fun
    for k in range(1, 4):
        forward = dx.jacfwd(forward)
        np.testing.assert_allclose(forward(point), expected[k], rtol=1e-9)


def test_residuals_are_hoisted_and_stored_once():
    """What a step keeps of constants is not stacked; an operand is passed on; one array of each."""
    def loss(w, h, xs):
        step = lambda h, x: (dx.numpy.tanh(dx.numpy.exp(w) @ h + x) * dx.numpy.ones(3), None)
        return dx.numpy.sum(dx.lax.scan(step, h, xs)[0])

    found = dx.make_jaxpr(dx.grad(loss))(W, H, XS)
    forward, backward = (e for e in found.eqns if e.primitive.name in ("scan", "call"))
    kept = [v.aval.shape for v in forward.outs]
    # The carry, exp(w) and the two that tanh and the product need of each step.
    assert sorted(kept) == sorted([(3,), (3, 3), (4, 3), (4, 3)])
    assert len(backward.inputs) == len(set(map(id, backward.inputs)))


def test_loops_are_compiled_once_and_small_ones_not_at_all():
    x = dx.numpy.arange(3.0)
    small = lambda: dx.lax.scan(lambda c, x: (c + x, c), 0.0, x)
    assert np.asarray(small()[1]).tolist() == [0.0, 0.0, 1.0]
    text = dx.jit(lambda x: dx.lax.fori_loop(0, 1000, lambda i, c: c * x, x)).lower(1.0).as_text()
    assert text.count("stablehlo.while") == 1
    assert text.count("stablehlo.multiply") == 1


def test_reverse_mode_through_a_loop_whose_condition_is_jitted():
    """The condition of the derivative is a call that gets tangents which it does not read."""
    x = np.arange(9.0).reshape(3, 3)
    going = dx.jit(lambda x: x[0, 2] <= 8)
    loop = lambda x: dx.lax.while_loop(going, lambda x: x * x, x)
    for f in (loop, dx.jit(loop)):
        np.testing.assert_allclose(f(x), x**4)
        np.testing.assert_allclose(dx.linearize(f, x)[1](x), 4 * x**4)
        np.testing.assert_allclose(dx.grad(lambda x, f=f: f(x).sum())(x), 4 * x**3)
