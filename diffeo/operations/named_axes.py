"""Named axes, those of `vmap(axis_name=...)`: which names exist where a program is traced."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ..primitives.core import state, with_user_line

#: A named axis: its name and its size.
Axis = tuple[Hashable, int]


def axes_in_scope() -> dict[Hashable, int]:
    """Return the named axes and their sizes; an inner name hides an outer one.

    The current trace and the traces around it know them.
    """
    axes: dict[Hashable, int] = {}
    trace = state.trace
    while trace is not None:
        axes = {**getattr(trace, "named_axes", {}), **axes}
        trace = trace.parent
    return axes


def unbound(what: str, name: Hashable) -> Exception:
    """Return the error for a name that no transformation around binds."""
    bound = [f"{n!r} (of size {size})" for n, size in axes_in_scope().items()]
    return with_user_line(
        NameError(
            f"{what}: no axis is named {name!r} here; the named axes are: "
            f"{', '.join(bound) or 'none'}. dx.vmap(..., axis_name={name!r}) gives an axis its name"
        )
    )


def find_axes(what: str, names: Sequence[Hashable]) -> tuple[Axis, ...]:
    """Return the named axes with their sizes; NameError for one that does not exist."""
    scope = axes_in_scope()
    for name in names:
        if name not in scope:
            raise unbound(what, name)
    return tuple([(name, scope[name]) for name in names])
