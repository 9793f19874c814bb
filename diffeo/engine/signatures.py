"""Which arguments of a function are meant: by position, by name, either inferred from the other.

`jit` treats some arguments apart: *static* ones are part of the key of a program, and *donated*
ones give their memory to the results. All others are *dynamic*: trees of arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..lowering.pytree import PyTreeDef
from ..primitives.config import config
from ..primitives.core import describe, with_user_line
from ..primitives.support.exact import exactly_equal
from ..primitives.support.foreign import DTYPES
from ..primitives.types import SCALARS, default_dtype
from ..trees import tree
from ..trees.arguments import name_of, other_positions

Numbers = int | Sequence[int] | None
Names = str | Sequence[str] | None
#: Types of numbers: Python's, and NumPy's of which each is one dtype.
NUMBERS = SCALARS | {np.dtype(letter).type for letter in "?bhilqBHILQefdFD"}


class Arguments(NamedTuple):
    """Some arguments of a function: their positions, which may be negative, and their names."""

    numbers: tuple[int, ...]
    names: frozenset[str]

    def positions(self, count: int) -> list[int]:
        """Return the positions of those that are among `count` positional arguments."""
        return sorted({n % count if n < 0 else n for n in self.numbers if -count <= n < count})


NONE = Arguments((), frozenset())


def choose(fun: Callable, numbers: Numbers, names: Names, what: str) -> Arguments:
    """Return the arguments that `{what}_argnums` and `{what}_argnames` choose.

    If only one of the two is given, the other is inferred from the function's parameters.

    Raises:
        TypeError: if these are not integers and strings.
        ValueError: if the function has no such arguments.
    """
    numbers_given, names_given = numbers is not None, names is not None
    chosen = _listed(numbers, int, f"jit of {name_of(fun)}: {what}_argnums")
    named = _listed(names, str, f"jit of {name_of(fun)}: {what}_argnames")
    if not chosen and not named:
        return NONE
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):
        return Arguments(chosen, frozenset(named))
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    has_star = any([p.kind is p.VAR_POSITIONAL for p in parameters])
    has_kwargs = any([p.kind is p.VAR_KEYWORD for p in parameters])
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    count = len(positional)
    for n in chosen:
        if not has_star and not -count <= n < count:
            raise with_user_line(
                ValueError(
                    f"jit of {name_of(fun)}: {what}_argnums has {n}, but the function has the "
                    f"positional parameters {positional}"
                )
            )
    for n in named:
        if n not in known and not has_kwargs:
            raise with_user_line(
                ValueError(
                    f"jit of {name_of(fun)}: {what}_argnames has {n!r}, but the parameters are "
                    f"{known}"
                )
            )
    if not names_given:
        named = tuple([positional[n] for n in chosen if -count <= n < count])
    if not numbers_given:
        chosen = tuple([positional.index(n) for n in named if n in positional])
    return Arguments(chosen, frozenset(named))


def _listed(value: Any, kind: type, what: str) -> tuple:
    """Return one or several as a tuple.

    Raises:
        TypeError: if they are not of the kind.
    """
    if value is None:
        return ()
    listed = (value,) if isinstance(value, kind) else value
    try:
        listed = tuple(listed)
    except TypeError:
        listed = (value,)
    for item in listed:
        if not isinstance(item, kind) or isinstance(item, bool):
            expected = "an integer" if kind is int else "a string"
            raise with_user_line(
                TypeError(f"{what} must be {expected} or a sequence of such, got {describe(value)}")
            )
    return listed


def check_options(flags: Any, what: str) -> None:
    """Raise a TypeError if compiler options are no dictionary of names and values."""
    if flags is None or (isinstance(flags, Mapping) and all([type(k) is str for k in flags])):
        return
    raise with_user_line(
        TypeError(
            f"{what}: compiler_options are XLA's flags by name, as "
            f"{{'xla_cpu_enable_fast_math': True}}, got {describe(flags)}"
        )
    )


def check_disjoint(static: Arguments, donated: Arguments, what: str) -> None:
    """Raise a ValueError if an argument is static and donated."""
    both = static.names & donated.names or set(static.numbers) & set(donated.numbers)
    if both:
        raise with_user_line(
            ValueError(
                f"{what}: {sorted(both)} is both static and donated; a static argument is no array "
                "and has no memory to donate"
            )
        )


class Static(tuple):
    """Static arguments as a key: a tuple of (place, value, what tells the value apart).

    The third tells a value apart from values that are equal but not the same: 1, 1.0 and True, or
    0.0 and -0.0. Values whose comparison fails are different; `check_static` says what is wrong
    with them.
    """

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        try:
            # What the key holds besides the values tells most of them apart sooner.
            return tuple.__eq__(self, other) is True and all(  # type: ignore
                map(exactly_equal, self, other)  # type: ignore
            )
        except Exception:
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other


NO_STATIC = Static()


def split(static: Arguments, args: tuple, kwargs: dict) -> tuple[tuple, dict, Static]:
    """Return (args, kwargs) without the static ones, and these.

    With argument 1 static, `f(x, 3, y)` is split into `(x, y)`, `{}` and `((1, 3, int),)`.
    """
    static_positions = static.positions(len(args)) if args else []
    items = [(n, args[n]) for n in static_positions]
    if static.names and kwargs:
        items += [(k, kwargs[k]) for k in sorted(kwargs) if k in static.names]
        kwargs = {k: v for k, v in kwargs.items() if k not in static.names}
    dynamic = tuple([a for i, a in enumerate(args) if i not in static_positions])
    return dynamic, kwargs, Static([(k, v, _exactly(v)) for k, v in items])


def _exactly(value: Any) -> Any:
    kind = type(value)
    return (kind, repr(value)) if kind is float or kind is complex else kind


def join(args: Sequence[Any], kwargs: dict, static: tuple) -> tuple[list, dict]:
    """Return the full (args, kwargs) again; undo `split`."""
    args, kwargs = list(args), dict(kwargs)
    for where, value, _ in static:
        if isinstance(where, int):
            args.insert(where, value)
        else:
            kwargs[where] = value
    return args, kwargs


def check_tracing(name: str, static: tuple) -> None:
    """Check that a function may be traced: RuntimeError if the task does not want it, ValueError
    for a static argument that cannot be a key.
    """
    if config.no_tracing:
        raise with_user_line(
            RuntimeError(f"re-tracing function {name} for jit, but dx.config.no_tracing is on")
        )
    check_static(name, static)


def check_static(name: str, static: tuple) -> None:
    """Raise a ValueError for a static argument that cannot be a key.

    It has no hash, or is not equal to itself.
    """
    for where, value, _ in static:
        try:
            hash(value)
        except TypeError:
            raise with_user_line(
                ValueError(
                    f"jit of {name}: the static argument {where!r} is {describe(value)}, which has "
                    "no hash; static arguments are keys of the cache of programs: pass a tuple "
                    "instead of a list, a frozen dataclass instead of a dict, or let an array be "
                    "an ordinary argument"
                )
            ) from None
        try:
            same = bool(value == value)
        except Exception as error:
            same, reason = False, f"its == raises {type(error).__name__}: {error}"
        else:
            reason = "it is not equal to itself"
        if not same:
            raise with_user_line(
                ValueError(
                    f"jit of {name}: the static argument {where!r} is {describe(value)}, but "
                    f"{reason}; static arguments are keys of the cache of programs, which needs "
                    "an == that is true for equal values"
                )
            )


def leaf_numbers(structure: PyTreeDef, chosen: Arguments, static: tuple) -> tuple[int, ...]:
    """Return the numbers of the leaves that belong to the chosen arguments.

    Leaves are counted in a flattened (args, kwargs) without the static ones.
    """
    if chosen is NONE:
        return ()
    # A tree of the numbers of its leaves, so that the leaves of an argument are the answer.
    args, kwargs = tree.unflatten(structure, range(structure.num_leaves))
    static_places = [where for where, _, _ in static]
    numbers = other_positions(len(args), static_places)
    count = len(args) + sum([isinstance(where, int) for where in static_places])
    chosen_positions = set(chosen.positions(count))
    chosen_leaves = [tree.leaves(a) for n, a in zip(numbers, args) if n in chosen_positions]
    chosen_leaves += [tree.leaves(v) for k, v in kwargs.items() if k in chosen.names]
    return tuple(sorted([i for leaves in chosen_leaves for i in leaves]))


def converters(kinds: Sequence[Any]) -> dict[type, Callable]:
    """Return what to make of operands of some types before the call, as the dispatcher does not do
    it.
    """
    functions: dict[type, Callable] = {}
    if any([type(k) is tuple and len(k) == 2 for k in kinds]):
        # The memory of a NumPy array is the caller's, who may write to it afterwards.
        functions[np.ndarray] = np.ndarray.copy
    if config.default_bits == 32:  # the dispatcher makes 64 bits of Python's numbers
        functions.update({k: default_dtype(k).type for k in (int, float, complex) if k in kinds})
    return functions


def is_native(x: Any) -> bool:
    """Return whether the bytes of an array are in the order that jaxlib's dispatcher takes for
    granted, and its numbers of a width that comes in as it is.
    """
    dtype = getattr(x, "dtype", None)
    return dtype is None or (dtype.isnative and dtype in DTYPES)
