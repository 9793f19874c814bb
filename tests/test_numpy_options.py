"""Parameters that jax's and NumPy's own tests ask about: dtypes, conditions, traced places."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

X = np.arange(24.0).reshape(2, 3, 4) ** 1.5


def test_average_takes_weights_in_the_order_of_the_axes():
    weights = np.arange(1.0, 9).reshape(4, 2)
    expected = np.average(X, (2, 0), weights)
    for f in (dnp.average, dx.jit(dnp.average, static_argnums=1)):
        np.testing.assert_allclose(f(X, (2, 0), weights), expected, rtol=1e-13)


def test_sums_of_booleans_stay_booleans():
    x = np.array([0, 3, 0, -3])
    for name in ("sum", "prod", "cumsum", "cumprod"):
        f = lambda x, name=name: getattr(dnp, name)(x, dtype=bool)
        expected = getattr(np, name)(x.astype(bool), dtype=bool)
        for out in (f(x), dx.jit(f)(x)):
            assert out.dtype == bool
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "std", "nansum", "all"])
def test_conditions_are_booleans_and_first_values_scalars(name):
    options = {"initial": 1.0} if name in ("max", "min") else {}
    with pytest.raises(ValueError, match=rf"{name}: where must be .* of booleans, got .*\[4\]"):
        getattr(dnp, name)(X, where=np.ones(4, int), **options)
    if name in ("sum", "prod", "max", "min"):
        with pytest.raises(ValueError, match=rf"{name}: initial must be a scalar"):
            getattr(dnp, name)(X, initial=np.zeros(3))


def test_sets_of_two_dtypes():
    x, y = np.array([3, 1, 2], np.int16), np.array([1.0, 5.0], np.float16)
    assert dnp.union1d(x.astype(np.int32), y).dtype == np.float16  # jax's promotion
    for f in (dnp.setdiff1d, dx.jit(lambda x, y: dnp.setdiff1d(x, y, size=2))):
        assert f(x, y).dtype == np.int16
        np.testing.assert_array_equal(f(x, y), np.setdiff1d(x, y))


def test_vectorize_checks_results_and_passes_none():
    add = dnp.vectorize(lambda x, y: x if y is None else x + y)
    np.testing.assert_array_equal(add(np.arange(3), None), np.arange(3))
    np.testing.assert_array_equal(add(np.arange(3), 1), np.arange(3) + 1)
    a, b = np.ones((2, 3)), np.ones((3, 4))
    for signature, kind, words in [
        ("(n,m),(m,k)->(n)", ValueError, r"a result of shape \(2, 4\) does not fit"),
        ("(n,m),(m,k)->(n,n)", ValueError, r"a result of shape \(2, 4\) does not fit"),
        ("(n,m),(m,k)->(n,k),()", TypeError, "expected a tuple of 2 results"),
    ]:
        with pytest.raises(kind, match=words):
            dnp.vectorize(dnp.dot, signature=signature)(a, b)
    with pytest.raises(TypeError, match="the signature has 3 results, got 2"):
        dnp.vectorize(lambda x: (x, x), signature="()->(),(),()")(1.0)
    with pytest.raises(ValueError, match="argument 1 is None"):
        dnp.vectorize(dnp.dot, signature="(n),(n)->()")(np.ones(2), None)
    with pytest.raises(ValueError, match="excluded has positions"):
        dnp.vectorize(add, excluded={-1})


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_ldexp_far_away(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, 1.0, tiny, -np.finfo(dtype).max, np.inf, 3e-5], dtype)
    for n in (-3000, -1030, -149, -20, 0, 10, 120, 270, 1100, 3000):
        with np.errstate(over="ignore", under="ignore"):
            expected, found = np.ldexp(x, n), dnp.ldexp(x, n)
        np.testing.assert_array_equal(found, expected, err_msg=str(n))
    assert not dnp.isnan(dx.jit(dnp.ldexp)(np.zeros(1, dtype), np.int32(1000)))[0]


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_traced_diagonals(k):
    x = np.arange(12.0).reshape(3, 4)
    for name, args in {"tri": (3, 4), "eye": (3, 4), "triu": (x,), "tril": (x,)}.items():
        found = dx.jit(lambda k, name=name, args=args: getattr(dnp, name)(*args, k))(k)
        np.testing.assert_array_equal(found, getattr(np, name)(*args, k))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("values", [np.float64(7.0), np.array([7.0]), np.array([[7.0]])])
def test_insertion_at_a_traced_place(axis, values):
    x = np.arange(6.0).reshape(2, 3)
    if axis is None and values.ndim == 2:
        values = values[0]
    for place in (0, 1, -1):
        found = dx.jit(lambda x, i: dnp.insert(x, i, values, axis))(x, place)
        np.testing.assert_array_equal(found, np.insert(x, place, values, axis))


def test_types_are_models_of_arrays():
    model = dx.ShapeDtypeStruct((1, 2), np.dtype("float32"))
    for name in ("zeros_like", "ones_like", "empty_like"):
        made = getattr(dnp, name)(model)
        assert (made.shape, made.dtype) == ((1, 2), np.float32)
    assert dnp.full_like(model, 2).dtype == np.float32
    assert dnp.expand_dims(X, range(2)).shape == (1, 1, *X.shape)


def test_cov_needs_a_dtype_of_fractions():
    with pytest.raises(ValueError, match="cov: dtype must be"):
        dnp.cov(X[0], dtype=int)


def test_one_hot_of_a_list():
    np.testing.assert_array_equal(dx.nn.one_hot([1, 0], 2), np.eye(2)[::-1])


def test_einsum_takes_dot_general_as_flax_gives_it():
    x = np.arange(4.0).reshape(2, 2)
    given = dnp.einsum("ij,jk", x, x, _dot_general=dx.lax.dot_general)
    np.testing.assert_array_equal(given, x @ x)
    with pytest.raises(NotImplementedError, match="_dot_general is not honoured"):
        dnp.einsum("ij,jk", x, x, _dot_general=lambda *args: None)


def test_types_have_no_sharding_and_devices_have_one():
    x = dnp.ones(2)
    assert x.aval.sharding is None and x.device.sharding.device_set == {x.device}


def test_text_of_the_compiler():
    lowered = dx.jit(lambda x: x * 2).lower(np.ones(3))
    assert "stablehlo.multiply" in lowered.as_text("stablehlo")
    assert lowered.as_text("hlo").startswith("HloModule")
    with pytest.raises(ValueError, match="dialect must be"):
        lowered.as_text("llvm")
    with pytest.raises(NotImplementedError, match="debug_info"):
        lowered.as_text(debug_info=True)


def test_eval_shape_of_what_has_a_type_alone():
    class Model:
        shape, dtype = (3, 2), np.dtype("float32")

    out = dx.eval_shape(lambda x, y: x @ y, Model(), dx.ShapeDtypeStruct((2, 4), "float32"))
    assert out == dx.ShapeDtypeStruct((3, 4), "float32") and len(out) == 3
    assert dx.eval_shape(lambda x: x, dx.core.ShapedArray((2,), "int8")).dtype == np.int8
    with pytest.raises(ValueError, match="dtype must be"):
        dx.ShapeDtypeStruct((2,), None)


@pytest.mark.parametrize("bins", [(2, 3), [np.array([-3, 0, 4]), np.array([-4, -1, 2, 5])]])
def test_densities_of_traced_points(bins):
    points = np.array([[1, -2], [0, 1], [3, 2], [-2, -3], [1, 1]], np.int32)
    f = lambda p: dnp.histogramdd(p, bins, density=True)
    expected = np.histogramdd(points, bins, density=True)
    for counts, edges in (f(points), dx.jit(f)(points)):
        np.testing.assert_allclose(counts, expected[0], rtol=1e-12)
        for found, edge in zip(edges, expected[1]):
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, edge, rtol=1e-12)


def test_keys_have_no_number_to_fill_with():
    keys = dx.random.split(dx.random.key(0), 3)
    with pytest.raises(TypeError, match="keys have no number to fill with"):
        keys.at[np.array([0, 7])].get(mode="fill")


def test_types_of_arrays_are_made_of_them():
    assert dx.ShapeDtypeStruct.like(np.ones((2, 3), "f4")) == dx.ShapeDtypeStruct((2, 3), "f4")


@pytest.mark.parametrize("narrow", ["u1", "i2", "u4", "f2"])
def test_bits_of_another_width(narrow):
    wide = np.array([[1.5, -2.25], [3e8, 0.0]])
    parts = dx.lax.bitcast_convert_type(wide, narrow)
    np.testing.assert_array_equal(parts, wide.view(narrow).reshape(parts.shape))
    for back in (
        dx.lax.bitcast_convert_type,
        dx.jit(dx.lax.bitcast_convert_type, static_argnums=1),
    ):
        np.testing.assert_array_equal(back(parts, "f8"), wide)
    with pytest.raises(TypeError, match="the last axis must have size"):
        dx.lax.bitcast_convert_type(parts[..., :1], "f8")
