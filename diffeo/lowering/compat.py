"""The one file that knows which jaxlib this is.

jaxlib is the package with XLA, the compiler, and PJRT, the interface to devices: a *client* owns
the devices of one platform, their *buffers* and the executables. jaxlib 0.10.2 to 0.12 are
supported. Where they differ, jaxlib itself is asked (does it have the method?), not its version
number, and the functions here are the same for all versions.

Only `jaxlib._jax` and, once a device is used, `jaxlib._hlo` are imported: `jaxlib.xla_client` is a
layer of Python above them that costs start-up time and adds nothing that is needed here. No
function of this file lets jaxlib import jax, which some of its calls do when jax is installed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..primitives.support.signals import Held

# XLA reads this variable when it is loaded. Without it, every start prints information lines on
# stderr.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

# jaxlib ships no type stubs, so this is a plain object to a type checker.
_jax: Any = import_module("jaxlib._jax")

#: The version of jaxlib, as text.
version: str = import_module("jaxlib.version").__version__

#: What XLA raises: at compile time and at run time.
XlaError: type[RuntimeError] = _jax.JaxRuntimeError

#: jaxlib's tree library.
pytree: Any = _jax.pytree

if TYPE_CHECKING:
    PyTreeDef = Any
else:
    PyTreeDef = pytree.PyTreeDef

#: Release the Python objects that buffers and executables still hold after they are gone.
collect_garbage: Callable[[], None] = _jax.collect_garbage

#: `device_put(aval, sharding, [array], [device], committed, force_copy, semantics, enable_x64)`.
device_put: Callable[..., Any] = _jax.batched_device_put

#: The host memory is copied before `device_put` returns.
COPY: Any = _jax.HostBufferSemantics.IMMUTABLE_ONLY_DURING_CALL

#: The host memory may be used as it is, and is kept alive as long as the buffer.
SHARE: Any = _jax.HostBufferSemantics.ZERO_COPY

#: Wait for a list of buffers; raises the error of a computation that failed.
block_until_ready: Callable[[list[Any]], None] = _jax.batched_block_until_ready

#: The folder of CUDA's assembler, if pip has installed it; `cuda.py` sets it once a GPU is used.
cuda_folder: str | None = None
#: For `copy_to_device`: the copy is a buffer of its own, or may be the same buffer again.
ALWAYS_COPY: Any = _jax.ArrayCopySemantics.ALWAYS_COPY
MAY_SHARE: Any = _jax.ArrayCopySemantics.REUSE_INPUT

# In which ways this jaxlib differs: whether `array_result_handler` takes one more argument, whether
# DLPack's versions are known, and whether buffers turn themselves into NumPy arrays of any dtype.
_RESULTS_WANT_SKIP_CHECKS = "_skip_checks" in (_jax.array_result_handler.__doc__ or "")
_DLPACK_HAS_VERSIONS = "max_version" in (_jax.buffer_to_dlpack_managed_tensor.__doc__ or "")
BUFFERS_READ_THEMSELVES = hasattr(_jax.ArrayImpl, "_to_np_array_did_copy")


def make_cpu_client(num_devices: int | None) -> Any:
    """Return a PJRT client of the host's processor.

    `num_devices` says into how many devices the processor is divided; None: as XLA_FLAGS says.
    """
    return _jax.get_tfrt_cpu_client(asynchronous=True, num_devices=num_devices)


def load_plugin(name: str, path: str) -> Any:
    """Load a PJRT plugin under a name. Return its C interface, a capsule."""
    return _jax.load_pjrt_plugin(name, path, c_api=None)


def make_plugin_client(name: str, options: Mapping[str, Any]) -> Any:
    """Return a PJRT client of a plugin that was loaded under this name."""
    if not _jax.pjrt_plugin_initialized(name):
        _jax.initialize_pjrt_plugin(name)
    return _jax.get_c_api_client(name, dict(options), None)


def device_list(device: Any) -> Any:
    """Return the list of one device, in the form in which jaxlib compares it fastest."""
    return _jax.DeviceList((device,))


def single_device_sharding(devices: Any, memory_kind: str | None = None) -> Any:
    """Return the placement of a whole array on one device, in its own memory or one of another
    kind.

    jaxlib's SingleDeviceSharding is unusable before 0.11, and its NamedSharding imports jax.
    """
    # Heavy, and of use only once a device is: loaded here, not when diffeo is imported.
    hlo: Any = import_module("jaxlib._hlo")
    return _jax.GSPMDSharding(devices, hlo.HloSharding.replicate(), memory_kind)


def result_handler(aval: Any, sharding: Any) -> Any:
    """Return the function that makes a buffer of type `aval` of one raw result of an executable.

    The function does not look at the result; the type is the caller's promise.
    """
    if _RESULTS_WANT_SKIP_CHECKS:
        return _jax.array_result_handler(aval, sharding, True, True)
    return _jax.array_result_handler(aval, sharding, True)


def copy_to_device(buffer: Any, devices: Any, sharding: Any, how: Any = MAY_SHARE) -> Any:
    """Return a copy of a buffer on another device. The copy waits for the buffer's computation.

    Args:
        buffer: the buffer.
        devices: the list of the other device.
        sharding: the placement on the other device, which may name a kind of memory.
        how: ALWAYS_COPY or MAY_SHARE.
    """
    copy = _jax.batched_copy_array_to_devices_with_sharding
    return copy([buffer], [devices], [sharding], [how])[0]


def start_copy_to_host(buffer: Any) -> None:
    """Begin to copy a buffer to the host. Do nothing where this jaxlib cannot (before 0.11)."""
    if hasattr(_jax, "batched_copy_to_host_async"):
        _jax.batched_copy_to_host_async([buffer])


def read_from_accelerator(buffer: Any, devices: Any) -> np.ndarray:
    """Return the numbers of a buffer that is not in host memory, of one of NumPy's own dtypes."""
    if BUFFERS_READ_THEMSELVES:
        return buffer._to_np_array_did_copy()[0]
    # Memory of the host that the device can write to; NumPy reads it in place.
    pinned = copy_to_device(buffer, devices, single_device_sharding(devices, "pinned_host"))
    return np.asarray(memoryview(pinned))


