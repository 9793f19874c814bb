"""The centre: what a primitive is, and how it meets the current interpreter.

`Primitive` is the contract. A primitive is a frozen object whose fields are its static parameters.
Its methods answer the interpreters' questions: its type, its value, its derivative ... `bind` hands
it, with its operands, to the current `Trace`. That is all there is to tracing: a transformation
installs its trace, calls the user's function, and puts the old trace back.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .builder import LoweringContext
from .support.errors import (
    ConcretizationTypeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)
from .support.exact import exactly_equal
from .support.foreign import DTYPES, array_dtype, host_of, is_plain, refusal
from .support.frozen import OwnCopy
from .support.jax_names import PrimitiveNames
from .support.leaks import where_stored
from .support.sources import HERE, show_source, shown_name, shown_parameter, user_frame
from .types import SCALARS, ShapedArray, Typed, is_inexact, scalar_aval


class Primitive(PrimitiveNames):
    """An operation of the language.

    Subclasses are frozen dataclasses: the fields are the static parameters, so equality, hash and
    repr come free. Operands are arrays or tracers of *equal* dtypes and shapes as the primitive
    demands: no promotion and no broadcasting happens here. One convenience: where a primitive says
    `takes_scalars`, a Python scalar may stand for the constant array of the other operands' shape
    and dtype. Such a scalar never has a tangent or a batch axis.

    Not every primitive defines every rule itself: families (`families.py`) derive rules from facts.
    The flags that come first may be skipped at the first reading: the contract begins at `bind`.
    """

    #: `bind` returns a list of results instead of one.
    multiple_results = False
    #: Python scalars may stand among the operands.
    takes_scalars = False
    #: It is a `HigherOrder`, perhaps of a function without a program yet (`lazy`): `interpret`,
    #: `partial` and `transpose_with` are asked instead of `jvp`, `batch` and `transpose`.
    holds_programs = False
    #: Operands say at which indices of an array elements are read or written.
    takes_places = False
    #: Cheaper to compute again than to keep, as a constant or a broadcast: the linear half of a
    #: program may compute it again instead of taking it as a residual (`partial.py`).
    cheap = False
    #: Elements are only moved, or repeated: no number is computed.
    moves = False
    #: Arithmetic cheaper to repeat than to keep, in a re-rolled loop (`passes/rerolled_scan.py`).
    light = False
    #: Two equations of equal parameters and operands may become one.
    merges = True
    #: Its program is there to be computed again (`checkpoint`): no part is moved out of a loop.
    recomputed = False
    #: (primals, tangents) -> the tangent of the result of a linear primitive; None if it is not
    #: linear. (Not the linear part of an operation that is split, as in `partial.py`.)
    linear_part: Any = None
    #: It is linear in each of its two operands.
    bilinear = False
    #: Its results are values and vectors of a matrix, which `equal_values.py` follows.
    decomposes = False
    #: The result has the type of the array operands, which are all of one type.
    same_type = False
    #: The number of operands, where it is always the same; 0 if it is not.
    arity = 0
    #: Letters of the kinds of dtype that its operands may have. Keys (k) are also welcome where
    #: elements are only moved, and in programs.
    accepts = "biufcV"
    #: Weak if an operand is and none is strong (booleans are neither). If False, see `weak_type`.
    keeps_weak = True
    weak_type = False
    #: The named axes that it speaks of, which vmap binds (see `operations/collectives.py`).
    names: Any = ()
    #: What it does besides computing its results, "io" or "debug": once, in the program's order.
    effects: Any = ()
    #: It calls a function of the user's: errors are theirs, and no cache may keep it alive.
    calls_python = False
    #: Evaluation checks the operands by `abstract_eval`, as NumPy would broadcast and promote.
    checked = True
    #: It might not end, or fail, on operands that it is not meant for.
    endless = False
    #: An interpreter that has no rule for it returns the first operand as the result.
    optional = False
    #: A cache, types of operands -> types of results; a dictionary once it is used.
    _types: Any = MappingProxyType({})

    # Written once here, so that the dataclasses below need not have them generated at import.
    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):  # what is no primitive may know better
            return False if isinstance(other, Primitive) else NotImplemented
        a, b = self.parameters(), other.parameters()  # type: ignore
        return a == b and exactly_equal(a, b)

    def __hash__(self) -> int:
        code = self.__dict__.get("_hash")
        if code is None:
            code = self.__dict__["_hash"] = hash((type(self), self.parameters()))
        return code

    def __getstate__(self) -> dict:
        cached = ("_hash", "_parameters", "_program", "_types")  # of this process only
        return {k: v for k, v in self.__dict__.items() if k not in cached}

    def __repr__(self) -> str:
        fields = getattr(self, "__dataclass_fields__", ())
        return f"{type(self).__name__}({', '.join([f'{f}={getattr(self, f)!r}' for f in fields])})"

    def parameters(self) -> tuple:
        """Return the static parameters; of a class that is no dataclass, the object's id."""
        values = self.__dict__.get("_parameters")
        if values is None:
            fields = getattr(self, "__dataclass_fields__", None)
            values = (id(self),) if fields is None else tuple([getattr(self, f) for f in fields])
            self.__dict__["_parameters"] = values
        return values

    @property
    def name(self) -> str:
        """The name of the primitive in printed programs."""
        return snake_case(type(self).__name__)

    def bind(self, *args: Any, **params: Any) -> Any:
        """Hand the primitive and its operands to the current trace, and return its result."""
        if params:  # other ones, by name
            self = self.with_parameters(params)
        return state.trace.process(self, args)

    def abstract_eval(self, *avals: Any) -> Any:
        """Return the result's type (a list with `multiple_results`); TypeError for bad operands."""
        raise self.missing("abstract_eval", "staging")

    def impl(self, *arrays: Any) -> Any:
        """Evaluate on NumPy arrays: eager mode on the CPU, and the oracle of the tests."""
        raise self.missing("impl", "evaluation")

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        """Emit StableHLO through the builder `ctx`. By default, lower what `decompose` computes."""
        return ctx.inline(self.decompose, *values)

    def decompose(self, *args: Any) -> Any:
        """Compute the same function with other primitives (optional)."""
        raise self.missing("lower", "jit")

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Return (result, its tangent). A tangent may be `ZERO`; at least one of `tangents` is not.

        Taylor series are derived from this rule, too.
        """
        raise self.missing("jvp", "forward-mode differentiation")

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        """Return the cotangents of the operands, given that of the result.

        A linear operand arrives as a `LinearInput`; the entry for any other operand is None. With
        `multiple_results`, `ct` is a list, in which a cotangent may be `ZERO`.
        """
        raise self.missing("transpose", "reverse-mode differentiation")

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Return (result, its batch axis): the operation over a batch of `size`.

        `dims` says where the batch axis of each operand is; None if it has none.
        """
        raise self.missing("batch", "vmap")

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        """Return the Taylor series of the result by a recurrence; None to derive it from `jvp`.

        `series` is the arithmetic of transforms/taylor/series.py, `args` are its series.
        """
        return None

    def missing(self, rule: str, purpose: str) -> Exception:
        """Return the error for a rule that this primitive does not have."""
        kind = type(self).__name__
        return with_user_line(
            NotImplementedError(
                f"the primitive '{self.name}' has no rule for {purpose}: define {kind}.{rule}"
            )
        )


