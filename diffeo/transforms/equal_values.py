"""Functions of a matrix by way of `eigh` and `svd`, where values are equal.

What users write, `(v * f(w)) @ v.T`, `u @ vh`, a projection `v[:, :k] @ v[:, :k].T`, is a smooth
function of the matrix also where eigenvectors are not. An interpreter that differentiates follows
the results of a decomposition through such expressions: values, vectors, vectors times values.
Where two sets of vectors meet in a product, its derivative is that of the smooth decomposition in
blocks (see routines/matrices/levels.py), with f of a block by its power series about the mean of
its level.
A sum of values is the trace of a block function. What is not followed has the derivatives of the
decomposition itself.

The series has three terms beyond the derivatives that are known to be taken: of a function that was
compiled before, three further ones are right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..primitives.constants import full_like
from ..primitives.core import known, state, typeof
from ..primitives.stand_ins import ZERO
from ..primitives.types import SCALARS
from ..primitives.words.dot import DotGeneral
from ..primitives.words.elementwise import (
    Conj,
    Div,
    Elementwise,
    Mul,
    Select,
    conj,
    real,
)
from ..primitives.words.powers import IntegerPow
from ..primitives.words.slicing import Slice, index_in_dim
from ..primitives.words.structural import (
    BroadcastInDim,
    ConvertElementType,
    ReduceSum,
    Reshape,
    Transpose,
    convert_element_type,
)
from .interpreter import Boxed
from .taylor.series import Series
from .taylor.taylor import Taylor

#: How many terms of a power series there are beyond the order of derivatives.
_MORE = 3


@dataclass(frozen=True, eq=False)
class Values:
    """f(w) along `axis`, for the numbers from `start` to `stop`; the same along other axes that are
    not leading ones. `of` makes the array of another w; `own` says that f is the identity.
    """

    source: Source
    axis: int
    start: int
    stop: int
    own: bool
    of: Callable

    @property
    def place(self) -> tuple:
        """What two sets have in common whose elements belong to each other."""
        return self.source, self.axis, self.start, self.stop

    def numbers(self, w: Any) -> Any:
        """f(w) without the axes along which it is the same, in the dtype of matrices."""
        x = self.of(w)
        for axis in reversed(range(self.source.lead, typeof(x).ndim)):
            x = x if axis == self.axis else index_in_dim(x, 0, axis)
        return convert_element_type(x, self.source.dtype)


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors, or conjugated ones, along one of two axes, one for each number from `start` to
    `stop` along `axis`, times factors: functions of w. `own`: one factor, w itself.
    """

    source: Source
    side: str
    axis: int
    conj: bool
    start: int
    stop: int
    factors: tuple[Callable, ...] = ()
    own: bool = False

    @property
    def place(self) -> tuple:
        """As of values."""
        return self.source, self.axis, self.start, self.stop

    def times(self, values: Values, divided: bool = False) -> Vectors:
        """The vectors times values."""
        one = (lambda w: 1.0 / values.numbers(w)) if divided else values.numbers
        own = values.own and not divided and not self.factors
        return replace(self, factors=(*self.factors, one), own=own)


@dataclass(frozen=True, eq=False)
class OnDiagonal:
    """Values as diagonal matrices."""

    values: Values


class Source:
    """A decomposition of `a` inside an interpreter, and the one in blocks, made when needed."""

    def __init__(self, trace: Any, primitive: Any, a: Any, known: Sequence[Any]):
        self.trace, self.primitive, self.a, self.known = trace, primitive, a, known
        self.lead, self.dtype = typeof(a).ndim - 2, typeof(a).dtype
        self.count = min(typeof(a).shape[-2:])
        self.made: Any = None

    @property
    def blocks(self) -> Any:
        """The decomposition in blocks."""
        if self.made is None:
            self.made = self.primitive.blocks(self.a, self.known, self.series)
        return self.made

    def order(self) -> int:
        """How many derivatives are taken here and around."""
        order, trace = 0, self.trace
        while trace is not None:
            order += getattr(trace, "derivatives", 0)
            trace = getattr(trace, "parent", None)
        return order

    def series(self, f: Callable, center: Any) -> list[Any]:
        """Taylor coefficients of f, of each number, about others."""
        order, start = self.order() + _MORE, Series([center, full_like(center, 1.0)])
        (found,) = Taylor(order).trace_flat(lambda w: [f(w)], [start])
        return [full_like(found[0], 0) if found[k] is ZERO else found[k] for k in range(order + 1)]


# --------------------------------------------------------------------------------------------------
# What is followed: (primitive, operands, what they are, the shape of the result) -> what it is


