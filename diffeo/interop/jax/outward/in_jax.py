"""Primitives of ours that `jax.lax` does not have: special functions, decompositions of matrices,
products for infinite derivatives.

They are one primitive of jax's, `diffeo_p`, which has ours as a parameter, and whose rules ask
ours: a derivative, transpose or batch is staged to a program of ours and written for jax, and the
text that we compile is called from jax's module. So such a function has under jax the derivatives
that it has here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.core
import numpy as np
from jax.extend.core import Primitive as Primitive_of_jax
from jax.interpreters import ad, batching, mlir

from ....lowering.executables import prepare
from ....lowering.text.module import lower_module
from ....primitives.core import Primitive, with_user_line
from ....primitives.jaxpr import Jaxpr, infer
from ....primitives.partial import one_equation
from ....primitives.staging import stage
from ....primitives.stand_ins import ZERO, LinearInput
from ....primitives.types import ShapedArray, is_inexact
from ....transforms.jvp import jvp_flat
from . import writer
from .writer import run

diffeo_p = Primitive_of_jax("diffeo")
diffeo_p.multiple_results = True


def aval_of(x: Any) -> ShapedArray:
    """Return our type, without weakness, of a value or a type of jax's."""
    x = x if hasattr(x, "shape") else jax.typeof(x)
    return ShapedArray(tuple(x.shape), np.dtype(x.dtype))


def _listed(primitive: Primitive, out: Any) -> list[Any]:
    return list(out) if primitive.multiple_results else [out]


@lru_cache(maxsize=4096)
def _tangents(
    primitive: Primitive, avals: tuple[ShapedArray, ...], moving: tuple[int, ...]
) -> tuple[Jaxpr, list[bool]]:
    """Return (operands, tangents) -> (results, tangents that are not zero); and which are not."""
    there: list[bool] = []

    def pushed(*values: Any) -> list[Any]:
        primals, moves = values[: len(avals)], iter(values[len(avals) :])
        tangents = [next(moves) if i in moving else ZERO for i in range(len(avals))]
        bind = lambda *xs: _listed(primitive, primitive.bind(*xs))
        outs, ts = jvp_flat(bind, primals, tangents, primitive.name)
        there[:] = [t is not ZERO for t in ts]
        return [*outs, *[t for t in ts if t is not ZERO]]

    staged = stage(pushed, [*avals, *[avals[i] for i in moving]], primitive.name)
    return staged, there


@lru_cache(maxsize=4096)
def _transposed(
    primitive: Primitive,
    avals: tuple[ShapedArray, ...],
    linear: tuple[bool, ...],
    outs: tuple[ShapedArray, ...],
    nonzero: tuple[bool, ...],
) -> tuple[Jaxpr, list[bool]]:
    """Return (known operands, cotangents) -> cotangents of the linear ones that are not zero."""
    there: list[bool] = []

    def back(*values: Any) -> list[Any]:
        some = iter(values)
        args = [LinearInput(a) if lin else next(some) for a, lin in zip(avals, linear)]
        cts = [next(some) if flag else ZERO for flag in nonzero]
        found = primitive.transpose(cts if primitive.multiple_results else cts[0], *args)
        moved = [c for c, lin in zip(found, linear) if lin]
        there[:] = [c is not ZERO and c is not None for c in moved]
        return [c for c, flag in zip(moved, there) if flag]

    known = [a for a, lin in zip(avals, linear) if not lin]
    given = [o for o, flag in zip(outs, nonzero) if flag]
    return stage(back, [*known, *given], primitive.name), there


@lru_cache(maxsize=4096)
def _batched(
    primitive: Primitive, avals: tuple[ShapedArray, ...], dims: tuple[Any, ...], size: int
) -> tuple[Jaxpr, list[Any]]:
    """Return the program over a batch, and the batch axes of its results."""
    axes: list[Any] = []

    def over(*values: Any) -> list[Any]:
        outs, places = primitive.batch(size, values, dims)
        axes[:] = places if primitive.multiple_results else [places]
        return _listed(primitive, outs)

    return stage(over, avals, primitive.name), axes


def _avals(args: Sequence[Any]) -> tuple[ShapedArray, ...]:
    return tuple(map(aval_of, args))


@diffeo_p.def_abstract_eval
def _abstract(*avals: Any, ours: Primitive) -> list[Any]:
    outs = _listed(ours, infer(ours, _avals(avals)))
    return [jax.core.ShapedArray(o.shape, o.dtype) for o in outs]


