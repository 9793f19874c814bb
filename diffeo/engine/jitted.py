"""A jitted function: it traces once for each signature, lowers, compiles, and from then on only
dispatches. Start reading at `Jitted.__call__`, the fast path, then `slow_call`.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..lowering import pytree
from ..lowering.compat import XlaError
from ..lowering.devices.placement import place_for
from ..lowering.dispatch import host_caller
from ..operations.named_axes import axes_in_scope
from ..primitives import jaxpr as programs
from ..primitives.array import Array, Deleted, as_value, from_buffer
from ..primitives.config import config, task_settings
from ..primitives.core import Tracer, describe, expected, state, with_user_line
from ..primitives.jaxpr import eval_jaxpr
from ..primitives.staging import StagingTracer, stage
from ..primitives.support.frozen import OwnCopy
from ..primitives.support.settings import process
from ..primitives.types import ShapedArray
from ..trees import tree
from ..trees.arguments import (
    all_taken_in,
    argument_or_keyword,
    flat_arguments,
    global_name,
    name_of,
    other_positions,
)
from ..trees.functions import Flat
from . import impure, refs
from .entries import Entry
from .signatures import (
    NO_STATIC,
    NONE,
    NUMBERS,
    Arguments,
    Static,
    check_static,
    check_tracing,
    converters,
    is_native,
    join,
    leaf_numbers,
    split,
)
from .stages import Compiled, Lowered, Options, Traced, aval_of, instances

if TYPE_CHECKING:
    from .explain import Explanation

flatten, new, ndarray = pytree.flatten, object.__new__, np.ndarray
tree.never_containers(Array, StagingTracer)

#: Types of arguments that are no containers.
LEAVES = frozenset({Array, ndarray, *NUMBERS})
#: Stands for the structure of a single positional argument that is no container.
LEAF = flatten(0)[1]
#: Signatures that a function remembers; the oldest is forgotten first.
MAX_SIGNATURES = 4096
_numbers = itertools.count()


def _explain() -> Any:
    return import_module(".explain", __package__)  # loads with the first question


class Jitted(OwnCopy):
    """A function that is compiled for each signature it is called with. Made by `jit`."""

    def __init__(
        self,
        fun: Callable,
        static: Arguments = NONE,
        donated: Arguments = NONE,
        options: Options = Options(),  # noqa: B008  (immutable)
    ):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.name = name_of(fun)
        self.static = None if static is NONE else static
        self.donated, self.options = donated, options
        # A static argument is not looked at as an array.
        self.leaf_types = LEAVES if self.static is None else frozenset()
        self.number = next(_numbers)
        self.cache: dict[Any, Traced] = {}
        #: For calls with refs among the arguments (see impure.py).
        self.pure: dict[Any, Jitted] = {}
        self.forget_entries()
        instances.add(self)

    def forget_entries(self) -> None:
        """Let the next call of each signature go the slow way."""
        # Entries as plain tuples, which Python takes apart faster than named ones.
        self.fast: dict[Any, tuple] = {}
        self.from_host: dict[Any, tuple] = {}
        # Their structures are compared with others: never None, which jaxlib refuses to do.
        self.recent: Any = (None, LEAF, None)
        self.recent_host: Any = (None, LEAF, None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The hot path: every line of it is paid by every call.
        if not state.trace.eager:
            return self.slow_call(args, kwargs)
        if len(args) == 1 and not kwargs and type(args[0]) in self.leaf_types:
            if type(args[0]) is not Array:
                return self.host_call(args, LEAF, NO_STATIC, args, kwargs)
            leaves: Any = args
            structure = LEAF
            avals: list[Any] = [args[0]._aval]
            buffers = [args[0]._buffer]
        else:
            leaves, structure, static = self.flatten(args, kwargs)
            if leaves and type(leaves[-1]) is not Array:  # sooner than by the exception below
                return self.host_call(leaves, structure, static, args, kwargs)
            try:
                avals = [x._aval for x in leaves]
                buffers = [x._buffer for x in leaves]
            except AttributeError:  # not all are Arrays
                buffers = None
            if buffers is None:
                return self.host_call(leaves, structure, static, args, kwargs)
            if static:
                avals.append(static)
        # The signature of the call before, and only if it differs a dictionary.
        entry = self.recent
        if (
            entry[2] != avals
            or (entry[1] is not structure and entry[1] != structure)
            or entry[0] is not task_settings().settings
        ):
            entry = self.find(structure, avals)
            if entry is None:
                return self.slow_call(args, kwargs, signature=(structure, avals[len(leaves) :]))
        _, _, _, run, handlers, constants, kept, out_avals, finish, calls, compiled = entry
        if run is None:
            calls[0] += 1
            return compiled.run(leaves)
        if kept is not None:
            buffers = [buffers[i] for i in kept]
        if constants:
            buffers = constants + buffers
        try:
            outs = run(buffers).consume_with_handlers(handlers)
        except XlaError as error:
            raise compiled.failure(error, leaves) from None
        except TypeError:
            # With such operands nothing has run; else it is of a function that the program called.
            if not any([b is None or type(b) is Deleted for b in buffers]):
                raise
            outs = None
        if outs is None:
            return self.slow_call(args, kwargs)
        calls[0] += 1
        if finish is None:
            array = new(Array)
            array._np, array._buffer, array._aval, array.weak_type = None, outs[0], *out_avals
            return array
        return finish([from_buffer(b, a) for b, a in zip(outs, out_avals)])

    def flatten(self, args: tuple, kwargs: dict) -> tuple[list[Any], pytree.PyTreeDef, tuple]:
        """Return the dynamic arguments' leaves, their structure, and the static arguments."""
        static, all_arguments = NO_STATIC, (args, kwargs)
        if self.static:
            args, kwargs, static = split(self.static, args, kwargs)
        # In a list: (args, kwargs) is not to be taken for two arguments.
        try:
            leaves, structure = flatten([args, kwargs] if kwargs else args)
        except SystemError:  # a tree that is too deep: the slow path says which
            self.trace_leaves(*all_arguments)
            raise
        return leaves, structure, static

    def find(self, structure: pytree.PyTreeDef, avals: list[Any]) -> tuple | None:
        """Return the entry of a signature other than the most recent one."""
        try:
            entry = self.fast.get((structure, task_settings().settings, *avals))
        except TypeError:  # a static argument without a hash: the slow path says so
            return None
        if entry is not None:
            self.recent = entry
        return entry

    def host_call(
        self, leaves: Any, structure: pytree.PyTreeDef, static: tuple, args: tuple, kwargs: dict
    ) -> Any:
        """Serve a call with NumPy arrays and Python scalars among the leaves."""
        # What the signature says of each leaf, and what is handed to the executable for it.
        kinds: list[Any] = []
        values: list[Any] = []
        for x in leaves:
            kind = type(x)
            if kind is Array:
                buffer = x._buffer
                if buffer is None:
                    if x._np is None:  # on another device
                        return self.slow_call(args, kwargs)
                    buffer = x.buffer
                kinds.append(x.aval)
                values.append(buffer)
                continue
            if kind is ndarray:
                kinds.append((x.dtype, x.shape))
            elif kind in NUMBERS:
                kinds.append(kind)
            else:
                return self.slow_call(args, kwargs)
            values.append(x)
        if static:
            kinds.append(static)
        entry = self.recent_host
        if (
            entry[2] != kinds
            or (entry[1] is not structure and entry[1] != structure)
            or entry[0] is not task_settings().settings
        ):
            key = (structure, task_settings().settings, *kinds)
            entry = None
            with suppress(TypeError):  # a static argument without a hash: the slow path says so
                entry = self.from_host.get(key)
            if entry is None:
                return self.slow_call(args, kwargs, host=(structure, kinds))
            self.recent_host = entry
        _, _, _, (call, refused, failed), kept, made_of, out_avals, finish, calls, compiled = entry
        if kept is not None:
            values = [values[i] for i in kept]
        try:
            if made_of:
                values = [made_of[type(x)](x) if type(x) in made_of else x for x in values]
        except OverflowError:  # of a number: the slow path knows what to say
            return self.slow_call(args, kwargs)
        try:
            outs = call(*values)
        except failed as error:
            raise compiled.failure(XlaError(str(error)), leaves) from None
        except refused:  # before anything has run
            outs = None
        if outs is None:
            return self.slow_call(args, kwargs)
        calls[0] += 1
        if finish is None:
            return from_buffer(outs[0], out_avals[0])
        return finish([from_buffer(b, a) for b, a in zip(outs, out_avals)])

    def slow_call(self, args: tuple, kwargs: dict, signature: Any = None, host: Any = None) -> Any:
        """Serve any call: with tracers, the first of a signature, and report what is wrong with a
        call.

        Args:
            args, kwargs: the arguments.
            signature: the structure with which the fast path looks for the call, and a list with
                the static arguments, if there are any.
            host: the structure and kinds of leaves with which `host_call` does.
        """
        if process.attentive and task_settings().disable_jit:
            return self.fun(*args, **kwargs)
        if refs.alive and refs.among(tree.leaves((args, kwargs))):
            return impure.call(self, args, kwargs)
        traced, leaves = self.trace_leaves(args, kwargs)
        if traced.touched:
            return impure.call_touched(self, traced, leaves)
        if state.trace.parent is not None or any(
            [isinstance(x, Tracer) for x in (*leaves, *traced.jaxpr.consts)]
        ):
            # Under another trace the function is one operation, of which the trace takes care.
            values = [as_value(x) for x in leaves]
            if self.options.inline:
                outs = eval_jaxpr(traced.jaxpr, values)
            else:
                outs = traced.call.bind(*traced.jaxpr.consts, *values)
            return tree.unflatten(traced.out_tree, outs)
        arrays = [as_value(x) for x in leaves]
        name, known = f"jit of {self.name}", bool(traced.programs)
        place = place_for(arrays, self.options.device, traced.jaxpr.consts, name)
        compiled = traced.compiled_for(place.device, arrays)
        if (config.log_compiles or config.explain_cache_misses) and not known:
            _explain().log(self.name, list(self.cache.values()), traced)
        run = compiled.run
        if process.attentive:
            run = functools.partial(type(state).trace.run_compiled, compiled)
        result = run(arrays, place.commits)
        traced.calls[0] += 1
        if config.debug_key_reuse and programs.after_running is not None:  # so no call is fast
            programs.after_running(traced.jaxpr, arrays, tree.leaves(result))
            return result
        # The fast path does not look where arrays are.
        everywhere = compiled.program.device is None and config.default_device is None
        if everywhere and self.cache.get(traced.key) is traced:
            if signature is not None:
                entry = self.entry(traced, compiled, *signature)
                self.recent = tuple(entry)
                self.fast[entry.structure, task_settings().settings, *entry.avals] = self.recent
            elif host is not None and all([is_native(x) for x in leaves]):
                self.remember_host(traced, compiled, *host)
        return result

    def entry(
        self, traced: Traced, compiled: Compiled, structure: pytree.PyTreeDef, static: list[Any]
    ) -> Entry:
        """Return what calls of a signature need from now on."""
        program = compiled.program
        run, handlers = program.executable.parts
        out_avals = program.prepared.jaxpr.out_avals
        finish = traced.out_tree.unflatten
        # A single array needs no tree, and is made without a call (see `__call__`).
        if tree.treedef_is_leaf(traced.out_tree) and out_avals:
            finish, out_avals = None, [*out_avals, out_avals[0].weak_type]
        return Entry(
            task_settings().settings,
            structure,
            [*traced.jaxpr.in_avals, *static],
            # Donation and results without numbers take a little more than running.
            None if program.prepared.donated or program.has_float0 else run,
            handlers,
            program.constants,
            program.prepared.kept,
            out_avals,
            finish,
            traced.calls,
            compiled,
        )

    def remember_host(
        self, traced: Traced, compiled: Compiled, structure: pytree.PyTreeDef, kinds: list[Any]
    ) -> None:
        """Keep the same as `entry`, for calls with NumPy arrays and numbers."""
        entry = self.entry(traced, compiled, structure, [])
        if entry.run is None:
            return
        self.from_host[structure, task_settings().settings, *kinds] = self.recent_host = (
            task_settings().settings,
            structure,
            kinds,
            host_caller(compiled.program.executable, entry.constants),
            entry.kept,
            converters(kinds),
            compiled.program.prepared.jaxpr.out_avals,
            entry.finish,
            entry.calls,
            compiled,
        )

    def trace_leaves(self, args: tuple, kwargs: dict) -> tuple[Traced, list[Any]]:
        """Return the program for these arguments, cached or traced now, and their leaves."""
        static = NO_STATIC
        if self.static:
            args, kwargs, static = split(self.static, args, kwargs)
        dynamic = (args, kwargs)
        numbers = self.numbers(args, static)
        leaves, structure = flat_arguments(f"jit of {self.name}", args, kwargs, numbers)
        leaves = all_taken_in(leaves)
        avals = tuple([self.check_leaf(x, i, dynamic, static) for i, x in enumerate(leaves)])
        key = (structure, avals, static, task_settings().settings)
        if state.trace.parent is not None:  # programs know the sizes of the named axes around them
            key = (*key, *axes_in_scope().items())
        try:
            traced = self.cache.get(key)
        except TypeError:
            check_static(self.name, static)
            raise
        if traced is None:
            check_tracing(self.name, static)
            traced = self.stage(structure, avals, static)
            # A program with tracers of outer transformations among its constants serves this call
            # only.
            if not any([isinstance(c, Tracer) for c in traced.jaxpr.consts]):
                traced.key = key
                self.remember(key, traced)
        return traced, leaves

    def remember(self, key: Any, traced: Traced) -> None:
        """Keep what was traced, and forget the oldest if there are too many."""
        if len(self.cache) >= MAX_SIGNATURES:
            self.cache.pop(next(iter(self.cache)), None)
            self.forget_entries()
        self.cache[key] = traced

    def stage(self, structure: Any, avals: Sequence[ShapedArray], static: tuple) -> Traced:
        """Trace the function."""

        def with_static(args: tuple, kwargs: dict) -> Any:
            positional, named = join(args, kwargs, static)
            return self.fun(*positional, **named)

        flat = Flat(with_static, structure, self.name)
        start = time.perf_counter()
        with refs.Watch() as watch:
            jaxpr = stage(flat, avals, self.name)
        traced = Traced(
            jaxpr,
            structure,
            flat.out_tree,
            time.perf_counter() - start,
            options=self.options,
            static=static,
            settings=task_settings().settings,
            donated=leaf_numbers(structure, self.donated, static),
        )
        traced.touched = watch.touched
        return traced

    def like(self, fun: Callable) -> Jitted:
        """Return another function jitted with the same options."""
        return type(self)(fun, options=self.options)

    def numbers(self, args: tuple, static: tuple) -> list[int]:
        """Return the positions of the arguments that are not static."""
        return other_positions(len(args), [where for where, _, _ in static])

    def check_leaf(self, x: Any, index: int, dynamic: Any, static: Static) -> ShapedArray:
        """Return the type of an argument's leaf, or raise an error that names the argument."""
        try:
            return aval_of(x)
        except TypeError:
            numbers = self.numbers(dynamic[0], static)
            otherwise = (
                "which is neither an array nor a number; mark the argument static with "
                "static_argnums or static_argnames if the program depends on it"
            )
            raise with_user_line(
                TypeError(
                    f"jit of {self.name}: {argument_or_keyword(dynamic, index, numbers)} is "
                    f"{describe(x)}, {expected(x, otherwise)}"
                )
            ) from None

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Trace for arguments (or `ShapeDtypeStruct`s) like these.

        The program of a function that touches refs from outside takes what they hold first, and
        returns what they hold then (None if that is the same) last.
        """
        traced, leaves = self.trace_leaves(args, kwargs)
        return impure.traced(self, traced, leaves) if traced.touched else traced

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace and lower for arguments (or `ShapeDtypeStruct`s) like these."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Return shapes and dtypes of the result, without computing it."""
        return self.trace_leaves(args, kwargs)[0].out_info

    def explain(self) -> Explanation:
        """Report what was traced and compiled for which arguments, why, how long it took, and how
        often it was called since.

        Examples:
            >>> import diffeo as dx
            >>> f = dx.jit(lambda x: x + 1)
            >>> f(1.0), f(2.0)
            (Array(2.), Array(3.))
            >>> [(s.why, s.calls) for s in f.explain().signatures]
            [('first call', 2)]
        """
        return _explain().explained(self.name, list(self.cache.values()))

    def clear_cache(self) -> None:
        """Forget all traced and compiled programs of this function."""
        self.cache.clear()
        self.pure.clear()
        self.forget_entries()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        made_of = (self.fun, self.static or NONE, self.donated, self.options)
        return global_name(self) or (type(self), made_of)

    def __repr__(self) -> str:
        return f"<jit of {self.name}, {len(self.cache)} signatures>"
