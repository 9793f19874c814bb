"""`python -m benchmarks.checkpoints`: time and memory of the gradient of a long loop, by how many
carries it keeps, as a Markdown table.
"""

import time

import numpy as np

import diffeo as dx

WIDTH = 16
LENGTHS = (10**2, 10**3, 10**4, 10**5, 10**6)
CHECKPOINTS = (16, 128, 1024)


def step(state, parameters):
    """One step of damped pendulums."""
    angle, speed = state
    force = parameters[0] * np.sin(angle) + parameters[1] * speed
    return angle + 1e-3 * speed, speed - 1e-3 * force


def start():
    return dx.numpy.linspace(0.5, 1.5, WIDTH), dx.numpy.zeros(WIDTH)


def by_scan(parameters, steps):
    """The gradient keeps what it needs of every step."""
    body = lambda state, _: (step(state, parameters), None)
    return dx.lax.scan(body, start(), None, steps)[0][0].sum()


def by_while(parameters, steps, checkpoints):
    """The gradient keeps a fixed number of carries; the number of steps is not known before."""
    going = lambda carry: carry[0] < steps
    body = lambda carry: (carry[0] + 1, step(carry[1], parameters))
    return dx.lax.while_loop(going, body, (0, start()), checkpoints=checkpoints)[1][0].sum()


def measure(fun, *args):
    """The result; and the shortest of some times, and temporary memory, as shown."""
    compiled = dx.jit(fun).lower(*args).compile()
    times = []
    began = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - began < 0.5 and len(times) < 100):
        before = time.perf_counter()
        out = np.asarray(compiled(*args))
        times.append(time.perf_counter() - before)
    memory = compiled.memory_analysis()["temp"]
    return out, f"{shown(min(times), TIMES)}, {shown(memory, BYTES)}"


TIMES = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6))
BYTES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def shown(value, units):
    """`1.2 ms`, with two digits, in the largest unit that the value has one of."""
    name, scale = next((u for u in units if value >= u[1]), units[-1])
    value = value / scale
    return f"{value:.0f} {name}" if value >= 10 else f"{value:.1f} {name}"


def main():
    point = dx.numpy.array([9.81, 0.1])
    columns = ["steps", "value alone", "scan", *[f"{c} checkpoints" for c in CHECKPOINTS]]
    print(f"| {' | '.join(columns)} |\n| {' | '.join(['---:'] * len(columns))} |")
    for steps in LENGTHS:
        row = [f"{steps:,}".replace(",", " ")]
        _, alone = measure(lambda p, n: by_while(p, n, 4), point, steps)
        expected, scanned = measure(dx.grad(lambda p, steps=steps: by_scan(p, steps)), point)
        row += [alone, scanned]
        for checkpoints in CHECKPOINTS:
            gradient = dx.grad(lambda p, n, c=checkpoints: by_while(p, n, c))
            found, measured = measure(gradient, point, steps)
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            row.append(measured)
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
