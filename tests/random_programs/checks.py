"""What is computed of a program in each way, and which of it must agree.

How far two ways may differ is measured and not guessed: the program is run once more with every
value in it moved by a known small relative amount (`noise`), which says how much rounding of each
step is magnified. A program that jumps under noise (a comparison of equal numbers, say) is not
compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np

import diffeo as dx
from tests.random_programs.program import Program, compiled_source, namespace

#: How much noise moves values of each precision, relative to their unit of rounding.
LEVELS = {"float64": 1e-9, "complex128": 1e-9, "float32": 2e-5, "complex64": 2e-5}
LEVELS |= {"float16": 1e-2, "bfloat16": 6e-2}
EPS = {"float64": 2.3e-16, "complex128": 2.3e-16, "float32": 1.2e-7, "complex64": 1.2e-7}
EPS |= {"float16": 1e-3, "bfloat16": 8e-3}
#: Roundings of each step that are allowed for, and how often noise may be magnified.
ROUNDINGS, WORST = 60.0, 1e5
ROWS = 2

Tree = list[np.ndarray]


def noise_of(dtypes: Sequence[str]) -> Callable:
    """A function that moves values of these dtypes, each element by its own amount."""

    def noise(x: Any, number: int) -> Any:
        name = x.dtype.name
        if name not in dtypes or not x.size:
            return x
        wave = np.cos(1.0 + number + 1.7 * np.arange(x.size)).reshape(x.shape)
        factor = 1 + LEVELS[name] * (0.5 * wave + 0.75 * np.sign(wave))
        kind = x.dtype if x.dtype.kind != "c" else None
        return x * (factor.astype(kind) if kind is not None else factor.astype(name))

    return noise


WIDE_NOISE = noise_of(("float64", "complex128"))
NARROW_NOISE = noise_of(("float32", "complex64", "float16", "bfloat16"))


def is_inexact(x: Any) -> bool:
    return x.dtype.kind in "fc" or x.dtype == ml_dtypes.bfloat16


def direction(x: np.ndarray, seed: int) -> np.ndarray:
    """Numbers of either sign, none near 0, complex if `x` is."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(0.5, 1.5, (2, *x.shape)) * rng.choice([-1.0, 1.0], (2, *x.shape))
    return np.asarray(parts[0] + 1j * parts[1] if x.dtype.kind == "c" else parts[0], x.dtype)


@dataclass
class Failure:
    """Two ways that differ, or a way that raises."""

    check: str
    message: str
    error: BaseException | None = None

    @property
    def site(self) -> str:
        """What failures are grouped by."""
        if self.error is None:
            return self.check
        trace, place = self.error.__traceback__, ""
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if "/diffeo/" in name:
                place = f"{name.rsplit('/diffeo/', 1)[1]}:{trace.tb_frame.f_code.co_name}"
            trace = trace.tb_next
        head = re.sub(r"\d+", "#", str(self.error).split("\n")[0])[:70]
        return f"{type(self.error).__name__} in {place}: {head}"


class Subject:
    """A program as functions: of its inexact inputs, by rows of the others."""

    def __init__(self, program: Program, lib: Any = dx, noise: Any = None):
        self.program, self.lib = program, lib
        source = program.source(noisy=noise is not None)
        self.fun = compiled_source(source, namespace(lib, noise))
        self.names = list(program.inputs)

    def at(self, point: dict[str, Any]) -> tuple[Callable, list]:
        """The function of the inexact inputs that gives the inexact results, and where."""
        moving = [n for n in self.names if is_inexact(self.program.inputs[n])]

        def smooth(*xs: Any) -> list:
            values = {**point, **dict(zip(moving, xs))}
            return [o for o in self.fun(*[values[n] for n in self.names]) if is_inexact(o)]

        return smooth, [point[n] for n in moving]


# --------------------------------------------------------------------------------------------------
# Quantities: of (subject, point) -> arrays. All but "taylor" are of jax, too.


def value(s: Subject, point: dict) -> list:
    return list(s.fun(*[point[n] for n in s.names]))


def directions(xs: Sequence[Any]) -> list:
    return [direction(x, 5 + k) for k, x in enumerate(xs)]


def weights(outs: Sequence[Any]) -> list:
    return [direction(o, 70 + k) for k, o in enumerate(outs)]


