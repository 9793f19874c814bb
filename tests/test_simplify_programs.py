"""The simplifier inside of programs: calls, conditionals and loops; and sums that reverse mode
makes of parts.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
import diffeo.numpy as dnp
from diffeo import lax
from diffeo.passes.simplify import simplify
from diffeo.primitives import Array
from diffeo.primitives.constants import full
from diffeo.primitives.jaxpr import check_jaxpr, eval_jaxpr
from diffeo.primitives.words.slicing import pad
from tests.test_simplify import F, G, check, same_bits, shown, staged


def long(x):
    return dnp.sin(dnp.cos(dnp.exp(dnp.tanh(dnp.sinh(x)))))


def test_calls():
    small = dx.jit(lambda x: [x * 1.0, dnp.sin(x)])
    check(lambda x: small(x)[1] + dnp.sin(x), [G[:4]], "sin add")
    inner = dx.jit(lambda x, y, unused: [long(x), long(y), y])
    body = "tanh exp cos sin".join(["sinh ", ""])
    found = check(lambda x, y: inner(x, y, x)[0] + inner(x, y, y)[2], [F[:4], G[:4]],
                  f"call({body}) add")  # fmt: skip
    assert len(found.eqns[0].inputs) == 1
    twice = dx.jit(long)
    text = dx.jit(lambda x: twice(twice(x))).lower(F).as_text()
    assert text.count("func.func private") == 1


def test_effects_of_called_programs_happen_once():
    @dx.jit
    def talks(x):
        dx.debug.print("{}", x)
        return x * 1.0

    found = check(lambda x: [talks(x), talks(x)], [F], "call(debug_callback) call(debug_callback)",
                  compiled=False)  # fmt: skip
    assert not [v for eqn in found.eqns for v in eqn.outs]
    loop = lambda x: lax.fori_loop(0, 3, lambda i, c: talks(c) + x * 0, x)
    assert "debug_callback" in shown(simplify(staged(lambda x: [loop(x), x][1], [F])))


def test_conditionals():
    p = np.asarray(True)
    branch = lambda a: lambda x, y: [dnp.sin(x) * a, dnp.cos(x), y]
    found = check(lambda p, x, y: lax.cond(p, branch(1.0), branch(2.0), x, y)[::2], [p, G[:4], F],
                  "convert_element_type cond(sin mul; sin)")  # fmt: skip
    assert len(found.eqns[1].inputs) == 2  # the index and x
    check(lambda x: lax.switch(full((), 5, int), [dnp.sin, dnp.cos], x), [G[:4]], "cos")


def test_scan_results_that_nobody_reads():
    def step(carry, x):
        a, b, c = carry
        return (a + x, b * 2.0, c), (a, b, x, c, x)

    def run(xs):
        return lax.scan(step, (0.0, 1.0, 3.0), xs)

    xs = G[3:6]
    check(lambda xs: run(xs)[0][0], [xs], "scan(add)")
    check(lambda xs: run(xs)[0][1], [xs], "scan(mul)")
    check(lambda xs: [run(xs)[0][2], *run(xs)[1][2:]], [xs], "broadcast_in_dim")
    check(lambda xs: run(xs)[1][1], [xs], "scan(mul)")


def test_scan_over_equal_slices():
    body = lambda c, x: (c * x[0] + x[1], None)
    check(lambda c, y: lax.scan(body, c, (dnp.ones(5), dnp.broadcast_to(y, (5,))))[0],
          [np.float64(2), np.float64(3)], "scan(add)")  # fmt: skip


def test_invariants_leave_loops():
    W, x = np.eye(4) * 2, G[:4]

    def step(W, c):
        return dnp.tanh(W @ W @ c) + 1.0

    check(lambda W, x: lax.scan(lambda c, _: (step(W, c), None), x, None, 3)[0], [W, x],
          "dot_general scan(dot_general tanh add)")  # fmt: skip
    check(lambda W, x: lax.while_loop(lambda c: c[0] < 0.5, lambda c: step(W, c), x), [W, x],
          "dot_general while(slice reshape lt; dot_general tanh add)")  # fmt: skip


def test_what_is_large_or_cheap_stays_in_loops():
    v = np.ones(100)

    def step(v, c):
        return c + dnp.sum(dnp.sin(v[:, None] * v[None] * c) + v[None])

    program = staged(lambda v: lax.scan(lambda c, _: (step(v, c), None), 0.0, None, 3)[0], [v])
    found = simplify(program)
    assert [e.primitive.name for e in found.eqns if e.primitive.name != "full"] == ["scan"]


def test_checkpoints_compute_again():
    @dx.checkpoint
    def block(x):
        return dnp.sin(dnp.sin(dnp.sin(x)))

    program = staged(dx.grad(lambda x: dnp.sum(block(block(x)))), [G[:4]])
    count = lambda: dx.jit(dx.grad(lambda x: dnp.sum(block(block(x))))).lower(G[:4]).as_text()
    assert "checkpoint" in shown(simplify(program))
    text = count()
    with dx.config.simplification(False):
        plain = count()
    for word in ("optimization_barrier", "cosine", '"stablehlo.sine"'):
        assert text.count(word) == plain.count(word) > 0


# --------------------------------------------------------------------------------------------------
# Sums of parts


def sums(xs, *places):
    """The sum, one by one, of arrays padded with zeros at both ends."""
    total = None
    for x, (low, high) in zip(xs, places):
        part = pad(x, low, high)
        total = part if total is None else total + part
    return total


def test_sums_of_parts_are_concatenated():
    F, G, H = np.array([-0.0, 0.0, 1.5]), np.array([0.0, -0.0, np.nan]), np.array([-0.0, 2, 3])
    three = [([0], [6]), ([3], [3]), ([6], [0])]
    check(lambda *x: sums(x, *three), [F, G, H], "concatenate pad pad add")
    check(lambda *x: sums(x, *three[::-1]), [F, G, H], "concatenate pad pad add")
    gap = [([0], [12]), ([9], [3]), ([4], [8])]
    check(lambda *x: sums(x, *gap), [F, G, H], "full concatenate pad pad add pad")
    check(lambda *x: sums(x, *three), [F + 1j, G * 1j, H - 0j], "concatenate pad pad add")
    check(lambda *x: sums([*x, x[0]], *three, three[1]), [F, G, H], "add concatenate pad pad add")
    check(lambda *x: sums(x, *three[:1] * 3), [F, G, H], "add add pad")
    overlapping = [([0], [6]), ([2], [4]), ([6], [0])]
    check(lambda *x: sums(x, *overlapping), [F, G, H], "pad pad add pad add")
    check(lambda *x: [s := sums(x, *three), s + pad(x[0], [1], [5])], [F, G, H],
          "concatenate pad pad add pad add")  # fmt: skip
    tiles = [((i, j), (1 - i, 2 - j)) for i in range(2) for j in range(3)]
    cells = lambda x: [x[i : i + 1, j : j + 1] for i in range(2) for j in range(3)]
    tile = "concatenate pad pad add "
    check(lambda x: sums(cells(x), *tiles), [np.array([[-0.0, 0, 1], [2, np.inf, 3]])],
          "slice " * 6 + tile * 2 + "pad pad add")  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=90))
def test_sums_of_any_number_of_parts(sizes: list):
    """Parts of any size with any gaps, some twice."""
    ends = np.cumsum([n + gap for n, gap in sizes])
    places = [([int(e - n - gap)], [int(ends[-1] - e + gap)]) for e, (n, gap) in zip(ends, sizes)]
    rng = np.random.default_rng(len(sizes))
    xs = [rng.choice([-0.0, 0.0, 1.0, 1e-9, np.inf], n) for n, _ in sizes]
    twice = rng.permutation(np.r_[np.arange(len(xs)), np.arange(0, len(xs), 3)])
    program = staged(lambda *xs: [sums([xs[i] for i in twice], *[places[i] for i in twice])], xs)
    found, arrays = simplify(program), [Array(x) for x in xs]
    check_jaxpr(found)
    assert len(found.eqns) <= len(program.eqns) + len(xs)  # gaps are numbers of their own
    same_bits(eval_jaxpr(found, arrays)[0], eval_jaxpr(program, arrays)[0])


def test_gradient_of_every_element_pads_few():
    many = lambda x: sum([x[i] * x[i] for i in range(60)], 0.0)
    names = shown(simplify(staged(dx.grad(many), [np.arange(60.0)]))).split()
    assert names.count("pad") == 8 and names.count("concatenate") == 8
