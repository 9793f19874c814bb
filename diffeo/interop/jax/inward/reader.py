"""A program of jax's, run equation by equation on diffeo's values.

`RULES` is the one table: the name of jax's primitive -> a rule, which takes the equation and the
values of its operands, and returns the result (a list, where the primitive has several). Rules are
entered by `rule` and `scalar_rule`, in the files beside this one. `evaluate` is the loop; start
there. A primitive that is not in the table is handed to `unknown` (see `foreign.py`).

Keys: a variable of jax's type `key<fry>[3]` has the words of its keys here, uint32[3, 2].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np
from jax.extend.core import primitives as known_primitives

from ....primitives.array import Array, as_value
from ....primitives.core import Value, state, with_user_line
from ....primitives.support.sources import HERE
from ....primitives.types import SCALARS, ShapedArray
from ....primitives.words.promotion import broadcast_to
from ....primitives.words.slicing import stack
from ....primitives.words.structural import convert_element_type

#: jax's settings and dtypes, of which type checkers know half.
settings: Any = jax.config
dtypes: Any = jax.dtypes

#: The table: name of a primitive -> (rule, whether operands may be Python scalars).
RULES: dict[str, tuple[Callable[..., Any], bool]] = {}

#: What is asked for a primitive that is not in the table.
unknown: Any = None

#: The folder of jax's own files.
_JAX = os.path.dirname(os.path.abspath(jax.__file__)) + os.sep


def rule(*names: str) -> Callable[[Callable], Callable]:
    """Enter a rule of these primitives: `rule(eqn, *operands)`; operands are arrays."""

    def enter(function: Callable) -> Callable:
        for name in names:
            RULES[name] = (function, False)
        return function

    return enter


def scalar_rule(*names: str) -> Callable[[Callable], Callable]:
    """Enter a rule of these primitives, among whose operands there may be Python scalars."""

    def enter(function: Callable) -> Callable:
        for name in names:
            RULES[name] = (function, True)
        return function

    return enter


# --------------------------------------------------------------------------------------------------
# Types and constants


def is_key(aval: Any) -> bool:
    """Return whether a type of jax's is that of keys."""
    return dtypes.issubdtype(aval.dtype, dtypes.prng_key)


def our_aval(aval: Any) -> ShapedArray:
    """Return a type of jax's as ours; that of the words, for keys."""
    if is_key(aval):
        words = jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(aval.shape, aval.dtype))
        return ShapedArray(words.shape, np.dtype(np.uint32))
    return ShapedArray(aval.shape, np.dtype(aval.dtype), bool(getattr(aval, "weak_type", False)))


def jax_aval(aval: ShapedArray) -> Any:
    """Return our type as jax's, for its tracing."""
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)


def our_constant(x: Any) -> Any:
    """Return a constant of a program of jax's as an array of ours."""
    if isinstance(x, jax.Array) and is_key(x):
        x = jax.random.key_data(x)
    if type(x) in SCALARS:
        return as_value(x)
    host = np.asarray(x)
    weak = bool(getattr(x, "weak_type", False))
    return Array(host, weak)


def _literal(v: Any, scalars: bool) -> Any:
    """Return the value of a literal: a Python scalar where the rule takes it, else an array."""
    aval, value = v.aval, v.val
    if not aval.shape and scalars and not is_key(aval) and aval.dtype.kind in "biufcV":
        return np.asarray(value).item()
    if is_key(aval):
        return our_constant(value)
    return Array(np.asarray(value, aval.dtype), bool(getattr(aval, "weak_type", False)))


def opened(program: Any) -> tuple[Any, Sequence[Any]]:
    """Return a program of jax's without its constants, and these."""
    return getattr(program, "jaxpr", program), list(getattr(program, "consts", ()))


# --------------------------------------------------------------------------------------------------
# Evaluation


