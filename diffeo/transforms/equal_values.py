"""Derivatives of functions of a matrix by way of `eigh` and `svd`, where values are equal.

Users write `(v * f(w)) @ v.T`, `u @ vh`, or a projection `v[:, :k] @ v[:, :k].T`. These are smooth
functions of the matrix even where eigenvalues are equal, but eigenvectors are not: there the
derivative of v has a division by 0. So an interpreter that differentiates follows the results of a
decomposition through such expressions. It tags arrays: this one holds values, this one holds
vectors, this one vectors times functions of the values. Where two sets of vectors meet in a
product, the product is computed by another decomposition, in blocks, whose derivatives are right.

The words:

- values are eigenvalues or singular values, `w`; vectors are the columns of v (or u);
- a level is a set of values that are equal, or nearly so. The decomposition in blocks has one block
  for each level (see routines/matrices/levels.py). There, f of a block is computed by the power
  series of f about the mean of the level;
- a tag is a `Values`, `Vectors` or `OnDiagonal`: what an array is to the decomposition.

A sum of values is the trace of a block function. What is not followed has the derivatives of the
decomposition itself. The series has three terms beyond the derivatives that are known to be taken;
so of a function that was compiled before, three further derivatives are right.

Start reading at `follow`, which interpreters call after each primitive, then `_dot`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..primitives.array import known
from ..primitives.constants import full_like
from ..primitives.core import Primitive, Trace, Value, typeof
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
from .installed import installed
from .interpreter import Boxed
from .taylor.series import Series
from .taylor.taylor import Taylor

#: The number of terms of a power series beyond the order of derivatives.
_MORE = 3


@dataclass(frozen=True, eq=False)
class Values:
    """The tag of an array that holds f(w) along `axis`, for the values from `start` to `stop`.

    Along other axes that are not leading (batch) ones, the array repeats. `of(w)` makes the same
    array for another w. `own` says that f is the identity.
    """

    source: Source
    axis: int
    start: int
    stop: int
    own: bool
    of: Callable

    @property
    def place(self) -> tuple:
        """What two tags have in common whose elements belong to each other, one by one."""
        return self.source, self.axis, self.start, self.stop

    def numbers(self, w: Value) -> Any:
        """Return f(w), in the dtype of matrices, without the axes along which it repeats."""
        x = self.of(w)
        # From the last axis on, so that the numbers of the others stay right.
        for axis in reversed(range(self.source.lead, typeof(x).ndim)):
            x = x if axis == self.axis else index_in_dim(x, 0, axis)
        return convert_element_type(x, self.source.dtype)


@dataclass(frozen=True, eq=False)
class Vectors:
    """The tag of an array that holds vectors, times factors.

    There is one vector for each value from `start` to `stop`, along `axis`. `side` says which
    vectors: "v", or "u" and "v" for singular values. `conj` says that they are conjugated. Each
    factor is a function of w. `own` says that there is one factor, and that it is w itself.
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
        """What two tags have in common whose elements belong to each other, as for `Values`."""
        return self.source, self.axis, self.start, self.stop

    def times(self, values: Values, divided: bool = False) -> Vectors:
        """Return the tag of the vectors times values, or divided by values."""
        one = (lambda w: 1.0 / values.numbers(w)) if divided else values.numbers
        own = values.own and not divided and not self.factors
        return replace(self, factors=(*self.factors, one), own=own)


@dataclass(frozen=True, eq=False)
class OnDiagonal:
    """The tag of diagonal matrices that have values on the diagonal."""

    values: Values


class Source:
    """A decomposition of `a` inside an interpreter.

    `known` are its results as the interpreter's primal values. `lead` is the number of leading
    (batch) axes, `count` the number of values. `made` is the decomposition in blocks, once it is
    needed.
    """

    def __init__(self, trace: Trace, primitive: Any, a: Value, known: Sequence[Any]):
        self.trace, self.primitive, self.a, self.known = trace, primitive, a, known
        self.lead, self.dtype = typeof(a).ndim - 2, typeof(a).dtype
        self.count = min(typeof(a).shape[-2:])
        self.made: Any = None

    @property
    def blocks(self) -> Any:
        """The decomposition in blocks, made at its first use."""
        if self.made is None:
            self.made = self.primitive.blocks(self.a, self.known, self.series)
        return self.made

    def order(self) -> int:
        """Return how many derivatives are taken here and in the transformations around."""
        order, trace = 0, self.trace
        while trace is not None:
            order += getattr(trace, "derivatives", 0)
            trace = getattr(trace, "parent", None)
        return order

    def series(self, f: Callable, center: Value) -> list[Any]:
        """Return the Taylor coefficients of f about the numbers `center`, a list of arrays."""
        order, start = self.order() + _MORE, Series([center, full_like(center, 1.0)])
        (expansion,) = Taylor(order).trace_flat(lambda w: [f(w)], [start])
        return [
            full_like(expansion[0], 0) if expansion[k] is ZERO else expansion[k]
            for k in range(order + 1)
        ]


