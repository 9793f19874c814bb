"""Typed key arrays: what moves elements moves keys, everywhere; what computes refuses them."""

import copy
import pickle

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp
from diffeo.primitives.support.key_types import KEY_TYPES
from diffeo.routines.keys import key_words, wrap_words

TYPES = list(KEY_TYPES.values())
every_type = pytest.mark.parametrize("dtype", TYPES, ids=str)


def words_of(dtype):
    """Words of 3 x 4 keys; some of them are the bits of nan, of -0 and of the least numbers."""
    words = np.random.default_rng(0).integers(0, 2**32, (3, 4, dtype.words), np.uint32)
    words[0, 0], words[0, 1], words[1, 0] = 0xFFFFFFFF, 0x7FF00001, 0x80000000
    words[1, 1], words[1, 2], words[1, 3] = 0, 1, 0xFFF00001
    return words


def permuted(k):
    return dx.random.permutation(dx.random.key(1), k[0])


def turned(carry):
    return carry[0] + 1, carry[1][::-1]


#: (a function of keys of shape (3, 4), the same of their words). The words' axis is the last.
MOVES = {
    "index": (lambda k: k[1], lambda w: w[1]),
    "slice": (lambda k: k[:, ::2], lambda w: w[:, ::2]),
    "gather": (lambda k: k[np.array([2, 0])], lambda w: w[[2, 0]]),
    "mask": (lambda k: k[np.array([True, False, True])], lambda w: w[[0, 2]]),
    "newaxis": (lambda k: k[:, None, ..., 1], lambda w: w[:, None, 1]),
    "take": (lambda k: dnp.take(k, np.array([1]), 1), lambda w: w[:, [1]]),
    "reshape": (lambda k: k.reshape(12), lambda w: w.reshape(12, -1)),
    "ravel": (lambda k: k.ravel(), lambda w: w.reshape(12, -1)),
    "transpose": (lambda k: k.T, lambda w: w.transpose(1, 0, 2)),
    "moveaxis": (lambda k: dnp.moveaxis(k, 0, 1), lambda w: w.transpose(1, 0, 2)),
    "stack": (lambda k: dnp.stack([k, k], 1), lambda w: np.stack([w, w], 1)),
    "concatenate": (lambda k: dnp.concatenate([k, k], 1), lambda w: np.concatenate([w, w], 1)),
    "split": (lambda k: dnp.split(k, 2, 1)[1], lambda w: w[:, 2:]),
    "broadcast": (
        lambda k: dnp.broadcast_to(k, (2, 3, 4)),
        lambda w: np.broadcast_to(w, (2, *w.shape)),
    ),
    "where": (
        lambda k: dnp.where(dnp.arange(4) > 1, k, k[0, 0]),
        lambda w: np.where((np.arange(4) > 1)[:, None], w, w[0, 0]),
    ),
    "at set": (lambda k: k.at[0].set(k[1]), lambda w: np.concatenate([w[1:2], w[1:]])),
    "at get": (lambda k: k.at[np.array([2, 0])].get(), lambda w: w[[2, 0]]),
    "flip": (lambda k: dnp.flip(k, 0), lambda w: w[::-1]),
    "squeeze": (lambda k: dnp.squeeze(k[:1], 0), lambda w: w[0]),
    "expand_dims": (lambda k: dnp.expand_dims(k, 0), lambda w: w[None]),
    "swapaxes": (lambda k: k.swapaxes(0, 1), lambda w: w.swapaxes(0, 1)),
    "tile": (lambda k: dnp.tile(k, 2), lambda w: np.tile(w, (1, 2, 1))),
    "roll": (lambda k: dnp.roll(k, 1, 0), lambda w: np.roll(w, 1, 0)),
    "repeat": (lambda k: dnp.repeat(k, 2, 0), lambda w: np.repeat(w, 2, 0)),
    "dynamic_slice": (
        lambda k: dx.lax.dynamic_slice(k, (1, 1), (2, 2)),
        lambda w: w[1:3, 1:3],
    ),
    "dynamic_update": (
        lambda k: dx.lax.dynamic_update_slice(k, k[:1], (2, 0)),
        lambda w: np.concatenate([w[:2], w[:1]]),
    ),
    "vmap": (lambda k: dx.vmap(lambda k: k[0])(k), lambda w: w[:, 0]),
    "vmap axis 1": (lambda k: dx.vmap(lambda k: k[0], in_axes=1)(k), lambda w: w[0]),
    "vmap out axis 1": (lambda k: dx.vmap(lambda k: k, 1, 1)(k), lambda w: w),
    "vmap of indices": (lambda k: dx.vmap(lambda i: k[i])(np.array([2, 1])), lambda w: w[[2, 1]]),
    "all_gather": (
        lambda k: dx.vmap(lambda k: dx.lax.all_gather(k, "i"), axis_name="i")(k)[1],
        lambda w: w,
    ),
    "scan": (
        lambda k: dx.lax.scan(lambda c, x: (x, c), k[0], k)[1],
        lambda w: np.stack([w[0], w[0], w[1]]),
    ),
    "while": (
        lambda k: dx.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1][::-1]), (0, k))[
            1
        ],
        lambda w: w[::-1],
    ),
    "fori": (lambda k: dx.lax.fori_loop(0, 3, lambda i, c: k[i], k[0]), lambda w: w[2]),
    "cond": (lambda k: dx.lax.cond(True, lambda k: k[0], lambda k: k[1], k), lambda w: w[0]),
    "map": (lambda k: dx.lax.map(lambda k: k[::-1], k), lambda w: w[:, ::-1]),
    "checkpoint": (lambda k: dx.checkpoint(lambda k: k[1])(k), lambda w: w[1]),
    "jit within": (lambda k: dx.jit(lambda k: k[1])(k), lambda w: w[1]),
    "closed over": (lambda k: dx.jit(lambda i: k[i])(1), lambda w: w[1]),
    "device_put": (lambda k: dx.device_put(k), lambda w: w),
    "stop_gradient": (lambda k: dx.lax.stop_gradient(k), lambda w: w),
    "barrier": (lambda k: dx.lax.optimization_barrier(k), lambda w: w),
    "zeros_like": (lambda k: dnp.zeros_like(k), lambda w: 0 * w),
}