def jvp(s: Subject, point: dict) -> list:
    f, xs = s.at(point)
    return list(s.lib.jvp(f, tuple(xs), tuple(directions(xs)))[1])


def vjp(s: Subject, point: dict) -> list:
    f, xs = s.at(point)
    outs, pull = s.lib.vjp(f, *xs)
    return list(pull(weights(outs)))


def total(s: Subject, point: dict) -> tuple[Callable, list]:
    """A real number made of all results."""
    f, xs = s.at(point)
    np = s.lib.numpy

    def number(*xs: Any) -> Any:
        parts = [np.sum(np.real(o * w)).astype("float64") for o in (f(*xs)) for w in weights([o])]
        return sum(parts[1:], parts[0]) if parts else np.zeros(())

    return number, xs


def grad(s: Subject, point: dict) -> list:
    f, xs = total(s, point)
    return list(s.lib.grad(f, tuple(range(len(xs))))(*xs))


def hvp(s: Subject, point: dict) -> list:
    """Forward over reverse."""
    f, xs = total(s, point)
    gradient = s.lib.grad(f, tuple(range(len(xs))))
    return list(s.lib.jvp(gradient, tuple(xs), tuple(directions(xs)))[1])


def vhp(s: Subject, point: dict) -> list:
    """Reverse over forward."""
    f, xs = total(s, point)
    slope = lambda *ys: s.lib.jvp(f, ys, tuple(directions(xs)))[1]
    return list(s.lib.grad(slope, tuple(range(len(xs))))(*xs))


def reverse_twice(s: Subject, point: dict) -> list:
    """Reverse over reverse."""
    f, xs = total(s, point)
    gradient = s.lib.grad(f, tuple(range(len(xs))))
    np = s.lib.numpy

    def along(*ys: Any) -> Any:
        parts = zip(gradient(*ys), directions(xs))
        return sum([np.sum(np.real(g * v)).astype("float64") for g, v in parts])

    return list(s.lib.grad(along, tuple(range(len(xs))))(*xs))


def nested_jvp(s: Subject, point: dict) -> list:
    f, xs = s.at(point)
    vs = tuple(directions(xs))
    first = lambda *ys: s.lib.jvp(f, ys, vs)[1]
    return list(s.lib.jvp(first, tuple(xs), vs)[1])


def taylor(s: Subject, point: dict) -> list:
    f, xs = s.at(point)
    series = dx.taylor(f, tuple(xs), directions(xs), 2)
    return [c for outs in series for c in outs]


def checkpointed(s: Subject, point: dict) -> list:
    f, xs = s.at(point)
    outs, pull = s.lib.vjp(s.lib.checkpoint(lambda *ys: tuple(f(*ys))), *xs)
    return list(pull(tuple(weights(outs))))


FIRST = {"value": value, "jvp": jvp, "vjp": vjp, "taylor": taylor}
SECOND = {"hvp": hvp, "vhp": vhp, "reverse twice": reverse_twice, "nested jvp": nested_jvp,
          "checkpoint": checkpointed}  # fmt: skip
EVERY = FIRST | SECOND
#: What is run with noise always; and what takes its slack from the noise of jvp always.
NOISY, BORROWED = ("value", "jvp"), ("vjp", "taylor")


def host(outs: Sequence[Any]) -> Tree:
    return [np.asarray(o) for o in outs]


