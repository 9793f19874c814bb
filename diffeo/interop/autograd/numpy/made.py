"""What NumPy makes of lists and numbers, where its protocols do not see that one is traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import numpy as dnp
from ..machinery.functions import wrapped
from ..machinery.values import has_traced


class _Joined:
    """`r_` or `c_`: arrays that are joined by index brackets."""

    def __init__(self, plain_object: Any, ours: Any):
        self.plain, self.ours = plain_object, ours

    def __getitem__(self, items: Any) -> Any:
        several = items if isinstance(items, tuple) else (items,)
        return (self.ours if has_traced(several) else self.plain)[items]


def _make_diagonal(D: Any, offset: int = 0, axis1: int = -1, axis2: int = -2) -> Any:
    """Return arrays with the last axis of `D` on the diagonal of two.

    Raises:
        NotImplementedError: for other axes than the last two, or another diagonal.
    """
    if (offset, axis1, axis2) != (0, -1, -2):
        raise NotImplementedError(
            "make_diagonal: expected offset=0, axis1=-1, axis2=-2, got "
            f"offset={offset}, axis1={axis1}, axis2={axis2}"
        )
    return D[..., None] * np.eye(D.shape[-1], dtype=D.dtype)


_NAMES = ("array", "asarray", "asanyarray", "ascontiguousarray", "full", "full_like", "arange",
          "linspace", "logspace", "geomspace", "vander", "tri", "eye")  # fmt: skip
#: What stands in the place of NumPy's function of the name.
OWN: dict[str, Any] = {
    **{n: wrapped(getattr(np, n), getattr(dnp, n)) for n in _NAMES if hasattr(dnp, n)},
    "r_": _Joined(np.r_, dnp.r_),
    "c_": _Joined(np.c_, dnp.c_),
    "make_diagonal": _make_diagonal,
}
