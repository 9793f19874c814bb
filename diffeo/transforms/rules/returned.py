"""Checks of what the user's rules return: tangents and cotangents, and what is logged.

Start reading at `flat_cotangents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ...primitives.array import as_value
from ...primitives.core import Value, describe, typeof, with_user_line
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import MismatchError
from ...primitives.types import ShapedArray, float0, is_inexact
from ...primitives.words.structural import convert_element_type
from ...trees import tree
from ...trees.arguments import argument, check_outputs
from ..tangents import same_kind, tangent_aval
from .symbolic_zeros import SymbolicZero


def derivative(t: Any, aval: ShapedArray, what: str, convert: bool = False) -> Any:
    """Return a tangent or cotangent that a rule returned, after checking its type.

    The result is `ZERO` if it is known to be zero. `aval` is the type of the value that it
    belongs to. With `convert`, it may have another precision.
    """
    expected = tangent_aval(aval)
    if type(t) is SymbolicZero:
        actual, value = t.aval, ZERO
    elif expected.dtype == float0 and getattr(t, "dtype", None) == float0:
        actual, value = typeof(np.asarray(t)), ZERO
    else:
        try:
            value = as_value(t)
        except TypeError:
            raise with_user_line(
                MismatchError(f"{what} must be {expected}, got {describe(t)}")
            ) from None
        actual = value.aval
        # A Python number has no dtype of its own to be wrong about.
        fits = value.weak_type or (convert and same_kind(actual.dtype, expected.dtype))
        if fits and actual.shape == expected.shape and expected.dtype != float0:
            return convert_element_type(value, expected.dtype)
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        if expected.dtype == float0:
            what += f", of an integer, must be np.zeros({expected.shape}, dx.float0)"
            raise with_user_line(MismatchError(f"{what}, got {actual}"))
        raise with_user_line(MismatchError(f"{what} must be {expected}, got {describe(t)}"))
    return value


def flat_cotangents(
    returned: Any, in_tree: Any, avals: Sequence[ShapedArray], positions: Sequence[int], what: str
) -> list[Any]:
    """Return the leaves of a tuple with a cotangent for each argument; None is zero.

    Args:
        returned: what the rule returned.
        in_tree: the structure of the arguments.
        avals: the types of their leaves.
        positions: the positions of the arguments, for messages.
        what: the rule, for messages.
    """
    # A tree with the arguments' structure, which says where None stands for a whole part.
    like = tree.unflatten(in_tree, [_Leaf()] * in_tree.num_leaves)
    if isinstance(returned, list):
        returned = tuple(returned)
    if not isinstance(returned, tuple) or len(returned) != len(like):
        got = f"{len(returned)} of them" if isinstance(returned, tuple) else describe(returned)
        raise with_user_line(
            MismatchError(
                f"{what} must return a tuple with one cotangent for each of {len(like)} "
                f"arguments (None for zero), got {got}"
            )
        )
    columns: list[Any] = []
    try:
        # None is a leaf here, and is given the part of the arguments that it stands for.
        tree.map(partial(_collect, columns), returned, like, is_leaf=_is_none)
    except (ValueError, TypeError):
        difference = tree.first_difference(
            _without_none(returned, like), like, names=("the cotangents", "the arguments")
        )
        raise with_user_line(
            MismatchError(f"{what} must return the structure of the arguments: {difference}")
        ) from None
    cts = []
    for i, (ct, aval) in enumerate(zip(columns, avals)):
        if ct is None or not is_inexact(aval.dtype):
            cts.append(ZERO)
            continue
        where = f"{what}: the cotangent of {argument(like, i, positions)}"
        cts.append(derivative(ct, aval, where, convert=True))
    return cts


class _Leaf:
    """A stand-in for an array in a tree."""


def _is_none(x: Any) -> bool:
    return x is None


def _collect(columns: list[Any], ct: Value | None, part: Any) -> Any:
    """Append the cotangent of each array in a part of the arguments; None is for all of them, and
    a bare array for the only one.
    """
    count = len(tree.leaves(part))
    if ct is not None and count != 1:
        raise ValueError
    columns.extend([ct] * count)
    return part


def flat_logs(logs: Any, what: str) -> tuple[Any, list[Any]] | None:
    """Return (structure, leaves) of what a backward rule logs; TypeError if it is no dictionary."""
    if logs is None:
        return None
    if type(logs) is not dict:
        raise with_user_line(
            TypeError(
                f"{what} must return None or a dict of what it logs, by name, as the second of its "
                f"pair, got {describe(logs)}"
            )
        )
    leaves, structure = tree.flatten(logs)
    return structure, check_outputs(leaves, logs, what)


def _without_none(returned: Any, like: Any) -> Any:
    """Return cotangents with the arguments' own structure where they are None."""
    if returned is None:
        return like
    if isinstance(returned, tuple) and isinstance(like, tuple) and len(returned) == len(like):
        return tuple([_without_none(*pair) for pair in zip(returned, like)])
    return returned
