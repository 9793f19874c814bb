"""Every function that makes arrays, with every dtype: NumPy's values and dtype, in every mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx

dn = dx.numpy
pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::numpy.exceptions.ComplexWarning"
)

NUMBERS: list[Any] = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128", ml_dtypes.bfloat16, bool, int, float, complex,
]  # fmt: skip
STORED = [
    ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e3m4, ml_dtypes.int4,
    ml_dtypes.uint4,
]  # fmt: skip
DTYPES = [*NUMBERS, *STORED]
Case = Callable[[Any, Any], Any]  # of a module, NumPy or ours, and a dtype
CASES: dict[str, Case] = {}
PLAIN = np.arange(6.0).reshape(2, 3)


def case(name: str, make: Case) -> None:
    CASES[name] = make


def of(m: Any, values: Any, dtype: Any) -> Any:
    """An array of the module with these values."""
    return m.asarray(np.array(values).astype(dtype))


def _add_constants() -> None:
    for shape in ((), 0, 3, (2, 3), (0, 2), [2, 1], np.int64(2)):
        for name in ("zeros", "ones"):
            case(f"{name}{shape}", lambda m, d, n=name, s=shape: getattr(m, n)(s, dtype=d))
        for value in (0, 1, 2, True, 2.7, 1 + 2j, np.float32(1.5)):
            case(f"full{shape}{value}", lambda m, d, s=shape, v=value: m.full(s, v, dtype=d))
    case("full of an array", lambda m, d: m.full((2, 3), m.asarray([1, 0, 2]), dtype=d))
    for name in ("zeros_like", "ones_like"):
        case(name, lambda m, d, n=name: getattr(m, n)(PLAIN, dtype=d))
        case(f"{name} own", lambda m, d, n=name: getattr(m, n)(of(m, PLAIN, d)))
        case(f"{name} shape", lambda m, d, n=name: getattr(m, n)(PLAIN, dtype=d, shape=(0, 2)))
    case("full_like", lambda m, d: m.full_like(PLAIN, 2, dtype=d))
    case("full_like own", lambda m, d: m.full_like(of(m, PLAIN, d), 1))


def _add_matrices() -> None:
    for n in ((3,), (2, 4), (3, 2), (3, 4, 1), (3, 4, -1), (0,)):
        case(f"eye{n}", lambda m, d, n=n: m.eye(*n, dtype=d))
        case(f"tri{n}", lambda m, d, n=n: m.tri(*n, dtype=d))
    case("identity", lambda m, d: m.identity(3, dtype=d))
    for k in (0, 1, -1):
        case(f"tril{k}", lambda m, d, k=k: m.tril(m.ones((3, 4), dtype=d), k))
        case(f"triu{k}", lambda m, d, k=k: m.triu(m.ones((2, 3, 3), dtype=d), k))
        case(f"diag{k}", lambda m, d, k=k: m.diag(of(m, [1, 0, 2], d), k))
    case("diag of a matrix", lambda m, d: m.diag(of(m, PLAIN, d)))
    case("diagflat", lambda m, d: m.diagflat(of(m, [[1, 0], [2, 3]], d), -1))
    case("meshgrid", lambda m, d: m.meshgrid(of(m, [1, 0], d), of(m, [1, 0, 2], d))[1])
    case("meshgrid ij", lambda m, d: m.meshgrid(of(m, [1, 0], d), of(m, [1], d), indexing="ij")[0])
    case("indices", lambda m, d: m.indices((2, 2), dtype=d))
    case("indices sparse", lambda m, d: m.indices((0, 2), dtype=d, sparse=True)[1])
    mask = lambda m: m.tril(m.ones((3, 3), dtype=bool))
    case("mask", lambda m, d: m.where(mask(m), m.ones((3, 3), dtype=d), m.zeros(3, dtype=d)))


def _add_ranges() -> None:
    for a in ((3,), (1, 4), (0, 10, 3), (0,), (1, 1), (5, 1, -2), (2,), (2.5,), (0.0, 1.0, 0.25),
              (1.5, 4.0), (0, 1, 0.3), (0, 5, 0.5)):  # fmt: skip
        case(f"arange{a}", lambda m, d, a=a: m.arange(*a, dtype=d))
    for a in ((0, 5), (0.0, 1.0, 5), (0, 1, 1), (0, 1, 0), (0, 10, 4), (1, 0.5, 3)):
        case(f"linspace{a}", lambda m, d, a=a: m.linspace(*a, dtype=d))
        case(f"linspace half open{a}", lambda m, d, a=a: m.linspace(*a, endpoint=False, dtype=d))
    ends = np.array([0.0, 1.0]), np.array([1.0, 3.0])
    for axis in (0, 1, -1):
        case(f"linspace, axis {axis}", lambda m, d, a=axis: m.linspace(*ends, 4, dtype=d, axis=a))
    case("linspace complex", lambda m, d: m.linspace(0, 1 + 1j, 4, dtype=d))
    case("linspace step", lambda m, d: m.linspace(0, 2, 5, retstep=True, dtype=d)[1])
    case("logspace", lambda m, d: m.logspace(0, 2, 3, base=2, dtype=d))
    case("logspace bases", lambda m, d: m.logspace(0, 1, 3, base=np.array([4.0, 1.0]), dtype=d))
    case("geomspace", lambda m, d: m.geomspace(1, 4, 3, dtype=d))
    case("geomspace one", lambda m, d: m.geomspace(1, 100, 1, dtype=d))
    case("geomspace complex", lambda m, d: m.geomspace(1j, 4j, 3, dtype=d))


def _add_conversions() -> None:
    values = (1, True, 2.5, [1, 0], [[1, 0], [1, 1]], [], [True, False], (1.5, 0), np.float32(2.5))
    for v in values:
        case(f"array {v}", lambda m, d, v=v: m.array(v, dtype=d))
    case("asarray", lambda m, d: m.asarray(PLAIN, dtype=d))
    case("array ndmin", lambda m, d: m.array([1, 0], dtype=d, ndmin=3))
    case("copy", lambda m, d: m.copy(m.ones(2, dtype=d)))
    case("astype", lambda m, d: m.astype(m.asarray(PLAIN), d))
    case("pad", lambda m, d: m.pad(m.ones(2, dtype=d), 1, constant_values=1))
    case("stack", lambda m, d: m.stack([m.ones(2, dtype=d), m.zeros(2, dtype=d)]))
    case("broadcast_to", lambda m, d: m.broadcast_to(m.ones(2, dtype=d), (3, 2)))


_add_constants()
_add_matrices()
_add_ranges()
_add_conversions()


def attempt(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError, OverflowError) as error:
        return error


def check(name: str, found: Any, expected: Any, how: str) -> None:
    """NumPy's dtype, shape and values, or an error as NumPy has one."""
    if isinstance(expected, Exception) or isinstance(found, Exception):
        both = isinstance(expected, Exception) and isinstance(found, Exception)
        assert both, f"{how} {name}: {found!r}, not {expected!r}"
        return
    a, b = np.asarray(found), np.asarray(expected)
    assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{how} {name}: {a!r}, not {b!r}"
    exact = a.dtype.kind in "biu" or "int" in a.dtype.name
    tolerance = 0.0 if exact else 8 * float(ml_dtypes.finfo(a.real.dtype).eps)
    a, b = (v.astype(np.complex128) for v in (a, b))
    np.testing.assert_allclose(a, b, tolerance, err_msg=f"{how} {name}")


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: getattr(d, "__name__", d))
def test_made_as_numpy_makes_them(dtype: Any):
    """Eagerly, and within vmap and grad."""
    made = {name: attempt(lambda m=m: m(np, dtype)) for name, m in CASES.items()}
    for name, make in CASES.items():
        if "bases" in name and dtype in STORED:  # beyond four bits
            continue
        check(name, attempt(lambda m=make: m(dn, dtype)), made[name], "eager")
        seen: list[Any] = []

        def keep(t: Any, make: Case = make, seen: list[Any] = seen) -> Any:
            seen.append(attempt(lambda: make(dn, dtype)))
            return t * 1.0

        dx.grad(keep)(1.0)
        check(name, seen[-1], made[name], "grad")
        dx.vmap(keep)(np.zeros(2))
        check(name, seen[-1], made[name], "vmap")


