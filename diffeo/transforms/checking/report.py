"""What has failed so far: a code, and the arrays of messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...operations.checks import Site, Slot
from ...primitives.constants import full, full_like
from ...primitives.core import typeof, user_source
from ...primitives.support.sources import show_source
from ...primitives.words.elementwise import eq, select
from ...primitives.words.structural import broadcast_in_dim

_INT32 = np.dtype(np.int32)


class Sites:
    """The checks of a whole run, numbered from 1; equal ones have one number.

    There may be new ones when the run is over, as rules for derivatives of a compiled function run
    later. So what is known of an error is this object, and not what it contains now.
    """

    def __init__(self) -> None:
        self.numbers: dict[Site, int] = {}

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sites) and self.all() == other.all())

    def __hash__(self) -> int:
        return hash(Sites)

    def number(self, site: Site) -> int:
        """Return the number of a site, which is a new one if the site is."""
        return self.numbers.setdefault(site, len(self.numbers) + 1)

    def all(self) -> tuple[Site, ...]:
        """Return all sites, in the order of their numbers."""
        return tuple(self.numbers)


class Report:
    """The first failure. It has `touched` nothing as long as there was no check.

    Args:
        sites: the numbers of checks, which all reports of a run share.
    """

    def __init__(self, sites: Sites):
        self.sites = sites
        self.code: Any = None
        self.slots: dict[Slot, list[Any]] = {}

    @property
    def touched(self) -> bool:
        """Whether there was a check."""
        return self.code is not None

    def add(self, failed: Any, site: Site, arrays: Sequence[Any] = ()) -> None:
        """Take in one check, by a boolean scalar that says whether it failed."""
        code = full((), self.sites.number(site), _INT32)
        self.merge(select(failed, code, full_like(code, 0)), {site.slot: list(arrays)})

    def merge(self, code: Any, slots: dict[Slot, list[Any]]) -> None:
        """Take in what was reported elsewhere, afterwards. What failed first stays."""
        if self.code is None:
            self.code, self.slots = code, {slot: a for slot, a in slots.items() if slot}
            return
        fine = eq.bind(self.code, full_like(self.code, 0))
        for slot, arrays in slots.items():
            if not slot:
                continue
            before = self.slots.get(slot)
            self.slots[slot] = (
                arrays
                if before is None
                else [select(_spread(fine, a), a, b) for a, b in zip(arrays, before)]
            )
        self.code = select(fine, code, self.code)

    def arrays(self, order: Sequence[Slot]) -> list[Any]:
        """Return the code and the arrays of slots in this order, zeros for those without."""
        values: list[Any] = [full((), 0, _INT32) if self.code is None else self.code]
        for slot in order:
            values += self.slots.get(slot) or [full_like(a, 0) for a in slot]
        return values

    def take(self, values: Sequence[Any], order: Sequence[Slot]) -> None:
        """Take in what `arrays` of another report has returned."""
        self.merge(values[0], grouped(values, order))


def grouped(values: Sequence[Any], order: Sequence[Slot]) -> dict[Slot, list[Any]]:
    """Return the arrays of each slot, of a list that begins with the code."""
    slots, at = {}, 1
    for slot in order:
        slots[slot] = list(values[at : at + len(slot)])
        at += len(slot)
    return slots


def _spread(flag: Any, like: Any) -> Any:
    shape = typeof(like).shape
    return broadcast_in_dim(flag, shape, ()) if shape else flag


def line() -> str:
    """Return the user's line that is at work, as text."""
    source = user_source()
    return "" if source is None else show_source(source)
