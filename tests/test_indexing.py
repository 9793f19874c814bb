"""Reading and writing parts of arrays, against NumPy: x[index], x.at[index], errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import diffeo as dx
import diffeo.numpy as dnp


@st.composite
def _indexed(draw, advanced=True):
    """A shape, and an index into it: basic items, integer arrays of one broadcast shape, a mask."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    batch = draw(st.sampled_from([(2,), (2, 3), (1, 3), ()]))
    items, axis, dots, mask = [], 0, False, False
    while axis < len(shape) and draw(st.integers(0, 6)):
        n = shape[axis]
        kinds = ["int", "slice", "none", "dots"] + ["array", "scalar", "mask"] * advanced
        kind = draw(st.sampled_from(kinds))
        if kind == "none":
            items.append(None)
            continue
        if kind == "dots":
            if not dots:
                items.append(Ellipsis)
                dots, axis = True, axis + draw(st.integers(0, len(shape) - axis))
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            items.append(draw(st.slices(n)))
        elif kind == "array":
            shape_of = draw(st.sampled_from([batch, batch[-1:], (1,) * len(batch)]))
            items.append(draw(hnp.arrays(np.int64, shape_of, elements=st.integers(-n, n - 1))))
        elif kind == "scalar":
            items.append(np.array(draw(st.integers(-n, n - 1))))
        elif not mask and batch == ():
            items.append(draw(hnp.arrays(bool, (n,))))
            mask = True
        else:
            continue
        axis += 1
    index = tuple(items)
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else index


def _numbers(shape):
    return np.arange(float(np.prod(shape))).reshape(shape)


def _wrapped(index):
    """The index with diffeo's arrays in place of NumPy's."""
    if isinstance(index, tuple):
        return tuple([_wrapped(i) for i in index])
    return dnp.asarray(index) if isinstance(index, np.ndarray) else index


def _read(x, index):
    try:
        return x[index]
    except IndexError:  # arrays that do not broadcast together
        return None


@given(_indexed())
@settings(max_examples=300)
def test_read_eagerly(case):
    shape, index = case
    x = _numbers(shape)
    want = _read(x, index)
    if want is not None:
        got = dnp.asarray(x)[_wrapped(index)]
        assert got.shape == want.shape
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(dnp.asarray(x)[index], want)


@given(_indexed())
@settings(max_examples=80)
def test_read_under_jit_with_static_index(case):
    shape, index = case
    x = _numbers(shape)
    want = _read(x, index)
    if want is not None:
        np.testing.assert_array_equal(dx.jit(lambda x: x[index])(x), want)


def _split(index):
    """The integer arrays of an index, and how to put them back."""
    items = index if isinstance(index, tuple) else (index,)
    arrays = [i for i in items if isinstance(i, np.ndarray) and i.dtype != bool]

    def join(arrays):
        rest = iter(arrays)
        return tuple(
            [next(rest) if isinstance(i, np.ndarray) and i.dtype != bool else i for i in items]
        )

    return arrays, join


@given(_indexed())
@settings(max_examples=80)
def test_read_under_jit_with_traced_index(case):
    shape, index = case
    x = _numbers(shape)
    want = _read(x, index)
    if want is not None:
        arrays, join = _split(index)
        got = dx.jit(lambda x, arrays: x[join(arrays)])(x, arrays)
        assert got.shape == want.shape
        np.testing.assert_array_equal(got, want)


def _vjp(f, x, ct):
    return np.asarray(dx.vjp(f, x)[1](ct)[0])


@given(_indexed())
@settings(max_examples=40)
def test_gradient_of_reading(case):
    shape, index = case
    x = _numbers(shape)
    want = _read(x, index)
    if want is not None:
        weights = np.cos(np.arange(float(want.size))).reshape(want.shape)
        expected = np.zeros(shape)
        np.add.at(expected, index, weights)
        got = _vjp(lambda x: x[index], dnp.asarray(x), dnp.asarray(weights))
        np.testing.assert_allclose(got, expected, atol=1e-12)


