"""What holds for all tests: every staged program is type-checked; hypothesis repeats itself."""

import pytest
from hypothesis import settings

from diffeo.primitives import jaxpr, staging

settings.register_profile("diffeo", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("diffeo")


@pytest.fixture(autouse=True, scope="session")
def check_every_program():
    """`check_jaxpr` runs after every staging, linearization and split of a program."""
    staging.after_staging = jaxpr.check_jaxpr
    yield
    staging.after_staging = None
