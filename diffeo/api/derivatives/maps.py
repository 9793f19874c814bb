"""Derivatives at a point as functions: what `linearize` and `vjp` return.

Each holds the tangent program, a linear program from tangents of the arguments to tangents of the
results, whose constants are the residuals. It is a tree of its residuals. Start reading at
`Derivative`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import describe, typeof, with_user_line
from ...primitives.jaxpr import Eqn, Jaxpr, Literal, eval_jaxpr
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import MismatchError
from ...primitives.support.foreign import refusal
from ...primitives.types import SCALARS, ShapedArray, float0, is_complex
from ...primitives.words.structural import convert_element_type
from ...transforms.tangents import from_tangent, quietly, tangent_aval
from ...transforms.transpose import pull_back_program
from ...trees import tree
from ...trees.functions import Flat


def as_tangent(t: Any, aval: ShapedArray, what: str, path: str) -> Any:
    """Return a tangent or cotangent as an array of the dtype that belongs to its primal's type.

    Return `ZERO` for the float0 array that stands for the tangent of an integer. Raise
    MismatchError for other shapes and dtypes; a real Python number takes the dtype.
    """
    expected = tangent_aval(aval)
    if expected.dtype == float0:
        if getattr(t, "dtype", None) == float0 and np.shape(t) == expected.shape:
            return ZERO
        raise with_user_line(
            MismatchError(
                f"{what}{path}: an integer or boolean array has no derivative: its tangent is "
                f"np.zeros({expected.shape}, dx.float0), got {describe(t)}"
            )
        )
    try:
        value = as_value(t)
        fits = value.shape == expected.shape and (
            value.dtype == expected.dtype or (value.weak_type and not is_complex(value.dtype))
        )
    except TypeError:
        fits = False
    if not fits:
        reason = refusal(t)
        raise with_user_line(
            MismatchError(
                f"{what}{path}: expected shape and dtype of {expected}, got {describe(t)}"
                + (f"; {reason}" if reason else "")
            )
        ) from None
    return convert_element_type(value, expected.dtype)


def check_same(what: str, structure: Any, other: Any) -> None:
    if structure != other:
        raise with_user_line(MismatchError(f"{what}: {tree.first_difference(structure, other)}"))


class Derivative:
    """The derivative of a function at a point: the tangent program, and the types and structures
    of arguments and results.

    It is a tree whose leaves are the residuals. So a derivative can be a result of a compiled
    function, or a residual that a forward rule hands to a backward rule.

    Attributes:
        flat: the function of leaves, with the structures of arguments and result.
        program: the tangent program.
        has_tangent: for each leaf of the result, whether the program has its tangent.
        primals, outs: the types of the leaves of arguments and result.
        apart: (residuals, the derivative with holes in their places), once it was computed.
    """

    def __init__(
        self,
        flat: Flat,
        program: Jaxpr,
        has_tangent: Sequence[bool],
        primals: Sequence[Any],
        outs: Sequence[Any],
    ):
        self.flat, self.program, self.has_tangent = flat, program, has_tangent
        self.primals = [typeof(p) for p in primals]
        self.outs = [typeof(o) for o in outs[: flat.count]]
        self.apart: tuple[list[Any], Derivative] | None = None

    def tree_flatten(self) -> tuple[list[Any], Derivative]:
        """Return the residuals, and the derivative with holes: `mul a <f64[]>` keeps its operand
        `a`, and `Hole(0, f64[])` replaces the array.
        """
        if self.apart is None:  # the same residual is one leaf, wherever it is used
            program = self.program
            operands = [v for eqn in program.eqns for v in eqn.inputs] + list(program.outs)
            residuals = {id(v.value): v.value for v in operands if _is_residual(v)}
            holes = {
                key: Hole(k, typeof(value)) for k, (key, value) in enumerate(residuals.items())
            }
            form = copy(self)
            form.program = _with(program, lambda x: holes.get(id(x)))
            self.apart = list(residuals.values()), form
        return self.apart

    @classmethod
    def tree_unflatten(cls, form: Derivative, residuals: Sequence[Any]) -> Derivative:
        """Return the derivative whose holes are filled by these residuals."""
        whole, filled = copy(form), list(residuals)
        whole.program = _with(form.program, lambda x: filled[x.number] if type(x) is Hole else None)
        whole.apart = filled, form
        return whole


class Hole:
    """A mark for residual `number`, in a tangent program whose residuals were taken out."""

    __slots__ = ("aval", "number")

    def __init__(self, number: int, aval: ShapedArray):
        self.number, self.aval = number, aval


def _is_residual(v: Any) -> bool:
    """Check that an operand of a tangent program is a residual, or the hole of one."""
    return type(v) is Literal and type(v.value) not in SCALARS


def _with(program: Jaxpr, other: Callable[[Any], Any]) -> Jaxpr:
    """Return the tangent program with `other(residual)` in the place of each residual.

    A residual for which `other` returns None is kept.
    """

    def put(v: Any) -> Any:
        value = other(v.value) if _is_residual(v) else None
        return v if value is None else Literal(value)

    eqns = [Eqn(e.primitive, list(map(put, e.inputs)), e.outs, e.source) for e in program.eqns]
    return Jaxpr(program.in_vars, eqns, list(map(put, program.outs)), name=program.name)


@tree.register_pytree_node_class
class LinearMap(Derivative):
    """The derivative of a function at a point, as a linear function of tangents. `linearize`
    returns it.
    """

    def __call__(self, *tangents: Any) -> Any:
        leaves, structure = tree.flatten(tangents)
        check_same(
            "linearize: tangents must have the structure of primals", self.flat.in_tree, structure
        )
        moves = [
            as_tangent(t, p, "linearize: tangent at ", tree.keystr(path))
            for t, p, (path, _) in zip(leaves, self.primals, tree.leaves_with_path(tangents))
        ]
        moves = [
            full_like(v.aval, 0) if t is ZERO else t for t, v in zip(moves, self.program.in_vars)
        ]
        # The program has a result only for those results of the function that have a tangent.
        slopes = iter(quietly(eval_jaxpr, self.program, moves))
        outs = [next(slopes) if has else ZERO for has in self.has_tangent]
        zipped = zip(outs[: self.flat.count], self.outs)
        return tree.unflatten(self.flat.out_tree, [from_tangent(t, o) for t, o in zipped])

    def __repr__(self) -> str:
        return f"<linear map of {self.flat.name}>\n{self.program}"


@tree.register_static
@dataclass(frozen=True, slots=True)
class NotNeeded:
    """What stands in `Pullback.args_res` for an argument that the backward pass does not read."""


@tree.register_pytree_node_class
class Pullback(Derivative):
    """The transposed derivative of a function at a point, as a function from a cotangent of the
    result to cotangents of the arguments. `vjp` returns it.

    It keeps arguments that the backward pass reads, and values that the forward pass computed. As
    the arguments are there anyway, they may be taken out, and put back before the pullback is
    called: `args_res` may be changed.

    Attributes:
        with_logs: the pullback as a function that returns (cotangents, logs); see
            `custom_vjp.defvjp_with_logs`.

    Examples:
        >>> import diffeo as dx
        >>> _, pullback = dx.vjp(lambda x, w: dx.numpy.sin(x) * w, 1.0, 2.0)
        >>> pullback.args_res
        [NotNeeded(), Array(2.)]
        >>> pullback.args_res[1] = None
        >>> len(dx.tree.leaves(pullback)) == len(pullback.opaque_residuals)
        True
        >>> pullback.args_res[1] = 2.0
        >>> pullback(1.0)
        (Array(1.08060461), Array(0.84147098))
    """

    def __init__(
        self,
        flat: Flat,
        program: Jaxpr,
        has_tangent: Sequence[bool],
        primals: Sequence[Any],
        outs: Sequence[Any],
    ):
        super().__init__(flat, program, has_tangent, primals, outs)
        self.logging = False
        #: By the number of its hole, the argument's leaf that a residual is.
        self.sources: dict[int, int] = {}
        self._ids = [id(p) for p in primals]
        self._opaque: list[Any] | None = None
        self._args: list[Any] = []

    def _take_apart(self) -> None:
        """Set `_opaque` and `_args`, from which the program is filled when the pullback is called,
        and may have been changed.
        """
        if self._opaque is not None:
            return
        residuals, form = super().tree_flatten()
        positions = {key: i for i, key in enumerate(self._ids)}
        numbered = [(k, positions.get(id(r))) for k, r in enumerate(residuals)]
        self.sources = {k: i for k, i in numbered if i is not None}
        self._opaque = [r for k, r in enumerate(residuals) if k not in self.sources]
        leaves: list[Any] = [NotNeeded()] * len(self.primals)
        for k, i in self.sources.items():
            leaves[i] = residuals[k]
        self._args = list(tree.unflatten(self.flat.in_tree, leaves))
        self.program, self.apart = form.program, None

    @property
    def args_res(self) -> list[Any]:
        """The arguments that the backward pass reads as they are, a list that may be changed;
        `NotNeeded()` in the place of the leaves that it does not read.
        """
        self._take_apart()
        return self._args

    @args_res.setter
    def args_res(self, args: Sequence[Any]) -> None:
        self._take_apart()
        self._args = list(args)

    @property
    def opaque_residuals(self) -> list[Any]:
        """The values that the forward pass computed for the backward pass."""
        self._take_apart()
        return list(self._opaque or ())

    @property
    def with_logs(self) -> Pullback:
        """The same pullback, which returns (cotangents, what backward rules log)."""
        logging = copy(self)
        logging.logging = True
        return logging

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return (what was computed, arguments), and the pullback with holes."""
        self._take_apart()
        if self.apart is None:
            form = copy(self)
            form._opaque, form._args = [], []
            self.apart = [], form
        # One form for all pullbacks of one origin: it is part of the keys of compiled functions.
        form: Any = self.apart[1]
        if form.logging is not self.logging:
            form = copy(form)
            form.logging = self.logging
        return (list(self._opaque or ()), list(self._args)), form

    @classmethod
    def tree_unflatten(cls, form: Pullback, residuals: Sequence[Any]) -> Any:
        """Return the pullback with these residuals."""
        whole = copy(form)
        whole._opaque, whole._args = map(list, residuals)
        whole.apart = [], form
        return whole

    def _filled(self) -> Jaxpr:
        """Return the tangent program, with the residuals as they are now."""
        if self._opaque is None:
            return self.program
        args = tree.leaves(self._args, is_leaf=lambda x: type(x) is NotNeeded)
        if len(args) != len(self.primals):
            raise with_user_line(
                MismatchError(
                    f"vjp of {self.flat.name}: args_res must have the {len(self.primals)} leaves "
                    f"of the arguments when the pullback is called, got {len(args)}; put back what "
                    "was taken out"
                )
            )
        opaque = iter(self._opaque)
        count = len(self._opaque) + len(self.sources)
        residuals = [
            self._argument(args[self.sources[k]], self.sources[k])
            if k in self.sources
            else next(opaque)
            for k in range(count)
        ]
        fill = lambda x: residuals[x.number] if type(x) is Hole else None
        return _with(self.program, fill)

    def _argument(self, x: Any, i: int) -> Any:
        """Return leaf `i` of the arguments, put back by the user, after checking its type."""
        aval = self.primals[i]
        value = None if type(x) is NotNeeded else as_value(x)
        if value is None or (value.shape, value.dtype) != (aval.shape, aval.dtype):
            got = "nothing" if value is None else describe(value)
            raise with_user_line(
                MismatchError(
                    f"vjp of {self.flat.name}: args_res must have {aval.strong} as leaf {i}, which "
                    f"the backward pass reads, got {got}"
                )
            )
        return value

    def __call__(self, cotangent: Any, *others: Any) -> Any:
        if others:
            raise with_user_line(
                TypeError(
                    f"vjp of {self.flat.name}: the pullback takes one cotangent, of the structure "
                    f"of the result, got {1 + len(others)} arguments; pass a tuple or list if the "
                    "result is one"
                )
            )
        leaves, structure = tree.flatten(cotangent)
        check_same(
            "vjp: the cotangent must have the structure of the result",
            self.flat.out_tree,
            structure,
        )
        paths = [tree.keystr(path) for path, _ in tree.leaves_with_path(cotangent)]
        cts = [
            as_tangent(c, o, "vjp: cotangent", f" at {p}" if p else "")
            for c, o, p in zip(leaves, self.outs, paths)
        ]
        # A result without a tangent does not depend on the arguments: its cotangent goes nowhere.
        cts = [c for c, has in zip(cts, self.has_tangent) if has]
        logs = _logs() if self.logging else None
        options = () if logs is None else (logs.operation,)
        pulled = quietly(pull_back_program, self._filled(), cts, *options)
        cotangents = tree.unflatten(
            self.flat.in_tree, [from_tangent(c, p) for c, p in zip(pulled, self.primals)]
        )
        return cotangents if logs is None else (cotangents, logs.entries)

    def __repr__(self) -> str:
        return f"<pullback of {self.flat.name}>"


def _logs() -> Any:
    """Return a `BackwardLogs`, whose module loads loops, with the first question."""
    return import_module("...transforms.backward_logs", __package__).BackwardLogs()
