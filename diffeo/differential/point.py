"""Sums of Taylor coefficients of a function at a point, over families of directions.

A `Family` says which directions and which sums; a `Point` is the function with its arguments, and
computes the sums (`Point.sums`). `of_points` makes the functions that users call out of a
computation on a point. Taylor coefficient k along a direction v is the coefficient of t**k in f(x +
t v): the k-th derivative along v, divided by k!.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..api.control_flow.loops import scan
from ..api.derivatives.jets import expand
from ..api.vmap import vmap
from ..numpy.making.creation import asarray, full
from ..primitives.core import Value, describe, typeof, with_user_line
from ..primitives.words.slicing import slice_in_dim
from ..primitives.words.structural import convert_element_type, move_axis, reshape
from ..transforms.taylor.collapsed import Sums, push
from ..transforms.taylor.series import Series
from ..trees import tree
from ..trees.arguments import WRAPPED, as_values, check_argnums, check_callable, name_of
from ..trees.functions import Flat, of_chosen


class Point:
    """A function and the arguments by which it is differentiated, flattened to leaves.

    Read as one vector, the elements of all leaves in order are the point; a direction is a vector
    of that size.

    Attributes:
        what: the operator and the function's name, for messages.
        structure: the structure of the tuple of the chosen arguments.
        values: its leaves.
        one_array: whether a single argument was chosen and is an array.
        flat: the function of the leaves.
        sizes: the numbers of elements of the leaves.
        size: the number of elements of all leaves.
    """

    def __init__(self, what: str, fun: Callable, argnums: Any, args: tuple, kwargs: dict):
        self.what = f"{what} of {name_of(fun)}"
        numbers = check_argnums(argnums, len(args), self.what)
        chosen = tuple([args[n] for n in numbers])
        leaves, self.structure = tree.flatten(chosen)
        self.values = as_values(leaves, self.what, chosen, numbers)
        for v in self.values:
            if v.dtype.kind not in "fV":
                raise with_user_line(
                    TypeError(
                        f"{self.what}: derivatives are taken by real floating-point arguments, "
                        f"got {describe(v)}; pass floats, or choose other arguments with argnums"
                    )
                )
        only = tree.structure(chosen[0]) if isinstance(argnums, int) else None
        self.one_array = only is not None and tree.treedef_is_leaf(only)
        self.flat = Flat(of_chosen(fun, args, kwargs, numbers), self.structure, name_of(fun))
        self.sizes = [v.size for v in self.values]
        self.size = sum(self.sizes)

    def moves(self, directions: Value) -> list[Any]:
        """Split the rows of a matrix of directions into one array for each leaf.

        For leaves of the shapes (2,) and (3, 1) and k directions, a (k, 5) matrix becomes arrays of
        the shapes (k, 2) and (k, 3, 1), in the leaves' dtypes.
        """
        parts, at = [], 0
        for v, n in zip(self.values, self.sizes):
            columns = slice_in_dim(directions, at, at + n, axis=1)
            rows = reshape(columns, (directions.shape[0], *v.shape))
            parts.append(convert_element_type(rows, v.dtype))
            at += n
        return parts

    def result(self, outs: Sequence[Any]) -> Any:
        """Return the function's results as a tree."""
        return tree.unflatten(self.flat.out_tree, outs)

    def must_be_array(self, ndim: int | None = None) -> Any:
        """Return the point if it is one array, with `ndim` axes unless None.

        A TypeError is raised if it is not.
        """
        if self.one_array and ndim in (None, self.values[0].ndim):
            return self.values[0]
        expectation = "one array" if ndim is None else "one vector"
        types = tree.unflatten(self.structure, [typeof(v) for v in self.values])
        raise with_user_line(
            TypeError(f"{self.what}: expects {expectation} to differentiate by, got {types}")
        )

    def with_gradient(self, family: Family) -> list[list[Any]]:
        """Return the values, the sums, and the gradients; the point must be one array.

        The directions must be all unit vectors: the first coefficient along each is then an entry
        of the gradient. The axes of the point are the last ones of each gradient.
        """
        moves, size = self._moves(family), family.count
        sums = Sums(family.order, family.weights, each=True)
        values, totals, _, each = push(self.flat, self.values, moves, size, sums)
        shape = self.values[0].shape
        gradients = [move_axis(e, 0, e.ndim - 1) for e in each]
        return [values, totals, [reshape(e, (*e.shape[:-1], *shape)) for e in gradients]]

    def coefficients(self, directions: Value, order: int) -> list[Any]:
        """Return coefficient `order` along each row of a matrix, for each result; rows in front."""
        along = lambda *moves: self._series(moves, order)
        return vmap(along)(*self.moves(directions))

    def _series(self, moves: Sequence[Any], order: int) -> list[Any]:
        series = [Series([x, v]) for x, v in zip(self.values, moves)]
        return [o[order] for o in expand(self.flat, series, order)]

    def sums(self, family: Family, chunk: int | None = None) -> list[list[Any]]:
        """Return the values and the sums that a family asks for, each a list of arrays.

        The lists are: the values of the function; the sums of coefficient `family.order`; and the
        sums for each of `family.degrees`. At most `chunk` directions are computed at a time.
        """
        if family.count == 1:
            return self._along(family)
        if chunk is None or chunk >= family.count:
            return self._at_once(family)
        values: list[Any] = []

        def totals(arrays: tuple) -> list[list[Any]]:
            rows, weights, others = arrays
            part = Family(family.order, rows, weights, others, family.degrees)
            first, *sums = self._at_once(part)
            values.append(first)
            return sums

        arrays = (family.directions, family.weights, family.others)
        sums = sum_of_chunks(totals, arrays, chunk)
        # The values are the same for all chunks. Those of the first chunk are taken, which is
        # computed outside of the loop; the others are tracers of the loop's body.
        return [values[0], *sums]

    def _at_once(self, family: Family) -> list[list[Any]]:
        """Return the values and sums of a family, with all its directions in one pass."""
        others = list(zip(family.degrees, family.others))
        sums = Sums(family.order, family.weights, others)
        moves, size = self._moves(family), family.count
        values, totals, lower, _ = push(self.flat, self.values, moves, size, sums)
        return [values, totals, *lower]

    def _moves(self, family: Family) -> list[Any] | None:
        """Return the directions for each leaf.

        None stands for the unit vectors of a single leaf.
        """
        return None if family.basis and len(self.values) == 1 else self.moves(family.directions)

    def _along(self, family: Family) -> list[list[Any]]:
        """Return the values and sums of a family with one direction: a plain Taylor series."""
        moves = self.moves(family.directions)
        series = [Series([x, v[0]]) for x, v in zip(self.values, moves)]
        outs = expand(self.flat, series, family.order)
        times = lambda c, w: c if w is None else c * convert_element_type(w[0], c.dtype)
        requests = [(family.order, family.weights), *zip(family.degrees, family.others)]
        return [[o[0] for o in outs], *[[times(o[k], w) for o in outs] for k, w in requests]]


