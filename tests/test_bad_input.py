"""Bad input is refused by the primitive itself, in words; XLA never sees an invalid program.

Operands and static parameters of the samples are spoiled one at a time. Then the primitive raises
a TypeError or ValueError that names it and shows what came, or the operation is a valid one after
all: it lowers, compiles and runs with exactly the types that were inferred, and NumPy agrees.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from diffeo.primitives import Primitive
from diffeo.primitives.array import Array
from diffeo.primitives.core import typeof
from diffeo.primitives.jaxpr import infer
from diffeo.primitives.types import SCALARS, ShapedArray
from tests.laws import compiled, value
from tests.samples import SAMPLES, Sample

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

DTYPES = [
    np.dtype(d)
    for d in (
        np.bool_, np.int8, np.uint64, np.float32, np.float64, np.complex64, ml_dtypes.bfloat16,
        ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn,
    )
]  # fmt: skip

Case = tuple[str, Primitive, list[Any]]


def aval(x: Any) -> Any:
    return x if type(x) in SCALARS else ShapedArray(x.shape, x.dtype)


def spoiled_operands(sample: Sample) -> Iterator[Case]:
    """The sample's operands, one of them with another rank, size or dtype, one less, one more."""
    p, avals = sample.primitive, [aval(a) for a in sample.args]
    yield "no operands", p, []
    if avals:
        yield "one operand less", p, avals[:-1]
        yield "one operand more", p, [*avals, avals[-1]]
    for i in sample.arrays:
        a = avals[i]
        spoil = lambda b, i=i: [*avals[:i], b, *avals[i + 1 :]]
        yield f"operand {i}: one axis more", p, spoil(a.update(shape=(2, *a.shape)))
        if a.ndim:
            yield f"operand {i}: one axis less", p, spoil(a.update(shape=a.shape[1:]))
        for k, n in enumerate(a.shape):
            for size in {n + 1, 0} - {n}:
                shape = (*a.shape[:k], size, *a.shape[k + 1 :])
                yield f"operand {i}: axis {k} of size {size}", p, spoil(a.update(shape=shape))
        for dtype in DTYPES:
            if dtype != a.dtype:
                yield f"operand {i}: {dtype}", p, spoil(a.update(dtype=dtype))


def spoiled_parameters(sample: Sample) -> Iterator[Case]:
    """The sample's primitive with one parameter made nonsense: axes, sizes and counts."""
    p, avals = sample.primitive, [aval(a) for a in sample.args]
    if not dataclasses.is_dataclass(p):
        return
    for field in dataclasses.fields(p):
        old = getattr(p, field.name)
        for new in other_values(old):
            try:
                changed = dataclasses.replace(p, **{field.name: new})  # type: ignore[type-var]
            except (TypeError, ValueError) as error:
                check_message(error, p, f"{field.name} = {new}")
                continue
            yield f"{field.name} = {new}", changed, avals


def other_values(old: Any) -> Iterator[Any]:
    """Values of the same kind that are probably wrong."""
    if type(old) is int:
        yield from (old - 1, old + 1, -1, 10**4)
    elif isinstance(old, np.dtype):
        yield from map(np.dtype, (np.bool_, np.int16, np.float32, np.complex64))
    elif dataclasses.is_dataclass(old) and not isinstance(old, type):
        for field in dataclasses.fields(old):
            for new in other_values(getattr(old, field.name)):
                yield dataclasses.replace(old, **{field.name: new})
    elif type(old) is tuple and all([type(i) is int for i in old]):
        yield from ((*old, 0), old[:-1], (-1, *old[1:]), (9, *old[1:]), old[::-1], old + old[-1:])
    elif type(old) is tuple:
        for i, item in enumerate(old):
            for new in other_values(item):
                yield (*old[:i], new, *old[i + 1 :])


def check_message(error: Exception, p: Primitive, what: str) -> None:
    text = str(error)
    assert isinstance(error, (TypeError, ValueError)), f"{what}: {error!r}"
    assert p.name in text, f"{what}: the message does not name {p.name}: {text}"
    shows = any([c in text for c in ("[", "(", "bool", *"0123456789")])
    assert shows, f"{what}: shows nothing of what came: {text}"


def numbers(a: Any, seed: int) -> Any:
    """Harmless operands of a type."""
    if type(a) in SCALARS:
        return a
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 2, a.shape).astype(np.float32).astype(a.dtype)
        if (a.dtype.kind in "biu")
        else rng.uniform(0.25, 0.75, a.shape).astype(a.dtype)
    )


#: How often an initial value that is not neutral joins each result is open.
OPEN = ("reduce_window",)


def check(what: str, p: Primitive, avals: list[Any]) -> bool:
    """Whether the operation was accepted, and so was compiled and run."""
    try:
        found = infer(p, avals)
    except Exception as error:
        check_message(error, p, what)
        return False
    expected = list(found) if p.multiple_results else [found]
    args = [numbers(a, i) for i, a in enumerate(avals)]
    arrays = [a for a in args if type(a) not in SCALARS]

    def fun(*xs: Any) -> list[Any]:
        given = iter(xs)
        out = p.bind(*[a if type(a) in SCALARS else next(given) for a in args])
        return list(out) if p.multiple_results else [out]

    try:
        outs = compiled(fun, arrays)
    except TypeError as error:
        if not p.calls_python:  # what a user's function makes of its operands, nobody knows before
            raise
        check_message(error, p, what)
        return True
    assert [typeof(o) for o in outs] == expected, f"{what}: compiled {outs}, inferred {expected}"
    plain = fun(*map(value, arrays))
    assert [typeof(o) for o in plain] == expected, f"{what}: evaluated {plain}, not {expected}"
    for a, b in zip(outs, plain):
        if p.name not in OPEN:
            agree(what, *[v.host if type(v) is Array else np.asarray(v) for v in (a, b)])
    return True


def agree(what: str, a: np.ndarray, b: np.ndarray) -> None:
    """Equal up to the precision of the dtype."""
    if a.dtype.kind in "biu":
        np.testing.assert_array_equal(a, b, what)
        return
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    digits = {1: 0.3, 2: 0.05, 4: 1e-4}.get(a.dtype.itemsize // (1 + (a.dtype.kind == "c")), 1e-9)
    np.testing.assert_allclose(a.astype(wide), b.astype(wide), digits, digits, err_msg=what)


def first_of_each() -> list[Sample]:
    """One sample of each primitive, that with most operands and axes of size 2 and more."""
    best: dict[str, Sample] = {}
    for s in SAMPLES:
        size = lambda s: sum([np.ndim(a) + min(np.size(a), 12) for a in s.args])
        old = best.get(s.primitive.name)
        if old is None or size(s) > size(old):
            best[s.primitive.name] = s
    return list(best.values())


def spoiled(sample: Sample) -> list[Case]:
    return [*spoiled_operands(sample), *spoiled_parameters(sample)]


@pytest.mark.parametrize("sample", first_of_each(), ids=repr)
@pytest.mark.sampled(4, of_each_primitive=False)
def test_spoiled_input_is_refused_or_runs(sample: Sample):
    """All that is refused; of what is accepted, some are compiled."""
    accepted = 0
    cases = spoiled(sample)
    cases.sort(key=lambda case: zlib.crc32(case[0].encode()))
    for what, p, avals in cases:
        try:
            infer(p, avals)
        except Exception as error:
            check_message(error, p, what)
            continue
        accepted += 1
        if accepted <= 4:
            check(what, p, avals)


@pytest.mark.exhaustive
@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_spoiled_input_of_every_sample(sample: Sample):
    for what, p, avals in spoiled(sample):
        check(what, p, avals)
