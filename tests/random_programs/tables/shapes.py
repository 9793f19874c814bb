"""Shapes: joining, splitting, moving axes, padding, repeating."""

from tests.random_programs.kinds import (
    anything,
    arrays,
    axis,
    both,
    constant,
    fits,
    inexact,
    matrix,
    numeric,
    one_of,
    permutation,
    rank,
    reshaping,
    same_shape,
    square,
    whole,
)
from tests.random_programs.program import Source, row


def broadcast_shape(d):
    shape = d.args[0].shape
    lead = d.rng.choice([(), (2,), (3,), (1, 2)])
    grown = tuple([d.rng.choice([2, 3]) if n == 1 else n for n in shape])
    return (*lead, *grown)


def pads(d):
    n = d.args[0].ndim
    return [(d.rng.randint(0, 2), d.rng.randint(0, 1)) for _ in range(n)] if n else None


def negative_pads(d):
    n = d.args[0].ndim
    if not n:
        return None
    return [(d.rng.randint(-1, 2), d.rng.randint(-1, 1), d.rng.randint(0, 1)) for _ in range(n)]


def new_axis(d):
    n = d.args[0].ndim
    return d.rng.randint(-n - 1, n) if n < 4 else None


def repeats(d):
    k = d.rng.choice([2, 3, None])
    n = d.args[0].shape[d.args[0].ndim - 1]
    return k or Source(f"np.array({[d.rng.randint(0, 2) for _ in range(n)] or [1]})")


def parts(d):
    n = d.args[0].shape[0]
    return n if 1 < n <= 4 else None


def section(d):
    n = d.args[0].shape[-1]
    return d.rng.randint(0, n)


row("reshape", "{0}.reshape({shape})", anything, shape=reshaping)
row("reshape F", "np.reshape({0}, {shape}, order='F')", anything, shape=reshaping, weight=0.4)
row("ravel", "np.ravel({0})", anything, weight=0.5)
row("transpose", "np.transpose({0}, {p})", anything, p=permutation)
row("T", "{0}.T", anything)
row("mT", "{0}.mT", matrix, weight=0.5)
row("swapaxes", "np.swapaxes({0}, 0, -1)", arrays, weight=0.5)
row("moveaxis", "np.moveaxis({0}, 0, {a})", arrays, a=axis, weight=0.5)
row("rollaxis", "np.rollaxis({0}, {a})", arrays, a=axis, weight=0.2)
row("expand_dims", "np.expand_dims({0}, {a})", anything, a=new_axis)
row("squeeze", "np.squeeze({0})", anything, weight=0.4)
row("atleast_2d", "np.atleast_2d({0})", anything, weight=0.3)
row("broadcast_to", "np.broadcast_to({0}, {shape})", anything, shape=broadcast_shape)
row("concatenate", "np.concatenate([{0}, {1}], axis={a})", arrays,
    both(arrays, same_shape), a=axis, weight=1.5)  # fmt: skip
row("concatenate flat", "np.concatenate([{0}, {1}], axis=None)", anything, anything, weight=0.4)
row("append", "np.append({0}, {1})", anything, anything, weight=0.3)
row("stack", "np.stack([{0}, {1}], axis={a})", anything, same_shape, a=new_axis)
row("array of", "np.array([{0}, {1}, {c}])", rank(0), rank(0), c=one_of(0, 1.5), weight=0.7)
row("vstack", "np.vstack([{0}, {1}])", anything, same_shape, weight=0.4)
row("hstack", "np.hstack([{0}, {1}])", anything, same_shape, weight=0.4)
row("column_stack", "np.column_stack([{0}, {1}])", anything, same_shape, weight=0.3)
row("block", "np.block([[{0}, {1}], [{1}, {0}]])", rank(0, 1, 2), same_shape, weight=0.3)
row("split", "np.split({0}, {k})[-1]", arrays, k=parts, weight=0.6)
row("array_split", "np.array_split({0}, {k}, axis={a})[0]", arrays, k=whole(1, 3), a=axis,
    weight=0.4)  # fmt: skip
