"""Traced values where numbers are needed, and where they do not belong."""

import functools

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.support.errors import (
    ConcretizationTypeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)
from tests.checks import array, raises
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

dnp = dx.numpy


# --------------------------------------------------------------------------------------------------
# Concrete values


def sign(x):
    if x > 0:
        return 1.0 * x
    return -x


def test_if_under_jit():
    with raises(
        TracerBoolConversionError,
        "`if`",
        "bool[]",
        "traced in sign",
        "dx.numpy.where",
        "static_argnums",
        line="if x > 0:",
    ):
        dx.jit(sign)(1.0)
    with raises(TracerBoolConversionError, "traced in sign", line="if x > 0:"):
        dx.make_jaxpr(sign)(1.0)
    with raises(TracerBoolConversionError, "traced in sign", line="if x > 0:"):
        dx.jit(dx.grad(sign))(1.0)


def test_if_under_vmap():
    with raises(
        TracerBoolConversionError, "vmap of sign", "2 rows", "dx.numpy.where", line="if x > 0:"
    ):
        dx.vmap(sign)(array(2))
    with raises(TracerBoolConversionError, "vmap of sign", line="if x > 0:"):
        dx.vmap(dx.grad(sign))(array(2))


def test_if_is_fine_where_the_numbers_are_known():
    assert dx.grad(sign)(-2.0) == -1.0
    assert dx.grad(dx.grad(sign))(2.0) == 0.0
    assert dx.jvp(sign, (-2.0,), (1.0,)) == (2.0, -1.0)
    assert dx.derivatives(sign, -2.0, 2) == [2.0, -1.0, 0.0]
    one = dnp.ones(())
    assert dx.grad(lambda x: x if one > 0 else -x)(3.0) == 1.0
    assert dx.jit(lambda x: x if x.ndim == 0 else -x)(3.0) == 3.0


@pytest.mark.parametrize("kind", [float, int, complex])
def test_python_numbers(kind):
    def shift(x):
        return kind(x) + 1

    known = f"{kind.__name__}()"
    with raises(
        ConcretizationTypeError, known, "f64[]", "traced in shift", "astype", line="kind(x)"
    ):
        dx.jit(shift)(1.0)
    with raises(ConcretizationTypeError, known, "f64[]", "vmap of shift", line="kind(x)"):
        dx.vmap(shift)(array(2))


def test_item():
    with raises(ConcretizationTypeError, "item()", "f64[]", line="x.item()"):
        dx.jit(lambda x: x.item())(1.0)


def test_python_integers():
    with raises(TracerIntegerConversionError, "i64[]", "static_argnums", line="range(n)"):
        dx.jit(lambda n: list(range(n)))(3)
    with raises(TracerIntegerConversionError, "i64[]", "dx.numpy array", line="[1, 2][n]"):
        dx.jit(lambda n: [1, 2][n])(1)


def test_numpy_arrays():
    with raises(
        TracerArrayConversionError, "np.asarray", "f64[2]", "dx.numpy", line="np.asarray(x)"
    ):
        dx.jit(lambda x: np.asarray(x))(array(2))
    with raises(TracerArrayConversionError, "f64[]", "vmap", line="np.array(x)"):
        dx.vmap(lambda x: np.array(x))(array(2))


def test_writing_into_a_numpy_array():
    def fill(x):
        out = np.zeros(3)
        out[0] = x
        return out

    def add(x):
        out = np.zeros(3)
        out += x
        return out

    with pytest.raises(ValueError, match="setting an array element") as caught:  # NumPy's own
        dx.jit(fill)(1.0)
    with raises(ConcretizationTypeError, "f64[]", "traced in fill", ".at[", line="out[0] = x"):
        raise caught.value.__cause__
    with raises(TypeError, "np.add", "in-place", line="out += x"):
        dx.jit(add)(array(3))


def test_writing_into_an_array():
    def assign(x):
        x[0] = 1.0
        return x

    for run in (assign, dx.jit(assign), dx.vmap(assign)):
        with raises(TypeError, "never change", ".at[", ".set(", line="x[0] = 1.0"):
            run(array(3, 2))


def test_a_numpy_function_that_is_not_there():
    with raises(
        TypeError, "np.real_if_close", "not supported", "traced", "diffeo.numpy", line="close(x)"
    ):
        dx.jit(lambda x: np.real_if_close(x))(array(3))
    with raises(TypeError, "np.real_if_close", "traced", line="np.real_if_close"):
        dx.grad(lambda x: np.sum(np.real_if_close(x)))(array(3))
    with raises(TypeError, "np.real_if_close", "not supported", "traced", line="np.real_if_close"):
        dx.vmap(lambda x: np.real_if_close(x))(array(3))