def _vmapped(x, rows):
    return np.stack([x[i] for i in rows])


def test_vmap_over_index_and_array():
    x, rows = _numbers((5, 3)), np.array([3, 0, -1])
    np.testing.assert_array_equal(dx.vmap(lambda i: dnp.asarray(x)[i])(rows), _vmapped(x, rows))
    got = dx.vmap(lambda r, i: r[i], in_axes=(1, 0))(x, rows)
    np.testing.assert_array_equal(got, [x[i, k] for k, i in enumerate(rows)])
    got = dx.vmap(lambda r, i: r.at[i].set(-1.0), in_axes=(1, 0))(x, rows)
    want = x.T.copy()
    want[np.arange(3), rows] = -1
    np.testing.assert_array_equal(got, want)


# ------------------------------------------------------------------------------------------------
# Writing

_UFUNCS = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "divide": np.divide,
}


def _written(x, index, op, values):
    out = x.copy()
    if op == "set":
        out[index] = values
    else:
        _UFUNCS[op].at(out, index, values)
    return out


@given(_indexed(), st.sampled_from(["set", *_UFUNCS]), st.booleans(), st.booleans())
@settings(max_examples=150)
def test_write(case, op, scalar, traced):
    shape, index = case
    x = _numbers(shape)
    part = _read(x, index)
    if part is None:
        return
    values = 2.5 if scalar else 1 + np.cos(np.arange(float(part.size))).reshape(part.shape)
    if op == "set" and not scalar:
        # NumPy leaves open which one of several values at one place stays.
        places = np.arange(x.size).reshape(shape)[index]
        if len(np.unique(places)) < places.size:
            return
    want = _written(x, index, op, values)
    wrapped = dnp.asarray(values) if not scalar else values
    np.testing.assert_allclose(getattr(dnp.asarray(x).at[_wrapped(index)], op)(wrapped), want)
    arrays, join = _split(index)
    if traced:
        got = dx.jit(lambda x, v, a: getattr(x.at[join(a)], op)(v))(x, values, arrays)
    else:
        got = dx.jit(lambda x, v: getattr(x.at[index], op)(v))(x, values)
    np.testing.assert_allclose(got, want)


@given(_indexed(), st.sampled_from(["set", "add", "multiply", "max"]))
@settings(max_examples=40)
def test_derivatives_of_writing(case, op):
    shape, index = case
    x = np.sin(1 + _numbers(shape))
    part = _read(x, index)
    if part is None or not part.size:
        return
    values = np.cos(1 + np.arange(float(part.size))).reshape(part.shape)
    places = np.arange(x.size).reshape(shape)[index]
    if len(np.unique(places)) < places.size and op == "set":
        return
    f = lambda x, v: getattr(x.at[index], op)(v)
    tangents = np.cos(7 * x), np.sin(5 * values)
    _, got = dx.jvp(f, (x, values), tangents)
    step = 1e-6
    ends = [
        _written(x + s * tangents[0], index, op, values + s * tangents[1]) for s in (step, -step)
    ]
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-6)
    ct = np.sin(2 * x)
    back = dx.vjp(f, x, values)[1](ct)
    inner = sum(np.sum(np.asarray(b) * t) for b, t in zip(back, tangents))
    np.testing.assert_allclose(inner, np.sum(ct * np.asarray(got)), rtol=1e-9, atol=1e-9)


