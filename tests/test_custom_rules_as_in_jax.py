"""What jax documents of custom rules and derivatives beyond the rules themselves: logs, linear
functions with a transposition, loops for vmap, pullbacks as objects, forward and backward passes.
"""

import functools

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises

jnp = dx.numpy
XS = np.array([0.3, -1.2, 2.0])


# --------------------------------------------------------------------------------------------------
# Logs of backward rules


def logged():
    f = dx.custom_vjp(lambda x, y: jnp.sin(x) * y)
    f.defvjp_with_logs(
        lambda x, y: (f(x, y), (x, y)),
        lambda r, ct: (
            (jnp.cos(r[0]) * r[1] * ct, jnp.sin(r[0]) * ct),
            {"f": {"ct": ct, "y": r[1]}},
        ),
    )
    return f


USES = {
    "plain": lambda f: f,
    "jit": dx.jit,
    "checkpoint": lambda f: dx.checkpoint(f),
    "jit of checkpoint": lambda f: dx.jit(dx.checkpoint(lambda x, y: f(x, y) * 1.0)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("outer", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_logs(use, outer):
    """They arrive from inside of calls and checkpoints, and where the walk itself is compiled."""
    f = USES[use](logged())
    pull = outer(lambda x, y, ct: dx.vjp(f, x, y)[1].with_logs(ct))
    cts, logs = pull(0.3, 2.0, 3.0)
    close(cts, (6 * np.cos(0.3), 3 * np.sin(0.3)))
    close(logs, {"f": {"ct": 3.0, "y": 2.0}})
    close(dx.vjp(f, 0.3, 2.0)[1](3.0), cts)
    close(dx.grad(f)(0.3, 2.0), 2 * np.cos(0.3))


def test_logs_of_rows_and_steps():
    f = logged()
    each = dx.vmap(lambda x, ct: dx.vjp(f, x, 2.0)[1].with_logs(ct))
    (cts, _), logs = each(XS, np.ones(3))
    close(cts, 2 * np.cos(XS))
    close(logs, {"f": {"ct": np.ones(3), "y": np.full(3, 2.0)}})
    _, logs = dx.vjp(lambda x: dx.vmap(f, (0, None))(x, 2.0), XS)[1].with_logs(XS)
    close(logs["f"]["ct"], XS)

    # The carry is multiplied, so each step has a cotangent of its own, which is logged.
    step = lambda c, x: (c * f(x, 2.0), c)
    for reverse in (False, True):
        run = lambda xs, c, r=reverse: dx.lax.scan(step, c, xs, reverse=r)
        (last, kept), pullback = dx.vjp(run, XS, 1.5)
        cts, logs = pullback.with_logs((1.0, np.zeros(3)))
        close(cts, pullback((1.0, np.zeros(3))))
        close(logs["f"]["ct"], np.asarray(last) / (2 * np.sin(XS)))
        cts, logs = pullback.with_logs((1.0, np.ones(3)))
        close(cts, pullback((1.0, np.ones(3))))
        assert kept.shape == logs["f"]["ct"].shape


def test_later_logs_replace_earlier_ones():
    f = dx.custom_vjp(lambda x: 3 * x)
    f.defvjp_with_logs(lambda x: (f(x), None), lambda _, ct: ((3 * ct,), {"ct": ct}))
    close(dx.vjp(lambda x: f(f(x)), 1.0)[1].with_logs(1.0), ((9.0,), {"ct": 3.0}))
    silent = dx.custom_vjp(lambda x: 3 * x)
    silent.defvjp_with_logs(lambda x: (silent(x), None), lambda _, ct: ((3 * ct,), None))
    assert dx.vjp(silent, 1.0)[1].with_logs(1.0)[1] == {}
    # Forward mode and a plain rule that is given later know nothing of logs.
    close(dx.jvp(f, (1.0,), (1.0,))[1], 3.0)
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (3 * ct,))
    close(dx.grad(f)(1.0), 3.0)


def test_custom_gradient_with_logs():
    @dx.custom_gradient(with_logs=True)
    def f(x, y):
        return x * y, lambda ct: ((ct * y, ct * x), {"x": x})

    close(dx.grad(f)(3.0, 4.0), 4.0)
    for use in (lambda f: f, dx.jit):
        cts, logs = use(lambda x, y: dx.vjp(f, x, y)[1].with_logs(1.0))(3.0, 4.0)
        close((cts, logs), ((4.0, 3.0), {"x": 3.0}))
    with raises(TypeError, "pair (cotangents, logs)", line="dx.grad"):
        dx.grad(dx.custom_gradient(lambda x: (x, lambda ct: ct), with_logs=True))(1.0)
    with raises(TypeError, "None or a dict", line="dx.grad"):
        dx.grad(dx.custom_gradient(lambda x: (x, lambda ct: (ct, [1.0])), with_logs=True))(1.0)


def test_wrong_logs():
    f = dx.custom_vjp(lambda x: x)
    f.defvjp_with_logs(lambda x: (x, None), lambda _, ct: (ct,))
    with raises(TypeError, "must return a pair (cotangents, logs)", line="dx.grad"):
        dx.grad(f)(1.0)
    f.defvjp_with_logs(lambda x: (x, None), lambda _, ct: ((ct,), [ct]))
    with raises(TypeError, "None or a dict", line="dx.grad"):
        dx.grad(f)(1.0)
    with raises(NotImplementedError, "optimize_remat", "symbolic_zeros", line="f.defvjp"):
        f.defvjp(lambda x: (x, None), lambda _, ct: (ct,), True, True)


# --------------------------------------------------------------------------------------------------
# Arguments, methods


def test_functools_partial_and_keywords(jax):
    def fun(x, y, a):
        return x * x + y * a

    for lib in (dx, jax):
        bound = functools.partial(fun, a=3.0)
        f = lib.custom_jvp(bound)
        f.defjvp(lambda primals, tangents, lib=lib, b=bound: lib.jvp(b, primals, tangents))
        close(np.asarray(lib.grad(f, 1)(1.0, 2.0)), np.asarray(3.0))
        g = lib.custom_vjp(lambda x, y=2.0: x * y)
        g.defvjp(lambda x, y: (x * y, (x, y)), lambda r, ct: (r[1] * ct, 5 * r[0] * ct))
        close(np.asarray(lib.grad(lambda y, g=g: g(1.5, y=y))(4.0)), np.asarray(7.5))
    with raises(TypeError, "a can only be given by keyword", line="f("):
        f = dx.custom_jvp(functools.partial(fun, a=3.0))
        f.defjvp(lambda p, t: (f(*p), t[0]))
        f(1.0, 2.0, a=4.0)


def test_methods_of_what_is_wrapped():
    f = dx.custom_vjp(dx.custom_batching.custom_vmap(lambda x: 2 * x))
    f.def_vmap(lambda size, batched, xs: (3 * xs, True))
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (5 * ct,))
    close(dx.vmap(f)(XS), 3 * XS)
    close(dx.vmap(dx.grad(f))(XS), np.full(3, 5.0))
    with pytest.raises(AttributeError, match="no attribute 'defjvp'"):
        _ = f.defjvp
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = f.other


# --------------------------------------------------------------------------------------------------
# Linear functions, loops


def test_linear_call(jax):
    def make(lib):
        call = lib.custom_derivatives.linear_call
        f, t = lambda r, x: x / r, lambda r, ct: 5 * ct / r
        return lambda x, r: x + call(f, t, r, x)

    ours, theirs = make(dx), make(jax)
    close(ours(9.0, 3.0), 12.0)
    once = lambda lib, f: lib.linear_transpose(lambda x: f(x, 3.0), 1.0)
    for repeats in range(1, 4):
        results = []
        for lib, f in ((dx, ours), (jax, theirs)):
            fun = lambda x, f=f: f(x, 3.0)
            for _ in range(repeats):
                transposed = lib.linear_transpose(fun, 1.0)
                fun = lambda x, g=transposed: g(x)[0]
            results.append(np.asarray(fun(9.0)))
        close(*results)
    close(once(dx, ours)(9.0)[0], 9.0 + 15.0)
    close(dx.grad(ours)(9.0, 3.0), 1 + 5 / 3)
    close(dx.jvp(lambda x: ours(x, 3.0), (9.0,), (1.0,))[1], 1 + 1 / 3)
    close(dx.vmap(dx.jit(dx.grad(ours)), (0, None))(XS, 3.0), np.full(3, 1 + 5 / 3))
    # By the residual, the function itself is differentiated.
    close(dx.grad(ours, 1)(9.0, 3.0), -1.0)
    tree = lambda r, x: {"out": (x["a"] * r["w"], x["b"])}
    back = lambda r, ct: {"a": ct["out"][0] * r["w"], "b": ct["out"][1]}
    g = lambda x: dx.custom_derivatives.linear_call(tree, back, {"w": 2.0}, x)
    x = {"a": XS, "b": 1.0}
    close(dx.linear_transpose(g, x)(g(x))[0], {"a": 4 * XS, "b": 1.0})
    with raises(TypeError, "the structure of the arguments", line="linear_call"):
        bad = lambda x: dx.custom_derivatives.linear_call(tree, lambda r, ct: ct, {"w": 2.0}, x)
        dx.linear_transpose(bad, x)(g(x))


def test_sequential_vmap():
    calls = []

    @dx.custom_batching.sequential_vmap
    def f(x, y):
        calls.append((np.shape(x), np.shape(y)))
        return {"s": jnp.sin(x) * y["a"], "x": x}

    out = dx.vmap(f, (0, None))(XS, {"a": 2.0})
    close(out, {"s": 2 * np.sin(XS), "x": XS})
    assert set(calls) == {((), ())}
    close(dx.jit(dx.vmap(f, (0, None)))(XS, {"a": 2.0}), out)
    each = dx.vmap(dx.grad(lambda x, a: f(x, {"a": a})["s"], (0, 1)))
    close(each(XS, XS), (np.cos(XS) * XS, np.sin(XS)))
    nested = dx.vmap(dx.vmap(f, (0, None)), (None, 0))(XS, {"a": XS})
    close(nested["s"], np.sin(XS) * XS[:, None])


# --------------------------------------------------------------------------------------------------
# Derivatives of batching rules


def vectorised():
    """sin(x) y, whose batching rule is another function: cos(x) y**2."""
    f = dx.custom_batching.custom_vmap(lambda x, y: jnp.sin(x) * y)
    f.def_vmap(lambda size, batched, x, y: (jnp.cos(x) * y**2, True))
    return f, lambda x, y: jnp.cos(x) * y**2


DERIVATIVES = {
    "grad": lambda f: dx.grad(f, (0, 1)),
    "second": lambda f: dx.grad(dx.grad(f), 1),
    "hessian": lambda f: dx.hessian(f, (0, 1)),
    "jvp": lambda f: lambda x, y: dx.jvp(f, (x, y), (1.0, 2.0))[1],
    "of jit": lambda f: dx.grad(dx.jit(f), (0, 1)),
    "jit": lambda f: dx.jit(dx.grad(f, (0, 1))),
    "third": lambda f: dx.grad(dx.jit(dx.grad(dx.grad(f)))),
    "reverse of forward": lambda f: dx.jacrev(dx.jacfwd(f), 1),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_derivatives_of_a_batching_rule(derivative, axes):
    """Under vmap they are those of the rule: vmap of the derivative of either function is what the
    derivative of the vectorised function says.
    """
    f, rule = vectorised()
    args = [XS if a == 0 else 0.7 for a in axes]
    found = dx.vmap(DERIVATIVES[derivative](f), axes)(*args)
    close(found, dx.vmap(DERIVATIVES[derivative](rule), axes)(*args), 1e-9, 1e-9)
    if derivative == "grad":
        close(dx.jit(dx.vmap(DERIVATIVES[derivative](f), axes))(*args), found)
        plain = lambda x, y: jnp.sin(x) * y
        close(dx.grad(f, (0, 1))(0.3, 0.7), dx.grad(plain, (0, 1))(0.3, 0.7))
        close(dx.jit(dx.grad(f))(0.3, 0.7), dx.grad(plain)(0.3, 0.7))


def test_a_batching_rule_with_integers_trees_and_closures():
    f = dx.custom_batching.custom_vmap(lambda p, n: {"y": p["a"] * n, "n": n})

    @f.def_vmap
    def rule(size, batched, p, n):
        return {"y": p["a"] * n * 10, "n": n}, {"y": True, "n": batched[1]}

    slope = lambda a, n: dx.grad(lambda a: f({"a": a}, n)["y"])(a)
    close(dx.vmap(slope)(XS, np.arange(3)), 10.0 * np.arange(3))
    close(dx.vmap(slope, (0, None))(XS, 2), np.full(3, 20.0))

    def closing(z, x):
        g = dx.custom_batching.sequential_vmap(lambda t: jnp.sin(t) * z)
        return g(x)

    close(dx.vmap(dx.grad(closing), (None, 0))(2.0, XS), np.sin(XS))
    close(dx.grad(lambda z: dx.vmap(closing, (None, 0))(z, XS).sum())(2.0), np.sin(XS).sum())


# --------------------------------------------------------------------------------------------------
# Pullbacks, linear maps, the two passes


def test_a_pullback_without_its_arguments():
    """The arguments may be taken out of what is kept, and put back."""
    f = lambda x, w: {"y": jnp.tanh(x) @ w["w"], "x": w["b"] * 2.0}
    x, w = XS, {"w": np.eye(3) + 0.5, "b": 1.5}
    out, pullback = dx.vjp(f, x, w)
    expected = pullback(out)
    leaves = len(dx.tree.leaves(pullback))
    assert type(pullback.args_res[1]["b"]).__name__ == "NotNeeded"
    pullback.args_res[1] = None
    assert len(dx.tree.leaves(pullback)) == leaves - 1 == len(pullback.opaque_residuals)
    with raises(ValueError, "args_res must have the 3 leaves", "got 1", line="pullback"):
        pullback(out)
    pullback.args_res = [None, {"w": np.eye(2), "b": 1.5}]
    with raises(ValueError, "args_res", line="pullback"):
        pullback(out)
    pullback.args_res = [x, w]
    close(pullback(out), expected)

    passed = dx.jit(lambda x, w: dx.vjp(f, x, w))(x, w)[1]
    close(passed(out), expected)
    close(dx.jit(lambda p, ct: p(ct))(passed, out), expected)

    def forward(x, w):
        out, pullback = dx.vjp(f, x, w)
        pullback.args_res[1] = None
        return out, pullback

    def backward(pullback, w, ct):
        pullback.args_res[1] = w
        return pullback(ct)

    out, light = dx.jit(forward)(x, w)
    assert not any([leaf.shape == (3, 3) for leaf in dx.tree.leaves(light)])
    close(dx.jit(backward)(light, w, out), expected)
    with raises(ValueError, "leaf 2", "f64[3,3]", "got f64[2,2]", line="pullback"):
        backward(light, {"w": jnp.eye(2), "b": 1.5}, out)
    with raises(TypeError, "takes one cotangent", "got 2", line="pullback"):
        pullback(out, out)


def test_forward_and_backward_passes(jax):
    f = lambda x, w: (jnp.sin(x) @ w, {"aux": x})
    traced = []

    def noted(x, w):
        traced.append(1)
        return f(x, w)

    w = np.eye(3) + 0.5
    for jitted in (True, False):
        fwd, bwd = dx.fwd_and_bwd(noted, (0, 1), has_aux=True, jitted=jitted)
        for scale in (1.0, 2.0, 3.0):
            out, residuals, aux = fwd(scale * XS, w)
            expected = dx.vjp(lambda x, w: f(x, w)[0], scale * XS, w)
            close(out, expected[0])
            close(bwd(residuals, XS), expected[1](XS))
            close(aux, {"aux": scale * XS})
    assert len(traced) == 1 + 3
    fwd, bwd = dx.fwd_and_bwd(lambda x, w: f(x, w)[0], 1)
    close(bwd(fwd(XS, w)[1], XS), np.outer(np.sin(XS), XS))


def test_linearize_with_aux(jax):
    fn = lambda x: (x * x - 3, x > 0)
    ours, theirs = dx.linearize(fn, 3.5, has_aux=True), jax.linearize(fn, 3.5, has_aux=True)
    close(ours[0], np.asarray(theirs[0]))
    close(ours[1](5.0), np.asarray(theirs[1](5.0)))
    assert bool(ours[2]) is True


def test_linear_transposes():
    like = type("Like", (), {"shape": (3,), "dtype": np.dtype("float32")})()
    (ct,) = dx.linear_transpose(lambda x: 2 * x, like)(np.arange(3, dtype="float32"))
    assert ct.dtype == "float32"
    close(ct, np.float32(2) * np.arange(3, dtype="float32"))
    (ct,) = dx.linear_transpose(lambda x: 2 * x, 1)(3)
    assert int(ct) == 6
    a = np.arange(6.0).reshape(2, 3)
    transposed = dx.jit(lambda a: dx.linear_transpose(lambda x: a @ x, jnp.zeros(3)))(a)
    close(dx.jit(lambda t, y: t(y))(transposed, np.ones(2)), (a.sum(0),))
    with raises(TypeError, "all integers", line="dx.linear_transpose"):
        dx.linear_transpose(lambda x: 2.0 * x, 1)
    with raises(TypeError, "expected shape and dtype of f64[], got complex 1j", line="dx.linear"):
        dx.linear_transpose(lambda x: x, 1.0)(1j)


def test_integers_have_tangents_of_no_bits():
    """Arrays of dtype float0 are NumPy's, from compiled functions, too."""
    zero = np.zeros((), dx.float0)
    f = lambda x, n: x * n
    for use in (lambda f: f, dx.jit):
        _, g = use(dx.grad(f, (0, 1), allow_int=True))(2.0, 3)
        assert type(g) is np.ndarray and g == zero
    for tangent in (zero, jnp.zeros((), dx.float0), zero[()]):
        close(dx.jvp(f, (2.0, 3), (1.0, tangent))[1], 3.0)
    _, pullback = dx.vjp(lambda x, y: x + y, 2, 1)
    assert dx.jit(pullback)(zero) == (zero, zero)


def test_reduce_axes_is_refused():
    for call in (
        lambda: dx.vjp(jnp.sin, 1.0, reduce_axes=("i",)),
        lambda: dx.grad(jnp.sin, reduce_axes=("i",)),
        lambda: dx.value_and_grad(jnp.sin, reduce_axes=("i",)),
        lambda: dx.linear_transpose(jnp.negative, 1.0, reduce_axes=("i",)),
    ):
        with raises(NotImplementedError, "reduce_axes=('i',)", "psum"):
            call()


def test_mismatches_are_caught_as_either_error():
    _, pullback = dx.vjp(jnp.sin, XS)
    for error in (TypeError, ValueError, dx.errors.MismatchError):
        with raises(error, "expected shape and dtype of f64[3]"):
            pullback(np.ones(2))