def of_points(
    what: str, fun: Callable, argnums: Any, compute: Callable[[Point, tuple], Any]
) -> Callable:
    """Return a function with the arguments of `fun` that computes something at their point.

    Args:
        what: the name of the operator, for messages.
        fun: the function of the user's.
        argnums: the positions of the arguments that make up the point.
        compute: called with the `Point` and the positional arguments.
    """
    check_callable(fun, what)

    @functools.wraps(fun, assigned=WRAPPED)
    def at(*args: Any, **kwargs: Any) -> Any:
        return compute(Point(what, fun, argnums, args, kwargs), args)

    return at


def sum_of_chunks(compute: Callable, rows: Any, chunk: int | None) -> Any:
    """Return the sum of `compute` over a tree of arrays, at most `chunk` rows at a time.

    For 7 rows and chunk=3, it is compute(row 0) + compute(rows 1 to 3) + compute(rows 4 to 6), the
    last two in a loop.
    """
    count = tree.leaves(rows)[0].shape[0]
    if chunk is None or chunk >= count:
        return compute(rows)
    # The first chunk takes the remainder, and its result starts the loop's sum.
    cut = count % chunk or chunk
    steps = (count - cut) // chunk
    pieces = tree.map(lambda x: reshape(x[cut:], (steps, chunk, *x.shape[1:])), rows)

    def step(total: Any, piece: Any) -> tuple[Any, None]:
        return tree.map(lambda a, b: a + b, total, compute(piece)), None

    return scan(step, compute(tree.map(lambda x: x[:cut], rows)), pieces)[0]


class Family:
    """Directions, and the sums of Taylor coefficients that are wanted along them.

    Args:
        order: the highest coefficient that is summed.
        directions: the directions as rows of a matrix; or an integer n, for the n unit vectors.
        weights: by which coefficient `order` along each direction is multiplied (None: by 1).
        others: for each of `degrees`, the weights of a further sum.
        degrees: lower coefficients, which are summed too.
    """

    def __init__(
        self,
        order: int,
        directions: Any,
        weights: Any = None,
        others: Sequence[Any] = (),
        degrees: Sequence[int] = (),
    ):
        self.basis = isinstance(directions, int)
        self.count = directions if self.basis else directions.shape[0]
        self._rows = None if self.basis else asarray(directions)
        self.order, self.degrees = order, tuple(degrees)
        self.weights = None if weights is None else asarray(weights)
        self.others = [asarray(w) for w in others]

    @property
    def directions(self) -> Any:
        """The matrix of directions. That of unit vectors is made when it is asked for."""
        return asarray(np.eye(self.count)) if self._rows is None else self._rows

    def chosen(self, positions: Any, factor: float) -> Family:
        """Return the family of some of the directions, their weights times a factor."""
        subset = self.rows(lambda x: x[positions])
        weights = full((len(positions),), 1.0) if subset.weights is None else subset.weights
        subset.weights, subset.others = weights * factor, [w * factor for w in subset.others]
        return subset

    def rows(self, take: Callable[[Any], Any]) -> Family:
        """Return the family with `take` applied to the directions and to all weights."""
        weights = None if self.weights is None else take(self.weights)
        others = [take(w) for w in self.others]
        return Family(self.order, take(self.directions), weights, others, self.degrees)
