"""Which entries of a Jacobian or a Hessian may be nonzero, without computing the entries."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.core import ZERO, Tracer, describe, state, typeof, with_user_line
from ..primitives.frozen import frozen
from ..primitives.types import is_inexact
from ..trees import tree
from ..trees.arguments import argument, as_values, check_argnums, check_callable, name_of
from .autodiff import Flat, of_chosen
from .dependence import Dependence
from .gradients import grad
from .index_sets import IndexSets, joined
from .jvp import jvp_flat

#: Patterns of so many rows and columns are shown as a picture.
SHOWN = 40


@frozen
class Sparsity:
    """The pattern of a matrix: the places of the entries that may be nonzero, row by row.

    Attributes:
        shape: the numbers of rows and columns.
        rows, cols: the places, sorted by row, then by column.

    Examples:
        >>> import numpy as np
        >>> Sparsity.of(np.tri(3))
        Sparsity(3 x 3, 6 nonzeros, density 0.67)
          x . .
          x x .
          x x x
    """

    shape: tuple[int, int]
    rows: np.ndarray
    cols: np.ndarray

    @staticmethod
    def of(matrix: Any) -> Sparsity:
        """The pattern of a matrix: a `Sparsity`, a SciPy sparse array, or a dense array.

        Raises:
            TypeError: for anything else.
        """
        if isinstance(matrix, Sparsity):
            return matrix
        if hasattr(matrix, "tocoo"):
            coo = matrix.tocoo()
            return Sparsity.from_places(coo.row, coo.col, coo.shape)
        if isinstance(matrix, Tracer):
            raise with_user_line(
                TypeError(f"a pattern must be known, got {matrix}, {matrix.origin()}")
            )
        dense = np.asarray(matrix)
        if dense.ndim != 2 or dense.dtype.kind not in "biufc":
            raise with_user_line(
                TypeError(
                    "a pattern is a dx.Sparsity, a SciPy sparse array or a matrix of booleans or "
                    f"numbers, got {describe(matrix)}"
                )
            )
        rows, cols = np.nonzero(dense)
        return Sparsity(dense.shape, rows, cols)

    @staticmethod
    def from_places(rows: Any, cols: Any, shape: Sequence[int]) -> Sparsity:
        """The pattern with entries at these places, which may be in any order and repeated.

        Raises:
            ValueError: for a place outside of the matrix.
        """
        m, n = (int(k) for k in shape)
        rows, cols = (np.asarray(places, np.int64) for places in (rows, cols))
        for places, size, what in ((rows, m, "row"), (cols, n, "column")):
            if len(places) and not 0 <= places.min() <= places.max() < size:
                raise with_user_line(
                    ValueError(f"a {what} of the pattern is not within a matrix of {m} x {n}")
                )
        return Sparsity((m, n), *IndexSets.from_pairs(rows, cols, m, n).pairs())

    @property
    def nnz(self) -> int:
        """The number of entries that may be nonzero."""
        return len(self.rows)

    @property
    def density(self) -> float:
        """Their share of all entries."""
        return self.nnz / max(1, self.shape[0] * self.shape[1])

    @property
    def T(self) -> Sparsity:
        """The pattern of the transpose."""
        return Sparsity.from_places(self.cols, self.rows, self.shape[::-1])

    def todense(self) -> np.ndarray:
        """The pattern as a matrix of booleans."""
        dense = np.zeros(self.shape, bool)
        dense[self.rows, self.cols] = True
        return dense

    def tocoo(self, values: Any = None) -> Any:
        """A `scipy.sparse.coo_array` with these values, by default True, in the order of `rows`."""
        import scipy.sparse  # heavy, and only sparse results need it

        values = np.ones(self.nnz, bool) if values is None else np.asarray(values)
        return scipy.sparse.coo_array((values, (self.rows, self.cols)), self.shape)

    def tocsr(self, values: Any = None) -> Any:
        """A `scipy.sparse.csr_array` with these values, by default True, in the order of `rows`."""
        import scipy.sparse  # heavy, and only sparse results need it

        values = np.ones(self.nnz, bool) if values is None else np.asarray(values)
        cols, bounds = self._compressed  # copies, since SciPy's methods may write into them
        return scipy.sparse.csr_array((values, cols.copy(), bounds.copy()), self.shape)

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """Where each row begins in `rows` and `cols`, and where the last ends."""
        sizes = np.bincount(self.rows, minlength=self.shape[0])
        return np.concatenate([[0], np.cumsum(sizes)])

    @functools.cached_property
    def _compressed(self) -> tuple[np.ndarray, np.ndarray]:
        """`cols` and `bounds` as SciPy keeps them."""
        small = max(self.nnz, *self.shape) < 2**31
        dtype = np.int32 if small else np.int64
        return self.cols.astype(dtype), self.bounds.astype(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sparsity) and (
            self.shape == other.shape
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.cols, other.cols)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        m, n = self.shape
        text = f"Sparsity({m} x {n}, {self.nnz} nonzeros, density {self.density:.2g})"
        if not 0 < m <= SHOWN or not 0 < n <= SHOWN:
            return text
        lines = [" ".join(["x" if there else "." for there in row]) for row in self.todense()]
        return "\n  ".join([text, *lines])

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.1">{self!r}</pre>'


# --------------------------------------------------------------------------------------------------
# Arguments


class Arguments:
    """The arguments of a call as leaves: those by which is differentiated first, then the rest."""

    def __init__(self, what: str, args: Sequence[Any], kwargs: dict, argnums: Any):
        self.numbers = check_argnums(argnums, len(args), what)
        chosen = tuple([args[n] for n in self.numbers])
        rest = tuple([None if i in self.numbers else a for i, a in enumerate(args)])
        leaves, self.structure = tree.flatten(chosen)
        self.count = len(leaves)
        given, self.rest = tree.flatten((rest, kwargs))
        self.values = as_values(leaves, what, chosen, self.numbers)
        self.others = as_values(given, what, (rest, kwargs))
        for i, v in enumerate(self.values):
            if not is_inexact(v.dtype) or v.dtype.kind == "c":
                where = argument(chosen, i, self.numbers)
                raise with_user_line(
                    TypeError(
                        f"{what}: {where} must be of real floating-point numbers, got "
                        f"{describe(v)}; leave arguments of other types out of argnums, and take a "
                        "complex number apart into its real and imaginary part"
                    )
                )

        self.avals = [typeof(v) for v in self.leaves]
        self.key = (self.structure, self.rest, *[a.strong for a in self.avals])

    def without_values(self) -> Arguments:
        """The same without the numbers."""
        found = copy.copy(self)
        found.values = found.others = []
        return found

    def describe(self) -> str:
        """The types, for messages."""
        return ", ".join(map(str, self.avals)) or "nothing"

    @property
    def leaves(self) -> list[Any]:
        """All leaves."""
        return [*self.values, *self.others]

    @property
    def size(self) -> int:
        """The number of elements by which is differentiated."""
        return sum([v.size for v in self.values])

    def flat(self, fun: Any, others: Sequence[Any], name: str) -> Flat:
        """The function of the chosen leaves, given the others."""
        rest, kwargs = tree.unflatten(self.rest, others)
        return Flat(of_chosen(fun, rest, kwargs, self.numbers), self.structure, name)


def check_results(what: str, outs: Sequence[Any]) -> None:
    """TypeError unless results are real numbers with derivatives."""
    for o in outs:
        dtype = typeof(o).dtype
        if not is_inexact(dtype) or dtype.kind == "c":
            raise with_user_line(
                TypeError(
                    f"{what}: the function returned {describe(o)}; it must return real "
                    "floating-point numbers"
                )
            )


def detect(what: str, fun: Callable, given: Arguments, local: bool) -> Sparsity:
    """The pattern of the Jacobian of a function of trees."""
    total, name = given.size, name_of(fun)
    trace = Dependence(total, name)
    values = given.leaves
    if local and any([isinstance(v, Tracer) for v in values]):
        raise with_user_line(
            TypeError(
                f"{what}: local=True asks for the pattern at the given numbers, which are not "
                "known while the program is traced; call it outside, or leave local out"
            )
        )
    if not local:
        values = [trace.unknown(typeof(v)) for v in values]
    tangents, at = [], 0
    for v in given.values:
        sets = IndexSets.singles(v.size, at, total)
        tangents.append(trace.tracked(typeof(v).strong, sets))
        at += v.size
    before, source = state.trace, state.source
    state.trace = trace
    try:
        flat = given.flat(fun, values[given.count :], name)
        with np.errstate(all="ignore"):
            outs, moved = jvp_flat(flat, values[: given.count], tangents, name)
        check_results(what, outs)
        found = [IndexSets.empty(typeof(o).size, total) if t is ZERO else trace.sets(t)
                 for o, t in zip(outs, moved)]  # fmt: skip
    finally:
        state.trace, state.source, trace.finished = before, source, True
    sets = joined(found, total) if found else IndexSets.empty(0, total)
    return Sparsity((sets.count, total), *sets.pairs())


def symmetric(pattern: Sparsity) -> Sparsity:
    """The pattern together with that of its transpose."""
    rows = np.concatenate([pattern.rows, pattern.cols])
    cols = np.concatenate([pattern.cols, pattern.rows])
    return Sparsity.from_places(rows, cols, pattern.shape)


# --------------------------------------------------------------------------------------------------
# For users


def jacobian_sparsity(
    fun: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    local: bool = False,
    **kwargs: Any,
) -> Sparsity:
    """Which entries of the Jacobian of a function may be nonzero.

    Index sets are sent through the derivative of the function: no entry is computed, and no array
    of rows times columns is made. The pattern contains every entry that forward mode could make
    nonzero. It is exact for indexing, slices, stencils, sums, products with constants, and loops
    and conditionals whose course does not depend on the arguments; where the numbers decide, it
    is that of all courses together.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree, of real numbers.
        *args, **kwargs: its arguments. Without `local`, only their types matter.
        argnums: which positional arguments to differentiate by.
        local: the pattern at the given numbers, which decide conditionals, `where`, maxima and
            indices, instead of one that holds for all arguments of these types.

    Returns:
        The pattern. Rows are the elements of the result, columns those of the chosen arguments:
        the leaves one after the other, each in row-major order.

    Raises:
        TypeError: for arguments or results that are not of real floating-point numbers.
        ValueError: for a pattern with so many nonzeros that a sparse one is no use.

    Examples:
        >>> import diffeo as dx
        >>> jacobian_sparsity(lambda x: x[1:] * x[:-1], dx.numpy.ones(4))
        Sparsity(3 x 4, 6 nonzeros, density 0.5)
          x x . .
          . x x .
          . . x x
    """
    check_callable(fun, "jacobian_sparsity")
    what = f"jacobian_sparsity of {name_of(fun)}"
    return detect(what, fun, Arguments(what, args, kwargs, argnums), local)


def hessian_sparsity(
    fun: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    local: bool = False,
    **kwargs: Any,
) -> Sparsity:
    """Which entries of the Hessian of a scalar function may be nonzero: the pattern of the
    Jacobian of its gradient, made symmetric.

    Arguments, result and errors are those of `jacobian_sparsity`.

    Examples:
        >>> import diffeo as dx
        >>> hessian_sparsity(lambda x: dx.numpy.sum(x[1:] * x[:-1]), dx.numpy.ones(4))
        Sparsity(4 x 4, 6 nonzeros, density 0.38)
          . x . .
          x . x .
          . x . x
          . . x .
    """
    check_callable(fun, "hessian_sparsity")
    what = f"hessian_sparsity of {name_of(fun)}"
    given = Arguments(what, args, kwargs, argnums)
    return symmetric(detect(what, grad(fun, given.numbers), given, local))
