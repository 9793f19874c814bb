"""What staging and lowering remember of equations, and that it is not too much."""

import gc

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.words import elementwise as e

X = np.linspace(0.5, 2.0, 6).reshape(2, 3)


def repeated(x):
    """The same operations again, on other operands, with scalars on either side."""
    y = dx.numpy.cos(x)
    for _ in range(2):
        x, y = x * x - y, y * x
        x, y = 2.0 - x, y - 2.0
        x, y = dx.numpy.where(x > 0, x, 0.5), dx.numpy.where(y > 0, 0.5, y)
        x, y = x + x.sum(0), y + y.sum(0) / x.sum(0)
    return x, y, x @ y.T, y @ x.T


def signed_zeros(x):
    """Numbers that are equal, but are not the same."""
    return x * 0.0, x * -0.0, x * 0.0, x * -0.0


def in_scopes(x):
    """Operations of the outer program again in bodies and branches, and after them."""
    before = (x * 3.0).sum(0)
    carry, rows = dx.lax.scan(lambda c, row: (c * 3.0 + row, (c * 3.0).sum(0)), before, x)
    branch = dx.lax.cond(rows.sum(0) > 0, lambda v: v * 3.0 + v, lambda v: v * v, x)
    return (branch * 3.0).sum(0), (x * 3.0).sum(0) + carry


@pytest.mark.parametrize("fun", [repeated, signed_zeros, in_scopes])
def test_lines_that_are_written_again(fun):
    compiled = dx.jit(fun)(X)
    for ours, expected in zip(compiled, fun(dx.numpy.asarray(X)), strict=True):
        np.testing.assert_allclose(ours, expected, 1e-12)
        signs = [np.signbit(np.asarray(v)) for v in (ours, expected)]
        np.testing.assert_array_equal(*signs)


def test_lines_differ_but_for_names():
    text = dx.jit(lambda x, y: (x * x) * y - (y * y) * x).lower(X, X).as_text()
    products = [
        line.split("(")[1].split(")")[0] for line in text.splitlines() if "multiply" in line
    ]
    assert products == ["%arg0, %arg0", "%1, %arg1", "%arg1, %arg1", "%3, %arg0"]


def test_types_are_remembered_scalars_are_not():
    small = np.ones(3, np.int8)
    add = lambda scalar: dx.make_jaxpr(lambda x: e.add.bind(x, scalar))(small).out_avals
    assert add(1) == add(100) == dx.make_jaxpr(lambda x: x)(small).out_avals
    for scalar in (1000, 1.0, 1j):
        with pytest.raises(TypeError, match="does not fit"):
            add(scalar)


def test_weak_types_are_not_those_of_strong_operands():
    double = dx.make_jaxpr(lambda x: e.mul.bind(x, x))
    assert not double(np.float64(2.0)).out_avals[0].weak_type
    assert double(2.0).out_avals[0].weak_type
    assert not double(np.float64(2.0)).out_avals[0].weak_type


def test_the_collector_is_patient_while_a_function_is_traced():
    before, inside = gc.get_threshold(), []

    def fun(x):
        inside.append(gc.get_threshold()[0])
        dx.make_jaxpr(dx.numpy.sin)(1.0)
        inside.append(gc.get_threshold()[0])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dx.make_jaxpr(fun)(1.0)
    assert gc.get_threshold() == before
    assert min(inside) > before[0]
