"""The simplifier: each rule applies where it should and nowhere else, and changes no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
import diffeo.numpy as dnp
from diffeo import lax
from diffeo.engine.run import run_program
from diffeo.operations.identity import Named, OptimizationBarrier, copy, stop_gradient
from diffeo.passes.algebra import lossless
from diffeo.passes.simplify import simplify
from diffeo.primitives import Array, stage
from diffeo.primitives.constants import full
from diffeo.primitives.jaxpr import Jaxpr, check_jaxpr, eval_jaxpr, sub_jaxprs
from diffeo.primitives.words.elementwise import (
    absolute,
    add,
    complex_,
    conj,
    div,
    eq,
    ge,
    imag,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    real,
    scale,
    select,
    shift_left,
    sub,
)
from diffeo.primitives.words.indexing import dynamic_slice, dynamic_update_slice
from diffeo.primitives.words.powers import IntegerPow
from diffeo.primitives.words.slicing import concatenate, pad, rev, slice_in_dim
from diffeo.primitives.words.structural import (
    BroadcastInDim,
    Reshape,
    Transpose,
    broadcast_in_dim,
    convert_element_type,
    reduce_sum,
)

F = np.array([-0.0, 0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, 1e308])
G = np.array([0.0, -0.0, -0.0, 3.0, np.inf, 2.0, np.nan, -1e308])
K, J = np.array([0, 1, -1, 7, -(2**63)]), np.array([3, 0, -1, 7, 2**63 - 1])
B, C = np.array([True, False, True]), np.array([True, True, False])
Z = np.array([1 - 0j, complex(np.inf, -0.0), complex(0, np.nan), -0.0 + 2j])
M = F.reshape(2, 4)
N = np.int64(2)


def same_bits(found: Any, expected: Any) -> None:
    """Assert equal types, numbers and signs of zeros; all nan are one."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    for part in (np.real, np.imag):
        a, b = part(found), part(expected)
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            there = ~np.isnan(a)
            np.testing.assert_array_equal(np.signbit(a[there]), np.signbit(b[there]))


def shown(jaxpr: Jaxpr) -> str:
    """The names of a program's primitives, those of programs inside in brackets."""
    words = []
    for eqn in jaxpr.eqns:
        inside = "; ".join([shown(j) for j in sub_jaxprs(eqn.primitive)])
        words.append(eqn.primitive.name + (f"({inside})" if inside else ""))
    return " ".join(words)


def staged(fun: Any, args: list) -> Jaxpr:
    return dx.make_jaxpr(lambda *xs: fun(*xs))(*[Array(np.asarray(a)) for a in args])


def check(fun: Any, args: list, expected: str, compiled: bool = True) -> Jaxpr:
    """The simplified program has these primitives, and computes what the program does."""
    program = staged(fun, args)
    found = simplify(program)
    check_jaxpr(found)
    assert found.out_avals == program.out_avals
    assert shown(found) == expected
    arrays = [Array(np.asarray(a)) for a in args]
    with np.errstate(all="ignore"):
        for a, b in zip(eval_jaxpr(found, arrays), eval_jaxpr(program, arrays)):
            same_bits(a, b)
    if compiled:
        with dx.config.simplification(False):
            before = run_program(program, arrays)
        for a, b in zip(run_program(program, arrays), before):
            same_bits(a, b)
    return found


