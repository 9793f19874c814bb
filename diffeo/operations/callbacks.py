"""Callbacks: primitives that call Python functions of the user's, in eager mode and from compiled
programs.

A function gets its operands as NumPy arrays that cannot be written to. Its results are checked, as
XLA would take any. No interpreter can look into the function: it has no derivative, and under vmap
it is called row by row, unless it says itself that it takes a batch. Inside, the function may use
diffeo; it runs outside of all transformations.

Start with `Callback`; its subclasses differ in what may be done with a call: `PureCallback` may be
repeated or left out, `IoCallback` may not, `DebugCallback` is invisible to derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..primitives.array import read_only
from ..primitives.builder import LoweringContext
from ..primitives.core import Primitive, describe, state, with_user_line
from ..primitives.stand_ins import ZERO
from ..primitives.support.foreign import array_dtype
from ..primitives.support.frozen import frozen
from ..primitives.support.sources import show_source
from ..primitives.types import KIND_RANK, SCALAR_RANK, SCALARS, ShapedArray, is_inexact
from ..primitives.words.structural import batch_at_front, move_axis

#: The ways in which `pure_callback` may be batched; see `PureCallback.batch`.
VMAP_METHODS = (
    "sequential",
    "sequential_unrolled",
    "expand_dims",
    "broadcast_all",
    "legacy_vectorized",
)


@dataclass(frozen=True, eq=False)
class HostFunction:
    """A Python function of arrays that returns a sequence of arrays, with what messages say of it.

    `result(i)` says in words where result i is found in what the user's function returns. `source`
    is the line from which it is called. `operands` is the number of arrays that it takes, if known.
    """

    function: Callable[..., Sequence[Any]]
    name: str
    result: Callable[[int], str] = "result {}".format
    source: Any = None
    operands: int | None = None

    def __repr__(self) -> str:
        return self.name

    def located(self, message: str) -> Exception:
        """Return a TypeError about the function, with the line from which it is called."""
        return TypeError(f"{message}\n  at {show_source(self.source)}")


@frozen
class Callback(Primitive):
    """A call of a Python function whose results have the types `avals`."""

    multiple_results = True
    keeps_weak = False
    calls_python = True

    callback: HostFunction
    avals: tuple[ShapedArray, ...]

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        if not all([type(a) is ShapedArray for a in self.avals]):
            raise TypeError(f"{self.name}: expects the types of the results, got {self.avals}")
        if self.callback.operands not in (None, len(avals)):
            raise TypeError(
                f"{self.name} of {self.callback.name}: expects {self.callback.operands} operands, "
                f"got {len(avals)}: {list(avals)}"
            )
        return list(self.avals)

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        # Copy: the function may keep its results, and write to them later.
        return [np.array(out) for out in self.call(*arrays)]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        # A call without results and effects need not be made.
        if not self.avals and not self.effects:
            return []
        return ctx.call_python(self.call, values, self.avals, bool(self.effects))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        if any([is_inexact(a.dtype) for a in self.avals]):
            raise with_user_line(
                NotImplementedError(
                    f"{self.name} of {self.callback.name} has no derivative, as nobody can look "
                    "into a Python function; say what it is with dx.custom_jvp or dx.custom_vjp, "
                    "or make the operands constants with dx.lax.stop_gradient"
                )
            )
        return self.bind(*primals), [ZERO] * len(self.avals)

    def call(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Call the function; return its results, checked, in C order."""
        views = [read_only(np.asarray(a)) for a in arrays]
        before = state.trace, state.source
        state.trace, state.source = type(state).trace, None  # evaluation: outside of everything
        try:
            outs = self.callback.function(*views)
        finally:
            state.trace, state.source = before
        if len(outs) != len(self.avals):
            expected = f"{self.name} of {self.callback.name}: expected {len(self.avals)} results"
            raise self.callback.located(f"{expected}, got {len(outs)}")
        return [self.checked(i, out, aval) for i, (out, aval) in enumerate(zip(outs, self.avals))]

    def checked(self, number: int, out: Any, aval: ShapedArray) -> np.ndarray:
        """Return a result as an array of its type; TypeError if it has another one.

        A Python number may be of a lesser kind, such as 1 for a float.
        """
        rank = KIND_RANK.get(aval.dtype.kind, 2)
        number_fits = type(out) in SCALARS and SCALAR_RANK[type(out)] <= rank
        array = np.asarray(out, aval.dtype if number_fits else None, order="C")
        if not array.dtype.isnative:
            array = array.astype(array_dtype(array.dtype))
        if array.shape == aval.shape and array.dtype == aval.dtype:
            return array
        raise self.callback.located(
            f"{self.name} of {self.callback.name}: {self.callback.result(number)} is expected to "
            f"be {aval}, got {describe(out)}; let the function return that, as "
            f"np.asarray(y, '{aval.dtype}') does for the dtype, or say what it returns in "
            "result_shape_dtypes"
        )

    def by_rows(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Batch by calling the function for one row after the other."""
        over = HostFunction(
            BatchedCallback(self, size, tuple([d is not None for d in dims])),
            self.callback.name,
            self.callback.result,
            self.callback.source,
        )
        batched = replace(self, callback=over, avals=self.batched_avals(size))
        args = [a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims)]
        return batched.bind(*args), [0] * len(self.avals)

    def batched_avals(self, size: int) -> tuple[ShapedArray, ...]:
        """Return the types of the results of a batch."""
        return tuple([a.update(shape=(size, *a.shape)) for a in self.avals])


@dataclass(frozen=True, eq=False)
class BatchedCallback:
    """A callback's function for a batch: it calls the function for each row, and stacks the
    results.
    """

    primitive: Callback
    size: int
    batched: tuple[bool, ...]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        outs = [np.empty((self.size, *a.shape), a.dtype) for a in self.primitive.avals]
        for i in range(self.size):
            row = [a[i, ...] if flag else a for a, flag in zip(arrays, self.batched)]
            for out, result in zip(outs, self.primitive.call(*row)):
                out[i] = result
        return outs


@frozen
class PureCallback(Callback):
    """A call of a Python function whose results depend on its operands alone.

    It may be made often, or not at all. `vmap_method` says how a batch is handled.
    """

    vmap_method: str | None = None

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        method = self.vmap_method
        if method is None:
            raise with_user_line(
                NotImplementedError(
                    f"vmap of pure_callback of {self.callback.name}: say how with vmap_method: "
                    "'sequential' calls the function for each row; with 'expand_dims' or "
                    "'broadcast_all' it gets all rows at once, along a new first axis (of size 1, "
                    "or repeated, for operands that are not mapped)"
                )
            )
        if method.startswith("sequential"):
            return self.by_rows(size, args, dims)
        if method == "legacy_vectorized":
            args = [a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims)]
        else:
            # An operand that is not mapped gets an axis of size 1 or of the batch's size.
            repeats = size if method == "broadcast_all" else 1
            args = [
                batch_at_front(a, None, repeats) if d is None else move_axis(a, d, 0)
                for a, d in zip(args, dims)
            ]
        batched = replace(self, avals=self.batched_avals(size))
        return batched.bind(*args), [0] * len(self.avals)


@frozen
class IoCallback(Callback):
    """A call of a Python function that also does something: it is made exactly once."""

    effects = ("io",)

    ordered: bool = False

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        if self.ordered:
            raise with_user_line(
                ValueError(
                    f"vmap of io_callback of {self.callback.name}: with ordered=True there is no "
                    "order for the calls of different rows; leave it False, and each callback is "
                    "called for one row after the other before the next begins"
                )
            )
        return self.by_rows(size, args, dims)


@frozen
class DebugCallback(Callback):
    """A call of a Python function for what it does.

    Derivatives pass it by, and it sees primal values.
    """

    effects = ("debug",)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.by_rows(size, args, dims)
