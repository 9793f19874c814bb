"""Functions that are differentiated by rules of the user's, and the objects that the rules meet."""

from .api.closures import closure_convert, custom_gradient
from .api.custom import custom_jvp, custom_vjp
from .api.linear_call import linear_call
from .transforms.rules.symbolic_zeros import (
    CustomVJPPrimal,
    SymbolicZero,
    custom_vjp_primal_tree_values,
    zero_from_primal,
)

__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "custom_vjp_primal_tree_values",
    "linear_call",
    "zero_from_primal",
]
