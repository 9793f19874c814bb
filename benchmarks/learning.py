"""Programs of machine learning: training steps in float32, written once for both libraries.

`function(lib)` returns a new function object, `arguments(random)` its arguments as NumPy arrays. A
step takes parameters and a batch, and returns the loss and the new parameters.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def normal(random, *shape, scale=1.0):
    """Normally distributed numbers, as float32."""
    return (scale * random.normal(size=shape)).astype(np.float32)


def layer(random, m, n):
    """Weights, and biases of zero."""
    return normal(random, m, n, scale=m**-0.5), np.zeros(n, np.float32)


def descent(lib, loss):
    """A step of gradient descent."""

    def step(params, *batch):
        value, gradient = lib.value_and_grad(loss)(params, *batch)
        return value, lib.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)

    return step


def cross_entropy(lib, logits, labels):
    """The mean over the batch; labels are one hot."""
    return -lib.numpy.mean(lib.numpy.sum(lib.nn.log_softmax(logits) * labels, axis=-1))


def one_hot(random, shape, classes):
    """Labels drawn at random."""
    return np.eye(classes, dtype=np.float32)[random.integers(0, classes, shape)]


# --------------------------------------------------------------------------------------------------


def mlp(lib):
    def loss(params, x, y):
        for weight, bias in params[:-1]:
            x = lib.nn.relu(x @ weight + bias)
        weight, bias = params[-1]
        return cross_entropy(lib, x @ weight + bias, y)

    return descent(lib, loss)


def mlp_arguments(random):
    params = [layer(random, m, n) for m, n in pairwise((784, 512, 512, 10))]
    return params, normal(random, 256, 784), one_hot(random, 256, 10)


# --------------------------------------------------------------------------------------------------


def cnn(lib):
    """Two convolutions of 3 by 3, each with pooling, and a dense layer; images come last."""
    lax, nn = lib.lax, lib.nn
    layout = ("NHWC", "HWIO", "NHWC")

    def block(x, kernel, bias):
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
        x = nn.relu(x + bias)
        return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def loss(params, x, y):
        for kernel, bias in params["blocks"]:
            x = block(x, kernel, bias)
        weight, bias = params["dense"]
        return cross_entropy(lib, x.reshape(x.shape[0], -1) @ weight + bias, y)

    return descent(lib, loss)


def cnn_arguments(random):
    kernel = lambda m, n: normal(random, 3, 3, m, n, scale=(9 * m) ** -0.5)
    blocks = [(kernel(m, n), np.zeros(n, np.float32)) for m, n in ((1, 16), (16, 32))]
    params = {"blocks": blocks, "dense": layer(random, 7 * 7 * 32, 10)}
    return params, normal(random, 32, 28, 28, 1), one_hot(random, 32, 10)


# --------------------------------------------------------------------------------------------------

HEADS, MODEL, LENGTH, WORDS, BLOCKS = 4, 64, 64, 128, 2


def transformer(lib):
    """A language model: blocks of causal attention and of two dense layers, each after a norm."""
    jnp, nn = lib.numpy, lib.nn

    def norm(x, scale):
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        return scale * centred / jnp.sqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-5)

    def attention(x, block):
        shape = (*x.shape[:2], HEADS, MODEL // HEADS)
        q, k, v = [part.reshape(shape) for part in jnp.split(x @ block["qkv"], 3, axis=-1)]
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.float32(MODEL // HEADS) ** 0.5
        seen = np.tri(LENGTH, dtype=bool)
        weights = nn.softmax(jnp.where(seen, scores, np.float32(-1e9)), axis=-1)
        return jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape) @ block["out"]

    def loss(params, tokens, labels):
        x = params["words"][tokens] + params["places"]
        for block in params["blocks"]:
            x = x + attention(norm(x, block["first"]), block)
            x = x + nn.gelu(norm(x, block["second"]) @ block["up"]) @ block["down"]
        return cross_entropy(lib, x @ params["words"].T, labels)

    return descent(lib, loss)


def transformer_arguments(random):
    def block():
        shapes = {"qkv": 3 * MODEL, "out": MODEL, "up": 4 * MODEL}
        weights = {name: layer(random, MODEL, n)[0] for name, n in shapes.items()}
        ones = np.ones(MODEL, np.float32)
        down = layer(random, 4 * MODEL, MODEL)[0]
        return {**weights, "down": down, "first": ones, "second": ones}

    params = {
        "words": normal(random, WORDS, MODEL, scale=0.1),
        "places": normal(random, LENGTH, MODEL, scale=0.1),
        "blocks": [block() for _ in range(BLOCKS)],
    }
    tokens = random.integers(0, WORDS, (4, LENGTH)).astype(np.int32)
    return params, tokens, one_hot(random, (4, LENGTH), WORDS)


# --------------------------------------------------------------------------------------------------

STEPS, BATCH, WIDTH = 100, 16, 64


def lstm(lib):
    """Predicting a sequence from what came before, by `scan`."""
    jnp, nn = lib.numpy, lib.nn

    def step(weights, carry, x):
        h, c = carry
        z = x @ weights["x"] + h @ weights["h"] + weights["b"]
        i, f, g, o = jnp.split(z, 4, axis=-1)
        c = nn.sigmoid(f + 1.0) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def loss(weights, xs):
        zero = jnp.zeros((BATCH, WIDTH), "float32")
        _, hs = lib.lax.scan(lambda carry, x: step(weights, carry, x), (zero, zero), xs)
        return jnp.mean((hs[:-1] - xs[1:]) ** 2)

    return descent(lib, loss)


def lstm_arguments(random):
    array = lambda *shape: normal(random, *shape, scale=0.1)
    weights = {"x": array(WIDTH, 4 * WIDTH), "h": array(WIDTH, 4 * WIDTH), "b": array(4 * WIDTH)}
    return weights, array(STEPS, BATCH, WIDTH)
