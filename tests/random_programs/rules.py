"""The relations of a program's quantities in eager mode, to NumPy, and to a loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np

import diffeo as dx
from tests.random_programs.checks import (
    EVERY,
    ROWS,
    Trial,
    broad,
    difference,
    direction,
    host,
    is_inexact,
    pairing,
    size_of,
)
from tests.random_programs.program import Program, compiled_source


def rows_of(program: Program) -> list[dict[str, np.ndarray]]:
    """Points near the program's own and far from it: at another, branches may be others."""
    points = [program.inputs]
    for k in range(1, ROWS):
        rng = np.random.default_rng(1000 * k + program.seed % 1000)
        near = {}
        for n, x in program.inputs.items():
            if is_inexact(x):
                signs = rng.choice([1.0, 1.0, -1.0], x.shape)
                near[n] = (broad(x) * (1 + rng.uniform(-0.3, 0.3, x.shape)) * signs).astype(x.dtype)
            else:
                near[n] = np.roll(x, k) if x.ndim else x
        points.append(near)
    return points


def check_laws(trial: Trial, second: bool) -> None:
    """Derivatives of each other, and of the value."""
    value = trial.quantity("value")
    if value is None:
        return
    forward, backward = trial.quantity("jvp"), trial.quantity("vjp")
    f, xs = trial.plain.at(trial.point)
    outs = [o for o in value[0] if is_inexact(o)]
    vs = [direction(x, 5 + k) for k, x in enumerate(xs)]
    cts = [direction(o, 70 + k) for k, o in enumerate(outs)]
    if forward and backward and not trial.program.traits & {"one way"}:
        trial.checks += 1
        left, right = pairing(forward[0], cts), pairing(backward[0], vs)
        slack = sum([size_of(c) * t * c.size for c, t in zip(cts, forward[1])])
        slack += sum([size_of(v) * t * v.size for v, t in zip(vs, backward[1])])
        if not abs(left - right) <= slack + 1e-13:
            trial.fail("jvp against vjp", f"{left} for {right}, off by more than {slack:.1e}")
    series = trial.quantity("taylor") if second or trial.program.seed % 2 else None
    if series:
        n = len(outs)
        fits = lambda a, b: (series[0][a:b], series[1][a:b])
        trial.compare("taylor against value", outs, fits(0, n), 2.0)
        if forward:
            trial.compare("taylor against jvp", forward[0], fits(n, 2 * n), 2.0)
    if forward and not trial.is_narrow and "no differences" not in trial.program.traits:
        check_differences(trial, f, xs, vs, forward[0])
    if not second:
        return
    curved = [trial.quantity(n) for n in ("hvp", "vhp", "reverse twice")]
    for name, other in zip(("vhp", "reverse twice"), curved[1:]):
        if curved[0] and other:
            slack = [2 * (a + b) for a, b in zip(curved[0][1], other[1])]
            trial.compare(f"{name} against hvp", other[0], (curved[0][0], slack))
    twice = trial.quantity("nested jvp")
    if twice and series:
        half = [2.0 * broad(c) for c in series[0][2 * n :]]
        half = [h.astype(c.dtype) for h, c in zip(half, series[0][2 * n :])]
        slack = [2 * (2 * a + b) for a, b in zip(series[1][2 * n :], twice[1])]
        trial.compare("taylor against nested jvp", half, (twice[0], slack))
    if backward and (again := trial.quantity("checkpoint")):
        trial.compare("checkpoint against vjp", again[0], backward, 2.0)


def check_differences(trial: Trial, f: Any, xs: list, vs: list, found: list) -> None:
    """The derivative along a direction, where two step sizes agree on it."""
    moved = lambda h: [dx.numpy.asarray(np.asarray(x) + h * v) for x, v in zip(xs, vs)]
    at = lambda h: [broad(np.asarray(o)) for o in f(*moved(h))]
    slopes = []
    try:
        with np.errstate(all="ignore"):
            for h in (2e-4, 5e-4):
                a, b, c, d = at(-2 * h), at(-h), at(h), at(2 * h)
                slopes.append(
                    [(p - 8 * q + 8 * r - s) / (12 * h) for p, q, r, s in zip(a, b, c, d)]
                )
    except Exception:
        return  # a neighbour that raises is no neighbour
    trial.checks += 1
    for k, (near, far, t) in enumerate(zip(*slopes, found)):
        if near.shape != t.shape:
            return
        unsure = np.abs(near - far)
        scale = max(1.0, size_of(t))
        if not np.all(unsure <= 1e-6 * scale):
            continue  # a kink, or a pole, is near
        if not np.all(np.abs(near - broad(t)) <= 20 * unsure + 1e-6 * scale):
            trial.fail("jvp against differences", f"result {k}: {t.tolist()} for {near.tolist()}")
            return


def check_numpy(trial: Trial) -> None:
    """Values by NumPy, where the program is NumPy's and its dtypes promote alike."""
    value = trial.quantity("value")
    if value is None or trial.is_narrow or not trial.program.plain:
        return
    if any([x.dtype.name not in ("float64", "complex128") for x in trial.program.inputs.values()]):
        return
    fun = compiled_source(trial.program.source(), {"np": np})
    try:
        with np.errstate(all="ignore"):
            found = [np.asarray(o) for o in fun(*[np.asarray(x) for x in trial.point.values()])]
    except Exception:
        return  # a function that is not in this version, or reads differently
    trial.checks += 1
    for a, b in zip(found, value[0]):
        if a.dtype.kind != b.dtype.kind:
            return
    found = [a.astype(b.dtype) for a, b in zip(found, value[0])]
    if text := difference(found, *value):
        trial.fail("value against NumPy", text)


def stacked(points: list[dict]) -> dict:
    return {n: np.stack([np.asarray(p[n]) for p in points]) for n in points[0]}


def vectorised(trial: Trial, name: str, points: list[dict]) -> list:
    """A quantity of all rows at once."""
    names = trial.plain.names
    many = {n: dx.numpy.asarray(x) for n, x in stacked(points).items()}
    one = lambda *args: tuple(EVERY[name](trial.plain, dict(zip(names, args))))
    return host(dx.vmap(one)(*[many[n] for n in names]))


def check_rows(trials: list[Trial], name: str, found: list, check: str) -> None:
    """The rows of a quantity of all against each row's own."""
    first = trials[0]
    for k, trial in enumerate(trials):
        if (single := trial.quantity(name)) is None:
            continue
        rows = [f[k] for f in found]
        before = len(trial.failures)
        if not trial.compare(f"{check} {name}", rows, single, 3.0) and trial is not first:
            first.failures += trial.failures[before:]


def check_vmap(trials: list[Trial], names: tuple[str, ...]) -> None:
    first = trials[0]
    points = [t.point for t in trials]
    for name in names:
        if first.heavy and name != "value":
            continue
        if any([t.quantity(name) for t in trials]) and first.quantity(name):
            run = lambda n=name: vectorised(first, n, points)
            found = first.attempt(f"vmap of {name}", run)
            if found is not None:
                check_rows(trials, name, found, "vmap of")
