"""How exact narrow types are: every row of the elementwise table and the main reductions, in units
in the last place (ulp) of float64's result, by NumPy and compiled.

Half an ulp is the best possible. What may err by more than `USUAL` is listed with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo.operations import identity, rounding
from diffeo.primitives import Array
from diffeo.primitives.support.table import ELEMENTWISE, is_own
from diffeo.primitives.words import elementwise, powers
from diffeo.primitives.words.elementwise import Elementwise
from diffeo.routines import random_bits
from tests import whole as whole

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

NARROW = [np.dtype(d) for d in (np.float32, np.float16, ml_dtypes.bfloat16)]
#: Results in float16 and bfloat16 are computed in float32 and rounded once, or nearly so.
USUAL = {"float32": 3.0, "float16": 2.1, "bfloat16": 2.1}
#: (row, dtype): the bound, and why it is not the usual one.
EXCEPTIONS = {
    ("expm1", "float32"): (5.0, "XLA's tanh(x/2) (e^x + 1) near 0"),
    ("sinh", "float32"): (8.0, "from expm1"),
    ("tanh", "float32"): (5.0, "XLA's rational function, for which tanh(8) is 1"),
    ("erf", "float32"): (6.0, "XLA's rational function"),
    ("erf_inv", "float32"): (64.0, "XLA's polynomial in log(1 - x**2), rounded before the log"),
    ("expm1", "float16"): (2.5, "XLA's tanh(x/2) (e^x + 1) near 0"),
    ("betaln", "float32"): (math.inf, "of negative numbers: differences of logarithms near poles"),
    ("expi", "float32"): (math.inf, "e^x overflows from 88.7 on, before it is divided by x"),
    ("expi", "bfloat16"): (math.inf, "e^x overflows from 88.7 on, before it is divided by x"),
    **{
        (name, dtype): (math.inf, "near its zeros: the difference of two roundings")
        for name in ("logaddexp", "logaddexp2")
        for dtype in ("float32", "float16", "bfloat16")
    },
    ("continued_gamma_density", "float32"): (250.0, "a power of a large negative number"),
    ("poch", "float32"): (1e4, "near its poles, to which the distance of the sum is rounded"),
    ("sech_squared", "float32"): (9.0, "twice the error of cosh, and three roundings"),
    ("logistic", "float32"): (4.0, "three roundings, that of exp included"),
    ("fma", "float32"): (3.0, "the exact sum overflows on the way"),
    ("fma", "float16"): (math.inf, "as in jax.random: product and sum are rounded one by one"),
    ("fma", "bfloat16"): (math.inf, "as in jax.random: product and sum are rounded one by one"),
}
#: Where functions have poles, kinks or no value.
EDGES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan])
#: Of special functions; those of several operands are exponentials of differences of logarithms.
SPECIAL_BOUND = {"float32": 100.0, "float16": 8.0, "bfloat16": 8.0}


def ulp(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The distance of neighbouring numbers of a dtype at x."""
    info = ml_dtypes.finfo(dtype)
    size = np.maximum(np.abs(x), float(info.smallest_normal))
    return 2.0 ** (np.floor(np.log2(size)) - info.nmant)


def points(dtype: np.dtype, rng: np.random.Generator, count: int = 1000) -> np.ndarray:
    """Numbers of a dtype: in -1 .. 1, in -10 .. 10, in -100 .. 100, and of all magnitudes."""
    near = rng.uniform(-1, 1, count)
    far = math.log10(float(ml_dtypes.finfo(dtype).max)) * 0.99
    wide = 10 ** rng.uniform(-4, far, count) * rng.choice([-1, 1], count)
    return np.concatenate([near, 10 * near, 100 * near, wide]).astype(dtype)


