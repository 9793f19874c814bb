"""Loops: a recurrent network by `scan`, and reverse mode through a `while_loop`."""

import itertools
from dataclasses import dataclass

import numpy as np

from benchmarks.case import Case, Program, Result, Timing, batch_timer, interleave

STEPS, BATCH, WIDTH = 100, 16, 64
_different = itertools.count(1)


def lstm(lib):
    """The loss of an LSTM over a sequence, as a new function object; no two are quite equal."""
    jnp, nn = lib.numpy, lib.nn
    factor = 1.0 + 1e-4 * next(_different)

    def step(weights, carry, x):
        h, c = carry
        z = x @ weights["x"] + h @ weights["h"] + weights["b"]
        i, f, g, o = jnp.split(z, 4, axis=-1)
        c = nn.sigmoid(f + 1.0) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def loss(weights, xs):
        zero = jnp.zeros((BATCH, WIDTH), "float32")
        _, hs = lib.lax.scan(lambda carry, x: step(weights, carry, x), (zero, zero), xs)
        return factor * jnp.mean((hs - xs) ** 2)

    return loss


def arguments(lib):
    """The weights and a sequence, in float32."""
    random = np.random.default_rng(0)

    def array(*shape):
        return lib.numpy.asarray((0.1 * random.normal(size=shape)).astype(np.float32))

    weights = {"x": array(WIDTH, 4 * WIDTH), "h": array(WIDTH, 4 * WIDTH), "b": array(4 * WIDTH)}
    return weights, array(STEPS, BATCH, WIDTH)


def stage(lib):
    args = arguments(lib)
    return lambda: lib.make_jaxpr(lib.grad(lstm(lib)))(*args)


def lower(lib):
    args = arguments(lib)
    return lambda: lib.jit(lib.grad(lstm(lib))).lower(*args)


def compile_(lib):
    args = arguments(lib)

    def call():
        return lib.jit(lib.grad(lstm(lib))).lower(*args).compile()

    return call


def run(lib):
    args = arguments(lib)
    compiled = lib.jit(lib.grad(lstm(lib)))
    return lambda: compiled(*args)


# --------------------------------------------------------------------------------------------------

LONG = 10**5


def step_of(lib):
    """One step of a damped pendulum, of which the gradient is asked."""
    sin = lib.numpy.sin

    def step(state, parameters):
        angle, speed = state
        force = parameters[0] * sin(angle) + parameters[1] * speed
        return angle + 1e-3 * speed, speed - 1e-3 * force

    return step


def by_while(lib, parameters, steps, **options):
    step = step_of(lib)
    start = (0, (lib.numpy.ones(64), lib.numpy.zeros(64)))
    going = lambda carry: carry[0] < steps
    body = lambda carry: (carry[0] + 1, step(carry[1], parameters))
    return lib.lax.while_loop(going, body, start, **options)[1][0].sum()


def by_scan(lib, parameters, steps, **options):
    step = step_of(lib)
    start = (lib.numpy.ones(64), lib.numpy.zeros(64))
    body = lambda state, _: (step(state, parameters), None)
    return lib.lax.scan(body, start, None, steps, **options)[0][0].sum()


@dataclass(frozen=True)
class WhileAgainstScan(Case):
    """Our gradient of a while loop, which keeps a few carries, beside that of a scan in `other`,
    which keeps them all.
    """

    other: str = "diffeo"

    def measure(self, ours, theirs):
        """Time both in turn."""
        lib = ours if self.other == "diffeo" else theirs
        loop = ours.jit(ours.grad(lambda p, n: by_while(ours, p, n)))
        whole = lib.jit(lib.grad(lambda p: by_scan(lib, p, LONG)))
        point = np.array([9.81, 0.1])
        mine, other = ours.numpy.asarray(point), lib.numpy.asarray(point)
        np.testing.assert_allclose(loop(mine, LONG), whole(other), rtol=1e-6)
        timers = (
            batch_timer(ours, lambda: loop(mine, LONG)),
            batch_timer(lib, lambda: whole(other)),
        )
        return Result(*interleave(timers, budget=10.0, rounds=(3, 20)))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory(Case):
    """The temporary memory of the compiled gradient of 24 blocks, in bytes."""

    policy: str | None = None
    on: bool = True

    def measure(self, ours, theirs):
        """Compile in both libraries."""
        found = [float(self.temporary(lib)) for lib in (ours, theirs)]
        return Result(*[Timing(n, n) for n in found])

    def temporary(self, lib):
        """What the compiler says."""

        def block(x, weights):
            h = lib.numpy.tanh(lib.numpy.tanh(x @ weights[0]) @ weights[1])
            return x + h @ weights[2], None

        if self.on:
            policy = self.policy and getattr(lib.checkpoint_policies, self.policy)
            block = lib.checkpoint(block, policy=policy, prevent_cse=False)
        loss = lambda weights, x: (lib.lax.scan(block, x, weights)[0] ** 2).sum()
        shapes = (64, 256), (256, 256), (256, 64)
        weights = [lib.numpy.ones((24, *shape)) for shape in shapes]
        compiled = lib.jit(lib.grad(loss)).lower(weights, lib.numpy.ones((512, 64))).compile()
        found = compiled.memory_analysis()
        return found["temp"] if isinstance(found, dict) else found.temp_size_in_bytes


CASES = [
    Program("stage gradient of LSTM by scan", 0.2, stage),
    Program("trace and lower gradient of LSTM", 0.2, lower),
    Program("trace, lower and compile gradient of LSTM", 1.0, compile_),
    Program("gradient of LSTM, 100 steps, batch 16", 1.05, run),
    WhileAgainstScan("gradient of 10^5 steps: while (our scan)", 3.0),
    WhileAgainstScan("gradient of 10^5 steps: while (jax's scan)", 3.0, "jax"),
    Memory("memory, gradient of 24 blocks", 1.02, on=False, unit="B"),
    Memory("memory, the same, checkpoint", 1.02, unit="B"),
    Memory("memory, the same, products kept", 1.02, "dots_saveable", unit="B"),
]
