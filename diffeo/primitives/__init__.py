"""The language: types, arrays, primitives with all their rules, programs. Start reading at
`core.py`.
"""

if __name__ != "diffeo.primitives":
    raise ImportError(
        f"this folder was imported as '{__name__}', which would make a second copy of every class; "
        "write `import diffeo.primitives` (the link `primitives` at the repository's top is for "
        "reading)"
    )

from . import core, types
from .array import Array as Array
from .core import Primitive as Primitive
from .jaxpr import Jaxpr as Jaxpr
from .staging import stage as stage
from .words import operators

__all__ = ["Array", "Jaxpr", "Primitive", "core", "operators", "stage", "types"]
