"""The command lines of `python -m diffeo.as_jax` and of `as_autograd`: as Python's own."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .serve import as_jax

USAGE = """usage: python -m diffeo.as_jax script.py [arguments]
       python -m diffeo.as_jax -m module [arguments]
       python -m diffeo.as_jax -c code [arguments]

Runs a program in which modules named jax are diffeo's, with jax's defaults (32 bits, unless the
program or the environment, JAX_ENABLE_X64=1, say otherwise).
"""


def main(arguments: list[str], serve: Callable[[], Any] = as_jax, usage: str = USAGE) -> int:
    """Run what the arguments say, as Python would, and return the exit code.

    Args:
        arguments: those of the command line.
        serve: what makes modules of another library diffeo's, called before the program.
        usage: what `--help` prints.
    """
    how, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if how in ("-h", "--help"):
        print(usage, end="")
        return 0
    if (
        not how
        or (how in ("-m", "-c") and not rest)
        or (how[:1] == "-" and how not in ("-m", "-c"))
    ):
        problem = f"unknown option {how}" if how[:1] == "-" and how not in ("-m", "-c") else ""
        print(f"{problem}\n{usage}".lstrip(), file=sys.stderr, end="")
        return 2
    if how[:1] != "-" and not Path(how).exists():
        print(f"python -m diffeo.{serve.__name__}: there is no file {how!r}", file=sys.stderr)
        return 2
    serve()
    if how == "-m":
        sys.argv = rest
        sys.path.insert(0, "")
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif how == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        main_module = sys.modules["__main__"]
        exec(compile(rest[0], "<string>", "exec"), vars(main_module))
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(how).resolve().parent))
        runpy.run_path(how, run_name="__main__")
    return 0