ALGEBRA = {
    "x + -0.0": (lambda x: add.bind(x, -0.0), [F], ""),
    "x + 0.0": (lambda x: add.bind(x, 0.0), [F], "add"),
    "x - 0.0": (lambda x: sub.bind(x, 0.0), [F], ""),
    "x - -0.0": (lambda x: sub.bind(x, -0.0), [F], "sub"),
    "0.0 - x": (lambda x: sub.bind(0.0, x), [F], "sub"),
    "i + 0": (lambda x: add.bind(x, 0), [K], ""),
    "i - i": (lambda x: sub.bind(x, x), [K], "full"),
    "x - x": (lambda x: sub.bind(x, x), [F], "sub"),
    "x * 1": (lambda x: mul.bind(mul.bind(1.0, x), 1), [F], ""),
    "z * 1": (lambda x: mul.bind(x, 1.0), [Z], "mul"),
    "x * -1": (lambda x: mul.bind(x, -1.0), [F], "neg"),
    "x * 0": (lambda x: mul.bind(x, 0.0), [F], "mul"),
    "i * 0": (lambda x: mul.bind(x, 0), [K], "full"),
    "x / 1": (lambda x: div.bind(x, 1.0), [F], ""),
    "i / -1": (lambda x: div.bind(x, -1), [K], "neg"),
    "-1 / x": (lambda x: div.bind(-1.0, x), [F], "div"),
    "-x * 3": (lambda x: mul.bind(neg.bind(x), 3.0), [F], "mul"),
    "-x / 3": (lambda x: div.bind(neg.bind(x), 3.0), [F], "div"),
    "-x * -y": (lambda x, y: mul.bind(neg.bind(x), neg.bind(y)), [F, G], "mul"),
    "-x / -y": (lambda x, y: div.bind(neg.bind(x), neg.bind(y)), [F, G], "div"),
    "-(-x)": (lambda x: neg.bind(neg.bind(x)), [F], ""),
    "x + -y": (lambda x, y: add.bind(x, neg.bind(y)), [F, G], "sub"),
    "-x + y": (lambda x, y: add.bind(neg.bind(x), y), [F, G], "sub"),
    "x - -y": (lambda x, y: sub.bind(x, neg.bind(y)), [F, G], "add"),
    "1 * full 2 + 3": (lambda: mul.bind(full((2,), 2, float), 1.0) + 3.0, [], "full"),
    "full tiny * tiny": (lambda: mul.bind(full((2,), 1e-160, float), 1e-160), [], "full mul"),
    "0 / 0": (lambda: div.bind(full((), 0.0, float), 0.0), [], "full div"),
    "max(x, x)": (lambda x: maximum.bind(x, x), [F], ""),
    "max(x, -inf)": (lambda x: maximum.bind(x, -np.inf), [F], ""),
    "min(x, inf)": (lambda x: minimum.bind(x, np.inf), [F], ""),
    "i & -1 | 0": (lambda x: logical_or.bind(logical_and.bind(x, -1), 0), [K], ""),
    "b & False": (lambda x: logical_and.bind(x, False), [B], "full"),
    "b | True": (lambda x: logical_or.bind(True, x), [B], "full"),
    "b ^ b": (lambda x: logical_xor.bind(x, x), [B], "full"),
    "i << 0": (lambda x: shift_left.bind(x, 0), [K], ""),
    "not not b": (lambda x: logical_not.bind(logical_not.bind(x)), [B], ""),
    "not x == y": (lambda x, y: logical_not.bind(eq.bind(x, y)), [F, G], "ne"),
    "not x < y": (lambda x, y: logical_not.bind(lt.bind(x, y)), [F, G], "lt not"),
    "not i < j": (lambda x, y: logical_not.bind(lt.bind(x, y)), [K, J], "ge"),
    "x == x": (lambda x: eq.bind(x, x), [F], "eq"),
    "x < x": (lambda x: lt.bind(x, x), [F], "full"),
    "i >= i": (lambda x: ge.bind(x, x), [K], "full"),
    "i != i": (lambda x: ne.bind(x, x), [K], "full"),
    "scale(1, x)": (lambda x: scale.bind(full((8,), 1, float), x), [F], ""),
    "scale(0, x)": (lambda x: scale.bind(full((8,), 0, float), x), [F], "full"),
    "scale(x, 1)": (lambda x: scale.bind(x, 1.0), [F], "scale"),
    "abs(-x)": (lambda x: absolute.bind(absolute.bind(neg.bind(x))), [F], "abs"),
    "select(p, x, x)": (lambda p, x: select(p, x, x), [B, K[:3]], ""),
    "select(p, 1, 1)": (lambda p: select(p, full((3,), 1, float), 1.0), [B], "full"),
    "select(p, 0, -0)": (lambda p: select(p, full((3,), 0, float), -0.0), [B], "full select"),
    "select(True, x, y)": (lambda x: select(full((8,), True, bool), x, 0.0), [F], ""),
    "select(not p, x, y)": (lambda p, x: select(~p, x, 1), [B, K[:3]], "select"),
    "select(p, select(p, x, 1), 2)": (
        lambda p, x: select(p, select(p, x, 1), 2), [B, K[:3]], "select"),
    "select(p, 1, select(p, 2, x))": (
        lambda p, x: select(p, 1, select(p, 2, x)), [B, K[:3]], "select"),
    "copy": (lambda x: Named("y").bind(stop_gradient(copy.bind(x))), [F], ""),
    "conj conj z": (lambda z: conj.bind(conj.bind(z)), [Z], ""),
    "real complex": (lambda x, y: real.bind(complex_.bind(x, y)), [F, G], ""),
    "imag complex": (lambda x, y: imag.bind(complex_.bind(x, y)), [F, G], ""),
    "complex of parts": (lambda z: complex_.bind(real.bind(z), imag.bind(z)), [Z], ""),
    "f64 of f64": (lambda x: convert_element_type(x, float, True), [F], "convert_element_type"),
    "f32 of f64 of i32": (
        lambda x: convert_element_type(convert_element_type(x, float), "float32"),
        [K.astype("int32")], "convert_element_type"),
    "i64 of f64 of i64": (
        lambda x: convert_element_type(convert_element_type(x, float), int),
        [K], "convert_element_type convert_element_type"),
    "f64 of full f32": (
        lambda: convert_element_type(full((2,), 0.1, "float32"), float), [], "full"),
    "x ** 1": (lambda x: IntegerPow(1).bind(x), [F], ""),
    "full ** 2": (lambda: IntegerPow(2).bind(full((), 3, float)), [], "full"),
}  # fmt: skip

