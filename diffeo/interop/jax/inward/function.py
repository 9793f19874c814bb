"""`from_jax`: a function that jax can trace, as one of diffeo's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import numpy as np

from ....primitives.array import as_value
from ....primitives.core import Value, describe, typeof, with_user_line
from ....primitives.jaxpr import Jaxpr, eval_jaxpr
from ....primitives.support.frozen import OwnCopy
from ....primitives.support.key_types import KeyType
from ....primitives.types import SCALARS, ShapedArray
from ....random.keys import key_data
from ....trees import tree
from ....trees.arguments import check_callable, name_of
from . import callbacks, custom, elements, foreign, loops, matrices, places, randomness, shapes
from .reader import is_key, our_constant
from .reader import settings as jax_settings
from .traced import Traced

#: The files of rules, which enter them into the table when they are loaded.
RULE_FILES = (
    callbacks, custom, elements, foreign, loops, matrices, places, randomness, shapes,
)  # fmt: skip

#: How many signatures a function keeps.
_MOST = 512

#: jax's settings that change what it traces.
_SETTINGS = (
    "jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion",
    "jax_threefry_partitionable", "jax_default_prng_impl", "jax_softmax_custom_jvp",
)  # fmt: skip


class FromJax(OwnCopy):
    """A function that jax can trace, on diffeo's values; made by `from_jax`."""

    def __init__(self, fun: Callable, static_argnums: Any, static_argnames: Any):
        check_callable(fun, "from_jax")
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.__name__ = name_of(fun)
        numbers, names = static_argnums, static_argnames
        self.static_argnums = (numbers,) if isinstance(numbers, int) else tuple(numbers)
        self.static_argnames = (names,) if isinstance(names, str) else tuple(names)
        self.known: dict[Any, tuple[Jaxpr, Any, list[Any]]] = {}

    def __repr__(self) -> str:
        return f"<from_jax of {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        fixed, args, kwargs = self._split(args, kwargs)
        leaves, in_tree = tree.flatten((args, kwargs))
        values: list[Any] = []
        plan: list[Any] = []
        for leaf in leaves:
            value, entry = _leaf(leaf, self.__name__)
            if entry is None or isinstance(entry, jax.ShapeDtypeStruct):
                values.append(value)
            plan.append(entry)
        avals = [typeof(v) for v in values]
        wide = bool(jax_settings.jax_enable_x64) or any(map(_is_wide, avals))
        settings = tuple([getattr(jax_settings, s, None) for s in _SETTINGS])
        key = (fixed, in_tree, tuple(plan), tuple(avals), wide, settings)
        entry = self._known(key)
        if entry is None:
            entry = self._translate(fixed, in_tree, plan, avals, wide)
            if len(self.known) >= _MOST:
                self.known.clear()
            self.known[key] = entry
        program, out_tree, outs = entry
        results = iter(eval_jaxpr(program, values))
        filled = [next(results) if o is _ARRAY else o for o in outs]
        return tree.unflatten(out_tree, filled)

    def _known(self, key: Any) -> Any:
        try:
            return self.known.get(key)
        except TypeError as error:
            raise with_user_line(
                TypeError(
                    f"from_jax of {self.__name__}: an argument that is no array is part of what "
                    f"the program is kept for, and must be hashable: {error}"
                )
            ) from None

    def _split(self, args: tuple, kwargs: dict) -> tuple[Any, tuple, dict]:
        """Return the static arguments as a part of the key, and the others."""
        numbers = [n % len(args) if -len(args) <= n < len(args) else None
                   for n in self.static_argnums] if args else []  # fmt: skip
        fixed = tuple([(n, args[n]) for n in numbers if n is not None])
        named = tuple([(k, kwargs[k]) for k in self.static_argnames if k in kwargs])
        chosen = {n for n, _ in fixed}
        others = tuple([a for i, a in enumerate(args) if i not in chosen])
        taken = {k for k, _ in named}
        return (fixed, named), others, {k: v for k, v in kwargs.items() if k not in taken}

    def _translate(
        self,
        fixed: Any,
        in_tree: Any,
        plan: Sequence[Any],
        avals: Sequence[ShapedArray],
        wide: bool,
    ) -> tuple[Jaxpr, Any, list[Any]]:
        """Trace the function for arguments of a signature; return the program, and the tree of
        the results with what is no array in it.
        """
        out_tree: Any = None
        outs: list[Any] = []

        def flat(*arrays: Any) -> list[Any]:
            nonlocal out_tree, outs
            given = iter(arrays)
            leaves = [
                next(given) if p is None or isinstance(p, jax.ShapeDtypeStruct) else p.value
                for p in plan
            ]
            args, kwargs = tree.unflatten(in_tree, leaves)
            args = list(args)
            for n, value in sorted(fixed[0]):
                args.insert(n, value)
            results, out_tree = tree.flatten(self.fun(*args, **kwargs, **dict(fixed[1])))
            outs = [_ARRAY if _is_array(r) else r for r in results]
            return [r for r in results if _is_array(r)]

        entries = [p for p in plan if p is None or isinstance(p, jax.ShapeDtypeStruct)]
        keys = {i: p for i, p in enumerate(entries) if p is not None}
        program = Traced(flat, self.__name__, keys, wide).program(avals)
        return program, out_tree, outs


