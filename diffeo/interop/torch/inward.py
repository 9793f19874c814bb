"""`from_torch`: a function of torch's tensors, as one of diffeo's.

The function on flat tensors is a `Function`; its two derivatives are functions of tensors too, by
torch's autograd, and so are those of these. In diffeo's language a call is one primitive, `Called`;
its derivative is another one, `Linear`, which is transposed to the function of cotangents.
"""

# Type checkers know torch's names only where torch is installed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ...primitives.array import as_value
from ...primitives.builder import LoweringContext
from ...primitives.constants import full_like
from ...primitives.core import Primitive, typeof, with_user_line
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.frozen import OwnCopy
from ...primitives.types import ShapedArray, is_inexact
from ...primitives.words.structural import batch_at_front, move_axis
from ...trees import tree
from ...trees.arguments import check_callable, name_of
from .tensors import DTYPES, TRACED, Signatures, check, dtype_of, filled, to_numpy, to_tensor

Tensors = Sequence[torch.Tensor]


class Function:
    """A function of tensors that returns a list of tensors.

    Args:
        fun: the function.
        name: what messages call it.
    """

    def __init__(self, fun: Callable[..., Tensors], name: str):
        self.fun, self.name = fun, name
        self.types: dict[Any, list[ShapedArray]] = {}
        self.made: dict[Any, Any] = {}

    def __call__(self, *tensors: torch.Tensor) -> Tensors:
        return self.fun(*tensors)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made for a key before, or make it."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def results(self, avals: Sequence[ShapedArray]) -> list[ShapedArray]:
        """Return the types of the results, as a call on ones shows them."""
        key = tuple([(a.shape, a.dtype) for a in avals])
        if key not in self.types:
            ones = [torch.ones(a.shape, dtype=_torch_dtype(a, self.name)) for a in avals]
            with torch.random.fork_rng(devices=[]):
                outs = self(*ones)
            for o in outs:
                check(o, self.name)
            self.types[key] = [ShapedArray(tuple(o.shape), dtype_of(o)) for o in outs]
        return self.types[key]

    def must_be_mapped(self, count: int) -> set[int]:
        """Return which of `count` operands `batched` needs along the batch axis."""
        return set()

    def batched(self, size: int, mapped: tuple[bool, ...]) -> Function:
        """Return the function over a batch; operands that are mapped, and all results, have the
        batch axis in front.
        """
        return self.once(("batched", size, mapped), lambda: Function(
            functools.partial(_over_rows, self, size, mapped), self.name))  # fmt: skip


def _over_rows(
    function: Function, size: int, mapped: tuple[bool, ...], *tensors: torch.Tensor
) -> Tensors:
    """Call a function for a batch: by `torch.func.vmap`, and where torch cannot, row by row."""
    dims = tuple([0 if m else None for m in mapped])
    try:
        over: Any = torch.func.vmap
        return over(lambda *xs: tuple(function(*xs)), dims, randomness="different")(*tensors)
    except RuntimeError:
        rows = [function(*[t[i] if m else t for t, m in zip(tensors, mapped)]) for i in range(size)]
        return [torch.stack(list(column)) for column in zip(*rows)]


