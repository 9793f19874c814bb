"""The laws on an accelerator: what it computes is what NumPy computes, and stays there.

It runs where there is an accelerator, and is skipped elsewhere. To try the tests themselves, let a
second processor device stand for one:

    export DIFFEO_NUM_CPU_DEVICES=2 DIFFEO_TEST_ACCELERATOR=cpu:1
    python -m pytest tests/test_accelerator.py
"""

from __future__ import annotations

import os

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo.engine.run import run_program
from diffeo.lowering import compiler
from diffeo.lowering.devices import devices, placement, plugins
from diffeo.operations.callbacks import Callback
from diffeo.primitives.core import typeof
from diffeo.primitives.types import SCALARS
from tests.laws import close, direction, function_of, host, jvp, staged, value, vjp
from tests.samples import SAMPLES, Sample

ASKED = os.environ.get("DIFFEO_TEST_ACCELERATOR", "")


def accelerator() -> devices.Device | None:
    """The device to test, treated as one that is not the host's even if it is."""
    if ASKED:
        found = devices.find(ASKED)
        found.on_host = False
        devices.process.placed = True
        return found
    first = devices.devices()[0] if plugins.available() else None
    return None if first is None or first.on_host else first


DEVICE = accelerator()
if DEVICE is None:
    pytest.skip(
        "there is no accelerator (DIFFEO_TEST_ACCELERATOR names a device to stand for one)",
        allow_module_level=True,
    )

REAL = DEVICE.platform != "cpu"
# NumPy warns where numbers overflow or are not defined, which some samples are about.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

#: Decompositions whose vectors are determined up to a factor of modulus 1, which libraries choose
#: differently.
UP_TO_PHASE = {"eigh", "svd", "eig", "schur", "eigh_tridiagonal"}

chosen = [s for s in SAMPLES if s.primitive.name != "device_put"]
each = pytest.mark.parametrize("sample", chosen, ids=repr)
_firsts = {s.primitive.name: s for s in reversed(chosen) if s.differentiable}
_unique = [s for s in chosen if s.differentiable and s.primitive.name not in UP_TO_PHASE]
each_derivative = pytest.mark.parametrize(
    "sample",
    [
        pytest.param(
            s, id=repr(s), marks=[] if s is _firsts[s.primitive.name] else pytest.mark.exhaustive
        )
        for s in _unique
    ],
)


def there(x):
    """An operand on the accelerator; Python scalars stay."""
    return x if type(x) in SCALARS else value(x).to_device(DEVICE)


