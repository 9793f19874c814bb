"""NVIDIA's GPUs: where the wheels of the plugin are, and what they need before and after loading.

The plugin is two wheels, both of jaxlib's own version: jax-cuda13-pjrt (XLA's compiler and runtime)
and jax-cuda13-plugin (the kernels that call cuSOLVER and its like, and Python), or the same for
CUDA 12. NVIDIA's libraries come from pip or from the system. The package of the first wheel would
import jax, so nothing of it is imported: its library is found as a file.

`plugins.py` calls the functions of this file in this order: `library`, `missing_device`,
`before_loading`, `after_loading`.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import compat

#: The major versions of CUDA for which there are wheels, best first.
_MAJORS = ("13", "12")
#: NVIDIA's libraries, by CUDA's major version and the folder of their wheel, in the order in which
#: they want to be loaded.
_LIBRARIES = {
    "13": {
        "cu13": (
            "libcudart.so.13", "libnvrtc.so.13", "libcublas.so.13", "libcublasLt.so.13",
            "libcupti.so.13", "libcusparse.so.12", "libcusolver.so.12", "libcufft.so.12",
        ),
        "nccl": ("libnccl.so.2",), "nvshmem": ("libnvshmem_host.so.3",),
        "cudnn": ("libcudnn.so.9",),
    },
    "12": {
        "cuda_runtime": ("libcudart.so.12",), "cuda_nvrtc": ("libnvrtc.so.12",),
        "cublas": ("libcublas.so.12", "libcublasLt.so.12"), "nccl": ("libnccl.so.2",),
        "cuda_cupti": ("libcupti.so.12",), "cusparse": ("libcusparse.so.12",),
        "cusolver": ("libcusolver.so.11",), "cufft": ("libcufft.so.11",),
        "nvshmem": ("libnvshmem_host.so.3",), "cudnn": ("libcudnn.so.9",),
    },
}  # fmt: skip
#: The modules of the second wheel with the kernels that programs of diffeo call.
_KERNELS = ("_solver", "_hybrid", "_linalg", "_sparse")


def _folders(package: str) -> list[Path]:
    """Return the folders of a package without code of its own. The package is not imported."""
    spec = find_spec(package)
    return [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []


@cache
def _installed() -> tuple[str, Path] | None:
    """Return CUDA's major version and the plugin's library, of the wheel that is installed."""
    for folder in _folders("jax_plugins"):
        for major in _MAJORS:
            library = folder / f"xla_cuda{major}" / "xla_cuda_plugin.so"
            if library.exists():
                return major, library
    return None


def library() -> str | None:
    """Return the plugin's library, if the wheel is installed."""
    installed = _installed()
    return str(installed[1]) if installed else None


def missing_device() -> str | None:
    """Return why there cannot be a GPU here, or None if there may be one."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver (libcuda.so.1 was not found)"
    return None


def before_loading() -> None:
    """Check that the wheels fit, and load NVIDIA's libraries, so that the plugin finds them.

    Raises:
        RuntimeError: for wheels of another version than jaxlib's.
    """
    installed = _installed()
    assert installed is not None, "a plugin that is not installed is not loaded"
    major = installed[0]
    # A hundredth of a second, of use only to whoever has the plugin.
    version: Any = import_module("importlib.metadata").version
    for wheel in (f"jax-cuda{major}-pjrt", f"jax-cuda{major}-plugin"):
        try:
            wheel_version = version(wheel)
        except ModuleNotFoundError:
            wheel_version = None
        if wheel_version != compat.version:
            raise RuntimeError(
                f"the CUDA plugin needs {wheel} of jaxlib's version, {compat.version}, but "
                f"{wheel_version or 'none'} is installed: "
                f"pip install 'jax-cuda{major}-plugin[with-cuda]=={compat.version}'"
            )
    folders = _folders("nvidia")
    for folder, names in _LIBRARIES[major].items():
        for name in names:
            for path in (base / folder / "lib" / name for base in folders):
                if path.exists():
                    ctypes.CDLL(str(path))


def after_loading(c_api: Any) -> None:
    """Make kernels callable from programs: those that call NVIDIA's libraries, those that call
    LAPACK on the host, and the one that calls Python.
    """
    installed = _installed()
    assert installed is not None, "a plugin that is not installed is not loaded"
    package = f"jax_cuda{installed[0]}_plugin"
    extension: Any = import_module(f"{package}.cuda_plugin_extension")
    for name, type_id in extension.ffi_types().items():
        extension.register_custom_type(c_api, name, type_id)
    kernels: dict[str, Any] = dict(extension.ffi_handlers())
    modules: dict[str, Any] = {m: import_module(f"{package}.{m}") for m in _KERNELS}
    for module in modules.values():
        kernels.update(module.registrations())
    for name, kernel in kernels.items():
        extension.register_custom_call_target(c_api, name, kernel, "CUDA", 1, 0)
    # Loads SciPy's LAPACK; without it, a call of a hybrid kernel ends the process.
    modules["_hybrid"].initialize()
    compat.cuda_folder = _toolkit(installed[0])


def _toolkit(major: str) -> str | None:
    """Return the folder of CUDA's assembler and mathematical functions, if pip has them."""
    folders = _folders("nvidia")
    for folder in folders:
        path = folder / ("cu13" if major == "13" else "cuda_nvcc")
        if path.exists():
            return str(path)
    return None
