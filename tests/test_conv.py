"""Convolutions: against jax.lax over drawn parameters, NumPy and SciPy; messages; types."""

import dataclasses
import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo import lax
from diffeo.primitives import Array
from diffeo.routines.windows.conv import ConvDimensionNumbers, ConvGeneralDilated
from tests.test_lax import against, same

rng = np.random.default_rng(0)
X = rng.standard_normal((2, 4, 7, 6))
K = rng.standard_normal((6, 4, 3, 2))
NHWC = ("NHWC", "HWIO", "NHWC")


def draw_like(shape, dtype=np.float64, seed=0):
    source = np.random.default_rng(seed)
    x = source.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * source.standard_normal(shape)
    return x.astype(dtype)


@dataclasses.dataclass
class Case:
    """Parameters of a convolution, and operands of theirs."""

    conv: ConvGeneralDilated
    x: np.ndarray
    y: np.ndarray

    def ours(self, x, y):
        return self.conv.bind(x, y)

    def jaxs(self, jax):
        p = self.conv
        numbers = jax.lax.ConvDimensionNumbers(*p.dims)
        return lambda x, y: jax.lax.conv_general_dilated(
            x,
            y,
            p.strides,
            p.padding,
            p.lhs_dilation,
            p.rhs_dilation,
            numbers,
            p.feature_groups,
            p.batch_groups,
            "highest",
        )


def laid_out(sizes, spec):
    shape = [0] * len(spec)
    for n, axis in zip(sizes, spec):
        shape[axis] = n
    return tuple(shape)


@st.composite
def cases(draw):
    n = draw(st.sampled_from([1, 1, 2, 0, 3]))
    some = lambda low, high: tuple([draw(st.integers(low, high)) for _ in range(n)])
    groups, of_batch = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (3, 1), (1, 2), (1, 3)]))
    ins, outs = draw(st.integers(1, 2)), draw(st.integers(1, 2)) * groups * of_batch
    batch, space, window = draw(st.integers(1, 2)) * of_batch, some(0, 5), some(1, 3)
    spread, apart, strides = some(1, 3), some(1, 3), some(1, 3)
    pads = []
    for size, d in zip(space, spread):
        low, high = draw(st.integers(-2, 3)), draw(st.integers(-2, 3))
        pads.append((low, max(high, -low - max(1 + d * (size - 1), 0))))
    specs = [tuple(draw(st.permutations(range(n + 2)))) for _ in range(3)]
    dtype = draw(st.sampled_from([np.float64, np.float64, np.complex128, np.float32]))
    conv = ConvGeneralDilated(
        strides, tuple(pads), spread, apart, ConvDimensionNumbers(*specs), groups, of_batch
    )
    x = draw_like(laid_out((batch, ins * groups, *space), specs[0]), dtype, 1)
    return Case(conv, x, draw_like(laid_out((outs, ins, *window), specs[1]), dtype, 2))


def near(found, expected):
    tolerance = 1e-11 if expected.dtype.itemsize >= 8 and expected.dtype != np.complex64 else 3e-5
    same(found, expected, tolerance, tolerance)


@settings(max_examples=15)
@given(cases())
def test_values_and_gradients_as_jax(jax, case):
    function = case.jaxs(jax)
    expected, back = jax.vjp(function, case.x, case.y)
    ct = draw_like(expected.shape, expected.dtype, 3)
    near(case.ours(Array(case.x), Array(case.y)), np.asarray(expected))
    wanted = [np.asarray(v) for v in back(jax.numpy.asarray(ct))]

    def ours(x, y, t):
        out, pull = dx.vjp(case.ours, x, y)
        return [out, *pull(t)]

    for run in (ours, dx.jit(ours)):
        for a, b in zip(run(Array(case.x), Array(case.y), Array(ct)), [expected, *wanted]):
            near(a, np.asarray(b))


