"""diffeo.nn and diffeo.scipy.special: against jax, closed forms, mpmath and finite differences."""

import math
from functools import partial

import mpmath
import numpy as np
import pytest
import scipy.special

import diffeo as dx
from diffeo import nn
from diffeo.scipy import special

X = np.array([-700.0, -30, -7.3, -3, -1, -0.5, -1e-3, 0, 1e-3, 0.4, 1, 2.9, 3, 5.9, 6, 35, 720])
ACTIVATIONS = [
    "celu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "squareplus",
    "swish",
    "tanh",
]


def total(x):
    return dx.numpy.sum(x)


def compare(jax, ours, theirs, x, rtol=1e-12, atol=1e-14):
    """Values and gradients, eager, compiled and batched, against jax's."""
    expected = np.asarray(theirs(x))
    weights = np.cos(np.arange(float(expected.size))).reshape(expected.shape)
    gradient = jax.grad(lambda v: (theirs(v) * weights).sum())(x)
    loss = lambda v: total(ours(v) * weights)
    both = lambda v: (ours(v), dx.grad(loss)(v))
    for run in (both, dx.jit(both)):
        value, slope = run(x)
        np.testing.assert_allclose(value, expected, rtol, atol)
        np.testing.assert_allclose(slope, gradient, rtol, atol)
        assert np.asarray(value).dtype == expected.dtype
    rows = dx.vmap(ours)(np.stack([x, x / 2]))
    np.testing.assert_allclose(rows, np.stack([ours(x), ours(x / 2)]), rtol, atol)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_jaxs(jax, name):
    compare(jax, getattr(nn, name), getattr(jax.nn, name), X, atol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_in_float32_and_of_integers(jax, name):
    x = X[1:-1].astype(np.float32)
    found, expected = getattr(nn, name)(x), np.asarray(getattr(jax.nn, name)(x))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)
    whole = np.asarray(getattr(nn, name)(np.arange(-2, 3)))
    np.testing.assert_allclose(whole, getattr(nn, name)(np.arange(-2.0, 3.0)))
    assert np.isnan(np.asarray(getattr(nn, name)(math.nan)))


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity"}))
def test_second_derivatives(name):
    function = getattr(nn, name)
    first = dx.grad(function)
    for x in (-2.0, -0.3, 0.7, 4.0):
        slope = (np.asarray(first(x + 1e-5)) - np.asarray(first(x - 1e-5))) / 2e-5
        np.testing.assert_allclose(dx.grad(first)(x), slope, 1e-5, 1e-8)


@pytest.mark.parametrize(
    "name, slopes",
    [
        ("softplus", [0.5, 0.25, 0.0, -0.125]),
        ("log_sigmoid", [0.5, -0.25, 0.0, 0.125]),
        ("sigmoid", [0.25, 0.0, -0.125]),
        ("relu", [0.0, 0.0]),
        ("relu6", [0.0]),
        ("celu", [1.0]),
        ("leaky_relu", [1.0]),
        ("soft_sign", [1.0]),
        ("silu", [0.5, 0.5]),
    ],
)
def test_derivatives_at_zero(name, slopes):
    function = getattr(nn, name)
    for slope in slopes:
        function = dx.grad(function)
        np.testing.assert_allclose(function(0.0), slope, atol=1e-15)


def test_ends_of_clipped_activations():
    assert float(dx.grad(nn.relu6)(6.0)) == 0.0
    assert float(dx.grad(nn.hard_tanh)(1.0)) == float(dx.grad(nn.hard_tanh)(-1.0)) == 1.0


def test_gelu_exact(jax):
    compare(jax, lambda x: nn.gelu(x, False), lambda x: jax.nn.gelu(x, False), X[3:], atol=1e-13)
    for x in (-3.0, -0.1, 2.0):
        np.testing.assert_allclose(nn.gelu(x, False), float(x * mpmath.ncdf(x)), 1e-12)


