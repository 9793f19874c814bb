"""custom_vjp: reverse mode calls the backward rule, forward mode its transpose; against jax."""

import functools
from itertools import product

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises, rng
from tests.test_custom_jvp import USES, Pairs

jnp = dx.numpy


def make_f(lib):
    """sin(x) y with a factor 2 in the cotangent of x."""
    f = lib.custom_vjp(lambda x, y: lib.numpy.sin(x) * y)

    def fwd(x, y):
        return f(x, y), (lib.numpy.cos(x), {"sin": lib.numpy.sin(x), "y": y})

    def bwd(res, ct):
        cos, rest = res
        return 2 * cos * ct * rest["y"], rest["sin"] * ct

    f.defvjp(fwd, bwd)
    return f


def make_tree(lib):
    """Trees, an integer, a default and a keyword."""

    @lib.custom_vjp
    def f(p, n, scale=2.0):
        return {"out": [p["a"] * p["b"][0] * scale]}, p["a"]

    def fwd(p, n, scale):
        return f(p, n, scale), (p, scale)

    def bwd(res, ct):
        p, scale = res
        g = ct[0]["out"][0]
        return {"a": 3 * g * p["b"][0] * scale + ct[1], "b": [g * p["a"] * scale]}, None, None

    f.defvjp(fwd, bwd)
    return lambda x, y: f({"a": x, "b": [y]}, 3, scale=5.0)[0]["out"][0] * x


def make_partial(lib):
    @functools.partial(lib.custom_vjp, nondiff_argnums=(0, 2))
    def app(fun, x, n):
        return fun(x) * n

    app.defvjp(lambda fun, x, n: (app(fun, x, n), x),
               lambda fun, n, x, ct: (5 * n * ct * lib.numpy.cos(x),))  # fmt: skip
    return lambda x, y: app(lambda z: lib.numpy.sin(z), x, 3) * y


def make_gradient(lib):
    @lib.custom_gradient
    def f(x, y):
        s = lib.numpy.sin(x)
        return s * y, lambda ct: (7 * ct * lib.numpy.cos(x) * y, ct * s)

    return f


def make_constant(lib):
    """A backward rule that returns zeros only."""
    f = lib.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, None), lambda _, ct: (None, None))
    return lambda x, y: f(x, y) + x


def make_nested(lib):
    """The rules of one call another."""
    inner, outer = make_f(lib), lib.custom_vjp(lambda x, y: lib.numpy.exp(x) * y)
    outer.defvjp(lambda x, y: (outer(x, y), (x, y)),
                 lambda res, ct: (inner(*res) * ct, inner(res[1], ct)))  # fmt: skip
    return outer


MAKERS = (make_f, make_tree, make_partial, make_gradient, make_constant, make_nested)
FORWARD = ("jvp", "jvp of one", "vmap of jvp", "jacfwd")
REVERSE = {name: use for name, use in USES.items() if name not in (*FORWARD, "linearize")}
#: jax has no forward mode of a custom_vjp function, which remains where `fwd` calls the function.
OVER_REVERSE = ("hessian", "jvp of jit of grad", "hessian of vmap")


def without_call(make):
    return make in (make_gradient, make_constant)


def compare(found, expected, jax):
    a, b = dx.tree.leaves(found), jax.tree.leaves(expected)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        close(np.asarray(x, float), np.asarray(y, float), 1e-10)


@pytest.mark.parametrize(
    ("make", "use"),
    [p for p in product(MAKERS, REVERSE) if without_call(p[0]) or p[1] not in OVER_REVERSE],
    ids=lambda v: v if isinstance(v, str) else v.__name__,
)
@pytest.mark.sampled(2)
def test_as_in_jax(jax, make, use):
    compare(REVERSE[use](dx, make(dx)), REVERSE[use](jax, make(jax)), jax)


