"""Why a failure is none of a user's program: a reason for what is about jax's insides, its words,
or a decision of diffeo's that its documentation states.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from .listed import LISTED

#: The reasons, as the figures name them.
REASONS = {
    "insides": "about jax's insides: caches, traces, names of primitives, how programs are written",
    "words": "the error is raised, with other words or of another class",
    "devices": "about sharding, several devices or where arrays are",
    "digits": "eager results are NumPy's: close to compiled ones, and not to the last digit",
    "decided": "diffeo decided otherwise, and says so in its documentation",
}

#: What a cause begins with, or has in it, for each reason.
_PATTERNS = [
    ("devices", r"NameMissing: jax\.(sharding|experimental\.(shard|pjit|mesh|multihost))"),
    ("devices", r"InternalsUsed: jax\._src\.(mesh|sharding|named_sharding|pjit|lib\.xla_client)"),
    ("devices", r"runs a program on one device|does not spread arrays over devices"),
    ("devices", r"'Device' object has no attribute|_committed'|transfer_guard"),
    ("insides", r"^(InternalsUsed|NameMissing): "),
    ("insides", r"<absent jax"),
    ("insides", r"^AssertionError: .*[\"'] (unexpectedly found|not found) in "),
    ("words", r"^AssertionError: [\"'].*[\"'] does not match "),
    ("words", r"^AssertionError: \"[^\"]*\\ "),  # of several lines
    ("words", r"^AssertionError: Exception message does not match"),
]


def reason(outcome: dict[str, Any]) -> str:
    """Return the reason for a failure by its key, or an empty text for one without."""
    test = f"{outcome['file']}::{outcome['test'].partition('::')[2]}"
    for pattern, key in LISTED.items():
        if fnmatchcase(test, pattern):
            return key
    for key, pattern in _PATTERNS:
        if re.search(pattern, outcome["cause"]):
            return key
    return ""
