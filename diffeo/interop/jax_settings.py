"""jax's settings by their names: which setting of diffeo's each is, and why others are refused.

`SAME` has those that are attributes of `dx.config`, `MAPPED` those that are something else here,
`FIXED` those that have one value here, and `OTHERS` those that are about parts of jax that diffeo
does not have, with reasons in `ABOUT`. `dx.config.update`, `read` and the attributes with `jax_`
ask this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from .. import compilation_cache
from ..primitives import jaxpr
from ..primitives.config import SETTINGS, SWITCHES, config, make_usual
from ..primitives.core import with_user_line

#: jax's names of settings that are attributes of `dx.config`, without `jax_`.
SAME = (
    "check_tracer_leaks", "debug_infs", "debug_key_reuse", "debug_nans", "default_device",
    "default_matmul_precision", "default_prng_impl", "disable_jit", "explain_cache_misses",
    "log_compiles", "no_execution", "no_tracing", "numpy_dtype_promotion",
    "numpy_rank_promotion", "platforms",
)  # fmt: skip


class Mapped(NamedTuple):
    """A setting of jax's that is something else here."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


def _usual(name: str, value: Any) -> None:
    """Set a setting of tasks for this one, and for all that have made none."""
    setattr(config, name, value)
    if isinstance(getattr(type(config), name, None), property) or name in _OF_THE_PROCESS:
        return
    make_usual(name, getattr(config, name))


_OF_THE_PROCESS = ("num_cpu_devices", "platforms", "preallocate", "memory_fraction")


def _set_bits(on: bool) -> None:
    _usual("default_bits", 64 if _flag("jax_enable_x64", on) else 32)


def _set_folder(folder: Any) -> None:
    compilation_cache.set_path(folder)


def _enable_cache(on: bool) -> None:
    if not _flag("jax_enable_compilation_cache", on):
        compilation_cache.set_path(None)
    elif compilation_cache.path() is None:
        raise with_user_line(
            ValueError(
                "jax_enable_compilation_cache: the cache is off; say where it is to be, with "
                'dx.compilation_cache.set_path or "jax_compilation_cache_dir"'
            )
        )


def _set_checks(on: bool) -> None:
    jaxpr.after_making = jaxpr.check_jaxpr if _flag("jax_enable_checks", on) else None


def _set_level(name: Any) -> None:
    logging.getLogger("diffeo").setLevel(name or "NOTSET")


def _level() -> str:
    return logging.getLevelName(logging.getLogger("diffeo").level)


#: Settings that are not attributes of `dx.config`.
MAPPED = {
    "jax_enable_x64": Mapped(lambda: config.default_bits == 64, _set_bits),
    "jax_num_cpu_devices": Mapped(
        lambda: -1 if config.num_cpu_devices is None else config.num_cpu_devices,
        lambda n: _usual("num_cpu_devices", None if n == -1 else n),
    ),
    "jax_platform_name": Mapped(
        lambda: (config.platforms or ("",))[0], lambda name: _usual("platforms", name or None)
    ),
    "jax_compilation_cache_dir": Mapped(compilation_cache.path, _set_folder),
    "jax_enable_compilation_cache": Mapped(
        lambda: compilation_cache.path() is not None, _enable_cache
    ),
    "jax_enable_checks": Mapped(lambda: jaxpr.after_making is not None, _set_checks),
    "jax_logging_level": Mapped(_level, _set_level),
}

_STORES_ALL = (
    "every compiled program is stored, and what was not used for longest goes first: set "
    "DIFFEO_CACHE_SIZE, or switch the cache off with dx.compilation_cache.set_path(None)"
)
_TRANSFERS = "transfers between the host and devices are not watched; x.device says where x is"