def compiled(dtype: Any) -> None:
    """All that NumPy makes of a dtype, in one program; refusals one by one."""
    made = {name: attempt(lambda m=m: m(np, dtype)) for name, m in CASES.items()
            if "bases" not in name or dtype not in STORED}  # fmt: skip
    fine = [n for n, e in made.items() if not isinstance(e, Exception)]
    outs = dx.jit(lambda: [CASES[n](dn, dtype) for n in fine])()
    for name, out in zip(fine, outs):
        check(name, out, made[name], "jit")
    for name in set(made) - set(fine):
        check(name, attempt(dx.jit(lambda n=name: CASES[n](dn, dtype))), made[name], "jit")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_compiled(dtype: Any):
    compiled(dtype)


@pytest.mark.exhaustive
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: getattr(d, "__name__", d))
def test_compiled_with_every_dtype(dtype: Any):
    compiled(dtype)


def _lax_cases(dtype: Any) -> dict[str, Callable[[], Any]]:
    key = dx.random.key(0)
    initial = dx.nn.initializers
    return {
        "full": lambda: dx.lax.full((2,), 1, dtype),
        "full of true": lambda: dx.lax.full((), True, dtype),
        "full_like": lambda: dx.lax.full_like(PLAIN, 1, dtype),
        "iota": lambda: dx.lax.iota(dtype, 3),
        "broadcasted_iota": lambda: dx.lax.broadcasted_iota(dtype, (0, 3), 1),
        "one_hot": lambda: dx.nn.one_hot(dn.array([0, 2, 5]), 3, dtype=dtype),
        "zeros": lambda: initial.zeros(key, (2,), dtype),
        "ones": lambda: initial.ones(key, (2,), dtype),
        "constant": lambda: initial.constant(1)(key, (2,), dtype),
        "uniform": lambda: dx.random.uniform(key, (3,), dtype),
        "normal": lambda: dx.random.normal(key, (3,), dtype),
        "randint": lambda: dx.random.randint(key, (3,), 0, 3, dtype),
        "bits": lambda: dx.random.bits(key, (3,), dtype),
        "permutation": lambda: dx.random.permutation(key, dn.ones(3, dtype)),
        "rademacher": lambda: dx.random.rademacher(key, (3,), dtype),
        "exponential": lambda: dx.random.exponential(key, (3,), dtype),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: getattr(d, "__name__", d))
