"""What libraries ask of jax about tracebacks: diffeo's are not filtered."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["api_boundary", "register_exclusion"]

#: The files that libraries leave out of tracebacks.
_exclude_paths: list[str] = []


def api_boundary(fun: Callable, **options: object) -> Callable:
    """Return the function."""
    return fun


def register_exclusion(path: str) -> None:
    """Remember a library's file."""
    _exclude_paths.append(path)
