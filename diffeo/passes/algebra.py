"""Rules of the simplifier for elementwise primitives: what holds for every number, to the last bit.

`x + 0.0` is none of them (-0.0 + 0.0 is 0.0), nor is `x * 0` or `x - x` of floats; `x - 0.0` is. Of
complex numbers little holds, as an infinite part makes the other nan. The sign of a nan is nobody's
business.

A rule is a function of the simplifier `s`, a primitive, its operands, and the type of the result
(see `Simplifier`). It returns None if it does not apply; else a variable that the result is, or a
primitive and operands to take instead. Which primitives a rule is for is said by the tables of
facts; `ROWS` and `NUMBERS`, at the end, collect the rules of each primitive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from ..operations.identity import Named, copy, hold, stop_gradient_p
from ..primitives.constants import Full
from ..primitives.core import Primitive
from ..primitives.jaxpr import Literal, Var
from ..primitives.types import SCALARS, ShapedArray, bool_, is_float, kind_of
from ..primitives.words.elementwise import (
    Elementwise,
    Select,
    absolute,
    add,
    complex_,
    conj,
    div,
    eq,
    ge,
    gt,
    imag,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    real,
    scale,
    shift_left,
    shift_right_arithmetic,
    shift_right_logical,
    sub,
)
from ..primitives.words.powers import MOST_FACTORS, IntegerPow, square
from ..primitives.words.slicing import Pad
from ..primitives.words.structural import ConvertElementType


def filled(aval: ShapedArray, value: Any) -> tuple:
    """Return an array of one number, in the form in which a rule returns it."""
    return Full(aval.shape, aval.dtype, value), ()


def same_number(a: Any, b: Any) -> bool:
    """Return whether a known number is `b`, with its sign if it is zero."""
    if type(a) not in SCALARS or a != b:
        return False
    if type(a) is complex or type(b) is complex:
        return repr(complex(a)) == repr(complex(b))
    return bool(a) or math.copysign(1, a) == math.copysign(1, b)


def kind(inputs: Sequence[Any]) -> str:
    """Return the letter of the operands' kind of dtype."""
    return kind_of(next(v for v in reversed(inputs) if type(v) is Var).aval.dtype)


# --------------------------------------------------------------------------------------------------
# Facts about the rows of the table

#: `op(x, number)` is x: the number by primitive and by kind of dtype (f float, i and u integers, b
#: boolean).
NEUTRAL_RIGHT: dict[Any, dict[str, Any]] = {
    add: {"f": -0.0, "i": 0, "u": 0},
    sub: {"f": 0.0, "i": 0, "u": 0},
    mul: {"f": 1, "i": 1, "u": 1, "b": True},
    div: {"f": 1, "i": 1, "u": 1},
    logical_and: {"i": -1, "b": True},
    logical_or: {"i": 0, "u": 0, "b": False},
    logical_xor: {"i": 0, "u": 0, "b": False},
    shift_left: {"i": 0, "u": 0},
    shift_right_logical: {"i": 0, "u": 0},
    shift_right_arithmetic: {"i": 0},
    maximum: {"f": -math.inf, "u": 0, "b": False},
    minimum: {"f": math.inf, "b": True},
}
#: `op(x, y)` is `op(y, x)`.
COMMUTATIVE = {add, mul, logical_and, logical_or, logical_xor, maximum, minimum}
#: `op(x, number)` is that number.
ABSORBING: dict[Any, dict[str, Any]] = {
    mul: {"i": 0, "u": 0, "b": False},
    logical_and: {"i": 0, "u": 0, "b": False},
    logical_or: {"i": -1, "b": True},
}
#: `op(x, x)` is x.
IDEMPOTENT = {logical_and, logical_or, maximum, minimum}
#: `op(x, x)` is this number, for these kinds (of floats only where nan is no exception).
OF_EQUALS: dict[Any, tuple[str, Any]] = {
    sub: ("iu", 0),
    logical_xor: ("iub", 0),
    eq: ("iub", True),
    le: ("iub", True),
    ge: ("iub", True),
    ne: ("iub", False),
    lt: ("iubf", False),
    gt: ("iubf", False),
}
#: `not op(x, y)` is the other; of floats, nan spoils it where order is asked for.
OPPOSITE = {eq: ne, ne: eq, lt: ge, ge: lt, gt: le, le: gt}
#: `op(op(x))` is x.
INVOLUTIONS = {neg, logical_not, conj}
#: Evaluation by NumPy gives the same bits as any other.
EXACT = {
    add, sub, mul, div, scale, square, neg, absolute, eq, ne, lt, le, gt, ge, maximum, minimum,
    logical_and, logical_or, logical_xor, logical_not,
}  # fmt: skip


