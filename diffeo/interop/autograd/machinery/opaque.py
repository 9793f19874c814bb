"""Functions that nobody looks into: what autograd calls a primitive.

Such a function gets NumPy's arrays and may do anything with them. What its derivative is, the user
says by rules, which are ordinary functions: they get NumPy's arrays too, or traced values where a
derivative is taken of them.

A call is one primitive of the language, `Opaque`. Its derivative is another one, `Differential`,
from tangents to tangents, or from cotangents to cotangents; each is the transposition of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....numpy.joining import stack
from ....primitives.array import as_value
from ....primitives.core import Primitive, Tracer, state, typeof, with_user_line
from ....primitives.stand_ins import ZERO, LinearInput
from ....primitives.support.errors import ConcretizationTypeError
from ....primitives.types import ShapedArray, is_inexact
from ....primitives.words.structural import move_axis
from ....transforms.jvp import jvp_flat
from ....trees import tree
from .passes import transposed
from .values import fitted, plain, zeros


class Rules:
    """What the user has said of a function's derivative.

    Attributes:
        vjp: `vjp(argnums, ans, args, kwargs)` returns a function from the cotangent of the result
            to those of these arguments; None if there is no such rule.
        jvp: `jvp(argnums, tangents, ans, args, kwargs)` returns the tangent of the result.
        constant: it has no derivative, and is called with bare numbers.
    """

    def __init__(self) -> None:
        self.vjp: Callable | None = None
        self.jvp: Callable | None = None
        self.constant = False

    def __bool__(self) -> bool:
        return self.constant or self.vjp is not None or self.jvp is not None


class Call:
    """A call of a function with some traced arguments.

    Attributes:
        where: which of the leaves of the arguments are traced: they are the operands.
        spots: the number of the argument in which each operand is, and of its leaf there.
        out_tree, statics: the structure of the result, and its leaves that are no arrays, with
            None for those that are. Known once the function was called.
    """

    def __init__(self, fun: Callable, rules: Rules, args: tuple, kwargs: dict):
        self.fun, self.rules, self.kwargs = fun, rules, kwargs
        self.name = getattr(fun, "__name__", "a function")
        traced = [k for k, v in kwargs.items() if any(map(_is_traced, tree.leaves(v)))]
        if traced and not rules.constant:
            raise with_user_line(
                TypeError(
                    f"{self.name}: the keyword argument {traced[0]!r} is traced, and rules are for "
                    "positional arguments; pass it by position"
                )
            )
        leaves, self.structure = tree.flatten(args)
        self.where = [i for i, leaf in enumerate(leaves) if _is_traced(leaf)]
        self.operands = [leaves[i] for i in self.where]
        spots = [(n, k) for n, a in enumerate(args) for k in range(len(tree.leaves(a)))]
        self.spots = [spots[i] for i in self.where]
        for i in self.where:
            leaves[i] = None
        self.leaves = leaves
        self.out_tree: Any = None
        self.statics: list[Any] = []

    def __call__(self) -> Any:
        """Call the function, and return its result."""
        operands, self.operands = self.operands, []
        return self.result(Opaque(self).bind(*operands))

    def filled(self, values: Sequence[Any]) -> Any:
        """Return the arguments, with these values of the operands."""
        leaves = list(self.leaves)
        for i, v in zip(self.where, values):
            leaves[i] = v
        return tree.unflatten(self.structure, leaves)

    def result(self, arrays: Sequence[Any]) -> Any:
        """Return the result with these arrays in it."""
        some = iter(arrays)
        leaves = [next(some) if s is None else s for s in self.statics]
        return tree.unflatten(self.out_tree, leaves)

    def evaluate(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Call the function with numbers, and return the arrays of its result."""
        result = outside(self.fun, *self.filled(_own(arrays)), **self.kwargs)
        leaves, self.out_tree = tree.flatten(result)
        self.statics = [None if _is_array(o) else o for o in leaves]
        return [np.array(o) for o, s in zip(leaves, self.statics) if s is None]


def _is_traced(x: Any) -> bool:
    return isinstance(x, Tracer)


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic, float, complex, int)) or hasattr(x, "aval")


def _own(arrays: Sequence[np.ndarray]) -> list[Any]:
    """Return arrays that a user may keep and write to; scalars where there are no axes."""
    return [np.array(a)[()] for a in arrays]


def outside(fun: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a user's function outside of all transformations."""
    before = state.trace, state.source
    state.trace, state.source = type(state).trace, None
    try:
        return fun(*args, **kwargs)
    finally:
        state.trace, state.source = before


class _OfPython(Primitive):
    """A primitive that calls functions of the user's: row by row under `vmap`, never staged."""

    multiple_results = True
    calls_python = True
    keeps_weak = False
    merges = False
    checked = False

    call: Call

    @property
    def name(self) -> str:
        return self.call.name

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        if not size:
            raise with_user_line(
                ValueError(f"{self.name}: a Python function cannot be mapped over no rows")
            )
        moved = [a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims)]
        rows = [
            self.bind(*[a if d is None else a[i] for a, d in zip(moved, dims)]) for i in range(size)
        ]
        return [stack(column) for column in zip(*rows)], [0] * len(rows[0])


