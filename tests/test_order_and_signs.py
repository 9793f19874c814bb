"""The order of complex numbers, and signs of numbers that have none: NumPy's, in every mode."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffeo as dx

dn = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

nan, inf = np.nan, np.inf
LINES = [
    np.array(z)
    for z in (
        [1 + 2j, 1 - 1j, 5j, 1 + 2j, -1.0],
        [complex(nan, 1), 1 + 1j, 2.0],
        [1 + 1j, complex(1, nan), 2.0],
        [complex(nan, nan), complex(1, nan), complex(nan, 1)],
        [complex(inf, 1), complex(inf, nan), -inf, complex(-inf, inf), 1j],
        [0j, complex(0, -0.0), complex(-0.0, 0)],
        [3.0 + 0j],
    )
]
LINES += [LINES[0].astype(np.complex64)]
Case = Callable[[Any, Any], Any]
OF_ONE: dict[str, Case] = {
    name: lambda m, z, n=name: getattr(m, n)(z)
    for name in ("max", "min", "argmax", "argmin", "ptp", "sort", "argsort", "median", "nanmax",
                 "nanmin", "nanmedian", "sort_complex")
}  # fmt: skip
OF_ONE |= {
    "axis": lambda m, z: m.max(m.reshape(z, (1, -1)), axis=0),
    "axes": lambda m, z: m.min(m.stack([z, z[::-1]]), axis=(0, 1), keepdims=True),
    "initial": lambda m, z: m.max(z, initial=1.5 + 1j),
    "where": lambda m, z: m.min(z, initial=9.0, where=m.real(z) > 0),
    "of nothing": lambda m, z: m.max(z[:0], initial=2j),
    "argmax along": lambda m, z: m.argmax(m.stack([z, z[::-1]]), axis=1),
    "clip": lambda m, z: m.clip(z, 0.5, 1 + 1j),
    "less than a number": lambda m, z: z < 1.0,
    "number at most": lambda m, z: m.less_equal(1 + 1j, z),
    "maximum of a number": lambda m, z: m.maximum(z, 1.0),
    "reduce": lambda m, z: np.maximum.reduce(z),
}
OF_TWO: dict[str, Case] = {
    name: lambda m, z, w, n=name: getattr(m, n)(z, w)
    for name in ("maximum", "minimum", "fmax", "fmin", "less", "less_equal", "greater",
                 "greater_equal", "equal", "not_equal", "isin")
}  # fmt: skip
OF_TWO |= {f.__name__: lambda m, z, w, f=f: f(z, w)
           for f in (operator.lt, operator.le, operator.gt, operator.ge)}  # fmt: skip


def agree(found: Any, expected: Any, what: str) -> None:
    a, b = np.asarray(found), np.asarray(expected)
    assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{what}: {a!r}, not {b!r}"
    np.testing.assert_allclose(a, b, 1e-6 if a.dtype.kind in "fc" else 0, err_msg=what)


def of_each(cases: dict[str, Case], operands: list[tuple]) -> None:
    for args in operands:
        # NumPy divides by 1 at the end, which makes infinite complex numbers nan.
        sound = {k: f for k, f in cases.items() if "median" not in k or not np.isinf(args[0]).any()}
        expected = {name: f(np, *args) for name, f in sound.items()}
        everything = lambda *v, fs=sound: {name: f(dn, *v) for name, f in fs.items()}
        for run in (everything, dx.jit(everything)):
            found = run(*map(dn.asarray, args))
            for name, out in found.items():
                agree(out, expected[name], f"{name} of {args}")


def test_orders_of_complex_numbers():
    of_each(OF_ONE, [(z,) for z in LINES])


def test_comparisons_of_complex_numbers():
    of_each(OF_TWO, [(z, w) for z in LINES for w in (z[::-1].copy(), z * 0 + 1)])


@pytest.mark.parametrize("side", ["left", "right"])
def test_places_in_a_sorted_vector(side: Any):
    v = np.array([1.0, 1 + 2j, nan, 0, 5, complex(1, nan)])
    for z in LINES:
        a = np.sort(z)
        find = lambda a, v: dn.searchsorted(a, v, side=side)
        for run in (find, dx.jit(find)):
            agree(run(dn.asarray(a), v.astype(a.dtype)), np.searchsorted(a, v, side), f"{a}")


def test_mapped():
    z = np.stack([LINES[0], LINES[0][::-1]])
    for name in ("max", "argmin"):
        f = getattr(dn, name)
        expected = getattr(np, name)(z, axis=1)
        for run in (dx.vmap(f), dx.jit(dx.vmap(f))):
            agree(run(z), expected, name)


def test_derivatives_go_to_the_chosen():
    z, w = np.array([1 + 2j, 3 + 1j]), np.array([1 + 1j, 4.0])
    size = lambda v: dn.sum(dn.real(v) ** 2 + dn.imag(v) ** 2)
    for run in (lambda f: f, dx.jit):
        by_z, by_w = run(dx.grad(lambda a, b: size(dn.maximum(a, b)), argnums=(0, 1)))(z, w)
        np.testing.assert_allclose(by_z, [2 - 4j, 0])
        np.testing.assert_allclose(by_w, [0, 8])
        np.testing.assert_allclose(run(dx.grad(lambda a: size(dn.max(a))))(z), [0, 6 - 2j])
        out, tangent = run(lambda a, t: dx.jvp(dn.min, (a,), (t,)))(z, np.array([1j, 5.0]))
        assert complex(out) == 1 + 2j and complex(tangent) == 1j


def test_quantiles_are_of_real_numbers():
    for f in (dn.quantile, dn.percentile, dn.nanquantile):
        with pytest.raises(TypeError, match="real numbers"):
            f(LINES[0], 0.5)
    with pytest.raises(TypeError):
        np.quantile(LINES[0], 0.5)


# --------------------------------------------------------------------------------------------------
# Functions of one number of every dtype

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float32", "float64", "complex64"]  # fmt: skip
UNARY = [
    "abs", "absolute", "fabs", "negative", "positive", "sign", "invert", "bitwise_not",
    "bitwise_count", "square", "real", "imag", "floor", "ceil", "trunc", "rint", "fix",
    "logical_not", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "deg2rad",
    "rad2deg", "nan_to_num", "isreal", "iscomplex", "cumsum", "cumprod", "sum", "prod", "max",
    "min", "ptp", "argmax", "any", "all", "diff", "ediff1d", "sort", "unwrap",
]  # fmt: skip
CALLS: dict[str, Case] = {name: lambda m, x, n=name: getattr(m, n)(x) for name in UNARY}
CALLS |= {
    "-x": lambda m, x: -x,
    "+x": lambda m, x: +x,
    "~x": lambda m, x: ~x,
    "abs(x)": lambda m, x: abs(x),
    "abs(-x)": lambda m, x: abs(-x),
    "abs of abs": lambda m, x: m.abs(m.abs(x)),
    "sign of negative": lambda m, x: m.sign(-x),
    "x - x": lambda m, x: x - x,
    "x - True": lambda m, x: x - (x == x),
    "copysign": lambda m, x: m.copysign(x, x),
    "heaviside": lambda m, x: m.heaviside(x, x),
    "hypot": lambda m, x: m.hypot(x, x),
}


def attempt(f: Callable[[], Any]) -> Any:
    try:
        return f()
    except TypeError as error:
        return error


@pytest.mark.parametrize("dtype", DTYPES)
def test_unary_functions_of_every_dtype(dtype: str):
    """NumPy's result, with integers of all widths computed in the default dtype; or refused."""
    x = np.array([0, 1, 3, 7]).astype(dtype)
    if dtype[0] in "ifc":
        x = np.concatenate([x, -x[1:]])
    expected = {name: attempt(lambda f=f: f(np, x)) for name, f in CALLS.items()}
    fine = [n for n, out in expected.items() if not isinstance(out, Exception)]
    eager = {n: f(dn, dn.asarray(x)) for n, f in CALLS.items() if n in fine}
    compiled = dx.jit(lambda v: {n: CALLS[n](dn, v) for n in fine})(x)
    for name in fine:
        out = np.asarray(expected[name])
        if out.dtype in (np.float16, np.float32) and dtype[0] in "bui":
            out = np.asarray(CALLS[name](np, x.astype(np.int64)))
        for found in (eager[name], compiled[name]):
            assert found.dtype == out.dtype, f"{name} of {dtype}: {found.dtype}, not {out.dtype}"
            np.testing.assert_allclose(found, out, 1e-6, err_msg=f"{name} of {dtype}")
    for name in set(CALLS) - set(fine):
        for run in (lambda f: f, dx.jit):
            with pytest.raises(TypeError):
                run(lambda v, n=name: CALLS[n](dn, v))(dn.asarray(x))
                raise AssertionError(f"{name} of {dtype} passed, NumPy: {expected[name]}")


