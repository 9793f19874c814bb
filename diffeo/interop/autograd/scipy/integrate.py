"""`autograd.scipy.integrate`: `odeint`, differentiated by the adjoint equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate

from .... import numpy as dnp
from ..extend import defvjp_argnums, primitive
from ..machinery.functions import wrapped
from ..machinery.passes import make_vjp
from ..misc.flatten import flatten

odeint = primitive(scipy.integrate.odeint)
_joined = wrapped(np.concatenate, dnp.concatenate)


def _back(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Callable:
    """Return the map from cotangents of a solution to those of the start, times and parameters.

    Between two times the cotangent `a` of the state goes by a' = -(df/dy)^T a, back from the later
    one, and what it gathers on its way, the integral of (df/dp)^T a, is the parameters'
    (Pontryagin's adjoint; Froehlich et al., arXiv:1711.08079, section 2.4.2). The cotangent of a
    time is f^T a there.
    """
    func, _, times, *parameters = args
    point, unflatten = flatten(tuple(parameters[0]) if parameters else ())
    count = ans.shape[1]

    def rate(y: Any, t: Any, p: Any) -> Any:
        return func(y, t, *unflatten(p))

    def augmented(state: Any, t: Any, p: Any) -> Any:
        pull, slope = make_vjp(lambda x: rate(*x), (state[:count], t, p))
        return _joined([np.ravel(c) for c in (slope, *pull(-state[count : 2 * count]))])

    def pull(g: Any) -> list[Any]:
        ct, first, gathered, of_times = g[-1], 0.0, np.zeros(len(point)), []
        for i in range(len(times) - 1, 0, -1):
            moved = np.dot(rate(ans[i], times[i], point), g[i])
            of_times.append(moved)
            first = first - moved
            state = _joined([ans[i], ct, np.reshape(first, (1,)), gathered])
            state = odeint(augmented, state, _pair(times[i], times[i - 1]), (point,), **kwargs)[1]
            ct, first = state[count : 2 * count] + g[i - 1], state[2 * count]
            gathered = state[2 * count + 1 :]
        of_times = _joined([np.reshape(t, (1,)) for t in (*of_times, first)])[::-1]
        found = {1: ct, 2: of_times, 3: unflatten(gathered)}
        return [found[n] for n in argnums]

    return pull


def _pair(a: Any, b: Any) -> Any:
    return _joined([np.reshape(a, (1,)), np.reshape(b, (1,))])


defvjp_argnums(odeint, _back)
