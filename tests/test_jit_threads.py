"""jit in many threads at once, and interrupted at any moment."""

import signal
import threading
import time

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.core import state
from tests.checks import close

dnp = dx.numpy


def test_eight_threads_trace_compile_and_call():
    slope = dx.grad(lambda x: dnp.tanh(x).sum())
    functions = [dx.jit(lambda x, k=k: dnp.sin(x) * k + slope(x)) for k in range(4)]
    expected = [np.sin(0.5) * k + 1 - np.tanh(0.5) ** 2 for k in range(4)]
    wrong, start = [], threading.Barrier(8)

    def work(number):
        start.wait()
        for i in range(40):
            k = (i + number) % 4
            n = 1 + (i * number) % 5
            x = [np.full(n, 0.5), dnp.full(n, 0.5), 0.5][i % 3]
            found = np.asarray(functions[k](x))
            if abs(found - expected[k]).max() > 1e-12:
                wrong.append((k, n))
            if abs(float(dx.vmap(dx.grad(functions[k]))(np.full(2, 0.5))[0]) - grads[k]) > 1e-12:
                wrong.append(("grad", k))
            fresh = dx.jit(lambda x, i=i: x * i)
            if fresh(2.0) != 2 * i:
                wrong.append(("fresh", i))

    grads = [float(dx.grad(lambda x, f=f: f(x))(0.5)) for f in functions]
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# Python drops what a signal raises in a callback of its garbage collector, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_ctrl_c_leaves_a_usable_library():
    def loss(w, x):
        for _ in range(30):
            x = dnp.tanh(x @ w)
        return (x**2).sum()

    w, x = np.eye(4) * 0.5, np.ones((2, 4))
    expected = np.asarray(dx.grad(loss)(w, x))
    interrupted = 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for i in range(25):
            f = dx.jit(dx.grad(loss))
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 * (i + 1))
                f(w, x)
                time.sleep(0.05)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert state.trace.eager and state.source is None
            close(f(w, x), expected, rtol=1e-12)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 5