def test_the_same_eagerly_and_compiled(dtype: Any):
    """Of the dtype that is asked for; or refused, by name, in both."""
    cases = _lax_cases(dtype)
    eager = {name: attempt(make) for name, make in cases.items()}
    fine = [n for n, e in eager.items() if not isinstance(e, Exception)]
    outs = dx.jit(lambda: [cases[n]() for n in fine])()
    for name, out in zip(fine, outs):
        assert out.dtype == np.dtype(dtype), name
        check(name, out, eager[name], "jit")
    for name in set(cases) - set(fine):
        assert isinstance(attempt(dx.jit(cases[name])), Exception), name
        assert "dtype" in str(eager[name]) or "storage" in str(eager[name]), eager[name]
    assert {"full", "full of true", "full_like", "one_hot", "zeros", "ones", "constant",
            "permutation"} <= set(fine)  # fmt: skip


def test_masks_within_programs():
    mask = lambda n: dn.tril(dn.ones((n, n), bool))
    expected = np.tril(np.ones((4, 4), bool))
    np.testing.assert_array_equal(dx.jit(lambda: mask(4))(), expected)
    scores = np.arange(16.0).reshape(4, 4)

    def loss(s: Any) -> Any:
        return dn.sum(dx.nn.softmax(dn.where(mask(4), s, -dn.inf), axis=-1) ** 2)

    np.testing.assert_allclose(dx.jit(dx.grad(loss))(scores), dx.grad(loss)(scores), rtol=1e-12)
    causal = dx.vmap(lambda q: dn.ones_like(q, dtype=bool))(scores)
    assert causal.dtype == bool and causal.shape == (4, 4) and bool(causal.all())


@pytest.mark.parametrize("ends", [(1.0, 1000.0, 4), (2.0, 32.0, 5), (-1.0, -8.0, 4)])
def test_traced_ends_of_progressions_are_exact(ends: Any):
    start, stop, n = ends
    for axis in (0, -1):
        make = lambda a, b, k=axis: dn.geomspace(a, b, n, axis=k)
        out = np.asarray(dx.jit(make)(start, stop))
        np.testing.assert_allclose(out, np.geomspace(start, stop, n), 1e-12)
        assert out[0] == start and out[-1] == stop


def test_powers_of_small_integers_do_not_overflow():
    x = np.array([100, 3], "int8")
    for run in (dn.vander, dx.jit(dn.vander)):
        out = run(np.concatenate([x, x[:1]]))
        np.testing.assert_array_equal(out, np.vander(np.concatenate([x, x[:1]])))
        assert out.dtype == np.int64
