"""custom_rule and custom_vmap: any subset of rules, the rest derived; names of parts."""

import threading

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises, rng

jnp = dx.numpy


def sine(*names):
    """sin(x) y with rules that each leave a factor of their own, and a list of those that ran."""
    ran = []
    f = dx.custom_rule(lambda x, y: jnp.sin(x) * y)

    def jvp(primals, tangents):
        ran.append("jvp")
        (x, y), (t, s) = primals, tangents
        return f(x, y), 2 * jnp.cos(x) * t * y + jnp.sin(x) * s

    def fwd(x, y):
        ran.append("fwd")
        return f(x, y), (x, y)

    def bwd(res, ct):
        ran.append("bwd")
        x, y = res
        return 3 * jnp.cos(x) * ct * y, jnp.sin(x) * ct

    def batch(axis_size, in_batched, x, y):
        ran.append("batch")
        return jnp.sin(x) * y, in_batched[0] or in_batched[1]

    def taylor(order, x, y):
        ran.append("taylor")
        return [7.0 * x[0] * y[0], *[x[k] + y[k] for k in range(1, order + 1)]]

    rules = {"jvp": jvp, "batch": batch, "taylor": taylor}
    for name in names:
        if name == "vjp":
            f.vjp(fwd, bwd)
        else:
            assert getattr(f, name)(rules[name]) is rules[name]
    return f, ran


XS, YS = np.array([0.3, 0.7]), np.array([2.0, 3.0])
C = float(np.cos(0.3) * 2)


def test_without_rules():
    f, ran = sine()
    close(f(0.3, 2.0), np.sin(0.3) * 2)
    close(dx.grad(dx.jit(f))(0.3, 2.0), C)
    close(dx.vmap(f)(XS, YS), np.sin(XS) * YS)
    close(dx.derivatives(lambda x: f(x, 2.0), 0.3, 2)[1], C)
    assert not ran


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_each_mode_uses_its_rule(wrap):
    f, ran = sine("jvp", "vjp")
    close(wrap(dx.grad(f))(0.3, 2.0), 3 * C)
    assert "bwd" in ran
    close(wrap(dx.grad(dx.jit(f)))(0.3, 2.0), 3 * C)
    close(wrap(dx.jacfwd(f))(0.3, 2.0), 2 * C)
    close(wrap(dx.jacfwd(dx.jit(f)))(0.3, 2.0), 2 * C)
    close(wrap(dx.vmap(dx.jacfwd(f)))(XS, YS), 2 * np.cos(XS) * YS)
    close(wrap(dx.vmap(dx.grad(f)))(XS, YS), 3 * np.cos(XS) * YS)
    loss = lambda x: dx.vmap(f)(x, YS).sum()
    close(wrap(dx.grad(loss))(XS), 3 * np.cos(XS) * YS)
    close(wrap(dx.jacfwd(loss))(XS), 2 * np.cos(XS) * YS)
    ran.clear()
    close(dx.derivatives(lambda x: f(x, 2.0), 0.3, 1)[1], 2 * C)
    assert "fwd" not in ran


def test_taylor_rule():
    f, ran = sine("jvp", "taylor")
    values = [7.0 * 0.3 * 2.0, 1.0, 0.0]
    for wrap in (lambda f: f, dx.jit):
        close([float(c) for c in dx.taylor(wrap(lambda x: f(x, 2.0)), (0.3,), (1.0,), 2)], values)
    rows = dx.taylor(dx.vmap(f), (XS, YS), (np.ones(2), np.ones(2)), 2)
    close(rows, [7.0 * XS * YS, np.full(2, 2.0), np.zeros(2)])
    rows = dx.vmap(lambda x: dx.taylor(lambda x: f(x, 2.0), (x,), (1.0,), 1)[1])(XS)
    close(rows, np.ones(2))
    assert "jvp" not in ran
    close(dx.grad(f)(0.3, 2.0), 2 * C)
    # In the derivative of another function it is asked for coefficient by coefficient.
    g = dx.custom_jvp(lambda x: jnp.exp(x))
    g.defjvp(lambda p, t: (g(*p), g(*p) * t[0] + 0 * f(p[0], p[0])))
    close([float(d) for d in dx.derivatives(g, 0.3, 4)], [np.exp(0.3)] * 5)


