"""jax's settings by name: each does what it says, or is refused with the reason."""

from __future__ import annotations

import logging
import threading
import warnings

import numpy as np
import pytest

import diffeo as dx
from diffeo import compilation_cache
from diffeo.interop import jax_settings
from diffeo.primitives import jaxpr
from diffeo.primitives.core import state
from diffeo.primitives.support.settings import process
from tests.checks import close, rng

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


@pytest.fixture(autouse=True)
def as_before():
    """Settings are what they were, and eager arithmetic takes its short ways again."""
    before = dx.config.settings
    yield
    assert dx.config.settings is before
    assert process.attentive == 0 and type(state).trace.eager


# --------------------------------------------------------------------------------------------------
# Names


@needs_jax
def test_every_setting_of_jaxs_is_known():
    known = {f"jax_{n}" for n in jax_settings.SAME}
    known |= {*jax_settings.MAPPED, *jax_settings.FIXED, *jax_settings.OTHERS}
    missing = set(jax.config._value_holders) - known
    if jax.__version__ == "0.10.2":
        assert not missing
    for name in jax_settings.OTHERS:
        with pytest.raises(NotImplementedError, match=name):
            dx.config.update(name, True)
        assert not hasattr(dx.config, name)


@pytest.mark.parametrize("name", sorted({*jax_settings.MAPPED, *jax_settings.FIXED}))
def test_a_setting_can_be_made_what_it_is(name, tmp_path):
    before = dx.config.read(name)
    with compilation_cache.set_path(tmp_path):
        value = dx.config.read(name)
        if name != "jax_platform_name":
            dx.config.update(name, value)
        assert dx.config.read(name) == getattr(dx.config, name) == value
    assert dx.config.read(name) == before


@pytest.mark.parametrize("name", sorted(jax_settings.FIXED))
def test_what_is_not_honoured_is_refused(name):
    values, why = jax_settings.FIXED[name]
    if set(values) == {True, False}:
        return
    with pytest.raises(NotImplementedError) as caught:
        dx.config.update(name, "disallow")
    assert why in str(caught.value) and name in str(caught.value)


def test_unknown_names():
    for name in ("jax_debug_nan", "debug_nans_", "nothing_of_the_kind", "jax_nothing_at_all_here"):
        with pytest.raises(AttributeError, match=name):
            dx.config.update(name, True)
        with pytest.raises(AttributeError, match=name):
            dx.config.read(name)
        assert not hasattr(dx.config, name)
    with pytest.raises(AttributeError, match="jax_debug_nans"):
        dx.config.update("jax_debug_nan", True)
    with pytest.raises(TypeError, match="True or False"):
        dx.config.update("jax_debug_nans", "yes")
    with pytest.raises(ValueError, match=r"'allow' or 'warn' or 'raise'"):
        dx.config.update("jax_numpy_rank_promotion", "never")
    with pytest.raises(TypeError, match="say what"):
        dx.numpy_rank_promotion()


def test_a_setting_holds_for_all_threads_and_a_context_for_its_own():
    def elsewhere():
        read = []
        thread = threading.Thread(target=lambda: read.append((
            dx.config.debug_nans, dx.config.jax_enable_x64, dnp.zeros(1).dtype)))  # fmt: skip
        thread.start()
        thread.join()
        return read[0]

    usual = (False, True, np.float64)
    assert elsewhere() == usual
    dx.config.update("jax_debug_nans", True)
    dx.config.jax_enable_x64 = False
    try:
        assert elsewhere() == (True, False, np.float32) and dx.config.read("debug_nans")
    finally:
        dx.config.update("jax_debug_nans", False)
        dx.config.update("jax_enable_x64", True)
    assert elsewhere() == usual
    with dx.debug_nans(True), dx.enable_x64(False):
        assert elsewhere() == usual
        assert dx.debug_nans.value and not dx.enable_x64.value
        assert dnp.zeros(1).dtype == np.float32
    assert dnp.zeros(1).dtype == np.float64


