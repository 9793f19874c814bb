"""custom_jvp: every derivative uses the rule, under every transformation; against jax."""

import functools
from itertools import product

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises, rng

jnp = dx.numpy


def make_f(lib):
    """sin(x) y, whose rule has a factor 2 in x, so that one sees whether it is used."""
    f = lib.custom_jvp(lambda x, y: lib.numpy.sin(x) * y)

    @f.defjvp
    def f_jvp(primals, tangents):
        (x, y), (dx_, dy) = primals, tangents
        return f(x, y), 2 * lib.numpy.cos(x) * dx_ * y + lib.numpy.sin(x) * dy

    return f


def make_tree(lib):
    """A function of trees to trees, with a default and a keyword."""

    @lib.custom_jvp
    def f(p, scale=2.0):
        return {"out": p["a"] * p["b"][0] * scale, "n": p["n"] + 1}

    @f.defjvp
    def f_jvp(primals, tangents):
        (p, scale), (t, ds) = primals, tangents
        out = f(p, scale)
        moved = 3 * t["a"] * p["b"][0] * scale + p["a"] * t["b"][0] * scale
        moved = moved + p["a"] * p["b"][0] * ds
        return out, {"out": moved, "n": np.zeros((), t["n"].dtype)}

    return lambda a, b: f({"a": a, "b": [b], "n": 3}, scale=a)["out"]


def make_partial(lib):
    """nondiff_argnums: the function comes first."""

    @functools.partial(lib.custom_jvp, nondiff_argnums=(0, 2))
    def app(fun, x, n):
        return fun(x) * n

    @app.defjvp
    def app_jvp(fun, n, primals, tangents):
        (x,), (t,) = primals, tangents
        return app(fun, x, n), 5 * n * t * fun(x)

    return lambda x, y: app(lambda z: lib.numpy.sin(z), x, 3) + y


def make_names(lib):
    @functools.partial(lib.custom_jvp, nondiff_argnames=("n",))
    def power(x, n):
        return x**n

    @power.defjvp
    def power_jvp(n, primals, tangents):
        (x,), (t,) = primals, tangents
        return power(x, n), 7 * n * x ** (n - 1) * t

    return lambda x, y: power(x, n=3) * y


def make_defjvps(lib):
    f = lib.custom_jvp(lambda x, y: lib.numpy.sin(x) * y)
    f.defjvps(lambda t, out, x, y: 2 * lib.numpy.cos(x) * t * y, None)
    return f


def make_nested(lib):
    inner, outer = make_f(lib), lib.custom_jvp(lambda x, y: lib.numpy.exp(x) * y)

    @outer.defjvp
    def outer_jvp(primals, tangents):
        (x, y), (t, s) = primals, tangents
        return inner(x, y) + outer(x, y), t * inner(y, x) + s * x

    return outer


MAKERS = (make_f, make_tree, make_partial, make_names, make_defjvps, make_nested)


def rows(lib, f):
    return lib.vmap(f)(np.array([0.3, 0.7]), np.array([2.0, 3.0]))


