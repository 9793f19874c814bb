"""What an array of NumPy's says beyond its numbers is kept or refused by name, at every door."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.support.foreign import DTYPES, array_dtype, float0
from diffeo.primitives.support.key_types import BY_ELEMENT

dn = dx.numpy
x = dn.array([1.0, 2.0])


class Remembering(np.ndarray):
    """A subclass with an attribute that it hands on."""

    def __array_finalize__(self, other: Any) -> None:
        self.unit = getattr(other, "unit", None)


class Measured(np.ndarray):
    """A subclass with a unit, which answers NumPy's functions itself."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return NotImplemented


class Named(np.ndarray):
    """A subclass with a method more."""

    def second(self) -> Any:
        return self[1]


class Shown:
    """Something with numbers, as a table of pandas'."""

    def __init__(self, numbers: Any):
        self.numbers = numbers

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numbers


plain = np.array([1.0, 2.0])
masked = np.ma.masked_array([1.0, 2.0], [True, False])
RECORDS = np.zeros(2, [("a", float), ("b", int)])

#: What is refused at every door, and a word of the message that says what to do or what it is.
REFUSED: dict[str, tuple[Any, str]] = {
    "masked": (masked, "filled"),
    "masked without mask": (np.ma.masked_array([1.0, 2.0]), "filled"),
    "masked integers": (np.ma.masked_array([1, 0], [True, False]), "filled"),
    "masked constant": (np.ma.masked, "filled"),
    "unit": (plain.view(Measured), "np.asarray"),
    "records": (RECORDS, "dtype"),
    "record array": (RECORDS.view(np.recarray), "dtype"),
    "record": (RECORDS[0], "dtype"),
    "longdouble": (plain.astype(np.longdouble), "float64"),
    "clongdouble": (plain.astype(np.clongdouble), "complex128"),
    "longdouble scalar": (np.longdouble(1), "float64"),
    "dates": (np.array(["2020-01-01", "2021-01-01"], "datetime64[D]"), "timedelta64"),
    "date": (np.datetime64("2020-01-01"), "timedelta64"),
    "durations": (np.array([1, 2], "timedelta64[s]"), "timedelta64"),
    "duration": (np.timedelta64(1, "s"), "timedelta64"),
    "objects": (np.array([1, 2.0], object), "astype"),
    "decimals": (np.array([Decimal(1), Decimal(2)]), "astype"),
    "object without axes": (np.array(1.0, object), "astype"),
    "strings": (np.array(["1", "2"]), "dtype"),
    "characters": (np.char.array(["1", "2"]), "dtype"),
    "bytes": (np.array([b"1", b"2"]), "dtype"),
    "StringDType": (np.array(["1", "2"], np.dtypes.StringDType()), "dtype"),
    "void": (np.zeros(2, "V4"), "dtype"),
    "void scalar": (np.void(b"abcd"), "dtype"),
    "one bit": (np.zeros(2, ml_dtypes.int1), "dtype"),
}
if np.dtype(np.longdouble) == np.float64:  # where it is the same, nothing is lost
    for name in ("longdouble", "clongdouble", "longdouble scalar"):
        del REFUSED[name]