@settings(max_examples=60)
@given(cases(), st.data())
def test_batches_as_a_loop(case, data):
    xs, ys = ([v, v + 1, 2 * v] for v in (case.x, case.y))
    dims = [data.draw(st.sampled_from([None, *range(case.x.ndim + 1)])) for _ in range(2)]
    if dims == [None, None]:
        dims[0] = 0
    args = [v[0] if d is None else np.stack(v, d) for v, d in zip((xs, ys), dims)]
    found = np.asarray(dx.vmap(case.ours, tuple(dims))(*map(Array, args)))
    for k in range(3):
        row = [v[0] if d is None else v[k] for v, d in zip((xs, ys), dims)]
        near(found[k], case.conv.impl(*row))
    none = [v[0] if d is None else np.stack(v, d).take([], d) for v, d in zip((xs, ys), dims)]
    empty = dx.vmap(case.ours, tuple(dims))(*map(Array, none))
    assert empty.shape == (0, *found.shape[1:]) and empty.dtype == found.dtype


def test_evaluation_in_blocks():
    """Windows that would take much memory at once."""
    x, y = draw_like((3, 2, 300, 40)), draw_like((2, 2, 30, 5))
    conv = lambda x, y: lax.conv(x, y, (1, 2), "SAME")
    same(conv(x, y), dx.jit(conv)(x, y), 1e-11, 1e-11)
    long = draw_like((1, 1, 100_000)), draw_like((1, 1, 50))
    expected = np.correlate(long[0].ravel(), long[1].ravel())
    same(np.ravel(lax.conv(*long, (1,), "VALID")), expected, 1e-11, 1e-11)
    many = draw_like((3000, 8, 20)), draw_like((8, 8, 5))
    same(
        lax.conv(*many, (1,), "VALID"),
        dx.jit(lambda x, y: lax.conv(x, y, (1,), "VALID"))(*many),
        1e-11,
        1e-11,
    )


# --------------------------------------------------------------------------------------------------
# jax.lax's functions


@pytest.mark.parametrize(
    "padding, strides",
    [("SAME", (2, 3)), ("VALID", (1, 1)), ("same_lower", (3, 2)), ([(1, 2), (-1, 0)], (1, 2))],
)
def test_functions_of_kernels(jax, padding, strides):
    agree = lambda call, *xs: same(call(lax, *xs), call(jax.lax, *xs), atol=1e-13)
    agree(lambda m, x, y: m.conv(x, y, strides, padding), X, K)
    against(
        jax,
        lambda m, x, y: m.conv_general_dilated(
            x.transpose(0, 2, 3, 1),
            y.transpose(2, 3, 1, 0),
            strides,
            padding,
            rhs_dilation=(2, 1),
            dimension_numbers=NHWC,
        ),
        X,
        K,
    )
    agree(
        lambda m, x, y: m.conv_general_dilated(
            x, y[:, :2], strides, padding, feature_group_count=2
        ),
        X,
        K,
    )
    agree(
        lambda m, x, y: m.conv_general_dilated(
            x, y, strides, padding, batch_group_count=2, precision=("high", "default")
        ),
        X,
        K,
    )
    if not isinstance(padding, str):
        agree(
            lambda m, x, y: m.conv_with_general_padding(x, y, strides, padding, (2, 2), (1, 3)),
            X,
            K,
        )
    agree(lambda m, x: m.conv_general_dilated_patches(x, (3, 2), strides, padding), X)


def test_patches_and_local_kernels(jax):
    layout = ("NCHW", "OIWH", "CNHW")
    patches = lambda m, x: m.conv_general_dilated_patches(
        x, (3, 2), (1, 2), "VALID", rhs_dilation=(2, 1), dimension_numbers=layout
    )
    against(jax, patches, X)
    out = lax.conv_general_dilated_patches(X, (3, 2), (1, 2), "VALID")
    kernels = draw_like((5, out.shape[1], *out.shape[2:]))
    call = lambda m, x, y: m.conv_general_dilated_local(x, y, (1, 2), "VALID", (3, 2))
    against(jax, call, X, kernels)
    mixed = ("HNWC", "IWHO", "NWHC")
    kernels = draw_like((24, *out.shape[2:][::-1], 5))
    against(
        jax,
        lambda m, x, y: m.conv_general_dilated_local(
            x.transpose(2, 0, 3, 1), y, (2, 1), "VALID", (2, 3), dimension_numbers=mixed
        ),
        X,
        kernels,
    )


