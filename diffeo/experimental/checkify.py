"""Checks in compiled functions, by JAX's names: a function that fails returns its error.

A compiled program cannot raise. `checkify(f)` returns the error as a value beside the result of
`f`; outside, `error.throw()` raises it. Errors are those that `check` in `f` finds, and, where that
is asked for, nans, divisions by zero and indices out of bounds.

Examples:
    >>> import diffeo as dx
    >>> from diffeo.experimental import checkify
    >>> @dx.jit
    ... @checkify.checkify
    ... def f(x):
    ...     checkify.check(x > 0, "{} is not positive", x)
    ...     return dx.numpy.log(x)
    >>> error, y = f(1.0)
    >>> error.get() is None, y
    (True, Array(0.))
    >>> error, y = f(-3.0)
    >>> error.get().splitlines()[0]
    '-3.0 is not positive (`check` failed)'
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ..operations.checks import Check, CheckFailure, JaxRuntimeError, Site, earliest, row_of
from ..primitives.array import as_value
from ..primitives.constants import full
from ..primitives.core import Tracer, Value, describe, with_user_line
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import select
from ..primitives.words.reduction import reduce_max
from ..transforms.checking.checking import Checking
from ..transforms.checking.report import Sites, line
from ..transforms.checking.watching import (
    DivisionByZeroError,
    FailedCheckError,
    NaNError,
    OOBError,
)
from ..trees import tree
from ..trees.arguments import WRAPPED, check_callable, name_of

__all__ = [
    "DivisionByZeroError", "Error", "ErrorCategory", "FailedCheckError", "JaxRuntimeError",
    "NaNError", "OOBError", "all_checks", "automatic_checks", "check", "check_error", "checkify",
    "debug_check", "div_checks", "float_checks", "index_checks", "init_error", "nan_checks",
    "user_checks",
]  # fmt: skip

#: A kind of failure: the exception that stands for it.
ErrorCategory = type[CheckFailure]

#: Sets of kinds: `check` of the user's own; operations whose result has a nan; divisions by zero;
#: indices out of bounds; and unions of these.
user_checks = frozenset({FailedCheckError})
nan_checks = frozenset({NaNError})
div_checks = frozenset({DivisionByZeroError})
index_checks = frozenset({OOBError})
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks

_INT32 = np.dtype(np.int32)


@tree.register_pytree_node_class
class Error:
    """What went wrong in a function, or that nothing did: a value, which goes through `jit`,
    `vmap` and loops as a tree of arrays.

    Under `vmap` it holds one error for each row, and messages say which row.
    """

    def __init__(self, code: Any, arrays: Any, sites: Sites, slots: tuple[Any, ...]):
        self._code, self._arrays, self._sites, self._slots = code, arrays, sites, slots

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return the arrays, and what is known of them."""
        return (self._code, self._arrays), (self._sites, self._slots)

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> Error:
        """Return the error of which `tree_flatten` made these."""
        return cls(*children, *static)

    def get(self) -> str | None:
        """Return the message of the first error, with the user's line; None if all went well.

        Raises:
            ConcretizationTypeError: while the error is traced.
        """
        failure = self.get_exception()
        return None if failure is None else str(failure)

    def get_exception(self) -> CheckFailure | None:
        """Return the exception that stands for the first error (see `user_checks` and the like for
        the kinds), which is not raised; None if all went well.

        Raises:
            ConcretizationTypeError: while the error is traced.
        """
        codes = np.asarray(self._code)
        if not codes.shape:
            return self._at(()) if codes else None
        places = [(place, self._at(place)) for place in np.ndindex(codes.shape) if codes[place]]
        if not places:
            return None
        rows = [f"at mapped index {', '.join(map(str, place))}: {e}" for place, e in places]
        return type(places[0][1])("\n".join(rows))

    def _at(self, place: tuple[int, ...]) -> CheckFailure:
        sites = self._sites.all()
        site = sites[int(np.asarray(self._code)[place]) - 1]
        arrays = [np.asarray(a)[place] for a in self._arrays]
        return site.failure(Check(sites, self._slots).shown(site, arrays))

    def throw(self) -> None:
        """Raise a `JaxRuntimeError` (a ValueError) with the message of the first error, if there is
        one. Within a function that is checkified, the error becomes one of that function.
        """
        check_error(self)

    def __str__(self) -> str:
        return "Error(traced)" if isinstance(self._code, Tracer) else f"Error({self.get()})"

    __repr__ = __str__


