"""What must hold for every primitive, tested on every line of `samples.py`.

NumPy's `impl` is the base: finite differences of it judge jvp, jvp judges transpose and Taylor
series, a loop over it judges batching, and XLA must agree with all of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from diffeo.api.derivatives.jets import taylor
from diffeo.lowering.text.module import lower_module
from diffeo.operations.identity import StopGradient
from diffeo.primitives.config import config
from diffeo.primitives.core import typeof
from diffeo.primitives.jaxpr import check_jaxpr, eval_jaxpr, infer, sub_jaxprs
from diffeo.primitives.stand_ins import ZERO
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.types import SCALARS, ShapedArray
from diffeo.transforms.batching import Batching
from diffeo.transforms.jvp import jvp_flat
from diffeo.transforms.taylor.collapsed import Sums, push
from tests.laws import (
    close,
    compiled,
    differences,
    direction,
    function_of,
    host,
    jvp,
    pairing,
    staged,
    subsets,
    value,
    vjp,
)
from tests.samples import SAMPLES, Sample

WIDE = (np.float64, np.complex128)

each = pytest.mark.parametrize("sample", SAMPLES, ids=repr)
differentiable = [s for s in SAMPLES if s.differentiable]
each_differentiable = pytest.mark.parametrize("sample", differentiable, ids=repr)
# NumPy warns where numbers overflow or are not defined, which some samples are about.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def types(args) -> list:
    """What `abstract_eval` gets for operands."""
    return [a if type(a) in SCALARS else ShapedArray(np.shape(a), a.dtype) for a in args]


def may_vary(sample: Sample) -> bool:
    """Whether results and some operands are numbers of 64 bits that vary continuously."""
    found = infer(sample.primitive, types(sample.args))
    outs = list(found) if sample.primitive.multiple_results else [found]
    given = [sample.args[i].dtype in WIDE for i in sample.arrays]
    return any(given) and all([o.dtype in WIDE for o in outs])


@each
@pytest.mark.sampled(1)
def test_evaluation_has_the_inferred_type(sample: Sample):
    found = infer(sample.primitive, types(sample.args))
    expected = list(found) if sample.primitive.multiple_results else [found]
    assert [ShapedArray(o.shape, o.dtype) for o in sample.impl(*sample.args)] == expected
    outs = sample.bind(*map(value, sample.args))
    assert [o.aval for o in outs] == expected
    for out, plain in zip(outs, sample.impl(*sample.args)):
        close(out, plain)


@each
@pytest.mark.sampled(2)
def test_xla_agrees_with_numpy(sample: Sample):
    arrays = [sample.args[i] for i in sample.arrays]
    outs = compiled(function_of_all(sample), arrays)
    close_all(outs, sample.impl(*sample.args), 1e-13)


def function_of_all(sample: Sample):
    """All results as a function of all array operands."""

    def fun(*xs):
        operands = list(sample.args)
        for i, x in zip(sample.arrays, xs):
            operands[i] = x
        return sample.bind(*operands)

    return fun


@each_differentiable
@pytest.mark.sampled(1)
def test_jvp_agrees_with_differences(sample: Sample):
    for by in subsets(sample.by):
        fun = function_of(sample, by)
        xs = [sample.args[i] for i in by]
        vs = [direction(x, 1) for x in xs]
        outs, tangents = jvp(fun, map(value, xs), map(value, vs))
        close_all(outs, fun(*map(value, xs)), 1e-15)
        close_all(tangents, differences(fun, xs, vs), 1e-8, narrow=0.2)


def close_all(found, expected, tolerance=1e-12, narrow=4e-2):
    """Lists of results agree; `narrow` is for dtypes of less than 64 bits."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        allowed = tolerance if a.dtype in WIDE else narrow if a.dtype.itemsize < 4 else narrow / 1e3
        close(a, b, allowed, allowed)


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.smooth and not s.by and may_vary(s)], ids=repr
)
def test_without_derivative_it_is_constant(sample: Sample):
    by = tuple([i for i in sample.arrays if sample.args[i].dtype in WIDE])
    xs = [sample.args[i] for i in by]
    fun = function_of(sample, by)
    assert all([t is ZERO for t in jvp_flat(fun, map(value, xs), map(value, xs))[1]])
    if not isinstance(sample.primitive, StopGradient):
        for slope in differences(fun, xs, [direction(x, 1) for x in xs]):
            close(slope, np.zeros_like(slope))


#: Where derivatives of the table are infinite or not defined.
SINGULAR = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 1e300])


