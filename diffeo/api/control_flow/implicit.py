"""Solutions of equations, differentiated through the equation: `custom_root` and
`custom_linear_solve`.

The solver itself, however it iterates, is not differentiated. If x solves f(p, x) = 0 and p moves
by dp, then x moves by dx with f_x dx = -f_p dp (the implicit function theorem). So the derivative
of a root is a linear system, and `Root` solves it by `custom_linear_solve`. The derivatives of a
linear system are linear systems again: see `LinearSolve`, the place to start.

The equation and its solver are traced to programs (`Staged`). The leading inputs of such a program
are its constants, the values that the function closes over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import Value, state, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.staging import stage
from ...primitives.stand_ins import ZERO
from ...primitives.words.structural import convert_element_type
from ...programs.call import split_list
from ...programs.custom_call import CustomCall
from ...transforms.jvp import jvp_flat
from ...transforms.rules.rules import Rules
from ...transforms.transpose import transpose_jaxpr
from ...trees import tree
from ...trees.arguments import check_callable, name_of
from ...trees.staged import Staged, check_same, leaves_of


def custom_linear_solve(
    matvec: Callable,
    b: Any,
    solve: Callable,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve `matvec(x) = b` for x by a solver of one's own.

    Derivatives go through `matvec` alone, so they are exact and of every order, and `solve` may be
    anything: an iteration of unknown length, say.

    Args:
        matvec: a linear function from the structure of `b` to itself. It may close over values;
            x can be differentiated by these values.
        b: the right-hand side, an array or a tree of them.
        solve: `solve(matvec, b)` returns x.
        transpose_solve: `transpose_solve(vecmat, b)` solves with the transpose of `matvec`; reverse
            mode needs it.
        symmetric: the linear map is symmetric, so `solve` serves for both.
        has_aux: `solve` returns (x, auxiliary data).

    Returns:
        x, or (x, auxiliary data).

    Raises:
        TypeError: if `matvec` or `solve` returns something else than the structure, shapes and
            dtypes of `b`; in reverse mode, without a `transpose_solve`.

    Examples:
        >>> import diffeo as dx
        >>> def solution(a, b):
        ...     return dx.lax.custom_linear_solve(lambda x: a * x, b, lambda f, b: b / f(1.0),
        ...                                       symmetric=True)
        >>> solution(2.0, 3.0), dx.grad(solution)(2.0, 3.0)
        (Array(1.5), Array(-0.75))
    """
    for what, fun in (("matvec", matvec), ("solve", solve)):
        check_callable(fun, f"custom_linear_solve: {what}")
    if transpose_solve is not None:
        check_callable(transpose_solve, "custom_linear_solve: transpose_solve")
    elif symmetric:
        transpose_solve = solve
    name = f"custom_linear_solve of {name_of(matvec)}"
    leaves, structure = leaves_of(b, f"{name}: b")
    avals = [typeof(x).strong for x in leaves]
    in_tree = tree.treedef_tuple([structure])
    product = Staged(matvec, in_tree, avals)
    _check(f"{name}: matvec must return what b is", "matvec", product, structure, avals)
    forward = Staged(_solver(solve, matvec, structure), in_tree, avals)
    _check(f"{name}: solve must return what b is", "solve", forward, structure, avals, has_aux)
    back = None
    if transpose_solve is not None:
        vecmat = matvec if symmetric else _transposed(product, structure)
        back = Staged(_solver(transpose_solve, vecmat, structure), in_tree, avals)
        what = f"{name}: transpose_solve must return what b is"
        _check(what, "transpose_solve", back, structure, avals, has_aux)
    staged = [s for s in (product, forward, back) if s is not None]
    rules = LinearSolve(
        name, len(leaves), [s.jaxpr for s in staged], [len(s.consts) for s in staged], symmetric
    )
    outs = rules.bind([c for s in staged for c in s.consts], leaves)
    x = tree.unflatten(structure, outs[: len(leaves)])
    if not has_aux:
        return x
    aux = tree.treedef_children(forward.out_tree)[1]
    return x, tree.unflatten(aux, outs[len(leaves) :])


