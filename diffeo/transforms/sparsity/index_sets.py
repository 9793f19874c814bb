"""Sets of input numbers, one for each of many elements: what patterns of derivatives are made of.

The sets are kept as sparse matrices keep their rows: all numbers in one array, sorted within each
set, and where each set begins. All operations go through whole arrays; none makes an array of
elements times inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...primitives.core import with_user_line

#: So many numbers may be in the sets of one value, and on the way to them.
LIMIT = 2**25


def check_room(count: int) -> None:
    """ValueError where sets become so large that they are no use."""
    if count > LIMIT:
        raise with_user_line(
            ValueError(
                f"the pattern of a derivative has {count:.2g} nonzeros here, more than the "
                f"{LIMIT} that are kept track of: it is (nearly) dense. Use dx.jacfwd, dx.jacrev, "
                "or products (dx.jvp, dx.vjp, dx.hvp) instead of a sparse derivative"
            )
        )


class IndexSets:
    """For each of `count` elements a set of numbers below `total`: those at
    `bounds[i]:bounds[i + 1]` of `numbers`.
    """

    __slots__ = ("bounds", "numbers", "total")

    def __init__(self, bounds: np.ndarray, numbers: np.ndarray, total: int):
        self.bounds, self.numbers, self.total = bounds, numbers, total

    @staticmethod
    def empty(count: int, total: int) -> IndexSets:
        """Empty sets."""
        return IndexSets(np.zeros(count + 1, np.int64), np.zeros(0, np.int64), total)

    @staticmethod
    def singles(count: int, start: int, total: int) -> IndexSets:
        """{start}, {start + 1}, ..."""
        return IndexSets(np.arange(count + 1), np.arange(start, start + count), total)

    @staticmethod
    def from_pairs(owners: np.ndarray, numbers: np.ndarray, count: int, total: int) -> IndexSets:
        """The sets that these (element, number) pairs fill, in any order and repeated."""
        keys = owners * total + numbers
        if np.any(keys[1:] <= keys[:-1]):
            keys.sort()
            keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
            owners, numbers = np.divmod(keys, total)
        sizes = np.bincount(owners, minlength=count)
        return IndexSets(np.concatenate([[0], np.cumsum(sizes)]), numbers, total)

    @property
    def count(self) -> int:
        """The number of elements."""
        return len(self.bounds) - 1

    @property
    def sizes(self) -> np.ndarray:
        """The number of numbers in each set."""
        return np.diff(self.bounds)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """(element, number) of every member, in order."""
        return np.repeat(np.arange(self.count), self.sizes), self.numbers

    def take(self, elements: np.ndarray) -> IndexSets:
        """The sets of these elements; of element -1, the empty set."""
        there = elements >= 0
        sizes = np.where(there, self.bounds[elements + 1] - self.bounds[elements], 0)
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        check_room(int(bounds[-1]))
        at = np.arange(bounds[-1]) + np.repeat(self.bounds[elements] - bounds[:-1], sizes)
        return IndexSets(bounds, self.numbers[at], self.total)

    def slice(self, start: int, stop: int) -> IndexSets:
        """The sets of neighbours."""
        bounds = self.bounds[start : stop + 1]
        numbers = self.numbers[bounds[0] : bounds[-1]]
        return IndexSets(bounds - bounds[0], numbers, self.total)

    def combine(self, count: int, owners: np.ndarray, elements: np.ndarray) -> IndexSets:
        """New sets: that of `owners[k]` contains the old one of `elements[k]`, for all k."""
        check_room(len(owners))
        found = self.take(elements)
        owners = np.repeat(owners, found.sizes)
        return IndexSets.from_pairs(owners, found.numbers, count, self.total)

    def gather(self, groups: np.ndarray, count: int) -> IndexSets:
        """The unions over groups of elements, given the group of each."""
        owners, numbers = np.repeat(groups, self.sizes), self.numbers
        return IndexSets.from_pairs(owners, numbers, count, self.total)

    def keep(self, mask: np.ndarray) -> IndexSets:
        """The sets of some elements; those of the others become empty."""
        if mask.all():
            return self
        return self.take(np.where(mask, np.arange(self.count), -1))


def union(sets: Sequence[IndexSets]) -> IndexSets:
    """The unions, element by element."""
    first, *others = sets
    others = [s for s in others if len(s.numbers) and s is not first]
    if not len(first.numbers) and others:
        first, *others = others
    if not others:
        return first
    pairs = [s.pairs() for s in (first, *others)]
    owners, numbers = (np.concatenate(column) for column in zip(*pairs))
    check_room(len(numbers))
    return IndexSets.from_pairs(owners, numbers, first.count, first.total)


def joined(sets: Sequence[IndexSets], total: int) -> IndexSets:
    """The sets of several values, one after the other."""
    if len(sets) == 1:
        return sets[0]
    sizes = [s.sizes for s in sets]
    bounds = np.concatenate([[0], np.cumsum(np.concatenate([*sizes, np.zeros(0, np.int64)]))])
    check_room(int(bounds[-1]))
    numbers = np.concatenate([*[s.numbers for s in sets], np.zeros(0, np.int64)])
    return IndexSets(bounds.astype(np.int64), numbers, total)
