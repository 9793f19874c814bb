"""Sparse Jacobians and Hessians, from few products of the derivative with directions.

The pattern of a derivative says which entries may be nonzero. A colouring gives columns one colour
if no row has a nonzero in two of them. The product of the Jacobian with the sum of the unit vectors
of one colour then shows each nonzero of these columns alone, so there are as many products as
colours:

    [a 0 b]   [1 0]   [a b]      columns 0 and 1 share no row and have one colour,
    [0 c d] @ [1 0] = [c d]      column 2 has the other: two products show four nonzeros
              [0 1]

Rows and reverse mode work alike. `SparseDerivative` is the public function, `PreparedSparse` holds
pattern, colouring and compiled programs for arguments of certain types, and `_Linearized` computes
products.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.constants import full, full_like
from ...primitives.core import Tracer, Value, describe, state, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.stand_ins import ZERO
from ...primitives.words.elementwise import absolute, eq
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import ScatterAdd
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import (
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    iota,
    reshape,
)
from ...transforms.batching import Batching
from ...transforms.linearize import linearize_flat
from ...transforms.sparsity.colorings import Coloring, check_ordering, color_hessian, color_jacobian
from ...transforms.sparsity.detection import ChosenArguments, check_results, detect
from ...transforms.sparsity.pattern import Sparsity, symmetric
from ...transforms.sparsity.substitution import taken
from ...transforms.transpose import pull_back_program
from ...trees.arguments import WRAPPED, check_callable, name_of
from ..jit import jit
from .gradients import grad

#: The methods of colouring that each public function accepts.
METHODS = {
    "sparse_jacobian": ("auto", "column", "row", "bidirectional"),
    "sparse_hessian": ("auto", "star", "acyclic"),
}


class SparseDerivative:
    """A function that returns the sparse Jacobian or Hessian of another function.

    `sparse_jacobian` and `sparse_hessian` return it, and explain the options.
    """

    def __init__(
        self,
        kind: str,
        fun: Callable,
        argnums: int | Sequence[int],
        sparsity: Any,
        method: str,
        ordering: str,
        local: bool,
        check: Any,
    ):
        check_callable(fun, kind)
        if method not in METHODS[kind]:
            raise with_user_line(
                ValueError(
                    f"{kind}: method must be one of {', '.join(METHODS[kind])}, got {method!r}"
                )
            )
        check_ordering(ordering)
        if not any([check is c for c in (None, False, True)]) and check != "probe":
            raise with_user_line(
                ValueError(f'{kind}: check must be True, False or "probe", got {describe(check)}')
            )
        functools.update_wrapper(self, fun, WRAPPED, ())
        self.kind, self.fun, self.argnums = kind, fun, argnums
        self.sparsity = None if sparsity is None else Sparsity.of(sparsity)
        self.method, self.ordering, self.local = method, ordering, local
        # A pattern that was found for all arguments of these types needs no check.
        certain = sparsity is None and not local
        self.check = (False if certain else "probe") if check is None else check
        #: One entry for each key of arguments: their structures and types.
        self.prepared: dict[Any, PreparedSparse] = {}

    @property
    def what(self) -> str:
        """The name of the derivative, for messages."""
        return f"{self.kind} of {name_of(self.fun)}"

    def prepare(self, *args: Any, **kwargs: Any) -> PreparedSparse:
        """Find the pattern and the colouring for arguments of these types (with `local`, these
        numbers). Later calls with arguments of these types use the same.

        Returns:
            The derivative for these types: `sparsity`, `coloring`, `colors` (the number of
            products), `values(*args)` and calls.

        Examples:
            >>> import diffeo as dx
            >>> prepared = sparse_jacobian(lambda x: x[1:] * x[:-1]).prepare(dx.numpy.ones(4))
            >>> prepared.colors, prepared.values(dx.numpy.array([1.0, 2.0, 3.0, 4.0]))
            (2, Array([2., 1., 3., 2., 4., 3.]))
        """
        return self.of(ChosenArguments(self.what, args, kwargs, self.argnums))

    def of(self, given: ChosenArguments) -> PreparedSparse:
        """Return the derivative for arguments of these types; prepare it at the first time."""
        entry = self.prepared.get(given.key)
        if entry is None:
            entry = self.prepared[given.key] = PreparedSparse(self, given)
        return entry

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        chosen = ChosenArguments(self.what, args, kwargs, self.argnums)
        return self.of(chosen).matrix(chosen)

    def __repr__(self) -> str:
        return f"<{self.what}>"


class PreparedSparse:
    """A sparse derivative for arguments of certain types.

    Attributes:
        sparsity: the pattern.
        coloring: which products are taken, and where the nonzeros stand in the products.
    """

    def __init__(self, derivative: SparseDerivative, given: ChosenArguments):
        self.what, self.argnums = derivative.what, derivative.argnums
        self.check, fun = derivative.check, derivative.fun
        # A Hessian is the Jacobian of the gradient, with a symmetric pattern.
        symmetrical = derivative.kind == "sparse_hessian"
        self.fun = grad(fun, given.numbers) if symmetrical else fun
        self.given = given.without_values()
        pattern = derivative.sparsity
        if pattern is None:
            pattern = detect(self.what, self.fun, given, derivative.local)
        elif pattern.shape[1] != given.size or (symmetrical and len({*pattern.shape}) > 1):
            n = given.size
            raise with_user_line(
                ValueError(
                    f"{self.what}: the given pattern is {pattern.shape[0]} x {pattern.shape[1]}, "
                    f"but there are {n} variables: expected {n if symmetrical else '...'} x {n}"
                )
            )
        self.sparsity = symmetric(pattern) if symmetrical else pattern
        color = color_hessian if symmetrical else color_jacobian
        self.coloring: Coloring = color(self.sparsity, derivative.method, derivative.ordering)
        self._jitted = jit(lambda *leaves: self._evaluate(leaves, None)[0])
        self._probed = jit(self._with_probe)

    @property
    def colors(self) -> int:
        """The number of products that an evaluation takes."""
        return self.coloring.count

    def values(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the nonzeros, an array in the order of `sparsity.rows` and `sparsity.cols`.

        This may be traced: compiled, differentiated, vectorised.

        Raises:
            TypeError: for arguments of other types than the derivative was prepared for.
            ValueError: if a check finds nonzeros outside of the pattern (see `sparse_jacobian`).
        """
        return self._values(ChosenArguments(self.what, args, kwargs, self.argnums))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.matrix(ChosenArguments(self.what, args, kwargs, self.argnums))

    def __repr__(self) -> str:
        m, n = self.sparsity.shape
        return (
            f"<{self.what}: {m} x {n}, {self.sparsity.nnz} nonzeros, {self.colors} products, "
            f"{self.coloring.method}>"
        )

    def matrix(self, given: ChosenArguments) -> Any:
        """Return the derivative as a `scipy.sparse.csr_array`, or as (rows, cols, values).

        It is a triple if the values are traced, or SciPy is not installed.
        """
        values, pattern = self._values(given), self.sparsity
        triple = Array(pattern.rows), Array(pattern.cols), values
        if isinstance(values, Tracer):
            return triple
        try:
            return pattern.tocsr(values)
        except ImportError:
            return triple

    # -- Evaluation --

    def _values(self, given: ChosenArguments) -> Any:
        """Compute the nonzeros, with the check that `self.check` asks for unless traced."""
        if given.key != self.given.key:
            raise with_user_line(
                TypeError(
                    f"{self.what} was prepared for {self.given.describe()}, got "
                    f"{given.describe()}; prepare it for these, too"
                )
            )
        leaves = given.leaves
        if not state.trace.eager or any([isinstance(v, Tracer) for v in leaves]):
            return self._evaluate(leaves, None)[0]
        if self.check is False:
            return self._jitted(*leaves)
        if self.check is True:
            values = self._jitted(*leaves)
            self._compare(np.asarray(values), leaves)
            return values
        values, *sides = self._probed(*leaves)
        self._judge(*[np.asarray(s, np.float64) for s in sides])
        return values

    def _evaluate(self, leaves: Sequence[Any], probe: Value | None) -> tuple[Any, Any]:
        """Compute the nonzeros, and the products with the directions in the rows of `probe`.

        The second result has a product in each row; it is None without a `probe`.
        """
        count, coloring = self.given.count, self.coloring
        name = name_of(self.fun)
        flat = self.given.flat(self.fun, leaves[count:], name)
        with np.errstate(all="ignore"):
            outs, program, has_tangent = linearize_flat(flat, leaves[:count], name)
            check_results(self.what, outs)
            derivative = _Linearized(program, has_tangent, leaves[:count], outs)
            if derivative.m != self.sparsity.shape[0]:
                raise with_user_line(
                    ValueError(
                        f"{self.what}: the pattern has {self.sparsity.shape[0]} rows, but the "
                        f"function returns {derivative.m} elements"
                    )
                )
            more = None if probe is None else derivative.push(probe)
            if not self.sparsity.nnz:
                return full((0,), 0, derivative.dtype), more
            products = []
            if coloring.forward:
                products.append(derivative.push(_seeds(coloring.columns, coloring.forward)))
            if coloring.backward:
                products.append(derivative.pull(_seeds(coloring.rows, coloring.backward)))
            # All products in one vector, forward mode first; `coloring` counts places in it.
            elements = concatenate([reshape(p, (p.size,)) for p in products])
            if coloring.substitution is not None:
                return coloring.substitution.apply(elements), more
            return taken(elements, coloring.places), more  # type: ignore[arg-type]

    # -- Checks --

    def _with_probe(self, *leaves: Any) -> tuple[Any, Any, Any, Any]:
        """Compute the nonzeros together with a check by one direction.

        Returns:
            The nonzeros; the product of the derivative with the direction, by forward mode; the
            same product computed from the nonzeros; and, for the size of rounding errors, the sum
            of the absolute values of its terms.
        """
        m, n = self.sparsity.shape
        # The elements of the direction have sizes from 0.5 to 1.5 and random signs, so no entry is
        # hidden by a factor near 0.
        random = np.random.default_rng(0)
        direction = random.uniform(0.5, 1.5, n) * random.choice([-1.0, 1.0], n)
        values, more = self._evaluate(leaves, Array(direction[None]))
        terms = values * convert_element_type(Array(direction[self.sparsity.cols]), values.dtype)
        # Sum the terms of each row: `ScatterAdd` adds term k to element rows[k].
        add = ScatterAdd(IndexDims((), (0,), (0,)))
        zeros = full((m,), 0, values.dtype)
        rows = Array(self.sparsity.rows[:, None])
        sums, sizes = (add.bind(zeros, rows, t) for t in (terms, absolute.bind(terms)))
        return values, reshape(more, (m,)), sums, sizes

    def _judge(self, product: np.ndarray, sums: np.ndarray, sizes: np.ndarray) -> None:
        """Raise ValueError if a product differs from the one that was computed from nonzeros."""
        with np.errstate(invalid="ignore"):
            wrong = np.abs(product - sums) > self._tolerance() * (np.abs(product) + sizes)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise with_user_line(
                ValueError(
                    f"{self.what}: row {row} has nonzeros outside of the pattern: its product with "
                    f"a direction is {product[row]:.6g}, by the nonzeros of the pattern "
                    f"{sums[row]:.6g}.\n  A pattern that was found with local=True holds where the "
                    "numbers take the same course; leave local out, or find it anew here"
                )
            )

    def _compare(self, values: np.ndarray, leaves: Sequence[Any]) -> None:
        """Compute the dense derivative; raise ValueError for the first entry that differs."""
        m, n = self.sparsity.shape
        dense = np.asarray(self._evaluate(leaves, Array(np.eye(n)))[1], np.float64).T
        sparse = np.zeros((m, n))
        sparse[self.sparsity.rows, self.sparsity.cols] = values
        # Errors are measured by the largest finite entry of the row.
        size = np.max(np.abs(dense), 1, keepdims=True, initial=0, where=np.isfinite(dense))
        with np.errstate(invalid="ignore"):
            wrong = np.abs(dense - sparse) > self._tolerance() * size
        wrong |= np.isnan(dense) != np.isnan(sparse)
        if wrong.any():
            i, j = (int(k) for k in np.argwhere(wrong)[0])
            raise with_user_line(
                ValueError(
                    f"{self.what}: entry ({i}, {j}) is {dense[i, j]:.6g}, in the sparse result "
                    f"{sparse[i, j]:.6g}: the pattern does not hold at this point"
                )
            )

    def _tolerance(self) -> float:
        """Return the relative error that checks allow: half of the digits, 1e-6 at least."""
        dtypes = [a.dtype for a in self.given.avals]
        return max([1e-6, *[np.sqrt(float(_eps(d))) for d in dtypes]])