def test_parameters_of_activations(jax):
    for name, value in (("elu", 0.7), ("celu", 1.3), ("leaky_relu", 0.2), ("squareplus", 3.0)):
        ours, theirs = getattr(nn, name), getattr(jax.nn, name)
        np.testing.assert_allclose(ours(X, value), theirs(X, value), 1e-12, 1e-13)
        found = dx.grad(lambda v, f=ours: total(f(X, v)))(value)
        np.testing.assert_allclose(found, jax.grad(lambda v, f=theirs: f(X, v).sum())(value), 1e-12)
    per_column = nn.elu(np.full((2, 3), -1.0), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(per_column[0], np.array([0, 1, 2]) * (math.exp(-1) - 1))


# --------------------------------------------------------------------------------------------------
# Sums of exponentials


M = np.array([[1.0, -2.0, 300.0], [0.5, 0.5, -900.0]])


@pytest.mark.parametrize("axis", [-1, (0, 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "logmeanexp"])
def test_normalized(jax, name, axis):
    compare(jax, lambda x: getattr(nn, name)(x, axis), lambda x: getattr(jax.nn, name)(x, axis), M)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "logmeanexp"])
def test_normalized_with_mask(jax, name):
    mask = np.array([[True, True, False], [True, False, True]])
    for chosen in (mask, mask[0]):
        found = getattr(nn, name)(M, 1, where=chosen)
        expected = getattr(jax.nn, name)(M, 1, where=np.broadcast_to(chosen, M.shape))
        np.testing.assert_allclose(found, expected, 1e-12)


def test_logsumexp_with_factors(jax):
    a, b = np.array([[1.0, 2.0, 0.3], [3.0, 0.0, -1.0]]), np.array([1.0, -2.0, 0.0])
    for kwargs in ({"axis": 1}, {"axis": 0, "keepdims": True}, {}):
        ours, theirs = (
            f(a, b=b, return_sign=True, **kwargs) for f in (nn.logsumexp, scipy.special.logsumexp)
        )
        for found, expected in zip(ours, theirs):
            np.testing.assert_allclose(found, expected, 1e-12)
        assert np.asarray(ours[0]).shape == np.asarray(theirs[0]).shape
    by_b = dx.grad(lambda b: total(nn.logsumexp(a, 1, b=b)))(np.array([1.0, 0.5, 2.0]))
    expected = jax.grad(lambda b: jax.nn.logsumexp(a, 1, b=b).sum())(np.array([1.0, 0.5, 2.0]))
    np.testing.assert_allclose(by_b, expected, 1e-12)
    z = np.array([1 + 2j, 0.5j, 800 + 1j])
    np.testing.assert_allclose(nn.logsumexp(z), scipy.special.logsumexp(z), 1e-12)


def test_rows_of_minus_infinity():
    rows = np.array([[-np.inf, -np.inf], [0.0, -np.inf], [np.inf, 1.0]])
    np.testing.assert_array_equal(nn.logsumexp(rows, 1), [-np.inf, 0.0, np.inf])
    for gradient in (dx.grad(nn.logsumexp), dx.jit(dx.grad(nn.logsumexp))):
        np.testing.assert_array_equal(gradient(rows[0]), [0.0, 0.0])
        np.testing.assert_array_equal(gradient(rows[1]), [1.0, 0.0])
    np.testing.assert_array_equal(nn.logsumexp(np.zeros((2, 0)), 1), [-np.inf, -np.inf])
    assert np.isnan(nn.logsumexp(np.array([1.0, np.nan])))


def test_softmax_hessian_is_exact():
    x = np.array([0.3, -1.0, 2.0])
    p = scipy.special.softmax(x)
    np.testing.assert_allclose(dx.hessian(nn.logsumexp)(x), np.diag(p) - np.outer(p, p), 1e-12)


# --------------------------------------------------------------------------------------------------
# Others


def test_glu(jax):
    x = np.sin(np.arange(24.0)).reshape(2, 4, 3)
    compare(jax, lambda v: nn.glu(v, 1), lambda v: jax.nn.glu(v, 1), x)
    with pytest.raises(ValueError, match="even size"):
        nn.glu(x)


