"""Indexing of all kinds, and updates."""

from tests.random_programs.kinds import (
    arrays,
    axis,
    booleans,
    both,
    fits,
    inexact,
    integers,
    matrix,
    number,
    one_of,
    rank,
    scalar,
)
from tests.random_programs.program import Source, row


def _basic(d, n):
    """One entry for an axis of n elements: an integer, or a slice."""
    r = d.rng.random()
    if r < 0.35 and n:
        return str(d.rng.randint(-n, n - 1))
    if r < 0.5:
        return ":"
    part = lambda: d.rng.choice(["", "", str(d.rng.randint(-n - 1, n + 1))])
    step = d.rng.choice(["", "", ":2", ":-1", ":-2"])
    return f"{part()}:{part()}{step}"


def basic(d):
    """Integers, slices, None and an ellipsis."""
    shape = d.args[0].shape
    words = [_basic(d, n) for n in shape[: d.rng.randint(0, len(shape))]]
    if d.rng.random() < 0.25:
        words.insert(d.rng.randint(0, len(words)), "None")
    if d.rng.random() < 0.2:
        words.append("...")
    return Source(", ".join(words) or "...")


def _positions(d, n, shape):
    count = 1
    for k in shape:
        count *= k
    flat = [d.rng.randint(-n, n - 1) for _ in range(count)]
    return flat if len(shape) == 1 else [flat[: shape[1]], flat[shape[1] :]]


def advanced(d):
    """Arrays of integers and masks among basic entries."""
    shape = d.args[0].shape
    if not shape:
        return None
    form = d.rng.choice([(1,), (2,), (3,), (2, 2)])
    words = []
    some = False
    for n in shape[: d.rng.randint(1, len(shape))]:
        r = d.rng.random()
        if r < 0.5 or not some:
            some = True
            if r < 0.1:
                mask = [d.rng.random() < 0.6 for _ in range(n)]
                if sum(mask) not in (1, form[-1]) and len(shape) > 1:
                    return None
                words.append(f"np.array({mask})" if d.rng.random() < 0.5 else f"{mask}")
            else:
                places = _positions(d, n, form)
                words.append(f"np.array({places})" if d.rng.random() < 0.6 else f"{places}")
        else:
            words.append(_basic(d, n))
    if d.rng.random() < 0.15:
        words.insert(d.rng.randint(0, len(words)), "None")
    return Source(", ".join(words))


def mask(d):
    """As many booleans as the first operand has elements."""
    return Source(f"np.array({[d.rng.random() < 0.6 for _ in range(d.args[0].size)]})")


def some_index(d):
    return basic(d) if d.rng.random() < 0.5 else advanced(d)


def traced_places(d):
    """The second operand, an array of integers, in place of an axis."""
    shape = d.args[0].shape
    where = d.rng.randint(0, len(shape) - 1)
    words = [":" if d.rng.random() < 0.6 else _basic(d, n) for n in shape[:where]]
    return Source(", ".join([*words, f"{d.names[1]} % {shape[where]}"]))


def out_of_bounds(d):
    """The second operand as it is: perhaps outside."""
    return Source(d.names[1])


row("index", "{0}[{i}]", arrays, i=basic, weight=2)
row("advanced", "{0}[{i}]", arrays, i=advanced, weight=2)
row("traced index", "{0}[{i}]", arrays, integers, i=traced_places, weight=2)
row("static mask", "{0}[{i}]", both(arrays, rank(1)), weight=0.5,
    i=mask)  # fmt: skip
row("get mode", "{0}.at[{1}].get(mode={m})", both(arrays, inexact), integers,
    m=one_of("clip", "wrap"), weight=0.4)  # fmt: skip
row("get fill", "{0}.at[{1}].get(mode={m}, fill_value={c})", both(arrays, inexact), integers,
    m=one_of("fill"), c=number(-1, 1), weight=0.5)  # fmt: skip
for _how in ("set", "add", "multiply", "min", "max"):
    _ok = inexact if _how in ("set", "add", "multiply") else (lambda v, *b: v.dtype.kind == "f")
    row(f"at {_how}", f"{{0}}.at[{{i}}].{_how}({{1}})", both(arrays, _ok),
        both(scalar, lambda v, b: v.dtype == b.dtype), i=some_index, weight=0.6)  # fmt: skip
    row(f"at {_how} constant", f"{{0}}.at[{{i}}].{_how}({{c}})", both(arrays, _ok), i=some_index,
        c=number(-2, 2), weight=0.4)  # fmt: skip
