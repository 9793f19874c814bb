"""Products in other precisions and types, ragged products: against jax, NumPy and loops."""

import ml_dtypes
import numpy as np
import pytest
import scipy.signal

import diffeo as dx
from diffeo import lax
from diffeo.primitives import Array
from tests.test_lax import against, same, slopes

rng = np.random.default_rng(0)
A, B = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
BF16 = np.dtype(ml_dtypes.bfloat16)
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)

# --------------------------------------------------------------------------------------------------
# Precision

HIGHEST, HIGH, DEFAULT = lax.Precision.HIGHEST, lax.Precision.HIGH, lax.Precision.DEFAULT


@pytest.mark.parametrize(
    "asked, expected",
    [
        (None, (HIGHEST, HIGHEST)),
        ("highest", (HIGHEST, HIGHEST)),
        ("float32", (HIGHEST, HIGHEST)),
        ("high", (HIGH, HIGH)),
        ("tensorfloat32", (HIGH, HIGH)),
        ("bfloat16_3x", (HIGH, HIGH)),
        ("default", (DEFAULT, DEFAULT)),
        ("bfloat16", (DEFAULT, DEFAULT)),
        (DEFAULT, (DEFAULT, DEFAULT)),
        ("fastest", (DEFAULT, DEFAULT)),
        (("high", None), (HIGH, HIGHEST)),
        ([HIGH, DEFAULT], (HIGH, DEFAULT)),
    ],
)
def test_precision_is_lowered_as_asked(asked, expected):
    """Of every product, and of its derivatives; nothing asked for is the dtype's own."""
    wanted = f"[#stablehlo<precision {expected[0].name}>, #stablehlo<precision {expected[1].name}>]"
    x = Array(rng.standard_normal((2, 3, 4)))
    m = dx.numpy
    calls = [
        lambda x: lax.dot(x[0], x[0].T, precision=asked),
        lambda x: lax.batch_matmul(x, x.mT, precision=asked),
        lambda x: lax.conv(x, x[..., :2], (1,), "SAME", precision=asked),
        lambda x: lax.ragged_dot(x[0], x[:, :].mT, np.array([1, 2]), precision=asked),
        lambda x: m.matmul(x, x.mT, precision=asked),
        lambda x: m.dot(x, x[0].T, precision=asked),
        lambda x: m.inner(x, x, precision=asked),
        lambda x: m.vdot(x, x, precision=asked),
        lambda x: m.vecdot(x, x, precision=asked),
        lambda x: m.tensordot(x, x, ([2], [2]), precision=asked),
        lambda x: m.einsum("aij,bij,b->a", x, x, x[0, 0, :2], precision=asked),
        lambda x: m.convolve(x[0, 0], x[1, 1], precision=asked),
        lambda x: m.correlate(x[0, 0], x[1, 1], precision=asked),
    ]
    for call in calls:
        text = dx.jit(dx.grad(lambda x, call=call: call(x).sum())).lower(x).as_text()
        asked_for = [line for line in text.splitlines() if "precision_config" in line]
        assert asked_for and all([wanted in line for line in asked_for]), asked_for


@pytest.mark.parametrize("wrong", ["exact", 3, ("high",), ("high", "low"), (None, None, None)])
def test_unknown_precision(wrong):
    for call in (lax.dot, dx.numpy.matmul, dx.numpy.dot, dx.numpy.tensordot):
        with pytest.raises(ValueError, match="precision must be"):
            call(A, B, precision=wrong)


# --------------------------------------------------------------------------------------------------
# Types


@pytest.mark.parametrize(
    "dtype, out",
    [
        ("int8", "int32"),
        ("uint8", "int32"),
        ("uint8", "uint16"),
        ("int16", "float32"),
        ("int32", "int64"),
        ("bfloat16", "float32"),
        ("float16", "float32"),
        ("float32", "float64"),
        ("float32", "bfloat16"),
        ("complex64", "complex128"),
        ("float8_e4m3fn", "float32"),
        ("bfloat16", "bfloat16"),
        ("float16", "float16"),
    ],
)
@pytest.mark.sampled(2)
def test_preferred_types_of_all_products(jax, dtype, out):
    dtype, out = np.dtype(dtype), np.dtype(out)
    x = rng.uniform(-9, 9, (3, 40)) if dtype.kind != "u" else rng.uniform(0, 9, (3, 40))
    x = x.astype(dtype)
    calls = {
        "dot": lambda m, x: m.dot(x, x.T, preferred_element_type=out),
        "matmul": lambda m, x: m.matmul(x[None], x.T, preferred_element_type=out),
        "inner": lambda m, x: m.inner(x, x, preferred_element_type=out),
        "vdot": lambda m, x: m.vdot(x, x, preferred_element_type=out),
        "vecdot": lambda m, x: m.vecdot(x, x, preferred_element_type=out),
        "tensordot": lambda m, x: m.tensordot(x, x, 2, preferred_element_type=out),
        "einsum": lambda m, x: m.einsum("ij,kj->ik", x, x, preferred_element_type=out),
        "einsum of three": lambda m, x: m.einsum(
            "i,ij,j->", x[:, 0], x, x[0], preferred_element_type=out
        ),
    }
    error = 3e-2 if min(out.itemsize, dtype.itemsize * 2) == 2 else 2e-5
    for name, call in calls.items():
        expected = np.asarray(call(jax.numpy, jax.numpy.asarray(x)))
        for run in (lambda x, c=call: c(dx.numpy, x), dx.jit(lambda x, c=call: c(dx.numpy, x))):
            found = run(Array(x))
            assert found.dtype == expected.dtype == out, name
            scale = np.abs(expected.astype("c16")).max()
            np.testing.assert_allclose(
                np.asarray(found).astype("c16") / scale,
                expected.astype("c16") / scale,
                error,
                error,
                err_msg=name,
            )


