"""Products, linear algebra, Fourier transforms.

What decomposes a matrix is given one with well separated values: a multiple of the operand's
sine, added to a fixed diagonal.
"""

from tests.random_programs.kinds import (
    arrays,
    both,
    inexact,
    matrix,
    one_of,
    rank,
    same_shape,
    square,
    whole,
    wide,
)
from tests.random_programs.program import Source, row

GOOD = both(square, wide)
#: The operand, moved near to a diagonal of 1, 2.2, 3.4 ...
NEAR = "(np.sin(np.real({0})) * 0.3 + np.diag(1 + 1.2 * np.arange({0}.shape[-1])))"
COMPLEX_NEAR = "({0} / (4 + np.abs({0})) + np.diag(1 + 1.7 * np.arange({0}.shape[-1])))"
SYMMETRIC = f"(lambda s: s + s.mT)({NEAR})"
POSITIVE = f"(lambda s: s @ s.mT + np.eye({{0}}.shape[-1]))({NEAR})"
HERMITIAN = f"(lambda s: s + np.conj(s.mT))({COMPLEX_NEAR})"


def chain(v, *before):
    return v.ndim >= 1 and before[0].ndim >= 1 and v.size and before[0].size and (
        before[0].shape[-1] == v.shape[-2 if v.ndim > 1 else 0]
    )  # fmt: skip


def right_side(v, *before):
    n = before[0].shape[-1]
    return (
        v.ndim in (1, 2) and before[0].ndim == 2 and v.shape[0] == n and v.dtype == before[0].dtype
    )


def letters(d):
    a, b = d.args
    first = "abcd"[: a.ndim]
    names = []
    for k, n in enumerate(b.shape):
        shared = [c for c, m in zip(first, a.shape) if m == n and c not in names]
        names.append(d.rng.choice(shared) if shared and d.rng.random() < 0.6 else "wxyz"[k])
    everything = list(dict.fromkeys([*first, *names]))
    kept = [c for c in everything if d.rng.random() < 0.6]
    d.rng.shuffle(kept)
    return f"{first},{''.join(names)}->{''.join(kept)}"


row("matmul", "{0} @ {1}", both(inexact), both(inexact, chain), weight=2)
row("dot", "np.dot({0}, {1})", both(inexact), both(inexact, chain), weight=0.5)
row("einsum", "np.einsum({e}, {0}, {1})", both(inexact, arrays), both(inexact, arrays), e=letters,
    weight=1.5)  # fmt: skip
row("einsum one", "np.einsum('...ij->...ji', {0})", matrix, weight=0.3)
row("outer", "np.outer({0}, {1})", inexact, inexact, weight=0.6)
row("inner", "np.inner({0}, {1})", both(inexact, arrays), both(inexact, same_shape), weight=0.4)
row("vdot", "np.vdot({0}, {1})", both(inexact, arrays), both(inexact, same_shape), weight=0.5)
row("tensordot", "np.tensordot({0}, {1}, {k})", both(inexact, arrays), both(inexact, same_shape),
    k=one_of(0, ([0], [0])), weight=0.5)  # fmt: skip
row("kron", "np.kron({0}, {1})", both(inexact, arrays), both(inexact, arrays), weight=0.4)
row("cross", "np.cross({0}, {1})", both(arrays, inexact, lambda v: v.shape[-1] == 3),
    both(inexact, same_shape), weight=0.6)  # fmt: skip
row(
    "multi_dot",
    "np.linalg.multi_dot([{0}, {0}.T, {0}])",
    both(rank(2), arrays, inexact),
    weight=0.3,
)
row("det", "np.linalg.det({0})", GOOD)
row("slogdet", f"np.linalg.slogdet({NEAR})", GOOD, outs="{0}, {1}", weight=0.6)
row("complex slogdet", f"np.linalg.slogdet({COMPLEX_NEAR})", GOOD, outs="{0}, {1}", weight=0.4)
row("inv", f"np.linalg.inv({COMPLEX_NEAR})", GOOD)
row("solve", f"np.linalg.solve({COMPLEX_NEAR}, {{1}})", GOOD, right_side, weight=1.5)
row("cholesky", f"np.linalg.cholesky({POSITIVE})", GOOD)
row("cholesky of", "np.linalg.cholesky({0} @ np.conj({0}.mT) + 2 * np.eye({0}.shape[-1]))", GOOD,
    weight=0.5)  # fmt: skip
