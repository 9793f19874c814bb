"""jit: when it traces, what may be static, closures, stages, threads."""

import functools
import threading
from typing import NamedTuple

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

dnp = dx.numpy


class Layer(NamedTuple):
    weights: object
    bias: object


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, fun):
        self.fun, self.count = fun, 0
        functools.update_wrapper(self, fun)

    def __call__(self, *args, **kwargs):
        self.count += 1
        return self.fun(*args, **kwargs)


def test_retracing():
    counted = Counted(lambda x: x * 2)
    f = dx.jit(counted)
    for x in (np.ones(3), np.zeros(3), dnp.ones(3)):
        f(x)
    assert counted.count == 1
    f(np.ones(4))
    f(np.ones(3, "float32"))
    assert counted.count == 3
    f(1.0)
    f(2.0)
    assert counted.count == 4
    f(1)
    f(np.float64(1.0))  # not weak
    assert counted.count == 6
    with dx.config.defaults(32):
        assert f(1.0).dtype == np.float32
    assert f(1.0).dtype == np.float64 and counted.count == 7
    f.clear_cache()
    f(1.0)
    assert counted.count == 8


def test_retracing_by_structure():
    counted = Counted(lambda t: dx.tree.leaves(t)[0])
    f = dx.jit(counted)
    f({"a": 1.0}), f({"a": 2.0}), f({"b": 1.0}), f([1.0]), f((1.0,))
    assert counted.count == 4


def test_tracing_does_not_happen_again_under_transformations():
    counted = Counted(lambda x: np.sin(x) * x)
    f = dx.jit(counted)
    f(1.0)
    dx.grad(f)(1.0)
    dx.jvp(f, (1.0,), (1.0,))
    assert counted.count == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"static_argnums": 1},
        {"static_argnames": "n"},
        {"static_argnums": (1,), "static_argnames": ("n",)},
        {"static_argnums": -1},
    ],
)
def test_static_arguments(arguments):
    def power(x, n):
        assert type(n) is int
        return x**n

    counted = Counted(power)
    f = dx.jit(counted, **arguments)
    assert (f(3.0, 2), f(2.0, 2), f(3.0, 3)) == (9.0, 4.0, 27.0)
    assert counted.count == 2
    assert f(2.0, n=3) == 8.0
    assert dx.grad(f)(3.0, 2) == 6.0
    close(dx.vmap(lambda x: f(x, 2))(np.arange(3.0)), np.arange(3.0) ** 2)


def test_static_arguments_of_equal_value_and_other_type():
    f = dx.jit(lambda x, n: x * n, static_argnums=1)
    assert f(3, 2).dtype == np.int64 and f(3, 2.0).dtype == np.float64
    g = dx.jit(lambda x, flag: x if flag is True else -x, static_argnums=1)
    assert (g(1.0, 1), g(1.0, True)) == (-1.0, 1.0)


def test_jit_as_a_decorator():
    @dx.jit(static_argnames=("mode",))
    def f(x, mode="double"):
        return 2 * x if mode == "double" else x

    assert (f(1.0), f(1.0, mode="single"), f(1.0, "single")) == (2.0, 1.0, 1.0)


def test_jit_of_a_method():
    class Model:
        def __init__(self, factor):
            self.factor = factor

        @functools.partial(dx.jit, static_argnums=0)
        def scale(self, x):
            return self.factor * x

        @staticmethod
        @dx.jit
        def double(x):
            return 2 * x

    a, b = Model(2.0), Model(3.0)
    assert (a.scale(5.0), b.scale(5.0), a.scale(1.0), a.double(4.0)) == (10.0, 15.0, 2.0, 8.0)
    assert dx.grad(a.scale)(1.0) == 2.0


def test_jit_of_structures():
    f = dx.jit(lambda t, *rest, **named: {"t": t, "rest": rest, "named": named, "none": None})
    found = f(Layer(1.0, [2.0]), 3, k=True)
    assert type(found["t"]) is Layer and found["none"] is None
    close(found["named"], {"k": np.array(True)})
    assert found["rest"][0].dtype == np.int64
    assert dx.jit(lambda: (1, 2.5))() == (1, 2.5)
    assert dx.jit(lambda x: None)(1.0) is None


def test_results_that_are_arguments_or_constants():
    constant = rng(3)
    x, y, c, again = dx.jit(lambda x: (x, x, constant, constant))(np.ones(2))
    close((x, y, c, again), (np.ones(2), np.ones(2), constant, constant))


def test_numpy_arguments_are_copied():
    x = np.ones(3)
    y = dx.jit(lambda x: x)(x)
    x[:] = 5
    close(y, np.ones(3))
    eager = dnp.asarray(np.ones(3))
    with pytest.raises(ValueError):
        np.asarray(eager)[0] = 2.0


