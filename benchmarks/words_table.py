"""The words that are measured: functions that diffeo and jax name alike, and NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

Operands = Callable[[int], tuple]

#: NumPy and SciPy by the names of the libraries that follow them.
PLAIN = SimpleNamespace(numpy=np, scipy=SimpleNamespace(special=scipy.special, linalg=scipy.linalg))


@dataclass(frozen=True)
class Word:
    """A function `call(lib, *operands)`, of both libraries.

    `plain(lib, *operands)` is what NumPy would be asked (`lib` is PLAIN): by default the same; None
    where one call of diffeo is a program in NumPy, or the other way round. `operands(n)` are about
    n numbers each; `size` is the n of the compiled cases; the gradient is by the operands `by`.
    """

    name: str
    call: Callable[..., Any]
    operands: Operands
    size: int = 2_000_000
    by: tuple[int, ...] = (0,)
    plain: Callable[..., Any] | str | None = "same"


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def vectors(count: int = 1, low: float = 0.2, high: float = 0.9) -> Operands:
    """Float64 vectors of n numbers."""
    return lambda n: tuple(generator().uniform(low, high, (count, n)))


def integers(count: int = 1, low: int = 1, high: int = 60) -> Operands:
    """Int64 vectors of n numbers."""
    return lambda n: tuple(generator().integers(low, high, (count, n)))


def side(n: int) -> int:
    return max(int(n**0.5), 2)


def matrices(count: int = 1, complex_: bool = False) -> Operands:
    """Well-conditioned square matrices of about n numbers."""

    def make(n: int) -> tuple:
        k, rng = side(n), generator()
        shape = (count, k, k)
        found = rng.normal(size=shape) + (1j * rng.normal(size=shape) if complex_ else 0.0)
        return tuple(found + 3 * k**0.5 * np.eye(k))

    return make


def definite(n: int) -> tuple:
    """A symmetric positive definite matrix of about n numbers."""
    k = side(n)
    x = generator().normal(size=(k, k))
    return (x @ x.T + k * np.eye(k),)


def call_numpy(name: str, **options: Any) -> Callable[..., Any]:
    return lambda lib, *xs: getattr(lib.numpy, name)(*xs, **options)


def call_special(name: str) -> Callable[..., Any]:
    return lambda lib, *xs: getattr(lib.scipy.special, name)(*xs)


UNARY = {
    "negative": (-2, 2), "abs": (-2, 2), "sign": (-2, 2), "floor": (-9, 9), "ceil": (-9, 9),
    "rint": (-9, 9), "sqrt": (0.2, 3), "cbrt": (0.2, 3), "square": (-2, 2), "exp": (-2, 2),
    "exp2": (-2, 2), "expm1": (-2, 2), "log": (0.2, 3), "log1p": (0.2, 3), "sin": (-2, 2),
    "cos": (-2, 2), "tan": (-1, 1), "arcsin": (-0.9, 0.9), "arccos": (-0.9, 0.9),
    "arctan": (-2, 2), "sinh": (-2, 2), "cosh": (-2, 2), "tanh": (-2, 2), "arcsinh": (-2, 2),
    "arccosh": (1.2, 3), "arctanh": (-0.9, 0.9), "isfinite": (-2, 2),
}  # fmt: skip
FLAT = ("sign", "floor", "ceil", "rint", "isfinite")


def elementwise() -> list[Word]:
    """Functions of each element."""
    words = [
        Word(name, call_numpy(name), vectors(1, *span), by=() if name in FLAT else (0,))
        for name, span in UNARY.items()
    ]
    for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "arctan2"):
        words.append(Word(name, call_numpy(name), vectors(2), by=(0, 1)))
    for name in ("less", "equal", "nextafter"):
        words.append(Word(name, call_numpy(name), vectors(2), 8_000_000, ()))
    for name in ("bitwise_and", "bitwise_xor", "left_shift", "right_shift"):
        words.append(Word(name, call_numpy(name), integers(2), 8_000_000, ()))
    for name in ("reciprocal", "log2", "log10"):
        words.append(Word(name, call_numpy(name), vectors(), plain=None))
    words.append(Word("logaddexp", call_numpy("logaddexp"), vectors(2), plain=None))
    for name in ("erf", "erfc", "erfinv", "gammaln", "digamma", "i0e", "i1e", "expit"):
        words.append(Word(name, call_special(name), vectors()))
    words.append(Word("ndtri", call_special("ndtri"), vectors(), plain=None))
    for name in ("gammainc", "gammaincc", "xlogy"):
        words.append(Word(name, call_special(name), vectors(2), 200_000, (1,)))
    shifted = lambda n: tuple(x + 1.5 for x in vectors(2)(n))
    words.append(Word("zeta", call_special("zeta"), shifted, 200_000, (1,)))
    return words


def reductions() -> list[Word]:
    words = []
    for name in ("sum", "prod", "max", "min"):
        words.append(Word(name, call_numpy(name), vectors(), 8_000_000))
        columns = call_numpy(name, axis=0)
        words.append(Word(f"{name} along columns", columns, matrices(), 8_000_000))
    for name in ("mean", "std"):
        words.append(Word(name, call_numpy(name), vectors(), 8_000_000, plain=None))
    for name in ("argmax", "any"):
        words.append(Word(name, call_numpy(name), vectors(), 8_000_000, ()))
    for name in ("cumsum", "cumprod"):
        words.append(Word(name, call_numpy(name), vectors(1, 0.999, 1.001), 1_000_000))
        rows = call_numpy(name, axis=1)
        words.append(Word(f"{name} along rows", rows, matrices(), 1_000_000))
    for name in ("cummax", "cumlogsumexp"):
        call = lambda lib, x, f=name: getattr(lib.lax, f)(x)
        words.append(Word(name, call, vectors(), 1_000_000, plain=None))
    return words


def structure() -> list[Word]:
    copied = lambda function: lambda lib, x: np.array(function(x))
    where = lambda lib, x, y: lib.numpy.where(x > 0.5, x, y)
    sides = lambda n: vectors(2)(side(n))
    return [
        Word("reshape", lambda lib, x: lib.numpy.reshape(x, (-1, 2)) + 1.0, vectors(), 8_000_000),
        Word("transpose", lambda lib, x: lib.numpy.transpose(x) + 1.0, matrices(), 4_000_000),
        Word(
            "concatenate",
            lambda lib, x, y: lib.numpy.concatenate([x, y]),
            vectors(2),
            4_000_000,
            (0, 1),
        ),
        Word("flip", call_numpy("flip"), vectors(), 4_000_000, plain=copied(np.flip)),
        Word("pad", call_numpy("pad", pad_width=1), matrices(), 4_000_000),
        Word("where", where, vectors(2), 4_000_000, (0, 1)),
        Word("clip", lambda lib, x: lib.numpy.clip(x, 0.3, 0.6), vectors(), 8_000_000),
        Word("slice", lambda lib, x: x[1:-1] * 2.0, vectors(), 8_000_000),
        Word("astype", lambda lib, x: x.astype("float32"), vectors(), 8_000_000),
        Word("broadcast", lambda lib, x, y: x[:, None] * y[None, :], sides, 4_000_000, (0, 1)),
    ]


def positions(n: int) -> tuple:
    return vectors()(n)[0], generator().integers(0, n, n)


def indexing() -> list[Word]:
    scatter = lambda method: lambda lib, x, i: getattr(lib.numpy.zeros_like(x).at[i], method)(x)
    found = lambda lib, x, y: lib.numpy.searchsorted(lib.numpy.sort(x), y)

    def plain(write: Callable) -> Callable:
        def scatter(lib: Any, x: np.ndarray, i: np.ndarray) -> np.ndarray:
            out = np.zeros_like(x)
            write(out, i, x)
            return out

        return scatter

    stable = partial(np.sort, kind="stable"), partial(np.argsort, kind="stable")
    return [
        Word("take", lambda lib, x, i: x[i], positions, 1_000_000),
        Word("scatter add", scatter("add"), positions, 1_000_000, plain=plain(np.add.at)),
        Word("scatter set", scatter("set"), positions, 1_000_000, plain=plain(np.put)),
        Word("scatter max", scatter("max"), positions, 1_000_000, (), plain(np.maximum.at)),
        Word("sort", call_numpy("sort"), vectors(), 300_000, plain=lambda lib, x: stable[0](x)),
        Word("argsort", call_numpy("argsort"), vectors(), 300_000, (), lambda lib, x: stable[1](x)),
        Word("top_k", lambda lib, x: lib.lax.top_k(x, 10)[0], matrices(), 1_000_000, plain=None),
        Word("searchsorted", found, vectors(2), 300_000, (), None),
    ]


def images(n: int) -> tuple:
    """A batch of images and a kernel of 3 by 3, in the layouts NCHW and OIHW."""
    k = max(int((n / 32) ** 0.5), 4)
    rng = generator()
    return rng.normal(size=(4, 8, k, k)), rng.normal(size=(8, 8, 3, 3))


def contractions() -> list[Word]:
    conv = lambda lib, x, w: lib.lax.conv_general_dilated(x, w, (1, 1), "SAME")
    pool = lambda lib, x, w: lib.lax.reduce_window(
        x, -np.inf, lib.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"
    )
    average = lambda lib, x, w: lib.lax.reduce_window(
        x, 0.0, lib.lax.add, (1, 1, 3, 3), (1, 1, 1, 1), "SAME"
    )
    blocks = lambda n: (generator().normal(size=(max(n // 64, 1), 8, 8)),)
    return [
        Word("matmul", call_numpy("matmul"), matrices(2), 250_000, (0, 1)),
        Word("matmul, complex", call_numpy("matmul"), matrices(2, True), 90_000, ()),
        Word("dot of vectors", call_numpy("dot"), vectors(2), 8_000_000, (0, 1)),
        Word("matrix times vector", lambda lib, x: x @ x[0], matrices(), 8_000_000),
        Word("matmul of many 8 by 8", lambda lib, x: x @ x, blocks, 2_000_000),
        Word("convolution", conv, images, 500_000, (0, 1), None),
        Word("max pooling", pool, images, 1_000_000, plain=None),
        Word("sum over windows", average, images, 1_000_000, plain=None),
    ]


def linalg() -> list[Word]:
    def word(name: str, operands: Operands, size: int, by: tuple[int, ...] = (0,)) -> Word:
        call = lambda lib, *xs: getattr(lib.numpy.linalg, name)(*xs)
        return Word(f"linalg.{name}", call, operands, size, by)

    small = lambda n: (matrices()(16)[0] + generator().normal(size=(max(n // 16, 1), 4, 4)),)
    lower = lambda lib, x: lib.scipy.linalg.solve_triangular(x, x, lower=True)
    return [
        word("cholesky", definite, 250_000),
        word("inv", matrices(), 90_000),
        word("det", matrices(), 250_000),
        word("slogdet", matrices(), 250_000),
        Word("linalg.solve", lambda lib, x: lib.numpy.linalg.solve(x, x[0]), matrices(), 250_000),
        Word(
            "linalg.solve, many of 4 by 4",
            lambda lib, x: lib.numpy.linalg.solve(x, x),
            small,
            1_000_000,
        ),
        word("qr", matrices(), 90_000),
        word("eigh", definite, 40_000),
        word("eigvalsh", definite, 40_000),
        word("svd", matrices(), 22_500, ()),
        word("svdvals", matrices(), 22_500),
        word("pinv", matrices(), 22_500),
        word("eigvals", matrices(), 22_500, ()),
        Word("solve_triangular", lower, matrices(), 250_000),
        Word("expm", lambda lib, x: lib.scipy.linalg.expm(x / 100.0), matrices(), 22_500),
    ]


def fourier() -> list[Word]:
    words = []
    for name in ("fft", "ifft", "rfft"):
        call = lambda lib, x, f=name: getattr(lib.numpy.fft, f)(x)
        words.append(Word(f"fft.{name}", call, vectors(), 1 << 18))
    words.append(Word("fft.fft2", lambda lib, x: lib.numpy.fft.fft2(x), matrices(), 1 << 18))
    return words


WORDS = [*elementwise(), *reductions(), *structure(), *indexing(), *contractions(), *linalg(),
         *fourier()]  # fmt: skip


_CHECKED = "what NumPy checks in C is checked in Python: axes, bounds and types of the operands"
_SCALED = (
    "a derivative that may be infinite is multiplied so that 0 times it is 0, which takes a "
    "comparison and a choice more; jax has nan there"
)
_SHARED = "equal extrema share the derivative: they are counted; jax counts them otherwise"
_SCATTER = "indices keep their 64 bits, so that huge ones are out of bounds; jax narrows them"
_CHANCE = "the same call of NumPy for both: within the target in most runs"

_EXPM = (
    "a polynomial of degree 13 whatever the norm, where others take a lower degree for small ones; "
    "in eager mode some forty operations, SciPy's is one call"
)

#: Why a word misses its target, by its name and the kind of case. Simple functions whose programs
#: are the same in both libraries may miss it by chance.
CAUSES = {
    ("exp", "gradient"): _SCALED,
    ("expm1", "gradient"): _SCALED,
    ("log", "gradient"): _SCALED,
    ("arccosh", "gradient"): _SCALED,
    ("arctan", "gradient"): _SCALED,
    ("isfinite", "compiled"): "the program is jax's, and a call takes a fraction of a millisecond",
    ("erfinv", "gradient"): _SCALED,
    ("maximum", "gradient"): "equal operands share the derivative by comparisons, not a division",
    ("minimum", "gradient"): "equal operands share the derivative by comparisons, not a division",
    ("ndtri", "compiled"): "exact to the smallest probabilities, which takes a polynomial more",
    ("zeta", "compiled"): "limits at poles and infinities, and sums that begin below 0",
    ("max along columns", "gradient"): _SHARED,
    ("min along columns", "gradient"): _SHARED,
    ("max", "eager"): _CHANCE,
    ("min", "eager"): _CHANCE,
    ("take", "eager"): _CHECKED,
    ("scatter add", "eager"): "indices are checked, and the result is a copy",
    ("scatter max", "eager"): "indices are checked, and the result is a copy",
    ("scatter add", "compiled"): _SCATTER,
    ("scatter add", "gradient"): _SCATTER,
    ("scatter set", "compiled"): _SCATTER,
    ("scatter max", "compiled"): _SCATTER,
    ("linalg.cholesky", "eager"): "the mean of the matrix and its adjoint is taken, as in jax",
    ("solve_triangular", "eager"): "the result is nan, not an error, where a pivot is 0",
    ("expm", "eager"): _EXPM,
    ("expm", "compiled"): _EXPM,
    ("expm", "gradient"): _EXPM,
    ("fft.fft", "eager"): _CHECKED,
    ("fft.ifft", "eager"): _CHECKED,
}
