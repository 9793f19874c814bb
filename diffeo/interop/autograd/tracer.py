"""What is traced, and traces of one's own: `trace` with a class of nodes."""

from .extend import notrace_primitive, primitive, register_notrace
from .machinery.tracing import Box, Node, trace
from .machinery.values import getval
from .machinery.values import is_box as isbox

__all__ = [
    "Box", "Node", "getval", "isbox", "notrace_primitive", "primitive", "register_notrace", "trace",
]  # fmt: skip
