"""A check inside a function: `Check`, what may go wrong (`Site`), and how that is told.

A report of failures is a code - zero, or the number of the first check that failed, from 1 - beside
arrays that its message shows. Checks whose arrays have the same types share places for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.constants import full, full_like
from ..primitives.core import Primitive, typeof, with_user_line
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import ne, select
from ..primitives.words.indexing import DynamicSlice
from ..primitives.words.reduction import reduce_min
from ..primitives.words.structural import batch_at_front, iota, reshape

__all__ = ["Check", "CheckFailure", "JaxRuntimeError", "Site", "earliest"]

#: The types of the arrays of a message: a place that checks share.
Slot = tuple[ShapedArray, ...]


class CheckFailure(Exception):
    """What went wrong; the base of all kinds of it."""


class JaxRuntimeError(ValueError):
    """A check that failed, raised."""


class Site(NamedTuple):
    """A check.

    Attributes:
        kind: the exception that stands for its failure.
        text: what the message says, with places for `format`.
        slot: the types of the arrays that the message shows.
        structure: the treedef of `(args, kwargs)` of `format`, whose leaves are these arrays.
        source: the user's line, as text.
    """

    kind: type[CheckFailure]
    text: str
    slot: Slot = ()
    structure: Any = None
    source: str = ""

    def failure(self, arrays: Sequence[Any]) -> CheckFailure:
        """Return the exception for the failure, with these arrays in the message. Without them the
        message is as the user wrote it: a rule that runs late can report no more than that.
        """
        text = self.text
        if len(arrays) == len(self.slot):
            args, kwargs = (), {}
            if self.structure is not None:
                args, kwargs = self.structure.unflatten([np.asarray(a) for a in arrays])
            text = text.format(*args, **kwargs)
        return self.kind(f"{text}\n  at {self.source}" if self.source else text)


@frozen
class Check(Primitive):
    """Fail with the message of a site, if the first operand, a code, is not zero.

    The other operands are the arrays of the slots, those of each slot in turn. With `debug`, it
    does nothing but where checks are made part of the results.
    """

    sites: tuple[Site, ...]
    slots: tuple[Slot, ...]
    debug: bool = False
    multiple_results = True
    effects = ("check",)
    endless = True  # it fails on operands that it is not meant for

    def abstract_eval(self, code: ShapedArray, *arrays: ShapedArray) -> list[ShapedArray]:
        expected = [a for slot in self.slots for a in slot]
        given = [(a.shape, a.dtype) for a in arrays]
        if code.shape or code.dtype != np.int32 or given != [(a.shape, a.dtype) for a in expected]:
            raise TypeError(f"check: expected a code i32[] and {expected}, got {code}, {arrays}")
        return []

    def impl(self, code: Any, *arrays: Any) -> list[Any]:
        if self.debug or not int(code):
            return []
        site = self.sites[int(code) - 1]
        error = JaxRuntimeError(str(site.failure(self.shown(site, arrays))))
        raise error from None

    def shown(self, site: Site, arrays: Sequence[Any]) -> Sequence[Any]:
        """Return the arrays that the message of a site shows."""
        before = 0
        for slot in self.slots:
            if slot == site.slot:
                return arrays[before : before + len(slot)]
            before += len(slot)
        return ()

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        if self.debug:
            return []
        texts = ", ".join([repr(site.text) for site in self.sites])
        raise with_user_line(
            ValueError(
                f"Cannot abstractly evaluate a checkify.check which was not functionalized: {texts}"
                " stands in a program that is to be compiled (by jit, or a loop).\n  Compiled "
                "programs cannot raise: wrap the function in checkify.checkify first, so that the "
                "error is one of its results"
            )
        )

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), []

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        return [None] * len(args)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Check the first row that fails."""
        codes = batch_at_front(args[0], dims[0], size)
        row = earliest(codes)
        picked = [
            a if d is None else row_of(batch_at_front(a, d, size), row) for a, d in zip(args, dims)
        ]
        return self.bind(*picked), []


def earliest(codes: Any) -> Any:
    """Return the place of the first code of a vector that is not zero; the last place if none
    is.
    """
    size = typeof(codes).shape[0]
    places = select(ne.bind(codes, full_like(codes, 0)), iota(np.int32, (size,)), _last(size))
    return reduce_min(places, (0,))


def _last(size: int) -> Any:
    return full((size,), size - 1, np.dtype(np.int32))


def row_of(x: Any, row: Any) -> Any:
    """Return one row of an array."""
    shape = typeof(x).shape
    zeros = [full((), 0, np.dtype(np.int32))] * (len(shape) - 1)
    return reshape(DynamicSlice((1, *shape[1:])).bind(x, row, *zeros), shape[1:])
