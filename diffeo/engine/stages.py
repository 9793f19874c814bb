"""The stages of a compiled function: traced, lowered, compiled. What `jit` makes, and users may
hold.

`Traced` has the program, `Lowered` its text in StableHLO, `Compiled` what runs. Each has a method
that makes the next.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from ..lowering.compat import XlaError, hlo_text
from ..lowering.devices.devices import Device, default_device, devices, find
from ..lowering.executables import explain_run_error
from ..passes.simplify import simplify
from ..primitives.array import GONE, Array, Deleted, as_value, handle
from ..primitives.core import Tracer, describe, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr
from ..primitives.support.foreign import array_dtype
from ..primitives.support.frozen import OwnCopy
from ..primitives.types import ShapedArray, Typed
from ..programs.call import Call
from ..trees import tree
from ..trees.arguments import argument_or_keyword, other_positions
from .listeners import COMPILING, LOWERING, TRACING, record_event_duration_secs
from .pipeline import Pass, Prepared, prepare
from .runner import Runner
from .signatures import check_options


class ShapeDtypeStruct(Typed):
    """The shape and dtype of an array without its numbers: an argument of `eval_shape`,
    `jit(f).lower` and others. Its length is that of the first axis.

    Examples:
        >>> ShapeDtypeStruct((2, 3), "float64")
        ShapeDtypeStruct((2, 3), float64)
    """

    __slots__ = ("aval",)

    def __init__(
        self,
        shape: Sequence[int],
        dtype: Any,
        weak_type: bool = False,
        *,
        sharding: str | None = None,
        manual_axis_type: Any = None,
        is_ref: bool = False,
    ):
        for name, value in (("sharding", sharding), ("manual_axis_type", manual_axis_type)):
            if value is not None:
                raise NotImplementedError(
                    f"ShapeDtypeStruct: {name} must be None, as arrays are on one device each"
                )
        if is_ref:
            raise NotImplementedError("ShapeDtypeStruct: is_ref must be False: arrays never change")
        if not isinstance(shape, (tuple, list)):
            raise TypeError(
                f"ShapeDtypeStruct: shape must be a tuple of integers, got {describe(shape)}"
            )
        if dtype is None:
            raise ValueError("ShapeDtypeStruct: dtype must be one of arrays, got None")
        self.aval = ShapedArray(tuple(shape), array_dtype(dtype), weak_type)

    @classmethod
    def like(cls, x: Any) -> ShapeDtypeStruct:
        """Return the type of an array or a number.

        Examples:
            >>> import diffeo as dx
            >>> ShapeDtypeStruct.like(dx.numpy.ones((2, 3), "float32"))
            ShapeDtypeStruct((2, 3), float32)
        """
        aval = typeof(x)
        return cls(aval.shape, aval.dtype, aval.weak_type)

    def __len__(self) -> int:
        if not self.aval.shape:
            raise TypeError("len() of an array without axes")
        return self.aval.shape[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and other.aval is self.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct({self.shape}, {self.dtype})"


def aval_of(x: Any) -> ShapedArray:
    """Return the type of an argument: an array, a number, or a `ShapeDtypeStruct`."""
    if type(x) is ShapeDtypeStruct:
        return x.aval
    return typeof(x)


class ArgInfo(NamedTuple):
    """An argument of a compiled function.

    Attributes:
        aval: its type.
        donated: whether its memory is given to the results.
    """

    aval: ShapedArray
    donated: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        """The type of the elements."""
        return self.aval.dtype


def structs(avals: Sequence[ShapedArray]) -> list[ShapeDtypeStruct]:
    """Return types as users see them."""
    return [ShapeDtypeStruct(a.shape, a.dtype, a.weak_type) for a in avals]


class Options(NamedTuple):
    """How `jit` compiles; see there."""

    compiler_options: Mapping[str, Any] | None = None
    device: Any = None
    keep_unused: bool = False
    inline: bool = False
    reroll: bool = False
    autotune: bool = False
    optimize: bool = True

    @property
    def passes(self) -> list[Pass]:
        """The passes that a program goes through on its way to the machine."""
        if not self.reroll:
            return [simplify]
        # Loads with the first program that asks for it.
        return [simplify, import_module("..passes.reroll", __package__).reroll]


#: The jitted functions that are alive; each has a `name`, a `number` and a `cache` of `Traced`.
instances: weakref.WeakSet = weakref.WeakSet()


class _Stage(OwnCopy):
    """A stage of a function."""

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self!r} cannot be pickled: a stage of a compiled function belongs to its process. "
            "Pickle the function itself, and let the other process trace it; the cache on disk "
            "spares it the compilation"
        )


class Traced(_Stage):
    """A function traced for one signature: its program and the structure of its result.

    Attributes:
        jaxpr: the program, a `Jaxpr`.
        in_tree, out_tree: the structures of `(args, kwargs)`, without the static ones, and of the
            result.
        seconds: how long tracing took.
    """

    def __init__(
        self,
        jaxpr: Jaxpr,
        in_tree: Any,
        out_tree: Any,
        seconds: float,
        *,
        options: Options = Options(),  # noqa: B008  (immutable)
        static: tuple = (),
        settings: tuple = (),
        donated: tuple[int, ...] = (),
    ):
        self.jaxpr, self.in_tree, self.out_tree, self.seconds = jaxpr, in_tree, out_tree, seconds
        self.options, self.static, self.settings, self.donated = options, static, settings, donated
        self.made_at = time.time()
        #: The key of this in the cache of the jitted function; None if it is not kept there.
        self.key: Any = None
        #: How many calls have come since; a list, for the dispatch to count in.
        self.calls = [0]
        #: What was compiled of it, by device.
        self.programs: dict[Device, Compiled] = {}
        self._call: Call | None = None
        #: The refs from outside that the function touches, and the jitted function of what they
        #: hold (see impure.py).
        self.touched: dict[Any, bool] = {}
        self.pure: Any = None
        record_event_duration_secs(TRACING, seconds, fun_name=jaxpr.name)

    def lower(self, device: Device | None = None) -> Lowered:
        """Write the program as StableHLO, for a device: this one, that which `jit` was given, or
        the default.
        """
        if device is None:
            option = self.options.device
            device = default_device() if option is None else find(option)
        start = time.perf_counter()
        prepared = prepare(
            self.jaxpr,
            device.platform,
            keep_unused=self.options.keep_unused,
            donated=self.donated,
            passes=self.options.passes,
        )
        seconds = time.perf_counter() - start
        record_event_duration_secs(LOWERING, seconds, fun_name=self.jaxpr.name)
        return Lowered(self, prepared, device, seconds)

    def compiled_for(self, device: Device, arrays: Sequence[Array]) -> Compiled:
        """Return the function compiled for a device; `arrays` are what it may be tuned with."""
        compiled = self.programs.get(device)
        if compiled is None:
            lowered = self.lower(device)
            compiled = self.programs[device] = lowered._compile(None, arrays)
        return compiled

    @property
    def call(self) -> Call:
        """The primitive that stands for the function inside other transformations."""
        if self._call is None:
            self._call = Call(self.jaxpr.closed_over())
        return self._call

    @property
    def out_info(self) -> Any:
        """The shapes and dtypes of the result, as `ShapeDtypeStruct`s."""
        return tree.unflatten(self.out_tree, structs(self.jaxpr.out_avals))

    @property
    def args_info(self) -> Any:
        """The arguments, as a tree of `ArgInfo`."""
        avals = self.jaxpr.in_avals
        infos = [ArgInfo(a, i in self.donated) for i, a in enumerate(avals)]
        return tree.unflatten(self.in_tree, infos)

    @property
    def fun_name(self) -> str:
        """The name of the function."""
        return self.jaxpr.name

    def __repr__(self) -> str:
        return f"<Traced {self.jaxpr.name}: {len(self.jaxpr.eqns)} equations>"


class Lowered(_Stage):
    """A function written as StableHLO for one signature.

    Attributes:
        traced: the stage before.
        jaxpr: the program that was written: simplified, without inputs that nothing reads.
        device: what it was written for.
        seconds: how long lowering took.
    """

    def __init__(self, traced: Traced, prepared: Prepared, device: Device, seconds: float):
        self.traced, self.jaxpr, self.device = traced, prepared.jaxpr, device
        self.seconds = seconds
        self._prepared = prepared

    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str:
        """Return the module as text.

        Args:
            dialect: "stablehlo", which is the default, or "hlo", which XLA makes of it.
            debug_info: must be False: the text has no locations.

        Raises:
            ValueError: for another dialect.
            NotImplementedError: for `debug_info`.
        """
        if debug_info:
            raise with_user_line(
                NotImplementedError(
                    "as_text: debug_info=True is not honoured, as the text has no locations; the "
                    "program itself says the lines: dx.make_jaxpr(f)(x)"
                )
            )
        text = self._prepared.module.text
        if dialect == "hlo":
            return hlo_text(text)
        if dialect not in (None, "stablehlo"):
            raise with_user_line(
                ValueError(f"as_text: dialect must be 'stablehlo' or 'hlo', got {dialect!r}")
            )
        return text

    @property
    def in_tree(self) -> Any:
        """The structure of `(args, kwargs)`, without the static ones."""
        return self.traced.in_tree

    @property
    def out_tree(self) -> Any:
        """The structure of the result."""
        return self.traced.out_tree

    @property
    def args_info(self) -> Any:
        """The arguments, as a tree of `ArgInfo`."""
        return self.traced.args_info

    def cost_analysis(self) -> dict[str, float]:
        """Return XLA's estimate of the work; the module is compiled for it, or found compiled."""
        return self.compile().cost_analysis()

    def compile(self, compiler_options: Mapping[str, Any] | None = None) -> Compiled:
        """Compile the module with XLA, or find the executable in a cache.

        Args:
            compiler_options: XLA's flags and their values, besides those that `jit` was given.

        Raises:
            ValueError: for an option that XLA does not know, or a value that it does not take.
        """
        return self._compile(compiler_options, None)

    def _compile(
        self, compiler_options: Mapping[str, Any] | None, arrays: Sequence[Array] | None
    ) -> Compiled:
        options = self.traced.options
        check_options(compiler_options, f"compile of {self.jaxpr.name}")
        start = time.perf_counter()
        flags = {**(options.compiler_options or {}), **(compiler_options or {})}
        try:
            tune_with = arrays if options.autotune else None
            # None: what compiled functions can run without looking where their operands are.
            device = None if self.device is devices()[0] else self.device
            runner = Runner(self._prepared, device, flags, options.optimize, tune_with)
        except ValueError as error:
            raise with_user_line(error) from None
        seconds = time.perf_counter() - start
        record_event_duration_secs(COMPILING, seconds, fun_name=self.jaxpr.name)
        return Compiled(self, runner, seconds)

    @property
    def out_info(self) -> Any:
        """The shapes and dtypes of the result, as `ShapeDtypeStruct`s."""
        return self.traced.out_info

    def __repr__(self) -> str:
        return f"<Lowered {self.jaxpr.name}: {self.as_text().count(chr(10))} lines of StableHLO>"