def test_logarithms_of_a_complex_zero():
    for name in ("log2", "log10"):
        for run in (getattr(dn, name), dx.jit(getattr(dn, name))):
            out = np.asarray(run(np.array([0j, 8 + 8j])))
            np.testing.assert_allclose(out, getattr(np, name)(np.array([0j, 8 + 8j])), 1e-14)


REAL_ONLY: dict[str, Callable[[Any], Any]] = {
    "digitize": lambda z: dn.digitize(z, np.array([1.0, 2.0])),
    "bins": lambda z: dn.digitize(1.0, z),
    "interp": lambda z: dn.interp(z, np.arange(2.0), np.arange(2.0)),
    "entr": dx.scipy.special.entr,
    "rel_entr": lambda z: dx.scipy.special.rel_entr(z, z),
    "kl_div": lambda z: dx.scipy.special.kl_div(1.0, z),
    **{f.__name__: f for f in (dx.nn.relu, dx.nn.relu6, dx.nn.elu, dx.nn.selu, dx.nn.celu,
                               dx.nn.leaky_relu, dx.nn.hard_tanh, dx.nn.hard_sigmoid,
                               dx.nn.softplus, dx.nn.mish)},
}  # fmt: skip


@pytest.mark.parametrize("name", REAL_ONLY)
def test_an_order_does_not_make_functions_of_real_numbers_complex(name: str):
    for run in (lambda f: f, dx.jit):
        with pytest.raises(TypeError, match="real numbers"):
            run(REAL_ONLY[name])(np.array([1 + 1j, 2.0]))
