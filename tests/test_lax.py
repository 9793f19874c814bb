"""diffeo.lax: against jax.lax, strictness and its messages, derivatives, batches."""

import itertools

import numpy as np
import pytest
import scipy.special

import diffeo as dx
from diffeo import lax

A = np.array([[0.3, -0.7, 0.9], [0.0, 0.5, -0.2]])
B = np.array([[1.5, 0.4, -2.0], [0.8, -0.1, 3.0]])
N = np.array([[7, -7, 5], [0, 3, -2]])
M = np.array([[2, 2, -3], [5, 1, 4]])
Z = A + 1j * B


def total(x):
    return dx.numpy.sum(x)


def same(found, expected, rtol=1e-12, atol=1e-14):
    """Trees of arrays of equal shapes and dtypes."""
    for a, b in itertools.zip_longest(dx.tree.leaves(found), dx.tree.leaves(expected)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol, atol)


def against(jax, call, *args, rtol=1e-12, atol=1e-14):
    """`call(lax, *arrays)` eager and compiled, with jax.lax and with ours."""
    expected = call(jax.lax, *map(jax.numpy.asarray, args))
    same(call(lax, *args), expected, rtol, atol)
    same(dx.jit(lambda *xs: call(lax, *xs))(*args), expected, rtol, atol)


def slopes(call, *args, rtol=1e-5, atol=1e-7):
    """The gradient of the sum of squares against central differences, along a random direction."""
    loss = lambda *xs: total(call(*xs) ** 2)
    rng = np.random.default_rng(0)
    ts = [rng.standard_normal(np.shape(a)) for a in args]
    gradients = dx.grad(loss, tuple(range(len(args))))(*args)
    found = sum(float((np.asarray(g) * t).sum()) for g, t in zip(gradients, ts))
    high, low = (float(loss(*[a + h * t for a, t in zip(args, ts)])) for h in (1e-6, -1e-6))
    np.testing.assert_allclose(found, (high - low) / 2e-6, rtol, atol)


# --------------------------------------------------------------------------------------------------
# Functions of each element


UNARY = {
    "neg": A, "sign": A, "floor": 3 * A, "ceil": 3 * A, "abs": A,
    "is_finite": np.where(A > 0.4, np.inf, A),
    "sqrt": np.abs(A), "rsqrt": np.abs(B), "cbrt": A, "exp": A, "expm1": A, "log": np.abs(B),
    "log1p": A, "sin": A, "cos": A, "tan": A, "asin": A, "acos": A, "atan": A, "sinh": A,
    "cosh": A, "tanh": A, "asinh": A, "acosh": 1.1 + np.abs(B), "atanh": A, "logistic": A,
    "erf": A, "erf_inv": A, "real": Z, "imag": Z, "conj": Z, "bitwise_not": N, "square": A,
    "reciprocal": B, "exp2": A, "round": np.array([0.5, 1.5, 2.5, -0.5, 0.49999999999999994, 7e17]),
}  # fmt: skip


def test_unary(jax):
    for name, x in UNARY.items():
        same(getattr(lax, name)(x), getattr(jax.lax, name)(jax.numpy.asarray(x)), 2e-13)
    compiled = dx.jit(lambda xs: {name: getattr(lax, name)(x) for name, x in xs.items()})
    eager = {name: getattr(lax, name)(x) for name, x in UNARY.items()}
    same(compiled(UNARY), eager, 1e-13)
    assert all(getattr(lax, name).__name__ == name for name in UNARY)


BINARY = {
    "add": (A, B),
    "sub": (A, B),
    "mul": (A, B),
    "div": (A, B),
    "rem": (B, A - 4.0),
    "max": (A, B),
    "min": (A, B),
    "pow": (np.abs(B), A),
    "atan2": (A, B),
    "complex": (A, B),
    "eq": (N, M),
    "ne": (N, M),
    "lt": (N, M),
    "le": (N, M),
    "gt": (N, M),
    "ge": (N, M),
    "bitwise_and": (N, M),
    "bitwise_or": (N, M),
    "bitwise_xor": (N, M),
    "shift_left": (N, np.abs(M)),
    "shift_right_logical": (N, np.abs(M)),
    "shift_right_arithmetic": (N, np.abs(M)),
}