# --------------------------------------------------------------------------------------------------
# nan and infinity


def divide(x):
    return x / (x - x)


def root(x):
    return dnp.sum(dnp.sqrt(x - 2.0))


BAD = {
    "log": lambda: dnp.log(dnp.array(-1.0)),
    "operator": lambda: dnp.array([0.0, 1.0]) / dnp.array([0.0, 1.0]),
    "scalar": lambda: dnp.array(0.0) / 0.0,
    "jit": lambda: dx.jit(root)(np.ones(3)),
    "host jit": lambda: dx.jit(root)(1.0),
    "jit in jit": lambda: dx.jit(lambda x: 2 * dx.jit(root)(x))(dnp.ones(3)),
    "grad": lambda: dx.grad(root)(np.ones(3)),
    "jit of grad": lambda: dx.jit(dx.grad(root))(np.ones(3)),
    "vmap": lambda: dx.vmap(dnp.log)(np.array([1.0, -1.0])),
    "scan": lambda: dx.lax.scan(lambda c, _: (dnp.log(c), c), -1.0, None, 2),
    "jit of a loop": lambda: dx.jit(
        lambda x: dx.lax.fori_loop(0, 2, lambda i, y: dnp.log(y), x)
    )(-1.0),
    "sum": lambda: dnp.sum(dnp.array([np.inf, -np.inf])),
    "matmul": lambda: dnp.array([[np.inf, 1.0]]) @ dnp.array([0.0, 1.0]),
    "linalg": lambda: dnp.linalg.cholesky(-dnp.eye(2)),
    "bfloat16": lambda: dnp.log(dnp.array(-1.0, dnp.bfloat16)),
    "complex": lambda: dnp.array(0j) / 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_nans_are_found(name):
    with np.errstate(all="ignore"):
        BAD[name]()  # not without being asked for
    with dx.debug_nans(True):
        for _ in range(2):  # compiled, and called again
            with pytest.raises(FloatingPointError, match=r"invalid value \(nan\)") as caught:
                BAD[name]()
            assert "test_jax_settings.py" in str(caught.value)
    with np.errstate(all="ignore"):
        BAD[name]()


def test_what_is_found_has_a_name_and_a_line():
    with dx.debug_nans():
        with pytest.raises(FloatingPointError, match=r"in sqrt\n.*in root"):
            dx.jit(root)(np.ones(3))
        with pytest.raises(FloatingPointError, match=r"in div\n.*in divide"):
            dx.jit(lambda x: dx.jit(divide)(x) + 1)(2.0 - 2.0)
        close(dx.jit(root)(np.full(3, 3.0)), 3.0)
        close(dx.grad(root)(np.full(3, 3.0)), np.full(3, 0.5))
        assert np.isnan(dnp.array([np.nan, 1.0])[::-1]).any()  # written down, and moved
    with dx.debug_infs():
        with pytest.raises(FloatingPointError, match=r"\(inf\) encountered in div\n.*in divide"):
            divide(dnp.array(1.0))
        with pytest.raises(FloatingPointError, match=r"\(inf\) encountered in exp"):
            dx.jit(dnp.exp)(1e4)
        with np.errstate(all="ignore"):
            assert np.isnan(dnp.log(dnp.array(-1.0)))


def test_donated_arguments_are_not_read_again():
    f = dx.jit(lambda x: dnp.sqrt(x), donate_argnums=0)
    with dx.debug_nans(), pytest.raises(FloatingPointError, match=r"jit of <lambda>|sqrt"):
        f(-dnp.ones(3))


# --------------------------------------------------------------------------------------------------
# disable_jit


def programs(x):
    """A function with every kind of control flow."""
    total, sums = dx.lax.scan(lambda c, y: (c + y * x, c), x, dnp.arange(4.0))
    backward = dx.lax.scan(lambda c, y: (c * y, {"c": c}), x, dnp.arange(1.0, 4.0), reverse=True)
    doubled = dx.lax.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, c[1] * x), (0, x))
    looped = dx.lax.fori_loop(0, 3, lambda i, c: c + i * x, x)
    chosen = dx.lax.cond(x > 0, dnp.sin, dnp.cos, x)
    switched = dx.lax.switch(2, [lambda x: x, lambda x: -x, lambda x: x * x], x)
    mapped = dx.lax.map(lambda y: y * x, dnp.arange(3.0))
    nothing = dx.lax.scan(lambda c, y: (c, c + y), x, dnp.zeros(0))
    return total, sums, backward, doubled, looped, chosen, switched, mapped, nothing


