"""Every primitive has every rule and a sample, or is listed here with the reason why not.

`python -m tests.test_coverage --write` writes the table of all primitives, docs/primitives.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffeo.operations import callbacks, collectives, cumulative, identity
from diffeo.primitives import Primitive, families
from diffeo.primitives.core import snake_case
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.words import elementwise, indexing, reduction
from diffeo.routines.matrices import determinant
from diffeo.routines.special.special import NamedFormula
from diffeo.routines.windows import windows
from tests.samples import SAMPLES
from tests.samples_collectives import NAMED

DOCUMENT = Path(__file__).parent.parent / "docs" / "primitives.md"

#: (primitive, rule): why there is none.
WITHOUT = {
    ("full", "batch"): "it has no operands",
    ("full", "jvp"): "it has no operands",
    ("iota", "batch"): "it has no operands",
    ("platform_index", "batch"): "it has no operands",
}

HEADER = """# Primitives

The whole language of programs, and how each word of it answers the interpreters. This page is
written by `python -m tests.test_coverage --write`, and a test says when it is out of date.

- **evaluated** by NumPy (eager mode), or compiled (operations on programs);
- *across*: only under `vmap(axis_name=...)`, by a rule for the axis that has the name; elsewhere
  evaluation and lowering are a NameError;
- **lowered** to StableHLO directly, or by what it decomposes into;
- **jvp**: *derivative*, a formula for each operand; *linear*, the primitive itself acts on the
  tangents; *bilinear*, the product rule; *zero*, the function is constant almost everywhere;
  *lifted*, its program is transformed; *refused*, an error says what to do, unless the results
  are integers;
- **transposed**: only linear and bilinear maps can be, and need to be, for reverse mode;
- **batched** by vmap;
- **Taylor** series: coefficient by coefficient, by Cauchy's product, by a recurrence of its own, or
  *derived* from the jvp rule.

Every word of this table is tested, from the lines of `tests/samples.py`.