class Derivative(Function):
    """The derivative of a function, by torch's autograd, or its transposition.

    Its operands are those of the function, and then the tangents of the moving ones; backward, the
    cotangents of the smooth results.

    Args:
        of: the function.
        moving: which of its operands move.
        smooth: which of its results have a derivative.
        backward: it is the transposition.
    """

    def __init__(
        self, of: Function, moving: tuple[int, ...], smooth: tuple[int, ...], backward: bool
    ):
        super().__init__(self.compute, of.name)
        self.of, self.moving, self.smooth, self.backward = of, moving, smooth, backward

    def results(self, avals: Sequence[ShapedArray]) -> list[ShapedArray]:
        count = len(avals) - len(self.smooth if self.backward else self.moving)
        if self.backward:
            return [avals[i].strong for i in self.moving]
        outs = self.of.results(avals[:count])
        return [outs[j] for j in self.smooth]

    def compute(self, *operands: torch.Tensor) -> Tensors:
        """Compute cotangents by `torch.autograd.grad`; tangents by that of the cotangents, which
        are linear.
        """
        given = len(self.smooth if self.backward else self.moving)
        primals = list(operands[: len(operands) - given])
        vectors = operands[len(operands) - given :]
        with torch.enable_grad():
            for i in self.moving:  # what autograd differentiates by, also where nothing asks for it
                if not primals[i].requires_grad:
                    primals[i] = primals[i].detach().requires_grad_()
                else:
                    primals[i] = primals[i].view_as(primals[i])
            outs = self.of(*primals)
            smooth = [outs[j] for j in self.smooth]
            inputs = [primals[i] for i in self.moving]
            if self.backward:  # torch's cotangents are the conjugates of ours
                return [c.conj() for c in _grad(smooth, inputs, [v.conj() for v in vectors])]
            dummies = [torch.zeros_like(o).requires_grad_() for o in smooth]
            return _grad(_grad(smooth, inputs, dummies), dummies, list(vectors))

    def must_be_mapped(self, count: int) -> set[int]:
        # Of an operand that moves each row has a cotangent of its own.
        fixed = count - len(self.smooth if self.backward else self.moving)
        return {*self.moving, *range(fixed, count)} | self.of.must_be_mapped(fixed)

    def batched(self, size: int, mapped: tuple[bool, ...]) -> Function:
        count = len(mapped) - len(self.smooth if self.backward else self.moving)
        inner = self.of.batched(size, mapped[:count])
        return self.once(("batched", size, mapped), lambda: Derivative(
            inner, self.moving, self.smooth, self.backward))  # fmt: skip


def _grad(outs: list[Any], inputs: list[Any], vectors: list[Any]) -> list[torch.Tensor]:
    """Return the cotangents of the inputs, zero where nothing depends on them."""
    dependent = [(o, v) for o, v in zip(outs, vectors) if o.requires_grad]
    if not dependent:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(
        [o for o, _ in dependent],
        inputs,
        [v.to(o.dtype) for o, v in dependent],
        create_graph=True,
        materialize_grads=True,
    )
    return list(found)


def _torch_dtype(aval: ShapedArray, name: str) -> torch.dtype:
    dtype = DTYPES.get(aval.dtype.name)
    if dtype is None:
        raise with_user_line(
            TypeError(f"from_torch of {name}: torch has no dtype {aval.dtype}; convert the array")
        )
    return dtype


class Called(Primitive):
    """A call of a function of tensors."""

    multiple_results = True
    calls_python = True
    keeps_weak = False

    def __init__(self, function: Function):
        self.function = function

    def parameters(self) -> tuple:
        return (id(self.function),)

    @property
    def name(self) -> str:
        return f"torch_{self.function.name}"

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        return self.function.results([a.strong for a in avals])

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        outs = self.function(*map(to_tensor, arrays))
        for o in outs:
            check(o, f"from_torch of {self.function.name}")
        return [np.ascontiguousarray(to_numpy(o)).reshape(tuple(o.shape)) for o in outs]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return ctx.call_python(self.impl, values, ctx.outs, False)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        outs = self.bind(*primals)
        moving = tuple([i for i, t in enumerate(tangents) if t is not ZERO])
        smooth = tuple([j for j, o in enumerate(outs) if is_inexact(typeof(o).dtype)])
        slopes: list[Any] = [ZERO] * len(outs)
        if smooth:
            push = Linear(_derivative(self.function, moving, smooth, False), len(primals))
            for j, t in zip(smooth, push.bind(*primals, *[tangents[i] for i in moving])):
                slopes[j] = t
        return outs, slopes

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        mapped = tuple([d is not None for d in dims])
        moved = [a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims)]
        outs = Called(self.function.batched(size, mapped)).bind(*moved)
        return outs, [0] * len(outs)


