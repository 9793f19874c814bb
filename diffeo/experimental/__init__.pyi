# Written by `python -m tests.stubs --write` from the table in diffeo.experimental.
from . import jet as jet

__all__: list[str]
