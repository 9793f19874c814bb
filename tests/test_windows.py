"""Reductions by programs and over windows: against jax, NumPy and each other."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
from diffeo import lax
from diffeo import numpy as dnp
from diffeo.primitives.types import bfloat16
from diffeo.routines.windows import windows as w

rng = np.random.default_rng(0)

#: sizes, strides, padding, base dilation, dilation: of a plane of 7 x 6.
WINDOWS = {
    "plain": ((2, 3), None, "VALID", None, None),
    "same": ((3, 3), (1, 1), "SAME", None, None),
    "same, lower": ((2, 2), (2, 2), "SAME_LOWER", None, None),
    "pool": ((2, 2), (2, 2), "VALID", None, None),
    "apart": ((2, 2), (3, 4), ((0, 1), (2, 0)), None, None),
    "dilated": ((3, 2), (1, 2), "SAME", None, (2, 3)),
    "spread": ((2, 3), (2, 1), ((1, 0), (0, 3)), (2, 3), (1, 2)),
    "cut": ((2, 2), None, ((-1, 0), (0, -2)), None, None),
    "whole": ((7, 6), None, ((6, 0), (0, 5)), None, None),
}
each_window = pytest.mark.parametrize("case", WINDOWS.values(), ids=list(WINDOWS))
STARTS = {"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}


def both(fun, *args):
    """The results of a function, eager and compiled."""
    return [f(*map(dnp.asarray, args)) for f in (fun, dx.jit(fun))]


@each_window
@pytest.mark.parametrize("name", STARTS)
@pytest.mark.sampled(2)
def test_values_and_gradients_are_those_of_jax(jax, name: str, case):
    x = rng.normal(size=(7, 6))

    def compute(lib):
        start = np.float64(STARTS[name])
        fun = lambda a: lib.lax.reduce_window(a, start, getattr(lib.lax, name), *case)
        return fun, lambda a: (fun(a) ** 2 * 0.5).sum()

    (ours, slope), (theirs, other) = compute(dx), compute(jax)
    expected = theirs(x)
    for found in both(ours, x):
        np.testing.assert_allclose(found, expected, 1e-12, 1e-12)
    cut_or_dilated = case[4] or case is WINDOWS["cut"]
    known = name == "add" or (name in ("max", "min") and not cut_or_dilated)
    if known and np.all(np.isfinite(expected)):  # of other windows jax has no gradient
        for found in both(dx.grad(slope), x):
            np.testing.assert_allclose(found, jax.grad(other)(x), 1e-12, 1e-12)


@each_window
@pytest.mark.parametrize("name", STARTS)
@pytest.mark.sampled(2)
def test_a_program_does_what_the_operation_does(name: str, case):
    """Values and gradients of the general reduction and of the one by a single operation."""
    x = rng.normal(size=(7, 6))
    start, operation = STARTS[name], getattr(lax, name)
    single = lambda a: lax.reduce_window(a, start, operation, *case)
    general = lambda a: lax.reduce_window(a, start, lambda p, q: operation(p, q) * 1.0, *case)
    for expected, found in zip(both(single, x), both(general, x)):
        np.testing.assert_allclose(found, expected, 1e-12, 1e-12)
    if np.all(np.isfinite(single(x))):
        slopes = [dx.grad(lambda a, f=f: (f(a) ** 2).sum()) for f in (single, general)]
        expected = slopes[0](x)
        for found in (*both(slopes[1], x), dx.jit(slopes[0])(x)):
            np.testing.assert_allclose(found, expected, 1e-11, 1e-11)


def test_programs_are_recognised():
    """One operation on the two arguments, however it is written, and a neutral beginning."""
    name = lambda f, v: str(dx.make_jaxpr(lambda a: lax.reduce_window(a, v, f, (2,)))(np.ones(3)))
    assert "reduce_window_sum" in name(lambda a, b: a + b, 0.0)
    assert "reduce_window_max" in name(dnp.maximum, -np.inf)
    assert "reduce_window_max" in name(dx.jit(lambda a, b: lax.max(a, b)), -np.inf)
    for function, start in ((lax.max, 0.0), (lambda a, b: a + a, 0.0), (lambda a, b: b, 0.0)):
        assert "= reduce_window[" in name(function, start)
    total = str(dx.make_jaxpr(lambda a: lax.reduce(a, 0.0, lambda a, b: b + a, (0,)))(np.ones(3)))
    assert "= reduce_sum" in total


def test_ties_go_to_the_first_as_in_jax(jax):
    x = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 2.0], [2.0, 0.0, 2.0]])
    for name in ("max", "min"):
        slope = lambda lib, n=name: lib.grad(
            lambda a: lib.lax.reduce_window(
                a, np.float64(STARTS[n]), getattr(lib.lax, n), (2, 2), (1, 1), "SAME"
            ).sum()
        )
        np.testing.assert_array_equal(slope(dx)(x), slope(jax)(x))


def test_select_and_gather_and_scatter_are_adjoint_and_linear():
    """With dilated windows, too, and both in every transformation."""
    window = w.Window((2, 2), (1, 2), ((1, 1), (0, 1)), (2, 1), (2, 1))
    x, t = rng.normal(size=(2, 4, 5))
    for largest in (True, False):
        gather = lambda v, k=largest: w.select_and_gather_add(v, dnp.asarray(x), window, k)
        places = w.WindowPlace(window, largest).bind(dnp.asarray(x))
        scatter = lambda c, at=places: dnp.zeros(x.size).at[at].add(c, mode="drop").reshape(x.shape)
        out = gather(dnp.asarray(t))
        ct = rng.normal(size=out.shape)
        (pulled,) = dx.linear_transpose(gather, t)(ct)
        np.testing.assert_allclose(pulled, scatter(dnp.asarray(ct)), 1e-13, 1e-13)
        np.testing.assert_allclose(np.vdot(out, ct), np.vdot(t, pulled))
        rows = rng.normal(size=(3, 4, 5))
        batched = dx.jit(dx.vmap(gather))(rows)
        np.testing.assert_array_equal(batched, [gather(dnp.asarray(r)) for r in rows])


def test_third_derivatives_of_windows():
    x = rng.normal(size=6)
    pool = lambda a: (lax.reduce_window(a, -np.inf, lax.max, (3,)) ** 3).sum()
    places = [int(i + np.argmax(x[i : i + 3])) for i in range(4)]
    expected = np.zeros(6)
    np.add.at(expected, places, 6.0)
    third = np.einsum("iii->i", dx.jacobian(dx.hessian(pool))(x))
    np.testing.assert_allclose(third, expected)


@pytest.mark.parametrize("name", ["add", "max"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float16", bfloat16, "float32", "complex64"])
def test_dtypes(jax, name: str, dtype):
    if (name, dtype) == ("max", "complex64"):
        with pytest.raises(TypeError, match="c64"):
            lax.reduce_window(np.ones(3, dtype), -np.inf, lax.max, (2,))
        return
    x = rng.integers(0, 9, 12).astype(dtype)
    low = np.iinfo(dtype).min if x.dtype.kind in "iu" else -np.inf
    start = np.asarray(0 if name == "add" else low, dtype)
    compute = lambda lib: lib.lax.reduce_window(x, start, getattr(lib.lax, name), (3,), (2,))
    assert compute(dx).dtype == dtype
    np.testing.assert_array_equal(np.asarray(compute(dx)), np.asarray(compute(jax)))


def test_shapes(jax):
    for sizes, strides, padding, base, dilation in WINDOWS.values():
        static = (sizes, strides or (1, 1), padding, base, dilation)
        if not isinstance(padding, str):
            theirs = jax.lax.reduce_window_shape_tuple((7, 6), *static)
            assert lax.reduce_window_shape_tuple((7, 6), *static) == theirs
    assert lax.reduce_window_shape_tuple((3,), (5,), (1,), "VALID") == (0,)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"window_dimensions": (2,)}, TypeError, "needs 2 entries each"),
        ({"window_dimensions": (2, 0)}, ValueError, "must be positive"),
        ({"window_strides": (0, 1)}, ValueError, "must be positive"),
        ({"window_dilation": (-1, 1)}, ValueError, "must be positive"),
        ({"padding": "EVEN"}, ValueError, "padding must be one of"),
        ({"padding": (1, 1)}, TypeError, "a pair"),
        ({"padding": ((-2, -2), (0, 0))}, ValueError, "cuts more than there is"),
        ({"init_value": np.zeros(2)}, TypeError, "an initial value must be a scalar"),
        ({"init_value": np.int32(0)}, TypeError, "its operand's dtype, float64"),
        ({"init_value": (0.0, 0.0)}, TypeError, "must have the structure"),
        ({"computation": 3}, TypeError, "expects a function"),
    ],
)
def test_bad_windows(options, error, words):
    good = {
        "operand": np.ones((3, 3)),
        "init_value": 0.0,
        "computation": lax.add,
        "window_dimensions": (2, 2),
    }
    with pytest.raises(error, match=words):
        lax.reduce_window(**{**good, **options})


# --------------------------------------------------------------------------------------------------
# Reductions over axes


def larger(x, y):
    """The larger of two numbers, with what belongs to it."""
    first = x[0] >= y[0]
    return tuple([lax.select(first, a, b) for a, b in zip(x, y)])


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (2, 0), (0, 1, 2), ()])
def test_several_operands_together(jax, axes):
    x, i = rng.normal(size=(3, 5, 2)), rng.integers(0, 9, (3, 5, 2))
    compute = lambda lib: lib.jit(
        lambda a, b: lib.lax.reduce(
            (a, b),
            (np.float64(-np.inf), np.int64(-1)),
            lambda p, q: tuple([lib.lax.select(p[0] >= q[0], s, t) for s, t in zip(p, q)]),
            axes,
        )
    )
    expected = compute(jax)(x, i)
    for found in both(lambda a, b: lax.reduce((a, b), (-np.inf, -1), larger, axes), x, i):
        assert isinstance(found, tuple)
        for a, b in zip(found, expected):
            np.testing.assert_array_equal(a, b)


def test_derivatives_of_programs():
    """The Euclidean norm, folded; all orders, and by the initial value."""
    x = rng.normal(size=(2, 5))
    fold = lambda a, b: lax.sqrt(a * a + b * b)
    norm = lambda a, start: lax.reduce(a, start, fold, (1,))
    known = lambda a, start: dnp.sqrt((a * a).sum(1) + start * start)
    total = lambda f: lambda a, start: (f(a, start) ** 3).sum()
    for order in (dx.grad, dx.hessian):
        for by in (0, 1):
            expected = order(total(known), by)(x, 0.5)
            for found in both(order(total(norm), by), x, 0.5):
                np.testing.assert_allclose(found, expected, 1e-10, 1e-10)
    starts = rng.uniform(0.1, 1, 3)
    batched = dx.vmap(norm, (None, 0))(x, starts)
    np.testing.assert_allclose(batched, [known(x, s) for s in starts])


def test_initial_values_join_single_operations():
    x = np.array([3.0, 5.0])
    for found in both(lambda a: lax.reduce(a, 4.0, lax.mul, (0,)), x):
        assert found == 60
    for found in both(lambda a, s: lax.reduce(a, s, lax.max, (0,)), x, 7.0):
        assert found == 7
    assert dx.grad(lambda s: lax.reduce(x, s, lax.add, (0,)))(0.0) == 1
    assert lax.reduce(np.zeros(0), 4.0, lambda a, b: a + b * 1.0, (0,)) == 4
    assert lax.reduce(np.array([True, True]), False, lax.bitwise_xor, (0,)) == False  # noqa: E712
    for rows in both(dx.vmap(lambda s: lax.reduce(x, s, lax.add, (0,))), np.arange(3.0)):
        np.testing.assert_array_equal(rows, [8, 9, 10])


def test_numbers_from_outside_are_constants():
    c, mean = dnp.asarray(0.5), dx.jit(lambda a, b: a + b)
    fold = lambda a, b: mean(a, b) * (c + np.float64(0.5))
    for found in both(lambda a: lax.reduce(a, 0.0, fold, (0,)), np.arange(5.0)):
        assert found == 10


def test_bad_computations():
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"uses .* from outside"):
        dx.grad(lambda s: lax.reduce(x, 0.0, lambda a, b: a + s * b, (0,)))(1.0)
    with pytest.raises(TypeError, match=r"uses f64\[3\] from outside"):
        lax.reduce(x, 0.0, lambda a, b: a + b * dnp.asarray(x).sum(), (0,))
    with pytest.raises(TypeError, match="result must have the structure"):
        lax.reduce(x, 0.0, lambda a, b: (a, b), (0,))
    with pytest.raises(TypeError, match="must be a scalar of its operand's dtype"):
        lax.reduce(x, 0.0, lambda a, b: a > b, (0,))
    with pytest.raises(TypeError, match="reduce: axes must be distinct"):
        lax.reduce(x, 0.0, lambda a, b: a * b * 1.0, (1,))
    with pytest.raises(TypeError, match="expects arrays of one shape"):
        lax.reduce((x, np.ones(2)), (0.0, 0.0), larger, (0,))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_need_a_dtype_that_holds_them(name: str):
    function = getattr(lax, name)
    assert function(np.zeros(128), 0, np.int8) == 0
    with pytest.raises(TypeError, match="int8 does not hold the places"):
        function(np.zeros(129), 0, np.int8)
    with pytest.raises(TypeError, match="places are integers"):
        function(np.zeros(2), 0, np.float32)


def test_exclusive_or():
    x = rng.integers(0, 256, (3, 4)).astype(np.uint8)
    for found in both(lambda a: lax.reduce_xor(a, (0,)), x):
        np.testing.assert_array_equal(found, np.bitwise_xor.reduce(x, 0))
    assert lax.reduce_xor(np.array([True, False, True, True]), (0,)) == True  # noqa: E712
