"""Optimisers as triples of functions, with JAX's names: `(init, update, get_params)`.

`init(params)` makes the state of an optimiser for a tree of parameters, `update(i, grads, state)`
does step number i, and `get_params(state)` returns the parameters. All three go through `jit`,
loops and derivatives. A step size is a number or a schedule, a function of the number of the step.

Examples:
    >>> import diffeo as dx
    >>> from diffeo.example_libraries import optimizers
    >>> loss = lambda p: dx.numpy.sum((p["w"] - 3.0) ** 2)
    >>> init, update, get_params = optimizers.adam(0.1)
    >>> step = dx.jit(lambda i, s: update(i, dx.grad(loss)(get_params(s)), s))
    >>> state = init({"w": dx.numpy.zeros(2)})
    >>> for i in range(300):
    ...     state = step(i, state)
    >>> get_params(state)["w"].round(2)
    Array([3., 3.])
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import numpy as dnp
from ..primitives.core import with_user_line
from ..trees import tree
from ..trees.difference import first_difference
from ..trees.tree import leaves as leaves_of
from .schedules import (
    Schedule,
    Step,
    constant,
    exponential_decay,
    inverse_time_decay,
    make_schedule,
    piecewise_constant,
    polynomial_decay,
)

__all__ = [
    "JoinPoint", "Optimizer", "OptimizerState", "Schedule", "Step", "adagrad", "adam", "adamax",
    "clip_grads", "constant", "exponential_decay", "inverse_time_decay", "l2_norm",
    "make_schedule", "momentum", "nesterov", "optimizer", "pack_optimizer_state",
    "piecewise_constant", "polynomial_decay", "rmsprop", "rmsprop_momentum", "sgd", "sm3",
    "unpack_optimizer_state",
]  # fmt: skip


class OptimizerState(NamedTuple):
    """The state of an optimiser, a container of arrays.

    Attributes:
        packed_state: for each parameter, the leaves of its state.
        tree_def: the structure of the tree of parameters.
        subtree_defs: for each parameter, the structure of its state.
    """

    packed_state: tuple
    tree_def: Any
    subtree_defs: tuple


tree.register_pytree_node(
    OptimizerState,
    lambda s: ((s.packed_state,), (s.tree_def, s.subtree_defs)),
    lambda defs, children: OptimizerState(children[0], *defs),
)


class Optimizer(NamedTuple):
    """An optimiser: three functions.

    Attributes:
        init_fn: from the parameters to the state.
        update_fn: from the number of the step, the gradients and the state to the next state.
        params_fn: from the state to the parameters.
    """

    init_fn: Callable[[Any], OptimizerState]
    update_fn: Callable[[Any, Any, OptimizerState], OptimizerState]
    params_fn: Callable[[OptimizerState], Any]


def optimizer(opt_maker: Callable[..., Any]) -> Callable[..., Optimizer]:
    """Lift a maker of an optimiser for one array to one for trees of arrays.

    Args:
        opt_maker: a function that returns `(init, update, get_params)`: `init(x)` makes the state,
            any tree, for an array; `update(i, g, state)` and `get_params(state)` are as above.

    Returns:
        A function with the same arguments that returns an `Optimizer`. Its `update_fn` raises a
        TypeError if the gradients are not a tree like the parameters, or if `update` returns a
        state of another structure.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> @optimizers.optimizer
        ... def halving():
        ...     update = lambda i, g, s: (s[0] - s[1] * g, s[1] / 2)
        ...     return lambda x: (x, 1.0), update, lambda s: s[0]
        >>> init, update, get_params = halving()
        >>> get_params(update(1, {"a": 1.0}, update(0, {"a": 1.0}, init({"a": 5.0}))))
        {'a': 3.5}
    """

    @functools.wraps(opt_maker)
    def for_trees(*args: Any, **kwargs: Any) -> Optimizer:
        init, update, get_params = opt_maker(*args, **kwargs)

        @functools.wraps(init)
        def tree_init(params: Any) -> OptimizerState:
            leaves, structure = tree.flatten(params)
            return _packed([init(x) for x in leaves], structure)

        @functools.wraps(update)
        def tree_update(i: Any, grads: Any, state: OptimizerState) -> OptimizerState:
            leaves, structure = tree.flatten(grads)
            if structure != state.tree_def:
                names = "the parameters'", "the gradients'"
                raise with_user_line(
                    TypeError(
                        "optimizer: the gradients must be a tree like the parameters: "
                        f"{first_difference(state.tree_def, structure, names=names)}"
                    )
                )
            states = [update(i, g, s) for g, s in zip(leaves, _unpacked(state))]
            new = _packed(states, structure)
            for before, after in zip(state.subtree_defs, new.subtree_defs):
                if before != after:
                    names = "the old state's", "the new state's"
                    raise with_user_line(
                        TypeError(
                            "optimizer: update must return a state of the structure that it got: "
                            f"{first_difference(before, after, names=names)}"
                        )
                    )
            return new

        @functools.wraps(get_params)
        def tree_params(state: OptimizerState) -> Any:
            return tree.unflatten(state.tree_def, [get_params(s) for s in _unpacked(state)])

        return Optimizer(tree_init, tree_update, tree_params)

    return for_trees


def _packed(states: list[Any], structure: Any) -> OptimizerState:
    flat = [tree.flatten(s) for s in states]
    return OptimizerState(
        tuple([leaves for leaves, _ in flat]), structure, tuple([d for _, d in flat])
    )


def _unpacked(state: OptimizerState) -> list[Any]:
    return [tree.unflatten(d, leaves) for d, leaves in zip(state.subtree_defs, state.packed_state)]


# --------------------------------------------------------------------------------------------------
# The optimisers


@optimizer
def sgd(step_size: Any) -> Any:
    """Make the optimiser of gradient descent: `x - step_size * g`.

    Args:
        step_size: a positive scalar, or a schedule.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.sgd(0.5)
        >>> get_params(update(0, 1.0, init(2.0)))
        1.5
    """
    size = make_schedule(step_size)
    return lambda x: x, lambda i, g, x: x - size(i) * g, lambda x: x


@optimizer
def momentum(step_size: Any, mass: Any) -> Any:
    """Make the optimiser of gradient descent with momentum: the step is along
    `v = mass * v + g`.

    Args:
        step_size: a positive scalar, or a schedule.
        mass: how much of the last step's direction stays.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.momentum(0.5, mass=0.5)
        >>> get_params(update(1, 1.0, update(0, 1.0, init(2.0))))
        Array(0.75)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - size(i) * velocity, velocity

    return lambda x: (x, dnp.zeros_like(x)), update, _first


