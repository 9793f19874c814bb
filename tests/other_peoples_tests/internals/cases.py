"""Cases that are drawn, decorators that skip, and other helpers of jax's tests."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import random
import re
import unittest
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import jax
import ml_dtypes
import numpy as np
from absl.testing import parameterized

#: How many cases are drawn.
CASES = int(os.environ.get("JAX_NUM_GENERATED_CASES", "4"))


def sample_product_testcases(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """Return cases drawn from the product of lists: of dictionaries, and of values by name."""
    axes = [list(a) for a in args] + [[{k: v} for v in values] for k, values in kwargs.items()]
    total = math.prod([len(a) for a in axes])
    numbers = range(total)
    if total > CASES:
        numbers = sorted(random.Random(total).sample(numbers, CASES))
    cases = []
    for number in numbers:
        case: dict[str, Any] = {}
        for axis in axes:
            number, place = divmod(number, len(axis))
            case.update(axis[place])
        cases.append(case)
    return cases


def sample_product(*args: Any, **kwargs: Any) -> Callable:
    """Run a test for cases that are drawn from a product."""
    return parameterized.parameters(*sample_product_testcases(*args, **kwargs))


def cases_from_list(xs: Sequence[Any]) -> list[Any]:
    """Return some of the cases of a list."""
    xs = list(xs)
    return random.Random(len(xs)).sample(xs, min(len(xs), CASES))


def parameterized_filterable(
    *, kwargs: Sequence[dict], testcase_name: Callable | None = None, one_containing: Any = None
) -> Callable:
    """Run a test for each of several keyword arguments."""
    named = [{k: v for k, v in kw.items() if k != "testcase_name"} for kw in kwargs]
    return parameterized.parameters(*named)


def _uncompiled(fun: Callable, *args: Any, **kwargs: Any) -> Callable:
    return fun


#: What tests apply to a function that may be compiled or not; they have names.
JIT_IMPLEMENTATION = (functools.partial(jax.jit), functools.partial(_uncompiled))
for _implementation, _label in zip(JIT_IMPLEMENTATION, ("jit", "noop")):
    _implementation._name = _label  # type: ignore[attr-defined]


@contextlib.contextmanager
def capture_stdout() -> Iterator[Callable[[], str]]:
    """Gather what is printed; what is yielded returns it after the block."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        yield text.getvalue
        jax.effects_barrier()


def rand_like(rng: Any, x: Any) -> Any:
    """Return random numbers in the shape and dtype of a value."""
    aval = jax.typeof(x)
    draw = lambda: rng.randn(*aval.shape)
    numbers = draw() + 1j * draw() if np.dtype(aval.dtype).kind == "c" else draw()
    return np.asarray(numbers, aval.dtype)


def complex_plane_sample(dtype: Any, size_re: int = 10, size_im: int | None = None) -> np.ndarray:
    """Return complex numbers in a grid of parts of all magnitudes, infinities and zeros too."""
    part = np.zeros((), dtype).real.dtype
    limits = np.finfo(part)

    def axis(size: int) -> np.ndarray:
        low, high = np.log10(limits.tiny) + 1, np.log10(limits.max) - 1
        positive = np.r_[0, limits.tiny, np.logspace(low, high, size), limits.max, np.inf]
        return np.r_[-positive[::-1], positive].astype(part)

    re, im = axis(size_re), axis(size_re if size_im is None else size_im)
    grid = np.empty((len(im), len(re)), dtype)
    grid.real, grid.imag = re[None, :], im[:, None]
    return grid


def _dots(fun: Callable, args: Sequence[Any], name: str) -> list[Any]:
    eqns = iter_eqns(jax.make_jaxpr(fun)(*args))
    return [e.params[name] for e in eqns if e.primitive.name == "dot_general"]


