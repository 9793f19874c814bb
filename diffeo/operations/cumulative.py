"""Running sums, products, extrema and logarithms of sums of exponentials.

`scanned` computes the partial results of any associative operation. `LinearRecurrence`, y[i] = a[i]
y[i-1] + b[i], is the derivative of all operations of this file. Start with `scanned`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ..primitives.constants import zeros_like
from ..primitives.core import Primitive, Value
from ..primitives.families import Linear
from ..primitives.formulas.reference import zero_dominant_product
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, float32, is_inexact
from ..primitives.words import elementwise as e
from ..primitives.words.reduction import ADD, MAX, MIN, MUL, Monoid
from ..primitives.words.slicing import pad, slice_in_dim, stack
from ..primitives.words.structural import batch_at_front, check_axes, convert_element_type, reshape

#: How many neighbours a scan combines before it looks at blocks of them.
BLOCK = 4


def shifted(x: Value, axis: int, reverse: bool = False, value: Any = 0) -> Any:
    """Move `x` by one place along `axis` (backwards if `reverse`), with `value` coming in.

    1, 2, 3 become 0, 1, 2; with `reverse` they become 2, 3, 0.
    """
    low = tuple([(-1 if reverse else 1) if i == axis else 0 for i in range(x.ndim)])
    return pad(x, low, tuple([-n for n in low]), value=value)


def scanned(
    combine: Callable, xs: Sequence[Any], neutral: Sequence[Any], axis: int, reverse: bool
) -> list[Any]:
    """Return all partial results of an associative `combine(earlier, later)` of lists of arrays.

    The operation acts along `axis`, from the end if `reverse`; `neutral` holds its neutral element
    for each array. With a sum, 1, 2, 3 become 1, 3, 6.

    Blocks of 4 neighbours are combined side by side. A scan of their totals gives the result before
    each block (Blelloch 1990). So there are few passes over memory, and rounding errors grow with
    the logarithm of the size.
    """
    n = xs[0].shape[axis]
    if n < 2:
        return list(xs)
    blocks = -(-n // BLOCK)
    missing = [(blocks * BLOCK - n) * (i == axis) for i in range(xs[0].ndim)]
    padded = [pad(x, [0] * x.ndim, missing, value=v) for x, v in zip(xs, neutral)]
    # parts[k] holds element k of every block.
    parts = [
        [slice_in_dim(x, k, blocks * BLOCK, BLOCK, axis) for x in padded] for k in range(BLOCK)
    ]
    parts = parts[::-1] if reverse else parts
    # Then parts[k] holds the partial result of every block up to its element k.
    for k in range(1, BLOCK):
        parts[k] = combine(parts[k - 1], parts[k])
    totals = scanned(combine, parts[-1], neutral, axis, reverse)
    before = [shifted(t, axis, reverse, v) for t, v in zip(totals, neutral)]
    parts = [combine(before, part) for part in parts]
    parts = parts[::-1] if reverse else parts
    outs = [stack(columns, axis + 1) for columns in zip(*parts)]
    return [slice_in_dim(reshape(o, f.shape), 0, n, 1, axis) for o, f in zip(outs, padded)]


@frozen
class LinearRecurrence(Primitive):
    """The y with y[i] = a[i] y[i-1] + b[i] along `axis`; from the end if `reverse`.

    The first element of y is the first element of b. A zero stays zero whatever it is multiplied
    with.
    """

    axis: int
    reverse: bool = False

    def abstract_eval(self, a: ShapedArray, b: ShapedArray) -> ShapedArray:
        check_axes("linear_recurrence", (self.axis,), a.ndim)
        if a is not b or e.kind_of(a.dtype) not in "fc":
            raise TypeError(
                f"linear_recurrence: expects two floating-point or complex arrays of one shape and "
                f"dtype, got {a} and {b}"
            )
        return b

    def impl(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Compute in doubling steps: each element sees 1, 2, 4 ... elements before it.

        Hillis and Steele 1986.
        """
        a, b = (np.moveaxis(v, self.axis, 0) for v in (a, b))
        a, b, step = (a[::-1], b[::-1], 1) if self.reverse else (a, b, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            while step < len(b):
                grown = b[step:] + zero_dominant_product(b[:-step], a[step:])
                b = np.concatenate([b[:step], grown])
                a = np.concatenate([a[:step], a[step:] * a[:-step]])
                step *= 2
        return np.moveaxis(b[::-1] if self.reverse else b, 0, self.axis)

    def decompose(self, a: Value, b: Value) -> Any:
        """Scan pairs (a, b): the map y -> a y + b after another such map is again one."""

        def combine(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
            (a1, b1), (a2, b2) = left, right
            return [e.mul.bind(a1, a2), e.add.bind(e.scale.bind(b1, a2), b2)]

        return scanned(combine, (a, b), (1, 0), self.axis, self.reverse)[1]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve the same recurrence for dy, with da[i] y[i-1] + db[i] in place of b[i]."""
        (a, b), (da, db) = primals, tangents
        out = self.bind(a, b)
        if da is not ZERO:
            term = e.scale.bind(da, shifted(out, self.axis, self.reverse))
            db = term if db is ZERO else e.add.bind(db, term)
        return out, self.bind(a, db)

    def transpose(self, ct: Value, a: Value, b: LinearInput) -> Sequence[Any]:
        back = not self.reverse
        return None, LinearRecurrence(self.axis, back).bind(shifted(a, self.axis, back), ct)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        a, b = (batch_at_front(v, d, size) for v, d in zip(args, dims))
        return LinearRecurrence(self.axis + 1, self.reverse).bind(a, b), 0


@frozen
class Cumulative(Primitive):
    """The partial results of an associative operation along `axis`, from the end if `reverse`.

    A subclass states the facts: the operation, as a `monoid`, and the kinds of dtypes. Floats
    narrower than float32 are computed in float32.
    """

    axis: int
    reverse: bool = False
    accepts = "iufc"
    monoid: ClassVar[Any] = None

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes(self.name, (self.axis,), x.ndim)
        if e.kind_of(x.dtype) not in self.accepts:
            allowed = ", ".join([e.KINDS[k] for k in self.accepts])
            raise TypeError(f"{self.name}: expects {allowed} numbers, got {x}")
        return x

    def ufunc(self) -> Any:
        """Return the operation in NumPy."""
        return self.monoid.row.impl

    def impl(self, x: np.ndarray) -> np.ndarray:
        if is_inexact(x.dtype) and x.dtype.itemsize < 4:
            return self.impl(x.astype(float32)).astype(x.dtype)
        if self.reverse:
            flipped = self.ufunc().accumulate(np.flip(x, self.axis), self.axis, dtype=x.dtype)
            return np.flip(flipped, self.axis)
        return self.ufunc().accumulate(x, self.axis, dtype=x.dtype)

    def decompose(self, x: Value) -> Any:
        if is_inexact(x.dtype) and x.dtype.itemsize < 4:
            return convert_element_type(self.bind(convert_element_type(x, float32)), x.dtype)
        combine = lambda left, right: [self.monoid.row.bind(left[0], right[0])]
        return scanned(combine, [x], [self.monoid.neutral(x.dtype)], self.axis, self.reverse)[0]

    def before(self, out: Value) -> Any:
        """Return the results one place earlier: with these the elements were combined."""
        return shifted(out, self.axis, self.reverse, self.monoid.neutral(out.dtype))

    def recurrence(self, a: Value, b: Value) -> Any:
        """Return the y with y[i] = a[i] y[i-1] + b[i] in the direction of the operation."""
        return LinearRecurrence(self.axis, self.reverse).bind(a, b)

    def slopes(self, before: Value, x: Value, out: Value) -> Sequence[Any]:
        """Return the derivatives of `out` by `before` and by `x`.

        Each element of `out` is the combination of an element of `before` and an element of `x`.
        """
        return [slope(before, x) for slope, _ in self.monoid.row.derivatives]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        out = self.bind(x)
        by_before, by_x = self.slopes(self.before(out), x, out)
        return out, self.recurrence(by_before, e.scale.bind(t, by_x))

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        axis = self.axis + (self.axis >= dims[0])
        return type(self)(axis, self.reverse).bind(*args), dims[0]


class CumSum(Linear, Cumulative):
    """The running sum along `axis`, from the end if `reverse`."""

    monoid = ADD

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (CumSum(self.axis, not self.reverse).bind(ct),)


class CumProd(Cumulative):
    """The running product along `axis`, from the end if `reverse`.

    Its derivative is right where factors are 0.
    """

    monoid = MUL


class CumMax(Cumulative):
    """The running maximum along `axis`, from the end if `reverse`; nan from the first nan on."""

    accepts, monoid = "iuf", MAX


class CumMin(Cumulative):
    """The running minimum along `axis`, from the end if `reverse`; nan from the first nan on."""

    accepts, monoid = "iuf", MIN


class CumLogsumexp(Cumulative):
    """The running log(sum(exp(x))) along `axis`, from the end if `reverse`."""

    accepts, monoid = "f", Monoid(None, lambda dtype: -math.inf)

    def ufunc(self) -> Any:
        return np.logaddexp

    def decompose(self, x: Value) -> Any:
        """Compute m[i] + log(s[i]) with the running maximum m.

        s[i] is the sum of exp(x - m[i]) over the elements so far, so that s[i] = exp(m[i-1] - m[i])
        s[i-1] + exp(x[i] - m[i]).
        """
        if x.dtype.itemsize < 4:
            return super().decompose(x)
        m = CumMax(self.axis, self.reverse).bind(x)
        previous = self.before(m)
        # Infinite minus infinite numbers would be nan: take 0 for the difference of equal maxima,
        # and 0 for an infinite maximum.
        base = e.select(e.is_finite.bind(m), m, 0.0)
        step = e.select(e.eq.bind(m, previous), 0.0, e.sub.bind(previous, m))
        s = self.recurrence(e.exp.bind(step), e.exp.bind(e.sub.bind(x, base)))
        return e.add.bind(base, e.log.bind(s))

    def slopes(self, before: Value, x: Value, out: Value) -> Sequence[Any]:
        """Return exp(u - out) for both; where the result is infinite, 1 for u = +inf, and 0 for
        other u.
        """
        far = e.eq.bind(e.absolute.bind(out), math.inf)

        def slope(u: Value) -> Any:
            if_far = e.select(e.eq.bind(u, math.inf), zeros_like(u), -math.inf)
            return e.exp.bind(e.select(far, if_far, e.sub.bind(u, out)))

        return slope(before), slope(x)


def cumsum(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Return the running sum along `axis`."""
    return CumSum(axis, reverse).bind(x)
