"""What Python calls by itself while a function is traced computes, and is not traced."""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal
import sys
import weakref

import numpy as np
import pytest

import diffeo as dx

ARRAY = dx.numpy.arange(3.0)
results: list = []


def work(*_):
    """Uses everything, and notes what came out."""
    results.extend(
        [
            dx.numpy.sin(ARRAY) + dx.numpy.zeros(3) * dx.numpy.ones(3),
            dx.jit(lambda x: x * 2 + dx.numpy.ones(3))(ARRAY),
            dx.grad(lambda x: (x * x * dx.numpy.ones(3)).sum())(ARRAY),
            dx.vmap(lambda x: x + dx.numpy.zeros(()))(ARRAY),
            dx.lax.fori_loop(0, 3, lambda i, x: x + i, ARRAY),
            dx.random.normal(dx.random.key(0), (2,)),
        ]
    )


class Finalized:
    def __del__(self):
        work()


class Handler:
    def method(self, number, frame):
        work()

    def __call__(self, number, frame):
        work()


def by_signal(handler):
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(1000):
            pass
    finally:
        signal.signal(signal.SIGUSR1, before)


def by_collector():
    def collected(phase, info):
        if phase == "stop":
            work()

    gc.callbacks.append(collected)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(collected)


def by_circle():
    circle = Finalized()
    circle.itself = circle  # type: ignore[attr-defined]
    del circle
    gc.collect()


def by_finalize():
    class Thing:
        pass

    thing = Thing()
    weakref.finalize(thing, work)
    del thing


def by_profiler():
    def profile(frame, event, arg):
        work()
        sys.setprofile(None)

    sys.setprofile(profile)


def by_log():
    class Logs(logging.Handler):
        def emit(self, record):
            work()

    log = logging.getLogger("diffeo.in.between")
    log.propagate = False
    log.addHandler(handler := Logs())
    log.error("now")
    log.removeHandler(handler)


TRIGGERS = {
    "a handler": lambda: by_signal(lambda number, frame: work()),
    "a method as handler": lambda: by_signal(Handler().method),
    "an object as handler": lambda: by_signal(Handler()),
    "a partial as handler": lambda: by_signal(functools.partial(work, 1)),
    "__del__": Finalized,
    "__del__ of a circle": by_circle,
    "a callback of the collector": by_collector,
    "weakref.finalize": by_finalize,
    "a profiler": by_profiler,
    "a log": by_log,
}
RUNS = {
    "jit": lambda f: dx.jit(f)(2.0),
    "grad": lambda f: dx.grad(f)(2.0),
    "jit of grad": lambda f: dx.jit(dx.grad(f))(2.0),
    "vmap": lambda f: dx.vmap(f)(np.ones(2)),
    "scan": lambda f: dx.lax.scan(lambda c, x: (f(c), x), 1.0, np.ones(2)),
    "jit of vmap of cond": lambda f: dx.jit(
        dx.vmap(lambda x: dx.lax.cond(x > 0, f, lambda x: x, x))
    )(np.ones(2)),
    "taylor": lambda f: dx.derivatives(f, 2.0, 2),
}


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")
@pytest.mark.parametrize("what", TRIGGERS)
@pytest.mark.sampled(5)
def test_what_comes_in_between_is_not_traced(what: str):
    results.clear()
    work()
    expected = results[:]

    def f(x):
        y = x * 2
        TRIGGERS[what]()
        return y * x

    def plain(x):
        y = x * 2
        return y * x

    for name, run in RUNS.items():
        results.clear()
        found = run(f)
        assert len(results) >= len(expected), name
        for a, b in zip(results, expected):
            assert type(a) is dx.Array, name
            assert a.tolist() == b.tolist()
        assert dx.tree.map(lambda a: a.tolist(), found) == dx.tree.map(
            lambda a: a.tolist(), run(plain)
        )
    jaxpr = dx.make_jaxpr(f)(2.0)
    assert len(jaxpr.eqns) == 2 and not jaxpr.consts