def _solver(solve: Callable, matvec: Callable, structure: Any) -> Callable:
    """Return `solve` as a function of its second argument, for a fixed `matvec`."""

    def fun(b: Any) -> Any:
        return solve(matvec, b)

    fun.__name__ = name_of(solve)
    return fun


def _transposed(product: Staged, structure: Any) -> Callable:
    """Return the transpose of a staged linear map, as a function of trees."""
    jaxpr, consts = _transposed_program(product.jaxpr, len(product.consts))

    def vecmat(y: Any) -> Any:
        leaves, _ = tree.flatten(y)
        return tree.unflatten(structure, eval_jaxpr(jaxpr, [*consts, *product.consts, *leaves]))

    return vecmat


def _transposed_program(jaxpr: Jaxpr, count: int) -> tuple[Jaxpr, Sequence[Any]]:
    """Transpose a program that is linear in its inputs but the first `count`, which are constants.

    Return the transposed program, and values for its first inputs. The inputs of the transposed
    program are these values, the `count` constants, and a cotangent for each result of `jaxpr`.
    Its results are the cotangents of the linear inputs, zeros included.
    """
    avals = jaxpr.in_avals
    linear = tuple([i >= count for i in range(len(avals))])
    transposed, consts, zeros = transpose_jaxpr(jaxpr, linear, (False,) * len(jaxpr.outs))
    if not any(zeros):
        return transposed, consts
    # `transpose_jaxpr` leaves out the cotangents that are zero: put zeros in their places.
    inputs = [*map(typeof, consts), *avals[:count], *jaxpr.out_avals]

    def filled(*args: Any) -> list[Any]:
        outs = iter(eval_jaxpr(transposed, args))
        return [full_like(a, 0) if z else next(outs) for a, z in zip(avals[count:], zeros)]

    return stage(filled, [a.strong for a in inputs], jaxpr.name), consts


def _check(
    what: str,
    name: str,
    staged: Staged,
    structure: Any,
    avals: Sequence[Any],
    aux: bool = False,
    first: str = "b",
) -> None:
    """Raise TypeError unless a staged function returns the structure and types of its argument.

    With `aux`, the function returns a pair, whose first part is checked.
    """
    out_tree, outs = staged.out_tree, staged.outs
    if aux:
        parts = tree.treedef_children(out_tree)
        if len(parts) != 2:
            raise with_user_line(
                TypeError(f"{what}: with has_aux=True {name} returns a pair (x, auxiliary data)")
            )
        out_tree, outs = parts[0], outs[: parts[0].num_leaves]
    check_same(what, (first, f"the result of {name}"), (structure, avals), (out_tree, outs))


