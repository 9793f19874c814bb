"""Checkpointing: the carries of a loop that reverse mode keeps, in a fixed number of slots.

While the loop runs, and nobody knows for how long, `record` keeps carries at a regular distance;
when the slots are full, every second one is given up and the distance doubles (as in Stumm and
Walther, "New algorithms for optimal online checkpointing", SIAM J. Sci. Comput. 32, 2010, and Wang,
Moin and Iaccarino, "Minimal repetition dynamic checkpointing", ibid. 31, 2009, simplified).
`go_back` then walks from the last step to the first. Between two kept carries it places further
ones at the distances that are optimal for a known length (Griewank and Walther, "Algorithm 799:
revolve", ACM Trans. Math. Softw. 26, 2000); the shortest stretches are run with every carry kept.
With s free slots and r repetitions (s + r choose s) stretches are reversed.

Both are written over `repeat(going, step, values)`, a while loop of primitives that they are
handed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import Array
from .control_flow import choose, split_list
from .core import typeof
from .elementwise import maximum, minimum
from .families import full
from .indexing import dynamic_slice, dynamic_update_slice
from .slicing import concatenate, pad, slice_in_dim
from .structural import convert_element_type, expand_dims, iota, reduce_sum, squeeze
from .types import int32, int64

#: Steps that `go_back` runs in one stretch, keeping every carry.
LEAF = 32
#: How often a stretch may be run again, in the table of distances.
REPETITIONS = 40


def number(n: int) -> Any:
    """A counter."""
    return full((), n, int64)


def read(x: Any, i: Any) -> Any:
    """x[i] along the first axis, for a traced i in range."""
    zero = number(0)
    shape = typeof(x).shape
    return squeeze(dynamic_slice(x, [i] + [zero] * (len(shape) - 1), (1, *shape[1:])), (0,))


def write(x: Any, i: Any, value: Any) -> Any:
    """x with x[i] replaced."""
    zero = number(0)
    return dynamic_update_slice(x, expand_dims(value, (0,)), [i] + [zero] * typeof(value).ndim)


def empty(count: int, like: Any) -> Any:
    """Slots for arrays of a type."""
    aval = typeof(like)
    return full((count, *aval.shape), 0, aval.dtype)


def counts(checkpoints: int) -> tuple[int, int]:
    """The slots that `record` fills, an even number, and those of `go_back` in all."""
    return max(2, checkpoints // 4 * 2), max(4, checkpoints)


def record(
    repeat: Callable, going: Callable, step: Callable, carry: list, ys: list, checkpoints: int
) -> tuple[list, list, list]:
    """Run a loop -> (carry, ys, and what `go_back` must know: the number of steps, of slots in use,
    the distance between them, and the slots).

    `going(position, carry)` says whether there is a next step, `step(position, carry, ys)` is it.
    """
    size, _ = counts(checkpoints)
    n, m = len(carry), len(ys)

    def thinned(distance: Any, *slots: Any) -> list[Any]:
        half = [slice_in_dim(s, 0, size, 2) for s in slots]
        return [distance * 2, number(size // 2),
                *[concatenate([h, h]) for h in half]]  # fmt: skip

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

        def goes(position: Any, *values: Any) -> Any:
            return (position < end) & going(position, values[:n])

        def one(position: Any, *values: Any) -> list[Any]:
            carry, ys = step(position, list(values[:n]), list(values[n:]))
            return [position + 1, *carry, *ys]

        position, *rest = repeat(goes, one, [position, *carry, *ys])
        return [position, used + 1, distance, *rest, *slots]

    start = [number(0), number(0), number(1), *carry, *ys, *[empty(size, c) for c in carry]]
    values = repeat(lambda position, *v: going(position, v[2 : 2 + n]), stretch, start)
    state, carry, ys, slots = split_list(values, 3, n, m)
    return carry, ys, [*state, *slots]


def distances(slots: int) -> np.ndarray:
    """(s + r choose s) for s free slots and r repetitions, as far as numbers go."""
    most = 2**62
    return np.array(
        [
            [min(most, math.comb(s + r, s)) for r in range(REPETITIONS + 1)]
            for s in range(slots + 1)
        ]
    )


def go_back(
    repeat: Callable, step: Callable, back: Callable, kept: Sequence[Any], state: list,
    checkpoints: int,
) -> list:  # fmt: skip
    """Walk over the steps of a recorded loop from the last to the first -> the final state.

    `step(position, carry) -> carry` is a step of the loop, `back(position, carry, state) -> state`
    what is to be done at each, given the carry that it started with.
    """
    (end, used, distance), slots = kept[:3], list(kept[3:])
    first, size = counts(checkpoints)
    table = Array(distances(size))
    n = len(slots)

    def forward(position: Any, carry: Sequence[Any], steps: Any) -> list[Any]:
        end = position + steps

        def one(position: Any, *carry: Any) -> list[Any]:
            return [position + 1, *step(position, list(carry))]

        return repeat(lambda p, *_: p < end, one, [position, *carry])[1:]

    def leaf(end: Any, top: Any, *values: Any) -> list[Any]:
        """Run the last stretch, keeping every carry, and go back over it."""
        (places,), slots, state = split_list(values, 1, n)
        at = read(places, top)
        gap = end - at
        carry = [read(s, top) for s in slots]

        def keep(j: Any, *values: Any) -> list[Any]:
            carry, rows = split_list(values, n)
            rows = [write(r, j, c) for r, c in zip(rows, carry)]
            return [j + 1, *step(at + j, carry), *rows]

        last = gap - 1
        values = repeat(
            lambda j, *_: j < last, keep,
            [number(0), *carry, *[empty(LEAF, c) for c in carry]],
        )  # fmt: skip
        _, carry, rows = split_list(values, 1, n)
        rows = [write(r, last, c) for r, c in zip(rows, carry)]

        def one(j: Any, *state: Any) -> list[Any]:
            carry = [read(r, j) for r in rows]
            return [j - 1, *back(at + j, carry, list(state))]

        state = repeat(lambda j, *_: j >= 0, one, [last, *state])[1:]
        return [at, top - 1, places, *slots, *state]

    def further(end: Any, top: Any, *values: Any) -> list[Any]:
        """Place another carry, nearer to the end."""
        (places,), slots, state = split_list(values, 1, n)
        at = read(places, top)
        stretches = (end - at + (LEAF - 1)) >> (LEAF.bit_length() - 1)  # LEAF is a power of two
        free = size - 1 - top
        row = read(table, free)
        needed = convert_element_type(row < stretches, int64)
        repetitions = minimum.bind(reduce_sum(needed, (0,)), REPETITIONS)
        right = read(read(table, maximum.bind(free - 1, 0)), repetitions)
        steps = maximum.bind(stretches - right, 1) * LEAF
        carry = forward(at, [read(s, top) for s in slots], steps)
        top = top + 1
        places = write(places, top, at + steps)
        return [end, top, places, *[write(s, top, c) for s, c in zip(slots, carry)], *state]

    def one(end: Any, top: Any, *values: Any) -> list[Any]:
        gap = end - read(values[0], top)
        near = convert_element_type(gap <= LEAF, int32)
        return choose(near, [further, leaf], [end, top, *values])

    places = iota(int64, (size,)) * distance
    more = [pad(s, [0] * typeof(s).ndim, [size - first] + [0] * (typeof(s).ndim - 1)) for s in slots]
    values = [end, used - 1, places, *more, *state]
    return repeat(lambda end, *_: end > 0, one, values)[3 + n :]