#: Settings that have the given values here, the first of them when it is read: the reason why it
#: cannot be another.
FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "jax_persistent_cache_min_compile_time_secs": ((0, 0.0, -1), _STORES_ALL),
    "jax_persistent_cache_min_entry_size_bytes": ((0, -1), _STORES_ALL),
    "jax_compilation_cache_max_size": ((-1,), "the size is that of DIFFEO_CACHE_SIZE"),
    **dict.fromkeys(
        (
            "jax_transfer_guard", "jax_transfer_guard_device_to_device",
            "jax_transfer_guard_device_to_host", "jax_transfer_guard_host_to_device",
        ),
        (("allow", None), _TRANSFERS),
    ),
    "jax_threefry_partitionable": (
        (True,), "random bits are those that jax has with it on, on any number of devices"
    ),
    "jax_enable_custom_prng": ((True, False), "dx.random.key makes typed keys, PRNGKey raw ones"),
    "jax_legacy_prng_key": (("allow",), "raw keys are as good as typed ones"),
    "jax_softmax_custom_jvp": ((False, True), "the derivative of softmax is exact in any case"),
    "jax_allow_f16_reductions": ((True,), "sums of float16 are computed as XLA does it"),
    "jax_array_garbage_collection_guard": (
        (None, "allow"), "arrays do not stand in circles of references of diffeo's own"
    ),
    "jax_thread_guard": ((False,), "any thread may use any device"),
    "jax_traceback_filtering": (
        ("auto",), "messages name the user's line, and tracebacks are Python's own"
    ),
    "jax_use_direct_linearize": ((True, False), "linearize is always direct"),
    "jax_use_shardy_partitioner": ((True, False), "one device computes a program"),
    "jax_disable_most_optimizations": (
        (False,), "jit(optimize=False) compiles a function so, dx.config.simplification another way"
    ),
    "jax_cpu_enable_async_dispatch": ((True,), "compiled programs are started and not waited for"),
    "jax_random_seed_offset": ((0,), "a seed is the seed: add the offset yourself"),
    "jax_debug_log_modules": (("",), "dx.config.log_compiles logs on the logger 'diffeo'"),
}  # fmt: skip

#: jax's other settings.
OTHERS = frozenset(  # a text, as a list would take a page
    """
    check_vma eager_constant_folding jax2tf_associative_scan_reductions
    jax2tf_default_native_serialization jax_accurate_erf_inv jax_auto_pcast jax_backend_target
    jax_bcoo_cusparse_lowering jax_captured_constants_report_frames
    jax_captured_constants_warn_bytes jax_check_proxy_envs jax_check_static_indices
    jax_compilation_cache_check_contents jax_compilation_cache_expect_pgle
    jax_compilation_cache_include_metadata_in_key jax_compiler_detailed_logging_min_ops
    jax_compiler_enable_remat_pass jax_cpu_collectives_implementation
    jax_cpu_get_global_topology_timeout_minutes jax_cpu_get_local_topology_timeout_minutes
    jax_cross_host_transfer_socket_address jax_cross_host_transfer_timeout_seconds
    jax_cross_host_transfer_transfer_size jax_cross_host_transport_addresses
    jax_cuda_visible_devices jax_custom_jvp3 jax_custom_vjp3
    jax_debug_leaked_clients_on_clear_backends jax_disable_bwd_checks jax_disable_vmap_shmap_error
    jax_disallow_mesh_context_manager jax_distributed_debug
    jax_distributed_verify_secure_credentials jax_dump_ir_modes jax_dump_ir_to
    jax_embedded_constants_max_bytes jax_enable_pgle jax_enable_preemption_service
    jax_enable_recoverability jax_error_checking_behavior_divide jax_error_checking_behavior_nan
    jax_error_checking_behavior_oob jax_exec_time_optimization_effort
    jax_experimental_unsafe_xla_runtime_errors jax_explicit_x64_dtypes
    jax_export_calling_convention_version jax_export_deserialize_expired_versions
    jax_export_ignore_forward_compatibility jax_force_dcn_cross_host_transfers
    jax_high_dynamic_range_gumbel jax_hlo_source_file_canonicalization_regex
    jax_include_debug_info_in_dumps jax_include_full_tracebacks_in_locations
    jax_log_checkpoint_residuals jax_memory_fitting_effort jax_memory_fitting_level
    jax_mock_gpu_topology jax_mosaic_allow_hlo jax_mosaic_unzip_debug_locations jax_mtls_ca_file
    jax_mtls_cert_file jax_mtls_key_file jax_mtls_peer_uri_prefix jax_mutable_array_checks
    jax_oneapi_visible_devices jax_optimization_level jax_pallas_auto_assign_collective_ids
    jax_pallas_auto_assign_collective_ids_limit jax_pallas_enable_debug_checks
    jax_pallas_poison_buffers jax_pallas_use_mosaic_gpu jax_pallas_verbose_errors
    jax_persistent_cache_enable_xla_caches jax_pgle_aggregation_percentile jax_pgle_profiling_runs
    jax_pjrt_client_create_options jax_pprint_use_color
    jax_ragged_dot_use_gpu_pallas_triton_lowering jax_ragged_dot_use_ragged_dot_instruction
    jax_raise_on_ppermute_sort_diff jax_raise_persistent_cache_errors jax_refs_to_pins jax_remat3
    jax_remat_barrier_no_cotangents jax_remove_custom_partitioning_ptr_from_cache_key
    jax_remove_size_one_mesh_axis_from_type jax_rocm_visible_devices jax_scan3
    jax_send_traceback_to_runtime jax_serialization_version jax_share_binary_between_hosts
    jax_share_binary_between_hosts_timeout_ms jax_sort_devices_by_process_index
    jax_source_url_schema jax_threefry_gpu_kernel_lowering jax_traceback_in_locations_limit
    jax_tracer_error_num_traceback_frames jax_use_cpp_shard_args jax_use_emit_pipeline_primitive
    jax_use_hlo_logistic_lowering jax_use_magma jax_use_rgv3 jax_use_simplified_jaxpr_constants
    jax_xla_backend jax_xla_profile_version mock_num_gpu_processes
    """.split()  # noqa: SIM905
)