row("split at", "np.split({0}, [{k}], axis=-1)", arrays, k=section, outs="{0}, {1}", weight=0.4)
row("unstack", "np.stack(tuple({0})[::-1])", arrays, weight=0.3)
row("flip", "np.flip({0}, {a})", arrays, a=axis)
row("roll", "np.roll({0}, {k}, {a})", arrays, k=whole(-3, 3), a=axis)
row("roll flat", "np.roll({0}, {k})", anything, k=whole(-3, 3), weight=0.4)
row("rot90", "np.rot90({0}, {k})", both(matrix), k=whole(-1, 3), weight=0.5)
row("tile", "np.tile({0}, {reps})", anything, reps=one_of(2, (2, 1), (1, 2), (2,)), weight=0.5)
row("repeat", "np.repeat({0}, {k}, axis=-1)", arrays, k=repeats, weight=0.6)
row("pad", "np.pad({0}, {w}, constant_values={c})", arrays, w=pads, c=one_of(0, 0.5, 2))
row("pad mode", "np.pad({0}, {w}, mode={m})", arrays, w=pads,
    m=one_of("edge", "reflect", "symmetric", "wrap"), weight=0.7)  # fmt: skip
row("lax.pad", "lax.pad({0}, np.asarray(0.5, {0}.dtype), {w})", both(arrays, inexact),
    w=negative_pads, weight=0.5)  # fmt: skip
row("tril", "np.tril({0}, {k})", matrix, k=whole(-1, 1))
row("triu", "np.triu({0}, {k})", matrix, k=whole(-1, 1))
row("diag", "np.diag({0}, {k})", rank(1), k=whole(-1, 1), weight=0.6)
row("diag of", "np.diag({0})", both(rank(2)), weight=0.4)
row("diagonal", "np.diagonal({0}, {k})", matrix, k=whole(-1, 1), weight=0.5)
row("trace", "np.trace({0})", both(matrix, numeric), weight=0.5)
row("meshgrid", "np.meshgrid({0}, {1}, indexing={i})", rank(1), rank(1), outs="{0}, {1}",
    i=one_of("ij", "xy"), weight=0.4)  # fmt: skip
row("zeros_like", "np.zeros_like({0}) + {1}", anything, both(inexact, fits), weight=0.3)
row("full_like", "np.full_like({0}, {c}) * {1}", inexact, both(inexact, fits),
    c=one_of(0.5, 2), weight=0.3)  # fmt: skip
row("arange", "np.arange({0}.shape[0]) * {0}.T", both(arrays, inexact), weight=0.4)
row("linspace", "np.linspace({0}, {1}, {k})", inexact, both(inexact, fits), k=whole(1, 4),
    weight=0.5)  # fmt: skip
row("geomspace", "np.geomspace(0.3, np.abs({0}) + 0.5, {k})", rank(0), k=whole(2, 4), weight=0.2)
row("eye", "np.eye({0}.shape[0]) + {0}", both(rank(2), square), weight=0.4)  # fmt: skip
row("tri", "np.tri({0}.shape[0]) @ {0}", both(arrays, inexact), weight=0.3)
row("insert", "np.insert({0}, 1, {c}, axis=0)", both(arrays, inexact), c=one_of(0.5, 1), weight=0.3)
row("delete", "np.delete({0}, 0, axis={a})", arrays, a=axis, weight=0.3)
row("resize", "np.resize({0}, {shape})", arrays, shape=one_of((2, 3), (5,), (2,)), weight=0.3)
row("apply_along_axis", "np.apply_along_axis(lambda r: r * r[0], {a}, {0})", both(arrays, inexact),
    a=axis, weight=0.3)  # fmt: skip
row("vander", "np.vander({0}, {k})", both(rank(1), inexact), k=whole(1, 4), weight=0.3)
row("weights", "{0} * {c}", inexact, c=constant(like=0), weight=0.3)
