"""jax as an oracle: values, jvp, vjp and vmap of every primitive, on every sample that jax takes,
in double and in single precision, and the values in half precision. Each primitive's first sample
always, the others in the exhaustive run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.types import SCALARS, is_inexact
from tests.jax_names import ELSEWHERE, JAX, NOT_IN_JAX, VALUES_ONLY
from tests.laws import direction, function_of, host, jvp, value, vjp
from tests.samples import SAMPLES, Sample
from tests.test_coverage import PRIMITIVES, counts
from tests.transformations import ROWS

pytestmark = pytest.mark.filterwarnings("ignore")

#: Relative error allowed, by the bytes of a real number.
ALLOWED = {8: 1e-9, 4: 3e-4, 2: 3e-2, 1: 0.3}
NARROW = {"float64": "float32", "complex128": "complex64"}

#: Samples, by how their names begin, that are not compared, and why.
DIFFERS = {
    "gather-fill, huge index": "jax reads a 64-bit index as negative",
    "scatter_add-bool": "jax refuses booleans",
    "scatter_mul-bool": "jax refuses booleans",
    "scatter_mul-into a scalar": "XLA refuses jax's program",
    "scatter_min-into a scalar": "XLA refuses jax's program",
    "scatter_max-into a scalar": "XLA refuses jax's program",
    "reduce_window_max-scalar": "XLA ends the process on jax's derivative",
    "reduce_window_min-scalar": "XLA ends the process on jax's derivative",
    "acosh-branch cuts": "XLA is on the wrong side of a cut",
    "asinh-branch cuts": "XLA is on the wrong side of a cut",
    "acos-branch cuts": "XLA is on the wrong side of a cut",
    "asin-branch cuts": "XLA is on the wrong side of a cut",
    "sqrt-branch cuts": "XLA is on the wrong side of a cut",
    "digamma-special": "jax is nan at 0, where the limits are infinite",
    "exp2-limits": "jax's exp2 is off by hundreds of units in the last place",
    "top_k-special": "jax tells 0 from -0, and one sign of nan from the other",
    "top_k-float32 signs": "jax tells 0 from -0, and one sign of nan from the other",
    "conv_general_dilated-float32 to float16": "jax refuses a narrower type",
    "conv_general_dilated-complex64 to complex128": "jax adds real and imaginary parts before",
    "conv_general_dilated-empty window": "XLA refuses windows without elements",
    "conv_general_dilated-special": "in a batch, XLA's nan of one row enters all others",
    "schur-complex": "the phases of our vectors do not depend on LAPACK's way to them",
    "schur-two complex": "the phases of our vectors do not depend on LAPACK's way to them",
    "hessenberg-empty": "jax refuses matrices without elements",
    "tridiagonal-empty": "jax refuses matrices without elements",
    **dict.fromkeys(("pow-int", "pow-uint", "pow-wraps"), "jax has no powers of two integers here"),
    **dict.fromkeys(("abs-uint", "abs-bool"), "jax refuses numbers without a sign"),
    **dict.fromkeys(
        (
            "lt-complex",
            "le-complex",
            "gt-complex",
            "ge-complex",
            "arg_max-complex",
            "arg_min-complex",
        ),
        "jax refuses complex numbers, which have NumPy's order",
    ),
    **dict.fromkeys(("max-complex nan", "min-complex nan"), "of several nan jax takes another"),
    "add-bool": "jax refuses booleans, which are added as NumPy adds them",
    "mul-bool": "jax refuses booleans, which are multiplied as NumPy multiplies them",
    "convert_element_type-complex to bool": "1j is true, as in NumPy; jax looks at the real part",
    "bitcast_convert_type": "in single precision the widths would differ",
    "acosh-complex": "jax's derivative is on another branch than its function",
    "scatter_add-into a scalar": "XLA's scatter into no axes is wrong",
    "scatter-into a scalar": "XLA's scatter into no axes is wrong",
    "gather-of a scalar": "XLA's scatter into no axes, the derivative, is wrong",
    "scatter_add-huge": "jax's derivative reads a 64-bit index as negative",
    "dynamic_slice-moved inside": "jax.lax counts negative starts from the end",
    "dynamic_slice-wide": "XLA's derivative for 8-bit starts is wrong",
    "dynamic_update_slice-moved inside": "jax.lax counts negative starts from the end",
    "dynamic_update_slice-wide": "XLA's function of 8-bit starts is wrong",
}


def precisions(sample: Sample) -> list[str]:
    """The widths in which a sample is compared."""
    floats = {sample.args[i].dtype.name for i in sample.arrays}
    return ["as it is", "single"] if floats & set(NARROW) else ["as it is"]


FIRST = {s.primitive.name: s for s in reversed(SAMPLES)}

CASES = [
    pytest.param(
        s,
        p,
        id=f"{s.name}-{p}",
        marks=[] if s is FIRST[s.primitive.name] and p == "as it is" else pytest.mark.exhaustive,
    )
    for s in SAMPLES
    if s.primitive.name in JAX and not s.name.startswith(tuple(DIFFERS))
    for p in precisions(s)
]


def test_every_exception_is_needed():
    for start in DIFFERS:
        assert any([s.name.startswith(start) for s in SAMPLES]), f"no sample is called {start}"


def test_every_primitive_is_compared():
    missing = set(PRIMITIVES) - set(JAX) - set(NOT_IN_JAX) - set(ELSEWHERE)
    assert not missing, f"say in tests/jax_names.py what these are in jax: {sorted(missing)}"
    assert set(counts()) >= set(JAX), "there is no such primitive"


def operands(sample: Sample, precision: str) -> list[Any]:
    """The sample's operands, arrays all, in a precision."""
    like = next((a for a in reversed(sample.args) if type(a) not in SCALARS), None)
    arrays = [np.full_like(like, a) if type(a) in SCALARS else a for a in sample.args]
    if precision == "single":
        arrays = [a.astype(NARROW.get(a.dtype.name, a.dtype)) for a in arrays]
    return arrays


