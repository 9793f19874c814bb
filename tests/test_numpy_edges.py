"""Empty arrays, numbers without axes, and calls that NumPy refuses: as NumPy has them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

EMPTY = [np.zeros(0), np.zeros((0, 3)), np.zeros((2, 0)), np.zeros((3, 0, 2)), np.array(2.0)]
REDUCTIONS = [
    "sum", "prod", "mean", "var", "std", "max", "min", "argmax", "argmin", "all", "any", "median",
    "nanmean", "nanvar", "nanstd", "nansum", "nanmax", "nanmin", "nanprod", "nanmedian", "ptp",
    "count_nonzero", "nanargmax", "nanargmin", "cumsum", "cumprod", "nancumsum", "nancumprod",
    "sort", "argsort", "flip",
]  # fmt: skip
CALLS = [
    "unwrap(x)", "trapezoid(x)", "cov(x)", "corrcoef(x)", "ravel(x)", "ediff1d(x)", "diag(x)",
    "histogram(x)", "histogram(x, 3, (0, 1))", "quantile(x, 0.5)", "percentile(x, [10, 20])",
    "nanquantile(x, 0.5)", "partition(x, 0)", "argpartition(x, 0)",
    "resize(x, (2, 2))", "take(x, [])", "delete(x, [])", "repeat(x, 2)", "interp(x, x, x)",
    "searchsorted(x, 1.0)", "digitize(x, [1.0, 2.0])", "isin(x, x)", "fft.fft(x)", "fft.ifft(x)",
    "fft.rfft(x)", "fft.irfft(x)", "fft.fft(x, 2)", "fft.fft(x, axis=0)", "fft.fft2(x)",
    "convolve(x, x)", "kron(x, x)", "lexsort([x, x])", "gradient(x)", "vander(x)", "unique(x)",
]  # fmt: skip


def outcome(f):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = f()
    except Exception as error:
        return error
    return [np.asarray(v) for v in (out if isinstance(out, (tuple, list)) else [out])]


def same(got, want, what):
    if isinstance(want, Exception):
        assert isinstance(got, Exception), (what, want, got)
        return
    assert not isinstance(got, Exception), (what, want, got)
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape and g.dtype.kind == w.dtype.kind, (what, g, w)
        np.testing.assert_allclose(g, w, rtol=1e-14, err_msg=str(what))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_nothing_and_of_numbers(name):
    for x in EMPTY:
        for axis in ((), (0,), (-1,)):
            want = outcome(lambda x=x, axis=axis: getattr(np, name)(x, *axis))
            ours = lambda x, axis=axis: getattr(dnp, name)(x, *axis)
            same(outcome(lambda x=x, f=ours: f(dnp.asarray(x))), want, (x.shape, axis))
            if not axis or not x.ndim:
                same(outcome(lambda x=x, f=ours: dx.jit(f)(x)), want, (x.shape, axis, "compiled"))


@pytest.mark.parametrize("call", CALLS)
def test_calls_with_nothing(call):
    run = lambda lib, x: eval("lib." + call, {"lib": lib, "x": x})
    for x in EMPTY:
        want = outcome(lambda x=x: run(np, x))
        same(outcome(lambda x=x: run(dnp, dnp.asarray(x))), want, x.shape)
        if not call.startswith("unique"):  # the shape would depend on values
            same(outcome(lambda x=x: dx.jit(lambda x: run(dnp, x))(x)), want, (x.shape, "compiled"))


@pytest.mark.parametrize("shape", [(1,), (2,), (2, 1), (2, 0), (0, 2), (2, 2), ()])
@pytest.mark.parametrize("ddof", [None, 0, 1, 2, 5])
def test_covariances_of_few_observations(shape, ddof):
    m = np.arange(float(np.prod(shape))).reshape(shape) ** 2
    for rowvar in (True, False):
        f = lambda m, rowvar=rowvar: dnp.cov(m, rowvar=rowvar, ddof=ddof)
        with warnings.catch_warnings(record=True) as theirs:
            warnings.simplefilter("always")
            want = np.cov(m, rowvar=rowvar, ddof=ddof)
        with warnings.catch_warnings(record=True) as ours:
            warnings.simplefilter("always")
            got = f(dnp.asarray(m))
        freedom = [any("freedom" in str(w.message).lower() for w in ws) for ws in (theirs, ours)]
        assert freedom[0] == freedom[1] or not got.size
        np.testing.assert_allclose(got, want)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(dx.jit(f)(m), want)


def test_places_among_nothing_but_nan():
    x = np.array([[np.nan, 1.0], [np.nan, np.nan]])
    for f in (dnp.nanargmax, dnp.nanargmin):
        for call in (lambda f: f(x, 1), lambda f: f(x[1]), lambda f: dx.jit(lambda: f(x[1]))()):
            with pytest.raises(ValueError, match="only nan"):
                call(f)
        np.testing.assert_array_equal(f(x[:1], 1), [1])
        np.testing.assert_array_equal(dx.jit(lambda x, f=f: f(x, 1))(x), [1, -1])


#: What NumPy refuses; `v` is a vector of 4, `x` a matrix of 2 by 3, `i` integers.
BAD = """
sum(x, axis=(0, 0))| argmax(x, axis=(0, 1))| sort(v, kind='bogus')| argsort(v, kind='bogus')
sort(v, axis=3)| partition(v, 9)| searchsorted(x, 1.0)| searchsorted(v, 1.0, side='middle')
digitize(v, [3.0, 1.0, 2.0])| bincount([-1, 2])| bincount(x)| bincount([1, 2], weights=[1.0])
bincount([1, 2], minlength=-1)| bincount(v)| histogram(v, 0)| histogram(v, [3.0, 1.0])
histogram(v, 3, (2.0, 1.0))| histogram(v, 3, (0.0, np.inf))| histogram(v, 3, weights=[1.0])
quantile(v, 1.5)| quantile(v, -0.1)| percentile(v, 101)| nanquantile(v, 2)| median(x, axis=4)
quantile(v, 0.5, method='bogus')| cov(np.zeros((2, 2, 2)))| cov(v, i[:2])| cov(v, ddof=1.5)
cov(v, np.zeros((2, 2, 2)))| corrcoef(np.zeros((2, 2, 2)))| vander(x)| vander(v, -1)| diff(v, -1)
diff(np.array(1.0))| piecewise(v, [v > 1], [])| piecewise(v, [v > 1], [1, 2, 3])| packbits(v)
unravel_index(9, (2, 3))| unravel_index(1.5, (2, 3))| unravel_index(1, (2, 3), 'K')
ravel_multi_index((1, 1, 1), (2, 3))| ravel_multi_index((1, 1), (2, 3), mode='bogus')
ravel_multi_index((1.5, 1), (2, 3))| take(v, 9)| take(v, [0], mode='bogus')
choose([0, 5], [v[:2], v[:2]])| choose([0.5], [v[:1]])| choose([0], [v[:1]], mode='bogus')
repeat(v, -1)| resize(v, -1)| broadcast_to(v, (3,))| broadcast_to(v, (-1,))| eye(-1)
geomspace(0.0, 1.0, 5)| geomspace(1.0, 2.0, -1)| linspace(0, 1, -1)| interp(v, v, i[:2])
interp(v, v[:0], v[:0])| trim_zeros(v, 'q')| linalg.multi_dot([x])| hypot(1j, 1.0)| frexp(1j)
"""


@pytest.mark.parametrize("call", [c.strip() for line in BAD.split("\n") for c in line.split("|")
                                  if c.strip()])  # fmt: skip
def test_what_numpy_refuses(call):
    names = {"v": np.arange(4.0), "x": np.arange(6.0).reshape(2, 3), "i": np.arange(4), "np": np}
    assert isinstance(outcome(lambda: eval("np." + call, names)), Exception)
    got = outcome(lambda: eval("lib." + call, {"lib": dnp, **names}))
    assert isinstance(got, (ValueError, TypeError, IndexError)), got
    name = call.split("(")[0].split(".")[-1]
    spoken = {"corrcoef": "cov", "percentile": "quantile", "take": "index"}.get(name, name)
    assert name in str(got) or spoken in str(got) or "fractions" in str(got), got