def test_numbers_and_booleans():
    x = Array(np.array([True, True, False]))
    assert dx.numpy.dot(x, x).dtype == np.bool_
    assert dx.numpy.dot(x, x, preferred_element_type=np.int32) == np.int32(2)
    assert dx.numpy.dot(2.0, np.float32(3), preferred_element_type=F64).dtype == F64
    assert dx.numpy.convolve(x, x).dtype == np.bool_
    assert dx.numpy.convolve(
        np.array([200], np.uint8), np.array([2], np.uint8), preferred_element_type=np.uint32
    ).tolist() == [400]


def test_weakness():
    weak = dx.numpy.asarray(2.0) * dx.numpy.ones(3, "int32")
    assert lax.dot(weak, weak).weak_type
    assert not lax.dot(weak, weak, preferred_element_type=F32).weak_type
    kernel = weak.reshape(1, 1, 3)
    assert lax.conv(kernel, kernel, (1,), "SAME").weak_type


@pytest.mark.parametrize(
    "dtype, out",
    [
        ("int32", "int16"),
        ("int32", "uint32"),
        ("float32", "int32"),
        ("complex128", "complex64"),
        ("float64", "complex128"),
        ("int64", "float32"),
    ],
)
def test_types_that_do_not_do(dtype, out):
    x = Array(A.astype(dtype))
    with pytest.raises(TypeError, match="preferred_element_type") as caught:
        lax.dot(x, x.T, preferred_element_type=np.dtype(out))
    assert "test_products.py" in str(caught.value)


@pytest.mark.parametrize(
    "dtype, out",
    [
        ("bfloat16", "float32"),
        ("float16", "float32"),
        ("float32", "float64"),
        ("float32", "bfloat16"),
        ("bfloat16", "bfloat16"),
    ],
)
def test_derivatives_with_a_preferred_type(jax, dtype, out):
    x, y = (rng.standard_normal(s).astype(np.dtype(dtype)) for s in ((2, 3, 8), (2, 8, 4)))
    numbers = ((2,), (1,)), ((0,), (0,))

    def loss(m):
        return lambda x, y: m.numpy.sin(
            m.lax.dot_general(x, y, numbers, preferred_element_type=np.dtype(out))
        ).sum()

    expected = jax.grad(loss(jax), (0, 1))(x, y)
    for run in (dx.grad(loss(dx), (0, 1)), dx.jit(dx.grad(loss(dx), (0, 1)))):
        for a, b in zip(run(Array(x), Array(y)), expected):
            error = 3e-2 if 2 in (np.dtype(out).itemsize, a.dtype.itemsize) else 1e-5
            assert a.dtype == np.dtype(dtype)
            np.testing.assert_allclose(np.asarray(a, F64), np.asarray(b, F64), error, error)
    mapped = dx.vmap(lambda x, y: lax.dot(x, y, preferred_element_type=np.dtype(out)))(x, y)
    assert mapped.dtype == np.dtype(out)


def test_sums_are_made_in_a_wide_type():
    """A thousand ones in bfloat16: added one by one there, they would stop at 256."""
    ones = Array(np.ones(1000, BF16))
    for run in (lax.dot, dx.jit(lax.dot)):
        assert float(run(ones, ones)) == 1000
    kernel = ones.reshape(1, 1, 1000)
    assert float(lax.conv(kernel, kernel, (1,), "VALID")[0, 0, 0]) == 1000


# --------------------------------------------------------------------------------------------------
# Ragged products

X, W = rng.standard_normal((7, 3)), rng.standard_normal((4, 3, 2))
SIZES = np.array([2, 0, 4, 1])