def test_closures_over_tracers_inside_jit():
    def f(x):
        g = dx.jit(lambda y: y * x)
        return g(2.0) + g(3.0)

    assert (f(4.0), dx.grad(f)(4.0), dx.jit(f)(4.0)) == (20.0, 5.0, 20.0)
    close(dx.vmap(f)(np.arange(3.0)), 5 * np.arange(3.0))
    assert dx.jit(dx.grad(f))(4.0) == 5.0
    assert dx.derivatives(f, 4.0, 2) == [20.0, 5.0, 0.0]


def test_a_closed_over_tracer_is_not_cached():
    store = []
    inner_function = dx.jit(lambda y: y * store[-1])

    def f(x):
        store.append(x)
        return inner_function(2.0)

    assert (dx.grad(f)(3.0), dx.grad(f)(4.0)) == (2.0, 2.0)
    assert (dx.jit(f)(3.0), dx.jvp(f, (5.0,), (1.0,))) == (6.0, (10.0, 2.0))


def test_grad_of_jit_of_grad():
    f = lambda x: np.sin(x) * x**3
    third = dx.grad(dx.grad(dx.grad(f)))
    tower = dx.jit(dx.grad(dx.jit(dx.grad(dx.jit(dx.grad(dx.jit(f)))))))
    assert float(tower(0.7)) == pytest.approx(float(third(0.7)), rel=1e-12)
    assert float(third(0.7)) == pytest.approx(float(dx.derivatives(f, 0.7, 3)[3]), rel=1e-12)
    assert float(dx.derivatives(dx.jit(f), 0.7, 3)[3]) == pytest.approx(
        float(third(0.7)), rel=1e-12
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_jit_of_trees_under_everything(order):
    f = dx.jit(lambda t: {"y": np.sin(t["x"]) * t["x"]})
    g = lambda x: f({"x": x})["y"]
    expected = dx.derivatives(lambda x: np.sin(x) * x, 0.7, order)[order]
    found = g
    for _ in range(order):
        found = dx.grad(found)
    assert float(found(0.7)) == pytest.approx(float(expected), rel=1e-12)
    forward = lambda h: lambda x: dx.jvp(h, (x,), (1.0,))[1]
    found = g
    for _ in range(order):
        found = forward(found)
    assert float(found(0.7)) == pytest.approx(float(expected), rel=1e-12)
    close(dx.vmap(found)(np.full(2, 0.7)), np.full(2, float(expected)))


def test_stages():
    f = dx.jit(lambda x, y: {"out": np.dot(x, y)})
    lowered = f.lower(dx.ShapeDtypeStruct((2, 3), "float32"), dx.ShapeDtypeStruct((3,), "float32"))
    assert "dot_general" in lowered.as_text()
    compiled = lowered.compile()
    x, y = rng(2, 3).astype("float32"), rng(3).astype("float32")
    close(compiled(x, y), {"out": x @ y}, rtol=1e-5)
    assert compiled.cost_analysis()["flops"] > 0 and "dot" in compiled.as_text()
    assert f.trace(x, y).jaxpr.out_avals == [dx.ShapedArray((2,), "float32")]
    assert all(stage.seconds >= 0 for stage in (f.trace(x, y), lowered, compiled))


# --------------------------------------------------------------------------------------------------
# Threads


def test_threads_trace_compile_and_call_at_once():
    shared = dx.jit(lambda x, w: np.tanh(np.dot(w, x)))
    start, errors, results = threading.Barrier(8), [], {}

    def work(seed):
        try:
            start.wait()
            for n in (3, 4):
                w, x = rng(n, n), rng(n, seed=seed)
                own = dx.jit(lambda x, w=w: np.sum(np.sin(np.dot(w, x)) * (seed + 1)))
                results[seed, n] = (
                    shared(x, w),
                    dx.grad(lambda x, w=w: np.sum(shared(x, w)))(x),
                    own(x),
                    dx.jit(dx.grad(own))(x),
                    dx.vmap(own)(np.stack([x, x])),
                    dx.derivatives(np.exp, 0.0, 5),
                )
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    for (seed, n), (y, gradient, own, own_gradient, rows, series) in results.items():
        w, x = rng(n, n), rng(n, seed=seed)
        expected = np.tanh(w @ x)
        close(y, expected)
        close(gradient, w.T @ (1 - expected**2))
        close(own, np.sum(np.sin(w @ x)) * (seed + 1))
        close(own_gradient, w.T @ np.cos(w @ x) * (seed + 1))
        close(rows, np.full(2, np.sum(np.sin(w @ x)) * (seed + 1)))
        assert [float(d) for d in series] == pytest.approx([1.0] * 6)


def test_signed_zeros_are_different_static_arguments():
    f = dx.jit(lambda x, zero: x * zero, static_argnums=1)
    assert not np.signbit(float(f(1.0, 0.0))) and np.signbit(float(f(1.0, -0.0)))