def check(found, expected, tolerance=1e-9, device=DEVICE):
    """Results agree, and are on the accelerator."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert a.device is device and a._np is None
        # What a compiled function returns on the first device is not bound to it.
        assert a.committed or device is devices.devices()[0]
        wide = a.dtype in (np.float64, np.complex128)
        allowed = tolerance if wide else 4e-2 if a.dtype.itemsize < 4 else 2e-4
        close(a, b, allowed, allowed)


def not_wired(sample: Sample):
    if isinstance(sample.primitive, Callback) and REAL and DEVICE.platform != "cuda":
        pytest.skip(f"no way to call Python from a program on {DEVICE.platform}")


@each
def test_eager_operations_agree_with_numpy(sample: Sample):
    not_wired(sample)
    outs = sample.bind(*map(there, sample.args))
    expected = sample.impl(*sample.args)
    if not sample.arrays:  # nothing says where
        return
    assert [(o.shape, o.dtype) for o in outs] == [(e.shape, e.dtype) for e in expected]
    if sample.primitive.name in UP_TO_PHASE:
        outs, expected = [abs(o) for o in outs], [np.abs(e) for e in expected]
    check(outs, expected)


@each_derivative
def test_compiled_derivatives_agree_with_eager_ones_on_the_host(sample: Sample):
    not_wired(sample)
    fun = function_of(sample, sample.by)
    xs = [sample.args[i] for i in sample.by]
    vs = [direction(x, 1) for x in xs]
    cts = [direction(host(o), 3) for o in fun(*map(value, xs))]
    n = len(xs)

    def both(*arrays):
        primals, tangents, cotangents = arrays[:n], arrays[n : 2 * n], arrays[2 * n :]
        outs, moved = jvp(fun, primals, tangents)
        return [*outs, *moved, *vjp(fun, primals, cotangents)[1]]

    arrays = [*xs, *vs, *cts]
    program = staged(both, arrays)
    check(run_program(program, list(map(there, arrays))), both(*map(value, arrays)), 1e-8)


# --------------------------------------------------------------------------------------------------
# Transformations


def loss(w, x):
    return (dx.numpy.tanh(x @ w) ** 2).sum() + dx.numpy.log1p(w * w).mean()


def operands():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 3)), rng.normal(size=(5, 4))


@pytest.mark.parametrize(
    "transformed",
    [loss, dx.grad(loss), dx.hessian(loss), dx.vmap(loss, in_axes=(None, 0)),
     dx.grad(lambda w, x: dx.checkpoint(loss)(w, x))],
    ids=["value", "grad", "hessian", "vmap", "checkpoint"],
)  # fmt: skip
def test_transformations_eagerly(transformed):
    w, x = operands()
    check([transformed(there(w), there(x))], [transformed(value(w), value(x))])


def test_operands_without_a_home_join_the_others():
    w, x = operands()
    check([loss(there(w), value(x))], [loss(value(w), value(x))])
    y = there(np.arange(3.0))
    n = np.arange(3.0)
    check([y + 1, 2 * y, y - np.ones(3), y**2], [n + 1, 2 * n, n - 1, n**2])
    check([y > 1], [np.arange(3) > 1])


def test_one_program_serves_all_python_scalars_and_places():
    y = there(np.arange(12.0).reshape(6, 2))
    for operation in (lambda k: y * (0.1 * k), lambda k: y[k], lambda k: y[k, 1]):
        operation(5)
        before = compiler.cache_info().misses
        for k in range(5):
            operation(k)
        assert compiler.cache_info().misses == before
    check(list(y), list(np.arange(12.0).reshape(6, 2)))


def test_control_flow():
    x = there(np.arange(4.0))
    check([dx.lax.cond(x[0] < 1, lambda v: v + 1, lambda v: v - 1, x)], [np.arange(4.0) + 1])
    check([dx.lax.fori_loop(0, 5, lambda i, v: v * 2, x)], [np.arange(4.0) * 32])
    carry, ys = dx.lax.scan(lambda c, a: (c + a, c * a), x[0], x)
    check([carry, ys], [np.float64(6), np.array([0.0, 0, 2, 9])])
    check([dx.lax.while_loop(lambda v: v[1] < 100, lambda v: 3 * v, x)], [np.arange(4.0) * 243])


def test_indexing_and_updates():
    x = there(np.arange(6.0).reshape(2, 3))
    full = np.arange(6.0).reshape(2, 3)
    order = np.array([1, 0])
    check([x[1], x[:, ::2], x[order], x[-1, 2]], [full[1], full[:, ::2], full[order], full[1, 2]])
    close(x[x > 2], full[full > 2])  # its shape depends on the numbers: found on the host
    check([x.at[0, 1].set(9.0), x.at[1].add(1.0)],
          [np.array([[0, 9.0, 2], [3, 4, 5]]), np.array([[0, 1.0, 2], [4, 5, 6]])])  # fmt: skip


# --------------------------------------------------------------------------------------------------
# The vendor's libraries


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_linear_algebra(dtype):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4))
    a = (a if np.dtype(dtype).kind == "c" else a.real).astype(dtype)
    spd = a @ a.conj().swapaxes(-1, -2) + 4 * np.eye(4, dtype=dtype)
    la, tolerance = dx.numpy.linalg, 1e-3 if np.dtype(dtype).itemsize <= 8 else 1e-10
    if np.dtype(dtype) == np.float64:
        tolerance = 1e-10
    x, s = there(a), there(spd)

    def same(found, expected):
        assert found.device is DEVICE
        np.testing.assert_allclose(host(found), expected, tolerance, tolerance)

    lower = la.cholesky(s)
    same(lower @ lower.conj().mT, spd)
    w, v = la.eigh(s)
    same((v * w[..., None, :]) @ v.conj().mT, spd)
    u, sv, vh = la.svd(x, full_matrices=False)
    same((u * sv[..., None, :]) @ vh, a)
    q, r = la.qr(x)
    same(q @ r, a)
    same(la.solve(x, s), np.linalg.solve(a, spd))
    same(la.inv(x), np.linalg.inv(a))
    same(la.det(x), np.linalg.det(a))


def test_fft():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 8))
    check([dx.numpy.fft.fft(there(x)), dx.numpy.fft.irfft(dx.numpy.fft.rfft(there(x)))],
          [np.fft.fft(x), x])  # fmt: skip
    check([dx.numpy.fft.fft2(there(x))], [np.fft.fft2(x)])


def test_random_numbers_are_the_same_everywhere():
    key = dx.random.key(3)
    place = placement.place_for([], DEVICE)
    for sampler in (dx.random.normal, dx.random.uniform, dx.random.exponential):
        program = staged(lambda k, f=sampler: [f(k, (100,))], [key])
        check(run_program(program, [key], place), [sampler(key, (100,))], 1e-12)


# --------------------------------------------------------------------------------------------------
# Transfers and memory


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint64, np.float16, np.complex64, ml_dtypes.bfloat16,
              ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4]
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_every_dtype_goes_there_and_back(dtype, shape):
    x = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype).reshape(shape)
    y = there(x)
    assert y.device is DEVICE and y.dtype == x.dtype
    back = np.asarray(y)
    assert back.tobytes() == x.tobytes() and back.dtype == x.dtype and not back.flags.writeable
    assert dx.device_get(y).tobytes() == x.tobytes()
    home = y.to_device("cpu:0")
    assert home.device is devices.devices("cpu")[0] and np.asarray(home).tobytes() == x.tobytes()


def test_a_result_is_there_when_it_is_waited_for():
    n = 1500
    x = there(np.full((n, n), 1.0 / n))
    program = staged(lambda a: [a @ a @ a @ a @ a @ a @ a @ a], [x])
    run_program(program, [x])[0].block_until_ready()
    [y] = run_program(program, [x])
    early = y.is_ready()
    y.block_until_ready()
    assert y.is_ready() and not early
    close(y[0, 0], np.float64(1 / n), 1e-9)


def test_deleted_data_are_gone():
    x = there(np.ones(3))
    x.delete()
    assert x.is_deleted()
    with pytest.raises(RuntimeError, match=r"donated.*or deleted"):
        x + 1


def test_memory_statistics():
    stats = DEVICE.memory_stats()
    if DEVICE.platform == "cpu":
        assert stats is None
        return
    assert stats is not None and stats["bytes_limit"] > 0
    before = stats["bytes_in_use"]
    x = there(np.zeros(2**20)).block_until_ready()
    grown = DEVICE.memory_stats()
    assert grown is not None and grown["bytes_in_use"] >= before + 2**23
    x.delete()


def test_dlpack():
    x = there(np.arange(3.0))
    kind, number = x.__dlpack_device__()
    assert (kind == 1) == (not REAL) and (number == DEVICE.id or not REAL)
    copied = dx.numpy.from_dlpack(x)
    assert copied.device is DEVICE
    assert np.from_dlpack(x.to_device("cpu:0")).tolist() == [0, 1, 2]


def test_callbacks():
    def fun(a):
        return dx.pure_callback(lambda v: np.sin(v), dx.ShapeDtypeStruct(a.shape, a.dtype), a)

    if REAL and DEVICE.platform != "cuda":
        pytest.skip(f"no way to call Python from a program on {DEVICE.platform}")
    x = there(np.arange(3.0))
    check([fun(x)], [np.sin(np.arange(3.0))])
    check(run_program(staged(lambda a: [fun(a)], [x]), [x]), [np.sin(np.arange(3.0))])


# --------------------------------------------------------------------------------------------------
# jit


def test_jit_runs_there():
    w, x = operands()
    f = dx.jit(dx.grad(loss))
    expected = dx.grad(loss)(value(w), value(x))
    check([f(there(w), there(x)), f(there(w), value(x)), f(there(w), x)], [expected] * 3)
    check([f(there(w), there(x))], [expected])
    close(f(w, x), expected, 1e-9)


def test_jit_with_a_home_for_what_it_closed_over():
    w, x = operands()
    weights = there(w)
    check([dx.jit(lambda x: loss(weights, x))(x)], [loss(value(w), value(x))])


def test_many_samples_under_jit():
    names = set()
    for sample in chosen:
        if sample.primitive.name in names or not sample.arrays or sample.primitive.names:
            continue
        names.add(sample.primitive.name)
        if len(names) > 60:
            break
        operands = [sample.args[i] for i in sample.arrays]

        def fun(*xs, sample=sample):
            args = list(sample.args)
            for i, x in zip(sample.arrays, xs):
                args[i] = x
            return sample.bind(*args)

        check(dx.jit(fun)(*map(there, operands)), sample.impl(*sample.args))
        assert [typeof(x).shape for x in dx.jit(fun)(*map(there, operands))]
