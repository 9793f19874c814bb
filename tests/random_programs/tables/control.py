"""Conditionals and loops."""

from tests.random_programs.kinds import (
    arrays,
    booleans,
    both,
    filled,
    flag,
    inexact,
    integers,
    number,
    numeric,
    one_of,
    real,
    scalar,
    whole,
)
from tests.random_programs.program import Block, Source, row


def aval(v):
    return v.shape, v.dtype


def steps(d):
    return d.rng.choice([1, 2, 2, 3, 4])


def step(*which, want=(0,), extra=0, rows=(), counters=0):
    """A function of the operands `which` (of their first rows, for `rows`), after `counters`
    integers, whose results are like the operands `want`."""

    def drawn(d):
        values = [d.scope.root.zero] * counters
        values += [d.args[k][0] if k in rows else d.args[k] for k in which]
        types = [aval(d.args[k]) for k in want]
        return d.scope.block(values, steps(d), types, extra=extra)

    return drawn


def row_like(bounded=True):
    """A function of a row of the first operand that gives such a row."""

    def drawn(d):
        first = d.args[0][0]
        return d.scope.block([first], steps(d), [aval(first)], bounded=bounded)

    return drawn


def branches(count):
    """Functions of the last two operands whose results are alike."""

    def drawn(d):
        values = d.args[1:]
        first = d.scope.block(values, steps(d))
        if first is None:
            return None
        like = first_result(d, first, values)
        if like is None:
            return None
        rest = [d.scope.block(values, steps(d), [like], bounded=False) for _ in range(count - 1)]
        every = [first, *rest]
        if any([b is None for b in every]):
            return None
        d.rng.shuffle(every)
        return every

    return drawn


def first_result(d, block: Block, values):
    """The type of what a block returns."""
    found = d.scope.run_block(block, values)
    return None if found is None else aval(found[0])


def predicate(d):
    """A condition on the first operand, away from where it changes."""
    x = d.args[0]
    if x.dtype.kind == "b":
        return Source(f"np.all({d.names[0]})")
    middle = float(abs(x).max()) if x.dtype.kind == "c" else float(x.sum())
    level = round(middle + d.rng.choice([-1, 1]) * d.rng.uniform(0.1, 1), 3)
    name = d.names[0]
    total = f"np.max(np.abs({name}))" if x.dtype.kind == "c" else f"np.sum({name})"
    return Source(f"{total} {d.rng.choice(['<', '>'])} {level}")


BLOCK = "block"
row("cond", "lax.cond({p}, {f[0]}, {f[1]}, {1}, {2})", filled, inexact, inexact, p=predicate,
    f=branches(2), weight=2, traits=BLOCK)  # fmt: skip
row("cond of operand", "lax.cond(np.any({0}), {f[0]}, {f[1]}, {1}, {2})", both(booleans, filled),
    inexact, inexact, f=branches(2), traits=BLOCK)  # fmt: skip
row("cond closures", "lax.cond({p}, lambda: {f[0]}({1}, {2}), lambda: {f[1]}({1}, {2}))", filled,
    inexact, inexact, p=predicate, f=branches(2), weight=0.6, traits=BLOCK)  # fmt: skip
row("switch", "lax.switch({0}, {f}, {1}, {2})", both(integers, scalar), inexact, inexact,
    f=branches(3), weight=1.5, traits=BLOCK)  # fmt: skip
row("switch of place", "lax.switch(np.argmax({0}), {f}, {1}, {2})", both(real, arrays), inexact,
    inexact, f=branches(3), traits=BLOCK)  # fmt: skip
row("where of branches", "np.where({p}, {f[0]}({1}, {2}), {f[1]}({1}, {2}))", filled, inexact,
    inexact, p=predicate, f=branches(2), weight=0.4, traits=BLOCK)  # fmt: skip