def broad(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def pairing(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> float:
    """Re(sum(x y)), the pairing without conjugates for which reverse mode is the transpose."""
    return float(sum([np.sum(broad(x) * broad(y)).real for x, y in zip(xs, ys)]))


@dataclass
class Trial:
    """A program at a point, in eager mode, with and without noise."""

    program: Program
    point: dict[str, np.ndarray]
    #: The same program at another point, from whose noise that of derivatives here is taken.
    other: Trial | None = None
    failures: list[Failure] = field(default_factory=list)
    checks: int = 0

    def __post_init__(self):
        self.known: dict[str, Any] = {}
        self.point = {n: dx.numpy.asarray(x) for n, x in self.point.items()}

    @cached_property
    def plain(self) -> Subject:
        return Subject(self.program)

    @cached_property
    def noisy(self) -> list[tuple[str, Subject]]:
        return [(n, Subject(self.program, noise=f))
                for n, f in (("float64", WIDE_NOISE), ("float32", NARROW_NOISE))
                if n == "float64" or self.is_narrow]  # fmt: skip

    @cached_property
    def is_narrow(self) -> bool:
        text = self.program.source()
        some = [x.dtype.name for x in self.program.inputs.values()]
        return any(
            [n in some or n in text for n in ("float32", "complex64", "float16", "bfloat16")]
        )

    def quantity(self, name: str) -> tuple[Tree, list[float]] | None:
        """The arrays and how far each may be off, or None if it raises or jumps."""
        if name not in self.known:
            self.known[name] = self._quantity(name)
        return self.known[name]

    def _quantity(self, name: str) -> tuple[Tree, list[float]] | None:
        found = self.attempt(name, lambda: host(EVERY[name](self.plain, self.point)))
        if found is None:
            return None
        slack = [ROUNDINGS * EPS.get(x.dtype.name, 0.0) * size_of(x) for x in found]
        if name not in NOISY if self.other or self.heavy else name in BORROWED:
            return self.borrowed(name, found, slack)
        for level, subject in self.noisy:
            moved = self.attempt(f"{name} with noise",
                                 lambda s=subject: host(EVERY[name](s, self.point)))  # fmt: skip
            if moved is None:
                return None
            spreads = [self.spread(level, a, b) for a, b in zip(found, moved)]
            if None in spreads:
                return None
            slack = [t + s for t, s in zip(slack, spreads)]
        return found, slack

    def spread(self, level: str, plain: np.ndarray, moved: np.ndarray) -> float | None:
        """How far rounding may move a result that noise moved so far; None if it jumped."""
        if not is_inexact(plain):
            return 0.0 if np.array_equal(plain, moved) else None
        spread = size_of(broad(plain) - broad(moved))
        if not spread <= WORST * LEVELS[level] * max(1.0, size_of(plain)):
            return None
        return ROUNDINGS * EPS[level] / LEVELS[level] * spread if level == "float64" else 3 * spread

    def borrowed(self, name: str, found: Tree, slack: list[float]) -> tuple | None:
        """Derivatives that are dear, or at another point, are not run with noise."""
        if self.quantity("value") is None:
            return None
        near = (self.other or self).quantity("jvp" if self.heavy or name in BORROWED else name)
        if near is None:
            return None
        worst = max([t / max(1e-3, size_of(x)) for x, t in zip(*near)], default=0.0)
        return found, [t + 30 * worst * max(1.0, size_of(x)) for x, t in zip(found, slack)]

    @cached_property
    def heavy(self) -> bool:
        """Whether there is a loop whose length nobody knows: its reverse mode is large."""
        return "forward in jax" in self.program.traits

    def attempt(self, check: str, run: Callable) -> Any:
        self.checks += 1
        try:
            with np.errstate(all="ignore"):
                return run()
        except Exception as error:
            self.failures.append(Failure(check.removesuffix(" with noise"), str(error), error))
            return None

    def fail(self, check: str, message: str) -> None:
        self.failures.append(Failure(check, message))

    def compare(self, check: str, found: Sequence[Any], against: tuple[Tree, list[float]],
                factor: float = 1.0) -> bool:  # fmt: skip
        """Hold arrays against a quantity."""
        self.checks += 1
        expected, slack = against
        text = difference(host(found), expected, [factor * t for t in slack])
        if text:
            self.fail(check, text)
        return not text


def size_of(x: np.ndarray) -> float:
    return float(np.max(np.abs(broad(x)), initial=0.0)) if x.size else 0.0


def difference(found: Tree, expected: Tree, slack: Sequence[float]) -> str:
    """How two lists of arrays differ, or nothing."""
    if len(found) != len(expected):
        return f"{len(found)} results for {len(expected)}"
    for k, (a, b, t) in enumerate(zip(found, expected, slack)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {k}: {a.dtype}{a.shape} for {b.dtype}{b.shape}"
        if not is_inexact(a):
            if not np.array_equal(a, b):
                return f"result {k}: {a.tolist()} for {b.tolist()}"
        elif not np.all(np.abs(broad(a) - broad(b)) <= t + 1e-300) and not (
            np.array_equal(broad(a), broad(b), equal_nan=True)
        ):
            return f"result {k}: {a.tolist()} for {b.tolist()}, off by more than {t:.1e}"
    return ""
