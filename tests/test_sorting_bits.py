"""Sorting hands on what it was given: every bit of zeros, subnormal numbers and nan, in NumPy's
order, eager and compiled.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp
from diffeo import lax

DTYPES = ["float64", "float32", "float16", "bfloat16"]


def odd(dtype, shape, seed=0):
    """Numbers of which several are equal and differ in their bits."""
    dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    word, info = np.dtype(f"u{dtype.itemsize}"), ml_dtypes.finfo(dtype)
    sign = 1 << (8 * dtype.itemsize - 1)
    numbers = np.array([0.0, 1.0, 2.0, np.inf, np.nan, info.tiny], dtype).view(word)
    patterns = [*numbers.tolist(), 1, 2]
    if dtype != ml_dtypes.bfloat16:  # in which XLA has one nan, but for its sign
        patterns.append(int(numbers[4]) | 1)
    patterns += [p | sign for p in patterns]
    chosen = np.random.default_rng(seed).choice(np.array(patterns, word), shape)
    return chosen.view(dtype)


def bits(x):
    x = np.asarray(x)
    if x.dtype.kind == "c":
        return np.stack([bits(x.real), bits(x.imag)])
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind in "fV" else x


def key(x):
    return x.astype(np.float32) if x.dtype.kind == "V" else x


def places(x, axis):
    return np.argsort(key(x), axis, kind="stable")


def both(f, *args):
    return f(*map(dnp.asarray, args)), dx.jit(f)(*args)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, axis", [((17,), 0), ((700,), 0), ((30, 40), 1), ((40, 30), 0)])
def test_sorting_keeps_bits(dtype, shape, axis):
    x = odd(dtype, shape)
    order = places(x, axis)
    want = np.take_along_axis(x, order, axis)
    f = lambda x: (
        dnp.sort(x, axis),
        dnp.argsort(x, axis),
        lax.sort([x, x], axis)[1],
        dnp.partition(x, 3, axis),
        dnp.sort(x, axis, descending=True),
    )
    for got in both(f, x):
        np.testing.assert_array_equal(bits(got[0]), bits(want))
        np.testing.assert_array_equal(got[1], order)
        np.testing.assert_array_equal(bits(got[2]), bits(want))
        np.testing.assert_array_equal(bits(got[3]), bits(want))
        np.testing.assert_array_equal(bits(got[4]), bits(np.flip(want, axis)))


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@pytest.mark.parametrize("n", [20, 5000])
def test_sorting_keeps_bits_of_complex_numbers(dtype, n):
    part = "float64" if dtype == "complex128" else "float32"
    z = np.empty(n, dtype)
    z.real, z.imag = odd(part, n), odd(part, n, 1)
    order = np.argsort(z, kind="stable")
    for got in both(lambda z: (dnp.sort(z), dnp.argsort(z)), z):
        np.testing.assert_array_equal(got[1], order)
        np.testing.assert_array_equal(bits(got[0]), bits(z[order]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_selections_keep_bits(dtype):
    x = odd(dtype, (3, 400))
    down = 399 - places(x[:, ::-1], 1)[:, ::-1]
    for k in (5, 300):
        for values, at in both(lambda x, k=k: lax.top_k(x, k), x):
            np.testing.assert_array_equal(at, down[:, :k])
            np.testing.assert_array_equal(bits(values), bits(np.take_along_axis(x, down, 1)[:, :k]))
    line = x[0]
    ordered = line[places(line, 0)]
    lexed = np.lexsort((key(x[1]), key(line)))
    f = lambda a, v, w: (
        dnp.searchsorted(a, v),
        dnp.searchsorted(a, v, "right", method="compare_all"),
        dnp.lexsort((w, v)),
        dnp.unique(v, size=12, return_counts=True),
        dnp.isin(v, w[:3]),
    )
    for got in both(f, ordered, line, x[1]):
        np.testing.assert_array_equal(got[0], np.searchsorted(key(ordered), key(line)))
        np.testing.assert_array_equal(got[1], np.searchsorted(key(ordered), key(line), "right"))
        np.testing.assert_array_equal(got[2], lexed)
        values, counts = np.unique(key(line), return_counts=True)
        np.testing.assert_array_equal(np.asarray(got[3][0]).astype(values.dtype), values[:12])
        np.testing.assert_array_equal(got[3][1], counts[:12])
        np.testing.assert_array_equal(got[4], np.isin(key(line), key(x[1][:3])))


@pytest.mark.parametrize("method", ["lower", "higher", "nearest"])
def test_quantiles_are_elements(method):
    x = odd("float64", 301)
    x = np.where(np.isnan(x), 1.0, x)
    want = np.sort(x, kind="stable")
    for got in both(lambda x: dnp.quantile(x, np.array([0.2, 0.5, 0.7]), method=method), x):
        np.testing.assert_array_equal(bits(got), bits(want[[60, 150, 210]]))
