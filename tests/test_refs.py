"""Mutable arrays: a function with refs beside the same function without them, in every mode."""

from __future__ import annotations

import copy
import gc
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx

dnp, lax = dx.numpy, dx.lax


def close(result, expected, message=""):
    np.testing.assert_allclose(
        np.asarray(result), np.asarray(expected), rtol=1e-10, atol=1e-12, err_msg=message
    )


X = np.array([0.5, 1.5, -2.0])


def add_all(x):
    total = dx.new_ref(0.0)

    def step(carry, v):
        total[...] += v * v
        return carry * 0.9 + total[...], total[...]

    carry, sums = lax.scan(step, 1.0, x)
    return total[...] * carry + sums.sum()


def add_all_pure(x):
    def step(carry, v):
        total, carry = carry
        total = total + v * v
        return (total, carry * 0.9 + total), total

    (total, carry), sums = lax.scan(step, (0.0, 1.0), x)
    return total * carry + sums.sum()


def parts(x):
    ref = dx.new_ref(x)
    ref[0] = ref[1] * ref[2]
    ref[1:] *= 2.0
    ref[dnp.array([0, 0])] = ref[0] + 1.0
    dx.ref.addupdate(ref, dnp.array([2, 2]), ref[0])
    return dnp.sum(dnp.sin(dx.freeze(ref)))


def parts_pure(x):
    first = x[1] * x[2] + 1.0
    return dnp.sum(dnp.sin(dnp.stack([first, 2 * x[1], 2 * x[2] + 2 * first])))


def chosen(x):
    ref = dx.new_ref(x)

    def double(v):
        ref[1] = v * 2
        return v

    def keep(v):
        return v * ref[2]

    out = lax.cond(x[0] > 0, double, keep, x[0] * x[1])
    lax.switch(2, [lambda: ref[0], lambda: ref[1], lambda: ref[0]])
    return dnp.sum(ref[...] ** 2) * out


def chosen_pure(x):
    v = x[0] * x[1]
    yes = dnp.asarray(x).at[1].set(v * 2)
    return dnp.where(x[0] > 0, dnp.sum(yes**2) * v, dnp.sum(x**2) * v * x[2])


def repeated(x):
    ref = dx.new_ref(x[0] + 2.0)

    def outer(i, carry):
        def inner(j, _):
            ref[...] = ref[...] + 0.1 * x[1] * j
            return ()

        lax.fori_loop(0, 2, inner, ())
        return carry + ref[...] * i

    y = lax.fori_loop(0, 3, outer, 0.0)

    def going(c):
        return (ref[...] < 50.0) & (c < 9)

    def step(c):
        ref[...] = ref[...] * ref[...]
        return c + 1

    lax.while_loop(going, step, 0)
    return y + dnp.log(ref[...])


def repeated_pure(x):
    value, y = x[0] + 2.0, 0.0
    for i in range(3):
        for j in range(2):
            value = value + 0.1 * x[1] * j
        y = y + value * i
    count = dnp.array(0)
    state = lax.while_loop(
        lambda s: (s[0] < 50.0) & (s[1] < 9), lambda s: (s[0] * s[0], s[1] + 1), (value, count)
    )
    return y + dnp.log(state[0])


def through_calls(x):
    ref = dx.new_ref(dnp.zeros(3))

    @dx.jit
    def write(place, value):
        place[...] = dnp.sin(value)
        return place[0]

    @dx.jit
    def write_outer(value):
        ref[1] += value
        return ref[1]

    a = write(ref, x)
    b = write_outer(a * x[1])
    return dnp.sum(ref[...] * a * b)


def through_calls_pure(x):
    ref = dnp.sin(x)
    a = ref[0]
    ref = ref.at[1].add(a * x[1])
    return dnp.sum(ref * a * ref[1])


def mapped_rows(x):
    rows = dx.new_ref(dnp.zeros((3, 2)))

    def row(v, place, k):
        place[k] = v * v
        return v

    dx.vmap(row, (0, 0, None))(x, rows, 1)
    return dnp.sum(rows[...] * x[:, None])


def mapped_rows_pure(x):
    return dnp.sum(x**3)


PAIRS = [
    (add_all, add_all_pure), (parts, parts_pure), (chosen, chosen_pure),
    (repeated, repeated_pure), (through_calls, through_calls_pure),
    (mapped_rows, mapped_rows_pure),
]  # fmt: skip


