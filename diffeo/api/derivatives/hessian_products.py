"""Products of second derivatives with vectors, without forming a matrix: hvp, vhp,
gauss_newton_vp.

The vector has the structure of the arguments: a tangent or cotangent for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...primitives.core import describe, typeof, with_user_line
from ...primitives.jaxpr import eval_jaxpr
from ...primitives.stand_ins import ZERO
from ...primitives.support.foreign import float0
from ...primitives.types import is_complex, is_inexact
from ...primitives.words.elementwise import conj
from ...transforms.linearize import linearize_flat
from ...transforms.tangents import from_tangent, quietly
from ...transforms.transpose import pull_back_program
from ...trees import tree
from ...trees.arguments import as_values, check_callable, check_differentiable, name_of
from ...trees.functions import Flat
from .autodiff import as_tuple, jvp, point_and_direction
from .gradients import grad


def _checked(
    kind: str, fun: Callable, primals: Sequence[Any], vector: Sequence[Any], called: str
) -> tuple[tuple, tuple]:
    """Return the arguments and the vector as tuples of trees of arrays that fit each other.

    Raise TypeError if they do not fit, or an argument is no floating-point or complex array. `kind`
    is the public function and `called` its parameter of the vector, for messages.
    """
    primals = as_tuple(primals, f"{kind}: primals")
    check_differentiable(
        f"{kind} of {name_of(fun)}",
        as_values(tree.leaves(primals), kind, primals),
        primals,
        range(len(primals)),
        instead="let the function close over the argument",
    )
    vector = _in_floats(vector, primals)
    values, moves, structure = point_and_direction(kind, primals, vector, called)
    return tree.unflatten(structure, values), tree.unflatten(structure, moves)


def _in_floats(vector: Any, primals: tuple) -> Any:
    """Return arrays of whole numbers in the dtypes of the arguments: SciPy tries products with
    vectors of int8.
    """
    moves, structure = tree.flatten(vector)
    values = tree.leaves(primals)
    if len(moves) != len(values):
        return vector  # which is refused
    moves = [
        m.astype(typeof(v).dtype) if getattr(m, "dtype", float0).kind in "biu" else m
        for m, v in zip(moves, values)
    ]
    return tree.unflatten(structure, moves)


def _scalar(fun: Callable, what: str, has_aux: bool = False) -> Callable:
    """Return `fun` with a check: TypeError unless it returns one real number."""

    def checked(*args: Any) -> Any:
        out = fun(*args)
        pair = has_aux and isinstance(out, tuple) and len(out) == 2
        value = out[0] if pair else out
        try:
            aval = typeof(value)
        except TypeError:
            aval = None
        if aval is None or aval.shape or not is_inexact(aval.dtype) or is_complex(aval.dtype):
            raise with_user_line(
                TypeError(
                    f"{what} must return one real number, got {describe(value)}; reduce arrays "
                    "(sum, mean), take the real part or the absolute value of complex numbers, and "
                    "return other data beside it with has_aux=True"
                )
            )
        return out

    checked.__name__ = name_of(fun)
    return checked


def _argnums(primals: tuple) -> int | tuple[int, ...]:
    """Return the argnums of all arguments: 0 for a single one, whose gradient is then no tuple."""
    return 0 if len(primals) == 1 else tuple(range(len(primals)))


def hvp(
    fun: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Multiply the Hessian of a scalar function by a vector, in forward over reverse mode. The
    Hessian is not formed.

    Args:
        fun: a scalar function of arrays or trees. It is differentiated by all its arguments.
        primals: its arguments, a tuple.
        tangents: the vector: an entry for each argument, of its structure, shapes and dtypes.
        has_aux: `fun` returns (scalar, auxiliary data).

    Returns:
        A tree like the argument, for one argument; a tuple of such trees for several. With
        `has_aux`, a pair of the product and the auxiliary data. For complex arguments the product
        is the derivative of what `grad` returns.

    Raises:
        TypeError: if the vector does not fit the arguments, for integer arguments, and for a
            result that is not one real number.

    Examples:
        >>> import diffeo as dx
        >>> x, v = dx.numpy.array([1.0, 2.0]), dx.numpy.array([1.0, 1.0])
        >>> hvp(lambda x: dx.numpy.sum(x ** 3), (x,), (v,))
        Array([ 6., 12.])
    """
    check_callable(fun, "hvp")
    primals, tangents = _checked("hvp", fun, primals, tangents, "tangents")
    scalar = _scalar(fun, f"hvp of {name_of(fun)}: the function", has_aux)
    results = jvp(grad(scalar, _argnums(primals), has_aux), primals, tangents, has_aux)
    return results[1:] if has_aux else results[1]


