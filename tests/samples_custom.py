"""Samples of functions that have rules of their own, and of the tangents that they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import diffeo as dx
from diffeo.programs.custom_call import CustomCall, CustomTangent
from tests.sampling import Draw, comp, ints, real, sample


def _custom(kind: type, fun: Callable, *operands: Draw, note: str) -> None:
    """A sample of the first equation of a kind in the program of a function."""
    rng = np.random.default_rng(0)
    program = dx.make_jaxpr(fun)(*[draw(rng) for draw in operands])
    eqn = next(e for e in program.eqns if isinstance(e.primitive, kind))
    draws = [
        comp(*v.aval.shape) if v.aval.dtype.kind == "c"
        else real(*v.aval.shape) if v.aval.dtype.kind == "f" else ints(*v.aval.shape)
        for v in eqn.inputs
    ]  # fmt: skip
    sample(eqn.primitive, *draws, note=note)


product = dx.custom_jvp(lambda x, y: dx.numpy.sin(x) * y)
product.defjvps(
    lambda t, out, x, y: dx.numpy.cos(x) * t * y,
    lambda t, out, x, y: dx.numpy.sin(x) * t,
)

power = dx.custom_vjp(lambda x, n: (x**3, n + 1))
power.defvjp(
    lambda x, n: (power(x, n), x),
    lambda x, cts: (3 * x**2 * cts[0], None),
)

solve = dx.custom_rule(lambda a, b: a * b)
solve.transpose(lambda ct, a: ct * a, argnums=1)

_custom(CustomCall, product, real(3), real(3), note="jvp")
_custom(CustomCall, product, comp(2), comp(2), note="jvp complex")
_custom(CustomCall, power, real(3), ints(2), note="vjp")
_custom(CustomCall, solve, real(3), real(3), note="transpose")
_custom(CustomCall, dx.custom_rule(lambda x, y: [x, x * y]), real(2), real(2), note="none")

_custom(
    CustomTangent,
    lambda x, n, t: dx.jvp(lambda x: power(x, n)[0], (x,), (t,))[1],
    real(3), ints(2), real(3), note="of vjp",
)  # fmt: skip
