"""Evaluation: the interpreter at the bottom. Host arrays go to NumPy at once; programs are
compiled, and so are operations on arrays that are at home on an accelerator.

A *host array* has its numbers in the memory of the CPU (`Array._np`). An array is *at home* on a
device if results of operations on it stay there (see `lowering/devices/placement.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ..lowering.devices.placement import at_home
from ..operations.transfer import DevicePut
from ..primitives.array import Array, as_value, promoted_scalars
from ..primitives.core import (
    Primitive,
    Trace,
    Tracer,
    install_base_trace,
    leaked,
    state,
    with_user_line,
)
from ..primitives.support.foreign import array_dtype
from ..primitives.support.settings import process
from ..primitives.types import SCALARS, float8_e5m2, is_storage
from .run import check, run_watched


class Evaluation(Trace):
    """Runs each primitive's `impl` on NumPy arrays; compiles operations on programs."""

    eager = True

    def process(self, primitive: Primitive, args: Sequence[Any]) -> Any:
        # The short way of most of eager arithmetic: one host array, or two of one type. Of kind V
        # are dtypes with and without arithmetic: the long way knows which. float8_e5m2 has none,
        # though its kind is that of floats.
        try:
            if len(args) == 1:
                x = args[0]
                if type(x) is Array and not primitive.multiple_results:
                    a = x._np
                    if (
                        a is not None
                        and (kind := (dtype := a.dtype).kind) in primitive.accepts
                        and kind != "V"
                        and dtype is not float8_e5m2
                    ):
                        weak = x.weak_type if primitive.keeps_weak else primitive.weak_type
                        return Array(primitive.impl(a), weak)
            elif len(args) == 2 and primitive.same_type and primitive.arity == 2:
                x, y = args
                if type(x) is Array and type(y) is Array:
                    a, b = x._np, y._np
                    if (
                        a is not None
                        and b is not None
                        and (dtype := a.dtype) is b.dtype
                        and a.shape == b.shape
                        and dtype.kind != "V"
                        and dtype is not float8_e5m2
                    ):
                        return Array(primitive.impl(a, b), x.weak_type and y.weak_type)
        except Exception as error:
            raise _explain(primitive, args, error) from None
        return self.at_length(primitive, args)

    def at_length(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Evaluate a primitive on operands of every kind."""
        if primitive.holds_programs:
            if primitive.fun is not None:
                return [as_value(o) for o in primitive.fun(*args)]
            return self.evaluate(primitive, args)
        if type(primitive) is DevicePut:
            return primitive.move(_values(args)[0])
        host: list[Any] = []
        weak, strong, scalars = False, False, False
        for a in args:
            if type(a) is Array:
                value = a._np
                if value is None:
                    if at_home(a):
                        return self.at_home(primitive, _values(args, primitive.takes_scalars))
                    value = a.host
                host.append(value)
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
                array = np.asarray(a)
                native = array.dtype.isnative
                host.append(array if native else array.astype(array_dtype(array.dtype)))
                strong = True
        # Python scalars alone are made into arrays by the rules of promotion, and then start anew.
        if scalars:
            if all([type(a) in SCALARS for a in args]):
                return self.process(primitive, promoted_scalars(args))
            host = _fit_scalars(host)
        # NumPy would broadcast and promote, where a primitive demands equal shapes and dtypes.
        if len(host) > 1 or (
            host
            and (
                (primitive.same_type and host[0].dtype.kind not in primitive.accepts)
                or is_storage(host[0].dtype)
            )
        ):
            check(primitive, args)
        try:
            out = primitive.impl(*host)
        except Exception as error:
            if primitive.calls_python:
                raise
            raise _explain(primitive, args, error) from None
        weak = weak and not strong if primitive.keeps_weak else primitive.weak_type
        return [Array(o, weak) for o in out] if primitive.multiple_results else Array(out, weak)

    def evaluate(self, primitive: Any, args: Sequence[Any]) -> list[Any]:
        """Evaluate an operation on programs."""
        arrays = _values(args)
        check(primitive, arrays)
        before, state.trace = state.trace, self
        try:
            if process.placed:
                for a in arrays:
                    if a._np is None and at_home(a):
                        return self.at_home(primitive, arrays)
            return run_watched(primitive, arrays)
        finally:
            state.trace = before

    def at_home(self, primitive: Primitive, args: Sequence[Any]) -> Any:
        """Evaluate an operation some of whose operands are to stay on their device, as its results
        do.
        """
        # Loads with the first array that is elsewhere.
        return import_module(".on_device", __package__).evaluate(self, primitive, args)


def _values(args: Sequence[Any], scalars: bool = False) -> list[Any]:
    """Return operands as Arrays, except for Python scalars where those are allowed."""
    for a in args:
        if isinstance(a, Tracer):
            raise leaked(a)
    return [a if scalars and type(a) in SCALARS else as_value(a) for a in args]


def _fit_scalars(host: list[Any]) -> list[Any]:
    """Return operands with Python scalars as arrays, where NumPy would not convert them.

    NumPy itself fits Python scalars to the arrays' dtype, but not to those of ml_dtypes.
    """
    for a in host:
        if type(a) not in SCALARS and (a.dtype.kind == "V" or a.dtype is float8_e5m2):
            return [np.asarray(b, a.dtype) if type(b) in SCALARS else b for b in host]
    return host


def _explain(primitive: Primitive, args: Sequence[Any], error: Exception) -> Exception:
    """Return the rule's own complaint about the operands, if it has one, rather than NumPy's."""
    try:
        check(primitive, args)
    except (TypeError, ValueError) as better:
        return better
    return with_user_line(error)


EVALUATION = Evaluation()
install_base_trace(EVALUATION)
