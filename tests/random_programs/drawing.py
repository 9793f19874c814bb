"""How a program is drawn from a seed: step by step, with the value of each at one point."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import diffeo as dx
from tests.random_programs import oracle
from tests.random_programs.program import (
    ROWS,
    Block,
    Program,
    Row,
    Source,
    Step,
    literal,
    namespace,
    render_block,
    render_step,
)
from tests.random_programs.tables import LOADED

assert LOADED

MOST, LARGEST, DEEPEST = 40, 200.0, 3
DTYPES = {
    "float64": 60,
    "complex128": 14,
    "float32": 8,
    "complex64": 3,
    "float16": 3,
    "bfloat16": 2,
}
DISCRETE = {"int64": 8, "int32": 4, "uint8": 3, "bool": 5}
SHAPES = [(), (), (1,), (2,), (3,), (3,), (4,), (2, 2), (3, 3), (2, 3), (3, 2), (1, 3), (4, 1)]
SHAPES += [(2, 1, 3), (2, 2, 2), (5,), (6,), (2, 3, 2)]
EMPTY = [(0,), (0, 3), (2, 0)]


@dataclass(frozen=True)
class Note:
    """What was seen while a program was drawn: a step that raises, or is not finite."""

    kind: str
    row: str
    message: str
    source: str


@dataclass
class Draw:
    """What a parameter is drawn from: the operands' values and names."""

    scope: Scope
    args: list[Any]
    names: list[str]

    @property
    def rng(self) -> random.Random:
        return self.scope.rng