@optimizer
def nesterov(step_size: Any, mass: Any) -> Any:
    """Make the optimiser with Nesterov's momentum: the step is along `mass * v + g`, with
    `v = mass * v + g` of this step.

    Args:
        step_size: a positive scalar, or a schedule.
        mass: how much of the last step's direction stays.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.nesterov(0.5, mass=0.5)
        >>> get_params(update(0, 1.0, init(2.0)))
        Array(1.25)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - size(i) * (mass * velocity + g), velocity

    return lambda x: (x, dnp.zeros_like(x)), update, _first


@optimizer
def adagrad(step_size: Any, momentum: Any = 0.9) -> Any:
    """Make Adagrad, with momentum (Duchi, Hazan and Singer, JMLR 12, 2011).

    Args:
        step_size: a positive scalar, or a schedule.
        momentum: how much of the mean of the scaled gradients stays.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.adagrad(1.0, momentum=0.0)
        >>> get_params(update(0, 4.0, init(2.0)))
        Array(1.)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, squares, mean = state
        squares = squares + dnp.square(g)
        mean = (1.0 - momentum) * (g * _inverse_root(squares)) + momentum * mean
        return x - size(i) * mean, squares, mean

    return lambda x: (x, dnp.zeros_like(x), dnp.zeros_like(x)), update, _first


