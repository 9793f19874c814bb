"""Numbers in programs have the dtype of what stands beside them, however a program is run."""

from __future__ import annotations

from itertools import product

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo.passes.simplify import simplify
from diffeo.primitives.constants import full_like
from diffeo.primitives.jaxpr import eval_jaxpr
from diffeo.primitives.staging import stage
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.types import SCALARS, kind_of
from diffeo.primitives.words import elementwise as e
from tests import samples  # noqa: F401  (loads the rows)
from tests.laws import compiled

dnp = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

DTYPES = [np.dtype(d) for d in ("float16", ml_dtypes.bfloat16, "float32", "float64", "complex64",
                                "complex128", "bool", "int8", "uint8", "int16", "int32", "int64",
                                "uint16", "uint32", "uint64")]  # fmt: skip
NUMBERS = {"b": [True], "i": [2], "u": [2], "f": [0.5, 2], "c": [0.5 + 0.5j, 2.0, 1]}


def agree(found, expected, avals):
    for a, b, aval in zip(found, expected, avals, strict=True):
        assert a.dtype == b.dtype == aval.dtype and a.shape == b.shape == aval.shape
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind in "bui":
            np.testing.assert_array_equal(a, b)
        else:
            wide = np.complex128 if a.dtype.kind == "c" else np.float64
            np.testing.assert_allclose(
                a.astype(wide), b.astype(wide), 1e-2 if a.dtype.itemsize < 4 else 1e-5
            )


def operands(row, dtype):
    """Which operands are numbers, and the operands."""
    x = np.array([1, 2, 3]).astype(dtype)
    arity = getattr(row, "arity", 3)
    for number in NUMBERS[kind_of(dtype)]:
        for numbers in product((False, True), repeat=arity):
            if row is e.select_p:
                if numbers[0] or all(numbers[1:]):
                    continue
                yield [x > 1, *[number if n else x for n in numbers[1:]]]
            elif not all(numbers):
                yield [number if n else x for n in numbers]


def rows_of(dtype):
    return [
        row
        for row in (*ELEMENTWISE.values(), e.select_p)
        if row is e.select_p or (kind_of(dtype) in row.accepts and row.module[:6] == "diffeo")
    ]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_evaluation_gives_the_stated_type(dtype):
    """Numbers as operands, and arrays of one number, which the simplifier makes operands."""
    for row in rows_of(dtype):
        for args in operands(row, dtype):
            given = [dnp.asarray(v) for v in args if type(v) not in SCALARS]

            def program(*arrays, row=row, args=args, as_arrays=True):
                rest = iter(arrays)
                full = lambda v: full_like(arrays[-1], v) if as_arrays else v
                return [row.bind(*[full(v) if type(v) in SCALARS else next(rest) for v in args])]

            jaxpr = stage(program, [v.aval for v in given])
            expected = eval_jaxpr(jaxpr, given)
            agree(eval_jaxpr(simplify(jaxpr), given), expected, jaxpr.out_avals)
            if row.takes_scalars:
                direct = program(*given, as_arrays=False)
                agree(direct, expected, jaxpr.out_avals)


PROGRAMS = [
    lambda x: dnp.where(dnp.real(x) > 1, x, 0),
    lambda x: x + dnp.full(x.shape, 2, x.dtype) * 3,
    lambda x: dnp.full_like(x, 2) / (x + 1) - dnp.ones_like(x),
    lambda x: dnp.where(dnp.real(x) > 1, dnp.full_like(x, 1), dnp.full_like(x, 2)),
    lambda x: dnp.pad(dnp.full_like(x, 1), 1),
    lambda x: dnp.concatenate([dnp.full_like(x, 1), dnp.full_like(x, 1), x])[2:5],
    lambda x: dnp.full_like(x, 2) ** 3 + x,
    lambda x: dnp.real(x) + dnp.imag(dnp.full(x.shape, 1, x.dtype)),
    lambda x: dnp.sum(dnp.zeros_like(x)) + dnp.prod(dnp.ones_like(x)) * x,
    lambda x: dx.lax.scan(lambda c, a: (c * 2 + a, c), dnp.full((), 1, x.dtype), x),
    lambda x: dx.lax.fori_loop(0, 3, lambda i, c: c + dnp.full_like(x, 1), dnp.zeros_like(x)),
    lambda x: dx.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1]), (0, x * 1)),
    lambda x: dx.lax.cond(dnp.real(x)[0] > 1, lambda x: x * 2, lambda x: dnp.ones_like(x), x),
    lambda x: x.at[1].set(3) + dnp.zeros_like(x).at[0].add(2),
]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind != "b"], ids=str)
def test_programs_keep_their_dtypes(dtype):
    x = dnp.asarray(np.array([1, 2, 3]).astype(dtype))
    for fun in PROGRAMS:
        flat = lambda x, fun=fun: dx.tree.leaves(fun(x))
        jaxpr = stage(flat, [x.aval])
        expected = eval_jaxpr(jaxpr, [x])
        agree(eval_jaxpr(simplify(jaxpr), [x]), expected, jaxpr.out_avals)
        agree(flat(x), expected, jaxpr.out_avals)
    every = lambda x: [v for fun in PROGRAMS for v in dx.tree.leaves(fun(x))]
    found = compiled(every, [x])
    agree(found, every(x), [v.aval for v in found])


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind in "fcV"], ids=str)
def test_gradients_keep_their_dtypes(dtype):
    x = dnp.asarray(np.array([1, 2, 3]).astype(dtype))
    loss = lambda x: dnp.sum(dnp.real(x * dnp.where(dnp.real(x) > 1, x * x, 1) / (x + 2)))
    flat = lambda x: [dx.grad(loss)(x), *dx.jvp(loss, [x], [dnp.ones_like(x)])]
    jaxpr = stage(flat, [x.aval])
    expected = eval_jaxpr(jaxpr, [x])
    agree(eval_jaxpr(simplify(jaxpr), [x]), expected, jaxpr.out_avals)
    assert expected[0].dtype == dtype


def cast_samples(dtype):
    if dtype.kind == "b":
        return np.array([True, False])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([info.min, info.max, 0, 1, info.max // 2 + 1, 100], dtype)
    odd = [0, -0.0, 1.5, -1.5, 300, -300, 7e4, np.inf, -np.inf, np.nan, 2**31, 2.0**63]
    return np.array(odd).astype(dtype)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind != "c"], ids=str)
def test_casts_of_casts_are_what_they_were(dtype):
    """Integers wrap around, floats beyond the range become its ends."""
    real = [d for d in DTYPES if d.kind != "c"]
    fun = lambda x: [x.astype(b).astype(c) for b, c in product(real, real)]
    x = dnp.asarray(cast_samples(dtype))
    jaxpr = stage(fun, [x.aval])
    found, expected = eval_jaxpr(simplify(jaxpr), [x]), eval_jaxpr(jaxpr, [x])
    for (b, c), p, q in zip(product(real, real), found, expected, strict=True):
        assert p.dtype == q.dtype == c
        assert np.asarray(p).tobytes() == np.asarray(q).tobytes(), (dtype, b, c)
