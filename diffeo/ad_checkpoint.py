"""What reverse mode keeps: names for values, and policies that choose by them."""

from .api.control_flow.checkpoint import (
    Recompute,
    Saveable,
    checkpoint,
    checkpoint_name,
    checkpoint_policies,
    print_saved_residuals,
)

__all__ = [
    "Recompute", "Saveable", "checkpoint", "checkpoint_name", "checkpoint_policies",
    "print_saved_residuals",
]  # fmt: skip