@pytest.mark.parametrize("x", [0.7, -0.7])
def test_without_jit_results_are_the_same(x):
    f = dx.jit(programs)
    floats = lambda x: [y for y in dx.tree.leaves(f(x)) if y.dtype.kind == "f"]
    expected, slopes = f(x), dx.jacfwd(floats)(x)
    with dx.disable_jit():
        found, found_slopes = f(x), dx.jacfwd(floats)(x)
        gradient = dx.grad(lambda x: f(x)[0] * f(x)[3][1])(x)
    for pair in ((expected, found), (slopes, found_slopes)):
        for a, b in zip(*map(dx.tree.leaves, pair), strict=True):
            close(np.asarray(b), np.asarray(a))  # what a branch returned is as it is
    close(gradient, dx.grad(lambda x: f(x)[0] * f(x)[3][1])(x))


def test_without_jit_values_are_numbers():
    seen = []

    @dx.jit
    def f(x, n):
        seen.append(float(x))
        return dx.lax.fori_loop(0, n, lambda i, y: (seen.append(float(y)), y + 1)[1], x)

    with dx.disable_jit():
        close(f(1.0, 2), 3.0)
        with dx.disable_jit(False), pytest.raises(dx.errors.ConcretizationTypeError):
            f(1.0, 2)
    assert seen == [1.0, 1.0, 2.0]


# --------------------------------------------------------------------------------------------------
# Promotion, precision


@pytest.mark.parametrize("shapes", [((2, 3), (3,)), ((3,), (1, 3)), ((2, 1, 3), (2, 3))], ids=str)
def test_ranks_are_promoted_as_asked(shapes):
    x, y = (dnp.ones(s) for s in shapes)
    for f in (lambda x, y: x + y, dx.jit(lambda x, y: x * y), lambda x, y: x - 1j * y):
        f(x, y)
        with dx.numpy_rank_promotion("raise"):
            with pytest.raises(ValueError, match="numpy_rank_promotion"):
                f(x, y)
            f(x, 2.0), f(x, dnp.array(2.0)), f(x, dnp.ones((1,) * x.ndim))
        with dx.numpy_rank_promotion("warn"), pytest.warns(UserWarning, match="test_jax_settings"):
            f(x, y)
        with dx.numpy_rank_promotion("allow"), warnings.catch_warnings():
            f(x, y)


@needs_jax
def test_dtypes_are_promoted_strictly_as_jaxs():
    values = ["float32", "float64", "int32", "int8", "bool", "complex64", 1, 2.0, 3j, True]
    value = lambda v, np_: np_.ones(2, v) if isinstance(v, str) else v
    for a in values:
        for b in values:
            if not isinstance(a, str) and not isinstance(b, str):
                continue
            with jax.numpy_dtype_promotion("strict"), dx.numpy_dtype_promotion("strict"):
                try:
                    expected = (value(a, jax.numpy) * value(b, jax.numpy)).dtype
                except jax.dtypes.TypePromotionError:
                    with pytest.raises(dx.dtypes.TypePromotionError, match="strict"):
                        value(a, dnp) * value(b, dnp)
                else:
                    assert (value(a, dnp) * value(b, dnp)).dtype == expected, (a, b)
                    f = lambda: value(a, dnp) * value(b, dnp)  # noqa: B023
                    assert dx.jit(f)().dtype == expected


