"""What the tests of the public interface share: comparison of trees, random arrays, messages."""

import numpy as np
import pytest

import diffeo as dx
from diffeo.lowering.caches import disk_cache
from diffeo.primitives.core import state


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """The current trace is as before, whatever was raised."""
    before = state.trace, state.source
    yield
    assert (state.trace, state.source) == before


@pytest.fixture(autouse=True)
def warn_again():
    """A warning comes once in a process; each test that imports this is one."""
    disk_cache._warned.clear()
    yield
    disk_cache._warned.clear()


def close(found, expected, rtol=1e-9, atol=1e-12):
    """Trees of one structure whose arrays have equal shapes and dtypes and almost equal numbers."""
    a, structure = dx.tree.flatten(found)
    b, other = dx.tree.flatten(expected)
    assert structure == other, f"{structure} != {other}"
    for x, y in zip(a, b):
        x, y = np.asarray(x), np.asarray(y)
        assert x.shape == y.shape and x.dtype == y.dtype, f"{x.shape, x.dtype} {y.shape, y.dtype}"
        np.testing.assert_allclose(x, y, rtol, atol)


def rng(*shape, seed=0, kind=float):
    """Normal random numbers; complex ones if `kind` says so."""
    values = np.random.default_rng(seed).normal(size=shape)
    if kind is complex:
        values = values + 1j * np.random.default_rng(seed + 1).normal(size=shape)
    return values


def array(*shape, dtype=float):
    """An array of ones."""
    return dx.numpy.asarray(np.ones(shape, dtype))


class raises:
    """Expects an error of exactly a type (or a `MismatchError`, which is of two) whose message has
    all fragments, and names a line of the test's file that contains `line`.
    """

    def __init__(self, kind, *fragments, line=""):
        self.kind, self.fragments, self.line = kind, fragments, line

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        assert kind is not None, f"nothing was raised, expected {self.kind.__name__}"
        mismatch = kind is dx.errors.MismatchError and issubclass(kind, self.kind)
        if kind is not self.kind and not mismatch:
            return False
        message = str(error)
        for fragment in self.fragments:
            assert fragment in message, f"{fragment!r} is not in the message:\n{message}"
        places = [row for row in message.splitlines() if row.startswith("  at ")]
        assert len(places) == 1, f"the message should name one line of the user:\n{message}"
        assert places[0].startswith("  at test_"), message
        assert self.line in places[0].split(": ", 1)[1], message
        assert "StagingTracer" not in message and "Boxed" not in message, message
        return True
