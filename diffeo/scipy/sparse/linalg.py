"""Linear systems by iteration, with the names of scipy.sparse.linalg and jax.scipy.sparse.linalg.

The matrix is a function, an array or anything with `@`. Right-hand sides are arrays of any shape,
or trees of arrays. Derivatives do not go through the iteration: they are solutions of systems with
the same matrix, or with its transpose, by the same iteration (`custom_linear_solve`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...api.control_flow.implicit import custom_linear_solve
from ...api.control_flow.loops import while_loop
from ...numpy.choosing import where
from ...numpy.common import arr, no_such, static_int
from ...numpy.contracting.precision import Precision
from ...numpy.contracting.products import matmul, vdot
from ...numpy.joining import concatenate
from ...numpy.making.creation import asarray, zeros
from ...numpy.ufuncs import maximum, minimum, real
from ...primitives.core import Value, describe, with_user_line
from ...primitives.types import is_complex
from ...primitives.words.promotion import to_inexact
from ...trees import tree
from .krylov import norm, one_round, unit

__all__ = ["bicgstab", "cg", "gmres"]

Map = Callable[[Any], Any]


def _map_of(a: Any, what: str) -> Map:
    """Return a linear map as a function."""
    if isinstance(a, (Value, np.ndarray)) or (not callable(a) and hasattr(a, "__matmul__")):
        shape = getattr(a, "shape", None)
        if shape is not None and (len(shape) != 2 or shape[0] != shape[1]):
            raise with_user_line(
                ValueError(f"{what} must be a square matrix or a function, got shape {shape}")
            )
        if isinstance(a, (Value, np.ndarray)):
            return lambda x: matmul(a, x, precision=Precision.HIGHEST)
        return lambda x: a @ x
    if callable(a):
        return a
    raise with_user_line(
        TypeError(f"{what} must be a function, an array or an object with `@`, got {describe(a)}")
    )


def _solve(iterate: Callable, A: Any, b: Any, x0: Any, maxiter: int | None, M: Any,
           symmetric: bool = False) -> tuple[Any, None]:  # fmt: skip
    """Solve A x = b by an iteration on vectors.

    Args:
        iterate: `iterate(product, right, start, precondition, maxiter)`, of vectors and functions
            of them, returns the solution.
        symmetric: A is its own transpose, if b is real.
    """
    product, precondition = _map_of(A, "A"), (lambda x: x) if M is None else _map_of(M, "M")
    b = tree.map(lambda v: arr(to_inexact(asarray(v))), b)
    leaves, structure = tree.flatten(b)
    if x0 is None:
        x0 = tree.map(lambda v: zeros(v.shape, v.dtype), b)
    else:
        starts, other = tree.flatten(x0)
        shapes = [[np.shape(v) for v in vs] for vs in (starts, leaves)]
        if other != structure or shapes[0] != shapes[1]:
            raise with_user_line(
                ValueError(
                    f"x0 and b must have one structure and equal shapes, got {other} with "
                    f"{shapes[0]}, and {structure} with {shapes[1]}"
                )
            )
        x0 = tree.unflatten(other, [asarray(s).astype(v.dtype) for s, v in zip(starts, leaves)])
    sizes = [v.size for v in leaves]
    maxiter = 10 * sum(sizes) if maxiter is None else maxiter
    joined = _joined(leaves)

    def solve(product: Map, right: Any) -> Any:
        on_vectors = lambda f: lambda v: joined(f(apart(v)))
        apart = lambda v: _apart(v, leaves, structure)
        return apart(iterate(on_vectors(product), joined(right), joined(x0),
                             on_vectors(precondition), maxiter))  # fmt: skip

    whole = symmetric and not any([is_complex(v.dtype) for v in leaves])
    return custom_linear_solve(product, b, solve, solve, symmetric=whole), None


def _joined(leaves: list[Any]) -> Map:
    """Return a function that makes one vector of a tree."""
    dtype = np.result_type(*[v.dtype for v in leaves]) if leaves else None

    def join(x: Any) -> Any:
        parts = [asarray(v).reshape((-1,)).astype(dtype) for v in tree.leaves(x)]
        return parts[0] if len(parts) == 1 else concatenate(parts)

    return join


def _apart(vector: Value, leaves: list[Any], structure: Any) -> Any:
    """Make a tree of one vector."""
    parts, start = [], 0
    for v in leaves:
        part = vector[start : start + v.size]
        part = part if is_complex(v.dtype) or not is_complex(part.dtype) else real(part)
        parts.append(part.reshape(v.shape).astype(v.dtype))
        start += v.size
    return tree.unflatten(structure, parts)


def _product(x: Value, y: Value) -> Any:
    return vdot(x, y, precision=Precision.HIGHEST)


def _cg(
    product: Map, b: Value, x: Value, precondition: Map, maxiter: int, tol: Any, atol: Any
) -> Any:
    """Return the solution by conjugate gradients (Hestenes and Stiefel 1952)."""
    least = maximum(tol * norm(b), atol)

    def going(s: tuple) -> Any:
        _, r, _, _, k = s
        return (norm(r) > least) & (k < maxiter)

    def turn(s: tuple) -> tuple:
        x, r, p, size, k = s
        moved = product(p)
        step = (size / real(_product(p, moved))).astype(x.dtype)
        x, r = x + step * p, r - step * moved
        z = precondition(r)
        new = real(_product(r, z))
        return x, r, z + (new / size).astype(x.dtype) * p, new, k + 1

    r = b - product(x)
    z = precondition(r)
    return while_loop(going, turn, (x, r, z, real(_product(r, z)), asarray(0)))[0]


def _bicgstab(product: Map, b: Value, x: Value, precondition: Map, maxiter: int, tol: Any,
              atol: Any) -> Any:  # fmt: skip
    """Return the solution by stabilized biconjugate gradients (van der Vorst 1992)."""
    least = maximum(tol * norm(b), atol)
    shadow = r = b - product(x)
    one = asarray(1.0, b.dtype)
    # A divisor of 0 means that the iteration has broken down.
    over = lambda y, z: y / where(z == 0, 1.0, z)

    def going(s: tuple) -> Any:
        r, k, broken = s[1], s[-2], s[-1]
        return (norm(r) > least) & (k < maxiter) & ~broken

    def turn(s: tuple) -> tuple:
        x, r, p, moved, rho, alpha, omega, k, _ = s
        new = _product(shadow, r)
        p = r + over(new, rho) * over(alpha, omega) * (p - omega * moved)
        toward = precondition(p)
        moved = product(toward)
        alpha = over(new, _product(shadow, moved))
        half = r - alpha * moved
        other = precondition(half)
        turned = product(other)
        omega = over(_product(turned, half), _product(turned, turned))
        early = norm(half) <= least
        x = x + alpha * toward + where(early, 0.0, omega * other)
        r = half - where(early, 0.0, omega * turned)
        broken = (new == 0) | (alpha == 0) | ((omega == 0) & ~early)
        return x, r, p, moved, new, alpha, omega, k + 1, broken

    start = (x, r, r * 0, r * 0, one, one, one, asarray(0), asarray(False))
    return while_loop(going, turn, start)[0]


def _gmres(product: Map, b: Value, x: Value, precondition: Map, maxiter: int, tol: Any, atol: Any,
           restart: int, early: bool) -> Any:  # fmt: skip
    """Return the solution by rounds of GMRES (Saad and Schultz 1986)."""
    size, ready = norm(b), norm(precondition(b))
    least = maximum(tol * size, atol)
    # A round sees the preconditioned residual, whose goal is in proportion.
    inner = ready * early * minimum(1.0, least / where(size == 0, 1.0, size))
    eps = float(np.finfo(b.dtype).eps)

    def residual(x: Value) -> tuple[Any, Any]:
        return unit(precondition(b - product(x)), eps * 1e-30)

    def going(s: tuple) -> Any:
        return (s[3] < maxiter) & (s[2] > least)

    def turn(s: tuple) -> tuple:
        x, direction, left, k = s
        moved = lambda v: precondition(product(v))
        x = x + one_round(moved, direction, left, min(restart, b.shape[0]), inner)
        return x, *residual(x), k + 1

    return while_loop(going, turn, (x, *residual(x), asarray(0)))[0]


def cg(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0, maxiter: Any = None,
       M: Any = None) -> tuple[Any, None]:  # fmt: skip
    """Solve A x = b by conjugate gradients, for a Hermitian and positive definite A.

    Args:
        A: a function that multiplies by the matrix, from trees like `b` to such trees; or a matrix.
        b: the right-hand side, an array or a tree of arrays.
        x0: where to start, like `b`; zeros by default.
        tol, atol: the iteration ends when |b - A x| is at most the larger one of tol |b| and atol.
        maxiter: or after as many steps; by default 10 for each number in `b`.
        M: a preconditioner, near the inverse of A: a function or a matrix.

    Returns:
        `(x, None)`. The solution can be differentiated by `b`, and by all that A is made of.

    Raises:
        ValueError: for a matrix that is not square, or an x0 that is not like `b`.
        TypeError: for an A or M that is none of these.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[2.0, 1.0], [1.0, 3.0]])
        >>> cg(a, dx.numpy.array([3.0, 4.0]))[0].round(12)
        Array([1., 1.])
    """
    return _solve(partial(_cg, tol=tol, atol=atol), A, b, x0, maxiter, M, symmetric=True)


def bicgstab(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0,
             maxiter: Any = None, M: Any = None) -> tuple[Any, None]:  # fmt: skip
    """Solve A x = b by stabilized biconjugate gradients, for any A.

    Arguments, results and errors are those of `cg`.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[2.0, 1.0], [0.0, 3.0]])
        >>> bicgstab(a, dx.numpy.array([3.0, 3.0]))[0].round(12)
        Array([1., 1.])
    """
    return _solve(partial(_bicgstab, tol=tol, atol=atol), A, b, x0, maxiter, M)


def gmres(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0, restart: int = 20,
          maxiter: Any = None, M: Any = None,
          solve_method: str = "batched") -> tuple[Any, None]:  # fmt: skip
    """Solve A x = b by generalized minimal residuals, for any A.

    Args:
        A, b, x0, M: as of `cg`.
        tol, atol: the iteration ends when |M (b - A x)| is at most the larger one of tol |b| and
            atol.
        restart: how many vectors there are in a round.
        maxiter: the most rounds; by default 10 for each number in `b`.
        solve_method: "batched" does all steps of a round; "incremental" ends a round as soon as
            the residual is small.

    Returns:
        `(x, None)`, as `cg`.

    Raises:
        ValueError: as `cg`, and for another `solve_method` or a restart below 1.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[2.0, 1.0], [0.0, 3.0]])
        >>> gmres(lambda x: a @ x, dx.numpy.array([3.0, 3.0]))[0].round(12)
        Array([1., 1.])
    """
    methods = ("batched", "incremental")
    if solve_method not in methods:
        raise no_such("gmres", "solve_method", solve_method, methods)
    restart = static_int(restart, "gmres", "restart")
    if restart < 1:
        raise with_user_line(ValueError(f"gmres: restart must be at least 1, got {restart}"))
    early = solve_method == "incremental"
    iterate = partial(_gmres, tol=tol, atol=atol, restart=restart, early=early)
    return _solve(iterate, A, b, x0, maxiter, M)
