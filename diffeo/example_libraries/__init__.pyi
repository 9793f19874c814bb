# Written by `python -m tests.stubs --write` from the table in diffeo.example_libraries.
from . import optimizers as optimizers
from . import stax as stax

__all__: list[str]
