"""Modules that JAX has under `experimental`, by its names."""

from .._loading import Late as _Late

_late = _Late(__name__, ".: checkify jet ode sparse ..api.pure_callback: io_callback")
__getattr__, __dir__ = _late.load, _late.listed

__all__ = [*_late.names]  # pyright: ignore[reportUnsupportedDunderAll]