#: Refused but where a plain array is asked for, as `np.asarray` makes it.
CONVERTED = {
    "matrix": np.array([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix),
    "attribute": plain.view(Remembering),
}
#: Taken for the array that they are.
TAKEN = {
    "method": plain.view(Named),
    "other byte order": plain.astype(">f8"),
    "longlong": np.array([1, 2], "longlong"),
    "metadata": plain.astype(np.dtype("f8", metadata={"a": 1})),  # type: ignore[call-overload]
    "read-only": np.broadcast_to(np.float32(2), (2,)),
    "reversed": plain[::-1],
}

ASKED: dict[str, Callable[[Any], Any]] = {
    "array": dn.array,
    "asarray": dn.asarray,
    "list": lambda v: dn.array([v]),
    "mixed list": lambda v: dn.array([v, v * 0 if v is plain else v]),
    "__array__": lambda v: dn.asarray(Shown(v)) if isinstance(v, np.ndarray) else dn.asarray(v),
}
DOORS: dict[str, Callable[[Any], Any]] = {
    "x + v": lambda v: x + v,
    "x * v": lambda v: x * v,
    "x @ v": lambda v: x @ v,
    "x == v": lambda v: x == v,
    "x < v": lambda v: x < v,
    "np.add": lambda v: dx.jit(lambda a: np.add(a, v))(x),
    "np.where": lambda v: dx.jit(lambda a: np.where(a > 1, a, v))(x),
    "dn.add": lambda v: dn.add(v, x),
    "dn.sin": lambda v: dn.sin(v),
    "dn.sum": lambda v: dn.sum(v),
    "dn.sort": lambda v: dn.sort(v),
    "dn.where": lambda v: dn.where(x > 1, x, v),
    "dn.where of": lambda v: dn.where(v, x, x),
    "dn.concatenate": lambda v: dn.concatenate([x, v]),
    "dn.zeros_like": lambda v: dn.zeros_like(v),
    "dn.linalg.norm": lambda v: dn.linalg.norm(v),
    "lax.add": lambda v: dx.lax.add(x, v),
    "lax.select": lambda v: dx.lax.select(x > 1, x, v),
    "lax.cond": lambda v: dx.lax.cond(True, lambda a: a, lambda a: a, v),
    "lax.scan": lambda v: dx.lax.scan(lambda c, a: (c, a), 0.0, v),
    "nn.relu": lambda v: dx.nn.relu(v),
    "jit": lambda v: dx.jit(lambda a: a)(v),
    "jit of a tree": lambda v: dx.jit(lambda a: a)({"a": (x, v)}),
    "jit closed over": lambda v: dx.jit(lambda: x + v)(),
    "jit result": lambda v: dx.jit(lambda: v)(),
    "grad": lambda v: dx.grad(lambda a: dn.sum(a * 1.0))(v),
    "jvp": lambda v: dx.jvp(lambda a: a * 1.0, (x,), (v,)),
    "vmap": lambda v: dx.vmap(lambda a: a)(v),
    "device_put": lambda v: dx.device_put(v),
    "index": lambda v: dn.arange(3)[v],
    "index of two axes": lambda v: dn.ones((3, 3))[v, 0],
    "at index": lambda v: dn.arange(3).at[v].set(0),
    "at set": lambda v: x.at[:].set(v),
    "at add": lambda v: x.at[:].add(v),
}


@pytest.mark.parametrize("door", [*ASKED, *DOORS])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, door: str):
    value, says = REFUSED[name]
    with pytest.raises(TypeError) as error:
        (ASKED | DOORS)[door](value)
    text = str(error.value)
    if "index array must hold" not in text:
        assert says in text, f"{name}: {text}"


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_where_a_plain_array_is_asked_for(name: str):
    value = CONVERTED[name]
    for make in (dn.array, dn.asarray, lambda v: dn.asarray(Shown(v))):
        found = make(value)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(value))
        assert type(np.asarray(found)) is np.ndarray
    for door, call in DOORS.items():
        with pytest.raises(TypeError) as error:
            call(value)
        assert "np.asarray" in str(error.value) or "index" in door, f"{door}: {error.value}"


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str):
    value = TAKEN[name]
    expected = np.array(value, value.dtype.newbyteorder("="))
    for call in (dn.array, dn.asarray, dx.device_put, dx.jit(lambda a: a)):
        found = np.asarray(call(value))
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype and found.dtype.isnative
    np.testing.assert_array_equal(np.asarray(x + value), np.asarray(x) + expected)
    np.testing.assert_array_equal(np.asarray(value + x), np.asarray(x) + expected)


def test_a_memory_map_is_an_array(tmp_path: Any):
    value = np.memmap(tmp_path / "numbers", float, "w+", shape=(2,))
    value[:] = plain
    for call in (dn.array, dx.jit(lambda a: a), lambda v: x * 0 + v):
        np.testing.assert_array_equal(np.asarray(call(value)), plain)