def dlpack_capsule(
    buffer: Any, stream: int | None, max_version: tuple[int, int] | None, copied: bool
) -> Any:
    """Return a buffer as DLPack's capsule."""
    if _DLPACK_HAS_VERSIONS:
        return _jax.buffer_to_dlpack_managed_tensor(
            buffer, stream=stream, max_version=max_version, copied=copied
        )
    return _jax.buffer_to_dlpack_managed_tensor(buffer, stream=stream)


def compile_options(device: Any, overrides: Mapping[str, Any]) -> Any:
    """Return a program's options for one device; `overrides` are XLA flags and their values."""
    options = _jax.CompileOptions()
    options.num_replicas = 1
    options.num_partitions = 1
    options.device_assignment = _jax.DeviceAssignment.create(np.array([[device.id]], np.int32))
    if cuda_folder and device.platform == "gpu":
        options.executable_build_options.debug_options.xla_gpu_cuda_data_dir = cuda_folder
    if overrides:
        options.env_option_overrides = list(overrides.items())
    return options


@lru_cache(maxsize=1)
def mlir() -> tuple[Any, Any]:
    """Return MLIR's Python interface, and a context with the dialects of programs."""
    # Of use only to programs that call Python functions: loaded here, not when diffeo is imported.
    ir: Any = import_module("jaxlib.mlir.ir")
    extension: Any = import_module("jaxlib.mlir._mlir_libs._jax_mlir_ext")
    context = ir.Context()
    registry = ir.DialectRegistry()
    extension.register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    for name in ("stablehlo", "chlo"):
        import_module(f"jaxlib.mlir.dialects.{name}").register_dialect(context)
    return ir, context


def compile_with_functions(
    client: Any, text: str, devices: Any, options: Any, functions: Sequence[Callable]
) -> Any:
    """Compile a program that calls these Python functions.

    For such a program, the client takes a parsed module, not text. The caller holds signals: an
    exception must not end this function early.
    """
    ir, context = mlir()
    with context:
        try:
            module = ir.Module.parse(text)
        except ir.MLIRError as error:
            raise XlaError(str(error)) from None
        return client.compile_and_load(module, devices, options, list(functions))


@lru_cache(maxsize=1)
def hlo_text(text: str) -> str:
    """Return a StableHLO module as XLA's own text, HLO, before any optimisation."""
    return _jax.mlir.mlir_module_to_xla_computation(text).as_hlo_text()


def register_lapack() -> None:
    """Make the LAPACK kernels that jaxlib ships callable from programs, as `lapack_<name>_ffi`."""
    # Loads SciPy's LAPACK (a third of a second): only once a program calls it.
    kernels: Any = import_module("jaxlib.cpu._lapack")
    kernels.initialize()  # without it, a call ends the process
    for name, kernel in kernels.registrations().items():
        _jax.register_custom_call_target(name, kernel, "Host", int(name.endswith("_ffi")), 0)


# --------------------------------------------------------------------------------------------------
# jaxlib's dispatcher