#: A function of a library and of f(x, y), whose results are compared.
USES = {
    "value": lambda lib, f: f(0.3, 2.0),
    "grad": lambda lib, f: lib.grad(f, (0, 1))(0.3, 2.0),
    "jvp": lambda lib, f: lib.jvp(f, (0.3, 2.0), (1.0, 0.5)),
    "jvp of one": lambda lib, f: lib.jvp(lambda x: f(x, 2.0), (0.3,), (1.0,)),
    "vjp": lambda lib, f: lib.vjp(f, 0.3, 2.0)[1](1.5),
    "jit": lambda lib, f: lib.jit(f)(0.3, 2.0),
    "grad of jit": lambda lib, f: lib.grad(lib.jit(f), (0, 1))(0.3, 2.0),
    "jit of grad": lambda lib, f: lib.jit(lib.grad(f, (0, 1)))(0.3, 2.0),
    "vmap": rows,
    "vmap of grad": lambda lib, f: rows(lib, lib.grad(f, (0, 1))),
    "vmap of jvp": lambda lib, f: rows(lib, lambda x, y: lib.jvp(f, (x, y), (1.0, x))),
    "vmap of jit of grad": lambda lib, f: rows(lib, lib.jit(lib.grad(f, (0, 1)))),
    "grad of vmap": lambda lib, f: lib.grad(
        lambda x, y: lib.vmap(f, (0, None))(x, y).sum(), (0, 1)
    )(np.array([0.3, 0.7]), 2.0),
    "grad of jit of vmap": lambda lib, f: lib.grad(
        lambda x, y: lib.jit(lib.vmap(f, (None, 0)))(x, y).sum(), (0, 1)
    )(0.3, np.array([2.0, 3.0])),
    "vmap of vmap of grad": lambda lib, f: lib.vmap(
        lib.vmap(lib.grad(f, (0, 1)), (None, 0)), (0, None)
    )(np.array([0.3, 0.7]), np.array([2.0, 3.0, 4.0])),
    "jacfwd": lambda lib, f: lib.jacfwd(f, (0, 1))(0.3, 2.0),
    "hessian": lambda lib, f: lib.hessian(f, (0, 1))(0.3, 2.0),
    "grad of grad": lambda lib, f: lib.grad(lib.grad(f), (0, 1))(0.3, 2.0),
    "jvp of jit of grad": lambda lib, f: lib.jvp(lib.jit(lib.grad(f)), (0.3, 2.0), (1.0, 0.5)),
    "linearize": lambda lib, f: lib.linearize(f, 0.3, 2.0)[1](1.0, 0.5),
    "hessian of vmap": lambda lib, f: lib.hessian(lambda x: lib.vmap(f, (0, None))(x, 2.0).sum())(
        np.array([0.3, 0.7])
    ),
}


@pytest.mark.parametrize(("make", "use"), list(product(MAKERS, USES)),
                         ids=lambda v: v if isinstance(v, str) else v.__name__)  # fmt: skip
@pytest.mark.sampled(2)
def test_as_in_jax(jax, make, use):
    found, expected = USES[use](dx, make(dx)), USES[use](jax, make(jax))
    a, b = dx.tree.leaves(found), jax.tree.leaves(expected)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        close(np.asarray(x, float), np.asarray(y, float), 1e-10)


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__)
def test_derivatives_of_order_five(jax, make):
    found = dx.derivatives(lambda x: make(dx)(x, 2.0), 0.3, 5)
    g = lambda x: make(jax)(x, 2.0)
    for value in found:
        close(value, g(0.3), 1e-9)
        g = jax.grad(g)


def test_derivatives_go_through_the_result():
    """A rule that calls the function itself: each coefficient is computed once."""
    calls = []

    @dx.custom_jvp
    def exp(x):
        calls.append(1)
        return jnp.exp(x)

    @exp.defjvp
    def exp_jvp(primals, tangents):
        y = exp(*primals)
        return y, y * tangents[0]

    found = dx.derivatives(exp, 0.5, 12)
    close(np.array([float(v) for v in found]), np.full(13, np.exp(0.5)), 1e-9)
    assert len(calls) < 40


def test_no_nan_from_log1pexp():
    @dx.custom_jvp
    def log1pexp(x):
        return jnp.log(1.0 + jnp.exp(x))

    @log1pexp.defjvp
    def log1pexp_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return log1pexp(x), (1 - 1 / (1 + jnp.exp(x))) * t

    close(dx.grad(log1pexp)(100.0), 1.0)
    close(dx.jit(dx.vmap(dx.jit(dx.grad(log1pexp))))(np.array([1.0, 100.0])),
          np.array([1 / (1 + np.exp(-1.0)), 1.0]))  # fmt: skip