row("vmap of cond",
    "dx.vmap(lambda r: lax.cond(np.sum(np.real(r)) > {c}, {f}, lambda r: r * {k}, r))({0})",
    both(arrays, inexact), c=number(-0.5, 0.5), k=number(-1, 1), weight=1.5, traits=BLOCK,
    f=row_like(bounded=False))  # fmt: skip

row("scan", "lax.scan({f}, {0}, {1}, reverse={r})", inexact, arrays, outs="{0}, {1}",
    f=step(0, 1, extra=1, rows=(1,)), r=flag, weight=2, traits=BLOCK)  # fmt: skip
row("scan unrolled", "lax.scan({f}, {0}, {1}, unroll={u})", inexact, arrays, outs="{0}, {1}",
    f=step(0, 1, extra=1, rows=(1,)), u=one_of(2, True), weight=0.5, traits=BLOCK)  # fmt: skip
row("scan of two", "lax.scan(lambda c, x: (lambda r: (r[:2], r[2]))({f}(*c, x)), ({0}, {1}), {2})",
    inexact, numeric, arrays, outs="({0}, {1}), {2}",
    f=step(0, 1, 2, want=(0, 1), extra=1, rows=(2,)), traits=BLOCK)  # fmt: skip
row("scan of length", "lax.scan(lambda c, _: ({f}(c),) * 2, {0}, None, length={n})", inexact,
    outs="{0}, {1}", f=step(0), n=whole(0, 3), weight=0.7, traits=BLOCK)  # fmt: skip
row("fori_loop", "lax.fori_loop({lo}, {hi}, {f}, {0})", inexact, f=step(0, counters=1),
    lo=whole(-1, 1), hi=whole(1, 4), weight=1.2, traits=BLOCK)  # fmt: skip
row("fori_loop traced", "lax.fori_loop(0, {1} % 4, {f}, {0})", inexact, both(integers, scalar),
    f=lambda d: d.scope.block([d.args[1], d.args[0]], steps(d), [aval(d.args[0])]),
    weight=0.5, traits="block, forward in jax")  # fmt: skip
row("while_loop", "lax.while_loop(lambda c: (c[0] < {n}) & (np.sum(np.abs(c[1])) < {c}),"
    " lambda c: (c[0] + 1, {f}(c[1])), (0, {0}))", inexact, outs="{0}, {1}", f=step(0),
    n=whole(0, 4), c=number(1, 30), weight=0.5, traits="block, forward in jax")  # fmt: skip
row("while_loop of closure", "lax.while_loop(lambda c: c[0] < {n} + (np.sum(np.real({1})) > 0),"
    " lambda c: (c[0] + 1, {f}(c[1], c[0]) * np.cos(np.mean({1}))), (0, {0} + 0 * np.mean({1})))",
    both(inexact, lambda v: v.dtype.name in ("float64", "complex128")),
    both(filled, lambda v, *b: v.dtype.name == "float64"), outs="{0}, {1}",
    f=lambda d: d.scope.block([d.args[0], d.scope.root.zero], steps(d), [aval(d.args[0])]),
    n=whole(0, 3), weight=0.3, traits="block, forward in jax")  # fmt: skip
row("map", "lax.map({f}, {0})", arrays,
    f=lambda d: d.scope.block([d.args[0][0]], steps(d)), traits=BLOCK)  # fmt: skip
row("map in batches", "lax.map({f}, {0}, batch_size=2)", arrays,
    f=lambda d: d.scope.block([d.args[0][0]], steps(d)), weight=0.5, traits=BLOCK)  # fmt: skip
row("vmap of while",
    "dx.vmap(lambda r: lax.while_loop(lambda c: (c[0] < 3) & (np.sum(np.abs(c[1])) < {c}),"
    " lambda c: (c[0] + 1, {f}(c[1])), (0, r))[1])({0})", both(arrays, inexact), c=number(0.5, 9),
    f=row_like(), weight=0.3,
    traits="block, forward in jax")  # fmt: skip
