"""The public transformations against each other, and against jax where it is present."""

import functools
import threading
from typing import NamedTuple

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


class Layer(NamedTuple):
    weights: object
    bias: object


def model(params, x):
    """A function of a tree of dicts, lists and named tuples."""
    for layer in params["layers"]:
        x = np.tanh(np.dot(x, layer.weights) + layer.bias)
    return np.sum(x**2) * params["scale"]


def parameters():
    layers = [Layer(rng(3, 4, seed=1), rng(4, seed=2)), Layer(rng(4, 2, seed=3), rng(2, seed=4))]
    return {"layers": layers, "scale": np.array(0.5)}


X = rng(5, 3, seed=5)


# --------------------------------------------------------------------------------------------------
# Derivatives of functions of trees


def directional(f, x, step=1e-6):
    """The derivative along a random direction by central differences, and the direction."""
    leaves, structure = dx.tree.flatten(x)
    v = dx.tree.unflatten(structure, [rng(*np.shape(a), seed=i + 9) for i, a in enumerate(leaves)])
    plus, minus = (dx.tree.map(lambda a, b, s=s: a + s * step * b, x, v) for s in (1, -1))
    return (float(f(plus)) - float(f(minus))) / (2 * step), v


def inner(a, b):
    return sum(
        float(np.sum(np.asarray(x) * np.asarray(y)))
        for x, y in zip(dx.tree.leaves(a), dx.tree.leaves(b))
    )


def test_grad_of_a_tree():
    gradient = dx.grad(model)(parameters(), X)
    assert type(gradient["layers"][0]) is Layer
    slope, v = directional(lambda p: model(p, X), parameters())
    assert inner(gradient, v) == pytest.approx(slope, rel=1e-7)
    _, tangent = dx.jvp(lambda p: model(p, X), (parameters(),), (v,))
    assert float(tangent) == pytest.approx(slope, rel=1e-7)


@needs_jax
def test_grad_of_a_tree_is_jaxs():
    def loss(lib, params, x):
        for layer in params["layers"]:
            x = lib.tanh(lib.dot(x, layer.weights) + layer.bias)
        return lib.sum(x**2) * params["scale"]

    expected = jax.value_and_grad(functools.partial(loss, jax.numpy))(parameters(), X)
    close(dx.value_and_grad(model)(parameters(), X), expected)
    close(dx.jit(dx.value_and_grad(model))(parameters(), X), expected)


def test_argnums():
    f = lambda a, b, c: np.sum(a * b**2 + c["k"])
    args = (rng(3), rng(3, seed=1), {"k": rng(3, seed=2)})
    ga, gc = dx.grad(f, argnums=(0, 2))(*args)
    close(ga, dx.grad(f)(*args))
    close(gc, {"k": np.ones(3)})
    close(dx.grad(f, argnums=-2)(*args), dx.grad(f, argnums=1)(*args))
    assert isinstance(dx.grad(f, argnums=(1,))(*args), tuple)
    assert isinstance(dx.grad(f, argnums=[1])(*args), tuple)


def test_has_aux():
    def f(x):
        return x**2, {"double": 2 * x, "note": "kept"}

    gradient, aux = dx.grad(f, has_aux=True)(3.0)
    assert gradient == 6.0 and aux["note"] == "kept" and aux["double"] == 6.0
    (value, aux), gradient = dx.value_and_grad(f, has_aux=True)(3.0)
    assert (value, gradient, aux["double"]) == (9.0, 6.0, 6.0)
    value, pullback, aux = dx.vjp(lambda x: (np.sin(x), x * 3), 1.0, has_aux=True)
    assert aux == 3.0 and pullback(1.0) == (np.cos(1.0),)
    value, tangent, aux = dx.jvp(lambda x: (np.sin(x), x * 3), (1.0,), (1.0,), has_aux=True)
    assert aux == 3.0 and tangent == np.cos(1.0)
    _jacobian, aux = dx.jacrev(lambda x: (x**2, x), has_aux=True)(rng(2))
    close(aux, rng(2))
    hessian, aux = dx.hessian(lambda x: (np.sum(x**3), x), has_aux=True)(rng(2))
    close(hessian, np.diag(6 * rng(2)))


def test_has_aux_under_jit():
    @dx.jit
    def f(x, t):
        return dx.value_and_grad(lambda x: (x**2 * t, {"aux": x * t}), has_aux=True)(x)

    (value, aux), gradient = f(3.0, 2.0)
    assert (value, aux, gradient) == (18.0, {"aux": 6.0}, 12.0)


