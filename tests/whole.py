"""All modules of diffeo, loaded: what they define when they are, rows and primitives, is there."""

import importlib
import pkgutil

import diffeo as dx

for _module in pkgutil.walk_packages(dx.__path__, "diffeo."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)