#: Parts of names of settings that are about what diffeo does not have: (part, reason).
ABOUT = (
    ("pallas", "there are no kernels in Pallas here"),
    ("mosaic", "there are no kernels in Mosaic here"),
    ("distributed", "one process computes"),
    ("cross_host", "one process computes"),
    ("collectives", "one process computes"),
    ("mesh", "programs run on one device, so there are no meshes"),
    ("shmap", "programs run on one device, so there are no meshes"),
    ("pgle", "profiles do not guide the compiler here"),
    ("compilation_cache", "the cache is set in dx.compilation_cache"),
    ("persistent_cache", "the cache is set in dx.compilation_cache"),
    ("prng", "the generators are those of dx.random.key"),
    ("traceback", "tracebacks are Python's own"),
    ("export", "programs are not exported yet"),
    ("jax2tf", "programs are not converted to TensorFlow"),
    ("visible_devices", "set CUDA_VISIBLE_DEVICES or its like, which the driver reads"),
    ("", "it is about a part of jax that has no counterpart here"),
)


def read(name: str) -> Any:
    """Return the value of a setting, by jax's name or diffeo's.

    Raises:
        AttributeError: if there is no such setting.
    """
    own = name.removeprefix("jax_")
    if own in SAME or name in SETTINGS:
        value = getattr(config, name if name in SETTINGS else own)
        return ",".join(value) if name == "jax_platforms" and value else value
    if name in MAPPED:
        return MAPPED[name].read()
    if name in FIXED:
        return FIXED[name][0][0]
    raise AttributeError(*_unknown(name).args)


def update(name: str, value: Any) -> None:
    """Set a setting, by jax's name or diffeo's.

    Raises:
        AttributeError: if there is no such setting.
        NotImplementedError: for what diffeo does not do.
        TypeError, ValueError: where it cannot have the value.
    """
    own = name.removeprefix("jax_")
    if own in SAME or name in SETTINGS:
        own = name if name in SETTINGS else own
        _usual(own, _flag(name, value) if own in SWITCHES else value)
    elif name in MAPPED:
        MAPPED[name].write(value)
    elif name in FIXED:
        values, why = FIXED[name]
        # True is 1, but not the same setting.
        if not any([type(v) is type(value) and v == value for v in values]):
            raise with_user_line(
                NotImplementedError(
                    f"config: {name} is {' or '.join(map(repr, values))} here, not {value!r}: {why}"
                )
            )
    else:
        raise _unknown(name)


def attribute_of(name: str) -> Callable[[Any], tuple[str, Any]] | None:
    """Return what makes the attribute of `dx.config`, and its value, of a value of the setting;
    None for a setting that is not one of the task's.
    """
    own = name.removeprefix("jax_")
    if name == "jax_enable_x64":
        return lambda on: ("default_bits", 64 if _flag(name, on) else 32)
    if own in SAME and own not in _OF_THE_PROCESS:
        return lambda value: (own, _flag(name, value) if own in SWITCHES else value)
    return None


def _flag(name: str, value: Any) -> bool:
    """Return a switch's value; jax takes anything that is true or false."""
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise with_user_line(TypeError(f"config: {name} is True or False, got {value!r}"))
    return bool(value)


def _unknown(name: str) -> Exception:
    """Return the error for a name that is no setting here."""
    if name in OTHERS:
        why = next(reason for part, reason in ABOUT if part in name)
        return with_user_line(NotImplementedError(f"config: {name} is not a setting here: {why}"))
    names = [*SETTINGS, *[f"jax_{n}" for n in SAME], *MAPPED, *FIXED]
    near = get_close_matches(name, names, 3, 0.7)
    nearest = f"; the nearest are {', '.join(near)}" if near else ""
    return with_user_line(AttributeError(f"dx.config has no setting {name!r}{nearest}"))