class Opaque(_OfPython):
    """A call; its operands are the traced leaves of the arguments."""

    def __init__(self, call: Call):
        self.call = call

    def parameters(self) -> tuple:
        return (id(self.call),)

    def abstract_eval(self, *avals: ShapedArray) -> Any:
        raise with_user_line(
            ConcretizationTypeError(
                f"{self.name}: a function of autograd's `primitive` is called with numbers, which "
                "are not known under jit, scan or vmap of a program. Leave out the jit, or write "
                "it as dx.pure_callback with dx.custom_vjp"
            )
        )

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.call.evaluate(arrays)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        outs = self.bind(*primals)
        moving = [i for i, t in enumerate(tangents) if t is not ZERO]
        smooth = [j for j, o in enumerate(outs) if is_inexact(typeof(o).dtype)]
        slopes: list[Any] = [ZERO] * len(outs)
        if smooth and not self.call.rules.constant:
            argnums = tuple(sorted({self.call.spots[i][0] for i in moving}))
            if not self.call.rules:
                raise with_user_line(
                    NotImplementedError(
                        f"VJP of {self.name} wrt argnums {argnums} not defined: say what it is "
                        "with defvjp, or defjvp"
                    )
                )
            push = Differential(self.call, moving, smooth, len(outs), False)
            given = [tangents[i] for i in moving]
            for j, t in zip(smooth, push.bind(*primals, *outs, *given)):
                slopes[j] = t
        return outs, slopes


class Differential(_OfPython):
    """The derivative of a call, or its transposition.

    The operands are those of the call, its results, and then the tangents of the moving operands
    (backward: the cotangents of the smooth results), in which it is linear.
    """

    def __init__(self, call: Call, moving: list[int], smooth: list[int], outs: int, backward: bool):
        self.call, self.moving, self.smooth = call, moving, smooth
        self.outs, self.backward = outs, backward
        #: How many operands are not linear.
        self.fixed = len(call.where) + outs

    def parameters(self) -> tuple:
        key = (tuple(self.moving), tuple(self.smooth), self.outs, self.backward)
        return (id(self.call), *key)

    @property
    def argnums(self) -> tuple[int, ...]:
        """The arguments in which the moving operands are."""
        return tuple(sorted({self.call.spots[i][0] for i in self.moving}))

    def kinds(self, types: Sequence[ShapedArray], backward: bool) -> list[ShapedArray]:
        """Return the types of what comes out in a direction, from those of the operands."""
        start = len(self.call.where)
        chosen = self.moving if backward else [start + j for j in self.smooth]
        return [types[i].strong for i in chosen]

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        return self.kinds(avals, self.backward)

    def other(self) -> Differential:
        """Return the transposition."""
        return Differential(self.call, self.moving, self.smooth, self.outs, not self.backward)

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(o) for o in outside(self.compute, *_own(arrays))]

    def compute(self, *operands: Any) -> list[Any]:
        """Apply the user's rule, to numbers or to values that are traced."""
        known, given = operands[: self.fixed], operands[self.fixed :]
        types = [typeof(x) for x in known]
        if self.call.rules.vjp if self.backward else self.call.rules.jvp:
            outs = (self.pulled if self.backward else self.pushed)(known, given)
        else:  # There is a rule for the other direction. It is linear, so it can be transposed.
            other, wanted = self.other(), self.kinds(types, self.backward)
            whole = lambda *gs: other.compute(*known, *gs)
            outs = transposed(whole, wanted, [as_value(g) for g in given])
        what = f"derivative of {self.name}"
        return [fitted(o, k, what) for o, k in zip(outs, self.kinds(types, self.backward))]

    def known(self, known: Sequence[Any]) -> tuple[Any, Any]:
        """Return the arguments and the result of the call."""
        start = len(self.call.where)
        known = [plain(x) for x in known]
        return self.call.filled(known[:start]), self.call.result(known[start:])

    def pulled(self, known: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        """Apply the rule for cotangents."""
        args, ans = self.known(known)
        gs: list[Any] = [zeros(o) for o in known[len(self.call.where) :]]
        for j, g in zip(self.smooth, given):
            gs[j] = plain(g)
        rule: Any = self.call.rules.vjp
        pulled = rule(self.argnums, ans, args, self.call.kwargs)(self.call.result(gs))
        leaves = {n: tree.leaves(g) for n, g in zip(self.argnums, pulled)}
        spots = [self.call.spots[i] for i in self.moving]
        return [leaves[n][k] for n, k in spots]

    def pushed(self, known: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        """Apply the rule for tangents."""
        args, ans = self.known(known)
        moves = dict(zip([self.call.spots[i] for i in self.moving], map(plain, given)))
        gs = []
        for n in self.argnums:
            leaves, structure = tree.flatten(args[n])
            filled = [moves[n, k] if (n, k) in moves else _still(v) for k, v in enumerate(leaves)]
            gs.append(tree.unflatten(structure, filled))
        rule: Any = self.call.rules.jvp
        leaves = tree.leaves(rule(self.argnums, gs, ans, args, self.call.kwargs))
        arrays = [t for t, s in zip(leaves, self.call.statics) if s is None]
        return [arrays[j] for j in self.smooth]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return jvp_flat(self.compute, primals, tangents, f"the derivative of {self.name}")

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        known = args[: self.fixed]
        wanted = self.kinds([typeof(x) for x in known], self.backward)
        cts = [fitted(0.0, k, "") if c is ZERO else c for c, k in zip(ct, wanted)]
        outs = self.other().bind(*known, *cts)
        given = args[self.fixed :]
        linear = [o if type(a) is LinearInput else None for a, o in zip(given, outs)]
        return [None] * self.fixed + linear


def _still(x: Any) -> Any:
    """Return the tangent of a leaf that does not move; what is no array has none."""
    return zeros(x if hasattr(x, "shape") else np.asarray(x)) if _is_array(x) else x
