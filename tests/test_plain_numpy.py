"""NumPy's functions: NumPy's own on arrays of numbers, and with keywords and methods on traced
values.
"""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

HOST = np.array([[1.0, 2.0, -0.5], [0.3, -1.0, 2.0]])
WHOLE = np.array([[3, 1, 2], [6, 5, 4]], np.int32)
SQUARE = np.array([[2.0, 1.0], [0.5, 3.0]])
x, whole, square = (dnp.asarray(v) for v in (HOST, WHOLE, SQUARE))


# --------------------------------------------------------------------------------------------------
# On arrays of numbers

#: `f(a, i, s)` of floats, integers and a square matrix: what NumPy gives for ndarrays.
CONCRETE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sin": lambda a, i, s: np.sin(a),
    "of integers": lambda a, i, s: np.sqrt(i),
    "int32": lambda a, i, s: np.add(i, i),
    "a number": lambda a, i, s: np.exp(a[0, 0]),
    "dtype": lambda a, i, s: np.subtract(a, i, dtype=np.float32),
    "casting": lambda a, i, s: np.add(a, 1.5, dtype=int, casting="unsafe"),
    "where": lambda a, i, s: np.divide(a, i, out=np.zeros((2, 3)), where=a > 0),
    "mixed": lambda a, i, s: np.maximum(np.zeros(3), a),
    "number first": lambda a, i, s: np.multiply(2, i),
    "list": lambda a, i, s: np.maximum(a, [1, 2, 3]),
    "list of arrays": lambda a, i, s: np.add([a, a], 1),
    "matmul": lambda a, i, s: np.matmul(s, a),
    "two results": lambda a, i, s: np.divmod(a, 0.7),
    "frexp": lambda a, i, s: np.frexp(a),
    "reduce": lambda a, i, s: np.add.reduce(a),
    "reduce keywords": lambda a, i, s: np.maximum.reduce(a, axis=1, keepdims=True, initial=0.4),
    "accumulate": lambda a, i, s: np.multiply.accumulate(i, axis=1),
    "outer": lambda a, i, s: np.hypot.outer(a[0], a[1]),
    "reduceat": lambda a, i, s: np.add.reduceat(a, [0, 1, 0], axis=1),
    "mean": lambda a, i, s: np.mean(a),
    "mean of integers": lambda a, i, s: np.mean(i, axis=0),
    "sum": lambda a, i, s: np.sum(i),
    "std": lambda a, i, s: np.std(a, axis=1, ddof=1),
    "reshape": lambda a, i, s: np.reshape(a, (3, 2)),
    "transpose": lambda a, i, s: np.transpose(a),
    "where function": lambda a, i, s: np.where(a > 0, a, 0),
    "concatenate": lambda a, i, s: np.concatenate([a, i, np.ones((1, 3))]),
    "stack": lambda a, i, s: np.stack((a, a), axis=-1),
    "block": lambda a, i, s: np.block([[s, s], [s, s]]),
    "einsum": lambda a, i, s: np.einsum("ij,jk", s, a),
    "dot": lambda a, i, s: np.dot(s, a),
    "norm": lambda a, i, s: np.linalg.norm(a),
    "solve": lambda a, i, s: np.linalg.solve(s, a),
    "eigh": lambda a, i, s: np.linalg.eigh(s),
    "fft": lambda a, i, s: np.fft.rfft(a),
    "zeros_like": lambda a, i, s: np.zeros_like(i),
    "sort": lambda a, i, s: np.sort(a),
    "argsort": lambda a, i, s: np.argsort(a),
    "nonzero": lambda a, i, s: np.nonzero(a > 0),
    "unique": lambda a, i, s: np.unique(i, return_counts=True),
    "percentile": lambda a, i, s: np.percentile(a, [25, 75]),
    "histogram": lambda a, i, s: np.histogram(a, bins=3),
    "interp": lambda a, i, s: np.interp(a, a[0].cumsum(), i[0]),
    "apply_along_axis": lambda a, i, s: np.apply_along_axis(np.sum, 0, a),
    "piecewise": lambda a, i, s: np.piecewise(a, [a < 0, a >= 0], [lambda v: -v, np.sqrt]),
    "select": lambda a, i, s: np.select([a < 0, a > 1], [a, i], 7),
    "vectorize": lambda a, i, s: np.vectorize(lambda v: v * 2)(a),
    "frompyfunc": lambda a, i, s: np.frompyfunc(lambda v, w: v + w, 2, 1)(a, i),
    "real_if_close": lambda a, i, s: np.real_if_close(a + 0j),
    "array of numbers": lambda a, i, s: np.array([a[0, 0], a[0, 1]]),
    "array of arrays": lambda a, i, s: np.array([a, a]),
    "asarray": lambda a, i, s: np.asarray(i, dtype=float),
    "array_equal": lambda a, i, s: np.array_equal(a, a),
    "log of negative": lambda a, i, s: np.log(a),
    "no loop": lambda a, i, s: np.bitwise_and(a, a),
    "shapes": lambda a, i, s: np.add(a, s),
    "singular": lambda a, i, s: np.linalg.inv(s * 0),
    "axis": lambda a, i, s: np.sum(a, axis=5),
    "division": lambda a, i, s: np.floor_divide(i, 0),
    "casts": lambda a, i, s: np.add(a, a, dtype=np.int8),
}


