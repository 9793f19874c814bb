"""Every documented public name of jax's is one of diffeo's, or stands in the table of exceptions.

`python -m tests.test_jax_coverage --write` writes the page of both, docs/jax-coverage.md.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest

from diffeo.interop import exceptions
from tests import jax_names_table as table
from tests.jax_names_table import MISSING, Name

jax = pytest.importorskip("jax")

DOCUMENT = Path(__file__).parent.parent / "docs" / "jax-coverage.md"

#: The version of jax whose names the page has.
VERSION = "0.10.2"

HEADER = f"""# jax's names

Which of the documented public names of jax {VERSION} diffeo has, and why not the others. This page
is written by `python -m tests.test_jax_coverage --write`, and a test says when it is out of date;
the reasons are those of `diffeo/interop/exceptions.py`.

"""


@cache
def names() -> tuple[Name, ...]:
    return tuple(table.names())


def by_module() -> dict[str, list[Name]]:
    modules: dict[str, list[Name]] = {module: [] for module in table.modules()}
    for name in names():
        modules[name.module].append(name)
    return modules


@pytest.mark.parametrize("module", list(table.modules()))
def test_every_name_is_here_or_has_a_reason(module: str):
    missing = [n.name for n in by_module()[module] if n.ours is MISSING]
    missing = [n for n in missing if exceptions.reason(f"{module}.{n}") is None]
    assert not missing, f"{module}: {missing} are neither in diffeo nor in interop/exceptions.py"


def test_no_exception_is_stale():
    """What diffeo has leaves the table."""
    there = [n.full for n in names() if n.ours is not MISSING]
    stale = {n: e for n in there if (e := exceptions.entry_of(n)) is not None}
    plain = [e for e in exceptions.EXCEPTIONS if "*" not in e and "(" not in e]
    stale |= {e: e for e in plain if table.ours(e) is not MISSING}
    assert not stale, f"diffeo has these names, but interop/exceptions.py says not: {stale}"


def test_exceptions_have_names_and_reasons():
    for entry, why in exceptions.EXCEPTIONS.items():
        assert entry.startswith("jax."), entry
        assert why and not why.endswith("."), f"{entry}: a short clause without a full stop"


@pytest.mark.parametrize(("package", "name"), [("", "shard_mapp"), (".lax", "add_p")])
def test_a_missing_name_says_why(package: str, name: str):
    space = table.ours(f"jax{package}")
    with pytest.raises(AttributeError) as caught:
        getattr(space, name)
    reason = exceptions.reason(f"jax{package}.{name}")
    assert (reason or "no attribute") in str(caught.value)
    assert caught.value.name == name


def document() -> str:
    """The text of docs/jax-coverage.md."""
    parts, lines = [], ["| module | names | here | not here |", "| :--- | ---: | ---: | ---: |"]
    total = here = 0
    for module, members in by_module().items():
        there = [n.name for n in members if n.ours is not MISSING]
        missing = [n.name for n in members if n.ours is MISSING]
        total, here = total + len(members), here + len(there)
        lines.append(f"| `{module}` | {len(members)} | {len(there)} | {len(missing)} |")
        parts.append(f"\n## `{module}`\n")
        if there:
            parts.append(f"\nHere: {', '.join([f'`{n}`' for n in there])}.\n")
        parts += reasons(module, missing)
    lines.append(f"| all | {total} | {here} | {total - here} |")
    return HEADER + "\n".join(lines) + "\n" + "".join(parts) + modules_not_here()


def reasons(module: str, missing: list[str]) -> list[str]:
    """The paragraphs about the names of a module that are missing, one for each reason."""
    because: dict[str, list[str]] = {}
    for name in missing:
        because.setdefault(exceptions.reason(f"{module}.{name}") or "no reason", []).append(name)
    return [
        f"\nNot here, since {why}: {', '.join([f'`{n}`' for n in several])}.\n"
        for why, several in because.items()
    ]


def modules_not_here() -> str:
    """The section about modules that are missing as a whole, and about parameters."""
    counted = {n.full for n in names()}
    whole = [(e, w) for e, w in exceptions.EXCEPTIONS.items() if "*" not in e and e not in counted]
    modules = [f"- `{e}`: {why}.\n" for e, why in whole if "(" not in e]
    parameters = [f"- `{e}`: {why}.\n" for e, why in whole if "(" in e]
    text = "\n## Other names and modules\n\n" + "".join(modules)
    return text + ("\n## Parameters\n\n" + "".join(parameters) if parameters else "")


def test_documentation_is_up_to_date():
    if jax.__version__ != VERSION:
        pytest.skip(f"the page is about jax {VERSION}, not {jax.__version__}")
    written = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    assert written == document(), "run `python -m tests.test_jax_coverage --write`"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"] or jax.__version__ != VERSION:
        sys.exit(f"usage, with jax {VERSION}: python -m tests.test_jax_coverage --write")
    DOCUMENT.write_text(document())