def test_python_control_flow():
    @dx.custom_jvp
    def f(x):
        return jnp.sin(x) if x > 0 else jnp.cos(x)

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), 2 * t if x > 0 else 3 * t

    close((f(1.0), f(-1.0)), (np.sin(1.0), np.cos(1.0)))
    close((dx.grad(f)(1.0), dx.grad(f)(-1.0)), (2.0, 3.0))
    close([float(v) for v in dx.derivatives(f, 1.0, 2)], [np.sin(1.0), 2.0, 0.0])
    with raises(dx.errors.TracerBoolConversionError, "a Python `if`", line="jnp.sin(x) if x"):
        dx.jit(f)(1.0)


class Pairs(dx.Interpreter):
    """Carries a value and twice it."""

    def lift(self, x):
        return x, 2 * jnp.asarray(x)

    def rule(self, primitive, values):
        return tuple(primitive.bind(*[v[k] for v in values]) for k in range(2))


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_inside_an_interpreter(wrap):
    f = make_f(dx)
    run = lambda x: Pairs().run(wrap(lambda x: f(x, 2.0)), (x, 3 * x))
    close(run(jnp.asarray(0.3)), (np.sin(0.3) * 2, np.sin(0.9) * 4), 1e-12)
    # What it computes is differentiated, as the rule says nothing of pairs.
    close(dx.grad(lambda x: run(x)[1])(0.3), 12 * np.cos(0.9))
    # A derivative inside is the rule's.
    inside = lambda x: Pairs().run(wrap(dx.grad(lambda x: f(x, 2.0))), (x, 3 * x))
    close(inside(jnp.asarray(0.3))[0], 4 * np.cos(0.3))


def make_closure(c, wrap):
    """A function that closes over c, in the rule, too."""

    @dx.custom_jvp
    def f(x):
        return jnp.sin(x) * c

    @f.defjvp
    def f_jvp(primals, tangents):
        return f(*primals), 2 * jnp.cos(primals[0]) * tangents[0] * c

    return wrap(f)


@pytest.mark.parametrize("outer", [lambda f: f, dx.jit], ids=["eager", "in jit"])
@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["plain", "jit"])
def test_closures(wrap, outer):
    value = lambda c: make_closure(c, wrap)(0.3)
    slope = lambda c: dx.grad(make_closure(c, wrap))(0.3)
    close(outer(dx.grad(value))(2.0), np.sin(0.3))
    close(outer(dx.grad(slope))(2.0), 2 * np.cos(0.3))
    cs = np.array([1.0, 2.0])
    close(outer(dx.vmap(value))(cs), np.sin(0.3) * cs)
    close(outer(dx.vmap(slope))(cs), 2 * np.cos(0.3) * cs)
    close(outer(dx.vmap(dx.grad(slope)))(cs), np.full(2, 2 * np.cos(0.3)))
    close(outer(dx.grad(lambda c: dx.vmap(value)(c).sum()))(cs), np.full(2, np.sin(0.3)))
    both = lambda c: make_closure(c, wrap)(c)
    close(outer(dx.grad(both))(0.4), 2 * np.cos(0.4) * 0.4 + np.sin(0.4))
    rows = np.array([0.4, 0.5])
    close(outer(dx.grad(lambda c: dx.vmap(both)(c).sum()))(rows),
          2 * np.cos(rows) * rows + np.sin(rows))  # fmt: skip


def test_series_of_closures():
    both = lambda c: make_closure(c, lambda f: f)(c)
    slope = lambda c: 2 * np.cos(c) * c + np.sin(c)
    found = dx.derivatives(both, 0.4, 2)
    close(found[1], slope(0.4))
    # The rule is a derivative of x sin(c) only in part, so the second one mixes the two.
    close(found[2], dx.grad(dx.grad(both))(0.4))


def test_traced_values_in_nondiff_arguments():
    @functools.partial(dx.custom_jvp, nondiff_argnums=(1,))
    def f(x, c):
        return x * c

    @f.defjvp
    def f_jvp(c, primals, tangents):
        return f(*primals, c), 5 * c * tangents[0]

    cs = np.array([1.0, 2.0])
    close(dx.vmap(dx.grad(dx.jit(f)))(cs, cs), 5 * cs)
    close(dx.grad(lambda x: dx.jit(dx.vmap(f))(x, cs).sum())(cs), 5 * cs)
    close(dx.grad(f, 1)(2.0, 3.0), 0.0)
    close(dx.jit(dx.grad(f))(2.0, 3.0), 15.0)


