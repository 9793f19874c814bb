"""What `jax.experimental` has beside its modules."""

from ....api.pure_callback import io_callback
from ..bits import wide

__all__ = ["disable_x64", "enable_x64", "io_callback"]


def enable_x64(new_val: bool = True):
    """Turn 64 bits on, or off, within a `with` block."""
    return wide.within(new_val)


def disable_x64():
    """Turn 64 bits off within a `with` block."""
    return wide.within(False)
