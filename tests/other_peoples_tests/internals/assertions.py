"""The base class of jax's tests, and comparison of arrays with tolerances by dtype."""

from __future__ import annotations

import contextlib
import re
import textwrap
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jax
import ml_dtypes
import numpy as np
from absl.testing import absltest, parameterized

#: The tolerance of results of a dtype, and of derivatives.
_TOLERANCES = {
    "bfloat16": (1e-2, 1e-1), "float16": (1e-3, 1e-2), "float32": (1e-6, 2e-3),
    "float64": (1e-15, 1e-5), "complex64": (1e-6, 1e-3), "complex128": (1e-15, 1e-5),
}  # fmt: skip
_NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}


def _canonical(dtype: Any) -> Any:
    """Return a dtype at the width that is on."""
    name = getattr(dtype, "name", "")
    if name in _NARROW and not jax.config.jax_enable_x64:
        return np.dtype(_NARROW[name])
    return dtype


def _all_tolerances(which: int) -> dict[np.dtype, float]:
    tolerances: dict[np.dtype, float] = {np.dtype(n): t[which] for n, t in _TOLERANCES.items()}
    tolerances[np.dtype(ml_dtypes.bfloat16)] = _TOLERANCES["bfloat16"][which]
    for name in dir(ml_dtypes):
        if name.startswith("float8"):
            tolerances[np.dtype(getattr(ml_dtypes, name))] = 1e-1
    return tolerances


def default_tolerance() -> dict[np.dtype, float]:
    """Return the tolerance of results, by dtype; 0 for what is not there."""
    integers = [np.dtype(n) for n in (bool, "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]
    exact = [*integers, jax.float0, np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)]
    return {**dict.fromkeys(exact, 0), **_all_tolerances(0)}


default_gradient_tolerance = _all_tolerances(1)


def tolerance(dtype: Any, tol: Any = None) -> Any:
    """Return the tolerance for a dtype: what a test says, or the default."""
    if tol is not None and not isinstance(tol, dict):
        return tol
    dtype = _canonical(np.dtype(dtype))
    chosen = {np.dtype(k): v for k, v in (tol or {}).items()}
    return chosen.get(dtype, default_tolerance().get(dtype, 0))


def join_tolerance(a: Any, b: Any) -> Any:
    """Return, for each dtype, the larger of two tolerances."""
    a, b = ({np.dtype(k): v for k, v in _normal(t).items()} for t in (a, b))
    return {k: max(a.get(k, 0), b.get(k, 0)) for k in {*a, *b}}


def _normal(tol: Any) -> dict:
    if tol is None:
        return {}
    return tol if isinstance(tol, dict) else dict.fromkeys(default_tolerance(), tol)


def dtype_of(x: Any) -> Any:
    """Return the dtype that jax gives an object."""
    if hasattr(x, "dtype"):
        return x.dtype
    return _canonical(np.asarray(x).dtype)


def _comparable(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "V" and x.dtype.names is None:
        return x.astype(np.float32 if "float" in x.dtype.name else np.int8)
    return x


def assert_close(a: Any, b: Any, atol: float, rtol: float, err_msg: str = "") -> None:
    """Assert that two NumPy arrays are close."""
    with np.errstate(invalid="ignore", over="ignore"):
        if a.dtype == jax.float0 or b.dtype == jax.float0:
            assert a.shape == b.shape
            return
        np.testing.assert_allclose(
            _comparable(a), _comparable(b), atol=atol or 0, rtol=rtol or 0, err_msg=err_msg
        )


def check_close(xs: Any, ys: Any, atol: Any = None, rtol: Any = None, err_msg: str = "") -> None:
    """Assert that trees are close."""

    def one(a: Any, b: Any) -> None:
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, (a.shape, b.shape)
        absolute = max(tolerance(a.dtype, atol), tolerance(b.dtype, atol))
        relative = max(tolerance(a.dtype, rtol), tolerance(b.dtype, rtol))
        assert_close(a, b, absolute * max(a.size, 1), relative * max(b.size, 1), err_msg)

    jax.tree.map(one, xs, ys)


def check_eq(xs: Any, ys: Any, err_msg: str = "") -> None:
    """Assert that trees are equal."""
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, err_msg=err_msg), xs, ys)


def check_dtypes_match(xs: Any, ys: Any) -> None:
    """Assert that trees have the same dtypes."""

    def one(x: Any, y: Any) -> None:
        assert _canonical(dtype_of(x)) == _canonical(dtype_of(y))

    jax.tree.map(one, xs, ys)


def check_raises(thunk: Callable, error: type[Exception], message: str) -> None:
    """Assert that a function raises an error with this in its message."""
    try:
        thunk()
    except error as e:
        assert message in str(e), str(e)
    else:
        raise AssertionError("nothing was raised")


