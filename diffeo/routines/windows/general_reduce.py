"""Reductions of several arrays by any associative program of scalars, over axes or windows.

The computation is a program (a `Jaxpr`) that takes two lists of scalars and returns one list. For
the sum of complex numbers that are held as two arrays, the program takes (re1, im1, re2, im2) and
returns (re1 + re2, im1 + im2).

A reduction is lowered to one operation that holds the program as its region. Evaluated and
differentiated, a reduction is a tree of pairwise combinations: in each step every second element is
combined with its neighbour, by the program applied to whole arrays.

Start with `ByProgram`, then `Reduce.decompose`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.builder import LoweringContext
from ...primitives.constants import full
from ...primitives.core import Primitive, typeof
from ...primitives.jaxpr import Jaxpr, Var
from ...primitives.staging import stage
from ...primitives.stand_ins import ZERO, Zero
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, bool_
from ...primitives.words.elementwise import select
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import (
    Shape,
    batch_at_front,
    broadcast_in_dim,
    check_axes,
    drop_axes,
    reshape,
    size_of,
    transpose,
)
from .windows import Window


def walk(jaxpr: Jaxpr, values: Sequence[Any], lift: Callable, rule: Callable) -> list[Any]:
    """Run a program on values of another kind than arrays, and return its results.

    `values` are the inputs, of the other kind. `lift(x)` is the value of a constant x.
    `rule(primitive, values)` is the value of an equation's result; for a primitive with multiple
    results it is the list of their values.
    """
    env: dict[Var, Any] = dict(zip(jaxpr.in_vars, values))
    env.update(zip(jaxpr.const_vars, map(lift, jaxpr.consts)))
    read = lambda v: env[v] if type(v) is Var else lift(v.value)
    for eqn in jaxpr.eqns:
        out = rule(eqn.primitive, [read(v) for v in eqn.inputs])
        env.update(zip(eqn.outs, out if eqn.primitive.multiple_results else [out]))
    return [read(v) for v in jaxpr.outs]


def _paired(method: str, nothing: Zero | None, *size: int) -> Callable:
    """Return a rule for `walk` on pairs of an array and what goes with it.

    `method` is the primitives' method that handles pairs: for "jvp" the other half is a tangent,
    for "batch" it is the position of the batch axis. `nothing` is the other half of an array
    without one. `size` comes first among the method's arguments.
    """

    def rule(primitive: Primitive, pairs: Sequence[tuple[Any, Any]]) -> Any:
        values, others = [v for v, _ in pairs], [o for _, o in pairs]
        several = primitive.multiple_results
        # Where no array has another half, the primitive is simply bound.
        if all([o is nothing for o in others]):
            out = primitive.bind(*values)
            return [(o, nothing) for o in out] if several else (out, nothing)
        out, other = getattr(primitive, method)(*size, values, others)
        return list(zip(out, other)) if several else (out, other)

    return rule


def batched(jaxpr: Jaxpr, size: int, values: Sequence[Any], dims: Sequence[Any]) -> list[Any]:
    """Return the results of a program for a batch of operands, the batch axis first."""
    rule = _paired("batch", None, size)
    outs = walk(jaxpr, list(zip(values, dims)), lambda x: (x, None), rule)
    return [batch_at_front(v, d, size) for v, d in outs]


class Decomposed(Primitive):
    """An operation on several arrays that is evaluated and differentiated as its decomposition."""

    multiple_results = True

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(out) for out in self.decompose(*map(Array, arrays))]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        program = stage(self.decompose, [typeof(p).strong for p in primals], self.name)
        pairs = list(zip(primals, tangents))
        results = walk(program, pairs, lambda x: (x, ZERO), _paired("jvp", ZERO))
        return [o for o, _ in results], [t for _, t in results]


@frozen
class ByProgram(Decomposed):
    """A reduction by `computation`, a program of two lists of scalars, the earlier ones first.

    The operands are arrays of one shape, and then as many scalars, the initial values. Every result
    begins with its initial value. An initial value must be neutral for the computation: 0 for a
    sum.
    """

    computation: Jaxpr

    def check(self, avals: Sequence[ShapedArray]) -> ShapedArray:
        """Return the type of the first operand; TypeError unless operands and computation fit."""
        n, odd = divmod(len(avals), 2)
        xs, inits = avals[:n], list(avals[n:])
        fits = n and not odd and all([x.shape == xs[0].shape for x in xs])
        if not fits or inits != [ShapedArray((), x.dtype) for x in xs]:
            raise TypeError(
                f"{self.name}: expects arrays of one shape and then an initial value for each, a "
                f"scalar of its dtype, got {list(avals)}"
            )
        ins, outs = self.computation.in_avals, self.computation.out_avals
        if ins != inits * 2 or [o.strong for o in outs] != inits:
            raise TypeError(
                f"{self.name}: the computation must take {inits * 2} and return {inits}, got "
                f"{ins} and {outs}"
            )
        primitives = [q.primitive for q in self.computation.eqns]
        if self.computation.consts or any([p.holds_programs or p.calls_python for p in primitives]):
            raise TypeError(
                f"{self.name}: the computation may contain neither arrays from outside, nor "
                f"control flow, nor callbacks, got\n{self.computation}"
            )
        return xs[0]

    def emit(
        self, ctx: LoweringContext, name: str, values: Sequence[Any], attributes: dict
    ) -> list[Any]:
        """Emit the operation `name` with the computation as its region."""
        outs = ctx.outs
        scalars = [v.aval for v in values[len(values) // 2 :]]
        region = ctx.region(scalars * 2, lambda *args: ctx.program(self.computation, args))
        return ctx.emit(name, values, outs, attributes, region)

    def widened(self) -> Primitive:
        """Return the same operation on arrays with one more axis in front."""
        raise NotImplementedError

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        n = len(args) // 2
        if any([d is not None for d in dims[n:]]):
            # The operation has one set of initial values. With one for each row, batch the
            # decomposition.
            avals = [typeof(a).strong for a in args]
            shapes = [a.shape[:d] + a.shape[d + 1 :] if d is not None else a.shape
                      for a, d in zip(avals, dims)]  # fmt: skip
            rows = [ShapedArray(s, a.dtype) for s, a in zip(shapes, avals)]
            return batched(stage(self.decompose, rows), size, args, dims), [0] * n
        xs = [batch_at_front(a, d, size) for a, d in zip(args[:n], dims)]
        return self.widened().bind(*xs, *args[n:]), [0] * n


@frozen
class Reduce(ByProgram):
    """A reduction by a program of the elements of several arrays along `axes`, which disappear."""

    axes: Shape

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        x = self.check(avals)
        check_axes("reduce", self.axes, x.ndim)
        shape = drop_axes(x.shape, self.axes)
        return [ShapedArray(shape, a.dtype) for a in avals[len(avals) // 2 :]]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        if size_of([values[0].aval.shape[a] for a in self.axes]) == 1:
            return ctx.inline(self.decompose, *values)  # XLA would leave the initial value out
        return self.emit(ctx, "reduce", values, {"dimensions": ctx.i64s(self.axes)})

    def widened(self) -> Primitive:
        return Reduce(self.computation, tuple([a + 1 for a in self.axes]))

    def decompose(self, *args: Any) -> list[Any]:
        """Combine neighbours until one element is left, which joins the initial value.

        Five elements a b c d e become ab, cd, e; then abcd, e; then abcde.
        """
        n, shape = len(args) // 2, args[0].shape
        kept = [i for i in range(len(shape)) if i not in self.axes]
        lines = size_of([shape[i] for i in kept])
        count = size_of([shape[i] for i in self.axes])
        # As a matrix: the elements to combine down a column, one column for each result.
        order = (*sorted(self.axes), *kept)
        xs = [reshape(transpose(x, order), (count, lines)) for x in args[:n]]
        while count > 1:
            pairs = count // 2
            combined = self.combine(
                *[[slice_in_dim(x, k, 2 * pairs, 2) for x in xs] for k in (0, 1)]
            )
            single = [slice_in_dim(x, 2 * pairs, count) for x in xs]
            xs = [concatenate(p) for p in zip(combined, single)] if count % 2 else combined
            count -= pairs
        outs = [broadcast_in_dim(init, (1, lines), ()) for init in args[n:]]
        outs = self.combine(outs, xs) if count else outs
        return [reshape(o, [shape[i] for i in kept]) for o in outs]

    def combine(self, left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
        """Apply the computation to each pair of elements of two lists of arrays."""
        shape, size = left[0].shape, left[0].size
        flat = [reshape(x, (size,)) for x in (*left, *right)]
        outs = batched(self.computation, size, flat, [0] * len(flat))
        return [reshape(o, shape) for o in outs]


@frozen
class ReduceWindow(ByProgram):
    """A reduction by a program of the elements of each window of several arrays.

    Outside of the arrays, windows see the initial values.
    """

    window: Window

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        shape = self.window.out_shape("reduce_window", self.check(avals))
        return [ShapedArray(shape, a.dtype) for a in avals[len(avals) // 2 :]]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return self.emit(ctx, "reduce_window", values, self.window.attributes(ctx))

    def widened(self) -> Primitive:
        return ReduceWindow(self.computation, self.window.batched(0))

    def decompose(self, *args: Any) -> list[Any]:
        n = len(args) // 2
        # True where a window sees an element of the array, False in the padding.
        inside = self.window.patches(full(args[0].shape, True, bool_), False)
        patches = [
            select(inside, self.window.patches(x), broadcast_in_dim(init, inside.shape, ()))
            for x, init in zip(args[:n], args[n:])
        ]
        return Reduce(self.computation, (inside.ndim - 1,)).decompose(*patches, *args[n:])