@optimizer
def rmsprop(step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8) -> Any:
    """Make RMSProp: gradients are divided by the root of their mean square.

    Args:
        step_size: a positive scalar, or a schedule.
        gamma: how much of the mean square stays.
        eps: is added to the mean square.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.rmsprop(0.1, gamma=0.75)
        >>> get_params(update(0, 4.0, init(2.0))).round(6)
        Array(1.8)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, square = state
        square = square * gamma + dnp.square(g) * (1.0 - gamma)
        return x - size(i) * g / dnp.sqrt(square + eps), square

    return lambda x: (x, dnp.zeros_like(x)), update, _first


@optimizer
def rmsprop_momentum(step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8, momentum: Any = 0.9) -> Any:
    """Make RMSProp with momentum.

    Args:
        step_size: a positive scalar, or a schedule.
        gamma: how much of the mean square stays.
        eps: is added to the mean square.
        momentum: how much of the last step stays.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.rmsprop_momentum(0.1, gamma=0.75)
        >>> get_params(update(0, 4.0, init(2.0))).round(6)
        Array(1.8)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, square, step = state
        square = square * gamma + dnp.square(g) * (1.0 - gamma)
        step = momentum * step + size(i) * g / dnp.sqrt(square + eps)
        return x - step, square, step

    return lambda x: (x, dnp.zeros_like(x), dnp.zeros_like(x)), update, _first