def test_aux_that_is_traced_outside():
    def outer(x):
        gradient, aux = dx.grad(lambda y: (y * x, x**2), has_aux=True)(2.0)
        return gradient + aux

    assert dx.grad(outer)(3.0) == 7.0


def test_keyword_arguments():
    f = lambda x, *, factor, power=2: factor * x**power
    assert dx.grad(f)(3.0, factor=2.0) == 12.0
    assert dx.jit(f)(3.0, factor=2.0) == 18.0
    close(dx.vmap(f)(np.arange(3.0), factor=np.ones(3)), np.arange(3.0) ** 2)
    assert dx.jacfwd(f)(3.0, factor=2.0) == 12.0


def test_value_that_does_not_depend_on_the_argument():
    assert dx.grad(lambda x: 3.0)(1.0) == 0.0
    close(
        dx.grad(lambda t: t["a"])({"a": 1.0, "b": rng(2)}), {"a": np.array(1.0), "b": np.zeros(2)}
    )
    close(dx.jacrev(lambda x: np.ones(2))(rng(3)), np.zeros((2, 3)))
    assert dx.jvp(lambda x: 3.0, (1.0,), (1.0,)) == (3.0, 0.0)


def test_metadata_is_kept():
    def f(x):
        """Its own words."""
        return x

    for transformation in (dx.grad, dx.vmap, dx.jit, dx.value_and_grad, dx.jacfwd):
        assert transformation(f).__name__ == "f" and transformation(f).__doc__ == "Its own words."


# --------------------------------------------------------------------------------------------------
# vjp, linearize, linear_transpose


def test_pullback_may_be_called_often():
    _value, pullback = dx.vjp(lambda x, y: np.sin(x) * y, 1.0, 2.0)
    first = pullback(1.0)
    close(pullback(3.0), tuple(3 * np.asarray(c) for c in first))
    close(pullback(1.0), first)
    rows = dx.vmap(pullback)(np.arange(3.0))
    close(rows, tuple(np.arange(3.0) * np.asarray(c) for c in first))
    close(dx.jit(pullback)(1.0), first)


def test_linear_map_may_be_called_often():
    _value, derivative = dx.linearize(lambda x: np.sin(x) * x, 2.0)
    for v in (1.0, -3.0):
        assert float(derivative(v)) == pytest.approx(
            float(dx.jvp(lambda x: np.sin(x) * x, (2.0,), (v,))[1]), rel=1e-14
        )
    close(dx.vmap(derivative)(np.arange(3.0)), np.arange(3.0) * float(derivative(1.0)))
    transposed = dx.linear_transpose(derivative, 1.0)
    close(transposed(1.0), (np.asarray(derivative(1.0)),))


def test_linear_transpose():
    a = rng(3, 4)
    f = lambda t: np.dot(a, t["x"]) - 2 * t["y"]
    transposed = dx.linear_transpose(f, {"x": np.zeros(4), "y": np.zeros(3)})
    (found,) = transposed(np.ones(3))
    close(found, {"x": a.sum(0), "y": np.full(3, -2.0)})
    shapes = {"x": dx.ShapeDtypeStruct((4,), float), "y": dx.ShapeDtypeStruct((3,), float)}
    close(dx.linear_transpose(f, shapes)(np.ones(3)), (found,))


def test_float0():
    value, tangent = dx.jvp(lambda x, n: x * n, (2.0, 3), (1.0, np.zeros((), dx.float0)))
    assert (value, tangent) == (6.0, 3.0)
    value, tangent = dx.jvp(lambda x: (x > 0, x), (2.0,), (1.0,))
    assert tangent[0].dtype == dx.float0 and tangent[1] == 1.0
    value, pullback = dx.vjp(lambda x, n: (x * n, n), 2.0, 3)
    x_bar, n_bar = pullback((1.0, np.zeros((), dx.float0)))
    assert x_bar == 3.0 and n_bar.dtype == dx.float0 and n_bar.shape == ()
    gradient = dx.grad(lambda t: t["x"] * t["n"], allow_int=True)({"x": 2.0, "n": 3})
    assert gradient["x"] == 3.0 and gradient["n"].dtype == dx.float0


# --------------------------------------------------------------------------------------------------
# Jacobians, Hessians


def pair(t):
    return {"u": t["a"] ** 2 * np.sum(t["b"]), "v": np.outer(t["b"], t["b"])}


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_jacobians_of_trees(wrap):
    point = {"a": np.array(2.0), "b": rng(3)}
    forward, reverse = wrap(dx.jacfwd(pair))(point), wrap(dx.jacrev(pair))(point)
    close(forward, reverse)
    assert np.shape(forward["v"]["b"]) == (3, 3, 3)
    if jax is not None:
        f = lambda t: {"u": t["a"] ** 2 * t["b"].sum(), "v": jax.numpy.outer(t["b"], t["b"])}
        close(forward, jax.jacfwd(f)(point))


