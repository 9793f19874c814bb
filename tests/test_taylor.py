"""Taylor mode: coefficients of every order, recurrences, nested derivatives in one pass."""

import functools
import math

import mpmath
import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises, rng

dnp = dx.numpy
special = dx.scipy.special


def wavy(x):
    return dnp.tanh(dnp.sin(x) * x)


def repeated(transform, fun, n):
    for _ in range(n):
        fun = transform(fun)
    return fun


def equations(fun, *args) -> int:
    return len(dx.make_jaxpr(fun)(*args).eqns)


# --------------------------------------------------------------------------------------------------
# Coefficients against mpmath: f(2 + sin(t)) has no coefficient that is zero by accident

FUNCTIONS = {
    "exp": (dnp.exp, mpmath.exp),
    "log": (dnp.log, mpmath.log),
    "log1p": (dnp.log1p, lambda x: mpmath.log(1 + x)),
    "sqrt": (dnp.sqrt, mpmath.sqrt),
    "rsqrt": (dx.lax.rsqrt, lambda x: 1 / mpmath.sqrt(x)),
    "cbrt": (dnp.cbrt, lambda x: x ** (mpmath.mpf(1) / 3)),
    "pow": (lambda x: x**2.7, lambda x: x ** mpmath.mpf(2.7)),
    "pow by an array": (lambda x: x ** dnp.array(-1.3), lambda x: x ** mpmath.mpf(-1.3)),
    "pow of both": (lambda x: x**x, lambda x: x**x),
    "integer_pow": (lambda x: x**7, lambda x: x**7),
    "negative integer_pow": (lambda x: x**-3, lambda x: x**-3),
    "div": (lambda x: (1 + x) / (2 + x * x), lambda x: (1 + x) / (2 + x * x)),
    "sin": (dnp.sin, mpmath.sin),
    "cos": (dnp.cos, mpmath.cos),
    "tan": (lambda x: dnp.tan(x / 4), lambda x: mpmath.tan(x / 4)),
    "tanh": (dnp.tanh, mpmath.tanh),
    "logistic": (dx.nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": (dx.nn.softplus, lambda x: mpmath.log(1 + mpmath.exp(x))),
    "gelu": (
        functools.partial(dx.nn.gelu, approximate=False),
        lambda x: x * mpmath.ncdf(x),
    ),
    "arctan": (dnp.arctan, mpmath.atan),
    "arcsinh": (dnp.arcsinh, mpmath.asinh),
    "erf": (special.erf, mpmath.erf),
    "lgamma": (special.gammaln, mpmath.loggamma),
    "square": (dnp.square, lambda x: x * x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.sampled(2)
def test_coefficients_are_mpmaths(name):
    ours, theirs = FUNCTIONS[name]
    order = 10
    with mpmath.workdps(60):
        expected = [float(c) for c in mpmath.taylor(lambda t: theirs(2 + mpmath.sin(t)), 0, order)]
    for run in (lambda f: f, dx.jit):
        series = lambda: dx.taylor(lambda t: ours(2.0 + dnp.sin(t)), (0.0,), (1.0,), order)
        close([float(c) for c in run(series)()], expected, rtol=1e-10, atol=1e-12)


def test_float32_stays_float32():
    for ours, _ in FUNCTIONS.values():
        x = np.float32(0.7)
        found = dx.taylor(ours, (x,), (np.float32(1.0),), 4)
        wide = dx.taylor(ours, (float(x),), (1.0,), 4)
        if all(f.dtype == np.float32 for f in found):
            close([float(f) for f in found], [float(w) for w in wide], rtol=2e-3, atol=2e-3)
        else:
            assert ours is FUNCTIONS["pow by an array"][0]  # the exponent is float64


def test_complex_points():
    z, v = 0.3 + 0.4j, 1.0 - 0.5j
    line = lambda f: lambda t: f(z + v * t)
    for ours, theirs in (FUNCTIONS[n] for n in ("exp", "log", "sqrt", "pow", "tanh", "logistic")):
        found = dx.taylor(line(ours), (0j,), (1 + 0j,), 6)
        with mpmath.workdps(50):
            expected = [complex(c) for c in mpmath.taylor(line(theirs), 0, 6)]
        close([complex(c) for c in found], expected, rtol=1e-10)


@pytest.mark.parametrize(
    "exponent", [2.0, np.float64(2.0), 2, np.array(2.0), np.array(2)], ids=repr
)
def test_squares_at_zero(exponent):
    """0, 0, 2, 0 ..., never nan."""
    f = lambda x: x**exponent
    for run in (lambda f: f, dx.jit):
        found = run(lambda x: dx.derivatives(f, x, 5))(0.0)
        assert [float(d) for d in found] == [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
        assert float(run(dx.grad(dx.grad(f)))(0.0)) == 2.0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13])
def test_integer_powers_at_zero(n):
    expected = [float(math.factorial(n)) if k == n else 0.0 for k in range(15)]
    assert [float(d) for d in dx.derivatives(lambda x: x**n, 0.0, 14)] == expected
    assert [float(d) for d in dx.derivatives(lambda x: x ** float(n), 0.0, 14)] == expected


@pytest.mark.parametrize("p", [0.5, 1.5, 2.5, -0.5, 1 / 3])
def test_powers_at_zero_above_the_exponent(p):
    """Infinite, as level by level; zero where the base does not move."""
    f = lambda x: x**p
    with dx.config.separate_derivatives():
        expected = [float(repeated(dx.grad, f, n)(0.0)) for n in range(1, 4)]
    assert [float(d) for d in dx.derivatives(f, 0.0, 3)][1:] == expected
    if p > 0:
        assert [float(d) for d in dx.derivatives(lambda x: f(0.0 * x), 0.0, 3)] == [0.0] * 4


def test_roots_at_zero():
    still = lambda root: lambda x: root(0.0 * x)
    for root in (dnp.sqrt, dnp.cbrt):
        assert [float(d) for d in dx.derivatives(root, 0.0, 3)] == [0.0, np.inf, -np.inf, np.inf]
        assert [float(d) for d in dx.derivatives(still(root), 0.0, 3)] == [0.0] * 4


@pytest.mark.parametrize("p", [np.inf, -np.inf, np.nan])
def test_powers_by_no_number(p):
    value = dx.derivatives(lambda x: x**p, 0.5, 1)[0]
    np.testing.assert_array_equal(np.asarray(value), np.power(0.5, p))


def test_powers_at_zero_below_the_exponent():
    assert [float(d) for d in dx.derivatives(lambda x: x**3.5, 0.0, 3)] == [0.0, 0.0, 0.0, 0.0]


def test_the_branch_not_taken_leaves_nothing():
    """A series is chosen by where, and the other one may be anything."""
    safe = lambda f: lambda x: dnp.where(x > 0, f(x), 0.0)
    for f in (dnp.sqrt, dnp.log, lambda x: x**-1.5, lambda x: 1 / x, dx.lax.rsqrt, dnp.cbrt):
        assert [float(d) for d in dx.derivatives(safe(f), 0.0, 4)] == [0.0] * 5


def test_order_zero():
    assert [float(c) for c in dx.taylor(dnp.exp, (1.0,), (1.0,), 0)] == [math.e]
    assert float(dx.nth_derivative(dnp.exp, 0)(1.0)) == math.e
    assert dx.jet(dnp.exp, (1.0,), ([],))[1] == []


# --------------------------------------------------------------------------------------------------
# jet


def network(lib, weights, x):
    for w in weights:
        x = lib.numpy.tanh(x @ w)
    return {"sum": (x * x).sum(), "all": lib.nn.softmax(x)}


@pytest.mark.parametrize("factorial_scaled", [True, False])
def test_jet_is_jaxs(jax, factorial_scaled):
    jet = pytest.importorskip("jax.experimental.jet").jet
    weights = [rng(3, 4), rng(4, 4)]
    x, terms = rng(3), [rng(3) for _ in range(4)]
    how = {"factorial_scaled": factorial_scaled}
    for run in (lambda f: f, dx.jit):
        found = run(
            lambda x: dx.jet(functools.partial(network, dx, weights), (x,), (terms,), **how)
        )(x)
        expected = jet(functools.partial(network, jax, weights), (x,), (terms,), **how)
        for name in ("sum", "all"):
            close(found[0][name], expected[0][name], rtol=1e-10)
            assert isinstance(found[1][name], list)
            for a, b in zip(found[1][name], expected[1][name], strict=True):
                close(a, b, rtol=1e-9, atol=1e-10)


def test_jet_of_trees():
    """Terms of a tree stand where its arrays do; what comes out goes in again."""
    f = lambda p: {"u": p["a"] * dnp.sin(p["b"]), "v": p["b"] ** 2}
    g = lambda q: q["u"] + q["v"]
    point = {"a": 0.3, "b": rng(2)}
    terms = {"a": [1.0, 0.0, 0.5], "b": [rng(2) for _ in range(3)]}
    middle = dx.jet(f, (point,), (terms,))
    two_steps = dx.jet(g, (middle[0],), (middle[1],))
    at_once = dx.jet(lambda p: g(f(p)), (point,), (terms,))
    close(two_steps[0], at_once[0])
    for a, b in zip(two_steps[1], at_once[1], strict=True):
        close(a, b)


def test_several_arguments_of_jet():
    y, terms = dx.jet(lambda x, y: x * y, (2.0, 3.0), ([1.0, 0.0], [0.0, 1.0]))
    assert float(y) == 6.0
    assert [float(t) for t in terms] == [3.0, 2.0]  # (xy)' = 3, (xy)'' = 2 * 1


# --------------------------------------------------------------------------------------------------
# Derivatives of a function of a number


def test_nth_derivative_of_one_argument():
    f = lambda a, x, power=2: a * x**power
    assert float(dx.nth_derivative(f, 2, argnums=1)(5.0, 3.0)) == 10.0
    assert float(dx.nth_derivative(f, 2, argnums=-1)(5.0, 3.0)) == 10.0
    assert float(dx.nth_derivative(f, 3, argnums=1)(5.0, 3.0, power=4)) == 360.0
    assert dx.nth_derivative(f, 2).__name__ == f.__name__


def test_derivatives_compose():
    xs = np.linspace(0.1, 1.0, 4)
    third = dx.nth_derivative(wavy, 3)
    expected = np.array([float(third(float(x))) for x in xs])
    close(dx.vmap(third)(xs), expected, rtol=1e-11)
    close(dx.jit(dx.vmap(third))(xs), expected, rtol=1e-11)
    close(dx.grad(third)(0.4), dx.nth_derivative(wavy, 4)(0.4), rtol=1e-11)
    close(dx.nth_derivative(third, 2)(0.4), dx.nth_derivative(wavy, 5)(0.4), rtol=1e-11)
    with_parameter = lambda a: dx.nth_derivative(lambda x: wavy(a * x), 3)(0.4)
    slope = (float(with_parameter(1.1 + 1e-5)) - float(with_parameter(1.1 - 1e-5))) / 2e-5
    close(dx.grad(with_parameter)(1.1), slope, rtol=1e-7)


def test_high_orders_stay_accurate():
    order = 40
    with mpmath.workdps(120):
        expected = mpmath.taylor(lambda x: mpmath.tanh(mpmath.sin(x) * x), mpmath.mpf(0.5), order)
    found = dx.taylor(wavy, (0.5,), (1.0,), order)
    close([float(c) for c in found], [float(c) for c in expected], rtol=1e-9)


def test_series_through_control_flow():
    """sqrt by Newton's method in a while loop; a power by a scan; a branch."""

    def root(a):
        step = lambda x: 0.5 * (x + a / x)
        return dx.lax.while_loop(lambda x: abs(x * x - a) > 1e-3, step, a)

    # Each step doubles the number of right coefficients, and the loop makes 4 and more.
    close(dx.derivatives(root, 2.0, 3), dx.derivatives(dnp.sqrt, 2.0, 3), rtol=1e-2)
    power = lambda x: dx.lax.scan(lambda c, _: (c * x, None), 1.0, None, 5)[0]
    assert [float(d) for d in dx.derivatives(power, 2.0, 6)] == [32, 80, 160, 240, 240, 120, 0]
    branch = lambda x: dx.lax.cond(x > 0, dnp.sin, dnp.exp, x)
    for run in (lambda f: f, dx.jit):
        close(run(lambda x: dx.derivatives(branch, x, 4))(1.0)[4], math.sin(1.0))
        close(run(lambda x: dx.derivatives(branch, x, 4))(-1.0)[4], math.exp(-1.0))


# --------------------------------------------------------------------------------------------------
# Nested derivatives


@dx.custom_vjp
def by_rule(x):
    return dnp.sin(x) * x


by_rule.defvjp(lambda x: (by_rule(x), x), lambda x, ct: (ct * (dnp.cos(x) * x + dnp.sin(x)),))

NESTED = {
    "wavy": wavy,
    "power": lambda x: x**3.0 + x**2.5,
    "python's if": lambda x: dnp.sin(x) if x > 0.5 else dnp.cos(x),
    "while": lambda x: dx.lax.while_loop(lambda y: y < 5, lambda y: y * (1.5 + x * x), dnp.exp(x)),
    "scan": lambda x: dx.lax.scan(lambda c, w: (dnp.sin(c * w) + x, None), x, np.arange(3.0))[0],
    "jit": dx.jit(wavy),
    "custom_vjp": by_rule,
    "matrix": lambda x: dnp.linalg.det(dnp.eye(3) + x * np.arange(9.0).reshape(3, 3) / 10),
    "closure": lambda x: dx.grad(lambda y: dnp.sin(x * y) * dnp.exp(y))(x),
    "relu": lambda x: dx.nn.relu(x) * x + abs(x),
    "constant": lambda x: 3.0,
    "linear": lambda x: 2.0 * x,
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("n", [2, 3])
def test_fused_derivatives_are_those_of_each_level(name, n):
    f = NESTED[name]
    pushed = lambda f: lambda x: dx.jvp(f, (x,), (1.0,))[1]
    scaled = lambda f: lambda x: dx.jvp(f, (x,), (-2.0,))[1] / -2.0
    both = lambda f: lambda x: dx.value_and_grad(f)(x)[1]
    with dx.config.separate_derivatives():
        expected = repeated(pushed, f, n)(0.7)
    for transform in (dx.grad, pushed, scaled, both, dx.jacfwd, dx.jacrev):
        for run in (lambda f: f, dx.jit):
            if run is dx.jit and name == "python's if":
                continue
            close(run(repeated(transform, f, n))(0.7), expected, rtol=1e-10, atol=1e-12)


def test_the_cost_is_polynomial():
    for transform in (dx.grad, lambda f: lambda x: dx.jvp(f, (x,), (1.0,))[1]):
        counts = [equations(repeated(transform, wavy, n), 0.7) for n in (4, 8, 16)]
        assert counts[2] < 4.5 * counts[1] < 4.5 * 4.5 * counts[0]
        with dx.config.separate_derivatives():
            assert equations(repeated(transform, wavy, 4), 0.7) > 1.5 * counts[0]
    orders = [equations(dx.nth_derivative(wavy, n), 0.7) for n in (8, 16, 32)]
    assert orders[2] < 4.2 * orders[1] < 4.2 * 4.2 * orders[0]


def test_the_residual_of_a_pde(jax):
    """Mixed derivatives by two numbers inside vmap and jit, and a gradient by parameters around."""

    def loss(lib, p):
        u = lambda x, t: lib.numpy.tanh(p[0] * x + p[1] * t) * p[2]

        def residual(x, t):
            u_x = lib.grad(u)
            u_xxx = lib.grad(lib.grad(u_x))
            u_xt = lib.grad(lambda x, t: lib.grad(u, 1)(x, t))
            return u_xxx(x, t) + u_xt(x, t) + u(x, t) * u_x(x, t)

        xs, ts = np.linspace(0, 1, 5), np.linspace(0.3, 1, 5)
        return (lib.vmap(residual)(xs, ts) ** 2).mean()

    p = np.array([0.5, 0.7, 1.1])
    expected = jax.grad(functools.partial(loss, jax))(p)
    for run in (lambda f: f, dx.jit):
        close(run(dx.grad(functools.partial(loss, dx)))(p), expected, rtol=1e-10)
    close(
        dx.jit(dx.hessian(functools.partial(loss, dx)))(p),
        jax.hessian(functools.partial(loss, jax))(p),
        rtol=1e-9,
    )


def test_auxiliary_data_and_vectors_are_as_before():
    second = dx.grad(lambda x: dx.grad(lambda y: (y**3, y), has_aux=True)(x)[0])
    assert float(second(2.0)) == 12.0
    x = rng(3)
    close(dx.hessian(lambda x: dnp.sum(x**3))(x), np.diag(6 * x))
    curvature = dx.grad(lambda x: dnp.sum(dx.grad(lambda y: dnp.sum(y**3))(x)))
    close(curvature(x), 6 * x)


def test_integers_have_no_slope():
    outs = dx.jvp(lambda x: dx.jvp(lambda y: (y * y, dnp.argmax(dnp.stack([y, y]))), (x,), (1.0,)),
                  (2.0,), (1.0,))  # fmt: skip
    (value, index), (slope, none) = outs[0]
    assert (float(value), int(index), float(slope)) == (4.0, 0, 4.0)
    assert none.dtype == dx.float0
    (_, _), (second, _) = outs[1]
    assert float(second) == 2.0


# --------------------------------------------------------------------------------------------------
# Bad input


def test_bad_orders():
    for bad in (-1, 1.5, True, "2"):
        with raises(ValueError, "order", ">= 0", line="dx.nth_derivative"):
            dx.nth_derivative(wavy, bad)
        with raises(ValueError, "order", ">= 0", line="dx.derivatives"):
            dx.derivatives(wavy, 1.0, bad)


def test_bad_points_of_nth_derivative():
    with raises(TypeError, "one number", "(3,)", "vmap", line="dx.nth_derivative"):
        dx.nth_derivative(dnp.sin, 2)(rng(3))
    with raises(TypeError, "floating-point", "i64[]", line="dx.nth_derivative"):
        dx.nth_derivative(dnp.sin, 2)(3)
    with raises(ValueError, "argnums=3", line="dx.nth_derivative"):
        dx.nth_derivative(dnp.sin, 2, argnums=3)(1.0)
    with raises(TypeError, "position of one argument", line="dx.nth_derivative"):
        dx.nth_derivative(dnp.sin, 2, argnums=(0, 1))


def test_bad_series_of_jet():
    with raises(ValueError, "number of terms", "[1, 2]", line="dx.jet"):
        dx.jet(lambda x, y: x * y, (1.0, 2.0), ([1.0], [1.0, 0.0]))
    with raises(TypeError, "shape and dtype", "f64[3]", "f64[]", line="dx.jet"):
        dx.jet(dnp.sin, (1.0,), ([rng(3)],))
    with raises(TypeError, "structure", line="dx.jet"):
        dx.jet(lambda p: p["a"], ({"a": 1.0},), ([1.0],))
    with raises(TypeError, "floating-point", line="dx.jet"):
        dx.jet(lambda x: x, (1,), ([1],))
    with raises(TypeError, "expects a function", line="dx.jet"):
        dx.jet(3, (1.0,), ([1.0],))