def test_write_shapes_and_dtypes():
    x = dnp.zeros((3, 4))
    assert x.at[1].set(dnp.ones((1, 1, 4))).sum() == 4
    assert x.at[..., None, 0].add(1.0)[:, 0].sum() == 3
    assert dnp.zeros(3, "float32").at[0].set(np.float64(2)).dtype == np.float32
    assert dnp.zeros(3, int).at[0].add(2).dtype == np.int64
    assert dnp.zeros((2, 2), bool).at[0].set(True).sum() == 2
    with pytest.raises(TypeError, match="does not fit into an array of int64"):
        dnp.zeros(3, int).at[0].set(1.5)
    with pytest.raises(TypeError, match="does not fit"):
        dnp.zeros(3).at[0].set(1j)
    with pytest.raises(ValueError, match="do not broadcast"):
        x.at[0].set(dnp.ones(3))
    with pytest.raises(ValueError, match="do not broadcast"):
        dx.jit(lambda x: x.at[0].set(dnp.ones(3)))(x)


def test_modes():
    x = dnp.arange(4.0)
    assert x.at[9].get(mode="clip") == 3 and x.at[-9].get(mode="clip") == 0
    assert np.isnan(x.at[9].get(mode="fill")) and x.at[9].get(mode="fill", fill_value=7.0) == 7
    far = np.array([1, 9, -9])
    np.testing.assert_array_equal(x.at[far].get(mode="fill", fill_value=-1.0), [1, -1, -1])
    np.testing.assert_array_equal(x.at[far].get(mode="clip"), [1, 3, 0])
    np.testing.assert_array_equal(x.at[far].get(mode="wrap"), [1, 1, 3])
    np.testing.assert_array_equal(x.at[far].set(8.0, mode="drop"), [0, 8, 2, 3])
    np.testing.assert_array_equal(x.at[far].add(8.0, mode="clip"), [8, 9, 2, 11])
    np.testing.assert_array_equal(x.at[far].max(8.0, mode="drop"), [0, 8, 2, 3])
    np.testing.assert_array_equal(x.at[9].set(8.0, mode="drop"), x)
    with pytest.raises(ValueError, match="mode must be one of"):
        x.at[0].get(mode="nearest")
    # Traced: clamped when read, dropped when written, negative ones from the end.
    read, write = dx.jit(lambda x, i: x[i]), dx.jit(lambda x, i: x.at[i].set(8.0))
    assert read(x, 9) == 3 and read(x, -1) == 3 and read(x, -9) == 0
    np.testing.assert_array_equal(read(x, far), [1, 3, 0])
    np.testing.assert_array_equal(write(x, far), [0, 8, 2, 3])
    np.testing.assert_array_equal(write(x, 9), x)
    assert np.isnan(dx.jit(lambda x, i: x.at[i].get(mode="fill"))(x, 9))
    assert read(x, np.uint8(3)) == 3
    assert read(dnp.arange(300.0), np.uint8(255)) == 255


def test_masks():
    x = dnp.arange(6.0).reshape(2, 3)
    mask = x > 2
    np.testing.assert_array_equal(x[mask], [3, 4, 5])
    np.testing.assert_array_equal(x[dnp.array([False, True])], [[3, 4, 5]])
    np.testing.assert_array_equal(dx.jit(lambda x: x.at[x > 2].set(0.0))(x), [[0, 1, 2], [0, 0, 0]])
    np.testing.assert_array_equal(
        dx.jit(lambda x: x.at[x[:, 0] > 2].multiply(dnp.arange(3)))(x), [[0, 1, 2], [0, 4, 10]]
    )
    np.testing.assert_array_equal(dx.grad(lambda x: x[mask].sum())(x), mask)
    np.testing.assert_array_equal(x.at[mask].set(0.0), [[0, 1, 2], [0, 0, 0]])
    new = x.at[mask].set(dnp.array([9.0, 8.0, 7.0]))
    np.testing.assert_array_equal(new, [[0, 1, 2], [9, 8, 7]])
    assert x[True].shape == (1, 2, 3) and x[False].shape == (0, 2, 3)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="where"):
        dx.jit(lambda x: x[x > 2])(x)
    with pytest.raises(IndexError, match="boolean index"):
        x[dnp.array([True, False, True])]
    with pytest.raises(IndexError, match="boolean index"):
        dx.jit(lambda x: x.at[x[0] > 1].set(0.0))(x)