def linear_makers():
    return [m for m in MAKERS if m is not make_nested]


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("make", linear_makers(), ids=lambda m: m.__name__)
def test_forward_mode(make, wrap):
    """The tangent is the transpose of the backward rule: what reverse mode says."""
    f = make(dx)
    gradient = dx.grad(f, (0, 1))(0.3, 2.0)
    close(wrap(dx.jacfwd(f, (0, 1)))(0.3, 2.0), gradient)
    close(wrap(dx.jacfwd(dx.jit(f), (0, 1)))(0.3, 2.0), gradient)
    value, moved = wrap(lambda x, y: dx.jvp(f, (x, y), (1.0, 0.5)))(0.3, 2.0)
    close(value, f(0.3, 2.0))
    close(moved, gradient[0] + 0.5 * gradient[1])
    close(wrap(dx.jacfwd(lambda x: f(x, 2.0)))(0.3), gradient[0])
    second = dx.jacrev(dx.grad(f, (0, 1)), (0, 1))(0.3, 2.0)
    close(wrap(dx.hessian(f, (0, 1)))(0.3, 2.0), second)
    close(wrap(dx.jacfwd(dx.jit(dx.jacfwd(f, (0, 1))), (0, 1)))(0.3, 2.0), second)
    close(wrap(dx.linearize(f, 0.3, 2.0)[1])(1.0, 0.0), gradient[0])
    xs, ys = np.array([0.3, 0.7]), np.array([2.0, 3.0])
    rows = tuple(np.array(c) for c in zip(*[map(float, dx.grad(f, (0, 1))(x, y))
                                            for x, y in zip(xs, ys)]))  # fmt: skip
    close(wrap(dx.vmap(dx.jacfwd(f, (0, 1))))(xs, ys), rows)
    close(wrap(lambda x, y: dx.jvp(dx.vmap(f), (x, y), (np.ones(2), np.zeros(2))))(xs, ys)[1],
          rows[0])  # fmt: skip
    close(wrap(dx.grad(lambda v: dx.jvp(f, (0.3, 2.0), (v, v))[1]))(1.0),
          gradient[0] + gradient[1])  # fmt: skip


@pytest.mark.parametrize("make", linear_makers(), ids=lambda m: m.__name__)
def test_series(jax, make):
    found = dx.derivatives(lambda x: make(dx)(x, 2.0), 0.3, 5)
    g = lambda x: make(jax)(x, 2.0)
    for value in found:
        close(value, g(0.3), 1e-9)
        g = jax.grad(g)
    close(dx.derivatives(dx.jit(lambda x: make(dx)(x, 2.0)), 0.3, 3), found[:4])


def test_hessians_of_arrays(jax):
    def loss(lib):
        f = lib.custom_vjp(lambda a, x: lib.numpy.tanh(a @ x))

        def fwd(a, x):
            y = f(a, x)
            return y, (a, x, y)

        def bwd(res, ct):
            a, x, y = res
            t = ct * (1 - y**2)
            return t[:, None] * x, 3 * (t @ a)

        f.defvjp(fwd, bwd)
        return lambda a, x: lib.numpy.sum(f(a, x) ** 2)

    a, x = rng(4, 3), rng(3, seed=2)
    expected = jax.jacrev(jax.grad(loss(jax), 1), 1)(a, x)
    close(dx.hessian(loss(dx), 1)(a, x), np.asarray(expected), 1e-10)
    close(dx.jit(dx.jacrev(dx.jacrev(loss(dx), 1), 1))(a, x), np.asarray(expected), 1e-10)
    v = rng(3, seed=3)
    close(dx.hvp(lambda x: loss(dx)(a, x), (x,), (v,)), np.asarray(expected) @ v, 1e-10)
    close(dx.jacfwd(loss(dx))(a, x), dx.grad(loss(dx))(a, x), 1e-10)


def test_reverse_mode_needs_no_transposition():
    """A backward rule that is not linear: gradients are clipped."""

    @dx.custom_vjp
    def clip_gradient(x):
        return x

    clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -1.0, 1.0),))
    loss = lambda x: 3 * clip_gradient(x) ** 2
    for f in (dx.grad(loss), dx.jit(dx.grad(loss)), dx.grad(dx.jit(loss))):
        close((f(2.0), f(0.1)), (1.0, 0.6))
    close(dx.vmap(dx.grad(loss))(np.array([2.0, 0.1])), np.array([1.0, 0.6]))
    close(dx.hvp(loss, (0.1,), (1.0,)), 6.0)
    # Derivatives of derivatives by a scalar stay in reverse mode then.
    for second in (dx.grad(dx.grad(loss)), dx.jacrev(dx.jacrev(loss)), dx.grad(dx.jacrev(loss))):
        close((second(2.0), second(0.1)), (0.0, 6.0))
    close(dx.grad(dx.grad(dx.grad(lambda x: loss(x) * x)))(0.05), 18.0)
    for wrap in (lambda f: f, dx.jit):
        with raises(
            dx.errors.ForwardModeError,
            "clip_gradient: forward-mode",
            "not linear",
            "jvp",
            line="jac",
        ):
            wrap(dx.jacfwd(loss))(2.0)