SHAPES = {
    "reshape reshape": (lambda x: Reshape((8, 1)).bind(Reshape((4, 2)).bind(x)), [F], "reshape"),
    "reshape back": (lambda x: Reshape((8,)).bind(Reshape((4, 2)).bind(x)), [F], ""),
    "reshape of broadcast": (
        lambda x: Reshape((3, 1, 8)).bind(BroadcastInDim((3, 8), (1,)).bind(x)),
        [F], "broadcast_in_dim"),
    "reshape that is none": (
        lambda x: Reshape((24,)).bind(BroadcastInDim((3, 8), (1,)).bind(x)),
        [F], "broadcast_in_dim reshape"),
    "transpose back": (
        lambda x: Transpose((1, 2, 0)).bind(Transpose((2, 0, 1)).bind(x)),
        [F.reshape(2, 2, 2)], ""),
    "transpose of 1": (lambda x: Transpose((1, 0)).bind(x), [F[None]], "reshape"),
    "transpose of broadcast": (
        lambda x: Transpose((1, 0)).bind(BroadcastInDim((3, 8), (1,)).bind(x)),
        [F], "broadcast_in_dim"),
    "broadcast broadcast": (
        lambda x: BroadcastInDim((3, 5, 8), (1, 2)).bind(BroadcastInDim((5, 8), (1,)).bind(x)),
        [F], "broadcast_in_dim"),
    "broadcast of reshape": (
        lambda x: BroadcastInDim((8, 3), (0, 1)).bind(Reshape((8, 1)).bind(x)),
        [F], "broadcast_in_dim"),
    "broadcast is reshape": (lambda x: BroadcastInDim((1, 8), (1,)).bind(x), [F], "reshape"),
    "moved numbers": (
        lambda: rev(Transpose((1, 0)).bind(broadcast_in_dim(full((), -0.0, float), (2, 3), ())),
                    (0,)), [], "full"),
    "sum of zeros": (lambda: reduce_sum(full((3, 2), 0, float), (0,)), [], "full"),
    "sum of -0.0": (lambda: reduce_sum(full((3,), -0.0, float), (0,)), [], "full reduce_sum"),
    "slice of slice": (
        lambda x: slice_in_dim(slice_in_dim(x, 1, 8, 2), 1, 4, 2), [F], "slice"),
    "whole slice": (lambda x: slice_in_dim(x, 0, 8), [F], ""),
    "slice of concatenate": (
        lambda x, y: slice_in_dim(concatenate([x, y]), 9, 12), [F, G], "slice"),
    "operand of concatenate": (
        lambda x, y: slice_in_dim(concatenate([x, y]), 8, 16), [F, G], ""),
    "slice across concatenate": (
        lambda x, y: slice_in_dim(concatenate([x, y]), 7, 9), [F, G], "concatenate slice"),
    "slice of pad": (lambda x: slice_in_dim(pad(x, [2], [3]), 2, 10), [F], ""),
    "slice of padding": (lambda x: slice_in_dim(pad(x, [2], [3]), 10, 12), [F], "full"),
    "slice of cut pad": (lambda x: slice_in_dim(pad(x, [-2], [3]), 1, 5), [F], "slice"),
    "slice of broadcast": (
        lambda x: slice_in_dim(BroadcastInDim((4, 8), (1,)).bind(x), 1, 3), [F],
        "broadcast_in_dim"),
    "pad of pad": (lambda x: pad(pad(x, [1], [2], [1]), [1], [0]), [F], "pad"),
    "pad of cut pad": (lambda x: pad(pad(x, [-1], [2]), [1], [0]), [F], "pad pad"),
    "pad of zeros": (lambda: pad(full((2,), 0, float), [1], [2]), [], "full"),
    "pad of -0.0": (lambda: pad(full((2,), -0.0, float), [1], [2]), [], "full pad"),
    "concatenate of slices": (
        lambda x: concatenate([slice_in_dim(x, 0, 3), slice_in_dim(x, 3, 3),
                               slice_in_dim(x, 3, 8)]), [F], ""),
    "rev rev": (lambda x: rev(rev(x, (0, 1)), (1, 0)), [M], ""),
    "known dynamic slice": (
        lambda x: dynamic_slice(x, [full((), 7, int)], (2,)), [F], "slice"),
    "dynamic slice of its update": (
        lambda x, u, i: dynamic_slice(dynamic_update_slice(x, u, [i]), [i], (2,)), [F, G[:2], N],
        ""),
    "update over update": (
        lambda x, u, i: dynamic_update_slice(dynamic_update_slice(x, -u, [i]), u, [i]),
        [F, G[:2], N], "dynamic_update_slice"),
    "update of all": (lambda x, u, i: dynamic_update_slice(x, u, [i]), [F, G, N], ""),
    "known update of zeros": (
        lambda u: dynamic_update_slice(full((9,), 0, float), u, [full((), 5, int)]), [F], "pad"),
    "lookup in zeros": (lambda i: full((4,), 0, float)[i], [K[:2]], "full"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name: str):
    check(*ALGEBRA[name])


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str):
    check(*SHAPES[name])


