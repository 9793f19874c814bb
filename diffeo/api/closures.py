"""Functions and the values that they close over: closure_convert, custom_gradient.

A function closes over a value if it uses the value without taking it as an argument. Both
functions here trace such a function to a program, which holds these values as its constants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.array import as_value
from ..primitives.core import Tracer, Value, describe, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr, eval_jaxpr
from ..primitives.staging import stage
from ..primitives.types import ShapedArray, is_inexact
from ..transforms.tangents import tangent_aval
from ..trees import tree
from ..trees.arguments import WRAPPED, argument, as_values, check_callable, check_outputs, name_of
from ..trees.functions import Flat
from .custom import custom_vjp


def _staged(fun: Callable, args: tuple, avals: Sequence[ShapedArray]) -> tuple[Jaxpr, Any, Any]:
    """Trace a function of trees for arguments with the structure of `args` and leaves of the types
    `avals`. Return (program, structure of the arguments, structure of the result).
    """
    _, in_tree = tree.flatten(args)
    flat = Flat(fun, in_tree, name_of(fun))
    program = stage(flat, avals, name_of(fun))
    return program, in_tree, flat.out_tree


def closure_convert(fun: Callable, *example_args: Any) -> tuple[Callable, list[Any]]:
    """Convert the traced values that a function closes over into arguments of the function.

    A function with rules of its own that takes another function as an argument sees nothing of
    the traced values in that function's closure. Converted, these values are arguments with
    derivatives.

    Args:
        fun: a pure function of arrays or trees.
        *example_args: arguments, of which only structure, shapes and dtypes matter.

    Returns:
        (converted, values): `converted(*args, *values)` is `fun(*args)`; the values are the
        floating-point and complex traced values that the function used from outside.

    Raises:
        TypeError: for example arguments that are no arrays; from the converted function, for
            arguments of another structure.

    Examples:
        >>> import diffeo as dx
        >>> def total(a):
        ...     converted, values = closure_convert(lambda x: a * x, 1.0)
        ...     return converted(3.0, *values)
        >>> dx.grad(total)(2.0)
        Array(3.)
    """
    check_callable(fun, "closure_convert")
    leaves = as_values(tree.leaves(example_args), "closure_convert", example_args)
    program, in_tree, out_tree = _staged(fun, example_args, [typeof(x) for x in leaves])
    moving = [isinstance(c, Tracer) and is_inexact(c.dtype) for c in program.consts]
    hoisted = [c for c, moves in zip(program.consts, moving) if moves]
    # The same program, whose leading inputs are all values from outside. Those that are hoisted
    # come from the caller of `converted`, the others from here.
    closed = program.closed_over()
    avals = [typeof(x) for x in leaves]

    @functools.wraps(fun, assigned=WRAPPED)
    def converted(*args: Any) -> Any:
        arguments = args[: len(args) - len(hoisted)]
        values, structure = tree.flatten(arguments)
        if structure != in_tree:
            names = ("the examples", "the arguments")
            difference = tree.first_difference(example_args, arguments, names=names)
            raise with_user_line(
                TypeError(
                    f"closure_convert of {name_of(fun)}: the arguments must have the structure of "
                    f"the examples, followed by {len(hoisted)} values: {difference}"
                )
            )
        values = as_values(values, f"closure_convert of {name_of(fun)}", arguments)
        for i, (x, aval) in enumerate(zip(values, avals)):
            if (x.shape, x.dtype) != (aval.shape, aval.dtype):
                raise with_user_line(
                    TypeError(
                        f"closure_convert of {name_of(fun)}: {argument(arguments, i)} must be "
                        f"{aval.strong} as its example, got {x.aval.strong}"
                    )
                )
        passed = iter(args[len(arguments) :])
        consts = [next(passed) if moves else c for c, moves in zip(program.consts, moving)]
        return tree.unflatten(out_tree, eval_jaxpr(closed, [*consts, *values]))

    return converted, hoisted


def custom_gradient(fun: Callable | None = None, *, with_logs: bool = False) -> Callable:
    """Make a differentiable function of one that returns its value and its gradient function.

    Args:
        fun: `fun(*args) -> (result, pullback)`; `pullback(ct)` returns the cotangents of the
            arguments: a tuple, or for one argument the cotangent itself. It may use any value
            of the function's body, and is traced for cotangents of the result's type. Without
            `fun`, a decorator is returned.
        with_logs: the pullback returns (cotangents, logs); see `custom_vjp.defvjp_with_logs`.

    Returns:
        A function `custom_vjp` of the same arguments that returns the result.

    Raises:
        TypeError: if a pair is not returned, or cotangents do not fit the arguments.

    Examples:
        >>> import diffeo as dx
        >>> @custom_gradient
        ... def square(x):
        ...     return x ** 2, lambda ct: ct * x
        >>> square(3.0), dx.grad(square)(3.0)
        (Array(9.), Array(3.))
    """
    if fun is None:
        return functools.partial(custom_gradient, with_logs=with_logs)
    check_callable(fun, "custom_gradient")

    def both(*args: Any) -> tuple[Any, Callable]:
        """Call the function and check that the result is a pair."""
        out = fun(*args)
        if not isinstance(out, (tuple, list)) or len(out) != 2 or not callable(out[1]):
            raise with_user_line(
                TypeError(
                    f"custom_gradient of {name_of(fun)}: the function must return a pair (result, "
                    f"pullback), got {type(out).__name__}"
                )
            )
        return out[0], out[1]

    @functools.wraps(fun)
    def value(*args: Any) -> Any:
        return both(*args)[0]

    def fwd(*args: Any) -> tuple[Any, Any]:
        out, pullback = both(*args)
        if with_logs:
            pullback = _checked_pair(pullback, name_of(fun))
        leaves = [as_value(o) for o in check_outputs(tree.leaves(out), out, name_of(fun))]
        avals = [tangent_aval(typeof(o)) for o in leaves]
        program, _, ct_tree = _staged(pullback, (out,), avals)
        # The program's constants are residuals, so they may be traced. The program itself and
        # `ct_tree` are no arrays: the rules keep such leaves as they are.
        return out, (program.closed_over(), ct_tree, list(program.consts))

    def bwd(residuals: Any, ct: Value) -> tuple:
        program, ct_tree, consts = residuals
        cts = tree.unflatten(ct_tree, eval_jaxpr(program, [*consts, *tree.leaves(ct)]))
        cts, logs = cts if with_logs else (cts, None)
        cts = tuple(cts) if isinstance(cts, (tuple, list)) else (cts,)
        return (cts, logs) if with_logs else cts

    fwd.__name__, bwd.__name__ = name_of(fun), f"the pullback of {name_of(fun)}"
    wrapped = custom_vjp(value)
    (wrapped.defvjp_with_logs if with_logs else wrapped.defvjp)(fwd, bwd)
    return wrapped


def _checked_pair(pullback: Callable, name: str) -> Callable:
    """Return a pullback that logs, with a check of the pair that it returns."""

    def checked(ct: Value) -> tuple[Any, Any]:
        out = pullback(ct)
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise with_user_line(
                TypeError(
                    f"custom_gradient of {name}: with with_logs=True the pullback must return a "
                    f"pair (cotangents, logs), got {describe(out)}"
                )
            )
        if out[1] is not None and type(out[1]) is not dict:
            raise with_user_line(
                TypeError(
                    f"custom_gradient of {name}: the logs must be None or a dict of what is logged "
                    f"by name, got {describe(out[1])}"
                )
            )
        return out[0], out[1]

    return checked
