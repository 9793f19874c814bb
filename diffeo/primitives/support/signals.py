"""What comes at a bad time: handlers of signals, and other functions that nobody called.

Python runs the handlers of signals on the main thread, wherever it happens to be. Some places must
not be left by an exception: a compilation, which goes on using what would be freed; a module that
is half imported; the way from a compiled program into a Python function, where an exception would
become text. There, what a handler raises is kept, and raised later.

Handlers, finalizers and hooks may also come while a function is traced, of which they are no part.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from collections.abc import Collection, Iterable
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
    """While it is entered, handlers of signals run, but what they raise is kept, and raised at the
    end. On threads other than the main one, where there are no signals, it does nothing.

    Args:
        numbers: of the signals; all by default.
        codes: those functions in which alone the time is bad; by default it is everywhere.

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
        # A handler that is not put back, since an exception comes in between, is as good as the
        # one before.
        self.entered = False
        for number, before, now in self.replaced:
            if signal.getsignal(number) is now:
                signal.signal(number, before)
        if self.errors:
            raise self.errors.pop(0)

    def _handle(self, before: Any, number: int, frame: Any) -> None:
        here = self.codes is None or (frame is not None and frame.f_code in self.codes)
        try:
            before(number, frame)
        except BaseException as error:
            if not (self.entered and here):
                raise
            if not self.errors:
                self.errors.append(error)


def uncalled() -> frozenset[CodeType]:
    """The functions that Python calls by itself, at any time: handlers of signals, of the collector
    of garbage, of profilers and debuggers, of log records; finalizers.
    """
    found: list[Any] = [signal.getsignal(number) for number in WATCHED]
    found += [*gc.callbacks, sys.getprofile(), sys.gettrace(), Held._handle]
    found.append(weakref.finalize.__call__)
    logging: Any = sys.modules.get("logging")
    if logging is not None:
        found.append(logging.Handler.handle)
    return frozenset([code for f in found if (code := _code_of(f)) is not None])


def _code_of(fun: Any) -> CodeType | None:
    """The code of a function; of an object that is called, that of its method."""
    if isinstance(fun, partial):
        return _code_of(fun.func)
    fun = getattr(fun, "__func__", fun)
    code = getattr(fun, "__code__", None)
    return code or getattr(getattr(type(fun), "__call__", None), "__code__", None)  # noqa: B004


def is_uncalled(depth: int, codes: Collection[CodeType], end: CodeType) -> bool:
    """Whether the frames from `depth` down to that of `end` hold one of the functions, or a
    finalizer.
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
