"""Calls from a compiled program to Python functions, and the way of their errors back.

XLA turns an exception in a function into text. The exception itself is kept here under a number
that the text repeats, and is raised again where the program was run.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from . import compat

#: Errors of calls that run at the same time; only one of a program's is ever asked for.
_KEPT = 64

_numbers = itertools.count()


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
        """The results of a function; its exception is kept, and another with its number raised."""
        try:
            return tuple(self.functions[index](*arrays))
        except BaseException as error:
            number = next(_numbers)
            self._errors[number] = error
            while len(self._errors) > _KEPT:
                self._errors.pop(next(iter(self._errors)), None)
            raise _CallFailed(f"call {number} of a Python function failed") from None

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
            results = execute(buffers, with_tokens=True)
            results.consume_token().block_until_ready()
            return results
        except compat.XlaError as failure:
            found = re.search(r"call (\d+) of a Python function failed", str(failure))
            error = self._errors.pop(int(found[1]), None) if found else None
            if error is None:
                raise
        try:  # out of the handler, so that the exception's own context is left as it is
            raise error
        finally:
            del error  # its traceback leads here


def _enter(calls: Callable[[], HostCalls | None], index: int, *arrays: np.ndarray) -> Any:
    found = calls()
    assert found is not None, "a program runs only while its functions are alive"
    return found.call(index, arrays)
