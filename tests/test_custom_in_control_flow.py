"""Functions with rules of their own inside of control flow, and control flow inside of rules."""

from itertools import product

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close


def with_jvp(lib):
    """sin(x) y with a factor 2 in the derivative by x."""
    f = lib.custom_jvp(lambda x, y: lib.numpy.sin(x) * y)
    f.defjvps(lambda t, o, x, y: 2 * lib.numpy.cos(x) * t * y,
              lambda t, o, x, y: lib.numpy.sin(x) * t)  # fmt: skip
    return f


def with_vjp(lib):
    f = lib.custom_vjp(lambda x, y: lib.numpy.sin(x) * y)
    f.defvjp(lambda x, y: (lib.numpy.sin(x) * y, (x, y)),
             lambda res, ct: (2 * lib.numpy.cos(res[0]) * ct * res[1],
                              lib.numpy.sin(res[0]) * ct))  # fmt: skip
    return f


def in_scan(lib, f):
    step = lambda carry, x: (f(carry, x) + 0.5, f(x, carry))
    return lambda x, y: (lambda out: out[0] + lib.numpy.sum(out[1]))(
        lib.lax.scan(step, x, y * np.array([1.0, 0.5, 2.0]))
    )


def in_map(lib, f):
    return lambda x, y: lib.numpy.sum(lib.lax.map(lambda t: f(t, y), x * np.arange(1.0, 4.0)))


def in_cond(lib, f):
    return lambda x, y: lib.lax.cond(x > 0.5, lambda: f(x, y), lambda: f(y, x) * 3)


def in_for(lib, f):
    return lambda x, y: lib.lax.fori_loop(0, 3, lambda i, c: f(c, y) + 0.1 * i, x)


def cond_in_rule(lib, f):
    """A rule that chooses between two derivatives."""
    if isinstance(f, lib.custom_jvp):
        g = lib.custom_jvp(lambda x, y: f(x, y))

        def jvp(primals, tangents):
            (x, y), (t, s) = primals, tangents
            moved = lib.lax.cond(x > 0.5, lambda t: 3.0 * t * y, lambda t: 5.0 * t, t)
            return g(x, y), moved + lib.numpy.sin(x) * s

        g.defjvp(jvp)
        return g
    g = lib.custom_vjp(lambda x, y: f(x, y))

    def bwd(res, ct):
        x, y = res
        return (
            lib.lax.cond(x > 0.5, lambda c: 3.0 * c * y, lambda c: 5.0 * c, ct),
            lib.numpy.sin(x) * ct,
        )

    g.defvjp(lambda x, y: (f(x, y), (x, y)), bwd)
    return g


def scan_in_rule(lib, f):
    """A function and rules that are loops."""
    loop = lambda x, y: lib.lax.scan(lambda c, k: (lib.numpy.sin(c) * y + k, None), x, np.ones(3))
    slope = lambda x, y, t: lib.lax.scan(lambda c, k: (c * lib.numpy.cos(x) * k, None), t,
                                         np.array([1.0, 0.5, 2.0]))[0] * y  # fmt: skip
    if isinstance(f, lib.custom_jvp):
        g = lib.custom_jvp(lambda x, y: loop(x, y)[0])
        g.defjvps(lambda t, o, x, y: slope(x, y, t), lambda t, o, x, y: slope(y, x, t))
        return g
    g = lib.custom_vjp(lambda x, y: loop(x, y)[0])
    g.defvjp(lambda x, y: (loop(x, y)[0], (x, y)),
             lambda res, ct: (slope(*res, ct), slope(*res[::-1], ct)))  # fmt: skip
    return g


PLACES = (in_scan, in_map, in_cond, in_for, cond_in_rule, scan_in_rule)
XS, YS = np.array([0.3, 0.7]), np.array([1.2, 0.8])

USES = {
    "value": lambda lib, f: f(0.7, 1.2),
    "grad": lambda lib, f: lib.grad(f, (0, 1))(0.7, 1.2),
    "jit of grad": lambda lib, f: lib.jit(lib.grad(f, (0, 1)))(0.3, 1.2),
    "grad of jit": lambda lib, f: lib.grad(lib.jit(f), (0, 1))(0.3, 1.2),
    "vmap": lambda lib, f: lib.vmap(f)(XS, YS),
    "vmap of grad": lambda lib, f: lib.vmap(lib.grad(f, (0, 1)))(XS, YS),
    "grad of vmap": lambda lib, f: lib.grad(
        lambda x, y: lib.numpy.sum(lib.vmap(f)(x, y)), (0, 1))(XS, YS),
    "grad of vmap of one": lambda lib, f: lib.grad(
        lambda x, y: lib.numpy.sum(lib.vmap(f, (0, None))(x, y)), (0, 1))(XS, 1.2),
    "jit of grad of vmap": lambda lib, f: lib.jit(lib.grad(
        lambda x, y: lib.numpy.sum(lib.vmap(f)(x, y)), (0, 1)))(XS, YS),
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "place", "use"), list(product((with_jvp, with_vjp), PLACES, USES)),
    ids=lambda v: v if isinstance(v, str) else v.__name__)  # fmt: skip
