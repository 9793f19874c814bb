"""Images in other sizes: beside jax, with derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.ways import slopes

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")

METHODS = ("linear", "cubic", "cubic-pytorch", "lanczos3", "lanczos5", "area")
SHAPES = [(2, 7, 9, 3), (2, 14, 5, 3), (2, 3, 20, 3), (2, 1, 1, 3), (5, 7, 9, 3), (2, 0, 9, 3)]


@needs_jax
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("method", ["nearest", *METHODS])
@pytest.mark.sampled(5)
def test_resize_is_jaxs(method, dtype):
    x = (10 * rng(2, 7, 9, 3)).astype(dtype)
    for shape in SHAPES if dtype == "float64" else SHAPES[1:3]:
        for antialias in (True, False):
            expected = np.asarray(jax.image.resize(x, shape, method, antialias))
            found = dx.image.resize(x, shape, method, antialias)
            close(found, expected, 1e-4 if dtype == "float32" else 1e-9, 1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_compiled_and_in_rows(method):
    x = rng(2, 5, 6)
    f = lambda x: dx.image.resize(x, (3, 11), method)
    close(dx.jit(dx.vmap(f))(x)[1], f(x[1]))
    # Weights of a whole image add up to 1, and a constant image stays so.
    close(f(np.full((5, 6), 2.5)), np.full((3, 11), 2.5))
    close(dx.image.resize(x[0], (5, 6), dx.image.ResizeMethod.from_string(method)), x[0])


@needs_jax
@pytest.mark.parametrize("antialias", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.sampled(2)
def test_scale_and_translate_is_jaxs(method, antialias):
    x, scale, shift = rng(6, 8), np.array([0.71, 1.3]), np.array([0.23, -0.41])
    weights = rng(5, 11, seed=1)

    def total(lib):
        return lambda x, s, t: lib.numpy.sum(
            weights
            * lib.image.scale_and_translate(x, (5, 11), (0, -1), s, t, method, antialias=antialias)
        )

    ours, theirs = total(dx), total(jax)
    close(ours(x, scale, shift), np.asarray(theirs(x, scale, shift)))
    gradients = dx.jit(dx.grad(ours, (0, 1, 2)))(x, scale, shift)
    for a, b in zip(gradients, jax.grad(theirs, (0, 1, 2))(x, scale, shift)):
        close(a, np.asarray(b), 1e-7, 1e-9)


@pytest.mark.parametrize("method", ["linear", "cubic", "lanczos3"])
def test_derivatives(method):
    x = rng(6, 7)
    slopes(lambda x: dx.image.resize(x, (4, 9), method) ** 2, x)
    move = lambda v: dx.image.scale_and_translate(x, (4, 9), (0, 1), v[:2], v[2:], method)
    slopes(move, np.array([0.617, 1.31, 0.13, -0.24]), 1e-4)


def test_bad_input():
    x = dx.numpy.ones((3, 4))
    with pytest.raises(ValueError, match=r"resize: method must be one of 'nearest'.*got 'bilin'"):
        dx.image.resize(x, (2, 2), "bilin")
    with pytest.raises(ValueError, match=r"a size for each axis"):
        dx.image.resize(x, (2, 2, 2), "linear")
    with pytest.raises(ValueError, match=r"no elements to make the shape"):
        dx.image.resize(x[:0], (2, 4), "nearest")
    with pytest.raises(TypeError, match=r"method must be a name"):
        dx.image.resize(x, (2, 4), 3)
    one = dx.numpy.ones(1)
    with pytest.raises(ValueError, match=r"'nearest' has no scale"):
        dx.image.scale_and_translate(x, (3, 4), (0,), one, one, "nearest")
    with pytest.raises(ValueError, match=r"keep their sizes"):
        dx.image.scale_and_translate(x, (3, 5), (0,), one, one, "linear")
    with pytest.raises(ValueError, match=r"as many scales and translations"):
        dx.image.scale_and_translate(x, (3, 4), (0, 1), one, one, "linear")
