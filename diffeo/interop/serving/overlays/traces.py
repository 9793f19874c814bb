"""`jax.extend.core`'s names about traces from inside, for libraries that import them: haiku's
`experimental.abstract_to_dot`, equinox's `filter_custom_jvp` ... say that they are not there.
"""

from collections.abc import Callable

from .refused import refused

__all__ = [
    "DropVar", "TraceTag", "find_top_trace", "set_current_trace", "take_current_trace",
    "transformation", "transformation_with_aux",
]  # fmt: skip

_WHY = "diffeo's traces have no counterpart of it"
find_top_trace = refused("jax.extend.core.find_top_trace", _WHY)
set_current_trace = refused("jax.extend.core.set_current_trace", _WHY)
take_current_trace = refused("jax.extend.core.take_current_trace", _WHY)
TraceTag = refused("jax.extend.core.TraceTag", _WHY)


def transformation(gen: Callable) -> Callable:
    """Return a function that raises an error: libraries call this while they are imported."""
    return refused("jax.extend.linear_util.transformation", _WHY)


transformation_with_aux = transformation


class DropVar:
    """A result that nothing reads: programs have none here."""
