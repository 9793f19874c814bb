"""What stands below the operators: the two passes, rules, vector spaces."""

from .extend import (
    Box,
    JVPNode,
    VJPNode,
    VSpace,
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    primitive,
    vspace,
)
from .machinery.passes import make_jvp, make_vjp
from .machinery.tracing import Node, trace
from .machinery.values import getval
from .machinery.values import is_box as isbox

__all__ = [
    "Box", "JVPNode", "Node", "VJPNode", "VSpace", "def_linear", "defjvp", "defjvp_argnum",
    "defjvp_argnums", "defvjp", "defvjp_argnum", "defvjp_argnums", "getval", "isbox", "make_jvp",
    "make_vjp", "primitive", "trace", "vspace",
]  # fmt: skip
