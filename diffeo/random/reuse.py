"""Keys that are used twice, found in programs: `dx.config.debug_key_reuse`.

In eager code each use is seen as it happens (`routines/key_uses.py`). A program is read instead,
once, with a number for each key in the place of the key: what moves keys moves their numbers, a use
is entered under the number, and a second one of the same number is the error. The body of a loop is
read twice, as two steps would run. Where it is not known which key is moved (an index that is
traced), the result counts as new: such a reuse is not found, and nothing is reported in error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.config import config
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var
from ..primitives.types import ShapedArray
from ..programs.call import Call
from ..programs.cond import Cond
from ..programs.scan import Scan
from ..programs.while_loop import While
from ..routines.key_uses import forget_uses, renewed, reused, used
from ..routines.keys import KeyWords


@contextmanager
def debug_key_reuse(new_val: bool = True) -> Iterator[None]:
    """Report the reuse of typed keys, or do not, within a `with` block.

    A key that was drawn with, or split, must not be used again, since the numbers would be the same
    or related. `fold_in` and `key_data` are no uses. `dx.random.clone(key)` is a key that may be
    used once more. Keys are followed by their values in eager code, and through programs;
    what runs while the setting is on is traced anew, and is slow.

    Raises:
        KeyReuseError: within the block, from whatever uses a key for the second time; it shows both
            lines.

    Examples:
        >>> import diffeo as dx
        >>> key = dx.random.key(0)
        >>> with debug_key_reuse():
        ...     x = dx.random.normal(key)
        ...     y = dx.random.uniform(key)
        Traceback (most recent call last):
        diffeo.primitives.support.errors.KeyReuseError: key<fry> of words [0 0] is used again, ...
    """
    before, config.debug_key_reuse = config.debug_key_reuse, new_val
    if new_val and not before:  # keys that were made in between are not known to be new
        forget_uses()
    try:
        yield
    finally:
        config.debug_key_reuse = before


class Reading:
    """One reading of a program: which numbers stand for its keys, and which were used where.

    Attributes:
        uses: the source of the use of each number.
    """

    def __init__(self) -> None:
        self.numbers = count()
        self.uses: dict[int, Any] = {}

    def new(self, aval: ShapedArray) -> np.ndarray:
        """Return numbers for keys that nobody has seen yet."""
        fresh = [next(self.numbers) for _ in range(aval.size)]
        return np.array(fresh, np.int64).reshape(aval.shape)

    def use(self, keys: np.ndarray, source: Any) -> None:
        """Enter a use of keys; KeyReuseError if one of them has been used."""
        for number in keys.ravel().tolist():
            if number in self.uses:
                raise reused(f"a key of the shape {keys.shape}", self.uses[number], source)
            self.uses[number] = source

    def program(self, jaxpr: Jaxpr, args: Sequence[Any], consts: Sequence[Any] = ()) -> list[Any]:
        """Read a program whose operands have these numbers; None for what is no key.

        Returns:
            The numbers of its results.
        """
        env: dict[Any, Any] = dict(zip(jaxpr.in_vars, args))
        for var, value in zip(jaxpr.const_vars, consts or [None] * len(jaxpr.consts)):
            env[var] = self.new(var.aval) if value is None and is_key(var) else value
        known = {v: np.asarray(c) for v, c in zip(jaxpr.const_vars, jaxpr.consts)
                 if not is_key(v) and type(c) is Array}  # fmt: skip

        def read(x: Var) -> Any:
            if not is_key(x):
                return None
            return self.new(x.aval) if type(x) is Literal else env[x]

        for eqn in jaxpr.eqns:
            if not any([is_key(x) for x in (*eqn.inputs, *eqn.outs)]):
                continue
            outs = self.equation(eqn, [read(x) for x in eqn.inputs], known)
            for var, out in zip(eqn.outs, outs):
                if is_key(var):
                    env[var] = self.new(var.aval) if out is None else out
        return [read(x) for x in jaxpr.outs]

    def equation(self, eqn: Eqn, args: list[Any], known: dict[Any, Any]) -> Sequence[Any]:
        """Read an equation. Return the numbers of its results, None for keys that are new."""
        primitive, nothing = eqn.primitive, [None] * len(eqn.outs)
        if type(primitive) is KeyWords:
            if primitive.consumes:
                self.use(args[0], eqn.source)
            return nothing
        if primitive.recomputed:  # the same uses once more are meant
            return nothing
        if isinstance(primitive, Call) and type(primitive.jaxpr) is Jaxpr:
            return self.program(primitive.jaxpr, args)
        if type(primitive) is Cond:
            return self.branches(primitive, args[1:])
        if type(primitive) is Scan:
            return self.scan(primitive, args)
        if type(primitive) is While:
            self.loop(primitive, args)
            return nothing
        if primitive.holds_programs or all([numbers is None for numbers in args]):
            return nothing
        return self.moved(eqn, args, known)

    def moved(self, eqn: Eqn, args: list[Any], known: dict[Any, Any]) -> Sequence[Any]:
        """Move numbers as an equation moves keys, where its other operands are known."""
        operands = []
        for x, numbers in zip(eqn.inputs, args):
            value = numbers
            if numbers is None:
                value = np.asarray(x.value) if type(x) is Literal else known.get(x)
            operands.append(value)
        if any([value is None for value in operands]):
            return [None] * len(eqn.outs)
        outs = eqn.primitive.impl(*operands)
        outs = list(outs) if eqn.primitive.multiple_results else [outs]
        fits = [np.shape(o) == v.aval.shape for o, v in zip(outs, eqn.outs)]
        return outs if all(fits) else [None] * len(eqn.outs)

    def branches(self, cond: Cond, args: list[Any]) -> Sequence[Any]:
        """Read all branches, of which one will run: each begins with the uses before."""
        before, after = self.uses, dict(self.uses)
        for branch in cond.branches:
            self.uses = dict(before)
            self.program(branch, args)
            after.update(self.uses)
        self.uses = after
        return [None] * len(cond.branches[0].outs)

    def scan(self, scan: Scan, args: list[Any]) -> Sequence[Any]:
        """Read two steps; the slices of the other steps are used as that of the first."""
        consts, carry, xs = scan.groups(args)
        for i in range(min(scan.length, 2)):
            at = scan.length - 1 - i if scan.reverse else i
            slices = [None if x is None else x[at] for x in xs]
            outs = self.program(scan.jaxpr, [*consts, *carry, *slices])
            carry = outs[: scan.carry]
        for x in xs:
            if x is None or scan.length < 3:
                continue
            first = x[-1 if scan.reverse else 0].ravel().tolist()
            others = x[:-2] if scan.reverse else x[2:]
            for n, column in zip(first, others.reshape(len(others), -1).T):
                if n in self.uses:
                    self.use(column, self.uses[n])
        return [*carry, *[None] * (len(scan.jaxpr.outs) - scan.carry)]

    def loop(self, loop: While, args: list[Any]) -> None:
        """Read two steps of a loop with a condition."""
        first = args[: loop.cond_consts]
        consts = args[loop.cond_consts : loop.cond_consts + loop.body_consts]
        carry = args[loop.cond_consts + loop.body_consts :]
        for _ in range(2):
            self.program(loop.cond, [*first, *carry])
            carry = self.program(loop.body, [*consts, *carry])


def is_key(x: Any) -> bool:
    """Return whether a variable or literal stands for keys."""
    return x.aval.dtype.kind == "k"


def watch(jaxpr: Jaxpr, arrays: Sequence[Any], outs: Sequence[Any]) -> None:
    """Enter the uses of keys by a program that has run on arrays, with these results.

    Raises:
        KeyReuseError: if it uses a key twice, or one that had been used.
    """
    variables = [*jaxpr.const_vars, *jaxpr.in_vars]
    values = [*jaxpr.consts, *arrays]
    if not any([is_key(v) for v in (*variables, *jaxpr.outs)]):
        Reading().program(jaxpr, [None] * len(jaxpr.in_vars))
        return
    reading = Reading()
    numbers = [reading.new(v.aval) if is_key(v) else None for v in variables]
    split = len(jaxpr.const_vars)
    results = reading.program(jaxpr, numbers[split:], numbers[:split])
    came = set()
    for value, n in zip(values, numbers):
        if n is None:
            continue
        came.update(n.ravel().tolist())
        for number, key in zip(n.ravel().tolist(), value.host.ravel()):
            if number in reading.uses:
                used(np.asarray(key), reading.uses[number])
    for out, n in zip(outs, results):
        if n is not None and came.isdisjoint(n.ravel().tolist()):
            renewed(out.host)
