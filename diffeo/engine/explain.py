"""What jit has done and why: the signatures of a function, what each cost, and what differed."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..lowering import compiler
from ..lowering.autotune import Measurement
from ..lowering.caches import cache_folder
from ..lowering.caches.disk_cache import DiskCacheInfo
from ..primitives.config import PROGRAM_SETTINGS
from ..primitives.core import describe
from ..trees import tree
from ..trees.arguments import argument_or_keyword, other_positions
from .stages import Traced, instances


@dataclass(frozen=True)
class Signature:
    """One signature of a jitted function.

    Attributes:
        arguments: the types of the arguments' leaves, and the values of static ones, by name.
        why: what differed from the nearest earlier signature.
        made_at: when it was traced, in seconds since the epoch.
        equations: of the traced program.
        trace_seconds, lower_seconds, compile_seconds: how long each took; None: not done yet.
        origin: where the executable came from: "compiled", "memory" (the same program had been
            compiled before), "disk" or "tuned"; "" if there is none yet.
        calls: how many calls were served by it, with the first.
        tuning: what autotuning measured, a `Measurement` for each variant.
    """

    arguments: tuple[tuple[str, str], ...]
    why: str
    made_at: float
    equations: int
    trace_seconds: float
    lower_seconds: float | None
    compile_seconds: float | None
    origin: str
    calls: int
    tuning: tuple[Measurement, ...] = ()


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a jitted function has traced and compiled. Printed, it is a table.

    Attributes:
        name: of the function.
        signatures: in the order in which they were traced.
    """

    name: str
    signatures: tuple[Signature, ...]

    @property
    def hits(self) -> int:
        """The number of calls that found their signature."""
        return sum([max(s.calls - 1, 0) for s in self.signatures])

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table: a row for each signature."""
        return [
            (
                str(i),
                time.strftime("%H:%M:%S", time.localtime(s.made_at)),
                _milliseconds(s.trace_seconds),
                _milliseconds(s.lower_seconds),
                _milliseconds(s.compile_seconds),
                s.origin or "-",
                str(s.equations),
                str(s.calls),
                ", ".join([f"{where}: {what}" for where, what in s.arguments]) or "no arguments",
                s.why,
            )
            for i, s in enumerate(self.signatures, 1)
        ]

    def __repr__(self) -> str:
        count = len(self.signatures)
        head = f"jit of {self.name}: {count} signature{'' if count == 1 else 's'}"
        if not count:
            return head + ", it was not called yet"
        lines = [f"{head}, {self.hits} calls found theirs"]
        for row, s in zip(self.rows(), self.signatures):
            arguments, why = row[-2:]
            lines.append(f"  {row[0]}. {arguments}")
            lines.append(f"     {why}")
            lines.append(
                f"     {row[1]}: traced {row[2]} ms ({row[6]} equations), lowered {row[3]} ms, "
                f"compiled {row[4]} ms ({row[5]}), calls: {s.calls}"
            )
            if s.tuning:
                times = [
                    f"{m.variant} {1e3 * m.run_seconds:.3g} ms{' (kept)' if m.chosen else ''}"
                    for m in s.tuning
                ]
                lines.append(f"     tuned: {', '.join(times)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = ("", "at", "trace ms", "lower ms", "compile ms", "from", "equations", "calls",
                "arguments", "why")  # fmt: skip
        table = _html_table(head, self.rows())
        return f"<div><b>jit of {html.escape(self.name)}</b>{table}</div>"


@dataclass(frozen=True, repr=False)
class Overview:
    """What all jitted functions have done, and the caches of programs. Printed, it is a table.

    Attributes:
        functions: an `Explanation` for each function that is alive and was called.
        programs: of the cache of programs in this process: hits, misses, size.
        disk: of the cache on disk; None if it is off.
    """

    functions: tuple[Explanation, ...]
    programs: compiler.CacheInfo
    disk: DiskCacheInfo | None

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table: a row for each function."""
        return [
            (
                f.name,
                str(len(f.signatures)),
                str(f.hits),
                _milliseconds(sum([s.trace_seconds for s in f.signatures])),
                _milliseconds(sum([s.lower_seconds or 0.0 for s in f.signatures])),
                _milliseconds(sum([s.compile_seconds or 0.0 for s in f.signatures])),
                f.signatures[-1].why,
            )
            for f in self.functions
        ]

    def _caches(self) -> str:
        p = self.programs
        memory = f"programs in memory: {p.size}, found {p.hits} times, missed {p.misses}"
        if self.disk is None:
            return f"{memory}; on disk: off"
        d = self.disk
        return f"{memory}; on disk: {d.entries}, found {d.hits}, missed {d.misses}, new {d.stored}"

    def __repr__(self) -> str:
        head = ("function", "signatures", "hits", "trace ms", "lower ms", "compile ms", "last")
        rows = [head, *self.rows()]
        widths = [max(len(r[i]) for r in rows) for i in range(len(head) - 1)]
        lines = [
            "  ".join(
                [
                    r[0].ljust(widths[0]),
                    *[c.rjust(w) for c, w in zip(r[1:-1], widths[1:])],
                    r[-1],
                ]
            )
            for r in rows
        ]
        return "\n".join([*lines, self._caches()])

    def _repr_html_(self) -> str:
        head = ("function", "signatures", "hits", "trace ms", "lower ms", "compile ms", "last")
        return f"<div>{_html_table(head, self.rows())}{html.escape(self._caches())}</div>"


