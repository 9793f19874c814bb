"""Ctrl-C, by real signals to real processes: while a program compiles, loads or starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffeo.primitives.support.signals import Held

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

START = """
import signal
import sys
import numpy as np
import diffeo as dx

def large(x):
    for i in range(100):
        x = dx.numpy.sin(x) * (1.0 + i) + dx.numpy.roll(x, i % 7)
    return x

def calling(x):
    return dx.pure_callback(lambda v: 2 * v, dx.ShapeDtypeStruct(x.shape, x.dtype), x)

# A shell has what it runs in the background ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROGRAMS = {
    "a large program": (large, np.ones(8)),
    "with a callback": (calling, np.ones(2)),
    "with both": (lambda x: calling(large(x)), np.ones(8)),
    "of linear algebra": (lambda x: dx.numpy.linalg.inv(x), np.eye(2)),
}
f, x = PROGRAMS[sys.argv[1]]
print("ready", flush=True)
try:
    y = dx.jit(f)(x)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("computed", flush=True)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("interrupted", flush=True)
assert float(dx.jit(calling)(1.5)) == 3.0
assert abs(float(dx.jit(dx.numpy.linalg.det)(2 * np.eye(3))) - 8) < 1e-12
assert dx.jit(f)(x).shape == x.shape
print("fine")
"""


def interrupted(program: str, delay: float) -> str:
    """What a process says that gets Ctrl-C so many seconds after it begins to compile."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, program],
        cwd=ROOT,
        env={**os.environ, "DIFFEO_CACHE_DIR": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, f"exit {process.returncode}: {errors}"
    assert out.endswith("fine\n"), f"{out}\n{errors}"
    return out.splitlines()[0]


PROGRAMS = ("a large program", "with a callback", "with both", "of linear algebra")


@pytest.mark.parametrize("program, delay", [("with both", 0.3)])
def test_ctrl_c_at_the_first_program(program: str, delay: float):
    interrupted(program, delay)


@pytest.mark.exhaustive
@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_at_many_moments(program: str):
    said = {interrupted(program, 0.01 * 1.4**k) for k in range(12)}
    assert "interrupted" in said


def test_what_a_handler_raises_is_raised_at_the_end():
    seen = []

    def ring():
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(1000):  # here or there, Python looks for signals
            pass

    def handler(*_):
        seen.append("handler")
        raise LookupError

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(LookupError), Held():
            ring()
            with Held():
                seen.append("inside")
                ring()
            seen.append("after")
        assert seen == ["handler", "inside", "handler", "after"]
        with pytest.raises(LookupError), Held():
            ring()
            seen.append("end")
        assert seen[-1] == "end"
        assert signal.getsignal(signal.SIGUSR1) is handler
    finally:
        signal.signal(signal.SIGUSR1, before)


# --------------------------------------------------------------------------------------------------
# Loops

LOOP = """
import os, signal, sys, threading, time
import numpy as np
import diffeo as dx

def endless(x):
    return dx.lax.while_loop(
        lambda s: s[0] >= 0, lambda s: ((s[0] + 1) % 1000, dx.numpy.tanh(s[1] @ s[1])), (0, x)
    )[1]

def counted(n, x):
    return dx.lax.fori_loop(0, n, lambda i, x: dx.numpy.sin(x), x)

# A shell has what it runs in the background ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)

small = dx.numpy.ones((2, 2))
LOOPS = {
    "jit": lambda: dx.jit(endless)(small),
    "eager": lambda: endless(small),
    "counted": lambda: dx.jit(counted)(2**50, 1.0),
    "counted, eager": lambda: counted(2**50, 1.0),
    "scan": lambda: dx.jit(
        lambda x: dx.lax.scan(lambda c, _: (dx.numpy.sin(c), None), x, length=2**40)[0]
    )(1.0),
    "vmap": lambda: dx.jit(dx.vmap(endless))(dx.numpy.ones((3, 2, 2))),
    "compiled ahead": lambda: dx.jit(endless).lower(small).compile()(small),
    "large steps": lambda: np.asarray(dx.jit(endless)(dx.numpy.ones((300, 300)))),
    "large steps, waited for": lambda: dx.jit(endless)(
        dx.numpy.ones((300, 300))
    ).block_until_ready(),
}
dx.jit(counted)(3, 1.0)
sent = []

def send():
    time.sleep(3.0)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=send, daemon=True).start()
try:
    LOOPS[sys.argv[1]]()
except KeyboardInterrupt:
    assert time.monotonic() - sent[0] < 2
    assert float(dx.jit(lambda x: x + 1)(1.0)) == 2
    print("stopped")
"""


def stopped(loop: str) -> None:
    command = [sys.executable, "-c", LOOP, loop]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout == "stopped\n" and done.returncode == 0, done.stderr


@pytest.mark.parametrize("loop", ["jit", "large steps"])
def test_ctrl_c_in_a_loop(loop: str):
    stopped(loop)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "loop", ["eager", "counted", "counted, eager", "scan", "vmap", "compiled ahead",
             "large steps, waited for"]
)  # fmt: skip
def test_ctrl_c_in_every_kind_of_loop(loop: str):
    stopped(loop)