@pytest.mark.parametrize(
    "row", [r for r in ELEMENTWISE.values() if r.derivatives and "f" in r.accepts], ids=repr
)
def test_zero_cotangent_stays_zero_at_singular_points(row):
    """What a program does not depend on must not make its gradient nan."""
    points = np.meshgrid(*[SINGULAR] * row.arity)
    for by in subsets(range(row.arity)):
        sample = Sample(row.name, row, tuple(points), by)
        xs = [value(points[i]) for i in by]
        zero = value(np.zeros_like(points[0]))
        _, cts = vjp(function_of(sample, by), xs, [zero])
        _, tangents = jvp(function_of(sample, by), xs, [zero] * len(by))
        close_all([*cts, *tangents], [zero] * (len(by) + 1))


@each_differentiable
@pytest.mark.sampled(1)
def test_second_jvp_agrees_with_differences_of_the_first(sample: Sample):
    fun = function_of(sample, sample.by)
    xs = [sample.args[i] for i in sample.by]
    vs, ws = ([direction(x, seed) for x in xs] for seed in (1, 2))

    def first(*points):
        return jvp(fun, map(value, points), map(value, vs))[1]

    _, second = jvp(first, map(value, xs), map(value, ws))
    close_all(second, differences(first, xs, ws), 1e-7, narrow=0.2)


@each_differentiable
@pytest.mark.sampled(1)
def test_transpose_is_the_adjoint(sample: Sample):
    for by in subsets(sample.by):
        fun = function_of(sample, by)
        xs = [value(sample.args[i]) for i in by]
        vs = [value(direction(x, 1)) for x in xs]
        outs, tangents = jvp(fun, xs, vs)
        cts = [value(direction(o, 3)) for o in outs]
        results, in_cts = vjp(fun, xs, cts)
        close_all(results, outs)
        assert [ct.aval for ct in in_cts] == [x.aval for x in xs]
        allowed = 1e-11 if all([o.dtype in WIDE for o in outs]) else 1e-6
        np.testing.assert_allclose(pairing(tangents, cts), pairing(vs, in_cts), allowed, allowed)


@each_differentiable
@pytest.mark.sampled(4)
def test_xla_agrees_on_derivatives(sample: Sample):
    both, arrays = derivatives_of(sample, sample.args)
    close_all(compiled(both, arrays), both(*map(value, arrays)), 1e-11)


def derivatives_of(sample: Sample, args):
    """A function that returns results, tangents and cotangents, and its arguments."""
    fun = function_of(sample, sample.by, args)
    xs = [args[i] for i in sample.by]
    vs = [direction(x, 1) for x in xs]
    cts = [direction(host(o), 3) for o in fun(*map(value, xs))]
    n = len(xs)

    def both(*all_arrays):
        primals, tangents, cotangents = all_arrays[:n], all_arrays[n : 2 * n], all_arrays[2 * n :]
        outs, moved = jvp(fun, primals, tangents)
        return [*outs, *moved, *vjp(fun, primals, cotangents)[1]]

    return both, [*xs, *vs, *cts]


# --------------------------------------------------------------------------------------------------
# Batching

ROWS = 3


def rows_of(x: np.ndarray) -> list[np.ndarray]:
    """Operands like `x`: its elements in other orders; for a single element, other numbers."""
    if x.size != 1:
        return [np.roll(x, k).reshape(x.shape) for k in range(ROWS)]
    if x.dtype.kind == "b":
        return [x ^ bool(k % 2) for k in range(ROWS)]
    step = 1 if x.dtype.kind in "iu" else 0.125
    return [(x + np.asarray(k * step, x.dtype)).astype(x.dtype) for k in range(ROWS)]


