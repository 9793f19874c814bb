"""Derivatives by sparse arrays: they have the pattern of the array itself.

Derivatives by elements that are not stored are left out; all others are those of the dense array.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...api.derivatives import gradients, jacobians
from ...trees import tree
from ...trees.arguments import WRAPPED, check_argnums, check_callable, name_of
from .base import JAXSparse


def _is_sparse(x: Any) -> bool:
    return isinstance(x, JAXSparse)


def _by_data(fun: Callable, args: tuple, numbers: Sequence[int]) -> tuple[Callable, list, Callable]:
    """Return a function of the differentiated arguments with data in the place of sparse arrays,
    these arguments, and what puts derivatives into the patterns.
    """
    chosen = [args[n] for n in numbers]
    leaves, structure = tree.flatten(chosen, is_leaf=_is_sparse)

    def with_data(datas: Sequence[Any]) -> Any:
        new = [_with(x, d) if _is_sparse(x) else d for x, d in zip(leaves, datas)]
        return tree.unflatten(structure, new)

    def of_data(datas: Sequence[Any], *rest: Any, **kwargs: Any) -> Any:
        full = list(args)
        for n, value in zip(numbers, with_data(datas)):
            full[n] = value
        return fun(*full, **kwargs)

    return of_data, [x.data if _is_sparse(x) else x for x in leaves], with_data


def _with(mat: Any, data: Any) -> Any:
    """Return a sparse array with other data. If they have further axes in front, so have the
    indices: they are repeated.
    """
    (_, *others), static = mat.tree_flatten()
    extra = data.ndim - mat.data.ndim
    if extra > 0:
        shape = data.shape[:extra]
        others = [x.reshape((*[1] * extra, *x.shape)) for x in others]
        others = [_repeated(x, shape) for x in others]
    return type(mat).tree_unflatten(static, (data, *others))


def _repeated(x: Any, shape: Sequence[int]) -> Any:
    for axis, n in enumerate(shape):
        x = x.repeat(n, axis)
    return x


def _numbers(argnums: Any, count: int, name: str) -> tuple[int, ...]:
    return check_argnums(argnums, count, name)


def value_and_grad(
    fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, **kwargs: Any
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that returns the value and the gradient, sparse by sparse arguments.

    Args:
        fun: a function that returns a number.
        argnums: which arguments it is differentiated by; they may be trees with sparse arrays.
        has_aux: the function returns `(value, auxiliary output)`.
        **kwargs: further options of `dx.value_and_grad`.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> value, g = sparse.value_and_grad(lambda m, v: (m @ v).sum())(sparse.eye(2), np.ones(2))
        >>> value, g
        (Array(2.), BCOO(float64[2, 2], nse=2))
    """
    check_callable(fun, "value_and_grad")

    @functools.wraps(fun, assigned=WRAPPED)
    def value_and_gradient(*args: Any, **options: Any) -> tuple[Any, Any]:
        numbers = _numbers(argnums, len(args), f"value_and_grad of {name_of(fun)}")
        of_data, datas, with_data = _by_data(fun, args, numbers)
        run = gradients.value_and_grad(of_data, has_aux=has_aux, **kwargs)
        value, gradient = run(datas, **options)
        return value, _result(with_data(gradient), argnums)

    return value_and_gradient


def _result(trees: Sequence[Any], argnums: Any) -> Any:
    return trees[0] if isinstance(argnums, int) else tuple(trees)


def grad(
    fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, **kwargs: Any
) -> Callable[..., Any]:
    """Return a function that returns the gradient, which is sparse by sparse arguments; the
    arguments are those of `value_and_grad`.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.grad(lambda m, v: ((m @ v) ** 2).sum())(sparse.eye(2), np.ones(2)).data
        Array([2., 2.])
    """
    run = value_and_grad(fun, argnums, has_aux, **kwargs)

    @functools.wraps(fun, assigned=WRAPPED)
    def gradient(*args: Any, **options: Any) -> Any:
        value, found = run(*args, **options)
        return (found, value[1]) if has_aux else found

    return gradient


def jacfwd(
    fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, **kwargs: Any
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian by forward mode, sparse by sparse arguments: with
    batch axes for those of the result, which is dense.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.jacfwd(lambda m: m @ np.ones(2))(sparse.eye(2))
        BCOO(float64[2, 2, 2], nse=2, n_batch=1)
    """
    return _jacobian(jacobians.jacfwd, fun, argnums, has_aux, kwargs)


def jacrev(
    fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, **kwargs: Any
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian by reverse mode; see `jacfwd`.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.jacrev(lambda m: m @ np.ones(2))(sparse.eye(2)).todense().shape
        (2, 2, 2)
    """
    return _jacobian(jacobians.jacrev, fun, argnums, has_aux, kwargs)


#: `jacrev` by another name.
jacobian = jacrev


def _jacobian(mode: Callable, fun: Callable, argnums: Any, has_aux: bool, kwargs: dict) -> Callable:
    check_callable(fun, mode.__name__)

    @functools.wraps(fun, assigned=WRAPPED)
    def run(*args: Any, **options: Any) -> Any:
        numbers = _numbers(argnums, len(args), f"{mode.__name__} of {name_of(fun)}")
        of_data, datas, with_data = _by_data(fun, args, numbers)
        found = mode(of_data, has_aux=has_aux, **kwargs)(datas, **options)
        rows, aux = found if has_aux else (found, None)
        # The result may be a tree, and each leaf has derivatives by all of the data.
        count = len(datas)
        leaves, structure = tree.flatten(rows)
        blocks = [leaves[i : i + count] for i in range(0, len(leaves), count)]
        marks = tree.unflatten(structure, range(len(leaves)))
        made = [_result(with_data(block), argnums) for block in blocks]
        whole = _replaced(marks, count, made)
        return (whole, aux) if has_aux else whole

    return run


def _replaced(marks: Any, count: int, made: Sequence[Any]) -> Any:
    """Return a tree of lists of `count` numbers with a derivative in the place of each list."""
    is_list = lambda x: (
        isinstance(x, list) and len(x) == count and all([isinstance(i, int) for i in x])
    )
    return tree.map(lambda x: made[x[0] // count], marks, is_leaf=is_list)
