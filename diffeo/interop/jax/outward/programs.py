"""The table of operations on programs: calls, loops, functions with rules, callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.experimental
import numpy as np
from jax import lax

from ....api.derivatives.autodiff import vjp
from ....operations.callbacks import DebugCallback, IoCallback, PureCallback
from ....primitives.core import Value
from ....primitives.jaxpr import Jaxpr
from ....primitives.staging import stage
from ....primitives.stand_ins import ZERO
from ....primitives.types import ShapedArray, is_inexact
from ....primitives.words.dot import DotGeneral
from ....programs.call import Call
from ....programs.cond import Cond
from ....programs.custom_call import CustomCall, CustomTangent
from ....programs.remat import Checkpoint
from ....programs.scan import Scan
from ....programs.while_loop import While
from ....transforms.jvp import jvp_flat
from ....trees import tree
from .in_jax import aval_of
from .writer import rule, run


@rule(Call)
def _call(p: Any, *args: Any) -> list[Any]:
    return run(p.jaxpr, args)


@rule(Cond)
def _cond(p: Cond, index: Any, *args: Any) -> list[Any]:
    branches = [lambda *xs, b=b: strong(run(b, xs), b.out_avals) for b in p.branches]
    # Out of range, the last one: for jax a negative index is the first.
    last = np.int32(len(branches) - 1)
    index = lax.select(index < 0, lax.full_like(index, last), index)
    return list(lax.switch(index, branches, *args))


def strong(values: Sequence[Any], avals: Sequence[ShapedArray]) -> list[Any]:
    """Return values in the dtypes that they have here, without weakness."""
    return [lax.convert_element_type(x, a.dtype) for x, a in zip(values, avals)]


@rule(Scan)
def _scan(p: Scan, *args: Any) -> list[Any]:
    consts, carry = args[: p.consts], args[p.consts : p.consts + p.carry]
    outs = p.jaxpr.out_avals

    def step(state: Any, slices: Any) -> tuple[Any, Any]:
        results = strong(run(p.jaxpr, [*consts, *state, *slices]), outs)
        return results[: p.carry], results[p.carry :]

    start = strong(carry, outs[: p.carry])
    xs = list(args[p.consts + p.carry :])
    state, ys = lax.scan(step, start, xs, p.length, p.reverse, p.unroll)
    return [*state, *ys]


@rule(While)
def _while(p: Any, *args: Any) -> list[Any]:
    tests, moves, carry = p.groups(args)
    outs = p.body.out_avals
    going = lambda state: run(p.cond, [*tests, *state])[0]
    step = lambda state: strong(run(p.body, [*moves, *state]), outs)
    return list(lax.while_loop(going, step, strong(carry, outs)))


@rule(Checkpoint)
def _checkpoint(p: Any, *args: Any) -> list[Any]:
    policy = None
    if p.policy is not None:
        policy = lambda prim, *avals, **params: p.policy(_ours(prim, params), *map(aval_of, avals))
    fun = jax.checkpoint(
        lambda *xs: run(p.jaxpr, xs), prevent_cse=bool(p.prevent_cse), policy=policy
    )
    return list(fun(*args))


def _ours(primitive: Any, params: Any) -> Any:
    """Return what a policy of ours is asked about, for a primitive of jax's."""
    if primitive.name == "dot_general":
        return DotGeneral(*params["dimension_numbers"])
    return primitive


# --------------------------------------------------------------------------------------------------
# Functions with rules of their own


def _inexact(avals: Sequence[ShapedArray]) -> list[int]:
    return [i for i, a in enumerate(avals) if is_inexact(a.dtype)]


@rule(CustomCall)
def _custom(p: Any, *args: Any) -> list[Any]:
    if p.rules.has_vjp:
        return _with_pullback(p, args)
    if p.rules.has_jvp:
        return _with_tangents(p, args)
    return run(p.jaxpr, args)