def explained(name: str, traces: Sequence[Traced]) -> Explanation:
    """Explain one function by what it traced, the oldest first."""
    signatures = [_signature(traced, traces[:i]) for i, traced in enumerate(traces)]
    return Explanation(name, tuple(signatures))


def explain() -> Overview:
    """Report what all jitted functions have traced and compiled, why, and how long it took; with
    the caches of programs.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.jit(lambda x: x + 1)
        >>> f(1.0)
        Array(2.)
        >>> dx.explain().functions[-1].signatures[0].calls
        1
    """
    called = sorted([f for f in list(instances) if f.cache], key=lambda f: f.number)
    disk = cache_folder.current()
    functions = tuple([explained(f.name, list(f.cache.values())) for f in called])
    return Overview(functions, compiler.cache_info(), disk and disk.info())


def log(name: str, traces: Sequence[Traced], traced: Traced) -> None:
    """Write to the log that one of a function's traces was compiled, why, and how long it took."""
    s = _signature(traced, [t for t in traces if t is not traced])
    logging.getLogger("diffeo").warning(
        "jit of %s for (%s): traced %s ms, lowered %s ms, compiled %s ms (%s); %s",
        name,
        ", ".join([f"{where}: {what}" for where, what in s.arguments]),
        _milliseconds(s.trace_seconds),
        _milliseconds(s.lower_seconds),
        _milliseconds(s.compile_seconds),
        s.origin,
        s.why,
    )


def _signature(traced: Traced, earlier: Sequence[Traced]) -> Signature:
    compiled = next(iter(list(traced.programs.values())), None)
    return Signature(
        tuple(_arguments(traced)),
        _why(traced, earlier),
        traced.made_at,
        len(traced.jaxpr.eqns),
        traced.seconds,
        compiled and compiled.lowered.seconds,
        compiled and compiled.seconds,
        compiled.origin if compiled else "",
        traced.calls[0],
        compiled.program.executable.tuning if compiled else (),
    )


def _arguments(traced: Traced) -> list[tuple[str, str]]:
    """Return the leaves' types and the static values, by name."""
    full = tree.unflatten(traced.in_tree, range(traced.in_tree.num_leaves))
    numbers = other_positions(len(full[0]), [where for where, _, _ in traced.static])
    avals = traced.jaxpr.in_avals
    dynamic = [
        (argument_or_keyword(full, i, numbers), f"{a}{'~' if a.weak_type else ''}")
        for i, a in enumerate(avals)
    ]
    return dynamic + [
        (f"static argument {where}", describe(value)) for where, value, _ in traced.static
    ]


def _why(traced: Traced, earlier: Sequence[Traced]) -> str:
    """Say what differs from the earlier signature that differs least."""
    if not earlier:
        return "first call"
    differences = [_differences(traced, e) for e in earlier]
    # Among equals, the latest.
    least = min(range(len(differences)), key=lambda i: (len(differences[i]), -i))
    shortest = differences[least]
    shown = "; ".join(shortest[:3]) + (
        f"; and {len(shortest) - 3} more" if len(shortest) > 3 else ""
    )
    return f"unlike signature {least + 1}: {shown}"


def _differences(now: Traced, before: Traced) -> list[str]:
    differences = [
        f"setting {name}: {a!r} became {b!r}"
        for name, a, b in zip(PROGRAM_SETTINGS, before.settings, now.settings)
        if a != b
    ]
    mine, theirs = dict(_arguments(now)), dict(_arguments(before))
    if now.in_tree != before.in_tree:
        difference = tree.first_difference(before.in_tree, now.in_tree, names=("that", "this"))
        differences.append(f"another structure of arguments: {difference}")
    differences += [
        f"{where}: {theirs[where]} became {what}"
        for where, what in mine.items()
        if where in theirs and theirs[where] != what
    ]
    differences += [
        f"{where}: {what} is given" if where in mine else f"{where}: {what} is not given"
        for where, what in {**theirs, **mine}.items()
        if where.startswith("static") and (where in mine) != (where in theirs)
    ]
    static = {where: value for where, value, _ in before.static}
    differences += [
        f"static argument {where}: not equal, though it prints as before ({describe(value)})"
        for where, value, _ in now.static
        if where in static and describe(static[where]) == describe(value) and static[where] != value
    ]
    return differences or ["the named axes around the call"]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.1f}"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join([f"<th style='text-align:left'>{html.escape(c)}</th>" for c in head])
    lines = [
        "<tr>"
        + "".join([f"<td style='text-align:left'>{html.escape(c)}</td>" for c in r])
        + "</tr>"
        for r in rows
    ]
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"