@every_type
def test_words_and_back(dtype):
    words = words_of(dtype)
    keys = wrap_words(dnp.asarray(words), dtype)
    assert keys.shape == (3, 4) and keys.dtype is dtype and repr(keys.dtype).startswith("key<")
    assert keys.size == 12 and keys.ndim == 2 and keys.nbytes == 12 * 4 * dtype.words
    np.testing.assert_array_equal(key_words(keys), words)
    np.testing.assert_array_equal(dx.jit(key_words)(keys), words)
    np.testing.assert_array_equal(dx.jit(lambda: key_words(keys))(), words)
    again = dx.jit(lambda w: wrap_words(w, dtype))(words)
    assert again.dtype is dtype
    np.testing.assert_array_equal(key_words(again), words)
    np.testing.assert_array_equal(key_words(dx.jit(lambda: keys)()), words)
    np.testing.assert_array_equal(dx.vmap(key_words, 1, 1)(keys), words)
    np.testing.assert_array_equal(
        key_words(dx.vmap(lambda w: wrap_words(w, dtype), 1, 1)(dnp.asarray(words))), words
    )


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("dtype", TYPES[:3:2], ids=str)
def test_moves(dtype, move):
    function, of_words = MOVES[move]
    words = words_of(dtype)
    keys = wrap_words(dnp.asarray(words), dtype)
    for run in (function, dx.jit(function)):
        out = run(keys)
        assert out.dtype is dtype
        np.testing.assert_array_equal(key_words(out), of_words(words))


def test_few_words():
    """Keys of one word go through a compiled program, too."""
    dtype = KEY_TYPES["philox2x32"]
    words = words_of(dtype)
    keys = wrap_words(dnp.asarray(words), dtype)
    out = dx.jit(lambda k: dx.lax.scan(lambda c, x: (x, c), k[0], k)[1])(keys)
    np.testing.assert_array_equal(key_words(out), words[[0, 0, 1]])


@every_type
def test_equality(dtype):
    words = words_of(dtype)
    keys = wrap_words(dnp.asarray(words), dtype)
    for run in (lambda f: f, dx.jit):
        same = run(lambda k: k == k[0])(keys)
        np.testing.assert_array_equal(same, (words == words[0]).all(-1))
        np.testing.assert_array_equal(run(lambda k: k != k[0])(keys), (words != words[0]).any(-1))


REFUSED = {
    "add": lambda k: k + 1,
    "add keys": lambda k: k + k,
    "neg": lambda k: -k,
    "mul": lambda k: k * 2.0,
    "less": lambda k: k < k,
    "sum": lambda k: dnp.sum(k),
    "reduce_sum": lambda k: dx.lax.reduce_sum(k, axes=(0,)),
    "sin": lambda k: dnp.sin(k),
    "numpy's sin": lambda k: np.sin(k),
    "astype": lambda k: k.astype(float),
    "convert": lambda k: dx.lax.convert_element_type(k, "uint32"),
    "bitcast": lambda k: dx.lax.bitcast_convert_type(k, "uint64"),
    "abs": lambda k: abs(k),
    "invert": lambda k: ~k,
    "and": lambda k: k & k,
    "sort": lambda k: dnp.sort(k),
    "matmul": lambda k: k @ k.T,
    "max": lambda k: dnp.max(k),
    "mean": lambda k: dnp.mean(k),
    "argmax": lambda k: dnp.argmax(k),
    "cumsum": lambda k: dnp.cumsum(k),
    "equal to a number": lambda k: k == 1,
    "where of a key": lambda k: dnp.where(k, 1, 2),
    "where with numbers": lambda k: dnp.where(True, k, 0.0),
    "at add": lambda k: k.at[0].add(1),
    "at set": lambda k: k.at[0].set(1),
    "ones_like": lambda k: dnp.ones_like(k),
    "concatenate": lambda k: dnp.concatenate([k, dnp.ones((3, 4))]),
    "power": lambda k: k**2,
    "other keys": lambda k: k == dx.random.key(0, impl="rbg"),
    "where other keys": lambda k: dnp.where(True, k, dx.random.key(0, impl="rbg")),
    "bool": lambda k: bool(k[0, 0]),
    "float": lambda k: float(k[0, 0]),
    "index of a list": lambda k: [1][k[0, 0]],
}