def test_binary(jax):
    for name, (x, y) in BINARY.items():
        same(getattr(lax, name)(x, y), getattr(jax.lax, name)(x, y))
    for name in ("div", "rem", "add", "mul", "max"):
        same(getattr(lax, name)(N, M), getattr(jax.lax, name)(N, M))
    compiled = dx.jit(lambda ps: {name: getattr(lax, name)(*p) for name, p in ps.items()})
    same(compiled(BINARY), {name: getattr(lax, name)(*p) for name, p in BINARY.items()}, 1e-13)


def test_scalars_join():
    same(lax.add(A, 2.0), A + 2)
    same(lax.add(A, 2), A + 2)
    same(lax.mul(np.float64(3), A), 3 * A)
    same(dx.jit(lambda s: lax.sub(s, A))(1.5), 1.5 - A)
    same(lax.max(1, 2), np.array(2))
    same(lax.pow(N, 3), N**3)
    same(lax.integer_pow(B, -2), B**-2.0)
    assert lax.add(A.astype(np.float32), 1.0).dtype == np.float32


STRICT = [
    ("add", (A, N)),
    ("add", (A, A[0])),
    ("mul", (A, A.astype("f4"))),
    ("lt", (N, A)),
    ("max", (A, A.T)),
    ("bitwise_and", (A, A)),
    ("add", (N, 1.5)),
    ("add", (A, 1j)),
    ("atan2", (A, N)),
    ("sin", (N,)),
    ("exp", (True,)),
    ("floor", (Z,)),
    ("real", (A,)),
    ("clamp", (0.0, N, 1)),
    ("clamp", (A[0], A, 1.0)),
    ("pow", (N, A)),
    ("shift_left", (A, 1)),
]


@pytest.mark.parametrize("name, args", STRICT, ids=[f"{n}{i}" for i, (n, _) in enumerate(STRICT)])
def test_strict(name, args):
    primitive = {"clamp": "clamp|max", "bitwise_and": "and"}.get(name, name)
    for run in (getattr(lax, name), dx.jit(getattr(lax, name))):
        with pytest.raises(TypeError, match=primitive) as caught:
            run(*args)
        assert "test_lax.py" in str(caught.value)


def test_axes_of_size_1_are_stretched(jax):
    """As jax documents it; scalars join, and clamp alone does not stretch its bounds."""
    for name, args in {"add": (A, A[:, :1]), "pow": (np.abs(A[:1]), A[:, :1])}.items():
        f = getattr(lax, name)
        same(f(*args), getattr(jax.lax, name)(*args), 1e-13)
        same(dx.jit(f)(*args), f(*args), 1e-13)
    assert lax.nextafter(A[:1], A[:, :1]).shape == A.shape
    np.testing.assert_array_equal(
        dx.grad(lambda x: lax.mul(x, A).sum())(A[:, :1]), A.sum(1, keepdims=True)
    )
    with pytest.raises(TypeError, match="clamp"):
        lax.clamp(A[:, :1], A, A[:, :1])


def test_conj_of_floats_is_complex(jax):
    same(lax.conj(A), jax.lax.conj(A), 0)
    assert lax.conj(np.float32(2)).dtype == np.complex64


def test_products_of_two_dtypes(jax):
    x, y = A.astype("f4"), np.arange(3, dtype="i2")
    same(lax.dot(x, y), jax.lax.dot(x, y), 1e-6)


def test_mismatches_show_both_operands():
    with pytest.raises(TypeError, match=r"add: .*f64\[2,3\], f64\[3,2\]"):
        lax.add(A, A.T)
    with pytest.raises(TypeError, match=r"does not join i64\[2,3\]"):
        lax.add(N, 0.5)
    with pytest.raises(TypeError, match="make it an array"):
        lax.sin([1.0])


