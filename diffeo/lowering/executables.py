"""Executables: programs that XLA compiled, on their device.

Examples:
    >>> import numpy as np
    >>> from diffeo.lowering import buffers, executables
    >>> from diffeo.primitives.types import ShapedArray
    >>> aval = ShapedArray((3,), np.float64)
    >>> program = '''module { func.func public @main(%x: tensor<3xf64>) -> tensor<3xf64> {
    ...   %y = stablehlo.add %x, %x : tensor<3xf64>
    ...   return %y : tensor<3xf64> } }'''
    >>> executable = executables.compile_module(program, [aval], [aval])
    >>> [y] = executable.execute([buffers.put(np.arange(3.0), aval)])
    >>> buffers.to_numpy(y, aval)
    array([0., 2., 4.])
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..primitives.support.signals import Held
from . import compat
from .caches.program_keys import module_name
from .devices.devices import Device, default_device, fork_error, state
from .host_calls import HostCalls
from .memory_errors import is_out_of_memory, out_of_memory
from .progress import progress
from .waiting import interruptibly, note_loop

#: Seconds after which somebody may lose patience with a loop.
LONG = 0.1

#: What a program takes for each letter of its text: measured, on processors, from 4 to 25.
BYTES_PER_LETTER = 20


class CompilationError(RuntimeError):
    """XLA refused a program that diffeo wrote.

    Attributes:
        module_text: the StableHLO program.
    """

    def __init__(self, message: str, module_text: str):
        super().__init__(message)
        self.module_text = module_text

    def __reduce__(self):
        return CompilationError, (self.args[0], self.module_text)


class Executable:
    """A compiled program on its device. Made by `compile_module` and `load_module`.

    Attributes:
        in_avals, out_avals: tuples of the types of operands and results.
        device: where it runs.
        calls_python: whether it calls Python functions.
        compile_seconds: how long XLA took, also if that was in another process.
        size: bytes of memory that it takes, roughly: XLA does not say it.
        watched: whether it may take long before `execute` returns, so that a signal would wait: it
            has a loop, and has not run yet, or did take long.
        tuning: what autotuning measured, if this is its choice; else empty.
    """

    __slots__ = (
        "_handlers",
        "_loaded",
        "_run",
        "calls_python",
        "compile_seconds",
        "device",
        "in_avals",
        "out_avals",
        "size",
        "tuning",
        "watched",
    )

    def __init__(
        self,
        loaded: Any,
        in_avals: Sequence[Any],
        out_avals: Sequence[Any],
        device: Device,
        compile_seconds: float,
        calls: HostCalls | None = None,
    ):
        self.in_avals = tuple(in_avals)
        self.out_avals = tuple(out_avals)
        self.device = device
        self.compile_seconds = compile_seconds
        self.calls_python = calls is not None
        self.tuning: tuple[Any, ...] = ()
        self.size = 0
        self.watched = False
        self._loaded = loaded
        self._run = calls.runner(loaded) if calls else loaded.execute_sharded
        self._handlers = [compat.result_handler(aval, device._sharding) for aval in out_avals]

    def execute(self, buffers: list[Any]) -> list[Any]:
        """Run on buffers, one per operand; returns a buffer per result, perhaps before they are
        computed.

        The types are not checked: XLA would take any buffer of the right number of bytes, so the
        caller must have compared them with `in_avals`.
        """
        if state.forked:
            raise fork_error()
        try:
            if not self.watched:
                return self._run(buffers).consume_with_handlers(self._handlers)
            outs = self._watch(buffers).consume_with_handlers(self._handlers)
            note_loop(outs)
            return outs
        except compat.XlaError as error:
            raise explain_run_error(self, error) from None

    @property
    def parts(self) -> tuple[Callable, list[Any]]:
        """(run, handlers), for a dispatcher that cannot afford a call of `execute`:
        `run(buffers).consume_with_handlers(handlers)`."""
        return self._watch if self.watched else self._run, self._handlers

    def _watch(self, buffers: list[Any]) -> Any:
        """As `_run`, but signals are seen meanwhile."""
        start = time.perf_counter()
        results = interruptibly(lambda: self._run(buffers))
        self.watched = time.perf_counter() - start > LONG
        return results

    def serialize(self) -> bytes:
        """The compiled program as bytes, for `load_module` with the same version of jaxlib on a
        machine of the same kind.

        Raises:
            RuntimeError: if the device's programs cannot be stored.
        """
        return self._loaded.serialize()

    def as_text(self) -> str:
        """The program as XLA optimised it, in HLO's textual form."""
        return self._loaded.get_hlo_text()

    def cost_analysis(self) -> dict[str, float]:
        """XLA's estimate of the work: "flops", "bytes accessed" and others."""
        return dict(self._loaded.cost_analysis())

    def memory_analysis(self) -> dict[str, int]:
        """Bytes of "argument", "output", "temp", "alias" (donated and reused) and "generated_code"
        memory."""
        stats = self._loaded.get_compiled_memory_stats()
        kinds = ("argument", "output", "temp", "alias", "generated_code")
        return {kind: getattr(stats, f"{kind}_size_in_bytes") for kind in kinds}

    def __repr__(self) -> str:
        return f"<Executable {list(self.in_avals)} -> {list(self.out_avals)} on {self.device}>"