def _eps(dtype: np.dtype) -> float:
    """Return the distance from 1 to the next number of a dtype; 2**-7 for small dtypes."""
    one = np.ones((), dtype)
    return float(np.nextafter(one, one + one) - one) if dtype.itemsize >= 4 else 2.0**-7


def _seeds(colors: Any, count: int) -> Any:
    """Return the directions of the products: row c is the sum of the unit vectors of colour c.

    Colours [0, 0, 1] give [[1, 1, 0], [0, 0, 1]], as booleans.
    """
    shape = (count, len(colors))
    return eq.bind(broadcast_in_dim(Array(colors), shape, (1,)), iota(np.int64, shape))


class _Linearized:
    """The derivative at a point as a matrix: all leaves of the arguments, and all leaves of the
    result, are one vector each. `m` is the number of rows.
    """

    def __init__(
        self,
        program: Jaxpr,
        has_tangent: Sequence[bool],
        values: Sequence[Any],
        outs: Sequence[Any],
    ):
        self.program, self.has_tangent = program, has_tangent
        self.ins = [typeof(v).strong for v in values]
        self.outs = [typeof(o).strong for o in outs]
        self.m = sum([a.size for a in self.outs])
        self.dtype = np.result_type(*[a.dtype for a in (self.outs or self.ins)])

    def push(self, rows: Value) -> Any:
        """Multiply the derivative by each row of `rows`; the products are rows, too."""

        def compute(*tangents: Any) -> list[Any]:
            slopes = iter(eval_jaxpr(self.program, tangents))
            return [
                next(slopes) if has else full_like(a, 0)
                for has, a in zip(self.has_tangent, self.outs)
            ]

        return self._apply(compute, rows, self.ins, self.outs)

    def pull(self, rows: Value) -> Any:
        """Multiply each row of `rows` by the derivative; the products are rows, too."""

        def compute(*cts: Any) -> list[Any]:
            moving = [c for c, has in zip(cts, self.has_tangent) if has]
            pulled = pull_back_program(self.program, moving)
            return [full_like(a, 0) if c is ZERO else c for c, a in zip(pulled, self.ins)]

        return self._apply(compute, rows, self.outs, self.ins)

    def _apply(
        self, compute: Callable, rows: Value, ins: Sequence[Any], outs: Sequence[Any]
    ) -> Any:
        """Apply a function of leaves to each row, vectorised.

        Cut the rows into leaves of the types `ins`, apply `compute`, and join its results, leaves
        of the types `outs`, to rows again.
        """
        count, at, parts = rows.shape[0], 0, []
        for a in ins:
            part = convert_element_type(slice_in_dim(rows, at, at + a.size, 1, 1), a.dtype)
            parts.append((reshape(part, (count, *a.shape)), 0))
            at += a.size
        batched = Batching(count).trace_flat(compute, parts)
        fronts = [batch_at_front(x, dim, count) for x, dim in batched]
        flat = [reshape(x, (count, a.size)) for x, a in zip(fronts, outs)]
        return concatenate([convert_element_type(x, self.dtype) for x in flat], 1)