def test_choices(jax):
    against(jax, lambda m, a, b: m.select(a > b, a, b), A, B)
    against(jax, lambda m, a, b: m.select(True, a, b), A, B)
    against(jax, lambda m, w, a, b: m.select_n(w, a, b, a * b), np.abs(N) % 3, A, B)
    against(jax, lambda m, a, b: m.select_n(a > b, a, b), A, B)
    against(jax, lambda m, a: m.clamp(-0.25, a, 0.5), A)
    against(jax, lambda m, a, b: m.clamp(-b * b, a, b * b), A, B)
    for call in (
        lambda: lax.select(A > 0, A, N),
        lambda: lax.select(A, A, A),
        lambda: lax.select(A[0] > 0, A, A),
        lambda: lax.select_n(A > 0, A, A, A),
        lambda: lax.select_n(A, A, A),
    ):
        with pytest.raises(TypeError, match="select"):
            call()


def test_round_to_even():
    x = np.array([0.5, 1.5, 2.5, -0.5])
    same(lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), np.rint(x))


def test_stop_gradient_of_a_tree():
    tree = {"a": A, "n": 3, "i": N}
    stopped = lax.stop_gradient(tree)
    assert stopped["n"] == 3
    same(stopped, tree)
    loss = lambda x: total(x["a"] * lax.stop_gradient(x)["a"])
    np.testing.assert_allclose(dx.grad(loss)({"a": A})["a"], A)


# --------------------------------------------------------------------------------------------------
# Shapes


SHAPING = [
    lambda m, x: m.reshape(x, (3, 2)),
    lambda m, x: m.reshape(x, (6,), (1, 0)),
    lambda m, x: m.transpose(x, (1, 0)),
    lambda m, x: m.broadcast(x, (2, 1)),
    lambda m, x: m.broadcast_in_dim(x, (2, 4, 3), (0, 2)),
    lambda m, x: m.squeeze(m.expand_dims(x, (0, -1)), (0, 3)),
    lambda m, x: m.expand_dims(x, (1,)),
    lambda m, x: m.concatenate([x, x * 2], 1),
    lambda m, x: tuple(m.split(x, (1, 2), 1)),
    lambda m, x: m.pad(x, 0.5, [(1, 2, 1), (-1, 0, 2)]),
    lambda m, x: m.collapse(x, 0, 2),
    lambda m, x: m.slice(x, (0, 1), (2, 3), (1, 2)),
    lambda m, x: m.slice(x, (1, 0), (2, 2)),
    lambda m, x: m.slice_in_dim(x, -2, None, 1, 1),
    lambda m, x: m.rev(x, (0, 1)),
    lambda m, x: m.index_in_dim(x, -1, 1),
    lambda m, x: m.index_in_dim(x, 0, 0, False),
    lambda m, x: m.convert_element_type(x, np.int32),
    lambda m, x: m.convert_element_type(x, float),
    lambda m, x: m.bitcast_convert_type(x, np.int64),
    lambda m, x: m.iota(np.int32, 4),
    lambda m, x: m.broadcasted_iota(np.float64, (2, 3), 1),
    lambda m, x: m.full((2,), 7, np.int8),
    lambda m, x: m.full_like(x, 2),
    lambda m, x: m.full_like(x, 2, np.int32, (3,)),
]


def test_shaping(jax):
    theirs = [call(jax.lax, jax.numpy.asarray(A)) for call in SHAPING]
    same([call(lax, A) for call in SHAPING], theirs)
    same(dx.jit(lambda x: [call(lax, x) for call in SHAPING])(A), theirs)
    assert lax.broadcast_shapes((2, 1), (3,)) == (2, 3)