def evaluate(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """Run a program of jax's on diffeo's values, in the current context.

    Args:
        jaxpr: the program, without constants.
        consts: the values of its constants, ours or jax's.
        args: the values of its inputs.
    """
    env: dict[Any, Any] = {}
    for v, c in zip(jaxpr.constvars, consts):
        env[v] = c if isinstance(c, Value) else our_constant(c)
    env.update(zip(jaxpr.invars, args))
    before = state.source
    try:
        for eqn in jaxpr.eqns:
            function, scalars = known(eqn.primitive)
            state.source = source_of(eqn) or before
            operands = [
                _literal(v, scalars) if isinstance(v, jex.Literal) else env[v] for v in eqn.invars
            ]
            out = apply(eqn, function, operands)
            env.update(zip(eqn.outvars, out if eqn.primitive.multiple_results else (out,)))
    finally:
        state.source = before
    return [_literal(v, False) if isinstance(v, jex.Literal) else env[v] for v in jaxpr.outvars]


def call(program: Any, args: Sequence[Any]) -> list[Any]:
    """Run a program of jax's, closed or without constants."""
    return evaluate(*opened(program), args)


def apply(eqn: Any, function: Callable, operands: list[Any]) -> Any:
    """Apply a rule. What only moves elements moves the two words of keys one after the other."""
    if eqn.primitive.name in MOVES and any([is_key(v.aval) for v in eqn.outvars]):
        keys = [is_key(v.aval) for v in eqn.invars]
        count = max([x.shape[-1] for x, k in zip(operands, keys) if k])
        words = [
            function(eqn, *[x[..., w] if k else x for x, k in zip(operands, keys)])
            for w in range(count)
        ]
        if eqn.primitive.multiple_results:
            return [stack(list(column), column[0].ndim) for column in zip(*words)]
        return stack(words, words[0].ndim)
    return function(eqn, *operands)


#: Primitives that only move elements, and so may be applied to keys.
MOVES = frozenset(
    (
        "broadcast_in_dim", "concatenate", "copy", "copy_p", "dynamic_slice",
        "dynamic_update_slice", "expand_dims", "gather", "reshape", "rev", "scatter", "select_n",
        "slice", "split", "squeeze", "stack", "tile", "transpose", "unstack",
    )
)  # fmt: skip


def known(primitive: Any) -> tuple[Callable[..., Any], bool]:
    """Return the rule for a primitive, and whether it takes Python scalars.

    Somebody else's primitive may have the name of one of jax's own.
    """
    entry = RULES.get(primitive.name)
    if entry is None:
        return unknown, False
    own = getattr(known_primitives, f"{primitive.name.replace('-', '_')}_p", primitive)
    return entry if own is primitive else (unknown, False)


def source_of(eqn: Any) -> Any:
    """Return the innermost line outside of jax and diffeo from which an equation came."""
    traceback = getattr(eqn.source_info, "traceback", None)
    if traceback is None:
        return None
    codes, instructions = traceback.raw_frames()
    for code, instruction in zip(codes, instructions):
        if not code.co_filename.startswith((_JAX, HERE)):
            return code, instruction
    return None


def refuse(eqn: Any, what: str) -> Exception:
    """Return the error for an equation that cannot be translated, with the user's line."""
    return with_user_line(
        NotImplementedError(f"from_jax: jax's primitive '{eqn.primitive.name}' {what}")
    )


def default_only(eqn: Any, **defaults: Any) -> None:
    """Refuse an option of an equation that has another value than its default."""
    for name, default in defaults.items():
        value = eqn.params.get(name, default)
        if value is not default and value != default:
            raise refuse(eqn, f"with {name}={value!r} is not translated; leave it {default!r}")


def to_shape(x: Value, shape: tuple[int, ...]) -> Any:
    """Return an array repeated to a shape along axes of size 1, which jax lets stand."""
    return x if x.shape == shape else broadcast_to(x, tuple(shape))


def to_dtype(x: Value, dtype: np.dtype) -> Any:
    """Return a value in another dtype."""
    dtype = np.dtype(dtype)
    return x if x.dtype == dtype else convert_element_type(x, dtype)
