"""Bad input: each raises the right type, and the message says what came, what was expected, the
user's line, and what to do.
"""

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.words import elementwise as e
from diffeo.primitives.words.dot import dot_general
from diffeo.primitives.words.structural import reduce_sum, reshape, transpose
from tests.checks import array, raises
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

dnp = dx.numpy


# --------------------------------------------------------------------------------------------------
# Shapes and dtypes


def test_shapes_that_do_not_broadcast_eagerly():
    with raises(ValueError, "(2,)", "(3,)", "broadcast", line="array(2) * array(3)"):
        array(2) * array(3)


@pytest.mark.parametrize(
    "transformation", [dx.jit, dx.grad, lambda f: dx.vmap(f, axis_size=2, in_axes=None)]
)
def test_shapes_that_do_not_broadcast_inside(transformation):
    def loss(x, y):
        return dnp.sum(x + y)

    with raises(ValueError, "(2, 3)", "(4,)", "broadcast", line="return dnp.sum(x + y)"):
        transformation(loss)(array(2, 3), array(4))


def test_face_says_which_function():
    with raises(ValueError, "matmul", "(2, 3)", "(2,)", "size 3", line="dnp.matmul"):
        dnp.matmul(array(2, 3), array(2))
    with raises(ValueError, "concatenate", "(2, 3)", "(2,)", line="dnp.concatenate"):
        dnp.concatenate([array(2, 3), array(2)])


def test_reshape_to_another_size():
    with raises(ValueError, "(2, 3)", "(4,)", line=".reshape(4)"):
        array(2, 3).reshape(4)
    with raises(ValueError, "(2, 3)", "(4,)", line=".reshape(4)"):
        dx.jit(lambda x: x.reshape(4))(array(2, 3))


def test_axis_that_is_not_there():
    with raises(ValueError, "sum", "axis 2", "2 axes", "-2 to 1", line="dnp.sum"):
        dnp.sum(array(2, 3), axis=2)


