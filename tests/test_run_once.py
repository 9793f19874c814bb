"""A call runs once: its effects happen once, and what is raised comes out as it was raised."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import diffeo as dx

OPERANDS = {
    "a number": 1.0,
    "an integer": 1,
    "NumPy's number": np.float32(1.0),
    "a NumPy array": np.ones(3),
    "an array": dx.numpy.ones(3),
}
ERRORS = [TypeError, OverflowError, ValueError, AttributeError, RuntimeError, KeyError,
          MemoryError, KeyboardInterrupt, SystemExit, StopIteration]  # fmt: skip


def looped(host, steps: int):
    """A compiled loop that calls a Python function in every step."""

    def step(i, x):
        return dx.pure_callback(host, dx.ShapeDtypeStruct(x.shape, x.dtype), i, x)

    return dx.jit(lambda x: dx.lax.fori_loop(0, steps, step, dx.numpy.asarray(x) * 1.0))


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("closes_over", [False, True])
def test_an_error_of_a_python_function_ends_the_call(operand: str, closes_over: bool):
    calls: list[int] = []
    error, constant, x = None, dx.numpy.arange(3.0), OPERANDS[operand]

    def host(i, x):
        calls.append(int(i))
        if error is not None and len(calls) == 3:
            raise error("third")
        return np.asarray(x)

    f = looped(host, 5)
    g = dx.jit(lambda x: f(x) + constant) if closes_over else f
    for _ in range(3):  # traced; noted for the fast path; by it
        calls.clear()
        g(x)
        assert calls == [0, 1, 2, 3, 4]
    for error in ERRORS:
        calls.clear()
        with pytest.raises(error, match="third"):
            g(x)
        assert calls == [0, 1, 2]


def test_a_number_that_does_not_fit_is_an_error_before_anything_runs():
    calls = []

    def host(x):
        calls.append(x)
        return x

    f = dx.jit(lambda x: dx.pure_callback(host, dx.ShapeDtypeStruct((), np.int64), x))
    for _ in range(3):
        f(1)
    for bits in (64, 32):
        calls.clear()
        with dx.config.defaults(bits), pytest.raises(OverflowError, match="does not fit"):
            f(2**80)
        assert not calls


def test_a_donated_operand_is_named_on_every_path():
    f = dx.jit(lambda x, y: x * y, donate_argnums=0)
    g = dx.jit(lambda x, y: x * y)
    for _ in range(3):
        g(dx.numpy.ones(3), 2.0)
    x = dx.numpy.ones(3) + 0
    f(x, 2.0)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"argument 0.*no data any more"):
            g(x, 2.0)


class Alarm(Exception):
    pass


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
@pytest.mark.parametrize("name, error", [("SIGINT", KeyboardInterrupt), ("SIGALRM", Alarm)])
@pytest.mark.parametrize("operand", ["a number", "an array"])
def test_a_signal_in_a_program_with_callbacks_is_not_lost(name: str, error: type, operand: str):
    def ring(*_):
        raise error

    number = getattr(signal, name)
    calls: list[int] = []

    def host(i, x):
        calls.append(int(i))
        return np.asarray(x)

    f, x = looped(host, 200_000), OPERANDS[operand]
    before = signal.signal(number, ring)
    try:
        for delay in np.linspace(0, 0.003, 8):

            def send(delay=delay):
                while len(calls) < 3:
                    time.sleep(0.0005)
                time.sleep(delay)
                os.kill(os.getpid(), number)

            calls.clear()
            thread = threading.Thread(target=send)
            thread.start()
            with pytest.raises(error):
                f(x)
            assert calls == list(range(len(calls))) and len(calls) < 200_000
            thread.join()
            assert signal.getsignal(number) is ring
    finally:
        signal.signal(number, before)
