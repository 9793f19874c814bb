"""What NumPy makes of lists and numbers, where its protocols do not see that one is traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import numpy as dnp
from ..machinery.functions import wrapped
from ..machinery.values import getval, has_traced


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


def _real_if_close(a: Any, tol: float = 100) -> Any:
    """Return the real part of a traced value if the imaginary one is as small as rounding."""
    return a if np.iscomplexobj(np.real_if_close(getval(a), tol)) else np.real(a)


def _gradient(*args: Any, **kwargs: Any) -> Any:
    """Return differences; along several axes as a tuple, as NumPy does."""
    out = dnp.gradient(*args, **kwargs)
    return tuple(out) if isinstance(out, list) else out


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return `np.where`, whose arguments may have their names; of Python's numbers and lists, one
    of these.

    Raises:
        ValueError: if one of `x` and `y` is given alone.
    """
    if (x is None) != (y is None):
        raise ValueError("either both or neither of x and y should be given")
    given = (condition,) if x is None else (condition, x, y)
    out = _plain_where(*given)
    python = x is not None and not any([hasattr(a, "dtype") for a in given])
    return out.tolist() if python and not has_traced(given) else out


_plain_where = wrapped(np.where, np.where)


def _integer(kind: type) -> type:
    """Return a type of integers that takes traced values, whose derivative by them is zero."""
    made = lambda cls, *args: kind(*map(getval, args))
    return type(kind.__name__, (kind,), {"__new__": made})


_NAMES = ("array", "asarray", "asanyarray", "ascontiguousarray", "full", "full_like", "arange",
          "linspace", "logspace", "geomspace", "vander", "tri", "eye")  # fmt: skip
#: What stands in the place of NumPy's function of the name.
OWN: dict[str, Any] = {
    **{n: wrapped(getattr(np, n), getattr(dnp, n)) for n in _NAMES if hasattr(dnp, n)},
    "r_": _Joined(np.r_, dnp.r_),
    "c_": _Joined(np.c_, dnp.c_),
    "make_diagonal": _make_diagonal,
    "real_if_close": wrapped(np.real_if_close, _real_if_close),
    "gradient": wrapped(np.gradient, _gradient),
    "row_stack": wrapped(np.vstack, np.vstack),
    "where": _where,
    **{t.__name__: _integer(t) for t in (np.int8, np.int16, np.int32, np.int64)},
}
