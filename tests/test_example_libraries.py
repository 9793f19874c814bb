"""diffeo.example_libraries: optimisers and layers beside jax's, step for step and bit for bit."""

import numpy as np
import pytest

import diffeo as dx
from diffeo.example_libraries import optimizers, stax
from tests.checks import close, raises, rng

dnp = dx.numpy

OPTIMIZERS = {
    "sgd": (0.1,),
    "momentum": (0.1, 0.9),
    "nesterov": (0.1, 0.9),
    "adagrad": (0.1,),
    "rmsprop": (0.1,),
    "rmsprop_momentum": (0.1,),
    "adam": (0.1,),
    "adamax": (0.1,),
    "sm3": (0.1,),
}
SCHEDULES = {
    "constant": (0.1,),
    "exponential_decay": (0.1, 3, 0.5),
    "inverse_time_decay": (0.1, 3, 0.5),
    "inverse_time_decay of stairs": (0.1, 3, 0.5, True),
    "polynomial_decay": (0.1, 4, 0.01, 2.0),
    "piecewise_constant": ([2, 4], [1.0, 0.5, 0.1]),
    "make_schedule": (0.1,),
}


def parameters():
    return {"w": rng(3, 2), "b": (np.array(0.5),)}


def gradients(params):
    """Of a quartic; one of the numbers never moves."""
    found = dx.tree.map(lambda x: np.asarray(x) ** 3, params)
    found["w"][0, 0] = 0
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_as_jaxs(jax, name):
    from jax.example_libraries import optimizers as theirs

    states, results = [], []
    for library, jit in (
        (optimizers, lambda f: f),
        (theirs, jax.jit if name != "sm3" else lambda f: f),
    ):
        init, update, get_params = getattr(library, name)(*OPTIMIZERS[name])
        update = jit(update)
        state = init(parameters())
        for i in range(5):
            state = update(i, gradients(get_params(state)), state)
        states.append([np.asarray(x) for x in dx.tree.leaves([*state.packed_state])])
        results.append(dx.tree.map(np.asarray, get_params(state)))
    close(results[0], results[1], 1e-13, 1e-13)
    close(states[0], states[1], 1e-13, 1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_reach_the_minimum(name):
    """A few steps under jit and a loop, whose parameters have derivatives by the step size."""
    made = getattr(optimizers, name)

    def final(size, x, steps):
        init, update, get_params = made(size, *OPTIMIZERS[name][1:])
        loss = lambda x: (x["a"] ** 2).sum() / 2
        step = lambda i, state: update(i, dx.grad(loss)(get_params(state)), state)
        state = init(x)
        if name == "sm3":  # its state has a shape, which a loop would trace
            for i in range(steps):
                state = step(i, state)
        else:
            state = dx.lax.fori_loop(0, steps, step, state)
        return (get_params(state)["a"] ** 2).sum()

    x = {"a": dnp.asarray([1.0, -2.0])}
    size = 1.0 if name in ("adagrad", "sm3") else 0.1
    assert final(size, x, 120) < 0.05
    short = lambda size: final(size, x, 5)
    difference = (short(size + 1e-6) - short(size - 1e-6)) / 2e-6
    close(dx.grad(short)(size), np.asarray(difference), 1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(jax, name):
    from jax.example_libraries import optimizers as theirs

    ours, expected = (
        getattr(library, name.split()[0])(*SCHEDULES[name]) for library in (optimizers, theirs)
    )
    for i in range(7):
        close(float(ours(i)), float(expected(i)), 1e-7)
        close(float(dx.jit(ours)(i)), float(expected(i)), 1e-7)


def test_states_norms_and_clipping():
    state = optimizers.adam(0.1).init_fn(parameters())
    tree = optimizers.unpack_optimizer_state(state)
    assert [*tree["b"][0]] == [tree["b"][0].subtree]
    packed = optimizers.pack_optimizer_state(tree)
    close(packed, state)
    assert isinstance(packed, optimizers.OptimizerState)
    tree = {"a": rng(3), "b": [rng(2)]}
    norm = float(np.sqrt(sum((x**2).sum() for x in dx.tree.leaves(tree))))
    close(float(optimizers.l2_norm(tree)), norm)
    close(optimizers.clip_grads(tree, 2 * norm), tree)
    close(optimizers.clip_grads(tree, norm / 2), dx.tree.map(lambda x: x / 2, tree))


LAYERS = {
    "BatchNorm without": (lambda s: s.BatchNorm((0, 2), center=False), (2, 3, 4)),
    "BatchNorm of one": (lambda s: s.BatchNorm(0, scale=False), (6, 3)),
    "MaxPool": (lambda s: s.MaxPool((2, 3), (2, 1)), (2, 5, 6, 3)),
    "AvgPool": (lambda s: s.AvgPool((2, 2), padding="SAME", spec="NCHW"), (2, 3, 5, 6)),
    "AvgPool of others": (lambda s: s.AvgPool((2, 3), spec="WHCN"), (5, 6, 3, 2)),
    "network": (
        lambda s: s.serial(
            s.GeneralConv(("NCHW", "OIHW", "NHWC"), 3, (2, 2), (1, 2), "SAME"),
            s.BatchNorm(),
            s.Relu,
            s.ConvTranspose(2, (2, 3), (2, 1)),
            s.SumPool((2, 2)),
            s.Flatten,
            s.shape_dependent(lambda shape: s.Dense(shape[0])),
            s.FanOut(2),
            s.parallel(s.Identity, s.Dropout(0.5)),
            s.FanInConcat(),
            s.FanOut(2),
            s.FanInSum,
        ),
        (2, 1, 3, 4),
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.exhaustive] * (n == "network")) for n in LAYERS]
)
def test_layers_are_jaxs(jax, name):
    """Parameters are jax's, but for the rounding of the function that makes normal numbers."""
    from jax.example_libraries import stax as theirs

    make, shape = LAYERS[name]
    found, x = [], rng(*shape).astype(np.float32)
    for library, random, compiled in ((stax, dx.random, dx.jit), (theirs, jax.random, jax.jit)):
        init, apply = make(library)
        with dx.enable_x64(False), jax.enable_x64(False):
            out_shape, params = init(random.key(3), shape)
            y = compiled(apply)(params, x, rng=random.key(4))
        assert tuple(out_shape) == y.shape
        found.append((dx.tree.map(np.asarray, params), np.asarray(y)))
    (ours, y), (expected, z) = found
    close(ours, expected, 5e-7, 0)
    close(y, z, 2e-6, 2e-6)


