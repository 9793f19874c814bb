"""The spaces of arrays; all spaces are of one class here."""

from ..machinery.vspaces import VSpace as ArrayVSpace
from ..machinery.vspaces import VSpace as ComplexArrayVSpace

__all__ = ["ArrayVSpace", "ComplexArrayVSpace"]