# --------------------------------------------------------------------------------------------------
# Rules: (primitive, operands, their tags, the shape of the result) -> the tag of the result, or an
# array with the right derivatives in its place, or None


def _of_values(
    primitive: Primitive, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag the result of an elementwise function of values.

    Arrays that are no functions of w may take part where the values' axis is the only one. Whether
    the numbers of such an array are equal within levels is seen later.
    """
    first = next(t for t in tags if type(t) is Values)
    if len(shape) == first.source.lead + 2 and _on_diagonal(primitive, args, tags):
        return OnDiagonal(first)
    # Whether the values' axis is the only one besides the leading axes.
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
    """Return a NumPy array or a number if the operand is known; None if not."""
    return x if type(x) in SCALARS else known(x)


def _on_diagonal(primitive: Primitive, args: Sequence[Any], tags: Sequence[Any]) -> bool:
    """Return whether values are put on a diagonal by a known identity matrix.

    That is `w * eye` or `where(eye, w, 0)`.
    """
    constants = [_number(a) for a, t in zip(args, tags) if t is None]
    if isinstance(primitive, Mul) and len(constants) == 1:
        mask = constants[0]
    elif isinstance(primitive, Select) and tags[1] is not None and tags[2] is None:
        mask, zero = constants[0], constants[1]
        if zero is None or np.any(zero):
            return False
    else:
        return False
    mask = np.asarray(0 if mask is None else mask)
    if mask.ndim < 2 or mask.shape[-1] != mask.shape[-2]:
        return False
    return bool(np.all(mask == np.eye(mask.shape[-1])))


def _elementwise(
    primitive: Primitive, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag the result of an elementwise primitive: a function of values, or vectors times values."""
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
    """Return the tag of values or vectors after an operation that moves elements about."""
    if type(tag) is Values:
        return replace(tag, axis=axis, of=lambda w: op.bind(tag.of(w)), **others)
    return replace(tag, axis=axis, **others)


def _transpose(
    primitive: Transpose, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag a transposed array, if the leading axes stay in their order."""
    (tag,), lead = tags, range(_source(tags).lead)
    if type(tag) is OnDiagonal or primitive.permutation[: len(lead)] != tuple(lead):
        return None
    return _moved(tag, primitive.permutation.index(tag.axis), primitive)


def _reshape(
    primitive: Primitive, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag reshaped values, if their axis is still one axis, and all others but the leading ones are
    1.
    """
    (tag,), lead = tags, _source(tags).lead
    old = typeof(args[0]).shape
    if type(tag) is not Values or old[:lead] != tuple(shape[:lead]):
        return None
    count = tag.stop - tag.start
    wide_axes = [i for i in range(lead, len(shape)) if shape[i] != 1]
    # Axes of size 1 cannot be told apart: with one value there is no way to say which axis is its
    # own.
    if count < 2 or len(wide_axes) != 1 or [n for n in old[lead:] if n != 1] != [count]:
        return None
    return _moved(tag, wide_axes[0], primitive)


def _broadcast(
    primitive: BroadcastInDim, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag values that are repeated along other axes."""
    (tag,), lead = tags, _source(tags).lead
    if type(tag) is not Values or tuple(primitive.dims[:lead]) != tuple(range(lead)):
        return None
    # An axis of size 1 that is repeated is not the values' axis any more.
    grown = typeof(args[0]).shape[tag.axis] != shape[primitive.dims[tag.axis]]
    return None if grown else _moved(tag, primitive.dims[tag.axis], primitive)


def _slice(
    primitive: Slice, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag a slice of values or vectors: those from a `start` to a `stop`, as in `v[:, :k]`."""
    (tag,) = tags
    if type(tag) is OnDiagonal or any([n != 1 for n in primitive.strides]):
        return None
    for i, n in enumerate(typeof(args[0]).shape):
        if i != tag.axis and (primitive.starts[i], primitive.limits[i]) != (0, n):
            return None
    start = tag.start + primitive.starts[tag.axis]
    return _moved(tag, tag.axis, primitive, start=start, stop=start + shape[tag.axis])


def _dot(
    primitive: DotGeneral, args: Sequence[Any], tags: Sequence[Any], shape: tuple[int, ...]
) -> Any:
    """Tag a product of vectors and values, or compute a product of vectors with vectors.

    The latter is x f y^H, summed over the values: a smooth function of the matrix. It is computed
    by the decomposition in blocks, and is no tag but the array itself.
    """
    x, y = tags
    lead = tuple(range(_source(tags).lead))
    kinds, contract, batch = {type(x), type(y)}, primitive.contract, primitive.batch_dims
    if kinds == {Vectors, Values} and not lead and contract == ((), ()):  # of an einsum
        if batch != ((x.axis,), (y.axis,)) or len(shape) != 2:
            return None
        vectors, values = (x, y) if type(x) is Vectors else (y, x)
        # The axes of the two arrays may differ: compare everything else.
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
    # x y^T of complex vectors is no smooth function: the vectors' phases do not cancel.
    if typeof(args[0]).dtype.kind == "c" and x.conj == y.conj:
        return None
    # This is the transpose of y f x^H: compute that, and exchange its two last axes.
    if x.conj and not y.conj:
        n = len(lead)
        return Transpose((*lead, n + 1, n)).bind(x.source.blocks.product(y, x))
    return x.source.blocks.product(x, y)


def _sum(primitive: ReduceSum, args: Sequence[Any], tags: Sequence[Any], shape: Any) -> Any:
    """Compute a sum of values, whose first derivative needs no levels."""
    (tag,) = tags
    # Whether the sum runs over the values themselves, and nothing else.
    one = type(tag) is Values and typeof(args[0]).ndim == tag.source.lead + 1
    if not one or primitive.axes != (tag.axis,) or tag.source.order() < 2:
        return None
    total = tag.source.blocks.total(tag)
    out = real.bind(total) if typeof(total).dtype.kind == "c" else total
    return convert_element_type(out, typeof(args[0]).dtype)


def _source(tags: Sequence[Any]) -> Source:
    """Return the decomposition that the first tag belongs to."""
    tag = next(t for t in tags if t is not None)
    return tag.values.source if type(tag) is OnDiagonal else tag.source


_RULES = {Transpose: _transpose, Reshape: _reshape, BroadcastInDim: _broadcast, Slice: _slice,
          DotGeneral: _dot, ReduceSum: _sum}  # fmt: skip
#: Classes that act on each element, besides those whose batching rule is that of `Elementwise`.
_OTHERS = (Elementwise, Select, IntegerPow, ConvertElementType)


def _conjugate(x: Value) -> Any:
    """Return the conjugate of a complex array, and a real array as it is."""
    return conj.bind(x) if typeof(x).dtype.kind == "c" else x


def _begin(trace: Any, primitive: Any, a: Any, outs: Sequence[Any]) -> None:
    """Start to follow the results of a decomposition.

    Nothing is done if its values are known to be apart: then the usual derivatives are right.
    """
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


def follow(trace: Any, primitive: Primitive, args: Sequence[Any], out: Any) -> Any:
    """Return the result of a primitive in an interpreter, with the derivatives that it should have.

    `trace` is the interpreter, `args` and `out` are what the user's program sees. The result is
    `out`, perhaps tagged, unless `out` is found to be a smooth function of a matrix. Then the
    result has the value of `out`, and the derivatives of the decomposition in blocks. Interpreters
    call this if they follow anything, or if the primitive is a decomposition.
    """
    if primitive.decomposes:
        _begin(trace, primitive, args[0], out)
        return out
    followed = trace.followed
    # Arrays are followed by their identity; `followed` keeps them alive, so that ids are not used
    # again.
    tags = [followed[id(a)][1] if id(a) in followed else None for a in args]
    if not any(tags) or type(out) is not Boxed or out.owner is not trace:
        return out
    rule = _RULES.get(type(primitive))
    if rule is None:
        if type(primitive).batch is not Elementwise.batch and not isinstance(primitive, _OTHERS):
            return out
        rule = _elementwise
    # The rules compute with the interpreter's values, so what they bind has derivatives.
    with installed(trace):
        tag = rule(primitive, args, tags, out.shape)
    if isinstance(tag, (Values, Vectors, OnDiagonal)):
        followed[id(out)] = out, tag
    elif tag is not None:
        return trace.with_derivatives(out, tag)
    return out


class SmoothTaylor(Taylor):
    """Taylor mode that follows functions of matrices where values are equal."""

    followed: Any = None

    @property
    def derivatives(self) -> int:
        """How many derivatives are taken."""
        return self.order

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        self.followed = None
        return super().trace_flat(fun, values)

    def process(self, primitive: Primitive, args: Sequence[Any]) -> Any:
        out = super().process(primitive, args)
        if (self.followed is not None or primitive.decomposes) and not self.inside_rule:
            return follow(self, primitive, args, out)
        return out

    def with_derivatives(self, out: Any, smooth: Any) -> Any:
        """Return a result with the derivatives of another result of the same value."""
        if type(smooth) is not Boxed or smooth.owner is not self:
            return out
        series, top = smooth.value, smooth.value.top
        return Boxed(self, Series([out.value[0]], lambda k: series[k], top))