def vhp(
    fun: Callable, primals: Sequence[Any], cotangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Multiply a vector by the Hessian of a scalar function, in reverse over forward mode. The
    Hessian is not formed.

    The Hessian is symmetric, so `hvp` has the same value, computed in another way. Here the
    directional derivative is differentiated in reverse, which keeps its intermediate results. The
    values differ where rules of one's own (`custom_jvp`, `custom_vjp`) make a "gradient" that is
    the gradient of no function.

    Arguments, result and errors are those of `hvp`; the vector is called `cotangents`.

    Examples:
        >>> import diffeo as dx
        >>> x, v = dx.numpy.array([1.0, 2.0]), dx.numpy.array([1.0, 1.0])
        >>> vhp(lambda x: dx.numpy.sum(x ** 3), (x,), (v,))
        Array([ 6., 12.])
    """
    check_callable(fun, "vhp")
    primals, cotangents = _checked("vhp", fun, primals, cotangents, "cotangents")
    scalar = _scalar(fun, f"vhp of {name_of(fun)}: the function", has_aux)

    def directional(*args: Any) -> Any:
        """Return the derivative along the vector, and the auxiliary data."""
        results = jvp(scalar, args, cotangents, has_aux)
        return results[1:] if has_aux else results[1]

    directional.__name__ = name_of(fun)
    return grad(directional, _argnums(primals), has_aux)(*primals)


def gauss_newton_vp(
    fun: Callable,
    loss: Callable | None,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> Any:
    """Multiply the Gauss-Newton matrix `J^T H J` of `loss(fun(...))` by a vector.

    `J` is the Jacobian of `fun`, and `H` the Hessian of `loss` by the result of `fun`. The matrix
    is the Hessian without the second derivatives of `fun`, and positive semidefinite if `loss` is
    convex. `fun` is evaluated once; no matrix is formed.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree: residuals, or the
            predictions of a model.
        loss: a scalar function of this result; None for half the sum of squares, whose product is
            `J^T J v`.
        primals: the arguments of `fun`, a tuple.
        tangents: the vector: an entry for each argument, of its structure, shapes and dtypes.
        has_aux: `fun` returns (result, auxiliary data).

    Returns:
        A tree like the argument, for one argument; a tuple of such trees for several. With
        `has_aux`, a pair of the product and the auxiliary data. Complex numbers follow the
        convention of `grad`.

    Raises:
        TypeError: if the vector does not fit the arguments, for integer arguments, and if `loss`
            does not return one real number.

    Examples:
        >>> import diffeo as dx
        >>> rate, t = dx.numpy.array(0.5), dx.numpy.array([0.0, 1.0, 2.0])
        >>> model = lambda rate: dx.numpy.exp(-rate * t)
        >>> gauss_newton_vp(model, lambda y: dx.numpy.sum(y ** 2), (rate,), (1.0,))
        Array(1.81844115)
    """
    check_callable(fun, "gauss_newton_vp")
    if loss is not None:
        check_callable(loss, "gauss_newton_vp: loss")
    primals, tangents = _checked("gauss_newton_vp", fun, primals, tangents, "tangents")
    products, aux = quietly(_gauss_newton, fun, loss, primals, tangents, has_aux)
    product = products[0] if len(primals) == 1 else products
    return (product, aux) if has_aux else product


def _gauss_newton(
    fun: Callable, loss: Callable | None, primals: tuple, tangents: tuple, has_aux: bool
) -> tuple[tuple, Any]:
    """Compute J^T (H (J v)), from right to left. Return (a tuple for all arguments, auxiliary
    data or None).
    """
    values, structure = tree.flatten(primals)
    flat = Flat(fun, structure, name_of(fun), has_aux)
    outs, program, has_tangent = linearize_flat(flat, values, flat.name)
    # The leaves of the result that depend on the arguments; only these have a tangent in `moved`.
    moving = [i for i in range(flat.count) if has_tangent[i]]
    moved = eval_jaxpr(program, tree.leaves(tangents))
    point, direction = [outs[i] for i in moving], moved[: len(moving)]
    cts = _curvature(flat, loss, outs, moving, point, direction)
    cts += [ZERO] * (len(moved) - len(moving))  # those of the auxiliary data
    products = pull_back_program(program, cts)
    products = [from_tangent(c, typeof(v)) for c, v in zip(products, values)]
    return tree.unflatten(structure, products), flat.aux(outs) if has_aux else None


def _curvature(
    flat: Flat,
    loss: Callable | None,
    outs: Sequence[Any],
    moving: Sequence[int],
    point: Sequence[Any],
    direction: Sequence[Any],
) -> list[Any]:
    """Multiply the Hessian of the loss by a direction.

    The Hessian is that by the leaves of the result in `moving`. `outs` are all leaves, `point` and
    `direction` the values and tangents of those in `moving`.
    """
    if loss is None:  # half the sum of squares: the Hessian is the identity
        return [conj.bind(d) if is_complex(d.dtype) else d for d in direction]
    if not moving:
        return []

    def loss_of(moved: Sequence[Any]) -> Any:
        full = list(outs)
        for i, o in zip(moving, moved):
            full[i] = o
        return loss(flat.result(full))

    loss_of.__name__ = name_of(loss)
    what = f"gauss_newton_vp of {flat.name}: the loss {name_of(loss)}"
    return jvp(grad(_scalar(loss_of, what)), (list(point),), (list(direction),))[1]
