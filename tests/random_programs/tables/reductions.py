"""Reductions, statistics, order, cumulative functions."""

from tests.random_programs.kinds import (
    arrays,
    axes,
    axis,
    booleans,
    both,
    constant,
    filled,
    fits,
    flag,
    floating,
    inexact,
    number,
    numeric,
    one_of,
    rank,
    real,
    same_shape,
    whole,
    wide,
)
from tests.random_programs.program import row

full = both(filled, numeric)
for _name in ("sum", "mean", "prod"):
    row(_name, f"np.{_name}({{0}}, axis={{a}}, keepdims={{k}})", full, a=axes, k=flag)
row("sum method", "{0}.sum({a})", full, a=axes)
row("sum where", "np.sum({0}, axis={a}, where={1})", full, both(booleans, fits,
    lambda v, b: v.ndim <= b.ndim), a=axes, weight=0.4)  # fmt: skip
for _name in ("max", "min"):
    row(_name, f"np.{_name}({{0}}, axis={{a}}, keepdims={{k}})", both(full, real), a=axes, k=flag)
row("max initial", "np.max({0}, axis={a}, initial={c})", both(floating), a=axes, c=number(-1, 1),
    weight=0.4)  # fmt: skip
row("ptp", "np.ptp({0}, axis={a})", both(full, real), a=axes, weight=0.4)
row("var", "np.var({0}, axis={a})", both(full, inexact), a=axes, weight=0.7)
row("std of", "np.std({0} + {c}, ddof={k})", both(arrays, floating, lambda v, *b: v.size > 2),
    c=constant(), k=whole(0, 1), weight=0.6)  # fmt: skip
row("median", "np.median({0}, axis={a})", both(full, floating), a=axes, weight=0.6)
row("quantile", "np.quantile({0}, {q}, axis={a}, method={m})", both(full, floating, wide),
    q=one_of(0.25, 0.4, [0.1, 0.77]), a=axes, m=one_of("linear", "midpoint", "hazen"),
    weight=0.5)  # fmt: skip
row("average", "np.average({0}, axis={a}, weights=np.abs({c}))", both(full, inexact), a=axes,
    c=constant(), weight=0.4)  # fmt: skip
row("all", "np.all({0}, axis={a})", filled, a=axes, weight=0.2)
row("any", "np.any({0}, axis={a})", filled, a=axes, weight=0.2)
row("count_nonzero", "np.count_nonzero({0}, axis={a})", filled, a=axes, weight=0.2)
for _name in ("argmax", "argmin"):
    row(_name, f"np.{_name}({{0}}, axis={{a}})", both(arrays, real), a=axis, weight=0.5)
row("argsort", "np.argsort({0}, axis={a})", both(arrays, real), a=axis, weight=0.5)
row("sort", "np.sort({0}, axis={a})", both(arrays, numeric), a=axis)
row("partition", "np.partition({0}, 0, axis={a})[..., :1]", both(arrays, real), a=one_of(-1),
    weight=0.3)  # fmt: skip
row("sort down", "-np.sort(-{0})", both(arrays, floating), weight=0.4)
row("lax.sort", "lax.sort(({0}, {1}), num_keys=1)", both(arrays, real), both(arrays, inexact,
    same_shape), outs="{0}, {1}", weight=0.6)  # fmt: skip
row("top_k", "lax.top_k({0}, 1)", both(arrays, floating), outs="{0}, {1}", weight=0.5)
row("lexsort", "np.lexsort(({0}, {1}))", both(rank(1), arrays, real), both(same_shape, real),
    weight=0.2)  # fmt: skip
for _name in ("cumsum", "cumprod"):
    row(_name, f"np.{_name}({{0}}, axis={{a}})", both(arrays, numeric), a=axis, weight=0.8)
for _name in ("cummax", "cummin", "cumlogsumexp"):
    row(f"lax.{_name}", f"lax.{_name}({{0}}, axis={{a}}, reverse={{r}})", both(arrays, floating),
        a=lambda d: axis(d) % d.args[0].ndim, r=flag, weight=0.3)  # fmt: skip
