"""Rules for reading and writing at places that are known at run time only: gather, scatter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .... import lax
from ....api.vmap import vmap
from ....primitives.core import Value
from ....primitives.words.indexing import DynamicSlice, DynamicUpdateSlice
from ....primitives.words.structural import reshape
from .reader import evaluate, refuse, rule


def _mode(eqn: Any) -> str:
    """Return what happens out of bounds, in our words, which are jax's."""
    name = eqn.params["mode"].name
    names = {"CLIP": "clip", "FILL_OR_DROP": "fill", "PROMISE_IN_BOUNDS": "promise_in_bounds"}
    if name not in names:
        return "fill" if name == "ONE_HOT" else name.lower()
    return names[name]


def _ints(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([int(a) for a in axes])


@rule("gather")
def _gather(eqn: Any, x: Value, indices: Value) -> Any:
    p, n = eqn.params, eqn.params["dimension_numbers"]
    numbers = lax.GatherDimensionNumbers(
        _ints(n.offset_dims),
        _ints(n.collapsed_slice_dims),
        _ints(n.start_index_map),
        _ints(n.operand_batching_dims),
        _ints(n.start_indices_batching_dims),
    )
    fill = p.get("fill_value")
    return lax.gather(
        x,
        indices,
        numbers,
        _ints(p["slice_sizes"]),
        unique_indices=bool(p["unique_indices"]),
        indices_are_sorted=bool(p["indices_are_sorted"]),
        mode=_mode(eqn),
        fill_value=None if fill is None else np.asarray(fill).item(),
    )


_SCATTERS: dict[str, Callable[..., Any]] = {
    "scatter": lax.scatter, "scatter-add": lax.scatter_add, "scatter_add": lax.scatter_add,
    "scatter-mul": lax.scatter_mul, "scatter_mul": lax.scatter_mul,
    "scatter-min": lax.scatter_min, "scatter_min": lax.scatter_min,
    "scatter-max": lax.scatter_max, "scatter_max": lax.scatter_max,
    "scatter-sub": lax.scatter_sub, "scatter_sub": lax.scatter_sub,
}  # fmt: skip


@rule(*_SCATTERS)
def _scatter(eqn: Any, x: Any, indices: Any, updates: Any) -> Any:
    p, n = eqn.params, eqn.params["dimension_numbers"]
    numbers = lax.ScatterDimensionNumbers(
        _ints(n.update_window_dims),
        _ints(n.inserted_window_dims),
        _ints(n.scatter_dims_to_operand_dims),
        _ints(n.operand_batching_dims),
        _ints(n.scatter_indices_batching_dims),
    )
    promises = {
        "indices_are_sorted": bool(p["indices_are_sorted"]),
        "unique_indices": bool(p["unique_indices"]),
        "mode": _mode(eqn),
    }
    if eqn.primitive.name == "scatter" and p.get("update_jaxpr") is not None:
        return _applied(eqn, x, indices, updates, numbers, promises)
    return _SCATTERS[eqn.primitive.name](x, indices, updates, numbers, **promises)


def _applied(
    eqn: Any, x: Any, indices: Any, updates: Any, numbers: Any, promises: dict[str, Any]
) -> Any:
    """A scatter that combines what is there by a function of it alone: `scatter_apply`."""
    jaxpr, consts = eqn.params["update_jaxpr"], eqn.params.get("update_consts", ())
    if any([v in eqn_.invars for eqn_ in jaxpr.eqns for v in jaxpr.invars[1:]]):
        raise refuse(eqn, "with a function of the updates is not translated")
    if not jaxpr.eqns and jaxpr.outvars[0] is jaxpr.invars[-1]:
        return lax.scatter(x, indices, updates, numbers, **promises)

    def combine(old: Any) -> Any:
        # The program is one of scalars.
        each = vmap(lambda x: evaluate(jaxpr, consts, [x, x])[0])
        return reshape(each(reshape(old, (old.size,))), old.shape)

    shape = updates.shape
    return lax.scatter_apply(x, indices, combine, numbers, update_shape=shape, **promises)


@rule("dynamic_slice")
def _dynamic_slice(eqn: Any, x: Any, *starts: Any) -> Any:
    return DynamicSlice(_ints(eqn.params["slice_sizes"])).bind(x, *starts)


@rule("dynamic_update_slice")
def _dynamic_update_slice(eqn: Any, x: Any, update: Any, *starts: Any) -> Any:
    return DynamicUpdateSlice().bind(x, update, *starts)