def batched_cases(sample: Sample):
    """Which operands have a batch axis, and where."""
    for chosen in subsets(sample.arrays):
        ndims = [np.ndim(sample.args[i]) for i in chosen]
        places = {
            tuple([0] * len(chosen)),
            tuple(ndims),
            tuple([n if k % 2 else 0 for k, n in enumerate(ndims)]),
            tuple([n // 2 for n in ndims]),
        }
        for dims in sorted(places):
            yield dict(zip(chosen, dims))


@each
@pytest.mark.sampled(1)
def test_batching_is_a_loop(sample: Sample):
    rows = {i: rows_of(sample.args[i]) for i in sample.arrays}
    for dims in batched_cases(sample):
        args = [
            value(np.stack(rows[i], dims[i]) if i in dims else a) for i, a in enumerate(sample.args)
        ]
        values = [(a, dims.get(i)) for i, a in enumerate(args)]
        outs = Batching(ROWS).trace_flat(lambda *xs: sample.bind(*xs), values)
        looped = [
            sample.impl(*[rows[i][k] if i in dims else a for i, a in enumerate(sample.args)])
            for k in range(ROWS)
        ]
        for j, (out, dim) in enumerate(outs):
            expected = [host(row[j]) for row in looped]
            if dim is None:
                close_all([out] * ROWS, expected)
            else:
                close(out, np.stack(expected, dim))


# --------------------------------------------------------------------------------------------------
# Taylor series


@each_differentiable
@pytest.mark.sampled(4)
def test_taylor_agrees_with_nested_jvp(sample: Sample):
    fun = function_of(sample, sample.by)
    xs = [value(sample.args[i]) for i in sample.by]
    vs = [value(direction(x, 1)) for x in xs]
    coefficients = taylor(lambda *a: fun(*a), xs, vs, 3)
    derivative, factorial = fun, 1.0
    for k in range(4):
        factorial *= max(k, 1)
        with config.separate_derivatives():
            expected = [host(o) / factorial for o in derivative(*xs)]
        close_all(
            coefficients[k], [e.astype(c.dtype) for e, c in zip(expected, coefficients[k])], 1e-9
        )
        derivative = (lambda f: lambda *a: jvp(f, a, vs)[1])(derivative)


@each_differentiable
@pytest.mark.sampled(3, of_each_primitive=False)
def test_collapsed_series_are_sums_of_series(sample: Sample):
    fun = function_of(sample, sample.by)
    fun.name = "fun"  # type: ignore[attr-defined]
    xs = [value(sample.args[i]) for i in sample.by]
    rows = [[value(direction(x, 10 * k)) for x in xs] for k in range(3)]
    moves = [value(np.stack([host(row[i]) for row in rows])) for i in range(len(xs))]
    weights = np.array([1.0, -2.0, 0.5])
    for order in (1, 2, 3):
        each = [taylor(lambda *a: fun(*a), xs, row, order)[order] for row in rows]
        first, sums, _, _ = push(fun, xs, moves, 3, Sums(order, value(weights)))
        close_all(first, fun(*xs), 1e-14)
        for found, *column in zip(sums, *each):
            terms = [w * host(c).astype(complex) for w, c in zip(weights, column)]
            size = 1.0 + np.abs(terms).sum(0)
            expected = (sum(terms) / size).astype(found.dtype)
            close_all([(host(found) / size).astype(found.dtype)], [expected], 1e-10)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.smooth and s.by], ids=repr)
@pytest.mark.sampled(2)
def test_unit_vectors_without_their_zeros(sample: Sample):
    for by in sample.by:
        x = value(sample.args[by])
        if x.dtype.kind != "f" or not 0 < x.size < 50:
            continue
        fun = function_of(sample, (by,))
        fun.name = "fun"  # type: ignore[attr-defined]
        wanted = Sums(2, each=True)
        plain = [value(np.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape))]
        _, expected, _, rows = push(fun, [x], plain, x.size, wanted)
        _, found, _, own_rows = push(fun, [x], None, x.size, wanted)
        close_all(found, expected, 1e-9)
        close_all(own_rows, rows, 1e-9)


# --------------------------------------------------------------------------------------------------
# Nothing widens silently

NARROW = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}


def narrow(x):
    return x if type(x) in SCALARS else x.astype(NARROW.get(x.dtype, x.dtype))


def wide_names(sample: Sample) -> set[str]:
    """64-bit types that the primitive itself asks for."""
    asked = getattr(sample.primitive, "dtype", None)
    return {asked.name} if asked is not None else set()


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.primitive.name != "bitcast_convert_type"
     and not s.primitive.holds_programs and not any(sub_jaxprs(s.primitive))
     and any(s.args[i].dtype in NARROW for i in s.arrays)], ids=repr)  # fmt: skip
@pytest.mark.sampled(2)
def test_float32_stays_float32(sample: Sample):
    args = [narrow(a) for a in sample.args]
    found = infer(sample.primitive, types(args))
    expected = list(found) if sample.primitive.multiple_results else [found]
    assert [o.aval for o in sample.bind(*map(value, args))] == expected
    by = tuple([i for i in sample.by if args[i].dtype.kind in "fc"])
    if sample.differentiable and by:
        fun, arrays = derivatives_of(sample, args)
    else:
        fun, arrays = function_of_all(sample), [args[i] for i in sample.arrays]
    program = staged(fun, arrays)
    check_jaxpr(program)
    wide = {"float64", "complex128"} - wide_names(sample)
    for eqn in program.eqns:
        assert not [v for v in eqn.outs if v.aval.dtype.name in wide], eqn
    if wide == {"float64", "complex128"}:
        assert "f64" not in lower_module(program).text
    outs = eval_jaxpr(program, list(map(value, arrays)))
    assert [typeof(o).dtype for o in outs] == [a.dtype for a in program.out_avals]