def looped(x, w, sizes, first=0):
    out, at = np.zeros((len(x), w.shape[-1])), int(sizes[:first].sum())
    for matrix, n in zip(w, sizes[first:]):
        out[at : at + n] = x[at : at + n] @ matrix
        at += n
    return out


@pytest.mark.parametrize("sizes", [SIZES, np.array([0, 0, 0, 7]), np.array([1, 2, 1, 1], np.uint8)])
def test_ragged_rows(jax, sizes):
    against(jax, lambda m, x, w, s: m.ragged_dot(x, w, s), X, W, sizes, atol=1e-13)
    same(lax.ragged_dot(X, W, sizes), looped(X, W, sizes), atol=1e-13)
    slopes(lambda x, w: lax.ragged_dot(x, w, sizes), X, W)
    loss = lambda m: lambda x, w: (m.lax.ragged_dot(x, w, m.numpy.asarray(sizes)) ** 2).sum()
    same(dx.grad(loss(dx), (0, 1))(X, W), jax.grad(loss(jax), (0, 1))(X, W), 1e-11, 1e-12)


def test_ragged_offset_and_types():
    for first in range(3):
        found = lax.ragged_dot(X, W[:2], SIZES, group_offset=np.array([first]))
        same(found, looped(X, W[:2], SIZES, first), atol=1e-13)
    found = lax.ragged_dot(X.astype(BF16), W.astype(BF16), SIZES, preferred_element_type=F32)
    assert found.dtype == F32
    empty = lax.ragged_dot(X[:0], W, SIZES * 0)
    assert empty.shape == (0, 2)


