"""Methods and attributes of arrays and of traced values that NumPy's or jax's arrays have."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

RNG = np.random.default_rng(0)
TYPES = ["?", "i1", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]


def sample(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    bits = RNG.integers(
        0, 2 if dtype == "?" else 100, (*shape[:-1], shape[-1] * np.dtype(dtype).itemsize)
    )
    return bits.astype("u1").view(dtype)


@pytest.mark.parametrize("source", TYPES)
def test_view(source: str):
    x = sample(source, (3, 4))
    want = {}
    for target in TYPES:
        try:
            want[target] = x.view("u1" if target == "?" else target)
        except ValueError:
            with pytest.raises(ValueError, match="view"):
                dnp.asarray(x).view(target)
    if "?" in want:
        want["?"] = want["?"] != 0
    f = lambda v: {target: v.view(target) for target in want}
    for got in (f(dnp.asarray(x)), dx.jit(f)(x)):
        for target, w in want.items():
            assert got[target].dtype == w.dtype
            np.testing.assert_array_equal(got[target], w)
    empty = np.zeros((0, 4), source)
    assert dnp.asarray(empty).view(source).shape == empty.shape


def test_view_of_numbers_and_what_has_none():
    assert (
        dnp.float32(1.0).view("i4") == np.float32(1.0).view("i4") if callable(dnp.float32) else True
    )
    x = dnp.asarray(1.5)
    assert x.view("i8") == np.float64(1.5).view("i8") and x.view() is x
    np.testing.assert_array_equal(
        dx.vmap(lambda v: v.view("u2"))(dnp.ones((2, 3), "f4")), np.ones((2, 3), "f4").view("u2")
    )
    bf = dnp.asarray([1.0, -2.5], dnp.bfloat16)
    np.testing.assert_array_equal(bf.view("u2"), np.asarray(bf).view("u2"))
    for call in (lambda: x.view("f4"), lambda: dnp.ones((2, 3), "f4").view("f8")):
        with pytest.raises(ValueError, match="whole number"):
            call()
    with pytest.raises(NotImplementedError, match="subclasses"):
        x.view(type=np.matrix)
    with pytest.raises(NotImplementedError, match="whole bytes"):
        dnp.ones(2, dnp.int4).view("i1")


def test_byteswap():
    xs = [sample(dtype, (2, 3)) for dtype in TYPES]
    for all_of_them in (
        lambda vs: [dnp.asarray(v).byteswap() for v in vs],
        dx.jit(lambda vs: [v.byteswap() for v in vs]),
    ):
        for got, x in zip(all_of_them(xs), xs):
            assert got.dtype == x.dtype
            np.testing.assert_array_equal(got, x.byteswap())


def test_whole_numbers_and_membership():
    for v in (2.5, -2.5, 3.0):
        x = dnp.asarray(v)
        assert (math.floor(x), math.ceil(x), math.trunc(x)) == (
            math.floor(v),
            math.ceil(v),
            math.trunc(v),
        )
    assert round(dnp.asarray(2.567), 2) == 2.57 and isinstance(round(dnp.asarray(2.5)), dx.Array)
    np.testing.assert_allclose(dx.jit(lambda v: round(v, 1))(2.345), 2.3)
    m = dnp.arange(6.0).reshape(2, 3)
    assert 4.0 in m and 7.0 not in m
    for f in (math.floor, math.trunc, lambda v: v.tolist(), lambda v: v.tobytes()):
        with pytest.raises(TypeError, match=r"traced|known"):
            dx.jit(f)(1.5)
    with pytest.raises(dx.errors.TracerBoolConversionError):
        dx.jit(lambda v: 1.0 in v)(m)


def test_methods_of_numpys_arrays():
    host = np.array([[3.0, 1.0, 2.0], [6.0, 5.0, 4.0]])
    x = dnp.asarray(host)
    assert list(x.flat) == list(host.flat) and x.flat[4] == host.flat[4] and len(x.flat) == 6
    np.testing.assert_array_equal(
        x.compress([True, False, True], axis=1), host.compress([True, False, True], axis=1)
    )
    np.testing.assert_array_equal(dnp.asarray([0, 1]).choose([x[0, :2], x[1, :2]]), [3.0, 5.0])
    assert x.argpartition(1).shape == host.shape and x.tolist() == host.tolist()
    assert (x.nbytes, x.itemsize) == (48, 8) and x.on_device_size_in_bytes() == 48
    sizes = []
    dx.jit(lambda v: (sizes.append((v.nbytes, v.itemsize)), v.flat)[1])(host)
    assert sizes == [(48, 8)]
    assert x.unsafe_buffer_pointer() and dx.jit(lambda v: v + 1)(x).unsafe_buffer_pointer()


#: What jax's arrays have and ours do not, with the reason.
NOT_OURS = {
    "sharding": "of shardings", "addressable_data": "of shardings",
    "addressable_shards": "of shardings",
    "global_shards": "of shardings", "is_fully_addressable": "of shardings",
    "is_fully_replicated": "of shardings", "format": "of layouts",
    "traceback": "of jax's own debugging",
    "device_buffer": "deprecated", "device_buffers": "deprecated", "clone": "internal",
    "platform": "internal; x.device says it", "aval_mutable_qdd": "internal", "cur_qdd": "internal",
    "dimension_as_value": "internal", "full_lower": "internal", "get_const": "internal",
    "get_referent": "internal", "mutable_qdd": "internal", "parent": "internal",
    "to_concrete_value": "internal", "val": "internal", "committed": "of arrays alone",
    "delete": "of arrays alone", "devices": "of arrays alone", "is_deleted": "of arrays alone",
    "on_device_size_in_bytes": "of arrays alone", "unsafe_buffer_pointer": "of arrays alone",
}  # fmt: skip


def test_what_jax_arrays_have():
    jax = pytest.importorskip("jax", reason="it is the list of names that is compared")
    theirs: list[Any] = [jax.numpy.ones(2)]
    jax.jit(theirs.append)(theirs[0])
    ours: list[Any] = [dnp.ones(2)]
    dx.jit(ours.append)(ours[0])
    for a, b in zip(theirs, ours):
        lacking = {n for n in dir(a) if not n.startswith("_")} - set(dir(b)) - set(NOT_OURS)
        assert not lacking


def test_copies_and_pickles():
    x = dnp.asarray([1.0, 2.0], dnp.bfloat16)
    for y in (
        copy.copy(x),
        copy.deepcopy(x),
        pickle.loads(pickle.dumps(x)),
        copy.deepcopy({"a": [x]})["a"][0],
    ):
        assert y.dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(y, x)
    key = dx.random.PRNGKey(3)
    for k in (copy.deepcopy(key), pickle.loads(pickle.dumps(key))):
        np.testing.assert_array_equal(dx.random.normal(k, (2,)), dx.random.normal(key, (2,)))
    held = {"f": dx.jit(dnp.sin), "g": [dx.grad(dnp.sin)]}
    for copied in (copy.deepcopy(held), pickle.loads(pickle.dumps(held))):
        assert copied["f"](0.5) == dnp.sin(0.5) and copied["g"][0](0.5) == dnp.cos(0.5)

    def f(v):
        tree = copy.deepcopy({"a": v, "b": [v * 2, np.ones(2)]})
        return copy.copy(tree["a"]) + tree["b"][0] + tree["b"][1].sum()

    assert float(dx.grad(f)(1.0)) == 3.0 and float(dx.jit(f)(1.0)) == 5.0
    with pytest.raises(TypeError, match="cannot be pickled"):
        dx.jit(pickle.dumps)(1.0)