def test_jacobian_argnums():
    f = lambda a, b: np.dot(a, b)
    a, b = rng(2, 3), rng(3, seed=1)
    da, db = dx.jacrev(f, argnums=(0, 1))(a, b)
    close(db, a)
    close(da, np.einsum("ik,j->ikj", np.eye(2), b))
    close(dx.jacfwd(f, argnums=(0, 1))(a, b), (np.asarray(da), np.asarray(db)))


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_hessian_of_a_tree(wrap):
    f = lambda t: np.sum(t["b"] ** 3) * t["a"]
    point = {"a": np.array(2.0), "b": rng(3)}
    found = wrap(dx.hessian(f))(point)
    close(found["b"]["b"], np.diag(12 * point["b"]))
    close(found["a"]["b"], 3 * point["b"] ** 2)
    close(found["a"]["a"], np.array(0.0))
    close(found, dx.jacrev(dx.jacfwd(f))(point))
    close(found, dx.jacrev(dx.grad(f))(point))


def test_hvp():
    params = parameters()
    v = dx.tree.map(lambda a: np.ones_like(a), params)
    found = dx.hvp(model, (params, X), (v, np.zeros_like(X)))[0]
    expected = dx.grad(lambda p: inner_product(dx.grad(model)(p, X), v))(params)
    close(found, expected)
    close(dx.hvp(lambda x: np.sum(x**3), (rng(3),), (np.ones(3),)), 6 * rng(3))


def inner_product(a, b):
    return sum(np.sum(x * y) for x, y in zip(dx.tree.leaves(a), dx.tree.leaves(b)))


# --------------------------------------------------------------------------------------------------
# vmap


def test_in_axes_trees():
    f = lambda p, x: np.dot(p["w"], x) + p["b"]
    p, x = {"w": rng(4, 2, 3), "b": rng(2)}, rng(3, 4)
    found = dx.vmap(f, in_axes=({"w": 0, "b": None}, 1))(p, x)
    close(found, np.stack([p["w"][i] @ x[:, i] + p["b"] for i in range(4)]))
    close(dx.vmap(f, in_axes=[{"w": 0, "b": None}, -1])(p, x), found)


def test_out_axes_trees():
    f = lambda x: {"a": x, "b": (x[0], 7.0)}
    found = dx.vmap(f, out_axes={"a": 1, "b": (0, None)})(rng(3, 2))
    close(found, {"a": rng(3, 2).T, "b": (rng(3, 2)[:, 0], np.array(7.0))})
    close(dx.vmap(f, out_axes=-1)(rng(3, 2))["a"], rng(3, 2).T)


def test_axis_size():
    close(dx.vmap(lambda: 2.0, axis_size=3)(), np.full(3, 2.0))
    close(dx.vmap(lambda x: x + 1, in_axes=None, axis_size=2)(1.0), np.full(2, 2.0))
    keys = dx.random.split(dx.random.key(0), 3)
    close(
        dx.vmap(lambda k: dx.random.normal(k, (2,)))(keys),
        np.stack([dx.random.normal(k, (2,)) for k in keys]),
    )


def test_vmap_of_nothing():
    assert dx.vmap(lambda x: x * 2)(np.zeros((0, 3))).shape == (0, 3)


@needs_jax
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2), (-1, None), (2, 1)])
def test_vmap_is_jaxs(axes):
    def f(lib, x, y):
        total = lib.sum(x * y.T if x.shape == y.T.shape else lib.sum(x) * y)
        return total, lib.tanh(x)

    x, y = rng(3, 3, 3), rng(3, 3, 3, seed=1)
    expected = jax.vmap(functools.partial(f, jax.numpy), axes)(x, y)
    close(dx.vmap(functools.partial(f, dnp), axes)(x, y), tuple(expected))


def test_nested_vmap():
    a, b = rng(3), rng(4, seed=1)
    table = dx.vmap(dx.vmap(lambda x, y: np.sin(x) * y, (None, 0)), (0, None))
    close(table(a, b), np.outer(np.sin(a), b))
    close(dx.jit(table)(a, b), np.outer(np.sin(a), b))


def test_vmap_over_a_closed_over_tracer():
    def f(x):
        return np.sum(dx.vmap(lambda row: row * x)(np.arange(3.0)))

    assert dx.grad(f)(2.0) == 3.0
    close(dx.vmap(f)(np.arange(2.0)), np.array([0.0, 3.0]))


