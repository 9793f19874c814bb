"""Runs each file of a suite in a process of its own, with limits of time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .suites import File

ROOT = Path(__file__).parent.parent.parent


def run(
    file: File,
    seconds: float,
    whole: float,
    cases: int,
    x64: bool,
    options: Sequence[str] = (),
    family: int = 0,
) -> Iterator[dict[str, Any]]:
    """Run a file, and yield the outcome of each test.

    Args:
        file: the file.
        seconds: the limit for each test.
        whole: the limit for the file; tests that did not run then are not counted.
        cases: how many cases jax's tests draw where they draw some.
        x64: whether there are arrays of 64 bits.
        options: further options for pytest.
        family: how many tests run of those that differ by their parameters alone; 0 for all.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAX_CHECKOUT": str(file.path.parent.parent),
        "JAX_ENABLE_X64": str(int(x64)),
        "JAX_NUM_GENERATED_CASES": str(cases),
    }
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        results.touch()
        command = [
            sys.executable, "-m", f"{__package__}.inside", str(file.path), str(results),
            str(seconds), str(family), file.library, *options,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=whole, capture_output=True, text=True
            )
            ended = f"the process ended with {done.returncode}" if done.returncode < 0 else ""
            tail = (done.stderr or done.stdout)[-2000:]
        except subprocess.TimeoutExpired:
            ended, tail = f"the file took more than {whole:.0f} s", ""
        yield from _outcomes(results.read_text(), file, ended, tail)


def _outcomes(text: str, file: File, ended: str, tail: str) -> Iterator[dict[str, Any]]:
    """Yield what a process wrote; a test that ended it has failed."""
    started, any_line = None, False
    for line in text.splitlines():
        values = json.loads(line)
        any_line = True
        if "started" in values:
            started = values["started"]
        else:
            started = None if values["test"] == started else started
            yield {"group": file.group, "file": file.path.name, **values}
    if ended and started is not None:
        yield {
            "group": file.group, "file": file.path.name, "test": started, "outcome": "failed",
            "cause": ended,
        }  # fmt: skip
    elif not any_line:
        why = ended or (tail.strip().splitlines() or ["no tests"])[-1]
        name = file.path.name
        yield {
            "group": file.group,
            "file": name,
            "test": name,
            "outcome": "not loaded",
            "cause": why,
        }
