"""checkpoint: equal derivatives, what is kept is what the policy says, and memory is less."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax._src.ad_checkpoint import saved_residuals as residuals_of_jax
from jax.ad_checkpoint import checkpoint_name

import diffeo as dx
from tests.checks import close, raises

jax.config.update("jax_enable_x64", True)
# fmt: off

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 3)), RNG.normal(size=3)
POLICIES = ("everything_saveable", "nothing_saveable", "dots_saveable",
            "dots_with_no_batch_dims_saveable", "checkpoint_dots")


def layer(lib):
    name = lib.checkpoint_name if lib is dx else checkpoint_name

    def fun(w, x):
        h = name(lib.numpy.tanh(w @ x), "h")
        return lib.numpy.sin(lib.numpy.exp(h)) * 2.0
    return fun


def policies(lib):
    """Policies by name, those by the names of values included."""
    p = lib.checkpoint_policies
    found = {name: getattr(p, name) for name in POLICIES}
    found["none"] = None
    found["only h"] = p.save_only_these_names("h")
    found["any but h"] = p.save_any_names_but_these("h")
    found["all except h"] = p.save_anything_except_these_names("h")
    found["dots and h"] = p.save_from_both_policies(
        p.save_only_these_names("h"), p.dots_saveable)
    return found


@pytest.mark.parametrize("name", policies(dx))
def test_derivatives_are_the_same(name: str):
    def loss(fun):
        return lambda w, x: dx.numpy.sum(fun(w, fun(w, x)) ** 2)

    plain = loss(layer(dx))
    kept = loss(dx.checkpoint(layer(dx), policy=policies(dx)[name]))
    for transform in (
        lambda f: dx.grad(f, (0, 1)),
        lambda f: dx.jit(dx.grad(f, (0, 1))),
        lambda f: dx.hessian(f, 1),
        lambda f: dx.grad(lambda w, x: dx.numpy.sum(dx.grad(f, 1)(w, x) ** 2)),
        lambda f: lambda w, x: dx.jvp(f, (w, x), (w, x)),
        lambda f: lambda w, x: dx.vmap(dx.grad(f, 1), (None, 0))(w, np.stack([x, -x])),
        lambda f: dx.grad(lambda w, x: dx.numpy.sum(dx.vmap(f, (None, 0))(w, np.stack([x, -x])))),
        lambda f: lambda w, x: dx.derivatives(lambda t: f(w, t * x), 0.5, 4),
    ):
        for a, b in zip(*[dx.tree.leaves(transform(f)(W, X)) for f in (kept, plain)]):
            np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("name", policies(dx))
def test_what_is_kept_is_what_jax_keeps(name: str):
    """The shapes of the values that are kept beside the arguments."""
    def kept(lib, saved):
        fun = lib.checkpoint(layer(lib), policy=policies(lib)[name])
        found = saved(lambda w, x: lib.numpy.sum(fun(w, x)), W, X)
        return sorted([aval.shape for aval, where in found if "argument" not in where])

    ours, theirs = kept(dx, dx.saved_residuals), kept(jax, residuals_of_jax)
    if name in ("everything_saveable", "all except h"):
        assert len(ours) <= len(theirs)  # jax keeps a value and its cosine, say, where one will do
    else:
        assert ours == theirs


def deep(lib, steps, **options):
    """The temporary memory of the compiled gradient of many layers, in bytes."""
    block = lambda x, w: (lib.numpy.tanh(lib.numpy.sin(x @ w) @ w.T), None)
    if options.pop("on", True):
        block = lib.checkpoint(block, prevent_cse=False, **options)
    loss = lambda ws, x: lib.numpy.sum(lib.lax.scan(block, x, ws)[0])
    args = lib.numpy.ones((steps, 16, 64)), lib.numpy.ones((128, 16))
    found = lib.jit(lib.grad(loss)).lower(*args).compile().memory_analysis()
    return found["temp"] if lib is dx else found.temp_size_in_bytes


def test_memory_is_cut_as_in_jax():
    for options in ({}, {"on": False}, {"policy": "dots_saveable"}):
        ours, theirs = (
            deep(lib, 24, **{k: getattr(lib.checkpoint_policies, v) if k == "policy" else v
                             for k, v in options.items()})
            for lib in (dx, jax))
        assert ours <= 1.02 * theirs
    assert deep(dx, 24) < 0.5 * deep(dx, 24, on=False)


def test_in_control_flow_with_custom_rules_and_jit():
    @dx.custom_jvp
    def f(x):
        return dx.numpy.sin(x)

    f.defjvp(lambda p, t: (f(*p), 10.0 * dx.numpy.cos(p[0]) * t[0]))  # ten times the truth
    body = dx.checkpoint(lambda c, x: (dx.jit(f)(c) * x, c))
    loss = lambda x: dx.numpy.sum(dx.lax.scan(body, x, np.ones(3))[0])
    expected = lambda x: np.prod([10.0 * np.cos(v) for v in (x, np.sin(x), np.sin(np.sin(x)))])
    np.testing.assert_allclose(dx.grad(loss)(0.3), expected(0.3), rtol=1e-12)
    np.testing.assert_allclose(dx.jit(dx.grad(loss))(0.3), expected(0.3), rtol=1e-12)
    branch = lambda x: dx.lax.cond(x > 0, dx.checkpoint(f), lambda x: x, x)
    np.testing.assert_allclose(dx.grad(branch)(0.3), 10 * np.cos(0.3), rtol=1e-12)


def test_a_callback_with_a_derivative():
    """A pure_callback inside of a custom_jvp: compiled, vectorised, in loops, differentiated."""
    @dx.custom_jvp
    def f(x):
        kind = dx.ShapeDtypeStruct(x.shape, x.dtype)
        return dx.pure_callback(np.sin, kind, x, vmap_method="expand_dims")

    f.defjvp(lambda p, t: (f(*p), dx.numpy.cos(p[0]) * t[0]))
    plain = dx.numpy.sin
    for transform in (
        dx.grad,
        lambda f: dx.jit(dx.grad(f)),
        lambda f: lambda x: dx.vmap(dx.grad(f))(dx.numpy.stack([x, 2 * x])),
        lambda f: dx.grad(lambda x: dx.numpy.sum(dx.vmap(f)(dx.numpy.stack([x, 2 * x])))),
        lambda f: dx.grad(lambda x: dx.lax.fori_loop(0, 3, lambda i, c: f(c) * x, x)),
        lambda f: dx.jit(dx.grad(lambda x: dx.lax.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, f(c[1]) * x), (0, x))[1])),
        lambda f: dx.grad(dx.checkpoint(lambda x: f(f(x)))),
    ):
        point = dx.numpy.array(0.7)
        np.testing.assert_allclose(transform(f)(point), transform(plain)(point), rtol=1e-12)


def test_decorator_static_arguments_and_keywords():
    @dx.checkpoint(static_argnums=(1,))
    def power(x, n, *, scale=1.0):
        return scale * x**n if n > 1 else x

    assert float(dx.grad(power)(3.0, 2)) == 6.0
    assert float(dx.grad(lambda x: power(x, 2, scale=x))(3.0)) == 27.0
    assert power.__name__ == "power"
    assert dx.remat is dx.checkpoint


def test_what_is_printed(capsys):
    f = lambda p: dx.numpy.sum(dx.numpy.sin(dx.checkpoint_name(dx.numpy.exp(p["x"]), "e")))
    dx.print_saved_residuals(f, {"x": X})
    said = capsys.readouterr().out
    assert "f64[3] the result of exp at test_checkpoint.py" in said
    assert "f64[3] the result of cos at test_checkpoint.py" in said
    dx.print_saved_residuals(lambda p: p["x"][0] * p["x"][1], {"x": X})
    assert capsys.readouterr().out.count("result of") == 2


def test_bad_input():
    with raises(TypeError, "checkpoint", "function", "3"):
        dx.checkpoint(3)
    with raises(TypeError, "policy", "function"):
        dx.checkpoint(lambda x: x, policy="dots")
    with raises(TypeError, "checkpoint_name", "string"):
        dx.checkpoint_name(X, 3)
    with raises(ValueError, "argnums", "5"):
        dx.grad(dx.checkpoint(lambda x: x, static_argnums=5))(1.0)


def test_offloading_is_refused():
    p = dx.checkpoint_policies
    with raises(NotImplementedError, "save_and_offload", "save_only_these_names", line="p.save"):
        p.save_and_offload_only_these_names(
            names_which_can_be_saved=["other"], names_which_can_be_offloaded=["h"],
            offload_src="device", offload_dst="pinned_host")
    with raises(NotImplementedError, "dots_with_no_batch_dims_saveable", line="p.offload"):
        p.offload_dot_with_no_batch_dims("device", "pinned_host")


def test_static_names_and_flags_by_argument():
    """As in jax: names of static arguments, and a barrier for some arguments only."""
    f = lambda x, n, scale=2.0: np.sin(x) ** n * scale
    g = dx.checkpoint(f, static_argnames=("n",))
    for call in (lambda f, x: f(x, 3), lambda f, x: f(x, n=3), lambda f, x: f(x, scale=x, n=3)):
        close(dx.grad(lambda x, c=call: c(g, x))(0.5), dx.grad(lambda x, c=call: c(f, x))(0.5))
    w, x = np.eye(3) + 0.1, np.array([0.3, -0.4, 0.5])
    loss = lambda layer: lambda w, x: (layer(w, layer(w, x)) ** 2).sum()
    plain = lambda w, x: np.tanh(w @ x)
    for flags, count in (((True, False), 1), ((False, True), 1), ((False, False), 0), (True, 2)):
        layer = dx.checkpoint(plain, prevent_cse=flags)
        for order in (dx.grad, dx.hessian):
            close(order(loss(layer))(w, x), order(loss(plain))(w, x), 1e-8)
        close(dx.vmap(dx.grad(loss(layer), (0, 1)), (None, 0))(w, np.stack([x, x])),
              dx.vmap(dx.grad(loss(plain), (0, 1)), (None, 0))(w, np.stack([x, x])), 1e-8)
        text = dx.jit(dx.grad(loss(layer), (0, 1))).lower(w, x).as_text()
        rows = [row for row in text.splitlines() if "optimization_barrier" in row]
        assert len(rows) >= count and (count or not rows)
    with raises(TypeError, "prevent_cse is a boolean"):
        dx.checkpoint(plain, prevent_cse=1)
    with raises(NotImplementedError, "concrete=True"):
        dx.checkpoint(plain, concrete=True)
