"""A look into transformed functions: printing, callbacks, breakpoints.

The names are those of `jax.debug`; `widenings` is diffeo's.
"""

from __future__ import annotations

import builtins
import string
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ._loading import Late as _Late
from .api.pure_callback import debug_callback as callback
from .api.widening import Widening, widenings
from .primitives.core import Value, state, with_user_line
from .primitives.staging import StagingTrace
from .primitives.support.errors import ConcretizationTypeError
from .trees import tree

__all__ = ["Widening", "breakpoint", "callback", "log", "print", "widenings"]

__getattr__ = _Late(__name__, "").load


def print(
    fmt: str,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    **kwargs: Any,
) -> None:
    """Print values of a function whenever the function runs.

    In eager mode that is at once; a compiled function prints while it runs, and has printed all
    when the call returns. Under `grad` and `jvp` it prints the values of the function itself, under
    `vmap` a line for each row.

    Args:
        fmt: as that of `str.format`: values go where the braces are, `"x = {}"` or `"x = {x}"`.
        *args: arrays or trees of them, and anything else that is known when the function is traced.
        ordered: for jax's sake; all callbacks happen in the order of the program.
        partitioned: refused if it is true: there is one device to print from.
        skip_format_check: find out what is wrong with `fmt` when it is printed, not before.
        **kwargs: the same by name.

    Raises:
        ValueError: if `fmt` does not use a value, names one that is not given, or a value does not
            take its format.
        TypeError: if `fmt` is not a string.

    Examples:
        >>> import diffeo as dx
        >>> @dx.jit
        ... def f(x):
        ...     dx.debug.print("x = {:.2f}, its double is {double}", x, double=2 * x)
        ...     return x
        >>> f(1.0)
        x = 1.00, its double is 2.0
        Array(1.)
    """
    _formatted("print", fmt, args, kwargs, _print, (ordered, partitioned, skip_format_check))


def log(
    fmt: str,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    **kwargs: Any,
) -> None:
    """Log values of a function whenever the function runs: on the logger "diffeo", as information.
    Arguments as `print` has.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.jit(lambda x: dx.debug.log("x = {}", x))
        >>> f(1.0)  # logging.getLogger("diffeo") says x = 1.0
    """
    _formatted("log", fmt, args, kwargs, _log, (ordered, partitioned, skip_format_check))


def _print(text: str) -> None:
    builtins.print(text, flush=True)


def _log(text: str) -> None:
    import logging  # of use only here, and takes some milliseconds to load

    logging.getLogger("diffeo").info("%s", text)


def _formatted(
    name: str,
    fmt: str,
    args: tuple,
    kwargs: dict,
    emit: Callable[[str], None],
    options: tuple[bool, bool, bool],
) -> None:
    """Hand the text to `emit` whenever the values are computed."""
    ordered, partitioned, unchecked = options
    if not isinstance(fmt, str):
        raise with_user_line(
            TypeError(f"debug.{name}: the first argument is the format, got {fmt!r}")
        )
    if partitioned:
        raise with_user_line(
            NotImplementedError(
                f"debug.{name}: partitioned=True: each device would speak of its part; there is "
                "one device, so leave it out"
            )
        )
    if not unchecked:
        _check_format(name, fmt, args, kwargs)

    def formatted(*args: Any, **kwargs: Any) -> None:
        args, kwargs = tree.map(_as_number, (args, kwargs))
        emit(fmt.format(*args, **kwargs))

    formatted.__name__ = f"{name}({fmt!r})"
    callback(formatted, *args, ordered=ordered, **kwargs)


def _check_format(name: str, fmt: str, args: tuple, kwargs: dict) -> None:
    examples = tree.map(_example, (args, kwargs))
    try:
        _Check().vformat(fmt, *examples)
    except LookupError as error:
        message = f"debug.{name}({fmt!r}) names a value that is not given: {error}"
        raise with_user_line(ValueError(message)) from None
    except (ValueError, TypeError) as error:
        raise with_user_line(ValueError(f"debug.{name}({fmt!r}): {error}")) from None


def _example(x: Any) -> Any:
    """Return an array of zeros in place of a value of diffeo, to try the format with."""
    return np.zeros(x.shape, x.dtype) if isinstance(x, Value) else x


def _as_number(x: Any) -> Any:
    """Return Python's number for an array of one element, where both look the same.

    Inside of a tuple, say, a number does not say that it is an array.
    """
    return x.item() if type(x) is np.ndarray and not x.shape and x.dtype.char in "?ldD" else x


class _Check(string.Formatter):
    """A formatter that formats nothing.

    It checks that every value takes its format, and that all values are used.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else ""

    def check_unused_args(self, used_args: Any, args: Any, kwargs: dict) -> None:
        unused = [i for i in range(len(args)) if i not in used_args]
        unused += [k for k in kwargs if k not in used_args]
        if unused:
            raise ValueError(
                f"the format does not use the values {unused}; write {{}} or {{name}} where they "
                "go, in a plain string (an f-string is filled in when the function is traced)"
            )


def breakpoint() -> None:
    """Stop in Python's debugger, pdb, at the line that calls it, where the values are known.

    Also under `grad`, `vmap` and others in eager mode, whose values are shown with what the
    transformation adds to them. A function that is compiled is not run line by line.

    Raises:
        ConcretizationTypeError: while a function is traced for `jit` and the like.

    Examples:
        >>> import diffeo as dx
        >>> def loss(x):
        ...     dx.debug.breakpoint()  # (Pdb) p x
        ...     return x ** 2
    """
    # Every interpreter around is looked at: where one of them records a program, there are no
    # values.
    trace = state.trace
    while trace is not None:
        if type(trace) is StagingTrace:
            raise with_user_line(
                ConcretizationTypeError(
                    f"debug.breakpoint: {trace.function_name or 'the function'} is being traced, "
                    "and its values are not known; call it without jit to stop there, or look at "
                    "values with dx.debug.print"
                )
            )
        trace = trace.parent
    import pdb  # of use only here, and takes some milliseconds to load

    pdb.Pdb().set_trace(sys._getframe(1))
