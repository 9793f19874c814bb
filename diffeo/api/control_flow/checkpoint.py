"""Rematerialization for users: `checkpoint`, its policies, and what reverse mode keeps.

Reverse mode keeps residuals: intermediate values of the forward pass that the backward pass reads.
A function under `checkpoint` computes most of them again instead (rematerialization). A policy
says which residuals are kept all the same. `saved_residuals` shows what is kept.
"""

from __future__ import annotations

import functools
import inspect
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
    prevent_cse: bool | Sequence[bool] = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Iterable[str] = (),
    concrete: bool = False,
) -> Callable:
    """Return a function whose intermediate values reverse mode computes again, and does not keep.

    This saves memory at the cost of a second evaluation. Results and derivatives are the same.

    Args:
        fun: a function of arrays or trees; without it, `checkpoint` returns a decorator.
        prevent_cse: keep the compiler from merging the second evaluation with the first, which
            would keep the values after all. False is right only where the compiler cannot do so,
            as in the body of a `scan`. A tuple with a flag for each argument (or a tree of flags
            for it) says it for the arguments that are not static.
        policy: which values are kept all the same: one of `checkpoint_policies`, or a function
            `policy(primitive, *types) -> bool`. By default only the arguments are kept.
        static_argnums: positions of arguments that are not traced.
        static_argnames: names of arguments that are not traced.
        concrete: refused unless False.

    Returns:
        A function with the same arguments and results.

    Raises:
        TypeError: if `fun` or `policy` cannot be called, or flags are no booleans.
        NotImplementedError: for `concrete`.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.checkpoint(lambda x: dx.numpy.sin(dx.numpy.sin(x)))
        >>> dx.grad(f)(1.0) == dx.grad(lambda x: dx.numpy.sin(dx.numpy.sin(x)))(1.0)
        Array(True)
    """
    options = {
        "prevent_cse": prevent_cse,
        "policy": policy,
        "static_argnums": static_argnums,
        "static_argnames": static_argnames,
    }
    if concrete:
        raise with_user_line(
            NotImplementedError(
                "checkpoint: concrete=True is not there any more; name the arguments that Python "
                "looks at in static_argnums"
            )
        )
    if fun is None:
        return functools.partial(checkpoint, **options)
    check_callable(fun, "checkpoint")
    if policy is not None:
        check_callable(policy, "checkpoint: policy")
    if not isinstance(prevent_cse, bool):
        prevent_cse = _flags(prevent_cse)
    names = {static_argnames} if isinstance(static_argnames, str) else set(static_argnames)

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        what = f"checkpoint of {name_of(fun)}"
        static = [*check_argnums(static_argnums, len(args), what), *_positions(fun, names, args)]
        if state.trace.eager:  # nothing is differentiated
            return fun(*args, **kwargs)
        dynamic = tuple([a for i, a in enumerate(args) if i not in static])
        fixed = {name: value for name, value in kwargs.items() if name in names}
        named = {name: value for name, value in kwargs.items() if name not in names}

        def of_arrays(dynamic: tuple, kwargs: dict) -> Any:
            """Call `fun` with the static arguments put back in their positions."""
            traced = iter(dynamic)
            full = [a if i in static else next(traced) for i, a in enumerate(args)]
            return fun(*full, **fixed, **kwargs)

        of_arrays.__name__ = name_of(fun)
        operands = (dynamic, named)
        leaves, structure = leaves_of(operands, f"{what}: arguments")
        staged = Staged(of_arrays, structure, [typeof(x) for x in leaves])
        spread = prevent_cse
        if not isinstance(prevent_cse, bool):
            like = operands if named else dynamic
            flags = tree.broadcast_prefix(prevent_cse, like)
            spread = (*[False] * len(staged.consts), *flags)
        call = Checkpoint(staged.jaxpr, policy=policy, prevent_cse=spread)
        return tree.unflatten(staged.out_tree, call.bind(*staged.consts, *leaves))

    make = functools.partial(checkpoint, **options)
    return Transformed(fun, checkpointed, make, fun)


def _flags(prevent_cse: Any) -> tuple:
    """Return flags for the arguments as a tuple; raise TypeError if they are no booleans."""
    flags = tuple(prevent_cse) if isinstance(prevent_cse, (tuple, list)) else None
    if flags is None or not all([isinstance(f, bool) for f in tree.leaves(flags)]):
        raise with_user_line(
            TypeError(
                "checkpoint: prevent_cse is a boolean, or a tuple with a boolean for each "
                f"argument, got {describe(prevent_cse)}"
            )
        )
    return flags


def _positions(fun: Callable, names: Iterable[str], args: Sequence[Any]) -> list[int]:
    """Return the positions at which arguments with some names were passed."""
    if not names:
        return []
    parameters = list(inspect.signature(fun).parameters)
    return [i for i, name in enumerate(parameters[: len(args)]) if name in names]


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
    everything else again saves most of the memory. Offloading to the host is refused.
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
    def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
        """Keep what either of two policies keeps."""
        return lambda primitive, *avals: policy_1(primitive, *avals) or policy_2(primitive, *avals)

    @staticmethod
    def save_and_offload_only_these_names(
        *,
        names_which_can_be_saved: Iterable[str],
        names_which_can_be_offloaded: Iterable[str],
        offload_src: str,
        offload_dst: str,
    ) -> Policy:
        """Raise NotImplementedError: values stay where they are computed."""
        raise _no_offloading("save_and_offload_only_these_names", "save_only_these_names(*names)")

    @staticmethod
    def offload_dot_with_no_batch_dims(offload_src: str, offload_dst: str) -> Policy:
        """Raise NotImplementedError: values stay where they are computed."""
        raise _no_offloading("offload_dot_with_no_batch_dims", "dots_with_no_batch_dims_saveable")


def _no_offloading(name: str, instead: str) -> Exception:
    return with_user_line(
        NotImplementedError(
            f"checkpoint_policies.{name}: residuals stay on the device that computes them, and are "
            f"not offloaded to the host; checkpoint_policies.{instead} keeps the same values there"
        )
    )


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
