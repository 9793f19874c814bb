"""How products may be computed: algorithms, named by the types of the factors and of the sums.

An algorithm is what its name says on every platform. The factors are rounded to a narrower type, or
split into parts of that type. The products of the parts are added up in the type of the sums.
GPUs and TPUs have units for just these products.

`BF16_BF16_F32_X3`, say, splits each float32 factor into two bfloat16 parts, `a = a0 + a1`: a0 is
`a` rounded, a1 is what the rounding left. It adds three products of parts in float32, and leaves
out the smallest one: a0 b1 + a1 b0 + a0 b0.

Users name an algorithm by `DotAlgorithmPreset` or `DotAlgorithm`; `product` computes by it.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import numpy as np

from ...operations.rounding import ReducePrecision
from ...primitives.config import task_settings
from ...primitives.core import Value, typeof, with_user_line
from ...primitives.types import bfloat16, float16, float32, float64, is_float
from ...primitives.words.dot import FULL, Precision, dot_general
from ...primitives.words.structural import convert_element_type
from .precision import precision_of

#: The number of products of parts that are added up -> the number of parts of each factor.
_PARTS = {1: 1, 3: 2, 6: 3, 9: 3}


class DotAlgorithm(NamedTuple):
    """An algorithm of products.

    Attributes:
        lhs_precision_type, rhs_precision_type: The types to which factors are rounded: float16,
            bfloat16, float32 or float64.
        accumulation_type: The dtype of sums, at least as wide.
        lhs_component_count, rhs_component_count: The number of parts of these types in a factor.
        num_primitive_operations: The number of products of parts: 1, 3, 6 or 9.
        allow_imprecise_accumulation: Whether sums may be less exact; of no influence here.
    """

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


class DotAlgorithmPreset(enum.Enum):
    """An algorithm by its name: the types of both factors, then that of the sums.

    X3, X6 and X9 say how many products of parts stand for one product of more digits. ANY_F8 are
    float8 factors of any type; ANY as the type of sums is the dtype that is asked for.
    """

    DEFAULT = 0
    ANY_F8_ANY_F8_F32 = 1
    ANY_F8_ANY_F8_F32_FAST_ACCUM = 2
    ANY_F8_ANY_F8_ANY = 3
    ANY_F8_ANY_F8_ANY_FAST_ACCUM = 4
    F16_F16_F16 = 5
    F16_F16_F32 = 6
    BF16_BF16_BF16 = 7
    BF16_BF16_F32 = 8
    BF16_BF16_F32_X3 = 9
    BF16_BF16_F32_X6 = 10
    BF16_BF16_F32_X9 = 11
    TF32_TF32_F32 = 12
    TF32_TF32_F32_X3 = 13
    F32_F32_F32 = 14
    F64_F64_F64 = 15


class _Plan(NamedTuple):
    """A plan of a product by an algorithm.

    Attributes:
        rounds: The type to which each factor is rounded, or "tf32".
        count: The number of products of parts.
        sums: The dtype of the sums; None for the dtype that is asked for.
        precision: The precision of each product of parts.
    """

    rounds: tuple[Any, Any]
    count: int
    sums: np.dtype | None
    precision: tuple[Precision, Precision] = FULL


#: The types in the names of algorithms.
_TYPES = {"F16": float16, "BF16": bfloat16, "F32": float32, "F64": float64}


def _of_preset(name: str, preset: DotAlgorithmPreset, x: Value, y: Value) -> _Plan:
    """Return the plan of a preset; TypeError if it is for float8 factors, and these are not."""
    words = preset.name.split("_")
    if words[0] == "ANY":
        for factor in (x, y):
            if not factor.dtype.name.startswith("float8"):
                raise with_user_line(
                    TypeError(
                        f"{name}: the algorithm {preset.name} is one of float8 factors, got "
                        f"{x.aval} "
                        f"and {y.aval}"
                    )
                )
        return _Plan((float32, float32), 1, None if words[4] == "ANY" else float32)
    count = int(words[3][1:]) if len(words) > 3 else 1
    if words[0] == "TF32":  # GPUs have units for it, which the compiler takes for this precision
        return _Plan(("tf32", "tf32"), count, float32, (Precision.HIGH, Precision.HIGH))
    return _Plan((_TYPES[words[0]],) * 2, count, _TYPES[words[2]])


def _of_algorithm(name: str, algorithm: DotAlgorithm) -> _Plan:
    """Return the plan of an algorithm; ValueError if its numbers do not go together."""
    left, right, sums = (np.dtype(t) for t in algorithm[:3])
    count, parts = algorithm.num_primitive_operations, algorithm[3:5]
    known = set(_TYPES.values())
    wide = sums in known and all(
        [t in known and t.itemsize <= sums.itemsize for t in (left, right)]
    )
    if not wide or _PARTS.get(count) != parts[0] or parts[0] != parts[1]:
        raise with_user_line(
            ValueError(
                f"{name}: no platform computes products by {algorithm}; expected factors of "
                "float16, "
                "bfloat16, float32 or float64, sums at least as wide, and 1, 2, 3 or 3 "
                "components for "
                "1, 3, 6 or 9 operations"
            )
        )
    return _Plan((left, right), count, sums)


def how(name: str, precision: Any) -> Any:
    """Return what a product's `precision` asks for: a pair of precisions, or an algorithm.

    Raises:
        ValueError: for anything that names neither.
    """
    if precision is None:
        precision = task_settings().default_matmul_precision
    if isinstance(precision, str) and precision in DotAlgorithmPreset.__members__:
        precision = DotAlgorithmPreset[precision]
    if isinstance(precision, (DotAlgorithm, DotAlgorithmPreset)):
        return FULL if precision is DotAlgorithmPreset.DEFAULT else precision
    return precision_of(name, precision)


def product(
    name: str, x: Value, y: Value, contract: Any, batch: Any, how: Any, preferred: np.dtype | None
) -> Any:
    """Compute `dot_general` by a pair of precisions, or by an algorithm.

    Args:
        name: The function that the user called, for messages.
        x, y: The factors.
        contract, batch: The axes of `dot_general`.
        how: A pair of precisions, or an algorithm, as `how` returns it.
        preferred: The dtype of the result, or None.

    Raises:
        TypeError: for an algorithm and factors that are no floats.
    """
    if not isinstance(how, (DotAlgorithm, DotAlgorithmPreset)):
        return dot_general(x, y, contract, batch, how, preferred)
    if not (is_float(x.dtype) and is_float(y.dtype)):
        raise with_user_line(
            TypeError(
                f"{name}: an algorithm multiplies floating-point numbers, got {x.aval} and {y.aval}"
            )
        )
    plan = (
        _of_preset(name, how, x, y)
        if isinstance(how, DotAlgorithmPreset)
        else _of_algorithm(name, how)
    )
    out = preferred or (x.dtype if x.dtype == y.dtype else plan.sums or float32)
    sums = plan.sums or out
    pieces = [_parts(v, to, _PARTS[plan.count]) for v, to in zip((x, y), plan.rounds)]
    # Part i of a factor is smaller than part 0 by i roundings. A product of parts i and j counts
    # only if i + j <= last: of two parts each, three products are left, of three parts six. With
    # 9 products, all pairs of three parts count.
    total = None
    last = max(_PARTS[plan.count] - 1, 0) if plan.count != 9 else 4
    for i, j in sorted(
        [(i, j) for i in range(len(pieces[0])) for j in range(len(pieces[1])) if i + j <= last],
        key=sum,
        reverse=True,
    ):  # the smallest products first, so that the sum loses the least
        a, b = pieces[0][i], pieces[1][j]
        if a.dtype != b.dtype:
            a, b = convert_element_type(a, sums), convert_element_type(b, sums)
        term = dot_general(a, b, contract, batch, plan.precision, None if a.dtype == sums else sums)
        total = term if total is None else total + term
    return convert_element_type(total, out)


def _parts(x: Value, to: Any, count: int) -> list[Any]:
    """Split a factor into `count` parts: the factor rounded to `to`, then what that left, rounded.

    "tf32" is float32 with 10 bits behind the point.
    """
    parts, remainder = [], x
    for _ in range(count):
        part = (
            ReducePrecision(8, 10).bind(convert_element_type(remainder, float32))
            if to == "tf32"
            else convert_element_type(remainder, to)
        )
        parts.append(part)
        if len(parts) < count:
            remainder = remainder - convert_element_type(part, typeof(remainder).dtype)
    return parts