def test_standardize(jax):
    x = np.sin(np.arange(24.0)).reshape(4, 6)
    for axis in (0, None):
        compare(
            jax,
            lambda v, a=axis: nn.standardize(v, a),
            lambda v, a=axis: jax.nn.standardize(v, a),
            x,
            1e-9,
            1e-12,
        )
    mask = x > -0.5
    np.testing.assert_allclose(
        nn.standardize(x, where=mask), jax.nn.standardize(x, where=mask), 1e-10
    )
    shifted = np.asarray(nn.standardize(x + 1e8, 1))  # no cancellation
    np.testing.assert_allclose(shifted, nn.standardize(x, 1), atol=1e-6)
    given = nn.standardize(x, mean=1.0, variance=4.0, epsilon=0.0)
    np.testing.assert_allclose(given, (x - 1) / 2)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(jax, axis):
    x = np.array([[0, 2, 5], [1, -1, 2]])
    expected = jax.nn.one_hot(x, 3, axis=axis)
    encode = lambda v: nn.one_hot(v, 3, axis=axis)
    for run in (encode, dx.jit(encode)):
        np.testing.assert_array_equal(run(x), expected)
    assert nn.one_hot(x, 3, dtype=np.int32).dtype == np.int32
    with pytest.raises(TypeError, match="num_classes"):
        dx.jit(lambda n: nn.one_hot(x, n))(3)


# --------------------------------------------------------------------------------------------------
# Initializers


@pytest.mark.parametrize(
    "name, dtype",
    [
        ("glorot_uniform", "float64"),
        ("lecun_uniform", "complex128"),
        ("glorot_normal", "complex128"),
        ("he_normal", "float32"),
    ],
)
def test_scaled_initializers(jax, name, dtype):
    key = jax.random.PRNGKey(3)
    expected = np.asarray(getattr(jax.nn.initializers, name)()(key, (3, 2, 4, 5), dtype))
    found = np.asarray(getattr(nn.initializers, name)()(dx.random.key(3), (3, 2, 4, 5), dtype))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1e-14 if dtype != "float32" else 1e-6)


def test_other_initializers(jax):
    ours, theirs = nn.initializers, jax.nn.initializers
    key, there = dx.random.key(3), jax.random.PRNGKey(3)
    for name, args in (
        ("uniform", (0.3,)),
        ("normal", (0.3,)),
        ("truncated_normal", (0.3,)),
        ("constant", (2.5,)),
        ("variance_scaling", (2.0, "fan_out", "normal")),
        ("variance_scaling", (2.0, "fan_geo_avg", "uniform", 0, (1, 2))),
    ):
        found = getattr(ours, name)(*args)(key, (3, 4, 5))
        expected = getattr(theirs, name)(*args)(there, (3, 4, 5))
        np.testing.assert_allclose(found, expected, 1e-12, 1e-15)
    for name in ("zeros", "ones"):
        found = getattr(ours, name)(key, (2, 3), np.float32)
        np.testing.assert_array_equal(found, getattr(theirs, name)(there, (2, 3), np.float32))
        assert found.dtype == np.float32 and getattr(ours, name)(key, (2,)).dtype == np.float64
    compiled = dx.jit(lambda k: ours.he_normal()(k, (4, 5)))(key)
    np.testing.assert_allclose(compiled, ours.he_normal()(key, (4, 5)), 1e-12)


def test_variance_of_initializers():
    for distribution in ("truncated_normal", "normal", "uniform"):
        for dtype in (float, complex):
            init = nn.initializers.variance_scaling(3.0, "fan_in", distribution)
            weights = np.asarray(init(dx.random.key(0), (100, 300), dtype))
            # jax's constant for complex truncated samples makes their variance 1.9 % too large.
            tolerance = 0.04 if (distribution, dtype) == ("truncated_normal", complex) else 0.015
            assert math.isclose(np.mean(np.abs(weights) ** 2), 3.0 / 100, rel_tol=tolerance)
            assert abs(weights.mean()) < 0.01


