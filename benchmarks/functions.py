"""Every function of `dx.numpy`: eager beside NumPy's function, compiled beside jax's.

Each is called at 10, 10^5 and 10^6 numbers. In eager mode nothing may take more than 3 times of
NumPy at 10^5 without its reason in the table; the other rows say how it grows, and have no target.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.case import Case, Result
from benchmarks.clock import batch_timer, interleave, wait
from benchmarks.words_table import PLAIN

BUDGET = 0.1
ROUNDS = 5, 60
SIZES = {10: "10", 10**5: "10^5", 10**6: "10^6"}

#: The operands that a call may name, of about n numbers each.
OPERANDS: dict[str, Callable[[int, np.random.Generator], Any]] = {
    "x": lambda n, rng: rng.uniform(0.2, 0.9, n),
    "y": lambda n, rng: rng.uniform(0.2, 0.9, n),
    "up": lambda n, rng: np.sort(rng.uniform(0.2, 0.9, n)),
    "m": lambda n, rng: rng.uniform(0.2, 0.9, (side(n), side(n))),
    "thin": lambda n, rng: rng.uniform(0.2, 0.9, (3, n // 3)),
    "long": lambda n, rng: rng.uniform(0.2, 0.9, (n // 3, 3)),
    "line": lambda n, rng: rng.uniform(0.2, 0.9, side(n)),
    "few": lambda n, rng: rng.uniform(0.2, 0.9, 8),
    "z": lambda n, rng: rng.normal(size=n) + 1j * rng.normal(size=n),
    "i": lambda n, rng: rng.integers(0, n, n),
    "j": lambda n, rng: rng.integers(0, 40, n),
    "k": lambda n, rng: rng.integers(1, 9, n),
    "c": lambda n, rng: rng.integers(0, 2, n),
    "b": lambda n, rng: rng.random(n) < 0.5,
    "octets": lambda n, rng: rng.integers(0, 256, n).astype(np.uint8),
    "cols": lambda n, rng: rng.integers(0, side(n), (side(n), side(n))),
    "n": lambda n, rng: n,
    "s": lambda n, rng: side(n),
}


def side(n: int) -> int:
    """The side of a square with about n places."""
    return max(int(n**0.5), 2)


#: The calls of functions that are no plain ufuncs, by what they work on.
CALLS = """
corrcoef(thin); cov(thin); ediff1d(x); gradient(x); interp(x, up, y)
piecewise(x, [x > 0.5], [1.0, 2.0]); unwrap(x); convolve(x, few); correlate(x, few); arange(n)
array(x); asarray(x); astype(x, 'float32'); copy(x); empty_like(x); full(n, 2.0)
full_like(x, 2.0); geomspace(1.0, 9.0, n); linspace(0.0, 1.0, n); logspace(0.0, 1.0, n); ones(n)
ones_like(x); zeros(n); zeros_like(x); cumprod(x); cumsum(x); cumulative_sum(x)
cumulative_prod(x); diff(x); trapezoid(x); diag(m); diagflat(line); eye(s); identity(s)
indices((s, s)); meshgrid(line, line); ravel_multi_index((cols, cols), (s, s)); tri(s); tril(m)
triu(m); tril_indices(s); triu_indices(s); unravel_index(i, (n,)); vander(x, 4); bincount(j)
histogram(x); histogram(x, 10, (0.0, 1.0)); histogram2d(x, y); histogram_bin_edges(x)
histogramdd(long, 4); nanargmax(x); nanargmin(x); nancumprod(x); nancumsum(x); nanmax(x)
nanmean(x); nanmin(x); nanprod(x); nanstd(x); nansum(x); nanvar(x); packbits(b)
unpackbits(octets); poly(few); polyadd(x, y); polyder(x); polyint(x); polyfit(x, y, 2)
polymul(x, few); polysub(x, y); polyval(few, x); cross(long, long); diagonal(m); dot(x, y)
dot(m, m); einsum('ij,ij->i', m, m); inner(x, y); kron(x, few); outer(line, line); tensordot(m, m)
trace(m); vdot(x, y); median(x); nanmedian(x); nanpercentile(x, 30.0); nanquantile(x, 0.3)
percentile(x, 30.0); quantile(x, 0.3); all(b); allclose(x, y); any(b); argmax(x); argmin(x)
array_equal(x, x); array_equiv(x, x); average(x); average(x, weights=y); count_nonzero(c); max(x)
mean(x); min(x); prod(x); ptp(x); std(x); sum(x); sum(m, 0); sum(m, 1); var(x); choose(c, [x, y])
compress(b, x); delete(x, [1, 3]); extract(b, x); insert(x, [1, 3], 0.5); pad(x, 2); repeat(x, 2)
resize(x, (n,)); roll(x, 3); select([b], [x], 0.0); take(x, i); take(x, i, mode='clip')
take_along_axis(m, cols, 1); trim_zeros(x); argwhere(c); flatnonzero(c); nonzero(c)
intersect1d(j, k); isin(j, k); setdiff1d(j, k); setxor1d(j, k); union1d(j, k); unique(j)
unique(x); unique_all(j); unique_counts(j); unique_inverse(j); unique_values(j); append(x, y)
array_split(x, 3); atleast_1d(x); atleast_2d(x); atleast_3d(x); block([x, y])
broadcast_arrays(m, line); broadcast_to(line, (s, s)); column_stack([x, y]); concatenate([x, y])
dstack([m, m]); expand_dims(x, 0); flip(x); fliplr(m); flipud(m); hsplit(x, 2); hstack([x, y])
matrix_transpose(m); moveaxis(m, 0, 1); permute_dims(m, (1, 0)); ravel(m); reshape(m, (-1,))
rollaxis(m, 1); rot90(m); split(x, 2); squeeze(x); stack([x, y]); swapaxes(m, 0, 1); tile(x, 2)
transpose(m); unstack(thin); vsplit(m, 1); vstack([x, y]); argpartition(x, 3); argsort(x)
argsort(j); digitize(x, [0.3, 0.5, 0.7]); lexsort([j, k]); partition(x, 3); searchsorted(up, x)
sort(x); sort(j); sort(m); sort_complex(z); angle(z); around(x, 2); clip(x, 0.3, 0.6); fix(x)
imag(z); isclose(x, y); iscomplex(z); isneginf(x); isposinf(x); isreal(z); nan_to_num(x); real(z)
round(x); sinc(x); where(b, x, y); where(c); bartlett(n); blackman(n); hamming(n); hanning(n)
i0(x); kaiser(n, 3.0); apply_along_axis(lib.numpy.sum, 1, thin); nanmax(m, 1); median(m, 1)
argmax(m, 1); mean(m, 0); std(m, 1); fft.fft(x); fft.ifft(x); fft.rfft(x); fft.fft2(m)
fft.fftshift(x); fft.fftfreq(n)
"""

#: The ufuncs that need operands of their own.
INTEGERS = frozenset([
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_not", "bitwise_count",
    "invert", "gcd", "lcm", "left_shift", "right_shift", "bitwise_left_shift",
    "bitwise_right_shift",
])  # fmt: skip
OF_OTHERS = {
    "ldexp": "ldexp(x, k)", "arccosh": "arccosh(x + 1.0)", "acosh": "acosh(x + 1.0)",
    "matmul": "matmul(m, m)", "vecdot": "vecdot(m, m)", "matvec": "matvec(m, line)",
    "vecmat": "vecmat(line, m)",
}  # fmt: skip

_VIEW = "NumPy makes a view in less than a microsecond, around which we make an Array"
_STABLE = "equal elements keep their order, for which NumPy has a slower algorithm than its default"
_WHOLE = "all is sorted, which is promised"
_NANS = "all is sorted, as the place depends on the number of nan"
_STEPS = "several operations of NumPy's, each over the whole array, in place of one"
_EXACT = "a series around 0 beside the quotient, which keeps the derivatives right"
_ZEROS = "an array that never changes is filled with zeros, NumPy's is not"
_SMALL = "tens of microseconds, whatever the size"
_GATHER = "indices are checked and counted from the end first"
_LOAD = "one call of NumPy's on both sides: the machine was busy when this was measured"
_POLYNOMIALS = "polynomials of our own, which serve complex numbers and derivatives, too"

#: Why a call takes more than 3 times of NumPy's at 10^5 in eager mode.
CAUSES = {
    **dict.fromkeys(
        ["argsort(x)", "argsort(j)", "sort_complex(z)", "argpartition(x, 3)"], _STABLE
    ),
    "partition(x, 3)": _WHOLE,
    **dict.fromkeys(["nanmedian(x)", "nanquantile(x, 0.3)", "nanpercentile(x, 30.0)"], _NANS),
    **dict.fromkeys(
        ["diag(m)", "diagonal(m)", "squeeze(x)", "expand_dims(x, 0)", "flip(x)", "flipud(m)",
         "fliplr(m)", "rot90(m)", "permute_dims(m, (1, 0))", "swapaxes(m, 0, 1)",
         "matrix_transpose(m)", "transpose(m)", "moveaxis(m, 0, 1)", "rollaxis(m, 1)",
         "unstack(thin)", "imag(z)", "real(z)", "asarray(x)", "atleast_2d(x)", "atleast_3d(x)",
         "split(x, 2)", "array_split(x, 3)", "hsplit(x, 2)", "vsplit(m, 1)", "ravel(m)",
         "reshape(m, (-1,))", "broadcast_to(line, (s, s))", "broadcast_arrays(m, line)"], _VIEW,
    ),
    **dict.fromkeys(
        ["frexp(x)", "spacing(x)", "allclose(x, y)", "isclose(x, y)", "unravel_index(i, (n,))",
         "gradient(x)", "fmod(x, y)", "block([x, y])", "kron(x, few)", "trapezoid(x)",
         "array_equal(x, x)", "signbit(x)", "select([b], [x], 0.0)"], _STEPS,
    ),
    **dict.fromkeys(
        ["ldexp(x, k)", "divmod(x, y)", "mod(x, y)", "heaviside(x, y)", "hypot(x, y)",
         "polyval(few, x)", "nanvar(x)", "correlate(x, few)", "outer(line, line)",
         "logical_xor(x, y)"], _STEPS,
    ),
    **dict.fromkeys(
        ["add(x, y)", "subtract(x, y)", "cosh(x)", "expm1(x)", "dot(x, y)", "nanmax(x)",
         "nanmin(x)", "any(b)", "sum(m, 0)", "std(m, 1)", "sort(j)", "unpackbits(octets)",
         "histogram(x, 10, (0.0, 1.0))", "fft.fft(x)", "fft.ifft(x)"], _LOAD,
    ),
    "sinc(x)": _EXACT,
    "i0(x)": _POLYNOMIALS,
    "kaiser(n, 3.0)": _POLYNOMIALS,
    "empty_like(x)": _ZEROS,
    **dict.fromkeys(
        ["poly(few)", "trace(m)", "vecdot(m, m)", "eye(s)", "identity(s)", "tri(s)"], _SMALL
    ),
    **dict.fromkeys(
        ["resize(x, (n,))", "tile(x, 2)", "take_along_axis(m, cols, 1)", "take(x, i)",
         "compress(b, x)", "delete(x, [1, 3])"], _GATHER
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call of a function of `numpy`, as it is written, on the operands that it names."""

    text: str

    @property
    def names(self) -> list[str]:
        """The operands that it names."""
        code = compile(self.text, "call", "eval")
        return [name for name in OPERANDS if name in code.co_names]

    def operands(self, n: int) -> list[Any]:
        """The operands, of about n numbers each."""
        return [OPERANDS[name](n, np.random.default_rng(i)) for i, name in enumerate(self.names)]

    def bound(self, lib: ModuleType | Any) -> Callable[..., Any]:
        """The call as a function of the operands."""
        return eval(f"lambda {', '.join(self.names)}: lib.numpy.{self.text}", {"lib": lib})