row("at set rows", "{0}.at[{k}].set({1})", arrays,
    lambda v, b: v.dtype == b.dtype and v.shape == b.shape[1:],
    k=lambda d: d.rng.randint(-d.args[0].shape[0], d.args[0].shape[0] - 1), weight=0.7)  # fmt: skip
row("at add traced", "{0}.at[{i}].add({c})", both(arrays, inexact), integers, i=traced_places,
    c=number(-1, 1), weight=0.6)  # fmt: skip
row("at set traced", "{0}.at[{i}].set({c}, mode='drop')", both(arrays, inexact),
    both(integers, scalar), i=out_of_bounds, c=number(-1, 1), weight=0.5)  # fmt: skip
row("at apply", "{0}.at[{i}].apply(np.sin)", both(arrays, inexact), i=basic, weight=0.3)
row("at power", "{0}.at[{i}].power({c})", both(arrays, lambda v, *b: v.dtype.kind == "f"), i=basic,
    c=one_of(2, 3), weight=0.3)  # fmt: skip
row("at divide", "{0}.at[{i}].divide({c})", both(arrays, inexact), i=basic, c=number(0.5, 2),
    weight=0.3)  # fmt: skip
row("take", "np.take({0}, {1} % {0}.shape[{a}], axis={a})", arrays, integers, a=axis)
row("take mode", "np.take({0}, {1}, axis={a}, mode={m})", arrays, integers, a=axis,
    m=one_of("clip", "wrap"), weight=0.7)  # fmt: skip
row("take_along_axis", "np.take_along_axis({0}, np.argsort({0}, axis={a}), axis={a})",
    both(arrays, lambda v, *b: v.dtype.kind in "fiu"), a=axis, weight=0.7)  # fmt: skip
row("take_along max", "np.take_along_axis({0}, np.argmax({0}, axis={a}, keepdims=True), axis={a})",
    both(arrays, lambda v, *b: v.dtype.kind in "fiu"), a=axis, weight=0.5)  # fmt: skip
row("compress", "np.compress({m}, {0}, axis={a})", arrays, a=axis, weight=0.4,
    m=lambda d: [d.rng.random() < 0.6 for _ in range(2)])  # fmt: skip
row("choose", "np.choose({0} % 2, [{1}, {1} * 2])", integers, both(inexact, fits), weight=0.7)
row("dynamic_slice", "lax.dynamic_slice_in_dim({0}, {1}, {k}, axis={a})", arrays,
    both(integers, scalar), a=lambda d: axis(d) % d.args[0].ndim, k=1, weight=0.7)  # fmt: skip
row("dynamic_index", "lax.dynamic_index_in_dim({0}, {1}, axis={a}, keepdims=False)", arrays,
    both(integers, scalar), a=lambda d: axis(d) % d.args[0].ndim, weight=0.6)  # fmt: skip
row("dynamic_update", "lax.dynamic_update_slice_in_dim({0}, {0}[:1] * 0.5, {1}, axis=0)",
    both(arrays, inexact), both(integers, scalar), weight=0.6)  # fmt: skip
row("mask product", "{1} * {0}[..., None]", booleans, both(scalar, inexact), weight=0.7)
row("where mask", "np.where({0} > {c}, {0}, 0).sum(-1)",
    both(arrays, lambda v, *b: v.dtype.kind == "f"), c=number(-1, 1), weight=0.4)  # fmt: skip
row("nonzero", "{0}[np.nonzero({m})]", both(rank(1), arrays), weight=0.3,
    m=mask)  # fmt: skip
row("ix_", "{0}[np.ix_([0], [-1, 0])]", both(rank(2), arrays), weight=0.4)
row("diag_indices", "{0}.at[np.diag_indices({0}.shape[0])].add(1)",
    lambda v: v.ndim == 2 and v.shape[0] == v.shape[1] and v.size > 0 and v.dtype.kind in "fc",
    weight=0.4)  # fmt: skip
row("tril_indices", "{0}[np.tril_indices({0}.shape[0])]",
    lambda v: v.ndim == 2 and v.shape[0] == v.shape[1] and v.size > 0, weight=0.4)  # fmt: skip
row("fill_diagonal", "np.fill_diagonal({0}, {c}, inplace=False)", both(rank(2), arrays, inexact),
    c=number(-1, 1), weight=0.2)  # fmt: skip
row("segment sum",
    "np.zeros((3, *{0}.shape[1:]), {0}.dtype).at[np.arange({0}.shape[0]) % 3].add({0})",
    both(arrays, inexact), weight=0.5)  # fmt: skip
row("mirror", "{0}[..., ::-1]", matrix, weight=0.3)