def test_batching_rule():
    f, ran = sine("batch")
    close(dx.vmap(f)(XS, YS), np.sin(XS) * YS)
    close(dx.jit(dx.vmap(f, (0, None)))(XS, 2.0), np.sin(XS) * 2)
    close(dx.vmap(dx.jit(f))(XS, YS), np.sin(XS) * YS)
    assert ran == ["batch"] * 3
    loss = lambda x: dx.vmap(f)(x, YS).sum()
    close(dx.grad(loss)(XS), np.cos(XS) * YS)
    close(dx.vmap(dx.grad(f))(XS, YS), np.cos(XS) * YS)
    close(dx.jacfwd(loss)(XS), np.cos(XS) * YS)
    close(dx.taylor(dx.vmap(f), (XS, YS), (np.ones(2), np.zeros(2)), 2)[2], -np.sin(XS) * YS / 2)
    close(dx.vmap(dx.vmap(f, (None, 0)), (0, None))(XS, YS), np.sin(XS)[:, None] * YS)


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(("rule", "factor"), [("jvp", 2), ("vjp", 3)])
def test_batching_rule_beside_derivatives(rule, factor, wrap):
    """The value is the batching rule's, derivatives are the others'."""
    f, ran = sine(rule, "batch")
    close(wrap(dx.vmap(f))(XS, YS), np.sin(XS) * YS)
    assert ran == ["batch"]
    close(wrap(dx.grad(lambda x: dx.vmap(f)(x, YS).sum()))(XS), factor * np.cos(XS) * YS)
    close(wrap(dx.vmap(dx.grad(f)))(XS, YS), factor * np.cos(XS) * YS)


def make_solve(argnums=1):
    ran = []
    solve = dx.custom_rule(lambda a, b: jnp.linalg.solve(a, b))

    @solve.transpose(argnums=argnums)
    def solve_transpose(ct, a):
        ran.append(1)
        out = solve(a.T, ct)
        return out if argnums == 1 else (out,)

    return solve, ran


def loss(solve):
    return lambda a, b: (solve(a, b) ** 2).sum()


def total(solve):
    return lambda a, b: dx.vmap(loss(solve), (None, 0))(a, b).sum()


@pytest.mark.parametrize("argnums", [1, (1,)])
@pytest.mark.parametrize("inner", [lambda f: f, dx.jit], ids=["plain", "jitted"])
@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
@pytest.mark.sampled(2)
def test_transpose(wrap, inner, argnums):
    solve, ran = make_solve(argnums)
    f, plain = inner(solve), jnp.linalg.solve
    a, b, v = rng(3, 3) + 3 * np.eye(3), rng(3, seed=1), rng(3, seed=2)
    close(wrap(dx.grad(loss(f), 1))(a, b), dx.grad(loss(plain), 1)(a, b))
    assert ran
    close(wrap(dx.grad(loss(f), (0, 1)))(a, b), dx.grad(loss(plain), (0, 1))(a, b))
    close(wrap(dx.jacfwd(loss(f), (0, 1)))(a, b), dx.jacfwd(loss(plain), (0, 1))(a, b))
    close(wrap(dx.hessian(loss(f), 1))(a, b), dx.hessian(loss(plain), 1)(a, b))
    close(wrap(dx.linear_transpose(lambda b: f(a, b), b))(v)[0], plain(a.T, v))
    both = np.stack([b, v])
    rows = dx.vmap(dx.grad(loss(plain), 1), (None, 0))(a, both)
    close(wrap(dx.vmap(dx.grad(loss(f), 1), (None, 0)))(a, both), rows)
    close(wrap(dx.grad(total(f), (0, 1)))(a, both), dx.grad(total(plain), (0, 1))(a, both))
    series = dx.taylor(plain, (a, b), (a, v), 3)
    close(wrap(lambda b: dx.taylor(f, (a, b), (a, v), 3))(b), series)


def test_transpose_of_all_arguments():
    f = dx.custom_rule(lambda x, y: 2 * x - y)

    @f.transpose
    def f_transpose(ct):
        return 2 * ct, -ct

    close(dx.grad(f, (0, 1))(1.0, 2.0), (2.0, -1.0))
    close(dx.grad(f, 1)(1.0, 2.0), -1.0)
    close(dx.jacfwd(dx.jit(f), (0, 1))(1.0, 2.0), (2.0, -1.0))
    f.transpose(lambda ct: ct)
    with raises(TypeError, "must return 2 cotangents", "got f64[]", line="dx.grad"):
        dx.grad(f)(1.0, 2.0)


