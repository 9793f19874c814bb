"""Rules for functions of each element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .... import lax
from ....operations import bits, identity, rounding
from ....primitives.array import as_value
from ....primitives.core import Value, typeof
from ....primitives.types import SCALARS, complex_dtype
from ....primitives.words import elementwise as e
from ....primitives.words.powers import IntegerPow, exp2
from ....primitives.words.powers import square as square_row
from ....primitives.words.structural import BitcastConvertType, convert_element_type
from ....routines.special import special as s
from .reader import default_only, refuse, rule, scalar_rule, to_dtype, to_shape

#: jax's primitive -> the row of our table that is the same function.
ROWS = {
    "abs": e.absolute, "acos": e.acos, "acosh": e.acosh, "add": e.add, "add_any": e.add,
    "and": e.logical_and, "asin": e.asin, "asinh": e.asinh, "atan": e.atan, "atan2": e.atan2,
    "atanh": e.atanh, "cbrt": e.cbrt, "ceil": e.ceil, "clz": bits.clz, "complex": e.complex_,
    "cos": e.cos, "cosh": e.cosh, "digamma": s.digamma, "div": e.div, "eq": e.eq, "erf": e.erf,
    "erf_inv": e.erf_inv, "erfc": s.erfc, "exp": e.exp, "exp2": exp2, "expm1": e.expm1,
    "floor": e.floor, "ge": e.ge, "gt": e.gt, "imag": e.imag, "is_finite": e.is_finite,
    "le": e.le, "lgamma": s.lgamma, "log": e.log, "log1p": e.log1p, "logistic": e.logistic,
    "lt": e.lt, "max": e.maximum, "min": e.minimum, "mul": e.mul, "mulhi": bits.mulhi, "ne": e.ne,
    "neg": e.neg, "nextafter": rounding.nextafter, "not": e.logical_not,
    "one_minus_square": e.one_minus_square, "or": e.logical_or,
    "population_count": bits.population_count, "real": e.real, "rem": e.rem, "rsqrt": e.rsqrt,
    "shift_left": e.shift_left, "shift_right_arithmetic": e.shift_right_arithmetic,
    "shift_right_logical": e.shift_right_logical, "sign": e.sign, "sin": e.sin, "sinh": e.sinh,
    "sqrt": e.sqrt, "square": square_row, "sub": e.sub, "tan": e.tan, "tanh": e.tanh,
    "xor": e.logical_xor,
}  # fmt: skip


def _of_row(row: Any) -> Callable[..., Any]:
    """Return the rule of a primitive that is a row of our table."""

    def translate(eqn: Any, *operands: Any) -> Any:
        default_only(eqn, accuracy=None, out_dtype=None)
        shape = eqn.outvars[0].aval.shape
        plain = [type(x) in SCALARS for x in operands]
        if all(plain) or not row.takes_scalars or row.arity == 1:
            operands = tuple(
                [_typed(x, v.aval) if p else x for x, v, p in zip(operands, eqn.invars, plain)]
            )
        return row.bind(*[x if type(x) in SCALARS else to_shape(x, shape) for x in operands])

    return translate


def _typed(x: Any, aval: Any) -> Any:
    """Return a Python scalar as an array of a type of jax's."""
    weak = bool(getattr(aval, "weak_type", False))
    return convert_element_type(as_value(x), np.dtype(aval.dtype), weak)


for _name, _row in ROWS.items():
    scalar_rule(_name)(_of_row(_row))


def _of_function(function: Callable, **chosen: Any) -> Callable[..., Any]:
    """Return the rule of a primitive that is a function of `diffeo.lax`, of arrays of one shape."""

    def translate(eqn: Any, *operands: Any) -> Any:
        shape = eqn.outvars[0].aval.shape
        return function(*[to_shape(x, shape) for x in operands], **chosen)

    return translate


#: jax's primitive -> the function of `diffeo.lax`.
FUNCTIONS = {
    "bessel_i0e": "bessel_i0e", "bessel_i1e": "bessel_i1e", "igamma": "igamma",
    "igammac": "igammac", "igamma_grad_a": "igamma_grad_a", "polygamma": "polygamma",
    "random_gamma_grad": "random_gamma_grad", "regularized_incomplete_beta": "betainc",
    "zeta": "zeta",
}  # fmt: skip
for _name, _function in FUNCTIONS.items():
    rule(_name)(_of_function(getattr(lax, _function)))


@rule("pow")
def _pow(eqn: Any, x: Any, y: Any) -> Any:
    shape = eqn.outvars[0].aval.shape
    x, y = to_shape(x, shape), to_shape(y, shape)
    return e.power.bind(x, to_dtype(y, x.dtype))


