"""Samples of the special functions that have static parameters: see samples.py."""

from __future__ import annotations

import math

import numpy as np

from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.routines.special import bessel, incomplete, log_densities, special
from diffeo.routines.special.complex_gamma import LogGamma
from diffeo.scipy.special.bessel import BesselJ
from diffeo.scipy.special.entropy import BoxCox
from diffeo.scipy.special.hypergeometric import Hypergeometric
from diffeo.scipy.special.integrals import Expn
from diffeo.scipy.special.normal import Dawson, Erfcx
from diffeo.scipy.stats.discrete import PoissonEntropy
from diffeo.scipy.stats.on_interval import TruncatedNormal
from diffeo.scipy.stats.on_line import GeneralizedNormal
from tests.sampling import comp, real, sample

# fmt: off
_half = np.array([0.5, 2.0], np.float16)
_brain = np.array([0.5, 2.0], "bfloat16")
_EDGES = np.array([0.0, 1.0, 2.0, math.inf, math.nan, -1.5])
#: All pairs of edges.
_FIRST, _SECOND = (e.ravel() for e in np.meshgrid(_EDGES, _EDGES))

for _n in (0, 1, 3):
    sample(special.Polygamma(_n), real(2, 3, low=0.5, high=5.0), note=f"{_n}")
sample(special.Polygamma(1), np.array([-0.5, -3.5, -12.5]), note="negative")
sample(special.Polygamma(2), np.append(_EDGES[1:], -2e6 - 0.5), note="edges", smooth=False)
sample(special.Polygamma(1), real(low=1.0), note="no axes")
sample(special.Polygamma(2), real(0, 2), note="empty")
sample(special.Polygamma(1), _half, note="float16", by=())
sample(special.Polygamma(2), _brain, note="bfloat16", by=())

for _n in (0, 2):
    sample(special.Zeta(_n), real(2, 3, low=1.5, high=6.0), real(2, 3, low=0.5, high=12.0),
           note=f"{_n}")
sample(special.Zeta(), np.array([2.0, 3.0]), np.array([-1.5, -20.5]), note="negative", by=(1,))
sample(special.Zeta(), _FIRST, _SECOND, note="edges", smooth=False)
sample(special.Zeta(1), real(low=2.0, high=3.0), real(low=1.0), note="no axes")
sample(special.Zeta(), real(0, 2), real(0, 2), note="empty")
sample(special.Zeta(1), _brain + _brain, _brain, note="bfloat16", by=())

for _n, _upper in ((0, False), (1, False), (0, True)):
    _primitive, _kind = incomplete.Igamma(_n, _upper), f"{'upper' if _upper else 'lower'} {_n}"
    sample(_primitive, real(2, 3, low=0.3, high=4.0), real(2, 3, low=0.2, high=6.0), note=_kind)
    sample(_primitive, _FIRST, _SECOND, note=f"{_kind} edges", smooth=False)
sample(incomplete.Igamma(1, True), real(3, low=0.5, high=3.0), real(3, low=0.5, high=3.0),
       note="upper 1")
for _upper in (False, True):
    sample(incomplete.Igamma(0, _upper), np.array([1e-5, 0.5, 40.0, 1e5]),
           np.array([0.1, 1e-9, 45.0, 99800.0]), note=f"wide {_upper}", smooth=False)
sample(incomplete.Igamma(1, scaled=True), real(3, low=0.3, high=4.0), real(3, low=0.2, high=6.0),
       note="scaled")
sample(incomplete.Igamma(), real(low=1.0), real(low=1.0), note="no axes")
sample(incomplete.Igamma(1), real(0, 2), real(0, 2), note="empty")
sample(incomplete.Igamma(1), _brain, _brain, note="bfloat16", by=())

_shapes = {"low": 0.4, "high": 4.0}
for _i, _j in ((0, 0), (1, 1)):
    sample(incomplete.Betainc(_i, _j), *[real(4, **_shapes)] * 2, real(4, low=0.1, high=0.9),
           note=f"{_i} {_j}")
    sample(incomplete.Betainc(_i, 0), np.array([2.0, 2.0, 2.0, 1.5, -1.0]),
           np.array([3.0, 3.0, 3.0, np.nan, 1.0]), np.array([0.0, 1.0, -0.5, 0.5, 0.5]),
           note=f"{_i} 0 edges", smooth=False)