def test_padding_value_is_differentiated(jax):
    config = [(1, 0, 1), (0, -1, 0)]
    slopes(lambda x, v: lax.pad(x, v, config), A, np.array(0.3))
    expected = jax.lax.pad(A, np.float64(0.3), config)
    same(dx.jit(lambda x, v: lax.pad(x, v, config))(A, 0.3), expected)
    same(dx.vmap(lambda v: lax.pad(A, v, config))(np.array([0.3]))[0], expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: lax.reshape(A, (4,)), "reshape"),
        (lambda: lax.transpose(A, (0,)), "transpose"),
        (lambda: lax.broadcast_in_dim(A, (2, 4), (0, 1)), "broadcast_in_dim"),
        (lambda: lax.squeeze(A, (0,)), "squeeze"),
        (lambda: lax.concatenate([A, N], 0), "concatenate"),
        (lambda: lax.concatenate([A, A.T], 0), "concatenate"),
        (lambda: lax.concatenate([], 0), "one"),
        (lambda: lax.pad(N, 0.5, [(0, 0, 0)] * 2), "pad"),
        (lambda: lax.pad(A, 0.0, [(0, 0)] * 2), "pad"),
        (lambda: lax.pad(A, np.zeros(2), [(0, 0, 0)] * 2), "scalar"),
        (lambda: lax.slice(A, (0, 0), (2, 4)), "slice"),
        (lambda: lax.rev(A, (2,)), "rev"),
        (lambda: lax.bitcast_convert_type(A, np.bool_), "width"),
        (lambda: lax.dot(A, B), "dot_general"),
        (lambda: lax.dot(A, N.T.astype("i4")[:2]), "dot_general"),
        (lambda: lax.dot(np.float64(1), A), "dot"),
        (lambda: lax.reduce_sum(A, (2,)), "reduce_sum"),
        (lambda: lax.dynamic_slice(A, (0,), (1, 1)), "dynamic_slice"),
        (lambda: lax.dynamic_slice(A, (0, 0.5), (1, 1)), "dynamic_slice"),
        (lambda: lax.dynamic_slice(A, (0, 0), (3, 1)), "dynamic_slice"),
        (lambda: lax.dynamic_update_slice(A, N[:1], (0, 0)), "dynamic_update_slice"),
        (lambda: lax.sort([A, A.T]), "sort"),
        (lambda: lax.sort([A], num_keys=2), "num_keys"),
        (lambda: lax.reduce(N, 0.5, lax.add, (0,)), "add"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert "test_lax.py" in str(caught.value)


def test_other_errors():
    with pytest.raises(IndexError, match="out of bounds"):
        lax.index_in_dim(A, 2)
    with pytest.raises(ValueError, match="k=4"):
        lax.top_k(A, 4)
    with pytest.raises(TypeError, match="associative_scan"):
        lax.reduce(A, 0.0, lambda x, y: x + y * lax.reduce_sum(B, (0, 1)), (0,))
    with pytest.raises(ValueError, match="precision"):
        lax.dot(A, B.T, precision="most")
    with pytest.raises(TypeError, match="preferred_element_type"):
        lax.dot(A, B.T, preferred_element_type=np.int64)
    with pytest.raises(ValueError, match="mode"):
        lax.GatherScatterMode.from_any("wrap")


# --------------------------------------------------------------------------------------------------
# Contractions, reductions, sorting


def test_products(jax):
    x, y = np.sin(np.arange(24.0)).reshape(2, 3, 4), np.cos(np.arange(40.0)).reshape(5, 4, 2)
    numbers = (((2,), (1,)), ((0,), (2,)))
    against(jax, lambda m, x, y: m.dot_general(x, y, numbers), x, y)
    against(jax, lambda m, a, b: m.dot(a, b, precision="highest"), A, B.T)
    against(jax, lambda m, a, b: m.dot(a[0], b[0]), A, B)
    against(jax, lambda m, a, b: m.dot(a, b[0], preferred_element_type=np.float64), A, B)
    against(jax, lambda m, x: m.batch_matmul(x, m.transpose(x, (0, 2, 1))), x)
    same(lax.dot(N, M.T, precision=(lax.Precision.HIGH, None)), N @ M.T)
    slopes(lambda x, y: lax.dot_general(x, y, numbers), x, y)


def test_reductions(jax):
    names = ["reduce_sum", "reduce_max", "reduce_min", "reduce_prod"]
    for axes in ((0,), (0, 1), ()):
        against(jax, lambda m, x, axes=axes: [getattr(m, n)(x, axes) for n in names], A)
    against(jax, lambda m, x: [m.reduce_and(x > 0, (1,)), m.reduce_or(x > 0, (1,))], A)
    against(jax, lambda m, x: [m.reduce(x, 2, f, (0,)) for f in (m.add, m.mul, m.max, m.min)], N)
    against(jax, lambda m, x: [m.argmax(x, 1, np.int32), m.argmin(x, 0, np.int64)], A)
    against(
        jax,
        lambda m, x: [
            getattr(m, f)(x, a, r)
            for a in (0, 1)
            for r in (False, True)
            for f in ("cumsum", "cumprod", "cummax", "cummin")
        ],
        A,
    )
    slopes(lambda x: lax.cumprod(x, 1), A)


def test_sorting(jax):
    x = np.array([[3.0, np.nan, -1.0, 3.0, -np.inf], [0.0, -0.0, 2.0, np.inf, 2.0]])
    keys = np.array([[1, 0, 1, 0, 1], [2, 2, 0, 1, 1]])
    against(jax, lambda m, x: m.sort(x), x)
    against(jax, lambda m, k, x: m.sort((k, x), num_keys=2), keys, x)
    against(jax, lambda m, k, x: m.sort((k, x), 0), keys, x)
    against(jax, lambda m, k, x: m.sort_key_val(k, x, is_stable=True), keys, x)
    against(jax, lambda m, x: tuple(m.top_k(x, 3)), x[:, [0, 2, 3, 4]])
    against(jax, lambda m, k: tuple(m.top_k(k, 2, axis=0)), keys)
    places = lax.top_k(x, 5)[1]
    same(places[0], np.array([1, 0, 3, 2, 4], np.int32))
    picked = dx.grad(lambda v: total(lax.top_k(v, 2)[0] ** 2))(np.array([1.0, 3.0, 2.0]))
    same(picked, np.array([0.0, 6.0, 4.0]))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 13])