def test_symbolic_zeros(jax):
    seen = []

    def make(lib):
        zero = lib.custom_derivatives.SymbolicZero
        f = lib.custom_jvp(lambda x, y, n: x * y + n)

        def rule(primals, tangents):
            x, y, n = primals
            seen.append([type(t) is zero for t in tangents])
            shapes = [(t.shape, t.dtype.itemsize) for t in tangents if type(t) is zero]
            seen.append(shapes)
            dx_ = 0.0 if type(tangents[0]) is zero else 2 * tangents[0] * y
            dy = 0.0 if type(tangents[1]) is zero else tangents[1] * x
            return f(x, y, n), dx_ + dy

        f.defjvp(rule, symbolic_zeros=True)
        return f

    found = dx.grad(make(dx), 1)(2.0, 3.0, 4), dx.grad(dx.jit(make(dx)))(2.0, 3.0, 4)
    ours, seen[:] = seen[:], []
    expected = jax.grad(make(jax), 1)(2.0, 3.0, 4), jax.grad(make(jax))(2.0, 3.0, 4)
    close(found, tuple(np.asarray(e) for e in expected))
    assert [s for s in ours if s and s[0] in (True, False)] == [[True, False, True],
                                                                [False, True, True]]  # fmt: skip
    assert ours == seen
    zero = dx.custom_derivatives.SymbolicZero
    f = dx.custom_jvp(lambda x: (x, x))
    f.defjvp(lambda p, t: (f(*p), (t[0], zero.from_primal_value(p[0]))), symbolic_zeros=True)
    close(dx.jvp(f, (2.0,), (3.0,))[1], (3.0, 0.0))


def test_integers():
    @dx.custom_jvp
    def f(x, n):
        return x * n, n + 1

    @f.defjvp
    def f_jvp(primals, tangents):
        (x, n), (t, dn) = primals, tangents
        assert dn.dtype == dx.float0
        return f(x, n), (2 * t * n, np.zeros((), dx.float0))

    out, moved = dx.jvp(f, (2.0, 3), (1.0, np.zeros((), dx.float0)))
    close(out, (6.0, np.array(4)))
    close(moved[0], 6.0)
    assert moved[1].dtype == dx.float0
    close(dx.grad(dx.jit(lambda x: f(x, 3)[0]))(2.0), 6.0)


def test_methods_and_repr():
    class Model:
        @dx.custom_jvp
        def f(x):
            return x * 2

    Model.f.defjvp(lambda p, t: (Model.f(*p), 5 * t[0]))
    close(dx.grad(Model.f)(1.0), 5.0)
    assert repr(Model.f) == "<custom_jvp function f>"
    assert Model.f.__name__ == "f" and Model.f.jvp is not None


def wrong(rule, *, fun=lambda x: {"a": x * 2, "b": x}):
    f = dx.custom_jvp(fun)
    rule.__name__ = "rule"
    f.defjvp(rule)
    return f


