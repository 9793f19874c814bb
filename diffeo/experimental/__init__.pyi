# Written by `python -m tests.stubs --write` from the table in diffeo.experimental.
from . import checkify as checkify
from . import jet as jet
from . import ode as ode
from . import sparse as sparse
from ..api.pure_callback import io_callback as io_callback

__all__: list[str]
