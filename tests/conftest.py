"""What holds for all tests: every staged program is type-checked; hypothesis repeats itself."""

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

import diffeo as dx
from diffeo.primitives import jaxpr
from diffeo.primitives.config import config

settings.register_profile("diffeo", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("diffeo")

#: Tables make their rows as they are imported. Looking for doctests, pytest would import them
#: again, by other names: every law would then be tried twice on each line.
collect_ignore = [
    file.name
    for file in Path(__file__).parent.glob("*.py")
    if not file.name.startswith(("test_", "several_devices"))
]
collect_ignore_glob = ["random_programs/*", "other_peoples_tests/*"]
#: Need three processor devices, which a process has from its start: `test_devices.py` runs them.
if os.environ.get("DIFFEO_NUM_CPU_DEVICES") != "3":
    collect_ignore += ["several_devices.py", "several_devices_jit.py"]


#: How many times fewer of the cases of `sampled` tests run; more than 1 on the second Python.
FEWER = int(os.environ.get("DIFFEO_TEST_FEWER", "1"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Make all but one in n of the cases of a test marked `sampled(n)` exhaustive.

    Where samples are tried, the first of each primitive stays, too, unless the mark says
    `of_each_primitive=False`. Which others stay is a matter of their names alone, so that a new
    case does not exchange them.
    """
    kept = set()
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is None or not isinstance(item, pytest.Function):
            continue
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        sample = parameters.get("sample") if mark.kwargs.get("of_each_primitive", True) else None
        kind = item.originalname, sample and sample.primitive
        if sample is not None and kind not in kept:
            kept.add(kind)
        elif crc32(item.nodeid.encode()) % (mark.args[0] * FEWER):
            item.add_marker(pytest.mark.exhaustive)


#: Tests that a process has run.
count = itertools.count(1)


def pytest_runtest_teardown() -> None:
    """Now and then, forget the programs: two processes that keep what 15 000 tests each compiled,
    and what jax did, need more memory than small machines have.
    """
    if next(count) % 1000 == 0:
        dx.clear_caches()
        if "jax" in sys.modules:
            sys.modules["jax"].clear_caches()


@pytest.fixture(scope="module")
def jax():
    """jax as an oracle, with 64 bits; tests that want it are skipped where it is not installed."""
    found = pytest.importorskip("jax")
    before = found.config.jax_enable_x64
    found.config.update("jax_enable_x64", True)
    yield found
    found.config.update("jax_enable_x64", before)


@pytest.fixture(autouse=True, scope="session")
def check_every_program():
    """`check_jaxpr` runs after every staging, linearization and split of a program."""
    jaxpr.after_making = jaxpr.check_jaxpr
    yield
    jaxpr.after_making = None


@pytest.fixture(autouse=True)
def default_bits():
    """With DIFFEO_TEST_BITS=32, tests run as under `dx.config.defaults(32)`."""
    with config.defaults(int(os.environ.get("DIFFEO_TEST_BITS", "64"))):
        yield
