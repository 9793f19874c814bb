"""Sums of products by Einstein's convention: einsum, and the products of many matrices.

opt_einsum reads the subscripts and plans the order of pairwise products. A term is an array with
the *labels* of its axes, "ij". Start with `_product`, which multiplies two of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ...primitives.core import Value, describe, with_user_line
from ...primitives.words.dot import accumulator
from ...primitives.words.structural import convert_element_type, reduce_sum
from ...primitives.words.structural import transpose as permute
from ..common import arr, no_out, no_sharding, same_dtype
from .diagonals import diagonal
from .products import _PLAIN, _at_once, _contract, _how, _times


def _opt_einsum() -> Any:
    """Return the package that parses subscripts and plans the order of products."""
    # Loaded when einsum is first called: it takes a tenth of the time of `import diffeo`.
    import opt_einsum

    return opt_einsum


def _check_dot_general(function: Any) -> None:
    """Refuse another function than `dx.lax.dot_general` in its place."""
    names = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    if function is not None and names != ("diffeo.lax.products", "dot_general"):
        raise with_user_line(
            NotImplementedError(
                f"einsum: _dot_general is not honoured, got {describe(function)}: products are "
                "dx.lax.dot_general's; leave it out"
            )
        )


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: Any = None,
    optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: np.dtype | None = None,
    _dot_general: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Compute sums of products by Einstein's convention: `einsum("ij,jk->ik", a, b)`.

    opt_einsum chooses the order of the pairwise products; each one is a single dot product, by
    `dx.lax.dot_general`, which is all that `_dot_general` may be.

    Raises:
        ValueError: for subscripts that do not fit the operands.
        NotImplementedError: for another `_dot_general`.

    Examples:
        >>> import diffeo as dx
        >>> einsum("i,i", dx.numpy.ones(3), dx.numpy.arange(3.0))
        Array(3.)
    """
    if out is not None:
        raise no_out("einsum")
    if out_sharding is not None:
        raise no_sharding("einsum", out_sharding)
    _check_dot_general(_dot_general)
    if isinstance(subscripts, str):
        subscripts, arrays = subscripts, [arr(x) for x in operands]
    else:  # einsum(a, [0, 1], b, [1, 2], [0, 2])
        everything = [subscripts, *operands]
        arrays = [arr(x) for x in everything[: len(everything) // 2 * 2 : 2]]
        lists = everything[1::2] + (everything[-1:] if len(everything) % 2 else [])
        subscripts = _interleaved(lists, len(arrays))
    if not arrays:
        raise with_user_line(ValueError(f"einsum: {subscripts!r} needs operands, got none"))
    how = _how("einsum", precision, preferred_element_type)
    small = len(arrays) == 2 and how is _PLAIN and max(x.size for x in arrays) <= 256
    quick = _at_once(lambda x, y: np.einsum(subscripts, x, y), *arrays) if small else None
    if quick is not None:
        return quick
    arrays = same_dtype(*arrays)
    if how[1] is not None and len(arrays) == 1:
        arrays = [convert_element_type(arrays[0], how[1])]
    # Plans are remembered by `_plan`; a list in `optimize` has no hash, so it is planned anew.
    try:
        plan = _plan if isinstance(optimize, (str, bool)) else _plan.__wrapped__
        inputs, output, path = plan(subscripts, tuple([x.shape for x in arrays]), optimize)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise with_user_line(
            ValueError(
                f"einsum: {subscripts!r} does not fit shapes "
                f"{', '.join([str(x.shape) for x in arrays])}: {error}"
            )
        ) from None
    terms = list(zip(arrays, inputs.split(",")))
    for x, labels in terms:
        if len(labels) != x.ndim:
            raise with_user_line(
                ValueError(
                    f"einsum: {subscripts!r} names {len(labels)} axes of an array of shape "
                    f"{x.shape}"
                )
            )
    result = _along_path(terms, output, path, how)
    return result if how[1] is None else convert_element_type(result, how[1])


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[Any, Any]:
    """Return (pairs of positions, a description): the order in which `einsum` would multiply.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.ones((2, 2))
        >>> einsum_path("ij,jk,kl->il", x, x, x)[0]
        [(0, 1), (0, 1)]
    """
    shapes = [arr(x).shape for x in operands]
    return _opt_einsum().contract_path(subscripts, *shapes, shapes=True, optimize=optimize)


@lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[Any, ...], optimize: str) -> tuple[str, str, Any]:
    """Return the labels of the operands, those of the result, and the order of the products.

    [(0, 1), (0, 1)] multiplies the first two terms and appends the product to the others, twice.
    """
    planner = _opt_einsum()
    inputs, output, _ = planner.parser.parse_einsum_input((subscripts, *shapes), shapes=True)
    if len(shapes) < 3:
        return inputs, output, [tuple(range(len(shapes)))]
    return (
        inputs,
        output,
        planner.contract_path(inputs + "->" + output, *shapes, shapes=True, optimize=optimize)[0],
    )


def _interleaved(lists: list[Any], count: int) -> str:
    """Return the subscripts of lists of numbers: [[0, 1], [1, 2], [0, 2]] are "ab,bc->ac"."""
    letter = lambda i: "..." if i is Ellipsis else _opt_einsum().get_symbol(i)
    words = ["".join([letter(i) for i in labels]) for labels in lists]
    return ",".join(words[:count]) + ("->" + words[count] if len(words) > count else "")


def _along_path(terms: list[tuple[Any, str]], output: str, path: Any, how: Any) -> Any:
    """Contract terms (array, labels) in the path's order; labels no more needed are summed."""
    for positions in path:
        chosen = [terms[i] for i in positions]
        others = [t for i, t in enumerate(terms) if i not in positions]
        needed = set(output).union(*[labels for _, labels in others])
        current = _single(
            *chosen[0],
            needed if len(chosen) == 1 else needed.union(*[labels for _, labels in chosen[1:]]),
        )
        for k, term in enumerate(chosen[1:], 1):
            later = needed.union(*[labels for _, labels in chosen[k + 1 :]])
            current = _product(current, _single(*term, later | set(current[1])), later, how)
        terms = [*others, current]
    x, labels = terms[0]
    return permute(x, [labels.index(label) for label in output])


def _single(x: Value, labels: str, needed: set[str]) -> tuple[Any, str]:
    """Take the diagonals of repeated labels, then sum over labels that are not needed.

    (x, "iij") with "i" needed gives the diagonal over the first two axes, summed over j: "i".
    """
    for label in sorted({c for c in labels if labels.count(c) > 1}):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise with_user_line(
                    ValueError(
                        f"einsum: the label '{label}' stands for sizes {x.shape[i]} and "
                        f"{x.shape[j]}"
                    )
                )
            x = diagonal(x, 0, i, j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + label
    gone = [i for i, c in enumerate(labels) if c not in needed]
    x = _add_up(x, gone)
    return x, "".join([c for c in labels if c in needed])


def _add_up(x: Value, axes: list[int]) -> Any:
    if not axes:
        return x
    if x.aval.dtype.kind == "b":
        return convert_element_type(reduce_sum(convert_element_type(x, np.int32), axes), np.bool_)
    return reduce_sum(x, axes)


def _product(left: Any, right: Any, needed: set[str], how: Any) -> tuple[Any, str]:
    """Multiply two terms and sum over shared labels that are not needed.

    "ij" and "jk" with "ik" needed give "ik". Shared labels that are needed come first.
    """
    (x, a), (y, b) = left, right
    sizes_x, sizes_y = dict(zip(a, x.shape)), dict(zip(b, y.shape))
    for c in [c for c in a if c in sizes_y and sizes_x[c] != sizes_y[c]]:
        # A size of 1 stretches: the axis goes, and the label remains in the other operand alone.
        if sizes_x[c] == 1:
            x, a = _add_up(x, [a.index(c)]), a.replace(c, "")
        elif sizes_y[c] == 1:
            y, b = _add_up(y, [b.index(c)]), b.replace(c, "")
        else:
            raise with_user_line(
                ValueError(
                    f"einsum: the label '{c}' stands for sizes {sizes_x[c]} and {sizes_y[c]}"
                )
            )
    x, a = _single(x, a, needed | set(b))
    y, b = _single(y, b, needed | set(a))
    shared = [c for c in a if c in b]
    batch = [c for c in shared if c in needed]
    summed = [c for c in shared if c not in needed]
    at = lambda labels, cs: tuple([labels.index(c) for c in cs])
    free = [c for c in a if c not in shared] + [c for c in b if c not in shared]
    if not summed and not batch and not (a and b):
        return _times(x, y, how), a + b
    # The result of an earlier product has the preferred dtype, an operand its own one.
    if x.aval.dtype != y.aval.dtype:
        operand_dtype = x.aval.dtype if y.aval.dtype == how[1] else y.aval.dtype
        x, y = (convert_element_type(v, accumulator(operand_dtype, how[1])) for v in (x, y))
    out = _contract(x, y, (at(a, summed), at(b, summed)), (at(a, batch), at(b, batch)), how)
    return out, "".join(batch + free)


def multi_dot(arrays: Any, *, precision: Any = None) -> Any:
    """Multiply two matrices or more in the cheapest order; the first and last may be vectors."""
    xs = [arr(x) for x in arrays]
    if len(xs) < 2:
        raise with_user_line(ValueError(f"multi_dot: expects two matrices or more, got {len(xs)}"))
    # Matrix i has the labels i and i + 1: "ab,bc,cd->ad".
    names = [_opt_einsum().get_symbol(i) for i in range(len(xs) + 1)]
    words = ["".join(names[i : i + 2]) for i in range(len(xs))]
    if xs[0].ndim == 1:
        words[0] = names[1]
    if xs[-1].ndim == 1:
        words[-1] = names[-2]
    ends = (names[0] if xs[0].ndim == 2 else "") + (names[-1] if xs[-1].ndim == 2 else "")
    return einsum(",".join(words) + "->" + ends, *xs, precision=precision)
