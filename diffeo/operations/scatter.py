"""Scatters that combine: the product, the least or the largest of the values that meet at a place.

A place is an element of the operand; several updates may have equal indices, and so meet at it.
Derivatives are right in this case, too. The tangent of a product is the sum, over its factors, of
the factor's tangent times all other factors; these are found without division, so zeros do no harm.
The tangent of a least or largest element is the mean of the tangents of the values that attain it,
as in `ReduceMax`.

Start with `ScatterMul`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.constants import zeros_like
from ..primitives.core import Value
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.words.elementwise import mul, select
from ..primitives.words.index_dims import IndexDims
from ..primitives.words.indexing import Scatter, ScatterAdd, ScatterFamily
from ..primitives.words.structural import convert_element_type, expand_dims, iota, reshape
from .cumulative import LinearRecurrence, shifted
from .sort import argsort, take_along_axis


class ScatterMul(ScatterFamily):
    """The operand with its windows multiplied by updates; windows may overlap."""

    ufunc, hlo = np.multiply, "multiply"

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        x, indices, updates = primals
        tx, _, tu = tangents
        out = self.bind(*primals)
        t = ZERO if tx is ZERO else self.bind(tx, indices, updates)
        if tu is not ZERO:
            terms = mul.bind(tu, self._others(x, indices, updates))
            add = ScatterAdd(self.dims, self.unique, self.in_order)
            t = add.bind(zeros_like(x) if t is ZERO else t, indices, terms)
        return out, t

    def transpose(self, ct: Value, x: Any, indices: Value, updates: Value) -> Sequence[Any]:
        assert type(x) is LinearInput
        return self.bind(ct, indices, updates), None, None

    def _others(self, x: Value, indices: Value, updates: Value) -> Any:
        """Return, for each update, the operand's element times the other updates of the same place.

        Sort the updates by place. Updates of one place are then a run of neighbours: multiply up
        those before, and those after each update in its run. Last, bring the products back into the
        order of the updates.
        """
        element = self.read(x, indices, updates, 1)
        if self.unique or not updates.size:
            return element
        dtype = np.int32 if max(x.size, updates.size) < 2**31 else np.int64
        # Read the number of each element from where the updates go; -1 stands for outside.
        numbers = reshape(iota(dtype, (x.size,)), x.shape)
        places = reshape(self.read(numbers, indices, updates, -1), (updates.size,))
        order = argsort([places], 0)
        places, factors = (
            take_along_axis(v, order, 0, "promise_in_bounds")
            for v in (places, reshape(updates, (updates.size,)))
        )
        before, after = (_products_before(places, factors, way) for way in (False, True))
        back = Scatter(IndexDims((), (0,), (0,)), True)
        others = back.bind(factors, expand_dims(order, (1,)), before * after)
        return element * reshape(others, updates.shape)


def _products_before(place: Value, factors: Value, reverse: bool) -> Any:
    """Return for each element the product of the earlier ones in its run of equal places.

    With `reverse` it is the product of the later ones. For places 5, 5, 5, 7 and factors a, b, c, d
    the result is 1, a, ab, 1.
    """
    same = place == shifted(place, 0, reverse, -2)
    # y[i] = back[i] y[i-1] + (1 where a run begins, else 0).
    back = select(same, shifted(factors, 0, reverse), 0.0)
    return LinearRecurrence(0, reverse).bind(back, convert_element_type(~same, factors.dtype))


class ScatterMin(ScatterFamily):
    """The operand with each window replaced by the least of itself and the updates.

    Windows may overlap.
    """

    accepts = "biuf"
    ufunc, hlo = np.minimum, "minimum"

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        x, indices, updates = primals
        tx, _, tu = tangents
        out = self.bind(*primals)
        add = ScatterAdd(self.dims, self.unique, self.in_order)
        hit_x = convert_element_type(x == out, x.dtype)
        hit_u = convert_element_type(updates == self.read(out, indices, updates), x.dtype)
        # How many values attain the result of each place: the mean divides by it.
        share = 1.0 / add.bind(hit_x, indices, hit_u)
        t = zeros_like(x) if tx is ZERO else tx * hit_x
        t = t if tu is ZERO else add.bind(t, indices, tu * hit_u)
        return out, t * share


class ScatterMax(ScatterMin):
    """The operand with each window replaced by the largest of itself and the updates.

    Windows may overlap.
    """

    ufunc, hlo = np.maximum, "maximum"