# --------------------------------------------------------------------------------------------------
# For users


def sparse_jacobian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    sparsity: Any = None,
    method: str = "auto",
    ordering: str = "auto",
    local: bool = False,
    check: bool | str | None = None,
) -> SparseDerivative:
    """Return a function that computes the Jacobian as a sparse matrix, from few products.

    The first call with arguments of some types finds the pattern (see `jacobian_sparsity`), and
    colours it: columns of one colour share no row, so one product of forward mode shows all their
    nonzeros. Later calls run one compiled program.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree, of real numbers.
        argnums: which positional arguments to differentiate by.
        sparsity: the pattern, if it is known: a `Sparsity`, a SciPy sparse array, or a matrix.
        method: "column" (products of forward mode), "row" (of reverse mode), "bidirectional"
            (both), or "auto", that of the fewest products.
        ordering: of the greedy colouring: "natural", "largest_first", "smallest_last",
            "incidence_degree", or "auto", the best of some.
        local: the pattern at the numbers of the first call. It is smaller, and may not hold at
            other points.
        check: "probe" compares one product with a direction in every call, True the whole dense
            derivative, with a ValueError where the two differ; False checks nothing. By default a
            pattern that is local or given is probed. Traced calls are not checked.

    Returns:
        A function with the arguments of `fun`. It returns a `scipy.sparse.csr_array`. The rows
        are the elements of the result, the columns those of the chosen arguments, all leaves one
        after the other. If the call is traced, or SciPy is not installed, it returns a triple
        (rows, cols, values) of arrays. Its `prepare(*args)` returns the derivative for arguments
        of these types, an object with `sparsity`, `colors` and `values(*args)`.

    Raises:
        TypeError: for arguments or results that are not of real floating-point numbers.
        ValueError: for unknown methods, patterns of a wrong shape, patterns that do not hold.

    Examples:
        >>> import diffeo as dx
        >>> jacobian = sparse_jacobian(lambda x: x[1:] * x[:-1])
        >>> jacobian(dx.numpy.array([1.0, 2.0, 3.0, 4.0])).toarray()
        array([[2., 1., 0., 0.],
               [0., 3., 2., 0.],
               [0., 0., 4., 3.]])
    """
    return SparseDerivative(
        "sparse_jacobian", fun, argnums, sparsity, method, ordering, local, check
    )


def sparse_hessian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    sparsity: Any = None,
    method: str = "auto",
    ordering: str = "auto",
    local: bool = False,
    check: bool | str | None = None,
) -> SparseDerivative:
    """Return a function that computes the Hessian of a scalar function as a sparse symmetric
    matrix, from few products.

    Arguments, result and errors are those of `sparse_jacobian`, with these methods:

    - "star" (also "auto"): every nonzero, or its mirror image, stands alone in a product.
    - "acyclic": fewer products, from which nonzeros are found by substitution, with somewhat
      larger rounding errors.

    Examples:
        >>> import diffeo as dx
        >>> hessian = sparse_hessian(lambda x: dx.numpy.sum(x[1:] * x[:-1] ** 2))
        >>> hessian(dx.numpy.array([1.0, 2.0, 3.0])).toarray()
        array([[4., 2., 0.],
               [2., 6., 4.],
               [0., 4., 0.]])
    """
    return SparseDerivative(
        "sparse_hessian", fun, argnums, sparsity, method, ordering, local, check
    )