@pytest.mark.parametrize("what", REFUSED)
def test_arithmetic_is_refused(what):
    keys = wrap_words(dnp.asarray(words_of(TYPES[0])), TYPES[0])
    for run in (REFUSED[what], dx.jit(REFUSED[what]), dx.vmap(REFUSED[what])):
        with pytest.raises((TypeError, IndexError), match="key"):
            run(keys)


def test_conversions():
    keys = dx.random.split(dx.random.key(3), 5)
    for convert in (np.asarray, np.array, float, bool, lambda k: k.item(), lambda k: k[0].item()):
        with pytest.raises((TypeError, ValueError)):
            convert(keys)
    with pytest.raises(TypeError, match="key_data"):
        np.asarray(keys)
    assert dx.device_get(keys) is keys
    assert "key<fry>[5]" in str(keys) and "dtype=key<fry>" in repr(keys)
    assert repr(dx.random.key(0)) == "Array(key<fry>[] of words [0 0], dtype=key<fry>)"
    assert str(dx.make_jaxpr(lambda k: k[0])(keys)).startswith("lambda a:key<fry>[5]:")


def test_containers_and_copies():
    keys = dx.random.split(dx.random.key(3), 5)
    assert len(dx.tree.leaves({"a": keys, "b": 1})) == 2
    for again in (pickle.loads(pickle.dumps(keys)), copy.copy(keys), copy.deepcopy(keys)):
        assert again.dtype is keys.dtype
        assert bool((again == keys).all())
    assert pickle.loads(pickle.dumps(keys.dtype)) is keys.dtype
    assert copy.deepcopy(keys.dtype) is keys.dtype
    a, b, *_ = keys
    assert a.shape == () and not bool(a == b) and len(keys) == 5


def test_of_a_dtype():
    dtype = dx.random.key(0).dtype
    assert dtype == dx.random.key(1).dtype != dx.random.key(1, impl="philox4x32").dtype
    assert dtype != np.dtype("float64") and np.dtype("float64") != dtype
    assert dtype.name == str(dtype) == "key<fry>" and dtype.itemsize == 8
    assert dx.typeof(dx.random.key(0)) is dx.ShapedArray((), dtype)
    aval = dx.eval_shape(lambda k: dx.random.split(k, 3), dx.ShapeDtypeStruct((), dtype))
    assert aval.shape == (3,) and aval.dtype is dtype


def test_derivatives_pass_keys_by():
    def loss(x, key):
        return x * x * dx.random.normal(key)

    key = dx.random.key(5)
    number = float(dx.random.normal(key))
    for run in (lambda f: f, dx.jit):
        assert float(run(dx.grad(loss))(3.0, key)) == pytest.approx(6 * number)
        assert float(run(dx.grad(dx.grad(loss)))(3.0, key)) == pytest.approx(2 * number)
    _, (dkey,) = dx.vjp(lambda k: k, key)[0], dx.vjp(lambda k: k, key)[1](np.zeros((), dx.float0))
    assert dkey.dtype == dx.float0
    out, tangent = dx.jvp(lambda k: dx.random.split(k), (key,), (np.zeros((), dx.float0),))
    assert out.shape == (2,) and tangent.dtype == dx.float0

    def walk(x, keys):
        step = lambda c, k: (c * x + dx.random.normal(k), k)
        return dx.lax.scan(step, 1.0, keys)

    keys = dx.random.split(key, 4)
    expected = [1.0, 0.0]
    for n in [float(dx.random.normal(k)) for k in keys]:
        expected = [0.5 * expected[0] + n, 0.5 * expected[1] + expected[0]]
    for run in (lambda f: f, dx.jit):
        (value, same), slope = run(dx.value_and_grad(walk, has_aux=True))(0.5, keys)
        assert float(value) == pytest.approx(expected[0])
        assert float(slope) == pytest.approx(expected[1])
        assert bool((same == keys).all())


def test_custom_rules_with_keys():
    @dx.custom_vjp
    def f(x, key):
        return x * dx.random.normal(key)

    f.defvjp(lambda x, k: (f(x, k), k), lambda k, g: (g * dx.random.normal(k), None))
    key = dx.random.key(2)
    for run in (dx.grad(f), dx.jit(dx.grad(f))):
        assert float(run(3.0, key)) == pytest.approx(float(dx.random.normal(key)))

    @dx.custom_jvp
    def g(x, key):
        return x * dx.random.normal(key)

    @g.defjvp
    def _(primals, tangents):
        return g(*primals), tangents[0] * dx.random.normal(primals[1])

    for run in (dx.grad(g), dx.jit(dx.grad(g))):
        assert float(run(3.0, key)) == pytest.approx(float(dx.random.normal(key)))
