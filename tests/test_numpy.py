"""diffeo.numpy against NumPy: each expression eagerly and under jit, on several dtypes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import diffeo as dx
import diffeo.numpy as dnp

_rng = np.random.default_rng(0)

#: The arrays that expressions name: vectors u v (3), matrices A B (3, 4), S (4, 4), T (2, 3, 4),
#: positive p, in (-1, 1) q, integers i j I, booleans m M, complex z, with nan N, unsigned k.
ARRAYS = {
    "u": _rng.normal(size=3),
    "v": _rng.normal(size=3),
    "A": _rng.normal(size=(3, 4)),
    "B": _rng.normal(size=(3, 4)),
    "S": _rng.normal(size=(4, 4)),
    "T": _rng.normal(size=(2, 3, 4)),
    "p": _rng.uniform(0.5, 3.0, (3, 4)),
    "q": _rng.uniform(-0.9, 0.9, (3, 4)),
    "f": _rng.normal(size=(3, 4)).astype(np.float32),
    "i": np.array([3, -2, 5]),
    "j": np.array([2, 3, -4]),
    "I": _rng.integers(-5, 6, (3, 4)).astype(np.int32),
    "m": np.array([True, False, True]),
    "M": _rng.random((3, 4)) > 0.5,
    "z": _rng.normal(size=(3, 4)) + 1j * _rng.normal(size=(3, 4)),
    "N": np.array([[1.0, np.nan, -2.0], [np.inf, 3.0, -np.inf]]),
    "k": np.array([1, 7, 200], "u1"),
    "s": np.array([-1.0, 0.5, 0.5, 2.0, 3.0]),
    "w": np.array([[3.0, 1.0, 1.0], [2.0, -1.0, 4.0]]),
}

_UNARY = {
    "A i z": "sin cos tan sinh cosh tanh exp expm1 square sqrt",
    "p i": "log log1p log2 log10 cbrt arcsinh exp2",
    "p": "reciprocal",
    "q": "arcsin arccos arctan arctanh asin acos atan atanh",
    "A i I z N": "absolute abs negative positive sign isnan isinf isfinite real imag conj angle",
    "A N": "floor ceil rint trunc fix fabs signbit isposinf isneginf nan_to_num sinc deg2rad "
    "rad2deg radians degrees",
    "A i k M": "logical_not cumsum cumprod ravel transpose flip sum prod max min all any mean std "
    "var argmax argmin count_nonzero median sort argsort",
    "i k M": "invert bitwise_not bitwise_invert",
    "z": "sum prod mean std var any cumsum ravel square isreal iscomplex conjugate",
    "N": "nansum nanprod nanmean nanvar nanstd nanmax nanmin nanargmax nanargmin nancumsum "
    "nanmedian max min mean median sort argsort",
    "I": "diff tril triu squeeze zeros_like ones_like atleast_1d atleast_2d atleast_3d",
    "u s": "diag diagflat ediff1d vander",
}
_BINARY = {
    "A,B i,j u,i f,I A,z k,k": "add subtract multiply divide true_divide",
    "A,B i,j k,k A,u[0] f,2.5 i,2": "maximum minimum less less_equal greater greater_equal equal "
    "not_equal floor_divide remainder mod fmod",
    "A,B u,v f,f": "arctan2 hypot logaddexp logaddexp2 copysign heaviside isclose atan2 divmod",
    "p,A p,2 i,2 i,abs(j) p,I[0] A,3 A,-2": "power",
    "p,A i,j": "float_power",
    "i,j k,k m,m[::-1]": "bitwise_and bitwise_or bitwise_xor logical_and logical_or logical_xor",
    "i,2 k,1": "left_shift right_shift bitwise_left_shift bitwise_right_shift",
    "u,v i,j A,S T,S T,T.swapaxes(1,2) u,T[0] A,u[:0].sum()+S[0]": "dot matmul",
    "u,v A,B z,z i,u": "inner outer vdot kron",
    "A,B u,A[:,0]": "append",
}

EXPRESSIONS = [
    f"np.{name}({x})"
    for group, names in _UNARY.items()
    for x in group.split()
    for name in names.split()
]
EXPRESSIONS += [
    f"np.{name}({x})"
    for group, names in _BINARY.items()
    for x in group.split()
    for name in names.split()
    if not (name in ("dot", "matmul") and x == "T,T.swapaxes(1,2)" and name == "dot")
]
EXPRESSIONS += (
    """
