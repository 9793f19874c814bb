"""A program of diffeo's, run equation by equation on jax's values.

`RULES` is the one table: the class of our primitive (or a row, for elementwise functions) -> a
function of the primitive and jax's values, which calls `jax.lax`. `run` is the loop; start there.
A primitive that is not in the table keeps our own rules in jax, see `in_jax.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ....primitives.core import Value, state
from ....primitives.jaxpr import Jaxpr, Var
from ....primitives.support.key_types import KeyType
from ....primitives.types import SCALARS, ShapedArray
from ....routines.keys import key_words

#: The table: class of a primitive, or an elementwise row -> `rule(primitive, *values)`.
RULES: dict[Any, Callable[..., Any]] = {}

#: What is asked for a primitive that is not in the table.
others: Any = None


def rule(*kinds: Any) -> Callable[[Callable], Callable]:
    """Enter a rule of these classes or rows."""

    def enter(function: Callable) -> Callable:
        for kind in kinds:
            RULES[kind] = function
        return function

    return enter


def run(jaxpr: Jaxpr, args: Sequence[Any]) -> list[Any]:
    """Run a program on jax's arrays or tracers.

    Args:
        jaxpr: the program.
        args: a value of jax's for each input.
    """
    env: dict[Any, Any] = {}
    for v, c in zip(jaxpr.const_vars, jaxpr.consts):
        env[v] = jax_constant(c)
    env.update(zip(jaxpr.in_vars, args))
    before = state.source
    try:
        for eqn in jaxpr.eqns:
            state.source = eqn.source
            primitive = eqn.primitive
            values = [env[v] if type(v) is Var else _literal(v.value) for v in eqn.inputs]
            values = filled(values)
            function = find(primitive)
            out = others(primitive, *values) if function is None else function(primitive, *values)
            env.update(zip(eqn.outs, out if primitive.multiple_results else (out,)))
    finally:
        state.source = before
    return [env[v] if type(v) is Var else _literal(v.value) for v in jaxpr.outs]


def find(primitive: Any) -> Callable[..., Any] | None:
    """Return the rule of a primitive, or None."""
    try:
        entry = RULES.get(primitive)
    except TypeError:  # parameters without a hash
        entry = None
    return entry or RULES.get(type(primitive))


def jax_constant(x: Any) -> Any:
    """Return a constant of a program of ours as jax's."""
    if isinstance(x, Value) and type(x.aval.dtype) is KeyType:
        words: Any = np.asarray(key_words(x))
        return jax.random.wrap_key_data(words, impl=x.aval.dtype.impl)
    return np.asarray(x)


def _literal(x: Any) -> Any:
    return x if type(x) in SCALARS else jax_constant(x)


def filled(values: list[Any]) -> list[Any]:
    """Return Python scalars among arrays as arrays of their shape and dtype."""
    like = next((x for x in values if type(x) not in SCALARS), None)
    plain = [type(x) in SCALARS for x in values]
    if like is None or not any(plain):
        return [jnp.asarray(x) for x in values] if any(plain) else values
    if like.dtype == np.bool_ and len(values) == 3:  # the predicate of a choice
        like = next((x for x, p in zip(values[1:], plain[1:]) if not p), like)
    return [lax.full(like.shape, x, like.dtype) if p else x for x, p in zip(values, plain)]


def struct(aval: ShapedArray) -> Any:
    """Return shape and dtype of a type."""
    return aval.shape, aval.dtype