def test_precision_of_products():
    x = rng(3, 3).astype("float32")
    functions = (lambda x: x @ x, lambda x: dnp.einsum("ij,jk", x, x), lambda x: dx.lax.dot(x, x),
                 lambda x: dnp.convolve(x[0], x[1]))  # fmt: skip
    for f in functions:
        traced = dx.jit(f)
        text = lambda: traced.lower(x).as_text()  # noqa: B023
        full = text()
        with dx.default_matmul_precision("bfloat16"):
            assert text() != full and "DEFAULT" in text().upper()
        with dx.default_matmul_precision("float32"):
            assert text() == full
        assert text() == full
    with dx.default_matmul_precision("BF16_BF16_F32"):
        rough = dx.jit(lambda x: x @ x)(x)
    assert 1e-5 < np.abs(rough - x @ x).max() < 1e-1
    with dx.default_matmul_precision("nothing"), pytest.raises(ValueError, match="precision"):
        dnp.matmul(x, x)


# --------------------------------------------------------------------------------------------------
# Guards, logs, the cache, one's own


def test_no_tracing_and_no_execution():
    f = dx.jit(lambda x: x + 1)
    x = dnp.ones(2)
    f(x)
    with dx.no_tracing():
        f(x)
        with pytest.raises(RuntimeError, match="re-tracing function"):
            f(np.ones(3))
    with dx.no_execution():
        dx.make_jaxpr(lambda x: x + 1)(1.0)
        for compute in (lambda: x + 1, lambda: f(x), lambda: dnp.sin(x)):
            with pytest.raises(RuntimeError, match="no_execution"):
                compute()


def test_leaks_are_found():
    kept = []
    leaky = dx.jit(lambda x: (kept.append(x), x)[1])
    leaky(1.0)
    with dx.checking_leaks():
        dx.jit(programs)(0.3)
        dx.jit(dx.grad(lambda x: dnp.sin(x) ** 2))(0.3)
        with pytest.raises(dx.errors.UnexpectedTracerError, match=r"Leaked.*kept|a list"):
            dx.jit(lambda x: (kept.append(2 * x), x)[1])(1.0)
    assert not dx.check_tracer_leaks.value


def test_compilations_are_logged(caplog):
    for context in (dx.log_compiles, dx.explain_cache_misses):
        caplog.clear()
        with caplog.at_level(logging.INFO, "diffeo"), context(True):
            dx.jit(lambda x: x * 7.5)(1.0)
        assert any(["lambda" in r.getMessage() for r in caplog.records])


def test_checks_of_programs():
    before = jaxpr.after_making
    with dx.enable_checks(True):
        assert jaxpr.after_making is jaxpr.check_jaxpr
        with dx.enable_checks(False):
            assert jaxpr.after_making is None
    jaxpr.after_making = before


def test_the_cache_by_jaxs_names(tmp_path):
    with compilation_cache.set_path(None):
        with pytest.raises(ValueError, match="set_path"):
            dx.config.update("jax_enable_compilation_cache", True)
        dx.config.update("jax_compilation_cache_dir", str(tmp_path))
        assert dx.config.jax_compilation_cache_dir == str(tmp_path) == compilation_cache.path()
        dx.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        dx.config.update("jax_enable_compilation_cache", False)
        assert compilation_cache.path() is None and not dx.config.jax_enable_compilation_cache


def test_contexts_of_ones_own():
    a, b = dx.make_user_context(1.0), dx.make_user_context()
    traced = []
    f = dx.jit(lambda x: (traced.append(1), x * a.value)[1])
    assert a.value == 1.0 and b.value is None
    with a(2.0), b("text"):
        close(f(3.0), 6.0)
        with a(5.0):
            close(f(3.0), 15.0)
        assert (a.value, b.value) == (2.0, "text")
    close(f(3.0), 3.0)
    with a(2.0), b("text"):
        close(f(3.0), 6.0)
    assert len(traced) == 3
