"""Fourier and cosine transforms against NumPy, SciPy and jax; XLA's generator of bits."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.fft

import diffeo as dx
import diffeo.numpy as dnp
from diffeo.primitives.core import typeof
from diffeo.primitives.words.operators import NUMPY
from diffeo.routines.fft import Fft
from diffeo.routines.random_bits import RngBitGenerator

rng = np.random.default_rng(0)
REAL = rng.normal(size=(3, 4, 5))
COMPLEX = REAL + 1j * rng.normal(size=REAL.shape)
INPUT = {"rfft": REAL, "rfftn": REAL, "rfft2": REAL, "ihfft": REAL}
NORMS = (None, "backward", "ortho", "forward")


def near(found, expected, tolerance=1e-12):
    found = np.asarray(found)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    size = np.max(np.abs(expected), initial=0)
    np.testing.assert_allclose(found, expected, tolerance, tolerance * size)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_axis(name):
    ours, theirs, x = getattr(dnp.fft, name), getattr(np.fft, name), INPUT.get(name, COMPLEX)
    for n, axis, norm in itertools.product((None, 1, 3, 4, 7), (-1, 0, 1), NORMS):
        near(ours(x, n, axis, norm), theirs(x, n, axis, norm))
    near(dx.jit(ours)(x), theirs(x))
    near(dx.vmap(ours)(x), theirs(x))
    near(ours(np.arange(1, 4)), theirs(np.arange(1, 4)))


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_several_axes(name):
    ours, theirs, x = getattr(dnp.fft, name), getattr(np.fft, name), INPUT.get(name, COMPLEX)
    for s, axes, norm in (
        (None, None, None),
        (None, (0,), "ortho"),
        (None, (2, 0), None),
        (None, (-1, 1, 0), "forward"),
        ((2, 6), (0, 2), None),
        ((5, 4), (1, 0), "ortho"),
        ((3, 7), (-2, -1), "forward"),
        ((4, -1, 6), (0, 1, 2), None),
    ):
        near(ours(x, s, axes, norm), theirs(x, s, axes, norm))
    near(dx.jit(lambda x: ours(x, (2, 3, 7), (2, 0, 1)))(x), theirs(x, (2, 3, 7), (2, 0, 1)))
    many = np.multiply.outer(x, rng.normal(size=(2, 3)))
    near(ours(many), theirs(many))
    near(dx.jit(ours)(many), theirs(many))


@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2"])
def test_two_axes(name):
    ours, theirs, x = getattr(dnp.fft, name), getattr(np.fft, name), INPUT.get(name, COMPLEX)
    near(ours(x), theirs(x))
    near(ours(x, (3, 4), (0, 1), "ortho"), theirs(x, (3, 4), (0, 1), "ortho"))


def test_no_axes():
    near(dnp.fft.fftn(COMPLEX, axes=()), COMPLEX)
    near(dx.lax.fft(REAL, "FFT", ()), REAL + 0j)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 15, 97, 101, 360, 1009, 4999])
def test_odd_and_prime_lengths_are_accurate(n):
    """Compiled and evaluated, against each other and, for the small ones, the sum itself."""
    z = rng.normal(size=n) + 1j * rng.normal(size=n)
    for name, x in (("fft", z), ("ifft", z), ("rfft", z.real), ("irfft", z[: n // 2 + 1])):
        compiled = dx.jit(lambda x, name=name: getattr(dnp.fft, name)(x, n))
        near(compiled(x), getattr(np.fft, name)(x, n), 1e-13)
    if n < 100:
        k = np.arange(n)
        near(dx.jit(dnp.fft.fft)(z), np.exp(-2j * np.pi * np.outer(k, k) / n) @ z)


def test_dtypes():
    for dtype, expected in (
        (np.float16, np.complex64),
        (np.float32, np.complex64),
        (dnp.bfloat16, np.complex64),
        (np.complex64, np.complex64),
        (np.int32, np.complex128),
        (bool, np.complex128),
    ):
        x = np.ones(4).astype(dtype)
        for compile in (lambda f: f, dx.jit):
            assert compile(dnp.fft.fft)(x).dtype == expected
            if x.dtype.kind != "c":
                assert compile(dnp.fft.rfft)(x).dtype == expected
            half = np.float32 if expected == np.complex64 else np.float64
            assert compile(dnp.fft.irfft)(x).dtype == half
    text = (
        dx.jit(dx.grad(lambda x: dnp.sum(abs(dnp.fft.rfft(x, norm="ortho")))))
        .lower(np.ones(4, np.float32))
        .as_text()
    )
    assert "f64" not in text


def test_gradients_agree_with_jax(jax):
    for name, x in (("fft", COMPLEX), ("rfftn", REAL), ("irfftn", COMPLEX), ("hfft", COMPLEX)):
        loss = lambda m, name=name: lambda z: m.sum(abs(getattr(m.fft, name)(z * z)) ** 2)
        near(dx.jit(dx.grad(loss(dnp)))(x), np.asarray(jax.grad(loss(jax.numpy))(x)))


def test_numpy_code_is_traced():
    def f(x):
        y = np.fft.rfft(x, norm="ortho")
        return np.fft.irfft(y * np.fft.fftshift(np.conj(y)), n=4) + np.fft.fftfreq(4)

    x = REAL[0, :, 0]
    near(dx.jit(f)(x), f(x))
    near(dx.vmap(f)(REAL[0].T), np.stack([f(r) for r in REAL[0].T]))
    assert all([NUMPY[getattr(np.fft, n)] is getattr(dnp.fft, n) for n in dnp.fft.__all__])


def test_frequencies():
    for n in (1, 2, 5, 8):
        near(dnp.fft.fftfreq(n, 0.1), np.fft.fftfreq(n, 0.1))
        near(dnp.fft.rfftfreq(n, 0.1), np.fft.rfftfreq(n, 0.1))
    assert dnp.fft.fftfreq(4, dtype=np.float32).dtype == np.float32
    near(dx.jit(lambda d: dnp.fft.fftfreq(5, d))(0.5), np.fft.fftfreq(5, 0.5))
    for axes in (None, 0, -1, (0, 2)):
        near(dnp.fft.fftshift(REAL, axes), np.fft.fftshift(REAL, axes))
        near(dnp.fft.ifftshift(REAL, axes), np.fft.ifftshift(REAL, axes))


def test_lax_fft():
    kinds = dx.lax.FftType
    near(dx.lax.fft(REAL, kinds.RFFT, (4, 5)), np.fft.rfft2(REAL))
    near(dx.lax.fft(REAL, "fft", (5,)), np.fft.fft(REAL))
    near(dx.lax.fft(COMPLEX, kinds.IRFFT, (3, 4, 8)), np.fft.irfftn(COMPLEX, (3, 4, 8), (0, 1, 2)))
    five = REAL[:, :2, None, None]
    near(dx.lax.fft(five, kinds.IFFT, (3, 2, 1, 1, 5)), np.fft.ifftn(five))


def test_errors():
    x = dnp.ones((2, 4))
    for error, match, call in (
        (ValueError, "a size of at least 1, got the sizes \\[0\\]", lambda: dnp.fft.fft(x, 0)),
        (ValueError, "a size of at least 1", lambda: dnp.fft.fft(dnp.ones((2, 0)))),
        (ValueError, "a size of at least 1", lambda: dnp.fft.irfft(dnp.ones(1))),
        (ValueError, "norm must be one of", lambda: dnp.fft.fft(x, norm="both")),
        (ValueError, "axis 2 is out of bounds", lambda: dnp.fft.fft(x, axis=2)),
        (ValueError, "an axis is given twice", lambda: dnp.fft.fftn(x, axes=(0, 0))),
        (ValueError, "s has 1 sizes", lambda: dnp.fft.fftn(x, (2,), (0, 1))),
        (TypeError, "rfft: transforms real numbers, got c128", lambda: dnp.fft.rfft(x + 1j)),
        (ValueError, "fft_type must be one of FFT", lambda: dx.lax.fft(x, "DCT", (4,))),
        (ValueError, r"FFT of lengths \(3,\) expects \(3,\)", lambda: dx.lax.fft(x, "FFT", (3,))),
        (ValueError, "IRFFT of lengths", lambda: dx.lax.fft(x, "IRFFT", (4,))),
        (ValueError, "RFFT is of real numbers", lambda: dx.lax.fft(x + 1j, "RFFT", (4,))),
        (
            TypeError,
            "RFFT expects float32 or float64, got f16",
            lambda: dx.lax.fft(x.astype("float16"), "RFFT", (4,)),
        ),
        (ValueError, "one to three lengths", lambda: dx.lax.fft(x, "FFT", (1, 2, 4))),
        (ValueError, "one to three lengths", lambda: Fft("FFT", (0,)).abstract_eval(typeof(x))),
        (ValueError, "FFT of lengths", lambda: dx.lax.fft(x, "FFT", (1, 1, 2, 4))),
        (ValueError, "at least one point", lambda: dnp.fft.fftfreq(0)),
    ):
        with pytest.raises(error, match=match):
            call()


# --------------------------------------------------------------------------------------------------
# Cosine transforms


@pytest.mark.parametrize("type", [2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9])
def test_cosine_transforms(n, type):
    x = rng.normal(size=(2, n, 3))
    for name, norm, size in itertools.product(("dct", "idct"), NORMS, (None, n + 2, max(n - 1, 1))):
        expected = getattr(scipy.fft, name)(x, type, size, 1, norm)
        near(getattr(dx.scipy.fft, name)(x, type, size, 1, norm), expected)


def test_cosine_transforms_over_several_axes():
    for name in ("dctn", "idctn"):
        ours, theirs = getattr(dx.scipy.fft, name), getattr(scipy.fft, name)
        near(ours(REAL), theirs(REAL))
        near(ours(REAL, 3, (2, 6), None, "ortho"), theirs(REAL, 3, (2, 6), None, "ortho"))
        near(dx.jit(lambda x, ours=ours: ours(x, axes=(0, 2)))(REAL), theirs(REAL, axes=(0, 2)))
    x = REAL[0, 0]
    basis = dx.jacrev(dx.scipy.fft.dct)(x)
    near(basis, scipy.fft.dct(np.eye(5), axis=0))
    assert dx.scipy.fft.dct(x.astype(np.float32)).dtype == np.float32


def test_errors_of_cosine_transforms():
    with pytest.raises(NotImplementedError, match="types 2 and 3, got 1"):
        dx.scipy.fft.dct(REAL, 1)
    with pytest.raises(TypeError, match="transforms real numbers"):
        dx.scipy.fft.dct(COMPLEX)
    with pytest.raises(ValueError, match="a size of at least 1"):
        dx.scipy.fft.dct(np.ones(0))
    with pytest.raises(ValueError, match="norm must be one of"):
        dx.scipy.fft.idct(REAL, norm="both")
    with pytest.raises(ValueError, match="s has 1 sizes"):
        dx.scipy.fft.dctn(REAL, s=(2,), axes=(0, 1))


# --------------------------------------------------------------------------------------------------
# Bits

STATES = (
    np.array([7, 5], np.uint64),
    np.array([2**64 - 1, 2**64 - 2], np.uint64),
    np.array([1, 2, 2**32 - 1, 2**32 - 1], np.uint32),
)


@pytest.mark.parametrize("algorithm", dx.lax.RandomAlgorithm)
def test_bits_are_those_of_jax(jax, algorithm):
    theirs = jax.lax.RandomAlgorithm(int(algorithm))
    shapes, dtypes = ((), (5,), (3, 4), (3, 5, 3), (0, 3)), ("uint8", "uint16", "uint32", "uint64")
    for k, (shape, dtype) in enumerate(itertools.product(shapes, dtypes)):
        state = STATES[k % 3]
        expected = jax.lax.rng_bit_generator(state, shape, dtype, theirs)
        found = dx.lax.rng_bit_generator(state, shape, dtype, algorithm)
        for a, b in zip(found, expected):
            near(a, np.asarray(b), 0)


def test_each_row_has_the_bits_of_its_own_state():
    draw = lambda s: dx.lax.rng_bit_generator(s, (3,), np.uint16)
    for dtype, words in ((np.uint64, 2), (np.uint32, 4)):
        states = rng.integers(0, 2**32, (4, words), dtype)
        for k, loop in enumerate(zip(*[draw(s) for s in states])):
            near(dx.vmap(draw)(states)[k], np.stack(loop), 0)
            near(dx.jit(dx.vmap(draw))(states)[k], np.stack(loop), 0)


def test_bits_look_random():
    state, bits = dx.lax.rng_bit_generator(np.array([3, 0], np.uint64), (4000,), np.uint32)
    assert int(state[1]) == 1000
    ones = np.unpackbits(np.asarray(bits).view(np.uint8)).mean()
    assert abs(ones - 0.5) < 5 * 0.5 / math.sqrt(32 * 4000)


def test_errors_of_the_generator():
    state = STATES[0]
    for error, match, call in (
        (
            TypeError,
            r"must be uint64\[2\] or uint32\[4\], got u64\[3\]",
            lambda: dx.lax.rng_bit_generator(np.zeros(3, np.uint64), (2,)),
        ),
        (
            TypeError,
            "an unsigned dtype; got .* float32",
            lambda: dx.lax.rng_bit_generator(state, (2,), np.float32),
        ),
        (
            ValueError,
            "algorithm must be a RandomAlgorithm, got 7",
            lambda: dx.lax.rng_bit_generator(state, (2,), algorithm=7),
        ),
        (
            ValueError,
            "there is no algorithm 'X'",
            lambda: RngBitGenerator((), np.dtype(np.uint32), "X").abstract_eval(typeof(state)),
        ),
    ):
        with pytest.raises(error, match=match):
            call()