def test_errors_of_initializers():
    with pytest.raises(ValueError, match="fan_in, fan_out"):
        nn.initializers.variance_scaling(1.0, "fan", "normal")
    with pytest.raises(ValueError, match="distribution"):
        nn.initializers.variance_scaling(1.0, "fan_in", "cauchy")
    with pytest.raises(ValueError, match="no axis -2"):
        nn.initializers.he_normal()(dx.random.key(0), (3,))


# --------------------------------------------------------------------------------------------------
# scipy.special


@pytest.mark.parametrize(
    "name, points",
    [
        ("expit", X),
        ("logit", [0.01, 0.3, 0.5, 0.999]),
        ("erf", X),
        ("entr", [0.0, 0.3, 1.0, 4.0]),
        ("erfinv", [-0.99, -0.3, 0.0, 0.5]),
    ],
)
def test_special(jax, name, points):
    points = np.array(points)
    found = getattr(special, name)(points)
    np.testing.assert_allclose(found, getattr(scipy.special, name)(points), 1e-12, 1e-15)
    compare(
        jax, getattr(special, name), getattr(jax.scipy.special, name), points[points != 0], 1e-11
    )


@pytest.mark.parametrize("name, root", [("xlogy", 0.0), ("xlog1py", -1.0)])
def test_products_with_logarithms(name, root):
    ours, scipys = getattr(special, name), getattr(scipy.special, name)
    x, y = np.meshgrid([0.0, 1.0, -2.0], root + np.array([0.3, 1.0, 7.0]))
    np.testing.assert_allclose(ours(x, y), scipys(x, y), 1e-14)
    np.testing.assert_allclose(dx.jit(ours)(x, y), scipys(x, y), 1e-13)
    for run in (ours, dx.jit(ours)):
        assert float(run(0.0, root)) == 0.0 and np.isnan(run(0.0, np.nan))
    by_x, by_y = dx.jit(dx.grad(ours, (0, 1)))(0.0, root)
    assert float(by_x) == -np.inf and float(by_y) == 0.0
    by_x, by_y = dx.grad(ours, (0, 1))(2.0, root + 3.0)
    np.testing.assert_allclose([by_x, by_y], [math.log(3.0), 2.0 / 3.0])
    mixed = dx.grad(dx.grad(ours, 0), 1)
    np.testing.assert_allclose([mixed(0.0, root + 2.0), mixed(1.5, root + 4.0)], [0.5, 0.25])
    assert ours(np.float32(0.5), np.float32(2.0)).dtype == np.float32


def test_entropy():
    np.testing.assert_array_equal(special.entr(np.array([-1.0, 0.0])), [-np.inf, 0.0])
    assert float(dx.jit(dx.grad(special.entr))(0.0)) == np.inf
    np.testing.assert_allclose(dx.grad(special.entr)(0.3), -math.log(0.3) - 1)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "exact gelu"])
def test_activations_have_numbers_at_the_ends(name):
    """At an infinity stands the limit of the value and of each derivative; nowhere is a nan."""
    fun = partial(nn.gelu, approximate=False) if name == "exact gelu" else getattr(nn, name)
    ends = np.array([-np.inf, np.inf])
    for far in (1e3, 8e307):
        for order in range(3):
            near, there = np.array([-far, far]), ends
            for run in (fun, dx.jit(fun)):
                for _ in range(order):
                    run = dx.grad(run)
                found = np.asarray(dx.vmap(run)(there)), np.asarray(dx.vmap(run)(near))
                assert not np.isnan(found).any()
                if order:
                    np.testing.assert_allclose(*found, atol=1e-5)
                else:
                    finite = np.isfinite(found[0])
                    np.testing.assert_allclose(found[0][finite], found[1][finite], atol=2e-3)
                    assert (abs(found[1][~finite]) >= far / 200).all()