@pytest.mark.parametrize("run", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_primitives_are_strict(run):
    with raises(TypeError, "add", "f64[2]", "f64[3]", "equal shapes", line="e.add.bind"):
        run(lambda x, y: e.add.bind(x, y))(array(2), array(3))
    with raises(TypeError, "dot_general", "f64[1,2]", "sizes differ", line="dot_general("):
        run(lambda x: dot_general(x, x, ((1,), (0,))))(array(1, 2))
    with raises(TypeError, "reshape", "f64[2,3]", "(4,)", line="reshape(x"):
        run(lambda x: reshape(x, (4,)))(array(2, 3))
    with raises(TypeError, "transpose", "f64[2,3]", "(0, 0)", line="transpose(x"):
        run(lambda x: transpose(x, (0, 0)))(array(2, 3))
    with raises(TypeError, "reduce_sum", "(5,)", line="reduce_sum(x"):
        run(lambda x: reduce_sum(x, (5,)))(array(2, 3))


def test_primitive_of_the_wrong_dtype():
    with raises(TypeError, "mul", "f64[2]", "f32[2]", "dtypes", line="e.mul.bind"):
        dx.jit(lambda x, y: e.mul.bind(x, y))(array(2), array(2, dtype="float32"))
    with raises(TypeError, "sin", "floating-point", "i64[3]", line="e.sin.bind"):
        dx.jit(lambda x: e.sin.bind(x))(np.arange(3))
    with raises(TypeError, "floor", "c128[2]", line="dx.numpy.floor"):
        dx.jit(lambda x: dx.numpy.floor(x))(array(2, dtype=complex))


def test_an_integer_that_does_not_fit():
    with raises(OverflowError, "300", "uint8", line="+ 300"):
        array(2, dtype="uint8") + 300
    with raises(OverflowError, "300", "uint8", line="+ 300"):
        dx.jit(lambda x: x + 300)(array(2, dtype="uint8"))


def test_lists_are_not_arrays():
    with raises(TypeError, "list [1, 2]", "dx.numpy.array", line="dnp.sin"):
        dnp.sin([1, 2])


def test_static_index_out_of_bounds():
    for run in (lambda f: f, dx.jit, dx.grad):
        with raises(IndexError, "5", "axis 0", "3", line="x[5]"):
            run(lambda x: x[5])(array(3))
    with raises(IndexError, "-4", "axis 0", "3", line="[-4]"):
        array(3)[-4]
    with raises(IndexError, "2", "1", line="[0, 0]"):
        array(3)[0, 0]
    with raises(IndexError, "7", line=".at[7]"):
        array(3).at[7].set(0.0)


def test_index_of_the_wrong_type():
    with raises(TypeError, "float", "1.5", line="[1.5]"):
        array(3)[1.5]


# --------------------------------------------------------------------------------------------------
# grad


def test_grad_of_a_vector():
    def double(x):
        return x * 2

    with raises(
        TypeError, "double", "scalar", "f64[2]", "dx.jacrev", "sum", line="dx.grad(double)"
    ):
        dx.grad(double)(array(2))


def test_grad_of_a_tree():
    with raises(TypeError, "one scalar", "(f64[], f64[])", "has_aux=True", line="dx.grad"):
        dx.grad(lambda x: (x, x))(1.0)
    with raises(TypeError, "one scalar", "None", line="dx.grad"):
        dx.grad(lambda x: None)(1.0)


def test_grad_by_integers():
    def square(x):
        return x * x

    for f in (dx.grad(square), dx.value_and_grad(square)):
        with raises(TypeError, "square", "argument 0", "i64[]", "1.0 instead of 1", line="f(3)"):
            f(3)
    with raises(TypeError, "argument 1['b']", "i32[2]", "argnums", line="dx.grad"):
        dx.grad(lambda x, t: x, argnums=(0, 1))(1.0, {"b": np.zeros(2, "int32")})
    with raises(TypeError, "complex", "i64[]", line="jacfwd"):
        dx.jacfwd(square)(3)


def test_grad_with_a_result_without_derivative():
    with raises(TypeError, "bool[]", "no derivative", line="dx.grad"):
        dx.grad(lambda x: x > 0)(1.0)
    with raises(TypeError, "i64[2]", "no derivative", line="dx.jacrev"):
        dx.jacrev(lambda x: x.astype(int))(array(2))


def test_grad_with_a_complex_result():
    with raises(TypeError, "c128[]", "holomorphic=True", "real part", line="dx.grad"):
        dx.grad(lambda z: z * z)(1.0 + 2.0j)
    with raises(TypeError, "holomorphic=True", "complex", "f64[]", line="dx.grad"):
        dx.grad(lambda z: z * z, holomorphic=True)(1.0)


def test_wrong_argnums():
    product = lambda x, y: x * y
    with raises(ValueError, "argnums=2", "2 positional", line="dx.grad"):
        dx.grad(product, argnums=2)(1.0, 2.0)
    with raises(ValueError, "argnums=(0, -3)", "2 positional", line="dx.grad"):
        dx.grad(product, argnums=(0, -3))(1.0, 2.0)
    with raises(ValueError, "(0, -2)", "twice", line="dx.jacrev"):
        dx.jacrev(product, argnums=(0, -2))(1.0, 2.0)
    with raises(TypeError, "argnums", "integer", "'x'", line="dx.grad"):
        dx.grad(product, argnums="x")(1.0, 2.0)


def test_has_aux_without_a_pair():
    def loss(x):
        return x * x

    for transformation in (dx.grad, dx.value_and_grad, dx.jacfwd, dx.jacrev):
        with raises(TypeError, "loss", "has_aux=True", "pair", "f64[]", line="transformation(loss"):
            transformation(loss, has_aux=True)(1.0)
    with raises(TypeError, "loss", "has_aux=True", "pair", line="dx.vjp"):
        dx.vjp(loss, 1.0, has_aux=True)
    with raises(TypeError, "has_aux=True", "tuple of 3: f64[], f64[], f64[]", line="dx.grad"):
        dx.grad(lambda x: (x, x, x), has_aux=True)(1.0)


def test_a_result_that_is_no_array():
    def name(x):
        return "text"

    for transformation in (dx.grad, dx.vmap, dx.jacfwd, dx.jit, dx.make_jaxpr):
        with raises(
            TypeError, "name returned", "str 'text'", "arrays", line="transformation(name)"
        ):
            transformation(name)(array(1)[0] if transformation is not dx.vmap else array(1))
    for run in (lambda: dx.vjp(name, 1.0), lambda: dx.jvp(name, (1.0,), (1.0,))):
        with raises(TypeError, "name returned", "str 'text'", "arrays"):
            run()
    with raises(TypeError, "returned str 's' at ['b']", "arrays", line="dx.jit"):
        dx.jit(lambda x: {"a": x, "b": "s"})(1.0)


def test_an_argument_that_is_no_array():
    with raises(
        TypeError, "grad of <lambda>", "argument 0['k']", "str 'a'", "array", line="dx.grad"
    ):
        dx.grad(lambda t: t["k"])({"k": "a"})
    with raises(TypeError, "vmap of <lambda>", "argument 0", "str 'a'", line="dx.vmap"):
        dx.vmap(lambda x: x)("a")
    with raises(TypeError, "vjp", "argument 0", "str 'a'", line="dx.vjp"):
        dx.vjp(lambda x: x, "a")
    with raises(TypeError, "jacfwd", "argument 0", "str 'a'", line="dx.jacfwd"):
        dx.jacfwd(lambda x: x)("a")
    with raises(TypeError, "taylor", "str 'a'", line="dx.taylor"):
        dx.taylor(lambda x: x, ("a",), (1.0,), 2)


# --------------------------------------------------------------------------------------------------
# Tangents and cotangents


def test_tangents_of_another_structure():
    f = lambda t: t["a"]
    with raises(TypeError, "tangents", "['a']", "'b'", line="dx.jvp"):
        dx.jvp(f, ({"a": 1.0},), ({"b": 1.0},))
    with raises(TypeError, "tangents", "tuple of 1", "tuple of 0", line="dx.jvp"):
        dx.jvp(f, ({"a": 1.0},), ())
    with raises(TypeError, "primals must be a tuple", "float 1.0", line="dx.jvp"):
        dx.jvp(f, 1.0, 1.0)
    _, derivative = dx.linearize(f, {"a": 1.0})
    with raises(TypeError, "tangents", "'b'", line="derivative("):
        derivative({"b": 1.0})


def test_tangents_of_another_type():
    f = lambda x: x
    with raises(TypeError, "tangent at [0]", "f64[1]", "f64[2]", line="dx.jvp"):
        dx.jvp(f, (array(1),), (array(2),))
    with raises(TypeError, "tangent at [0]", "f64[1]", "float32[1]", line="dx.jvp"):
        dx.jvp(f, (array(1),), (np.ones(1, "float32"),))
    with raises(TypeError, "tangent at [0]", "np.zeros((), dx.float0)", "int 1", line="dx.jvp"):
        dx.jvp(f, (1,), (1,))
    _, derivative = dx.linearize(f, 1.0)
    with raises(TypeError, "tangent at [0]", "f64[]", "f64[1]", line="derivative("):
        derivative(array(1))
    with raises(TypeError, "direction", "f64[1]", "f64[]", line="dx.taylor"):
        dx.taylor(f, (1.0,), (array(1),), 2)


def test_cotangents():
    _, pullback = dx.vjp(lambda x: {"a": x, "b": x}, array(2))
    with raises(TypeError, "cotangent", "structure of the result", "'a', 'b'", line="pullback("):
        pullback(array(2))
    with raises(TypeError, "cotangent at ['b']", "f64[2]", "f64[3]", line="pullback("):
        pullback({"a": array(2), "b": array(3)})
    with raises(TypeError, "cotangent at ['b']", "f64[2]", "str 'one'", line="pullback("):
        pullback({"a": array(2), "b": "one"})
    transposed = dx.linear_transpose(lambda x: 2 * x, array(2))
    with raises(TypeError, "cotangent", "f64[2]", "f64[3]", line="transposed("):
        transposed(array(3))


def test_transpose_of_a_function_that_is_not_linear():
    with raises(TypeError, "linear_transpose", "square", "not linear", "sin"):

        def square(x):
            return dnp.sin(x)

        dx.linear_transpose(square, 1.0)(1.0)
    with raises(TypeError, "linear_transpose", "i64[]", line="dx.linear_transpose"):
        dx.linear_transpose(lambda x: 2.0 * x, 1)


def test_taylor_arguments():
    f = lambda x: x * x
    with raises(ValueError, "order", ">= 0", "-1", line="dx.taylor"):
        dx.taylor(f, (1.0,), (1.0,), -1)
    with raises(ValueError, "order", "1.5", line="dx.derivatives"):
        dx.derivatives(f, 1.0, 1.5)
    with raises(TypeError, "floating-point", "i64[]", line="dx.derivatives"):
        dx.derivatives(f, 1, 3)
    with raises(TypeError, "one number", "(2,)", "vmap", line="dx.derivatives"):
        dx.derivatives(f, array(2), 3)


# --------------------------------------------------------------------------------------------------
# vmap


def test_vmap_sizes_that_differ():
    with raises(
        ValueError,
        "argument 0 = f64[3,2]",
        "size 3",
        "argument 1['b'] = f64[4]",
        "size 4",
        "in_axes",
        line="dx.vmap",
    ):
        dx.vmap(lambda x, t: x)(array(3, 2), {"b": array(4)})
    with raises(ValueError, "argument 0 = f64[3]", "axis_size=4", line="dx.vmap"):
        dx.vmap(lambda x: x, axis_size=4)(array(3))


def test_vmap_axis_that_is_not_there():
    with raises(ValueError, "argument 0", "f64[2]", "no axis 1", "None", line="dx.vmap"):
        dx.vmap(lambda x: x, in_axes=1)(array(2))
    with raises(ValueError, "keyword argument k", "f64[]", "no axis 0", line="dx.vmap"):
        dx.vmap(lambda x, k: x)(array(2), k=1.0)
    with raises(ValueError, "out_axes is 2", "1 axes", line="dx.vmap"):
        dx.vmap(lambda x: x, out_axes=2)(array(2))
    with raises(ValueError, "out_axes is None", "integer", line="dx.vmap"):
        dx.vmap(lambda x: x, out_axes=None)(array(2))


def test_vmap_axes_that_do_not_fit_the_arguments():
    with raises(ValueError, "in_axes has 2 entries", "1 positional", line="dx.vmap"):
        dx.vmap(lambda x: x, in_axes=(0, 0))(array(2))
    with raises(ValueError, "in_axes", "'a'", "prefix", line="dx.vmap"):
        dx.vmap(lambda x: x, in_axes=({"a": 0},))(array(2))
    with raises(ValueError, "out_axes", "prefix", line="dx.vmap"):
        dx.vmap(lambda x: x, out_axes=(0, 0))(array(2))
    with raises(ValueError, "nothing is mapped", "axis_size", line="dx.vmap"):
        dx.vmap(lambda x: x, in_axes=None)(array(2))


# --------------------------------------------------------------------------------------------------
# jit


def test_static_argument_without_a_hash():
    with raises(ValueError, "static argument 1", "list [1]", "no hash", "tuple", line="dx.jit"):
        dx.jit(lambda x, n: x, static_argnums=1)(1.0, [1])
    with raises(ValueError, "static argument 'n'", "dict", "no hash", line="dx.jit"):
        dx.jit(lambda x, n: x, static_argnames="n")(1.0, n={})
    with raises(ValueError, "static argument 'n'", "f64[2]", "ordinary argument", line="dx.jit"):
        dx.jit(lambda x, n: x, static_argnames="n")(1.0, n=array(2))


def test_static_argument_that_is_not_there():
    with raises(ValueError, "static_argnums", "3", "['x']", line="dx.jit"):
        dx.jit(lambda x: x, static_argnums=3)
    with raises(ValueError, "static_argnames", "'q'", "['x']", line="dx.jit"):
        dx.jit(lambda x: x, static_argnames="q")


def test_jit_of_other_things_than_arrays():
    with raises(TypeError, "argument 0", "str 'fast'", "static_argnames", line="dx.jit"):
        dx.jit(lambda x: x)("fast")
    with raises(TypeError, "keyword argument k['a']", "object", "static", line="dx.jit"):
        dx.jit(lambda k: k)(k={"a": object()})
    with raises(TypeError, "eval_shape", "argument 0", "str 's'", line="dx.eval_shape"):
        dx.eval_shape(lambda x: x, "s")


def test_compiled_for_other_arguments():
    compiled = dx.jit(lambda x: x).lower(1.0).compile()
    with raises(TypeError, "f64[]", "f64[1]", "jit", line="compiled(array(1))"):
        compiled(array(1))
    with raises(TypeError, "structure", "a leaf", "'a'", line="compiled("):
        compiled({"a": 1.0})


@pytest.mark.parametrize(
    "name", ["grad", "value_and_grad", "jit", "vmap", "jacfwd", "jacrev", "make_jaxpr"]
)
def test_not_a_function(name):
    transformation = getattr(dx, name)
    with raises(TypeError, name, "function", "int 3", line="transformation(3)"):
        transformation(3)


@pytest.mark.parametrize(
    "name", ["vjp", "linearize", "linear_transpose", "eval_shape", "hvp", "hessian"]
)
def test_not_a_function_either(name):
    transformation = getattr(dx, name)
    arguments = () if name == "hessian" else ((1.0,), (1.0,)) if name == "hvp" else (1.0,)
    with raises(TypeError, name, "function", "int 3", line="transformation(3"):
        transformation(3, *arguments)
