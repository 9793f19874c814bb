"""Copies and pickles: of traced values, of transformed functions, and of what holds them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest

import diffeo as dx


def double(x):
    """Twice."""
    return x * 2.0


@dx.jit
def decorated(x):
    return x * 2.0


@dx.checkpoint
def kept(x):
    return x * 2.0


class Method:
    scale = 3.0

    @dx.jit
    def jitted(self, x):
        return x * 2.0

    def __call__(self, x):
        return x * 2.0


@dx.custom_jvp
def ruled(x):
    return x * 2.0


ruled.defjvp(lambda p, t: (p[0] * 2.0, t[0] * 2.0))

FUNCTIONS = {
    "jit": dx.jit(double),
    "jit, decorated": decorated,
    "jit with options": dx.jit(double, donate_argnums=(), inline=True),
    "jit of jit": dx.jit(decorated),
    "grad": dx.grad(double),
    "value_and_grad": dx.value_and_grad(double),
    "grad of grad": dx.grad(dx.grad(double)),
    "jit of grad": dx.jit(dx.grad(double)),
    "grad of jit": dx.grad(decorated),
    "vmap": dx.vmap(double, axis_size=2, in_axes=None, out_axes=None),
    "checkpoint": dx.checkpoint(double),
    "checkpoint, decorated": kept,
    "checkpoint with a policy": dx.checkpoint(
        double, policy=dx.checkpoint_policies.everything_saveable
    ),
    "jacfwd": dx.jacfwd(double),
    "jacrev": dx.jacrev(double),
    "hessian": dx.hessian(double),
    "a jitted method": Method.jitted,
    "custom_jvp": ruled,
    "Partial": dx.tree.Partial(np.multiply, 2.0),
}
WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a list": lambda x: copy.deepcopy([x, {"a": x}])[1]["a"],
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "old pickle": lambda x: pickle.loads(pickle.dumps(x, 2)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_transformed_functions(name: str, way: str):
    f = FUNCTIONS[name]
    args = (None, 1.5) if "method" in name else (1.5,)
    before = dx.tree.map(np.asarray, f(*args))
    made = WAYS[way](f)
    for g in (made, f):
        for _ in range(3):
            found = dx.tree.map(np.asarray, g(*args))
            assert dx.tree.leaves(found) == dx.tree.leaves(before)
    if "pickle" not in way and name != "Partial":
        assert made is f
    if "decorated" in name or "method" in name:
        assert made is f
    if name not in ("Partial", "custom_jvp", "a jitted method"):
        assert inspect.signature(made) == inspect.signature(f)
        assert made.__name__ == f.__name__ and made.__doc__ == f.__doc__


def test_what_pickle_cannot_do_it_says():
    for f in (dx.jit(lambda x: x), dx.grad(lambda x: x)):
        assert copy.deepcopy(f)(2.0) == f(2.0)
        with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
            pickle.dumps(f)
    for stage in (decorated.trace(1.0), decorated.lower(1.0), decorated.lower(1.0).compile()):
        assert copy.deepcopy(stage) is stage
        with pytest.raises(TypeError, match="Pickle the function"):
            pickle.dumps(stage)


@dx.tree.register_dataclass
@dataclasses.dataclass
class Model:
    weight: object
    activation: object = dx.tree.static(default=double)

    def __call__(self, x):
        return self.activation(self.weight * x)


@dataclasses.dataclass
class Trainer:
    step: object
    slope: object
    key: object
    models: list


@pytest.mark.parametrize("way", WAYS)
def test_models(way: str):
    for activation in (double, decorated, FUNCTIONS["grad"]):
        model = Model(dx.numpy.ones(()), activation)
        trainer = Trainer(decorated, FUNCTIONS["grad"], dx.random.key(0), [model, model])
        made = WAYS[way](trainer)
        assert made.step(3.0) == 6.0 and made.slope(3.0) == 2.0
        assert made.models[0](2.0) == model(2.0) and made.models[0].weight == 1.0
        if activation is not FUNCTIONS["grad"] or "pickle" not in way:
            assert dx.tree.structure(made.models[0]) == dx.tree.structure(model)
        assert dx.random.normal(made.key) == dx.random.normal(trainer.key)


@pytest.mark.parametrize("way", WAYS)
def test_programs(way: str):
    program = dx.make_jaxpr(lambda x: dx.lax.fori_loop(0, 3, lambda i, y: y * x, 1.0))(2.0)
    made = WAYS[way](program)
    assert made(2.0) == program(2.0) == [8.0]


RUNS = {
    "jit": lambda f: dx.jit(f)(2.0),
    "grad": lambda f: dx.grad(f)(2.0),
    "jit of grad": lambda f: dx.jit(dx.grad(f))(2.0),
    "vmap": lambda f: dx.vmap(f)(np.ones(2)),
    "jvp": lambda f: dx.jvp(f, (1.0,), (1.0,)),
    "Taylor": lambda f: dx.derivatives(f, 1.0, 2),
    "grad of grad": lambda f: dx.grad(dx.grad(f))(1.0),
    "scan": lambda f: dx.lax.scan(lambda c, x: (f(c), x), 1.0, np.ones(2)),
    "linearize": lambda f: dx.linearize(f, 1.0)[0],
}


@pytest.mark.parametrize("run", RUNS)
def test_traced_values(run: str):
    def f(x, copied=lambda y: y):
        state = {"a": [x * x], "b": Model(x)}
        state = copied(state)
        return state["a"][0] * state["b"](3.0)

    expected = RUNS[run](f)
    for way in ("copy", "deepcopy"):
        found = RUNS[run](lambda x, way=way: f(x, WAYS[way]))
        for a, b in zip(dx.tree.leaves(found), dx.tree.leaves(expected)):
            assert a.tolist() == b.tolist()
    with pytest.raises(dx.errors.ConcretizationTypeError, match="cannot be pickled"):
        RUNS[run](lambda x: f(x, WAYS["pickle"]))
