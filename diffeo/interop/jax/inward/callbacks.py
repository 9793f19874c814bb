"""Rules for callbacks: Python functions that a program calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ....operations.callbacks import DebugCallback, HostFunction, IoCallback, PureCallback
from ....primitives.core import state
from ....primitives.types import ShapedArray
from .reader import default_only, our_aval, rule


def _function(eqn: Any, function: Callable[..., Any], results: bool = True) -> HostFunction:
    """Return a callback of jax's, of flat arrays, as a function of the host's."""

    def called(*arrays: np.ndarray) -> Sequence[Any]:
        outs = function(*[np.asarray(a) for a in arrays])
        return [np.asarray(o) for o in jax.tree_util.tree_leaves(outs)] if results else ()

    inner = getattr(function, "callback_func", function)
    name = getattr(inner, "__name__", eqn.primitive.name)
    return HostFunction(called, name, source=state.source, operands=len(eqn.invars))


def _results(eqn: Any) -> tuple[ShapedArray, ...]:
    return tuple([our_aval(a).strong for a in eqn.params["result_avals"]])


@rule("pure_callback")
def _pure_callback(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    default_only(eqn, sharding=None)
    function = _function(eqn, p["callback"])
    return list(PureCallback(function, _results(eqn), p["vmap_method"]).bind(*args))


@rule("io_callback")
def _io_callback(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    default_only(eqn, sharding=None)
    function = _function(eqn, p["callback"])
    return list(IoCallback(function, _results(eqn), bool(p["ordered"])).bind(*args))


@rule("debug_callback")
def _debug_callback(eqn: Any, *args: Any) -> list[Any]:
    DebugCallback(_function(eqn, eqn.params["callback"], False), ()).bind(*args)
    return []


@rule("debug_print")
def _debug_print(eqn: Any, *args: Any) -> list[Any]:
    p = eqn.params
    static = dict(p.get("static_args", ()))

    def shown(*arrays: np.ndarray) -> None:
        values = iter(arrays)
        count = len(arrays) + len(static)
        leaves = [static[i] if i in static else next(values) for i in range(count)]
        positional, named = jax.tree_util.tree_unflatten(p["in_tree"], leaves)
        with np.printoptions(**_options(p.get("np_printoptions", ()))):
            print(p["fmt"].format(*positional, **named), flush=True)

    DebugCallback(_function(eqn, shown, False), ()).bind(*args)
    return []


def _options(pairs: Any) -> dict[str, Any]:
    return {k: v for k, v in pairs if k != "override_repr"}


@rule("device_put")
def _device_put(eqn: Any, *xs: Any) -> list[Any]:
    # Which device it is on does not change a value, and jax's devices are not ours.
    return list(xs)


@rule("sharding_constraint", "pvary", "pcast")
def _same(eqn: Any, *xs: Any) -> Any:
    return list(xs) if eqn.primitive.multiple_results else xs[0]