sample(incomplete.Betainc(), np.array([300.0, 1e-3]), np.array([500.0, 2.0]),
       np.array([0.36, 0.1]), note="wide", smooth=False)
sample(incomplete.Betainc(), real(low=1.0), real(low=1.0), real(low=0.2, high=0.8), note="no axes")
sample(incomplete.Betainc(1), real(0, 2), real(0, 2), real(0, 2), note="empty")
sample(incomplete.Betainc(), _half, _half, _half / 4, note="float16", by=())

_unit = {"low": 0.1, "high": 0.9}
for _row, _spans in (
    (log_densities.log_gamma_density, (_shapes, _shapes)),
    (log_densities.log_beta_density, (_shapes, _shapes, _unit)),
    (log_densities.log_beta_weight, (_shapes, _shapes, _unit)),
    (log_densities.log_poisson, (_shapes, _shapes)),
    (log_densities.log_binomial, (_unit, _shapes | {"low": 1.0}, _unit)),
    (log_densities.betaincc, (_shapes, _shapes, _unit)),
    (log_densities.log_gammainc, (_shapes, _shapes)),
    (log_densities.log_gammaincc, (_shapes, _shapes)),
    (log_densities.log_betainc, (_shapes, _shapes, _unit)),
    (log_densities.log_betaincc, (_shapes, _shapes, _unit)),
    (GeneralizedNormal("power_of_size"), ({}, _shapes)),
    (GeneralizedNormal("signed_power"), ({}, _shapes)),
    (GeneralizedNormal("gennorm_cdf"), ({}, _shapes)),
    (TruncatedNormal("log_normal_mass"), ({"low": -2.0, "high": -0.1}, _shapes)),
    (TruncatedNormal("log_truncated_normal"), (_unit, {"low": -2.0, "high": 0.0},
                                               {"low": 1.0, "high": 3.0})),
    (TruncatedNormal("truncated_normal"), (_unit, {"low": -2.0, "high": 0.0},
                                           {"low": 1.0, "high": 3.0})),
):
    sample(_row, *[real(3, **_span) for _span in _spans])
    sample(_row, *[_EDGES] * len(_spans), note="edges", smooth=False)
sample(log_densities.log_gamma_density, real(0, 2), real(0, 2), note="empty")
sample(log_densities.log_gammainc, np.array([300.0, 2.0]), np.array([1e-3, 1e-200]), note="tiny",
       smooth=False)
sample(incomplete.Betainc(1, 0, True), *[real(3, **_shapes)] * 2, real(3, **_unit), note="scaled")
for _n in (0, 1, 3):
    sample(PoissonEntropy(_n), np.array([0.3, 4.0, 120.0]), note=f"{_n}")
sample(PoissonEntropy(), np.array([0.0, -1.0, math.inf, math.nan, 1e9]), note="edges", smooth=False)

for _family in (bessel.BesselI, BesselJ):
    for _n in (0, 1, 3):
        sample(_family(_n), real(4, low=-12.0, high=12.0), note=f"{_n}")
    sample(_family(2), np.array([0.0, 1e-5, 8.0, -8.0, 700.0]), note="edges", smooth=False)
    sample(_family(1), np.array([math.inf, -math.inf, math.nan]), note="not finite", smooth=False)
    sample(_family(0), real(), note="no axes")
    sample(_family(2), real(0, 2), note="empty")
    sample(_family(0), _half, note="float16", by=())
    sample(_family(1), _brain, note="bfloat16", by=())

for _k, _less in ((1, 0), (2, 1)):
    sample(bessel.BesselI(1, _k, _less), np.array([0.3, -7.0, 9.0, 1e5]), note=f"{_k} {_less}")