class _Array:
    """Stands for an array among the leaves of a result."""

    def __repr__(self) -> str:
        return "an array"


_ARRAY = _Array()


class Static:
    """A leaf of the arguments that is no array: part of the signature."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _is_array(x: Any) -> bool:
    """Return whether a result is an array or a number, not something else in a tree."""
    return isinstance(x, (jax.Array, np.ndarray, np.generic)) or type(x) in SCALARS


def _leaf(x: Any, name: str) -> tuple[Any, Any]:
    """Return the value of a leaf of the arguments, and its entry in the signature.

    The entry is None for an array; for an array of keys, whose value is their words, it is the type
    that jax has for them; for anything else, a `Static`.
    """
    if isinstance(x, Value) and type(x.aval.dtype) is KeyType:
        theirs = jax.random.key(0, impl=x.aval.dtype.impl).dtype
        return key_data(x), jax.ShapeDtypeStruct(x.shape, theirs)
    if isinstance(x, Value) or type(x) in SCALARS:
        return x, None
    if isinstance(x, jax.core.Tracer):
        raise with_user_line(
            TypeError(
                f"from_jax of {name}: an argument is traced by jax ({x.aval}); inside of jax's "
                "transformations call the function itself, or to_jax of a function that calls this"
            )
        )
    if isinstance(x, jax.Array):
        if is_key(x):
            return our_constant(x), jax.ShapeDtypeStruct(x.shape, x.dtype)
        return our_constant(x), None
    if isinstance(x, (np.ndarray, np.generic)):
        return as_value(x), None
    if isinstance(x, jax.ShapeDtypeStruct):
        raise with_user_line(TypeError(f"from_jax of {name}: expected an array, got {describe(x)}"))
    return None, Static(x)


def _is_wide(aval: ShapedArray) -> bool:
    """Return whether a type has 64 bits in each number."""
    return aval.dtype.itemsize >= (16 if aval.dtype.kind == "c" else 8)


def from_jax(
    fun: Callable,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> FromJax:
    """Return a function that jax can trace as a function of diffeo's.

    When it is called, jax traces the function for arguments of these types, and the program is
    translated, primitive by primitive, once for each signature. From then on it is a program like
    any other: `grad` of every order, `vmap`, `jit`, Taylor series. Functions with rules of their
    own (`jax.custom_jvp`, `jax.custom_vjp`) keep them.

    Arguments and results are arrays and trees of them, also trees that are registered with jax
    alone, as modules of flax and equinox are. Leaves that are no arrays (a string, a function) are
    static: there is a program for each. jax traces with 64 bits if it is set so, or if an argument
    has 64 bits.

    Args:
        fun: a function that `jax.jit` could compile.
        static_argnums: positions of arguments that are static.
        static_argnames: names of keyword arguments that are static.

    Raises:
        TypeError: for an argument that jax is tracing; for a static one without a hash.
        NotImplementedError: for a primitive of jax's that has no translation; names it, and the
            line that it came from.

    Examples:
        >>> import diffeo as dx
        >>> import jax.numpy as jnp
        >>> from diffeo.interop.jax import from_jax
        >>> f = from_jax(lambda x: jnp.sum(jnp.sin(x) ** 2))
        >>> x = dx.numpy.array([0.0, 1.0])
        >>> f(x), dx.grad(f)(x)
        (Array(0.70807342), Array([0.        , 0.90929743]))
    """
    return FromJax(fun, static_argnums, static_argnames)
