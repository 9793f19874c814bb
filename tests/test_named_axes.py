"""Named axes: the laws of collectives, jax as an oracle, nesting, programs in programs, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp
from diffeo.operations.collectives import AllGather, AxisIndex, Pmax, Ppermute, Psum
from diffeo.primitives.core import typeof
from diffeo.primitives.types import is_inexact
from diffeo.transforms.batching import Batching
from tests.laws import close, differences, direction, host, jvp, pairing, value, vjp
from tests.samples_collectives import AXES, NAMED, ROWS, NamedSample

each = pytest.mark.parametrize("sample", NAMED, ids=repr)
smooth = [s for s in NAMED if s.args and s.args[0].dtype in (np.float64, np.complex128)]
each_smooth = pytest.mark.parametrize("sample", smooth, ids=repr)


def over_rows(fun, *operands, axis=0):
    """A function that returns a list, vectorised over axis "i"."""
    return dx.vmap(fun, in_axes=axis, axis_name="i", axis_size=ROWS)(*operands)


def bind(sample: NamedSample):
    return lambda *row: [sample.primitive.bind(*row)]


# --------------------------------------------------------------------------------------------------
# Laws


@each
def test_value_is_what_numpy_says(sample: NamedSample):
    operands = list(map(value, sample.args))
    (out,) = over_rows(bind(sample), *operands)
    close(out, sample.expected)
    for jitted in (
        dx.jit(lambda *xs: over_rows(bind(sample), *xs)),
        lambda *xs: over_rows(dx.jit(bind(sample)), *xs),
    ):
        close(jitted(*operands)[0], sample.expected, 1e-6, 1e-6)
    for x in sample.args:
        last = np.moveaxis(x, 0, -1)
        close(over_rows(bind(sample), value(last), axis=-1)[0], sample.expected)


@each
def test_type_is_the_inferred_one(sample: NamedSample):
    row = [typeof(x).update(x.shape[1:]) for x in sample.args]
    found = sample.primitive.abstract_eval(*row)
    assert (found.shape, found.dtype) == (sample.expected.shape[1:], sample.expected.dtype)


@each
def test_an_operand_that_is_not_mapped_is_the_same_in_each_row(sample: NamedSample):
    if not sample.args:
        return
    (x,) = sample.args
    (mapped,) = over_rows(bind(sample), value(np.stack([x[0]] * ROWS)))
    close(over_rows(lambda: bind(sample)(value(x[0])))[0], mapped)


@each
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("at", [0, -1])
def test_another_batch_axis_is_a_loop(sample: NamedSample, inside: bool, at: int):
    if not sample.args:
        return
    xs = [np.roll(sample.args[0], k, 0) for k in range(2)]
    expected = np.stack([host(over_rows(bind(sample), value(x))[0]) for x in xs])
    if inside:
        run = lambda x: over_rows(dx.vmap(bind(sample), in_axes=at), x)[0]
        position = 0 if at == 0 else xs[0].ndim
        close(run(value(np.stack(xs, 1 if at == 0 else position))).swapaxes(0, 1), expected)
    else:
        run = dx.vmap(lambda x: over_rows(bind(sample), x)[0], in_axes=at)
        close(run(value(np.stack(xs, at))), expected)


@each_smooth
def test_derivatives_inside_agree_with_those_outside(sample: NamedSample):
    (x,) = sample.args
    v, w = direction(x, 1), direction(sample.expected, 2)
    inner, outer = bind(sample), lambda x: over_rows(bind(sample), x)
    (tangent,) = over_rows(lambda x, v: jvp(inner, [x], [v])[1], value(x), value(v))
    close(tangent, jvp(outer, [value(x)], [value(v)])[1][0])
    if x.size:
        (slope,) = differences(lambda x: outer(value(x)), [x], [v])
        close(tangent, slope, 1e-8, 1e-8)
    (ct,) = over_rows(lambda x, w: vjp(inner, [x], [w])[1], value(x), value(w))
    close(ct, vjp(outer, [value(x)], [value(w)])[1][0])
    np.testing.assert_allclose(pairing([tangent], [w]), pairing([v], [ct]), 1e-12, 1e-12)
    for jitted in (
        dx.jit(lambda x, w: over_rows(lambda x, w: vjp(inner, [x], [w])[1], x, w)),
        lambda x, w: over_rows(dx.jit(lambda x, w: vjp(dx.jit(inner), [x], [w])[1]), x, w),
    ):
        close(jitted(value(x), value(w))[0], ct)


@each_smooth
def test_taylor_series_inside_agree_with_those_outside(sample: NamedSample):
    (x,) = map(value, sample.args)
    v = value(direction(sample.args[0], 1))
    fun = lambda x: sample.primitive.bind(dnp.sin(x))
    inside = over_rows(lambda x, v: dx.taylor(fun, (x,), (v,), 3), x, v)
    outside = dx.taylor(lambda x: over_rows(fun, x), (x,), (v,), 3)
    for a, b in zip(inside, outside):
        close(a, b)


@each
def test_narrow_dtypes_stay(sample: NamedSample):
    for x in sample.args:
        if is_inexact(x.dtype):
            low = np.complex64 if x.dtype.kind == "c" else np.float32
            (out,) = over_rows(bind(sample), value(x.astype(low)))
            assert out.dtype == low


# --------------------------------------------------------------------------------------------------
# jax as an oracle

PROGRAMS = {
    "psum": lambda p, n: lambda x: n.sin(x) * p.psum(x * x, "i"),
    "psum of a tree": lambda p, n: lambda x: p.psum({"a": x, "b": (x[0] * 2,)}, "i")["b"][0] * x,
    "pmean": lambda p, n: lambda x: x - p.pmean(n.sin(x), "i"),
    "softmax": lambda p, n: lambda x: n.exp(x) / p.psum(n.exp(x), "i"),
    "all_gather": lambda p, n: lambda x: n.sin(p.all_gather(x, "i")) * x,
    "all_gather at 1": lambda p, n: lambda x: p.all_gather(x * x, "i", axis=1) * x[0],
    "all_gather tiled": lambda p, n: lambda x: p.all_gather(x * x[1], "i", tiled=True),
    "psum_scatter": lambda p, n: lambda x: p.psum_scatter(x * x, "i"),
    "psum_scatter at 1": lambda p, n: (
        lambda x: p.psum_scatter(n.outer(x, x), "i", scatter_dimension=1)
    ),
    "psum_scatter tiled": lambda p, n: (
        lambda x: p.psum_scatter(n.outer(x, x).ravel(), "i", tiled=True)
    ),
    "all_to_all": lambda p, n: lambda x: p.all_to_all(n.outer(x, n.sin(x)), "i", 0, 1),
    "all_to_all tiled": lambda p, n: (
        lambda x: p.all_to_all(n.outer(x, x[:2]), "i", 0, 1, tiled=True)
    ),
    "pswapaxes": lambda p, n: lambda x: p.pswapaxes(n.sin(x), "i", 0) * x,
    "ppermute": lambda p, n: lambda x: p.ppermute(n.sin(x), "i", [(0, 1), (1, 2), (2, 0)]) * x,
    "pshuffle": lambda p, n: lambda x: p.pshuffle(n.sin(x), "i", [2, 0, 1]) * x,
    "axis_index": lambda p, n: lambda x: x * p.axis_index("i") + p.axis_size("i"),
}
X = np.random.default_rng(0).normal(size=(3, 3))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.sampled(2)
def test_programs_agree_with_jax(jax, name: str):
    jnp = jax.numpy
    ours, theirs = PROGRAMS[name](dx.lax, dnp), PROGRAMS[name](jax.lax, jnp)
    f, g = dx.vmap(ours, axis_name="i"), jax.vmap(theirs, axis_name="i")
    expected = np.asarray(g(X))
    close(f(X), expected)
    close(dx.vmap(dx.jit(ours), axis_name="i")(X), expected)
    tangent = np.asarray(jax.jvp(g, (X,), (X,))[1])
    close(dx.jvp(f, (value(X),), (value(X),))[1], tangent)
    gradient = np.asarray(jax.grad(lambda x: jnp.sum(jnp.cos(g(x))))(X))
    close(dx.grad(lambda x: dnp.sum(dnp.cos(f(x))))(X), gradient)
    inner = lambda h: dx.grad(lambda x: dnp.sum(dnp.cos(h(x))))
    close(dx.vmap(inner(ours), axis_name="i")(X), gradient)
    close(dx.jit(dx.vmap(dx.jit(inner(dx.jit(ours))), axis_name="i"))(X), gradient)
    if name != "all_to_all":  # whose transpose jax gets wrong
        inside = jax.grad(lambda x: jnp.sum(jnp.cos(theirs(x))))
        close(np.asarray(jax.vmap(inside, axis_name="i")(X)), gradient)


NESTED = {
    "psum": lambda p, n: lambda x: n.sin(x) * p.psum(x * x, ("i", "j")) + p.psum(x, "j"),
    "one name": lambda p, n: lambda x: p.pmax(x, "i") - p.pmin(x, "j"),
    "both extrema": lambda p, n: lambda x: p.pmax(x, ("i", "j")) * x,
    "axis_index": lambda p, n: lambda x: x * p.axis_index(("i", "j")) + p.axis_index(("j", "i")),
    "all_to_all": lambda p, n: lambda x: p.all_to_all(n.tile(x, 3), ("i", "j"), 0, 0, tiled=True),
    "mean of means": lambda p, n: lambda x: p.pmean(p.pmean(x, "i"), ("j",)) * p.axis_size("i"),
}
Y = np.random.default_rng(1).normal(size=(2, 3, 4))


@pytest.mark.parametrize("name", NESTED)
def test_nested_axes_agree_with_jax(jax, name: str):
    ours, theirs = NESTED[name](dx.lax, dnp), NESTED[name](jax.lax, jax.numpy)
    twice = lambda d, h: d.vmap(d.vmap(h, axis_name="j"), axis_name="i")
    expected = np.asarray(twice(jax, theirs)(Y))
    for f in (
        twice(dx, ours),
        twice(dx, dx.jit(ours)),
        dx.jit(twice(dx, ours)),
        dx.vmap(dx.jit(dx.vmap(ours, axis_name="j")), axis_name="i"),
    ):
        close(f(Y), expected)


def test_several_names_are_one_axis_in_row_major_order():
    flat = Y.reshape(6, 4)
    pairs = [(0, 3), (3, 5), (5, 1), (2, 2)]
    for h in (
        lambda x, name: dx.lax.all_gather(x, name),
        lambda x, name: dx.lax.all_gather(x, name, axis=1, tiled=False),
        lambda x, name: dx.lax.all_gather(x, name, tiled=True),
        lambda x, name: dx.lax.psum_scatter(dnp.tile(x, 3), name, tiled=True),
        lambda x, name: dx.lax.psum_scatter(dnp.tile(x, 6).reshape(6, 4), name),
        lambda x, name: dx.lax.all_to_all(dnp.tile(x, 6).reshape(6, 4), name, 0, 1),
        lambda x, name: dx.lax.ppermute(x, name, pairs),
        lambda x, name: dx.lax.pshuffle(x, name, [3, 4, 5, 0, 2, 1]),
        lambda x, name: dx.lax.pbroadcast(x, name, 4),
    ):
        together = dx.vmap(lambda x, h=h: h(x, "k"), axis_name="k")(flat)
        nested = dx.vmap(dx.vmap(lambda x, h=h: h(x, ("i", "j")), axis_name="j"), axis_name="i")(Y)
        close(nested.reshape(together.shape), together)


def test_pbroadcast():
    f = lambda x: dx.lax.pbroadcast(dnp.sin(x), "i", 1) * x
    close(dx.vmap(f, axis_name="i")(X), np.sin(X[1]) * X)
    expected = np.stack([np.sin(X[1]), np.sin(X[1]) + np.cos(X[1]) * X.sum(0), np.sin(X[1])])
    close(dx.vmap(dx.grad(lambda x: dnp.sum(f(x))), axis_name="i")(X), expected)


def test_extrema_share_their_derivative():
    x = np.array([[1.0, 5.0], [3.0, 5.0], [3.0, 2.0]])
    g = dx.vmap(dx.grad(lambda x: dnp.sum(dx.lax.pmax(x, "i"))), axis_name="i")(x)
    np.testing.assert_array_equal(g, [[0, 1.5], [1.5, 1.5], [1.5, 0]])
    g = dx.vmap(dx.grad(lambda x: dnp.sum(dx.lax.pmin(x, "i"))), axis_name="i")(x)
    np.testing.assert_array_equal(g, [[3, 0], [0, 0], [0, 3]])


def test_numbers_are_counted_once_per_row():
    seen = []

    def f(x):
        seen.append((dx.lax.psum(1, "i"), dx.lax.psum(2.5, "i"), dx.lax.psum(True, "i")))
        return x + dx.lax.psum(np.ones(2), "i")

    close(dx.vmap(f, axis_name="i")(np.zeros((3, 2))), np.full((3, 2), 3.0))
    assert seen == [(3, 7.5, 3)]
    assert all([type(a) is type(b) for a, b in zip(seen[0], (1, 1.0, 1))])
    flags = dx.vmap(lambda b: dx.lax.psum(b, "i"), axis_name="i")(np.array([True, False, True]))
    close(flags, np.full(3, 2, np.int32))


# --------------------------------------------------------------------------------------------------
# Programs in programs


def test_programs_without_mapped_operands_reach_their_axis():
    f = dx.vmap(lambda x: dx.jit(lambda: dx.lax.axis_index("i") * 2)(), axis_name="i")
    np.testing.assert_array_equal(f(np.zeros(3)), [0, 2, 4])
    g = dx.vmap(lambda x: dx.jit(dx.jit(lambda y: dx.lax.psum(y, "i")))(2.0) + x, axis_name="i")
    np.testing.assert_array_equal(g(np.zeros(3)), [6, 6, 6])
    h = dx.vmap(dx.vmap(lambda x: dx.lax.axis_index("i")), axis_name="i")
    np.testing.assert_array_equal(h(np.zeros((2, 2))), [[0, 0], [1, 1]])
    k = dx.vmap(
        lambda x: dx.jvp(lambda y: y * dx.lax.axis_index("i"), (2.0,), (1.0,))[1], axis_name="i"
    )
    np.testing.assert_array_equal(k(np.zeros(3)), [0, 1, 2])


def test_jit_does_not_confuse_axes():
    traces = []

    @dx.jit
    def f(x):
        traces.append(1)
        return x / dx.lax.psum(1, "i")

    ones = np.ones(6)
    for n in (2, 3, 2, 6):
        np.testing.assert_array_equal(dx.vmap(f, axis_name="i")(ones[:n]), np.full(n, 1 / n))
    assert len(traces) == 3
    with pytest.raises(NameError):
        f(1.0)
    with pytest.raises(NameError):
        dx.vmap(f, axis_name="k")(ones)
    both = dx.vmap(dx.vmap(f, axis_name="i"), axis_name="k")
    np.testing.assert_array_equal(both(np.ones((5, 2))), np.full((5, 2), 0.5))


def test_inner_names_hide_outer_ones():
    inner = dx.vmap(lambda x: dx.lax.psum(x, "i"), axis_name="i")
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(dx.vmap(inner, axis_name="i")(x), [[3, 3, 3], [12, 12, 12]])
    sizes = dx.vmap(lambda x: (inner(x), x * dx.lax.axis_size("i")), axis_name="i")(x)
    np.testing.assert_array_equal(sizes[1], 2 * x)


def test_the_axis_may_be_empty_or_of_size_one():
    f = dx.vmap(
        lambda x: (
            dx.lax.psum(x, "i"),
            dx.lax.all_gather(x, "i"),
            dx.lax.pmax(x, "i"),
            dx.lax.ppermute(x, "i", []),
        ),
        axis_name="i",
    )
    assert [o.shape for o in f(np.ones((0, 2)))] == [(0, 2), (0, 0, 2), (0, 2), (0, 2)]
    for out, expected in zip(f(np.ones((1, 2))), ([[1, 1]], [[[1, 1]]], [[1, 1]], [[0, 0]])):
        np.testing.assert_array_equal(out, expected)


def test_a_program_keeps_its_names():
    made = []

    def f(x):
        made.append(dx.make_jaxpr(lambda y: dx.lax.psum(y, "i"))(x))
        return x

    dx.vmap(f, axis_name="i")(np.ones((3, 2)))
    (program,) = made
    assert program.names == {"i"} and "psum[axes=(('i', 3),)]" in repr(program)
    run = lambda x: dx.eval_jaxpr(program, [x])[0]
    np.testing.assert_array_equal(dx.vmap(run, axis_name="i")(np.ones((3, 2))), np.full((3, 2), 3))
    with pytest.raises(NameError, match="no axis is named 'i' here; the named axes are: none"):
        run(dnp.ones(2))
    with pytest.raises(NameError, match="no axis is named 'i'"):
        dx.jit(run)(dnp.ones(2))
    with pytest.raises(TypeError, match="axis 'i' had the size 3; here it has 4"):
        dx.vmap(run, axis_name="i")(np.ones((4, 2)))


# --------------------------------------------------------------------------------------------------
# Errors


def fails(error, match, call, *args, **options):
    with pytest.raises(error, match=match):
        dx.vmap(call, axis_name="i", **options)(*args or (np.ones((3, 3)),))


def test_a_name_that_is_not_bound():
    with pytest.raises(NameError, match="psum: no axis is named 'k' here; the named axes are: no"):
        dx.lax.psum(1.0, "k")
    lax = dx.lax
    pattern = "'k' here; the named axes are: 'i' \\(of size 3\\).*\n  at test_named_axes.py"
    for call in (
        lambda x: lax.psum(x, "k"),
        lambda x: lax.pmean(x, ("i", "k")),
        lambda x: lax.pmax(x, "k"),
        lambda x: lax.all_gather(x, "k"),
        lambda x: lax.all_to_all(x, "k", 0, 0),
        lambda x: lax.psum_scatter(x, "k"),
        lambda x: lax.ppermute(x, "k", []),
        lambda x: lax.axis_index("k"),
        lambda x: lax.axis_size("k"),
        lambda x: dx.jit(lambda x: lax.psum(x, "k"))(x),
        lambda x: lax.pbroadcast(x, "k", 0),
    ):
        fails(NameError, pattern, call)
    assert Batching(3, "f", "i").named_axes == {"i": 3}


def test_bad_arguments():
    lax = dx.lax
    fails(TypeError, "expects the name of an axis .* got 0", lambda x: lax.psum(x, 0))
    fails(TypeError, r"expects the name of an axis .* got \{\}", lambda x: lax.psum(x, {}))
    fails(ValueError, "an axis is named twice", lambda x: lax.psum(x, ("i", "i")))
    fails(
        NotImplementedError,
        "axis_index_groups",
        lambda x: lax.psum(x, "i", axis_index_groups=[[0, 1, 2]]),
    )
    fails(TypeError, r"pmax: not defined for c128\[3\]", lambda x: lax.pmax(x + 1j, "i"))
    fails(ValueError, "all_gather: axis 5 is out", lambda x: lax.all_gather(x, "i", axis=5))
    fails(
        ValueError,
        r"psum_scatter: the size of axis 0 of f64\[2\] must be 3",
        lambda x: lax.psum_scatter(x[:2], "i"),
    )
    fails(
        ValueError,
        r"all_to_all: the size of axis 0 of f64\[2\] must be a multiple of 3",
        lambda x: lax.all_to_all(x[:2], "i", 0, 0, tiled=True),
    )
    fails(
        ValueError,
        r"distinct and in \[0, 3\), got the pairs \(\(0, 1\), \(0, 2\)\)",
        lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]),
    )
    fails(ValueError, r"in \[0, 3\)", lambda x: lax.ppermute(x, "i", [(0, 3)]))
    fails(ValueError, "expects a permutation", lambda x: lax.pshuffle(x, "i", [0, 0, 1]))
    fails(ValueError, "pbroadcast: source", lambda x: lax.pbroadcast(x, "i", 3))
    for primitive in (AllGather(AXES, 2), Ppermute(AXES, ((0, 9),))):
        with pytest.raises((TypeError, ValueError), match=r"all_gather: axis|ppermute: sources"):
            primitive.abstract_eval(typeof(np.ones(3)))
    with pytest.raises(TypeError, match="psum: not defined for bool"):
        Psum(AXES).abstract_eval(typeof(np.ones(3, bool)))
    for primitive, args in (
        (Psum(AXES), [dnp.ones(2)]),
        (Pmax(AXES), [dnp.ones(2)]),
        (AxisIndex(AXES), []),
    ):
        with pytest.raises(NameError, match="no axis is named 'i' here"):
            primitive.bind(*args)


def test_bad_names_for_vmap():
    names: list[Any] = [0, ("i", "j"), ["i"], {}]
    for name in names:
        with pytest.raises(TypeError, match="axis_name must be one hashable name"):
            dx.vmap(lambda x: x, axis_name=name)
    with pytest.raises(NotImplementedError, match="spmd_axis_name='i'"):
        dx.vmap(lambda x: x, spmd_axis_name="i")
