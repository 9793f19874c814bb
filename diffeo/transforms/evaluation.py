"""Evaluation: the interpreter at the bottom. Host arrays go to NumPy at once; programs are
compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..lowering import runtime  # noqa: F401  (gives arrays their device memory)
from ..lowering.compiler import compile_program
from ..lowering.stablehlo import Module, lower_module
from ..primitives.array import Array, as_value, from_buffer, promoted_scalars
from ..primitives.core import (
    Primitive,
    Trace,
    Tracer,
    install_base_trace,
    leaked,
    state,
    typeof,
    with_user_line,
)
from ..primitives.jaxpr import Jaxpr, apply_type_rule, eliminate_dead_code
from ..primitives.types import SCALARS, float8_e5m2, is_storage


class Evaluation(Trace):
    """Runs each primitive's `impl` on NumPy arrays; compiles operations on programs."""

    eager = True

    def at_once(self, primitive: Any, args: Sequence[Any]) -> Any:
        """The short way of most of eager arithmetic: one host array, or two of one type."""
        try:
            if len(args) == 1:
                x = args[0]
                if type(x) is Array and not primitive.multiple_results:
                    a = x._np
                    if a is None or (dtype := a.dtype) is float8_e5m2:
                        return None
                    if dtype.kind in primitive.accepts and dtype.kind != "V":
                        weak = x.weak_type if primitive.keeps_weak else primitive.weak_type
                        return Array(primitive.impl(a), weak)
            elif len(args) == 2 and primitive.same_type and getattr(primitive, "arity", 2) == 2:
                x, y = args
                if type(x) is Array and type(y) is Array:
                    a, b = x._np, y._np
                    if (
                        a is None
                        or b is None
                        or a.dtype is not b.dtype
                        or a.shape != b.shape
                        or a.dtype is float8_e5m2
                    ):
                        return None
                    return Array(primitive.impl(a, b), x.weak_type and y.weak_type)
        except Exception as error:
            raise _explain(primitive, args, error) from None
        return None

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        out = self.at_once(primitive, args)
        if out is not None:
            return out
        if primitive.compiled and primitive.fun is not None:
            return [as_value(o) for o in primitive.fun(*args)]
        host: list[Any] = []
        weak, strong, scalars = False, False, False
        for a in args:
            if type(a) is Array:
                value = a._np
                host.append(a.host if value is None else value)
                if a.weak_type:
                    weak = True
                elif host[-1].dtype.kind != "b":  # a boolean has no weakness to give or to take
                    strong = True
            elif type(a) in SCALARS and primitive.takes_scalars:
                host.append(a)
                scalars = True
            elif isinstance(a, Tracer):
                raise leaked(a)
            else:
                host.append(np.asarray(a))
                strong = True
        if primitive.compiled:
            return self.evaluate(primitive, [as_value(a) for a in args])
        if scalars:
            if all([type(a) in SCALARS for a in args]):
                return self.process(primitive, promoted_scalars(args))
            host = _fit_scalars(host)
        # NumPy would broadcast and promote.
        if len(host) > 1 or (
            host
            and (
                (primitive.same_type and host[0].dtype.kind not in primitive.accepts)
                or is_storage(host[0].dtype)
            )
        ):
            _check(primitive, args)
        try:
            out = primitive.impl(*host)
        except Exception as error:
            if primitive.calls_python:
                raise
            raise _explain(primitive, args, error) from None
        weak = weak and not strong if primitive.keeps_weak else primitive.weak_type
        return [Array(o, weak) for o in out] if primitive.multiple_results else Array(out, weak)

    def evaluate(self, primitive: Any, arrays: Sequence[Array]) -> list[Any]:
        """An operation on programs."""
        _check(primitive, arrays)
        before, state.trace = state.trace, self
        try:
            return primitive.evaluate(run_program, arrays)
        finally:
            state.trace = before


def _fit_scalars(host: list[Any]) -> list[Any]:
    """NumPy itself fits Python scalars to the arrays' dtype, but not to those of ml_dtypes."""
    for a in host:
        if type(a) not in SCALARS and (a.dtype.kind == "V" or a.dtype is float8_e5m2):
            return [np.asarray(b, a.dtype) if type(b) in SCALARS else b for b in host]
    return host


def _check(primitive: Primitive, args: Sequence[Any]) -> None:
    """What the rule itself says of the operands' types; its TypeError or ValueError."""
    scalars = primitive.takes_scalars
    try:
        apply_type_rule(
            primitive,
            [a if scalars and type(a) in SCALARS else typeof(a).strong for a in args],
        )
    except (TypeError, ValueError) as error:
        raise with_user_line(error) from None


def _explain(primitive: Primitive, args: Sequence[Any], error: Exception) -> Exception:
    """The rule's own complaint about the operands, if it has one, rather than NumPy's."""
    try:
        _check(primitive, args)
    except (TypeError, ValueError) as better:
        return better
    return with_user_line(error)


class Program:
    """A program compiled for its types, with the constants that it takes first."""

    __slots__ = ("constants", "executable", "out_avals")

    def __init__(self, jaxpr: Jaxpr, module: Module):
        avals = [v.aval for v in (*jaxpr.const_vars, *jaxpr.in_vars)]
        self.out_avals = jaxpr.out_avals
        self.executable = compile_program(
            module.text, avals, self.out_avals, functions=module.functions
        )
        self.constants = [as_value(c).buffer for c in jaxpr.consts]

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """The results for arrays of the types that the program was compiled for; not checked."""
        buffers = self.executable.execute(self.constants + [a.buffer for a in arrays])
        return [from_buffer(b, aval) for b, aval in zip(buffers, self.out_avals)]


def run_program(jaxpr: Jaxpr, arrays: Sequence[Array]) -> list[Array]:
    """Compile a program once, and run it."""
    program = jaxpr.memo.get("program")
    if program is None:
        live = eliminate_dead_code(jaxpr)
        program = jaxpr.memo["program"] = Program(live, lower_module(live))
    # The runtime itself looks at nothing but the number of bytes.
    if [a.aval.strong for a in arrays] != [v.aval.strong for v in jaxpr.in_vars]:
        raise TypeError(
            f"{jaxpr.name} was traced for {jaxpr.in_avals}, got {[a.aval for a in arrays]}"
        )
    return program.run(arrays)


EVALUATION = Evaluation()
install_base_trace(EVALUATION)
