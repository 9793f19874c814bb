"""Matrices with a name, made of a few numbers or of none. Leading axes stand for many matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numpy.common import arr, dtype_of, no_such, same_dtype, static_int
from ..numpy.joining import concatenate
from ..numpy.making.creation import array
from ..numpy.shaping import broadcast_to
from ..primitives.constants import full
from ..primitives.core import with_user_line
from ..primitives.types import is_complex
from ..primitives.words.promotion import broadcast_shapes, to_inexact
from ..primitives.words.slicing import pad, rev
from ..primitives.words.structural import expand_dims

__all__ = [
    "block_diag",
    "circulant",
    "companion",
    "convolution_matrix",
    "dft",
    "fiedler",
    "fiedler_companion",
    "hadamard",
    "hankel",
    "helmert",
    "hilbert",
    "invhilbert",
    "invpascal",
    "khatri_rao",
    "leslie",
    "pascal",
    "toeplitz",
]


def _vector(x: Any, name: str, what: str, least: int = 0) -> Any:
    """Return an array with at least one axis, the last of which has at least `least` elements."""
    x = arr(x)
    x = x.reshape((1,)) if not x.ndim else x
    if x.shape[-1] < least:
        raise with_user_line(
            ValueError(
                f"{name}: the last axis of {what} needs {least} or more elements, got shape "
                f"{x.shape}"
            )
        )
    return x


def _side_by_side(x: Any, y: Any) -> Any:
    """Concatenate two arrays along the last axis; their leading axes broadcast."""
    x, y = same_dtype(x, y)
    lead = broadcast_shapes(x.shape[:-1], y.shape[:-1])
    return concatenate([broadcast_to(v, (*lead, v.shape[-1])) for v in (x, y)], -1)


def _size(n: Any, name: str, least: int = 0) -> int:
    """Return a size as an integer; ValueError if it is less than `least`."""
    n = static_int(n, name, "n")
    if n < least:
        raise with_user_line(ValueError(f"{name}: n must be at least {least}, got {n}"))
    return n


def toeplitz(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant diagonals, first column `c` and first row `r`.

    The first element of `r` is not read.

    Args:
        c: [..., m].
        r: [..., n]; the conjugate of `c` if it is not given.

    Returns:
        [..., m, n], leading axes broadcast, dtypes promoted.

    Examples:
        >>> import diffeo as dx
        >>> toeplitz(dx.numpy.array([1, 2, 3]), dx.numpy.array([1, 4, 5]))
        Array([[1, 4, 5],
               [2, 1, 4],
               [3, 2, 1]])
    """
    c = _vector(c, "toeplitz", "c")
    r = (c.conj() if is_complex(c.dtype) else c) if r is None else _vector(r, "toeplitz", "r")
    m, n = c.shape[-1], r.shape[-1]
    # The numbers of the diagonals, from the lower left corner to the upper right one.
    numbers = _side_by_side(c[..., ::-1], r[..., 1:])
    positions = np.arange(m)[::-1, None] + np.arange(n)
    return (
        numbers[..., positions] if m and n else full((*numbers.shape[:-1], m, n), 0, numbers.dtype)
    )


