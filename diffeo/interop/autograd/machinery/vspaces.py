"""Vector spaces: trees of arrays, with their shapes and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ....primitives.core import Value
from ....primitives.types import is_complex
from ....trees import tree


class VSpace:
    """The space of all trees of one structure, shapes and dtypes.

    Args:
        value: a tree of arrays, floats and complex numbers.

    Raises:
        TypeError: if it has a leaf that is none.

    Examples:
        >>> from diffeo.interop.autograd.extend import vspace
        >>> space = vspace({"w": np.ones((2, 2)), "b": 1.0})
        >>> space.size, space.zeros()
        (5, {'b': np.float64(0.0), 'w': array([[0., 0.],
               [0., 0.]])})
    """

    def __init__(self, value: Any):
        leaves, self.structure = tree.flatten(value)
        for leaf in leaves:
            if not isinstance(leaf, (np.ndarray, np.inexact, float, complex, Value)):
                raise TypeError(
                    f"Can't find vector space for value {leaf} of type {type(leaf)}. Valid types "
                    "are arrays, floats, complex numbers, and lists, tuples and dicts of them"
                )
        self.types = [(np.shape(x), np.dtype(x.dtype) if hasattr(x, "dtype") else
                       np.asarray(x).dtype) for x in leaves]  # fmt: skip

    def _only(self) -> tuple[tuple[int, ...], np.dtype]:
        if not tree.treedef_is_leaf(self.structure):
            raise AttributeError("the space of a container has no one shape and dtype")
        return self.types[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array of the space."""
        return self._only()[0]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of an array of the space."""
        return self._only()[1]

    @property
    def ndim(self) -> int:
        """The number of axes of an array of the space."""
        return len(self.shape)

    @property
    def iscomplex(self) -> bool:
        """Whether it is the space of one complex array."""
        return tree.treedef_is_leaf(self.structure) and is_complex(self.types[0][1])

    @property
    def size(self) -> int:
        """The number of real numbers in a vector."""
        return sum([_size(shape) * (2 if is_complex(d) else 1) for shape, d in self.types])

    def _made(self, make: Callable[[tuple, np.dtype], Any]) -> Any:
        return tree.unflatten(self.structure, [make(s, d)[()] for s, d in self.types])

    def zeros(self) -> Any:
        """Return the zero vector."""
        return self._made(np.zeros)

    def ones(self) -> Any:
        """Return the vector of ones; of ones in both parts, where it is complex."""
        return self._made(lambda s, d: np.full(s, 1 + 1j if is_complex(d) else 1, d))

    def randn(self) -> Any:
        """Return a vector of normal numbers, from NumPy's global generator."""

        def draw(shape: tuple, dtype: np.dtype) -> Any:
            x = np.random.randn(*shape)
            return np.asarray(x + 1j * np.random.randn(*shape) if is_complex(dtype) else x, dtype)

        return self._made(draw)

    def standard_basis(self) -> Iterator[Any]:
        """Yield the vectors of the standard basis; two for a complex number, 1 and 1j."""
        for n, (shape, dtype) in enumerate(self.types):
            for index in np.ndindex(*shape):
                for one in (1.0, 1j) if is_complex(dtype) else (1.0,):
                    arrays = [np.zeros(s, d) for s, d in self.types]
                    arrays[n][index] = one
                    yield tree.unflatten(self.structure, [a[()] for a in arrays])

    def add(self, x: Any, y: Any) -> Any:
        """Return the sum of two vectors."""
        return tree.map(lambda a, b: a + b, x, y)

    def mut_add(self, x: Any, y: Any) -> Any:
        """Return the sum of two vectors, of which the first may be None for zero."""
        return y if x is None else self.add(x, y)

    def scalar_mul(self, x: Any, a: Any) -> Any:
        """Return a multiple of a vector."""
        return tree.map(lambda v: v * a, x)

    def inner_prod(self, x: Any, y: Any) -> Any:
        """Return the inner product of two vectors, a real number."""
        pairs = zip(tree.leaves(x), tree.leaves(y))
        return sum([np.real(np.dot(np.conj(np.ravel(a)), np.ravel(b))) for a, b in pairs])

    def covector(self, x: Any) -> Any:
        """Return the cotangent that belongs to a vector by the inner product: its conjugate."""
        return tree.map(lambda a: np.conj(a) if np.iscomplexobj(a) else a, x)

    _add, _mut_add, _scalar_mul, _inner_prod, _covector = (
        add, mut_add, scalar_mul, inner_prod, covector,
    )  # fmt: skip

    @classmethod
    def register(cls, value_type: type, vspace_maker: Any = None) -> None:
        """Refuse a space of the user's own.

        Raises:
            NotImplementedError: always, with what to do.
        """
        raise NotImplementedError(
            f"VSpace.register({value_type.__name__}): diffeo differentiates trees of arrays. "
            "Register the class as a container of arrays: dx.tree_util.register_pytree_node"
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, VSpace)
            and self.structure == other.structure
            and self.types == other.types
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"VSpace({self._made(lambda s, d: np.full((), f'{d}{list(s)}'))})"


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


def vspace(value: Any) -> VSpace:
    """Return the vector space of a value, a tree of arrays.

    Args:
        value: an array, a float, or lists, tuples and dicts of them.

    Raises:
        TypeError: if it has a leaf that is none.
    """
    return VSpace(value)