np.where(M, A, B)|np.where(M, A, 0.0)|np.where(m[:, None], 1, I)|np.where(I > 0, z, 1)
np.clip(A, -0.5, 0.5)|np.clip(A, None, B)|np.clip(i, 0, None)|np.round(A, 2)|np.round(I, -1)
np.around(A)|np.isclose(A, A + 1e-9)|np.allclose(A, B)|np.allclose(A, A)|np.array_equal(A, A)
np.array_equal(A, u)|np.isclose(N, N, equal_nan=True)
np.nan_to_num(N, nan=1.0, posinf=2.0, neginf=-2.0)|np.sum(A, axis=0)|np.sum(A, axis=(0, 1))
np.sum(A, axis=-1, keepdims=True)|np.sum(I, axis=1)|np.sum(A, where=M)|np.sum(A, initial=2.0)
np.sum(I, dtype=np.float32)|np.prod(A, axis=1, where=M)|np.max(A, axis=1)
np.max(A, axis=(0, 1), keepdims=True)|np.max(A, initial=0.5, where=M)|np.min(I, axis=0)|np.amax(A)
np.amin(A, axis=0)|np.mean(A, axis=0)|np.mean(A, where=M)|np.mean(I, axis=(0, 1))
np.std(A, axis=1, ddof=1)|np.var(A, axis=0, keepdims=True)|np.var(A, where=M)|np.var(z, axis=0)
np.std(f)|np.any(M, axis=0)|np.all(M, axis=1, keepdims=True)|np.all(A, where=M)|np.ptp(A, axis=0)
np.argmax(A, axis=1)|np.argmin(A, axis=0, keepdims=True)|np.argmax(N, axis=1)|np.argmax(M, axis=1)
np.cumsum(A, axis=1)|np.cumprod(A, axis=0)|np.cumsum(I, axis=0)
np.cumulative_sum(u, include_initial=True)|np.diff(A)|np.diff(A, n=2, axis=0)
np.diff(A, prepend=1.0, append=B, axis=0)|np.diff(M)|np.trapezoid(A)|np.trapezoid(A, u, axis=0)
np.trapezoid(u, dx=0.5)|np.average(A)|np.average(A, axis=0, weights=u)|np.average(A, weights=p)
np.count_nonzero(I, axis=0)|np.nansum(N, axis=0)|np.nanmean(N, axis=1, keepdims=True)
np.reshape(A, (4, -1))|np.reshape(A, -1)|np.reshape(A, (2, 6), order="F")|A.reshape(2, 6)
A.reshape((12,))|np.ravel(A, order="F")|np.transpose(T, (1, 0, 2))|np.transpose(T)
T.transpose(2, 0, 1)|T.T|T.mT|T.swapaxes(0, -1)|np.moveaxis(T, 0, -1)
np.moveaxis(T, (0, 1), (1, 2))|np.rollaxis(T, 2)|np.rollaxis(T, 0, 3)|np.swapaxes(T, 0, 1)
np.expand_dims(A, 1)|np.expand_dims(A, (0, -1))|np.squeeze(A[None, :, None])
np.squeeze(A[None], axis=0)|np.matrix_transpose(T)|np.permute_dims(A, (1, 0))
np.broadcast_to(u, (2, 3))|np.broadcast_arrays(A, u[:, None])|np.concatenate([A, B])
np.concatenate([A, I], axis=1)|np.concatenate([A, u], axis=None)|np.concat([u, v])
np.stack([u, v])|np.stack([A, B], axis=-1)|np.unstack(A, axis=1)|np.hstack([u, v])
np.hstack([A, B])|np.vstack([u, v])|np.dstack([A, B])|np.dstack([u, v])|np.column_stack([u, v, A])
np.block([[A, B], [B, A]])|np.block([A, B])|np.append(A, B, axis=0)|np.split(A, 2, axis=1)
np.split(A, [1, 2])|np.array_split(A, 3, axis=1)|np.array_split(s, 3)|np.hsplit(A, 2)
np.vsplit(A, 3)|np.dsplit(T, 2)|np.flip(T, (0, 2))|np.flipud(A)|np.fliplr(A)|np.rot90(A)
np.rot90(A, 2)|np.rot90(T, 3, (1, 2))|np.tile(u, 2)|np.tile(A, (2, 1, 3))|np.tile(T, 2)
np.repeat(A, 2)|np.repeat(A, 2, axis=1)|np.repeat(A, [1, 0, 2], axis=0)|A.repeat(3, 0)
np.roll(A, 1)|np.roll(A, -1, axis=1)|np.roll(A, (1, 2), axis=(0, 1))|np.roll(A, 2, axis=(0, 1))
np.take(A, np.array([3, 0]))|np.take(A, np.array([[0, -1]]), axis=1)|np.take(A, 1, axis=0)
np.take(A, np.array([7, 99]), mode="clip")|np.take(A, np.array([7, 99, -3]), mode="wrap")
np.take_along_axis(A, np.argsort(A, axis=1), axis=1)
np.take_along_axis(A, np.array([[1], [0], [-1]]), axis=1)
np.take_along_axis(A, np.array([5, -1]), axis=None)|np.choose(np.array([0, 1, 0]), [u, v])
np.select([u > 0, v > 0], [u, v], 7.0)|np.compress([True, False, True], A, axis=0)
np.extract(np.array([True, False, True]), u)|np.pad(A, 1)
np.pad(A, ((1, 0), (2, 1)), constant_values=3.0)|np.pad(A, (1, 2), mode="edge")
np.pad(A, 2, mode="reflect")|np.pad(u, 7, mode="symmetric")|np.pad(u, 5, mode="wrap")
np.pad(A, ((1, 0), (2, 1)), constant_values=((1, 2), (3, 4)))|np.delete(A, 1, axis=0)
np.delete(A, [0, 5])|np.delete(A, slice(1, 3), axis=1)|np.insert(u, 1, 9.0)
np.insert(A, 1, u, axis=1)|np.insert(A, [0, 2], 5.0, axis=0)|np.insert(A, 2, B[0], axis=0)
np.resize(u, (2, 4))|np.zeros((2, 3))|np.ones(3, dtype=np.int8)|np.full((2, 2), 7)
np.full((2, 3), u)|np.full_like(A, 2)|np.empty_like(A) * 0|np.zeros_like(z)
np.ones_like(u, dtype=int)|np.arange(5)|np.arange(2, 9, 3)|np.arange(1.0, 2.0, 0.3)
np.arange(5, 0, -1)|np.arange(4, dtype=np.float32)|np.linspace(0, 1, 5)
np.linspace(0.0, 3, 4, endpoint=False)|np.linspace(u, v, 4)|np.linspace(u[0], 2.0, 5, axis=-1)
np.linspace(0, 1, 3, retstep=True)|np.logspace(0, 2, 5)|np.logspace(0, 1, 3, base=2.0)
np.geomspace(1, 100, 4)|np.eye(3)|np.eye(2, 4, 1)|np.eye(3, k=-1, dtype=int)|np.identity(3)
np.tri(3, 4, 1)|np.tril(T, -1)|np.triu(A, 1)|np.diag(u, 1)|np.diag(A)|np.diag(A, -1)
np.meshgrid(u, s)|np.meshgrid(u, s, u, indexing="ij")|np.meshgrid(u, v, sparse=True)
np.indices((2, 3))|np.fromfunction(lambda a, b: a + b, (2, 3))|np.tril_indices(3)
np.triu_indices(3, 1)|np.diag_indices(3)|np.unravel_index(np.array([5, 11]), (3, 4))
np.vander(u, 3, increasing=True)
np.ravel_multi_index((np.array([1, 2]), np.array([3, 0])), (3, 4))|np.array([1, 2.5])
np.array([[1, 2], [3, 4]], np.int16)|np.array([u, v])|np.array([u[0], 1.0])
np.array([[u[0], 2], [3, v[1]]])|np.array(3.0, ndmin=2)|np.asarray(A)|np.copy(A)
np.array([True, False])|np.array([1, 2j])|np.array([])|np.array(u, dtype=np.float32)
A.astype(np.float32)|np.astype(A, int)|np.tensordot(T, A, axes=([1, 2], [0, 1]))
np.tensordot(u, v, 0)|np.tensordot(A, B, axes=(1, 1))|np.tensordot(T, A)|np.vecdot(A, B)
np.vecdot(z, A)|np.cross(A[:, :3], B[:, 1:])|np.cross(u, A[:, :3])|np.kron(u, A)|np.kron(A, u)
np.trace(A)|np.trace(T, 1, 1, 2)|np.diagonal(T, 0, 1, 2)|np.diagonal(A, -1)|A.trace()
A.diagonal(1)|np.einsum("ij,kj->ik", A, B)|np.einsum("ij->j", A)|np.einsum("ii", S)
np.einsum("ii->i", S)|np.einsum("ij,ij", A, B)|np.einsum("tij,ij,j->t", T, A, S[0])
np.einsum("...j,jk->...k", T, S)|np.einsum("i,j", u, v)|np.einsum("ij->ji", A)
np.einsum("...ij,...ij->...i", T, A)|np.einsum(A, [0, 1], B, [0, 1], [0])
np.einsum("bij,bkj->bik", T, T)|np.einsum("iij->j", S[:, :, None] * A[0])
np.einsum("ij,jk,kl->il", A, S, B.T)|np.einsum("i,ij,j", u, A, S[1])
np.einsum("ab,ab->ab", A, A[:1])|np.einsum("i,j->", u, v)|np.einsum(",ij", u[0], A)
np.einsum("ba", A)|np.sort(A, axis=0)|np.sort(A, axis=None)|np.argsort(A, axis=0)
np.sort(z, axis=1)|np.argsort(w)|np.sort(k)|np.lexsort((w[0], w[1]))|np.partition(u, 1)[1]
np.searchsorted(s, u)|np.searchsorted(s, 0.5, side="right")|np.searchsorted(s, s)
np.searchsorted(s, np.array([np.nan, -9.0, 9.0]))|np.digitize(u, s)|np.digitize(u, s[::-1])
np.digitize(s, s, right=True)|np.digitize(s, s[::-1])|np.isin(I, i)|np.isin(I, i, invert=True)
np.histogram(A, bins=4)|np.histogram(A, bins=s)|np.histogram(A, 3, range=(-1, 1), density=True)
np.quantile(A, 0.3)|np.quantile(A, np.array([0.1, 0.9]), axis=1)
np.quantile(A, 0.5, axis=(0, 1), keepdims=True)|np.quantile(A, 0.33, method="lower")
np.quantile(A, 0.33, method="higher")|np.quantile(s, 0.3, method="midpoint")
np.quantile(s, np.array([0.1, 0.125, 0.375, 0.6]), method="nearest")|np.percentile(A, 30, axis=0)
np.median(A, axis=1)|np.nanquantile(N[:, :2], 0.4, axis=1)|np.nanmedian(N, axis=0)
np.nanpercentile(N[:, 1], 50)|np.median(i)|np.polyval(u, A)|np.polyadd(u, s)|np.polymul(u, s)
np.polyder(s)|np.polyder(s, 2)|np.polyint(u)|np.convolve(u, s)|np.convolve(s, u, "same")
np.convolve(s, s[:2], "same")|np.convolve(s, u, "valid")|np.correlate(s, u)
np.correlate(s, u, "full")|np.correlate(s, u, "same")|np.interp(u, s, s**2)
np.interp(A, u[np.argsort(u)], v)|np.interp(u, s[:3], v, left=-1.0, right=5.0)|np.gradient(u)
np.gradient(A)|np.gradient(A, 0.5, axis=1)|np.gradient(s, np.cumsum(p.ravel()[:5]))
np.unwrap(s * 4)|np.cov(A)|np.cov(A, rowvar=False)|np.cov(u, v)|np.corrcoef(A)|np.corrcoef(u, v)
np.cov(u)|np.piecewise(u, [u < 0, u >= 0], [lambda x: -x, 2.0])|np.divmod(A, 0.4)
np.linalg.norm(u)|np.linalg.norm(A)|np.linalg.norm(A, axis=1)|np.linalg.norm(A, 1)
np.linalg.norm(A, np.inf)|np.linalg.norm(A, -1)|np.linalg.norm(A, -np.inf)|np.linalg.norm(u, 3)
np.linalg.norm(u, np.inf)|np.linalg.norm(u, 1)|np.linalg.norm(T, axis=(1, 2))
np.linalg.norm(T, 1, axis=(2, 0))|np.linalg.norm(T, "fro", axis=(0, 1), keepdims=True)
np.linalg.norm(z)|np.linalg.norm(I, axis=0)|np.linalg.norm(u, 0)|np.ptp(I)
np.linalg.norm(u, -np.inf)|np.linalg.norm(T)|np.linalg.vector_norm(T, axis=(0, 1))
np.linalg.matrix_norm(T)|np.linalg.vector_norm(T)|np.linalg.multi_dot([A, S, B.T, u])|A + B
A - u[0]|2 * I|I / 2|I // 2|I % 3|-A|abs(z)|A ** 2|I ** 2|2.0 ** A|A @ S|S[0] @ S|A > B|A == A|~M
M & (A > 0)|i << 1|A.sum(0)|A.sum(axis=1, keepdims=True)|A.mean()|A.std(axis=0)|A.var(ddof=1)
A.max(1)|A.min()|A.prod()|A.argmax()|A.argsort()|A.cumsum()|A.clip(0, 1)|A.dot(S)|A.flatten()
A.ravel()|A.round(1)|z.conj()|z.real|A.imag|A.take(np.array([1]), 0)|A.all()|M.any(1)|A.squeeze()
u.repeat(2)|A.copy()
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