def test_lossless_casts():
    """A dtype holds another if all numbers of the other survive the way there and back."""
    dtypes = [np.dtype(d) for d in ("bool", "int8", "uint8", "int16", "uint32", "int64", "uint64",
                                    "float16", "float32", "float64", dnp.bfloat16)]  # fmt: skip
    for a in dtypes:
        for b in dtypes:
            if a.kind == "b":
                xs = np.array([False, True])
            elif a.kind in "iu":
                info = np.iinfo(str(a))
                xs = np.array([info.min, info.max, info.max - 1, 0, 1], a)
            else:
                bits = np.array([1, 3, 5, 7, 2**9 + 1, 2**12 + 3], f"u{a.itemsize}")
                with np.errstate(all="ignore"):
                    wide = np.array([1 / 3, 1e38, 65504, 1e-40, 2**24 + 1]).astype(a)
                xs = np.concatenate([bits.view(a), wide])
            with np.errstate(all="ignore"):
                back = xs.astype(b).astype(a)
            if lossless(a, b):
                np.testing.assert_array_equal(back.astype(object), xs.astype(object))
    assert lossless(np.dtype("float16"), np.dtype("float32"))
    assert not lossless(np.dtype("float16"), np.dtype(dnp.bfloat16))
    assert not lossless(np.dtype("int64"), np.dtype("float64"))