@pytest.mark.parametrize("impure, pure", PAIRS, ids=lambda f: f.__name__)
@pytest.mark.sampled(2)
def test_refs_are_another_way_to_write_the_same_function(impure, pure):
    for x in (X, -X):
        modes = {
            "eager": lambda f, x=x: f(x),
            "jit": lambda f, x=x: dx.jit(f)(x),
            "grad": lambda f, x=x: dx.grad(f)(x),
            "grad of jit": lambda f, x=x: dx.grad(dx.jit(f))(x),
            "jit of Hessian": lambda f, x=x: dx.jit(dx.hessian(f))(x),
            "jvp": lambda f, x=x: dx.jvp(f, (x,), (x + 1,))[1],
            "vmap": lambda f, x=x: dx.vmap(f)(np.stack([x, x + 1, -x])),
            "vmap of grad": lambda f, x=x: dx.jit(dx.vmap(dx.grad(f)))(np.stack([x, x * 2])),
            "Taylor": lambda f, x=x: dx.taylor(f, (x,), (x * x,), 3),
            "checkpoint": lambda f, x=x: dx.grad(dx.checkpoint(f))(x),
        }
        for name, mode in modes.items() if x is X else list(modes.items())[:3]:
            for a, b in zip(dx.tree.leaves(mode(impure)), dx.tree.leaves(mode(pure)), strict=True):
                close(a, b, name)


def test_refs_from_outside_of_jitted_functions():
    ref, calls = dx.new_ref(dnp.zeros(2)), []

    @dx.jit
    def f(x):
        calls.append(1)
        ref[0] += x
        return ref[1] + x

    assert float(f(1.0)) == 1.0 and float(f(2.0)) == 2.0
    close(ref[...], [3.0, 0.0])
    ref[1] = 5.0  # is seen by the next call, which traces nothing
    traced = len(calls)
    assert float(f(1.0)) == 6.0 and len(calls) == traced
    assert float(dx.jit(lambda x: f(x) * 2)(1.0)) == 12.0
    close(ref[...], [5.0, 5.0])
    close(dx.grad(lambda x: x * dx.jit(lambda: ref[1])())(1.0), 5.0)
    text = str(dx.make_jaxpr(f)(1.0))
    assert "f64[2]" in text
    close(ref[...], [5.0, 5.0])
    assert dx.eval_shape(f, 1.0).shape == ()
    close(ref[...], [5.0, 5.0])


def test_a_jitted_function_of_refs_is_traced_once():
    calls = []

    @dx.jit
    def copy_into(to, source):
        calls.append(1)
        to[...] = source[...] * 2.0

    refs = [dx.new_ref(dnp.full(2, float(i))) for i in range(4)]
    for a, b in pairwise(refs):
        copy_into(a, b)
    assert len(calls) == 1
    assert [float(r[0]) for r in refs] == [2.0, 4.0, 6.0, 3.0]
    first = dx.tree.map(lambda r: r[...], {"a": refs[0], "b": [refs[1]]})
    close(first["b"][0], [4.0, 4.0])


def stashing():
    @dx.custom_vjp
    def stash(ref, x):
        return x

    def fwd(ref, x):
        return x, ref

    def bwd(ref, g):
        ref[...] = g
        return None, g

    stash.defvjp(fwd, bwd)
    return stash


@pytest.mark.parametrize("jitted", [False, True])
def test_gradients_that_a_backward_pass_comes_across(jitted):
    stash, ref = stashing(), dx.new_ref(0.0)
    f = dx.grad(lambda x: stash(ref, dnp.sin(x)) ** 2)
    f = dx.jit(f) if jitted else f
    for x in (1.0, 2.0):
        close(f(x), np.sin(2 * x))
        close(ref[...], 2 * np.sin(x))
    g = dx.grad(lambda x, place: stash(place, dnp.cos(x)) ** 2)
    g = dx.jit(g) if jitted else g
    close(g(1.0, ref), -np.sin(2.0))
    close(ref[...], 2 * np.cos(1.0))