class Scope:
    """Values that are in sight, by name."""

    def __init__(self, root: Any, env: dict[str, Any], depth: int, names: list[str]):
        self.root, self.env, self.depth, self.names = root, env, depth, names
        self.rng: random.Random = root.rng
        self.steps: list[Step] = []

    def fresh(self, stem: str) -> str:
        self.root.counter += 1
        return f"{stem}{self.root.counter}"

    def child(self, names: Sequence[str], values: Sequence[Any], closed: bool) -> Scope:
        env = {} if closed else dict(self.env)
        env.update(zip(names, values))
        visible = [*([] if closed else self.names), *names]
        return Scope(self.root, env, self.depth + 1, visible)

    def pick(self, predicate: Any, before: list[Any]) -> str | None:
        """A value that fits, late ones rather than early ones."""
        fit = [n for n in self.names if predicate(self.env[n], *before)]
        if not fit:
            return None
        return fit[-1 - min(int(self.rng.expovariate(0.5)), len(fit) - 1)]

    def block(
        self,
        values: Sequence[Any],
        count: int,
        want: Sequence[tuple] | None = None,
        closed: bool = False,
        extra: int = 0,
        bounded: bool = True,
    ) -> Block | None:
        """A function of arguments like `values`: its results are of the types `want`, and `extra`
        more of any type."""
        if self.depth >= DEEPEST:
            return None
        name = self.fresh("f")
        args = tuple([self.fresh("v") for _ in values])
        inner = self.child(args, values, closed)
        inner.draw_steps(count)
        results = [inner.fitted(*w, args, bounded) for w in want or ()]
        if any([r is None for r in results]):
            return None
        loose = [n for n in inner.names if n not in self.names]
        if want is None:
            extra = max(1, extra)
        for k in range(extra):
            results.append(loose[-1 - min(k, len(loose) - 1)])
        return Block(name, args, inner.steps, tuple(results))

    def run_block(self, block: Block, values: Sequence[Any]) -> list[Any] | None:
        """What a block returns of these values."""
        source = "\n".join(render_block(block))
        space = {**self.root.space, **self.env}
        try:
            exec(compile(source, "<random block>", "exec"), space)
            found = space[block.name](*values)
        except Exception:
            return None
        return list(found) if isinstance(found, tuple) else [found]

    def fitted(self, shape: tuple, dtype: Any, args: Sequence[str], bounded: bool) -> Source | None:
        """An expression of a type, made of the newest value that can be brought to it."""
        dtype = np.dtype(dtype)
        kind = dtype.kind if dtype != ml_dtypes.bfloat16 else "f"
        best = None
        for name in reversed(self.names):
            v = self.env[name]
            vk = "f" if v.dtype == ml_dtypes.bfloat16 else v.dtype.kind
            if kind in "fc" and vk in "fc" and v.size:
                if v.shape == shape:
                    best = name
                    break
                best = best or name
            if kind not in "fc" and v.dtype == dtype and v.shape == shape:
                best = name
                break
        if best is None:
            return None
        v = self.env[best]
        text = best
        if v.shape != shape:
            text = f"np.broadcast_to(np.mean({best}), {shape})"
        if v.dtype.kind == "c" and kind == "f":
            text = f"np.real({text})"
        if v.dtype != dtype:
            text = f"({text}).astype({dtype.name!r})"
        if not bounded:
            return Source(text)
        if kind == "f":
            text = f"np.sin({text})"
        elif kind == "c":
            text = f"({text}) / (1.5 + np.real(({text}) * np.conj({text})))"
        elif kind in "iu":
            text = f"({text}) % 7"
        return Source(text)

    def draw_steps(self, count: int) -> None:
        done = tries = 0
        while done < count and tries < 8 * count:
            tries += 1
            if self.draw_step():
                done += 1

    def draw_step(self) -> bool:
        row = self.root.choose(self.depth)
        names: list[str] = []
        values: list[Any] = []
        for predicate in row.operands:
            name = self.pick(predicate, values)
            if name is None:
                return False
            names.append(name)
            values.append(self.env[name])
        draw = Draw(self, values, names)
        params = {}
        for key, drawer in row.params.items():
            params[key] = drawer(draw) if callable(drawer) else drawer
            if params[key] is None:
                return False
        outs = tuple([self.fresh("v") for _ in range(row.results)])
        step = Step(row.name, outs, tuple(names), params)
        found = self.evaluate(step, row)
        if found is None:
            return False
        step.values = tuple([np.asarray(found[n]) for n in outs])
        self.steps.append(step)
        self.env.update(found)
        self.names.extend(outs)
        return True

    def evaluate(self, step: Step, row: Row) -> dict[str, Any] | None:
        """The values of a step, or None if it is no step to go on with."""
        source = "\n".join(render_step(step))
        space = {**self.root.space, **self.env}
        try:
            exec(compile(source, "<random step>", "exec"), space)
            found = {n: dx.numpy.asarray(space[n]) for n in step.outs}
        except Exception as error:
            if not oracle.raises(source, self.env, step.outs):
                text = f"{type(error).__name__}: {error}"
                self.root.note("raises", row, text, self.alone(source, step))
            return None
        host = {n: np.asarray(v) for n, v in found.items()}
        if any([h.dtype.kind == "V" and h.dtype != ml_dtypes.bfloat16 for h in host.values()]):
            return None  # the tangent of an integer
        if any([not _finite(h) for h in host.values()]):
            expected = oracle.values(source, self.env, step.outs)
            if expected is not None and any(
                [not _agree(host[n], e) for n, e in zip(step.outs, expected)]
            ):
                text = f"{host} where {expected} is expected"
                self.root.note("not finite", row, text, self.alone(source, step))
            return None
        return found if all([_moderate(h) for h in host.values()]) else None

    def alone(self, source: str, step: Step) -> str:
        """A step with the values that it reads."""
        used = [n for n in self.env if n in source and n not in step.outs]
        lines = [f"{n} = {literal(np.asarray(self.env[n]))}" for n in used]
        return "\n".join([*lines, source, f"print({', '.join(step.outs)})"])


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) if x.dtype == ml_dtypes.bfloat16 else x


def _finite(x: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(_wide(x))))


