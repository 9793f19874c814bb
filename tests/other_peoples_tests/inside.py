"""What runs in a process of its own: pytest on one file, with modules named jax that are diffeo's.

python -m tests.other_peoples_tests.inside file results seconds family internals
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diffeo.interop import as_jax

from .internals import finder
from .recorder import Recorder


def main(path: str, results: str, seconds: str, family: str, internals: str, *options: str) -> int:
    """Run the tests of a file."""
    as_jax()
    if internals == "1":
        finder.install()
    sys.argv = [path]
    sys.path.insert(0, str(Path(path).parent))
    arguments = [
        path, "-q", "--noconftest", "-c", "/dev/null", "-p", "no:cacheprovider", "-W", "ignore",
        "--import-mode=importlib", "--continue-on-collection-errors", "--tb=no", "--no-header",
        f"--rootdir={Path(path).parent}",
    ]  # fmt: skip
    plugins: list = [Recorder(results, float(seconds), int(family)), finder.WhileLoading()]
    return int(pytest.main([*arguments, *options], plugins))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
