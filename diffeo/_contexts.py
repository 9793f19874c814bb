"""Settings for a while, by jax's names: `with dx.debug_nans(True): ...`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from .interop import jax_settings
from .primitives.config import change, config, task_settings

#: A value that nobody gives.
_NOTHING: Any = object()


class SettingContext:
    """A setting that is made within a `with` block, for this task: `enable_x64(True)`, say.

    `value` is what it is now. A switch is turned on if no value is given.

    Args:
        name: jax's name of the setting.
        default: the value if none is given; without one, a value must be given.
        doc: what it does.
    """

    def __init__(self, name: str, default: bool | None, doc: str):
        self.name, self.default = name, default
        self.__doc__ = doc

    @property
    def value(self) -> Any:
        """What the setting is now."""
        return jax_settings.read(self.name)

    def __call__(self, new_val: Any = _NOTHING) -> AbstractContextManager[None]:
        if new_val is _NOTHING:
            if self.default is None:
                raise TypeError(f"{self.name}: say what it is to be within the block")
            new_val = self.default
        return self._within(new_val)

    @contextlib.contextmanager
    def _within(self, new_val: Any) -> Iterator[None]:
        """Make the setting, and what it was before afterwards."""
        attribute = jax_settings.attribute_of(self.name)
        if attribute is None:  # it is fixed, or of the process
            now = self.value
            jax_settings.update(self.name, new_val)
            try:
                yield
            finally:
                jax_settings.update(self.name, now)
            return
        attribute, new_val = attribute(new_val)
        before = getattr(task_settings(), attribute)
        setattr(config, attribute, new_val)
        try:
            yield
        finally:
            change(attribute, before)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.value!r}>"


def _switch(name: str, doc: str) -> SettingContext:
    return SettingContext(f"jax_{name}", True, doc)


enable_x64 = _switch("enable_x64", "Have default dtypes of 64 bits, or of 32, within a block.")
debug_nans = _switch("debug_nans", "Raise FloatingPointError where nan is computed.")
debug_infs = _switch("debug_infs", "Raise FloatingPointError where an infinity is computed.")
check_tracer_leaks = _switch(
    "check_tracer_leaks", "Raise an error where a traced value outlives the tracing."
)
enable_checks = _switch("enable_checks", "Check every new program.")
log_compiles = _switch("log_compiles", "Log what is traced and compiled.")
explain_cache_misses = _switch("explain_cache_misses", "Log why a function is traced again.")
no_tracing = _switch("no_tracing", "Raise RuntimeError where a function is traced for `jit`.")
no_execution = _switch("no_execution", "Raise RuntimeError where something is computed.")
enable_custom_prng = _switch("enable_custom_prng", "Typed keys are made by `dx.random.key`.")
threefry_partitionable = _switch("threefry_partitionable", "Only True: what the bits are.")
softmax_custom_jvp = _switch("softmax_custom_jvp", "The derivative of softmax is exact.")
allow_f16_reductions = _switch("allow_f16_reductions", "Only True: float16 is summed as it is.")
thread_guard = _switch("thread_guard", "Only False: any thread may use any device.")


def _choice(name: str, doc: str) -> SettingContext:
    return SettingContext(f"jax_{name}", None, doc)


default_matmul_precision = _choice(
    "default_matmul_precision", "Compute products in this precision, unless they ask for one."
)
default_prng_impl = _choice("default_prng_impl", "Make keys of this generator.")
numpy_rank_promotion = _choice(
    "numpy_rank_promotion", '"allow", "warn" or "raise" where ranks are promoted.'
)
numpy_dtype_promotion = _choice(
    "numpy_dtype_promotion", '"standard", or "strict": dtypes are not promoted.'
)
legacy_prng_key = _choice("legacy_prng_key", 'Only "allow": raw keys are welcome.')
array_garbage_collection_guard = _choice(
    "array_garbage_collection_guard", 'Only "allow": arrays stand in no circles.'
)
transfer_guard = _choice("transfer_guard", 'Only "allow": transfers are not watched.')
transfer_guard_host_to_device = _choice(
    "transfer_guard_host_to_device", 'Only "allow": transfers are not watched.'
)
transfer_guard_device_to_host = _choice(
    "transfer_guard_device_to_host", 'Only "allow": transfers are not watched.'
)
transfer_guard_device_to_device = _choice(
    "transfer_guard_device_to_device", 'Only "allow": transfers are not watched.'
)


def checking_leaks() -> AbstractContextManager[None]:
    """Raise an error where a traced value outlives the tracing, within a `with` block.

    Examples:
        >>> import diffeo as dx
        >>> kept = []
        >>> with dx.checking_leaks():
        ...     dx.jit(lambda x: kept.append(x))(1.0)  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        diffeo.primitives.support.errors.UnexpectedTracerError: Leaked: ...
    """
    return check_tracer_leaks(True)


def disable_jit(disable: bool = True) -> AbstractContextManager[None]:
    """Run jitted functions operation by operation, and loops as Python's, within a `with` block.

    So a debugger can stop, and `print` shows numbers.

    Examples:
        >>> import diffeo as dx
        >>> @dx.jit
        ... def f(x):
        ...     print("x is", x)
        ...     return 2 * x
        >>> with dx.disable_jit():
        ...     y = f(3.0)
        x is 3.0
    """
    return SettingContext("jax_disable_jit", True, "")(disable)


class UserContext:
    """A value of the user's own, which holds within a `with` block; made by `make_user_context`.

    Attributes:
        default: its value outside of all blocks.
    """

    def __init__(self, default: Any):
        self.default = default

    @property
    def value(self) -> Any:
        """The value now."""
        values = [v for key, v in task_settings().user_context if key is self]
        return values[0] if values else self.default

    @contextlib.contextmanager
    def __call__(self, new_value: Any) -> Iterator[None]:
        before = task_settings().user_context
        others = tuple([pair for pair in before if pair[0] is not self])
        change("user_context", (*others, (self, new_value)))
        try:
            yield
        finally:
            change("user_context", before)


def make_user_context(default_value: Any = None) -> UserContext:
    """Return a context of one's own: a value that functions may read while they are traced.

    Functions under `jit` are traced anew for each value.

    Args:
        default_value: the value outside of all blocks; values need == and hash.

    Examples:
        >>> import diffeo as dx
        >>> scale = dx.make_user_context(1.0)
        >>> f = dx.jit(lambda x: scale.value * x)
        >>> with scale(3.0):
        ...     f(2.0)
        Array(6.)
        >>> f(2.0)
        Array(2.)
    """
    hash(default_value)
    return UserContext(default_value)
