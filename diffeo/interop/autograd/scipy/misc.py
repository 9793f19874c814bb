"""`autograd.scipy.misc`: `logsumexp`, which SciPy had here once."""

from .special import logsumexp  # pyright: ignore[reportAttributeAccessIssue]

__all__ = ["logsumexp"]