#: Their shapes depend on values, or they hold data that jit would need statically.
NOT_TRACED = ("np.extract", "np.delete(A, [", "np.isin")


def _same(got, want, tolerance=1e-12):
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for g, w in zip(got, want):
            _same(g, w, tolerance)
        return
    want = np.asarray(want)
    assert isinstance(got, dnp.ndarray), type(got)
    assert got.shape == want.shape
    if got.dtype.itemsize <= 4 and got.dtype.kind == "f":
        tolerance = 1e-5
    if np.asarray(got).dtype.kind not in "fc":
        assert got.dtype.kind == want.dtype.kind
        np.testing.assert_array_equal(np.asarray(got), want)
    else:
        np.testing.assert_allclose(np.asarray(got), want, rtol=tolerance, atol=tolerance)


def _evaluate(expression, module, arrays):
    with np.errstate(all="ignore"):
        return eval(expression, {"np": module, **arrays})


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_agrees_with_numpy(expression):
    want = _evaluate(expression, np, ARRAYS)
    _same(_evaluate(expression, dnp, {k: dnp.asarray(v) for k, v in ARRAYS.items()}), want)


def _leaves(tree):
    return (
        [leaf for item in tree for leaf in _leaves(item)]
        if isinstance(tree, (tuple, list))
        else [tree]
    )


