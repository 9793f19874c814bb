"""`default_rng`, a generator with a state, and keys that are used twice."""

import pickle

import numpy as np
import pytest

import diffeo as dx
from diffeo import random
from diffeo.errors import KeyReuseError, UnexpectedTracerError

CALLS = {
    "random": lambda r: r.random(3),
    "uniform": lambda r: r.uniform(1, [2, 3], 2),
    "integers": lambda r: r.integers(10, size=3),
    "integers to the end": lambda r: r.integers(0, 10, 3, endpoint=True),
    "choice": lambda r: r.choice([1.0, 2.0], 3),
    "permutation": lambda r: r.permutation([1, 2, 3]),
    "permuted": lambda r: r.permuted(np.eye(3), axis=1),
    "shuffle": lambda r: r.shuffle(np.arange(4)),
    "standard_normal": lambda r: r.standard_normal(3),
    "normal": lambda r: r.normal([1, 2.0], 2),
    "lognormal": lambda r: r.lognormal(size=2),
    "exponential": lambda r: r.exponential(2.0, 3),
    "standard_exponential": lambda r: r.standard_exponential(3),
    "standard_cauchy": lambda r: r.standard_cauchy(2),
    "rayleigh": lambda r: r.rayleigh(2.0, 3),
    "gumbel": lambda r: r.gumbel(size=2),
    "laplace": lambda r: r.laplace(size=2),
    "logistic": lambda r: r.logistic(size=2),
    "pareto": lambda r: r.pareto(2.0, 3),
    "weibull": lambda r: r.weibull(2.0, 3),
    "wald": lambda r: r.wald(2.0, 3.0, 3),
    "triangular": lambda r: r.triangular(0, 1, 2, 3),
    "geometric": lambda r: r.geometric(0.5, 3),
    "multivariate_normal": lambda r: r.multivariate_normal([0, 0], [[1, 0], [0, 1]], 3),
}
LOOPS = {
    "gamma": lambda r: r.gamma(2.0, [1.0, 2.0]),
    "standard_gamma": lambda r: r.standard_gamma(2.0, 3),
    "beta": lambda r: r.beta(2.0, 3.0, 3),
    "dirichlet": lambda r: r.dirichlet([1.0, 2.0], 3),
    "chisquare": lambda r: r.chisquare(2.0, 3),
    "f": lambda r: r.f(2.0, 3.0, 3),
    "standard_t": lambda r: r.standard_t(2.0, 3),
    "poisson": lambda r: r.poisson(2.0, 3),
    "binomial": lambda r: r.binomial(10, 0.5, 3),
    "multinomial": lambda r: r.multinomial(10, [0.5, 0.5], 3),
}


def test_shapes_and_dtypes_are_numpys():
    ours, numpys = random.default_rng(0), np.random.default_rng(0)
    for name, call in CALLS.items():
        out, expected = call(ours), call(numpys)
        if expected is None:  # NumPy's shuffle writes into its operand
            expected = np.arange(4)
        assert (out.shape, out.dtype) == (np.shape(expected), np.asarray(expected).dtype), name


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_shapes_and_dtypes_of_loops(name):
    out = LOOPS[name](random.default_rng(0))
    expected = LOOPS[name](np.random.default_rng(0))
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)


def test_a_state_moves_on():
    rng = random.default_rng(3)
    draws = [float(rng.normal()) for _ in range(50)]
    assert len(set(draws)) == 50
    again = random.default_rng(3)
    assert [float(again.normal()) for _ in range(50)] == draws
    assert float(random.default_rng(random.key(3)).normal()) == draws[0]
    assert float(random.default_rng([3]).normal()) == draws[0]
    assert float(random.default_rng([3, 4]).normal()) != draws[0]
    assert random.default_rng(rng) is rng
    copied = pickle.loads(pickle.dumps(rng))
    assert float(copied.normal()) == float(rng.normal())
    assert float(random.default_rng().normal()) != float(random.default_rng().normal())
    children = rng.spawn(3)
    assert len({float(r.normal()) for r in children}) == 3
    assert rng.spawn_key(4).shape == (4,) and len(rng.bytes(7)) == 7
    for bad in (1.5, "seed", random.split(random.key(0), 2)):
        with pytest.raises(TypeError, match="default_rng"):
            random.default_rng(bad)


def test_a_state_stays_out_of_traces():
    rng = random.default_rng(0)

    def noisy(x):
        return x + rng.normal()

    x = dx.numpy.zeros(2)
    for run in (
        lambda: dx.jit(noisy)(x),
        lambda: dx.vmap(noisy)(x),
        lambda: dx.lax.map(noisy, x),
        lambda: dx.lax.scan(lambda c, _: (noisy(c), None), 0.0, None, 3),
        lambda: dx.lax.fori_loop(0, 3, lambda i, c: noisy(c), 0.0),
        lambda: dx.lax.cond(True, noisy, noisy, 0.0),
        lambda: dx.make_jaxpr(noisy)(x),
        lambda: dx.jit(dx.grad(noisy))(1.0),
    ):
        with pytest.raises(UnexpectedTracerError, match="spawn_key"):
            run()
    # A derivative runs the function at once, so each call draws anew.
    slope = dx.grad(lambda x: x * rng.normal())
    assert float(slope(1.0)) != float(slope(1.0))
    assert float(dx.grad(dx.grad(lambda x: x * x * rng.normal()))(1.0)) != 0.0
    dx.vjp(noisy, 1.0), dx.jvp(noisy, (1.0,), (1.0,)), dx.linearize(noisy, 1.0)


