"""Sets of input numbers, one for each of many elements: what patterns of derivatives are made of.

The sets are kept as compressed sparse matrices keep their rows: all members in one array, sorted
within each set, and the position at which each set begins. The sets {0, 3}, {} and {1} of three
elements are

    numbers = [0, 3, 1]    bounds = [0, 2, 2, 3]

All operations go through whole arrays. None makes an array of elements times inputs.

Start reading at `IndexSets`, its `take` and `from_pairs`: the other operations come down to these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...primitives.core import with_user_line

#: The number of members that the sets of one value may have, and any step on the way to them.
LIMIT = 2**25


def check_room(count: int) -> None:
    """Check that there are not more than `LIMIT` members; ValueError if there are."""
    if count > LIMIT:
        raise with_user_line(
            ValueError(
                f"the pattern of a derivative has {count:.2g} nonzeros here, more than the "
                f"{LIMIT} that are kept track of: it is (nearly) dense. Use dx.jacfwd, dx.jacrev, "
                "or products (dx.jvp, dx.vjp, dx.hvp) instead of a sparse derivative"
            )
        )


class IndexSets:
    """For each of `count` elements, a set of numbers below `total`.

    The members of set i are `numbers[bounds[i]:bounds[i + 1]]`, in ascending order.
    """

    __slots__ = ("bounds", "numbers", "total")

    def __init__(self, bounds: np.ndarray, numbers: np.ndarray, total: int):
        self.bounds, self.numbers, self.total = bounds, numbers, total

    @staticmethod
    def empty(count: int, total: int) -> IndexSets:
        """Return `count` empty sets."""
        return IndexSets(np.zeros(count + 1, np.int64), np.zeros(0, np.int64), total)

    @staticmethod
    def singles(count: int, start: int, total: int) -> IndexSets:
        """Return the sets {start}, {start + 1}, ...: each element depends on one input."""
        return IndexSets(np.arange(count + 1), np.arange(start, start + count), total)

    @staticmethod
    def from_pairs(owners: np.ndarray, numbers: np.ndarray, count: int, total: int) -> IndexSets:
        """Return the sets with these members, where `owners[k]` is the element whose set has
        `numbers[k]`.

        The pairs may be in any order and repeated: owners [1, 0, 1] and numbers [5, 2, 5] make {2},
        {5}.
        """
        # One integer for each pair, ordered like the pairs. Sort and drop repetitions only if they
        # are not in order already.
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
        """The number of members of each set."""
        return np.diff(self.bounds)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (owners, numbers): the element and the number of every member, in order."""
        return np.repeat(np.arange(self.count), self.sizes), self.numbers

    def take(self, elements: np.ndarray) -> IndexSets:
        """Return the sets of these elements; for the element -1, the empty set.

        It is `sets[elements]`: of {0}, {1, 2} the elements [1, -1, 1] make {1, 2}, {}, {1, 2}.
        """
        inside = elements >= 0
        sizes = np.where(inside, self.bounds[elements + 1] - self.bounds[elements], 0)
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        check_room(int(bounds[-1]))
        # Copy all sets at once: the position of a member in the old array is its position in the
        # new one, moved by the distance between the beginnings of its two sets.
        positions = np.arange(bounds[-1]) + np.repeat(self.bounds[elements] - bounds[:-1], sizes)
        return IndexSets(bounds, self.numbers[positions], self.total)

    def slice(self, start: int, stop: int) -> IndexSets:
        """Return the sets of the elements from `start` to `stop`."""
        bounds = self.bounds[start : stop + 1]
        numbers = self.numbers[bounds[0] : bounds[-1]]
        return IndexSets(bounds - bounds[0], numbers, self.total)

    def combine(self, count: int, owners: np.ndarray, elements: np.ndarray) -> IndexSets:
        """Return `count` new sets: set `owners[k]` contains the old set of `elements[k]`, for all
        k.

        It is a product of boolean matrices, the first of which has the nonzeros (owners, elements).
        """
        check_room(len(owners))
        sources = self.take(elements)
        owners = np.repeat(owners, sources.sizes)
        return IndexSets.from_pairs(owners, sources.numbers, count, self.total)

    def gather(self, groups: np.ndarray, count: int) -> IndexSets:
        """Return the unions over groups of elements; `groups[i]` is the group of element i.

        Of {0}, {1}, {2} the groups [0, 1, 0] make {0, 2}, {1}.
        """
        owners, numbers = np.repeat(groups, self.sizes), self.numbers
        return IndexSets.from_pairs(owners, numbers, count, self.total)

    def keep(self, mask: np.ndarray) -> IndexSets:
        """Return the sets of the elements whose mask is true, and empty sets for the others."""
        if mask.all():
            return self
        return self.take(np.where(mask, np.arange(self.count), -1))


def union(sets: Sequence[IndexSets]) -> IndexSets:
    """Return the unions, element by element, of sets with one `count`."""
    first, *others = sets
    # Skip what adds nothing; often only one operand has sets at all.
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
    """Return the sets of several values, one after the other, as those of one long value."""
    if len(sets) == 1:
        return sets[0]
    sizes = [s.sizes for s in sets]
    bounds = np.concatenate([[0], np.cumsum(np.concatenate([*sizes, np.zeros(0, np.int64)]))])
    check_room(int(bounds[-1]))
    numbers = np.concatenate([*[s.numbers for s in sets], np.zeros(0, np.int64)])
    return IndexSets(bounds.astype(np.int64), numbers, total)