class _FastPath(NamedTuple):
    """The facts that the dispatcher asks for about an executable, by the dispatcher's own names."""

    xla_executable: Any
    out_pytree_def: Any
    in_shardings: list[Any]
    out_shardings: list[Any]
    out_avals: list[Any]
    out_committed: list[bool]
    kept_var_bitvec: list[bool]
    in_device_local_layouts: list[Any]
    const_args: list[Any]


@lru_cache(maxsize=1)
def _dispatcher() -> tuple[Any, Any, list[Any]]:
    """Return the registry of operands' containers, the dispatcher's cache, and the settings it
    reads.
    """
    settings: list[Any] = []
    if _jax_config() is None:
        # The dispatcher reads three settings of the process, which jax makes when it is imported.
        # Without jax, they are made here; if jax is imported later, it makes its own.
        config: Any = import_module("jaxlib._jax").config.Config
        settings.append(config("diffeo_wide", True, include_in_jit_key=True))
        settings += [config("diffeo_disable", False), config("diffeo_hook", None)]
        _jax.jax_jit.set_enable_x64_state(settings[0])
        _jax.jax_jit.set_disable_jit_state(settings[1])
        _jax.jax_jit.set_post_hook_state(settings[2])
    return pytree.PyTreeRegistry(), _jax.PjitFunctionCache(), settings


def _jax_config() -> Any:
    config = sys.modules.get("jax._src.config")
    # A module without a file only has the name: jax's names may be served by others.
    return config if getattr(config, "__file__", None) else None


def _keeps_64_bits() -> bool:
    """Return whether the dispatcher takes NumPy's numbers as they are.

    It does not under jax's own default, which narrows numbers to 32 bits.
    """
    jax_config = _jax_config()
    return (
        jax_config is None
        or getattr(getattr(jax_config, "enable_x64", None), "value", False) is True
    )


def native_caller(
    call: Callable[..., Any], loaded: Any, sharding: Any, count: int, out_avals: Sequence[Any]
) -> Callable[..., Any]:
    """Return a function that does what `call` does, by way of jaxlib's dispatcher.

    `call` itself runs at first, and where the dispatcher does not know what to do.

    Args:
        call: a function of `count` operands that runs the executable.
        loaded: jaxlib's executable.
        sharding: the placement on the executable's device.
        count: the number of operands.
        out_avals: the types of the results.
    """
    with Held():
        registry, cache, _ = _dispatcher()
    out_tree = registry.flatten([0] * len(out_avals))[1]
    num_outs = len(out_avals)
    fast_path = _FastPath(
        loaded,
        out_tree,
        [sharding] * count,
        [sharding] * num_outs,
        list(out_avals),
        [True] * num_outs,
        [True] * count,
        [None] * count,
        [],
    )

    def miss(*operands: Any) -> tuple[list[Any], Any, bool]:
        # The setting of 64 bits is part of the dispatcher's key: what is kept under one value is
        # not found under the other.
        return call(*operands), fast_path if _keeps_64_bits() else None, False

    def refuse(*args: Any) -> Any:
        raise TypeError("an operand that jaxlib's dispatcher does not know")

    return _jax.pjit("diffeo", call, miss, [], [], (), registry, refuse, cache)


# --------------------------------------------------------------------------------------------------
# Reading dtypes that the buffer protocol has no letter for


class _DLTensor(ctypes.Structure):
    """The head of DLPack's public C structure, as far as it is needed to find the data."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_uint8 * 4),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    )


#: Dtypes of which the device packs several elements into a byte; NumPy gives each a byte.
PACKED_DTYPES = frozenset({"int2", "uint2", "int4", "uint4", "float4_e2m1fn"})

_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


def read_extended(buffer: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    """Return a CPU buffer of bfloat16, float8 ... as a NumPy array, without a copy where possible.

    None where this jaxlib has no way to read the dtype (those narrower than a byte, before 0.11).
    The array keeps the buffer alive. The caller has waited for the buffer.
    """
    if BUFFERS_READ_THEMSELVES:
        return buffer._to_np_array_did_copy()[0]
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    if dtype.name in PACKED_DTYPES:
        return None
    # unsafe_buffer_pointer() would be simpler, but imports jax for a buffer that was put.
    capsule = _jax.buffer_to_dlpack_managed_tensor(buffer)
    tensor = _DLTensor.from_address(_capsule_pointer(capsule, b"dltensor"))
    data: Any = (ctypes.c_char * size).from_address(tensor.data + tensor.byte_offset)
    data.capsule = capsule  # NumPy keeps `data`, and so the capsule and the buffer, alive
    return np.frombuffer(data, dtype).reshape(shape)