def hankel(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant antidiagonals, first column `c` and last row `r`.

    The first element of `r` is not read.

    Args:
        c: [..., m].
        r: [..., n]; zeros like `c` if it is not given.

    Returns:
        [..., m, n], leading axes broadcast, dtypes promoted.

    Examples:
        >>> import diffeo as dx
        >>> hankel(dx.numpy.array([1, 2, 3]))
        Array([[1, 2, 3],
               [2, 3, 0],
               [3, 0, 0]])
    """
    c = _vector(c, "hankel", "c")
    r = full(c.shape, 0, c.dtype) if r is None else _vector(r, "hankel", "r")
    m, n = c.shape[-1], r.shape[-1]
    numbers = _side_by_side(c, r[..., 1:])
    positions = np.arange(m)[:, None] + np.arange(n)
    return (
        numbers[..., positions] if m and n else full((*numbers.shape[:-1], m, n), 0, numbers.dtype)
    )


def circulant(c: Any) -> Any:
    """Return the matrix [..., n, n] whose columns are `c`, rotated by 0, 1, 2 ... elements.

    `c` is [..., n].

    Examples:
        >>> import diffeo as dx
        >>> circulant(dx.numpy.array([1, 2, 3]))
        Array([[1, 3, 2],
               [2, 1, 3],
               [3, 2, 1]])
    """
    c = _vector(c, "circulant", "c")
    n = np.arange(c.shape[-1])
    return c[..., (n[:, None] - n) % max(len(n), 1)]


def companion(a: Any) -> Any:
    """Return the matrix [..., n-1, n-1] whose eigenvalues are the roots of a polynomial.

    The polynomial has the coefficients `a`, [..., n], the highest power first.

    Raises:
        ValueError: for fewer than two coefficients.

    Examples:
        >>> import diffeo as dx
        >>> companion(dx.numpy.array([1.0, -10.0, 31.0, -30.0]))
        Array([[ 10., -31.,  30.],
               [  1.,   0.,   0.],
               [  0.,   1.,   0.]])
    """
    a = _vector(to_inexact(arr(a)), "companion", "a", 2)
    first = expand_dims(-a[..., 1:] / a[..., :1], (a.ndim - 1,))
    return _under(first, np.eye(a.shape[-1] - 2, a.shape[-1] - 1))


def _under(first: Any, rest: np.ndarray) -> Any:
    """Return rows [..., 1, n] with the rows of one matrix under them."""
    rest = array(rest, first.dtype)
    return concatenate([first, broadcast_to(rest, (*first.shape[:-2], *rest.shape))], -2)


def leslie(f: Any, s: Any) -> Any:
    """Return the matrix [..., n, n] of a population with ages.

    Its first row is `f`, [..., n], the offspring of each age. Its subdiagonal is `s`, [..., n-1],
    the part of each age that grows older.

    Raises:
        ValueError: for n < 2, or lengths that do not fit each other.

    Examples:
        >>> import diffeo as dx
        >>> leslie(dx.numpy.array([0.1, 2.0, 1.0]), dx.numpy.array([0.2, 0.8]))
        Array([[0.1, 2. , 1. ],
               [0.2, 0. , 0. ],
               [0. , 0.8, 0. ]])
    """
    f, s = same_dtype(_vector(f, "leslie", "f", 2), _vector(s, "leslie", "s"))
    if s.shape[-1] != f.shape[-1] - 1:
        raise with_user_line(
            ValueError(f"leslie: s must be one shorter than f, got shapes {s.shape} and {f.shape}")
        )
    lead, n = broadcast_shapes(f.shape[:-1], s.shape[:-1]), f.shape[-1]
    older = expand_dims(broadcast_to(s, (*lead, n - 1)), (len(lead) + 1,)) * array(
        np.eye(n - 1, n), s.dtype
    )
    return concatenate([expand_dims(broadcast_to(f, (*lead, n)), (len(lead),)), older], -2)


def fiedler(a: Any) -> Any:
    """Return the matrix [..., n, n] of distances |a[i] - a[j]| of the elements of `a`, [..., n].

    Examples:
        >>> import diffeo as dx
        >>> fiedler(dx.numpy.array([1.0, 4.0, 9.0]))
        Array([[0., 3., 8.],
               [3., 0., 5.],
               [8., 5., 0.]])
    """
    a = _vector(a, "fiedler", "a")
    return abs(expand_dims(a, (a.ndim,)) - expand_dims(a, (a.ndim - 1,)))


def fiedler_companion(a: Any) -> Any:
    """Return a companion matrix [..., n-1, n-1] with five diagonals.

    Its polynomial has the coefficients `a`, [..., n] (Fiedler 2003, "A note on companion
    matrices").

    Raises:
        ValueError: without coefficients.

    Examples:
        >>> import diffeo as dx
        >>> fiedler_companion(dx.numpy.array([1.0, -10.0, 31.0, -30.0]))
        Array([[ 10., -31.,   1.],
               [  1.,   0.,   0.],
               [  0.,  30.,   0.]])
    """
    a = _vector(to_inexact(arr(a)), "fiedler_companion", "a", 1)
    n = a.shape[-1] - 1
    a = -a[..., 1:] / a[..., :1]
    if n < 2:
        return expand_dims(a, (a.ndim,))
    # Each coefficient stands once. `numbers` says which one each element is; number n is the zero
    # that is appended to the coefficients. `fixed` has the ones.
    fixed, numbers = np.zeros((n, n)), np.full((n, n), n)
    for k in range(n):
        row = 0 if k == 0 else k if k % 2 == 0 else k - 1
        column = 0 if k == 0 else k - 1 if k % 2 == 0 else k
        numbers[row, column] = k
    fixed[1, 0] = 1.0
    for k in range(0, n - 2):
        fixed[(k, k + 2) if k % 2 == 0 else (k + 2, k)] = 1.0
    zero = [(0, 0)] * (a.ndim - 1)
    padded = pad(a, [low for low, _ in zero] + [0], [high for _, high in zero] + [1])
    return padded[..., numbers] + array(fixed, a.dtype)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """Return the matrix whose product with a vector of `n` elements is its convolution with `a`.

    `a` is [..., m].

    Args:
        a: at least one element.
        n: the length of the vectors, at least 1.
        mode: "full", "same" or "valid", as in `numpy.convolve`.

    Raises:
        ValueError: for another mode, for n < 1, and for an empty `a`.

    Examples:
        >>> import diffeo as dx
        >>> convolution_matrix(dx.numpy.array([-1, 4, -2]), 3, "same")
        Array([[ 4, -1,  0],
               [-2,  4, -1],
               [ 0, -2,  4]])
    """
    n = _size(n, "convolution_matrix", 1)
    a = _vector(a, "convolution_matrix", "a", 1)
    if mode not in ("full", "same", "valid"):
        raise no_such("convolution_matrix", "mode", mode, ("full", "same", "valid"))
    cut = 0 if mode == "full" else min(n, a.shape[-1]) - 1
    cut_before = cut // 2 if mode == "same" else cut
    cut_after = cut - cut_before if mode == "same" else cut
    no_padding = [0] * (a.ndim - 1)
    column = pad(a, [*no_padding, 0], [*no_padding, n - 1])
    row = pad(rev(a, (a.ndim - 1,)), [*no_padding, 0], [*no_padding, n - 1])
    size = a.shape[-1] + n - 1
    return toeplitz(
        column[..., cut_before : size - cut_after],
        row[..., size - n - cut_before : size - cut_before],
    )


def block_diag(*arrs: Any) -> Any:
    """Return the matrix with these matrices on its diagonal, and 0 elsewhere.

    Args:
        arrs: matrices [..., m, n] of any shapes, leading axes broadcast; vectors are rows, numbers
            are matrices of one element.

    Examples:
        >>> import diffeo as dx
        >>> block_diag(dx.numpy.ones((1, 2)), 3.0)
        Array([[1., 1., 0.],
               [0., 0., 3.]])
    """
    if not arrs:
        return full((1, 0), 0, dtype_of(None))
    blocks = same_dtype(*[v if v.ndim > 1 else v.reshape((1, v.size)) for v in map(arr, arrs)])
    lead = broadcast_shapes(*[b.shape[:-2] for b in blocks])
    no_padding = (0,) * len(lead)
    columns, columns_before, rows = sum([b.shape[-1] for b in blocks]), 0, []
    for b in blocks:
        b = broadcast_to(b, (*lead, *b.shape[-2:]))
        rows.append(
            pad(
                b,
                (*no_padding, 0, columns_before),
                (*no_padding, 0, columns - columns_before - b.shape[-1]),
            )
        )
        columns_before += b.shape[-1]
    return concatenate(rows, -2)


def khatri_rao(a: Any, b: Any) -> Any:
    """Compute the Kronecker product column by column.

    [..., m, k] and [..., n, k] give [..., m n, k].

    Raises:
        ValueError: unless there are as many columns in both.

    Examples:
        >>> import diffeo as dx
        >>> khatri_rao(dx.numpy.array([[1, 2]]), dx.numpy.array([[1, 2], [3, 4]]))
        Array([[1, 4],
               [3, 8]])
    """
    a, b = arr(a), arr(b)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise with_user_line(
            ValueError(
                f"khatri_rao: expects two matrices with as many columns, got shapes {a.shape} and "
                f"{b.shape}"
            )
        )
    out = expand_dims(a, (a.ndim - 1,)) * expand_dims(b, (b.ndim - 2,))
    return out.reshape((*out.shape[:-3], a.shape[-2] * b.shape[-2], a.shape[-1]))


# --------------------------------------------------------------------------------------------------
# Of a size only


def hilbert(n: int) -> Any:
    """Return the matrix [n, n] of 1 / (i + j + 1), which is hard to invert.

    Examples:
        >>> hilbert(2)
        Array([[1.        , 0.5       ],
               [0.5       , 0.33333333]])
    """
    i = np.arange(_size(n, "hilbert"))
    return array(1.0 / (i[:, None] + i + 1), dtype_of(None))


def invhilbert(n: int) -> Any:
    """Return the inverse of `hilbert(n)`.

    Its elements are whole numbers, rounded to floating-point.

    Examples:
        >>> invhilbert(2)
        Array([[ 4., -6.],
               [-6., 12.]])
    """
    n, b = _size(n, "invhilbert"), math.comb
    return _table(
        n,
        lambda i, j: (
            (-1) ** (i + j)
            * (i + j + 1)
            * b(n + i, n - j - 1)
            * b(n + j, n - i - 1)
            * b(i + j, i) ** 2
        ),
    )


def _table(n: int, element: Any) -> Any:
    """Return the matrix [n, n] of `element(i, j)`, which is computed with Python's integers."""
    rows = [[float(element(i, j)) for j in range(n)] for i in range(n)]
    return array(np.reshape(np.array(rows), (n, n)), dtype_of(None))


def pascal(n: int, kind: str | None = None) -> Any:
    """Return the matrix [n, n] of binomial coefficients.

    `kind` is "symmetric" (the default), (i + j over i); "lower", (i over j); or "upper", its
    transpose.

    Raises:
        ValueError: for another kind.

    Examples:
        >>> pascal(3)
        Array([[1., 1., 1.],
               [1., 2., 3.],
               [1., 3., 6.]])
    """
    n, kind = _size(n, "pascal"), _kind("pascal", kind)
    if kind == "symmetric":
        return _table(n, lambda i, j: math.comb(i + j, i))
    return _table(n, lambda i, j: math.comb(i, j) if kind == "lower" else math.comb(j, i))


def invpascal(n: int, kind: str | None = None) -> Any:
    """Return the inverse of `pascal(n, kind)`.

    Raises:
        ValueError: for another kind.

    Examples:
        >>> invpascal(3)
        Array([[ 3., -3.,  1.],
               [-3.,  5., -2.],
               [ 1., -2.,  1.]])
    """
    n, kind = _size(n, "invpascal"), _kind("invpascal", kind)
    signed = lambda i, j: (-1) ** (i + j) * math.comb(i, j)
    if kind == "symmetric":
        return _table(n, lambda i, j: sum(signed(k, i) * signed(k, j) for k in range(n)))
    return _table(n, signed if kind == "lower" else lambda i, j: signed(j, i))


def _kind(name: str, kind: str | None) -> str:
    """Return the kind of Pascal's matrix, by default "symmetric"; ValueError for an unknown one."""
    kinds = ("symmetric", "lower", "upper")
    if kind is not None and kind not in kinds:
        raise no_such(name, "kind", kind, kinds)
    return kind or "symmetric"


def helmert(n: int, full: bool = False) -> Any:
    """Return the matrix [n-1, n] of orthonormal contrasts.

    Row i compares element i + 1 with the mean of those before it; with `full`, the normalized mean
    stands above them.

    Examples:
        >>> helmert(2)
        Array([[ 0.70710678, -0.70710678]])
    """
    n = _size(n, "helmert", 1)
    i = np.arange(1, n)[:, None]
    j = np.arange(n)
    rows = np.where(j < i, 1.0, np.where(j == i, -i, 0.0)) / np.sqrt(i * (i + 1.0))
    mean = np.full((1, n), 1 / math.sqrt(n))
    return array(np.concatenate([mean, rows]) if full else rows, dtype_of(None))


def hadamard(n: int, dtype: Any = int) -> Any:
    """Return the matrix [n, n] of 1 and -1 with orthogonal rows, by Sylvester's construction.

    Raises:
        ValueError: unless n is a power of 2.

    Examples:
        >>> hadamard(2)
        Array([[ 1,  1],
               [ 1, -1]])
    """
    n = _size(n, "hadamard", 1)
    if n & (n - 1):
        raise with_user_line(ValueError(f"hadamard: n must be a power of 2, got {n}"))
    i = np.arange(n)
    # Element (i, j) is -1 if i and j have an odd number of set bits in common.
    bits = np.vectorize(lambda k: bin(k).count("1") % 2, otypes=[int])(i[:, None] & i)
    return array(1 - 2 * bits, dtype_of(dtype))


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Any:
    """Return the complex matrix [n, n] of the discrete Fourier transform.

    Its product with a vector is the transform of the vector, divided by the square root of n
    (`scale="sqrtn"`) or by n ("n").

    Raises:
        ValueError: for another scale, or a dtype that is not complex.

    Examples:
        >>> dft(2).real
        Array([[ 1.,  1.],
               [ 1., -1.]])
    """
    n, dtype = _size(n, "dft"), dtype_of(dtype, complex)
    if scale not in (None, "sqrtn", "n"):
        raise no_such("dft", "scale", scale, (None, "sqrtn", "n"))
    if not is_complex(dtype):
        raise with_user_line(ValueError(f"dft: dtype must be complex, got {dtype}"))
    i = np.arange(n)
    waves = np.exp(-2j * np.pi * (np.outer(i, i) % max(n, 1)) / max(n, 1))
    divisor = 1 if scale is None else math.sqrt(n) if scale == "sqrtn" else n
    return array(waves / max(divisor, 1), dtype)
