"""Collectives with the arrays of all rows, and what NumPy says of them (`test_named_axes.py` tests
the laws), and lines of the table: whole programs with collectives, vectorised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import diffeo as dx
from diffeo.operations.collectives import (
    AllGather,
    AllToAll,
    AxisIndex,
    Pmax,
    Pmin,
    Ppermute,
    Psum,
    PsumScatter,
)
from diffeo.primitives import Primitive
from tests.sampling import Draw, bools, call_sample, comp, ints, real

ROWS = 3
AXES = (("i", ROWS),)


@dataclass(frozen=True, eq=False)
class NamedSample:
    """A collective over axis "i", the operand's rows along axis 0, and the rows of the result."""

    name: str
    primitive: Primitive
    args: tuple[np.ndarray, ...]
    expected: np.ndarray

    def __repr__(self) -> str:
        return self.name


NAMED: list[NamedSample] = []


def named(primitive: Primitive, oracle: Callable, *operands: Draw, note: str = "") -> None:
    """Add a collective; `oracle` computes the results of all rows from their operands."""
    rng = np.random.default_rng(len(NAMED))
    args = tuple([draw(rng) for draw in operands])
    name = primitive.name + (f"-{note}" if note else "")
    NAMED.append(NamedSample(name, primitive, args, np.asarray(oracle(*args))))


def every(x: Any) -> np.ndarray:
    """The same in each row."""
    return np.stack([x] * ROWS)


for _note, _operand in {
    "": real(ROWS, 2),
    "scalar": real(ROWS),
    "complex": comp(ROWS, 2),
    "int": ints(ROWS, 4),
    "empty": real(ROWS, 0),
    "float32": lambda rng: rng.normal(size=(ROWS, 2)).astype(np.float32),
}.items():
    named(Psum(AXES), lambda x: every(x.sum(0, dtype=x.dtype)), _operand, note=_note)
    named(AllGather(AXES, 0), every, _operand, note=_note)
    if _note not in ("complex", "empty"):
        named(Pmax(AXES), lambda x: every(x.max(0)), _operand, note=_note)
        named(Pmin(AXES), lambda x: every(x.min(0)), _operand, note=_note)
named(Pmax(AXES), lambda x: every(x.max(0)), bools(ROWS, 4), note="bool")
named(AllGather(AXES, 1), lambda x: every(x.T), real(ROWS, 2), note="last")
named(AllGather(AXES, 1), lambda x: every(x.transpose(1, 0, 2)), real(ROWS, 2, 4), note="middle")
named(PsumScatter(AXES, 0), lambda x: x.sum(0), real(ROWS, ROWS, 2))
named(PsumScatter(AXES, 1), lambda x: x.sum(0).T, comp(ROWS, 2, ROWS), note="last, complex")
named(AllToAll(AXES, 0), lambda x: x.swapaxes(0, 1), real(ROWS, ROWS, 2))
named(AllToAll(AXES, 1), lambda x: x.swapaxes(0, 2), comp(ROWS, 2, ROWS), note="last, complex")
named(AllToAll(AXES, 0), lambda x: x.T, bools(ROWS, ROWS), note="bool")
named(Ppermute(AXES, ((0, 1), (1, 2), (2, 0))), lambda x: np.roll(x, 1, 0), real(ROWS, 2))
named(Ppermute(AXES, ((0, 1), (1, 2), (2, 0))), lambda x: np.roll(x, 1, 0), ints(ROWS), note="int")
named(
    Ppermute(AXES, ((2, 0),)),
    lambda x: np.stack([x[2], x[0] * 0, x[0] * 0]),
    comp(ROWS, 2),
    note="one pair",
)
named(Ppermute(AXES, ()), np.zeros_like, real(ROWS), note="no pairs")
named(AxisIndex(AXES), lambda: np.arange(ROWS, dtype=np.int32))

# --------------------------------------------------------------------------------------------------


def whole(function: Callable, *operands: Draw, note: str) -> None:
    """A sample of the vectorised function as one program."""
    call_sample(lambda *xs: [dx.vmap(function, axis_name="i")(*xs)], *operands, note=note)


_lax, _sin = dx.lax, dx.numpy.sin
whole(lambda x: _sin(x) / _lax.psum(x * x, "i"), real(3, 2, low=0.5), note="psum")
whole(lambda x: _lax.pmax(_sin(x), "i") * _lax.pmin(x, "i"), real(3, 2), note="pmax, pmin")
whole(
    lambda x: _lax.all_gather(x, "i", axis=1) * x[0] + _lax.axis_index("i"),
    comp(3, 2),
    note="all_gather",
)
whole(lambda x: _lax.psum_scatter(x * x, "i", tiled=True), real(3, 6), note="psum_scatter")
whole(lambda x: _lax.all_to_all(_sin(x), "i", 0, 1) * x, real(3, 3, 3), note="all_to_all")
whole(lambda x: _lax.ppermute(x, "i", [(0, 1), (1, 2)]) * x, comp(3, 2), note="ppermute")
