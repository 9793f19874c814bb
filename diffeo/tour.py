"""The tour: what diffeo does, shown on a small function and on real data (`python -m diffeo`).

`tour` runs all sections. The first three trace, compile and differentiate small functions; the
others train a classifier of handwritten digits and show how long each stage took.
"""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import diffeo as dx
from diffeo import numpy as dnp
from diffeo import random
from diffeo.data import load_digits
from diffeo.lowering.devices.devices import device_description

from .primitives.core import Value

#: The number of columns of the output.
WIDTH = 80
#: How many images are for training; the others are for the test.
TRAIN = 1437
#: How many images a training step sees.
BATCH = 128
#: The characters for the darkness of a pixel, the lightest first.
INK = " .:-=+*#%@"


def section(title: str) -> None:
    """Print a heading with a rule under it."""
    print(f"\n{title}\n{'-' * WIDTH}")


def show(text: str) -> None:
    """Print a program, indented; long lines are wrapped, source lines left out."""
    for line in text.splitlines():
        line = "  " + line.partition("  #")[0].rstrip()
        print("\n".join(textwrap.wrap(line, WIDTH, subsequent_indent=" " * 8)))


# --------------------------------------------------------------------------------------------------
# A small function


def wave(x: Value) -> Any:
    """Compute the function of the first two sections."""
    return dnp.sin(x) * x + 2.0


def programs() -> None:
    """Print the program of a function, of its gradient, and the StableHLO of the latter."""
    section("1  A function is traced into a program; its gradient is a program, too")
    print("sin(x) * x + 2\n")
    show(str(dx.make_jaxpr(wave)(1.0)))
    print("\nits gradient\n")
    show(str(dx.make_jaxpr(dx.grad(wave))(1.0)))

    section("2  The StableHLO of the gradient, which XLA compiles")
    show(dx.jit(dx.grad(wave)).lower(1.0).as_text().strip())


def exp_sin(x: Any) -> Any:
    """Compute the function of the third section."""
    return dnp.exp(dnp.sin(x))


def exact_derivatives(order: int) -> list[int]:
    """Return derivatives of exp(sin x) at 0 in whole numbers: f' = f cos x, and Leibniz's rule."""
    cosine = [1, 0, -1, 0]
    derivatives = [1]
    for n in range(order):
        derivatives.append(
            sum(math.comb(n, k) * derivatives[n - k] * cosine[k % 4] for k in range(n + 1))
        )
    return derivatives


def tenth_derivative() -> bool:
    """Print derivatives of exp(sin x) at 0 beside the exact ones; return whether they agree."""
    section("3  Derivatives of exp(sin(x)) at 0 up to the tenth, by one Taylor pass")
    start = time.perf_counter()
    computed = [float(d) for d in dx.derivatives(exp_sin, 0.0, 10)]
    elapsed = time.perf_counter() - start
    exact = exact_derivatives(10)
    print("  order" + "".join(f"{k:>6}" for k in range(11)))
    print("  found" + "".join(f"{d:>6.0f}" for d in computed))
    print("  exact" + "".join(f"{d:>6}" for d in exact))
    error = max(abs(a - b) / max(abs(b), 1) for a, b in zip(computed, exact))
    print(f"  largest relative error {error:.1e}, {1e3 * elapsed:.1f} ms without compiling")
    return error < 1e-12


# --------------------------------------------------------------------------------------------------
# Real data


def network(params: Sequence[Any], image: Value) -> Any:
    """Return the scores of the ten digits for one image."""
    x = image
    for weights, bias in params[:-1]:
        x = dnp.maximum(dnp.dot(x, weights) + bias, 0.0)
    weights, bias = params[-1]
    return dnp.dot(x, weights) + bias


def loss(params: Sequence[Any], images: Any, labels: Any) -> Any:
    """Return the mean cross entropy of a batch: the network of one image, vectorised."""
    scores = dx.vmap(network, in_axes=(None, 0))(params, images)
    # The softmax does not change if a number is subtracted; so its exponentials do not overflow.
    scores = scores - dnp.max(scores, axis=1, keepdims=True)
    log_total = dnp.log(dnp.sum(dnp.exp(scores), axis=1))
    return dnp.mean(log_total - scores[dnp.arange(labels.shape[0]), labels])


loss_and_gradient = dx.jit(dx.value_and_grad(loss))


@dx.jit
def step(state: tuple, images: Any, labels: Any) -> tuple:
    """Take one step of Adam (Kingma and Ba 2015), and return (state, loss)."""
    params, mean, square, count = state
    value, gradient = loss_and_gradient(params, images, labels)
    count = count + 1.0
    mean = dx.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
    square = dx.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)
    rate = 3e-3 * dnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    params = dx.tree.map(lambda p, m, s: p - rate * m / (dnp.sqrt(s) + 1e-8), params, mean, square)
    return (params, mean, square, count), value


@dx.jit
def classify(params: Sequence[Any], images: Any) -> Any:
    """Return the most likely digit of each image."""
    return dnp.argmax(dx.vmap(network, in_axes=(None, 0))(params, images), axis=1)


def initial_state(key: Any, sizes: Sequence[int]) -> tuple:
    """Return random weights, and Adam's averages at zero."""
    params = []
    for key_, n, m in zip(random.split(key, len(sizes) - 1), sizes, sizes[1:]):
        params.append((random.normal(key_, (n, m)) / math.sqrt(n), dnp.zeros(m)))
    zeros = dx.tree.map(dnp.zeros_like, params)
    return params, zeros, zeros, dnp.asarray(0.0)


