"""SciPy's functions on diffeo's arrays, with SciPy's module names."""

from .._loading import Late as _Late

#: The modules, which are loaded when they are asked for.
_late = _Late(
    __name__,
    """
.: cluster fft integrate interpolate linalg ndimage optimize signal sparse spatial special stats
""",
)
__getattr__, __dir__ = _late.load, _late.listed
__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]
