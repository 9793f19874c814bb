"""autograd's dialect: operators, rules of the user's, and what NumPy programs expect of results."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as onp
import pytest
import scipy.integrate
import scipy.signal
import scipy.special
import scipy.stats

import diffeo as dx
from diffeo.interop import autograd as ag
from diffeo.interop.autograd import numpy as np
from diffeo.interop.autograd import scipy as asp
from diffeo.interop.autograd.extend import (
    defjvp,
    defvjp,
    defvjp_argnum,
    notrace_primitive,
    primitive,
    register_notrace,
    vspace,
)
from diffeo.interop.autograd.misc import flatten
from diffeo.interop.autograd.misc.fixed_points import fixed_point
from diffeo.interop.autograd.misc.flatten import flatten_func
from diffeo.interop.autograd.misc.optimizers import adam, rmsprop, sgd
from diffeo.interop.autograd.scipy.stats import norm
from diffeo.interop.autograd.test_util import check_grads
from diffeo.interop.autograd.tracer import getval, isbox

X = onp.array([0.5, -1.25, 2.0])


def differences(f, x, eps=1e-6):
    """Central differences by each element."""
    x = onp.asarray(x, float)
    out = onp.empty(x.shape)
    for i in onp.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += eps
        down[i] -= eps
        out[i] = (f(up[()]) - f(down[()])) / (2 * eps)
    return out


# -- Results --


def test_results_are_numpys():
    gradient = ag.grad(lambda x: np.sum(np.sin(x) * x))(X)
    assert type(gradient) is onp.ndarray and gradient.flags.writeable
    gradient += 1  # nobody else sees it
    value, slope = ag.value_and_grad(np.tanh)(0.5)
    assert isinstance(value, float) and isinstance(slope, float)
    assert math.isclose(slope, 1 - math.tanh(0.5) ** 2)


def test_a_gradient_that_is_a_constant_is_a_copy():
    a = onp.ones(3)
    gradient = ag.grad(lambda x: np.dot(x, a))(X)
    gradient *= 5
    assert (a == 1).all() and (ag.grad(lambda x: np.dot(x, a))(X) == 1).all()


def test_numpy_of_numbers_is_numpy():
    assert type(np.sin(1.0)) is onp.float64 and type(np.argmax(X)) is onp.int64
    assert np.pi == onp.pi and np.newaxis is None and np.float32 is onp.float32
    assert np.linalg.norm(X) == onp.linalg.norm(X)
    with pytest.raises(AttributeError, match="no_such_function"):
        np.no_such_function


def test_python_control_flow_sees_the_numbers():
    def collatz_like(x):
        while x < 10:
            x = x * 2 if x > 1 else x * 3
        return x if isbox(x) else None

    assert ag.grad(collatz_like)(1.0) == 3 * 2 * 2
    assert ag.grad(ag.grad(lambda x: x**3 if x > 0 else x**2))(2.0) == 12.0
    assert ag.grad(lambda x: sum([v for v in x if v > 0]))(X).tolist() == [1.0, 0.0, 1.0]


def test_trees_of_arguments():
    params = {"w": onp.ones((2, 3)), "b": (1.0, [onp.zeros(2)])}
    loss = lambda p, x: np.sum(np.tanh(np.dot(p["w"], x) + p["b"][1][0]) * p["b"][0])
    gradient = ag.grad(loss)(params, X)
    assert gradient["w"].shape == (2, 3) and type(gradient["b"]) is tuple
    vector, unflatten = flatten(params)
    expected = differences(lambda v: loss(unflatten(v), X), vector)
    onp.testing.assert_allclose(flatten(gradient)[0], expected, atol=1e-8)


def test_argnums():
    f = lambda a, b, c=2.0: a * b**c
    assert ag.grad(f, 1)(3.0, 4.0) == 24.0
    assert ag.grad(f, (0, 1))(3.0, 4.0, c=1.0) == (4.0, 3.0)
    assert ag.grad_named(f, "b")(3.0, 4.0) == 24.0
    assert ag.multigrad_dict(f)(3.0, 4.0)["a"] == 16.0
    with pytest.raises(TypeError, match="argnum is an integer"):
        ag.grad(f, "b")
    with pytest.raises(ValueError, match="expected one of a, b, c"):
        ag.grad_named(f, "d")


def test_operators_agree_with_each_other():
    f = lambda x: np.sum(np.sin(x) * x**2)
    g = lambda x: np.array([np.sum(x**2), x[0] * x[1], np.exp(x[2])])
    hess = ag.hessian(f)(X)
    onp.testing.assert_allclose(hess, onp.diag(ag.elementwise_grad(ag.elementwise_grad(
        lambda x: np.sin(x) * x**2))(X)))  # fmt: skip
    onp.testing.assert_allclose(ag.hessian_vector_product(f)(X, X), hess @ X)
    onp.testing.assert_allclose(ag.make_hvp(f)(X)[0](X), hess @ X)
    jac = ag.jacobian(g)(X)
    assert type(jac) is onp.ndarray and jac.flags.writeable
    for row, at in zip(jac, range(3)):
        onp.testing.assert_allclose(row, differences(lambda x, at=at: g(x)[at], X), atol=1e-7)
    onp.testing.assert_allclose(ag.make_jvp(g)(X)(X)[1], jac @ X)
    onp.testing.assert_allclose(ag.deriv(g)(X), jac @ onp.ones(3))
    onp.testing.assert_allclose(ag.vector_jacobian_product(g)(X, X), X @ jac)
    onp.testing.assert_allclose(ag.make_ggnvp(g)(X)(X), jac.T @ jac @ X)
    gradient, aux = ag.grad_and_aux(lambda x: (f(x), {"seen": 2 * x}))(X)
    onp.testing.assert_allclose(gradient, ag.grad(f)(X))
    onp.testing.assert_allclose(aux["seen"], 2 * X)


def test_complex_numbers():
    z = 0.5 + 1.5j
    assert onp.isclose(ag.holomorphic_grad(np.sin)(z), onp.cos(z))
    with pytest.warns(UserWarning, match="not complex"):
        ag.holomorphic_grad(np.sin)(0.5)
    with pytest.raises(TypeError, match="real scalar-output"):
        ag.grad(np.sin)(z)
    # Of a real function: the derivative by the real part minus 1j times that by the other.
    assert onp.isclose(ag.grad(lambda z: np.real(z) ** 2 * np.imag(z))(z), 1.5 - 0.25j)


def test_what_is_refused():
    with pytest.raises(TypeError, match=r"Can't differentiate .* <class 'int'>"):
        ag.grad(lambda x: x * 2.0)(3)
    with pytest.raises(TypeError, match="real scalar-output"):
        ag.grad(lambda x: x)(X)
    with pytest.warns(UserWarning, match="independent of input"):
        assert (ag.grad(lambda x: 3.0)(X) == 0).all()
    with pytest.raises(ValueError, match=r"shape \(3,\), got one of shape \(2,\)"):
        ag.make_vjp(np.sin)(X)[0](onp.ones(2))


# -- Rules of the user's --


@primitive
def logsumexp(x):
    assert type(x) is onp.ndarray
    top = onp.max(x)
    return top + onp.log(onp.sum(onp.exp(x - top)))


defvjp(logsumexp, lambda ans, x: lambda g: np.full(x.shape, g) * np.exp(x - np.full(x.shape, ans)))


@pytest.mark.parametrize("order", [1, 2])
def test_primitive_with_a_vjp(order):
    check_grads(lambda x: logsumexp(x**2), order=order)(X)  # forward mode by its transposition


def test_primitive_with_a_jvp_alone():
    @primitive
    def cube(x, scale):
        return scale * onp.power(x, 3)

    defjvp(cube, lambda t, ans, x, scale: 3 * scale * x**2 * t, "same")
    defjvp(cube, lambda t, ans, x, scale: 3 * scale * x**2 * t, lambda t, ans, x, scale: t * x**3)
    check_grads(lambda x, s: np.sum(np.sin(cube(x, s))), (0, 1))(X, 0.5)


def test_primitive_of_trees_and_under_a_jacobian():
    @primitive
    def affine(params, x, label):
        assert label == "kept"
        return [params["w"] @ x, params["b"] + 0.0]

    def pull(argnum, ans, args, kwargs):
        params, x, _ = args
        if argnum == 0:
            return lambda g: {"w": np.outer(g[0], x), "b": g[1]}
        return lambda g: np.dot(g[0], params["w"])

    defvjp_argnum(affine, pull)
    params = {"w": onp.arange(6.0).reshape(2, 3), "b": 1.5}

    def f(w, x):
        first, second = affine({"w": w, "b": params["b"]}, x, "kept")
        return np.sin(first) * second

    def plain(w, x):
        return np.sin(np.dot(w, x)) * 1.5

    args = params["w"], X
    for n in (0, 1):
        onp.testing.assert_allclose(ag.jacobian(f, n)(*args), ag.jacobian(plain, n)(*args))
        second = [ag.hessian(lambda w, x, f=f: np.sum(f(w, x)), n)(*args) for f in (f, plain)]
        onp.testing.assert_allclose(*second)


def test_missing_rules_and_bad_ones():
    bare = primitive(lambda x, y: x * y)
    with pytest.raises(NotImplementedError, match=r"wrt argnums \(0,\) not defined"):
        ag.grad(bare)(1.0, 2.0)
    defvjp(bare, None, lambda ans, x, y: lambda g: g * x)
    assert ag.grad(bare, 1)(3.0, 2.0) == 3.0 and ag.grad(bare)(3.0, 2.0) == 0.0
    with pytest.raises(TypeError, match="Bad VJP"):
        defvjp(bare, 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="made by `primitive`"):
        defvjp(onp.sin, None)
    defvjp(bare, lambda ans, x, y: lambda g: onp.ones(2))
    with pytest.raises(ValueError, match=r"shape \(\), got one of shape \(2,\)"):
        ag.grad(bare)(1.0, 2.0)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="called with numbers"):
        dx.jit(bare)(1.0, 2.0)


def test_rules_for_numpys_functions():
    class Undo:
        def __enter__(self):
            self.rules = vars(np.sign.rules).copy()

        def __exit__(self, *_):
            vars(np.sign.rules).update(self.rules)

    with Undo():
        defvjp(np.sign, lambda ans, x: lambda g: g * 7.0)  # a straight-through estimator
        assert ag.grad(np.sign)(0.5) == 7.0
    with pytest.warns(UserWarning, match="independent"):
        assert ag.grad(np.sign)(0.5) == 0.0


def test_constants():
    assert ag.grad(lambda x: x * notrace_primitive(math.floor)(x))(2.5) == 2.0
    floor = primitive(lambda x: float(math.floor(x)))
    register_notrace(None, floor)
    assert ag.grad(lambda x: x * floor(x))(2.5) == 2.0
    seen = []
    ag.grad(lambda x: seen.append((getval(x), ag.isinstance(x, float), ag.type(x))) or x)(2.5)
    assert seen == [(2.5, True, onp.float64)]


def test_checkpoint():
    calls = []

    @ag.checkpoint
    def f(x):
        calls.append(1)
        return np.tanh(np.sin(x)) if np.sum(x) > 0 else x

    onp.testing.assert_allclose(ag.grad(lambda x: np.sum(f(x)))(X),
                                ag.grad(lambda x: np.sum(np.tanh(np.sin(x))))(X))  # fmt: skip
    assert len(calls) == 2  # forward, and once more backward


# -- misc, scipy --


def test_vector_spaces():
    space = vspace([1.0, (X, 1j)])
    assert space.size == 1 + 3 + 2 and len(list(space.standard_basis())) == 6
    x = space.randn()
    assert math.isclose(space.inner_prod(x, x), onp.sum(onp.abs(flatten(x)[0]) ** 2))
    assert vspace(space.add(x, space.scalar_mul(x, 2.0))) == space != vspace(1.0)
    with pytest.raises(TypeError, match="Can't find vector space"):
        vspace("text")
    with pytest.raises(NotImplementedError, match="register_pytree_node"):
        type(space).register(str)


@pytest.mark.parametrize("optimise", [sgd, rmsprop, adam])
def test_optimisers(optimise):
    steps = []
    loss = lambda p, i: np.sum((p["x"] - 3.0) ** 2) + p["y"] ** 2
    start = {"x": onp.zeros(2), "y": 1.0}
    found = optimise(ag.grad(loss), start, lambda p, i, g: steps.append(i), 300, 0.05)
    onp.testing.assert_allclose(found["x"], 3.0, atol=0.05)
    assert steps == list(range(300)) and abs(found["y"]) < 0.05


def test_fixed_points():
    step = lambda a: lambda x: x - 0.1 * (x**2 - a)
    root = lambda a: fixed_point(step, a, 1.0, lambda x, y: abs(x - y), 1e-13)
    assert math.isclose(root(2.0), math.sqrt(2), rel_tol=1e-9)
    assert math.isclose(ag.grad(root)(2.0), 0.5 / math.sqrt(2), rel_tol=1e-6)
    assert math.isclose(ag.grad(ag.grad(root))(2.0), -0.25 * 2**-1.5, rel_tol=1e-5)


def test_functions_of_vectors():
    f, unflatten, start = flatten_func(lambda p, s: {"a": p["a"] * s}, {"a": X})
    onp.testing.assert_array_equal(unflatten(f(start, 2.0))["a"], 2 * X)


def test_odeint():
    def rhs(y, t, a, b):
        return np.array([a * y[0] - y[0] * y[1], b * y[0] * y[1] - y[1]])

    times = onp.linspace(0, 1, 4)

    def loss(y0, t, params):
        kw = {"rtol": 1e-9, "atol": 1e-9}
        return np.sum(np.sin(asp.integrate.odeint(rhs, y0, t, tuple(params), **kw)))

    args = onp.array([1.0, 0.5]), times, onp.array([1.5, 0.75])
    found = ag.grad(loss, (0, 2))(*args)
    onp.testing.assert_allclose(found[0], differences(lambda y: loss(y, *args[1:]), args[0]),
                                rtol=1e-4)  # fmt: skip
    onp.testing.assert_allclose(found[1], differences(lambda p: loss(*args[:2], p), args[2]),
                                rtol=1e-4)  # fmt: skip


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolve(mode):
    rng = onp.random.default_rng(0)
    a, b = rng.normal(size=(5, 6)), rng.normal(size=(3, 2))
    got = asp.signal.convolve(a, b, mode=mode)
    onp.testing.assert_allclose(got, scipy.signal.convolve(a, b, mode=mode), atol=1e-12)
    images, filters = rng.normal(size=(2, 3, 6)), rng.normal(size=(3, 4, 2))
    how = {"axes": ([2], [2]), "dot_axes": ([1], [0]), "mode": mode}
    got = asp.signal.convolve(images, filters, **how)
    for n in range(2):
        for k in range(4):
            expected = sum([scipy.signal.convolve(images[n, c], filters[c, k], mode=mode)
                            for c in range(3)])  # fmt: skip
            onp.testing.assert_allclose(got[n, k], expected, atol=1e-12)
    check_grads(lambda f: np.sum(np.sin(asp.signal.convolve(images, f, **how))), order=1)(filters)


def test_scipys_functions():
    assert norm.logpdf(0.5) == scipy.stats.norm.logpdf(0.5)
    slope = differences(scipy.stats.norm.logcdf, 0.5)
    onp.testing.assert_allclose(ag.grad(norm.logcdf)(0.5), slope, rtol=1e-6)
    onp.testing.assert_allclose(ag.grad(asp.special.gammaln)(2.5), scipy.special.psi(2.5))
    onp.testing.assert_allclose(ag.grad(asp.special.logsumexp)(X), scipy.special.softmax(X))
    of_freedom = differences(lambda v: scipy.stats.t.logpdf(0.3, v), 4.0)
    onp.testing.assert_allclose(ag.grad(asp.stats.t.logpdf, 1)(0.3, 4.0), of_freedom, rtol=1e-6)


# -- What comes free, and the command --


def test_diffeos_transformations_apply():
    f = lambda x: np.sum(np.sin(x) * x**2)
    onp.testing.assert_allclose(dx.jit(ag.grad(f))(X), ag.grad(f)(X))
    onp.testing.assert_allclose(dx.vmap(ag.grad(np.tanh))(X), ag.elementwise_grad(np.tanh)(X))


def test_as_autograd():
    code = """
import warnings
import autograd.numpy as np, autograd.numpy.random as npr
import autograd.scipy.stats.multivariate_normal as mvn
from autograd import grad, elementwise_grad
from autograd.builtins import tuple, isinstance
from autograd.extend import primitive, defvjp
from autograd.misc.optimizers import adam
from autograd.scipy.special import logsumexp
assert autograd_is_ours(), "modules"
print(grad(lambda x: np.sum(logsumexp(x)))(np.zeros(2)))
try:
    import autograd.nothing
except ImportError as error:
    print(error)
""".replace("autograd_is_ours()", "'diffeo' in repr(grad.__module__)")
    run = [sys.executable, "-m", "diffeo.as_autograd", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.stdout.startswith("[0.5 0.5]"), done.stderr
    assert "has not this one" in done.stdout


def test_autograd_itself_is_not_needed():
    assert "autograd" not in sys.modules or "diffeo" in repr(sys.modules["autograd"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ag.grad(np.log)(2.0) == 0.5