@pytest.mark.parametrize(
    ("bwd", "reason"),
    [
        (lambda _, ct: (ct * ct,), "multiplies two of them"),
        (lambda _, ct: (ct + 1.0,), "adds something"),
        (lambda _, ct: (ct + jnp.ones(2),), "adds something"),
        (lambda _, ct: (jnp.ones(2),), "does not depend on them"),
        (lambda _, ct: (jnp.abs(ct),), "'abs'"),
        (lambda _, ct: (2.0 / ct,), "'div'"),
        (lambda _, ct: (dx.jit(lambda c: c * c)(ct),), "multiplies two of them"),
        (lambda _, ct: (jnp.where(ct > 0, ct, 0.0),), "not linear"),
    ],
)  # fmt: skip
def test_rules_that_are_not_linear(bwd, reason):
    f = dx.custom_vjp(lambda x: x * 2.0)
    f.defvjp(lambda x: (f(x), None), bwd)
    dx.grad(lambda x: f(x).sum())(np.ones(2))
    with raises(
        dx.errors.ForwardModeError, "backward rule, which is not linear", reason, line="dx.jvp"
    ):
        dx.jvp(f, (np.ones(2),), (np.ones(2),))


@pytest.mark.parametrize(
    "bwd",
    [
        lambda x, ct: (ct / x,),
        lambda x, ct: (jnp.where(x > 0.5, ct, 0.0),),
        lambda x, ct: (jnp.zeros(2).at[0].set(ct[1] * x[0]),),
        lambda x, ct: (dx.jit(lambda c: c * x)(ct),),
        lambda x, ct: (jnp.concatenate([ct[:1], jnp.zeros(1)]),),
        lambda x, ct: (jnp.cumsum(ct) - jnp.mean(ct) * x,),
        lambda x, ct: (jnp.linalg.solve(jnp.diag(x), ct),),
        lambda x, ct: (jnp.real(ct * (1 + 2j)),),
    ],
)
def test_rules_that_are_linear(bwd):
    f = dx.custom_vjp(lambda x: x * 2.0)
    f.defvjp(lambda x: (f(x), x), bwd)
    x = np.array([0.3, 0.8])
    close(dx.jacfwd(f)(x), dx.jacrev(f)(x))
    close(dx.jit(dx.vmap(dx.jacfwd(f)))(np.stack([x, 2 * x])),
          np.stack([dx.jacrev(f)(x), dx.jacrev(f)(2 * x)]))  # fmt: skip


def test_python_control_flow():
    @dx.custom_vjp
    def f(x):
        return x * 2 if x > 0 else x * 3

    def bwd(x, ct):
        return (ct * 5,) if x > 0 else (ct * 7,)

    f.defvjp(lambda x: (f(x), x), bwd)
    close([dx.grad(f)(1.0), dx.grad(f)(-1.0)], [5.0, 7.0])
    close([dx.jacfwd(f)(1.0), dx.jacfwd(f)(-1.0)], [5.0, 7.0])


def test_residuals_of_any_kind():
    f = dx.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, {"how": "twice", "fun": jnp.cos, "n": 2, "none": None, "x": x}),
             lambda r, ct: (r["fun"](r["x"]) * ct * len(r["how"]) * r["n"],))  # fmt: skip
    expected = np.cos(0.3) * 10
    close(dx.grad(f)(0.3), expected)
    close(dx.grad(dx.jit(f))(0.3), expected)
    close(dx.grad(lambda x: dx.jit(dx.vmap(f))(x).sum())(np.array([0.3])), np.array([expected]))


def make_closure(c, wrap):
    @dx.custom_vjp
    def f(x):
        return jnp.sin(x) * c

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (2 * jnp.cos(x) * ct * c,))
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


def test_closures_of_the_backward_rule():
    """It runs when the transformation that owns the value has returned: as numbers."""
    for wrap in (lambda f: f, dx.jit):
        both = lambda c, wrap=wrap: make_closure(c, wrap)(c)
        for outer in (lambda f: f, dx.jit):
            close(outer(dx.grad(both))(0.3), 2 * np.cos(0.3) * 0.3 + np.sin(0.3))


