"""The language: types, arrays, primitives with all their rules, programs. Start reading at `core.py`."""

if __name__ != "diffeo.primitives":
    raise ImportError(
        f"this folder was imported as '{__name__}', which would make a second copy of every class; "
        "write `import diffeo.primitives` (the link `primitives` at the repository's top is for reading)")

from . import core, operators, types  # noqa: E402  (the guard comes first)
from .array import Array as Array  # noqa: E402
from .core import Primitive as Primitive  # noqa: E402
from .jaxpr import Jaxpr as Jaxpr  # noqa: E402
from .staging import stage as stage  # noqa: E402

__all__ = ["Array", "Jaxpr", "Primitive", "core", "operators", "stage", "types"]
