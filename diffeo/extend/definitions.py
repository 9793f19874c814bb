"""A primitive of jax's kind: an object with a name, to which rules are given one by one.

Here it becomes one of diffeo's. A `Definition` is what the user holds; each choice of parameters is
an `Applied`, a primitive by the contract of `primitives/core.py`, whose methods look the rules up
in the tables below. `diffeo.interpreters` shows these tables under jax's names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..lowering.text.stablehlo import Builder
from ..primitives.array import Array, as_value
from ..primitives.core import Primitive, Value, state, typeof, with_user_line
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.exact import exactly_equal
from ..primitives.support.foreign import float0
from ..primitives.types import ShapedArray, is_inexact
from ..primitives.words.elementwise import add

#: The rules of derivatives: (primals, tangents, **params) -> result, its tangent.
primitive_jvps: dict[Definition, Callable] = {}
#: The rules of transposition: (ct, *operands, **params) -> the operands' cotangents.
primitive_transposes: dict[Definition, Callable] = {}
#: The rules of batching: (operands, axes, **params) -> result, its axis.
primitive_batchers: dict[Definition, Callable] = {}
#: The rules of lowering, by platform; None for all. A rule has `lower(ctx, applied, values)`.
lowerings: dict[tuple[Definition, str | None], Any] = {}


class Zero:
    """A tangent or cotangent known to be zero, with its type.

    Args:
        aval: the type.

    Examples:
        >>> import numpy as np
        >>> from diffeo.interpreters import ad
        >>> ad.instantiate_zeros(ad.Zero.from_primal_value(np.ones(2)))
        Array([0., 0.])
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    @staticmethod
    def from_primal_value(x: Value) -> Zero:
        """Return the zero tangent of an array."""
        return Zero(tangent_type(typeof(x)))

    instantiate_from_primal = from_primal_value

    def instantiate(self) -> Any:
        """Return the zeros as an array."""
        if self.aval.dtype == float0:
            return np.zeros(self.aval.shape, float0)
        return as_value(np.zeros(self.aval.shape, self.aval.dtype))

    def __repr__(self) -> str:
        return f"Zero({self.aval})"


class UndefinedPrimal:
    """What a rule of transposition gets in place of a linear operand: its type alone."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"UndefinedPrimal({self.aval})"


def tangent_type(aval: ShapedArray) -> ShapedArray:
    """Return the type of the tangents of arrays of a type: float0 for integers and booleans."""
    return aval.strong if is_inexact(aval.dtype) else ShapedArray(aval.shape, float0)


class Definition:
    """A primitive that is defined as in `jax.extend.core`: a name, then rules one by one.

    Rules of derivatives, batching and lowering are given through `diffeo.interpreters`.

    Args:
        name: the name, for printed programs and messages.

    Raises:
        NotImplementedError: when it is used, for a rule that has not been given.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> from diffeo.extend.core import Primitive
        >>> from diffeo.interpreters import ad, batching, mlir
        >>> triple_p = Primitive("triple")
        >>> @triple_p.def_impl
        ... def triple_impl(x):
        ...     return 3 * np.asarray(x)
        >>> @triple_p.def_abstract_eval
        ... def triple_type(x):
        ...     return dx.ShapedArray(x.shape, x.dtype)
        >>> ad.deflinear2(triple_p, lambda ct, x: [triple_p.bind(ct)])
        >>> batching.defvectorized(triple_p)
        >>> mlir.register_lowering(triple_p, mlir.lower_fun(lambda x: 3 * x, False)) and None
        >>> dx.jit(dx.vmap(dx.grad(triple_p.bind)))(np.ones(2))
        Array([3., 3.])
    """

    #: `bind` returns a list.
    multiple_results = False
    #: It has effects, so it is never left out, and the order is kept.
    effectful = False
    call_primitive = map_primitive = False

    def __init__(self, name: str):
        self.name = name
        self._impl: Callable | None = None
        self._type: Callable | None = None

    def __repr__(self) -> str:
        return self.name

    def def_impl(self, impl: Callable) -> Callable:
        """Give the function that computes the result on arrays, and return it."""
        self._impl = impl
        return impl

    def def_abstract_eval(self, abstract_eval: Callable) -> Callable:
        """Give the function that computes the result's type, or list of types, and return it."""
        self._type = abstract_eval
        return abstract_eval

    def def_effectful_abstract_eval(self, effectful_abstract_eval: Callable) -> Callable:
        """Give a function that returns (types, effects). Every use counts as having an effect."""
        self._type = lambda *avals, **params: effectful_abstract_eval(*avals, **params)[0]
        self.effectful = True
        return effectful_abstract_eval

    def impl(self, *args: Any, **params: Any) -> Any:
        """Compute the result on arrays, by the function that was given."""
        if self._impl is None:
            raise with_user_line(
                NotImplementedError(
                    f"the primitive '{self.name}' has no rule for evaluation: give it with def_impl"
                )
            )
        return self._impl(*args, **params)

    def abstract_eval(self, *avals: Any, **params: Any) -> Any:
        """Return the result's type, or list of types, by the function that was given."""
        if self._type is None:
            raise with_user_line(
                NotImplementedError(
                    f"the primitive '{self.name}' has no rule for abstract evaluation (staging): "
                    "give it with def_abstract_eval"
                )
            )
        return self._type(*avals, **params)

    def bind(self, *args: Any, **params: Any) -> Any:
        """Apply the primitive to arrays, with parameters: return its result, or list of results."""
        values = [a if isinstance(a, Value) else as_value(a) for a in args]
        applied = Applied(self, Parameters(params))
        if state.trace.eager:  # without a type: evaluation asks for one
            out = self.impl(*values, **params)
            return [as_value(o) for o in out] if self.multiple_results else as_value(out)
        return state.trace.process(applied, values)

    def get_bind_params(self, params: Mapping[str, Any]) -> tuple[list, dict[str, Any]]:
        """Return (functions, parameters) with which `bind` is called again: no functions."""
        return [], dict(params)