def assert_dot_precision(expected: Any, fun: Callable, *args: Any) -> None:
    """Assert that the products of a function have this precision."""
    for found in _dots(fun, args, "precision"):
        each = found if isinstance(found, tuple) else (found,)
        assert all([p == expected for p in each]), f"expected precision {expected}, got {found}"


def assert_dot_preferred_element_type(
    expected: Any, fun: Callable, *args: Any, **kwargs: Any
) -> None:
    """Assert that the products of a function are asked for results of this dtype."""
    for found in _dots(functools.partial(fun, **kwargs), args, "preferred_element_type"):
        assert found == expected, f"expected {expected}, got {found}"


# --------------------------------------------------------------------------------------------------
# Devices: there is one, a processor


def device_under_test() -> str:
    """Return the platform."""
    return "cpu"


def test_device_matches(device_types: Sequence[str]) -> bool:
    """Return whether the device is one of these."""
    return "cpu" in device_types


test_device_matches.__test__ = False  # type: ignore[attr-defined]


def _skipping(skip: bool, reason: str) -> Callable:
    def decorate(test: Any) -> Any:
        if not skip:
            return test
        if isinstance(test, type):
            return unittest.skip(reason)(test)

        @functools.wraps(test)
        def skipped(self: Any, *args: Any, **kwargs: Any) -> None:
            self.skipTest(reason)

        return skipped

    return decorate


def skip_on_devices(*devices: str, skip_reason: str | None = None) -> Callable:
    """Skip a test on some devices."""
    return _skipping("cpu" in devices, skip_reason or "not on this device")


def run_on_devices(*devices: str, skip_reason: str | None = None) -> Callable:
    """Run a test on some devices only."""
    return _skipping("cpu" not in devices, skip_reason or "not on this device")


def device_supports_buffer_donation() -> Callable:
    """Skip no test of donated memory: here it can be given away."""
    return lambda test: test


def skip_on_flag(name: str, value: Any) -> Callable:
    """Skip nothing: such flags are none of diffeo's."""
    return lambda test: test


def thread_unsafe_test(*args: Any, **kwargs: Any) -> Callable:
    """Run a test as it is: there is one thread."""
    return lambda test: test


thread_unsafe_test_class = thread_unsafe_test
pytest_mark_if_available = lambda mark: lambda test: test


@contextlib.contextmanager
def ignore_warning(**kwargs: Any) -> Iterator[None]:
    """Let a test, or a `with` block, make such warnings."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", **kwargs)
        yield


def with_config(**settings: Any) -> Callable:
    """Run the tests of a class with other settings of jax's."""

    def decorate(cls: type) -> type:
        cls.settings = {**getattr(cls, "settings", {}), **settings}  # type: ignore[attr-defined]
        return cls

    return decorate


with_global_config = with_config


