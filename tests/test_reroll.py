"""Re-rolled programs against the programs themselves: equal results, and loops where there are."""

import time
from unittest import mock

import numpy as np
import pytest
from checks import close, rng
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.engine.run import run_program
from diffeo.passes import repeats
from diffeo.passes.repeats import tandem_repeats
from diffeo.passes.reroll import reroll
from diffeo.primitives.array import as_value
from diffeo.primitives.core import typeof
from diffeo.primitives.jaxpr import Eqn, Jaxpr, Var, check_jaxpr, sub_jaxprs
from diffeo.programs.scan import Scan

dnp = dx.numpy


def scans(jaxpr):
    """The scans of a program, each as its length or (length, scans inside)."""
    found = []
    for eqn in jaxpr.eqns:
        inner = [s for program in sub_jaxprs(eqn.primitive) for s in scans(program)]
        if type(eqn.primitive) is Scan:
            length = eqn.primitive.length
            found.append((length, inner) if inner else length)
        else:
            found += inner
    return found


def both(fun, *args, compiled=False, tol=1e-12):
    """Rerolls a function's program and compares the results of the two; the new program."""
    jaxpr = dx.make_jaxpr(fun)(*args)
    found = reroll(jaxpr)
    check_jaxpr(found)
    assert found.in_vars == jaxpr.in_vars
    assert [a.strong for a in found.out_avals] == [a.strong for a in jaxpr.out_avals]
    leaves = [as_value(x) for x in dx.tree.leaves(args)]
    run = run_program if compiled else dx.eval_jaxpr
    for a, b in zip(run(found, leaves), run(jaxpr, leaves)):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, 1e-10, tol * max(1, np.abs(b).max(initial=0)))
    return found


def dense(p, x):
    return np.tanh(x @ p["w"] + p["b"])


def residual(p, x):
    """A dense layer on normalized values, added to the values."""
    centred = x - np.mean(x, -1, keepdims=True)
    norm = centred / np.sqrt(np.mean(centred**2, -1, keepdims=True) + 1e-5)
    return x + np.tanh((norm * p["scale"]) @ p["w"] + p["b"])


