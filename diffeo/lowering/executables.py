"""Executables: programs that XLA compiled, on their device.

`compile_module` makes an `Executable` of a module's text, `load_module` of the bytes of an earlier
one; `Executable.execute` runs it on buffers (see `devices/buffers.py`). `compiler.py` keeps
executables, and is what the rest of diffeo calls. An *aval* is the type of a value: shape and
dtype.

Examples:
    >>> import numpy as np
    >>> from diffeo.lowering import executables
    >>> from diffeo.lowering.devices import buffers
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

#: Seconds of a run after which somebody may lose patience with a loop.
LONG = 0.1

#: Bytes of memory that an executable takes for each letter of its text. Measured on processors, it
#: is 4 to 25.
BYTES_PER_LETTER = 20


class CompilationError(RuntimeError):
    """XLA refused a program that diffeo wrote.

    Attributes:
        module_text: the program as StableHLO.
    """

    def __init__(self, message: str, module_text: str):
        super().__init__(message)
        self.module_text = module_text

    def __reduce__(self):
        return CompilationError, (self.args[0], self.module_text)


def carrier(aval: Any) -> Any:
    """Return the type by which the machine knows an array: of keys, that of what carries them."""
    return aval.update(dtype=aval.dtype.carrier) if aval.dtype.kind == "k" else aval


class Executable:
    """A compiled program on its device. `compile_module` and `load_module` make them.

    Attributes:
        in_avals, out_avals: tuples of the types of operands and results.
        device: the device that it runs on.
        calls_python: whether it calls Python functions.
        compile_seconds: how long XLA took, also if that was in another process.
        size: how many bytes of memory it takes, roughly: XLA does not say it.
        watched: whether `execute` may take long before it returns, so that a signal would wait.
            Set for a program with a loop until its first run; after that, only if the run was long.
        tuning: the measurements of autotuning, if autotuning chose this executable; else empty.
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
        self.in_avals = tuple(map(carrier, in_avals))
        self.out_avals = tuple(map(carrier, out_avals))
        self.device = device
        self.compile_seconds = compile_seconds
        self.calls_python = calls is not None
        self.tuning: tuple[Any, ...] = ()
        self.size = 0
        self.watched = False
        self._loaded = loaded
        self._run = calls.runner(loaded) if calls else loaded.execute_sharded
        self._handlers = [compat.result_handler(aval, device._sharding) for aval in self.out_avals]

    def execute(self, buffers: list[Any]) -> list[Any]:
        """Run on buffers, one per operand. Return one buffer per result, perhaps before the results
        are computed.

        The types are not checked. XLA would take any buffer of the right number of bytes, so the
        caller must have compared the operands' types with `in_avals`.
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
        """The pair (run, handlers), for a dispatcher that cannot afford a call of `execute`:
        `run(buffers).consume_with_handlers(handlers)`.
        """
        return self._watch if self.watched else self._run, self._handlers

    def _watch(self, buffers: list[Any]) -> Any:
        """Run as `_run` does, but let signals be handled meanwhile."""
        start = time.perf_counter()
        results = interruptibly(lambda: self._run(buffers))
        self.watched = time.perf_counter() - start > LONG
        return results

    def serialize(self) -> bytes:
        """Return the executable as bytes, for `load_module`.

        The bytes can be loaded with the same version of jaxlib, on a machine of the same kind.

        Raises:
            RuntimeError: if executables of the device cannot be stored.
        """
        return self._loaded.serialize()

    def as_text(self) -> str:
        """Return the program as XLA optimised it, in HLO's textual form."""
        return self._loaded.get_hlo_text()

    def cost_analysis(self) -> dict[str, float]:
        """Return XLA's estimate of the work: "flops", "bytes accessed" and others."""
        return dict(self._loaded.cost_analysis())

    def memory_analysis(self) -> dict[str, int]:
        """Return the bytes of "argument", "output", "temp", "alias" (donated and reused) and
        "generated_code" memory.
        """
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
        OutOfMemoryError: if there is not enough memory to compile the program.
        ValueError: for an option that XLA does not know, or a value that the option does not take.
    """
    target = device or default_device()
    prepare(text)
    compile_options = compat.compile_options(target._singleton[0], options or {})
    calls = HostCalls(functions) if functions else None
    start = time.perf_counter()
    try:
        # An exception from a signal, raised in between, would free what the compiler reads.
        with progress(f"compiling {module_name(text) or 'a program'}"), Held():
            if calls:
                loaded = compat.compile_with_functions(
                    target._client, text, target._list, compile_options, calls.entries()
                )
            else:
                loaded = target._client.compile_and_load(text, target._list, compile_options)
    except compat.XlaError as error:
        if re.search("No such compile option|While setting option", str(error)):
            raise ValueError(f"compiler option not accepted by XLA: {error}") from None
        if is_out_of_memory(error):
            raise out_of_memory(error, text=text) from None
        raise CompilationError(_explain_refusal(text, str(error)), text) from None
    seconds = time.perf_counter() - start
    executable = Executable(loaded, in_avals, out_avals, target, seconds, calls)
    executable.size = BYTES_PER_LETTER * len(text)
    return executable


def load_module(
    payload: bytes,
    in_avals: Sequence[Any],
    out_avals: Sequence[Any],
    *,
    options: Mapping[str, Any],
    device: Device,
    compile_seconds: float,
) -> Executable:
    """Return the executable that `serialize` turned into bytes.

    jaxlib does not check the bytes. The caller must know that they are whole and fit this machine,
    and must have called `prepare` with the program's text.

    Args:
        payload: the bytes.
        in_avals, out_avals: the types of main's operands and results.
        options: XLA flags and their values.
        device: where it will run.
        compile_seconds: how long XLA took when it compiled the program.

    Raises:
        RuntimeError: if jaxlib sees that the bytes are no executable.
    """
    compile_options = compat.compile_options(device._singleton[0], options)
    with Held():  # as in `compile_module`
        loaded = device._client.deserialize_executable(payload, device._list, compile_options)
    executable = Executable(loaded, in_avals, out_avals, device, compile_seconds)
    executable.size = len(payload)
    return executable


def explain_run_error(executable: Executable | None, error: Exception) -> Exception:
    """Return the error to raise in place of an error of a run.

    If memory ran out, that is an `OutOfMemoryError` which says what the program needs, as far as
    the executable is known. Any other error is returned as it is.
    """
    if isinstance(error, compat.XlaError) and is_out_of_memory(error):
        return out_of_memory(error, executable)
    return error


def prepare(text: str) -> None:
    """Load the kernels that a program calls. Without them, a call would end the process."""
    if '"lapack_' in text:
        _need_lapack()


def _need_lapack() -> None:
    """Register the LAPACK kernels, once in a process."""
    with state.lock, Held():
        compat.register_lapack()


def _explain_refusal(text: str, reason: str) -> str:
    """Return a message with XLA's reason and the part of the program that the reason speaks of."""
    position = re.search(r"-:(\d+):(\d+): error: ", reason)
    call = re.search(r"custom call to (\S+)", reason)
    if position:
        excerpt = _excerpt(text, int(position[1]) - 1, int(position[2]) - 1)
    elif call and f"@{call[1]}" in text:
        before = text[: text.index(f"@{call[1]}")]
        excerpt = _excerpt(text, before.count("\n"), len(before) - before.rfind("\n") - 1)
    else:
        excerpt = ""
    # The text behind the marker is advice about serialised programs; this program is not one.
    reason = reason.split("<unknown>:0: error: Failed to parse")[0].strip()
    return (
        f"XLA does not accept the program that diffeo wrote for it.\n  {reason}\n{excerpt}"
        "Unless you wrote the lowering yourself, this is a bug in diffeo: please report it with "
        "the function that was compiled; the whole program is in the error's `module_text`."
    )


def _excerpt(text: str, line: int, column: int) -> str:
    """Return the given line and the line before, with a mark under the column."""
    lines = text.split("\n")
    if line >= len(lines):
        return ""
    start = max(0, column - 60)
    shown = [
        f"  {number + 1:>5} | {lines[number][start : start + 90]}\n"
        for number in range(max(0, line - 1), line + 1)
    ]
    return "".join(shown) + f"  {'':>5} | {' ' * (column - start)}^\n"
