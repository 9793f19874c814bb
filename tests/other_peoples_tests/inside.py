"""What runs in a process of its own: pytest on one file, with modules of jax or autograd that are
diffeo's.

python -m tests.other_peoples_tests.inside file results seconds family library
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diffeo.interop import as_autograd, as_jax

from .internals import finder
from .recorder import Recorder


def main(path: str, results: str, seconds: str, family: str, library: str, *options: str) -> int:
    """Run the tests of a file; what `library` may be, `File` says."""
    if library == "autograd":
        as_autograd()  # whose conftest.py is a part of the tests: it seeds generators
    else:
        as_jax()
        options = ("--noconftest", *options)
    if library == "jax and internals":
        finder.install()
    sys.argv = [path]
    sys.path.insert(0, str(Path(path).parent))
    arguments = [
        path, "-q", "-c", "/dev/null", "-p", "no:cacheprovider", "-W", "ignore",
        "--import-mode=importlib", "--continue-on-collection-errors", "--tb=no", "--no-header",
        f"--rootdir={Path(path).parent}",
    ]  # fmt: skip
    plugins: list = [Recorder(results, float(seconds), int(family)), finder.WhileLoading()]
    return int(pytest.main([*arguments, *options], plugins))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