#: The error of a function that makes no checks.
init_error = Error(np.zeros((), _INT32), (), Sites(), ())


def checkify(
    f: Callable[..., Any], errors: Collection[ErrorCategory] = user_checks
) -> Callable[..., tuple[Error, Any]]:
    """Return a function that returns an error beside the result of `f`.

    It may be compiled, mapped and differentiated, and `f` may call such functions. All of `f` runs,
    also after a failure. In loops and conditionals, steps and branches that are not taken are not
    checked; under a `vmap` inside of `f`, those that a row does not take (but for nans and the like
    where the `vmap` is compiled by `jit` inside of `f`: its rows take all branches). Checks within
    a backward rule are made where the rule runs inside of `f`.

    Args:
        f: a function of trees.
        errors: the kinds of failures that are looked for: unions of `user_checks`, `nan_checks`,
            `div_checks` and `index_checks`. Those that are not are as if there were no check.

    Returns:
        A function of the same arguments, which returns `(error, result)`; the first failure counts.

    Raises:
        TypeError: for `errors` that are no kinds of failures.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import checkify
        >>> error, y = checkify.checkify(np.sin, errors=checkify.float_checks)(np.inf)
        >>> error.get().splitlines()[0]
        'nan generated by primitive: sin.'
    """
    check_callable(f, "checkify")
    kinds = frozenset(errors)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, CheckFailure)):
            raise with_user_line(
                TypeError(
                    "checkify: errors must be sets of kinds, such as checkify.float_checks or "
                    f"their unions, got {describe(kind)}"
                )
            )

    @functools.wraps(f, assigned=WRAPPED)
    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        leaves, structure = tree.flatten((args, kwargs))
        places = [i for i, x in enumerate(leaves) if _is_array(x)]
        interpreter = Checking(kinds)
        interpreter.function_name = name_of(f)
        out_tree: Any = None
        others: list[Any] = []

        def flat(*arrays: Any) -> list[Any]:
            nonlocal out_tree, others
            full_leaves = list(leaves)
            for i, x in zip(places, arrays):
                full_leaves[i] = x
            args, kwargs = tree.unflatten(structure, full_leaves)
            others, out_tree = tree.flatten(f(*args, **kwargs))
            return [x for x in others if _is_array(x)]

        # What NumPy would warn of is looked for, and returned.
        quiet: dict[str, Any] = {"invalid": "ignore"} if NaNError in kinds else {}
        quiet |= {"divide": "ignore"} if DivisionByZeroError in kinds else {}
        with np.errstate(**quiet):
            found = interpreter.run_flat(flat, [as_value(leaves[i]) for i in places])
        outs = iter(found)
        results = [as_value(next(outs)) if _is_array(x) else x for x in others]
        report = interpreter.report
        slots = tuple(report.slots)
        code, *arrays = report.arrays(slots)
        error = Error(as_value(code), tuple(arrays), interpreter.sites, slots)
        return error, tree.unflatten(out_tree, results)

    return checked


def _is_array(x: Any) -> bool:
    return isinstance(x, (Value, np.ndarray, np.generic, bool, int, float, complex))