def as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def agree(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Equal types; numbers equal to the precision of their dtype, scaled by the largest."""
    assert len(found) == len(expected)
    for a, b in zip(map(host, found), map(np.asarray, expected)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if not is_inexact(a.dtype):
            np.testing.assert_array_equal(a, b)
            continue
        allowed = ALLOWED[a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1)]
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        finite = np.abs(b[np.isfinite(b)].astype(wide))
        scale = float(np.max(finite, initial=1.0))
        np.testing.assert_allclose(a.astype(wide), b.astype(wide), allowed, allowed * scale)


def rows_of(x: np.ndarray) -> np.ndarray:
    return np.stack([np.roll(x, k) for k in range(ROWS)])


@pytest.mark.parametrize("sample, precision", CASES)
@pytest.mark.sampled(3)
def test_values_batches_and_derivatives(jax, sample: Sample, precision: str):
    args = operands(sample, precision)
    oracle = JAX[sample.primitive.name](sample.primitive, jax)
    theirs = lambda *a: as_list(oracle(*a))
    outs = sample.bind(*map(value, args))
    rows = [rows_of(a) for a in args]
    values_only = sample.primitive.name in VALUES_ONLY
    chosen = sample.by if sample.differentiable and not values_only else ()
    xs = [args[i] for i in chosen]
    vs = [direction(x, 1) for x in xs]
    fun = function_of(sample, chosen, args)
    cts = [direction(host(o), 3) for o in outs if is_inexact(o.dtype)]

    def everything(args: Any, rows: Any, vs: Any, cts: Any) -> Any:
        """All of jax's answers in one compiled program."""

        def of_chosen(*points: Any) -> list[Any]:
            full = list(args)
            for i, x in zip(chosen, points):
                full[i] = x
            return [o for o in theirs(*full) if is_inexact(o.dtype)]

        batched = jax.vmap(theirs)(*rows) if rows else []
        if not chosen:
            return theirs(*args), batched, [], []
        points = [args[i] for i in chosen]
        tangents = jax.jvp(of_chosen, points, vs)[1]
        return theirs(*args), batched, tangents, jax.vjp(of_chosen, *points)[1](cts)

    values, batched, tangents, cotangents = jax.jit(everything)(args, rows, vs, cts)
    agree(outs, values)
    if rows:
        agree(dx.vmap(lambda *a: sample.bind(*a))(*rows), batched)
    if chosen:
        points = [value(x) for x in xs]
        agree(jvp(fun, points, [value(v) for v in vs])[1], tangents)
        agree(vjp(fun, points, [value(c) for c in cts])[1], cotangents)
