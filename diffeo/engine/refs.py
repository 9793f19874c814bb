"""Mutable arrays: a `Ref` holds an array, and is given another one in its place.

Programs know no memory: a program takes values and returns values. So where a function is traced to
a program (`jit`, the body of a loop, the branches of a conditional), each `Ref` from outside that
it touches becomes an argument and a result of the program:

    def step(_, x): total[...] += x; return (), None
    scan(step, (), xs)
    # becomes
    def step(t, x): return t + x, None
    total[...], _ = scan(step, total[...], xs)

Two passes do this. The first one traces the function under a `Watch`, which lists what is read and
written; the second one traces it with the listed refs *bound* to arguments. Transformations that
call the function itself (`grad`, `vmap`) need nothing of the kind: the ref holds their tracers
while they run, and `check_home` refuses those that would outlive them.

Read `Ref` first, then `Watch` and `bound`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import numpy as np

from ..primitives.array import as_value
from ..primitives.core import Tracer, Value, describe, state, typeof, with_user_line
from ..primitives.support.frozen import OwnCopy
from ..primitives.types import ShapedArray
from ..primitives.words.promotion import broadcast_to
from ..primitives.words.structural import convert_element_type
from ..trees import tree


class _Watches(threading.local):
    """The watches of this thread, the innermost one last."""

    def __init__(self) -> None:
        self.stack: list[Watch] = []


_watches = _Watches()
#: The trace that is current when a ref is made.
HERE = object()
#: All refs that exist. Where there are none, nothing is asked about them.
alive: WeakSet[Ref] = WeakSet()


class Ref(OwnCopy):
    """A mutable array: a place that holds an array of one shape and dtype. Made by `dx.new_ref`.

    `ref[...]` reads the array, `ref[index]` a part; `ref[index] = value` and `ref[index] += value`
    write. Nothing else can be done with a ref: it is no array itself.

    Examples:
        >>> import diffeo as dx
        >>> ref = dx.new_ref(dx.numpy.zeros(3))
        >>> ref[1] += 2.0
        >>> ref
        Ref([0., 2., 0.])
    """

    __slots__ = ("__weakref__", "_born", "_gone", "_home", "_passed", "_value", "_watch")
    __hash__ = object.__hash__

    def __init__(self, value: Any, born: Any = HERE):
        value = as_value(value)
        self._value = convert_element_type(value, value.dtype, False)
        #: The trace in which its value may live, and the watch around it.
        self._home, self._watch = state.trace, _innermost()
        #: The trace in which it was made, where it may end.
        self._born = state.trace if born is HERE else born
        #: Why it cannot be used any more; None while it can.
        self._gone: str | None = None
        #: Whether a jitted function has it as an argument and is being traced.
        self._passed = False
        alive.add(self)

    @property
    def aval(self) -> ShapedArray:
        """The type of the array."""
        return typeof(self._value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._value.size

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, index: Any) -> Any:
        value = read(self)
        return value if _is_whole(index) else value[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Ref):
            raise with_user_line(
                TypeError("a Ref holds an array, not a Ref; write ref[...] = other[...]")
            )
        if _is_whole(index):
            aval = self.aval
            value = as_value(value)
            try:
                value = broadcast_to(convert_element_type(value, aval.dtype, False), aval.shape)
            except (TypeError, ValueError):
                raise with_user_line(
                    ValueError(f"{describe(value)} does not fit into a Ref of {aval}")
                ) from None
            write(self, value)
        else:
            write(self, read(self).at[index].set(value))

    def end(self, how: str) -> None:
        """Let the ref not be used any more, which was `how`.

        Raises:
            ValueError: outside of the function in which it was made.
        """
        if state.trace is not self._born:
            raise with_user_line(
                ValueError(f"a Ref is {how} in the function in which it was made, and not here")
            )
        self._gone = how

    def __repr__(self) -> str:
        if self._gone is not None:
            return f"Ref(<{self._gone}>)"
        value = self._value
        if isinstance(value, Tracer):
            return f"Ref({value.aval})"
        return f"Ref({repr(value)[len('Array(') :]}"

    def __bool__(self) -> bool:
        raise with_user_line(TypeError("a Ref has no truth value; read it first, by ref[...]"))

    def __iter__(self) -> Iterator[Any]:
        raise with_user_line(TypeError("a Ref cannot be iterated; read it first, by ref[...]"))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise with_user_line(TypeError("a Ref is no array; read it first, by ref[...]"))

    def __reduce__(self) -> Any:
        raise with_user_line(
            TypeError("a Ref cannot be pickled, as it is a place; pickle what it holds, ref[...]")
        )


def _is_whole(index: Any) -> bool:
    return index is Ellipsis or index is None or (type(index) is tuple and not index)


def _innermost() -> Watch | None:
    return _watches.stack[-1] if _watches.stack else None


def read(ref: Ref) -> Any:
    """Return what a ref holds."""
    _touch(ref, False)
    return ref._value


def write(ref: Ref, value: Value) -> None:
    """Put an array into a ref, of its shape and dtype."""
    _touch(ref, True)
    if ref._watch is _innermost():
        check_home(ref, value)
    ref._value = value


def write_all(refs: Sequence[Ref], values: Sequence[Any]) -> None:
    """Put an array into each ref."""
    for ref, value in zip(refs, values):
        write(ref, value)


def _touch(ref: Ref, writes: bool) -> None:
    if ref._gone is not None:
        raise with_user_line(RuntimeError(f"the Ref cannot be used any more: it was {ref._gone}"))
    if ref._passed:
        raise with_user_line(
            ValueError(
                "a jitted function has a Ref as an argument, and uses the same Ref from outside: "
                "use the argument only"
            )
        )
    # The watches between here and the place where the ref is at home.
    for watch in reversed(_watches.stack):
        if watch is ref._watch:
            break
        watch.touched.setdefault(ref, False)
        if writes:
            watch.touched[ref] = True
    innermost = _innermost()
    if writes and innermost is not None and innermost is not ref._watch:
        innermost.before.setdefault(ref, ref._value)


def check_home(ref: Ref, value: Value) -> None:
    """Refuse a value that belongs to a transformation inside of the one where the ref was made.

    Raises:
        TypeError: says what to do.
    """
    if not isinstance(value, Tracer):
        return
    trace = ref._home
    while trace is not None:
        if trace is value.owner:
            return
        trace = trace.parent
    raise with_user_line(
        TypeError(
            f"a value of a transformation cannot be written into a Ref from outside of it: the "
            f"Ref would keep it when the transformation is over.\n  It is {value.origin()}.\n  "
            "Under grad, write dx.lax.stop_gradient(x); under vmap, pass the Ref as a mapped "
            "argument; or make the Ref inside of the function, and return what it holds"
        )
    )


class Watch:
    """Lists the refs from outside that are touched while a function is traced.

    Attributes:
        touched: the refs from outside; whether each was written.
        before: what the written ones held; they hold it again afterwards.
    """

    def __init__(self) -> None:
        self.touched: dict[Ref, bool] = {}
        self.before: dict[Ref, Any] = {}

    def __enter__(self) -> Watch:
        _watches.stack.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _watches.stack.pop()
        for ref, value in self.before.items():
            ref._value = value

    @property
    def written(self) -> list[Ref]:
        """The refs from outside that were written."""
        return [ref for ref, written in self.touched.items() if written]


@contextmanager
def bound(refs: Sequence[Ref], values: Sequence[Any]) -> Iterator[None]:
    """Let refs hold other values, at home in the current trace, for the time of a `with` block."""
    outside = [(r._value, r._home, r._watch) for r in refs]
    for ref, value in zip(refs, values):
        ref._value, ref._home, ref._watch = value, state.trace, _innermost()
    try:
        yield
    finally:
        for ref, (value, home, watch) in zip(refs, outside):
            ref._value, ref._home, ref._watch = value, home, watch


def written_by(funs: Sequence[Callable], stage: Callable[[Callable], Any]) -> list[Ref]:
    """Return the refs from outside that any of some functions writes; `stage` traces one."""
    written: dict[Ref, None] = {}
    for fun in funs:
        with Watch() as watch:
            stage(fun)
        written.update(dict.fromkeys(watch.written))
    return list(written)


def with_values(fun: Callable, refs: Sequence[Ref]) -> Callable:
    """Return `(values, *args) -> (what the refs hold then, fun(*args))`."""

    def pure(values: Sequence[Any], *args: Any) -> tuple[list[Any], Any]:
        with bound(refs, values):
            out = fun(*args)
            return [r._value for r in refs], out

    pure.__name__ = getattr(fun, "__name__", "a function")
    return pure


# --------------------------------------------------------------------------------------------------
# Refs among arguments


class RefHole:
    """Stands for a ref in a tree, as a container without leaves."""

    __slots__ = ("ref",)

    def __init__(self, ref: Ref):
        self.ref = ref


tree.register_pytree_node(RefHole, lambda hole: ((), hole.ref), lambda ref, _: RefHole(ref))


def is_ref(x: Any) -> bool:
    """Return whether `x` is a `Ref`."""
    return type(x) is Ref


def among(leaves: Sequence[Any]) -> bool:
    """Return whether there is a ref among leaves."""
    return bool(alive) and any([type(x) is Ref for x in leaves])


def without_refs(values: Any) -> Any:
    """Return a tree with holes in the places of the refs in it."""
    return tree.map(lambda x: RefHole(x) if type(x) is Ref else x, values)


def with_refs(values: Any) -> Any:
    """Return a tree with the refs that its holes stand for."""
    is_hole = lambda x: type(x) is RefHole
    return tree.map(lambda x: x.ref if type(x) is RefHole else x, values, is_leaf=is_hole)


def closing_over_refs(fun: Callable) -> Callable:
    """Return `fun` as a function of arguments with holes, and with holes in its result."""

    def holed(*args: Any) -> Any:
        return without_refs(fun(*with_refs(args)))

    holed.__name__ = getattr(fun, "__name__", "a function")
    return holed