class Linear(Called):
    """The derivative of a call, or its transposition: linear in all operands after the first."""

    function: Derivative

    def __init__(self, function: Derivative, fixed: int):
        self.function, self.fixed = function, fixed

    def parameters(self) -> tuple:
        return (id(self.function), self.fixed)

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        f, known = self.function, args[: self.fixed]
        back = Linear(_derivative(f.of, f.moving, f.smooth, not f.backward), self.fixed)
        avals = [typeof(a) if type(a) is not LinearInput else a.aval for a in args]
        types = self.abstract_eval(*avals)
        cts = [full_like(a, 0) if c is ZERO else c for c, a in zip(ct, types)]
        outs = back.bind(*known, *cts)
        given = args[self.fixed :]
        return [None] * self.fixed + [
            o if type(a) is LinearInput else None for a, o in zip(given, outs)
        ]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        every = self.function.must_be_mapped(len(args))
        mapped = tuple([d is not None or i in every for i, d in enumerate(dims)])
        moved = [batch_at_front(a, d, size) if m else a for a, d, m in zip(args, dims, mapped)]
        outs = Linear(self.function.batched(size, mapped), self.fixed).bind(*moved)  # type: ignore
        return outs, [0] * len(outs)


def _derivative(
    function: Function, moving: tuple[int, ...], smooth: tuple[int, ...], backward: bool
) -> Derivative:
    key = ("derivative", moving, smooth, backward)
    return function.once(key, lambda: Derivative(function, moving, smooth, backward))


class FromTorch(OwnCopy):
    """A function of torch's on diffeo's values; made by `from_torch`."""

    def __init__(self, fun: Callable):
        check_callable(fun, "from_torch")
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.__name__ = name_of(fun)
        self.signatures = Signatures(self._made, f"from_torch of {self.__name__}")

    def __repr__(self) -> str:
        return f"<from_torch of {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, in_tree = tree.flatten((args, kwargs))
        values: list[Any] = []
        statics: list[Any] = []
        for leaf in leaves:
            try:
                values.append(as_value(leaf))
                statics.append(TRACED)
            except TypeError:
                statics.append(leaf)
        for v in values:
            _torch_dtype(typeof(v), self.__name__)
        function, out_tree = self.signatures(in_tree, statics, values)
        outs = Called(function).bind(*values)
        return tree.unflatten(out_tree[0], outs)

    def _made(self, in_tree: Any, statics: Sequence[Any]) -> tuple[Function, list[Any]]:
        out_tree: list[Any] = []

        def flat(*tensors: torch.Tensor) -> Tensors:
            args, kwargs = filled(in_tree, statics, tensors)
            results, structure = tree.flatten(self.fun(*args, **kwargs))
            out_tree[:] = [structure]
            return [self._tensor(r) for r in results]

        return Function(flat, self.__name__), out_tree

    def _tensor(self, x: Any) -> torch.Tensor:
        if isinstance(x, torch.Tensor):
            return x
        if isinstance(x, (bool, int, float, complex)):
            kinds = {bool: torch.bool, int: torch.int64, float: torch.float64}
            return torch.tensor(x, dtype=kinds.get(type(x), torch.complex128))
        raise TypeError(
            f"from_torch of {self.__name__}: expected a tree of tensors and numbers as the result, "
            f"got {type(x).__name__} in it"
        )


def from_torch(fun: Callable) -> FromTorch:
    """Return a function of torch's tensors as one of diffeo's.

    The function stays torch's: a program of diffeo's calls it, in eager mode and compiled, with
    tensors on the CPU. Its derivatives, forward and backward and of every order, are those of
    torch's autograd; `vmap` is `torch.func.vmap`, or goes row by row where torch cannot. Under
    `jit`, the function is called once on ones, which shows the types of its results.

    Args:
        fun: a pure function of trees of tensors. Leaves of its arguments that are no arrays are
            static, and must be hashable. Parameters of modules that it closes over are constants:
            make them an argument, and use `torch.func.functional_call`.

    Raises:
        TypeError: (when called) for a dtype that torch does not have, an argument that is not
            hashable, or a result that holds what is no tensor.
        RuntimeError: (when differentiated) for an operation of which torch has no derivative, or
            none of that order.

    Examples:
        >>> import torch
        >>> import diffeo as dx
        >>> from diffeo.interop.torch import from_torch
        >>> f = from_torch(lambda x: torch.special.bessel_j0(x) * torch.sin(x))
        >>> dx.grad(f)(0.0), dx.jit(dx.vmap(dx.grad(f)))(dx.numpy.zeros(2))
        (Array(1.), Array([1., 1.]))
    """
    return FromTorch(fun)