def _by_function():
    groups = {}
    for expression in EXPRESSIONS:
        if not expression.startswith(NOT_TRACED):
            groups.setdefault(expression.partition("(")[0], []).append(expression)
    return groups


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("function", _by_function())
@pytest.mark.sampled(2)
def test_same_under_jit(function):
    expressions = _by_function()[function]
    arrays = {k: dnp.asarray(v) for k, v in ARRAYS.items()}
    got = dx.jit(lambda arrays: [_evaluate(x, dnp, arrays) for x in expressions])(arrays)
    for part, expression in zip(got, expressions, strict=True):
        want = _leaves([_evaluate(expression, dnp, arrays)])
        for g, w in zip(_leaves([part]), want, strict=True):
            assert g.dtype == w.dtype, expression
            _same(g, np.asarray(w), 1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
def test_float32_stays_float32():
    arrays = {
        k: dnp.asarray(v.astype(np.float32) if v.dtype == np.float64 else v)
        for k, v in ARRAYS.items()
        if v.dtype.kind not in "c"
    }
    for expression in EXPRESSIONS:
        names = set(compile(expression, "", "eval").co_names)
        creation = names & {"float_power", "linspace", "logspace", "geomspace", "z", "int"}
        floats = [n for n in names & set(arrays) if arrays[n].dtype == np.float32]
        if floats and not creation and names & set(ARRAYS) <= set(arrays):
            for out in _leaves([_evaluate(expression, dnp, arrays)]):
                assert out.dtype != np.float64, expression


# ------------------------------------------------------------------------------------------------
# Derivatives, at the points where they go wrong


def _differences(f, x, step=1e-6):
    grads = np.zeros(x.shape)
    for k in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[k] = step
        grads[k] = (float(f(x + e)) - float(f(x - e))) / (2 * step)
    return grads


@pytest.mark.parametrize(
    "expression",
    """
np.std(A)|np.var(A, axis=0)|np.prod(A, axis=1)|np.cumprod(A, axis=1)|np.cumsum(A, axis=0)
np.max(A, axis=1)|np.median(A)|np.quantile(A, 0.3, axis=1)|np.sort(A, axis=0)|np.linalg.norm(A, 1)
np.linalg.norm(A, 3, axis=0)|np.linalg.norm(A)|np.einsum("ij,ik,kl->jl", A, A, S)
np.einsum("ij,ij->i", A, A)|np.kron(A, A)|np.cross(A[:, :3], A[:, 1:])|np.trace(A @ S)
np.interp(A, s, s**2)|np.interp(s, s, A.ravel()[:5])|np.convolve(A[0], A[1])|np.gradient(A)[0]
np.roll(A, 1) * A|np.pad(A, 2, mode="reflect") ** 2|np.pad(A, 1) ** 2
np.repeat(A, [1, 0, 2], axis=0) ** 2|np.tile(A, 2) ** 2|np.diag(A) ** 2
np.take(A, np.array([3, 3, 0])) ** 2|np.where(A > 0, A**2, -A)|np.clip(A, -0.5, 0.5) * A
np.logaddexp(A, A.T[:, :3].T[0])|np.arctan2(A, p)|np.hypot(A, p)|np.sinc(A)
np.remainder(A, 0.3) * A|np.power(p, A)|np.cov(A)|np.corrcoef(A)|np.polyval(A[0], A)
np.trapezoid(A, u, axis=0) ** 2|np.average(A, axis=0, weights=u) ** 2|np.diff(A, axis=1) ** 2
np.nanmean(A) ** 2|np.unwrap(A) ** 2|np.concatenate([A, A * A])|np.stack([A, A * A], axis=1)
np.vander(A[0])|np.tril(A) ** 2|np.flip(A) * A|np.rot90(A) ** 2|np.linspace(A[0], A[1], 4) ** 2
np.block([[A, A * A]])|np.array([A[0, 0], A[1, 1] ** 2])|np.matmul(A[None], S) ** 2
""".replace("\n", "|")
    .strip("|")
    .split("|"),
)
def test_gradients(expression):
    f = lambda A: _evaluate(
        f"({expression} * 1.0).sum()",
        dnp,
        {**{k: dnp.asarray(v) for k, v in ARRAYS.items()}, "A": A},
    )
    A = dnp.asarray(ARRAYS["A"])
    np.testing.assert_allclose(dx.grad(f)(A), _differences(f, A), rtol=1e-5, atol=1e-6)


def test_gradients_at_singular_points():
    zero, ones = dnp.zeros(3), dnp.ones(3)
    for f in (
        dnp.linalg.norm,
        lambda x: dnp.linalg.norm(x, 3),
        lambda x: dnp.hypot(x, x).sum(),
        lambda x: dnp.where(x > 0, dnp.sqrt(x), 0.0).sum(),
        lambda x: dnp.linalg.norm(dnp.outer(x, x)),
    ):
        np.testing.assert_array_equal(dx.grad(f)(zero), zero)
        np.testing.assert_array_equal(dx.jit(dx.grad(f))(zero), zero)
    np.testing.assert_array_equal(dx.grad(dnp.std)(ones), zero)
    np.testing.assert_allclose(dx.grad(dnp.max)(ones), ones / 3)
    np.testing.assert_array_equal(dx.grad(dnp.prod)(dnp.array([0.0, 2.0, 3.0])), [6, 0, 0])
    np.testing.assert_array_equal(
        dx.grad(lambda x: dnp.cumprod(x).sum())(dnp.array([0.0, 2.0, 3.0])), [9, 0, 0]
    )
    np.testing.assert_array_equal(dx.grad(dnp.prod)(zero), zero)
    second = lambda f: dx.grad(dx.grad(f))
    np.testing.assert_allclose(second(dnp.sinc)(0.0), -(np.pi**2) / 3)
    np.testing.assert_allclose(second(lambda x: dnp.logaddexp(x, 1.0))(1.0), 0.25)
    np.testing.assert_allclose(dx.grad(dnp.logaddexp)(1.0, 1.0), 0.5)
    assert dx.grad(lambda x: dnp.logaddexp(x, -dnp.inf))(1.0) == 1.0


# ------------------------------------------------------------------------------------------------
# Shapes and dtypes drawn at random

_DTYPES = st.sampled_from(["f8", "f4", "i8", "i4", "i1", "u1", "?", "c16"])


@st.composite
def _array(draw, shapes=None, dtypes=_DTYPES):
    shapes = (
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
        if (shapes is None)
        else shapes
    )
    shape, dtype = draw(shapes), np.dtype(draw(dtypes))
    numbers = np.random.default_rng(draw(st.integers(0, 9))).integers(-4, 5, shape)
    return (numbers + (0.5j if dtype.kind == "c" else 0)).astype(dtype)


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    _DTYPES,
    _DTYPES,
    st.data(),
)
@settings(max_examples=200)
def test_broadcasting(shapes, left, right, data):
    x, y = (
        data.draw(_array(st.just(s), st.just(d)))
        for s, d in zip(shapes.input_shapes, (left, right))
    )
    for function in (dnp.add, dnp.multiply, dnp.equal, dnp.logical_and):
        got, want = function(x, y), getattr(np, function.__name__)(x, y)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want.astype(got.dtype), rtol=1e-6)
        assert got.dtype in (np.bool_, dnp.result_type(x, y))


@given(_array(), st.data())
@settings(max_examples=200)
def test_reductions(x, data):
    axes = data.draw(st.one_of(st.none(), hnp.valid_tuple_axes(x.ndim)))
    keepdims = data.draw(st.booleans())
    for name in ("sum", "prod", "max", "min", "all", "any", "mean", "var"):
        if (name in ("max", "min") and (x.size == 0 or x.dtype.kind == "c")) or (
            name in ("mean", "var") and x.size == 0
        ):
            continue
        got = getattr(dnp, name)(dnp.asarray(x), axis=axes, keepdims=keepdims)
        want = getattr(np, name)(x, axis=axes, keepdims=keepdims)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5)
        if name in ("sum", "prod", "max"):
            assert got.dtype == want.dtype


@given(_array(dtypes=st.sampled_from(["f8", "i4", "u1"])), st.data())
@settings(max_examples=60)
def test_jit_of_reductions(x, data):
    axes = data.draw(st.one_of(st.none(), hnp.valid_tuple_axes(x.ndim)))
    f = lambda x: [dnp.sum(x, axis=axes), dnp.prod(x, axis=axes), dnp.any(x, axis=axes)]
    for got, want in zip(dx.jit(f)(x), f(dnp.asarray(x))):
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want)
