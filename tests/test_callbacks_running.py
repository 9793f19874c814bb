"""Callbacks at work: what they raise, what they call in turn, threads, and how long they live."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.engine.run import run_program
from diffeo.lowering import executables
from diffeo.lowering.compiler import cache_info
from diffeo.lowering.host_calls import HostCalls
from diffeo.operations.callbacks import HostFunction, PureCallback
from diffeo.primitives.types import ShapedArray
from tests.checks import raises

f64 = dx.ShapeDtypeStruct((), "float64")


class Trouble(Exception):
    """What callbacks raise here."""


def pick(x: np.ndarray) -> np.ndarray:
    """`x`, or trouble if it is above 2; with a cause, as users' exceptions may have."""
    if x > 2:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise Trouble("above two", x.item()) from error
    return x


def pure(x: Any) -> Any:
    return dx.pure_callback(pick, f64, x, vmap_method="sequential")


def with_io(x: Any) -> Any:
    return dx.io_callback(pick, f64, x)


def with_debug(x: Any) -> Any:
    dx.debug.callback(pick, x)
    return x


WAYS: dict[str, Callable] = {
    "eager": lambda f: f,
    "jit": dx.jit,
    "vmap": lambda f: lambda x: dx.vmap(f)(dx.numpy.stack([x, x])),
    "jit of vmap": lambda f: dx.jit(lambda x: dx.vmap(f)(dx.numpy.stack([x, x]))),
    "compiled ahead": lambda f: dx.jit(f).lower(dx.numpy.array(1.0)).compile(),
    "under a transformation": lambda f: lambda x: dx.vmap(lambda _: dx.jit(f)(x))(np.arange(2.0)),
}


@pytest.mark.parametrize("fun", [pure, with_io, with_debug])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_it_raises_comes_as_it_is(way, fun):
    f = way(fun)
    small, large = dx.numpy.array(1.0), dx.numpy.array(3.0)
    for _ in range(2):  # the first call and the fast path
        assert np.all(np.asarray(f(small)) == 1.0)
        with pytest.raises(Trouble) as caught:
            f(large)
        error = caught.value
        assert error.args == ("above two", 3.0)
        assert type(error.__cause__) is KeyError and error.__context__ is error.__cause__
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert frames[-1] == "pick"
    assert np.all(np.asarray(f(small)) == 1.0)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopIteration, MemoryError])
def test_every_kind_of_exception_is_the_same_object(kind):
    error = kind("stop")

    def host(x):
        raise error

    f = dx.jit(lambda x: dx.pure_callback(host, f64, x))
    for _ in range(2):
        with pytest.raises(kind) as caught:
            f(1.0)
        assert caught.value is error


def test_the_program_stops_where_it_fails():
    log = []

    @dx.jit
    def f(x):
        dx.debug.callback(lambda v: log.append("before"), x)
        dx.debug.callback(pick, x)
        dx.debug.callback(lambda v: log.append("after"), x)

    with pytest.raises(Trouble):
        f(3.0)
    assert log == ["before"]
    f(1.0)
    assert log == ["before", "before", "after"]


def test_errors_while_operands_are_still_computed():
    slow = dx.jit(lambda a: dx.numpy.sum(a @ a @ a) * 0 + 3.0)
    a = dx.numpy.ones((400, 400))
    f = dx.jit(pure)
    for _ in range(3):
        with pytest.raises(Trouble):
            f(slow(a))
        assert float(f(slow(a) - 2)) == 1.0


def test_calls_are_on_the_thread_of_the_caller():
    slow = dx.jit(lambda a: dx.numpy.sum(a @ a @ a))
    threads = []
    look = lambda v: threads.append(threading.get_ident())
    dx.jit(lambda x: dx.debug.callback(look, x))(slow(dx.numpy.ones((400, 400))))
    assert threads == [threading.get_ident()]


def test_a_traced_value_in_a_callback_has_leaked():
    f = dx.jit(lambda x: dx.pure_callback(lambda: x + 1, f64))
    with raises(dx.errors.UnexpectedTracerError, "a traced value leaked"):
        f(1.0)


# --------------------------------------------------------------------------------------------------
# Callbacks that use diffeo


def newton(x: np.ndarray) -> Any:
    """The square root of x, by derivatives of diffeo, in eager mode and compiled."""
    f = lambda y: y * y - dx.numpy.asarray(x)
    step = dx.jit(lambda y: y - f(y) / dx.grad(f)(y))
    y = dx.numpy.asarray(x)
    for _ in range(30):
        y = step(y)
    return y - f(y) / dx.grad(f)(y)


@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: f,
        dx.jit,
        lambda f: dx.vmap(f, axis_size=1, in_axes=None, out_axes=None),
        lambda f: lambda x: dx.linearize(lambda y: f(x) * y, 1.0)[0],
        lambda f: lambda x: dx.linearize(lambda y: dx.jit(f)(x) * y, 1.0)[0],
        lambda f: dx.jit(lambda x: dx.pure_callback(dx.jit(f), f64, x)),
        lambda f: lambda x: dx.pure_callback(dx.jit(f), f64, x),
    ],
)
def test_callbacks_may_use_everything(transformed):
    f = transformed(lambda x: dx.pure_callback(newton, f64, x))
    for x in (2.0, 3.0):
        np.testing.assert_allclose(f(dx.numpy.array(x)), np.sqrt(x), rtol=1e-14)


def test_a_callback_may_call_the_function_that_calls_it():
    @dx.jit
    def factorial(n):
        smaller = lambda n: factorial(n - 1) if n > 1 else np.float64(1)
        return n * dx.pure_callback(smaller, f64, n)

    assert float(factorial(10.0)) == 3628800.0