| primitive | what it does | evaluated | lowered | jvp | transposed | batched | Taylor |
|---|---|---|---|---|---|---|---|
"""


def subclasses(kind: type) -> Iterator[type]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def defines(kind: type, rule: str) -> bool:
    """Whether a class has a rule other than the one that reports its absence."""
    where = next(c for c in kind.__mro__ if rule in c.__dict__)
    return where not in (Primitive, families.HigherOrder)


FAMILIES = (
    reduction.Reduction,
    collectives.ReduceAcross,
    collectives.Exchange,
    indexing.ScatterFamily,
    cumulative.Cumulative,
    windows.WindowReduction,
    determinant.Given,
    callbacks.Callback,
    NamedFormula,
)


def has_names(kind: type) -> bool:
    """Whether it is a collective with a rule for its named axis."""
    base = collectives.Collective
    return issubclass(kind, base) and kind.across is not base.across


def is_family(kind: type) -> bool:
    """Families state facts for others and cannot be evaluated themselves."""
    evaluates = defines(kind, "impl") or compiled(kind) or has_names(kind)
    return not defines(kind, "abstract_eval") or not evaluates or kind in FAMILIES


def compiled(kind: type) -> bool:
    return issubclass(kind, families.HigherOrder)


#: Floors whose classes stand for primitives of others.
OTHERS = ("interop", "extend")


def primitives() -> dict[str, Any]:
    """All primitives of the library: rows of the elementwise table, and classes, by name."""
    found: dict[str, Any] = dict(ELEMENTWISE)
    for kind in subclasses(Primitive):
        # Those of the converters stand for other libraries' primitives, and are loaded with them.
        own = kind.__module__.startswith("diffeo.") and kind.__module__.split(".")[1] not in OTHERS
        if own and not is_family(kind) and not issubclass(kind, elementwise.Elementwise):
            found[snake_case(kind.__name__)] = kind
    return found


PRIMITIVES = primitives()


def class_of(primitive: Any) -> type:
    return primitive if isinstance(primitive, type) else type(primitive)


def jvp_of(primitive: Any) -> str:
    """In a word, what the jvp rule is."""
    kind = class_of(primitive)
    if compiled(kind):
        return "lifted" if defines(kind, "interpret") else ""
    if issubclass(kind, callbacks.Callback):
        return "zero" if kind is callbacks.DebugCallback else "refused"
    if issubclass(kind, families.Discrete) or issubclass(kind, identity.StopGradient):
        return "zero"
    if kind.linear_part is not None:
        return "linear"
    if kind.bilinear:
        return "bilinear"
    if isinstance(primitive, elementwise.Elementwise) and not primitive.derivatives:
        return "derivative" if defines_own_jvp(kind) else "zero"
    return "derivative" if defines(kind, "jvp") else ""


def defines_own_jvp(kind: type) -> bool:
    return kind.jvp is not elementwise.Elementwise.jvp  # type: ignore[attr-defined]


def taylor_of(primitive: Any) -> str:
    kind, jvp = class_of(primitive), jvp_of(primitive)
    if issubclass(kind, (families.Discrete, identity.StopGradient)):
        return "–"  # the result is a constant
    of_row = getattr(kind, "taylor", None) is elementwise.Elementwise.taylor
    if primitive.series if of_row else defines(kind, "taylor"):
        return "recurrence"
    words = {
        "linear": "coefficients",
        "bilinear": "Cauchy",
        "zero": "–",
        "lifted": "lifted",
        "refused": "refused",
    }
    return words.get(jvp, "derived")


def rules_of(primitive: Any) -> dict[str, str]:
    """In a word, how the primitive answers each question; empty where it does not."""
    kind, jvp = class_of(primitive), jvp_of(primitive)
    row = isinstance(primitive, elementwise.Elementwise)
    transposes = defines(kind, "transpose_with" if compiled(kind) else "transpose")
    if not transposes and jvp == "bilinear":
        transposes = defines(kind, "transpose_lhs") and defines(kind, "transpose_rhs")
    must = jvp in ("linear", "bilinear", "lifted")
    batch = "interpret" if compiled(kind) else "batch"
    decomposes = "decomposed" if defines(kind, "decompose") else ""
    numpy = "NumPy" if row or defines(kind, "impl") else ""
    across = "across" if has_names(kind) else ""
    return {
        "abstract_eval": "yes" if defines(kind, "abstract_eval") else "",
        "impl": "compiled" if compiled(kind) else numpy or across,
        "lower": "yes" if defines(kind, "lower") else decomposes or across,
        "jvp": jvp,
        "transpose": "yes" if transposes else "" if must else "–",
        "batch": "yes" if defines(kind, batch) else "",
        "taylor": taylor_of(primitive),
    }


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_rule_is_there(name: str):
    for rule, answer in rules_of(PRIMITIVES[name]).items():
        listed = (name, rule) in WITHOUT
        assert answer or listed, f"{name} has no rule {rule}: define it, or list the reason"
        assert not (answer and listed), f"{name} has the rule {rule} now: take it off the list"


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_primitive_has_a_sample(name: str):
    assert counts().get(name), f"{name} has no line in tests/samples.py, so no law is tested"


def counts() -> dict[str, int]:
    """The number of samples of each primitive."""
    found: dict[str, int] = {}
    for s in [*SAMPLES, *NAMED]:
        rows = ELEMENTWISE.get(s.primitive.name) is s.primitive
        name = s.primitive.name if rows else snake_case(type(s.primitive).__name__)
        found[name] = found.get(name, 0) + 1
    return found


def about(primitive: Any) -> str:
    """The first sentence of a class's documentation; for a row of the table, its function."""
    if isinstance(primitive, elementwise.Elementwise):
        function = primitive.impl
        name = getattr(function, "__name__", "call")
        numpy_own = getattr(np, name, None) is function
        return ("NumPy's `" + name if numpy_own else "`" + primitive.name) + "` of each element"
    text = " ".join((primitive.__doc__ or "").split())
    return re.split(r"(?<!\.)[.;:](?:\s|$)", text)[0].replace("|", "\\|")


def document() -> str:
    """The text of docs/primitives.md."""
    lines = []
    for name, primitive in sorted(PRIMITIVES.items()):
        rules = rules_of(primitive)
        words = [rules[r] or "–" for r in ("impl", "lower", "jvp", "transpose", "batch", "taylor")]
        lines.append(f"| `{name}` | {about(primitive)} | {' | '.join(words)} |")
    reasons = [f"- `{name}` has no `{rule}`: {why}." for (name, rule), why in WITHOUT.items()]
    return HEADER + "\n".join([*lines, "\nWhere a rule is missing:\n", *reasons]) + "\n"


def test_the_tables_are_filled_once():
    """No file of samples is imported by two names, as pytest does that looks for doctests."""
    tables = set(Path(__file__).parent.glob("samples*.py"))
    files = [Path(getattr(m, "__file__", None) or "") for m in set(sys.modules.values())]
    assert sorted([f for f in files if f in tables]) == sorted(tables)


def test_documentation_is_up_to_date():
    written = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    assert written == document(), "run `python -m tests.test_coverage --write`"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.test_coverage --write")
    DOCUMENT.write_text(document())