def errors(found: np.ndarray, exact: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """In ulp, where the exact result is a normal number of the dtype, or 0."""
    info = ml_dtypes.finfo(dtype)
    size = np.abs(exact)
    fits = np.isfinite(exact) & (size <= float(info.max))
    fits &= (size >= float(info.smallest_normal)) | (size == 0)
    wrong = np.abs(found.astype(np.float64) - exact) / ulp(np.where(fits, exact, 1.0), dtype)
    return np.where(fits, np.where(np.isnan(wrong), math.inf, wrong), 0.0)


def both(f: Callable, arrays: Any) -> dict[str, Any]:
    """The results of a function of a tree of arrays, by NumPy and compiled."""
    values = dx.tree.map(Array, arrays)
    return {
        how: dx.tree.map(np.asarray, run(values))
        for how, run in (("NumPy", f), ("compiled", dx.jit(f)))
    }


OWN = [r for r in ELEMENTWISE.values() if is_own(r.module)]
ROWS = [r for r in OWN if "f" in r.accepts and r.result is None]
#: Rows of the pages of arithmetic and of elementary functions; the others are special functions.
ELEMENTARY = [
    r
    for page in (elementwise, powers, rounding, identity, random_bits)
    for r in {id(v): v for v in vars(page).values() if any(v is r for r in ROWS)}.values()
]
SPECIAL = [r for r in ROWS if r not in ELEMENTARY]


@pytest.mark.parametrize("row", SPECIAL, ids=repr)
@pytest.mark.sampled(2)
def test_special_functions(row: Elementwise):
    """Within -100 .. 100, in ulp of the result or of 1, whichever is larger: they have zeros near
    which only the absolute error can be small, and tails made by exponentials.
    """
    rng = np.random.default_rng(0)
    operands = [[points(dtype, rng, 500)[:1500] for _ in range(row.arity)] for dtype in NARROW]
    for how, results in both(lambda xss: [row.bind(*xs) for xs in xss], operands).items():
        for dtype, xs, found in zip(NARROW, operands, results):
            exact = np.asarray(row.impl(*[x.astype(np.float64) for x in xs]), np.float64)
            wrong = errors(found, exact, dtype) * ulp(exact, dtype)
            wrong = wrong / ulp(np.maximum(np.abs(exact), 1.0), dtype)
            bound = EXCEPTIONS.get((row.name, dtype.name), (SPECIAL_BOUND[dtype.name],))[0]
            assert_within(bound, how, row, dtype, xs, found, exact, wrong)


@pytest.mark.parametrize("row", ELEMENTARY, ids=repr)
def test_rows_of_the_table(row: Elementwise):
    """And results in narrow types are nan and infinite at special numbers where wide ones are."""
    rng = np.random.default_rng(0)
    grid = np.stack([g.ravel() for g in np.meshgrid(*[EDGES] * row.arity)])
    edges = grid.shape[1]
    operands = [
        [np.concatenate([g.astype(dtype), points(dtype, rng)]) for g in grid] for dtype in NARROW
    ]
    for how, results in both(lambda xss: [row.bind(*xs) for xs in xss], operands).items():
        for dtype, xs, found in zip(NARROW, operands, results):
            exact = np.asarray(row.impl(*[x.astype(np.float64) for x in xs]), np.float64)
            if row.name == "nextafter":  # a function of the dtype itself
                exact = np.asarray(row.impl(*xs), np.float64)
            bound = EXCEPTIONS.get((row.name, dtype.name), (USUAL[dtype.name],))[0]
            assert_within(bound, how, row, dtype, xs, found, exact, errors(found, exact, dtype))
            got, wide = found.astype(np.float64)[:edges], exact[:edges]
            message = f"{row.name} in {dtype}, {how}"
            np.testing.assert_array_equal(np.isnan(got), np.isnan(wide), message)
            np.testing.assert_array_equal(np.isinf(got), np.isinf(wide), message)


def assert_within(
    bound: float, how: str, row: Any, dtype: Any, xs: Any, found: Any, exact: Any, wrong: np.ndarray
) -> None:
    i = int(np.nanargmax(wrong))
    assert wrong[i] <= bound, (
        f"{how}: {row.name} of {[float(x[i]) for x in xs]} in {dtype} is {float(found[i])}, "
        f"exactly {exact[i]}: {wrong[i]:.3g} ulp, more than {bound}"
    )


#: name: (function of an array of 1000 numbers, bound in ulp of the sum of sizes for each dtype)
REDUCTIONS: dict[str, tuple[Callable, dict[str, float]]] = {
    "sum": (dx.numpy.sum, {"float32": 30.0, "float16": 1.0, "bfloat16": 1.0}),
    "mean": (dx.numpy.mean, {"float32": 30.0, "float16": 1.0, "bfloat16": 1.0}),
    "cumsum": (dx.numpy.cumsum, {"float32": 60.0, "float16": 300.0, "bfloat16": 600.0}),
    "dot": (lambda x: dx.numpy.dot(x, x), {"float32": 30.0, "float16": 1.0, "bfloat16": 1.0}),
    "var": (dx.numpy.var, {"float32": 30.0, "float16": 2.0, "bfloat16": 2.0}),
    "std": (dx.numpy.std, {"float32": 30.0, "float16": 2.0, "bfloat16": 2.0}),
    "norm": (dx.numpy.linalg.norm, {"float32": 30.0, "float16": 8.0, "bfloat16": 8.0}),
    "logsumexp": (dx.scipy.special.logsumexp, {"float32": 4.0, "float16": 4.0, "bfloat16": 4.0}),
    "softmax": (dx.nn.softmax, {"float32": 30.0, "float16": 4.0, "bfloat16": 4.0}),
    "max": (dx.numpy.max, {"float32": 0.0, "float16": 0.0, "bfloat16": 0.0}),
    "prod": (lambda x: dx.numpy.prod(x[:40]), {"float32": 30.0, "float16": 8.0, "bfloat16": 8.0}),
}


@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, dtype: np.dtype):
    function, bounds = REDUCTIONS[name]
    x = np.random.default_rng(1).uniform(0.5, 1.5, 1000).astype(dtype)
    exact = np.asarray(function(Array(x.astype(np.float64))), np.float64)
    for how, found in both(function, x).items():
        wrong = float(np.max(np.abs(found.astype(np.float64) - exact) / ulp(exact, dtype)))
        assert wrong <= bounds[dtype.name], f"{how}: {name} in {dtype}: {wrong:.3g} ulp"


def test_exp2_is_exact_for_whole_numbers_and_close_for_all() -> None:
    whole = np.arange(-126.0, 128.0)
    for dtype in (np.float32, np.float64):
        x: Any = whole.astype(dtype)
        for found in both(dx.lax.exp2, x).values():
            np.testing.assert_allclose(found.astype(np.float64), np.exp2(whole), 1.2e-7)
    far = np.linspace(-1000.0, 1000.0, 333)
    for found in both(dx.lax.exp2, far).values():
        np.testing.assert_allclose(found, np.exp2(far), 3e-16)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("name", ["sinh", "cosh", "tanh", "sin", "cos", "tan", "expm1", "log1p"])
def test_small_numbers_keep_their_digits(name: str, dtype: Any):
    """sinh(1e-20) is 1e-20, of complex numbers too (not so in XLA's own)."""
    x = np.array([1e-20, -1e-12, 1e-8, 1e-5], dtype)
    expected = x + 0.0 if name not in ("cosh", "cos") else np.ones_like(x)
    for found in both(getattr(dx.numpy, name), x).values():
        np.testing.assert_allclose(found[:2], expected[:2], 1e-11)
        np.testing.assert_allclose(found, expected, 2e-5)
