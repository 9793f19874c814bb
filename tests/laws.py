"""What the tests of the laws share: transformations of samples, and finite differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from diffeo.engine.run import run_program
from diffeo.primitives import Array, stage
from diffeo.primitives.core import Value, typeof
from diffeo.primitives.jaxpr import Jaxpr
from diffeo.primitives.stand_ins import ZERO
from diffeo.primitives.support.key_types import BY_ELEMENT
from diffeo.primitives.types import SCALARS, is_inexact
from diffeo.transforms.jvp import jvp_flat
from diffeo.transforms.linearize import linearize_flat
from diffeo.transforms.transpose import backward_pass
from tests.samples import Sample

Function = Callable[..., list[Any]]


def host(x: Any) -> np.ndarray:
    """The numbers of a result; of keys, the words."""
    x = x.host if isinstance(x, Value) and x.dtype.kind == "k" else np.asarray(x)
    return x[x.dtype.names[0]] if x.dtype in BY_ELEMENT else x


def value(x: Any) -> Any:
    """A sample's operand as the library's array; Python scalars and traced values stay."""
    return x if type(x) in SCALARS or isinstance(x, Value) else Array(x)


def close(found: Any, expected: Any, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    """Assert equal shapes, dtypes and (nearly) numbers; nan equals nan."""
    found, expected = host(found), host(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if found.dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected)
    else:
        wide = np.complex128 if found.dtype.kind == "c" else np.float64
        np.testing.assert_allclose(found.astype(wide), expected.astype(wide), rtol, atol)


def subsets(items: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All subsets but the empty one."""
    for n in range(1, len(items) + 1):
        yield from itertools.combinations(items, n)


def direction(x: np.ndarray, seed: int) -> np.ndarray:
    """A random array like `x`, complex if it is."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(0.5, 1.5, (2, *x.shape)) * rng.choice([-1.0, 1.0], (2, *x.shape))
    return (parts[0] + 1j * parts[1] if x.dtype.kind == "c" else parts[0]).astype(x.dtype)


def function_of(sample: Sample, by: Sequence[int], args: Sequence[Any] | None = None) -> Function:
    """The sample's inexact results as a function of the operands `by`."""
    fixed = [value(a) for a in (sample.args if args is None else args)]

    def fun(*xs: Any) -> list[Any]:
        operands = list(fixed)
        for i, x in zip(by, xs):
            operands[i] = x
        return [o for o in sample.bind(*operands) if is_inexact(typeof(o).dtype)]

    fun.__name__ = sample.primitive.name
    return fun


def jvp(fun: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
    """Results and tangents, zeros made arrays."""
    outs, found = jvp_flat(fun, primals, tangents)
    return outs, [_instantiate(t, o) for t, o in zip(found, outs)]


def vjp(fun: Function, primals: Sequence[Any], cts: Sequence[Any]) -> tuple[list, list]:
    """Results and cotangents of the operands, zeros made arrays."""
    outs, program, has_tangent = linearize_flat(fun, primals)
    given = [ct for ct, flag in zip(cts, has_tangent) if flag]
    return outs, [_instantiate(ct, p) for ct, p in zip(backward_pass(program, {}, given), primals)]


def _instantiate(x: Any, like: Any) -> Any:
    return Array(np.zeros(typeof(like).shape, typeof(like).dtype)) if x is ZERO else x


def staged(fun: Function, arrays: Sequence[Any]) -> Jaxpr:
    """The program of a function for arrays like these."""
    return stage(fun, [typeof(a) for a in arrays], getattr(fun, "__name__", ""))


def compiled(fun: Function, arrays: Sequence[Any]) -> list[Any]:
    """The results, computed by XLA."""
    return run_program(staged(fun, arrays), [value(a) for a in arrays])


def differences(fun: Callable, xs: Sequence[np.ndarray], vs: Sequence[np.ndarray]) -> list:
    """d/ds fun(x + s v) at s = 0 by central differences of fourth order."""
    h = 1e-3
    at = lambda s: [np.asarray(o) for o in fun(*[x + s * v for x, v in zip(xs, vs)])]
    far, near, back, farther = at(-2 * h), at(-h), at(h), at(2 * h)
    return [(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in zip(far, near, back, farther)]


def pairing(xs: Sequence[Any], ys: Sequence[Any]) -> float:
    """Re(sum(x y)): the real-linear pairing for which transposes are defined, without conjugates.

    For complex-linear maps it says as much as sum(x y), as it holds for a cotangent times i too;
    real, imag, conj and abs are linear over the real numbers only.
    """
    return float(sum([np.sum(host(x) * host(y)).real for x, y in zip(xs, ys)]))