@pytest.mark.sampled(2)
def test_as_in_jax(jax, make, place, use):
    found = USES[use](dx, place(dx, make(dx)))
    if "grad of vmap" in use and (make, place) == (with_jvp, cond_in_rule):
        # jax has no derivative there; each row has its own.
        axes = (0, None) if "one" in use else 0
        rows = jax.vmap(jax.grad(place(jax, make(jax)), (0, 1)), axes)(XS, 1.2 if axes else YS)
        expected = (rows[0], rows[1].sum()) if axes else rows
    else:
        expected = USES[use](jax, place(jax, make(jax)))
    for a, b in zip(dx.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        close(np.asarray(a, float), np.asarray(b, float), 1e-10)


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.__name__)
def test_forward_mode(place):
    """With a backward rule, it says what reverse mode says; so does the first coefficient."""
    f = place(dx, with_vjp(dx))
    for x in (0.3, 0.7):
        gradient = dx.grad(f, (0, 1))(x, 1.2)
        close(dx.jacfwd(f, (0, 1))(x, 1.2), gradient)
        close(dx.jit(dx.jacfwd(f, (0, 1)))(x, 1.2), gradient)
        close(dx.derivatives(lambda x: f(x, 1.2), x, 2)[1], gradient[0])
    close(dx.vmap(dx.jacfwd(f, (0, 1)))(XS, YS), dx.vmap(dx.grad(f, (0, 1)))(XS, YS))


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.__name__)
def test_series(jax, place):
    """Against forward mode of jax: its reverse mode takes what a loop computes beside a derivative
    for the function without its rule.
    """
    f = place(dx, with_jvp(dx))
    found = dx.derivatives(lambda x: f(x, 1.2), 0.7, 3)
    theirs, ours = (lambda x: place(jax, with_jvp(jax))(x, 1.2)), lambda x: f(x, 1.2)
    for value in found:
        close(value, np.asarray(theirs(0.7)), 1e-9)
        close(ours(0.7), value, 1e-9)
        theirs, ours = jax.jacfwd(theirs), dx.grad(ours)


def test_rules_that_close_over_what_a_loop_carries():
    """Each step makes a function of its own, whose rule uses the carry."""

    def loop(x, factor):
        def step(carry, k):
            f = dx.custom_jvp(lambda z: dx.numpy.sin(z) * carry)
            f.defjvp(lambda p, t: (f(*p), factor * dx.numpy.cos(p[0]) * t[0] * carry))
            return f(k * x), None

        return dx.lax.scan(step, x, np.array([1.0, 2.0]))[0]

    def plain(x):
        carry = x
        for k in (1.0, 2.0):
            carry = dx.numpy.sin(k * x) * carry
        return carry

    close(loop(0.3, 1.0), plain(0.3))
    close(dx.grad(loop)(0.3, 1.0), dx.grad(plain)(0.3))
    close(dx.jacfwd(loop)(0.3, 1.0), dx.grad(plain)(0.3))
    close(dx.jit(dx.grad(loop))(0.3, 1.0), dx.grad(plain)(0.3))
    close(dx.vmap(dx.grad(loop), (0, None))(XS, 1.0), dx.vmap(dx.grad(plain))(XS))
    total = lambda x: dx.vmap(loop, (0, None))(x, 1.0).sum()
    close(dx.grad(total)(XS), dx.vmap(dx.grad(plain))(XS))
    assert abs(float(dx.grad(loop)(0.3, 2.0) - dx.grad(plain)(0.3))) > 0.1


def test_named_scopes_in_loops():
    def step(carry, x):
        with dx.named_scope("step"):
            return carry * x, None

    f = lambda x: dx.lax.scan(step, x, np.ones(3))[0]
    assert "step" in str(dx.make_jaxpr(f)(2.0))
    close(dx.grad(f)(2.0), 1.0)
