"""Operations on arrays that are at home on their device: in eager mode, too, these are computed
there, an accelerator's each by a program of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..lowering.devices.devices import Device
from ..lowering.devices.placement import home_of, put_on
from ..primitives.array import Array
from ..primitives.core import Primitive, with_user_line
from ..primitives.families import HigherOrder
from ..primitives.staging import exact_key, stage
from ..primitives.support.exact import Exact
from ..primitives.types import SCALARS, ShapedArray
from ..primitives.words.indexing import DynamicSlice
from ..primitives.words.slicing import Slice
from ..primitives.words.structural import broadcast_in_dim
from .run import check, compiled, run_program
from .runner import Runner


def evaluate(trace: Any, primitive: Any, args: Sequence[Any]) -> Any:
    """Evaluate an operation some of whose operands are to stay on their device, as its results do.

    Where the device is the host, and where Python is called, NumPy computes as elsewhere. On an
    accelerator, a primitive is compiled as a program of one equation.
    """
    place = home_of([a for a in args if type(a) is Array], primitive.name)
    if place.device.on_host or primitive.calls_python:
        hosts = [Array(a.host, a.weak_type) if type(a) is Array else a for a in args]
        if primitive.holds_programs:
            outs = primitive.evaluate(partial(run_program, place=place), hosts)
        else:
            outs = trace.process(primitive, hosts)
        if primitive.multiple_results:
            return [put_on(o, place) for o in outs]
        return put_on(outs, place)
    if primitive.holds_programs:
        return HigherOrder.evaluate(primitive, partial(run_program, place=place), args)
    check(primitive, args)
    if type(primitive) is Slice:
        primitive, args = _item(primitive, args[0])
    outs = single_program(primitive, args, place.device).run(_as_arrays(args), place.commits)
    return outs if primitive.multiple_results else outs[0]


def single_program(primitive: Primitive, args: Sequence[Any], device: Device) -> Runner:
    """Return the program of one primitive for operands like these, compiled once.

    Python scalars among them are its operands, too: one program serves all numbers.
    """
    kinds = tuple([type(a) if type(a) in SCALARS else a.aval for a in args])
    return single_program_for(exact_key(primitive), kinds, device)


def _item(primitive: Slice, x: Array) -> tuple[Any, Sequence[Any]]:
    """Return what takes `x[i]`, with the places as operands, so that one program serves all of
    them.

    Any other slice is returned as it is: along each axis it must take one element, or all of them.
    """
    spans = list(zip(x.shape, primitive.starts, primitive.limits, primitive.strides))
    wholes = [limit - start == n for n, start, limit, _ in spans]
    items = [limit - start == 1 for _, start, limit, _ in spans]
    if all(wholes) or not all([a or b for a, b in zip(wholes, items)]):
        return primitive, [x]
    sizes = tuple([limit - start for _, start, limit, _ in spans])
    places = [Array(np.asarray(start, np.int64)) for start in primitive.starts]
    return DynamicSlice(sizes), [x, *places]


@lru_cache(maxsize=4096)
def single_program_for(key: Any, kinds: tuple, device: Device) -> Runner:
    """Compile the program of `single_program`, given what tells such programs apart."""
    primitive, like = key.value if type(key) is Exact else key, _last_aval(kinds)

    def single(*xs: Any) -> Sequence[Any]:
        operands = [
            broadcast_in_dim(x, like.shape, ()) if kind in SCALARS and like.shape else x
            for x, kind in zip(xs, kinds)
        ]
        out = primitive.bind(*operands)
        return out if primitive.multiple_results else [out]

    scalar = ShapedArray((), like.dtype, True)
    avals = [scalar if kind in SCALARS else kind for kind in kinds]
    return compiled(stage(single, avals, primitive.name), device)


def _last_aval(kinds: Sequence[Any]) -> ShapedArray:
    """Return the type that Python scalars among the operands take."""
    return next(k for k in reversed(kinds) if k not in SCALARS)


def _as_arrays(args: Sequence[Any]) -> list[Array]:
    """Return operands with Python scalars as arrays of the others' dtype."""
    dtype = next(a.dtype for a in reversed(args) if type(a) not in SCALARS)
    try:
        return [Array(np.asarray(a, dtype)) if type(a) in SCALARS else a for a in args]
    except (OverflowError, TypeError) as error:
        raise with_user_line(error) from None