@diffeo_p.def_impl
def _impl(*args: Any, ours: Primitive) -> list[Any]:
    return _compiled(ours)(*args)


@lru_cache(maxsize=4096)
def _compiled(primitive: Primitive) -> Callable[..., list[Any]]:
    return jax.jit(partial(diffeo_p.bind, ours=primitive))


def _jvp(primals: Any, tangents: Any, *, ours: Primitive) -> tuple[list[Any], list[Any]]:
    avals = _avals(primals)
    moving = tuple([
        i for i, t in enumerate(tangents)
        if type(t) is not ad.Zero and is_inexact(avals[i].dtype)
    ])  # fmt: skip
    program, there = _tangents(ours, avals, moving)
    results = run(program, [*primals, *[tangents[i] for i in moving]])
    outs, moves = results[: len(there)], iter(results[len(there) :])
    zero = lambda o: ad.Zero(jax.core.ShapedArray(o.shape, _tangent_dtype(o)))
    return outs, [next(moves) if flag else zero(o) for flag, o in zip(there, outs)]


def _tangent_dtype(x: Any) -> Any:
    return x.dtype if is_inexact(np.dtype(x.dtype)) else jax.dtypes.float0


def _transpose(cts: Any, *args: Any, ours: Primitive) -> list[Any]:
    linear = tuple([ad.is_undefined_primal(a) for a in args])
    avals = tuple([aval_of(a.aval if lin else a) for a, lin in zip(args, linear)])
    nonzero = tuple([type(c) is not ad.Zero for c in cts])
    if not any(nonzero):
        return [ad.Zero(a.aval) if lin else None for a, lin in zip(args, linear)]
    outs = tuple([aval_of(c.aval if type(c) is ad.Zero else c) for c in cts])
    program, there = _transposed(ours, avals, linear, outs, nonzero)
    known = [a for a, lin in zip(args, linear) if not lin]
    moved = iter(run(program, [*known, *[c for c, flag in zip(cts, nonzero) if flag]]))
    flags = iter(there)
    return [
        (next(moved) if next(flags) else ad.Zero(a.aval)) if lin else None
        for a, lin in zip(args, linear)
    ]


def _batch(args: Any, dims: Any, *, ours: Primitive) -> tuple[list[Any], list[Any]]:
    places = [None if d is None else int(d) for d in dims]
    size = next(a.shape[d] for a, d in zip(args, places) if d is not None)
    program, axes = _batched(ours, _avals(args), tuple(places), size)
    return run(program, args), list(axes)


def _lower(ctx: Any, *values: Any, ours: Primitive) -> Any:
    avals = _avals(ctx.avals_in)
    outs = _listed(ours, infer(ours, avals))
    platforms = ctx.platforms or ctx.module_context.platforms
    module = lower_module(one_equation(ours, avals, outs), platforms[0])
    if module.functions:
        raise with_user_line(
            NotImplementedError(
                f"to_jax: the primitive '{ours.name}' calls Python, and stands in a program of "
                "jax's only as a callback"
            )
        )
    prepare(module.text)
    ir = mlir.ir
    parsed = ir.Module.parse(module.text, context=ctx.module_context.context)
    types = next(_result_types(op) for op in parsed.body.operations if _is_main(op))
    name = mlir.merge_mlir_modules(ctx.module_context.module, f"diffeo_{ours.name}", parsed)
    called = ir.Operation.create(
        "func.call",
        results=types,
        operands=list(values),
        attributes={"callee": ir.FlatSymbolRefAttr.get(name)},
    )
    return list(called.results)


def _is_main(op: Any) -> bool:
    """Return whether an operation of a module is its function `main`."""
    return "sym_name" in op.attributes and "main" in str(op.attributes["sym_name"])


def _result_types(op: Any) -> list[Any]:
    ir = mlir.ir
    return list(ir.FunctionType(ir.TypeAttr(op.attributes["function_type"]).value).results)


ad.primitive_jvps[diffeo_p] = _jvp
ad.primitive_transposes[diffeo_p] = _transpose
batching.primitive_batchers[diffeo_p] = _batch
mlir.register_lowering(diffeo_p, _lower)


def _other(primitive: Primitive, *values: Any) -> Any:
    """The rule of a primitive that is not in the table."""
    outs = diffeo_p.bind(*values, ours=primitive)
    return outs if primitive.multiple_results else outs[0]


writer.others = _other
