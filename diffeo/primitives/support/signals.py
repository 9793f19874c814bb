"""Handlers of signals, and other functions that Python calls by itself, at any time.

Python runs the handlers of signals on the main thread, wherever it happens to be. Some places must
not be left by an exception: a compilation, which goes on using what would be freed; a module that
is half imported; the way from a compiled program into a Python function, where an exception would
become text. `Held` keeps there what a handler raises, and raises it later.

Handlers, finalizers and hooks may also be called while a function is traced. What they compute is
no part of the program, so `is_uncalled` looks whether one of them is running.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Collection, Iterable
from functools import partial
from types import CodeType
from typing import Any

#: Signals whose handlers are likely to raise something.
USUAL = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
#: Signals whose handlers may use diffeo.
WATCHED = [*USUAL, *[getattr(signal, n) for n in ("SIGPROF", "SIGVTALRM") if hasattr(signal, n)]]


class Held:
    """A context in which handlers of signals run, but their exceptions are kept until its end.

    On threads other than the main one, where there are no signals, it does nothing.

    Args:
        numbers: the signals; all by default.
        codes: the functions whose own code is protected; by default all code is.

    Attributes:
        errors: what was raised so far; whoever takes an exception out of it raises it.

    Examples:
        >>> with Held():
        ...     pass
    """

    __slots__ = ("codes", "entered", "errors", "numbers", "replaced")

    def __init__(
        self, numbers: Iterable[int] | None = None, codes: Collection[CodeType] | None = None
    ):
        self.numbers, self.codes = numbers, codes
        self.errors: list[BaseException] = []
        self.replaced: list[tuple[int, Any, Any]] = []
        self.entered = False

    def __enter__(self) -> Held:
        if threading.get_ident() != threading.main_thread().ident:
            return self
        self.entered = True
        for number in signal.valid_signals() if self.numbers is None else self.numbers:
            before = signal.getsignal(number)
            if not callable(before):
                continue
            now = partial(self._handle, before)
            self.replaced.append((number, before, now))
            try:
                signal.signal(number, now)
            except (ValueError, OSError):  # another interpreter's thread; a signal of the system's
                self.replaced.pop()
        return self

    def __exit__(self, *raised: object) -> None:
        # An exception may come in between, so that a handler is not put back. It does no harm: when
        # `entered` is false, it does what the one before does.
        self.entered = False
        for number, before, now in self.replaced:
            if signal.getsignal(number) is now:
                signal.signal(number, before)
        if self.errors:
            raise self.errors.pop(0)

    def _handle(self, before: Callable, number: int, frame: Any) -> None:
        """Call the handler `before`, and keep what it raises if the code that it interrupted is
        protected.
        """
        protected = self.codes is None or (frame is not None and frame.f_code in self.codes)
        try:
            before(number, frame)
        except BaseException as error:
            if not (self.entered and protected):
                raise
            if not self.errors:
                self.errors.append(error)


def uncalled() -> frozenset[CodeType]:
    """Return the code of the functions that Python calls by itself, at any time.

    They are handlers of signals, of the collector of garbage, of profilers and debuggers, of log
    records; and finalizers.
    """
    functions: list[Any] = [signal.getsignal(number) for number in WATCHED]
    functions += [*gc.callbacks, sys.getprofile(), sys.gettrace(), Held._handle]
    functions.append(weakref.finalize.__call__)
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        functions.append(logging.Handler.handle)
    return frozenset([code for f in functions if (code := _code_of(f)) is not None])


def _code_of(fun: Any) -> CodeType | None:
    """Return the code of a function; for a callable object, of its `__call__`."""
    if isinstance(fun, partial):
        return _code_of(fun.func)
    fun = getattr(fun, "__func__", fun)
    code = getattr(fun, "__code__", None)
    return code or getattr(getattr(type(fun), "__call__", None), "__code__", None)  # noqa: B004


def is_uncalled(depth: int, codes: Collection[CodeType], end: CodeType) -> bool:
    """Return whether one of the functions, or a finalizer, is running below a certain function.

    Args:
        depth: how many frames above the caller's to start; the caller's own is 0.
        codes: the code of the functions, as `uncalled` returns it.
        end: the code of the function at which to stop.
    """
    frame: Any = sys._getframe(depth + 1)
    while frame is not None:
        code = frame.f_code
        if code is end:
            return False
        if code in codes or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