def outcome(f: Callable, *args: Any) -> Any:
    """What a call returns, or raises, and what it warns of."""
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        try:
            value = f(*args)
        except Exception as error:
            return type(error), str(error)
    return value, [(w.category, str(w.message)) for w in log]


def alike(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for v, w in zip(a, b):
            alike(v, w)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        np.testing.assert_equal(a, b)


@pytest.mark.parametrize("name", CONCRETE)
def test_arrays_of_numbers_meet_numpys_own_functions(name: str):
    f = CONCRETE[name]
    alike(outcome(f, x, whole, square), outcome(f, HOST, WHOLE, SQUARE))


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


def test_operators_give_arrays_and_functions_give_ndarrays():
    a, d = HOST[0], x[1]
    written: list[tuple[Any, Any]] = [
        (a + d, d + a), (a - d, d - a), (a * d, d * a), (a / d, d / a), (a // d, d // a),
        (a % d, d % a), (a**d, d**a), (a @ d, d @ a), (a < d, d < a), (a <= d, d <= a),
        (a == d, d == a), (a != d, d != a), (a > d, d > a), (a >= d, d >= a),
        (np.float64(2) * d, d * np.float64(2)), (2 * d, d * 2), (np.int8(1) < d, d < np.int8(1)),
        (WHOLE & whole, whole | WHOLE), (WHOLE ^ whole, WHOLE << whole),
    ]  # fmt: skip
    for pair in written:
        assert [type(v) for v in pair] == [dx.Array, dx.Array]
    for f in (np.add, np.divide, np.less, np.hypot, np.power, np.arctan2):
        for pair in ((d, a), (d, d), (d, 2.0), (2.0, d)):
            assert type(f(*pair)) is np.ndarray
        # NumPy does not say whether `a + d` or `np.add(a, d)` is written.
        of_operator = f not in (np.hypot, np.arctan2)
        assert type(f(a, d)) is (dx.Array if of_operator else np.ndarray)
        assert type(f(a, d, dtype=bool if f is np.less else float)) is np.ndarray
    assert type(np.add(d[0], a[0])) is np.float64
    assert type(functools.reduce(operator.add, [a, d])) is type(operator.mul(a, d)) is dx.Array
    for op in OPERATORS:  # values are the same, whoever calls
        np.testing.assert_array_equal(op(a, d), op(a, np.asarray(d)))
    total = functools.reduce(operator.add, [a, d, d])
    np.testing.assert_allclose(total, a + 2 * HOST[1])
    rows = HOST.copy()
    for row in rows:
        row += d
    np.testing.assert_array_equal(rows, HOST + HOST[1])


def test_arrays_of_numbers_while_something_is_traced():
    def f(v):
        assert type(np.sin(x)) is np.ndarray and isinstance(np.mean(x), np.float64)
        assert type(np.stack([x, x])) is np.ndarray
        return (
            np.stack([v, x[0]]).sum() + (np.add(x[0], v) * np.concatenate([x[0][:1], v[1:]])).sum()
        )

    v = HOST[1]
    want = np.stack([v, HOST[0]]).sum() + ((HOST[0] + v) * np.r_[HOST[0, :1], v[1:]]).sum()
    for transformed in (dx.jit(f), lambda v: dx.value_and_grad(f)(v)[0]):
        np.testing.assert_allclose(transformed(v), want)


def test_arrays_are_not_written_into():
    for call in (
        lambda: np.add(HOST, 1, out=x),
        lambda: np.add.at(x, [0], 1.0),
        lambda: np.mean(HOST, axis=0, out=x[0]),
        lambda: dx.jit(lambda v: np.add(HOST, 1, out=v))(HOST),
        lambda: dx.jit(lambda v: np.add.at(v, [0], 1.0))(HOST),
    ):
        with pytest.raises(TypeError, match="never changes"):
            call()
    with pytest.raises(TypeError, match=r"np\.add\.at cannot write"):
        dx.jit(lambda v: np.add.at(np.zeros(3), [0], v))(1.0)


def test_narrow_dtypes_go_to_numpy():
    v = dnp.asarray([1.0, 2.0], dnp.bfloat16)
    assert np.add(v, v).dtype == ml_dtypes.bfloat16 and np.sin(v).dtype == ml_dtypes.bfloat16


# --------------------------------------------------------------------------------------------------
# On traced values

#: `f(a, b)` of two vectors: keywords that are honoured.
KEYWORDS: dict[str, Callable[[Any, Any], Any]] = {
    "dtype": lambda a, b: np.subtract(a, b, dtype=np.float32),
    "dtype of integers": lambda a, b: np.add(a > 0, b > 0, dtype=np.int16),
    "dtype of a float": lambda a, b: np.sin(a > 0, dtype=np.float32),
    "unsafe": lambda a, b: np.multiply(a, 3.7, dtype=np.int64, casting="unsafe"),
    "signature": lambda a, b: np.add(a, b, signature="ff->f"),
    "casting": lambda a, b: np.add(a, b, casting="safe"),
    "order": lambda a, b: np.exp(a, order="F") + np.exp(b, subok=False),
    "where": lambda a, b: np.add(a, b, where=True),
    "two results": lambda a, b: np.divmod(a, b, dtype=np.float32)[1],
    "vecdot": lambda a, b: np.vecdot(np.stack([a, b]), np.stack([b, a]), axis=0),
    "lists": lambda a, b: (
        np.maximum(a, [1, 2, 3]) + np.add([b, b], a) + np.where(a > 0, b, [1, 2, 3])
    ),
    "lists of functions": lambda a, b: (
        np.concatenate([a, [1, 2]])[:3] + np.interp(a, [0, 1], [2, 4])
    ),
    "lists of indices": lambda a, b: (
        a[[0, 1, 1]] + np.take(b, [2, 0, 1]) + a[[True, False, True]].sum()
    ),
    "dot of lists": lambda a, b: np.dot([[1, 2, 3], [4, 5, 6]], a) + np.linalg.norm(a),
    "frompyfunc": lambda a, b: np.frompyfunc(lambda v, w: v * w + 1.0, 2, 1)(a, b),
    "frompyfunc of two": lambda a, b: np.frompyfunc(lambda v: (v, -v), 1, 2)(a)[1],
    "apply_along_axis": lambda a, b: np.apply_along_axis(
        lambda v: v * v.sum(), 0, np.stack([a, b])
    ),
    "reduce": lambda a, b: np.add.reduce(np.stack([a, b]), axis=1, keepdims=True, initial=2.0),
    "reduce with where": lambda a, b: np.multiply.reduce(a, where=a > 0, initial=2.0),
    "reduce dtype": lambda a, b: np.add.reduce(a, dtype=np.float32),
    "reduce all axes": lambda a, b: np.hypot.reduce(np.stack([a, b])) + np.add.reduce(a, axis=None),
    "fold with where": lambda a, b: np.hypot.reduce(
        np.stack([a, b]), axis=1, where=np.stack([a, b]) > 0, initial=1.0
    ),
    "fold with initial": lambda a, b: np.subtract.reduce(a, initial=10.0),
    "fold of bool": lambda a, b: np.logical_xor.reduce(a > 0, keepdims=True) * 1.0,
    "any": lambda a, b: np.logical_or.reduce(np.stack([a, b]) > 0, axis=(0, 1)) * 1.0,
    "long": lambda a, b: np.logaddexp.reduce(np.concatenate([a, b, a, b, a, b])),
    "empty": lambda a, b: np.add.reduce(a[:0]) + np.logical_and.reduce(a[:0] > 0) + b.sum(),
    "outer": lambda a, b: np.subtract.outer(a, np.stack([b, a])) + np.multiply.outer(2.0, a),
    "outer dtype": lambda a, b: np.multiply.outer(a, b, dtype=np.float32),
    "accumulate": lambda a, b: np.add.accumulate(np.stack([a, b]), axis=1, dtype=np.float32),
    "accumulate maximum": lambda a, b: np.maximum.accumulate(a) + np.minimum.accumulate(b),
    "accumulate fold": lambda a, b: (
        np.hypot.accumulate(np.stack([a, b]), 1) + np.divide.accumulate(a)
    ),
    "reduceat": lambda a, b: np.add.reduceat(np.stack([a, b]), [0, 2, 1], axis=1),
    "reduceat of a fold": lambda a, b: np.hypot.reduceat(a, np.array([0, 1])),
}
A, B = np.array([0.4, -1.2, 2.2]), np.array([1.5, 0.7, -0.3])


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_and_methods_on_traced_values(name: str):
    f = KEYWORDS[name]
    want = np.asarray(f(A, B))
    want = want.astype(float) if want.dtype == object else want
    tol = 1e-5 if want.dtype == np.float32 else 1e-12
    for got in (dx.jit(f)(A, B), dx.vmap(f)(np.stack([A, B]), np.stack([B, A]))[0]):
        assert isinstance(got, dx.Array)
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=tol)
    if want.dtype == np.float64:
        loss = lambda a: np.sum(
            np.sin(np.asarray(f(a, B), float) if type(a) is np.ndarray else f(a, B))
        )
        slope = [(loss(A + e) - loss(A - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
        np.testing.assert_allclose(dx.grad(loss)(A), slope, rtol=1e-5, atol=1e-6)


#: All ufuncs of NumPy with two operands and one result.
BINARY = [
    f for n in dir(np) if isinstance(f := getattr(np, n), np.ufunc)
    and f.nin == 2 and f.nout == 1 and f.__name__ == n and f.signature is None
    and n != "ldexp"  # its second operand is an integer, so it is no fold
]  # fmt: skip


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
def test_methods_of_every_ufunc(ufunc: np.ufunc):
    values = np.array([[2.0, 1.5, 0.5], [3.0, 1.0, 2.0], [0.7, 2.5, 1.0], [1.0, 2.0, 3.0]])
    whole = np.array([[6, 4, 1], [3, 1, 2], [9, 2, 1], [1, 2, 2]])
    calls: list[Callable[[Any], Any]] = [
        lambda v: ufunc.reduce(v),
        lambda v: ufunc.reduce(v, axis=1, keepdims=True),
        lambda v: ufunc.reduce(v, axis=(0, 1)),
        lambda v: ufunc.accumulate(v, axis=1),
        lambda v: ufunc.outer(v[0], v),
        lambda v: ufunc.reduceat(v, [0, 2, 1]),
        lambda v: ufunc.reduce(v[:0]),
    ]
    for v in (values, whole, whole > 2):
        for k, f in enumerate(calls):
            with np.errstate(all="ignore"):
                want = outcome(f, v)
            if isinstance(want[0], type):
                with pytest.raises((TypeError, ValueError, NotImplementedError)):
                    dx.jit(f)(v)
                continue
            if want[0].dtype == np.float16 or (k < 4 and want[0].dtype.kind == "b" != v.dtype.kind):
                continue  # NumPy's half precision of booleans; comparisons of numbers with truths
            if (
                ufunc is np.float_power
                or NUMERIC.get(ufunc.__name__, "biuf").find(v.dtype.kind) < 0
            ):
                continue
            with np.errstate(all="ignore"):
                got = dx.vmap(f)(v[None])[0]
            np.testing.assert_allclose(got, want[0], rtol=1e-12, err_msg=str(k))


#: The kinds of dtypes for which a ufunc of diffeo is as NumPy's, where not all.
NUMERIC = {"left_shift": "i", "right_shift": "i"}


def test_what_is_not_honoured_is_refused_by_name():
    for call, says in {
        lambda v: np.add(v, 1, where=v > 0): r"np\.add: where=",
        lambda v: np.exp(v, out=np.zeros(3)): "cannot write into an array",
        lambda v: np.divide(1, v, out=np.zeros(3), where=v > 0): r"np\.where",
        lambda v: np.matmul(v, v, axes=[(0,), (0,), ()]): r"axes=",
        lambda v: np.vecdot(v, v, keepdims=True): "keepdims=",
        lambda v: np.add.reduceat(v, (v > 0) * 1): "indices must be known",
        lambda v: np.exp(v, order="Q"): "order",
        lambda v: np.fmax.reduce(v, where=v > 0): "initial",
        lambda v: np.isnat(v): r"np\.isnat is not supported on a traced value",
        lambda v: np.array([v[0], v[1]]): r"dx\.numpy\.array",
        lambda v: np.vectorize(lambda a: a * 2)(v): "vectorize: a real NumPy array",
    }.items():
        with pytest.raises((TypeError, ValueError), match=says):
            dx.jit(call)(A)
    # These are NumPy's own errors.
    for call in (
        lambda v: np.add(v, 1.5, dtype=int),
        lambda v: np.add(v, 1.5, dtype=np.float32, casting="safe"),
        lambda v: np.subtract.reduce(np.stack([v, v]), axis=(0, 1)),
        lambda v: np.maximum.reduce(v[:0]),
        lambda v: np.add.accumulate(v, axis=3),
    ):
        with pytest.raises((TypeError, ValueError)) as ours:
            dx.jit(call)(A)
        with pytest.raises((TypeError, ValueError)) as theirs:
            call(A)
        assert type(ours.value) is type(theirs.value) or issubclass(
            type(theirs.value), type(ours.value)
        )
