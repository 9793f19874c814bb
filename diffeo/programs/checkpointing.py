"""Checkpointing: the carries of a loop that reverse mode keeps, in a fixed number of slots.

While the loop runs, and nobody knows for how long, `record` keeps carries at a regular distance.
When the slots are full, every second one is given up and the distance doubles (as in Stumm and
Walther, "New algorithms for optimal online checkpointing", SIAM J. Sci. Comput. 32, 2010, and Wang,
Moin and Iaccarino, "Minimal repetition dynamic checkpointing", ibid. 31, 2009, simplified). With
four slots, the carries before the steps

    0 1 2 3      are kept until step 4 comes; then
    0 2 4 6      until step 8 comes, and then 0 4 8 12.

`go_back` then walks from the last step to the first. Between two kept carries it places further
ones at the distances that are optimal for a known length (Griewank and Walther, "Algorithm 799:
revolve", ACM Trans. Math. Softw. 26, 2000); the shortest stretches are run with every carry kept.
With s free slots and r repetitions (s + r choose s) stretches are reversed.

Both are written over `repeat(going, step, values)`, a while loop of primitives that they are
handed: `going(*values)` says whether there is a next step, `step(*values)` returns the next values.

Words: a *slot* holds one carry, and a list of arrays holds the slots, one array for each part of
the carry, with the slots along its first axis. A *position* is the number of the steps that were
run before. A *stretch* is a number of steps between two positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.constants import Full, full
from ..primitives.core import Value, typeof
from ..primitives.types import ShapedArray, int32, int64
from ..primitives.words.elementwise import maximum, minimum, zero_scalar
from ..primitives.words.indexing import dynamic_slice, dynamic_update_slice
from ..primitives.words.slicing import concatenate, pad, slice_in_dim
from ..primitives.words.structural import (
    Iota,
    convert_element_type,
    convert_exactly,
    expand_dims,
    reduce_sum,
    squeeze,
)
from .call import split_list
from .cond import choose

#: The most steps that `go_back` runs in one stretch, keeping every carry; a power of two.
LEAF = 32
#: How often a stretch may be run again, in the table of distances.
REPETITIONS = 40


def number(n: int) -> Any:
    """Return a counter: a scalar int64."""
    return Full((), int64, n).bind()


def read(x: Value, i: Any) -> Any:
    """Return x[i] along the first axis, for a traced i in range."""
    zero = number(0)
    shape = typeof(x).shape
    return squeeze(dynamic_slice(x, [i] + [zero] * (len(shape) - 1), (1, *shape[1:])), (0,))


def write(x: Value, i: Any, value: Value) -> Any:
    """Return x with x[i] replaced."""
    zero = number(0)
    return dynamic_update_slice(x, expand_dims(value, (0,)), [i] + [zero] * typeof(value).ndim)


def empty(count: int, like: Any) -> Any:
    """Return `count` slots, filled with zeros, for arrays of the type of `like`."""
    aval = typeof(like)
    return full((count, *aval.shape), zero_scalar(like), aval.dtype)


#: How many carries are kept where nothing is said, and the bytes that they may take then.
CHECKPOINTS, BYTES = 128, 2**30


def sensible(carry: Sequence[ShapedArray]) -> int:
    """Return how many carries of these types to keep: fewer of very large ones."""
    each = sum([a.nbytes for a in carry])
    return min(CHECKPOINTS, max(8, BYTES // max(1, each)))


def counts(checkpoints: int) -> tuple[int, int, int]:
    """Share out the carries that may be kept, 4 or more.

    Returns:
        The slots that `record` fills, an even number; those of `go_back` in all; and the steps of a
        stretch that is run with every carry kept, a power of two.

    Examples:
        >>> counts(4), counts(128)
        ((2, 3, 1), (48, 96, 32))
    """
    leaf = min(LEAF, 1 << ((checkpoints // 4).bit_length() - 1))
    size = checkpoints - leaf
    return max(2, size // 4 * 2), size, leaf


def record(
    repeat: Callable, going: Callable, step: Callable, carry: list, ys: list, checkpoints: int
) -> tuple[list, list, list]:
    """Run a loop and keep some of its carries.

    `going(position, carry)` says whether there is a next step, `step(position, carry, ys)` is it.

    Returns:
        The carry at the end, the ys, and what `go_back` must know: the number of steps, the number
        of slots in use, the distance between them, and the slots.
    """
    size = counts(checkpoints)[0]
    n, m = len(carry), len(ys)

    def thinned(distance: Value, *slots: Any) -> list[Any]:
        # The kept half comes first; what follows is a filling, which later carries replace.
        half = [slice_in_dim(s, 0, size, 2) for s in slots]
        return [distance * 2, number(size // 2),
                *[concatenate([h, h]) for h in half]]  # fmt: skip

    # One round of the outer loop: make room if the slots are full, keep the carry, and run the
    # steps up to the position of the next carry, or to the end of the loop.
    def stretch(*values: Any) -> list[Any]:
        (position, used, distance), carry, ys, slots = split_list(values, 3, n, m)
        distance, used, *slots = choose(
            convert_element_type(used >= size, int32),
            [lambda distance, used, *slots: [distance, used, *slots],
             lambda distance, used, *slots: thinned(distance, *slots)],
            [distance, used, *slots],
        )  # fmt: skip
        slots = [write(s, used, c) for s, c in zip(slots, carry)]
        end = position + distance

        def goes(position: Value, *values: Any) -> Any:
            return (position < end) & going(position, values[:n])

        def one(position: Value, *values: Any) -> list[Any]:
            carry, ys = step(position, list(values[:n]), list(values[n:]))
            return [position + 1, *carry, *ys]

        position, *carry_and_ys = repeat(goes, one, [position, *carry, *ys])
        return [position, used + 1, distance, *carry_and_ys, *slots]

    start = [number(0), number(0), number(1), *carry, *ys, *[empty(size, c) for c in carry]]
    values = repeat(lambda position, *v: going(position, v[2 : 2 + n]), stretch, start)
    state, carry, ys, slots = split_list(values, 3, n, m)
    return carry, ys, [*state, *slots]


def distances(slots: int) -> np.ndarray:
    """Return the table of (s + r choose s) for s free slots and r repetitions, up to a largest
    number.

    Examples:
        >>> distances(2)[:, :4].tolist()
        [[1, 1, 1, 1], [1, 2, 3, 4], [1, 3, 6, 10]]
    """
    most = 2**62
    return np.array(
        [[min(most, math.comb(s + r, s)) for r in range(REPETITIONS + 1)] for s in range(slots + 1)]
    )


def go_back(
    repeat: Callable,
    step: Callable,
    back: Callable,
    kept: Sequence[Any],
    state: list,
    checkpoints: int,
) -> list:
    """Walk over the steps of a recorded loop from the last to the first -> the final state.

    `step(position, carry) -> carry` is a step of the loop, `back(position, carry, state) -> state`
    what is to be done at each, given the carry that it started with.

    Args:
        repeat: the while loop of primitives.
        step: a step of the loop.
        back: what is to be done at each step.
        kept: what `record` returned last.
        state: the state to start with.
        checkpoints: the number that `record` was called with.
    """
    (end, used, distance), slots = kept[:3], list(kept[3:])
    first, size, leaf = counts(checkpoints)
    way = _WayBack(repeat, step, back, (size, leaf), len(slots))
    # Slot i holds the carry before step i * distance. `go_back` has more slots than `record`, so
    # that some are free at the start.
    places = Iota((size,), int64, 0).bind() * distance
    for i, s in enumerate(slots):
        zeros = [0] * typeof(s).ndim
        slots[i] = pad(s, zeros, [size - first, *zeros[1:]], value=zero_scalar(s))
    values = [end, used - 1, places, *slots, *state]
    return repeat(lambda end, *_: end > 0, way.one, values)[3 + len(slots) :]


class _WayBack:
    """The moves of `go_back`, on these values: `end`, the position up to which steps are still to
    be gone back over; `top`, the number of the last slot in use; the positions of the slots; the
    slots; and the state.
    """

    def __init__(
        self, repeat: Callable, step: Callable, back: Callable, sizes: tuple[int, int], n: int
    ):
        self.repeat, self.step, self.back, self.n = repeat, step, back, n
        self.size, self.stretch = sizes
        self.table = Array(distances(self.size))

    def one(self, end: Value, top: Value, *values: Any) -> list[Any]:
        """Go back over the last stretch if it is short, or else keep another carry in it."""
        near = end - read(values[0], top) <= self.stretch
        near = convert_element_type(near, int32)
        return choose(near, [self.further, self.leaf], [end, top, *values])

    def leaf(self, end: Value, top: Value, *values: Any) -> list[Any]:
        """Run the steps from the last slot to `end`, keeping every carry, and go back over them."""
        (places,), slots, state = split_list(values, 1, self.n)
        at = read(places, top)
        last = end - at - 1
        carry = [read(s, top) for s in slots]

        def keep(j: Value, *values: Any) -> list[Any]:
            # rows[part][j] is the carry before step at + j.
            carry, rows = split_list(values, self.n)
            rows = [write(r, j, c) for r, c in zip(rows, carry)]
            return [j + 1, *self.step(at + j, carry), *rows]

        start = [number(0), *carry, *[empty(self.stretch, c) for c in carry]]
        values = self.repeat(lambda j, *_: j < last, keep, start)
        _, carry, rows = split_list(values, 1, self.n)
        # The last step itself is not run: its result is not needed, only the carry before it.
        rows = [write(r, last, c) for r, c in zip(rows, carry)]

        def one(j: Value, *state: Any) -> list[Any]:
            return [j - 1, *self.back(at + j, [read(r, j) for r in rows], list(state))]

        state = self.repeat(lambda j, *_: j >= 0, one, [last, *state])[1:]
        return [at, top - 1, places, *slots, *state]

    def further(self, end: Value, top: Value, *values: Any) -> list[Any]:
        """Keep another carry, nearer to the end, at the distance that is best for the slots that
        are free.

        With one free slot and six stretches left, the carry before the sixth is kept: one stretch
        is all that can be reversed after it without a slot.
        """
        (places,), slots, state = split_list(values, 1, self.n)
        at = read(places, top)
        # The number of stretches of the size of a leaf, rounded up: the size is a power of two.
        stretches = (end - at + (self.stretch - 1)) >> (self.stretch.bit_length() - 1)
        free = self.size - 1 - top
        # The least number of repetitions with which the free slots reverse all stretches: the
        # number of entries in their row of the table that are too small.
        too_short = convert_exactly(read(self.table, free) < stretches, int64)
        repetitions = minimum.bind(reduce_sum(too_short, (0,)), REPETITIONS)
        # So many stretches can be reversed from the new carry on, with one free slot less; the new
        # carry is placed in front of them, at least one stretch ahead.
        right = read(read(self.table, maximum.bind(free - 1, 0)), repetitions)
        goal = at + maximum.bind(stretches - right, 1) * self.stretch

        def one(position: Value, *carry: Any) -> list[Any]:
            return [position + 1, *self.step(position, list(carry))]

        carry = [read(s, top) for s in slots]
        _, *carry = self.repeat(lambda position, *_: position < goal, one, [at, *carry])
        top = top + 1
        slots = [write(s, top, c) for s, c in zip(slots, carry)]
        return [end, top, write(places, top, goal), *slots, *state]