def test_wrong_rules():
    x = jnp.ones(3)
    ok = lambda p: {"a": p[0] * 2, "b": p[0]}
    move = lambda f: dx.jvp(f, (x,), (x,))
    with raises(TypeError, "rule, the jvp rule of", "pair (result, tangent", "f64[3]", line="move"):
        move(wrong(lambda p, t: p[0]))
    with raises(TypeError, "the tangent must have the structure", "['b']", line="move"):
        move(wrong(lambda p, t: (ok(p), {"a": t[0]})))
    with raises(TypeError, "the tangent at ['a'] must be f64[3], got f64[]", line="move"):
        move(wrong(lambda p, t: (ok(p), {"a": t[0].sum(), "b": t[0]})))
    with raises(TypeError, "at ['b'] must be f64[3], got f32[3]", line="move"):
        move(wrong(lambda p, t: (ok(p), {"a": t[0], "b": t[0].astype("float32")})))
    with raises(TypeError, "at ['b'] must be f64[3], got str", line="move"):
        move(wrong(lambda p, t: (ok(p), {"a": t[0], "b": "no"})))
    f = wrong(lambda p, t: ({"a": p[0], "b": p[0].sum()}, {"a": t[0], "b": t[0].sum()}))
    close(dx.jit(f)(x)["b"], np.ones(3))  # from now on the result is known
    with raises(TypeError, "the result at ['b'] must be f64[3]", "got f64[]", line="move"):
        move(f)
    with raises(TypeError, "the result at ['b'] must be f64[3]", "got f64[]", line="move"):
        move(dx.jit(f))
    f = wrong(lambda p, t: (f(*p)["a"], t[0]))
    with raises(TypeError, "must return the structure of <lambda>'s result", line="move"):
        move(f)
    f = wrong(lambda p, t: (f(*p), np.zeros(3, dx.float0)), fun=lambda x: x)
    with raises(TypeError, "must be f64[3]", line="move"):
        move(f)
    f = wrong(lambda p, t: (f(*p), t[0] * 0.0), fun=lambda x: x.astype(int))
    expected = "of an integer, must be np.zeros((3,), dx.float0), got f64[3]"
    with raises(TypeError, expected, line="move"):
        move(f)


def test_wrong_calls():
    f = dx.custom_jvp(lambda x, *, k=1: x)
    with raises(AttributeError, "without a rule", "defjvp", line="f(1.0)"):
        f(1.0)
    f.defjvp(lambda p, t: (p, t))
    with raises(TypeError, "only be given by keyword", "k", line="f(1.0"):
        f(1.0, k=3)
    with raises(TypeError, "missing a required argument: 'x'", line="f()"):
        f()
    g = make_f(dx)
    with raises(TypeError, "argument 1 is str 'a'", "nondiff_argnums", line="g("):
        g(1.0, "a")
    with raises(TypeError, "expects a function", line="custom_jvp(3)"):
        dx.custom_jvp(3)
    with raises(TypeError, "expects a function", line="defjvp(3)"):
        g.defjvp(3)
    with raises(ValueError, "nondiff_argnames", "'z'", "x, y", line="custom_jvp"):
        dx.custom_jvp(lambda x, y: x, nondiff_argnames=("z",))
    with raises(TypeError, "nondiff_argnums", "defjvp", line="defjvps"):
        dx.custom_jvp(lambda x, y: x, nondiff_argnums=(1,)).defjvps(None)
    h = dx.custom_jvp(lambda x, y: x * y)
    h.defjvps(lambda t, out, x, y: t)
    with raises(TypeError, "1 rules for 2 arguments", line="dx.grad(h)"):
        dx.grad(h)(1.0, 2.0)


def test_arrays_and_complex_numbers(jax):
    def gradient(lib):
        f = lib.custom_jvp(lambda a, z: a @ z)
        f.defjvps(lambda t, o, a, z: t @ z * 2, lambda t, o, a, z: a @ t)
        return lib.grad(lambda a, z: lib.numpy.sum(lib.numpy.abs(f(a, z)) ** 2), (0, 1))

    a, z = rng(3, 3), rng(3, kind=complex)
    close(gradient(dx)(a, z), tuple(np.asarray(v) for v in gradient(jax)(a, z)), 1e-10)
    zs = np.stack([z, 2 * z])
    found, expected = (lib.jit(lib.vmap(gradient(lib), (None, 0)))(a, zs) for lib in (dx, jax))
    close(found, tuple(np.asarray(v) for v in expected), 1e-10)


def test_positions_that_no_argument_has():
    with raises(ValueError, "nondiff_argnums has 5", "2 parameters: x, y", line="custom_jvp("):
        dx.custom_jvp(lambda x, y: x * y, nondiff_argnums=(5,))
    dx.custom_jvp(lambda *xs: xs[0], nondiff_argnums=(5,))
    with raises(ValueError, "argnums", line="f(1.0)"):
        f = dx.checkpoint(lambda x: x, static_argnums=(3,))
        f(1.0)
