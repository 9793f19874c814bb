"""`autograd.numpy.random`: NumPy's generators, which know nothing of derivatives."""

from typing import Any

import numpy as _numpy


def __getattr__(name: str) -> Any:
    return getattr(_numpy.random, name)


def __dir__() -> list[str]:
    return dir(_numpy.random)