def snake_case(name: str) -> str:
    """Return `dot_general` for `DotGeneral`."""
    return "".join(
        ["_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name)]
    )


# --------------------------------------------------------------------------------------------------
# The current trace


class Trace:
    """Whatever can be current: it processes primitives, and owns the tracers that it made. Staging
    and evaluation are plain traces; an `Interpreter` has its own kind of value. `parent` is the
    next trace outward.
    """

    parent: Any = None
    #: The name of the user's function that is being traced, for messages.
    function_name: str = ""
    #: True for evaluation: arrays are computed at once, by short ways. Not if what is computed is
    #: looked at (`engine/attentive.py`).
    eager = False
    #: Set when the transformation has returned; a tracer of a finished trace has leaked.
    finished = False

    def process(self, primitive: Primitive, args: Sequence[Any]) -> Any:
        """Apply `primitive`; operands that are not this trace's own are constants to it. If none is
        its own, interpreters and `TangentTrace` hand it to the parent; `StagingTrace` records it.
        """
        raise NotImplementedError

    def successor(self, value: Any) -> Any:
        """Return what takes the place of a value here; the value itself if nothing does.

        A user's rule may run after the transformation that owned what it closed over has returned.
        `Replacing` and `Inheriting` (transforms/rules/rules.py) then name another value.
        """
        return value if self.parent is None else self.parent.successor(value)


class _State(threading.local):
    trace: Any = Trace()
    source: Any = None


#: The current trace of this thread, and the user's line for all equations bound now: set while a
#: rule runs or a program is evaluated, else None; then the stack is searched (`user_source`).
state = _State()


def install_base_trace(trace: Trace) -> None:
    """Make `trace` (evaluation) the one in which every thread starts."""
    _State.trace = trace


class Value(Typed):
    """Base of `Array` and `Tracer`. `words/operators.py` gives it Python's operators,
    `diffeo.numpy` its methods. An interpreter's values (small v) are its data, no instances.
    """

    __slots__ = ()
    __array_priority__ = 100.0
    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over an array without axes")
        return (self[i] for i in range(self.shape[0]))

    if TYPE_CHECKING:
        # What `operators.py` and `diffeo/numpy/methods.py` give to every value.
        T: Any
        mT: Any
        real: Any
        imag: Any
        at: Any

        def _method(self, *args: Any, **kwargs: Any) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _method
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _method
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __divmod__ = __getitem__ = _method
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = _method
        __rlshift__ = __rshift__ = __rrshift__ = __lt__ = __le__ = __gt__ = __ge__ = _method
        __neg__ = __pos__ = __abs__ = __invert__ = __array_namespace__ = _method
        all = any = argmax = argmin = argsort = astype = clip = conj = conjugate = _method
        copy = cumprod = cumsum = diagonal = dot = flatten = max = mean = min = _method
        nonzero = prod = ptp = ravel = repeat = reshape = round = searchsorted = _method
        sort = squeeze = std = sum = swapaxes = take = trace = transpose = var = _method


class Tracer(OwnCopy, Value):
    """A value inside a transformation. It knows its type and its owner, perhaps not its numbers."""

    __slots__ = ("owner",)
    owner: Trace

    def concrete(self) -> Any:
        """Return the array of numbers that stands behind the tracer, or None if there is none."""
        return None

    def origin(self) -> str:
        """Return where the value comes from, for messages."""
        return f"a value traced in {self.owner.function_name or 'a transformation'}"

    def _need(self, error: type[Exception], what: str, instead: str) -> Any:
        """Return the array of numbers, for a conversion whose result has no derivative to lose."""
        value = self.concrete()
        if value is None:
            if self.owner.finished:
                raise leaked(self)
            raise with_user_line(
                error(
                    f"{what} needs a concrete value, but the numbers of this {self.aval} are not "
                    f"known while the program is traced.\n  It is {self.origin()}.\n  {instead}"
                )
            )
        return value

    def _need_constant(self, error: type[Exception], what: str, instead: str) -> Any:
        """Do as `_need`; raise, too, where the result would silently lose its derivative."""
        value = self._need(error, what, instead)
        if is_inexact(self.aval.dtype):
            raise with_user_line(
                error(
                    f"{what} would cut this {self.aval} off from its derivative.\n  It is "
                    f"{self.origin()}.\n  {instead} If the result is meant to be a constant, "
                    "convert dx.lax.stop_gradient(x)."
                )
            )
        return value

    def __bool__(self) -> bool:
        return bool(
            self._need(
                TracerBoolConversionError,
                "a Python `if`, `while`, `and`, `or` or `not`",
                "Use dx.lax.cond or dx.numpy.where(cond, a, b) to choose, dx.lax.while_loop to "
                "repeat, or mark the argument static with jit's static_argnums/static_argnames.",
            )
        )

    def __index__(self) -> int:
        return self._need(
            TracerIntegerConversionError,
            "a Python integer (an index of a list, range, a size)",
            "Index a dx.numpy array instead of a list, or mark the argument static with jit's "
            "static_argnums.",
        ).__index__()

    def _number(self, kind: type) -> Any:
        need = self._need if kind is int else self._need_constant
        return kind(
            need(
                ConcretizationTypeError,
                f"{kind.__name__}()",
                f"Keep it an array (`.astype({kind.__name__})` converts, `.at[index].set(value)` "
                "writes it into another), or compute it outside of the transformation.",
            )
        )

    def __int__(self) -> int:
        return self._number(int)

    def __float__(self) -> float:
        return self._number(float)

    def __complex__(self) -> complex:
        return self._number(complex)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        value = self._need_constant(
            TracerArrayConversionError,
            "a real NumPy array (np.asarray, or code that calls it)",
            "NumPy's and SciPy's functions work on traced values where dx.numpy or dx.scipy has "
            "the same function; call theirs. In place of np.array([a, b]) write "
            "dx.numpy.array([a, b]).",
        )
        return np.array(value, dtype=dtype) if copy else np.asarray(value, dtype=dtype)

    def __reduce__(self) -> Any:
        raise with_user_line(
            ConcretizationTypeError(
                f"this {self.aval} cannot be pickled, as its numbers are not known or belong to a "
                f"derivative.\n  It is {self.origin()}.\n  Return it, and pickle the result."
            )
        )

    def item(self, *args: Any) -> Any:
        """Return the Python scalar of an element, as NumPy; only where the numbers are known."""
        return self._need_constant(
            ConcretizationTypeError, "item()", "Keep it an array while it is traced."
        ).item(*args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.aval}>"

    def __format__(self, spec: str) -> str:
        value = self.concrete()
        return format(value, spec) if value is not None and spec else repr(self)


def typeof(x: Any) -> ShapedArray:
    """Return the type of an array, a tracer, a NumPy array or a Python scalar.

    Raises:
        TypeError: for anything else.

    Examples:
        >>> typeof(2.0), typeof(2.0).weak_type, typeof(np.zeros(3, "int32"))
        (f64[], True, i32[3])
    """
    if isinstance(x, Value):
        return x.aval
    kind = type(x)
    if kind in SCALARS:
        return scalar_aval(kind)
    if isinstance(x, (np.ndarray, np.generic)):
        dtype = x.dtype
        if dtype in DTYPES and (kind is np.ndarray or is_plain(kind)):
            return ShapedArray(x.shape, dtype)
        if refusal(x) is None:  # in another byte order
            return ShapedArray(x.shape, array_dtype(dtype))
    if (host := host_of(x)) is not None:
        return typeof(host)
    raise TypeError(f"not a value that diffeo can trace: {describe(x)}; {expected(x)}")


def expected(x: Any, otherwise: str = "expected an array or a number") -> str:
    """Return what is wrong with an object that is no value, and what to do."""
    return refusal(x) or otherwise


def describe(x: Any) -> str:
    """Return a short description of any object, for messages."""
    if isinstance(x, Value):
        return str(x.aval)
    if isinstance(x, np.ndarray):
        kind = "numpy array" if type(x) is np.ndarray else type(x).__name__
        return f"{kind} {x.dtype}{list(x.shape)}"
    if isinstance(x, (tuple, list)) and any([isinstance(v, Value) for v in x]):
        return f"{type(x).__name__} of {len(x)}: {', '.join(map(describe, x))}"
    try:
        text = repr(x)
    except Exception:  # of a class of the user's, or of lists in lists in lists
        return f"{type(x).__name__} without a repr"
    return f"{type(x).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


# --------------------------------------------------------------------------------------------------
# The user's line: kept with every equation and shown in every message


def user_source(depth: int = 1) -> tuple[Any, int] | None:
    """Return (code, instruction) of the innermost frame outside of diffeo, from `depth` frames up
    on. It becomes text only when it is shown.
    """
    if state.source is not None:
        return state.source
    frame = user_frame(sys._getframe(depth))[0]
    return None if frame is None else (frame.f_code, frame.f_lasti)


def with_user_line(error: Exception, of: Any = None) -> Exception:
    """Return the same error. Its message now says which function of diffeo was called, and on which
    line of the user's program, so that helpers of several functions need not know who called them.

    Args:
        error: what is to be raised.
        of: the object that is wrong; if it is an argument of that function, its parameter is named.
    """
    if error.args and isinstance(error.args[0], str) and "\n  at " not in error.args[0]:
        message = error.args[0]
        called = None  # what is wrong with a value itself is not the function's affair
        if state.source is None and not isinstance(error, RuntimeError):
            called = user_frame(sys._getframe(1))[1]
        name = shown_name(called)
        if name is not None and not re.search(rf"\b{name}\b", message):
            parameter = None if of is None else shown_parameter(called, of)
            message = ": ".join([p for p in (name, parameter, message) if p])
        error.args = (f"{message}\n  at {show_source(user_source())}", *error.args[1:])
    return error


def leaked(tracer: Tracer) -> Exception:
    """Return the error for a tracer that outlived its transformation; say where it is stored."""
    stored = where_stored(tracer, HERE)
    return with_user_line(
        UnexpectedTracerError(
            f"a traced value leaked: {tracer.aval}, {tracer.origin()}, is used after the "
            f"transformation returned{f'; it is stored in {stored}' if stored else ''}.\n"
            "  A traced function must not store its intermediate values in globals, attributes or "
            "lists; return them instead."
        )
    )
