"""`jax._src.test_util`, gathered."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import jax

from .absent import Absent
from .assertions import (  # noqa: F401
    BufferDonationTestCase,
    JaxTestCase,
    JaxTestLoader,
    check_close,
    check_eq,
    check_raises,
    default_gradient_tolerance,
    default_tolerance,
    join_tolerance,
    tolerance,
)
from .assertions import check_dtypes_match as _check_dtypes_match  # noqa: F401
from .cases import *  # noqa: F403
from .cases import no_change
from .operands import *  # noqa: F403
from .operands import dims_of as _dims_of_shape  # noqa: F401
from .operands import drawn as _rand_dtype  # noqa: F401

_false = lambda *args, **kwargs: False
is_device_rocm = is_device_cuda = is_device_tpu = is_device_tpu_at_least = is_cloud_tpu = _false
is_cuda_compute_capability_at_least = is_cuda_version_at_least = is_device_oneapi = _false
is_test_rbe = _false
is_optimized_build = is_sanitized = is_asan = is_msan = is_tsan = is_gil_disabled = _false
is_running_under_pytest = lambda: True
request_cpu_devices = lambda count: None
global_config_context = thread_local_config_context = no_change
# What counts jax's own work has no counterpart: a test that uses it is about jax's insides.
for _name in (
    "count_jit_and_pmap_lowerings", "assert_num_jit_and_pmap_compilations",
    "count_pjit_cpp_cache_miss", "count_jit_tracing_cache_miss", "count_internal_device_puts",
    "count_aot_jit_cpp_cache_miss", "count_primitive_compiles", "count_jit_compilation_cache_miss",
    "collect_lowered_jaxprs", "count_subjaxpr_to_hlo_conversion",
    "count_device_put",
):  # fmt: skip
    globals()[_name] = Absent(_name)


def check_grads(*args: Any, **kwargs: Any) -> Any:
    """Compare derivatives with differences, by `jax.test_util`."""
    return jax.test_util.check_grads(*args, **kwargs)


def check_jvp(*args: Any, **kwargs: Any) -> Any:
    """Compare forward derivatives with differences, by `jax.test_util`."""
    return jax.test_util.check_jvp(*args, **kwargs)


def check_vjp(*args: Any, **kwargs: Any) -> Any:
    """Compare backward derivatives with differences, by `jax.test_util`."""
    return jax.test_util.check_vjp(*args, **kwargs)


def check_raises_regexp(thunk: Any, error: Any, pattern: str) -> None:
    """Assert that a function raises an error whose message matches."""

    try:
        thunk()
    except error as e:
        assert re.match(pattern, str(e)), str(e)
    else:
        raise AssertionError("nothing was raised")


skip_under_pytest = partial(lambda reason: lambda test: test)
