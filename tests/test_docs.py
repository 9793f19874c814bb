"""The pages of docs/ and the README: their code runs, and prints what they say it prints.

The ```python blocks of a page run in order in one namespace. A ```text block right after one is
what it prints; a block with `>>>` is a doctest. Line numbers of the page are left out of the
comparison.
"""

import contextlib
import doctest
import io
import linecache
import re
from pathlib import Path

import pytest

from diffeo.primitives.support.table import ELEMENTWISE

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text):
    """(language, code, line number of its first line, printed text that follows or None)."""
    found = list(BLOCK.finditer(text))
    for block, after in zip(found, [*found[1:], None]):
        printed = None
        if after and after[1] == "text" and not text[block.end() : after.start()].strip():
            printed = after[2]
        yield block[1], block[2], text[: block.start(2)].count("\n") + 1, printed


def without_sources(text):
    text = re.sub(r" +# [\w.<>-]+:\d+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\.md:\d+", ".md", text).strip()


def run_block(code, line, page, namespace):
    """Run code as if it stood in the page, so that tracebacks and messages show its lines there."""
    padded = "\n" * (line - 1) + code
    linecache.cache[page.name] = (len(padded), None, padded.splitlines(True), page.name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(padded, page.name, "exec"), namespace)
    return printed.getvalue()


def run_doctest(code, line, page, namespace):
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, page.name, line - 1)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.write, clear_globs=False)
    namespace.update(test.globs)
    assert not runner.failures, report.getvalue()


@pytest.fixture
def table():
    """The table of elementwise primitives is as before after a page has added to it."""
    before = set(ELEMENTWISE)
    yield
    for name in set(ELEMENTWISE) - before:
        if not ELEMENTWISE[name].module.startswith("diffeo."):  # those were only loaded
            del ELEMENTWISE[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page(page, table):
    namespace = {"__name__": page.stem}
    if "diffeo.interop.jax" in page.read_text():
        pytest.importorskip("jax")
    for language, code, line, expected in blocks(page.read_text()):
        if language != "python":
            continue
        if ">>>" in code:
            run_doctest(code, line, page, namespace)
            continue
        printed = run_block(code, line, page, namespace)
        if expected is not None:
            assert without_sources(printed) == without_sources(expected), f"{page.name}:{line}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_links(page):
    for target in LINK.findall(BLOCK.sub("", page.read_text())):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_interval_arithmetic_is_short():
    text = (ROOT / "docs" / "your-own-transformation.md").read_text()
    code = next(code for language, code, _, _ in blocks(text) if language == "python")
    assert len([row for row in code.splitlines() if row.strip()]) < 60


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