row("qr", f"np.linalg.qr({NEAR})", GOOD, outs="{0}, {1}", weight=0.7)
row("tall qr", "np.linalg.qr({0})", both(matrix, wide, lambda v: v.shape[-2] > v.shape[-1]),
    outs="{0}, {1}", weight=0.5)  # fmt: skip
row("eigh", f"np.linalg.eigh({SYMMETRIC})[0]", GOOD, weight=0.7)
row("eigh power",
    f"(lambda w, v: (v * np.exp(w * 0.2)[..., None, :]) @ v.mT)(*np.linalg.eigh({SYMMETRIC}))",
    GOOD, weight=0.6)  # fmt: skip
row("eigh complex", "(lambda w, v: (v / (20 + w)[..., None, :]) @ np.conj(v.mT))"
    f"(*np.linalg.eigh({HERMITIAN}))",
    GOOD, weight=0.4)  # fmt: skip
row("eigvalsh", f"np.linalg.eigvalsh({HERMITIAN})", GOOD, weight=0.4)
row("svd", f"np.linalg.svd({NEAR}, compute_uv=False)", GOOD, weight=0.5)
row("svd product", "(lambda u, s, v: (u * np.tanh(s)[..., None, :]) @ v)"
    f"(*np.linalg.svd({NEAR}, full_matrices=False))",
    GOOD, weight=0.5)  # fmt: skip
row("svd of", "np.linalg.svd({0}, compute_uv=False)", both(matrix, wide), weight=0.3)
row("norm", "np.linalg.norm({0})", both(arrays, inexact), weight=0.7)
row("vector norm", "np.linalg.norm({0}, ord={p}, axis=-1)", both(arrays, inexact),
    p=one_of(1, 2, 3, Source("np.inf")), weight=0.5)  # fmt: skip
row("matrix norm", "np.linalg.norm({0}, ord={p}, axis=(-2, -1))", both(matrix, wide),
    p=one_of("fro", "nuc", 1, Source("np.inf"), 2), weight=0.4)  # fmt: skip
row("matrix_power", "np.linalg.matrix_power({0} * 0.5, {k})", GOOD, k=whole(0, 4), weight=0.5)
row("negative matrix_power", f"np.linalg.matrix_power({NEAR}, -2)", GOOD, weight=0.2)
row("pinv", f"np.linalg.pinv({NEAR})", GOOD, weight=0.3)
row("lstsq", f"np.linalg.lstsq({NEAR}, {{1}})[0]", both(GOOD, rank(2)), right_side, weight=0.3)
row("expm", "sla.expm({0} * 0.3)", both(GOOD, rank(2)), weight=0.4)
row("solve_triangular", f"sla.solve_triangular(np.tril({COMPLEX_NEAR}), {{1}}, lower=True)",
    both(GOOD, rank(2)), right_side, weight=0.5)  # fmt: skip
row("cho_solve", f"sla.cho_solve(sla.cho_factor({POSITIVE}), {{1}})", both(GOOD, rank(2)),
    right_side, weight=0.3)  # fmt: skip
row("lu", f"sla.lu({NEAR})", both(GOOD, rank(2)), outs="{0}, {1}, {2}", weight=0.3)
row("block_diag", "sla.block_diag({0}, {0} * 2)", both(rank(2), arrays, inexact), weight=0.2)
row("toeplitz", "sla.toeplitz({0})", both(rank(1), arrays, inexact), weight=0.2)

for _name in ("fft", "ifft"):
    row(_name, f"np.fft.{_name}({{0}}, axis={{a}})", both(arrays, wide), weight=0.5,
        a=lambda d: d.rng.randint(-d.args[0].ndim, d.args[0].ndim - 1))  # fmt: skip
row("fft n", "np.fft.fft({0}, n={n}, norm={norm})", both(arrays, wide), n=whole(1, 5),
    norm=one_of("ortho", "forward", "backward"), weight=0.4)  # fmt: skip
row("rfft", "np.fft.rfft({0})", both(arrays, wide, lambda v: v.dtype.kind == "f"), weight=0.5)
row("irfft", "np.fft.irfft({0}, n={n})", both(arrays, wide), n=whole(2, 5), weight=0.5)
row("fft2", "np.fft.fft2({0})", both(matrix, wide), weight=0.3)
row("fftshift", "np.fft.fftshift({0})", arrays, weight=0.3)
row("conv", "lax.conv_general_dilated({0}[None, None], {1}[None, None], (1,), 'SAME')",
    both(rank(1), arrays, lambda v: v.dtype.kind == "f" and v.dtype.name in ("float32", "float64")),
    both(rank(1), arrays, lambda v, b: v.dtype == b.dtype), weight=0.4)  # fmt: skip
