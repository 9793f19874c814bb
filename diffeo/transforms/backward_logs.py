"""What backward rules log: the walk backward that also collects it.

A rule given by `custom_vjp.defvjp_with_logs` returns a dictionary besides its cotangents. It is
dropped, unless the walk is handed `BackwardLogs.operation`, which transposes operations on programs
so that what is logged inside of them arrives: calls are walked through, and so is a scan, step by
step, with what its steps log stacked. What is logged inside of other operations is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.constants import full_like
from ..primitives.jaxpr import Jaxpr
from ..primitives.stand_ins import ZERO, LinearInput, Zero
from ..primitives.words.elementwise import add
from ..primitives.words.slicing import concatenate, slice_in_dim
from ..primitives.words.structural import expand_dims, squeeze
from ..programs.call import Call, split_list
from ..programs.custom_call import CustomTangent
from ..programs.remat import Checkpoint
from ..programs.scan import Scan
from ..trees import tree
from .transpose import backward_pass, transpose_jaxpr


class BackwardLogs:
    """The logs of one walk backward.

    Attributes:
        entries: what was logged, by name; a later entry replaces an earlier one of its name.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def operation(self, primitive: Any, cts: Sequence[Any], args: Sequence[Any]) -> Sequence[Any]:
        """Return the cotangents of an operation on programs, and keep what is logged inside."""
        if type(primitive) is CustomTangent:
            cotangents, logs = primitive.pulled_back(cts, args)
            if logs is not None:
                self.entries.update(tree.unflatten(*logs))
            return cotangents
        if type(primitive) in (Call, Checkpoint):
            return self.walk(primitive.jaxpr, cts, args)
        if type(primitive) is Scan and primitive.checkpoints is None and primitive.length:
            linear = [type(a) is LinearInput for a in args]
            inside, linear_outs = primitive.linear_carry(linear)
            if all(linear_outs):
                return self.steps(primitive, inside, cts, args)
        return primitive.transpose_with(transpose_jaxpr, cts, args)

    def walk(self, jaxpr: Jaxpr, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """Walk through the program of a call; None for operands that are not linear."""
        known = {v: a for v, a in zip(jaxpr.in_vars, args) if type(a) is not LinearInput}
        cotangents = iter(backward_pass(jaxpr, known, cts, self.operation))
        return [next(cotangents) if type(a) is LinearInput else None for a in args]

    def steps(
        self, scan: Scan, inside: Sequence[bool], cts: Sequence[Any], args: Sequence[Any]
    ) -> list[Any]:
        """Walk through a scan of which all results are linear, step by step.

        `inside` says which inputs of a step are linear: more than the operands of the scan, since a
        carry may start with a known value.
        """
        consts, carry, xs = scan.groups(args)
        ct_carry, ct_ys = split_list(cts, scan.carry)
        sums, slices, logged = [ZERO] * len(consts), [], []
        order = range(scan.length) if scan.reverse else reversed(range(scan.length))
        for i in order:
            operands = [*consts, *carry, *[_row(x, i) for x in xs]]
            operands = [
                LinearInput(v.aval) if lin else x
                for v, x, lin in zip(scan.jaxpr.in_vars, operands, inside)
            ]
            one = BackwardLogs()
            step_cts = [*ct_carry, *[_row(ct, i) for ct in ct_ys]]
            outs = one.walk(scan.jaxpr, step_cts, operands)
            for_consts, ct_carry, for_xs = scan.groups(outs)
            sums = [_plus(s, ct) for s, ct in zip(sums, for_consts)]
            slices.append(for_xs)
            logged.append(one.entries)
        if not scan.reverse:
            slices.reverse()
            logged.reverse()
        if logged[0]:
            self.entries.update(tree.map(lambda *rows: _stacked(rows), *logged))
        ct_xs = [_column(column, x) for column, x in zip(zip(*slices), xs)]
        all_cts = [*sums, *ct_carry, *ct_xs]
        return [ct if type(a) is LinearInput else None for ct, a in zip(all_cts, args)]


def _row(x: Any, i: int) -> Any:
    """Return x[i]; what is no array is returned as it is."""
    if x is ZERO or type(x) is LinearInput:
        return x
    return squeeze(slice_in_dim(x, i, i + 1), (0,))


def _plus(a: Zero, b: Any) -> Any:
    """Return the sum of two cotangents; None is for an operand that is not linear."""
    if b is None or b is ZERO:
        return a
    return b if a is ZERO else add.bind(a, b)


def _stacked(rows: Sequence[Any]) -> Any:
    return concatenate([expand_dims(r, (0,)) for r in rows])


def _column(rows: Sequence[Any], x: Any) -> Any:
    """Return the cotangent of one of the xs from those of its slices."""
    if type(x) is not LinearInput or all([r is ZERO for r in rows]):
        return ZERO
    like = next(r for r in rows if r is not ZERO)
    return _stacked([full_like(like, 0) if r is ZERO else r for r in rows])
