"""diffeo.numpy: dtypes, weak numbers, errors."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_dtypes():
    f32, i32 = dnp.ones(2, "float32"), dnp.ones(2, "int32")
    assert (f32 * 2.0).dtype == (f32 + i32).dtype == np.float32
    assert (f32 * dnp.ones(2, "int64")).dtype == np.float32
    assert dnp.sin(i32).dtype == np.float64 and dnp.mean(i32).dtype == np.float64
    assert dnp.sum(i32).dtype == np.int64 and dnp.sum(f32).dtype == np.float32
    assert dnp.sum(f32 > 0).dtype == np.int64 and dnp.sum(dnp.ones(2, "uint8")).dtype == np.uint64
    assert dnp.asarray(2.0).weak_type and not dnp.array([2.0]).weak_type
    assert (dnp.asarray(2.0) * f32).dtype == np.float32 and dnp.zeros(2).dtype == np.float64
    assert dnp.array([np.float32(1), 2.0]).dtype == np.float32
    assert dnp.array([f32[0], 1]).dtype == np.float32
    assert dnp.where(True, 1, f32).dtype == dnp.stack([f32[0], 1.0]).dtype == np.float32
    assert dnp.where(f32 > 0, 1.0, 0.0).weak_type and not dnp.where(f32 > 0, f32, 0.0).weak_type
    assert dx.jit(lambda a: dnp.searchsorted(a, 0.5))(f32) == dnp.searchsorted(f32, 0.5) == 0
    assert dnp.arange(3).dtype == np.int64 and dnp.linspace(0, 1, 3).dtype == np.float64
    assert dnp.sum(dnp.ones(60000, "float16") / 1000).dtype == np.float16
    assert dnp.mean(dnp.full(70000, 2.0, "float16")) == 2
    with dx.config.defaults(32):
        assert dnp.zeros(2).dtype == dnp.array([1.0]).dtype == dnp.arange(3.0).dtype == np.float32
        assert dnp.array([1]).dtype == np.int32 and dnp.sin(dnp.array([1])).dtype == np.float32
        assert dnp.array(np.ones(2)).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.sin([1.0]), TypeError, "dx.numpy.array"),
        (lambda m: m.ones(3) + [1, 2, 3], TypeError, "unsupported operand"),
        (lambda m: m.array("text"), TypeError, "expected numbers"),
        (lambda m: m.array(None), TypeError, "expected numbers"),
        (lambda m: m.array([[1, 2], [3]]), ValueError, "inhomogeneous"),
        (lambda m: m.array([m.ones(2), m.ones(3)]), ValueError, "equal shapes"),
        (lambda m: m.array(["a"]), TypeError, "expected numbers"),
        (lambda m: m.array(2**70), OverflowError, "int64"),
        (lambda m: m.array([300], "uint8"), OverflowError, "300"),
        (lambda m: m.ones(3) + m.ones(4), ValueError, r"shapes \(3,\) and \(4,\) do not broadcast"),
        (lambda m: m.zeros(-1), ValueError, "negative"),
        (lambda m: m.zeros(2.5), TypeError, "integer"),
        (lambda m: m.sum(m.ones(3), axis=1), ValueError, "axis 1 is out of bounds"),
        (lambda m: m.sum(m.ones((3, 3)), axis=(0, 0)), ValueError, "twice"),
        (lambda m: m.max(m.zeros(0)), ValueError, "initial"),
        (lambda m: m.sum(m.ones(2), out=np.zeros(())), TypeError, "out"),
        (lambda m: m.mean(m.ones(2), out=np.zeros(())), TypeError, "out"),
        (lambda m: m.argmax(m.zeros(0)), ValueError, "no elements"),
        (lambda m: m.reshape(m.ones(6), (4, -1)), ValueError, "cannot take the shape"),
        (lambda m: m.ones(6).reshape(4), ValueError, "cannot take the shape"),
        (lambda m: m.squeeze(m.ones((2, 1)), 0), ValueError, "size 1"),
        (lambda m: m.concatenate([m.ones((2, 2)), m.ones(3)]), ValueError, "agree but for axis"),
        (lambda m: m.concatenate([]), ValueError, "at least one"),
        (lambda m: m.stack([m.ones(2), m.ones(3)]), ValueError, "one shape"),
        (lambda m: m.split(m.ones(5), 2), ValueError, "array_split"),
        (lambda m: m.matmul(m.ones((2, 3)), m.ones((2, 3))), ValueError, "do not fit"),
        (lambda m: m.ones((2, 3)) @ m.ones(2), ValueError, "do not fit"),
        (lambda m: m.dot(m.ones(2), m.ones(3)), ValueError, "do not fit"),
        (lambda m: m.einsum("ij,jk", m.ones((2, 3)), m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.einsum("ij->k", m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.einsum("ijk", m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.transpose(m.ones((2, 3)), (0,)), ValueError, "all 2 axes"),
        (lambda m: m.broadcast_to(m.ones(3), (3, 2)), ValueError, "broadcast"),
        (lambda m: m.take(m.ones(3), m.array([3])), IndexError, "out of bounds"),
        (lambda m: m.take_along_axis(m.ones(3), m.array([3]), 0), IndexError, "out of bounds"),
        (lambda m: m.pad(m.ones(3), 1, mode="mean"), ValueError, "must be one of"),
        (lambda m: m.arange(0, 1, 0), ValueError, "step"),
        (lambda m: m.linalg.norm(m.ones((2, 2)), 3), ValueError, "fro"),
        (lambda m: m.where(m.ones(2) > 0, 1.0), TypeError, "both x and y"),
    ],
)
def test_errors(call, error, words):
    for run in (call, lambda m: dx.jit(lambda: call(m))()):
        with pytest.raises(error, match=words):
            run(dnp)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: dnp.zeros(n),
        lambda x, n: dnp.reshape(x, (n, -1)),
        lambda x, n: dnp.arange(n),
        lambda x, n: dnp.sum(x, axis=n),
        lambda x, n: dnp.linspace(0, 1, n),
        lambda x, n: x[:n],
        lambda x, n: dnp.eye(n),
        lambda x, n: dnp.broadcast_to(x, (n, 4)),
        lambda x, n: dnp.unique(x),
        lambda x, n: dnp.nonzero(x),
        lambda x, n: dnp.where(x),
        lambda x, n: dnp.tile(x, n),
        lambda x, n: dnp.repeat(x, n),
        lambda x, n: dnp.split(x, n),
        lambda x, n: dnp.roll(x, 1, axis=n),
    ],
)
def test_traced_sizes(call):
    with pytest.raises(dx.errors.ConcretizationTypeError, match=r"test_numpy_dtypes\.py"):
        dx.jit(call)(dnp.arange(4.0), 2)


def test_sizes_given_for_traced_values():
    x = dnp.array([0, 3, 0, 4, 5])
    f = dx.jit(lambda x: dnp.nonzero(x, size=4, fill_value=-1))
    np.testing.assert_array_equal(f(x)[0], [1, 3, 4, -1])
    np.testing.assert_array_equal(dx.jit(lambda x: dnp.nonzero(x, size=2))(x)[0], [1, 3])
    m = dnp.array([[0, 1], [1, 0]])
    np.testing.assert_array_equal(
        dx.jit(lambda m: dnp.argwhere(m, size=3, fill_value=9))(m), [[0, 1], [1, 0], [9, 9]]
    )
    np.testing.assert_array_equal(dnp.argwhere(m), np.argwhere(np.asarray(m)))
    np.testing.assert_array_equal(dnp.where(m)[0], np.where(np.asarray(m))[0])
    count = dx.jit(lambda x: dnp.bincount(x, length=6))
    np.testing.assert_array_equal(count(x), [2, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(dnp.bincount(x, minlength=8), np.bincount(x, minlength=8))
    np.testing.assert_array_equal(
        dx.jit(lambda r: dnp.repeat(dnp.array([7, 8]), r, total_repeat_length=4))(
            dnp.array([1, 3])
        ),
        [7, 8, 8, 8],
    )
    np.testing.assert_array_equal(dx.jit(lambda x, k: dnp.roll(x, k))(x, 2), np.roll(x, 2))
    np.testing.assert_array_equal(dnp.unique(x), [0, 3, 4, 5])
    assert [len(p) for p in dnp.unique(x, return_counts=True)] == [4, 4]
    np.testing.assert_array_equal(dnp.union1d(x, np.array([9])), [0, 3, 4, 5, 9])


def test_lists_that_hold_traced_values():
    f = dx.jit(lambda a, b: dnp.array([[a, 1.0], [b, 2]]))
    np.testing.assert_array_equal(f(5.0, 6.0), [[5, 1], [6, 2]])
    np.testing.assert_array_equal(dx.grad(lambda x: dnp.array([x, x * x]).sum())(3.0), 7)
    np.testing.assert_array_equal(dnp.stack([1.0, 2.0]), [1, 2])
    np.testing.assert_array_equal(dnp.concatenate([[1.0], dnp.ones(1)]), [1, 1])


def test_every_function_is_documented():
    for name in dnp.__all__:
        value = getattr(dnp, name)
        if callable(value) and not isinstance(value, type):
            assert value.__doc__, name
