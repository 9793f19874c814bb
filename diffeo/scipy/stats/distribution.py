"""Families of distributions: a few facts about each, and the functions that follow from them.

A fact is a function of the standard variable (location 0, scale 1) and of the shape parameters:
the logarithm of the density, say. `DERIVED` says how a function follows from others: the density is
the exponential of its logarithm. `Distribution` adds what is the same for all: promotion, location
and scale, the support, parameters that are wrong. So a distribution is one row:

    expon = continuous("expon", "...", lambda x: -x, low=0.0, cdf=lambda x: -expm1(-x), ...)

A `Distribution` is a module, so that `import diffeo.scipy.stats.norm` works as in SciPy.

Words: the *standard variable* is (x - loc) / scale; an *inner* number is one of the support, which
stands for those outside of it while a fact is computed.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from ...primitives.core import Value, with_user_line
from ...primitives.words import elementwise as e
from ..special.gamma import operands

Fact = Callable[..., Any]

#: What each function computes, for documentation.
MEANINGS = {
    "pdf": "the density",
    "logpdf": "the logarithm of the density",
    "pmf": "the probability of a number",
    "logpmf": "the logarithm of the probability of a number",
    "cdf": "the probability of numbers up to one",
    "logcdf": "the logarithm of the probability of numbers up to one",
    "sf": "the probability of numbers above one",
    "logsf": "the logarithm of the probability of numbers above one",
    "ppf": "the quantile of a probability, the inverse of `cdf`",
    "isf": "the inverse of `sf`",
    "entropy": "the entropy",
}
#: The values of a function below and above the support.
BEYOND = {"pdf": (0.0, 0.0), "logpdf": (-math.inf, -math.inf), "cdf": (0.0, 1.0),
          "sf": (1.0, 0.0), "logcdf": (-math.inf, 0.0), "logsf": (0.0, -math.inf),
          "pmf": (0.0, 0.0), "logpmf": (-math.inf, -math.inf)}  # fmt: skip


def log_of(part: Fact, rest: Fact) -> Fact:
    """Return the logarithm of a probability, accurate also where it is near 1."""

    def log(*args: Any) -> Any:
        p = part(*args)
        small = p <= 0.5
        near_one = e.log1p.bind(-e.select(small, 0.5, rest(*args)))
        return e.select(small, e.log.bind(e.select(small, p, 0.5)), near_one)

    return log


def exp_of(log: Fact) -> Fact:
    """Return the exponential of a logarithm."""
    return lambda *args: e.exp.bind(log(*args))


def inside_or(log: Fact, edge: Fact, inside: Fact, usual: float) -> Fact:
    """Return the exponential of `log` where its last argument is `inside`, and `edge` elsewhere.

    At the ends of an interval, derivatives do not follow from those of a logarithm, which are
    infinite. Far inside, a density that is a product may underflow on its way.
    """

    def density(*args: Any) -> Any:
        *given, x = args
        within = inside(x)
        inner = e.exp.bind(log(*given, e.select(within, x, usual)))
        return e.select(within, inner, edge(*given, e.select(within, 0.0, x)))

    return density


def mirrored(fact: Fact) -> Fact:
    """Return a fact about -x."""

    @wraps(fact)  # its parameters have names
    def mirror(x: Value, *shapes: Any) -> Any:
        return fact(-x, *shapes)

    return mirror


def negated(fact: Fact) -> Fact:
    """Return the negative of a fact."""
    return lambda *args: -fact(*args)


#: (what follows, from which facts, how), in the order in which they are tried.
DERIVED: tuple[tuple[str, tuple[str, ...], Callable[..., Fact]], ...] = (
    ("pdf", ("logpdf",), exp_of),
    ("pmf", ("logpmf",), exp_of),
    ("cdf", ("logcdf",), exp_of),
    ("sf", ("logsf",), exp_of),
    ("logcdf", ("cdf", "sf"), log_of),
    ("logsf", ("sf", "cdf"), log_of),
)
#: The same for distributions that are symmetric about 0.
BY_SYMMETRY = (
    ("sf", ("cdf",), mirrored),
    ("logsf", ("logcdf",), mirrored),
    ("isf", ("ppf",), negated),
)
#: The same for the distribution of -X, from facts about X.
OF_NEGATIVE = (
    ("logpdf", "logpdf", mirrored), ("cdf", "sf", mirrored), ("sf", "cdf", mirrored),
    ("logcdf", "logsf", mirrored), ("logsf", "logcdf", mirrored), ("ppf", "isf", negated),
    ("isf", "ppf", negated),
)  # fmt: skip


def completed(facts: dict[str, Fact], symmetric: bool = False) -> dict[str, Fact]:
    """Return facts with all those that follow from them."""
    facts = {name: fact for name, fact in facts.items() if fact is not None}
    for what, sources, rule in (BY_SYMMETRY if symmetric else ()) + DERIVED:
        if what not in facts and all([s in facts for s in sources]):
            facts[what] = rule(*[facts[s] for s in sources])
    return facts


def of_negative(facts: dict[str, Fact]) -> dict[str, Fact]:
    """Return the facts about -X, given those about X."""
    return {what: rule(facts[source]) for what, source, rule in OF_NEGATIVE if source in facts}


class Distribution(ModuleType):
    """A distribution: a module of its functions.

    Which of them it has depends on what is known: `dir(distribution)` tells.
    """

    pdf: Fact
    logpdf: Fact
    pmf: Fact
    logpmf: Fact
    cdf: Fact
    logcdf: Fact
    sf: Fact
    logsf: Fact
    ppf: Fact
    isf: Fact
    entropy: Fact

    def __init__(self, name: str, about: str, functions: dict[str, Fact]):
        """Make the module, and enter it where `import` finds it."""
        package = __name__.rpartition(".")[0]
        super().__init__(f"{package}.{name}", f"{about[0].upper()}{about[1:]}.")
        self.__package__ = package
        self.__all__ = list(functions)
        for key, function in functions.items():
            function.__module__ = self.__name__
            setattr(self, key, function)
        sys.modules[self.__name__] = self


def documented(function: Fact, name: str, of: str, parameters: Sequence[inspect.Parameter],
               about: str, notes: str) -> Fact:  # fmt: skip
    """Give a function its name, its signature and its documentation."""
    names = [p.name for p in parameters]
    function.__name__ = function.__qualname__ = name
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__doc__ = (
        f"Compute {MEANINGS[name]}, of {about}.\n\n    The arguments {', '.join(names)} broadcast."
        f" {notes}\n\n    Returns:\n        An array of floats. Parameters that are wrong give nan."
        f"\n\n    Raises:\n        TypeError: for lists, and for complex numbers.\n    "
    )
    return function


def callable_by(parameters: Sequence[inspect.Parameter], name: str, compute: Fact) -> Fact:
    """Return a function with these parameters, which hands their values to `compute` in order."""
    defaults = [p.default for p in parameters]
    least = sum([d is inspect.Parameter.empty for d in defaults])
    most, signature = len(defaults), inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Any:
        if kwargs or not least <= len(args) <= most:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise with_user_line(TypeError(f"{name}{signature}: {error}")) from None
            bound.apply_defaults()
            args = bound.args
        # Logarithms of 0 are limits here; as SciPy's, these functions do not warn of them.
        with np.errstate(all="ignore"):
            return compute(*args, *defaults[len(args) :])

    return function


class Family:
    """What the functions of a distribution share: its parameters, its support, wrong ones.

    Args:
        name: the name of the distribution.
        about: what it is, for documentation.
        facts: functions of the standard variable and the shape parameters.
        support: the ends, or a function of the shape parameters that returns them.
        inner: a number of the support, or such a function.
        valid: whether shape parameters are right; they are compared elementwise.
        usual: shape parameters that are right.
        scaled: whether there is a scale, besides the location.
        periodic: whether the density is that of an angle, which has no limit.
    """

    def __init__(self, name: str, about: str, facts: dict[str, Fact], support: Any, inner: Any,
                 valid: Fact | None, usual: Sequence[float], scaled: bool,
                 periodic: bool = False):  # fmt: skip
        self.name, self.about, self.facts, self.scaled = name, about, facts, scaled
        self.support: Any = support
        self.inner, self.valid, self.usual = inner, valid, usual
        self.periodic = periodic
        density = facts["logpdf" if scaled else "logpmf"]
        self.shapes = list(inspect.signature(density).parameters)[1:]

    def function(self, name: str, first: str | None, compute: Fact, notes: str = "") -> Fact:
        """Return the public function `name`; `first` is its variable, if it has one."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        required = [*([first] if first else []), *self.shapes]
        parameters = [inspect.Parameter(p, kind) for p in required]
        parameters.append(inspect.Parameter("loc", kind, default=0))
        if self.scaled:
            parameters.append(inspect.Parameter("scale", kind, default=1))
        full = f"{self.name}.{name}"
        made = callable_by(parameters, full, compute)
        return documented(made, name, self.name, parameters, self.about, notes)

    def aligned(self, *args: Any) -> tuple[Any, list[Any], Any, Any, Any]:
        """Return the variable, the shape parameters, loc, scale, and whether these are right.

        All are arrays of one shape and dtype; the default location and scale are None. Wrong shape
        parameters are replaced.
        """
        scale = args[-1] if self.scaled else 1
        loc = args[-2] if self.scaled else args[-1]
        some = len(self.shapes) + 1
        still = [type(loc) is int and loc == 0, type(scale) is int and scale == 1]
        values = operands(*args[:some], *[v for v, s in zip((loc, scale), still) if not s])
        x, shapes, rest = values[0], values[1:some], values[some:]
        loc = None if still[0] else rest.pop(0)
        scale = None if still[1] else rest.pop(0)
        right = self.valid(*shapes) if self.valid else None
        if right is not None:
            shapes = [e.select(right, v, u) for v, u in zip(shapes, self.usual)]
        if scale is not None:
            positive = scale > 0
            right = positive if right is None else right & positive
            scale = e.select(positive, scale, 1.0)
        return x, shapes, loc, scale, right

    def ends(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        """Return the ends of the support."""
        support: Any = self.support
        return support(*shapes) if isinstance(support, Callable) else support

    def of_number(self, name: str) -> Fact:
        """Return the function `name` of a variable, with its values beyond the support."""
        fact, (before, after) = self.facts[name], BEYOND[name]
        whole, log = not self.scaled, name.startswith("log")
        density = name.endswith(("pdf", "pmf"))

        def compute(*args: Any) -> Any:
            x, shapes, loc, scale, right = self.aligned(*args)
            x = x if loc is None else x - loc
            x = x if scale is None else x / scale
            low, high = self.ends(shapes)
            broken = e.floor.bind(x) != x if whole else None
            x = e.floor.bind(x) if whole and not density else x
            below, above = x < low, x > high
            # Infinite numbers are beyond every support, and all is certain at the last number.
            if not self.periodic:
                below, above = below | (x == -math.inf), above | (x == math.inf)
            above = above | (x >= high) if whole and not density else above
            none = below | above | (x != x)
            none = none | broken if broken is not None and density else none
            inner = self.inner(*shapes) if callable(self.inner) else self.inner
            value = fact(e.select(none, inner, x), *shapes)
            if scale is not None and density:
                value = value - e.log.bind(scale) if log else value / scale
            value = e.select(below, before, e.select(above, after, value))
            if broken is not None and density:
                value = e.select(broken, before, value)
            value = e.select(x != x, math.nan, value)
            return value if right is None else e.select(right, value, math.nan)

        return compute

    def of_probability(self, name: str) -> Fact:
        """Return the function `name` of a probability, which gives a number."""
        fact = self.facts[name]

        def compute(*args: Any) -> Any:
            q, shapes, loc, scale, right = self.aligned(*args)
            possible = (q >= 0) & (q <= 1)
            value = fact(e.select(possible, q, 0.5), *shapes)
            if not self.scaled:
                # SciPy's convention: the number before the first one has the probability 0.
                low, high = (v + q * 0.0 for v in self.ends(shapes))
                none, all_ = (0, 1) if name == "ppf" else (1, 0)
                value = e.select(q == none, low - 1.0, e.select(q == all_, high, value))
            value = value if scale is None else value * scale
            value = value if loc is None else value + loc
            possible = possible if right is None else possible & right
            return e.select(possible, value, math.nan)

        return compute

    def of_parameters(self, name: str) -> Fact:
        """Return the function `name` of the parameters alone, which do not include the scale."""
        fact = self.facts[name]

        def compute(*args: Any) -> Any:
            # The location has no influence, but its shape has.
            _, shapes, _, _, right = self.aligned(args[-1], *args)
            value = fact(*shapes)
            return value if right is None else e.select(right, value, math.nan)

        return compute


def distribution(family: Family, variable: str, probability: str = "q") -> Distribution:
    """Return the module of a family's functions, which are made of its facts."""
    made = {}
    for name in MEANINGS:
        if name not in family.facts:
            continue
        if name in ("ppf", "isf"):
            note = f"{probability} is a probability, from 0 to 1."
            compute = family.of_probability(name)
            made[name] = family.function(name, probability, compute, note)
        elif name == "entropy":
            made[name] = family.function(name, None, family.of_parameters(name))
        else:
            made[name] = family.function(name, variable, family.of_number(name))
    return Distribution(family.name, family.about, made)


def continuous(name: str, about: str, logpdf: Fact, *, low: float = -math.inf,
               high: float = math.inf, support: Fact | None = None, inner: Any = 0.0,
               valid: Fact | None = None, usual: Sequence[float] = (), symmetric: bool = False,
               probability: str = "q", periodic: bool = False,
               **facts: Fact) -> Distribution:  # fmt: skip
    """Make a continuous distribution of facts; see `Family` for the arguments.

    Examples:
        >>> import diffeo as dx
        >>> wave = continuous("wave", "a raised cosine", lambda x: dx.numpy.log1p(dx.numpy.cos(x))
        ...                   - dx.numpy.log(2 * dx.numpy.pi), low=-3.14159265, high=3.14159265)
        >>> wave.pdf(0.0), wave.pdf(4.0)
        (Array(0.31830989), Array(0.))
    """
    known = completed({"logpdf": logpdf, **facts}, symmetric)
    ends = support or (low, high)
    family = Family(name, about, known, ends, inner, valid, usual, True, periodic)
    return distribution(family, "x", probability)


def discrete(name: str, about: str, logpmf: Fact, *, low: float = 0.0, high: float = math.inf,
             support: Fact | None = None, inner: Any = None, valid: Fact | None = None,
             usual: Sequence[float] = (), **facts: Fact) -> Distribution:  # fmt: skip
    """Make a distribution of whole numbers of facts; see `Family` for the arguments."""
    known = completed({"logpmf": logpmf, **facts})
    ends, inner = support or (low, high), low if inner is None else inner
    return distribution(Family(name, about, known, ends, inner, valid, usual, False), "k")
