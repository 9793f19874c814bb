"""`to_torch`: a function of diffeo's, inside torch's autograd and `torch.func`.

The function on arrays is a `Program`. Its derivatives are programs of the same kind, and so is the
function over a batch. One `torch.autograd.Function`, `_Applied`, applies a program to tensors, and
asks for the programs of its derivatives in its rules: so these are differentiated again by the same
rules, to any order.
"""

# pyright: reportIncompatibleMethodOverride=false
# (torch takes these methods with arguments of their own.)

# Type checkers know torch's names only where torch is installed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ...api.derivatives.autodiff import jvp, vjp
from ...api.jit import jit
from ...api.vmap import vmap
from ...numpy.ufuncs import conj
from ...primitives.core import Value
from ...primitives.support.frozen import OwnCopy
from ...primitives.support.lists import woven
from ...primitives.types import is_complex
from ...trees import tree
from ...trees.arguments import check_callable, check_outputs, name_of
from .tensors import TRACED, Signatures, check, filled, to_array, to_tensor

Flags = tuple[bool, ...]


class Program:
    """A function of arrays that returns a list of arrays, with the programs that are made of it.

    Args:
        flat: the function.
        jitted: it is compiled.
    """

    def __init__(self, flat: Callable[..., list[Any]], jitted: bool):
        self.flat, self.jitted = flat, jitted
        self.call = jit(flat) if jitted else flat
        self.made: dict[Any, Program] = {}

    def __call__(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """Apply the program to tensors, without a derivative."""
        outs = self.call(*map(to_array, tensors))
        return [to_tensor(o) for o in outs]

    def _once(self, key: Any, make: Callable[[], Callable[..., list[Any]]]) -> Program:
        program = self.made.get(key)
        if program is None:
            program = self.made[key] = Program(make(), self.jitted)
        return program

    def _of_moving(self, moving: Flags, smooth: Flags, primals: Sequence[Any]) -> Callable:
        """Return the function of the moving operands alone, with the smooth results alone."""
        still = [p for p, m in zip(primals, moving) if not m]

        def part(*xs: Any) -> list[Any]:
            return [o for o, s in zip(self.flat(*woven(moving, xs, still)), smooth) if s]

        return part

    def pulled(self, moving: Flags, smooth: Flags) -> Program:
        """Return the program from (operands, cotangents of the smooth results) to the cotangents
        of the moving operands.

        torch's cotangents are the conjugates of ours.
        """

        def pull(*operands: Any) -> list[Any]:
            primals, cts = operands[: len(moving)], operands[len(moving) :]
            part = self._of_moving(moving, smooth, primals)
            back = vjp(part, *[p for p, m in zip(primals, moving) if m])[1]
            return [_conj(c) for c in back([_conj(c) for c in cts])]

        return self._once(("pulled", moving, smooth), lambda: pull)

    def pushed(self, moving: Flags, smooth: Flags) -> Program:
        """Return the program from (operands, tangents of the moving ones) to the tangents of the
        smooth results.
        """

        def push(*operands: Any) -> list[Any]:
            primals, tangents = operands[: len(moving)], operands[len(moving) :]
            part = self._of_moving(moving, smooth, primals)
            return jvp(part, [p for p, m in zip(primals, moving) if m], tangents)[1]

        return self._once(("pushed", moving, smooth), lambda: push)

    def batched(self, dims: tuple[int | None, ...], size: int) -> Program:
        """Return the program over a batch, whose results have the batch axis in front."""
        return self._once(
            ("batched", dims, size), lambda: vmap(self.flat, in_axes=dims, axis_size=size)
        )


def _conj(x: Any) -> Any:
    return conj(x) if is_complex(x.dtype) else x


def _is_smooth(x: torch.Tensor) -> bool:
    return x.dtype.is_floating_point or x.dtype.is_complex


class _Applied(torch.autograd.Function):
    """A program applied to tensors."""

    @staticmethod
    def forward(program: Program, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(program(*tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        ctx.program = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])
        ctx.smooth = tuple([_is_smooth(o) for o in output])
        ctx.mark_non_differentiable(*[o for o, s in zip(output, ctx.smooth) if not s])

    @staticmethod
    def backward(ctx: Any, *cts: torch.Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        moving = tuple([n and _is_smooth(t) for n, t in zip(ctx.needs_input_grad[1:], tensors)])
        program = ctx.program.pulled(moving, ctx.smooth)
        given = [c for c, s in zip(cts, ctx.smooth) if s]
        found = iter(_Applied.apply(program, *tensors, *given) if any(moving) else ())
        return None, *[next(found) if m else None for m in moving]

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        moving = tuple([t is not None and _is_smooth(x) for t, x in zip(tangents[1:], tensors)])
        program = ctx.program.pushed(moving, ctx.smooth)
        given = [t for t, m in zip(tangents[1:], moving) if m]
        found = iter(_Applied.apply(program, *tensors, *given))
        return tuple([next(found) if s else None for s in ctx.smooth])

    @staticmethod
    def vmap(info: Any, in_dims: tuple, program: Program, *tensors: Any) -> tuple[Any, Any]:
        outs = _Applied.apply(program.batched(tuple(in_dims[1:]), info.batch_size), *tensors)
        return outs, (0,) * len(outs)


class ToTorch(OwnCopy):
    """A function of diffeo's on torch's tensors; made by `to_torch`."""

    def __init__(self, fun: Callable, jitted: bool):
        check_callable(fun, "to_torch")
        functools.update_wrapper(self, fun)
        self.fun, self.jitted = fun, jitted
        self.__name__ = name_of(fun)
        self.signatures = Signatures(self._made, f"to_torch of {self.__name__}")

    def __repr__(self) -> str:
        return f"<to_torch of {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, in_tree = tree.flatten((args, kwargs))
        tensors: list[torch.Tensor] = []
        statics: list[Any] = []
        for leaf in leaves:
            if isinstance(leaf, (np.ndarray, np.generic, Value)):
                leaf = to_tensor(np.asarray(leaf))
            if isinstance(leaf, torch.Tensor):
                check(leaf, f"to_torch of {self.__name__}")
                tensors.append(leaf)
                statics.append(TRACED)
            else:
                statics.append(leaf)
        program, out_tree = self.signatures(in_tree, statics, tensors)
        outs = _Applied.apply(program, *tensors)
        return tree.unflatten(out_tree[0], outs)  # pyright: ignore[reportArgumentType]

    def _made(self, in_tree: Any, statics: Sequence[Any]) -> tuple[Program, list[Any]]:
        out_tree: list[Any] = []

        def flat(*arrays: Any) -> list[Any]:
            args, kwargs = filled(in_tree, statics, arrays)
            out = self.fun(*args, **kwargs)
            results, structure = tree.flatten(out)
            out_tree[:] = [structure]
            return check_outputs(results, out, self.__name__)

        flat.__name__ = self.__name__
        return Program(flat, self.jitted), out_tree


def to_torch(fun: Callable, *, jitted: bool = True) -> ToTorch:
    """Return a function of diffeo's that takes and returns torch's tensors, and is differentiated
    by torch.

    It is a `torch.autograd.Function` inside: `backward`, to any order with `create_graph=True`;
    `torch.func.grad`, `jacrev`, `jvp`, `jacfwd`, `hessian`; `torch.func.vmap` around and inside of
    them. Each of these runs diffeo's program of that derivative, compiled once for each signature.

    Args:
        fun: a function of arrays or trees. Leaves of its arguments that are no tensors or arrays,
            such as Python's numbers, are static, and must be hashable.
        jitted: the function and its derivatives are compiled; False evaluates them eagerly, so that
            Python's `if` may ask for numbers.

    Returns:
        The function. Tensors among its arguments are read where they are, without a copy; the
        results have memory of their own, and the dtypes that diffeo computes.

    Raises:
        ValueError: (when called) for a tensor that is not on the CPU.
        TypeError: (when called) for a tensor of another layout or dtype, an argument that is not
            hashable, or a result that holds what is no array.

    Examples:
        >>> import torch
        >>> import diffeo as dx
        >>> from diffeo.interop.torch import to_torch
        >>> f = to_torch(lambda x: dx.scipy.special.fresnel(x)[0])
        >>> x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        >>> f(x).backward()
        >>> float(x.grad)
        1.0
    """
    return ToTorch(fun, jitted)
