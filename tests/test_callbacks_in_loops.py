"""Callbacks in loops and conditionals: called as often, and in the order, as the program says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import diffeo as dx
from tests.checks import raises

f64 = dx.ShapeDtypeStruct((), "float64")
EAGER_AND_JIT = pytest.mark.parametrize("compiled", [lambda f: f, dx.jit], ids=["eager", "jit"])


class Log(list):
    """What callbacks have noted."""

    def note(self, tag: str, *values: Any) -> None:
        dx.debug.callback(lambda *vs: self.append((tag, *[v.item() for v in vs])), *values)

    def of(self, fun: Any, *args: Any) -> list:
        """What a call notes."""
        self.clear()
        fun(*args)
        return list(self)


def numbers(tag: str, *values: float) -> list:
    return [(tag, value) for value in values]


@EAGER_AND_JIT
def test_fori_loop(compiled):
    log = Log()

    def step(i, x):
        log.note("first", i)
        log.note("second", x)
        return x * 2

    def f(x):
        log.note("before", x)
        x = dx.lax.fori_loop(0, 3, step, x)
        log.note("after", x)
        return x

    expected = numbers("before", 1.0)
    for i in range(3):
        expected += [("first", i), ("second", 2.0**i)]
    expected += numbers("after", 8.0)
    f = compiled(f)
    assert log.of(f, 1.0) == expected
    assert log.of(f, 1.0) == expected


@EAGER_AND_JIT
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(compiled, reverse):
    log = Log()

    def step(total, x):
        y = dx.io_callback(lambda v: log.append(("io", v.item())) or 10 * v, f64, x)
        log.note("step", total)
        return total + x, y

    f = compiled(lambda xs: dx.lax.scan(step, 0.0, xs, reverse=reverse))
    xs = np.array([1.0, 2.0, 3.0])
    total, ys = f(xs)
    assert float(total) == 6.0 and ys.tolist() == [10.0, 20.0, 30.0]
    order = xs[::-1] if reverse else xs
    totals = np.concatenate([[0.0], np.cumsum(order)[:-1]])
    expected = [pair for x, t in zip(order, totals) for pair in (("io", x), ("step", t))]
    assert log == expected
    assert log.of(f, xs) == expected


@EAGER_AND_JIT
def test_while_loop(compiled):
    log = Log()

    def going(x):
        log.note("test", x)
        return x < 4

    def step(x):
        log.note("in", x)
        return 2 * x

    f = compiled(lambda x: dx.lax.while_loop(going, step, x))
    expected = [("test", 1.0), ("in", 1.0), ("test", 2.0), ("in", 2.0), ("test", 4.0)]
    assert log.of(f, 1.0) == expected


@EAGER_AND_JIT
def test_cond_calls_the_branch_that_is_taken(compiled):
    log = Log()

    def branch(tag):
        def taken(x):
            log.note(tag, x)
            return x + 1

        return taken

    def f(x):
        log.note("before", x)
        x = dx.lax.cond(x > 0, branch("positive"), branch("negative"), x)
        log.note("between", x)
        x = dx.lax.switch((x > 5).astype("int32"), [branch("small"), branch("large")], x)
        log.note("after", x)

    f = compiled(f)
    tags = lambda x: [tag for tag, _ in log.of(f, x)]
    assert tags(1.0) == ["before", "positive", "between", "small", "after"]
    assert tags(-1.0) == ["before", "negative", "between", "small", "after"]
    assert tags(9.0) == ["before", "positive", "between", "large", "after"]


def nested(log: Log) -> Any:
    """Every kind of control flow in another, with effects on every level."""

    def inner(i, x):
        log.note("loop", i, x)

        def big(x):
            log.note("big", x)
            return x - 1

        x = dx.lax.cond(x > 3, big, lambda x: x + 1, x)
        dx.jit(lambda x: log.note("call", x))(x)
        return x

    def step(x, y):
        log.note("scan", x)
        x = dx.lax.fori_loop(0, 2, inner, x + y)
        x = dx.lax.while_loop(lambda x: x > 4, lambda x: log.note("while", x) or x - 2, x)
        return x, x

    def f(x):
        x, ys = dx.lax.scan(step, x, dx.numpy.arange(3.0))
        log.note("end", x)
        return dx.numpy.sum(ys) + x

    return f


def by_python(x: float) -> list:
    """What `nested` notes, by loops of Python."""
    log: list = []
    for y in range(3):
        log.append(("scan", x))
        x += y
        for i in range(2):
            log.append(("loop", i, x))
            if x > 3:
                log.append(("big", x))
                x -= 1
            else:
                x += 1
            log.append(("call", x))
        while x > 4:
            log.append(("while", x))
            x -= 2
    return [*log, ("end", x)]


@EAGER_AND_JIT
@pytest.mark.parametrize("start", [0.0, 2.0, 7.0])
def test_nested(compiled, start):
    log = Log()
    f = compiled(nested(log))
    for _ in range(2):
        assert log.of(f, start) == by_python(start)


@EAGER_AND_JIT
def test_derivatives_see_each_value_once(compiled):
    log = Log()

    def step(x, _):
        x = dx.numpy.sin(x)
        log.note("x", x)
        return x, x

    def f(x):
        x, ys = dx.lax.scan(step, x, None, length=3)
        log.note("end", x)
        return x * dx.numpy.sum(ys)

    f = compiled(f)
    x, expected = 1.0, []
    for _ in range(3):
        x = np.sin(x)
        expected.append(("x", x))
    expected.append(("end", x))
    for transformed in (f, dx.grad(f), dx.jacfwd(f), dx.jit(dx.grad(f)), dx.grad(dx.grad(f))):
        found = log.of(transformed, 1.0)
        assert [tag for tag, _ in found] == [tag for tag, _ in expected]
        np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], rtol=1e-15)


@EAGER_AND_JIT
def test_effects_of_a_loop_whose_results_are_not_needed(compiled):
    log = Log()

    def f(x):
        dx.lax.fori_loop(0, 3, lambda i, x: log.note("i", i) or x, x)
        dx.lax.cond(x > 0, lambda: log.note("yes"), lambda: log.note("no"))
        return x

    assert log.of(compiled(f), 1.0) == [*numbers("i", 0, 1, 2), ("yes",)]


@EAGER_AND_JIT
def test_rows_of_a_batch(compiled):
    log = Log()

    def step(i, x):
        log.note("x", x)
        return x + 1

    f = compiled(dx.vmap(lambda x: dx.lax.fori_loop(0, 2, step, x)))
    assert log.of(f, np.array([0.0, 10.0])) == numbers("x", 0.0, 10.0, 1.0, 11.0)


@EAGER_AND_JIT
@pytest.mark.parametrize("method", ["sequential", "expand_dims"])
def test_pure_callbacks_in_a_loop(compiled, method):
    def step(i, x):
        return dx.pure_callback(lambda i, x: np.sin(x) + i, f64, i, x, vmap_method=method)

    f = lambda x: dx.lax.fori_loop(0, 3, step, x)
    expected = lambda x: np.sin(np.sin(np.sin(x)) + 1) + 2
    np.testing.assert_allclose(compiled(f)(0.5), expected(0.5), rtol=1e-15)
    xs = np.array([0.5, 1.0])
    np.testing.assert_allclose(compiled(dx.vmap(f))(xs), expected(xs), rtol=1e-15)


class Trouble(Exception):
    pass


@EAGER_AND_JIT
def test_a_loop_ends_with_the_exception(compiled):
    log = Log()
    error = Trouble("at three")

    def look(i):
        log.append(i.item())
        if i == 3:
            raise error

    f = compiled(lambda n: dx.lax.fori_loop(0, n, lambda i, x: dx.debug.callback(look, i) or x, 0))
    for _ in range(2):
        log.clear()
        with pytest.raises(Trouble) as caught:
            f(6)
        assert caught.value is error
        assert log == [0, 1, 2, 3]
    assert log.of(f, 2) == [0, 1]


# --------------------------------------------------------------------------------------------------
# Reverse mode and batches


@EAGER_AND_JIT
@pytest.mark.parametrize("options", [{}, {"checkpoints": 4}], ids=str)
def test_reverse_mode_calls_each_callback_once(compiled, options):
    log = Log()

    def step(x, y):
        log.note("constant")
        log.note("step", x)
        x = dx.lax.cond(x > 0.5, lambda x: log.note("cond") or dx.numpy.sin(x), lambda x: x, x)
        dx.io_callback(lambda v: log.append(("io", v.item())), None, x)
        return x, y * x

    def f(x):
        x, ys = dx.lax.scan(step, x, np.arange(5.0), **options)
        return x + dx.numpy.sum(ys)

    f = compiled(f)
    expected = log.of(f, 1.0)
    assert [entry[0] for entry in expected] == ["constant", "step", "cond", "io"] * 5
    tags = [entry[0] for entry in expected]
    for transformed in (dx.grad(f), dx.jit(dx.grad(f)), dx.jacrev(dx.grad(f))):
        found = log.of(transformed, 1.0)
        assert [entry[0] for entry in found] == tags
        np.testing.assert_allclose(
            [entry[1] for entry in found if len(entry) == 2],
            [entry[1] for entry in expected if len(entry) == 2],
            rtol=1e-14,
        )


@EAGER_AND_JIT
def test_reverse_mode_of_a_while_loop_calls_each_callback_once(compiled):
    log = Log()

    def step(x):
        log.note("x", x)
        return x * x

    f = compiled(lambda x: dx.lax.while_loop(lambda x: x < 100.0, step, x))
    expected = numbers("x", 2.0, 4.0, 16.0)
    assert log.of(f, 2.0) == expected
    assert log.of(dx.grad(f), 2.0) == expected
    np.testing.assert_allclose(dx.grad(f)(2.0), 8 * 2.0**7)
    assert log.of(dx.jit(dx.grad(f)), 2.0) == expected


def test_what_must_not_be_called_again_is_not():
    def step(x):
        return x * dx.io_callback(lambda x: np.int64(2), dx.ShapeDtypeStruct((), "int64"), x)

    f = lambda x: dx.lax.while_loop(lambda x: x < 100.0, step, x)
    assert float(f(1.0)) == 128.0
    with raises(NotImplementedError, "computes its steps again", "io_callback"):
        dx.grad(f)(1.0)

    def going(x):
        return dx.io_callback(lambda x: x < 100, dx.ShapeDtypeStruct((), bool), x)

    h = lambda x: dx.lax.while_loop(going, lambda x: 2 * x, x)
    assert float(h(1.0)) == 128.0
    with raises(NotImplementedError, "computes its steps again", "io_callback"):
        dx.grad(h)(1.0)
    g = lambda x: dx.lax.scan(lambda x, _: (step(x), None), x, None, length=3)[0]
    assert float(dx.grad(g)(1.0)) == 8.0


@EAGER_AND_JIT
def test_what_a_checkpoint_computes_again_has_no_effects(compiled):
    log = Log()

    @dx.checkpoint
    def block(x):
        log.note("x", x)
        two = dx.io_callback(lambda x: log.append("io") or np.float64(2), f64, dx.numpy.sin(x) > 0)
        x = dx.jit(lambda x: log.note("called", x) or dx.numpy.sin(x * two))(x)
        return dx.lax.fori_loop(0, 2, lambda i, x: log.note("i", i) or dx.numpy.sin(x), x)

    f = compiled(lambda x: block(block(x)))
    tags = lambda fun: [entry[0] for entry in log.of(fun, 1.0)]
    expected = ["x", "i", "called", "i", "i"] * 2
    assert tags(f) == expected
    for transformed in (dx.grad(f), dx.jit(dx.grad(f)), dx.grad(dx.grad(f))):
        assert tags(transformed) == expected
    plain = lambda x: dx.numpy.sin(dx.numpy.sin(dx.numpy.sin(2 * x)))
    np.testing.assert_allclose(dx.grad(f)(1.0), dx.grad(lambda x: plain(plain(x)))(1.0))


@EAGER_AND_JIT
def test_rows_that_choose_for_themselves(compiled):
    log = Log()
    f = lambda x: dx.lax.cond(x > 0, lambda x: log.note("a", x) or x, lambda x: -x, x)
    x = np.array([1.0, -2.0])
    assert log.of(compiled(dx.vmap(f)), x) == numbers("a", 1.0, -2.0)  # all branches, as in jax

    def act(x):
        return dx.io_callback(lambda x: x, f64, x)

    choice = lambda x: dx.lax.cond(x > 0, act, lambda x: x, x)
    loop = lambda x: dx.lax.while_loop(lambda x: x < 5, lambda x: act(x) + 1, x)
    for fun, name in ((choice, "cond"), (loop, "while")):
        assert float(fun(1.0)) in (1.0, 5.0)
        with raises(NotImplementedError, f"{name} with an io_callback inside", "vmap of"):
            compiled(dx.vmap(fun))(x)
