"""A function at a point, of which sums of Taylor coefficients over directions are taken."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..api.control_flow.loops import scan
from ..api.derivatives.jets import expand
from ..api.vmap import vmap
from ..numpy.making.creation import asarray, full
from ..primitives.core import describe, typeof, with_user_line
from ..primitives.words.slicing import slice_in_dim
from ..primitives.words.structural import convert_element_type, move_axis, reshape
from ..transforms.taylor.collapsed import Sums, push
from ..transforms.taylor.series import Series
from ..trees import tree
from ..trees.arguments import WRAPPED, as_values, check_argnums, check_callable, name_of
from ..trees.functions import Flat, of_chosen


class Point:
    """A function and the arguments by which it is differentiated, flattened to one vector.

    Attributes:
        flat: the function of the leaves.
        values: the leaves.
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
        alone = tree.structure(chosen[0]) if isinstance(argnums, int) else None
        self.one_array = alone is not None and tree.treedef_is_leaf(alone)
        self.flat = Flat(of_chosen(fun, args, kwargs, numbers), self.structure, name_of(fun))
        self.sizes = [v.size for v in self.values]
        self.size = sum(self.sizes)

    def moves(self, directions: Any) -> list[Any]:
        """The directions, rows of a matrix, as arrays of the shapes of the leaves, rows in
        front.
        """
        found, at = [], 0
        for v, n in zip(self.values, self.sizes):
            part = slice_in_dim(directions, at, at + n, axis=1)
            rows = reshape(part, (directions.shape[0], *v.shape))
            found.append(convert_element_type(rows, v.dtype))
            at += n
        return found

    def result(self, outs: Sequence[Any]) -> Any:
        """The function's result as a tree."""
        return tree.unflatten(self.flat.out_tree, outs)

    def must_be_array(self, ndim: int | None = None) -> Any:
        """The point, if it is one array (of so many axes); TypeError if it is not."""
        if self.one_array and ndim in (None, self.values[0].ndim):
            return self.values[0]
        wanted = "one array" if ndim is None else "one vector"
        given = tree.unflatten(self.structure, [typeof(v) for v in self.values])
        raise with_user_line(
            TypeError(f"{self.what}: expects {wanted} to differentiate by, got {given}")
        )

    def with_gradient(self, family: Family) -> list[list[Any]]:
        """The values, the sums, and the gradient, if the directions are a basis."""
        moves, size = self._moves(family), family.count
        wanted = Sums(family.order, family.weights, each=True)
        values, totals, _, each = push(self.flat, self.values, moves, size, wanted)
        shape = self.values[0].shape
        last = [move_axis(e, 0, e.ndim - 1) for e in each]
        return [values, totals, [reshape(e, (*e.shape[:-1], *shape)) for e in last]]

    def coefficients(self, directions: Any, order: int) -> list[Any]:
        """Coefficient `order` along each row of a matrix, for each result."""
        along = lambda *moves: self._series(moves, order)
        return vmap(along)(*self.moves(directions))

    def _series(self, moves: Sequence[Any], order: int) -> list[Any]:
        series = [Series([x, v]) for x, v in zip(self.values, moves)]
        return [o[order] for o in expand(self.flat, series, order)]

    def sums(self, family: Family, chunk: int | None = None) -> list[list[Any]]:
        """The values, and what the family asks for, each a list of arrays; at most `chunk`
        directions at a time.
        """
        if family.count == 1:
            return self._along(family)
        if chunk is None or chunk >= family.count:
            return self._at_once(family)
        values: list[Any] = []

        def totals(arrays: tuple) -> list[list[Any]]:
            rows, weights, others = arrays
            part = Family(family.order, rows, weights, others, family.degrees)
            found, *sums = self._at_once(part)
            values.append(found)
            return sums

        arrays = (family.directions, family.weights, family.others)
        sums = sum_of_chunks(totals, arrays, chunk)
        return [values[0], *sums]  # of the first chunk, which stands outside of the loop

    def _at_once(self, family: Family) -> list[list[Any]]:
        others = list(zip(family.degrees, family.others))
        wanted = Sums(family.order, family.weights, others)
        moves, size = self._moves(family), family.count
        values, totals, lower, _ = push(self.flat, self.values, moves, size, wanted)
        return [values, totals, *lower]

    def _moves(self, family: Family) -> list[Any] | None:
        """The directions for each leaf; None for the unit vectors of a single one."""
        return None if family.basis and len(self.values) == 1 else self.moves(family.directions)

    def _along(self, family: Family) -> list[list[Any]]:
        """A single direction: a power series, with nothing to sum."""
        moves = self.moves(family.directions)
        series = [Series([x, v[0]]) for x, v in zip(self.values, moves)]
        outs = expand(self.flat, series, family.order)
        times = lambda c, w: c if w is None else c * convert_element_type(w[0], c.dtype)
        wanted = [(family.order, family.weights), *zip(family.degrees, family.others)]
        return [[o[0] for o in outs], *[[times(o[k], w) for o in outs] for k, w in wanted]]


def of_points(
    what: str, fun: Callable, argnums: Any, compute: Callable[[Point, tuple], Any]
) -> Callable:
    """A function with the arguments of `fun` that computes something at the point."""
    check_callable(fun, what)

    @functools.wraps(fun, assigned=WRAPPED)
    def at(*args: Any, **kwargs: Any) -> Any:
        return compute(Point(what, fun, argnums, args, kwargs), args)

    return at


def sum_of_chunks(compute: Callable, rows: Any, chunk: int | None) -> Any:
    """The sum of `compute` over a tree of arrays, some of their rows at a time."""
    count = tree.leaves(rows)[0].shape[0]
    if chunk is None or chunk >= count:
        return compute(rows)
    cut = count % chunk or chunk
    steps = (count - cut) // chunk
    pieces = tree.map(lambda x: reshape(x[cut:], (steps, chunk, *x.shape[1:])), rows)

    def step(total: Any, piece: Any) -> tuple[Any, None]:
        return tree.map(lambda a, b: a + b, total, compute(piece)), None

    return scan(step, compute(tree.map(lambda x: x[:cut], rows)), pieces)[0]


class Family:
    """Directions, rows of a matrix, or all unit vectors of a number of elements; and the sums that
    are wanted of them: of coefficient `order`, by `weights` (1 if None), and of coefficients of
    lower `degrees`, by the weights `others`.
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
        """The matrix, made when it is asked for."""
        return asarray(np.eye(self.count)) if self._rows is None else self._rows

    def chosen(self, positions: Any, factor: float) -> Family:
        """Some of the directions, their weights times a factor."""
        some = self.rows(lambda x: x[positions])
        weights = full((len(positions),), 1.0) if some.weights is None else some.weights
        some.weights, some.others = weights * factor, [w * factor for w in some.others]
        return some

    def rows(self, take: Callable[[Any], Any]) -> Family:
        """The same family with something done to each array."""
        weights = None if self.weights is None else take(self.weights)
        others = [take(w) for w in self.others]
        return Family(self.order, take(self.directions), weights, others, self.degrees)
