"""Smaller names of NumPy, jax.lax and SciPy: beside NumPy, SciPy and, where it is there, jax."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from tests.checks import close, rng

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


# --------------------------------------------------------------------------------------------------
# Integers


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("name", ["gcd", "lcm"])
def test_divisors_and_multiples(name, dtype):
    info = np.iinfo(dtype)
    few = np.array([info.min, info.max, 0, 1, 6, 4, info.max - 1], dtype)
    x, y = (v.reshape(-1) for v in np.meshgrid(few, few))
    f = getattr(dnp, name)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    close(f(x, y), expected)
    close(dx.jit(f)(x, y), expected)
    close(dx.jit(dx.vmap(f, (0, None)))(few, few), getattr(np, name)(few[:, None], few))


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
def test_gcd_is_numpys(a, b):
    assert int(dnp.gcd(a, b)) == np.gcd(a, b)
    assert int(GCD(np.array(a), np.array(b))) == np.gcd(a, b)


GCD = dx.jit(dnp.gcd)


def test_gcd_is_of_integers():
    with pytest.raises(TypeError, match=r"gcd: expects .*integer.*f64"):
        dnp.gcd(2.0, 4)


# --------------------------------------------------------------------------------------------------
# Polynomials


def test_polynomials():
    p, q = np.array([2.0, -3.0, 1.0, 5.0]), np.array([1.0, 2.0])
    for ours, theirs in zip(dnp.polydiv(p, q), np.polydiv(p, q)):
        close(ours[-theirs.size :], theirs, 1e-12)
    close(dnp.polydiv(q, p), (np.zeros(1), q))
    close(dnp.polydiv(np.polymul(p, q), q, trim_leading_zeros=True)[1], np.zeros(0))
    close(dnp.poly(p), np.poly(p), 1e-12)
    m = rng(3, 3)
    close(dnp.poly(m), np.poly(m).astype(complex), 1e-10)
    assert dnp.poly(np.zeros(0)).shape == ()
    close(dnp.sort(dnp.roots(p)), np.sort(np.roots(p)), 1e-10)
    close(dnp.roots(np.array([0.0, 0.0, 1.0, -2.0])), np.array([2.0 + 0j]))
    found = dx.jit(lambda p: dnp.roots(p, strip_zeros=False))(np.array([0.0, 0.0, 1.0, -2.0]))
    close(found[0], 2.0 + 0j)
    assert np.isnan(found[1:]).all() and np.isnan(dnp.roots(np.zeros(3), strip_zeros=False)).all()
    assert dnp.roots(np.zeros(3)).shape == dnp.roots(np.ones(1)).shape == (0,)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="strip_zeros=False"):
        dx.jit(dnp.roots)(p)


@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("weighted", [False, True])
def test_polyfit(columns, weighted):
    x, y = np.linspace(0, 2, 9), rng(9, *columns)
    w = np.linspace(1, 2, 9) if weighted else None
    close(dnp.polyfit(x, y, 3, w=w), np.polyfit(x, y, 3, w=w), 1e-9)
    for cov in (True, "unscaled"):
        found, expected = dnp.polyfit(x, y, 2, w=w, cov=cov), np.polyfit(x, y, 2, w=w, cov=cov)
        close(tuple(found), tuple(expected), 1e-9)
    full, expected = dnp.polyfit(x, y, 3, w=w, full=True), np.polyfit(x, y, 3, w=w, full=True)
    close(full[0], expected[0], 1e-9)
    close(dnp.ravel(full[1]), np.ravel(expected[1]), 1e-9)
    assert int(full[2]) == expected[2]
    slope = dx.grad(lambda y: dnp.sum(dnp.polyfit(x, y, 1) ** 2))(y)
    step = 1e-6 * rng(*y.shape, seed=3)
    loss = lambda y: np.sum(np.polyfit(x, y, 1) ** 2)
    close(np.sum(slope * step), loss(y + step / 2) - loss(y - step / 2), 1e-9)
    for bad in (lambda: dnp.polyfit(x, y, -1), lambda: dnp.polyfit(x[:3], y[:3], 2, cov=True)):
        with pytest.raises(ValueError, match="polyfit"):
            bad()
    with pytest.raises(TypeError, match="polyfit"):
        dnp.polyfit(x, y[:4], 1)


# --------------------------------------------------------------------------------------------------
# Windows, histograms


def test_window_functions():
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        for m in (0, 1, 2, 7):
            close(getattr(dnp, name)(m), getattr(np, name)(m))
    for m in (1, 2, 7):
        close(dnp.kaiser(m, 14.0), np.kaiser(m, 14.0), 1e-13)
    assert dnp.kaiser(0, 2.0).shape == (0,)
    f = lambda beta: dnp.kaiser(5, beta)[1]
    close(dx.grad(f)(2.0), (np.kaiser(5, 2 + 1e-6)[1] - np.kaiser(5, 2 - 1e-6)[1]) / 2e-6, 1e-8)
    close(dnp.i0(rng(4)), np.i0(rng(4)), 1e-14)


def test_histograms():
    points, w = rng(50, 3), np.abs(rng(50, seed=1))
    for bins in (4, [2, 3, 4], [np.linspace(-1, 1, 4)] * 3):
        for density in (False, True):
            ours = dnp.histogramdd(points, bins, weights=w, density=density)
            theirs = np.histogramdd(points, bins, weights=w, density=density)
            close(ours[0], theirs[0], 1e-12)
            close(ours[1], [*theirs[1]], 1e-12)
    span = [(-1, 1), None, (0, 2)]
    close(dnp.histogramdd(points, 3, span)[0], np.histogramdd(points, 3, span)[0])
    x, y = points[:, 0], points[:, 1]
    for bins in (4, (2, 3), np.linspace(-1, 1, 6)):
        close(dnp.histogram2d(x, y, bins), np.histogram2d(x, y, bins), 1e-12)
    close(dx.jit(dnp.histogram2d)(x, y), np.histogram2d(x, y), 1e-12)
    with pytest.raises(ValueError, match="histogramdd"):
        dnp.histogramdd(points, [2, 3])


# --------------------------------------------------------------------------------------------------
# Writing


def written(name, x, *args, **kwargs):
    x = x.copy()
    getattr(np, name)(x, *args, **kwargs)
    return x


WRITES = [
    ("fill_diagonal", np.zeros((3, 4)), (5.0,)),
    ("fill_diagonal", np.zeros((7, 3)), (np.array([1.0, 2.0]),)),
    ("fill_diagonal", np.zeros((7, 3)), (1.0, True)),
    ("fill_diagonal", np.zeros((3, 3, 3)), (2.0,)),
    ("place", rng(3, 4), (rng(3, 4) > 0, np.array([1.0, 2.0, 3.0]))),
    ("put", rng(3, 4), ([0, 5, -1], [1.0, 2.0])),
    ("put", rng(3, 4), ([0, 50, -70], 1.0, "clip")),
    ("put", rng(3, 4), ([0, 50, -70], 1.0, "wrap")),
    ("put_along_axis", rng(3, 4), (np.array([[0, -1], [1, 2], [3, 0]]), 7.0, 1)),
    ("put_along_axis", rng(3, 4), (np.array([[0, 2, 1, 1]]), rng(1, 4), 0)),
    ("put_along_axis", rng(3, 4), (np.array([0, -1]), 7.0, None)),
]


@pytest.mark.parametrize("name, x, args", WRITES, ids=[w[0] for w in WRITES])
def test_writing_returns_another_array(name, x, args):
    expected, f = written(name, x, *args), getattr(dnp, name)
    if isinstance(args[-1], str) and args[-1] == "clip":
        expected.reshape(-1)[[0]] = 1.0  # NumPy clips after it has counted from the end
    close(f(x, *args, inplace=False), expected)
    arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
    if arrays and name != "fill_diagonal":

        def call(x, *given):
            full = list(args)
            for i, a in zip(arrays, given):
                full[i] = a
            return f(x, *full, inplace=False)

        close(dx.jit(call)(x, *[args[i] for i in arrays]), expected)
    with pytest.raises(ValueError, match=f"{name}: arrays never change"):
        f(x, *args)
    with pytest.raises(ValueError, match=f"{name}: arrays never change"):
        getattr(np, name)(dnp.asarray(x), *args)
    slope = dx.grad(lambda x: dnp.sum(f(x, *args, inplace=False)))(x)
    close(slope, (written(name, np.full(x.shape, 1e30), *args) == 1e30).astype(float))


# --------------------------------------------------------------------------------------------------
# Indices, types, texts


def test_indices():
    x = rng(4, 3)
    for name in ("tril_indices_from", "triu_indices_from"):
        close(getattr(dnp, name)(x, 1), getattr(np, name)(x, 1))
    close(dnp.diag_indices_from(rng(3, 3, 3)), np.diag_indices_from(rng(3, 3, 3)))
    close(dnp.mask_indices(4, dnp.triu, 1), np.mask_indices(4, np.triu, 1))
    assert dnp.mask_indices(4, dnp.triu, 1, size=8)[0].shape == (8,)
    assert dnp.index_exp[1:2, ...] == (slice(1, 2), ...) and dnp.s_[3] == 3
    for bad in (dnp.diag_indices_from, dnp.tril_indices_from):
        with pytest.raises(ValueError, match="_indices_from: needs"):
            bad(np.zeros(3))


def test_joined():
    a, b = np.arange(3), np.arange(6.0).reshape(2, 3)
    for key in [(a, 0, a), slice(0, 5, 2), slice(-1, 1, 5j), (slice(3), a, 7), ("0,2", a, a),
                ("0,2,0", a, a), ("1,3,1", a, a), (b, b), ("-1", b, b)]:  # fmt: skip
        close(dnp.r_[key], np.r_[key])
    for key in [(a, a), (b, b), slice(0, 3), (a, 2 * a, 0 * a), ("0,2", a, a)]:
        close(dnp.c_[key], np.c_[key])
    close(dx.jit(lambda x: dnp.r_[x, 1.0])(b[0]), np.r_[b[0], 1.0])
    with pytest.raises(ValueError, match="axis,ndmin"):
        dnp.r_["r", a]


def test_matrices_and_vectors():
    a, x, y = rng(2, 3, 4), rng(5, 1, 4), rng(3) + 1j * rng(3, seed=1)
    close(dnp.matvec(a, x), np.einsum("bij,cbj->cbi", a, np.broadcast_to(x, (5, 2, 4))), 1e-12)
    close(dnp.vecmat(y, a), np.einsum("i,bij->bj", y.conj(), a), 1e-12)
    for f, args in ((dnp.matvec, (a, 2.0)), (dnp.vecmat, (2.0, a)), (dnp.matvec, (a, y))):
        with pytest.raises(ValueError, match=r"(matvec|vecmat|matmul): shapes"):
            f(*args)


def test_trim_zeros():
    x = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 0], [0, 0, 0]])
    for trim in ("f", "b", "fb", "FB"):
        close(dnp.trim_zeros(x[1:, 1], trim), np.trim_zeros(x[1:, 1], trim))
        close(dnp.trim_zeros(x[:, 1], trim), np.trim_zeros(x[:, 1], trim))
    close(dnp.trim_zeros(x), x[1:3, 1:2])
    close(dnp.trim_zeros(x, "f", 0), x[1:])
    assert dnp.trim_zeros(np.zeros(3)).shape == (0,)


def test_questions_about_types():
    assert dnp.issubdtype(dnp.bfloat16, dnp.floating)
    assert not dnp.issubdtype(dnp.bfloat16, dnp.float16)
    assert dnp.issubdtype(dnp.int4, dnp.signedinteger)
    assert dnp.issubdtype(dnp.uint4, dnp.unsignedinteger)
    assert dnp.issubdtype(dnp.float8_e5m2, dnp.inexact)
    assert dnp.issubdtype(dnp.floating, dnp.number) and not dnp.issubdtype(int, dnp.inexact)
    assert dnp.promote_types("int64", "float32") == np.float32
    assert dnp.promote_types(bool, "int8") == np.int8 and dnp.promote_types(int, "int8") == np.int8
    assert dnp.isscalar(dnp.asarray(1.0)) and not dnp.isscalar(dnp.ones(1))
    assert (dnp.shape(3.0), dnp.ndim([[1]]), dnp.size([[1, 2]], (0, 1))) == ((), 2, 2)
    assert dnp.double == np.float64 and dnp.uint == np.uint64 and dnp.bool == np.bool_


def test_shapes_of_traced_values():
    def f(x):
        assert (np.shape(x), np.ndim(x), np.size(x, 1)) == ((2, 3), 2, 3)
        assert np.iscomplexobj(x) is False and np.isrealobj(x) is True
        assert "f64[2,3]" in np.array_repr(x) and "f64[2,3]" in np.array_str(x)
        return x

    dx.jit(f)(np.zeros((2, 3)))


# --------------------------------------------------------------------------------------------------
# lax


def test_index_take():
    x = rng(4, 5, 3)
    i, j = np.array([0, -1, 6]), np.array([2, 9, -3])
    close(dx.lax.index_take(x, (i, j), (0, 2)), x[i % 4, :, j % 3])
    close(dx.jit(lambda x, i: dx.lax.index_take(x, (i,), (1,)))(x, i), x[:, i % 5].swapaxes(0, 1))
    with pytest.raises(TypeError, match="index_take"):
        dx.lax.index_take(x, (i,), (0, 1))


def test_qdwh():
    x = rng(3, 6, 4) + 1j * rng(3, 6, 4, seed=1)
    u, h, count, converged = dx.lax.linalg.qdwh(x)
    close(np.asarray(u) @ np.asarray(h), x, 1e-12)
    close(np.swapaxes(np.conj(u), 1, 2) @ np.asarray(u), np.stack([np.eye(4) + 0j] * 3), 1e-12)
    assert np.linalg.eigvalsh(h).min() > 0 and int(count) == 0 and bool(converged)
    with pytest.raises(ValueError, match="qdwh"):
        dx.lax.linalg.qdwh(np.ones((2, 3)))


def test_spherical_harmonics():
    n, m = (v.reshape(-1) for v in np.meshgrid(np.arange(8), np.arange(-8, 9)))
    theta, phi = np.linspace(0, np.pi, n.size), np.linspace(0, 6, n.size)
    expected = scipy.special.sph_harm_y(n, m, theta, phi)
    close(dx.scipy.special.sph_harm_y(n, m, theta, phi), expected, 1e-12)
    f = lambda n, m, t, p: dx.scipy.special.sph_harm_y(n, m, t, p, n_max=7)
    close(dx.jit(f)(n, m, theta, phi), expected, 1e-12)
    expected = scipy.special.sph_harm_y(60, np.arange(-60, 61), 0.7, 0.3)
    close(dx.scipy.special.sph_harm_y(60, np.arange(-60, 61), 0.7, 0.3), expected, 1e-11)
    assert np.isnan(complex(dx.scipy.special.sph_harm_y(-1, 0, 0.1, 0.1)))
    for k in (0, 3):
        slope = dx.grad(lambda t, k=k: dnp.real(dx.scipy.special.sph_harm_y(3, k, t, 0.4)))(0.0)
        _, (by_theta, _) = scipy.special.sph_harm_y(3, k, 0.0, 0.4, diff_n=1)
        close(slope, by_theta.real, 1e-12)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="n_max"):
        dx.jit(dx.scipy.special.sph_harm_y)(n, m, theta, phi)


DIMS = (((1,), (0,)), ((), ()))


@pytest.mark.parametrize("preset", [p.name for p in dx.lax.DotAlgorithmPreset])
def test_algorithms_of_products(preset):
    x, y = rng(20, 30).astype(np.float32), rng(30, 10, seed=1).astype(np.float32)
    if preset.startswith("ANY"):
        x, y = (np.asarray(v, dnp.float8_e4m3fn) for v in (x, y))
    digits = {"ANY": 1e-6, "F16": 2e-3, "BF1": 1e-2, "TF3": 1e-3, "F32": 1e-6, "F64": 1e-6,
              "DEF": 1e-6}[preset[:3]]  # fmt: skip
    digits = 3e-5 if preset.endswith("X3") else 2e-6 if preset[-2:] in ("X6", "X9") else digits
    exact = x.astype(float) @ y.astype(float)
    f = lambda x, y: dx.lax.dot_general(x, y, DIMS, preset, np.float32)
    for found in (
        f(x, y),
        dx.jit(f)(x, y),
        dnp.matmul(x, y, precision=preset, preferred_element_type=np.float32),
    ):
        assert found.dtype == np.float32
        assert np.abs(np.asarray(found) - exact).max() / np.abs(exact).max() < digits
    if preset[:3] in ("BF1", "TF3") and preset[-2] != "X":
        assert np.abs(np.asarray(f(x, y)) - exact).max() / np.abs(exact).max() > 1e-5


def test_algorithms_in_full():
    x, y = rng(4, 4).astype(np.float16), rng(4, 4, seed=1).astype(np.float16)
    plain = dx.lax.DotAlgorithm(np.float16, np.float16, np.float32)
    found = dx.lax.dot(x, y, precision=plain)
    assert found.dtype == np.float16
    close(found, dx.lax.dot(x, y, precision=dx.lax.DotAlgorithmPreset.F16_F16_F32))
    gradient = dx.grad(lambda x: dnp.sum(dnp.dot(x, y, precision=plain)))(x)
    close(gradient.astype(float), np.broadcast_to(y.astype(float).sum(1), (4, 4)), 1e-2)
    for bad in (plain._replace(num_primitive_operations=3), plain._replace(accumulation_type=int)):
        with pytest.raises(ValueError, match="no platform computes products by"):
            dx.lax.dot(x, y, precision=bad)
    with pytest.raises(TypeError, match="float8"):
        dx.lax.dot(x, y, precision="ANY_F8_ANY_F8_F32")
    with pytest.raises(TypeError, match="floating-point"):
        dx.lax.dot(x.astype(int), y.astype(int), precision="F32_F32_F32")


@needs_jax
@pytest.mark.parametrize("preset", ["F16_F16_F16", "F32_F32_F32", "BF16_BF16_F32",
                                    "BF16_BF16_F32_X3"])  # fmt: skip
def test_algorithms_are_jaxs(preset):
    x, y = rng(20, 30).astype(np.float32), rng(30, 10, seed=1).astype(np.float32)
    theirs = jax.lax.dot_general(x, y, DIMS, preset, np.float32 if preset[0] != "F" else None)
    ours = dx.jit(lambda x, y: dx.lax.dot_general(x, y, DIMS, preset))(x, y)
    assert ours.dtype == np.float32
    error = np.abs(np.asarray(ours) - np.asarray(theirs, np.float32)).max()  # XLA may do better
    assert error / 10 < {"F16_F16_F16": 2e-3, "F32_F32_F32": 1e-6, "BF16_BF16_F32": 1e-2}.get(
        preset, 3e-5
    )


@needs_jax
def test_small_functions_are_jaxs():
    assert dx.lax.dtype(2) == jax.lax.dtype(2) and dx.lax.dtype("int8") == np.int8
    x = rng(3)
    close(dx.lax.broadcast_like(x, np.zeros((2, 3))), jax.lax.broadcast_like(x, np.zeros((2, 3))))
    with pytest.raises(ValueError, match="broadcast_like"):
        dx.lax.broadcast_like(np.zeros((2, 3)), x)
    for args in (("float32", "bfloat16"), (float, "int8"), ("uint32", "int32"), (int, "bool")):
        assert dnp.promote_types(*args) == jax.numpy.promote_types(*args)