def compile_module(
    text: str,
    in_avals: Sequence[Any],
    out_avals: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    device: Device | None = None,
    functions: Sequence[Callable] = (),
) -> Executable:
    """Compile a StableHLO module whose `main` has the given types. `compiler.py` caches this.

    Args:
        text: the module in MLIR's textual form.
        in_avals, out_avals: the types of main's operands and results.
        options: XLA flags and their values, as {"xla_cpu_enable_fast_math": True}.
        device: where it will run; the default device if None.
        functions: the Python functions that the program calls by their number. Then `execute`
            waits until the program is done, and raises what they raise.

    Raises:
        CompilationError: if XLA refuses the program.
        OutOfMemoryError: if it has not enough memory to compile it.
        ValueError: for an option that XLA does not know, or a value that it does not take.
    """
    target = device or default_device()
    prepare(text)
    chosen = compat.compile_options(target._singleton[0], options or {})
    calls = HostCalls(functions) if functions else None
    start = time.perf_counter()
    try:
        # An exception in between would free what the compiler reads.
        with progress(f"compiling {module_name(text) or 'a program'}"), Held():
            if calls:
                loaded = compat.compile_with_functions(
                    target._client, text, target._list, chosen, calls.entries()
                )
            else:
                loaded = target._client.compile_and_load(text, target._list, chosen)
    except compat.XlaError as error:
        if re.search("No such compile option|While setting option", str(error)):
            raise ValueError(f"compiler option not accepted by XLA: {error}") from None
        if is_out_of_memory(error):
            raise out_of_memory(error, text=text) from None
        raise CompilationError(_explain_refusal(text, str(error)), text) from None
    seconds = time.perf_counter() - start
    made = Executable(loaded, in_avals, out_avals, target, seconds, calls)
    made.size = BYTES_PER_LETTER * len(text)
    return made


def load_module(
    payload: bytes,
    in_avals: Sequence[Any],
    out_avals: Sequence[Any],
    *,
    options: Mapping[str, Any],
    device: Device,
    compile_seconds: float,
) -> Executable:
    """The executable that `serialize` made the bytes of. jaxlib does not check them: whoever calls
    must know that they are whole, and fit this machine; and the program's text must have been
    through `prepare`.

    Raises:
        RuntimeError: if jaxlib sees that they are no executable.
    """
    chosen = compat.compile_options(device._singleton[0], options)
    with Held():  # as for the compiler
        loaded = device._client.deserialize_executable(payload, device._list, chosen)
    made = Executable(loaded, in_avals, out_avals, device, compile_seconds)
    made.size = len(payload)
    return made


def explain_run_error(executable: Executable | None, error: Exception) -> Exception:
    """What to raise in place of an error of a run: if memory ran out, what the program needs (as
    far as the program is known); any other error as it is.
    """
    if isinstance(error, compat.XlaError) and is_out_of_memory(error):
        return out_of_memory(error, executable)
    return error


def prepare(text: str) -> None:
    """Load the kernels that a program calls; without them it ends the process."""
    if '"lapack_' in text:
        _need_lapack()


def _need_lapack() -> None:
    """Register the LAPACK kernels, once in a process."""
    with state.lock, Held():
        compat.register_lapack()


def _explain_refusal(text: str, reason: str) -> str:
    """XLA's reason, with the part of the program that it speaks of."""
    located = re.search(r"-:(\d+):(\d+): error: ", reason)
    call = re.search(r"custom call to (\S+)", reason)
    if located:
        place = _excerpt(text, int(located[1]) - 1, int(located[2]) - 1)
    elif call and f"@{call[1]}" in text:
        before = text[: text.index(f"@{call[1]}")]
        place = _excerpt(text, before.count("\n"), len(before) - before.rfind("\n") - 1)
    else:
        place = ""
    # What follows the marker is advice about serialised programs, which this one is not.
    reason = reason.split("<unknown>:0: error: Failed to parse")[0].strip()
    return (
        f"XLA does not accept the program that diffeo wrote for it.\n  {reason}\n{place}"
        "Unless you wrote the lowering yourself, this is a bug in diffeo: please report it with "
        "the function that was compiled; the whole program is in the error's `module_text`."
    )


def _excerpt(text: str, line: int, column: int) -> str:
    """The line before and the line in question, with a mark under the column."""
    lines = text.split("\n")
    if line >= len(lines):
        return ""
    start = max(0, column - 60)
    shown = [
        f"  {number + 1:>5} | {lines[number][start : start + 90]}\n"
        for number in range(max(0, line - 1), line + 1)
    ]
    return "".join(shown) + f"  {'':>5} | {' ' * (column - start)}^\n"
