"""Callbacks: values, batches, derivatives and order, in eager mode and compiled; against jax."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from tests.checks import raises

f64 = dx.ShapeDtypeStruct((), "float64")


def shaped(*shape: int, dtype: Any = "float64") -> dx.ShapeDtypeStruct:
    return dx.ShapeDtypeStruct(shape, dtype)


def sine(x: np.ndarray) -> np.ndarray:
    return np.sin(x)


def like(fun: Any, x: Any, **options: Any) -> Any:
    """`fun` of the host, whose result has the type of `x`."""
    return dx.pure_callback(fun, dx.ShapeDtypeStruct(x.shape, x.dtype), x, **options)


EAGER_AND_JIT = pytest.mark.parametrize("compiled", [lambda f: f, dx.jit], ids=["eager", "jit"])


def printed(fun: Any, *args: Any) -> list[str]:
    """The lines that a call prints."""
    with redirect_stdout(io.StringIO()) as text:
        fun(*args)
    return text.getvalue().splitlines()


# --------------------------------------------------------------------------------------------------
# Values


@EAGER_AND_JIT
def test_trees_in_and_out(compiled):
    def host(a, pair, *, scale):
        assert all([type(v) is np.ndarray and not v.flags.writeable for v in (a, *pair, scale)])
        return {"sum": a + pair[0] * scale, "count": (np.int32(a.size), pair[1])}

    @compiled
    def f(a, b, n):
        out = {"sum": shaped(3), "count": (shaped(dtype="int32"), shaped(2, dtype=bool))}
        return dx.pure_callback(host, out, a, (b, n), scale=2)

    found = f(np.arange(3.0), 10.0, np.array([True, False]))
    assert found["sum"].tolist() == [20.0, 21.0, 22.0]
    assert found["count"][0].dtype == np.int32 and int(found["count"][0]) == 3
    assert found["count"][1].tolist() == [True, False]
    assert type(found["sum"]) is dx.Array


@EAGER_AND_JIT
@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint64", "float32", "complex128", "bfloat16", "float8_e5m2", "int4"],
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 1, 3)], ids=str)
def test_every_kind_of_array_goes_in_and_out(compiled, dtype, shape):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = dx.numpy.array((np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype))
    seen = []
    out = compiled(lambda x: like(lambda a: seen.append(a) or a, x))(x)
    assert out.dtype == dtype
    np.testing.assert_array_equal(np.asarray(out), np.asarray(x))
    assert seen or not x.size  # XLA knows that there is nothing to compute
    for array in seen:
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, np.asarray(x))


@EAGER_AND_JIT
def test_results_are_the_functions_whatever_their_strides(compiled):
    x = np.arange(12.0).reshape(3, 4)
    f = compiled(lambda x: dx.pure_callback(lambda a: a[::2, ::-1].T, shaped(4, 2), x))
    np.testing.assert_array_equal(np.asarray(f(x)), x[::2, ::-1].T)


@EAGER_AND_JIT
def test_results_do_not_change_with_what_the_function_wrote_them_to(compiled):
    scratch = np.zeros(2)

    def host(x):
        scratch[:] = x
        return scratch

    f = compiled(lambda x: like(host, x))
    first, second = f(np.array([1.0, 2.0])), f(np.array([3.0, 4.0]))
    assert (first.tolist(), second.tolist()) == ([1.0, 2.0], [3.0, 4.0])


def test_operands_may_be_kept():
    kept = []

    @dx.jit
    def f(x):
        y = dx.numpy.sin(x)
        return dx.numpy.exp(like(lambda a: kept.append(a) or a, y))

    for k in range(5):
        f(np.full(100, float(k)))
    for k, array in enumerate(kept):
        np.testing.assert_allclose(array, np.sin(k))


@EAGER_AND_JIT
def test_a_python_number_may_be_the_result(compiled):
    out = compiled(lambda: dx.pure_callback(lambda: (1, True, 2.5), (f64, f64, f64)))()
    assert [float(o) for o in out] == [1.0, 1.0, 2.5]
    with raises(TypeError, "be i64[]", "got float 2.5"):
        compiled(lambda: dx.pure_callback(lambda: 2.5, shaped(dtype="int64")))()


WRONG = [
    (lambda x: x.astype("float32"), "f64[3], got numpy array float32[3]"),
    (lambda x: x[:2], "f64[3], got numpy array float64[2]"),
    (lambda x: x[None], "got numpy array float64[1, 3]"),
    (lambda x: (x, x), "structure", "tuple"),
    (lambda x: None, "structure"),
    (lambda x: "abc", "got str 'abc'"),
]


@EAGER_AND_JIT
@pytest.mark.parametrize("case", WRONG, ids=range(len(WRONG)))
def test_wrong_results_are_refused(compiled, case):
    host, *fragments = case

    def f(x):
        return like(host, x)

    with raises(TypeError, "pure_callback of <lambda>", *fragments, line="pure_callback"):
        compiled(f)(np.arange(3.0))


@EAGER_AND_JIT
def test_a_wrong_result_is_named(compiled):
    f = compiled(lambda x: dx.io_callback(lambda x: {"a": x, "b": [x, x[0]]}, expected, x))
    expected = {"a": shaped(3), "b": [shaped(3), shaped(1)]}
    with raises(TypeError, "io_callback of <lambda>: the result at ['b'][1] is", "f64[1]"):
        f(np.arange(3.0))


def test_wrong_calls_are_refused():
    with raises(TypeError, "pure_callback expects a function, got int 3"):
        dx.pure_callback(3, f64)
    with raises(TypeError, "debug.callback expects a function"):
        dx.debug.callback("print")
    with raises(TypeError, "pure_callback of sine", "argument 1['b']", "'no'"):
        dx.pure_callback(sine, f64, 1.0, {"b": "no"})
    with raises(TypeError, "io_callback of sine", "keyword argument b"):
        dx.io_callback(sine, f64, 1.0, b=object())
    with raises(TypeError, "pure_callback of sine", "result_shape_dtypes", "ShapeDtypeStruct"):
        dx.pure_callback(sine, float, 1.0)
    with raises(ValueError, "pure_callback of sine", "'sequential'", "got 'rows'"):
        dx.pure_callback(sine, f64, 1.0, vmap_method="rows")
    with raises(NotImplementedError, "pure_callback of sine", "sharding='cpu'"):
        dx.pure_callback(sine, f64, 1.0, sharding="cpu")


@EAGER_AND_JIT
def test_a_reduction_does_not_call_python(compiled):
    def add(a, b):
        dx.debug.print("{} {}", a, b)
        return a + b

    with raises(TypeError, "reduce: the computation may contain neither", "callbacks"):
        compiled(lambda x: dx.lax.reduce(x, 0.0, add, (0,)))(np.arange(3.0))


# --------------------------------------------------------------------------------------------------
# vmap

METHODS = ["sequential", "sequential_unrolled", "expand_dims", "broadcast_all", "legacy_vectorized"]


def batches(lib: Any, method: str, seen: list) -> Any:
    def host(x, y):
        seen.append((np.shape(x), np.shape(y)))
        total = np.asarray(x) * 2 + np.asarray(y).sum(-1)
        return (total, total > 1)

    def f(x, y):
        out = lib.ShapeDtypeStruct((), "float64"), lib.ShapeDtypeStruct((), bool)
        return lib.pure_callback(host, out, x, y, vmap_method=method)

    return f


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 1)], ids=str)
@EAGER_AND_JIT
def test_vmap_as_in_jax(jax, method, axes, compiled):
    x = np.arange(4.0) if axes[0] == 0 else np.float64(3.0)
    y = np.arange(12.0).reshape((4, 3) if axes[1] == 0 else (3, 4))
    y = y[:, 0] if axes[1] is None else y
    ours, theirs = [], []
    found = compiled(dx.vmap(batches(dx, method, ours), axes))(x, y)
    expected = jax.vmap(batches(jax, method, theirs), axes)(x, y)
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
        assert a.dtype == b.dtype
    assert ours == theirs


@pytest.mark.parametrize("method", METHODS[:4])
@EAGER_AND_JIT
def test_vmap_of_vmap(method, compiled):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    f = lambda x: like(sine, x, vmap_method=method)
    found = compiled(dx.vmap(dx.vmap(f, 1, 1)))(x)
    np.testing.assert_array_equal(np.asarray(found), np.sin(x))


@given(st.integers(0, 4), st.integers(0, 2), st.sampled_from(METHODS[:4]), st.booleans())
def test_any_axis_of_any_size(size, axis, method, jit):
    shape = [2, 3]
    shape.insert(axis, size)
    x = np.random.default_rng(size).normal(size=shape)
    f = dx.vmap(lambda x: like(sine, x, vmap_method=method), axis, axis)
    np.testing.assert_array_equal(np.asarray((dx.jit(f) if jit else f)(x)), np.sin(x))


def test_vmap_needs_a_method():
    with raises(NotImplementedError, "vmap of pure_callback of sine", "'sequential'"):
        dx.vmap(lambda x: like(sine, x))(np.arange(3.0))


def test_what_is_not_mapped_is_called_once():
    count = []
    host = lambda x: count.append(1) or x
    f = lambda x, y: like(host, dx.numpy.asarray(y)) + x
    assert dx.vmap(f, (0, None))(np.arange(3.0), 1.0).tolist() == [1.0, 2.0, 3.0]
    assert len(count) == 1


@EAGER_AND_JIT
def test_vmap_of_io(compiled):
    log = []

    def f(x, ordered):
        return dx.io_callback(lambda v: log.append(float(v)) or len(log), f64, x, ordered=ordered)

    assert compiled(dx.vmap(lambda x: f(x, False)))(np.arange(3.0)).tolist() == [1.0, 2.0, 3.0]
    assert log == [0.0, 1.0, 2.0]
    with raises(ValueError, "vmap of io_callback of <lambda>", "ordered=True"):
        dx.vmap(lambda x: f(x, True))(np.arange(3.0))


# --------------------------------------------------------------------------------------------------
# Derivatives


@EAGER_AND_JIT
@pytest.mark.parametrize("by", [dx.grad, dx.jacfwd, lambda f: lambda x: dx.derivatives(f, x, 1)])
def test_no_derivative(compiled, by):
    with raises(NotImplementedError, "pure_callback of sine has no derivative", "custom_jvp"):
        by(compiled(lambda x: like(sine, x)))(dx.numpy.array(1.0))


@EAGER_AND_JIT
def test_constants_and_integers_have_none(compiled):
    step = lambda x: np.asarray(x > 1, "int64")

    @compiled
    def f(x):
        y = like(sine, dx.lax.stop_gradient(x)) + dx.pure_callback(step, shaped(dtype="int64"), x)
        return x * y

    x = dx.numpy.array(2.0)
    np.testing.assert_allclose(dx.grad(f)(x), np.sin(2.0) + 1)
    np.testing.assert_allclose(dx.derivatives(f, x, 2)[1], np.sin(2.0) + 1)


@EAGER_AND_JIT
def test_effects_under_derivatives_happen_once(compiled):
    log = []

    @compiled
    def f(x):
        y = dx.numpy.sin(x)
        dx.debug.callback(lambda v, tag: log.append((tag, v.item())), y, "y")
        dx.io_callback(lambda v: log.append(("x", v.item())), None, x)
        return y * x

    expected = [("y", np.sin(2.0)), ("x", 2.0)]
    for transformed in (
        f, dx.grad(f), dx.grad(dx.grad(f)), dx.jit(dx.grad(f)), dx.jacfwd(f), dx.hessian(f),
        lambda x: dx.jvp(f, (x,), (1.0,)), lambda x: dx.linearize(f, x)[1](1.0),
        lambda x: dx.derivatives(f, x, 3),
    ):  # fmt: skip
        log.clear()
        transformed(2.0)
        assert log == expected


def test_tangents_can_be_looked_at():
    log = []
    look = lambda tag, v: dx.debug.callback(lambda v: log.append((tag, v.item())), v)

    def f(x):
        y, dy = dx.jvp(dx.numpy.sin, (x,), (1.0,))
        look("dy", dy)
        return y + dy

    dx.jit(dx.grad(f))(0.5)
    assert log == [("dy", np.cos(0.5))]


# --------------------------------------------------------------------------------------------------
# Effects


def test_dead_code():
    log = []

    @dx.jit
    def f(x):
        dx.pure_callback(lambda v: log.append("pure") or v, f64, x)
        dx.io_callback(lambda v: log.append("io") or v, f64, x)
        dx.debug.callback(lambda v: log.append("debug"), x)
        dx.jit(lambda x: dx.debug.callback(lambda v: log.append("in a call"), x))(x)
        return x

    f(1.0)
    assert log == ["io", "debug", "in a call"]
    assert f.trace(1.0).jaxpr.effects
    assert not dx.jit(lambda x: like(sine, x)).trace(1.0).jaxpr.effects


def test_a_program_with_no_results_and_no_operands():
    log = []
    f = dx.jit(lambda: dx.io_callback(lambda: log.append(1), None))
    assert f() is None and f() is None and log == [1, 1]


@given(st.lists(st.sampled_from(["debug", "io", "ordered", "call", "math"]), max_size=12))
def test_effects_happen_in_the_order_of_the_program(kinds):
    log: list = []
    note = lambda i: lambda v: log.append((i, v.item()))

    @dx.jit
    def inner(x, i):
        dx.debug.callback(lambda v, i: log.append((i.item(), v.item())), x, i)
        return x + 1

    def f(x):
        for i, kind in enumerate(kinds):
            if kind == "call":
                x = inner(x, i)
            elif kind == "math":
                x = dx.numpy.sum(dx.numpy.ones((300, 300)) @ dx.numpy.ones((300, 300))) * 0 + x
            elif kind == "debug":
                dx.debug.callback(note(i), x, ordered=True)
            else:
                dx.io_callback(note(i), None, x, ordered=kind == "ordered")
        return x

    f(0.0)
    expected, eager = [*log], log
    eager.clear()
    compiled = dx.jit(f)
    compiled(0.0)
    compiled(0.0)
    assert log == expected * 2


def test_every_row_of_a_batch_in_order():
    def f(x):
        dx.debug.print("a {}", x)
        dx.debug.print("b {x}, {y:.1f}", x=x, y=2.0)

    expected = ["a 0.0", "a 1.0", "b 0.0, 2.0", "b 1.0, 2.0"]
    assert printed(dx.vmap(f), np.arange(2.0)) == expected
    assert printed(dx.jit(dx.vmap(f)), np.arange(2.0)) == expected
    assert printed(dx.vmap(dx.jit(f)), np.arange(2.0)) == expected


# --------------------------------------------------------------------------------------------------
# debug


def test_print_as_in_jax(jax):
    def f(lib):
        def g(x, n):
            lib.debug.print("x = {}, n = {n}, {name}", x, n=n, name="text", ordered=True)
            lib.debug.print("{x[0]:.3f} {{}} {n:d}", x=x, n=n, ordered=True)
            lib.debug.print("a tree {t}", t=[n, {"b": n}], ordered=True)

        return g

    x = np.array([1.5, 2.25])
    ours = printed(f(dx), dx.numpy.array(x), 3)
    assert ours == printed(dx.jit(f(dx)), x, 3)
    assert ours[:2] == ["x = [1.5  2.25], n = 3, text", "1.500 {} 3"]
    theirs = printed(lambda: (jax.jit(f(jax))(x, 3), jax.effects_barrier()))
    assert ours[:2] == theirs[:2]
    assert ours[2] == "a tree [3, {'b': 3}]"


def test_print_says_what_is_wrong_with_the_format():
    def check(kind, *fragments, line):
        return raises(kind, "debug.print", *fragments, line=line)

    x = dx.numpy.array([1.0, 2.0])
    with check(ValueError, "does not use the values [0]", "f-string", line="no braces"):
        dx.jit(lambda x: dx.debug.print("no braces", x))(x)
    with check(ValueError, "does not use the values ['y']", line="y=x"):
        dx.debug.print("{}", x, y=x)
    with check(ValueError, "not given", "index", line="twice"):
        dx.debug.print("{} {}", x)  # twice
    with check(ValueError, "not given: 'y'", line="{y}"):
        dx.debug.print("{y}", x=x)
    with check(ValueError, "format", line=":.3f"):
        dx.jit(lambda x: dx.debug.print("{:.3f}", x))(x)
    with check(ValueError, "'d'", line="{:d}"):
        dx.debug.print("{:d}", x[0])
    with check(TypeError, "format", line="print(x)"):
        dx.debug.print(x)


def test_breakpoint(monkeypatch):
    frames = []
    monkeypatch.setattr("pdb.Pdb.set_trace", lambda self, frame: frames.append(frame))

    def f(x):
        local = 2 * x
        dx.debug.breakpoint()
        return local

    f(1.0)
    dx.grad(f)(1.0)
    dx.vmap(f)(np.arange(3.0))
    assert [frame.f_code for frame in frames] == [f.__code__] * 3
    assert [frame.f_locals["local"].shape for frame in frames[1:]] == [(), ()]
    with raises(dx.errors.ConcretizationTypeError, "debug.breakpoint: f is being traced"):
        dx.jit(f)(1.0)
    assert len(frames) == 3


def test_programs_show_their_callbacks():
    def f(x):
        dx.debug.print("{}", x)
        return like(sine, x)

    text = repr(dx.make_jaxpr(f)(dx.numpy.array(1.0)))
    assert "\n  debug_callback[callback=print('{}'), avals=()] a" in text
    assert "b:f64[] = pure_callback[callback=sine, avals=(f64[],)] a" in text


#: Functions whose derivative is zero: what they return is a constant to a callback.
STILL = {
    "stop_gradient": dx.lax.stop_gradient, "floor": dx.numpy.floor,
    "sign": dx.numpy.sign, "rint": dx.numpy.rint,
    "argmax": lambda v: 1.0 * dx.numpy.argmax(dx.numpy.stack([v, v + 1])),
    "comparison": lambda v: dx.numpy.where(v > 0, 1.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", STILL)
def test_callbacks_of_constants_inside_of_rules(name):
    def callback(v):
        like = dx.ShapeDtypeStruct(v.shape, v.dtype)
        return dx.pure_callback(lambda x: np.asarray(np.cos(x)), like, STILL[name](v))

    def plain(v):
        return dx.numpy.sin(callback(v) * v)

    function = dx.custom_vjp(plain)
    function.defvjp(
        lambda v: (plain(v), (callback(v), v)),
        lambda kept, ct: (ct * kept[0] * dx.numpy.cos(kept[0] * kept[1]),),
    )
    x = dx.numpy.array(0.6)
    c = np.cos(np.asarray(STILL[name](x)))
    slopes = [np.sin(c * 0.6), c * np.cos(c * 0.6), -(c**2) * np.sin(c * 0.6)]
    for f in (plain, function):
        np.testing.assert_allclose(dx.grad(f)(x), slopes[1], rtol=1e-12)
        np.testing.assert_allclose(dx.grad(dx.grad(f))(x), slopes[2], rtol=1e-12)
        np.testing.assert_allclose(dx.jit(dx.grad(dx.grad(f)))(x), slopes[2], rtol=1e-12)
        np.testing.assert_allclose(
            dx.jvp(dx.grad(f), (x,), (dx.numpy.array(1.0),))[1], slopes[2], rtol=1e-12
        )
        np.testing.assert_allclose(np.stack(dx.derivatives(f, x, 2)), np.stack(slopes), rtol=1e-12)
