"""The types of numbers: called, compared, used as dtypes, as NumPy's and jax's are."""

from __future__ import annotations

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from tests.checks import close

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

NAMES = (
    "bool", "int2", "int4", "int8", "int16", "int32", "int64", "uint2", "uint4", "uint8", "uint16",
    "uint32", "uint64", "float4_e2m1fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    "bfloat16", "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
SYNONYMS = {
    "bool_": "bool", "single": "float32", "double": "float64", "csingle": "complex64",
    "cdouble": "complex128", "float_": "float64", "complex_": "complex128", "int_": "int64",
    "uint": "uint64",
}  # fmt: skip


def numpys(name):
    """NumPy's class, or that of ml_dtypes."""
    return np.dtype(getattr(ml_dtypes, name, name)).type


@pytest.mark.parametrize("name", NAMES)
def test_types(name):
    ours, theirs = getattr(dnp, name), numpys(name)
    dtype = np.dtype(theirs)
    assert ours.__name__ == name and np.dtype(ours) == dtype and ours.dtype == dtype
    assert ours == theirs and theirs == ours and ours == dtype and dtype == ours
    assert hash(ours) == hash(theirs) and {theirs: 1}[ours] == 1
    assert ours != numpys("int8" if name != "int8" else "int16") and ours != "text"
    assert isinstance(theirs(1), ours) and not isinstance("text", ours)
    assert isinstance(ours, type) and "diffeo.numpy." + name in repr(ours)
    assert pickle.loads(pickle.dumps(ours)) is ours and copy.deepcopy(ours) is ours
    one = ours(1)
    assert (
        isinstance(one, dx.Array) and one.dtype == dtype and one.shape == () and not one.weak_type
    )
    assert ours([1, 0]).dtype == dtype
    assert dx.jit(lambda x: ours(x))(1).dtype == dtype
    if jax is not None:
        jaxs = getattr(jax.numpy, name)
        assert np.dtype(jaxs) == np.dtype(ours) and jaxs.__name__ == ours.__name__
        assert (ours == jaxs) == (theirs == jaxs)


@pytest.mark.parametrize("name", NAMES)
def test_types_are_dtypes_everywhere(name):
    ours, dtype = getattr(dnp, name), np.dtype(numpys(name))
    x = dnp.zeros(3, ours)
    for y in (
        dnp.ones(3).astype(ours), dnp.full(3, 1, ours), dnp.asarray([1, 0], ours),
        dnp.zeros_like(x), dnp.arange(2, dtype=ours) if name != "bool" else x,
        dx.lax.convert_element_type(np.ones(2), ours), dx.lax.full((2,), 1, ours),
        dx.jit(lambda a: a.astype(ours))(np.ones(2)), np.zeros(2, ours),
        dx.ShapeDtypeStruct((2,), ours), dx.ShapedArray((2,), ours),
    ):  # fmt: skip
        assert y.dtype == dtype and y.dtype == ours
    assert dx.ShapedArray((2,), ours) is dx.ShapedArray((2,), dtype)
    assert dnp.promote_types(ours, ours) == dtype and dnp.result_type(ours) == dtype
    for kind in (np.integer, np.signedinteger, np.inexact, np.floating, np.complexfloating):
        assert dnp.issubdtype(ours, kind) == dnp.issubdtype(dtype, kind)
        if jax is not None:
            assert dnp.issubdtype(ours, kind) == jax.numpy.issubdtype(dtype, kind)
    assert dnp.issubdtype(dtype, ours) and dnp.issubdtype(ours, ours)


def test_synonyms():
    for name, other in SYNONYMS.items():
        assert getattr(dnp, name) is getattr(dnp, other)
    assert dnp.character is np.character and dnp.object_ is np.object_
    assert issubclass(dnp.ComplexWarning, Warning)


def test_calls():
    close(dnp.float32(1.5), np.float32(1.5))
    assert int(dnp.int32(2.7)) == 2 and complex(dnp.complex64(1 + 2j)) == 1 + 2j
    assert dnp.float64().shape == () and float(dnp.float64()) == 0.0
    close(dx.grad(lambda x: dnp.float32(x) ** 2)(3.0), 6.0)
    close(dx.vmap(dnp.float32)(np.arange(3.0)), np.arange(3, dtype="float32"))
    assert dnp.finfo(dnp.float32).bits == 32 and dnp.iinfo(dnp.int8).max == 127
    assert dx.dtypes.finfo(dnp.bfloat16).bits == 16
    values = {dnp.float32: "f", dnp.int8: "i"}
    assert values[np.float32] == "f" and np.int8 in values


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "float4_e2m1fn"])
def test_narrow_numbers_are_kept_and_moved(name):
    kind = getattr(dnp, name)
    x = dnp.array([1, 0, 1], kind)
    for f in (
        lambda x: x[::-1],
        lambda x: (x.astype(float) * 1).astype(kind),
        lambda x: x.reshape(3, 1),
    ):
        close(np.asarray(dx.jit(f)(x), float), np.asarray(f(x), float))
    with pytest.raises(TypeError, match="storage"):
        x + x
    with pytest.raises(TypeError, match="one width"):
        dx.lax.bitcast_convert_type(x, np.int8)
