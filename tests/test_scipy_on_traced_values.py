"""SciPy's own functions on traced values: the ufuncs of scipy.special, and what SciPy writes in the
array API (with SCIPY_ARRAY_API=1, in a process of its own).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import diffeo as dx
import diffeo.numpy as dnp

#: Operands of ufuncs that take whole numbers or lie elsewhere.
OPERANDS = {"expn": (2, 0.3), "hyp1f1": (0.4, 1.3, 0.6), "erfinv": (0.3,), "ndtri": (0.3,)}
UFUNCS = [
    name
    for name in dx.scipy.special.__all__
    if isinstance(f := getattr(scipy.special, name, None), np.ufunc)
    and f.nout == 1
    and name not in ("wofz", "loggamma", "spence", "xlog1py")
]


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs_of_scipy(name: str):
    ufunc = getattr(scipy.special, name)
    args = OPERANDS.get(name, (0.3, 1.4, 0.6, 0.2)[: ufunc.nin])
    f = lambda x: ufunc(*args[:-1], x)
    x = np.array([args[-1], args[-1] * 1.1])
    want = f(x)
    assert type(f(dnp.asarray(x))) is np.ndarray
    for got in (dx.vmap(f)(x), dx.jvp(f, (x,), (x,))[0]):
        assert isinstance(got, dx.Array)
        np.testing.assert_allclose(got, want, rtol=1e-9)
    slope = (f(args[-1] + 1e-6) - f(args[-1] - 1e-6)) / 2e-6
    if name != "gammasgn":
        np.testing.assert_allclose(dx.grad(f)(args[-1]), slope, rtol=1e-5, atol=1e-7)


def test_ufuncs_of_scipy_with_keywords_and_under_jit():
    f = lambda x: (
        scipy.special.gammaln(x, dtype=np.float32) + scipy.special.psi(x) + scipy.special.cbrt(x)
    )
    x = np.array([0.3, 1.7])
    got = dx.jit(f)(x)
    np.testing.assert_allclose(got, f(x), rtol=1e-6)
    outer = dx.jit(lambda a: scipy.special.xlogy.outer(a, a))(x)
    np.testing.assert_allclose(outer, scipy.special.xlogy.outer(x, x), rtol=1e-12)


def test_what_is_not_there_is_refused_by_name():
    missing = [n for n in ("pbdv", "tklmbda", "mathieu_a") if n not in dx.scipy.special.__all__]
    for name in missing:
        ufunc = getattr(scipy.special, name)
        with pytest.raises(
            TypeError, match=rf"scipy\.special\.{name} is not supported on a traced value"
        ):
            dx.jit(lambda x, ufunc=ufunc: ufunc(*[x] * ufunc.nin))(0.3)
    with pytest.raises(TypeError, match=r"poch|binom|call theirs"):  # a Python function of SciPy's
        dx.jit(lambda x: scipy.special.comb(x, 2.0))(5.0)
    with pytest.raises(dx.errors.TracerArrayConversionError, match="solve: a real NumPy array"):
        dx.jit(lambda a: scipy.linalg.solve(a, np.ones(2)))(np.eye(2))


#: Run with SCIPY_ARRAY_API=1: SciPy asks arrays for their namespace, and gets dx.numpy.
PROGRAM = """
import numpy as np
import diffeo as dx
from scipy import fft, integrate, signal, special, stats

FUNCTIONS = {
    "gammaln": lambda v: special.gammaln(v),
    "softmax": lambda v: special.softmax(v),
    "zeta": lambda v: special.zeta(v + 2, 1.0),
    "polygamma": lambda v: special.polygamma(1, v),
    "multigammaln": lambda v: special.multigammaln(v + 3, 2),
    "rel_entr": lambda v: special.rel_entr(v, v + 1),
    "chdtr": lambda v: special.chdtr(v, v),
    "skew": lambda v: stats.skew(v),
    "kurtosis": lambda v: stats.kurtosis(v),
    "gmean": lambda v: stats.gmean(v),
    "sem": lambda v: stats.sem(v),
    "ttest_1samp": lambda v: stats.ttest_1samp(v, 0.5).statistic,
    "ttest_rel": lambda v: stats.ttest_rel(v, v**2).pvalue,
    "ttest_ind": lambda v: stats.ttest_ind(v, v**2).statistic,
    "entropy": lambda v: stats.entropy(v),
    "circmean": lambda v: stats.circmean(v),
    "chisquare": lambda v: stats.chisquare(v).pvalue,
    "jarque_bera": lambda v: stats.jarque_bera(v).statistic,
    "differential_entropy": lambda v: stats.differential_entropy(v),
    "kstat": lambda v: stats.kstat(v, 2),
    "combine_pvalues": lambda v: stats.combine_pvalues(v / 5).pvalue,
    "fft": lambda v: abs(fft.fft(v)),
    "trapezoid": lambda v: integrate.trapezoid(v),
    "fftconvolve": lambda v: signal.fftconvolve(v, v),
}
host = np.array([0.3, 1.2, 0.7, 2.2, 0.1])
x = dx.numpy.asarray(host)
step = 1e-6 * np.eye(5)
for number, (name, f) in enumerate(FUNCTIONS.items()):
    want = f(host)
    mapped = dx.vmap(f)(x[None])[0]
    for got in (f(x), mapped, dx.jit(f)(x) if number % 4 == 0 else mapped):
        assert isinstance(got, dx.Array), name
        np.testing.assert_allclose(got, want, rtol=1e-9, err_msg=name)
    loss = lambda v: (f(v) ** 2).sum()
    slope = [(loss(host + e) - loss(host - e)) / 2e-6 for e in step]
    np.testing.assert_allclose(dx.grad(loss)(x), slope, rtol=1e-4, atol=1e-6, err_msg=name)
print("all", len(FUNCTIONS))
"""


def test_scipy_in_the_array_api():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=environment, cwd=Path(__file__).parent.parent,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.startswith("all"), done.stderr