def _of_values(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    """Functions of each value. Arrays that are no functions of w may take part where an axis is
    the only one: whether they are equal within levels is seen later.
    """
    first = next(t for t in tags if type(t) is Values)
    if len(shape) == first.source.lead + 2 and _on_diagonal(primitive, args, tags):
        return OnDiagonal(first)
    flat = len(shape) == first.source.lead + 1
    for a, t in zip(args, tags):
        if t is None and not flat and type(a) not in SCALARS:
            return None
        if t is not None and (type(t) is not Values or t.place != first.place):
            return None
    own = first.own and isinstance(primitive, ConvertElementType)
    of = lambda w: primitive.bind(*[a if t is None else t.of(w) for a, t in zip(args, tags)])
    return replace(first, own=own, of=of)


def _number(x: Any) -> Any:
    """A NumPy array or a number, if it is known."""
    return x if type(x) in SCALARS else known(x)


def _on_diagonal(primitive: Any, args: Sequence[Any], tags: Sequence[Any]) -> bool:
    """Whether values are put into zeros by a known identity matrix."""
    rest = [_number(a) for a, t in zip(args, tags) if t is None]
    if isinstance(primitive, Mul) and len(rest) == 1:
        mask = rest[0]
    elif isinstance(primitive, Select) and tags[1] is not None and tags[2] is None:
        mask, zero = rest[0], rest[1]
        if zero is None or np.any(zero):
            return False
    else:
        return False
    mask = np.asarray(0 if mask is None else mask)
    if mask.ndim < 2 or mask.shape[-1] != mask.shape[-2]:
        return False
    return bool(np.all(mask == np.eye(mask.shape[-1])))


def _elementwise(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    if type(tags[0]) is OnDiagonal:
        return tags[0] if isinstance(primitive, ConvertElementType) else None
    vectors = [t for t in tags if type(t) is Vectors]
    if not vectors:
        return _of_values(primitive, args, tags, shape) if Values in map(type, tags) else None
    x = vectors[0]
    if isinstance(primitive, Conj):
        turned = tuple([lambda w, g=g: _conjugate(g(w)) for g in x.factors])
        return replace(x, conj=not x.conj, factors=turned)
    if isinstance(primitive, (Mul, Div)):
        divided = isinstance(primitive, Div)
        f = tags[1] if tags[0] is x else tags[0]
        if type(f) is Values and f.place == x.place and not (divided and tags[1] is x):
            return x.times(f, divided)
    return None


def _moved(tag: Any, axis: int, op: Any, **others: Any) -> Any:
    """Values or vectors after an operation on the places of elements."""
    if type(tag) is Values:
        return replace(tag, axis=axis, of=lambda w: op.bind(tag.of(w)), **others)
    return replace(tag, axis=axis, **others)


def _transpose(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    (tag,), lead = tags, range(_source(tags).lead)
    if type(tag) is OnDiagonal or primitive.permutation[: len(lead)] != tuple(lead):
        return None
    return _moved(tag, primitive.permutation.index(tag.axis), primitive)


def _reshape(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    (tag,), lead = tags, _source(tags).lead
    old = typeof(args[0]).shape
    if type(tag) is not Values or old[:lead] != tuple(shape[:lead]):
        return None
    count = tag.stop - tag.start
    rest = [i for i in range(lead, len(shape)) if shape[i] != 1]
    if count < 2 or len(rest) != 1 or [n for n in old[lead:] if n != 1] != [count]:
        return None
    return _moved(tag, rest[0], primitive)


def _broadcast(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    (tag,), lead = tags, _source(tags).lead
    if type(tag) is not Values or tuple(primitive.dims[:lead]) != tuple(range(lead)):
        return None
    grown = typeof(args[0]).shape[tag.axis] != shape[primitive.dims[tag.axis]]
    return None if grown else _moved(tag, primitive.dims[tag.axis], primitive)


def _slice(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    (tag,) = tags
    if type(tag) is OnDiagonal or any([n != 1 for n in primitive.strides]):
        return None
    for i, n in enumerate(typeof(args[0]).shape):
        if i != tag.axis and (primitive.starts[i], primitive.limits[i]) != (0, n):
            return None
    start = tag.start + primitive.starts[tag.axis]
    return _moved(tag, tag.axis, primitive, start=start, stop=start + shape[tag.axis])


def _dot(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    x, y = tags
    lead = tuple(range(_source(tags).lead))
    kinds, contract, batch = {type(x), type(y)}, primitive.contract, primitive.batch_dims
    if kinds == {Vectors, Values} and not lead and contract == ((), ()):  # of an einsum
        if batch != ((x.axis,), (y.axis,)) or len(shape) != 2:
            return None
        vectors, values = (x, y) if type(x) is Vectors else (y, x)
        alike = replace(values, axis=vectors.axis).place == vectors.place
        return replace(vectors.times(values), axis=0) if alike else None
    if batch != (lead, lead) or len(shape) != len(lead) + 2 or len(contract[0]) != 1:
        return None
    (i,), (j,) = contract
    if kinds == {Vectors, OnDiagonal}:
        vectors, values, axis = (x, y.values, i) if type(x) is Vectors else (y, x.values, j)
        alike = replace(values, axis=axis).place == vectors.place
        end = len(lead) + (1 if vectors is x else 0)
        return replace(vectors.times(values), axis=end) if alike else None
    if kinds != {Vectors} or (i, j) != (x.axis, y.axis) or x.source is not y.source or (
        (x.start, x.stop) != (y.start, y.stop)
    ):  # fmt: skip
        return None
    if x.stop > x.source.count:  # square ones, with vectors that have no value
        return None
    if typeof(args[0]).dtype.kind == "c" and x.conj == y.conj:
        return None
    if x.conj and not y.conj:
        n = len(lead)
        return Transpose((*lead, n + 1, n)).bind(x.source.blocks.product(y, x))
    return x.source.blocks.product(x, y)


def _sum(primitive: Any, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    """A sum of values, whose first derivative needs no levels."""
    (tag,) = tags
    one = type(tag) is Values and typeof(args[0]).ndim == tag.source.lead + 1
    if not one or primitive.axes != (tag.axis,) or tag.source.order() < 2:
        return None
    found = tag.source.blocks.total(tag)
    out = real.bind(found) if typeof(found).dtype.kind == "c" else found
    return convert_element_type(out, typeof(args[0]).dtype)


def _source(tags: Sequence[Any]) -> Source:
    tag = next(t for t in tags if t is not None)
    return tag.values.source if type(tag) is OnDiagonal else tag.source


_RULES = {Transpose: _transpose, Reshape: _reshape, BroadcastInDim: _broadcast, Slice: _slice,
          DotGeneral: _dot, ReduceSum: _sum}  # fmt: skip
#: Elementwise, besides those that are batched as such.
_OTHERS = (Elementwise, Select, IntegerPow, ConvertElementType)


def _conjugate(x: Any) -> Any:
    return conj.bind(x) if typeof(x).dtype.kind == "c" else x


def _begin(trace: Any, primitive: Any, a: Any, outs: Sequence[Any]) -> None:
    """Follow the results of a decomposition, unless its values are known to be apart."""
    if not all([type(o) is Boxed and o.owner is trace for o in outs]):
        return
    values, vectors = primitive.follow(outs)
    numbers = known(values)
    if numbers is not None and primitive.apart(numbers, typeof(a)):
        return
    source = Source(trace, primitive, a, [trace.decides(o.value) for o in outs])
    followed = trace.followed = trace.followed or {}
    lead, k = source.lead, values.shape[-1]
    followed[id(values)] = values, Values(source, lead, 0, k, True, lambda w: w)
    for i, (side, axis, turned) in vectors.items():
        tag = Vectors(source, side, lead + 2 + axis, turned, 0, outs[i].shape[axis])
        followed[id(outs[i])] = outs[i], tag


def follow(trace: Any, primitive: Any, args: Sequence[Any], out: Any) -> Any:
    """The result of a primitive in an interpreter, with other derivatives where it is a function of
    a matrix. Interpreters call it if they follow anything, or the primitive is a decomposition.
    """
    if primitive.decomposes:
        _begin(trace, primitive, args[0], out)
        return out
    found = trace.followed
    tags = [found[id(a)][1] if id(a) in found else None for a in args]
    if not any(tags) or type(out) is not Boxed or out.owner is not trace:
        return out
    rule = _RULES.get(type(primitive))
    if rule is None:
        if type(primitive).batch is not Elementwise.batch and not isinstance(primitive, _OTHERS):
            return out
        rule = _elementwise
    before, state.trace = state.trace, trace
    try:
        tag = rule(primitive, args, tags, out.shape)
    finally:
        state.trace = before
    if isinstance(tag, (Values, Vectors, OnDiagonal)):
        found[id(out)] = out, tag
    elif tag is not None:
        return trace.with_derivatives(out, tag)
    return out


class SmoothTaylor(Taylor):
    """Taylor mode that follows functions of matrices."""

    followed: Any = None

    @property
    def derivatives(self) -> int:
        """How many derivatives are taken."""
        return self.order

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        self.followed = None
        return super().trace_flat(fun, values)

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        out = super().process(primitive, args)
        if (self.followed is not None or primitive.decomposes) and not self.inside_rule:
            return follow(self, primitive, args, out)
        return out

    def with_derivatives(self, out: Any, smooth: Any) -> Any:
        """A result with the derivatives of another one of the same value."""
        if type(smooth) is not Boxed or smooth.owner is not self:
            return out
        series, top = smooth.value, smooth.value.top
        return Boxed(self, Series([out.value[0]], lambda k: series[k], top))
