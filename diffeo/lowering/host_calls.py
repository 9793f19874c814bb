"""Calls from a compiled program to Python functions, and the way of their errors back.

XLA turns an exception in a function into text. The exception itself is kept here under a number
that the text repeats, and is raised again where the program was run. So is what the handler of a
signal raises: Python runs it where the function is entered, as this is the first thing of Python's
that happens for a while, and `signals.Held` keeps the exception until it is caught here.
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

#: Errors of calls that run at the same time; only one of a program's is ever asked for.
_KEPT = 64

_numbers = itertools.count()

#: What keeps the exceptions of signals for the programs that run on the main thread.
_held: list[Held] = []


class _CallFailed(Exception):
    """What XLA gets to see of an exception."""


class HostCalls:
    """The Python functions of one executable.

    XLA holds them only weakly, through `entries`: what it holds, Python's garbage collection
    cannot see, and a function may well lead to the executable that calls it.
    """

    __slots__ = ("__weakref__", "_errors", "functions")

    def __init__(self, functions: Sequence[Callable[..., Sequence[np.ndarray]]]):
        self.functions = tuple(functions)
        self._errors: dict[int, BaseException] = {}

    def entries(self) -> list[Callable]:
        """What XLA calls in place of the functions."""
        this = weakref.ref(self)
        return [partial(_enter, this, index) for index in range(len(self.functions))]

    def call(self, index: int, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The results of a function."""
        if _held and threading.get_ident() == threading.main_thread().ident and _held[-1].errors:
            raise _held[-1].errors.pop()
        return tuple(self.functions[index](*arrays))

    def keep(self, error: BaseException) -> int:
        """The number under which an exception waits for `_run`."""
        number = next(_numbers)
        self._errors[number] = error
        while len(self._errors) > _KEPT:
            self._errors.pop(next(iter(self._errors)), None)
        return number

    def runner(self, loaded: Any) -> Callable[[list[Any]], Any]:
        """`loaded.execute_sharded`, but it returns when the program is done, or raises what a
        function raised.
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
            found = re.search(r"call (\d+) of a Python function failed", str(failure))
            error = self._errors.pop(int(found[1]), None) if found else None
            if error is None:
                raise
        try:  # out of the handler, so that the exception's own context is left as it is
            raise error
        finally:
            del error  # its traceback leads here


def _done(execute: Callable, buffers: list[Any]) -> Any:
    results = execute(buffers, with_tokens=True)
    results.consume_token().block_until_ready()
    return results


def _enter(calls: Callable[[], HostCalls | None], index: int, *arrays: np.ndarray) -> Any:
    found = calls()
    assert found is not None, "a program runs only while its functions are alive"
    try:
        return found.call(index, arrays)
    except BaseException as error:
        number = found.keep(error)
    raise _CallFailed(f"call {number} of a Python function failed")


#: Where nobody would catch what the handler of a signal raises.
_ENTRY = frozenset({_enter.__code__, HostCalls.keep.__code__})