def test_threads():
    big = dx.jit(lambda a: dx.numpy.tanh(a @ a))
    inner = dx.jit(lambda a: dx.pure_callback(big, dx.ShapeDtypeStruct(a.shape, a.dtype), a))

    @dx.jit
    def outer(a, limit):
        dx.debug.callback(lambda v: pick(v), limit)
        shape = dx.ShapeDtypeStruct(a.shape, a.dtype)
        return dx.pure_callback(inner, shape, a) + dx.pure_callback(inner, shape, 2 * a)

    a = dx.numpy.asarray(np.random.default_rng(0).normal(size=(200, 200)) / 200)
    expected = np.tanh(np.asarray(a) @ a) + np.tanh(4 * np.asarray(a) @ a)
    found: list = []

    def work(number: int) -> None:
        for _ in range(5):
            try:
                found.append((number, np.abs(np.asarray(outer(a, float(number))) - expected).max()))
            except Trouble as error:
                found.append((number, error))

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "callbacks wait for each other"
    assert len(found) == 30
    for number, result in found:
        if number > 2:
            assert type(result) is Trouble and result.args[1] == number
        else:
            assert result < 1e-12


# --------------------------------------------------------------------------------------------------
# Identity and life


def test_equal_texts_with_other_functions_are_other_programs():
    made = [dx.jit(lambda x, n=n: dx.pure_callback(lambda v: v + n, f64, x)) for n in range(3)]
    texts = {f.lower(1.0).as_text() for f in made}
    assert len(texts) == 1
    assert [float(f(1.0)) for f in made] == [1.0, 2.0, 3.0]


def test_programs_with_callbacks_are_not_kept_by_the_cache():
    before = cache_info()
    dx.jit(pure)(1.0)
    assert cache_info() == before


class Machine:
    """A function that leads to the program that calls it."""

    def __init__(self) -> None:
        self.run = dx.jit(self.compute)

    def host(self, x: np.ndarray) -> np.ndarray:
        return x + 1

    def compute(self, x: Any) -> Any:
        dx.debug.callback(self.host, x)
        return dx.pure_callback(self.host, f64, x, vmap_method="sequential")


def test_functions_live_as_long_as_their_programs():
    machine = Machine()
    alive = weakref.ref(machine)
    assert float(machine.run(1.0)) == 2.0
    run = machine.run
    del machine
    gc.collect()
    assert float(run(2.0)) == 3.0
    assert dx.vmap(run)(np.arange(2.0)).tolist() == [1.0, 2.0]
    assert dx.jit(dx.vmap(run))(np.arange(2.0)).tolist() == [1.0, 2.0]
    with pytest.raises(NotImplementedError):
        dx.grad(run)(1.0)
    del run
    gc.collect()
    assert alive() is None


def test_errors_that_nobody_asks_for_are_forgotten():
    def host():
        raise Trouble

    calls = HostCalls([host])
    [enter] = calls.entries()
    for _ in range(1000):
        with pytest.raises(Exception, match="of a Python function failed"):
            enter()
    assert len(calls._errors) <= 64


# --------------------------------------------------------------------------------------------------
# The primitives by themselves

REAL = ShapedArray((), np.dtype("float64"))


def test_a_primitive_checks_the_number_of_results():
    primitive = PureCallback(HostFunction(lambda x: [x, x], "twice"), (REAL,))
    with pytest.raises(TypeError, match="pure_callback of twice: expected 1 results, got 2"):
        primitive.bind(dx.numpy.array(1.0))


def test_a_program_that_xla_refuses():
    text = "module { func.func public @main() -> tensor<f64> { nonsense } }"
    with pytest.raises(executables.CompilationError, match="nonsense"):
        executables.compile_module(text, [], [REAL], functions=[lambda: ()])


@dataclass(frozen=True, eq=False, repr=False)
class Repeat(dx.Primitive):
    """Count to n in a loop of the machine, with effects before, in and after it."""

    effects = ("debug",)
    n: int
    log: Any

    def note(self, tag: str, i: Any) -> None:
        dx.debug.callback(lambda i: self.log.append((tag, i.item())), i)

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        return x

    def lower(self, ctx: Any, x: Any) -> Any:
        def going(i: Any) -> Any:
            self.note("test", i)
            return i < float(self.n)

        def step(i: Any) -> list:
            self.note("in", i)
            i = dx.jit(lambda i: self.note("called", i) or i + 1)(i)
            self.note("out", i)
            return [i]

        ctx.inline(lambda x: self.note("before", x) or x, x)
        [x] = ctx.while_loop(going, step, [x])
        ctx.inline(lambda x: self.note("after", x) or x, x)
        return x


def test_effects_in_a_loop_happen_in_its_order():
    log: list = []
    repeat = Repeat(5, log)
    f = dx.jit(lambda x: repeat.bind(repeat.bind(x) - 3))
    expected: list = []
    for start in (0, 2):
        expected.append(("before", start))
        for i in range(start, 5):
            expected += [("test", i), ("in", i), ("called", i), ("out", i + 1)]
        expected += [("test", 5), ("after", 5)]
    for _ in range(3):
        log.clear()
        assert float(f(dx.numpy.array(0.0))) == 5.0
        assert log == expected


def test_evaluation_of_a_program_compiles_it_once():
    log: list = []
    jaxpr = dx.make_jaxpr(lambda x: dx.debug.callback(lambda v: log.append(v.item()), x))(1.0)
    for x in (1.0, 2.0):
        run_program(jaxpr, [dx.numpy.array(x)])
    dx.eval_jaxpr(jaxpr, [dx.numpy.array(3.0)])
    assert log == [1.0, 2.0, 3.0]