@optimizer
def adam(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Any:
    """Make Adam (Kingma and Ba, 2015, algorithm 1).

    Args:
        step_size: a positive scalar, or a schedule.
        b1, b2: how much stays of the means of gradients, and of their squares.
        eps: is added to the root of the mean square.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.adam(0.1)
        >>> get_params(update(0, 4.0, init(2.0))).round(6)
        Array(1.9)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean, square = state
        mean = (1 - b1) * g + b1 * mean
        square = (1 - b2) * dnp.square(g) + b2 * square
        step = size(i) * (mean / _seen(b1, i, mean))
        return x - step / (dnp.sqrt(square / _seen(b2, i, mean)) + eps), mean, square

    return lambda x: (x, dnp.zeros_like(x), dnp.zeros_like(x)), update, _first


@optimizer
def adamax(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Any:
    """Make AdaMax, Adam by the maximum norm (Kingma and Ba, 2015, algorithm 2).

    Args:
        step_size: a positive scalar, or a schedule.
        b1, b2: how much stays of the mean of gradients, and of their largest size.
        eps: is added to the largest size.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.adamax(0.1)
        >>> get_params(update(0, 4.0, init(2.0))).round(6)
        Array(1.9)
    """
    size = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean, largest = state
        mean = (1 - b1) * g + b1 * mean
        largest = dnp.maximum(b2 * largest, dnp.abs(g))
        return x - (size(i) / _seen(b1, i, mean)) * mean / (largest + eps), mean, largest

    return lambda x: (x, dnp.zeros_like(x), dnp.zeros_like(x)), update, _first


@optimizer
def sm3(step_size: Any, momentum: Any = 0.9) -> Any:
    """Make SM3, whose state has one vector for each axis of an array (Anil, Gupta, Koren and
    Singer, 2019).

    Args:
        step_size: a positive scalar, or a schedule.
        momentum: how much of the mean of the scaled gradients stays.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import optimizers
        >>> init, update, get_params = optimizers.sm3(0.1, momentum=0.0)
        >>> get_params(update(0, np.array([2.0, 4.0]), init(np.ones(2))))
        Array([0.9, 0.9])
    """
    size = make_schedule(step_size)

    def init(x: Any) -> Any:
        shape, x = x.shape, dnp.atleast_1d(x)
        return x, dnp.zeros_like(x), [dnp.zeros(n, x.dtype) for n in x.shape], shape

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean, largest, shape = state
        along = [_along(v, axis, g.ndim) for axis, v in enumerate(largest)]
        squares = functools.reduce(dnp.minimum, along) + dnp.square(g)
        mean = (1.0 - momentum) * (g * _inverse_root(squares)) + momentum * mean
        axes = range(x.ndim)
        largest = [squares.max(tuple([a for a in axes if a != axis])) for axis in axes]
        return x - size(i) * mean, mean, largest, shape

    return init, update, lambda state: state[0].reshape(state[3])


def _first(state: Any) -> Any:
    return state[0]


def _seen(decay: Any, i: Any, like: Any) -> Any:
    """Return the sum of the weights with which a mean has seen gradients, after step number i."""
    return 1 - dnp.asarray(decay, like.dtype) ** (i + 1)


def _inverse_root(x: Any) -> Any:
    """Return 1 / sqrt(x), and 0 where x is 0."""
    return dnp.where(x > 0, 1.0 / dnp.sqrt(dnp.where(x > 0, x, 1)), 0.0)


def _along(vector: Any, axis: int, ndim: int) -> Any:
    """Return a vector as an array of `ndim` axes, along one of them."""
    return vector.reshape([-1 if a == axis else 1 for a in range(max(ndim, 1))])


# --------------------------------------------------------------------------------------------------
# Norms, and states as trees


def l2_norm(tree: Any) -> Any:
    """Return the Euclidean norm of all numbers of a tree.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.l2_norm({"a": 3.0, "b": [4.0]})
        Array(5.)
    """
    return dnp.sqrt(sum([dnp.vdot(x, x) for x in leaves_of(tree)]))


def clip_grads(grad_tree: Any, max_norm: Any) -> Any:
    """Return the gradients, scaled down together where their norm is larger than `max_norm`.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.clip_grads([3.0, 4.0], 1.0)
        [Array(0.6), Array(0.8)]
    """
    norm = l2_norm(grad_tree)
    return tree.map(lambda g: dnp.where(norm < max_norm, g, g * (max_norm / norm)), grad_tree)


class JoinPoint:
    """A leaf that holds a tree: where the tree of parameters ends, and the state of one begins.

    Args:
        subtree: the state of a parameter.
    """

    def __init__(self, subtree: Any):
        self.subtree = subtree

    def __iter__(self) -> Iterator[Any]:
        yield self.subtree


def unpack_optimizer_state(opt_state: OptimizerState) -> Any:
    """Return the tree of parameters with a `JoinPoint` in each place, which has the state there.

    Such a tree can be written to a file and read again without treedefs.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> state = optimizers.sgd(0.1).init_fn({"w": 2.0})
        >>> optimizers.unpack_optimizer_state(state)["w"].subtree
        2.0
    """
    points = [JoinPoint(s) for s in _unpacked(opt_state)]
    return tree.unflatten(opt_state.tree_def, points)


def pack_optimizer_state(marked_pytree: Any) -> OptimizerState:
    """Return the state of which `unpack_optimizer_state` made a tree.

    Raises:
        TypeError: for a tree that has other leaves than `JoinPoint`s.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> state = optimizers.sgd(0.1).init_fn({"w": 2.0})
        >>> tree = optimizers.unpack_optimizer_state(state)
        >>> optimizers.pack_optimizer_state(tree) == state
        True
    """
    points, structure = tree.flatten(marked_pytree)
    for point in points:
        if not isinstance(point, JoinPoint):
            raise with_user_line(
                TypeError(
                    "pack_optimizer_state: expected a tree of JoinPoint, as made by "
                    f"unpack_optimizer_state, got a leaf of type {type(point).__name__}"
                )
            )
    return _packed([p.subtree for p in points], structure)
