"""jax's version: that whose public names are served."""

from ..modules import VERSION as __version__

__version_info__ = tuple([int(_number) for _number in __version__.split(".")])