def test_rules_with_fixed_arguments():
    f = dx.custom_rule(lambda how, x, n: how(x) * n, nondiff_argnums=(0,), nondiff_argnames="n")
    f.jvp(lambda how, n, p, t: (f(how, *p, n), 5 * n * t[0]))
    f.batch(lambda how, n, size, batched, x: (how(x) * n, batched[0]))
    f.taylor(lambda how, n, order, x: [how(x[0]) * n, *[11.0 * c for c in x[1:]]])
    close(dx.grad(lambda x: f(jnp.sin, x, n=3))(0.3), 15.0)
    close(dx.vmap(lambda x: f(jnp.sin, x, 3))(XS), np.sin(XS) * 3)
    close(dx.derivatives(lambda x: f(jnp.sin, x, 3), 0.3, 1)[1], 11.0)
    with raises(TypeError, "nondiff_argnums, of which the rule is not told", line="dx.vmap"):
        dx.vmap(lambda x: f(jnp.sin, 1.0, x))(XS)


def test_rules_may_be_given_later():
    f = dx.custom_rule(lambda x: x**2)
    close(dx.grad(f)(3.0), 6.0)
    f.jvp(lambda p, t: (f(*p), 100 * t[0]))
    close(dx.grad(f)(3.0), 100.0)


# --------------------------------------------------------------------------------------------------
# custom_vmap


def make_vmap(lib):
    f = lib.custom_batching.custom_vmap(lambda x, y: {"out": lib.numpy.sin(x) * y["a"]})

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        assert in_batched == [True, {"a": False}] and axis_size == 2
        return {"out": lib.numpy.cos(x) * y["a"]}, {"out": True}

    return lambda x, y: f(x, y={"a": y})["out"]


def test_custom_vmap(jax):
    ours, theirs = make_vmap(dx), make_vmap(jax)
    close(ours(0.3, 2.0), np.sin(0.3) * 2)
    for wrap in (lambda lib, f: f, lambda lib, f: lib.jit(f)):
        found, expected = (
            wrap(lib, lib.vmap(wrap(lib, f), (0, None)))(XS, 2.0)
            for lib, f in ((dx, ours), (jax, theirs))
        )
        close(found, np.asarray(expected))
    close(dx.grad(ours)(0.3, 2.0), C)
    close(dx.vmap(dx.grad(ours), (0, None))(XS, 2.0), -np.sin(XS) * 2)
    slopes = [
        lib.vmap(lambda x, t, lib=lib, f=f: lib.jvp(lambda x: f(x, 2.0), (x,), (t,))[1])(XS, YS)
        for lib, f in ((dx, ours), (jax, theirs))
    ]
    close(slopes[0], np.asarray(slopes[1]))
    close(dx.grad(lambda x: dx.vmap(ours, (0, None))(x, 2.0).sum())(XS), -np.sin(XS) * 2)


def test_custom_vmap_inside_custom_vjp():
    """jax's recipe for both."""
    f = dx.custom_batching.custom_vmap(lambda x, y: jnp.sin(x) * y)
    f.def_vmap(lambda size, batched, xs, ys: (jnp.cos(xs) * ys, True))
    g = dx.custom_vjp(f)
    g.defvjp(lambda x, y: (g(x, y), (x, y)), lambda r, ct: (5 * r[1] * ct, ct))
    close(dx.vmap(g)(XS, YS), np.cos(XS) * YS)
    close(dx.grad(g)(0.3, 2.0), 10.0)
    close(dx.grad(lambda x: dx.vmap(g)(x, YS).sum())(XS), 5 * YS)


def test_a_batch_that_is_not_batched():
    f = dx.custom_batching.custom_vmap(lambda x, y: (x, y))
    f.def_vmap(lambda size, batched, x, y: ((x, y), tuple(batched)))
    close(dx.vmap(f, (0, None), (0, None))(XS, 2.0), (XS, 2.0))
    close(dx.vmap(f, (1, None), (1, None))(np.ones((3, 2)), 2.0)[0], np.ones((3, 2)))


