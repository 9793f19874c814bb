"""Samples of the operations on programs: conditionals, loops, and what reverse mode makes of them.

Conditions depend on integers alone, so that operands of other values end, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import diffeo as dx
from diffeo.operations.identity import Named
from diffeo.operations.transfer import DevicePut
from diffeo.primitives import Array, stage
from diffeo.primitives.types import ShapedArray
from tests.sampling import bools, comp, ints, program_samples, real, sample

# fmt: off
lax, dnp = dx.lax, dx.numpy


def scan(f, init, xs, **options) -> list[Any]:
    """The results as a list."""
    return dx.tree.leaves(lax.scan(f, init, xs, **options))


program_samples(lambda p, x: [lax.cond(p, dnp.sin, lambda x: 2.0 * x, x)],
                bools(), real(3), note="two branches")
program_samples(lambda i, x, y: lax.switch(
    i, [lambda x, y: (x * y, y), lambda x, y: (dnp.sin(x), x), lambda x, y: (y, dnp.zeros(2))],
    x, y), np.int32(1), real(2), real(2), note="of three")
program_samples(lambda p, z: [lax.cond(p, lambda z: z * z, dnp.exp, z)],
                bools(), comp(2), note="complex")
program_samples(lambda p, n: [lax.cond(p, lambda n: n + 1, lambda n: -n, n)],
                bools(), ints(2), note="int")
program_samples(lambda p, w, x: [lax.cond(p, lambda: w * x, lambda: w)],
                bools(), real(2), real(2), note="closures")

program_samples(lambda p, x: [lax.cond(p, lambda x: dnp.where(x > 0, x * x, x), dnp.sin, x)],
                bools(), real(3), note="bits among residuals")

sample(Named("kept"), real(2, 3))
sample(DevicePut("cpu:0"), real(2, 3))
sample(DevicePut(None), comp(3), note="nowhere")
program_samples(lambda w, x: [dx.checkpoint(lambda w, x: dnp.sin(dnp.tanh(w @ x)))(w, x)],
                real(2, 2), real(2), note="nothing kept")
program_samples(lambda w, x: [dx.checkpoint(
    lambda w, x: dnp.sin(dnp.tanh(w @ x)), policy=dx.checkpoint_policies.dots_saveable)(w, x)],
    real(2, 2), real(2), note="products kept")

program_samples(lambda c, xs: scan(lambda c, x: (dnp.sin(c) * x, c + x), c, xs),
                real(2), real(3, 2), note="elementwise")
program_samples(lambda w, c, xs: scan(lambda c, x: (dnp.tanh(w @ c + x), (c, x[0])), c, xs),
                real(2, 2), real(2), real(3, 2), note="recurrent")
program_samples(lambda c, xs: scan(lambda c, x: (c * x, c), c, xs, reverse=True),
                real(), real(4), note="reverse")
program_samples(lambda c, xs: scan(lambda c, x: (c * x, c), c, xs, unroll=2),
                real(), real(5), note="unrolled")
program_samples(lambda c, xs: scan(lambda c, x: (c * x, c), c, xs),
                real(), real(0), note="no steps")
program_samples(lambda c: scan(lambda c, _: (c * c, ()), c, None, length=3),
                comp(2), note="complex")
program_samples(lambda n, xs: scan(lambda n, x: (n + 1, x * 2.0), n, xs),
                ints(), real(3), note="a counter")
program_samples(lambda w, c, xs: scan(lambda c, x: (dnp.sin(w * c) + x, c), c, xs, checkpoints=4),
                real(2), real(2), real(9, 2), note="with checkpoints")
program_samples(lambda xs: scan(lambda _, x: ((), lax.cond(x[0] > 0, dnp.sin, dnp.cos, x)), (), xs),
                real(4, 2), note="of conditionals")

program_samples(lambda n, x: lax.while_loop(
    lambda c: c[0] < 3, lambda c: (c[0] + 1, dnp.sin(c[1]) * 1.5), (n, x)),
    ints(low=0, high=2), real(2), note="elementwise")
program_samples(lambda n, w, x: lax.while_loop(
    lambda c: c[0] < n, lambda c: (c[0] + 1, w * c[1] + x), (n - n, x)),
    ints(low=2, high=4), real(2), real(2), note="closures")
program_samples(lambda n, z: lax.while_loop(
    lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * c[1]), (n, z)),
    ints(low=0, high=1), comp(2), note="complex")
program_samples(lambda n, x: lax.while_loop(
    lambda c: c[0] < 0, lambda c: (c[0] + 1, c[1] * c[1]), (n, x)),
    ints(low=0, high=1), real(2), note="no steps")
program_samples(lambda n, x: lax.while_loop(
    lambda c: c[0] < 3, lambda c: (c[0] + 1, ~c[1], dnp.where(c[1], c[2] * c[2], 1.5 * c[2])),
    (n, n > 0, x)), ints(low=0, high=2), real(), note="bits in the carry")
program_samples(lambda n, w, x: lax.while_loop(
    lambda c: (c[0] < 3) & (abs(c[1] * w) < 1e6), lambda c: (c[0] + 1, dnp.sin(c[1]) * w), (n, x)),
    ints(low=0, high=2), real(), real(), note="a limit with a derivative")
program_samples(lambda n, x: lax.while_loop(
    lambda c: c[0] < 9, lambda c: (c[0] + 1, dnp.cos(c[1]) + c[0]), (n, x), checkpoints=4),
    ints(low=0, high=2), real(), note="few checkpoints")


def replay_sample(fun: Any, *operands: Any, note: str) -> None:
    """The linear part of the derivative of a loop by its last operand."""
    rng = np.random.default_rng(0)
    arrays = [a(rng) if callable(a) else a for a in operands]
    arrays.append(np.ones_like(arrays[-1]))
    derivative = lambda *xs: dx.jvp(lambda x: fun(*xs[:-2], x), xs[-2:-1], xs[-1:])[1]
    jaxpr = stage(lambda *xs: dx.tree.leaves(derivative(*xs)),
                  [ShapedArray(a.shape, a.dtype) for a in arrays])
    eqn = next(e for e in jaxpr.eqns if e.primitive.holds_programs)
    env = dict(zip(jaxpr.in_vars, map(Array, arrays)))
    env.update(zip(jaxpr.const_vars, jaxpr.consts))
    values = [env[v] for v in eqn.inputs]
    linear = [v is jaxpr.in_vars[-1] for v in eqn.inputs]
    parts = eqn.primitive.partial(linear)
    outs = parts.known.bind(*[a for a, lin in zip(values, linear) if not lin])
    inputs = parts.inputs(values, outs[len(linear_outs(parts)) :])
    by = tuple([i for i, s in enumerate(parts.sources) if s is not None and linear[s]])
    sample(parts.linear, *map(np.asarray, inputs), note=note, by=by)


def linear_outs(parts: Any) -> list[bool]:
    """The results of the known part that are not residuals."""
    return [flag for flag in parts.linear_outs if not flag]


replay_sample(lambda n, x: lax.while_loop(
    lambda c: c[0] < 40, lambda c: (c[0] + 1, dnp.sin(c[1]) * 1.1), (n, x), checkpoints=4),
    ints(low=0, high=2), real(2), note="of a while loop")
replay_sample(lambda xs, c: lax.scan(
    lambda c, x: (dnp.sin(c * x), c * x), c, xs, checkpoints=4, reverse=True),
    real(35, 2), real(2), note="of a scan")
