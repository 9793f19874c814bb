"""Functions with rules of the user's own: custom_jvp and custom_vjp.

A rule says how one transformation treats the function. Start with `Custom.__call__`: it binds one
primitive, `CustomCall`, that carries the rules; `transforms/rules/rules.py` shows their use.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..engine import refs
from ..operations.identity import stop_gradient
from ..primitives.array import as_value
from ..primitives.core import Tracer, Value, describe, typeof, with_user_line
from ..primitives.stand_ins import ZERO
from ..primitives.support.errors import UnexpectedTracerError
from ..primitives.support.frozen import OwnCopy
from ..primitives.types import SCALARS, is_inexact
from ..programs.custom_call import CustomCall
from ..transforms.rules.symbolic_zeros import SymbolicZero
from ..transforms.rules.tree_rules import StaticArguments, TreeRules, is_array, traced
from ..transforms.tangents import from_tangent
from ..trees import tree
from ..trees.arguments import argument, check_callable, global_name, name_of


@dataclass(frozen=True)
class CustomArguments:
    """The rules that the user has given to a function; None for a rule that is not given.
    `logs`: `bwd` returns what it logs besides the cotangents. `linear`: the positions of the
    arguments that `transpose` is for, or "all".
    """

    jvp: Callable | None = None
    jvp_symbolic: bool = False
    fwd: Callable | None = None
    bwd: Callable | None = None
    vjp_symbolic: bool = False
    logs: bool = False
    batch: Callable | None = None
    taylor: Callable | None = None
    transpose: Callable | None = None
    linear: Any = None


class Custom(OwnCopy):
    """A function with rules of the user's own. Subclasses say how the rules are given."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return global_name(self) or super().__reduce_ex__(protocol)

    #: The name of the decorator, for messages.
    kind = "custom_rule"

    def __init__(
        self,
        fun: Callable,
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ):
        check_callable(fun, self.kind)
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.__name__ = name_of(fun)
        self.rules = CustomArguments()
        #: The rules as functions of flat arrays, one entry for each kind of arguments.
        self._known: dict[Any, TreeRules] = {}
        self._signature = _signature(fun)
        self.nondiff_argnums = self._fixed_numbers(nondiff_argnums, nondiff_argnames)

    def __repr__(self) -> str:
        return f"<{self.kind} function {self.__name__}>"

    def __getattr__(self, name: str) -> Any:
        """Find the methods that give rules on the wrapped function: `custom_vjp(custom_vmap(f))`
        has `def_vmap`, too.
        """
        if name.startswith("def") and isinstance(self.__dict__.get("fun"), Custom):
            return getattr(self.fun, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _fixed_numbers(self, numbers: Any, names: Any) -> tuple[int, ...]:
        """Return the sorted positions that `nondiff_argnums` and `nondiff_argnames` name."""
        parameters = list(self._signature.parameters) if self._signature else []
        positions = {numbers} if isinstance(numbers, int) else set(numbers)
        for name in (names,) if isinstance(names, str) else names:
            if name not in parameters:
                raise with_user_line(
                    ValueError(
                        f"{self.kind} of {self.__name__}: nondiff_argnames has {name!r}, but the "
                        f"parameters are {', '.join(parameters) or 'unknown'}"
                    )
                )
            positions.add(parameters.index(name))
        if not all([isinstance(n, int) and n >= 0 for n in positions]):
            raise with_user_line(
                ValueError(
                    f"{self.kind} of {self.__name__}: nondiff_argnums must be positions of "
                    f"arguments, 0 or more, got {numbers!r}"
                )
            )
        kinds = [p.kind for p in self._signature.parameters.values()] if self._signature else []
        counted = kinds and inspect.Parameter.VAR_POSITIONAL not in kinds
        if counted and any([n >= len(kinds) for n in positions]):
            raise with_user_line(
                ValueError(
                    f"{self.kind} of {self.__name__}: nondiff_argnums has {max(positions)}, but "
                    f"there are {len(kinds)} parameters: {', '.join(parameters)}"
                )
            )
        return tuple(sorted(positions))

    def _give(self, **rules: Any) -> None:
        """Set fields of `rules`, and forget what was made of the rules before."""
        for name, rule in rules.items():
            if name in ("jvp", "fwd", "bwd", "batch", "taylor", "transpose"):
                check_callable(rule, f"{self.kind} of {self.__name__}")
        self.rules = replace(self.rules, **rules)
        self._known.clear()

    def _missing(self) -> str | None:
        """Return the message for a call without the needed rules, None if they are there."""
        return None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        missing = self._missing()
        if missing is not None:
            raise with_user_line(AttributeError(missing))
        args = self._positional(args, kwargs)
        if refs.among(tree.leaves(args)):
            return refs.with_refs(self._over_refs()(*refs.without_refs(args)))
        numbers = tuple([n for n in self.nondiff_argnums if n < len(args)])
        fixed, fixed_tree = tree.flatten(tuple([args[n] for n in numbers]))
        others = tuple([a for i, a in enumerate(args) if i not in numbers])
        leaves, in_tree = tree.flatten(others)
        # Traced leaves of fixed arguments are constant operands; the others are part of the key.
        operands = [
            stop_gradient(x) if is_inexact(x.dtype) else x for x in fixed if traced(x)
        ] + self._values(leaves, others, numbers)
        static = tuple([None if traced(x) else StaticArguments(x) for x in fixed])
        avals = tuple([typeof(x) for x in operands])
        key = (numbers, fixed_tree, static, in_tree, avals)
        rules = self._known.get(key)
        if rules is None:
            if len(self._known) > 64:
                self._known.clear()
            rules = TreeRules(self, (numbers, fixed_tree, static), in_tree, avals)
            self._known[key] = rules
        outs = self._bind(CustomCall(None, rules=rules), operands)
        return tree.unflatten(rules.out_tree, outs)

    def _over_refs(self) -> Any:
        """Return the same function of arguments with holes in the places of refs."""
        fun = refs.closing_over_refs(self.fun)
        other = type(self)(fun, nondiff_argnums=self.nondiff_argnums)
        rules = {f.name: getattr(self.rules, f.name) for f in fields(self.rules)}
        for name, rule in rules.items():
            if callable(rule):
                rules[name] = refs.closing_over_refs(rule)
        other.rules = replace(self.rules, **rules)
        return other

    def _bind(self, call: CustomCall, operands: Sequence[Any]) -> list[Any]:
        try:
            return call.bind(*operands)
        except UnexpectedTracerError:
            # The function may close over a value of an inner transformation, which owns no operand
            # and so has left the call to an outer one. Staged, the call has it as an operand.
            closed, args = call.closed(operands)
            if not any([isinstance(c, Tracer) for c in args[: len(args) - len(operands)]]):
                raise
        return closed.bind(*args)

    def _positional(self, args: tuple, kwargs: dict) -> tuple:
        """Return all arguments by position, defaults included."""
        signature = self._signature
        if signature is None:
            if kwargs:
                raise with_user_line(
                    TypeError(
                        f"{self.kind} of {self.__name__}: the function has no signature that "
                        f"Python knows, so pass {', '.join(kwargs)} by position"
                    )
                )
            return args
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise with_user_line(TypeError(f"{self.__name__}: {error}")) from None
        bound.apply_defaults()
        # A default of what can only be given by keyword is left to the function and its rules.
        named = [name for name in bound.kwargs if name in kwargs]
        if named:
            raise with_user_line(
                TypeError(
                    f"{self.kind} of {self.__name__}: its rules take arguments by position, but "
                    f"{', '.join(named)} can only be given by keyword; make it positional"
                )
            )
        return bound.args

    def _values(self, leaves: Sequence[Any], others: tuple, numbers: tuple) -> list[Any]:
        """Return the leaves of the arguments `others` as arrays, tracers or Python numbers."""
        values = []
        for i, x in enumerate(leaves):
            if isinstance(x, Value) or type(x) in SCALARS:
                values.append(x)
            elif is_array(x):
                values.append(as_value(x))
            else:
                count = len(others) + len(numbers)
                free = [n for n in range(count) if n not in numbers]
                where = argument(others, i, free)
                raise with_user_line(
                    TypeError(
                        f"{self.kind} of {self.__name__}: {where} is {describe(x)}, and no array; "
                        "name arguments that are no arrays in nondiff_argnums"
                    )
                )
        return values


def _signature(fun: Callable) -> inspect.Signature | None:
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):  # some functions written in C
        return None


