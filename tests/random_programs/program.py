"""What a random program is: steps as data, and their source in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
import numpy as np


class Source(str):
    """A parameter that stands in the source as it is."""

    def __repr__(self) -> str:
        return str(self)


class Names(list):
    """Names of functions, as a list in the source."""

    def __format__(self, how: str) -> str:
        return repr(list(self))


@dataclass(frozen=True)
class Row:
    """A kind of step: a line of the table.

    `source` is a template of the names of the operands, `{0}`, `{1}`, and of the parameters,
    `{axis}`. `operands` are predicates of a value and of the operands before it. `params` draw the
    parameters; None says that there is none that fits. `outs` is the pattern of the results.
    """

    name: str
    source: str
    operands: tuple[Any, ...]
    params: Mapping[str, Any]
    outs: str = "{0}"
    before: str = ""
    weight: float = 1.0
    #: "no differences": not the derivative of the value, on purpose. "forward in jax": jax has no
    #: reverse mode of it. "ours": jax does not have it. "steep": may be ill-conditioned.
    traits: frozenset[str] = frozenset()

    @property
    def results(self) -> int:
        return self.outs.count("{")

    @property
    def plain(self) -> bool:
        """Whether NumPy can run it."""
        words = ("dx.", "lax.", "numpy.", "nn.", "special.", "sla.", ".at[", ".bind")
        return not self.before and not any([w in self.source for w in words])


ROWS: dict[str, Row] = {}


def row(
    name: str,
    source: str,
    *operands: Any,
    outs: str = "{0}",
    before: str = "",
    weight: float = 1.0,
    traits: str = "",
    **params: Any,
) -> None:
    """Add a line to the table."""
    assert name not in ROWS, name
    marks = frozenset([t.strip() for t in traits.split(",") if t.strip()])
    ROWS[name] = Row(name, source, operands, params, outs, before, weight, marks)


row("literal", "{x}", weight=0.0)


@dataclass(eq=False)
class Block:
    """A function in a program."""

    name: str
    args: tuple[str, ...]
    steps: list[Step]
    results: tuple[str, ...]


@dataclass(eq=False)
class Step:
    """A row with operands and parameters."""

    row: str
    outs: tuple[str, ...]
    operands: tuple[str, ...]
    params: dict[str, Any]
    #: What it made where the program was drawn.
    values: tuple[Any, ...] = ()

    @property
    def blocks(self) -> list[Block]:
        return [b for p in self.params.values() for b in _blocks_in(p)]


def _blocks_in(param: Any) -> Iterator[Block]:
    if isinstance(param, Block):
        yield param
    elif isinstance(param, (tuple, list)):
        for p in param:
            yield from _blocks_in(p)


@dataclass
class Program:
    """Inputs, steps, and the names of the results."""

    seed: int
    inputs: dict[str, np.ndarray]
    steps: list[Step]
    results: tuple[str, ...]
    notes: list[Any] = field(default_factory=list)

    @property
    def traits(self) -> frozenset[str]:
        return frozenset().union(*[ROWS[s.row].traits for s in every_step(self.steps)])

    @property
    def plain(self) -> bool:
        return all([ROWS[s.row].plain for s in every_step(self.steps)])

    def source(self, noisy: bool = False) -> str:
        """The function `program`, in Python."""
        lines = [f"def program({', '.join(self.inputs)}):"]
        if noisy:
            lines += [f"    {x} = noise({x}, {k})" for k, x in enumerate(self.inputs)]
        lines += render(self.steps, "    ", noisy)
        return "\n".join([*lines, f"    return {', '.join(self.results)},"]) + "\n"

    def size(self) -> int:
        return len(list(every_step(self.steps)))


def every_step(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, and those of their blocks."""
    for step in steps:
        yield step
        for block in step.blocks:
            yield from every_step(block.steps)


def render(steps: Sequence[Step], indent: str, noisy: bool = False) -> list[str]:
    """Lines of Python."""
    lines: list[str] = []
    for step in steps:
        lines += render_step(step, indent, noisy)
    return lines


def render_step(step: Step, indent: str = "", noisy: bool = False) -> list[str]:
    row = ROWS[step.row]
    lines: list[str] = []
    for block in step.blocks:
        lines += render_block(block, indent, noisy)
    words: dict[str, Any] = {k: _word(p) for k, p in step.params.items()}
    for line in row.before.strip().splitlines():
        lines.append(indent + line.format(*step.operands, **words))
    left = row.outs.format(*step.outs)
    lines.append(f"{indent}{left} = {row.source.format(*step.operands, **words)}")
    if noisy:
        lines += [f"{indent}{v} = noise({v}, {_number(v)})" for v in step.outs]
    return lines


def render_block(block: Block, indent: str = "", noisy: bool = False) -> list[str]:
    return [
        f"{indent}def {block.name}({', '.join(block.args)}):",
        *render(block.steps, indent + "    ", noisy),
        f"{indent}    return {', '.join(block.results)}",
    ]


def _word(param: Any) -> Any:
    if isinstance(param, Block):
        return param.name
    if isinstance(param, list) and param and isinstance(param[0], Block):
        return Names([Source(b.name) for b in param])
    return repr(param)


def _number(name: str) -> int:
    return int(name[1:])


def literal(x: Any, module: str = "np") -> str:
    """An array as source."""
    x = np.asarray(x)
    text = repr(x.tolist()).replace("nan", f"{module}.nan").replace("inf", f"{module}.inf")
    if x.size == 0:
        return f"{module}.zeros({x.shape}, {x.dtype.name!r})"
    return f"{module}.array({text}, {x.dtype.name!r})"


def namespace(lib: Any, noise: Any = None) -> dict[str, Any]:
    """The names that a program may use, of diffeo or of jax."""
    return {
        "dx": lib,
        "np": lib.numpy,
        "lax": lib.lax,
        "nn": lib.nn,
        "special": lib.scipy.special,
        "sla": lib.scipy.linalg,
        "numpy": numpy,
        "noise": noise,
    }


def compiled_source(source: str, names: Mapping[str, Any]) -> Any:
    """The function `program` that the source defines."""
    space = dict(names)
    exec(compile(source, "<random program>", "exec"), space)
    return space["program"]
