"""Every dtype: conversions agree between NumPy and XLA, limits included; float8 and int4 are kept
and moved, and refuse to be computed with.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives import Array
from diffeo.primitives.types import short_dtype
from tests.samples import SAMPLES as SAMPLES  # filled in the order of its own imports
from tests.samples_elementwise import FLOAT8

dn = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

INT4 = [np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)]
STORAGE = [*FLOAT8, *INT4]
FLOATS = [np.dtype(d) for d in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]
INTEGERS = [np.dtype(f"{sign}int{n}") for n in (8, 16, 32, 64) for sign in ("", "u")]
NUMBERS = np.array(
    [0.0, -0.0, 1.0, -1.5, 0.4375, 3.14159, 448, 449, 464, 465, 480, 500, 57344, 60000, 61440,
     65536, 1e6, 1e-3, 1e-6, math.inf, -math.inf, math.nan])  # fmt: skip
LIMITS = np.array(
    [0.0, -0.5, -1.0, 127.9, 128, 300.5, -129, 65535.9, 1e5, -1e5, 2147483647.0, 2147483648.0,
     4294967295.0, -2147483649.0, 1e12, 9.3e18, -9.3e18, 1.9e19, 1e30, math.inf, -math.inf,
     math.nan])  # fmt: skip


def converted(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """By NumPy; XLA's result has the same bits but for those of nan."""
    convert = lambda v: dx.lax.convert_element_type(v, dtype)
    eager, compiled = (np.asarray(f(Array(x))) for f in (convert, dx.jit(convert)))
    assert eager.dtype == compiled.dtype == dtype
    assert same(eager, compiled), f"{x.dtype} -> {dtype}: {eager} and {compiled}"
    return eager


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal, signs of zeros included; any nan equals any other."""
    a, b = (v.astype(np.float64) if v.dtype.kind == "V" else v for v in (a, b))
    floats = a.dtype.kind == "f"
    signs = not floats or np.array_equal(np.signbit(a)[a == a], np.signbit(b)[b == b])
    return np.array_equal(a, b, equal_nan=floats) and bool(signs)


@pytest.mark.parametrize("dtype", FLOAT8, ids=str)
def test_floats_become_float8(dtype: np.dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate([NUMBERS, rng.normal(size=200) * 10 ** rng.uniform(-4, 4, 200)])
    for source in FLOATS:
        y = x.astype(source)
        assert same(converted(y, dtype), y.astype(dtype))


@pytest.mark.parametrize("dtype", FLOAT8, ids=str)
def test_every_float8_number_becomes_a_float(dtype: np.dtype):
    every = np.arange(256, dtype=np.uint8).view(dtype)
    for target in (*FLOATS, np.dtype(np.bool_), np.dtype(np.int32), np.dtype(np.uint8)):
        out = converted(every, target)
        if target in FLOATS[:2]:
            assert same(out.astype(dtype), every)


def test_overflow_is_nan_or_infinite_as_the_type_has_it():
    big: Any = {str(d): converted(np.array([1e6], np.float32), d).astype(float)[0] for d in FLOAT8}
    assert math.isnan(big["float8_e4m3fn"]), "it has no infinities"
    assert math.isnan(big["float8_e4m3b11fnuz"])
    assert big["float8_e5m2"] == math.inf


@pytest.mark.parametrize("dtype", [*INTEGERS, *INT4], ids=str)
def test_floats_become_integers_towards_zero_and_within_limits(dtype: np.dtype):
    info = ml_dtypes.iinfo(dtype)
    for source in FLOATS:
        y = LIMITS.astype(source)
        found = converted(y, dtype)
        for number, out in zip(y.astype(np.float64), found):
            inside = math.trunc(number) if math.isfinite(number) else 10**30 * np.sign(number)
            expected = 0 if math.isnan(number) else max(min(int(inside), info.max), info.min)
            assert int(out) == expected, f"{number} -> {dtype}: {out}"


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_become_others_modulo_their_width(dtype: np.dtype):
    info = np.iinfo(dtype)
    x = np.array([info.min, info.max, 0, 1, info.max // 3], dtype)
    for target in (*INTEGERS, *FLOATS, np.dtype(np.bool_), np.dtype(np.complex64)):
        assert same(converted(x, target), x.astype(target))


@pytest.mark.parametrize("source", [np.complex64, np.complex128])
def test_complex_numbers_become_real_parts(source: Any):
    z = np.array([1.5 - 2j, -0.0 + 1j, 3j, 0], source)
    for target in (*FLOATS, *INTEGERS[:2]):
        assert same(converted(z, target), z.real.astype(target))
    np.testing.assert_array_equal(converted(z, np.dtype(bool)), [True, True, True, False])


# --------------------------------------------------------------------------------------------------
# Types for storage


def stored(dtype: np.dtype) -> Any:
    return dn.array([0.5, 2.0, 4.0, 1.0, 0.25, 1.0]).astype(dtype)


@pytest.mark.parametrize("dtype", STORAGE, ids=str)
def test_storage_types_are_made_and_shown(dtype: np.dtype):
    x = dn.array([1.0, 2.0], dtype)
    assert x.dtype == dtype
    assert repr(x) == f"Array([1, 2], dtype={dtype})"
    assert str(x.aval) == f"{short_dtype(dtype)}[2]"
    for y in (dn.zeros(3, dtype), dn.ones((2, 2), dtype), dn.full(3, 1, dtype)):
        assert y.dtype == dtype
    assert dx.jit(lambda: dn.ones(3, dtype))().dtype == dtype
    np.testing.assert_array_equal(np.asarray(dn.ones(3, dtype)).astype(float), np.ones(3))


@pytest.mark.parametrize("dtype", STORAGE, ids=str)
def test_storage_types_are_moved(dtype: np.dtype):
    x = stored(dtype)
    plain = np.asarray(x)
    cases = {
        "reshape": (lambda v: v.reshape(2, 3), plain.reshape(2, 3)),
        "transpose": (lambda v: v.reshape(2, 3).T, plain.reshape(2, 3).T),
        "slice": (lambda v: v[1:5:2], plain[1:5:2]),
        "reverse": (lambda v: v[::-1], plain[::-1]),
        "concatenate": (lambda v: dn.concatenate([v, v[:2]]), np.concatenate([plain, plain[:2]])),
        "broadcast": (lambda v: dn.broadcast_to(v, (2, 6)), np.broadcast_to(plain, (2, 6))),
        "gather": (lambda v: v[dn.array([3, 0, 5])], plain[[3, 0, 5]]),
        "select": (lambda v: dn.where(dn.arange(6) > 2, v, v[::-1]),
                   np.where(np.arange(6) > 2, plain, plain[::-1])),
        "identity": (lambda v: v, plain),
        "stop_gradient": (dx.lax.stop_gradient, plain),
        "barrier": (dx.lax.optimization_barrier, plain),
        "set": (lambda v: v.at[1].set(v[0]), plain[[0, 0, 2, 3, 4, 5]]),
    }  # fmt: skip
    for name, (move, expected) in cases.items():
        for how, run in (("eager", move), ("compiled", dx.jit(move))):
            found = np.asarray(run(x))
            assert found.dtype == dtype, f"{name}, {how}"
            assert same(found, expected), f"{name}, {how}: {found}, not {expected}"
    batched = dx.vmap(lambda v: v.reshape(3))(x.reshape(2, 3))
    assert same(np.asarray(batched), plain.reshape(2, 3))


@pytest.mark.parametrize("dtype", FLOAT8, ids=str)
def test_float8_bits_are_bytes(dtype: np.dtype):
    every = np.arange(256, dtype=np.uint8)
    there = lambda v: dx.lax.bitcast_convert_type(v, dtype)
    back = lambda v: dx.lax.bitcast_convert_type(there(v), np.uint8)
    for run in (back, dx.jit(back)):
        np.testing.assert_array_equal(run(Array(every)), every)


@pytest.mark.parametrize("dtype", STORAGE, ids=str)
def test_storage_types_are_not_computed_with(dtype: np.dtype):
    x = stored(dtype)
    computations = [
        lambda v: v + v, lambda v: v * v, lambda v: -v, lambda v: v / v, lambda v: v < v, abs,
        lambda v: v == v, lambda v: v**2, dn.max, dn.argmax, dn.sort, dn.prod, dn.cumsum, dn.sum,
        dx.lax.neg, lambda v: dx.lax.add(v, v), lambda v: dx.lax.mul(v, v), dx.lax.exp,
    ]  # fmt: skip
    if dtype in FLOAT8:  # int4 numbers become floats, as all integers
        computations += [lambda v: v * 2, lambda v: 1 - v, lambda v: 1.0 + v, dn.sin, dn.sqrt]
    for k, compute in enumerate(computations):
        for run in (compute, dx.jit(compute)):
            with pytest.raises(TypeError) as error:
                run(x)
            assert any([w in str(error.value) for w in ("storage", "float8", "i4[", "int4")]), k


@pytest.mark.parametrize("dtype", FLOAT8, ids=str)
def test_storage_types_do_not_mix(dtype: np.dtype):
    x = stored(dtype)
    for other in (dn.ones(6), dn.ones(6, np.float32), dn.ones(6, np.float16)):
        with pytest.raises(TypeError, match=r"no common dtype for .*astype"):
            x + other
    if dtype.name != "float8_e5m2":
        with pytest.raises(TypeError, match="no common dtype"):
            dn.concatenate([x, dn.ones(2, np.dtype(ml_dtypes.float8_e5m2))])


@pytest.mark.parametrize("dtype", [d for d in FLOAT8 if "e8m0" not in str(d)], ids=str)
def test_derivatives_go_through_storage(dtype: np.dtype):
    """The conversion is linear to a derivative; cotangents that meet in the type are added."""

    def loss(x: Any) -> Any:
        small = x.astype(dtype)
        return dn.sum(small.astype(np.float32) * 2.0) + dn.sum(small[::-1].astype(np.float32))

    for gradient in (dx.grad(loss), dx.jit(dx.grad(loss))):
        np.testing.assert_array_equal(gradient(dn.ones(3, np.float32)), np.full(3, 3.0))


def test_the_message_says_what_to_do():
    x = dn.ones(2, np.dtype(ml_dtypes.float8_e4m3fn))
    with pytest.raises(TypeError, match=r"float8_e4m3fn\[2\].*storage.*astype"):
        x * x
