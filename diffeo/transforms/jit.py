"""jit: trace once for each signature, lower, compile, and from then on only dispatch."""

from __future__ import annotations

import functools
import inspect
import os
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..lowering import pytree, runtime
from ..primitives.array import Array, as_value
from ..primitives.collectives import axes_in_scope
from ..primitives.core import Tracer, describe, state, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr
from ..primitives.staging import StagingTracer, stage
from ..primitives.types import SCALARS, ShapedArray, config
from . import tree
from .api_util import WRAPPED, argument_or_keyword, check_callable, check_outputs, name_of
from .interpreter import Boxed
from .stages import Lowered, ShapeDtypeStruct, Traced, aval_of

flatten, new = pytree.flatten, object.__new__
pytree.plain_leaf_types.update((Array, Boxed, StagingTracer))


_instances: weakref.WeakSet = weakref.WeakSet()


def _after_fork() -> None:
    """The threads of the runtime do not exist in a forked child: only the slow path looks for
    that.
    """
    for instance in list(_instances):
        instance.fast.clear()


os.register_at_fork(after_in_child=_after_fork)


class Jitted:
    """A function that is compiled for each signature it is called with. Made by `jit`."""

    def __init__(self, fun: Callable, static_argnums: Any, static_argnames: Any):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.name = name_of(fun)
        self.argnums, self.argnames = _static(fun, static_argnums, static_argnames)
        self.static = bool(self.argnums or self.argnames)
        self.cache: dict[Any, Traced] = {}
        self.fast: dict[Any, Any] = {}
        _instances.add(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The hot path: every line of it is paid by every call.
        if not state.trace.eager:
            return self.slow_call(args, kwargs)
        if len(args) == 1 and type(args[0]) is Array and not kwargs:
            leaves: Any = args
            structure = None
        else:
            leaves, structure = flatten((args, kwargs)) if kwargs else flatten(args)
        try:
            avals = [x._aval for x in leaves]
            buffers = [x._buffer for x in leaves]
        except AttributeError:  # not all are Arrays
            found = None if self.static else _host_arguments(leaves)
            if found is None:
                return self.slow_call(args, kwargs)
            avals, buffers = found
        key = (structure, config.default_bits, *avals)
        entry = self.fast.get(key)
        if entry is None:
            if self.static:
                return self.slow_call(args, kwargs)
            key = (
                structure,
                config.default_bits,
                *[x.aval if isinstance(x, Array) else a for x, a in zip(leaves, avals)],
            )
            entry = self.fast.get(key)
            if entry is None:
                return self.slow_call(args, kwargs, key)
        for b in buffers:  # not `None in buffers`, which would compare each buffer with None
            if b is None:
                buffers = [x.buffer for x in leaves]
                break
        run, handlers, constants, out_avals, unflatten = entry
        outs = run(constants + buffers if constants else buffers).consume_with_handlers(handlers)
        arrays = []
        for buffer, aval in zip(outs, out_avals):
            array = new(Array)
            array._np, array._buffer, array._aval, array.weak_type = (
                None,
                buffer,
                aval,
                aval.weak_type,
            )
            arrays.append(array)
        return unflatten(arrays)

    def slow_call(self, args: tuple, kwargs: dict, key: Any = None) -> Any:
        """Any call: static arguments, tracers, the first call of a signature."""
        traced, leaves = self.trace_leaves(args, kwargs)
        if not state.trace.eager or any(
            [isinstance(x, Tracer) for x in (*leaves, *traced.jaxpr.consts)]
        ):
            outs = traced.call.bind(*traced.jaxpr.consts, *[as_value(x) for x in leaves])
            return tree.unflatten(traced.out_tree, outs)
        compiled = traced.compiled
        if key is not None:
            self.fast[key] = compiled.entry
        return compiled.run([as_value(x) for x in leaves])

    def trace_leaves(self, args: tuple, kwargs: dict) -> tuple[Traced, list[Any]]:
        """The program for these arguments, from the cache or traced now, and the arguments'
        leaves.
        """
        dynamic, static = self.partition(args, kwargs)
        leaves, structure = tree.flatten(dynamic)
        avals = tuple([self.check_leaf(x, i, dynamic, static) for i, x in enumerate(leaves)])
        # 1, 1.0 and True, or 0.0 and -0.0, are equal but are not the same program.
        exactly = tuple([(type(v), repr(v) if type(v) is float else "") for _, v in static])
        key = (structure, avals, static, exactly, config.default_bits)
        if not state.trace.eager:  # programs know the sizes of the named axes around them
            key = (*key, *axes_in_scope().items())
        try:
            found = self.cache.get(key)
        except TypeError:
            raise self.unhashable(args, kwargs) from None
        if found is None:
            found = self.stage(structure, avals, static)
            # A program with tracers of outer transformations among its constants serves this call
            # only.
            if not any([isinstance(c, Tracer) for c in found.jaxpr.consts]):
                self.cache[key] = found
        return found, leaves

    def stage(self, structure: Any, avals: Sequence[ShapedArray], static: tuple) -> Traced:
        """Trace the function."""
        out_tree: Any = None

        def flat(*xs: Any) -> Sequence[Any]:
            nonlocal out_tree
            args, kwargs = tree.unflatten(structure, xs)
            args, kwargs = list(args), dict(kwargs)
            for where, value in static:
                if isinstance(where, int):
                    args.insert(where, value)
                else:
                    kwargs[where] = value
            result = self.fun(*args, **kwargs)
            outs, out_tree = tree.flatten(result)
            return check_outputs(outs, result, self.name)

        start = time.perf_counter()
        jaxpr = stage(flat, avals, self.name)
        return Traced(jaxpr, structure, out_tree, time.perf_counter() - start)

    def partition(self, args: tuple, kwargs: dict) -> tuple[tuple[tuple, dict], tuple]:
        """The dynamic arguments, and the static ones with their places."""
        if not self.static:
            return (args, kwargs), ()
        places = (
            sorted({n % len(args) if n < 0 else n for n in self.argnums if n < len(args)})
            if args
            else []
        )
        static = [(n, args[n]) for n in places]
        static += [(k, kwargs[k]) for k in sorted(kwargs) if k in self.argnames]
        dynamic = tuple([a for i, a in enumerate(args) if i not in places])
        return (dynamic, {k: v for k, v in kwargs.items() if k not in self.argnames}), tuple(static)

    def check_leaf(self, x: Any, index: int, dynamic: Any, static: Any) -> ShapedArray:
        """The type of an argument's leaf, or an error that names the argument."""
        try:
            return aval_of(x)
        except TypeError:
            taken = [where for where, _ in static]
            numbers = [n for n in range(len(dynamic[0]) + len(taken)) if n not in taken]
            raise with_user_line(
                TypeError(
                    f"jit of {self.name}: {argument_or_keyword(dynamic, index, numbers)} is "
                    f"{describe(x)}, which is neither an array nor a number; mark the argument "
                    "static with static_argnums or static_argnames if the program depends on it"
                )
            ) from None

    def unhashable(self, args: tuple, kwargs: dict) -> Exception:
        """The error that names the static argument without a hash."""
        _, static = self.partition(args, kwargs)
        for where, value in static:
            try:
                hash(value)
            except TypeError:
                return with_user_line(
                    ValueError(
                        f"jit of {self.name}: the static argument {where!r} is "
                        f"{describe(value)}, which has no hash; static "
                        "arguments are keys of the cache of programs: pass a tuple instead of a "
                        "list, a frozen dataclass "
                        "instead of a dict, or let an array be an ordinary argument"
                    )
                )
        return with_user_line(
            TypeError(f"jit of {self.name}: the arguments' structure has no hash")
        )

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Trace for arguments (or `ShapeDtypeStruct`s) like these."""
        return self.trace_leaves(args, kwargs)[0]

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace and lower for arguments (or `ShapeDtypeStruct`s) like these."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and dtypes of the result, without computing it."""
        traced = self.trace(*args, **kwargs)
        return tree.unflatten(
            traced.out_tree, [ShapeDtypeStruct(a.shape, a.dtype) for a in traced.jaxpr.out_avals]
        )

    def clear_cache(self) -> None:
        """Forget all traced and compiled programs of this function."""
        self.cache.clear()
        self.fast.clear()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<jit of {self.name}, {len(self.cache)} signatures>"


def _host_arguments(leaves: Sequence[Any]) -> tuple[list, list] | None:
    """Types and buffers of leaves that may be NumPy arrays and Python scalars; None if others are
    among them.
    """
    avals, buffers = [], []
    for x in leaves:
        if type(x) is Array:
            avals.append(x.aval)
            buffers.append(x.buffer)
        elif type(x) is np.ndarray or type(x) in SCALARS:
            try:
                aval = typeof(x)
                # The memory of a NumPy array is the caller's: it is copied.
                buffers.append(runtime.put(np.asarray(x, aval.dtype), aval))
            except (TypeError, OverflowError):  # the slow path knows what to say
                return None
            avals.append(aval)
        else:
            return None
    return avals, buffers


def _static(fun: Callable, argnums: Any, argnames: Any) -> tuple[tuple[int, ...], frozenset[str]]:
    """Static arguments by position and by name; each is inferred from the other where the
    signature allows.
    """
    numbers = () if argnums is None else (argnums,) if isinstance(argnums, int) else tuple(argnums)
    names = (
        () if argnames is None else (argnames,) if isinstance(argnames, str) else tuple(argnames)
    )
    if not numbers and not names:
        return (), frozenset()
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):
        return numbers, frozenset(names)
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    has_star = any([p.kind is p.VAR_POSITIONAL for p in parameters])
    has_kwargs = any([p.kind is p.VAR_KEYWORD for p in parameters])
    known = [p.name for p in parameters]
    for n in numbers:
        if not has_star and not -len(positional) <= n < len(positional):
            raise with_user_line(
                ValueError(
                    f"jit of {name_of(fun)}: static_argnums has {n}, but the function has the "
                    f"positional parameters {positional}"
                )
            )
    for n in names:
        if not isinstance(n, str) or (n not in known and not has_kwargs):
            raise with_user_line(
                ValueError(
                    f"jit of {name_of(fun)}: static_argnames has {n!r}, but the parameters are "
                    f"{known}"
                )
            )
    if argnames is None:
        names = tuple([positional[n] for n in numbers if -len(positional) <= n < len(positional)])
    if argnums is None:
        numbers = tuple([positional.index(n) for n in names if n in positional])
    return numbers, frozenset(names)