def test_wrong_batching_rules():
    def wrong(rule):
        f = dx.custom_batching.custom_vmap(lambda x: (x * 2, x.sum()))
        rule.__name__ = "rule"
        f.def_vmap(rule)
        return f

    xs = jnp.ones((2, 3))
    with raises(TypeError, "rule, the batching rule of <lambda>", "pair", line="dx.vmap"):
        dx.vmap(wrong(lambda n, b, x: x))(xs)
    with raises(TypeError, "two structures", line="dx.vmap"):
        dx.vmap(wrong(lambda n, b, x: ((x, x[:, 0]), True)))(xs)
    with raises(TypeError, "at [1]", "axis 0 must have the size 2, got f64[3]", line="dx.vmap"):
        dx.vmap(wrong(lambda n, b, x: ((x, x[0]), (True, True))))(xs)
    with raises(TypeError, "True or False, got 0", line="dx.vmap"):
        dx.vmap(wrong(lambda n, b, x: ((x, x[:, 0]), (0, True))))(xs)
    f = wrong(lambda n, b, x: ((x, x), (True, True)))
    f(xs[0])
    with raises(TypeError, "at [1] must be f64[2]", "got f64[2,3]", line="dx.vmap"):
        dx.vmap(f)(xs)
    f = wrong(lambda n, b, x: (x, True))
    with raises(TypeError, "must return the structure of <lambda>'s result", line="dx.vmap"):
        dx.vmap(dx.jit(f))(xs)
    with raises(AttributeError, "def_vmap", line="custom_vmap"):
        dx.custom_batching.custom_vmap(lambda x: x)(1.0)


def test_wrong_taylor_rules():
    f = dx.custom_rule(lambda x: x)
    f.taylor(lambda order, x: x[0])
    with raises(TypeError, "must return a list of 3 coefficients", line="dx.taylor"):
        dx.taylor(f, (1.0,), (1.0,), 2)
    f.taylor(lambda order, x: [x[0], (x[1],), x[2]])
    with raises(TypeError, "coefficient 1 must have the structure", line="dx.taylor"):
        dx.taylor(f, (1.0,), (1.0,), 2)
    f.taylor(lambda order, x: [x[0], x[1], jnp.ones(3)])
    with raises(TypeError, "coefficient 2 must be f64[], got f64[3]", line="dx.taylor"):
        dx.taylor(f, (1.0,), (1.0,), 2)


# --------------------------------------------------------------------------------------------------
# The primitive, threads, named axes, names


def test_programs_show_the_function():
    f, _ = sine("jvp")
    f.__name__ = "sine"
    text = str(dx.make_jaxpr(lambda x: f(x, 2.0))(1.0))
    assert "custom_call[rules=sine]" in text and "sin " in text


def test_many_calls_from_threads():
    f, _ = sine("vjp")
    compiled = dx.jit(dx.vmap(f))
    expected = 3 * np.cos(XS) * YS
    failed = []

    def work():
        for _ in range(5):
            found = dx.grad(lambda x: compiled(x, YS).sum())(XS)
            if not np.allclose(found, expected):
                failed.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_named_axes(wrap):
    f = dx.custom_jvp(lambda x: x / dx.lax.psum(x, "i"))
    f.defjvp(lambda p, t: (f(*p), 2 * t[0] / dx.lax.psum(p[0], "i")))
    shares = XS / XS.sum()
    close(wrap(dx.vmap(f, axis_name="i"))(XS), shares)
    close(dx.vmap(wrap(f), axis_name="i")(XS), shares)
    close(wrap(dx.grad(lambda x: dx.vmap(f, axis_name="i")(x).sum()))(XS),
          np.full(2, 2 / XS.sum()))  # fmt: skip
    close(dx.vmap(lambda x: x + wrap(f)(1.0), axis_name="i")(XS), XS + 0.5)


def test_names_of_parts():
    @dx.named_scope("inner")
    def inner(x):
        return jnp.sin(x)

    def f(x):
        with dx.named_scope("outer"):
            y = inner(x) * 2
        return dx.named_call(inner, name="last")(y)

    lines = str(dx.make_jaxpr(f)(1.0)).splitlines()
    assert ["outer/inner" in lines[1], "outer" in lines[2], "last/inner" in lines[3]] == [True] * 3
    assert "inner" not in lines[2]
    value = np.sin(np.sin(0.3) * 2)
    close([float(g(0.3)) for g in (f, dx.jit(f))], [value, value])
    slope = 2 * np.cos(np.sin(0.3) * 2) * np.cos(0.3)
    close([float(g(0.3)) for g in (dx.grad(f), dx.jit(dx.grad(f)), dx.grad(dx.jit(f)),
                                   dx.jacfwd(f))], [slope] * 4)  # fmt: skip
    close(dx.vmap(f)(XS), np.sin(np.sin(XS) * 2))
    close(dx.derivatives(f, 0.3, 1)[1], slope)
    assert "outer" in str(dx.make_jaxpr(dx.grad(f))(1.0))
    with raises(TypeError, "must be a string, got int 3", line="named_scope(3)"):
        dx.named_scope(3)
