"""Find which inputs each element of a tangent depends on, by running derivative rules on index
sets.

`Dependence` is a trace: forward mode (`transforms/jvp.py`) runs over it, and it processes every
primitive that the derivative rules bind. It tells three kinds of values apart:

- an array whose numbers are known: operations on such arrays are evaluated;
- `Unknown`, an array whose numbers depend on the point at which the derivative is taken: only its
  type is known;
- `Tracked`, a tangent: its type, and for each element the set of the inputs that the element
  depends on.

So a pattern is the pattern of what the derivative rules compute. Known values make the pattern
exact: a mask, indices, the counter of a loop. For f(x) = x[2] * 3, the only element of the tangent
has the set {2}.

How a single primitive moves sets about is written in `dependence_rules.py`. This file handles
operations on programs. A conditional whose choice is known takes that branch; any other conditional
gets the union of its branches. Loops are unrolled. Where unrolling is too much work, or where the
end of a loop is not known, one step is looked at once and stands for all steps.

Start reading at `Dependence.process`, then `Dependence.scan`. `IndexSets` (in `index_sets.py`) is
the data structure of everything here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine.evaluation import EVALUATION
from ...primitives.array import Array, as_value
from ...primitives.core import Primitive, Trace, Tracer, Value, typeof
from ...primitives.jaxpr import Jaxpr, eval_jaxpr, infer, sub_jaxprs
from ...primitives.types import SCALARS, ShapedArray
from ...programs.call import Call, split_list
from ...programs.cond import Cond
from ...programs.replay import Replay
from ...programs.scan import Scan
from ...programs.while_loop import While
from ..installed import installed
from .dependence_rules import dependence
from .index_sets import IndexSets, check_room, joined, union

#: Loops are unrolled until there have been `UNROLLED` operations. An operation on sets with more
#: than `MANY` members counts as several. All in all that takes a second, or half a minute for the
#: largest patterns.
UNROLLED, MANY = 20_000, 2**14
#: The number of steps that `closure` follows for the sets that a carry has in the end.
ROUNDS = 30


def at_least(jaxpr: Jaxpr) -> int:
    """Return the number of operations of a program, counting one run of each loop of unknown
    length.
    """
    count = jaxpr.memo.get("at least")
    if count is None:
        count = 0
        for eqn in jaxpr.eqns:
            times = eqn.primitive.length if type(eqn.primitive) is Scan else 1
            count += 1 + times * sum([at_least(inner) for inner in sub_jaxprs(eqn.primitive)])
        jaxpr.memo["at least"] = count
    return count


class Unknown(Tracer):
    """An array whose numbers depend on the point at which the derivative is taken."""

    __slots__ = ("aval",)

    def __init__(self, owner: Trace, aval: ShapedArray):
        self.owner = owner
        self.aval = aval  # type: ignore[misc]

    def origin(self) -> str:
        return (
            f"a value inside {self.owner.function_name} that depends on its arguments: the "
            "sparsity pattern is asked for all arguments of these types; local=True asks for the "
            "pattern at the given numbers"
        )


class Tracked(Unknown):
    """A tangent: for each of its elements, the set of the inputs that the element depends on."""

    __slots__ = ("sets",)

    def __init__(self, owner: Trace, aval: ShapedArray, sets: IndexSets):
        super().__init__(owner, aval)
        self.sets = sets


class Dependence(Trace):
    """A trace that computes with sets of input numbers below `total`.

    `left` is the number of operations that may still be spent on unrolling loops. When it is used
    up, a loop is summarized by one of its steps (see `steps`).
    """

    parent = EVALUATION

    def __init__(self, total: int, function_name: str, left: int = UNROLLED):
        self.total, self.function_name, self.left = total, function_name, left

    def tracked(self, aval: ShapedArray, sets: IndexSets) -> Tracked:
        """Return a tangent with these sets, one for each element."""
        return Tracked(self, aval, sets)

    def unknown(self, aval: ShapedArray) -> Unknown:
        """Return an array of this type whose numbers are unknown."""
        return Unknown(self, aval)

    def seen(self, x: Any) -> Any:
        """Return an operand as this trace sees the operand.

        A value that belongs to a surrounding transformation has no numbers here, so it becomes
        `Unknown`.
        """
        foreign = isinstance(x, Tracer) and x.owner is not self
        return self.unknown(x.aval) if foreign else x

    def sets(self, x: Value) -> IndexSets:
        """Return the sets of any value: those of a tangent, and empty sets for anything else."""
        return x.sets if type(x) is Tracked else IndexSets.empty(typeof(x).size, self.total)

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Apply a primitive to known, unknown and tracked operands.

        If all operands are known, the primitive is evaluated. Without a tangent among them, the
        results are unknown. Otherwise the rules in `dependence_rules.py` say which sets the results
        have.
        """
        # A Python function that is not staged yet: call it, and its operations come back here.
        if primitive.holds_programs and primitive.fun is not None:
            return primitive.fun(*args)
        args = [self.seen(a) for a in args]
        # The members of large sets cost time, too: an operation on many of them counts as several.
        self.left -= 1 + sum([len(a.sets.numbers) for a in args if type(a) is Tracked]) // MANY
        has_tracers = any([isinstance(a, Tracer) for a in args])
        if not (has_tracers or primitive.effects or primitive.calls_python):
            return EVALUATION.process(primitive, args)
        with installed(self):
            outs = self.program(primitive, args) if primitive.holds_programs else None
            if outs is not None:
                return outs
            scalars = primitive.takes_scalars
            avals = [a if scalars and type(a) in SCALARS else typeof(a) for a in args]
            result_types = infer(primitive, avals)
            avals = list(result_types) if primitive.multiple_results else [result_types]
            # Without a tangent among the operands there are no sets to move: only the types of the
            # results are known.
            outs: Any = [self.unknown(a) for a in avals]
            if any([type(a) is Tracked for a in args]):
                outs = dependence(self, primitive, args, avals)
            return outs if primitive.multiple_results else outs[0]

    # -- Programs --

    def program(self, primitive: Primitive, args: list[Any]) -> list[Any] | None:
        """Return the results of an operation on programs; None if this trace has no way to run it.

        For None, the caller treats the operation as an ordinary primitive.
        """
        args = [a if isinstance(a, Value) else as_value(a) for a in args]
        if isinstance(primitive, Call):
            return eval_jaxpr(primitive.jaxpr, args)
        if type(primitive) is Replay:
            return eval_jaxpr(primitive.forward(), args)
        rules: dict[type, Callable] = {Cond: self.cond, Scan: self.scan, While: self.repeat}
        rule = rules.get(type(primitive))
        return None if rule is None else rule(primitive, args)

    def cond(self, cond: Cond, args: list[Any]) -> list[Any]:
        """Run the chosen branch; where the choice is unknown, run all and join the results."""
        index, *operands = args
        if type(index) is Array:
            # An index that is out of range takes the last branch.
            number, last = int(index.host), len(cond.branches) - 1
            return eval_jaxpr(cond.branches[number if 0 <= number <= last else last], operands)
        outs = [eval_jaxpr(branch, operands) for branch in cond.branches]
        return [self.either(column) for column in zip(*outs)]

    def either(self, values: Sequence[Any]) -> Any:
        """Return a value that may be any of several values of one type."""
        if any([type(v) is Tracked for v in values]):
            return self.tracked(typeof(values[0]), union([self.sets(v) for v in values]))
        return self.unknown(typeof(values[0]))

    def scan(self, scan: Scan, args: list[Any]) -> list[Any]:
        """Unroll a scan; summarize its steps where unrolling would be too much work."""
        consts, start, xs = scan.groups(args)
        # Do not begin what cannot be finished: a lower bound of the work is known in advance.
        fits = scan.length * at_least(scan.jaxpr) <= self.left
        carry, rows = start, {}
        for i in scan.order():
            if not fits or self.left < 0:
                return self.steps(scan.jaxpr, consts, start, xs, scan.length)
            outs = eval_jaxpr(scan.jaxpr, [*consts, *carry, *[self.row(x, i) for x in xs]])
            carry, rows[i] = split_list(outs, scan.carry)
        avals = scan.out_avals[scan.carry :]
        columns = [[rows[i][k] for i in range(scan.length)] for k in range(len(avals))]
        return [*carry, *map(self.stack, columns, avals)]

    def row(self, x: Value, i: int) -> Any:
        """Return `x[i]`, for a slice of a scan."""
        if type(x) is Array:
            return Array(x.host[i], x.weak_type)
        aval = x.aval.update(x.aval.shape[1:])
        if type(x) is Tracked:
            return self.tracked(aval, x.sets.slice(i * aval.size, (i + 1) * aval.size))
        return self.unknown(aval)

    def stack(self, values: Sequence[Any], aval: ShapedArray) -> Any:
        """Stack values along a new first axis."""
        if all([type(v) is Array for v in values]):
            hosts = [v.host for v in values]
            return Array(np.stack(hosts) if hosts else np.empty(aval.shape, aval.dtype))
        if any([type(v) is Tracked for v in values]):
            return self.tracked(aval, joined([self.sets(v) for v in values], self.total))
        return self.unknown(aval)

    def repeat(self, loop: While, args: list[Any]) -> list[Any]:
        """Unroll a while loop as long as its condition is known.

        The carry of the step at which the condition becomes unknown is where `steps` starts.
        """
        first, second, carry = loop.groups(args)
        while self.left > 0:
            self.left -= 1
            going = eval_jaxpr(loop.cond, [*first, *carry])[0]
            if type(going) is not Array:
                break
            if not going.host:
                return carry
            carry = eval_jaxpr(loop.body, [*second, *carry])
        # A while loop has no xs and no slices of results: the length does not matter.
        return self.steps(loop.body, second, carry, [], 1)

    def steps(
        self, body: Jaxpr, consts: list[Any], carry: list[Any], xs: list[Any], length: int
    ) -> list[Any]:
        """Return the results of any number of steps, by looking at one step only.

        A step is `body(*consts, *carry, *xs_slices) -> (*carry, *result_slices)`; `length` is the
        number of slices of each of the `xs`. Two things follow from one step for all steps. A carry
        depends on whatever it may depend on after some number of steps (see `closure`). Slice i of
        a result depends on the constants, on the carry and on slice i of the xs (see `each_step`).

        Example: in a cumulative sum, a step is `carry, x -> carry + x, carry + x`. Every carry
        may depend on all of the xs; so every slice of the result gets all of the xs. That is more
        than the truth, and it is safe.
        """
        n, m = len(consts), len(consts) + len(carry)
        # A carry that the body returns as it came keeps its numbers. What else is carried has other
        # numbers in other steps.
        fixed = [v is o for v, o in zip(body.in_vars[n:m], body.outs)]
        known_values = [
            *consts,
            *[v if f else None for v, f in zip(carry, fixed)],
            *[None] * len(xs),
        ]
        # Which inputs of a step are tangents. A carry that starts as a constant may become a
        # tangent in the first step, and make others tangents in the next: repeat until nothing
        # changes.
        flags = [type(v) is Tracked for v in (*consts, *carry, *xs)]
        while True:
            outs = self.one_step(body, known_values, flags)
            grown = [a or type(o) is Tracked for a, o in zip(flags[n:m], outs)]
            if grown == flags[n:m]:
                break
            flags[n:m] = grown
        slices = [self.sets(x) for x, flag in zip(xs, flags[m:]) if flag]
        sizes = [v.aval.size for v, flag in zip(body.in_vars[m:], flags[m:]) if flag]
        # Element j of any slice, whichever the step: the union over the steps.
        always = [s.gather(np.arange(s.count) % n, n) for s, n in zip(slices, sizes)]
        before = [self.sets(v) for v, flag in zip(consts, flags) if flag]
        start = [self.sets(v) for v, flag in zip(carry, flags[n:]) if flag]
        after = [o.sets if type(o) is Tracked else None for o, f in zip(outs, flags[n:m]) if f]
        carry_sets = closure(before, start, always, after, self.total)
        carry_iterator = iter(carry_sets)
        results = [
            self.tracked(v.aval, next(carry_iterator)) if flag else c if f else self.unknown(v.aval)
            for v, c, flag, f in zip(body.in_vars[n:m], carry, flags[n:m], fixed)
        ]
        # From here on, the slices that a scan returns: the constants and the carry are the same
        # elements in each step, the slices of the xs are others in each.
        source = joined([*before, *carry_sets, *slices], self.total)
        fast = sum([s.count for s in (*before, *carry_sets)])
        for out in outs[len(carry) :]:
            aval = out.aval.update((length, *out.aval.shape))
            if type(out) is Tracked:
                sets = each_step(source, out.sets, fast, sizes, length)
                results.append(self.tracked(aval, sets))
            else:
                results.append(self.unknown(aval))
        return results

    def one_step(self, body: Jaxpr, given: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
        """Run a program once, with sets of numbers that are local to this step.

        The elements of the inputs whose flag is set are numbered one after the other: with flags
        (True, False, True) and 2 elements each, the inputs get the sets {0}, {1}, and {2}, {3}. An
        input without flag is known if its entry of `given` is an array, and unknown otherwise. The
        sets of the results say which of the flagged elements they depend on.
        """
        sizes = [v.aval.size if flag else 0 for v, flag in zip(body.in_vars, flags)]
        inner = Dependence(sum(sizes), self.function_name, self.left)
        # The step spends from what is left for this trace, and gives back what it did not need.
        ins, at = [], 0
        for var, value, flag, size in zip(body.in_vars, given, flags, sizes):
            sets = IndexSets.singles(size, at, inner.total) if flag else None
            at += size
            is_known = type(value) is Array
            ins.append(
                inner.tracked(var.aval, sets) if sets else value if is_known
                else inner.unknown(var.aval)
            )  # fmt: skip
        try:
            with installed(inner):
                outs = eval_jaxpr(body, ins)
        finally:
            self.left = inner.left
        return [inner.seen(o) for o in outs]


def closure(
    before: Sequence[IndexSets],
    start: Sequence[IndexSets],
    always: Sequence[IndexSets],
    after: Sequence[IndexSets | None],
    total: int,
) -> list[IndexSets]:
    """Return the sets of each carry after any number of steps.

    A carry has the sets that it starts with, and all that the steps add. Most carries stop growing
    after few steps. After `ROUNDS` steps, elements of the carry that are connected count as one
    element: the result may then be larger than the truth.

    Args:
        before: the sets of the constants.
        start: the sets of each carry before the first step.
        always: the sets of a slice of each x, joined over all steps.
        after: what one step makes of each carry, as sets of local numbers: the elements of the
            constants, the carry and the slices are counted through in this order. None for a carry
            that is no tangent.
        total: the number of inputs.
    """
    # The pairs (element of the carry, local number) that one step adds.
    local = sum([s.count for s in (*before, *start, *always)])
    step_sets = [IndexSets.empty(s.count, local) if a is None else a for s, a in zip(start, after)]
    owners, elements = joined(step_sets, local).pairs()
    carry = joined(start, total)
    for _ in range(ROUNDS):
        source = joined([*before, carry, *always], total)
        grown = union([carry, source.combine(carry.count, owners, elements)])
        if len(grown.numbers) == len(carry.numbers):
            break
        carry = grown
    else:
        # The carry is still growing, as where one element moves on by one place in each step. Join
        # what is connected through the carry: each component gets the union of its sets.
        elements = elements - sum([s.count for s in before])
        inside = (elements >= 0) & (elements < carry.count)
        groups = components(carry.count, owners[inside], elements[inside])
        carry = carry.gather(groups, carry.count).take(groups)
    ends = np.cumsum([0, *[s.count for s in start]])
    return [carry.slice(a, b) for a, b in pairwise(ends)]


def components(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each vertex of a graph the number of one vertex of its component.

    The graph has `count` vertices and an edge between `a[i]` and `b[i]` for each i. All vertices of
    a component get the same number: its least vertex. For 4 vertices and the edge 1 - 3, the result
    is [0, 1, 2, 1].
    """
    labels = np.arange(count)
    while True:
        # Both ends of an edge, and the vertices that their labels name, get the lesser label.
        # Following labels twice makes long paths short in few rounds.
        least = np.minimum(labels[a], labels[b])
        lowered = labels.copy()
        np.minimum.at(lowered, labels[a], least)
        np.minimum.at(lowered, labels[b], least)
        lowered = lowered[lowered]
        if np.array_equal(lowered, labels):
            return labels
        labels = lowered


def each_step(
    source: IndexSets, out: IndexSets, fast: int, sizes: Sequence[int], length: int
) -> IndexSets:
    """Return the sets of a result of a scan, for all steps one after the other.

    `out` holds the sets of the result for one step, as local numbers: numbers below `fast` are
    elements of the constants and the carry, which every step sees; the numbers after them are
    elements of the slices, whose element counts are `sizes`. `source` holds the sets of the
    constants and the carry, and then those of each whole x, that is, of its slices in all `length`
    steps.

    Example: with `fast` 1 and one slice of 2 elements, local number 2 is element 1 of the slice. In
    step t it is element 2 + 2 t of `source`.
    """
    # The element of `source` for each local number in step 0, and how far it moves with each step:
    # by the size of one slice, or not at all.
    ends = np.cumsum([0, *sizes])
    first = [fast + a * length + np.arange(b - a) for a, b in pairwise(ends)]
    first = np.concatenate([np.arange(fast), *first])
    stride = np.concatenate([np.zeros(fast, np.int64), np.repeat(sizes, sizes)]).astype(np.int64)
    owners, numbers = out.pairs()
    check_room(len(numbers) * length)
    step = np.arange(length)[:, None]
    owners = owners + step * out.count
    elements = first[numbers] + step * stride[numbers]
    return source.combine(length * out.count, owners.reshape(-1), elements.reshape(-1))