def jit(
    fun: Callable | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
) -> Any:
    """Compile a function with XLA, once for each signature (structure, shapes and dtypes) it is
    called with.

    The function is traced: called once with tracers in place of its arguments. It must be pure,
    and Python control flow may depend on static arguments and on shapes only. Other
    transformations apply to the result as to any function.

    Args:
        fun: a function of arrays, numbers, and trees of them; without it, `jit` returns a
            decorator.
        static_argnums: positions of arguments that are not traced: they may be anything with
            `hash` and `==`, and the function is compiled anew for each value.
        static_argnames: the same by name; either is inferred from the other.

    Returns:
        A function with the same arguments, and the methods `trace`, `lower`, `eval_shape` and
        `clear_cache`.

    Raises:
        TypeError: if `fun` is not a function; when called, if an argument is not an array or
            number, or the function uses a traced value where a concrete one is needed.
        ValueError: for static arguments that the function does not have or that are not hashable.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.jit(lambda x: 2 * dx.numpy.sin(x))
        >>> f(dx.numpy.array([0.0, 1.0]))
        Array([0.        , 1.68294197])
        >>> @dx.jit(static_argnames="n")
        ... def power(x, n):
        ...     return x ** n
        >>> power(3.0, n=2)
        Array(9.)
    """
    if fun is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames
        )
    check_callable(fun, "jit")
    return Jitted(fun, static_argnums, static_argnames)


def make_jaxpr(
    fun: Callable, static_argnums: int | Sequence[int] | None = None
) -> Callable[..., Jaxpr]:
    """A function that returns the program of `fun` for arguments (or `ShapeDtypeStruct`s) like
    those it gets.

    Examples:
        >>> import diffeo as dx
        >>> make_jaxpr(lambda x, y: x * y + 1.0)(2.0, 3.0).in_avals
        [f64[], f64[]]
    """
    check_callable(fun, "make_jaxpr")

    @functools.wraps(fun, assigned=WRAPPED)
    def made(*args: Any, **kwargs: Any) -> Jaxpr:
        return Jitted(fun, static_argnums, None).trace(*args, **kwargs).jaxpr

    return made


def eval_shape(fun: Callable, *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of `fun(*args, **kwargs)` as `ShapeDtypeStruct`s, without computing
    anything.

    Examples:
        >>> import diffeo as dx
        >>> eval_shape(lambda x: x @ x.T, ShapeDtypeStruct((3, 4), "float32"))
        ShapeDtypeStruct((3, 3), float32)
    """
    check_callable(fun, "eval_shape")
    return Jitted(fun, None, None).eval_shape(*args, **kwargs)
