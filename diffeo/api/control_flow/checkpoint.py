"""Rematerialization for users: `checkpoint`, its policies, and what reverse mode keeps.

Reverse mode keeps residuals: intermediate values of the forward pass that the backward pass reads.
A function under `checkpoint` computes most of them again instead (rematerialization). A policy
says which residuals are kept all the same. `saved_residuals` shows what is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...operations.identity import Named
from ...primitives.array import as_value
from ...primitives.core import (
    Primitive,
    describe,
    state,
    typeof,
    with_user_line,
)
from ...primitives.families import Bilinear
from ...primitives.jaxpr import Literal
from ...primitives.staging import StagingTrace, StagingTracer
from ...primitives.support.sources import short_filename, source_line
from ...primitives.types import SCALARS, ShapedArray
from ...primitives.words.dot import DotGeneral
from ...programs.remat import Checkpoint
from ...transforms.installed import installed
from ...transforms.linearize import linearize_flat
from ...trees import tree
from ...trees.arguments import (
    Transformed,
    argument_or_keyword,
    check_argnums,
    check_callable,
    name_of,
)
from ...trees.functions import Flat
from ...trees.staged import Staged, leaves_of

#: `policy(primitive, *types of its operands)`: whether the results of the primitive are kept.
Policy = Callable[..., bool]


def checkpoint(
    fun: Callable | None = None,
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Callable:
    """Return a function whose intermediate values reverse mode computes again, and does not keep.

    This saves memory at the cost of a second evaluation. Results and derivatives are the same.

    Args:
        fun: a function of arrays or trees; without it, `checkpoint` returns a decorator.
        prevent_cse: keep the compiler from merging the second evaluation with the first, which
            would keep the values after all. False is right only where the compiler cannot do so,
            as in the body of a `scan`.
        policy: which values are kept all the same: one of `checkpoint_policies`, or a function
            `policy(primitive, *types) -> bool`. By default only the arguments are kept.
        static_argnums: positions of arguments that are not traced.

    Returns:
        A function with the same arguments and results.

    Raises:
        TypeError: if `fun` or `policy` cannot be called.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.checkpoint(lambda x: dx.numpy.sin(dx.numpy.sin(x)))
        >>> dx.grad(f)(1.0) == dx.grad(lambda x: dx.numpy.sin(dx.numpy.sin(x)))(1.0)
        Array(True)
    """
    if fun is None:
        return functools.partial(
            checkpoint, prevent_cse=prevent_cse, policy=policy, static_argnums=static_argnums
        )
    check_callable(fun, "checkpoint")
    if policy is not None:
        check_callable(policy, "checkpoint: policy")

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        static = check_argnums(static_argnums, len(args), f"checkpoint of {name_of(fun)}")
        if state.trace.eager:  # nothing is differentiated
            return fun(*args, **kwargs)
        dynamic = tuple([a for i, a in enumerate(args) if i not in static])

        def of_arrays(dynamic: tuple, kwargs: dict) -> Any:
            """Call `fun` with the static arguments put back in their positions."""
            traced = iter(dynamic)
            full = [a if i in static else next(traced) for i, a in enumerate(args)]
            return fun(*full, **kwargs)

        of_arrays.__name__ = name_of(fun)
        operands = (dynamic, kwargs)
        leaves, structure = leaves_of(operands, f"checkpoint of {name_of(fun)}: arguments")
        staged = Staged(of_arrays, structure, [typeof(x) for x in leaves])
        call = Checkpoint(staged.jaxpr, policy=policy, prevent_cse=bool(prevent_cse))
        return tree.unflatten(staged.out_tree, call.bind(*staged.consts, *leaves))

    make = functools.partial(
        checkpoint, prevent_cse=prevent_cse, policy=policy, static_argnums=static_argnums
    )
    return Transformed(fun, checkpointed, make, fun)


remat = checkpoint


def checkpoint_name(x: Any, name: str) -> Any:
    """Name a tree of arrays, so that a policy can keep them; values do not change.

    Examples:
        >>> import diffeo as dx
        >>> keep = dx.checkpoint_policies.save_only_these_names("h")
        >>> f = lambda x: dx.numpy.sin(dx.checkpoint_name(dx.numpy.exp(x), "h"))
        >>> dx.grad(dx.checkpoint(f, policy=keep))(0.0)
        Array(0.54030231)
    """
    if not isinstance(name, str):
        raise with_user_line(
            TypeError(f"checkpoint_name: the name must be a string, got {describe(name)}")
        )
    return tree.map(lambda leaf: Named(name).bind(as_value(leaf)), x)


class Verdict:
    """What a policy may return in place of a bool: `Saveable` or `Recompute`."""

    def __init__(self, name: str, saves: bool):
        self.name, self.saves = name, saves

    def __bool__(self) -> bool:
        return self.saves

    def __repr__(self) -> str:
        return self.name


#: The results of the primitive are kept, or computed again.
Saveable, Recompute = Verdict("Saveable", True), Verdict("Recompute", False)


def _everything(primitive: Primitive, *_: Any) -> bool:
    return True


def _nothing(primitive: Primitive, *_: Any) -> bool:
    return False


def _dots(primitive: Primitive, *_: Any) -> bool:
    return isinstance(primitive, Bilinear)  # products and convolutions


def _dots_without_batch(primitive: Primitive, *_: Any) -> bool:
    return isinstance(primitive, DotGeneral) and not any(map(len, primitive.batch_dims))


class checkpoint_policies:
    """A namespace of policies, which say what `checkpoint` keeps. An attribute is a policy
    `policy(primitive, *types) -> bool`; a method with arguments makes one.

    `dots` are matrix products and convolutions. Keeping these saves most of the time, and computing
    everything else again saves most of the memory. Offloading to the host is accepted, and keeps
    values where they are.
    """

    everything_saveable = staticmethod(_everything)
    nothing_saveable = staticmethod(_nothing)
    dots_saveable = checkpoint_dots = staticmethod(_dots)
    dots_with_no_batch_dims_saveable = checkpoint_dots_with_no_batch_dims = staticmethod(
        _dots_without_batch
    )

    @staticmethod
    def save_only_these_names(*names: str) -> Policy:
        """Keep the values with one of these names."""
        chosen = frozenset(names)
        return lambda primitive, *_: isinstance(primitive, Named) and primitive.label in chosen

    @staticmethod
    def save_any_names_but_these(*names: str) -> Policy:
        """Keep the values with a name, but not with one of these."""
        others = frozenset(names)
        return lambda primitive, *_: isinstance(primitive, Named) and primitive.label not in others

    @staticmethod
    def save_anything_except_these_names(*names: str) -> Policy:
        """Keep everything but the values with one of these names."""
        others = frozenset(names)
        return lambda primitive, *_: (
            not (isinstance(primitive, Named) and primitive.label in others)
        )

    @staticmethod
    def save_from_both_policies(first: Policy, second: Policy) -> Policy:
        """Keep what either of two policies keeps."""
        return lambda primitive, *avals: first(primitive, *avals) or second(primitive, *avals)

    @staticmethod
    def save_and_offload_only_these_names(
        *,
        names_which_can_be_saved: Iterable[str],
        names_which_can_be_offloaded: Iterable[str],
        offload_src: str,
        offload_dst: str,
    ) -> Policy:
        """Keep the values with one of these names, all of them where they are."""
        return checkpoint_policies.save_only_these_names(
            *names_which_can_be_saved, *names_which_can_be_offloaded
        )

    @staticmethod
    def offload_dot_with_no_batch_dims(offload_src: str, offload_dst: str) -> Policy:
        """Keep products without batch axes, where they are."""
        return _dots_without_batch


# --------------------------------------------------------------------------------------------------
# A look at the residuals


def saved_residuals(fun: Callable, *args: Any, **kwargs: Any) -> list[tuple[ShapedArray, str]]:
    """List the residuals that reverse mode of a function would keep: the type and the origin of
    each array.

    Args:
        fun: a function of arrays or trees.
        *args, **kwargs: its arguments, or `ShapeDtypeStruct`s.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: dx.numpy.sin(dx.numpy.exp(x))
        >>> [(t, where.split(" at ")[0]) for t, where in saved_residuals(f, 1.0)]
        [(f64[], 'the result of exp'), (f64[], 'the result of cos')]
    """
    check_callable(fun, "saved_residuals")
    leaves, structure = tree.flatten((args, kwargs))
    avals = [x.aval if hasattr(x, "aval") else typeof(x) for x in leaves]
    flat = Flat(lambda args, kwargs: fun(*args, **kwargs), structure, name_of(fun))
    # The function is linearized under a staging trace. So residuals, the constants of the tangent
    # program, are tracers of `outer`, whose equations tell where each comes from.
    outer = StagingTrace(state.trace, name_of(fun))
    try:
        with installed(outer):
            inputs = [outer.input(a) for a in avals]
            _, program, _ = linearize_flat(flat, inputs, flat.name)
    finally:
        outer.finished = True
    names = {t.variable: argument_or_keyword((args, kwargs), i) for i, t in enumerate(inputs)}
    for eqn in outer.eqns:
        label = f"the result of {eqn.primitive.name}"
        if isinstance(eqn.primitive, Named):
            label = f"the value named {eqn.primitive.label!r}"
        file, line, _ = source_line(eqn.source)
        for v in eqn.outs:
            names[v] = f"{label} at {short_filename(file)}:{line}"
    residuals: dict[int, tuple[ShapedArray, str]] = {}
    for eqn in program.eqns:
        for v in eqn.inputs:
            value = v.value if type(v) is Literal else None
            if value is None or type(value) in SCALARS:
                continue
            mine = isinstance(value, StagingTracer) and value.owner is outer
            origin = names[value.variable] if mine else "a constant"
            # A residual that several equations read is one array, and listed once.
            residuals[id(value.variable if mine else value)] = (typeof(value), origin)
    return list(residuals.values())


def print_saved_residuals(fun: Callable, *args: Any, **kwargs: Any) -> None:
    """Print what `saved_residuals` finds, a line for each array.

    Examples:
        >>> import diffeo as dx
        >>> print_saved_residuals(lambda x, y: x * y, 1.0, dx.numpy.ones(()))
        f64[] argument 0
        f64[] argument 1
    """
    for aval, origin in saved_residuals(fun, *args, **kwargs):
        print(aval, origin)
