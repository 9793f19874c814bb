"""The house: which floor may import which, what stands where, and how long things may be."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from statistics import median

import pytest

import diffeo as dx

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "diffeo"
FLOORS = {
    "primitives": 1,
    "operations": 2, "programs": 2, "routines": 2,
    "lowering": 3,
    "passes": 4, "trees": 4,
    "engine": 5,
    "transforms": 6,
    "api": 7,
}  # fmt: skip
FACE = 8
#: More primitives, on top of the language.
ROOMS = ("operations", "programs", "routines")
#: The links at the repository's top.
LINKS = ("primitives", "lowering", "transforms")

#: Who between the machine and the face may speak to the machine.
TO_THE_MACHINE = (
    "diffeo.trees", "diffeo.engine", "diffeo.api.clearing", "diffeo.api.device_put",
)  # fmt: skip
#: Where jax may be imported: the converters, for users who have it.
TO_JAX = ("diffeo.interop",)
#: Where jaxlib may be imported.
TO_JAXLIB = ("diffeo.lowering",)
#: Heavy or optional packages that a function may import when it is called, with a comment that
#: says why; and the standard library's modules for error paths and the debugger.
LATE = {"scipy", "matplotlib", "jax", "gc", "IPython", "logging", "opt_einsum", "pdb",
        "difflib"}  # fmt: skip

#: Where modules are loaded by their names: the late names and methods of the face, rows that are
#: unpickled, parts of jaxlib and of its plugins.
LOADERS = {
    "diffeo._loading", "diffeo.api.derivatives.maps", "diffeo.engine.evaluation",
    "diffeo.engine.jitted", "diffeo.engine.stages",
    "diffeo.interop.serving.autograd", "diffeo.interop.serving.serve",
    "diffeo.lowering.compat", "diffeo.lowering.devices.cuda", "diffeo.numpy.methods",
    "diffeo.passes.late_rules", "diffeo.primitives.support.table",
}  # fmt: skip

#: The functions that load a module by its name.
LOADING = {"import_module", "__import__", "loaded"}

#: Tokens that are no code.
BLANK = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
         tokenize.ENDMARKER)  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))
TEXTS = [*FILES, *sorted((ROOT / "tests").glob("*.py"))]


def name_of(file: Path) -> str:
    """`diffeo.primitives.core` for its file; a package for its `__init__`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(f): f for f in FILES}


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imported(module: str, node: ast.AST) -> list[str]:
    """The full names of what an import statement of a module imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        is_package = MODULES[module].name == "__init__.py"
        parts = module.split(".")
        above = parts[: len(parts) - node.level + is_package]
        base = ".".join([*above, *([base] if base else [])])
    submodules = [f"{base}.{a.name}" for a in node.names if f"{base}.{a.name}" in MODULES]
    others = [a for a in node.names if f"{base}.{a.name}" not in MODULES]
    return submodules + ([base] if others else [])


def imported_late(module: str, node: ast.AST) -> list[str]:
    """The module that is loaded by a call with a constant name: `import_module(".explain", ...)`,
    `loaded("...")`.
    """
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return []
    name = node.args[0]
    if node.func.id not in LOADING or not isinstance(name, ast.Constant):
        return []
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    return [resolve_name(name.value, package)]


def imports_of(module: str) -> list[str]:
    """What a module imports anywhere, in functions, for type checkers only, and by name."""
    nodes = list(ast.walk(parsed(MODULES[module])))
    return [n for node in nodes for n in imported(module, node) + imported_late(module, node)]


def floor_of(module: str) -> int:
    parts = module.split(".")
    return FLOORS.get(parts[1], FACE) if len(parts) > 1 else FACE


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down(module: str):
    for name in imports_of(module):
        if top(name) == "diffeo":
            assert floor_of(name) <= floor_of(module), f"{module} imports {name}, a floor above"
            to_machine = 3 < floor_of(module) < FACE and floor_of(name) == 3
            allowed = module.startswith(TO_THE_MACHINE)
            assert allowed or not to_machine, f"{module} imports {name}: the engine may"
            for_the_face = name.startswith("diffeo.routines") and 2 < floor_of(module) < FACE
            assert not for_the_face, f"{module} imports {name}: the routines are not known there"
        elif top(name) == "jaxlib":
            assert module.startswith(TO_JAXLIB), f"{module} imports jaxlib"
        elif top(name) == "jax":
            assert module.startswith(TO_JAX), f"{module} imports jax"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_stand_at_the_top(module: str):
    text = MODULES[module].read_text().splitlines()
    for node in ast.walk(parsed(MODULES[module])):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        for inner in ast.walk(node):
            for name in imported(module, inner):
                line = inner.lineno  # type: ignore[attr-defined]
                where = f"{MODULES[module].name}:{line}"
                assert top(name) in LATE, f"{where}: import {name} inside a function"
                near = text[max(0, line - 4) : line]
                assert any(["#" in t for t in near]), f"{where}: say why {name} is imported late"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_few_modules_load_others_by_name(module: str):
    names = {n.id for n in ast.walk(parsed(MODULES[module])) if isinstance(n, ast.Name)}
    assert module in LOADERS or not names & {"import_module", "__import__"}
    hooks = {n.name for n in parsed(MODULES[module]).body if isinstance(n, ast.FunctionDef)}
    assert "__getattr__" not in hooks, "names load late by a table: see diffeo/_loading.py"


def test_no_circles():
    edges = {m: [n for n in imports_of(m) if n in MODULES and n != m] for m in MODULES}
    try:
        tuple(TopologicalSorter(edges).static_order())
    except CycleError as error:
        pytest.fail("imports in a circle: " + " <- ".join(error.args[1]))


def test_no_name_twice_below_the_face():
    """Who looks for `Prepared`, or for `call.py`, finds one."""
    files: dict[str, list[str]] = {}
    classes: dict[str, list[str]] = {}
    for module, file in MODULES.items():
        if floor_of(module) == FACE or file.name == "__init__.py":
            continue
        files.setdefault(file.name, []).append(module)
        for node in parsed(file).body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(module)
    twice = {n: where for n, where in {**files, **classes}.items() if len(where) > 1}
    assert not twice, twice


@pytest.mark.parametrize("folder", sorted({f.parent for f in FILES} - {PACKAGE}), ids=str)
def test_folders_are_small_and_explained(folder: Path):
    rooms = [f for f in folder.glob("*.py") if f.name != "__init__.py"]
    assert len(rooms) <= 18, f"{len(rooms)} files: make rooms of their own for some"
    assert (folder / "README.md").exists(), "say what the folder is for, its words, where to start"


@pytest.mark.parametrize("file", TEXTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_sizes(file: Path):
    lines = file.read_text().splitlines()
    assert len(lines) <= 500, f"{len(lines)} lines: make two rooms of it"
    long = [f"{file.name}:{i}: {len(t)} columns" for i, t in enumerate(lines, 1) if len(t) > 100]
    assert not long, "\n".join(long)
    for node in ast.walk(parsed(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1 - documentation(node)
            assert length <= 60, f"{file.name}:{node.lineno}: {node.name} has {length} lines"


def code_lines(file: Path) -> set[int]:
    """The lines of a file that are neither empty, nor comments, nor documentation."""
    written: set[int] = set()
    with tokenize.open(file) as text:
        for token in tokenize.generate_tokens(text.readline):
            if token.type not in BLANK:
                written.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parsed(file)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and documentation(node):
            written -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))  # type: ignore
    return written


def test_the_language_is_small():
    files = sorted((PACKAGE / "primitives").rglob("*.py"))
    assert sum([len(code_lines(f)) for f in files]) < 5250
    pages = []
    for file in [*files, *[f for room in ROOMS for f in sorted((PACKAGE / room).rglob("*.py"))]]:
        lines = code_lines(file)
        for node in parsed(file).body:
            if isinstance(node, ast.ClassDef):
                pages.append(len(lines & set(range(node.lineno, node.end_lineno + 1))))
    assert median(pages) < 40


def documentation(node: ast.AST) -> int:
    """The lines of a docstring, which do not count."""
    first = node.body[0]  # type: ignore[attr-defined]
    has = ast.get_docstring(node) is not None  # type: ignore[arg-type]
    return first.end_lineno - first.lineno + 1 if has else 0


@pytest.mark.parametrize("link", LINKS)
def test_links_refuse_to_be_imported(link: str):
    """A second copy of every class would be worse than an error."""
    run = [sys.executable, "-c", f"import {link}"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode
    assert f"import diffeo.{link}" in done.stderr.splitlines()[-1]


def test_links_show_the_three_parts():
    for link in LINKS:
        assert (ROOT / link).resolve() == PACKAGE / link


# --------------------------------------------------------------------------------------------------
# Documentation of public names


def namespaces() -> Iterator[tuple[str, object]]:
    """`dx`, and the public modules under it that are the face (not the three inner floors)."""
    yield "diffeo", dx
    for info in pkgutil.iter_modules(dx.__path__):
        if info.name not in FLOORS and not info.name.startswith("_"):
            yield f"diffeo.{info.name}", importlib.import_module(f"diffeo.{info.name}")


NAMESPACES = dict(namespaces())


@pytest.mark.parametrize("name", sorted(NAMESPACES))
def test_public_names_are_documented(name: str):
    space = NAMESPACES[name]
    assert space.__doc__, f"{name} has no docstring"
    for public in getattr(space, "__all__", [n for n in dir(space) if not n.startswith("_")]):
        member = getattr(space, public)
        if not getattr(member, "__module__", "diffeo").startswith("diffeo"):
            continue
        if inspect.isroutine(member) or inspect.isclass(member) or inspect.ismodule(member):
            assert (member.__doc__ or "").strip(), f"{name}.{public} has no docstring"