# --------------------------------------------------------------------------------------------------
# Leaks


class Store:
    value = None


LEAKED = None


def leak_to_global(x):
    global LEAKED
    LEAKED = x * 2
    return x


def transformations():
    return {
        "jit": (dx.jit, 1.0),
        "grad": (dx.grad, 1.0),
        "vmap": (dx.vmap, np.ones(2)),
        "jvp": (lambda f: lambda x: dx.jvp(f, (x,), (x,)), 1.0),
        "taylor": (lambda f: lambda x: dx.derivatives(f, x, 2), 1.0),
    }


@pytest.mark.parametrize("name", transformations())
def test_leak_to_a_global(name):
    transformation, x = transformations()[name]
    transformation(leak_to_global)(x)
    with raises(
        UnexpectedTracerError,
        "leaked",
        "f64[]",
        "leak_to_global",
        "global variable 'LEAKED' of test_traced_values",
        "return them",
        line="LEAKED + 1",
    ):
        LEAKED + 1


@pytest.mark.parametrize("name", transformations())
def test_leak_to_an_attribute_and_a_list(name):
    transformation, x = transformations()[name]
    store, items = Store(), []

    def leaky(x):
        store.value = x * 2
        items.append(x * 3)
        return x

    transformation(leaky)(x)
    with raises(
        UnexpectedTracerError,
        "leaked",
        "leaky",
        "attribute 'value' of a Store",
        line="store.value + 1",
    ):
        store.value + 1
    with raises(UnexpectedTracerError, "leaked", "leaky", "a list of 1 item", line="items[0] + 1"):
        items[0] + 1


@pytest.mark.parametrize("name", transformations())
@pytest.mark.sampled(2)
def test_leak_into_another_transformation(name):
    transformation, x = transformations()[name]
    transformation(leak_to_global)(x)
    leaked = LEAKED
    for other, y in transformations().values():
        with raises(UnexpectedTracerError, "leaked", "leak_to_global", line="y * leaked"):
            other(lambda y: y * leaked)(y)
    with raises(UnexpectedTracerError, "leaked", "leak_to_global", line="dx.jit"):
        dx.jit(lambda y: y)(leaked)


@pytest.mark.parametrize("convert", [float, bool, np.asarray])
def test_leak_that_is_converted(convert):
    dx.jit(leak_to_global)(1.0)
    with raises(UnexpectedTracerError, "leaked", "leak_to_global", line="convert(LEAKED)"):
        convert(LEAKED)


def test_leak_from_an_inner_function():
    def outer(x):
        dx.jit(leak_to_global)(x)
        return x + LEAKED

    for run in (dx.jit, dx.grad):
        with raises(UnexpectedTracerError, "leaked", "leak_to_global", line="x + LEAKED"):
            run(outer)(1.0)


# --------------------------------------------------------------------------------------------------
# Messages in general


def test_names_of_partial_functions_and_objects():
    class Model:
        def __call__(self, x):
            return x

    with raises(TypeError, "grad of Model", "f64[2]", line="dx.grad"):
        dx.grad(Model())(array(2))
    with raises(TypeError, "grad of sign", "i64[]", line="dx.grad"):
        dx.grad(functools.partial(sign))(3)


def test_the_line_is_that_of_the_innermost_user_function():
    def inner(x):
        return x @ x.T @ dnp.ones(7)

    def outer(x):
        return dnp.sum(inner(x))

    for run in (dx.jit, dx.grad, lambda f: dx.jit(dx.grad(f))):
        with raises(ValueError, "(2, 2)", "(7,)", line="x @ x.T @ dnp.ones(7)"):
            run(outer)(array(2, 3))


def test_an_interpreter_without_a_rule():
    class Nothing(dx.Interpreter):
        def lift(self, x):
            return (x,)

        def rule(self, primitive, values):
            raise self.missing(primitive)

    with raises(NotImplementedError, "Nothing", "'sin'", "rule", line="dnp.sin(x)"):
        Nothing().run(lambda x: dnp.sin(x), (1.0,))


def test_a_primitive_without_a_rule():
    class Half(dx.Primitive):
        def impl(self, x):
            return x / 2

        def abstract_eval(self, x):
            return x

    half = Half()
    for run, rule in ((dx.grad, "jvp"), (dx.vmap, "batch"), (dx.jit, "lower")):
        with raises(NotImplementedError, "'half'", f"Half.{rule}", line="half.bind"):
            run(lambda x: half.bind(x))(array(2) if rule == "batch" else 1.0)
