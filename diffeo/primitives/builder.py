"""What a `lower` rule is handed: the builder, as far as rules speak to it.

`lowering/text/stablehlo.py` has the builder that there is, which writes StableHLO. The language
does not know the machine: the methods on this page are all that a rule may use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .types import ShapedArray


class LoweringContext(Protocol):
    """Writes the operations of one program, in the order in which its methods are called.

    An *operand* is a value of the program that is written: it has a name, and a type `aval`. Python
    scalars may stand among operands; they become constants of the type of the others. An attribute
    is text, as MLIR writes it. A *region* is the text of a block of operations.

    Attributes:
        platform: what the program will run on: "cpu", "cuda", "tpu" or a plugin's name.
        outs: the types of the results of the equation that is lowered.
        calls_python: whether programs for this platform can call Python functions.
    """

    platform: str
    outs: Sequence[ShapedArray]

    @property
    def calls_python(self) -> bool: ...

    # -- Operations --

    def op(self, name: str, *args: Any, out: ShapedArray | None = None, **attributes: str) -> Any:
        """Emit an operation with one result, of type `out` (by default, the equation's first)."""
        ...

    def emit(
        self, name: str, operands: Any, outs: Any, attributes: dict[str, str], region: str = ""
    ) -> list[Any]:
        """Emit an operation with results of types `outs`, perhaps with a region."""
        ...

    def operands(self, values: Sequence[Any]) -> list[Any]:
        """Return the values with Python scalars made constants."""
        ...

    def constant(self, value: Any, aval: ShapedArray) -> Any:
        """Return an array of type `aval` that is filled with a number."""
        ...

    def hidden(self, value: Any, aval: ShapedArray) -> Any:
        """Return the same as `constant`, which XLA's simplifier does not see through."""
        ...

    def compare(self, direction: str, x: Any, y: Any) -> Any:
        """Compare elementwise: "EQ", "NE", "LT", "LE", "GT" or "GE"."""

    def i64s(self, numbers: Sequence[int]) -> str:
        """Return the attribute for a list of integers."""
        ...

    def index(self, indices: Any) -> Any:
        """Return indices of a type in which XLA can compute bounds."""
        ...

    def key_words(self, keys: Any) -> Any:
        """Return the words of keys, uint32, along a new last axis."""
        ...

    def keys_of(self, words: Any, aval: ShapedArray) -> Any:
        """Return keys of the type `aval` that have these words along the last axis."""
        ...

    # The parameters of these are those of the primitives of the same names.
    def reduce(self, name: str, x: Any, initial: Any, axes: Sequence[int]) -> Any: ...
    def sort(
        self, xs: Any, axis: int, num_keys: int, key: Callable, stable: bool = True
    ) -> Any: ...
    def gather(self, x: Any, indices: Any, dims: Any, sizes: Any, in_order: bool) -> Any: ...
    def scatter(
        self,
        combine: Any,
        x: Any,
        indices: Any,
        updates: Any,
        dims: Any,
        unique: bool,
        in_order: bool,
    ) -> Any: ...

    # -- Functions and programs --

    def inline(self, fun: Callable, *operands: Any) -> Any:
        """Lower a function of primitives here and now; return its operand, or list of operands."""
        ...

    def program(self, jaxpr: Any, operands: Sequence[Any]) -> list[Any]:
        """Emit the equations of a program."""
        ...

    def call(self, jaxpr: Any, operands: Sequence[Any]) -> list[Any]:
        """Emit a call of a program, which becomes a function of the module."""
        ...

    def region(self, avals: Sequence[ShapedArray], body: Callable) -> str:
        """Return a region whose block takes operands of types `avals`, written by `body`."""
        ...

    def while_loop(self, going: Callable, step: Callable, values: Sequence[Any]) -> list[Any]:
        """Repeat `step` while `going` holds; both are functions of primitives."""
        ...

    def while_region(self, going: Callable, step: Callable, values: Sequence[Any]) -> list[Any]:
        """Repeat `step` while `going` holds; both emit operations."""
        ...

    def case(self, index: Any, branches: Sequence[Callable], outs: Any) -> list[Any]:
        """Emit branches, functions without arguments that emit operations; one of them runs."""
        ...

    # -- Calls out of the program --

    def custom_call(
        self,
        target: str,
        operands: Any,
        outs: Any,
        *,
        matrices: int,
        in_place: Any = (),
        effects: bool = False,
        **config: str,
    ) -> list[Any]:
        """Call a kernel that is registered with XLA (see `lowering/text/foreign_calls.py`)."""
        ...

    def call_python(
        self, function: Callable, operands: Any, outs: Sequence[ShapedArray], effects: bool
    ) -> list[Any]:
        """Call a Python function of NumPy arrays, which returns arrays of the types `outs`."""
        ...
