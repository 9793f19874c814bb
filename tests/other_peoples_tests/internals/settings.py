"""`jax._src.config`: settings that tests read or change, as far as there are such."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import jax

from .absent import Absent
from .cases import no_change

parse_flags_with_absl = lambda: None


class ExplicitX64Mode(IntEnum):
    """What happens when 64 bits are asked for that are off."""

    WARN = 1
    ERROR = 2
    ALLOW = 3


class State:
    """A setting: `.value`, and a `with` block that changes it."""

    def __init__(self, name: str, value: Any = None, context: Any = None):
        self.name, self._value, self.context = name, value, context

    @property
    def value(self) -> Any:
        """The value now."""
        return getattr(jax.config, self.name, self._value)

    def __call__(self, value: Any = True) -> Any:
        context = self.context or getattr(jax, self.name.removeprefix("jax_"), None)
        known = context is not None and not isinstance(context, Absent)
        return context(value) if known else no_change()


enable_x64 = State("jax_enable_x64", context=lambda on: jax.enable_x64(on))
update = lambda name, value: jax.config.update(name, value)
config = jax.config
explicit_x64_dtypes = State("jax_explicit_x64_dtypes", None, no_change)
for _name, _value in {
    "use_simplified_jaxpr_constants": False, "use_direct_linearize": True, "remat3": False,
    "threefry_partitionable": True, "enable_custom_prng": False, "softmax_custom_jvp": True,
    "custom_vjp3": False, "explain_cache_misses": False, "use_shardy_partitioner": True,
    "numpy_dtype_promotion": "standard", "numpy_rank_promotion": "allow", "debug_nans": False,
    "debug_infs": False, "disable_jit": False, "default_matmul_precision": None,
    "log_compiles": False, "legacy_prng_key": "allow", "enable_checks": False,
    "no_execution": False, "check_tracer_leaks": False, "debug_key_reuse": False,
    "default_prng_impl": "threefry2x32", "threefry_gpu_kernel_lowering": False,
    "jax_custom_vjp3": False, "disable_bwd_checks": False, "random_seed_offset": 0,
    "pmap_shmap_merge": False, "traceback_filtering": "off",
}.items():  # fmt: skip
    globals()[_name] = State(f"jax_{_name.removeprefix('jax_')}", _value)