def test_closure_convert(jax):
    def solve(lib):
        @functools.partial(lib.custom_vjp, nondiff_argnums=(0,))
        def root(fun, x, *args):
            for _ in range(30):
                x = x - fun(x, *args) / lib.jvp(lambda x: fun(x, *args), (x,), (1.0,))[1]
            return x

        def fwd(fun, x, *args):
            out = root(fun, x, *args)
            return out, (out, args)

        def bwd(fun, res, ct):
            x, args = res
            _, slope = lib.jvp(lambda x: fun(x, *args), (x,), (1.0,))
            _, pull = lib.vjp(lambda *args: fun(x, *args), *args)
            return (ct * 0.0, *pull(-ct / slope))

        root.defvjp(fwd, bwd)

        def find(a):
            fun, values = lib.closure_convert(lambda x: x**2 - lib.numpy.sin(a) - 2.0, 1.0)
            return root(fun, 1.0, *values)

        return find

    ours, theirs = solve(dx), solve(jax)
    close(dx.grad(ours)(0.4), theirs(0.4) * 0 + jax.grad(theirs)(0.4), 1e-10)
    close(dx.jit(dx.grad(ours))(0.4), dx.grad(ours)(0.4))
    close(dx.jacfwd(ours)(0.4), dx.grad(ours)(0.4))
    xs = np.array([0.4, 0.5])
    close(dx.vmap(dx.grad(ours))(xs), np.asarray(jax.vmap(jax.grad(theirs))(xs)), 1e-10)
    converted, values = dx.closure_convert(lambda x: x * jnp.ones(2), 1.0)
    assert values == []
    close(converted(3.0), np.full(2, 3.0))
    with raises(TypeError, "structure", line="converted"):
        converted((1.0, 2.0))
    with raises(TypeError, "argument 0 must be f64[]", "f64[3]", line="converted"):
        converted(np.ones(3))


def test_symbolic_zeros():
    seen = []
    zero = dx.custom_derivatives.SymbolicZero
    f = dx.custom_vjp(lambda x, y: (x * y, x + y))

    def fwd(x, y):
        seen.append((x.perturbed, y.perturbed))
        x, y = dx.custom_derivatives.custom_vjp_primal_tree_values((x, y))
        return f(x, y), (x, y)

    def bwd(res, cts):
        seen.append([type(ct) is zero for ct in cts])
        ct = cts[0] if type(cts[0]) is not zero else cts[1]
        return ct * res[1], zero.from_primal_value(res[1])

    f.defvjp(fwd, bwd, symbolic_zeros=True)
    for wrap in (lambda f: f, dx.jit):
        seen.clear()
        close(dx.grad(wrap(lambda x: f(x, 3.0)[1]))(2.0), 3.0)
        assert seen == [(True, False), [True, False]]
    seen.clear()
    close(dx.grad(lambda x: dx.vmap(f)(x, np.ones(2))[0].sum(), 0)(np.ones(2)), np.ones(2))
    assert seen == [(True, False), [False, True]]
    close(dx.custom_derivatives.zero_from_primal((1.0, np.ones(2))), (0.0, np.zeros(2)))
    assert dx.custom_derivatives.zero_from_primal(1.0, True).shape == ()
    with raises(TypeError, "CustomVJPPrimal", line="custom_vjp_primal_tree_values"):
        dx.custom_derivatives.custom_vjp_primal_tree_values((1.0,))


def test_integers():
    f = dx.custom_vjp(lambda x, n: (x * n, n + 1))
    seen = []

    def bwd(n, cts):
        seen.append(cts[1].dtype)
        return 2 * cts[0] * n, np.zeros((), dx.float0)

    f.defvjp(lambda x, n: (f(x, n), n), bwd)
    close(dx.grad(lambda x: f(x, 3)[0])(2.0), 6.0)
    close(dx.vjp(lambda x: f(x, 3), 2.0)[1]((1.0, np.zeros((), dx.float0)))[0], 6.0)
    close(dx.grad(dx.jit(lambda x: f(x, jnp.asarray(3))[0]))(2.0), 6.0)
    assert seen == [dx.float0] * 3
    _, moved = dx.jvp(f, (2.0, 3), (1.0, np.zeros((), dx.float0)))
    close(moved[0], 6.0)
    assert moved[1].dtype == dx.float0


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_inside_an_interpreter(wrap):
    f = make_f(dx)
    run = lambda x: Pairs().run(wrap(lambda x: f(x, 2.0)), (x, 3 * x))
    close(run(jnp.asarray(0.3)), (np.sin(0.3) * 2, np.sin(0.9) * 4), 1e-12)
    for derivative in (dx.grad, dx.jacfwd):
        inside = Pairs().run(wrap(derivative(lambda x: f(x, 2.0))), (jnp.asarray(0.3),) * 2)
        close(inside[0], 4 * np.cos(0.3))


