"""Compiled functions on three processor devices; `test_devices.py` runs this as it runs
`several_devices.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx

ZERO, ONE, TWO = dx.devices("cpu")


@dx.jit
def double(x):
    return 2 * x


def test_results_are_where_the_operands_are():
    x = dx.numpy.arange(3.0)
    for _ in range(3):  # the first call, and those that only dispatch
        for device in (ONE, TWO):
            y = double(dx.device_put(x, device))
            assert y.device is device and y.committed and np.asarray(y).tolist() == [0, 2, 4]
        z = double(x)
        assert z.device is ZERO and not z.committed and np.asarray(z).tolist() == [0, 2, 4]
    assert double(double(dx.device_put(x, TWO))).device is TWO


def test_operands_without_a_home_follow():
    f = dx.jit(lambda x, y: x + y)
    x = dx.numpy.arange(3.0)
    for _ in range(2):
        assert f(x, np.ones(3)).device is ZERO and f(1.0, x).device is ZERO
        for device in (ONE, TWO):
            assert f(x, dx.device_put(x, device)).device is device
            assert f(np.ones(3), dx.device_put(x, device)).device is device
            assert f(1.0, dx.device_put(x, device)).device is device
    with pytest.raises(ValueError, match="different devices"):
        f(dx.device_put(x, ONE), dx.device_put(x, TWO))


def test_a_device_that_is_asked_for():
    f = dx.jit(lambda x: x + 1, device=ONE)
    x = dx.numpy.arange(3.0)
    for _ in range(2):
        assert f(x).device is ONE and f(x).committed
        assert f(dx.device_put(x, TWO)).device is ONE
    assert dx.jit(lambda x: x + 1, device="cpu:2")(1.0).device is TWO
    with pytest.raises(RuntimeError, match="no device 'cpu:9'"):
        dx.jit(lambda x: x, device="cpu:9")(1.0)


def test_the_default_device():
    x = dx.numpy.arange(3.0)
    for device in (TWO, ONE, TWO):
        with dx.default_device(device):
            y = double(x)
        assert y.device is device and not y.committed
        assert double(y).device is ZERO  # data without a home go where programs run


def test_transformations_of_compiled_functions():
    y = dx.device_put(np.arange(3.0), TWO)
    loss, cubes = dx.jit(lambda v: (v * v).sum()), dx.jit(lambda v: (v * v * v).sum())
    for found, expected in [
        (dx.grad(loss)(y), [0, 2, 4]), (dx.jit(dx.grad(loss))(y), [0, 2, 4]),
        (dx.vmap(double)(y), [0, 2, 4]), (dx.hessian(cubes)(y), np.diag([0.0, 6, 12]).tolist()),
        (dx.jvp(double, (y,), (y,))[1], [0, 2, 4]),
    ]:  # fmt: skip
        assert found.device is TWO and np.asarray(found).tolist() == expected


def test_arrays_that_were_closed_over():
    weights = dx.device_put(np.arange(3.0), ONE)
    f = dx.jit(lambda x: weights * x)
    for _ in range(2):
        assert f(2.0).device is ONE
        assert f(dx.device_put(2.0, TWO)).device is TWO
