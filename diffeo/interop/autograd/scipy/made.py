"""What `diffeo.scipy` does not have, as functions of SciPy's with rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats

from ....scipy import special, stats
from ..extend import defjvp, primitive
from ..machinery.functions import wrapped

_opaque = {
    n: primitive(getattr(scipy.special, n))
    for n in ("j0", "j1", "y0", "y1", "jn", "jv", "yn", "yv", "iv", "ive", "rgamma")
}
_psi = wrapped(scipy.special.psi, special.digamma)
_t_logpdf = wrapped(scipy.stats.t.logpdf, stats.t.logpdf)


def _zeroth(first: Callable) -> Callable:
    return lambda t, ans, x: -t * first(x)


def _first(zeroth: Callable, any_order: Callable) -> Callable:
    return lambda t, ans, x: t * (zeroth(x) - any_order(2, x)) / 2


def _differences(f: Callable, sign: int) -> Callable:
    """Return the rule of a function whose derivative is half the difference, or the sum, of its
    neighbours in order (Abramowitz and Stegun, 9.1.27 and 9.6.26).
    """
    return lambda t, ans, n, x: t * (f(n - 1, x) - sign * f(n + 1, x)) / 2


def _scaled(t: Any, ans: Any, n: Any, x: Any) -> Any:
    """The rule of exp(-|x|) I_n(x)."""
    ive = _opaque["ive"]
    return t * ((ive(n - 1, x) + ive(n + 1, x)) / 2 - np.sign(x) * ans)


for _j in "jy":
    defjvp(_opaque[f"{_j}0"], _zeroth(_opaque[f"{_j}1"]))
    defjvp(_opaque[f"{_j}1"], _first(_opaque[f"{_j}0"], _opaque[f"{_j}n"]))
    for _n in "nv":
        _f = _opaque[f"{_j}{_n}"]
        defjvp(_f, _differences(_f, 1), argnums=[1])
defjvp(_opaque["iv"], _differences(_opaque["iv"], -1), argnums=[1])
defjvp(_opaque["ive"], _scaled, argnums=[1])
defjvp(_opaque["rgamma"], lambda t, ans, x: -t * ans * _psi(x))

#: The functions of `scipy.special`.
SPECIAL: dict[str, Any] = _opaque


# -- Distributions --


def _t_cdf(log: bool) -> Callable:
    """Return the cumulative distribution of Student's t, or its logarithm: by its argument, place
    and scale it has a derivative, by the degrees of freedom none.
    """
    name = "logcdf" if log else "cdf"
    bare = primitive(getattr(scipy.stats.t, name))

    def density(ans: Any, x: Any, df: Any, loc: Any, scale: Any) -> Any:
        return np.exp(_t_logpdf(x, df, loc, scale) - (ans if log else 0.0))

    defjvp(
        bare,
        lambda t, ans, *args: t * density(ans, *args),
        lambda t, ans, *args: -t * density(ans, *args),
        lambda t, ans, x, df, loc, scale: -t * (x - loc) / scale * density(ans, x, df, loc, scale),
        argnums=[0, 2, 3],
    )

    def function(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        return bare(x, df, loc, scale)

    function.__name__ = name
    return function


def _mvn_entropy(mean: Any = None, cov: Any = 1) -> Any:
    """Compute the entropy of a multivariate normal distribution, which depends on `cov` alone."""
    cov = np.atleast_2d(cov)
    return np.linalg.slogdet(2 * np.pi * np.e * cov)[1] / 2


#: The functions of distributions.
STATS: dict[str, dict[str, Any]] = {
    "t": {"cdf": _t_cdf(False), "logcdf": _t_cdf(True)},
    "multivariate_normal": {"entropy": _mvn_entropy},
}
