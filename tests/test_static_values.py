"""Static values that are equal, but not the same, have programs of their own, in every cache."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.constants import Full, full_like
from diffeo.primitives.core import Primitive
from diffeo.primitives.support.exact import Exact, exactly_equal
from diffeo.primitives.support.frozen import frozen
from diffeo.primitives.types import ShapedArray

PAIRS = [
    (1, True), (1, 1.0), (True, 1.0), (0, False), (0.0, -0.0), (1.0, 1 + 0j), (0j, -0j),
    (complex(0.0, 0.0), complex(0.0, -0.0)), (np.float64(0.0), np.float64(-0.0)),
    (np.float32(1), np.float64(1)), (np.int32(1), np.int64(1)), (np.bool_(True), np.int8(1)),
    (1, np.int64(1)), (1.0, np.float64(1)), (2, 2.0),
]  # fmt: skip

Pair = namedtuple("Pair", "first second")


@dataclass(frozen=True)
class Options:
    scale: Any
    name: str = "a"


@frozen
class Scaled(Primitive):
    """An operation with a static parameter."""

    factor: Any

    def abstract_eval(self, x):
        return ShapedArray(x.shape, np.result_type(x.dtype, type(self.factor)))

    def decompose(self, x):
        return x.astype(np.result_type(x.dtype, type(self.factor))) * self.factor

    def impl(self, x):
        return np.asarray(x * np.asarray(self.factor))


@dataclass(frozen=True)
class Outsider(Primitive):
    """The same, with the == of dataclasses."""

    factor: Any
    abstract_eval, decompose, impl = Scaled.abstract_eval, Scaled.decompose, Scaled.impl


CONTAINERS = {
    "itself": lambda v: v,
    "tuple": lambda v: ("a", v),
    "tuple in tuple": lambda v: (1, (v, 2)),
    "frozenset": lambda v: frozenset([v]),
    "named tuple": lambda v: Pair(v, 1),
    "dataclass": Options,
    "dataclass in tuple": lambda v: (Options(v),),
    "slice": lambda v: Options(slice(v, None)) if hash_of_slices else (v,),
    "primitive": Scaled,
}
hash_of_slices = "__hash__" in dir(slice) and slice.__hash__ is not None


def shown(v: Any) -> str:
    """Tells all apart that a program can tell apart."""
    if isinstance(v, np.generic):
        return f"{v.dtype} {v.tobytes()!r}"
    if isinstance(v, frozenset):
        return f"set {sorted(map(shown, v))}"
    if isinstance(v, tuple):
        return f"{type(v).__name__} {[*map(shown, v)]}"
    if isinstance(v, (Options, Scaled)):
        return f"{type(v).__name__} {next(map(shown, vars(v).values()))}"
    return f"{type(v).__name__} {v!r}"


@pytest.mark.parametrize("container", CONTAINERS)
def test_static_arguments(container: str):
    for a, b in PAIRS:
        a, b = CONTAINERS[container](a), CONTAINERS[container](b)
        assert (a == b or container == "primitive") and shown(a) != shown(b)
        for number in (0, "value"):
            seen: list[str] = []

            def f(value, x, *, seen=seen):
                seen.append(shown(value))
                return x

            if number == 0:
                g = dx.jit(f, static_argnums=0)
                calls = [lambda v, g=g: g(v, 1.0), lambda v, g=g: g(v, dx.numpy.ones(2))]
            else:
                g = dx.jit(f, static_argnames="value")
                calls = [lambda v, g=g: g(value=v, x=1.0)]
            for call in calls:
                seen.clear()
                for v in (a, a, b, b, a, b, a):
                    call(v)
                assert seen == [shown(a), shown(b)], (container, number)


@dx.tree.register_dataclass
@dataclass
class Model:
    weight: Any
    rate: Any = dx.tree.static(default=0)  # noqa: RUF009


class Custom:
    def __init__(self, weight, rate):
        self.weight, self.rate = weight, rate


dx.tree.register_pytree_node(
    Custom, lambda c: ((c.weight,), c.rate), lambda rate, children: Custom(*children, rate)
)


class Keyed(Custom):
    pass


dx.tree.register_pytree_with_keys(
    Keyed,
    lambda c: (((dx.tree.GetAttrKey("weight"), c.weight),), c.rate),
    lambda rate, children: Keyed(*children, rate),
)


@dx.tree.register_static
@dataclass(frozen=True)
class Static:
    rate: Any


TREES = {
    "dataclass": lambda v, x: Model(x, v),
    "class": lambda v, x: Custom(x, v),
    "class with keys": lambda v, x: Keyed(x, v),
    "static": lambda v, x: (x, Static(v)),
    "tuple in a dataclass": lambda v, x: Model(x, (v, 1)),
    "OrderedDict": lambda v, x: OrderedDict({v: x}),
}


@pytest.mark.parametrize("kind", TREES)
def test_static_data_of_trees(kind: str):
    for a, b in PAIRS:
        one, other = (TREES[kind](v, 1.5) for v in (a, b))
        assert dx.tree.structure(one) != dx.tree.structure(other)
        assert dx.tree.structure(one) == dx.tree.structure(TREES[kind](a, 2.5))
        assert hash(dx.tree.structure(one)) == hash(dx.tree.structure(TREES[kind](a, 2.5)))
        seen = []
        f = dx.jit(lambda t, seen=seen: seen.append(t) or dx.tree.leaves(t)[0])
        for x in (1.5, dx.numpy.ones(2)):
            seen.clear()
            for v in (a, a, b, b, a, b):
                f(TREES[kind](v, x))
            assert len(seen) == 2


def test_parameters_of_primitives():
    x = dx.numpy.arange(3.0)
    for kind in (Scaled, Outsider):
        for a, b in PAIRS:
            if isinstance(a, np.generic) or isinstance(b, np.generic):
                continue  # no scalars of the language

            def both(x, a=a, b=b, kind=kind):
                return kind(a).bind(x), kind(b).bind(x)

            expected = [np.asarray(x) * np.asarray(v) for v in (a, b)]
            for found in (both(x), dx.jit(both)(x), dx.make_jaxpr(both)(x)(x)):
                for y, z, v in zip(found, expected, (a, b)):
                    assert y.dtype == np.result_type(np.float64, type(v))
                    assert np.asarray(y).tobytes() == z.astype(y.dtype).tobytes(), (kind, v)
    assert Scaled(0.0) != Scaled(-0.0) and Scaled(0.0) == Scaled(0.0)
    assert Full((), np.dtype(float), 0.0) != Full((), np.dtype(float), -0.0)


def test_constants_of_programs():
    def f(x):
        return full_like(x, 0.0), full_like(x, -0.0), x * 0.0, x * -0.0

    for g in (f, dx.jit(f), dx.vmap(f), dx.jit(dx.vmap(f))):
        found = [np.signbit(np.asarray(y)).tolist() for y in g(np.ones(2))]
        assert found == [[False] * 2, [True] * 2] * 2


def test_values_that_are_the_same():
    for value in (1, 1.5, True, 2j, "a", None, np.float32(1), slice(1, 2), range(3), Options(1)):
        for make in (lambda v: v, lambda v: (v, [v]), lambda v: {"a": v}, lambda v: Options(v)):
            assert exactly_equal(make(value), make(value))
    assert exactly_equal(MappingProxyType({1: 2}), MappingProxyType({1: 2}))
    assert not exactly_equal(MappingProxyType({1: 2}), MappingProxyType({1: 2.0}))
    assert not exactly_equal({1: 2}, {True: 2})
    assert Exact((1, 2)) == Exact((1, 2)) != Exact((1, True))
    assert hash(Exact((1, 2))) == hash(Exact((1.0, 2)))