@rule("log2")
def _log2(eqn: Any, x: Any) -> Any:
    default_only(eqn, accuracy=None)
    return e.log.bind(x) / math.log(2)


@rule("polynomial")
def _polynomial(eqn: Any, x: Any, *coefficients: Any) -> Any:
    """Horner's rule; the coefficient of the lowest power comes first."""
    shape = eqn.outvars[0].aval.shape
    x, *terms = [to_shape(v, shape) for v in (x, *coefficients)]
    out = terms[-1]
    for term in reversed(terms[:-1]):
        out = e.add.bind(e.mul.bind(out, x), term)
    return out


@rule("integer_pow")
def _integer_pow(eqn: Any, x: Value) -> Any:
    return IntegerPow(int(eqn.params["y"])).bind(x)


@rule("conj")
def _conj(eqn: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return e.conj.bind(x)
    return convert_element_type(x, complex_dtype(x.dtype))


@rule("clamp")
def _clamp(eqn: Any, low: Any, x: Any, high: Any) -> Any:
    return rounding.clamp.bind(to_shape(low, x.shape), x, to_shape(high, x.shape))


@rule("round")
def _round(eqn: Any, x: Any) -> Any:
    to_even = eqn.params["rounding_method"].name == "TO_NEAREST_EVEN"
    return (e.round_even if to_even else rounding.round_away).bind(x)


@rule("reduce_precision")
def _reduce_precision(eqn: Any, x: Any) -> Any:
    chosen = eqn.params["exponent_bits"], eqn.params["mantissa_bits"]
    return rounding.ReducePrecision(*chosen).bind(x)


@rule("copy", "copy_p")
def _copy(eqn: Any, x: Any) -> Any:
    return identity.copy.bind(x)


@rule("convert_element_type")
def _convert(eqn: Any, x: Value) -> Any:
    dtype = np.dtype(eqn.params["new_dtype"])
    return convert_element_type(x, dtype, bool(eqn.params.get("weak_type", False)))


@rule("bitcast_convert_type")
def _bitcast(eqn: Any, x: Any) -> Any:
    dtype = np.dtype(eqn.params["new_dtype"])
    if dtype.itemsize == x.dtype.itemsize:
        return BitcastConvertType(dtype).bind(x)
    return lax.bitcast_convert_type(x, dtype)


@rule("select_n")
def _select_n(eqn: Any, which: Value, *cases: Any) -> Any:
    shape = eqn.outvars[0].aval.shape
    which = to_shape(which, shape)
    if len(cases) == 1:
        return cases[0]
    if which.dtype.kind == "b":
        return e.select(which, cases[1], cases[0])
    out = cases[-1]
    for i in range(len(cases) - 2, -1, -1):
        out = e.select(e.le.bind(which, i), cases[i], out)
    return out


@rule("eq_to", "le_to", "lt_to")
def _in_total_order(eqn: Any, x: Any, y: Any) -> Any:
    """Compare in the order in which -nan < -inf < ... < -0 < 0 < ... < inf < nan."""
    row = ROWS[eqn.primitive.name[:2]]
    shape = eqn.outvars[0].aval.shape
    return row.bind(*[_rank(to_shape(v, shape), eqn) for v in (x, y)])


def _rank(x: Any, eqn: Any) -> Any:
    """Return integers that are in the order of floats: their bits, turned if negative."""
    if x.dtype.kind in "iub":
        return x
    if x.dtype.kind == "c":
        raise refuse(eqn, "of complex numbers has no order")
    whole = np.dtype(f"int{8 * x.dtype.itemsize}")
    word = BitcastConvertType(whole).bind(x)
    flipped = e.logical_xor.bind(word, int(np.iinfo(whole).max))
    return e.select(e.lt.bind(word, 0), flipped, word)


@rule("stop_gradient")
def _stop_gradient(eqn: Any, x: Value) -> Any:
    return identity.stop_gradient(x)


@rule("optimization_barrier")
def _barrier(eqn: Any, *operands: Any) -> Any:
    return list(identity.OptimizationBarrier().bind(*operands))


@rule("name")
def _name_of(eqn: Any, x: Any) -> Any:
    return identity.Named(eqn.params["name"]).bind(x)


def weak_as(x: Any, aval: Any) -> Any:
    """Return a value with the weakness of a type."""
    return (
        x
        if typeof(x).weak_type == aval.weak_type
        else convert_element_type(x, x.dtype, aval.weak_type)
    )