def test_ragged_batches():
    sizes = np.array([[2, 0, 4, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    found = dx.vmap(lax.ragged_dot, (None, None, 0))(X, W, sizes)
    same(found, np.stack([looped(X, W, s) for s in sizes]), atol=1e-13)
    many = rng.standard_normal((3, *W.shape))
    found = dx.jit(dx.vmap(lax.ragged_dot, (None, 0, 0)))(X, many, sizes)
    same(found, np.stack([looped(X, w, s) for w, s in zip(many, sizes)]), atol=1e-13)


def numbers(m, dot, ragged, group):
    return m.RaggedDotDimensionNumbers(dot, ragged, group)


@pytest.mark.parametrize(
    "x, w, sizes, dot, ragged, group",
    [
        ((2, 7, 3), (4, 2, 3, 5), (2, 4), (([2], [2]), ([0], [1])), [1], [0]),  # rows in a batch
        ((2, 7, 3), (4, 2, 3, 5), (4,), (([2], [2]), ([0], [1])), [1], [0]),
        ((2, 7, 3), (3, 4, 5), (2, 4), (([2], [0]), ([], [])), [1], [1]),  # a free axis in front
        ((7, 3), (7, 5), (4,), (([0], [0]), ([], [])), [0], []),  # contracted
        ((2, 7, 3), (7, 5, 2), (2, 4), (([1], [0]), ([0], [2])), [1], []),
        ((2, 7, 3), (3, 7, 5), (3, 4), (([2, 1], [0, 1]), ([], [])), [1], []),
        ((7, 2, 3), (7, 3, 5), (4,), (([2], [1]), ([0], [0])), [0], []),  # a batch axis
    ],
)
def test_ragged_in_general(jax, x, w, sizes, dot, ragged, group):
    x, w = rng.standard_normal(x), rng.standard_normal(w)
    cuts = np.sort(rng.integers(0, 8, (*sizes[:-1], sizes[-1] - 1)), axis=-1)
    ends = np.concatenate([np.zeros_like(cuts[..., :1]), cuts, cuts[..., :1] * 0 + 7], axis=-1)
    call = lambda m, x, w, s: m.ragged_dot_general(x, w, s, numbers(m, dot, ragged, group))
    against(jax, call, x, w, np.diff(ends), atol=1e-13)


def test_ragged_messages():
    for call, word in [
        (lambda: lax.ragged_dot(X, W, SIZES[:3]), r"shape \(4,\)"),
        (lambda: lax.ragged_dot(X, W, SIZES * 1.0), "integers"),
        (lambda: lax.ragged_dot(X, W[:, :2], SIZES), "sizes differ"),
        (
            lambda: lax.ragged_dot_general(
                X, W, SIZES, numbers(lax, (([1], [1]), ([], [])), [0, 1], [0])
            ),
            "one ragged axis",
        ),
        (
            lambda: lax.ragged_dot_general(
                X, W, SIZES, numbers(lax, (([1], [1]), ([], [])), [0], [])
            ),
            "one group axis",
        ),
    ]:
        with pytest.raises(TypeError, match=word):
            call()


# --------------------------------------------------------------------------------------------------
# Convolutions of vectors


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64", "bool"])
@pytest.mark.sampled(2)
def test_convolve_and_correlate(mode, dtype):
    for n, k in ((5, 3), (3, 5), (4, 4), (6, 1), (6, 2)):
        x, y = (rng.standard_normal(m) * 4 for m in (n, k))
        if dtype == "complex128":
            x, y = x + 1j * x[::-1], y - 2j * y[::-1]
        x, y = x.astype(dtype), y.astype(dtype)
        for name in ("convolve", "correlate"):
            ours = lambda x, y, name=name: getattr(dx.numpy, name)(x, y, mode)
            expected = getattr(np, name)(x, y, mode)
            error = 1e-5 if dtype == "float32" else 1e-13
            same(ours(x, y), expected, error, error)
            same(dx.jit(ours)(x, y), expected, error, error)
    if dtype == "float64":
        slopes(lambda x, y: dx.numpy.convolve(x, y, mode), x, y)
        slopes(lambda x, y: dx.numpy.correlate(x, y, mode), x, y)


def test_convolve_refuses():
    for bad in ((A, A[0]), (A[0], A[0][:0])):
        with pytest.raises(ValueError, match="vectors"):
            dx.numpy.convolve(*bad)
    with pytest.raises(ValueError, match="mode"):
        dx.numpy.convolve(A[0], A[1], "most")


# --------------------------------------------------------------------------------------------------
# scipy.signal

SIGNALS = [((6,), (3,)), ((3,), (6,)), ((5, 7), (2, 4)), ((4, 3), (4, 2)), ((3, 4, 5), (2, 1, 3))]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("shapes", SIGNALS)
def test_signals(shapes, mode):
    x, y = (rng.standard_normal(s) for s in shapes)
    z, w = x + 1j * x[::-1], y - 2j * y[::-1]
    for name in ("convolve", "correlate", "fftconvolve"):
        ours, theirs = (getattr(m.signal, name) for m in (dx.scipy, scipy))
        for a, b in ((x, y), (z, w), (x, w)):
            same(ours(a, b, mode), theirs(a, b, mode), 1e-11, 1e-12)
            if name != "fftconvolve":
                same(ours(a, b, mode, "fft"), theirs(a, b, mode), 1e-11, 1e-12)
    if x.ndim != 2:
        return
    same(
        dx.scipy.signal.fftconvolve(x, y[:1], mode, axes=1),
        scipy.signal.fftconvolve(x, y[:1], mode, axes=1),
        1e-11,
        1e-12,
    )
    for name in ("convolve2d", "correlate2d"):
        ours, theirs = (getattr(m.signal, name) for m in (dx.scipy, scipy))
        for boundary, fill in (("fill", 0), ("fill", 1.5), ("wrap", 0), ("symm", 0)):
            for a, b in ((x, y), (z, w)):
                same(
                    ours(a, b, mode, boundary, fill),
                    theirs(a, b, mode, boundary, fill),
                    1e-11,
                    1e-12,
                )


def test_signals_in_transformations():
    x, y = rng.standard_normal((2, 5, 6)), rng.standard_normal((2, 2, 3))
    slopes(lambda x, y: dx.scipy.signal.convolve2d(x, y, "same", "wrap"), x[0], y[0])
    slopes(dx.scipy.signal.fftconvolve, x[0], y[0])
    found = dx.jit(dx.vmap(dx.scipy.signal.correlate))(x, y)
    same(found, np.stack([scipy.signal.correlate(a, b) for a, b in zip(x, y)]), 1e-11, 1e-12)


def test_detrend():
    x = rng.standard_normal((3, 8, 2)).cumsum(1)
    for kwargs in (
        {},
        {"axis": 1},
        {"type": "constant"},
        {"axis": 1, "bp": [3, 5]},
        {"axis": 0, "bp": 2},
    ):
        same(dx.scipy.signal.detrend(x, **kwargs), scipy.signal.detrend(x, **kwargs), 1e-11, 1e-12)
    slopes(lambda x: dx.scipy.signal.detrend(x, 1), x)


def test_wrong_signals():
    s = dx.scipy.signal
    for call, word in [
        (lambda: s.convolve(A, B[0]), "as many axes"),
        (lambda: s.convolve(A, A, "most"), "mode"),
        (lambda: s.convolve(A, A, method="slow"), "method"),
        (lambda: s.convolve(A, A.T, "valid"), "fit into"),
        (lambda: s.convolve2d(A[0], A[0]), "2 axes"),
        (lambda: s.convolve2d(A, A, boundary="open"), "boundary"),
        (lambda: s.detrend(A, type="square"), "type"),
        (lambda: s.detrend(A, bp=9), "within"),
    ]:
        with pytest.raises(ValueError, match=word):
            call()