def _moderate(x: np.ndarray) -> bool:
    if x.size > MOST or x.ndim > 4:
        return False
    if x.dtype.kind == "b" or not x.size:
        return True
    return bool(np.max(np.abs(_wide(x).astype(np.complex128))) < LARGEST)


def _agree(found: np.ndarray, expected: np.ndarray) -> bool:
    if found.shape != expected.shape:
        return False
    return bool(np.allclose(_wide(found), _wide(expected), 1e-3, 1e-3, equal_nan=True))


class Root:
    """What the scopes of one program share."""

    def __init__(self, seed: int, only: Sequence[str] | None = None):
        self.rng = random.Random(seed)
        self.arrays = np.random.default_rng(seed)
        self.counter = 0
        self.notes: list[Note] = []
        self.space = namespace(dx)
        self.zero = dx.numpy.asarray(0)
        # A few rows are taken more often than others in one program, so that they meet.
        self.weights = {}
        for name, row in ROWS.items():
            if only is None or name in only:
                self.weights[name] = row.weight * self.rng.expovariate(1.0)
        self.flat = [n for n in self.weights if not _has_blocks(ROWS[n])]

    def note(self, kind: str, row: Row, message: str, source: str) -> None:
        self.notes.append(Note(kind, row.name, message, source))

    def choose(self, depth: int) -> Row:
        names = list(self.weights)
        weights = list(self.weights.values())
        if depth:
            weights = [w if n in self.flat else w * 0.5**depth for n, w in self.weights.items()]
        return ROWS[self.rng.choices(names, weights)[0]]

    def array(self, dtype: str, shape: tuple) -> np.ndarray:
        """Numbers between 0.2 and 1.7 of either sign, so that none is near 0."""
        if dtype == "bool":
            return self.arrays.random(shape) < 0.5
        if dtype.startswith(("int", "uint")):
            low = 0 if dtype.startswith("u") else -4
            return self.arrays.integers(low, 7, shape).astype(dtype)
        parts = self.arrays.uniform(0.2, 1.7, (2, *shape))
        parts = np.round(parts * self.arrays.choice([-1.0, 1.0], (2, *shape)), 4)
        if dtype.startswith("complex"):
            return (parts[0] + 1j * parts[1]).astype(dtype)
        return np.asarray(parts[0]).astype(
            ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
        )


def _has_blocks(row: Row) -> bool:
    return "block" in row.traits


def draw_program(seed: int, only: Sequence[str] | None = None) -> Program:
    """The program of a seed."""
    root = Root(seed, only)
    rng = root.rng
    narrow = rng.random() < 0.3
    inputs = {}
    base = rng.choice(SHAPES)
    for _ in range(rng.choice([1, 2, 2, 3])):
        table = DTYPES if narrow else {"float64": 9, "complex128": 1}
        dtype = rng.choices(list(table), list(table.values()))[0]
        shape = base if rng.random() < 0.5 else rng.choice(SHAPES)
        inputs[f"x{root.counter}"] = root.array(dtype, shape)
        root.counter += 1
    if rng.random() < 0.4:
        dtype = rng.choices(list(DISCRETE), list(DISCRETE.values()))[0]
        inputs[f"x{root.counter}"] = root.array(dtype, rng.choice(SHAPES))
        root.counter += 1
    if rng.random() < 0.04:
        inputs[f"x{root.counter}"] = root.array("float64", rng.choice(EMPTY))
        root.counter += 1
    env = {n: dx.numpy.asarray(x) for n, x in inputs.items()}
    scope = Scope(root, env, 0, list(inputs))
    scope.draw_steps(rng.choice([2, 3, 4, 5, 8]))
    used = {o for s in scope.steps for o in s.operands}
    made = [n for s in scope.steps for n in s.outs]
    loose = [n for n in made if n not in used] or made or list(inputs)
    return Program(seed, inputs, scope.steps, tuple(loose[-5:]), root.notes)
