"""Special functions, with the names and conventions of scipy.special."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..nn.normalized import logsumexp
from ..numpy.common import arr, is_nan
from ..primitives import elementwise as e
from ..primitives.operators import align, to_inexact
from ..primitives.types import SCALARS

__all__ = ["entr", "erf", "erfinv", "expit", "logit", "logsumexp", "xlog1py", "xlogy"]
