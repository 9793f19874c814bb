"""The methods of ufuncs (reduce, accumulate, reduceat, outer, at), beside NumPy's."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.ways import slopes

dnp = dx.numpy

NAMES = ("add", "bitwise_and", "bitwise_or", "bitwise_xor", "logaddexp", "logaddexp2",
         "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply",
         "subtract")  # fmt: skip
COMMUTES = [n for n in NAMES if n != "subtract"]
PLACES = np.array([0, 5, 3, 3, 9])


def numbers(name, dtype, *shape, seed=0):
    """Numbers for a ufunc, or None if NumPy has none of this dtype."""
    if name.startswith("bitwise") and dtype == "float64":
        return None
    if name in ("subtract", "logaddexp", "logaddexp2") and dtype == "bool":
        return None
    return (3 * rng(*shape, seed=seed)).astype(dtype)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_methods(name, dtype):
    x, y = numbers(name, dtype, 11, 4), numbers(name, dtype, 5, 4, seed=1)
    if x is None:
        return
    ours, theirs = getattr(dnp, name), getattr(np, name)
    options = [{}, {"axis": 1, "keepdims": True}]
    options += [{"axis": None}, {"axis": (0, 1)}] if name in COMMUTES else []
    for how in options:
        close(ours.reduce(x, **how), theirs.reduce(x, **how))
    close(ours.outer(x[:3, 0], x[:, 1:3]), theirs.outer(x[:3, 0], x[:, 1:3]))
    changed = x.copy()
    theirs.at(changed, PLACES, y)
    cases = [
        (lambda v: ours.reduce(v, 1), theirs.reduce(x, 1)),
        (lambda v: ours.accumulate(v, 0), theirs.accumulate(x, 0)),
        (lambda v: ours.reduceat(v, PLACES), theirs.reduceat(x, PLACES)),
        (lambda v: ours.at(v, PLACES, y, inplace=False), changed),
    ]
    if name not in ("logaddexp", "logaddexp2"):  # NumPy's identity of them is not of their dtype
        mask, first = rng(11, 4, seed=2) > -0.5, np.array(1, dtype)
        reduced = theirs.reduce(x, 0, where=mask, initial=first)
        cases.append((lambda v: ours.reduce(v, 0, where=mask, initial=first), reduced))
    for function, expected in cases:
        close(function(x), expected)
    # All of them in one program, which is compiled once.
    for found, (_, expected) in zip(dx.jit(lambda v: [f(v) for f, _ in cases])(x), cases):
        close(found, expected)


@pytest.mark.parametrize("name", ["add", "logaddexp", "subtract"])
def test_traced_slices(name):
    x = rng(11, 4)
    f = dx.jit(getattr(dnp, name).reduceat)
    close(f(x, PLACES), getattr(np, name).reduceat(x, PLACES))
    close(dx.jit(lambda x, i: getattr(dnp, name).reduceat(x, i, 1))(x, np.array([2, 0])),
          getattr(np, name).reduceat(x, [2, 0], 1))  # fmt: skip
    rows = dx.vmap(getattr(dnp, name).reduceat, (0, None))(np.stack([x, 2 * x]), PLACES)
    close(rows[1], getattr(np, name).reduceat(2 * x, PLACES))


@pytest.mark.parametrize("name", ["logaddexp", "multiply", "subtract"])
def test_methods_have_derivatives(name):
    f = getattr(dnp, name)
    x = 1 + rng(10, 2) ** 2
    slopes(f.reduce, x)
    slopes(f.accumulate, x)
    slopes(lambda x: f.reduceat(x, PLACES), x)
    slopes(lambda x: f.at(x, PLACES, x[:5], inplace=False), x)


def test_functions_that_are_ufuncs():
    for name in (*NAMES, "negative"):
        function = getattr(dnp, name)
        assert isinstance(function, dnp.ufunc) and function.nout == 1
        assert (function.nin, function.__name__) == (getattr(np, name).nin, name)
    assert not isinstance(dnp.sin, dnp.ufunc) and not isinstance(len, dnp.ufunc)
    assert isinstance(dnp.frompyfunc(lambda x: x, 1, 1), dnp.ufunc)
    assert (dnp.add.identity, dnp.multiply.identity, dnp.maximum.identity) == (0, 1, None)
    assert "keepdims" in inspect.signature(dnp.add.reduce).parameters


def test_a_ufunc_of_a_python_function():
    longer = dnp.frompyfunc(lambda x, y: dnp.sqrt(x * x + y * y), 2, 1, identity=0)
    x = rng(12, 3)
    close(longer(x, x[0]), np.hypot(x, x[0]))
    close(longer.reduce(x, 1), np.sqrt((x * x).sum(1)))
    close(longer.reduce(x[:0]), np.zeros(3))
    close(dx.jit(longer.accumulate)(x)[-1], np.abs(np.sqrt((x * x).sum(0))))
    slopes(longer.reduce, x)
    twice = dnp.frompyfunc(lambda x: (x, 2 * x), 1, 2)
    close(twice(x)[1], 2 * x)
    half = dnp.frompyfunc(lambda x: x / 2, 1, 1)
    close(half.at(x, ([0, 0], [1, 1]), inplace=False)[0, 1], x[0, 1] / 4)


def test_errors():
    x = dnp.arange(4.0)
    with pytest.raises(NotImplementedError, match="add.at: arrays never change; say inplace=False"):
        dnp.add.at(x, 0, 1.0)
    with pytest.raises(ValueError, match="maximum.*initial"):
        dnp.maximum.reduce(x[:0])
    with pytest.raises(ValueError, match="subtract.reduce: `where` needs `initial`"):
        dnp.subtract.reduce(x, where=x > 1)
    with pytest.raises(ValueError, match="negative.reduce: needs a function of two operands"):
        dnp.negative.reduce(x)
    with pytest.raises(ValueError, match="negative.at: a function of 1 operands"):
        dnp.negative.at(x, 0, 1.0, inplace=False)
    with pytest.raises(IndexError, match="add.reduceat: the indices .* are not all in 0 to 3"):
        dnp.add.reduceat(x, [0, 4])
    with pytest.raises(TypeError, match="takes 2 operands, got 1"):
        dnp.frompyfunc(dnp.hypot, 2, 1)(x)
    with pytest.raises(TypeError, match="arrays never change"):
        dnp.add.reduce(x, out=x)