def attention(p, x, heads=2):
    length, width = x.shape
    q, k, v = [
        (x @ p[name]).reshape(length, heads, width // heads).transpose(1, 0, 2) for name in "qkv"
    ]
    weights = dx.nn.softmax(q @ k.transpose(0, 2, 1) / np.sqrt(width // heads))
    return residual(p, x + (weights @ v).transpose(1, 0, 2).reshape(length, width) @ p["o"])


BLOCKS = [dense, residual, attention]


def weights(n, width=4):
    """n trees of weights for any of the blocks."""
    shapes = {"b": (width,), "scale": (width,), **dict.fromkeys("wqkvo", (width, width))}
    return [
        {k: rng(*shape, seed=10 * i + j) / 2 for j, (k, shape) in enumerate(shapes.items())}
        for i in range(n)
    ]


def stacked(trees):
    return {k: np.stack([tree[k] for tree in trees]) for k in trees[0]}


def row(trees, i):
    """Weights of layer i, in a list or in arrays."""
    return trees[i] if isinstance(trees, list) else {k: w[i] for k, w in trees.items()}


def network(block, n):
    """A function of weights, in a list or in arrays, and x."""

    def network(ps, x):
        for i in range(n):
            x = block(row(ps, i), x)
        return x

    return network


def loss(block, n):
    return lambda ps, x: np.sum(network(block, n)(ps, x) ** 2)


# --------------------------------------------------------------------------------------------------
# Layers


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("arrange", [list, stacked])
def test_layers_become_one_scan(block, arrange):
    found = both(network(block, 12), arrange(weights(12)), rng(3, 4), compiled=True)
    assert scans(found) == [12]
    if arrange is stacked:
        assert len(found.eqns) == 1


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("arrange", [list, stacked])
def test_derivatives_become_two_scans(block, arrange):
    found = both(dx.value_and_grad(loss(block, 12)), arrange(weights(12)), rng(3, 4))
    forward, backward = scans(found)
    assert 10 <= forward <= 12 and 10 <= backward <= 12
    both(dx.grad(loss(block, 12), argnums=(0, 1)), arrange(weights(12)), rng(3, 4))


def test_the_backward_scan_reads_what_the_forward_scan_stacked():
    args = stacked(weights(12)), rng(3, 4)
    jaxpr = both(dx.grad(loss(dense, 12), argnums=(0, 1)), *args, compiled=True)
    forward, backward = [e for e in jaxpr.eqns if type(e.primitive) is Scan]
    assert not forward.primitive.reverse and backward.primitive.reverse
    kept = [v for v in forward.outs if v in backward.inputs]
    assert kept and any([v.aval.shape == (12, 3, 4) for v in kept])
    # Nothing as large as the weights is copied between the loops.
    between = jaxpr.eqns[jaxpr.eqns.index(forward) + 1 : jaxpr.eqns.index(backward)]
    sizes = [v.aval.size for eqn in between for v in eqn.outs]
    assert max(sizes) <= 12


def test_gradients_agree_with_jax(jax):
    def same(np_):
        def loss(ws, x):
            for w in ws:
                x = np_.tanh(x @ w) + x
            return np_.sum(x * x)

        return loss

    ws, x = [rng(4, 4, seed=i) / 3 for i in range(8)], rng(2, 4)
    jaxpr = both(dx.grad(same(dnp)), ws, x, compiled=True)
    assert len(scans(jaxpr)) == 2
    found = dx.eval_jaxpr(jaxpr, [*map(as_value, ws), as_value(x)])
    close([np.asarray(a) for a in found], [np.asarray(a) for a in jax.grad(same(jax.numpy))(ws, x)])


def test_rerolled_programs_can_be_differentiated():
    ps, x = weights(8), rng(2, 4)
    fun = loss(residual, 8)
    jaxpr = reroll(dx.make_jaxpr(fun)(ps, x))
    leaves = dx.tree.leaves(ps)
    found = dx.grad(lambda ws: dx.eval_jaxpr(jaxpr, [*map(as_value, ws), as_value(x)])[0])(leaves)
    close(list(found), dx.tree.leaves(dx.grad(fun)(ps, x)))


def test_many_rows_are_taken_at_indices_that_are_arguments():
    ps, x = weights(12), rng(3, 4)
    jaxpr = dx.make_jaxpr(dx.grad(loss(dense, 12)))(ps, x)
    found = reroll(jaxpr)
    assert {int(c) for c in found.consts} == set(range(11)) and not jaxpr.consts
    assert sum([e.primitive.name == "slice" for e in found.eqns]) <= 2
    run = run_program(found, [*map(as_value, dx.tree.leaves(ps)), as_value(x)])
    close(run, dx.tree.leaves(dx.grad(loss(dense, 12))(ps, x)))


def test_equal_constants_are_one():
    def fun(x):
        for _ in range(8):
            x = np.tanh(x @ w) * dnp.asarray(0.5) + x
        return x

    w = rng(4, 4)
    found = both(fun, rng(3, 4))
    assert scans(found) == [8] and len(found.consts) == 2


def test_alternating_blocks():
    def fun(ps, x):
        for i, p in enumerate(ps):
            x = dense(p, x) if i % 2 else np.sin(residual(p, x))
        return x

    assert scans(both(fun, weights(12), rng(3, 4))) == [6]
    assert scans(both(fun, weights(13), rng(3, 4))) == [6]
    ws = rng(12, 4, 4)

    def evens(ws, x):
        for i in range(0, 12, 2):
            x = np.tanh(x @ ws[i]) + np.sin(x @ ws[11 - i])
        return x

    found = both(evens, ws, rng(3, 4))
    assert scans(found) == [6]
    assert "concatenate" not in [e.primitive.name for e in found.eqns]


def test_shared_weights_are_constants_of_the_scan():
    def recurrent(w, xs):
        state = xs[0]
        for i in range(10):
            state = np.tanh(state @ w + xs[i])
        return np.sum(state**2)

    found = both(recurrent, rng(4, 4), rng(10, 2, 4))
    assert scans(found) == [10]
    found = both(dx.grad(recurrent, argnums=(0, 1)), rng(4, 4), rng(10, 2, 4))
    assert len(scans(found)) == 2


def test_higher_derivatives():
    ps, x = stacked(weights(8)), rng(2, 4)

    def along(ps, x, v):
        return dx.jvp(lambda x: dx.grad(loss(dense, 8), argnums=1)(ps, x), (x,), (v,))[1]

    assert len(scans(both(along, ps, x, rng(2, 4, seed=3)))) >= 2


# --------------------------------------------------------------------------------------------------
# Irregular programs


def test_programs_without_repeats_are_the_same_object():
    for fun in (
        lambda x: np.sin(x) + np.cos(x),
        lambda x: x,
        lambda x: np.sin(np.sin(np.sin(np.sin(x)))),
        network(dense, 3),
    ):
        args = (weights(3), rng(3, 4)) if fun.__name__ == "network" else (rng(3, 4),)
        jaxpr = dx.make_jaxpr(fun)(*args)
        assert reroll(jaxpr) is jaxpr


def random_program(size):
    """Equations of random primitives on random operands near by, without repeats."""
    draws = np.random.default_rng(0)
    unary = [dx.make_jaxpr(f)(1.0).eqns[0].primitive for f in (np.sin, np.cos, np.exp, np.tanh)]
    binary = [
        dx.make_jaxpr(f)(1.0, 1.0).eqns[0].primitive for f in (np.add, np.subtract, np.multiply)
    ]
    aval = typeof(rng(3))
    vars = [Var(aval) for _ in range(2)]
    eqns = []
    for kind, a, b in draws.integers(0, (7, 20, 20), (size, 3)):
        out, near = Var(aval), vars[-20:]
        operands = [near[-1 - a % len(near)], near[-1 - b % len(near)]]
        primitive = (unary + binary)[kind]
        eqns.append(Eqn(primitive, operands[: 1 if kind < 4 else 2], (out,)))
        vars.append(out)
    return Jaxpr(vars[:2], eqns, vars[2:])


def test_linear_time():
    def seconds(size):
        jaxpr = random_program(size)
        start = time.process_time()
        assert reroll(jaxpr) is jaxpr
        return time.process_time() - start

    seconds(1000)
    assert seconds(60_000) < 12 * max(seconds(6000), 0.05)


def test_a_block_that_differs_ends_the_loop():
    def fun(ps, x):
        for i, p in enumerate(ps):
            x = dense(p, x) if i != 6 else np.cos(dense(p, x))
        return x

    assert scans(both(fun, weights(14), rng(3, 4))) == [7, 7]
    # The same equations, but one of the operands comes from elsewhere.
    w = rng(4, 4)

    def skip(x):
        values = [x]
        for i in range(14):
            before = values[-1] if i != 7 else values[3]
            values.append(np.tanh(before @ w) + values[-1] * 0.5)
        return values[-1]

    lengths = scans(both(skip, rng(3, 4)))
    assert len(lengths) == 2 and sum(lengths) >= 12


def test_numbers_that_differ():
    w = rng(4, 4)

    def fun(x):
        for i in range(10):
            x = np.tanh(x @ w) * (0.1 * i) + (i - 3)
        return x

    assert scans(both(fun, rng(3, 4))) == [10]
    assert scans(both(fun, rng(3, 4) + 1j)) == [10]
    signs = lambda x: [x := np.tanh(x @ w) * (0.0 if i % 2 else -0.0) + 1 for i in range(10)][-1]
    assert scans(both(signs, rng(3, 4))) == [10]


def test_integers_are_exact():
    def fun(x, keys):
        for i in range(12):
            x = (x * 5 + keys[i]) ^ (x >> 3)
            x = np.sort(x)
        return x

    args = np.arange(7, dtype=np.int32), np.arange(12, dtype=np.int32) * 1234567
    found = both(fun, *args, compiled=True)
    assert scans(found) == [12]


@pytest.mark.parametrize("arrange", [list, stacked])
def test_values_used_after_the_loop(arrange):
    def fun(ps, x):
        layers = []
        for i in range(10):
            x = residual(row(ps, i), x)
            layers.append(np.mean(x))
        total = layers[0]
        for i in range(1, 10):
            total = total + layers[i]
        return x, np.stack(layers), total, layers[4]

    found = both(fun, arrange(weights(10)), rng(3, 4))
    assert scans(found)[0] == 10
    total = lambda ps, x: sum([np.sum(y) for y in fun(ps, x)])
    both(dx.grad(total), arrange(weights(10)), rng(3, 4))


def test_rows_that_are_read_twice_are_added_once():
    def fun(ws, x):
        for i in range(8):
            x = np.tanh(x @ ws[i]) + np.sin(x @ ws[i])
        return np.sum(x)

    found = both(dx.grad(fun), rng(9, 4, 4), rng(3, 4))
    assert len(scans(found)) == 2
    assert sum([e.primitive.name == "pad" for e in found.eqns]) == 0


@pytest.mark.parametrize("back", [2, 3, 4])
def test_values_used_blocks_later(back):
    w = rng(4, 4) / 2

    def fun(x):
        values = [x, x + 1, x + 2, x - 1]
        for _ in range(12):
            values.append(np.tanh(values[-1] @ w) + values[-back])
        return values[-1], values[-2]

    lengths = scans(both(fun, rng(3, 4)))
    assert lengths == ([12] if back <= 3 else lengths)
    assert back > 3 or lengths
    both(dx.grad(lambda x: np.sum(fun(x)[0] * fun(x)[1])), rng(3, 4))


def test_nested_loops():
    ws, scales = rng(6, 4, 4), rng(6, 5)

    def fun(x, ws, scales):
        for i in range(6):
            x = np.tanh(x @ ws[i])
            for j in range(5):
                x = np.sin(x @ ws[0]) * scales[i][j] + x
        return x

    x = rng(2, 4)
    jaxpr = both(fun, x, ws, scales)
    assert [s for s in scans(jaxpr) if type(s) is tuple and s[1] == [5]], scans(jaxpr)
    both(dx.grad(lambda *args: np.sum(fun(*args)), argnums=(0, 1, 2)), x, ws, scales)


def test_programs_inside_of_calls():
    fun = network(dense, 12)
    found = both(lambda ps, x: dx.jit(fun)(ps, x) + dx.jit(fun)(ps, 2 * x), weights(12), rng(3, 4))
    assert scans(found) == [12, 12]
    layer = dx.jit(residual)
    found = both(network(layer, 12), weights(12), rng(3, 4))
    assert scans(found) == [12] or len(found.eqns) < 40
    found = both(dx.grad(lambda ps, x: np.sum(dx.jit(fun)(ps, x))), weights(12), rng(3, 4))
    assert len(scans(found)) == 2


def test_effects_stay_in_place():
    seen = []

    def fun(w, x):
        for _ in range(8):
            x = np.tanh(np.sin(x @ w)) + x
            dx.debug.callback(lambda y: seen.append(float(y)), x[0, 0])
        return x

    jaxpr = dx.make_jaxpr(fun)(rng(4, 4), rng(2, 4))
    assert scans(reroll(jaxpr)) == []


def test_unrolled_steps_of_an_ode():
    def step(x, dt=0.01):
        k1 = np.sin(x) - x
        k2 = np.sin(x + 0.5 * dt * k1) - x * k1
        k3 = np.sin(x + 0.5 * dt * k2) - x * k2
        k4 = np.sin(x + dt * k3) - x * k3
        return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def fun(x):
        for _ in range(40):
            x = step(x)
        return x

    found = both(fun, rng(5))
    assert scans(found) == [40]
    assert len(scans(both(dx.grad(lambda x: np.sum(fun(x))), rng(5)))) == 2


def test_tandem_repeats():
    assert tandem_repeats([1, 2, 3] * 10) == [(0, 30, 3)]
    assert tandem_repeats([7] * 40) == [(0, 40, 3)]
    assert tandem_repeats(list(range(50))) == []
    assert (5, 45, 4) in tandem_repeats([9, 8, 7, 6, 5] + [1, 2, 3, 4] * 10 + [9])


# --------------------------------------------------------------------------------------------------
# Random programs

CHOICES = st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9))
OPERATIONS = [
    lambda u, v, w, *_: np.tanh(u @ w) + v,
    lambda u, v, w, row, *_: u * row + 0.1 * v,
    lambda u, v, w, row, other, k: np.sin(u) - other,
    lambda u, v, w, row, other, k: 0.3 * u + 0.1 * k,
    lambda u, v, w, *_: np.maximum(u, v) @ w,
    lambda u, v, *_: u * np.mean(v),
    lambda u, v, *_: v - np.cos(u),
]


@settings(max_examples=60)
@given(
    block=st.lists(CHOICES, min_size=3, max_size=7),
    count=st.integers(5, 9),
    before=st.integers(0, 3),
    after=st.integers(0, 2),
    outputs=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    data=st.data(),
)
def test_random_blocks(block, count, before, after, outputs, data):
    odd = data.draw(st.sampled_from([None] * 5 + [0, 2, count - 1]), "reads something else")

    def fun(x, w, rows):
        values = [x, np.cos(x), x * 0.5]
        for _ in range(before):
            values.append(np.sin(values[-1]))
        for k in range(count):
            for kind, a, b in block:
                shift = 1 if k == odd else 0
                near = values[-1 - min(a + shift, len(values) - 1)]
                other = values[-1 - min(b, len(values) - 1)]
                values.append(OPERATIONS[kind](near, other, w, rows[k], rows[count - 1 - k], k))
        for _ in range(after):
            values.append(np.cos(values[-1] + values[-2]))
        return [values[-1 - min(i, len(values) - 1)] for i in outputs]

    args = rng(2, 3), rng(3, 3) / 2, rng(count, 2, 3)
    with mock.patch.multiple(repeats, TOTAL=12, TOTAL_FUSED=24):
        both(fun, *args, tol=1e-9)
    if data.draw(st.integers(0, 3)) == 0:
        total = lambda *args: sum([np.sum(y) for y in fun(*args)])
        with mock.patch.multiple(repeats, TOTAL=12, TOTAL_FUSED=24):
            both(dx.grad(total, argnums=(0, 1, 2)), *args, tol=1e-9)