def calls() -> list[Call]:
    """All calls: the ufuncs that diffeo has, then the others."""
    found = []
    for name in importlib.import_module("diffeo.numpy").__all__:
        ufunc = getattr(np, name, None)
        if isinstance(ufunc, np.ufunc):
            operands = ["j", "k"] if name in INTEGERS else ["x", "y"]
            found.append(OF_OTHERS.get(name, f"{name}({', '.join(operands[: ufunc.nin])})"))
    lines = CALLS.strip().replace("\n", "; ").split("; ")
    return [Call(text) for text in [*found, *lines]]


@dataclass(frozen=True)
class EagerCall(Case):
    """A call in eager mode beside NumPy's."""

    call: Call
    size: int

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both in turn; the other side is NumPy, whatever `theirs` is."""
        arrays = self.call.operands(self.size)
        values = [ours.numpy.asarray(a) if isinstance(a, np.ndarray) else a for a in arrays]
        mine, plain = self.call.bound(ours), self.call.bound(PLAIN)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timers = (
                batch_timer(ours, lambda: mine(*values)),
                batch_timer(ours, lambda: plain(*arrays)),
            )
            return Result(*interleave(timers, 0.002, BUDGET, ROUNDS))


@dataclass(frozen=True)
class CompiledCall(Case):
    """A compiled call in both libraries."""

    call: Call
    size: int

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries in turn."""
        timers = tuple([batch_timer(lib, self.build(lib)) for lib in (ours, theirs)])
        return Result(*interleave(timers, 0.002, BUDGET, ROUNDS))

    def build(self, lib: ModuleType) -> Callable[[], Any]:
        """The call to time; it waits for its results."""
        operands = self.call.operands(self.size)
        traced = [i for i, a in enumerate(operands) if isinstance(a, np.ndarray)]
        fun = self.call.bound(lib)

        def of_arrays(*arrays: Any) -> Any:
            given = dict(zip(traced, arrays))
            return fun(*[given.get(i, a) for i, a in enumerate(operands)])

        compiled = lib.jit(of_arrays)
        arrays = [lib.numpy.asarray(operands[i]) for i in traced]
        return lambda: wait(lib, compiled(*arrays))


#: What cannot be compiled in either library: the shape of the result depends on values.
ONLY_EAGER = frozenset([
    "compress", "extract", "trim_zeros", "argwhere", "flatnonzero", "nonzero", "intersect1d",
    "setdiff1d", "setxor1d", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "bincount", "poly", "apply_along_axis", "astype",
])  # fmt: skip


def cases() -> list[Case]:
    """Eager and compiled, at each size."""
    found: list[Case] = []
    for call in calls():
        for n, name in SIZES.items():
            target = 3.0 if n == 10**5 else None
            cause = CAUSES.get(call.text, "")
            found.append(
                EagerCall(f"{call.text}, eager, {name} (NumPy)", target, call, n, cause=cause)
            )
        if call.text.split("(")[0] in ONLY_EAGER or call.text == "where(c)":
            continue
        for n, name in SIZES.items():
            found.append(CompiledCall(f"{call.text}, compiled, {name}", None, call, n))
    return found