class JaxTestCase(parameterized.TestCase):
    """A test case with assertions about arrays."""

    settings: Mapping[str, Any] = MappingProxyType({})

    def setUp(self) -> None:
        super().setUp()
        self._rng = np.random.RandomState(zlib.adler32(self._testMethodName.encode()))
        for name, value in self.settings.items():
            try:
                before = jax.config.read(name)
                jax.config.update(name, value)
            except (
                AttributeError,
                NotImplementedError,
            ):  # a setting of jax's insides, as which rules it uses
                continue
            self.addCleanup(jax.config.update, name, before)

    def rng(self) -> np.random.RandomState:
        """Return the random numbers of this test."""
        return self._rng

    def assertDtypesMatch(self, actual: Any, desired: Any, *, canonicalize_dtypes: bool = True):
        """Assert that two arrays have one dtype."""
        a, b = dtype_of(actual), dtype_of(desired)
        if canonicalize_dtypes:
            a, b = _canonical(a), _canonical(b)
        self.assertEqual(a, b)

    def assertArraysEqual(
        self, actual: Any, desired: Any, *, check_dtypes: bool = True, err_msg: str = "",
        allow_object_dtype: bool = False, verbose: bool = True,
    ):  # fmt: skip
        """Assert that two arrays are equal."""
        if check_dtypes:
            self.assertDtypesMatch(actual, desired)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(np.asarray(actual), np.asarray(desired), err_msg=err_msg)

    def assertArraysAllClose(
        self, actual: Any, desired: Any, *, check_dtypes: bool = True, atol: Any = None,
        rtol: Any = None, err_msg: str = "",
    ):  # fmt: skip
        """Assert that two arrays are close, by the tolerances of their dtypes."""
        self.assertEqual(actual.shape, desired.shape)
        absolute = max(tolerance(actual.dtype, atol), tolerance(desired.dtype, atol))
        relative = max(tolerance(actual.dtype, rtol), tolerance(desired.dtype, rtol))
        assert_close(np.asarray(actual), np.asarray(desired), absolute, relative, err_msg)
        if check_dtypes:
            self.assertDtypesMatch(actual, desired)

    def assertAllClose(
        self, actual: Any, desired: Any, *, check_dtypes: bool = True, atol: Any = None,
        rtol: Any = None, canonicalize_dtypes: bool = True, err_msg: str = "",
    ):  # fmt: skip
        """Assert that arrays, or lists and dictionaries of them, are close."""
        how: dict[str, Any] = {
            "check_dtypes": check_dtypes, "atol": atol, "rtol": rtol,
            "canonicalize_dtypes": canonicalize_dtypes, "err_msg": err_msg,
        }  # fmt: skip
        if isinstance(actual, dict):
            self.assertEqual(set(actual), set(desired))
            for key in actual:
                self.assertAllClose(actual[key], desired[key], **how)
        elif isinstance(actual, (list, tuple)):
            self.assertEqual(len(actual), len(desired))
            for a, b in zip(actual, desired):
                self.assertAllClose(a, b, **how)
        elif hasattr(actual, "__array__") or np.isscalar(actual):
            self.assertTrue(hasattr(desired, "__array__") or np.isscalar(desired), desired)
            if check_dtypes:
                self.assertDtypesMatch(actual, desired, canonicalize_dtypes=canonicalize_dtypes)
            close: dict[str, Any] = {"atol": atol, "rtol": rtol, "err_msg": err_msg}
            a, b = np.asarray(actual), np.asarray(desired)
            self.assertArraysAllClose(a, b, check_dtypes=False, **close)
        elif actual != desired:
            raise TypeError((type(actual), type(desired)))

    def assertMultiLineStrippedEqual(self, expected: str, what: str) -> None:
        """Assert that two texts are equal but for spaces around lines."""
        stripped = [re.sub(r"\s*\n\s*", "\n", textwrap.dedent(t).strip()) for t in (expected, what)]
        self.assertMultiLineEqual(*stripped)

    @contextlib.contextmanager
    def assertNoWarnings(self) -> Iterator[None]:
        """Assert that a block warns of nothing."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield

    def assertDeprecationWarnsOrRaises(self, deprecation_id: str, message: str, **kwargs: Any):
        """Assert that a block warns of what is deprecated."""
        return self.assertWarnsRegex(DeprecationWarning, message)

    def assertCacheMisses(self, *args: Any, **kwargs: Any) -> None:
        """Skip: how often jax's caches miss is its own affair."""
        self.skipTest("about jax's caches")

    def _CompileAndCheck(
        self, fun: Callable, args_maker: Callable, *, check_dtypes: bool = True, tol: Any = None,
        rtol: Any = None, atol: Any = None, check_cache_misses: bool = True,
    ) -> None:  # fmt: skip
        """Compare a function with itself compiled."""
        args = args_maker()
        expected = fun(*args)
        actual = jax.jit(fun)(*args)
        atol, rtol = atol or tol, rtol or tol
        self.assertAllClose(expected, actual, check_dtypes=check_dtypes, atol=atol, rtol=rtol)

    def _CheckAgainstNumpy(
        self, numpy_reference_op: Callable, lax_op: Callable, args_maker: Callable,
        check_dtypes: bool = True, tol: Any = None, atol: Any = None, rtol: Any = None,
        canonicalize_dtypes: bool = True,
    ) -> None:  # fmt: skip
        """Compare a function with NumPy's."""
        args = args_maker()
        ours = lax_op(*args)
        expected = numpy_reference_op(*args)
        self.assertAllClose(
            expected, ours, check_dtypes=check_dtypes, atol=atol or tol, rtol=rtol or tol,
            canonicalize_dtypes=canonicalize_dtypes,
        )  # fmt: skip


class BufferDonationTestCase(JaxTestCase):
    """A test case about memory that is given away."""

    def assertDeleted(self, x: Any) -> None:
        """Assert that an array has no data."""
        self.assertTrue(x.is_deleted())

    def assertNotDeleted(self, x: Any) -> None:
        """Assert that an array has data."""
        self.assertFalse(x.is_deleted())


class JaxTestLoader(absltest.TestLoader):
    """The loader of tests that jax's files name."""