row("diff", "np.diff({0}, n={n}, axis={a})", both(arrays, numeric), n=whole(1, 2), a=axis)
row("ediff1d", "np.ediff1d({0})", both(arrays, inexact), weight=0.2)
row("gradient", "np.gradient({0})", both(rank(1), inexact, lambda v, *b: v.size > 2), weight=0.4)
row("trapezoid", "np.trapezoid({0}, axis={a})", both(arrays, inexact), a=axis, weight=0.3)
row("cov", "np.cov({0})", both(rank(1, 2), floating, lambda v, *b: v.ndim and v.shape[-1] > 1),
    weight=0.3)  # fmt: skip
row("corrcoef", "np.corrcoef({0} + {c})", both(rank(2), floating, lambda v, *b: v.shape[-1] > 3),
    c=constant(), weight=0.2)  # fmt: skip
row("convolve", "np.convolve({0}, {1}, mode={m})", both(rank(1), arrays, inexact),
    both(rank(1), arrays, inexact), m=one_of("full", "same", "valid"), weight=0.4)  # fmt: skip
row("correlate", "np.correlate({0}, {1}, mode={m})", both(rank(1), arrays, inexact),
    both(rank(1), arrays, inexact), m=one_of("full", "same", "valid"), weight=0.3)  # fmt: skip
row("interp", "np.interp({0}, np.array([-1.7, -0.4, 0.3, 1.9]), np.array([0.3, -1.0, 2.0, 0.1]))",
    floating, weight=0.4)  # fmt: skip
row("interp of", "np.interp({c}, np.arange({0}.shape[0]) * 1.0, {0})", both(rank(1), floating,
    lambda v, *b: v.size > 1), c=number(0.1, 3), weight=0.3)  # fmt: skip
row("polyval", "np.polyval({0}, {1})", both(rank(1), arrays, inexact), both(inexact), weight=0.4)
row("histogram", "np.histogram({0}, bins=3, range=(-2, 2))[0]", both(filled, floating), weight=0.2)
row("bincount", "np.bincount(np.abs({0}).astype('int64').ravel() % 4, length=4)",
    both(filled, real), weight=0.2)  # fmt: skip
row("searchsorted", "np.searchsorted(np.array([-1.1, -0.35, 0.15, 1.25]), {0}, side={s})", floating,
    s=one_of("left", "right"), weight=0.3)  # fmt: skip
row("digitize", "np.digitize({0}, np.array([-1.1, -0.35, 0.15, 1.25]))", floating, weight=0.2)
row("nansum", "np.nansum({0}, axis={a})", both(full, inexact), a=axes, weight=0.3)
row("nanmean", "np.nanmean({0}, axis={a})", both(full, inexact), a=axes, weight=0.3)
row("nanmax", "np.nanmax({0}, axis={a})", both(full, floating), a=axes, weight=0.2)
row("nan among", "np.nansum(np.where({0} > {c}, np.nan, {0}))", both(floating), c=number(0, 1),
    weight=0.3)  # fmt: skip
row("logsumexp", "nn.logsumexp({0}, axis={a})", both(arrays, floating), a=axis, weight=0.7)
row("softmax", "nn.softmax({0}, axis={a})", both(arrays, floating), a=axis, weight=0.7)
row("log_softmax", "nn.log_softmax({0}, axis={a})", both(arrays, floating), a=axis, weight=0.5)
row("one_hot", "nn.one_hot({0}, 3)", lambda v: v.dtype.kind in "iu", weight=0.4)
row("associative_scan", "lax.associative_scan(lambda a, b: a * b, {0})", both(arrays, inexact),
    weight=0.4)  # fmt: skip
row("reduce_window", "lax.reduce_window({0}, {i}, lax.add, (2,), (1,), 'SAME')",
    both(rank(1), arrays, floating, wide), i=0.0, weight=0.3)  # fmt: skip
row("allclose", "np.isclose({0}, {1})", inexact, both(inexact, fits), weight=0.1)
row("unique", "np.unique({0}, size=3, fill_value=0)", both(filled, real), weight=0.2)