def wrong(fwd=lambda x, y: (x * y["a"], (x, y)), bwd=lambda res, ct: (ct, {"a": ct})):
    f = dx.custom_vjp(lambda x, y: x * y["a"])
    fwd.__name__, bwd.__name__ = "fwd", "bwd"
    f.defvjp(fwd, bwd)
    return f


def test_wrong_rules():
    x = jnp.ones(3)
    pull = lambda f: dx.grad(lambda x, y: f(x, y).sum(), (0, 1))(x, {"a": x})
    with raises(TypeError, "fwd, the forward rule of <lambda>, must return a pair", line="pull"):
        pull(wrong(fwd=lambda x, y: x))
    with raises(TypeError, "bwd, the backward rule", "each of 2 arguments", "got 1", line="pull"):
        pull(wrong(bwd=lambda res, ct: (ct,)))
    with raises(TypeError, "each of 2 arguments", "got f64[3]", line="pull"):
        pull(wrong(bwd=lambda res, ct: ct))
    with raises(TypeError, "structure of the arguments", line="pull"):
        pull(wrong(bwd=lambda res, ct: (ct, {"b": ct})))
    with raises(ValueError, "structure of the arguments", line="pull"):
        pull(wrong(bwd=lambda res, ct: (ct, [ct])))
    with raises(TypeError, "cotangent of argument 1['a'] must be f64[3], got f64[]", line="pull"):
        pull(wrong(bwd=lambda res, ct: (ct, {"a": ct.sum()})))
    with raises(ValueError, "the cotangent of argument 0 must be f64[3], got i64[3]", line="pull"):
        pull(wrong(bwd=lambda res, ct: (ct.astype(int), {"a": ct})))
    f = wrong(fwd=lambda x, y: (x.sum(), None))
    f(x, {"a": x})
    with raises(TypeError, "fwd, the forward rule of", "must be f64[3]", "got f64[]", line="pull"):
        pull(f)
    f = wrong(fwd=lambda x, y: ((x, x), None))
    with raises(TypeError, "fwd, the forward rule of", "structure", line="pull"):
        pull(dx.jit(f))
    with raises(AttributeError, "without rules", "defvjp", line="dx.custom_vjp"):
        dx.custom_vjp(lambda x: x)(1.0)
    with raises(TypeError, "must return a pair (result, pullback)", line="dx.custom_gradient"):
        dx.custom_gradient(lambda x: x)(1.0)
    close(pull(wrong(bwd=lambda res, ct: [ct, None])), (np.ones(3), {"a": np.zeros(3)}))
    # A bare array stands for the only one of an argument, and may have another precision.
    rough = wrong(bwd=lambda res, ct: (ct.astype("float32"), ct))
    close(pull(rough), (np.ones(3), {"a": np.ones(3)}))


def test_straight_through_and_stop_gradient(jax):
    def make(lib):
        stop = lib.lax.stop_gradient
        return lib.grad(lambda x: lib.numpy.sum((x + stop(lib.numpy.round(x) - x)) ** 2))

    x = rng(4)
    close(make(dx)(x), np.asarray(make(jax)(x)))
    value = dx.grad(lambda x: x * dx.stop_gradient({"a": x, "n": 3})["a"])(2.0)
    close(value, 2.0)


def test_the_report_of_a_leak_compares_no_traced_values():
    """A closure with several cells of traced values: each is told from the others by identity."""
    kept = []

    def outer(x):
        y, z = jnp.sin(x), jnp.cos(x)
        kept.append(lambda: y + z)
        return x

    dx.jit(outer)(1.0)
    with pytest.raises(dx.errors.UnexpectedTracerError, match=r"the variable '[yz]'"):
        kept[0]()
