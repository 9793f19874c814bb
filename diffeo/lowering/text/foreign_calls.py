"""Calls from a program: of kernels that are registered with XLA, and of Python functions.

`ForeignCalls` is a part of the builder in `stablehlo.py`, which lowering rules get as `ctx`. A
*kernel* is compiled code with a name, for example of LAPACK. One such kernel calls Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.types import ShapedArray

#: The kernel that calls Python, by platform; others have none.
_PYTHON = {"cpu": "xla_ffi_python_cpu_callback", "cuda": "xla_ffi_python_gpu_callback"}
#: The type of the number that keeps effects in order: see `stablehlo.py`.
CHAIN = ShapedArray((), np.dtype(np.uint8))
#: For `matrices` of `custom_call`: no array has so many axes, so none is column-major.
_ROW_MAJOR = 65


class ForeignCalls:
    """The part of the builder that emits calls.

    Attributes:
        platform, python, chain, emit, constant: see `Builder` and `Writer`.
    """

    platform: str
    python: list[Callable]
    chain: Any
    emit: Callable[..., list[Any]]
    constant: Callable[..., Any]

    def custom_call(
        self,
        target: str,
        operands: Sequence[Any],
        outs: Sequence[ShapedArray],
        *,
        matrices: int,
        in_place: Sequence[tuple[int, int]] = (),
        effects: bool = False,
        **config: str,
    ) -> list[Any]:
        """Call a kernel that is registered with XLA. Return the results.

        Args:
            target: the kernel's name.
            operands: the operands.
            outs: the types of the results.
            matrices: operands and results with this many axes and more have their last two axes in
                column-major order.
            in_place: pairs of an operand and the result that is written over it, by their numbers.
            effects: whether the kernel is called even if no result is needed.
            config: the kernel's attributes, such as `uplo="76 : ui8"`.
        """

        def layouts(avals: Sequence[ShapedArray]) -> str:
            return f"[{', '.join([_layout(a.ndim, a.ndim >= matrices) for a in avals])}]"

        aliases = [
            f"#stablehlo.output_operand_alias<output_tuple_indices = {[o] if len(outs) > 1 else []}"
            f", operand_index = {i}, operand_tuple_indices = []>"
            for i, o in in_place
        ]
        attributes = {
            "call_target_name": f'"{target}"',
            "api_version": "4 : i32",
            "backend_config": f"{{{', '.join([f'{k} = {v}' for k, v in config.items()])}}}",
            "operand_layouts": layouts([v.aval for v in operands]),
            "result_layouts": layouts(outs),
        }
        if effects:
            attributes["has_side_effect"] = "true"
        if in_place:
            attributes["output_operand_aliases"] = f"[{', '.join(aliases)}]"
        return self.emit("custom_call", operands, outs, attributes)

    @property
    def calls_python(self) -> bool:
        """Whether programs for this platform can call Python functions."""
        return self.platform in _PYTHON

    def call_python(
        self,
        function: Callable[..., Sequence[np.ndarray]],
        operands: Sequence[Any],
        outs: Sequence[ShapedArray],
        effects: bool,
    ) -> list[Any]:
        """Call a Python function of NumPy arrays. Return the results.

        Args:
            function: returns arrays of exactly the types `outs` in C order. XLA does not check
                them.
            operands: the operands.
            outs: the types of the results.
            effects: whether the function is called even if no result is needed, and in the
                program's order.

        Raises:
            NotImplementedError: if programs for the platform cannot call Python.
        """
        if not self.calls_python:
            raise NotImplementedError(
                f"a program for {self.platform} cannot call Python functions: run it on the CPU "
                "(dx.jit(f, device='cpu')), or leave callbacks out"
            )
        kernel = _PYTHON[self.platform]
        call = {"index": f"{len(self.python)} : ui64", "matrices": _ROW_MAJOR, "effects": effects}
        if not effects:
            self.python.append(function)
            return self.custom_call(kernel, operands, outs, **call)
        # The chain passes through the function unchanged, as its first operand and result.
        self.python.append(lambda chain, *arrays: (chain, *function(*arrays)))
        chain = self.chain or self.constant(0, CHAIN)
        results = self.custom_call(kernel, [chain, *operands], [CHAIN, *outs], **call)
        self.chain = results[0]
        return results[1:]


def _layout(ndim: int, column_major: bool) -> str:
    """Return the order of the axes in memory, fastest first, as MLIR writes it.

    For 3 axes that is 2, 1, 0, or, if the last two are in column-major order, 1, 2, 0.
    """
    order = [ndim - 2, ndim - 1, *reversed(range(ndim - 2))] if column_major else range(ndim)[::-1]
    return f"dense<{list(order) if ndim else ''}> : tensor<{ndim}xindex>"