def check(pred: Any, msg: str, *fmt_args: Any, debug: bool = False, **fmt_kwargs: Any) -> None:
    """Check that a predicate holds; within `checkify`, its failure is returned.

    Where the predicate is known, a failure is raised at once. A compiled function cannot raise, so
    it must be checkified before it is compiled.

    Args:
        pred: a boolean scalar.
        msg: the message of the failure, with places for `str.format`.
        *fmt_args, **fmt_kwargs: arrays, or trees of them, that the message shows in these places.
            They are kept until the end of the function.
        debug: do nothing outside of `checkify`.

    Raises:
        JaxRuntimeError: (a ValueError) if the predicate is known and false.
        ValueError: where a program is compiled that was not checkified.
        TypeError: for another predicate, or for values to be shown that are no arrays.

    Examples:
        >>> from diffeo.experimental import checkify
        >>> try:
        ...     checkify.check(1 > 2, "never")
        ... except checkify.JaxRuntimeError as error:
        ...     print(str(error).splitlines()[0])
        never (`check` failed)
    """
    name = "debug_check" if debug else "check"
    predicate = as_value(pred) if isinstance(pred, (bool, np.bool_, np.ndarray, Value)) else None
    if predicate is None or predicate.shape or predicate.dtype != np.bool_:
        raise with_user_line(
            TypeError(f"{name} takes a scalar pred as argument, a boolean, got {describe(pred)}")
        )
    arrays, structure = tree.flatten((fmt_args, fmt_kwargs))
    for x in arrays:
        if not isinstance(x, (Value, np.ndarray)):
            raise with_user_line(
                TypeError(
                    f"{name}: Formatting arguments to checkify.check need to be PyTrees of arrays, "
                    f"but got {x!r} of type {type(x).__name__}"
                )
            )
    values = [as_value(x) for x in arrays]
    slot = tuple([ShapedArray(v.shape, v.dtype) for v in values])
    site = Site(FailedCheckError, f"{msg} (`check` failed)", slot, structure, line())
    code = select(predicate, full((), 0, _INT32), full((), 1, _INT32))
    Check((site,), (slot,), debug).bind(code, *values)


def debug_check(pred: Any, msg: str, *fmt_args: Any, **fmt_kwargs: Any) -> None:
    """Check that a predicate holds, within `checkify` only; elsewhere, do nothing.

    Args:
        pred: a boolean scalar.
        msg: the message of the failure, with places for `str.format`.
        *fmt_args, **fmt_kwargs: arrays, or trees of them, that the message shows.

    Examples:
        >>> from diffeo.experimental import checkify
        >>> checkify.debug_check(1 > 2, "never")
        >>> f = lambda x: checkify.debug_check(x > 2, "at most two")
        >>> checkify.checkify(f)(1.0)[0].get().splitlines()[0]
        'at most two (`check` failed)'
    """
    check(pred, msg, *fmt_args, debug=True, **fmt_kwargs)


def check_error(error: Error) -> None:
    """Raise an error that `checkify` has returned, if it is one; within another `checkify`, the
    error becomes one of that function. It undoes `checkify`.

    Args:
        error: the error; of one with several rows, the first that failed counts.

    Raises:
        JaxRuntimeError: (a ValueError) if something failed, and that is known.
        ValueError: where a program is compiled that was not checkified.
        TypeError: for anything else than an `Error`.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.experimental import checkify
        >>> def f(x):
        ...     error, y = dx.jit(checkify.checkify(g))(x)
        ...     checkify.check_error(error)
        ...     return y
        >>> def g(x):
        ...     checkify.check(x > 0, "must be positive")
        ...     return x
        >>> f(1.0)
        Array(1.)
    """
    if not isinstance(error, Error):
        raise with_user_line(
            TypeError(
                f"check_error takes an Error as argument, got type {type(error).__name__} instead"
            )
        )
    sites = error._sites.all()
    if not sites:
        return
    values = [as_value(error._code), *[as_value(a) for a in error._arrays]]
    while values[0].shape:  # the first row in which anything failed
        rest = tuple(range(1, values[0].ndim))
        row = earliest(reduce_max(values[0], rest) if rest else values[0])
        values = [row_of(v, row) for v in values]
    Check(sites, error._slots).bind(*values)