for _n in (0, 2):
    sample(bessel.GrowingBesselI(_n), real(4, low=-12.0, high=12.0), note=f"{_n}")
    sample(bessel.GrowingBesselI(_n), np.array([0.0, 712.0, math.inf, -math.inf, math.nan]),
           note=f"{_n} edges", smooth=False)
    sample(Dawson(_n), real(2, 3), note=f"{_n}")
    sample(Dawson(_n), np.array([0.0, -1e-300, 8.0, -30.0, math.inf, math.nan]),
           note=f"{_n} edges", smooth=False)
    sample(BoxCox(_n), real(2, 3, low=0.3, high=3.0), real(2, 3), note=f"{_n}")
    sample(BoxCox(_n, True), real(2, 3, low=-0.7, high=3.0), real(2, 3), note=f"shifted {_n}")
    sample(BoxCox(_n), _FIRST, _SECOND, note=f"{_n} edges", smooth=False)
sample(bessel.GrowingBesselI(), real(0, 2), note="empty")
sample(Dawson(), _half, note="float16", by=())
sample(BoxCox(), _half, _half, note="float16", by=())

_plane = np.array([0.3 + 0.4j, -2.5 + 1.0j, 4.0 - 3.0j, -0.7 - 0.2j])
for _n in range(3):
    sample(LogGamma(_n), _plane, note=f"{_n}")
sample(LogGamma(), np.array([0j, -2 + 0j, complex(-2.5, -0.0), 1 + 0j, 1e9 + 1j]), note="edges",
       smooth=False)
sample(LogGamma(1), comp(0, 2), note="empty")

sample(Expn(), real(2, 3, low=0.5, high=4.0), real(2, 3, low=0.3, high=4.0))
sample(Expn(1), real(2, low=0.5, high=4.0), real(2, low=0.3, high=4.0), note="1")
sample(Expn(), _FIRST, _SECOND, note="edges", smooth=False)
sample(Expn(), real(0, 2), real(0, 2), note="empty")
sample(Expn(), np.array([1.0, 20.0]), np.array([1e-9, 300.0]), note="whole", by=(1,), smooth=False)
sample(Expn(), _half, _half, note="float16", by=())

for _n in (0, 2):
    sample(Erfcx(_n), real(2, 3), note=f"{_n}")
    sample(Erfcx(_n), np.array([0.0, 1e9, -3.0, math.inf, math.nan]), note=f"{_n} edges",
           smooth=False)
sample(Erfcx(1), real(0, 2), note="empty")
sample(Erfcx(), _half, note="float16", by=())

sample(ELEMENTWISE["wofz"], np.array([0j, 1 + 0j, -3j, 9 - 1j, -7 + 8j, 1e4 + 1j, 0.256 + 0j]),
       note="wide", smooth=False)
sample(ELEMENTWISE["owens_t"], np.array([0.0, 1.0, -7.0, 3.0]), np.array([2.0, 30.0, 0.5, -1.0]),
       note="wide")
sample(ELEMENTWISE["spence"], np.array([0.0, 1e-9, 0.5, 1.0, 1.9, 30.0]), note="wide",
       smooth=False)
sample(ELEMENTWISE["erfcinv"], np.array([0.0, 1e-300, 0.5, 1.0, 2.0, 2.5]), note="wide",
       smooth=False)
for _name in ("expi", "sine_integral", "cosine_integral", "fresnel_sine", "fresnel_cosine"):
    sample(ELEMENTWISE[_name], np.array([1e-5, 0.7, 4.0, 8.0, 40.0]), note="wide", smooth=False)

_inside = {"low": 0.1, "high": 0.7}
sample(Hypergeometric(1, (0, 0)), *[real(3, **_shapes)] * 3)
sample(Hypergeometric(1, (1, 0), 1), *[real(2, **_shapes)] * 3, note="derived")
sample(Hypergeometric(2, (0, 0, 0)), *[real(3, **_shapes)] * 3, real(3, **_inside), note="2f1")
sample(Hypergeometric(2, (0, 0, 0)), np.array([-2.0, 1.0, 1.0]), np.array([1.5, 1.0, -3.0]),
       np.array([0.5, 2.0, 4.0]), np.array([0.5, 0.0, 0.25]), note="2f1 polynomials", smooth=False)
sample(Hypergeometric(1, (0, 0)), *[real(0, 2)] * 3, note="empty")
sample(Hypergeometric(1, (0, 0)), _half, _half, _half, note="float16", by=())