class custom_jvp(Custom):
    """A function whose derivative is a rule of yours.

    Args:
        fun: the function, of arrays or trees.
        nondiff_argnums: positions of arguments that are not differentiated, such as functions and
            options; rules take them first.
        nondiff_argnames: the same by name.

    Every derivative uses the rule: forward, reverse, of any order, Taylor series, inside `vmap`,
    `jit` and control flow. `f.defjvp(rule)` gives it, `f.defjvps` one for each argument.

    Raises:
        AttributeError: (when called) if no rule has been given.
        TypeError: (when differentiated) if what the rule returns does not fit.

    Examples:
        >>> import diffeo as dx
        >>> @custom_jvp
        ... def log1pexp(x):
        ...     return dx.numpy.log(1 + dx.numpy.exp(x))
        >>> @log1pexp.defjvp
        ... def log1pexp_jvp(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return log1pexp(x), t * (1 - 1 / (1 + dx.numpy.exp(x)))
        >>> dx.grad(log1pexp)(1000.0)
        Array(1.)
    """

    kind = "custom_jvp"

    @property
    def jvp(self) -> Callable | None:
        """The rule that was given last, or None."""
        return self.rules.jvp

    def defjvp(self, jvp: Callable, symbolic_zeros: bool = False) -> Callable:
        """Give the rule: `jvp(primals, tangents) -> (result, tangent of the result)`.

        `primals` and `tangents` are tuples with an entry for each argument (that is not fixed by
        `nondiff_argnums`; those come first). The rule must be linear in the tangents.

        Args:
            jvp: the rule.
            symbolic_zeros: tangents that are known to be zero are passed as `SymbolicZero`.

        Returns:
            The rule, so that `defjvp` is a decorator.
        """
        self._give(jvp=jvp, jvp_symbolic=symbolic_zeros)
        return jvp

    def defjvps(self, *jvps: Callable | None) -> None:
        """Give a rule for each argument: `jvp(tangent, result, *args) -> tangent of the result`,
        or None if the derivative does not depend on the argument. The tangents are summed.

        Raises:
            TypeError: with `nondiff_argnums`.

        Examples:
            >>> import diffeo as dx
            >>> f = custom_jvp(lambda x, y: x * y)
            >>> f.defjvps(lambda t, out, x, y: t * y, None)
            >>> dx.grad(f, (0, 1))(2.0, 3.0)
            (Array(3.), Array(0.))
        """
        if self.nondiff_argnums:
            raise with_user_line(
                TypeError(
                    f"defjvps of {self.__name__}: there are nondiff_argnums, for which there are "
                    "no parts; use defjvp"
                )
            )

        def jvp(primals: tuple, tangents: tuple) -> tuple:
            out = self(*primals)
            if len(jvps) != len(primals):
                raise with_user_line(
                    TypeError(
                        f"defjvps of {self.__name__}: {len(jvps)} rules for {len(primals)} "
                        "arguments; give one for each, or None"
                    )
                )
            parts = [
                rule(t, out, *primals)
                for rule, t in zip(jvps, tangents)
                if rule is not None and any([type(x) is not SymbolicZero for x in tree.leaves(t)])
            ]
            if not parts:
                return out, tree.map(lambda o: from_tangent(ZERO, typeof(o)), out)
            total = parts[0]
            for part in parts[1:]:
                total = tree.map(_plus, total, part)
            return out, total

        jvp.__name__ = f"defjvps of {self.__name__}"
        self.defjvp(jvp)

    def _missing(self) -> str | None:
        if self.rules.jvp is not None:
            return None
        return f"{self.__name__} is a custom_jvp function without a rule: call defjvp or defjvps"