def _with_tangents(p: Any, args: Sequence[Any]) -> list[Any]:
    """A function whose derivative is the user's rule, staged for the types of the operands."""
    avals = [a.strong for a in p.jaxpr.in_avals]
    moving, outs = _inexact(avals), _inexact(p.jaxpr.out_avals)

    def pushed(*values: Any) -> list[Any]:
        primals, moves = values[: len(avals)], iter(values[len(avals) :])
        tangents = [next(moves) if i in moving else ZERO for i in range(len(avals))]
        results, ts = jvp_flat(p.bind, primals, tangents, p.rules.name)
        return [*results, *[_filled(ts[i], results[i]) for i in outs]]

    program = stage(pushed, [*avals, *[avals[i] for i in moving]], p.rules.name)
    fun = jax.custom_jvp(lambda *xs: strong(run(p.jaxpr, xs), p.jaxpr.out_avals))

    def jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
        results = run(program, [*primals, *[tangents[i] for i in moving]])
        values = results[: len(p.jaxpr.outs)]
        moves = dict(zip(outs, results[len(values) :]))
        zero = lambda x: np.zeros(x.shape, jax.dtypes.float0)
        return values, [moves[i] if i in moves else zero(x) for i, x in enumerate(values)]

    fun.defjvp(jvp)
    return list(fun(*args))


def _filled(t: Any, like: Value) -> Any:
    return like * 0 if t is ZERO else t


def _with_pullback(p: Any, args: Sequence[Any]) -> list[Any]:
    """A function with a forward and a backward rule."""
    avals = [a.strong for a in p.jaxpr.in_avals]
    moving, outs = _inexact(avals), _inexact(p.jaxpr.out_avals)
    structure: Any = None

    def there(*xs: Any) -> list[Any]:
        nonlocal structure

        def part(*some: Any) -> list[Any]:
            moves = dict(zip(moving, some))
            results = p.bind(*[moves.get(i, x) for i, x in enumerate(xs)])
            return [results[i] for i in outs], results  # type: ignore[return-value]

        _, pull, results = vjp(part, *[xs[i] for i in moving], has_aux=True)
        residuals, structure = tree.flatten(pull)
        return [*results, *residuals]

    forward = stage(there, avals, p.rules.name)
    kept = [a.strong for a in forward.out_avals[len(p.jaxpr.outs) :]]
    out_avals = [p.jaxpr.out_avals[i].strong for i in outs]
    back = lambda *vs: list(
        tree.unflatten(structure, vs[: len(kept)])(list(vs[len(kept) :]))
    )  # fmt: skip
    backward = stage(back, [*kept, *out_avals], p.rules.name)
    fun = jax.custom_vjp(lambda *xs: strong(run(p.jaxpr, xs), p.jaxpr.out_avals))

    def fwd(*xs: Any) -> tuple[Any, Any]:
        results = run(forward, xs)
        return strong(results[: len(p.jaxpr.outs)], p.jaxpr.out_avals), results[len(p.jaxpr.outs) :]

    def bwd(residuals: Any, cts: Any) -> tuple[Any, ...]:
        moves = dict(zip(moving, run(backward, [*residuals, *[cts[i] for i in outs]])))
        return tuple([moves.get(i) for i in range(len(avals))])

    fun.defvjp(fwd, bwd)
    return list(fun(*args))


@rule(CustomTangent)
def _custom_tangent(p: Any, *args: Any) -> list[Any]:
    return run(staged(p.fun, p.in_avals, str(p.rule)), args)


def staged(fun: Any, avals: Sequence[ShapedArray], name: str) -> Jaxpr:
    """Return a function of ours as a program."""
    return stage(lambda *xs: list(fun(*xs)), [a.strong for a in avals], name)


# --------------------------------------------------------------------------------------------------
# Callbacks


def _structs(p: Any) -> list[Any]:
    return [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in p.avals]


@rule(PureCallback)
def _pure_callback(p: Any, *args: Any) -> list[Any]:
    method = p.vmap_method
    return list(jax.pure_callback(_host(p), _structs(p), *args, vmap_method=method))


@rule(IoCallback)
def _io_callback(p: Any, *args: Any) -> list[Any]:
    from_host = jax.experimental.io_callback
    return list(from_host(_host(p), _structs(p), *args, ordered=p.ordered))


@rule(DebugCallback)
def _debug_callback(p: Any, *args: Any) -> list[Any]:
    jax.debug.callback(lambda *xs: p.call(*map(np.asarray, xs)) and None, *args)
    return []


def _host(p: Any) -> Any:
    return lambda *arrays: p.callback.function(*[np.asarray(a) for a in arrays])
