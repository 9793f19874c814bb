"""Rules for operations on programs: calls, conditionals, loops, linear systems."""

from __future__ import annotations

from typing import Any

import jax.extend.core.primitives as jax_primitives

from ....api.control_flow.checkpoint import checkpoint
from ....api.control_flow.conditionals import switch
from ....api.control_flow.implicit import custom_linear_solve
from ....api.control_flow.loops import scan, while_loop
from ....lowering.devices.devices import default_backend
from ....operations.identity import Named
from ....primitives.constants import full
from ....primitives.core import typeof
from ....primitives.types import int32
from ....primitives.words.dot import DotGeneral
from ....primitives.words.elementwise import select
from ....primitives.words.reduction import reduce_or
from ....primitives.words.structural import broadcast_in_dim, convert_element_type
from ....programs.call import split_list
from .reader import call, jax_aval, our_aval, refuse, rule


def settled(values: Any, avals: Any) -> list[Any]:
    """Return values with the dtypes and the weakness that jax says they have."""
    out = []
    for x, aval in zip(values, avals):
        ours = our_aval(aval)
        out.append(x if typeof(x) is ours else convert_element_type(x, ours.dtype, ours.weak_type))
    return out


@rule("jit", "pjit", "closed_call", "core_call", "call", "core_closed_call", "custom_lin")
def _call(eqn: Any, *args: Any) -> list[Any]:
    program = eqn.params.get("jaxpr") or eqn.params.get("call_jaxpr")
    if program is None:
        raise refuse(eqn, "has no program")
    return call(program, args)


@rule("composite")
def _composite(eqn: Any, *args: Any) -> list[Any]:
    return call(eqn.params.get("jaxpr") or eqn.params["call_jaxpr"], args)


@rule("cond")
def _cond(eqn: Any, index: Any, *operands: Any) -> list[Any]:
    outs = [v.aval for v in eqn.outvars]
    branches = [
        lambda *xs, branch=branch: settled(call(branch, xs), outs)
        for branch in eqn.params["branches"]
    ]
    if len(branches) == 1:
        return branches[0](*operands)
    if index.dtype.kind == "b":
        index = convert_element_type(index, int32)
    return switch(index, branches, *operands)


@rule("while")
def _while(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    tests, moves, carry = split_list(args, p["cond_nconsts"], p["body_nconsts"])
    avals = [v.aval for v in eqn.outvars]
    test = lambda state: call(p["cond_jaxpr"], [*tests, *state])[0]
    step = lambda state: settled(call(p["body_jaxpr"], [*moves, *state]), avals)
    inner = getattr(p["cond_jaxpr"], "jaxpr", p["cond_jaxpr"])
    axes = tuple(range(len(inner.outvars[0].aval.shape)))
    if not axes:
        return while_loop(test, step, settled(carry, avals))

    # jax's vmap leaves one condition for each row: those that are done stay as they are.
    def kept(state: Any) -> list[Any]:
        goes, results = test(state), step(state)
        spread = [broadcast_in_dim(goes, x.shape, axes) for x in state]
        return [select(flag, new, old) for flag, new, old in zip(spread, results, state)]

    return while_loop(lambda state: reduce_or(test(state), axes), kept, settled(carry, avals))


@rule("scan")
def _scan(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    if "num_carry" in p:
        counts = p["num_consts"], p["num_carry"]
    else:
        counts = len(p["ft_in"].unpack()[0]), len(p["ft_in"].unpack()[1])
    consts, carry, xs = split_list(args, *counts)
    program, count = p["jaxpr"], counts[1]
    inner = getattr(program, "jaxpr", program)
    avals = [v.aval for v in inner.outvars]

    def step(state: Any, slices: Any) -> tuple[Any, Any]:
        outs = settled(call(program, [*consts, *state, *slices]), avals)
        return outs[:count], outs[count:]

    options = {"reverse": bool(p["reverse"]), "unroll": p.get("unroll", 1)}
    state, ys = scan(step, settled(carry, avals[:count]), list(xs), int(p["length"]), **options)
    return [*state, *ys]


@rule("remat", "remat2", "checkpoint")
def _checkpoint(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    policy = p.get("policy")
    kept = None if policy is None else _policy(policy)
    cse = p.get("prevent_cse", True)
    fun = checkpoint(
        lambda *xs: call(p["jaxpr"], xs),
        policy=kept,
        prevent_cse=any(cse) if isinstance(cse, (tuple, list)) else bool(cse),
    )
    return list(fun(*args))


def _policy(policy: Any) -> Any:
    """Return a policy of jax's as one of ours; it is asked about jax's primitive of the kind."""

    def ours(primitive: Any, *avals: Any) -> bool:
        theirs, params = getattr(jax_primitives, f"{primitive.name}_p", None), {}
        if isinstance(primitive, DotGeneral):
            params = {"dimension_numbers": (primitive.contract, primitive.batch_dims)}
        elif isinstance(primitive, Named):
            theirs, params = jax_primitives.name_p, {"name": primitive.label}
        if theirs is None:
            return False
        answer = policy(theirs, *map(jax_aval, avals), **params)
        return answer if isinstance(answer, bool) else "Saveable" in repr(answer)

    return ours


@rule("linear_solve", "custom_linear_solve")
def _linear_solve(eqn: Any, *args: Any) -> list[Any]:
    lengths, jaxprs = eqn.params["const_lengths"], eqn.params["jaxprs"]
    *consts, b = split_list(args, *lengths)
    product, _, forward, back = [
        None if j is None else (lambda *vs, j=j, c=c: call(j, [*c, *vs]))
        for j, c in zip(jaxprs, consts)
    ]
    outs = getattr(jaxprs.solve, "jaxpr", jaxprs.solve).outvars
    aux = len(outs) > len(b)

    def pair(values: list[Any]) -> Any:
        return (values[: len(b)], values[len(b) :]) if aux else values

    out = custom_linear_solve(
        lambda x: product(*x),  # type: ignore[misc]
        list(b),
        lambda _, y: pair(forward(*y)),  # type: ignore[misc]
        None if back is None else lambda _, y: pair(back(*y)),
        has_aux=aux,
    )
    return [*out[0], *out[1]] if aux else list(out)


@rule("platform_index")
def _platform_index(eqn: Any) -> Any:
    """Return which of several groups of platforms has ours: what `platform_dependent` asks."""
    platform = default_backend()
    groups = eqn.params["platforms"]
    names = {"gpu": ("gpu", "cuda", "rocm")}.get(platform, (platform,))
    for i, group in enumerate(groups):
        if group is None or any([n in group for n in names]):
            return full((), i, int32)
    raise refuse(eqn, f"has no choice for {platform}, only for {groups}")