class Compiled(_Stage):
    """A function compiled for one signature. Call it with arguments of exactly these types, without
    the static ones.

    Attributes:
        lowered: the stage before.
        program: what runs, with its constants.
        in_tree, out_tree: the structures of `(args, kwargs)` and of the result.
        seconds: how long compiling took (next to nothing if a cache had the executable).
    """

    def __init__(self, lowered: Lowered, program: Runner, seconds: float):
        self.lowered, self.program, self.seconds = lowered, program, seconds
        self.in_tree, self.out_tree = lowered.traced.in_tree, lowered.traced.out_tree

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        if structure != self.in_tree:
            difference = tree.first_difference(self.in_tree, structure)
            raise with_user_line(
                TypeError(f"compiled for arguments of another structure: {difference}")
            )
        values = [as_value(x) for x in leaves]
        for value, aval in zip(values, self.in_avals):
            if isinstance(value, Tracer) or value.aval is not aval:
                raise with_user_line(
                    TypeError(
                        f"compiled for {aval}, called with {describe(value)}; a compiled "
                        "function takes concrete arrays of "
                        "exactly the types it was lowered for: call the jit function for others"
                    )
                )
        return self.run(values, self.program.device)

    def run(self, arrays: Sequence[Any], commits: Device | None = None) -> Any:
        """Return the result for the arguments' leaves, committed to a device or not; their types
        are not checked.

        Raises:
            RuntimeError: if an argument has no data any more, or the program fails.
        """
        for i, x in enumerate(arrays):
            if type(x._buffer) is Deleted:
                raise with_user_line(RuntimeError(f"{self.argument(i)}: {x._buffer.reason}"))
        try:
            outs = self.program.run(arrays, commits)
        except XlaError as error:
            raise self.failure(error, arrays) from None
        return self.out_tree.unflatten(outs)

    def argument(self, index: int) -> str:
        """Return how messages call a leaf of the arguments."""
        args, kwargs = tree.unflatten(self.in_tree, range(self.in_tree.num_leaves))
        numbers = other_positions(len(args), [where for where, _, _ in self.lowered.traced.static])
        where = argument_or_keyword((args, kwargs), index, numbers)
        return f"jit of {self.lowered.jaxpr.name}: {where}"

    def failure(self, error: Exception, arrays: Sequence[Any]) -> Exception:
        """Return the error for a run that XLA refused or gave up."""
        buffers = [handle(x) if type(x) is Array else None for x in arrays]
        # An array that is donated must not be an argument twice: say which two they are.
        for i in self.program.prepared.donated:
            again = [k for k, b in enumerate(buffers) if k != i and b is buffers[i]]
            if again and "donate" in str(error):
                return with_user_line(
                    RuntimeError(
                        f"{self.argument(i)} is donated, but the same array is also "
                        f"{self.argument(again[0]).partition(': ')[2]}: pass a copy, or do not "
                        "donate it"
                    )
                )
        for i, b in enumerate(buffers):
            if b is not None and hasattr(b, "is_deleted") and b.is_deleted():
                return with_user_line(RuntimeError(f"{self.argument(i)}: {GONE}"))
        return with_user_line(explain_run_error(self.program.executable, error))

    @property
    def origin(self) -> str:
        """The place where the executable came from: "compiled", "memory", "disk" or "tuned"."""
        return self.program.origin

    @property
    def args_info(self) -> Any:
        """The arguments, as a tree of `ArgInfo`."""
        return self.lowered.args_info

    def runtime_executable(self) -> Any:
        """Return jaxlib's object of the compiled program."""
        return self.program.executable._loaded

    @property
    def in_avals(self) -> list[ShapedArray]:
        """The types of the arguments' leaves."""
        return self.lowered.traced.jaxpr.in_avals

    @property
    def out_info(self) -> Any:
        """The shapes and dtypes of the result, as `ShapeDtypeStruct`s."""
        return self.lowered.out_info

    @property
    def input_shardings(self) -> Any:
        """The places where the arguments have to be: `(args, kwargs)` with a `SingleDeviceSharding`
        for each array.
        """
        where = self.lowered.device.sharding
        return tree.unflatten(self.in_tree, [where] * self.in_tree.num_leaves)

    @property
    def output_shardings(self) -> Any:
        """The places where the results are."""
        where = self.lowered.device.sharding
        return tree.unflatten(self.out_tree, [where] * self.out_tree.num_leaves)

    def as_text(self) -> str:
        """Return the program as XLA optimised it."""
        return self.program.executable.as_text()

    def cost_analysis(self) -> dict[str, float]:
        """Return XLA's estimate of the work: "flops", "bytes accessed" and others."""
        return self.program.executable.cost_analysis()

    def memory_analysis(self) -> dict[str, int]:
        """Return the bytes of argument, output, temporary and other memory."""
        return self.program.executable.memory_analysis()

    def __repr__(self) -> str:
        return f"<Compiled {self.lowered.jaxpr.name} for {self.in_avals}>"
