"""Scatters that combine: products, least and largest of what meets at a place.

Their derivatives are right where indices are equal: a product's tangent is the sum over its factors
of the factor's tangent times all other factors, found without division, so that zeros do no harm;
a least or largest element's is the mean of the tangents of those that attain it, as in `ReduceMax`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.constants import zeros_like
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

    def transpose(self, ct: Any, x: Any, indices: Any, updates: Any) -> Sequence[Any]:
        assert type(x) is LinearInput
        return self.bind(ct, indices, updates), None, None

    def _others(self, x: Any, indices: Any, updates: Any) -> Any:
        """For each update, the operand's element times the other updates of its place.

        Sort the updates by place, multiply up those before and those after each in its run of equal
        places, and bring the products back.
        """
        here = self.read(x, indices, updates, 1)
        if self.unique or not updates.size:
            return here
        number = np.int32 if max(x.size, updates.size) < 2**31 else np.int64
        board = reshape(iota(number, (x.size,)), x.shape)
        place = reshape(self.read(board, indices, updates, -1), (updates.size,))
        order = argsort([place], 0)
        place, factors = (
            take_along_axis(v, order, 0, "promise_in_bounds")
            for v in (place, reshape(updates, (updates.size,)))
        )
        before, after = (_products_before(place, factors, way) for way in (False, True))
        back = Scatter(IndexDims((), (0,), (0,)), True)
        others = back.bind(factors, expand_dims(order, (1,)), before * after)
        return here * reshape(others, updates.shape)


def _products_before(place: Any, factors: Any, reverse: bool) -> Any:
    """For each element the product of the earlier ones (later ones if `reverse`) in its run of
    equal places.
    """
    same = place == shifted(place, 0, reverse, -2)
    back = select(same, shifted(factors, 0, reverse), 0.0)
    return LinearRecurrence(0, reverse).bind(back, convert_element_type(~same, factors.dtype))


class ScatterMin(ScatterFamily):
    """The operand with its windows replaced by the least of them and the updates; windows may
    overlap.
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
        share = 1.0 / add.bind(hit_x, indices, hit_u)
        t = zeros_like(x) if tx is ZERO else tx * hit_x
        t = t if tu is ZERO else add.bind(t, indices, tu * hit_u)
        return out, t * share


class ScatterMax(ScatterMin):
    """The operand with its windows replaced by the largest of them and the updates; windows may
    overlap.
    """

    ufunc, hlo = np.maximum, "maximum"