def _plus(a: Value, b: Value) -> Any:
    # Tangents of integers (float0) hold no numbers that could be added.
    return a if not is_inexact(typeof(a).dtype) else a + b


class custom_vjp(Custom):
    """A function whose derivative is given by a forward and a backward rule.

    Args:
        fun: the function, of arrays or trees.
        nondiff_argnums: positions of arguments that are not differentiated, such as functions and
            options; the backward rule takes them first.
        nondiff_argnames: the same by name.

    Reverse mode calls the backward rule. Forward mode (`jvp`, `jacfwd`, `hessian`, Taylor series)
    uses its transpose, so it must be linear in the cotangents.

    Raises:
        AttributeError: (when called) if no rules have been given.
        TypeError: (when differentiated) if what a rule returns does not fit.

    Examples:
        >>> import diffeo as dx
        >>> @custom_vjp
        ... def clip_gradient(x):
        ...     return x
        >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (dx.numpy.clip(ct, -1, 1),))
        >>> dx.grad(lambda x: 10 * clip_gradient(x))(2.0)
        Array(1.)
    """

    kind = "custom_vjp"

    @property
    def fwd(self) -> Callable | None:
        """The forward rule, or None."""
        return self.rules.fwd

    @property
    def bwd(self) -> Callable | None:
        """The backward rule, or None."""
        return self.rules.bwd

    def defvjp(
        self,
        fwd: Callable,
        bwd: Callable,
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Give the forward and the backward rule.

        Args:
            fwd: `fwd(*args) -> (result, residuals)`, with the arguments of the function. Residuals
                are any tree.
            bwd: `bwd(residuals, ct) -> cotangents`, a tuple with one for each argument; None is
                zero. Arguments fixed by `nondiff_argnums` come first, and have no cotangent.
            symbolic_zeros: leaves of the arguments of `fwd` are `CustomVJPPrimal`s, which say
                whether they are differentiated; cotangents that are known to be zero are passed
                as `SymbolicZero`.
            optimize_remat: a hint, which changes no result: under `checkpoint`, what the forward
                pass does not need of `fwd` is left out in any case, operation by operation.

        Raises:
            NotImplementedError: for `optimize_remat` with `symbolic_zeros`.
        """
        if symbolic_zeros and optimize_remat:
            raise with_user_line(
                NotImplementedError(
                    f"defvjp of {self.__name__}: optimize_remat=True with symbolic_zeros=True; "
                    "leave one of them out"
                )
            )
        self._give(fwd=fwd, bwd=bwd, vjp_symbolic=symbolic_zeros, logs=False)

    def defvjp_with_logs(
        self,
        fwd: Callable,
        bwd: Callable,
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Give the two rules, of which the backward rule also logs.

        Arguments are those of `defvjp`, but `bwd` returns a pair (cotangents, logs): `logs` is a
        dictionary of trees of arrays by name, or None. They are dropped, unless the pullback is
        asked for them: `dx.vjp(...)[1].with_logs(ct)` returns (cotangents of the arguments, logs).

        Examples:
            >>> import diffeo as dx
            >>> f = custom_vjp(lambda x: 3 * x)
            >>> f.defvjp_with_logs(lambda x: (f(x), None), lambda _, ct: ((3 * ct,), {"ct": ct}))
            >>> dx.vjp(lambda x: f(f(x)), 1.0)[1].with_logs(1.0)
            ((Array(9.),), {'ct': Array(3.)})
        """
        self.defvjp(fwd, bwd, symbolic_zeros, optimize_remat)
        self._give(logs=True)

    def _missing(self) -> str | None:
        if self.rules.fwd is not None:
            return None
        return f"{self.__name__} is a custom_vjp function without rules: call defvjp"
