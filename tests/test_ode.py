"""diffeo.experimental.ode: beside SciPy and jax; derivatives beside closed forms, differences."""

import numpy as np
import pytest
import scipy.integrate

import diffeo as dx
from diffeo.experimental.ode import odeint
from tests.checks import close, raises

dnp = dx.numpy
TIMES = np.array([0.0, 0.4, 1.5])


def pendulum(np, y, t, length, g):
    return {"angle": y["speed"], "speed": -g / length * np.sin(y["angle"]) - 0.1 * t * y["speed"]}


ARGUMENTS = ({"angle": 0.3, "speed": np.array(-0.5)}, TIMES, 1.3, 9.8)


def test_against_scipy():
    """Under jit and vmap, where rows take different numbers of steps."""
    f = lambda y, t, rate: -rate * (y - dnp.cos(t))
    solve = dx.jit(dx.vmap(lambda y, rate: odeint(f, y, TIMES, rate), (0, 0)))
    starts, rates = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([1.0, 40.0])
    found = solve(starts, rates)
    for i in range(2):
        plain = lambda y, t, rate: -rate * (y - np.cos(t))
        expected = scipy.integrate.odeint(plain, starts[i], TIMES, (rates[i],), rtol=1e-10)
        close(found[i], expected, 1e-6, 1e-7)


def test_forward_and_times():
    """By y0, by what is closed over, and by the times: for y' = r y all is known."""

    def solution(y0, rate, times):
        return odeint(lambda y, t: rate * y, y0, times)

    y0, rate = 2.0, -0.7
    exact = lambda y0, rate, times: y0 * dnp.exp(rate * (times - times[0]))
    moves = (0.3, 0.4, np.array([0.1, -0.2, 0.5]))
    found = dx.jvp(solution, (y0, rate, TIMES), moves)
    close(found, dx.jvp(exact, (y0, rate, TIMES), moves), 1e-6, 1e-7)


def test_bad_input():
    f = lambda y, t: -y
    with raises(TypeError, "vector of floating-point", "int64[3]", line="odeint(f"):
        odeint(f, 1.0, np.arange(3))
    with raises(ValueError, "must ascend", line="odeint(f"):
        odeint(f, 1.0, np.array([1.0, 0.0]))
    with raises(ValueError, "no time at all", line="odeint(f"):
        odeint(f, 1.0, np.array([]))
    with raises(TypeError, "y0 must be of floating-point", line="odeint(f"):
        odeint(f, 1, TIMES)
    with raises(TypeError, "args must be arrays", "str", line="odeint("):
        odeint(lambda y, t, name: y, 1.0, TIMES, "name")
    with raises(TypeError, "a tree of arrays like y0", line="odeint("):
        odeint(lambda y, t: (y, y), 1.0, TIMES)
    with raises(TypeError, "a tree of arrays like y0", "(2,)", line="odeint("):
        odeint(lambda y, t: np.ones(2) * y, 1.0, TIMES)
    with raises(TypeError, "make y0 complex", line="odeint("):
        odeint(lambda y, t: 1j * y, 1.0, TIMES)


# --------------------------------------------------------------------------------------------------
# What takes long to compile


@pytest.mark.exhaustive
def test_values_and_gradients_are_jaxs(jax):
    from jax.experimental.ode import odeint as theirs

    ours = lambda *args: odeint(lambda *a: pendulum(dnp, *a), *args)
    expected = lambda *args: theirs(lambda *a: pendulum(jax.numpy, *a), *args)
    plain = dx.tree.map(np.asarray, ARGUMENTS)
    arrays = jax.tree.map(jax.numpy.asarray, plain)
    numbers = lambda x: dx.tree.map(np.asarray, x)
    close(numbers(ours(*plain)), numbers(expected(*arrays)), 1e-11)
    cost = lambda solve: lambda *args: (solve(*args)["angle"] ** 2).sum()
    found = dx.grad(cost(ours), (0, 1, 2, 3))(*plain)
    gradient = jax.grad(cost(expected), (0, 1, 2, 3))(*arrays)
    close(numbers(found), numbers(gradient), 1e-9, 1e-10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_second_derivatives_of_any_nesting(wrap):
    solution = lambda r: odeint(lambda y, t: r * y * (1 - y), 0.1, TIMES)[-1]
    exact = lambda r: 1 / (1 + 9 * np.exp(-r * TIMES[-1]))
    h, r = 1e-3, 1.2
    second = (exact(r + h) - 2 * exact(r) + exact(r - h)) / h**2
    first = (exact(r + h) - exact(r - h)) / (2 * h)
    for outer in (dx.jacfwd, dx.jacrev):
        close(wrap(outer(solution))(r), np.asarray(first), 1e-5)
        for inner in (dx.jacfwd, dx.jacrev):
            close(wrap(outer(inner(solution)))(r), np.asarray(second), 1e-4)


@pytest.mark.exhaustive
def test_complex_states_integers_and_reverse_under_vmap():
    f = lambda y, t, n, a: -1j * a * y * (n + t)
    exact = lambda a: np.exp(-1j * a * (2 * TIMES + TIMES**2 / 2))
    solve = lambda a: odeint(f, 1.0 + 0j, TIMES, 2, a)
    close(solve(0.5), exact(0.5), 1e-6)
    cost = lambda a: (solve(a).real ** 2).sum()
    rows = np.array([0.3, 1.0, 2.0])
    h = 1e-5
    plain = lambda a: (exact(a).real ** 2).sum()
    expected = np.array([(plain(a + h) - plain(a - h)) / (2 * h) for a in rows])
    close(dx.vmap(dx.grad(cost))(rows), expected, 1e-4, 1e-6)


@pytest.mark.exhaustive
def test_what_is_not_reached_is_nan():
    f = lambda y, t: -30 * y
    found = odeint(f, 1.0, TIMES, mxstep=3)
    assert float(found[0]) == 1.0 and np.isnan(found[1:]).all()
    descending = dx.jit(lambda times: odeint(f, 1.0, times))(np.array([0.0, 1.0, 0.5]))
    assert np.isnan(descending[2]) and not np.isnan(descending[1])
    close(odeint(f, 1.0, np.zeros(2)), np.ones(2))
    bump = lambda y, t: dnp.where((t > 5) & (t < 5.5), 1.0, 0.0)
    close(odeint(bump, 0.0, np.array([0.0, 10.0]), hmax=0.2)[-1], np.asarray(0.5), 1e-4)


@pytest.mark.exhaustive
def test_half_the_bits(jax):
    with dx.enable_x64(False):
        found = odeint(lambda y, t: -y, np.float32(1.0), TIMES.astype("f4"), rtol=1e-5, atol=1e-5)
    close(found, np.exp(-TIMES).astype("f4"), 1e-4)