class LinearSolve(Rules):
    """The rules of the solution x of A x = b, a function of b and of the values in A.

    The operands are the constants of the linear map, of the solver and of the solver for the
    transposed system, then the leaves of b.

    Both derivatives solve again. The tangent dx solves A dx = db - dA x. The solution is linear in
    b, so the cotangent c of b solves A^T c = ct, where ct is the cotangent of x.
    """

    has_jvp = True

    def __init__(
        self,
        name: str,
        size: int,
        programs: Sequence[Jaxpr],
        counts: Sequence[int],
        symmetric: bool,
    ):
        """Keep the programs, and the place of b among the operands.

        Args:
            name: the name, for messages.
            size: the number of leaves of b, and of x.
            programs: those of the linear map, of the solver, and perhaps of the solver for the
                transposed system.
            counts: for each program, how many of its first inputs are constants.
            symmetric: the linear map is its own transpose.
        """
        self.name, self.size, self.symmetric = name, size, symmetric
        self.programs = list(programs)
        self.counts = [*counts, *[0] * (3 - len(counts))]
        start = sum(self.counts)
        self.linear = frozenset(range(start, start + size))

    def bind(self, consts: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        """Solve under the current interpreter; return the leaves of x and of auxiliary data."""
        return CustomCall(None, rules=self).bind(*consts, *b)

    def fun(self, *args: Any) -> list[Any]:
        _, solver, _, b = split_list(args, *self.counts)
        return eval_jaxpr(self.programs[1], [*solver, *b])

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        consts, b = split_list(primals, sum(self.counts))
        moves, _, _, rhs = split_list(tangents, *self.counts)
        outs = self.bind(consts, b)
        x = outs[: self.size]
        # Tangents of the solvers' constants are left out: x does not depend on these constants.
        if not all([m is ZERO for m in moves]):
            n = len(moves)
            applied = lambda *own: eval_jaxpr(self.programs[0], [*own, *x])
            _, moved = jvp_flat(applied, consts[:n], moves, self.name)
            rhs = [r if m is ZERO else -m if r is ZERO else r - m for r, m in zip(rhs, moved)]
        aux = [ZERO] * (len(outs) - self.size)
        if all([r is ZERO for r in rhs]):
            return outs, [*[ZERO] * self.size, *aux]
        full = [full_like(v, 0) if r is ZERO else r for r, v in zip(rhs, b)]
        return outs, [*self.bind(consts, full)[: self.size], *aux]

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        if len(self.programs) < 3:
            raise with_user_line(
                TypeError(
                    f"{self.name}: reverse mode needs a solver for the transposed system: give "
                    "transpose_solve, or symmetric=True if the linear map is symmetric"
                )
            )
        matrix, solver, other, b = split_list(args, *self.counts)
        full = [
            full_like(a.aval.strong, 0) if c is ZERO else c for a, c in zip(b, cts[: self.size])
        ]
        product, forward, back = self.programs
        leading: Sequence[Any] = ()
        if not self.symmetric:
            product, leading = _transposed_program(product, len(matrix))
        # The same rules for A^T: its solver is the transposed one, and the other way round, so the
        # cotangent can be differentiated and transposed in turn.
        swapped = LinearSolve(
            self.name,
            self.size,
            [product, back, forward],
            [len(leading) + len(matrix), len(other), len(solver)],
            self.symmetric,
        )
        outs = swapped.bind([*leading, *matrix, *other, *solver], full)
        return [*[None] * sum(self.counts), *outs[: self.size]]


# --------------------------------------------------------------------------------------------------


def custom_root(
    f: Callable,
    initial_guess: Any,
    solve: Callable,
    tangent_solve: Callable,
    has_aux: bool = False,
) -> Any:
    """Find a root of a function by a solver of one's own: x with `f(x) = 0`.

    Derivatives go through `f` alone, by the implicit function theorem, so they are exact where x
    is, and of every order; the initial guess has none.

    Args:
        f: a function from the structure of x to itself. It may close over values; x can be
            differentiated by these values.
        initial_guess: where `solve` starts, an array or a tree of them.
        solve: `solve(f, initial_guess)` returns x.
        tangent_solve: `tangent_solve(g, y)` solves the linear system `g(x) = y`, where g is the
            derivative of `f` at the root, a linear function. For numbers, `y / g(1.0)`.
        has_aux: `solve` returns (x, auxiliary data).

    Returns:
        x, or (x, auxiliary data).

    Raises:
        TypeError: if `f` or `solve` returns something else than the structure, shapes and dtypes of
            the initial guess.

    Examples:
        >>> import diffeo as dx
        >>> def newton(f, x):
        ...     step = lambda x: x - f(x) / dx.grad(f)(x)
        ...     return dx.lax.fori_loop(0, 20, lambda i, x: step(x), x)
        >>> root = lambda a: dx.lax.custom_root(lambda x: x * x - a, 1.0, newton,
        ...                                     lambda g, y: y / g(1.0))
        >>> root(4.0), dx.grad(root)(4.0), dx.grad(dx.grad(root))(4.0)
        (Array(2.), Array(0.25), Array(-0.03125))
    """
    for what, fun in (("f", f), ("solve", solve), ("tangent_solve", tangent_solve)):
        check_callable(fun, f"custom_root: {what}")
    name = f"custom_root of {name_of(f)}"
    leaves, structure = leaves_of(initial_guess, f"{name}: initial_guess")
    # Weakly typed leaves, of Python numbers, become strong: x has these types.
    leaves = [convert_element_type(x, x.dtype) for x in leaves]
    avals = [typeof(x) for x in leaves]
    in_tree = tree.treedef_tuple([structure])
    function = Staged(f, in_tree, avals)
    what = f"{name}: f must return what the initial guess is"
    _check(what, "f", function, structure, avals, first="initial_guess")
    solver = Staged(_solver(solve, f, structure), in_tree, avals)
    what = f"{name}: solve must return what the initial guess is"
    _check(what, "solve", solver, structure, avals, has_aux, first="initial_guess")
    programs = [function, solver]
    if not state.trace.eager:  # there may be derivatives
        tangent = _tangent_solver(name, structure, function, tangent_solve)
        programs.append(Staged(tangent, tree.treedef_tuple([structure] * 2), [*avals, *avals]))
    rules = Root(name, [p.jaxpr for p in programs], [len(p.consts) for p in programs])
    outs = CustomCall(None, rules=rules).bind(*[c for p in programs for c in p.consts], *leaves)
    x = tree.unflatten(structure, outs[: len(leaves)])
    if not has_aux:
        return x
    aux = tree.treedef_children(solver.out_tree)[1]
    return x, tree.unflatten(aux, outs[len(leaves) :])


def _tangent_solver(name: str, structure: Any, function: Staged, solve: Callable) -> Callable:
    """Return the function of a root x and a right-hand side y that solves `g(dx) = y`, where g is
    the derivative of the staged function at x.

    It is traced before it is needed, and so what the user's solver closes over becomes operands.
    """

    def solution(x: Value, y: Value) -> Any:
        at, _ = tree.flatten(x)

        def derivative(move: Any) -> Any:
            """Return f_x times a tangent of x; a tree, as the solver is the user's."""
            of_x = lambda *x: eval_jaxpr(function.jaxpr, [*function.consts, *x])
            moves = [as_value(leaf) for leaf in tree.leaves(move)]
            values, slopes = jvp_flat(of_x, at, moves, name)
            full = [full_like(v, 0) if t is ZERO else t for v, t in zip(values, slopes)]
            return tree.unflatten(structure, full)

        return custom_linear_solve(derivative, y, solve, solve)

    solution.__name__ = name_of(solve)
    return solution


class Root(Rules):
    """The rules of a root x of f, a function of the values p that f closes over.

    The operands are the constants of f, those of the solver and of the solver for tangents, and the
    leaves of the initial guess. Only the constants of f (`own` below) have an influence on
    derivatives.
    """

    has_jvp = True

    def __init__(self, name: str, programs: Sequence[Jaxpr], counts: Sequence[int]):
        """Keep the programs of f, of the solver, and (but in eager evaluation) of the solver for
        tangents; and how many constants each has.
        """
        self.name, self.programs = name, list(programs)
        self.counts = [*counts, *[0] * (3 - len(counts))]

    def fun(self, *args: Any) -> list[Any]:
        _, consts, _, guess = split_list(args, *self.counts)
        return eval_jaxpr(self.programs[1], [*consts, *guess])

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        own, _, consts, guess = split_list(primals, *self.counts)
        moves = tangents[: len(own)]
        outs = CustomCall(None, rules=self).bind(*primals)
        x = outs[: len(guess)]
        still = [ZERO] * len(outs)
        if all([m is ZERO for m in moves]):
            return outs, still
        # The right-hand side is -f_p dp: the derivative of f by its constants, with x held fixed.
        applied = lambda *own: eval_jaxpr(self.programs[0], [*own, *x])
        _, moved = jvp_flat(applied, own, moves, self.name)
        rhs = [full_like(v, 0) if m is ZERO else -m for v, m in zip(x, moved)]
        slopes = eval_jaxpr(self.programs[2], [*consts, *x, *rhs])
        return outs, [*slopes, *still[len(x) :]]
