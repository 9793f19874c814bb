"""Functions of torch's as diffeo's, and diffeo's as torch's.

`to_torch(f)` makes a function of diffeo's one of torch's tensors, inside torch's autograd and
`torch.func`; `from_torch(f)` makes a function of tensors one of diffeo's. Needs torch.
"""

from .inward import FromTorch, from_torch
from .outward import ToTorch, to_torch

__all__ = ["FromTorch", "ToTorch", "from_torch", "to_torch"]