def test_associative_scan(n):
    x = np.sin(np.arange(2.0 * n)).reshape(n, 2)
    for reverse in (False, True):
        flip = (lambda v: v[::-1]) if reverse else (lambda v: v)
        scan = lambda v, r=reverse: lax.associative_scan(lax.add, v, reverse=r)
        same(scan(x), flip(np.cumsum(flip(x), 0)))
        same(
            lax.associative_scan(lax.max, x.T, reverse, 1),
            flip(np.maximum.accumulate(flip(x), 0)).T,
        )
    if n > 1:
        slopes(lambda v: lax.associative_scan(lambda a, b: a * b + a + b, v), x)


def test_associative_scan_of_trees():
    # The recurrence h_t = a_t h_{t-1} + b_t, as composition of affine maps.
    a, b = np.cos(np.arange(9.0)), np.sin(np.arange(9.0))
    after = lambda f, g: {"a": f["a"] * g["a"], "b": g["a"] * f["b"] + g["b"]}
    h, expected = 0.0, []
    for s, t in zip(a, b):
        h = s * h + t
        expected.append(h)
    run = lambda a, b: lax.associative_scan(after, {"a": a, "b": b})["b"]
    same(run(a, b), np.array(expected))
    same(dx.jit(run)(a, b), np.array(expected))
    same(dx.vmap(run)(np.stack([a, a]), np.stack([b, b]))[1], np.array(expected))
    with pytest.raises(ValueError, match="one size"):
        lax.associative_scan(after, {"a": a, "b": b[:3]})
    with pytest.raises(TypeError, match="expects a function"):
        lax.associative_scan(3, a)


# --------------------------------------------------------------------------------------------------
# Dynamic places


def test_dynamic_slices(jax):
    x = np.arange(20.0).reshape(4, 5)
    for i in (-6, -1, 0, 2, 9):
        i = np.int64(i)
        against(
            jax,
            lambda m, x, i: [
                m.dynamic_slice(x, (i, 1), (2, 3)),
                m.dynamic_slice_in_dim(x, i, 2, 1),
                m.dynamic_index_in_dim(x, i, 0, False),
                m.dynamic_index_in_dim(x, i, 1),
                m.dynamic_update_slice(x, -x[:2, :2], (i, i)),
                m.dynamic_update_slice_in_dim(x, -x[:, :2], i, 1),
                m.dynamic_update_index_in_dim(x, -x[0], i, 0),
            ],
            x,
            i,
        )
    starts = np.array([1, 2])
    against(jax, lambda m, x, s: m.dynamic_slice(x, s, (2, 2)), x, starts)
    same(lax.dynamic_slice(x, (-1, np.int32(0)), (1, 2)), x[3:4, :2])
    same(lax.dynamic_slice(x, (-1, 0), (1, 2), allow_negative_indices=False), x[:1, :2])
    rows = dx.vmap(lambda i: lax.dynamic_slice(x, (i, 0), (1, 5)))(np.array([2, -1, 7]))
    same(rows, x[[2, 3, 3]][:, None])
    slopes(lambda x, u: lax.dynamic_update_slice(x, u, (1, 1)), x, x[:2, :2] / 7)