def test_apply_power_and_duplicates():
    x = dnp.arange(1.0, 5.0)
    np.testing.assert_array_equal(x.at[1:3].apply(lambda v: v * v), [1, 4, 9, 4])
    np.testing.assert_array_equal(x.at[1:3].power(2), [1, 4, 9, 4])
    np.testing.assert_array_equal(dx.jit(lambda x: x.at[::2].power(2.0))(x), [1, 2, 9, 4])
    twice = np.array([1, 1])
    for f in (lambda x, i: x.at[i].power(2.0), lambda x, i: x.at[i].apply(lambda v: v * v)):
        np.testing.assert_array_equal(f(x, twice), [1, 16, 3, 4])
        np.testing.assert_array_equal(dx.jit(lambda x, f=f: f(x, twice))(x), [1, 16, 3, 4])
        np.testing.assert_array_equal(dx.jit(f)(x, twice), [1, 16, 3, 4])
        np.testing.assert_allclose(dx.grad(lambda x, f=f: f(x, twice).sum())(x), [1, 32, 1, 1])
    far = np.arange(100) % 4
    with pytest.raises(NotImplementedError, match="unique_indices"):
        dx.jit(lambda x, i: x.at[i].apply(dnp.sin))(x, far)
    got = dx.jit(lambda x, i: x.at[i].power(2.0, unique_indices=True))(x, np.array([0, 3]))
    np.testing.assert_array_equal(got, [1, 2, 3, 16])


@pytest.mark.parametrize(
    "transform", [lambda f: f, dx.jit, dx.grad, lambda f: dx.vmap(f, in_axes=None, axis_size=2)]
)
@pytest.mark.parametrize(
    ("index", "words"),
    [
        (3, "index 3 is out of bounds for axis 0 of shape (3, 2)"),
        ((0, -3), "index -3 is out of bounds for axis 1 of shape (3, 2)"),
        (np.array([0, 5]), "index 5 is out of bounds for axis 0"),
        ((slice(None), dnp.array([[4]])), "index 4 is out of bounds for axis 1"),
        ((0, 0, 0), "too many indices"),
        ((..., 0, ...), "one Ellipsis"),
    ],
)
def test_static_index_out_of_bounds(transform, index, words):
    x = dnp.zeros((3, 2))
    for f in (lambda x: x[index].sum(), lambda x: x.at[index].set(1.0).sum()):
        with pytest.raises(IndexError) as caught:
            transform(f)(x)
        assert words in str(caught.value)
        assert "test_indexing.py" in str(caught.value)


def test_what_is_no_index():
    x = dnp.arange(4.0)
    for index, error, words in [
        ([0.5, 1], TypeError, "astype"),
        (1.0, TypeError, "integers"),
        (dnp.array([1.0]), TypeError, "astype"),
        ("a", TypeError, "integers"),
        (slice(None, None, 0), ValueError, "step"),
    ]:
        with pytest.raises(error, match=words):
            x[index]
        with pytest.raises(error, match=words):
            dx.jit(lambda x, index=index: x[index])(x)
    with pytest.raises(TypeError, match=r"x\.at\[index\]\.set"):
        x[0] = 1.0
    with pytest.raises(dx.errors.ConcretizationTypeError, match="dynamic_slice"):
        dx.jit(lambda x, i: x[:i])(x, 2)
    with pytest.raises(IndexError, match="out of bounds"):
        dx.jit(lambda x, i: x[i])(dnp.zeros(0), 0)


def test_slices_take_integer_arrays():
    x = dnp.arange(4.0)
    assert x[dnp.array(1) : np.int64(3)].shape == (2,)
    assert x[dnp.array(2)] == 2 and x[np.int32(-1)] == 3
    assert dx.jit(lambda x: x[x.shape[0] - 1])(x) == 3