# --------------------------------------------------------------------------------------------------
# Shapes and programs


def test_eval_shape():
    f = lambda p, x: {"y": np.dot(x, p.weights) + p.bias, "n": x.shape[0]}
    p = Layer(dx.ShapeDtypeStruct((3, 4), "float32"), dx.ShapeDtypeStruct((4,), "float32"))
    found = dx.eval_shape(f, p, dx.ShapeDtypeStruct((5, 3), "float32"))
    assert found["y"] == dx.ShapeDtypeStruct((5, 4), "float32")
    assert found["n"].shape == () and found["n"].dtype == np.int64
    s = dx.ShapeDtypeStruct((2,), "int8")
    assert (s.shape, s.dtype, s.ndim) == ((2,), np.int8, 1)
    assert (
        s == dx.ShapeDtypeStruct((2,), "int8") and len({s, dx.ShapeDtypeStruct((2,), "int8")}) == 1
    )


def test_make_jaxpr():
    jaxpr = dx.make_jaxpr(model)(parameters(), X)
    dx.check_jaxpr(jaxpr)
    assert [a.shape for a in jaxpr.out_avals] == [()]
    leaves = dx.tree.leaves((parameters(), X))
    close(dx.eval_jaxpr(jaxpr, leaves)[0], np.asarray(model(parameters(), dnp.asarray(X))))
    static = dx.make_jaxpr(lambda x, n: x**n, static_argnums=1)(2.0, 3)
    assert len(static.in_vars) == 1
    again = dx.make_jaxpr(lambda *xs: dx.eval_jaxpr(jaxpr, xs))(*leaves)
    assert [type(e.primitive) for e in again.eqns] == [type(e.primitive) for e in jaxpr.eqns]
    assert dx.eval_jaxpr(dx.make_jaxpr(lambda x: (x, 1.0))(2.0), [3.0]) == [3.0, 1.0]


def test_jaxpr_of_grad_is_checked():
    for f in (dx.grad(model), dx.jit(dx.grad(dx.jit(model))), dx.jacrev(lambda p, x: model(p, x))):
        dx.check_jaxpr(dx.make_jaxpr(f)(parameters(), X))


# --------------------------------------------------------------------------------------------------
# Dtypes


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes_are_kept(dtype):
    x = dnp.ones(3, dtype)
    f = lambda x: dnp.sum(dnp.sin(x) * 2.0 + 1)
    for run in (f, dx.jit(f)):
        assert run(x).dtype == x.dtype
    for run in (dx.grad(f), dx.jit(dx.grad(f)), dx.vmap(dx.grad(f))):
        assert run(x).dtype == x.dtype
    assert dx.hessian(f)(x).dtype == x.dtype


def test_defaults_of_32_bits():
    with dx.config.defaults(32):
        assert dnp.zeros(2).dtype == np.float32 and dnp.arange(3).dtype == np.int32
        assert dx.grad(lambda x: x**2)(3.0).dtype == np.float32
        assert dx.jit(lambda x: x * 2)(3.0).dtype == np.float32
        assert dx.jit(lambda x: x * 2)(np.ones(2)).dtype == np.float64
        assert dx.derivatives(np.exp, 0.0, 2)[2].dtype == np.float32
        assert dnp.asarray(1 + 2j).dtype == np.complex64
        assert (dnp.ones(2, "float32") * 2.0).dtype == np.float32
    assert dnp.zeros(2).dtype == np.float64


def test_defaults_belong_to_a_thread():
    found = []
    with dx.config.defaults(32):
        thread = threading.Thread(target=lambda: found.append(dnp.zeros(1).dtype))
        thread.start()
        thread.join()
    assert found == [np.float64]


def test_weak_scalars():
    x = dnp.ones(2, "float32")
    for f in (
        lambda x: x * 2.0 + 1,
        lambda x: 1 - x,
        lambda x: x**2,
        lambda x: dnp.maximum(x, 0.0),
    ):
        assert f(x).dtype == dx.jit(f)(x).dtype == np.float32
    assert dx.jit(lambda x, s: x * s)(x, 2.0).dtype == np.float32
    assert dx.jit(lambda x, s: x * s)(x, np.float64(2.0)).dtype == np.float64
    assert dx.grad(lambda s: np.sum(x * s))(2.0).dtype == np.float64


def test_axes_may_be_numpys_integers():
    x = np.arange(6.0).reshape(2, 3)
    for axis in (np.int64(1), np.int8(-1)):
        found = dx.vmap(lambda v: v * 2, in_axes=axis, out_axes=axis)(x)
        np.testing.assert_array_equal(found, 2 * x)