# --------------------------------------------------------------------------------------------------
# Common and dead equations


def test_common_equations_are_one():
    check(lambda x: dnp.sin(x) * dnp.cos(x) + dnp.sin(x) * dnp.cos(x), [F[:4]], "sin cos mul add")
    check(lambda x: [dnp.sin(x), dnp.sin(x)], [F[:4]], "sin")


def test_zeros_of_two_signs_are_two():
    found = check(lambda: [full((2,), 0.0, float), full((2,), -0.0, float)], [], "full full")
    assert [np.signbit(np.asarray(x)[0]) for x in eval_jaxpr(found, [])] == [False, True]
    check(lambda x: [x + 0.0 + 1.0, sub.bind(x, -0.0)], [F], "add add sub")
    check(lambda x: [pad(x, [1], [0], value=0.0), pad(x, [1], [0], value=-0.0)], [F], "pad pad")


def test_weakness_of_results_stays():
    program = dx.make_jaxpr(lambda x: [x + 1.0, dnp.asarray(x, float) + 1.0, x * 1.0])(2.0)
    assert [a.weak_type for a in simplify(program).out_avals] == [
        a.weak_type for a in program.out_avals
    ]


def test_effects_happen_as_often_as_before():
    def talks(x):
        dx.debug.print("{}", x)
        dx.debug.print("{}", x)
        return x

    check(talks, [F], "debug_callback debug_callback", compiled=False)
    read = lambda x: dx.pure_callback(np.sin, dx.ShapeDtypeStruct((8,), float), x)
    check(lambda x: read(x) + read(x), [F], "pure_callback pure_callback add", compiled=False)
    check(lambda x: [read(x), x][1], [F], "", compiled=False)


def test_barriers_stay_apart():
    """Two barriers before two equal computations are there so that they are not one."""
    barrier = lambda x: OptimizationBarrier().bind(x)[0]
    word = "optimization_barrier"
    check(lambda x: dnp.sin(barrier(x)) + dnp.sin(barrier(x)), [F[:4]],
          f"{word} sin {word} sin add")  # fmt: skip


def test_equal_constants_are_one():
    c = Array(F)
    program = stage(lambda x: [x + c, x + Array(c.host)], [c.aval])
    program = Jaxpr(program.in_vars, program.eqns, program.outs, program.const_vars, [c, c])
    found = simplify(program)
    assert (len(found.eqns), len(found.consts)) == (1, 1)


def test_unchanged_programs_stay_what_they_are():
    program = staged(lambda x: dnp.sin(x) * 2.0, [F])
    assert simplify(program) is program
    other = staged(lambda x: dnp.sin(x) * 1.0, [F])
    assert simplify(other) is simplify(other) is simplify(simplify(other))


def test_an_own_primitive_is_common_and_dead_only():
    class Own(dx.Primitive):
        same_type = True

        def abstract_eval(self, x):
            return x

        def impl(self, x):
            return x + 1

    own = Own()
    check(lambda x: [own.bind(x) + own.bind(x), own.bind(own.bind(x))][0], [F], "own add",
          compiled=False)  # fmt: skip


def test_switch():
    program = staged(lambda x: [dnp.sin(x) + dnp.sin(x), dnp.cos(x)][0], [F])
    with dx.config.simplification(False):
        assert shown(simplify(program)) == "sin sin add"
        with dx.config.simplification(True):
            assert shown(simplify(program)) == "sin add"
    assert shown(simplify(program)) == "sin add"
    assert dx.config.simplify


# --------------------------------------------------------------------------------------------------
# Programs at random