def test_transposed(jax):
    x, y = X.transpose(0, 2, 3, 1), K.transpose(2, 3, 1, 0)
    for strides, dilation in (((1, 1), None), ((2, 3), (2, 1)), ((4, 1), None)):
        for padding, consistent in itertools.product(
            ("SAME", "VALID", [(1, 0), (2, 1)]), (False, True)
        ):
            call = lambda m, x, y, p=padding, s=strides, d=dilation, c=consistent: m.conv_transpose(
                x, y, s, p, d, use_consistent_padding=c
            )
            same(call(lax, x, y), call(jax.lax, x, y))
    against(
        jax,
        lambda m, x, y: m.conv_transpose(
            x, y.swapaxes(2, 3), (2, 1), "SAME", transpose_kernel=True
        ),
        x,
        y,
    )
    against(
        jax,
        lambda m, x, y: m.conv_transpose(x, y, (2,), "SAME"),
        draw_like((2, 5, 3)),
        draw_like((4, 3, 2)),
    )
    against(
        jax,
        lambda m, x, y: m.conv_transpose(x, y, (), "SAME"),
        draw_like((2, 5)),
        draw_like((5, 3)),
    )


def test_transposed_is_the_gradient():
    """With the kernel transposed and consistent padding, of the convolution itself."""
    x, y = X.transpose(0, 2, 3, 1), K.transpose(2, 3, 1, 0)
    for padding in ([(1, 1), (0, 1)], "VALID"):
        out, back = dx.vjp(
            lambda x, p=padding: lax.conv_general_dilated(x, y, (1, 1), p, dimension_numbers=NHWC),
            x,
        )
        ct = draw_like(out.shape)
        found = lax.conv_transpose(
            ct, y, (1, 1), padding, transpose_kernel=True, use_consistent_padding=True
        )
        same(found, back(ct)[0], 1e-11, 1e-11)


def test_shapes_and_numbers(jax):
    shapes = (8, 9, 11, 3), (5, 4, 3, 2)
    for layout in (NHWC, ("HNWC", "OHIW", "CWNH")):
        found = lax.conv_dimension_numbers(*shapes, layout)
        assert found == jax.lax.conv_dimension_numbers(*shapes, layout)
    assert lax.conv_dimension_numbers(*shapes, None) == ((0, 1, 2, 3),) * 3
    assert lax.conv_general_permutations(NHWC) == jax.lax.conv_general_permutations(NHWC)
    for padding in ("SAME", "VALID"):
        found = lax.padtype_to_pads((10, 7), (3, 4), (2, 5), padding)
        assert found == [
            tuple(map(int, p)) for p in jax.lax.padtype_to_pads((10, 7), (3, 4), (2, 5), padding)
        ]
        for name in ("conv_general_shape_tuple", "conv_transpose_shape_tuple"):
            args = (*shapes, (2, 3), padding, NHWC)
            assert getattr(lax, name)(*args) == getattr(jax.lax, name)(*args), name
    args = (8, 3, 9, 11), (2, 3, 5, 4), (2, 3), [(1, 1), (0, 2)], 4
    assert lax.conv_shape_tuple(*args) == jax.lax.conv_shape_tuple(*args)


