"""Rows of arrays: which variables of a program are `x[k]` for a static k, and programs written so
that this is seen.

A loop reads and writes rows: weights in one array, and the values of all steps. In a program, a row
is a slice `x[k : k + 1]` and mostly a reshape that drops the axis. `Row` and `Rows` recognise them.
The functions after "Programs rewritten" are used by `reroll.py`, in this order: `constants_shared`,
`pads_joined` and `rows_first` before repeats are looked for, `rows_joined` and `rows_by_argument`
when they are scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.array import Array
from ..primitives.constants import Full
from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Jaxpr, Var
from ..primitives.types import ShapedArray, int32
from ..primitives.words.elementwise import add
from ..primitives.words.indexing import DynamicSlice
from ..primitives.words.slicing import Concatenate, Pad, Slice
from ..primitives.words.structural import Reshape

#: So many rows or summands are worth a second look.
MANY = 4
#: So many elements are compared to find equal constants.
FEW = 16
#: So many rows of one array are worth a dynamic slice.
KERNELS = 8


class Row(NamedTuple):
    """The elements of `array[index]`, perhaps in another shape."""

    array: Var
    index: int


class Rows:
    """Which variables are rows: those that equations take, and those that were stacked.

    Attributes:
        defined: the slices and reshapes of the program, by their results.
        stacked: variables that no equation takes, but which are rows: of an array that was stacked
            for a scan, or of one that a scan returned.
    """

    def __init__(self) -> None:
        self.defined: Mapping[Var, Eqn] = {}
        self.stacked: dict[Var, Row] = {}

    def read(self, eqns: Iterable[Eqn]) -> None:
        """Look at these equations from now on."""
        kinds = (Slice, Reshape)
        self.defined = {eqn.outs[0]: eqn for eqn in eqns if type(eqn.primitive) in kinds}

    def of(self, var: Var) -> Row | None:
        """Return the row that a variable is; None if it is none."""
        while True:
            if var in self.stacked:
                return self.stacked[var]
            eqn = self.defined.get(var)
            if eqn is None:
                return None
            (operand,) = eqn.inputs
            if type(operand) is not Var:
                return None
            if type(eqn.primitive) is Slice:
                index = row_index(eqn)
                return None if index is None else Row(operand, index)
            var = operand

    def series(self, vars: Sequence[Any]) -> tuple[Var, int, int] | None:
        """Return (array, first index, step) of rows that follow each other; None if they do not.

        `x[6], x[4], x[2]` are `(x, 6, -2)`.
        """
        rows = [self.of(v) for v in vars]
        first, second = rows[0], rows[1]
        if first is None or second is None:
            return None
        step = second.index - first.index
        for k, row in enumerate(rows):
            if row is None or row.array is not first.array or row.index != first.index + k * step:
                return None
        return (first.array, first.index, step) if step else None


def row_index(eqn: Eqn) -> int | None:
    """Return k if a slice takes `x[k : k + 1]`; None if it does not."""
    primitive: Any = eqn.primitive
    shape = eqn.inputs[0].aval.shape
    if not shape or eqn.outs[0].aval.shape != (1, *shape[1:]):
        return None
    return primitive.starts[0]


def take_row(array: Var, index: int, out: Var, source: Any) -> list[Eqn]:
    """Return the equations of `out = array[index]`."""
    shape = array.aval.shape
    row = Var(array.aval.strong.update((1, *shape[1:])))
    starts, ones = (index, *[0] * (len(shape) - 1)), (1,) * len(shape)
    primitive = Slice(starts, (index + 1, *shape[1:]), ones)
    return [
        Eqn(primitive, [array], (row,), source),
        Eqn(Reshape(out.aval.shape), [row], (out,), source),
    ]


def concatenated(pieces: Sequence[Var], out: Var, source: Any) -> Eqn:
    """Return the equation of `out`, the pieces one after the other."""
    return Eqn(Concatenate(0), list(pieces), (out,), source)


# --------------------------------------------------------------------------------------------------
# Programs rewritten


def constants_shared(jaxpr: Jaxpr) -> Jaxpr:
    """Return the program with one variable for small constants of the same elements."""
    first: dict[Any, Var] = {}
    same: dict[Any, Var] = {}
    for var, const in zip(jaxpr.const_vars, jaxpr.consts):
        if type(const) is Array and var.aval.size <= FEW and const._np is not None:
            key = var.aval, const._np.tobytes()
            if first.setdefault(key, var) is not var:
                same[var] = first[key]
    return with_equations(jaxpr, [renamed(eqn, same) for eqn in jaxpr.eqns]) if same else jaxpr


def renamed(eqn: Eqn, names: Mapping[Any, Var]) -> Eqn:
    """Return an equation with other names for its operands."""
    if not any([v in names for v in eqn.inputs]):
        return eqn
    return Eqn(eqn.primitive, [names.get(v, v) for v in eqn.inputs], eqn.outs, eqn.source)


def rows_first(jaxpr: Jaxpr) -> Jaxpr:
    """Move the equations that take rows of an array to where the array is made, each of them once.

    What remains between them is then the same block again and again:

        a = w[0]; b = f a; c = w[1]; d = f c        becomes
        a = w[0]; c = w[1]; b = f a; d = f c
    """
    # The equations that take rows, by the array: `roots` says for each row, and each reshape of
    # one, which array it is of. `same` replaces rows that were taken before.
    taken: dict[Var, list[Eqn]] = {}
    roots: dict[Var, Var] = {}
    first: dict[Any, Var] = {}
    same: dict[Any, Var] = {}
    others: list[Eqn] = []
    results = set(jaxpr.outs)
    for eqn in jaxpr.eqns:
        if type(eqn.primitive) not in (Slice, Reshape) or type(eqn.inputs[0]) is not Var:
            others.append(eqn)
            continue
        eqn = renamed(eqn, same)
        (operand,), (out,) = eqn.inputs, eqn.outs
        is_row = type(eqn.primitive) is Slice and row_index(eqn) is not None
        if not is_row and not (type(eqn.primitive) is Reshape and operand in roots):
            others.append(eqn)
            continue
        first_taken = first.setdefault((operand, eqn.primitive), out)
        # A result of the program keeps its own variable.
        if first_taken is not out and out not in results:
            same[out] = first_taken
            continue
        roots[out] = operand if is_row else roots[operand]
        taken.setdefault(roots[out], []).append(eqn)
    if not any([len(eqns) >= MANY for eqns in taken.values()]):
        return jaxpr
    eqns: list[Eqn] = []

    # Put the rows of variables that have just been assigned, and rows of these rows.
    def made(vars: Iterable[Var]) -> None:
        for v in vars:
            for eqn in taken.get(v, ()):
                eqns.append(eqn)
                made(eqn.outs)

    made((*jaxpr.const_vars, *jaxpr.in_vars))
    for eqn in others:
        eqns.append(renamed(eqn, same))
        made(eqn.outs)
    return with_equations(jaxpr, eqns)


def with_equations(jaxpr: Jaxpr, eqns: Sequence[Eqn]) -> Jaxpr:
    """Return the same program with other equations."""
    return Jaxpr(jaxpr.in_vars, eqns, jaxpr.outs, jaxpr.const_vars, jaxpr.consts, jaxpr.name)


def pads_joined(jaxpr: Jaxpr) -> Jaxpr:
    """Write sums of many arrays that are zero but for some rows as a concatenation of these rows.

    Such sums are the gradients of programs that read `x[0]`, `x[1]` and so on. For four rows of one
    element each, `pad(a, 0, 3) + pad(b, 1, 2) + pad(c, 2, 1) + pad(d, 3, 0)`, with the zeros before
    and after, becomes `concatenate(a, b, c, d)`.
    """
    sums = RowSums(jaxpr)
    if len(sums.pads) < MANY:
        return jaxpr
    equations_of = {out: sums.joined(out) for out in sums.roots()}
    if not any(equations_of.values()):
        return jaxpr
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        eqns += (equations_of.get(eqn.outs[0]) if eqn.outs else None) or [eqn]
        for v in eqn.outs:
            eqns += sums.after.get(v, ())
    return with_equations(jaxpr, eqns)


class RowSums:
    """The sums of a program.

    Attributes:
        sums, pads: the equations that add, and those that pad with rows of zeros, by result.
        places: the number of the equation that assigns each variable.
        uses: how often each variable is used, as an operand or as a result of the program.
        inner: sums that are used once, by a sum.
        after: equations to put behind that of a variable.
    """

    def __init__(self, jaxpr: Jaxpr):
        eqns = jaxpr.eqns
        self.sums = {eqn.outs[0]: eqn for eqn in eqns if eqn.primitive is add}
        self.pads = {eqn.outs[0]: eqn for eqn in eqns if padded_rows(eqn) is not None}
        self.places = {v: i for i, eqn in enumerate(eqns) for v in eqn.outs}
        self.uses: dict[Any, int] = {}
        for v in (*[v for eqn in eqns for v in eqn.inputs], *jaxpr.outs):
            self.uses[v] = self.uses.get(v, 0) + 1
        self.inner: set[Any] = set()
        for eqn in self.sums.values():
            self.inner.update([v for v in eqn.inputs if v in self.sums and self.uses[v] == 1])
        self.after: dict[Var, list[Eqn]] = {}

    def roots(self) -> list[Var]:
        """Return the sums that are no summands of sums."""
        return [v for v in self.sums if v not in self.inner]

    def joined(self, out: Var) -> list[Eqn]:
        """Return the equations of a sum if `MANY` different rows are among its summands."""
        rows: dict[tuple[int, int], list[Var]] = {}
        others: list[Any] = []
        parts: list[tuple[int, int, Var]] = []
        for v in self.summands(out):
            pad = self.pads.get(v)
            if pad is None or self.uses[v] > 1 or pad.inputs[0] not in self.places:
                others.append(v)
            else:
                rows.setdefault(padded_rows(pad) or (0, 0), []).append(v)
        # Arrays with the same rows are added up; rows that overlap others stay summands.
        for (first, last), same_rows in sorted(rows.items()):
            if parts and first < parts[-1][1]:
                others += same_rows
            else:
                parts.append((first, last, same_rows[0]))
        if len(parts) < MANY:
            return []
        parts = [(*part[:2], self.added(rows[part[:2]])) for part in parts]
        return concatenation(parts, others, out, self.sums[out].source)

    def summands(self, out: Var) -> list[Any]:
        """Return what is added up to a sum: of `(a + b) + c`, a, b and c."""
        # A stack, of which the last is looked at next: so summands come in the order of the text.
        leaves, todo = [], list(reversed(self.sums[out].inputs))
        while todo:
            v = todo.pop()
            if v in self.inner:
                todo += reversed(self.sums[v].inputs)
            else:
                leaves.append(v)
        return leaves

    def added(self, padded: Sequence[Var]) -> Var:
        """Return the sum of rows before they are padded, each added where it is made."""
        pads = [self.pads[v] for v in padded]
        total, *more = sorted([pad.inputs[0] for pad in pads], key=self.places.__getitem__)
        for v in more:
            after = Var(v.aval.strong)
            self.after.setdefault(v, []).append(Eqn(add, [total, v], (after,), pads[0].source))
            total = after
        return total


def padded_rows(eqn: Eqn) -> tuple[int, int] | None:
    """Return (first, last + 1) of the rows that are not zero in an array that was padded.

    None if it was not padded with zeros, along its first axis only.
    """
    primitive: Any = eqn.primitive
    if type(primitive) is not Pad or primitive.value != 0 or not primitive.low:
        return None
    low, high = primitive.low, primitive.high
    if any([*low[1:], *high[1:], *primitive.interior]) or low[0] < 0 or high[0] < 0:
        return None
    return low[0], eqn.outs[0].aval.shape[0] - high[0]


def concatenation(
    parts: Sequence[tuple[int, int, Var]], others: Sequence[Any], out: Var, source: Any
) -> list[Eqn]:
    """Return the equations of an array with these rows, plus other arrays.

    Args:
        parts: (first row, last row + 1, variable), in order and apart; zeros fill the gaps.
        others: further summands.
        out: the variable of the sum.
        source: the source line.
    """
    aval = out.aval.strong
    eqns: list[Eqn] = []
    pieces: list[Var] = []
    at = 0
    # The last part is empty, and `out` marks it: it is there for the zeros before the end.
    for first, last, v in (*parts, (aval.shape[0], aval.shape[0], out)):
        if first > at:
            shape = (first - at, *aval.shape[1:])
            pieces.append(Var(aval.update(shape)))
            eqns.append(Eqn(Full(shape, aval.dtype, 0), (), (pieces[-1],), source))
        if v is not out:
            pieces.append(v)
        at = last
    total = Var(aval) if others else out
    eqns.append(concatenated(pieces, total, source))
    for k, v in enumerate(others):
        after = out if k == len(others) - 1 else Var(aval)
        eqns.append(Eqn(add, [total, v], (after,), source))
        total = after
    return eqns


def rows_joined(jaxpr: Jaxpr) -> Jaxpr:
    """Write rows of an array that are concatenated again as one slice of this array."""
    rows = Rows()
    rows.read(jaxpr.eqns)
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        if type(eqn.primitive) is Concatenate and eqn.primitive.axis == 0:
            eqns += _joined_rows(eqn, rows)
        else:
            eqns.append(eqn)
    return with_equations(jaxpr, eqns)


def _joined_rows(eqn: Eqn, rows: Rows) -> list[Eqn]:
    """Return the equations of a concatenation, with rows that follow each other as one piece.

    `concatenate(x[2], x[3], y, x[4])` becomes `concatenate(x[2:4], y, x[4])`.
    """
    pieces: list[list[Any]] = []  # array, first, last + 1, size; or one variable
    for v in eqn.inputs:
        row, size = rows.of(v), v.aval.shape[0]
        if row is None:
            pieces.append([v])
        # The row after the last one of the piece before, of the same array and size, extends it.
        elif pieces and pieces[-1][0] is row.array and pieces[-1][2:] == [row.index, size]:
            pieces[-1][2] += 1
        else:
            pieces.append([row.array, row.index, row.index + 1, size])
    if len(pieces) == len(eqn.inputs):
        return [eqn]
    eqns: list[Eqn] = []

    def emit(
        primitive: Primitive, operand: Var, shape: tuple[int, ...], out: Var | None = None
    ) -> Var:
        out = out or Var(operand.aval.strong.update(shape))
        eqns.append(Eqn(primitive, [operand], (out,), eqn.source))
        return out

    out, joined = eqn.outs[0], []
    for array, *span in pieces:
        if not span:
            joined.append(array)
            continue
        first, last, size = span
        shape = array.aval.shape
        if (first, last) != (0, shape[0]):
            starts, ones = (first, *[0] * (len(shape) - 1)), (1,) * len(shape)
            limits = (last, *shape[1:])
            array = emit(Slice(starts, limits, ones), array, (last - first, *shape[1:]))
        shape = (size * (last - first), *out.aval.shape[1:])
        if len(pieces) == 1:
            emit(Reshape(shape), array, shape, out)
            return eqns
        joined.append(array if array.aval.shape == shape else emit(Reshape(shape), array, shape))
    return [*eqns, concatenated(joined, out, eqn.source)]


def rows_by_argument(jaxpr: Jaxpr) -> Jaxpr:
    """Take many rows of an array by indices that are constants of the program.

    Such constants are arguments of what is compiled: all rows are then taken by one kernel, where a
    compiler makes a kernel for every slice at another place (some 10 ms each).
    """
    # How many rows are taken of each array.
    count: dict[Any, int] = {}
    for eqn in jaxpr.eqns:
        if type(eqn.primitive) is Slice and row_index(eqn) is not None:
            count[eqn.inputs[0]] = count.get(eqn.inputs[0], 0) + 1
    if max(count.values(), default=0) < KERNELS:
        return jaxpr
    scalar = ShapedArray((), int32)
    indices: dict[int, Var] = {}
    zero = Var(scalar)
    eqns = [Eqn(Full((), int32, 0), (), (zero,), None)]
    for eqn in jaxpr.eqns:
        if type(eqn.primitive) is Slice and count.get(eqn.inputs[0], 0) >= KERNELS:
            k = row_index(eqn)
            if k is not None:
                index = indices.setdefault(k, Var(scalar))
                out = eqn.outs[0]
                inputs = [eqn.inputs[0], index, *[zero] * (out.aval.ndim - 1)]
                eqn = Eqn(DynamicSlice(out.aval.shape), inputs, eqn.outs, eqn.source)
        eqns.append(eqn)
    return Jaxpr(
        jaxpr.in_vars,
        eqns,
        jaxpr.outs,
        [*jaxpr.const_vars, *indices.values()],
        [*jaxpr.consts, *[Array(np.asarray(k, int32)) for k in indices]],
        jaxpr.name,
    )