class Parameters(dict):
    """Static parameters by name, which hash: by value if all of them do, else by identity."""

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return hash(tuple(sorted(self.items(), key=lambda item: item[0])))
        except TypeError:
            return id(self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        try:
            if dict.__eq__(self, other) is not True:  # type: ignore[arg-type]
                return False
            theirs: Any = other
            return exactly_equal(tuple(self.values()), tuple([theirs[name] for name in self]))
        except (TypeError, ValueError):  # of parameters that are arrays
            return False


class Applied(Primitive):
    """A `Definition` with parameters: a primitive as all others.

    It equals its definition, so that tables of a user's interpreter, by definition, have it.
    """

    keeps_weak = False
    calls_python = True

    def __init__(self, definition: Definition, params: Parameters):
        self.definition, self.params = definition, params
        self.multiple_results = definition.multiple_results
        self.effects = ("io",) if definition.effectful else ()

    def __eq__(self, other: object) -> bool:
        if type(other) is Applied:
            return other.definition is self.definition and other.params == self.params
        return other is self.definition

    def __hash__(self) -> int:
        return hash(self.definition)

    def __repr__(self) -> str:
        return self.definition.name

    @property
    def name(self) -> str:
        return self.definition.name

    def parameters(self) -> tuple:
        return self.definition, self.params

    def named_parameters(self) -> dict[str, Any]:
        return dict(self.params)

    def with_parameters(self, params: Mapping[str, Any]) -> Primitive:
        return Applied(self.definition, Parameters(params))

    def bind(self, *args: Any, **params: Any) -> Any:
        return self.definition.bind(*args, **{**self.params, **params})

    def abstract_eval(self, *avals: Any) -> Any:
        out = self.definition.abstract_eval(*avals, **self.params)
        if self.multiple_results:
            return [ShapedArray(o.shape, o.dtype, bool(o.weak_type)) for o in out]
        return ShapedArray(out.shape, out.dtype, bool(out.weak_type))

    def impl(self, *arrays: Any) -> Any:
        out = self.definition.impl(*[Array(a) for a in arrays], **self.params)
        if self.multiple_results:
            return [np.asarray(as_value(o)) for o in out]
        return np.asarray(as_value(out))

    def lower(self, ctx: Builder, *values: Any) -> Any:
        rule = lowerings.get(
            (self.definition, ctx.platform), lowerings.get((self.definition, None))
        )
        if rule is None:
            raise NotImplementedError(
                f"no rule for lowering (jit) on {ctx.platform}: give it with "
                "diffeo.interpreters.mlir.register_lowering"
            )
        return rule.lower(ctx, self, values)

    def _rule(self, table: dict, kind: str, where: str) -> Callable:
        """Return a rule of a table."""
        rule = table.get(self.definition)
        if rule is None:
            raise with_user_line(
                NotImplementedError(
                    f"the primitive '{self.name}' has no rule for {kind}: give it in "
                    f"diffeo.interpreters.{where}"
                )
            )
        return rule

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        rule = self._rule(primitive_jvps, "forward-mode differentiation", "ad.primitive_jvps")
        pairs = zip(primals, tangents)
        given = [Zero.from_primal_value(x) if t is ZERO else t for x, t in pairs]
        out, tangent = rule(tuple(primals), tuple(given), **self.params)
        if self.multiple_results:
            return [as_value(o) for o in out], [_without_type(t) for t in tangent]
        return as_value(out), _without_type(tangent)

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        rule = self._rule(primitive_transposes, "transposition", "ad.primitive_transposes")
        if self.multiple_results:
            outs = self.abstract_eval(*[a.aval for a in args])
            ct = [Zero(o) if c is ZERO else c for c, o in zip(ct, outs)]
        operands = [UndefinedPrimal(a.aval) if type(a) is LinearInput else a for a in args]
        return [_without_type(c) for c in rule(ct, *operands, **self.params)]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        rule = self._rule(primitive_batchers, "vmap", "batching.primitive_batchers")
        out, dim = rule(tuple(args), tuple(dims), **self.params)
        if not self.multiple_results:
            return as_value(out), dim
        dims = [dim] * len(out) if dim is None or isinstance(dim, int) else list(dim)
        return [as_value(o) for o in out], dims


def _without_type(tangent: Value | None) -> Any:
    """Return a tangent or cotangent as diffeo's rules return it."""
    if type(tangent) is Zero or getattr(tangent, "dtype", None) == float0:
        return ZERO
    return None if tangent is None else as_value(tangent)


def add_tangents(x: Any, y: Any) -> Any:
    """Return the sum of two tangents, either of which may be a `Zero`."""
    if type(x) is Zero:
        return y
    return x if type(y) is Zero else add.bind(as_value(x), as_value(y))
