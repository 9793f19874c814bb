"""What type checkers and editors see of the packages whose names load late: a stub beside each.

`python -m tests.stubs --write` writes them; a test compares.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "diffeo", "diffeo.example_libraries", "diffeo.experimental", "diffeo.experimental.sparse",
    "diffeo.lax", "diffeo.nn", "diffeo.numpy", "diffeo.random", "diffeo.scipy",
)  # fmt: skip


def path_of(name: str) -> Path:
    """The stub of a package."""
    return Path(str(importlib.import_module(name).__file__)).with_suffix(".pyi")


def stub_of(name: str) -> str:
    """The text of a package's stub: what it imports at once, and its late names."""
    package = importlib.import_module(name)
    module = ast.parse(path_of(name).with_suffix(".py").read_text())
    imports = {f"from {home} import {n} as {alias}" for n, alias, home in imported_at_once(module)}
    imports |= {f"from {home} import {n} as {n}" for n, home in package._late.home.items()}
    constants = {"__version__": "str", "newaxis": "None"}
    lines = [
        f"# Written by `python -m tests.stubs --write` from the table in {name}.",
        *sorted(imports),
        "",
        *[f"{n}: {kind}" for n, kind in constants.items() if n in vars(package)],
        "__all__: list[str]",
    ]
    return "\n".join(lines) + "\n"


def imported_at_once(module: ast.Module) -> Iterator[tuple[str, str, str]]:
    """The public names that a package imports: (name there, name here, where from)."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                here = alias.asname or alias.name
                if not here.startswith("_"):
                    yield alias.name, here, "." * node.level + (node.module or "")


if __name__ == "__main__":
    for package in PACKAGES:
        if "--write" in sys.argv:
            path_of(package).write_text(stub_of(package))
        else:
            print(stub_of(package))
