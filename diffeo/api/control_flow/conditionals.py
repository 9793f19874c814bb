"""Conditionals for users: `cond` and `switch`, on trees of arrays.

Both trace all branches to programs and bind one primitive, `Cond`, which runs the program that an
index chooses; see `_choose`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...engine import refs
from ...primitives.array import as_value, known
from ...primitives.config import task_settings
from ...primitives.core import Value, describe, typeof, with_user_line
from ...primitives.types import int32
from ...primitives.words.elementwise import maximum, minimum, ne
from ...primitives.words.structural import convert_element_type
from ...programs.cond import Cond, same_inputs
from ...trees import tree
from ...trees.arguments import check_callable, name_of
from ...trees.staged import Staged, check_same, common, leaves_of

#: The value of an argument that was left out.
_NOTHING = object()


def cond(
    pred: Any,
    true_fun: Callable,
    false_fun: Callable,
    *operands: Any,
    operand: Any = _NOTHING,
) -> Any:
    """Apply one of two functions, chosen by a predicate that may be traced.

    Only the chosen function is computed, except under a `vmap` that maps the predicate: then both
    are, and each row takes its own result. Both functions are traced, and must return the same
    structure, shapes and dtypes (Python numbers give way to arrays).

    Args:
        pred: one boolean or number; a number is true unless it is 0.
        true_fun, false_fun: functions of the operands; they may close over other values.
        *operands: arrays or trees of them.
        operand: a single operand, as a keyword.

    `cond(pred, x, true_fun, y, false_fun)` gives each function an operand of its own.

    Returns:
        `true_fun(*operands)` or `false_fun(*operands)`.

    Raises:
        TypeError: if the predicate is not one number, or the results differ in type.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: dx.lax.cond(x > 0, dx.numpy.sqrt, lambda x: 0.0 * x, x)
        >>> f(4.0), dx.grad(f)(4.0), dx.grad(f)(-1.0)
        (Array(2.), Array(0.25), Array(0.))
    """
    if not callable(true_fun) and len(operands) == 2 and callable(false_fun):
        first, then, (second, otherwise) = true_fun, false_fun, operands
        check_callable(otherwise, "cond: false_fun")
        return cond(pred, lambda x, y: then(x), lambda x, y: otherwise(y), first, second)
    check_callable(true_fun, "cond: true_fun")
    check_callable(false_fun, "cond: false_fun")
    if operand is not _NOTHING:
        if operands:
            raise with_user_line(TypeError("cond: give the operands by position or as operand="))
        operands = (operand,)
    flag = _scalar("cond", "the predicate", pred, "biuf")
    if flag.dtype.kind != "b":
        flag = ne.bind(flag, 0.0 if flag.dtype.kind == "f" else 0)
    if task_settings().disable_jit and (chosen := known(flag)) is not None:
        return (true_fun if chosen else false_fun)(*operands)
    index = convert_element_type(flag, int32)
    return _choose("cond", index, (false_fun, true_fun), ("false_fun", "true_fun"), operands)


def switch(
    index: Any, branches: Sequence[Callable], *operands: Any, operand: Any = _NOTHING
) -> Any:
    """Apply the function at an index of a list; an index outside of the list is clamped.

    Args:
        index: one integer, which may be traced.
        branches: functions of the operands with results of one structure and one set of types.
        *operands: arrays or trees of them.
        operand: a single operand, as a keyword.

    Returns:
        `branches[clamp(index)](*operands)`.

    Raises:
        TypeError: if the index is not one integer, or the results differ in type.
        ValueError: if there are no branches.

    Examples:
        >>> import diffeo as dx
        >>> dx.lax.switch(1, [lambda x: x, lambda x: -x, lambda x: 2 * x], 3.0)
        Array(-3.)
    """
    if not isinstance(branches, (tuple, list)):
        raise with_user_line(
            TypeError(f"switch: expects a list of functions, got {describe(branches)}")
        )
    branches = tuple(branches)
    if not branches:
        raise with_user_line(ValueError("switch: expects at least one branch, got none"))
    for i, branch in enumerate(branches):
        check_callable(branch, f"switch: branch {i}")
    if operand is not _NOTHING:
        if operands:
            raise with_user_line(TypeError("switch: give the operands by position or as operand="))
        operands = (operand,)
    number = _scalar("switch", "the index", index, "iu")
    number = maximum.bind(minimum.bind(number, len(branches) - 1), 0)
    if task_settings().disable_jit and (chosen := known(number)) is not None:
        return branches[int(chosen)](*operands)
    names = [f"branch {i}" for i in range(len(branches))]
    return _choose("switch", convert_element_type(number, int32), branches, names, operands)


def _scalar(name: str, what: str, value: Any, kinds: str) -> Any:
    """Return a number as an array or tracer; raise TypeError unless its dtype is of `kinds`."""
    try:
        number = as_value(value)
        fits = not number.shape and number.dtype.kind in kinds
    except TypeError:
        fits = False
    if not fits:
        expected = "one integer" if kinds == "iu" else "one boolean or number (dx.numpy.where "
        expected += "" if kinds == "iu" else "chooses element by element)"
        raise with_user_line(TypeError(f"{name}: {what} must be {expected}, got {describe(value)}"))
    return number


def _choose(
    what: str,
    index: Value,
    branches: Sequence[Callable],
    names: Sequence[str],
    operands: tuple,
) -> Any:
    """Stage all branches, check that their results agree, and bind a `Cond` of their programs."""
    if refs.among(tree.leaves(operands)):
        branches = [refs.closing_over_refs(b) for b in branches]
        operands = refs.without_refs(operands)
    leaves, structure = leaves_of(operands, f"{what}: operand ")
    avals = [typeof(x) for x in leaves]
    if refs.alive:
        written = refs.written_by(branches, lambda b: Staged(b, structure, avals))
        if written:
            with_values = [refs.with_values(b, written) for b in branches]
            held = [refs.read(r) for r in written]
            values, out = _choose(what, index, with_values, names, (held, *operands))
            refs.write_all(written, values)
            return out
    staged = [Staged(b, structure, avals) for b in branches]
    first = staged[0]
    full = [f"{n} ({name_of(b)})" for n, b in zip(names, branches)]
    # The type of each result over all branches; None where the branches do not agree.
    out_avals = [common(column) for column in zip(*[s.outs for s in staged])]
    for name, other in zip(full[1:], staged[1:]):
        if first.out_tree != other.out_tree or not all(out_avals):
            check_same(
                f"{what}: the results must have one structure, and equal shapes and dtypes",
                (full[0], name),
                (first.out_tree, first.outs),
                (other.out_tree, other.outs),
            )
    staged = [s.converted(out_avals) for s in staged]  # type: ignore[arg-type]
    # Branches close over different values. All programs get the values of all branches, so that
    # they have the same inputs.
    programs, consts = same_inputs([s.jaxpr for s in staged], [s.consts for s in staged])
    outs = Cond(programs).bind(index, *consts, *leaves)
    return tree.unflatten(first.out_tree, outs)
