"""The machine at run time: devices, buffers, and executables.

Nothing happens on import: the PJRT client is made when the first device is asked for. A *buffer* is
an opaque handle of jaxlib; nobody outside this folder may look into it or show it to a user. Types
of values (*avals*) are anything with `.shape`, `.dtype` and `.weak_type`.

Examples:
    >>> import numpy as np
    >>> from diffeo.lowering import runtime
    >>> from diffeo.primitives.types import ShapedArray
    >>> aval = ShapedArray((3,), np.float64)
    >>> program = '''module { func.func public @main(%x: tensor<3xf64>) -> tensor<3xf64> {
    ...   %y = stablehlo.add %x, %x : tensor<3xf64>
    ...   return %y : tensor<3xf64> } }'''
    >>> executable = runtime.compile_module(program, [aval], [aval])
    >>> [y] = executable.execute([runtime.put(np.arange(3.0), aval)])
    >>> runtime.to_numpy(y, aval)
    array([0., 2., 4.])
"""

from __future__ import annotations

import gc
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..primitives.array import device as array_device
from . import compat
from .host_calls import HostCalls

# --------------------------------------------------------------------------------------------------
# Devices


class Device:
    """A device, and what every transfer to it and every program on it needs, made once.

    Attributes:
        platform: "cpu", "gpu" ...
        id: its number among the devices of the platform.
    """

    __slots__ = ("_client", "_list", "_sharding", "_singleton", "id", "platform")

    def __init__(self, client: Any, handle: Any):
        self.platform: str = handle.platform
        self.id: int = handle.id
        self._client = client
        self._list = compat.device_list(handle)
        self._sharding = compat.single_device_sharding(self._list)
        self._singleton = [handle]

    def __repr__(self) -> str:
        return f"{self.platform}:{self.id}"


class _State:
    """What the process has made so far."""

    devices: tuple[Device, ...] | None = None
    default: Device | None = None
    has_lapack = False
    lock = threading.Lock()


_state = _State()

# Set in a child that was forked from a process with a client; read on the hot path.
_forked = False


def devices() -> tuple[Device, ...]:
    """The devices of this process; the first call starts the client (a few milliseconds).

    One processor device, unless XLA_FLAGS holds `--xla_force_host_platform_device_count=n`.

    Raises:
        RuntimeError: in a process forked from one that had already started the client.
    """
    if _forked:
        raise _fork_error()
    found = _state.devices
    if found is None:
        with _state.lock:
            found = _state.devices
            if found is None:
                found = _start_client()
                _state.default = found[0]
                _state.devices = found
    return found


def default_device() -> Device:
    """The device that programs and data go to when none is named: the first one."""
    return devices()[0]


def device_description(device: Device | None = None) -> str:
    """A line about a device for people: `cpu:0 (x86_64 Some Processor, 8 cores, jaxlib 0.10.2)`."""
    device = device or default_device()
    about = _processor() if device.platform == "cpu" else device._singleton[0].device_kind
    return f"{device} ({about}, jaxlib {compat.version})"


def _start_client() -> tuple[Device, ...]:
    user_chose = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    client = compat.make_cpu_client(None if user_chose else 1)
    # jaxlib queues Python objects that it no longer needs and frees them when told to.
    gc.callbacks.append(_collect_after_gc)
    os.register_at_fork(after_in_child=_after_fork)
    return tuple(Device(client, handle) for handle in client.local_devices())


def _collect_after_gc(
    phase: str, info: Mapping[str, int], collect: Callable[[], None] = compat.collect_garbage
) -> None:
    # `collect` is bound here because the last collections run when modules are already torn down.
    if phase == "stop":
        collect()


def _after_fork() -> None:
    global _forked
    _forked = True
    gc.callbacks.remove(_collect_after_gc)


def _fork_error() -> RuntimeError:
    return RuntimeError(
        "this process was forked from one that had already used diffeo's compiler; its threads do "
        "not exist here, so a computation would wait for ever. Start the process with "
        "multiprocessing.get_context('spawn') (or 'forkserver') instead of fork."
    )


def _architecture() -> str:
    # The module platform would say it everywhere, but takes two milliseconds to import.
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]


@lru_cache(maxsize=1)
def _processor() -> str:
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
            model = " " + named[1].strip() if named else ""
    except OSError:
        pass  # not Linux: the architecture alone
    return f"{_architecture()}{model}, {os.cpu_count()} cores"


# --------------------------------------------------------------------------------------------------
# Buffers


def put(array: np.ndarray, aval: Any, *, alias: bool = False, device: Device | None = None) -> Any:
    """A device buffer with the numbers of a NumPy array of any strides.

    Args:
        array: the data; dtypes of ml_dtypes (bfloat16, float8, int4 ...) are welcome.
        aval: their type; shape and dtype must be the array's.
        alias: the promise that the memory never changes again, so that the device may use it in
            place (it does where the memory is aligned to 64 bytes) and keeps it alive. Otherwise
            the numbers are copied before `put` returns.
        device: where to; the default device if None.

    Raises:
        TypeError: if the shape or the dtype is not that of `aval`.
    """
    if array.dtype != aval.dtype or array.shape != aval.shape:
        raise TypeError(
            f"put: the aval says {aval.dtype}{list(aval.shape)}, but the array is "
            f"{array.dtype}{list(array.shape)}; convert one of them first"
        )
    if _forked:
        raise _fork_error()
    to = device or _state.default or default_device()
    how = compat.SHARE if alias else compat.COPY
    return compat.device_put(aval, to._sharding, [array], to._singleton, True, False, how, True)