@pytest.mark.parametrize("name", ["Tanh", "Exp", "LogSoftmax", "Softmax", "Selu", "Gelu", "Relu"])
def test_layers_of_functions(name):
    x, (init, apply) = rng(2, 3), getattr(stax, name)
    assert init(None, (2, 3)) == ((2, 3), ())
    function = getattr(dx.nn, {"LogSoftmax": "log_softmax"}.get(name, name.lower()), None)
    close(apply((), x, rng=None), (function or getattr(dnp, name.lower()))(x))
    assert stax.Identity[1]((), x) is x


def test_a_network_learns():
    init, apply = stax.serial(stax.Dense(8), stax.Tanh, stax.Dense(1))
    x = np.linspace(-1, 1, 20)[:, None]
    start, update, get_params = optimizers.adam(0.05)
    loss = lambda params: ((apply(params, x) - x**2) ** 2).mean()
    step = lambda i, state: update(i, dx.grad(loss)(get_params(state)), state)
    state = start(init(dx.random.key(0), (20, 1))[1])
    state = dx.jit(lambda state: dx.lax.fori_loop(0, 300, step, state))(state)
    assert loss(get_params(state)) < 1e-3


def test_bad_input():
    init, update, _ = optimizers.sgd(0.1)
    state = init({"a": 1.0})
    with raises(TypeError, "a tree like the parameters", "at ['a']", line="update(0"):
        update(0, {"b": 1.0}, state)
    growing = optimizers.optimizer(lambda: (lambda x: x, lambda i, g, s: (s, g), lambda s: s))()
    with raises(TypeError, "a state of the structure", "a tuple of 2", line="update_fn("):
        growing.update_fn(0, 1.0, growing.init_fn(2.0))
    with raises(TypeError, "a scalar or a function", "float64[2]", line="sgd("):
        optimizers.sgd(np.ones(2))
    with raises(ValueError, "n boundaries and n + 1 values", line="piecewise"):
        optimizers.piecewise_constant([1], [0.1])
    with raises(TypeError, "a tree of JoinPoint", "float", line="pack_optimizer_state("):
        optimizers.pack_optimizer_state({"a": 1.0})
    with raises(ValueError, "rng=key", line="Dropout("):
        stax.Dropout(0.5)[1]((), np.ones(2))