@contextlib.contextmanager
def no_change(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Change nothing within a `with` block."""
    yield


def create_mesh(*args: Any, **kwargs: Any) -> Any:
    """Skip a test about several devices."""
    raise unittest.SkipTest("about several devices")


def with_explicit_mesh(*args: Any, **kwargs: Any) -> Callable:
    """Skip a test about several devices."""
    return _skipping(True, "about several devices")


def strict_promotion_if_dtypes_match(dtypes: Sequence[Any]) -> Any:
    """Change nothing: promotion is not watched."""
    return no_change()


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version."""
    return tuple([int(n) for n in re.findall(r"\d+", text.split("rc")[0].split("dev")[0])])


def numpy_version() -> tuple[int, ...]:
    """Return NumPy's version."""
    return parse_version(np.__version__)


def jaxlib_version() -> tuple[int, ...]:
    """Return the version of jax that is served, which is jaxlib's."""
    return parse_version(jax.__version__)


class Dtypes:
    """Lists of dtypes, of those that there are at the width that is on."""

    def supported(self, dtypes: Sequence[Any]) -> list[Any]:
        """Return those of the dtypes that there are."""
        wide = {np.dtype(t) for t in ("float64", "int64", "uint64", "complex128")}
        on = jax.config.jax_enable_x64
        return [d for d in dtypes if on or np.dtype(d) not in wide]

    custom_floats = cached_property(
        lambda self: [
            getattr(ml_dtypes, n)
            for n in (
                "bfloat16", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz",
                "float8_e5m2", "float8_e5m2fnuz", "float8_e3m4", "float8_e4m3",
            )
        ]
    )  # fmt: skip
    floating = cached_property(lambda self: self.supported([np.float32, np.float64]))
    all_floating = cached_property(lambda self: [ml_dtypes.bfloat16, np.float16, *self.floating])
    integer = cached_property(lambda self: self.supported([np.int32, np.int64]))
    all_integer = cached_property(lambda self: [np.int8, np.int16, *self.integer])
    unsigned = cached_property(lambda self: self.supported([np.uint32, np.uint64]))
    all_unsigned = cached_property(lambda self: [np.uint8, np.uint16, *self.unsigned])
    complex = cached_property(lambda self: self.supported([np.complex64, np.complex128]))
    boolean = cached_property(lambda self: [np.bool_])
    inexact = cached_property(lambda self: self.floating + self.complex)
    all_inexact = cached_property(lambda self: self.all_floating + self.complex)
    numeric = cached_property(
        lambda self: self.floating + self.integer + self.unsigned + self.complex
    )
    all = cached_property(
        lambda self: (
            self.all_floating + self.all_integer + self.all_unsigned + self.complex + self.boolean
        )
    )


dtypes = Dtypes()


def supported_dtypes() -> set[Any]:
    """Return all dtypes that there are."""
    return set(dtypes.all)


def num_float_bits(dtype: Any) -> int:
    """Return the bits of a floating-point dtype."""
    return ml_dtypes.finfo(jax.dtypes.canonicalize_dtype(dtype)).bits


_NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}


def to_default_dtype(x: Any) -> np.ndarray:
    """Return a NumPy array in jax's default dtype of its kind."""
    x = np.asarray(x)
    name = {"f": "float64", "c": "complex128", "i": "int64"}.get(x.dtype.kind)
    if name is None:
        return x
    return x.astype(name if jax.config.jax_enable_x64 else _NARROW[name])


def with_jax_dtype_defaults(fun: Callable, use_defaults: Any = True) -> Callable:
    """Return a function of NumPy whose results have jax's default dtypes."""

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        out = fun(*args, **kwargs)
        if isinstance(use_defaults, bool):
            return jax.tree.map(to_default_dtype, out) if use_defaults else out
        return jax.tree.map(lambda x, on: to_default_dtype(x) if on else x, out, use_defaults)

    return wrapped


def promote_like_jnp(fun: Callable, inexact: bool = False) -> Callable:
    """Return a function of NumPy whose arguments are promoted as jax promotes them."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        dtype = jax.numpy.result_type(*leaves)
        if inexact and not jax.numpy.issubdtype(dtype, np.inexact):
            dtype = jax.numpy.result_type(dtype, np.float32 if not jax.config.jax_enable_x64 else
                                          np.float64)  # fmt: skip
        arrays = [np.asarray(x).astype(dtype) for x in leaves]
        return fun(*jax.tree.unflatten(structure, arrays), **kwargs)

    return wrapper


def iter_eqns(jaxpr: Any) -> Iterator[Any]:
    """Yield the equations of a program, and of those in it."""
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in jax.extend.core.jaxprs_in_params(eqn.params):
            yield from iter_eqns(inner)


def fwd_bwd_jaxprs(f: Callable, *args: Any) -> tuple[Any, Any]:
    """Return the programs of a function's value, and of its derivative backward."""
    out, pullback = jax.vjp(f, *args)
    return jax.make_jaxpr(lambda *xs: jax.vjp(f, *xs))(*args), jax.make_jaxpr(pullback)(out)