def to_numpy(buffer: Any, aval: Any) -> np.ndarray:
    """The numbers of a buffer as a read-only NumPy array; waits until they are computed.

    On the CPU it is a view of the device's memory, which it keeps alive (dtypes narrower than a
    byte are copied).

    Raises:
        RuntimeError: if the computation of the buffer failed, or the buffer was donated to a
            program or deleted.
    """
    if _forked and not buffer.is_ready():
        raise _fork_error()
    dtype = aval.dtype
    try:
        if dtype.isbuiltin == 1:  # NumPy's own, not one of ml_dtypes
            # np.asarray(buffer) would go through whatever jax, if it is loaded, added to the class.
            return np.asarray(memoryview(buffer))
        buffer.block_until_ready()
        array = compat.read_extended(buffer, aval.shape, dtype)
    except (BufferError, compat.XlaError) as error:
        raise _read_error(buffer, error) from None
    if array is None:
        array = _unpack(buffer, aval)
    array.flags.writeable = False
    return array


def block_until_ready(buffers: Sequence[Any]) -> None:
    """Wait until all buffers are computed; raises the error of a computation that failed."""
    if _forked:
        raise _fork_error()
    compat.block_until_ready(list(buffers))


def _read_error(buffer: Any, error: Exception) -> Exception:
    """The reason why a buffer cannot be read; the buffer protocol hides it in a BufferError."""
    if buffer.is_deleted():
        return RuntimeError(
            "the array has no data any more: its buffer was donated to a compiled function (see "
            "donate_argnums) or deleted. Use the function's result, or do not donate the array."
        )
    try:
        buffer.block_until_ready()
    except compat.XlaError as failure:
        return failure
    return error


class _Aval:
    """The type of a helper program's operand or result."""

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape, self.dtype, self.weak_type = shape, dtype, False


def _unpack(buffer: Any, aval: Any) -> np.ndarray:
    """Numbers narrower than a byte, widened by a small program and narrowed again by NumPy."""
    widen = _widening_program(aval.shape, aval.dtype)
    [wide] = widen.execute([buffer])
    return to_numpy(wide, widen.out_avals[0]).astype(aval.dtype)


@lru_cache(maxsize=256)
def _widening_program(shape: tuple[int, ...], dtype: np.dtype) -> Executable:
    narrow, wide, wide_dtype = {
        "int2": ("i2", "i8", np.int8),
        "int4": ("i4", "i8", np.int8),
        "uint2": ("ui2", "ui8", np.uint8),
        "uint4": ("ui4", "ui8", np.uint8),
        "float4_e2m1fn": ("f4E2M1FN", "f32", np.float32),
    }[dtype.name]
    source, target = ("".join(f"{n}x" for n in shape) + name for name in (narrow, wide))
    text = (
        f"module {{ func.func public @main(%x: tensor<{source}>) -> tensor<{target}> {{\n"
        f"  %y = stablehlo.convert %x : (tensor<{source}>) -> tensor<{target}>\n"
        f"  return %y : tensor<{target}>\n}} }}"
    )
    wide_aval = _Aval(shape, np.dtype(wide_dtype))
    return compile_module(text, [_Aval(shape, dtype)], [wide_aval])


# --------------------------------------------------------------------------------------------------
# Executables


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
    """A compiled program on its device. Made by `compile_module`.

    Attributes:
        in_avals, out_avals: tuples of the types of operands and results.
        device: where it runs.
        compile_seconds: how long XLA took.
    """

    __slots__ = (
        "_handlers",
        "_loaded",
        "_run",
        "compile_seconds",
        "device",
        "in_avals",
        "out_avals",
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
        self._loaded = loaded
        self._run = calls.runner(loaded) if calls else loaded.execute_sharded
        self._handlers = [compat.result_handler(aval, device._sharding) for aval in out_avals]

    def execute(self, buffers: list[Any]) -> list[Any]:
        """Run on buffers, one per operand; returns a buffer per result, perhaps before they are
        computed.

        The types are not checked: XLA would take any buffer of the right number of bytes, so the
        caller must have compared them with `in_avals`.
        """
        if _forked:
            raise _fork_error()
        return self._run(buffers).consume_with_handlers(self._handlers)

    @property
    def parts(self) -> tuple[Callable, list[Any]]:
        """(run, handlers), for a dispatcher that cannot afford a call of `execute`:
        `run(buffers).consume_with_handlers(handlers)`."""
        return self._run, self._handlers

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
        ValueError: for an option that XLA does not know, or a value that it does not take.
    """
    target = device or default_device()
    if '"lapack_' in text:
        _need_lapack()
    chosen = compat.compile_options(target._singleton[0], options or {})
    calls = HostCalls(functions) if functions else None
    start = time.perf_counter()
    try:
        if calls:
            loaded = compat.compile_with_functions(
                target._client, text, target._list, chosen, calls.entries()
            )
        else:
            loaded = target._client.compile_and_load(text, target._list, chosen)
    except compat.XlaError as error:
        if re.search("No such compile option|While setting option", str(error)):
            raise ValueError(f"compiler option not accepted by XLA: {error}") from None
        raise CompilationError(_explain_refusal(text, str(error)), text) from None
    seconds = time.perf_counter() - start
    return Executable(loaded, in_avals, out_avals, target, seconds, calls)


def _need_lapack() -> None:
    """Register the LAPACK kernels, once in a process."""
    with _state.lock:
        if not _state.has_lapack:
            compat.register_lapack()
            _state.has_lapack = True


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


# Arrays get their device memory from here; the numbers of an Array never change.
array_device.fetch = to_numpy
array_device.put = partial(put, alias=True)