REFUSED = {
    "arithmetic": (lambda r: dnp.sin(r), TypeError, "Ref"),
    "operators": (lambda r: r + 1, TypeError, "Ref"),
    "NumPy": (lambda r: np.sin(r), TypeError, r"ref\[\.\.\.\]|Ref"),
    "truth": (lambda r: bool(r), TypeError, "read it first"),
    "iteration": (lambda r: list(r), TypeError, "read it first"),
    "pickle": (pickle.dumps, TypeError, "pickle what it holds"),
    "a ref in a ref": (lambda r: dx.new_ref(r), TypeError, "cannot hold a Ref"),
    "writing a ref": (lambda r: r.__setitem__(..., dx.new_ref(1.0)), TypeError, "holds an array"),
    "another shape": (lambda r: r.__setitem__(..., dnp.ones(3)), ValueError, r"f64\[3\].*f64\[\]"),
    "returned": (dx.jit(lambda r: r), TypeError, "Ref"),
    "twice": (lambda r: dx.jit(lambda a, b: None)(r, r), ValueError, "passed twice"),
    "passed and closed over": (
        lambda r: dx.jit(lambda a: a.__setitem__(..., r[...]))(r), ValueError, "argument only",
    ),
    "frozen elsewhere": (dx.jit(dx.freeze), ValueError, "not here"),
    "vmap": (lambda r: dx.vmap(lambda x: r.__setitem__(..., x))(dnp.ones(2)), TypeError, "mapped"),
    "grad": (dx.grad(lambda x: x), TypeError, "Ref"),
    "tangents": (
        lambda r: dx.grad(lambda x: (r.__setitem__(..., 2 * x), x)[1])(1.0), TypeError,
        "stop_gradient",
    ),
    "checkpoint": (
        lambda r: dx.grad(dx.checkpoint(lambda x: (r.__setitem__(..., x), x)[1]))(1.0), TypeError,
        "written into a Ref",
    ),
    "memory": (lambda r: dx.new_ref(1.0, pin=True), NotImplementedError, "pin=True"),
    "no ref": (lambda r: dx.freeze(r[...]), TypeError, "expected a Ref"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_with_refs(what):
    call, error, message = REFUSED[what]
    ref = dx.new_ref(1.0)
    with pytest.raises(error, match=message):
        call(ref)
    assert float(ref[...]) == 1.0, "the ref is as it was"


def test_frozen_refs_are_gone():
    ref = dx.new_ref(dnp.ones(2))
    assert copy.deepcopy(ref) is ref
    close(dx.freeze(ref), [1.0, 1.0])
    for use in (lambda: ref[...], lambda: ref.__setitem__(0, 1.0), lambda: dx.freeze(ref)):
        with pytest.raises(RuntimeError, match="frozen"):
            use()
    other = dx.empty_ref(dx.ShapeDtypeStruct((2,), "int32"))
    assert other.dtype == np.int32 and other.shape == (2,) and len(other) == other.size == 2
    dx.free_ref(other)
    with pytest.raises(RuntimeError, match="freed"):
        other[...]
    with pytest.raises(RuntimeError, match="freed"):
        dx.jit(lambda: other[...])()


def test_an_error_leaves_refs_as_they_were():
    ref = dx.new_ref(1.0)

    def fails(_, x):
        ref[...] = x
        raise ZeroDivisionError

    for call in (
        lambda: lax.scan(fails, 0.0, X), lambda: dx.jit(fails)(0.0, 1.0),
        lambda: lax.cond(True, fails, fails, 0.0, 1.0),
    ):  # fmt: skip
        with pytest.raises(ZeroDivisionError):
            call()
        assert float(ref[...]) == 1.0


def test_keys_in_refs_and_refs_without_users():
    key = dx.new_ref(dx.random.key(0))

    def draw():
        key[...], own = dx.random.split(key[...])
        return dx.random.normal(own)

    numbers = [float(f()) for f in (draw, dx.jit(draw), draw, dx.jit(draw))]
    assert len(set(numbers)) == 4
    again = dx.random.key(0)
    for number in numbers:
        again, own = dx.random.split(again)
        close(number, dx.random.normal(own))
    from diffeo.engine.refs import alive

    gc.collect()
    count = len(alive)
    for _ in range(5):
        dx.new_ref(1.0)
    gc.collect()
    assert len(alive) == count


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "add", "swap"]), st.integers(0, 2), st.integers(-3, 3)),
        max_size=6,
    )
)
def test_any_course_of_writes_is_numpys(course):
    def run(x):
        ref, seen = dx.new_ref(x), []
        for what, place, number in course:
            if what == "swap":
                seen.append(dx.ref.swap(ref, place, float(number)))
            elif what == "add":
                dx.ref.addupdate(ref, place, float(number))
            else:
                dx.ref.set(ref, place, x[place] * number)
        return ref[...], seen

    array, expected = X.copy(), []
    for what, place, number in course:
        if what == "swap":
            expected.append(array[place])
        array[place] = {
            "set": X[place] * number, "add": array[place] + number, "swap": float(number),
        }[what]  # fmt: skip
    for out in (run(dnp.asarray(X)), dx.jit(run)(X)):
        close(out[0], array)
        assert [float(s) for s in out[1]] == expected
