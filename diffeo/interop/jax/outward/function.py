"""`to_jax`: a function of diffeo's, inside jax's transformations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ....primitives.config import config
from ....primitives.core import Value, with_user_line
from ....primitives.jaxpr import Jaxpr, sub_jaxprs
from ....primitives.staging import stage
from ....primitives.support.frozen import OwnCopy
from ....primitives.support.key_types import KeyType
from ....primitives.support.sources import show_source
from ....primitives.types import SCALARS, ShapedArray
from ....routines.keys import key_words
from ....trees import tree
from ....trees.arguments import check_callable, check_outputs, name_of
from ...meeting import to_jax_array
from ..inward.function import Static
from ..inward.reader import is_key, settings
from . import in_jax, programs, words
from .writer import run

#: The files of rules, which enter them into the table when they are loaded.
RULE_FILES = (in_jax, programs, words)

#: How many signatures a function keeps.
_MOST = 512


class ToJax(OwnCopy):
    """A function of diffeo's that jax can trace; made by `to_jax`."""

    def __init__(self, fun: Callable, static_argnums: Any):
        check_callable(fun, "to_jax")
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.__name__ = name_of(fun)
        numbers = static_argnums
        self.static_argnums = (numbers,) if isinstance(numbers, int) else tuple(numbers)
        self.known: dict[Any, tuple[Jaxpr, Any]] = {}

    def __repr__(self) -> str:
        return f"<to_jax of {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        numbers = [n % len(args) for n in self.static_argnums if -len(args) <= n < len(args)]
        fixed = tuple([(n, Static(args[n])) for n in sorted(numbers)])
        others = tuple([a for n, a in enumerate(args) if n not in numbers])
        leaves, in_tree = tree.flatten((others, kwargs))
        plan = tuple([None if _is_array(x) else Static(x) for x in leaves])
        values = [_jax_value(x) for x, p in zip(leaves, plan) if p is None]
        avals = tuple([_our_aval(x) for x in values])
        wide = bool(settings.jax_enable_x64)
        key = (fixed, in_tree, plan, avals, wide)
        try:
            entry = self.known.get(key)
        except TypeError as error:
            raise with_user_line(
                TypeError(
                    f"to_jax of {self.__name__}: an argument that is no array must be hashable: "
                    f"{error}"
                )
            ) from None
        if entry is None:
            entry = self._stage(fixed, in_tree, plan, avals, wide)
            if len(self.known) >= _MOST:
                self.known.clear()
            self.known[key] = entry
        program, out_tree = entry
        return tree.unflatten(out_tree, run(program, values))

    def _stage(
        self,
        fixed: Sequence[tuple[int, Static]],
        in_tree: Any,
        plan: Sequence[Any],
        avals: Sequence[ShapedArray],
        wide: bool,
    ) -> tuple[Jaxpr, Any]:
        """Stage the function for arguments of a signature; return the program, and the tree of
        the results.
        """
        out_tree: Any = None

        def flat(*arrays: Any) -> list[Any]:
            nonlocal out_tree
            given = iter(arrays)
            leaves = [next(given) if p is None else p.value for p in plan]
            positional, kwargs = tree.unflatten(in_tree, leaves)
            positional = list(positional)
            for n, value in fixed:
                positional.insert(n, value.value)
            out = self.fun(*positional, **kwargs)
            results, out_tree = tree.flatten(out)
            return check_outputs(results, out, self.__name__)

        with config.defaults(64 if wide else 32):
            program = stage(flat, avals, self.__name__)
        if not wide:
            self._check_narrow(program)
        return program, out_tree

    def _check_narrow(self, program: Jaxpr) -> None:
        """Raise TypeError for a program that computes with 64 bits, which jax would cut."""
        for eqn in program.eqns:
            for v in eqn.outs:
                if v.aval.dtype.name in ("float64", "complex128", "int64", "uint64"):
                    raise TypeError(
                        f"to_jax of {self.__name__}: '{eqn.primitive.name}' computes {v.aval}, and "
                        "jax is set to 32 bits: convert to 32 bits there, or set "
                        "jax.config.update('jax_enable_x64', True)"
                        f"\n  at {show_source(eqn.source)}"
                    )
            for inner in sub_jaxprs(eqn.primitive):
                self._check_narrow(inner)


def _is_array(x: Any) -> bool:
    kinds = (Value, jax.Array, np.ndarray, np.generic)
    return isinstance(x, kinds) or type(x) in SCALARS


def _jax_value(x: Any) -> Any:
    """Return an argument as jax's array or tracer; of keys, their words."""
    if isinstance(x, Value) and type(x.aval.dtype) is KeyType:
        x = key_words(x)
    if isinstance(x, jax.Array):
        return jax.random.key_data(x) if is_key(x) else x
    return to_jax_array(x) if isinstance(x, Value) else jax.numpy.asarray(x)


def _our_aval(x: Any) -> ShapedArray:
    return ShapedArray(tuple(x.shape), np.dtype(x.dtype), bool(getattr(x, "weak_type", False)))


def to_jax(fun: Callable, *, static_argnums: int | Sequence[int] = ()) -> ToJax:
    """Return a function of diffeo's that can stand inside `jax.jit`, `jax.grad` and `jax.vmap`.

    When it is called, diffeo stages the function for arguments of these types, once for each
    signature, and the program is run primitive by primitive on jax's values. Most primitives are
    functions of `jax.lax`. Those that it does not have, such as most special functions, and
    functions with rules of their own, keep their derivatives. Control flow becomes jax's, with
    what jax can differentiate: no reverse mode through a `while_loop`.

    While jax is set to 32 bits, the function is staged with `dx.config.defaults(32)`.

    Args:
        fun: a function of arrays or trees; leaves that are no arrays are static.
        static_argnums: positions of arguments that are static.

    Raises:
        TypeError: for a function that computes with 64 bits while jax is set to 32; names the
            operation, and its line.
        NotImplementedError: (when jax compiles it) for a primitive that cannot stand in a program
            of jax's.

    Examples:
        >>> import jax
        >>> import diffeo as dx
        >>> from diffeo.interop.jax import to_jax
        >>> f = to_jax(lambda x: dx.scipy.special.fresnel(x)[0])
        >>> float(jax.jit(jax.grad(f))(1.0))
        1.0
    """
    return ToJax(fun, static_argnums)
