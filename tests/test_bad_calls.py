"""Calls that NumPy refuses are refused here too, with the name of the function in the message."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import diffeo as dx
from tests.bad_calls import CALLS, SAID_BY_OTHERS

dnp = dx.numpy
KINDS = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    ZeroDivisionError,
    OverflowError,
    MemoryError,
)


class Names(dict):
    """The names of a namespace, beside those that a call needs."""

    def __init__(self, module):
        super().__init__(np=np, o=np.ones, inf=math.inf, nan=math.nan)
        self.module = module

    def __missing__(self, name):
        return getattr(self.module, name)


def outcome(call, module):
    """The error of a call, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            eval(call, {}, Names(module))
        except Exception as error:
            return error
    return None


@pytest.mark.parametrize("call", CALLS)
def test_what_numpy_refuses(call):
    theirs, ours = outcome(call, np), outcome(call, dnp)
    assert isinstance(theirs, KINDS), f"NumPy does not refuse {call}: {theirs!r}"
    assert ours is not None, f"{call} passes; NumPy says {theirs!r}"
    assert isinstance(ours, KINDS), f"{call} fails within: {ours!r}"
    name = call.split("(")[0].split(".")[-1]
    assert name in str(ours) or name in SAID_BY_OTHERS, f"{call}: no name in {ours!r}"


def test_the_function_that_was_called_is_named():
    with pytest.raises(ValueError, match=r"maximum: shapes \(2,\) and \(3,\) do not broadcast"):
        dnp.maximum(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"hstack: concatenate: "):
        dx.jit(lambda x: dnp.hstack([x, np.ones((3, 2))]))(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"^add: shapes \(2,\) and \(3,\)"):
        dnp.ones(2) + np.ones(3)
    with pytest.raises(TypeError, match=r"mean: a: not a value .*\n  at test_bad_calls.py"):
        dnp.mean("a")
    with pytest.raises(TypeError, match=r"zeros: .*'bogus'"):
        dnp.zeros(2, "bogus")
