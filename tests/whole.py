"""All modules of diffeo, loaded: what they define when they are, rows and primitives, is there.

What is for users of other libraries is loaded where those are installed.
"""

import importlib
import importlib.util
import pkgutil

import diffeo as dx

_OF_OTHERS = tuple(
    [f"diffeo.interop.{n}" for n in ("jax", "torch") if not importlib.util.find_spec(n)]
)

for _module in pkgutil.walk_packages(dx.__path__, "diffeo."):
    if not _module.name.endswith("__main__") and not _module.name.startswith(_OF_OTHERS):
        importlib.import_module(_module.name)