def both_numbers(jax, kind, *fields):
    return getattr(lax, kind)(*fields), getattr(jax.lax, kind)(*fields)


@pytest.mark.parametrize("mode", ["clip", "fill", "promise_in_bounds", None])
def test_gather(jax, mode):
    x = np.arange(12.0).reshape(4, 3)
    inside = mode == "promise_in_bounds"
    indices = np.array([[0], [3], [1]]) if inside else np.array([[0], [3], [5], [-1]])
    for fields, sizes in ((((1,), (0,), (0,)), (1, 3)), (((1, 2), (), (0,)), (2, 2))):
        if inside and sizes == (2, 2):
            continue
        ours, theirs = both_numbers(jax, "GatherDimensionNumbers", *fields)
        # By default jax leaves it open what is out of bounds; here it is filled.
        expected = jax.lax.gather(x, indices, theirs, sizes, mode=mode or "fill")
        run = lambda x, i, n=ours, s=sizes: lax.gather(x, i, n, s, mode=mode)
        same(run(x, indices), expected)
        same(dx.jit(run)(x, indices), expected)
        if mode == "clip":
            slopes(lambda x, r=run: r(x, indices), x)
    if mode == "fill":
        numbers = lax.GatherDimensionNumbers((1,), (0,), (0,))
        filled = lax.gather(x, indices, numbers, (1, 3), mode=mode, fill_value=-1)
        same(filled[2:], np.full((2, 3), -1.0))
        whole = lax.gather(x.astype(np.int32), indices, numbers, (1, 3))
        assert np.asarray(whole)[2, 0] == np.iinfo(np.int32).min


def test_gather_with_batching_dimensions(jax):
    x, indices = np.arange(12.0).reshape(3, 4), np.array([[3], [0], [2]])
    ours, theirs = both_numbers(jax, "GatherDimensionNumbers", (), (1,), (1,), (0,), (0,))
    same(lax.gather(x, indices, ours, (1, 1)), jax.lax.gather(x, indices, theirs, (1, 1)))


@pytest.mark.parametrize("mode", ["clip", "drop", None])
@pytest.mark.parametrize("name", ["scatter", "scatter_add", "scatter_sub"])
def test_scatter(jax, name, mode):
    x, updates = np.arange(12.0).reshape(4, 3), np.cos(np.arange(9.0)).reshape(3, 3)
    indices = np.array([[0], [3], [6]])
    ours, theirs = both_numbers(jax, "ScatterDimensionNumbers", (1,), (0,), (0,))
    there = "fill" if mode == "drop" else mode
    if name == "scatter" and mode == "clip":
        indices[1] = 1  # with overlaps jax does not say which one stays
    expected = getattr(jax.lax, name)(x, indices, updates, theirs, mode=there)
    run = lambda x, u: getattr(lax, name)(x, indices, u, ours, mode=mode)
    same(run(x, updates), expected)
    same(dx.jit(run)(x, updates), expected)
    slopes(run, x, updates)
    with pytest.raises(TypeError, match=name if name != "scatter_sub" else "scatter_add"):
        getattr(lax, name)(x, indices, updates[:2], ours, mode=mode)


# --------------------------------------------------------------------------------------------------
# Closed forms, without jax


def test_special_functions_against_scipy():
    np.testing.assert_allclose(lax.erf(A), scipy.special.erf(A), 1e-14)
    np.testing.assert_allclose(lax.erf_inv(A), scipy.special.erfinv(A), 1e-13)
    np.testing.assert_allclose(lax.exp2(A), np.exp2(A), 1e-14)
    np.testing.assert_allclose(lax.logistic(A), scipy.special.expit(A), 1e-14)


@pytest.mark.parametrize("name", ["sin", "tanh", "exp", "erf", "logistic", "cbrt", "square"])
def test_unary_derivatives(name):
    slopes(getattr(lax, name), np.array([0.3, -0.8, 1.2]))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "atan2", "max", "min"])
def test_binary_derivatives(name):
    slopes(getattr(lax, name), A + 0.1, B)