UNARY = [
    neg.bind, absolute.bind, copy.bind, lambda x: rev(x, (0,)), lambda x: x.T, lambda x: x * 1.0,
    lambda x: x * -1.0, lambda x: x / 1.0, lambda x: x - 0.0, lambda x: x + -0.0, lambda x: x + 0.0,
    lambda x: dnp.concatenate([x[:1], x[1:]]), lambda x: pad(pad(x, [1, 0], [0, 0]), [0, 1], [1, 0])
    [1:-1, 1:], lambda x: x.reshape(4).reshape(2, 2), lambda x: dnp.broadcast_to(x[0], (2, 2)),
    lambda x: dnp.broadcast_to(x[:, :1], (2, 2)), lambda x: full((2, 2), -0.0, float),
    lambda x: full((2, 2), 3, float), lambda x: pad(x[:1], [0, 0], [1, 0]),
    lambda x: pad(x[1:], [1, 0], [0, 0]), lambda x: x.astype("float32").astype(float).astype(float),
    lambda x: lax.fori_loop(0, 2, lambda i, c: c - x * x, x),
    lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x)[1],
]  # fmt: skip
BINARY = [
    add.bind, sub.bind, mul.bind, div.bind, maximum.bind, minimum.bind, scale.bind,
    lambda x, y: select(x < y, x, y), lambda x, y: select(~(x == y), x, 1.0),
    lambda x, y: select(~(x < y), select(x < y, x, y), y), lambda x, y: x + -y,
    lambda x, y: real.bind(complex_.bind(x, y)), lambda x, y: dnp.concatenate([x, y])[2:],
    lambda x, y: dx.jit(lambda a, b: (a * 1.0, b - a))(x, y)[1],
    lambda x, y: lax.cond(x[0, 0] < 0, lambda a, b: a + b, lambda a, b: a - b, x, y),
]  # fmt: skip
STEPS = st.lists(st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9),
                           st.integers(0, 9)), min_size=3, max_size=14)  # fmt: skip
NUMBERS = st.sampled_from([-0.0, 0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan])


@settings(max_examples=150)
@given(STEPS, st.lists(NUMBERS, min_size=8, max_size=8))
def test_random_programs_keep_every_bit(steps: list, numbers: list):
    def program(x, y):
        pool = [x, y]
        for which, i, j in steps:
            a, b = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
            made = UNARY[which](a) if which < len(UNARY) else BINARY[which - len(UNARY)](a, b)
            pool.append(made)
        return pool[-3:]

    xs = [Array(v) for v in np.array(numbers).reshape(2, 2, 2)]
    traced = dx.make_jaxpr(program)(*xs)
    found = simplify(traced)
    check_jaxpr(found)
    assert found.out_avals == traced.out_avals
    assert len(found.eqns) <= len(traced.eqns) + 2  # a sum of parts may take some more
    with np.errstate(all="ignore"):
        for a, b in zip(eval_jaxpr(found, xs), eval_jaxpr(traced, xs)):
            same_bits(a, b)


def test_the_text_is_the_same_each_time():
    """It is the key of the cache on disk: nothing in it may depend on the addresses of objects."""

    def residuals(points, cameras):
        x, y = points[:, 0], points[:, 1]
        r = x * x + y * y
        p = cameras[:, None] * np.stack([x * r, y * r, x * y, r], 1)
        return np.sum(np.sin(p) * p + (x * y)[:, None])

    point = np.linspace(0.1, 1.0, 12).reshape(6, 2)
    camera = np.linspace(0.5, 1.0, 6)
    programs = [
        residuals,
        dx.grad(residuals, (0, 1)),
        dx.hessian(residuals),
        lambda x, y: dx.lax.scan(lambda c, v: (c * residuals(x, y) + v, c), 0.1, y),
        dx.vmap(lambda x, y: residuals(x[None], y[None])),
    ]
    for program in programs:
        texts = {dx.jit(program).lower(point, camera).as_text() for _ in range(15)}
        assert len(texts) == 1