def load(seed: int) -> tuple[Any, ...]:
    """Load the digits, and return images and labels for training, images and labels for the test.

    Images are rows of 64 numbers from 0 to 1. They are shuffled before they are split.
    """
    images, labels = load_digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    rows, labels = images[order].reshape(-1, 64) / 16.0, labels[order].astype(np.int64)
    return rows[:TRAIN], labels[:TRAIN], rows[TRAIN:], labels[TRAIN:]


class Progress:
    """A line that is rewritten on a terminal; elsewhere, a line that is printed now and then."""

    def __init__(self, total: int):
        self.total, self.live = total, sys.stdout.isatty()

    def __call__(self, done: int, text: str) -> None:
        filled = 24 * done // self.total
        line = f"  [{'#' * filled}{'.' * (24 - filled)}] epoch {done:>3} of {self.total}, {text}"
        if self.live:
            columns = shutil.get_terminal_size().columns
            print("\r" + line[: columns - 1], end="\n" if done == self.total else "", flush=True)
        elif done == self.total or done % max(1, self.total // 5) == 0:
            print(line, flush=True)


def train(
    state: tuple, images: Any, labels: Any, epochs: int, seed: int
) -> tuple[Any, list[float]]:
    """Train for a number of epochs, with mini-batches in random order.

    Returns:
        The parameters, and the seconds of each step.
    """
    shuffle, progress, seconds = np.random.default_rng(seed + 1), Progress(epochs), []
    for epoch in range(epochs):
        order = shuffle.permutation(len(labels))
        losses = []
        for first in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            start = time.perf_counter()
            state, value = step(state, images[rows], labels[rows])
            losses.append(float(value))
            seconds.append(time.perf_counter() - start)
        progress(epoch + 1, f"loss {sum(losses) / len(losses):.4f}")
    return state[0], seconds


def picture(images: Any, labels: Any, found: Any) -> None:
    """Print four test images in characters; mistakes first, if there are any.

    `found` holds the digits that the images were taken for.
    """
    wrong = np.flatnonzero(found != labels)[:2].tolist()
    chosen = [*wrong, *np.flatnonzero(found == labels)[: 4 - len(wrong)].tolist()]
    for row in range(8):
        cells = [images[i].reshape(8, 8)[row] for i in chosen]
        lines = ["".join([2 * INK[int(9 * p)] for p in cell]) for cell in cells]
        print(("  " + "   ".join(lines)).rstrip())
    notes = [f"{labels[i]}" + f", taken for {found[i]}" * (i in wrong) for i in chosen]
    print("  " + "   ".join([f"{note:16}" for note in notes]).rstrip())


def milliseconds(seconds: float) -> str:
    """Return a time as text, for people."""
    return f"{1e3 * seconds:9.2f} ms"


def digits(seed: int, epochs: int, hidden: int) -> float:
    """Train on the digits, show how it went and how long each stage took.

    Returns:
        The test accuracy.
    """
    images, labels, test_images, test_labels = load(seed)
    section("4  A classifier of handwritten digits: jit(value_and_grad(loss)) and vmap")
    print(f"  device   {device_description()}")
    print(f"  data     {TRAIN} images of 8 x 8 pixels to learn from, {len(test_labels)} to test")
    print(f"  network  64 - {hidden} - 10, relu, float64; Adam, batches of {BATCH}\n")
    state = initial_state(random.key(seed), (64, hidden, 10))
    traced = step.trace(state, images[:BATCH], labels[:BATCH])
    lowered = traced.lower()
    compiled = lowered.compile()
    origin = "from the cache on disk" if compiled.origin == "disk" else "by XLA, once"
    params, seconds = train(state, images, labels, epochs, seed)
    predictions = np.asarray(classify(params, test_images))
    accuracy = float(np.mean(predictions == test_labels))
    print(f"\n  test accuracy {100 * accuracy:.2f} %\n")
    picture(test_images, test_labels, predictions)

    section("5  Times of the training step")
    median = sorted(seconds)[len(seconds) // 2] if seconds else math.nan
    print(f"  trace    {milliseconds(traced.seconds)}   {len(traced.jaxpr.eqns)} equations")
    print(f"  lower    {milliseconds(lowered.seconds)}   {lowered.as_text().count(chr(10))} lines")
    print(f"  compile  {milliseconds(compiled.seconds)}   {origin}")
    print(f"  step     {milliseconds(median)}   median of {len(seconds)}")
    return accuracy


def tour(seed: int, epochs: int, hidden: int, write: Callable[[str], Any] = print) -> int:
    """Run all sections, and return the exit code."""
    start = time.perf_counter()
    print("diffeo: function transformations for numerical Python")
    programs()
    agree = tenth_derivative()
    accuracy = digits(seed, epochs, hidden)
    write(f"\nall of it took {time.perf_counter() - start:.1f} s")
    if not agree:
        write("error: the derivatives differ from the exact ones by more than rounding")
    if accuracy <= 0.95:
        write(f"error: the test accuracy is {100 * accuracy:.2f} %, not above 95 %")
    return 0 if agree and accuracy > 0.95 else 1
