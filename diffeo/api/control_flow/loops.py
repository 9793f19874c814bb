"""Loops for users: `scan`, `while_loop`, `fori_loop` and `map`, on trees of arrays.

The carry is the tree of values that goes from one step to the next; xs are arrays of which each
step takes one slice, ys the results of the steps, stacked. Each function here checks arguments,
traces the user's function to a program, and binds one of two primitives: `Scan`, whose number
of steps is known when it is traced, or `While`. `fori_loop` and `map` are written in terms of
`_scan` and `_while`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine import refs
from ...primitives.array import as_value, known
from ...primitives.config import task_settings
from ...primitives.core import Tracer, describe, typeof, with_user_line
from ...primitives.types import ShapedArray, bool_, promote_types
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import convert_element_type, reshape
from ...programs.scan import Scan
from ...programs.while_loop import While
from ...trees import tree
from ...trees.arguments import check_callable, name_of
from ...trees.staged import Staged, check_same, leaves_of, settle
from ..vmap import vmap
from .in_python import scan_in_python, while_in_python


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
    *,
    checkpoints: int | None = None,
) -> tuple[Any, Any]:
    """Repeat a function with a carry over slices of arrays, as one operation of the program.

    Beginning with `init`, each step computes `carry, y = f(carry, x)` for the next slice x.

    Args:
        f: `f(carry, x) -> (carry, y)`; the carry keeps its structure, shapes and dtypes.
        init: the first carry, an array or a tree of them.
        xs: arrays of one size of their first axis, along which they are sliced; None if there are
            none.
        length: the number of steps; needed only without xs.
        reverse: go from the last slice to the first; the ys stay in the order of the xs.
        unroll: how many steps a compiled iteration takes; 0 or True for all of them.
        _split_transpose: False, as programs for jax say.
        checkpoints: how many carries reverse mode keeps; the steps between are computed again. By
            default reverse mode keeps what it needs of every step, which takes memory in
            proportion to `length`.

    Returns:
        (the last carry, the ys stacked along a new first axis).

    Raises:
        TypeError: if the carry changes its type, or `f` does not return a pair.
        ValueError: if the xs differ in length, or nothing says how many steps there are.
        NotImplementedError: for `_split_transpose`.

    Examples:
        >>> import diffeo as dx
        >>> total, sums = dx.lax.scan(lambda c, x: (c + x, c + x), 0.0, dx.numpy.arange(4.0))
        >>> total, sums
        (Array(6.), Array([0., 1., 3., 6.]))
    """
    check_callable(f, "scan")
    if _split_transpose:
        raise with_user_line(
            NotImplementedError(
                "scan: _split_transpose=True is not honoured, as the transposed loop is one; "
                "leave it out"
            )
        )
    name = f"scan of {name_of(f)}"
    return _scan(name, f, init, xs, length, reverse, unroll, checkpoints)


def _scan(
    name: str,
    f: Callable,
    init: Any,
    xs: Any,
    length: Any,
    reverse: bool = False,
    unroll: Any = 1,
    checkpoints: int | None = None,
    counted: bool = False,
) -> tuple[Any, Any]:
    """Do what `scan` does. `name` is for messages.

    With `counted`, the carry is a pair (counter, the user's carry), and messages leave the counter
    out.
    """
    slices, x_tree = leaves_of(xs, f"{name}: xs")
    steps = _length(name, slices, xs, length)
    unroll, checkpoints = _unroll(name, unroll, steps), _checkpoints(name, checkpoints)
    if steps and task_settings().disable_jit:
        return scan_in_python(f, init, xs, steps, bool(reverse))
    carry, carry_tree = leaves_of(init, f"{name}: init")
    x_avals = [typeof(x) for x in slices]
    x_avals = [a.update(a.shape[1:]) for a in x_avals]
    in_tree = tree.treedef_tuple([carry_tree, x_tree])
    count = len(carry)
    if refs.alive:
        avals = [*[typeof(c) for c in carry], *x_avals]
        written = refs.written_by([f], lambda f: Staged(f, in_tree, avals))
        if written:
            step = _with_values_in_carry(f, written)
            first = ([refs.read(r) for r in written], init)
            how = (reverse, unroll, checkpoints)
            (values, last), ys = _scan(name, step, first, xs, length, *how)
            refs.write_all(written, values)
            return last, ys

    def trace(avals: list[ShapedArray]) -> Staged:
        return Staged(f, in_tree, [*avals, *x_avals])

    # A Python number as the first carry is weakly typed: it takes the type that `f` returns.
    carry, staged = settle(carry, trace)
    out_tree = _pair(name, staged)
    after = staged.outs[: out_tree[0].num_leaves]
    _check_carry(name, (carry_tree, [typeof(c) for c in carry]), (out_tree[0], after), counted)
    repeated = Scan(
        staged.jaxpr,
        steps,
        len(staged.consts),
        count,
        bool(reverse),
        unroll,
        checkpoints,
    )
    outs = repeated.bind(*staged.consts, *carry, *slices)
    return tree.unflatten(carry_tree, outs[:count]), tree.unflatten(out_tree[1], outs[count:])


def _with_values_in_carry(f: Callable, written: list[refs.Ref]) -> Callable:
    """Return the step of a scan whose carry is (what refs hold, the user's carry)."""

    def step(pair: Any, x: Any) -> Any:
        values, (carry, y) = refs.with_values(f, written)(pair[0], pair[1], x)
        return (values, carry), y

    return _named(step, f)


def _check_carry(
    name: str, before: tuple[Any, list[Any]], after: tuple[Any, list[Any]], counted: bool
) -> None:
    """Raise TypeError unless the carry keeps its structure and types.

    `before` and `after` are pairs (structure, types of the leaves). With `counted`, the counter is
    taken off both, so that the message shows what the user wrote.
    """
    if counted:
        before, after = [
            (tree.treedef_children(structure)[1], avals[1:]) for structure, avals in (before, after)
        ]
    check_same(
        f"{name}: the carry must keep its structure, shapes and dtypes",
        ("the carry it gets", "the one it returns"),
        before,
        after,
    )


def _length(name: str, slices: list[Any], xs: Any, length: Any) -> int:
    """Return the number of steps, which `length` and the slices must agree on."""
    if length is not None and (
        not isinstance(length, (int, np.integer)) or isinstance(length, bool) or length < 0
    ):
        raise with_user_line(
            ValueError(f"{name}: length must be a whole number >= 0, got {describe(length)}")
        )
    paths = [tree.keystr(path) for path, _ in tree.leaves_with_path(xs)]
    for path, x in zip(paths, slices):
        if not x.shape:
            raise with_user_line(
                ValueError(f"{name}: xs{path} must have an axis to go along, got {describe(x)}")
            )
    sizes = {x.shape[0] for x in slices} | (set() if length is None else {int(length)})
    if not sizes:
        raise with_user_line(
            ValueError(f"{name}: give xs, or say how many steps there are with length=")
        )
    if len(sizes) > 1:
        listed = [f"xs{path} = {describe(x)}" for path, x in zip(paths, slices)]
        listed += [] if length is None else [f"length={length}"]
        raise with_user_line(
            ValueError(f"{name}: the first axes must have one size, got {', '.join(listed)}")
        )
    return sizes.pop()


def _pair(name: str, staged: Staged) -> list[Any]:
    """Return the structures of the new carry and of y."""
    children = tree.treedef_children(staged.out_tree)
    result = tree.unflatten(staged.out_tree, staged.outs)  # types in the place of arrays
    if not isinstance(result, (tuple, list)) or len(children) != 2:
        raise with_user_line(
            TypeError(
                f"{name}: the function must return a pair (carry, y), got {_described(result)}; "
                "return (carry, None) if there is no y"
            )
        )
    return children


def _described(out: Any) -> str:
    """Describe a function's result, a tree of types, for messages."""
    return str(out) if type(out) is ShapedArray else describe(out)


def _unroll(name: str, unroll: Any, steps: int) -> int:
    """Return how many steps a compiled iteration takes."""
    if isinstance(unroll, bool) or (isinstance(unroll, int) and unroll == 0):
        return 1 if unroll is False else max(1, steps)
    if not isinstance(unroll, (int, np.integer)) or unroll < 0:
        raise with_user_line(
            ValueError(f"{name}: unroll must be a whole number >= 0 or a bool, got {unroll!r}")
        )
    return int(unroll)


def _checkpoints(name: str, checkpoints: Any) -> int | None:
    if checkpoints is None:
        return None
    if not isinstance(checkpoints, (int, np.integer)) or checkpoints < 4:
        raise with_user_line(
            ValueError(f"{name}: checkpoints must be a whole number >= 4, got {checkpoints!r}")
        )
    return int(checkpoints)


def while_loop(
    cond_fun: Callable, body_fun: Callable, init_val: Any, *, checkpoints: int | None = None
) -> Any:
    """Repeat a function as long as a condition holds.

    Reverse mode works, too: the forward pass counts the steps and keeps `checkpoints` carries, and
    the backward pass computes the carries between again. So memory does not grow with the number
    of steps.

    Args:
        cond_fun: from the carry to one boolean.
        body_fun: from the carry to the next one, which has its structure, shapes and dtypes.
        init_val: the first carry, an array or a tree of them.
        checkpoints: how many carries reverse mode keeps, at least 4; by default 128, and fewer if
            they would take more than a gibibyte (8 at least).

    Returns:
        The first carry for which `cond_fun` is false. Under a `vmap` that maps the condition, the
        loop runs until the condition is false for all rows; a row that is done stays as it is.

    Raises:
        TypeError: if the carry changes its type, or the condition is not one boolean.

    Examples:
        >>> import diffeo as dx
        >>> def power_above(x):     # the first of x, x**2, x**4 ... above 100
        ...     return dx.lax.while_loop(lambda y: y < 100.0, lambda y: y * y, x)
        >>> power_above(3.0), dx.grad(power_above)(3.0)
        (Array(6561.), Array(17496.))
    """
    check_callable(cond_fun, "while_loop: cond_fun")
    check_callable(body_fun, "while_loop: body_fun")
    name = f"while_loop of {name_of(body_fun)}"
    return _while(name, cond_fun, body_fun, init_val, checkpoints)


def _while(
    name: str,
    cond_fun: Callable,
    body_fun: Callable,
    init_val: Any,
    checkpoints: Any,
    counted: bool = False,
) -> Any:
    """Do what `while_loop` does; `name` and `counted` are as in `_scan`."""
    checkpoints = _checkpoints(name, checkpoints)
    if task_settings().disable_jit and (first := known(cond_fun(init_val))) is not None:
        return while_in_python(cond_fun, body_fun, init_val, bool(first))
    carry, structure = leaves_of(init_val, f"{name}: init_val")
    in_tree = tree.treedef_tuple([structure])
    if refs.alive:
        avals = [typeof(c) for c in carry]
        written = refs.written_by([body_fun], lambda f: Staged(f, in_tree, avals))
        if written:
            going = lambda pair: refs.with_values(cond_fun, written)(*pair)[1]
            step = lambda pair: refs.with_values(body_fun, written)(*pair)
            first = ([refs.read(r) for r in written], init_val)
            values, last = _while(
                name, _named(going, cond_fun), _named(step, body_fun), first, checkpoints
            )
            refs.write_all(written, values)
            return last
    carry, body = settle(carry, lambda avals: Staged(body_fun, in_tree, avals))
    avals = [typeof(c) for c in carry]
    _check_carry(name, (structure, avals), (body.out_tree, body.outs), counted)
    cond = Staged(cond_fun, in_tree, avals)
    if len(cond.outs) != 1 or cond.outs[0].strong is not ShapedArray((), bool_):
        flag = tree.unflatten(cond.out_tree, cond.outs)
        raise with_user_line(
            TypeError(
                f"{name}: cond_fun ({cond.name}) must return one boolean, got {_described(flag)}; "
                "compare (y != 0), and reduce an array by dx.numpy.any or all"
            )
        )
    loop = While(
        cond.jaxpr,
        body.jaxpr,
        len(cond.consts),
        len(body.consts),
        checkpoints,
    )
    return tree.unflatten(structure, loop.bind(*cond.consts, *body.consts, *carry))


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable,
    init_val: Any,
    *,
    unroll: int | bool | None = None,
    checkpoints: int | None = None,
) -> Any:
    """Repeat a function for each integer of a range.

    Where the bounds are known when the function is traced, the loop is a `scan`; otherwise a
    `while_loop`. Reverse mode works for both.

    Args:
        lower, upper: the range is lower, lower + 1, ..., upper - 1; integers, which may be traced.
        body_fun: `body_fun(i, value) -> value`.
        init_val: the first value, an array or a tree of them.
        unroll: as in `scan`; only for bounds that are known when the function is traced.
        checkpoints: as in `scan` and `while_loop`.

    Returns:
        The last value; `init_val` if the range is empty.

    Raises:
        TypeError: if the bounds are no integers, or the value changes its type.

    Examples:
        >>> import diffeo as dx
        >>> dx.lax.fori_loop(0, 5, lambda i, x: x + i, 0)
        Array(10)
        >>> power = lambda x, n: dx.lax.fori_loop(0, n, lambda i, y: y * x, 1.0)
        >>> dx.grad(power)(2.0, 5), dx.jit(dx.grad(power))(2.0, 5)
        (Array(80.), Array(80.))
    """
    check_callable(body_fun, "fori_loop")
    name = f"fori_loop of {name_of(body_fun)}"
    bounds = [_bound(name, "lower", lower), _bound(name, "upper", upper)]
    dtype, weak = promote_types(*[typeof(b) for b in bounds])
    start, end = [convert_element_type(b, dtype, weak) for b in bounds]
    # The carry of both kinds of loop is (counter, the user's value).
    fun = _named(lambda i, value: (i + 1, body_fun(i, value)), body_fun)
    concrete = [b for b in (start, end) if not isinstance(b, Tracer)]
    if len(concrete) == 2:
        steps = max(0, int(end) - int(start))
        step = _named(lambda carry, _: (fun(*carry), None), body_fun)
        unroll = 1 if unroll is None else unroll
        init = (start, init_val)
        return _scan(name, step, init, None, steps, False, unroll, checkpoints, True)[0][1]
    if unroll is not None:
        raise with_user_line(
            ValueError(f"{name}: unroll needs bounds that are known when the function is traced")
        )
    going = lambda carry: carry[0] < end
    step = _named(lambda carry: fun(*carry), body_fun)
    return _while(name, going, step, (start, init_val), checkpoints, True)[1]


def _bound(name: str, which: str, value: Any) -> Any:
    """Return a bound as an array or tracer; raise TypeError unless it is one integer."""
    try:
        bound = as_value(value)
        fits = not bound.shape and bound.dtype.kind in "iu"
    except TypeError:
        fits = False
    if not fits:
        raise with_user_line(
            TypeError(f"{name}: {which} must be one integer, got {describe(value)}")
        )
    return bound


def _named(fun: Callable, like: Callable) -> Callable:
    """Give `fun` the name of the user's function, for messages."""
    fun.__name__ = name_of(like)
    return fun


def map(f: Callable, xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to each slice of arrays along their first axis, one after the other.

    Unlike `vmap` it takes memory for one slice at a time, or for `batch_size` of them.

    Args:
        f: a function of one array or tree.
        xs: arrays of one size of their first axis, or a tree of them.
        batch_size: how many slices are computed at once, by `vmap`; 0 for all.

    Returns:
        The results, stacked along a new first axis.

    Raises:
        ValueError: if the xs differ in length, there are none, or `batch_size` is negative.

    Examples:
        >>> import diffeo as dx
        >>> dx.lax.map(lambda x: x * x, dx.numpy.arange(3.0))
        Array([0., 1., 4.])
    """
    check_callable(f, "map")
    name = f"map of {name_of(f)}"
    leaves, structure = leaves_of(xs, f"{name}: xs")
    if not leaves:
        raise with_user_line(
            ValueError(f"{name}: there is nothing to map over: no arrays in {describe(xs)}")
        )
    step = _named(lambda _, x: ((), f(x)), f)
    if batch_size is None:
        return _scan(name, step, (), xs, None)[1]
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 0:
        raise with_user_line(
            ValueError(f"{name}: batch_size must be a whole number >= 0, got {batch_size!r}")
        )
    length = _length(name, leaves, xs, None)
    if not batch_size:
        return vmap(f, axis_size=length)(xs)
    # Full batches go through one scan whose slices have `batch_size` rows: arrays of shape
    # (length, ...) become (whole, batch_size, ...). Rows that are left over go through one `vmap`.
    whole, remainder = divmod(length, batch_size)
    parts = []
    if whole:
        rows = [
            reshape(slice_in_dim(x, 0, whole * batch_size), (whole, batch_size, *x.shape[1:]))
            for x in leaves
        ]
        batched = _named(lambda _, x: ((), vmap(f)(x)), f)
        outs = _scan(name, batched, (), tree.unflatten(structure, rows), None)[1]
        merge = lambda y: reshape(as_value(y), (whole * batch_size, *y.shape[2:]))
        parts.append(tree.map(merge, outs))
    if remainder or not whole:
        last = [slice_in_dim(x, whole * batch_size, length) for x in leaves]
        parts.append(vmap(f, axis_size=remainder)(tree.unflatten(structure, last)))
    return tree.map(lambda *ys: concatenate([as_value(y) for y in ys]), *parts)
