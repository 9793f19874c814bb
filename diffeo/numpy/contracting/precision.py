"""How products read their arguments `precision` and `preferred_element_type`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.config import task_settings
from ...primitives.core import describe, with_user_line
from ...primitives.words.dot import FULL, Precision
from ...typing import DTypeLike
from ..common import dtype_of

#: The names of precisions; some are those of the number formats that TPU and GPU multiply in.
NAMES = {
    "default": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "high": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
    None: Precision.HIGHEST,
}


def precision_of(name: str, precision: Any) -> tuple[Precision, Precision]:
    """Return the precision of each operand; ValueError for anything that names none.

    None means `dx.config.default_matmul_precision`, and that the full precision of the dtype, on
    every platform.
    """
    if precision is None:
        precision = task_settings().default_matmul_precision
    if precision is None:
        return FULL
    requested = precision if isinstance(precision, (tuple, list)) else (precision, precision)
    try:
        left, right = [p if isinstance(p, Precision) else NAMES[p] for p in requested]
    except (KeyError, ValueError, TypeError):
        raise with_user_line(
            ValueError(
                f"{name}: precision must be a lax.Precision, one of "
                f"{', '.join(map(repr, NAMES))}, or "
                f"a pair of them (for each operand), got {describe(precision)}"
            )
        ) from None
    return left, right


def preferred_of(dtype: DTypeLike | None) -> np.dtype | None:
    """Return the dtype that a result is asked to have, or None."""
    return None if dtype is None else dtype_of(dtype)
