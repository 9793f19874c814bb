"""The simplifier's rules for operations at places that are computed.

If the places turn out to be known numbers, the operations become slices and pads, for which
`shapes.py` has rules. Rules are functions as `Simplifier` describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.types import ShapedArray
from ..primitives.words.indexing import DynamicSlice, DynamicUpdateSlice, Gather
from ..primitives.words.slicing import Pad, Slice
from .algebra import filled, same_number
from .shapes import Shape, made_by, of_splat, same_shape


def _known_starts(s: Any, starts: Sequence[Any], shape: Shape, sizes: Shape) -> Shape | None:
    """Return starts that are numbers, moved so that the window lies inside; or else None."""
    numbers = [s.number(v) for v in starts]
    if any([n is None for n in numbers]):
        return None
    return tuple([min(max(int(k), 0), n - m) for k, n, m in zip(numbers, shape, sizes)])


def of_dynamic_slice(s: Any, op: DynamicSlice, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace a dynamic slice at a known place by a slice; that of an update at the same place, by
    the update.
    """
    x, *starts = inputs
    known = _known_starts(s, starts, x.aval.shape, op.sizes)
    if known is not None:
        limits = tuple([a + n for a, n in zip(known, op.sizes)])
        return Slice(known, limits, (1,) * len(known)), (x,)
    maker = made_by(s, x, DynamicUpdateSlice)
    if maker is not None and list(maker.inputs[2:]) == starts:
        update = maker.inputs[1]
        return update if update.aval.shape == op.sizes else None
    return None


def of_dynamic_update(
    s: Any, op: DynamicUpdateSlice, inputs: Sequence[Any], aval: ShapedArray
) -> Any:
    """Replace an update of everything by the update; skip an earlier update at the same place,
    which is overwritten; replace an update of an array of one number, at a known place, by a pad.
    """
    x, update, *starts = inputs
    if update.aval.shape == x.aval.shape:
        return update
    maker = made_by(s, x, DynamicUpdateSlice)
    if (
        maker is not None
        and list(maker.inputs[2:]) == starts
        and maker.inputs[1].aval.shape == update.aval.shape
    ):
        return op, (maker.inputs[0], *inputs[1:])
    number, shape = s.number(x), update.aval.shape
    known = None if number is None else _known_starts(s, starts, x.aval.shape, shape)
    if known is None:
        return None
    high = tuple([n - a - m for n, a, m in zip(x.aval.shape, known, shape)])
    return Pad(known, high, (0,) * len(known), number), (update,)


def of_gather(s: Any, op: Gather, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace windows of an array of one number by this number, unless others are filled in."""
    number = s.number(inputs[0])
    if number is None or (op.mode == "fill" and not same_number(op.fill, number)):
        return None
    return filled(aval, number)


#: The rules of each type, in the order in which they are tried.
RULES: dict[type, Any] = {
    DynamicSlice: (same_shape, of_splat, of_dynamic_slice),
    DynamicUpdateSlice: (of_dynamic_update,),
    Gather: (of_gather,),
}
