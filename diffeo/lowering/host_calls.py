"""Calls from a compiled program to Python functions, and the way of their errors back.

XLA turns an exception in a function into text. So the exception itself is kept here under a number,
the text repeats the number, and the exception is raised again where the program was run.

The handler of a signal takes the same way. Python runs the handler where the function is entered,
as nothing else of Python's has run for a while; `signals.Held` keeps the exception that the handler
raises until it is caught here.

XLA calls `_enter`; a run goes through `HostCalls._run`.
"""

from __future__ import annotations

import itertools
import re
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..primitives.support.signals import USUAL, Held
from . import compat

#: How many exceptions are kept at most. Calls run at the same time and may fail together, but only
#: one exception of a run is ever asked for.
_KEPT = 64

#: The numbers of exceptions, for the whole process.
_numbers = itertools.count()

#: For each program that runs on the main thread, what keeps the exceptions of signals meanwhile.
_held: list[Held] = []


class _CallFailed(Exception):
    """The exception that XLA gets to see, in place of the function's own."""


class HostCalls:
    """The Python functions of one executable.

    XLA holds the functions only weakly, through `entries`. Python's garbage collection cannot see
    what XLA holds, and a function may well lead to the executable that calls it, which would be a
    cycle that is never freed.
    """

    __slots__ = ("__weakref__", "_errors", "functions")

    def __init__(self, functions: Sequence[Callable[..., Sequence[np.ndarray]]]):
        self.functions = tuple(functions)
        self._errors: dict[int, BaseException] = {}

    def entries(self) -> list[Callable]:
        """Return what XLA calls in place of the functions, one for each."""
        this = weakref.ref(self)
        return [partial(_enter, this, index) for index in range(len(self.functions))]

    def call(self, index: int, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Call a function. Return its results.

        An exception of a signal that is waiting is raised instead.
        """
        if _held and threading.get_ident() == threading.main_thread().ident and _held[-1].errors:
            raise _held[-1].errors.pop()
        return tuple(self.functions[index](*arrays))

    def keep(self, error: BaseException) -> int:
        """Keep an exception until `_run` asks for it. Return its number."""
        number = next(_numbers)
        self._errors[number] = error
        while len(self._errors) > _KEPT:
            self._errors.pop(next(iter(self._errors)), None)
        return number

    def runner(self, loaded: Any) -> Callable[[list[Any]], Any]:
        """Return a function like `loaded.execute_sharded` that waits until the program is done, and
        raises what a Python function raised.
        """
        return partial(self._run, loaded.execute_sharded)

    def _run(self, execute: Callable, buffers: list[Any]) -> Any:
        try:
            # With its operands at hand, XLA runs the program on this thread, not on one of its few
            # own, where a function that waits for another program might wait for itself.
            compat.block_until_ready(buffers)
            with Held(USUAL, _ENTRY) as held:
                if not held.entered:
                    return _done(execute, buffers)
                _held.append(held)
                try:
                    return _done(execute, buffers)
                finally:
                    _held.pop()
        except compat.XlaError as failure:
            number = re.search(r"call (\d+) of a Python function failed", str(failure))
            error = self._errors.pop(int(number[1]), None) if number else None
            if error is None:
                raise
        try:  # out of the handler, so that the exception's own context is left as it is
            raise error
        finally:
            del error  # its traceback leads here


def _done(execute: Callable, buffers: list[Any]) -> Any:
    """Run a program, and wait until it is done."""
    results = execute(buffers, with_tokens=True)
    results.consume_token().block_until_ready()
    return results


def _enter(calls: Callable[[], HostCalls | None], index: int, *arrays: np.ndarray) -> Any:
    """Call a function. Keep its exception, and raise one that names the number of the kept one."""
    host_calls = calls()
    assert host_calls is not None, "a program runs only while its functions are alive"
    try:
        return host_calls.call(index, arrays)
    except BaseException as error:
        number = host_calls.keep(error)
    raise _CallFailed(f"call {number} of a Python function failed")


#: The functions in which an exception of a signal's handler would reach XLA, and become text.
_ENTRY = frozenset({_enter.__code__, HostCalls.keep.__code__})
