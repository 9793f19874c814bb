"""Parts of a traced function that run at once, while it is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ..primitives.core import state
from ..transforms.installed import installed


@contextmanager
def ensure_compile_time_eval() -> Iterator[None]:
    """Compute within a `with` block, or a decorated function, at once, while a function is traced.

    Operations on arrays that do not depend on traced values have their numbers there, so that
    Python's `if` and shapes may depend on them; they are no part of the program. An operation on a
    traced value is an error.

    Raises:
        UnexpectedTracerError: for an operation on a traced value.

    Examples:
        >>> import diffeo as dx
        >>> @dx.jit
        ... def f(x):
        ...     with dx.ensure_compile_time_eval():
        ...         n = int(dx.numpy.max(dx.numpy.array([1, 3, 2])))
        ...     return x * n
        >>> f(2.0)
        Array(6.)
    """
    # The trace in which every thread starts.
    with installed(type(state).trace):
        yield


def eval_context() -> AbstractContextManager[None]:
    """Return a context in which operations run at once; `ensure_compile_time_eval` by its older
    name.
    """
    return ensure_compile_time_eval()