@pytest.mark.parametrize(
    "dtype, out",
    [
        (ml_dtypes.bfloat16, None),
        (np.float16, None),
        (ml_dtypes.bfloat16, np.float32),
        (np.float16, np.float64),
        (np.int8, np.int32),
        (np.uint8, np.uint16),
        (np.int32, None),
        (np.int16, np.float32),
        (np.complex64, np.complex128),
        (ml_dtypes.float8_e4m3fn, np.float32),
    ],
)
def test_types(dtype, out):
    """Sums are made in the preferred type, or in a wide one."""
    kind, out = np.dtype(dtype).kind, np.dtype(out or dtype)
    wide = np.complex128 if kind == "c" else np.int64 if kind in "iu" else np.float64
    x, y = (9 * draw_like(s, wide if kind == "c" else np.float64) for s in ((2, 3, 40), (3, 3, 20)))
    x, y = ((np.abs(v) if kind == "u" else v).astype(dtype) for v in (x, y))
    expected = lax.conv(x.astype(wide), y.astype(wide), (2,), "SAME")
    call = lambda x, y: lax.conv(x, y, (2,), "SAME", preferred_element_type=out)
    for found in (call(x, y), dx.jit(call)(x, y)):
        assert found.dtype == out
        if out.kind in "iu":
            same(found, np.asarray(expected).astype(out))
        else:
            error = 2e-2 if out.itemsize == 2 else 1e-5
            same(np.asarray(found).astype("c16"), np.asarray(expected).astype("c16"), error, error)


