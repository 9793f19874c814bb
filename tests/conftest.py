"""What holds for all tests: every staged program is type-checked; hypothesis repeats itself."""

import itertools
import os
import sys
from pathlib import Path

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