def test_a_state_within_a_trace():
    kept = []

    @dx.jit
    def noisy(x, key):
        rng = random.default_rng(key)
        kept.append(rng)
        return dx.numpy.stack([x + rng.normal(), x + rng.normal()])

    rng = random.default_rng(0)
    a, b = (np.asarray(noisy(0.0, rng.spawn_key())) for _ in range(2))
    assert len({*a, *b}) == 4
    with pytest.raises(UnexpectedTracerError):
        kept[0].normal()
    rows = dx.vmap(lambda k: random.default_rng(k).normal())(rng.spawn_key(5))
    assert len(set(np.asarray(rows))) == 5

    @dx.jit
    def nested(key):
        rng = random.default_rng(key)
        return dx.lax.scan(lambda c, _: (c + rng.normal(), None), 0.0, None, 3)

    with pytest.raises(UnexpectedTracerError, match="def f"):
        nested(random.key(0))


# --------------------------------------------------------------------------------------------------
# Reuse of keys


def two(key):
    return random.normal(key) + random.uniform(key)


def in_loop(key):
    return dx.lax.scan(lambda c, _: (c + random.normal(key), None), 0.0, None, 5)


def repeated_carry(key):
    return dx.lax.scan(lambda c, _: (c, random.normal(c)), key, None, 5)


def in_while(key):
    return dx.lax.while_loop(lambda c: c < 1, lambda c: c + abs(random.normal(key)), 0.0)


REUSES = {
    "eager": lambda k: two(k),
    "jit": lambda k: dx.jit(two)(k),
    "vmap": lambda k: dx.vmap(two)(random.split(k)),
    "jit of vmap": lambda k: dx.jit(dx.vmap(two))(random.split(k)),
    "grad": lambda k: dx.grad(lambda x, k: x * two(k))(1.0, k),
    "jit of grad": lambda k: dx.jit(dx.grad(lambda x, k: x * two(k)))(1.0, k),
    "scan": lambda k: in_loop(k),
    "jit of scan": lambda k: dx.jit(in_loop)(k),
    "carry": lambda k: repeated_carry(k),
    "fori_loop": lambda k: dx.lax.fori_loop(0, 3, lambda i, c: c + random.normal(k), 0.0),
    "while": lambda k: dx.jit(in_while)(k),
    "closed over": lambda k: dx.jit(lambda: two(k))(),
    "made inside": lambda k: dx.jit(lambda: two(random.key(3)))(),
    "indexed": lambda k: dx.jit(lambda ks: random.normal(ks[0]) + random.normal(ks[:2][0]))(
        random.split(k)
    ),
    "part and whole": lambda k: dx.jit(
        lambda ks: random.normal(ks[0]) + dx.vmap(random.normal)(ks).sum()
    )(random.split(k)),
    "split twice": lambda k: (random.split(k), random.split(k)),
    "across jit": lambda k: (dx.jit(random.normal)(k), random.normal(k)),
    "jit twice": lambda k: (lambda f: (f(k), f(k)))(dx.jit(random.normal)),
    "another array of it": lambda k: (random.normal(k[None][0]), random.normal(k)),
}


@pytest.mark.parametrize("name", REUSES)
def test_reuse_is_reported(name):
    with dx.debug_key_reuse(), pytest.raises(KeyReuseError, match="again") as caught:
        REUSES[name](random.key(0))
    text = str(caught.value)
    assert text.count("test_random_state.py") == 2, text  # both lines


def step(carry, _):
    following, now = random.split(carry)
    return following, random.normal(now)


USES = {
    "scan": lambda k: dx.lax.scan(step, k, None, 5),
    "jit of scan": lambda k: dx.jit(lambda k: dx.lax.scan(step, k, None, 5))(k),
    "split": lambda k: [random.normal(s) for s in random.split(k, 3)],
    "jit of split": lambda k: [random.normal(s) for s in dx.jit(random.split)(k)],
    "branches": lambda k: dx.jit(
        lambda k: dx.lax.cond(True, lambda: random.normal(k), lambda: random.uniform(k))
    )(k),
    "clone": lambda k: dx.jit(lambda k: random.normal(k) + random.uniform(random.clone(k)))(k),
    "fold_in": lambda k: [random.normal(random.fold_in(k, i)) for i in range(3)],
    "vmap": lambda k: dx.jit(dx.vmap(random.normal))(random.split(k, 3)),
    "map": lambda k: dx.lax.map(random.normal, random.split(k, 3)),
    "many slices": lambda k: dx.lax.scan(
        lambda c, k: (c, random.normal(k)), 0.0, random.split(k, 50)
    ),
    "checkpoint": lambda k: dx.jit(dx.grad(dx.checkpoint(lambda x, k: x * x * random.normal(k))))(
        1.0, k
    ),
    "permutation": lambda k: random.permutation(k, 5),
    "randint": lambda k: random.randint(k, (3,), 0, 5),
    "a generator": lambda k: [random.default_rng(k).normal() for _ in range(1)],
}


@pytest.mark.parametrize("name", USES)
def test_what_is_no_reuse(name):
    with dx.debug_key_reuse():
        for _ in range(2):  # a key that is made anew may be used anew
            USES[name](random.key(5))


def test_nothing_is_asked_by_default():
    key = random.key(0)
    two(key), dx.jit(two)(key), in_loop(key)
    with dx.debug_key_reuse():
        two_raw = random.PRNGKey(0)
        two(two_raw)  # raw keys are arrays like others
    assert not dx.config.debug_key_reuse