def test_preferred_type_in_derivatives(jax):
    """Cotangents in the preferred type become those of the operands' type, as in jax."""
    x, y = (draw_like(s, ml_dtypes.bfloat16) for s in ((2, 3, 8), (4, 3, 3)))

    def loss(m, f):
        return lambda x, y: f(
            m.lax.conv_general_dilated(x, y, (1,), "SAME", preferred_element_type=np.float32)
        ).sum()

    found = dx.grad(loss(dx, dx.numpy.sin), (0, 1))(Array(x), Array(y))
    expected = jax.grad(loss(jax, jax.numpy.sin), (0, 1))(x, y)
    for a, b in zip(found, expected):
        assert a.dtype == np.dtype(ml_dtypes.bfloat16)
        same(np.asarray(a, np.float64), np.asarray(b, np.float64), 2e-2, 2e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_features_of_their_own_stay_apart(dtype):
    """A nan in one feature, or in one row of a batch, is in no other one."""
    x, y = draw_like((2, 3, 6), dtype), draw_like((3, 1, 2), dtype)
    x[:, 1] = np.nan
    found = dx.jit(
        lambda x, y: lax.conv_general_dilated(x, y, (1,), "VALID", feature_group_count=3)
    )(x, y)
    assert np.array_equal(np.isnan(found).all((0, 2)), [False, True, False])
    assert not np.isnan(np.asarray(found)[:, [0, 2]]).any()
    rows = dx.jit(dx.vmap(lambda x, y: dx.numpy.convolve(x, y)))(x[0], y[:, 0])
    assert np.array_equal(np.isnan(rows).any(1), [False, True, False])


@pytest.mark.parametrize("layout", [("NCHW", "OIHW", "NCHW"), NHWC, ("HNWC", "OHIW", "CWNH")])
@pytest.mark.parametrize("parameters", [{}, {"lhs_dilation": (2, 1)}, {"rhs_dilation": (1, 2)}])
def test_separate_features(jax, layout, parameters):
    places = lambda spec, canonical: [canonical.index(c) for c in spec]
    x = X.transpose(places(layout[0], "NCHW"))
    y = K[:4, :1].transpose(places(layout[1], "OIHW"))
    call = lambda m, x, y: m.conv_general_dilated(
        x,
        y,
        (1, 2),
        [(1, 2), (3, -1)],
        dimension_numbers=layout,
        feature_group_count=4,
        **parameters,
    )
    against(jax, call, x, y, rtol=1e-11, atol=1e-11)
    loss = lambda m: lambda x, y: (call(m.lax, x, y) ** 2).sum()
    same(dx.jit(dx.grad(loss(dx), (0, 1)))(x, y), jax.grad(loss(jax), (0, 1))(x, y), 1e-11, 1e-11)


# --------------------------------------------------------------------------------------------------
# Messages

WRONG = [
    (lambda: lax.conv(X, K[0], (1, 1), "VALID"), "(2, 4, 7, 6)", "equal numbers of axes"),
    (
        lambda: lax.conv(X, K[:, :3], (1, 1), "VALID"),
        "4 features of f64[2,4,7,6]",
        "feature_group_count=1 times the 3 input features of the kernel f64[6,3,3,2]",
    ),
    (lambda: lax.conv(X, K.astype(np.float32), (1, 1), "VALID"), "f64[2,4,7,6] and f32[6,4,3,2]"),
    (lambda: lax.conv(X, K, (1,), "VALID"), "window_strides must be 2 integers", "(1,)"),
    (lambda: lax.conv(X, K, (1, 0), [(0, 0)] * 2), "strides=(1, 0) must be 2 positive integers"),
    (lambda: lax.conv(X, K, (1, 1), [(0, 0)]), "padding=((0, 0),) must be 2 pairs"),
    (lambda: lax.conv(X, K, (1, 1), [(0, 0), (-4, -3)]), "cuts more than", "[7, 6]"),
    (lambda: lax.conv(X, K, (1, 1), [(0, 0), (1, 2, 3)]), "padding must be 2 integers"),
    (
        lambda: lax.conv_general_dilated(X, K[:, :2], (1, 1), "SAME", feature_group_count=4),
        "feature_group_count=4",
    ),
    (
        lambda: lax.conv_general_dilated(X, K[:5, :2], (1, 1), "SAME", feature_group_count=2),
        "feature_group_count=2 does not divide the 5 output features",
    ),
    (
        lambda: lax.conv_general_dilated(X[:1], K, (1, 1), "SAME", batch_group_count=2),
        "batch_group_count=2 does not divide the batch of 1",
    ),
    (
        lambda: lax.conv_general_dilated(
            X, K[:, :2], (1, 1), "SAME", feature_group_count=2, batch_group_count=2
        ),
        "one of them 1",
    ),
    (
        lambda: lax.conv_general_dilated(X, K, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW")),
        "three strings of 4 letters",
    ),
    (
        lambda: lax.conv_general_dilated(
            X, K, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHX", "NCHW")
        ),
        "spatial axes",
    ),
    (
        lambda: lax.conv_general_dilated(
            X, K, (1, 1), "SAME", dimension_numbers=("NHWW", "OIHW", "NCHW")
        ),
        "'NHWW'",
    ),
    (
        lambda: lax.conv_general_dilated(
            X,
            K,
            (1, 1),
            [(0, 0)] * 2,
            dimension_numbers=(lax.ConvDimensionNumbers((0, 1, 2, 2), (0, 1, 2, 3), (0, 1, 2, 3))),
        ),
        "lhs_spec",
    ),
    (lambda: lax.conv(X != 0, K != 0, (1, 1), "SAME"), "numeric dtype"),
    (
        lambda: lax.conv_general_dilated(X, K, (1, 1), "SAME", preferred_element_type=np.int32),
        "preferred_element_type",
        "i32",
    ),
]


@pytest.mark.parametrize("call, words", [(w[0], w[1:]) for w in WRONG])
def test_messages(call, words):
    with pytest.raises(TypeError) as caught:
        call()
    assert all([w in str(caught.value) for w in words]), caught.value
    assert "test_conv.py" in str(caught.value)


def test_wrong_values():
    with pytest.raises(ValueError, match="'FULL'"):
        lax.conv(X, K, (1, 1), "FULL")
    with pytest.raises(ValueError, match="lhs_dilation"):
        lax.conv_general_dilated(X, K, (1, 1), "SAME", (2, 1))
    with pytest.raises(ValueError, match="precision"):
        lax.conv(X, K, (1, 1), "SAME", precision="exact")
    with pytest.raises(ValueError, match="'FULL'"):
        lax.conv_transpose(X, K, (1, 1), "FULL")