def neutral(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x + -0.0, x - 0.0, x * 1, x / 1, x & -1 and so on by x."""
    x, y = inputs
    right = NEUTRAL_RIGHT[op].get(kind_of(aval.dtype))
    if right is not None:
        if type(y) is Literal and same_number(y.value, right):
            return x
        if type(x) is Literal and op in COMMUTATIVE and same_number(x.value, right):
            return y
    return None


def absorbing(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x * 0 of integers by 0, x & 0 by 0, x | True by True."""
    number = ABSORBING[op].get(kind_of(aval.dtype))
    if number is not None:
        for v in inputs:
            if type(v) is Literal and v.value == number:
                return filled(aval, number)
    return None


def idempotent(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace max(x, x), min(x, x), x & x and x | x by x."""
    return inputs[0] if inputs[0] is inputs[1] else None


def of_equals(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x - x by 0, x == x by true, x < x by false."""
    x, y = inputs
    if x is y:
        kinds, number = OF_EQUALS[op]
        if kind_of(x.aval.dtype) in kinds:
            return filled(aval, bool(number) if aval.dtype == bool_ else number)
    return None


def involution(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace -(-x), not not x and conj conj x by x."""
    maker = s.makers.get(inputs[0])
    return maker.inputs[0] if maker is not None and maker.primitive is op else None


def opposite(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace not (x == y) by x != y; of integers, not (x < y) by x >= y."""
    maker = s.makers.get(inputs[0])
    if maker is None or type(maker.primitive) is not Elementwise:
        return None
    other = OPPOSITE.get(maker.primitive)
    if other is None or not (other in (eq, ne) or kind(maker.inputs) in "iub"):
        return None
    return other, maker.inputs


def sign_of_sum(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x + -y by x - y, and x - -y by x + y.

    It also notes sums of padded arrays, which `sums.py` looks at in the end.
    """
    x, y = inputs
    maker = s.makers.get(y)
    if maker is not None:
        if maker.primitive is neg:
            return (sub if op is add else add), (x, maker.inputs[0])
        if type(maker.primitive) is Pad:
            s.pads = True
    maker = s.makers.get(x) if op is add else None
    if maker is not None and maker.primitive is neg:
        return sub, (y, maker.inputs[0])
    return None


def sign_of_number(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x * -1 by -x, and -x * 3.0 by x * -3.0."""
    x, y = inputs
    if kind_of(aval.dtype) not in "fi":
        return None
    if op is mul and type(x) is Literal:
        x, y = y, x
    if type(y) is not Literal:
        return None
    if y.value == -1:
        return neg, (x,)
    maker = s.makers.get(x)
    if maker is None or maker.primitive is not neg or type(y.value) is not float:
        return None
    return op, (maker.inputs[0], Literal(-y.value))


def sign_of_product(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace -x * -y by x * y, and -x / -y by x / y."""
    x, y = s.makers.get(inputs[0]), s.makers.get(inputs[1])
    if x is None or y is None or x.primitive is not neg or y.primitive is not neg:
        return None
    return (op, (x.inputs[0], y.inputs[0])) if kind_of(aval.dtype) == "f" else None


def scale_by_number(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace scale(c, y), of derivatives, by c * y for a number that is not zero, and by 0 for
    zero.
    """
    t = s.number(inputs[0])
    if t is None or kind_of(aval.dtype) != "f":
        return None
    return (mul, inputs) if t else filled(aval, 0.0)


def folded(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace an exact operation on numbers by its result."""
    for v in inputs:
        if type(v) is not Literal and v not in s.splats:
            return None
    numbers = [s.number(v) for v in inputs]
    dtype = next(v for v in inputs if type(v) is Var).aval.dtype
    return computed(op, [np.asarray(n).astype(dtype) for n in numbers], aval)


def computed(op: Primitive, arrays: Sequence[np.ndarray], aval: ShapedArray) -> Any:
    """Return what NumPy computes of arrays without axes, as a filled array.

    None if other machines might differ (subnormal numbers, nan) or know it only in other dtypes.
    """
    if any([x.dtype.kind not in "biuf" or x.dtype.itemsize == 2 for x in arrays]):
        return None
    if op is div and arrays[0].dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        out = np.asarray(op.impl(*arrays))
    if out.dtype != aval.dtype or out.dtype.kind not in "biuf" or out.dtype.itemsize == 2:
        return None
    if out.dtype.kind == "f" and (np.isnan(out) or 0 < abs(out) < ml_dtypes.finfo(out.dtype).tiny):
        return None
    return filled(aval, out.item())


# --------------------------------------------------------------------------------------------------
# Rules of single primitives


def of_full(s: Any, op: Full, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Write the number of an array of floats as a float."""
    value = op.value
    if type(value) is int and abs(value) <= 2048 and is_float(op.dtype):
        return filled(aval, float(value))
    return None


def of_select(s: Any, op: Select, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace select(p, x, x) by x, select(True, x, y) by x, select(not p, x, y) by select(p, y,
    x).
    """
    p, x, y = inputs
    if x is y:
        return x
    known = s.number(p)
    a, b = s.number(x), s.number(y)
    # If both are the same number, it does not matter which is chosen.
    if known is None and a is not None and same_number(a, b):
        known = True
    if known is not None:
        chosen, number = (x, a) if known else (y, b)
        return chosen if type(chosen) is Var else filled(aval, number)
    maker = s.makers.get(p)
    if maker is not None and maker.primitive is logical_not:
        return op, (maker.inputs[0], y, x)
    return nested_select(s, op, p, x, y)


def nested_select(s: Any, op: Primitive, p: Var, x: Any, y: Any) -> Any:
    """Replace select(p, select(p, x, _), y) by select(p, x, y), and so on the other side."""
    left, right = s.makers.get(x), s.makers.get(y)
    if left is not None and left.primitive is op and left.inputs[0] is p:
        x = left.inputs[1]
    elif right is not None and right.primitive is op and right.inputs[0] is p:
        y = right.inputs[2]
    else:
        return None
    return (op, (p, x, y)) if type(x) is Var or type(y) is Var else None


def identity(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Drop `copy`, `stop_gradient` and names, which say nothing to the compiler."""
    return inputs[0] if type(inputs[0]) is Var else None


def of_abs(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace abs(-x) and abs(abs(x)) by abs(x); but -x of an unsigned number is another number."""
    maker = s.makers.get(inputs[0])
    if maker is None:
        return None
    if maker.primitive is neg:
        return (op, maker.inputs) if kind(maker.inputs) != "u" else None
    return inputs[0] if maker.primitive is op else None


def part_of_complex(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace real(complex(x, y)) by x, and imag(complex(x, y)) by y."""
    maker = s.makers.get(inputs[0])
    if maker is None or maker.primitive is not complex_:
        return None
    part = maker.inputs[0 if op is real else 1]
    return part if type(part) is Var else filled(aval, part.value)


def complex_of_parts(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace complex(real(z), imag(z)) by z."""
    x, y = (s.makers.get(v) for v in inputs)
    if x is None or y is None or x.primitive is not real or y.primitive is not imag:
        return None
    return x.inputs[0] if x.inputs[0] is y.inputs[0] else None


def of_convert(s: Any, op: ConvertElementType, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Drop a cast to the type that it is; compute that of a number; skip a cast before that loses
    nothing.

    Floats beyond an integer's range become its ends, but integers wrap around.
    """
    x = inputs[0]
    if x.aval.dtype == op.dtype:
        return x
    number = s.number(x)
    if number is not None:
        return computed(op, [np.asarray(number).astype(x.aval.dtype)], aval)
    maker = s.makers.get(x)
    if maker is not None and type(maker.primitive) is ConvertElementType:
        source = maker.inputs[0]
        old, new = source.aval.dtype, op.dtype
        # Integer to float to integer is not integer to integer, unless all numbers fit.
        wraps = kind_of(old) in "iu" and kind_of(new) in "iu" and kind_of(x.aval.dtype) == "f"
        if lossless(old, x.aval.dtype) and not (wraps and not lossless(old, new)):
            return op, (source,)
    return None


@cache
def lossless(narrow: np.dtype, wide: np.dtype) -> bool:
    """Return whether a dtype holds all numbers of another."""
    a, b = kind_of(narrow), kind_of(wide)
    if a == "b":
        return b in "iuf"
    if a in "iu" and b in "iu":
        low, high = ml_dtypes.iinfo(narrow), ml_dtypes.iinfo(wide)
        return high.min <= low.min and low.max <= high.max
    if b != "f":
        return False
    to = ml_dtypes.finfo(wide)
    if a == "f":
        of = ml_dtypes.finfo(narrow)
        fits = of.nmant <= to.nmant and of.maxexp <= to.maxexp and of.minexp >= to.minexp
        # Below the normal numbers, the steps must be as fine too.
        return fits and of.minexp - of.nmant >= to.minexp - to.nmant
    return a in "iu" and ml_dtypes.iinfo(narrow).bits <= to.nmant and to.maxexp > 64


def of_power(s: Any, op: IntegerPow, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace x ** 1 by x; compute the power of a number."""
    if op.n == 1:
        return inputs[0]
    number = s.number(inputs[0])
    if number is None or not 0 <= op.n <= MOST_FACTORS:
        return None
    return computed(op, [np.asarray(number).astype(aval.dtype)], aval)


# --------------------------------------------------------------------------------------------------
# The table: the rules of each row, in the order in which they are tried. Those of `NUMBERS` are
# tried only if a number is among the operands; `ROWS` has the others. `NUMBERS` is one of the
# tables of `ROWS` so that each of its primitives has an entry there, even an empty one.


def _of_rows(*tables: tuple[Any, Any]) -> dict[Any, tuple]:
    """Collect rules by primitive: each pair is a table of primitives, and a rule for all of them.

    A primitive has the rules in the order of the pairs; with `({add, mul}, f), ({mul}, g)`, the
    rules of mul are (f, g).
    """
    rows: dict[Any, tuple] = {}
    for table, rule in tables:
        for row in table:
            rows[row] = (*rows.get(row, ()), rule)
    return rows


NUMBERS = _of_rows(
    ((scale,), scale_by_number),
    (EXACT, folded),
    (NEUTRAL_RIGHT, neutral),
    (ABSORBING, absorbing),
    ((mul, div), sign_of_number),
)
ROWS = _of_rows(
    (NUMBERS, None),
    (IDEMPOTENT, idempotent),
    (OF_EQUALS, of_equals),
    (INVOLUTIONS, involution),
    ((logical_not,), opposite),
    ((add, sub), sign_of_sum),
    ((mul, div), sign_of_product),
    ((absolute,), of_abs),
    ((real, imag), part_of_complex),
    ((complex_,), complex_of_parts),
    ((copy, hold, stop_gradient_p), identity),
)
ROWS = {row: tuple([rule for rule in rules if rule is not None]) for row, rules in ROWS.items()}
NUMBERS = {row: rules + ROWS[row] for row, rules in NUMBERS.items()}
RULES: dict[type, Any] = {
    **{type(row): ROWS for row in ROWS},
    Select: (of_select,),
    Full: (of_full,),
    Named: (identity,),
    ConvertElementType: (of_convert,),
    IntegerPow: (of_power,),
}