def test_a_masked_array_on_the_left_keeps_its_mask():
    found = masked + x
    assert isinstance(found, np.ma.MaskedArray)
    np.testing.assert_array_equal(found.mask, masked.mask)
    with pytest.raises(TypeError):
        dx.jit(lambda y: masked + y)(x)


NO_NUMBERS = [Decimal("1.5"), Fraction(1, 2), "1", b"1", None, object(), {1.0}]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: type(v).__name__)
def test_what_is_no_number_is_refused(value: Any):
    for call in (dn.array, dn.sin, lambda v: x + v, lambda v: x < v, lambda v: dn.array([1.0, v]),
                 lambda v: dn.full(2, v), lambda v: x.at[0].set(v)):  # fmt: skip
        with pytest.raises(TypeError):
            call(value)


@pytest.mark.parametrize("value", [[1.0, 2.0], (1.0, 2.0)], ids=["list", "tuple"])
def test_equality_is_no_silent_false(value: Any):
    for call in (lambda: x == value, lambda: x != value, lambda: dx.jit(lambda y: y == value)(x)):
        with pytest.raises(TypeError, match="asarray"):
            call()
    assert (x == None) is False  # noqa: E711
    assert (x == Shown(plain)).all() and not (x != Shown(plain)).any()
    assert x != "a"


BIG = [2**63, -(2**63) - 1, 2**64, 2**70]


@pytest.mark.parametrize("value", BIG)
def test_integers_beyond_the_dtype(value: int):
    for call in (dn.array, lambda v: dn.array([v]), lambda v: dn.array([v, np.int64(1)]),
                 lambda v: dn.full(2, v), lambda v: dn.arange(3) + v, dx.jit(lambda a: a),
                 lambda v: dn.arange(3).at[0].set(v), lambda v: dx.jit(lambda: dn.full(2, v))(),
                 lambda v: dn.array(v, "int32"), lambda v: dn.full(2, v, "int8")):  # fmt: skip
        with pytest.raises(OverflowError, match=r"[a-z]+"):
            call(value)
    with pytest.raises(IndexError):
        x[value]
    for call in (lambda v: dn.array(v, float), lambda v: dn.full((), v, float), lambda v: v * x[0]):
        assert float(call(value)) == float(value)


def test_dtypes():
    for dtype in DTYPES - {float0, *BY_ELEMENT}:
        assert array_dtype(dtype) is dtype and array_dtype(dtype.newbyteorder(">")) == dtype
    for dtype in (str, bytes, object, "M8[s]", "m8", "V3", "f8,i4", np.dtypes.StringDType(),
                  np.dtype(("f8", (2,))), ml_dtypes.float6_e2m3fn, "U3"):  # fmt: skip
        for call in (
            lambda d: x.astype(d), lambda d: dn.zeros(2, d), lambda d: dn.ones(2, d),
            lambda d: dn.full(2, 1.0, d), lambda d: dn.array([1.0], d),
            lambda d: dn.arange(3, dtype=d), lambda d: dn.zeros_like(x, d),
            lambda d: dn.sum(x, dtype=d), lambda d: dn.eye(2, dtype=d),
            lambda d: dx.lax.convert_element_type(x, d), lambda d: dx.lax.full((2,), 1.0, d),
            lambda d: dx.lax.iota(d, 3), lambda d: dx.nn.one_hot(dn.arange(2), 2, dtype=d),
            lambda d: dx.random.uniform(dx.random.key(0), (2,), d),
            lambda d: dx.random.randint(dx.random.key(0), (2,), 0, 3, d),
            lambda d: dx.ShapeDtypeStruct((2,), d), lambda d: dx.jit(lambda a: a.astype(d))(x),
            lambda d: dx.jit(lambda: dn.zeros(2, d))(),
        ):  # fmt: skip
            with pytest.raises((TypeError, ValueError), match=r"dtype"):
                call(dtype)
