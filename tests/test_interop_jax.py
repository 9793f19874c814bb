"""diffeo.interop.jax: jax's programs as ours, ours as jax's, and arrays of both together."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives.array import Array, as_value
from diffeo.primitives.support.errors import UnexpectedTracerError
from diffeo.primitives.types import SCALARS
from diffeo.routines.keys import WrapWords
from tests.samples import SAMPLES
from tests.sampling import Sample

if importlib.util.find_spec("jax") is None:
    pytest.skip("jax is not installed", allow_module_level=True)

import jax
import jax.extend.core
import jax.numpy as jnp
from jax.extend.core import primitives as known

from diffeo.interop.jax import from_jax, to_jax
from diffeo.interop.jax.inward import reader
from tests.jax_programs import NO_GRADIENT, NO_VMAP, PROGRAMS, floats


@pytest.fixture(autouse=True)
def wide():
    """Let jax compute with 64 bits, as diffeo does."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def same(ours: Any, theirs: Any, tol: float = 1e-7) -> None:
    """Leaves are equal: shapes, dtypes, and numbers to a tolerance."""
    left, right = dx.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(left) == len(right)
    for p, q in zip(map(np.asarray, left), map(np.asarray, right)):
        assert p.shape == q.shape and p.dtype == q.dtype
        np.testing.assert_allclose(p.astype(complex), q.astype(complex), rtol=tol, atol=tol)


def total(f: Callable, leaves: Callable, space: Any) -> Callable:
    """A number made of the results of a function that are floats."""
    return lambda *args: sum(space.sum(space.sin(o)) for o in leaves(f(*args)) if is_float(o))


def is_float(x: Any) -> bool:
    return np.dtype(x.dtype) == np.float64


# --------------------------------------------------------------------------------------------------
# from_jax

#: A few of each kind; the others are for a long night.
QUICK = frozenset(
    (
        "complex", "cond", "conv", "cumsum", "custom_jvp", "custom_vjp", "fft", "gamma", "gather",
        "linear_solve", "max_pool", "normal", "pad", "psum", "pure_callback", "rbg", "reduce",
        "relu", "remat", "scan", "scatter_add", "select_n", "softmax", "solve", "sort", "svd",
        "while",
    )
)  # fmt: skip


def programs() -> list[Any]:
    marked = lambda name: () if name in QUICK else (pytest.mark.exhaustive,)
    return [pytest.param(name, marks=marked(name)) for name in PROGRAMS]


@pytest.mark.parametrize("name", programs())
@pytest.mark.sampled(2)
def test_from_jax(name: str):
    f, *args = PROGRAMS[name]
    g, by = from_jax(f), tuple(floats(tuple(args)))
    expected = jax.jit(f)(*args)
    same(g(*args), expected)
    same(dx.jit(g)(*args) if not has_keys(args) else g(*args), expected)
    outs = jax.tree.leaves(expected)
    if by and name not in NO_GRADIENT and any(map(is_float, outs)):
        ours, theirs = total(g, dx.tree.leaves, dx.numpy), total(f, jax.tree.leaves, jnp)
        same(dx.grad(ours, by)(*args), jax.jit(jax.grad(theirs, by))(*args))
    if by and name not in NO_VMAP:
        axes = [0 if i in by else None for i in range(len(args))]
        rows = [np.stack([a, 0.9 * a]) if i in by else a for i, a in enumerate(args)]
        same(dx.vmap(g, axes)(*rows), jax.jit(jax.vmap(f, axes))(*rows))


def has_keys(args: Any) -> bool:
    return any([not isinstance(getattr(a, "dtype", np.dtype(float)), np.dtype) for a in args])


@pytest.mark.parametrize("name", ["softmax", "custom_jvp", "custom_vjp", "solve", "scan", "fft"])
def test_second_derivatives(name: str):
    f, *args = PROGRAMS[name]
    by = tuple(floats(tuple(args)))
    ours = total(from_jax(f), dx.tree.leaves, dx.numpy)
    theirs = total(f, jax.tree.leaves, jnp)
    norm = lambda d, space: lambda *xs: sum(space.sum(t**2) for t in d(*xs))
    second = dx.grad(norm(dx.grad(ours, by), dx.numpy), by)(*args)
    same(second, jax.jit(jax.grad(norm(jax.grad(theirs, by), jnp), by))(*args), 1e-6)


def test_every_order_and_taylor_mode():
    f = from_jax(lambda x: jnp.tanh(jnp.sin(x) * x))
    assert np.allclose(dx.nth_derivative(f, 8)(0.3), dx.nth_derivative(
        lambda x: np.tanh(np.sin(x) * x), 8)(0.3))  # fmt: skip
    g = from_jax(jax.nn.softplus)  # whose rule is its own
    logistic = lambda x: 1 / (1 + np.exp(-x))
    assert np.allclose(dx.nth_derivative(g, 4)(0.3), dx.nth_derivative(logistic, 3)(0.3))


def test_finite_differences():
    f = from_jax(lambda a, x: jnp.linalg.solve(a, x) @ jnp.sort(x))
    a, x = PROGRAMS["solve"][1:]
    d = np.random.default_rng(1).normal(size=a.shape)
    h = 1e-6
    slope = (f(a + h * d, x) - f(a - h * d, x)) / (2 * h)
    assert np.allclose(np.sum(dx.grad(f)(a, x) * d), slope, rtol=1e-6)


def test_trees_static_arguments_and_keywords():
    @jax.tree_util.register_pytree_node_class
    class Box:
        def __init__(self, x: Any, kind: str):
            self.x, self.kind = x, kind

        def tree_flatten(self):
            return (self.x,), self.kind

        @classmethod
        def tree_unflatten(cls, kind: str, children: Any):
            return cls(children[0], kind)

    def f(box: Any, power: int, *, scale: Any = 1.0, name: str = "a"):
        assert isinstance(power, int) and name in ("a", "b")
        return {"box": Box(box.x**power * scale, box.kind), "name": name, "none": None}

    g = from_jax(f, static_argnums=1)
    x = dx.numpy.array([1.0, 2.0])
    out = g(Box(x, "k"), 3, scale=2.0, name="b")
    assert out["box"].kind == "k" and out["name"] == "b" and out["none"] is None
    assert type(out["box"].x) is Array and out["box"].x.tolist() == [2.0, 16.0]
    slope = dx.grad(lambda b: dx.numpy.sum(g(b, 3)["box"].x))(Box(x, "k"))
    assert isinstance(slope, Box) and slope.x.tolist() == [3.0, 12.0]
    named = from_jax(lambda x, n: x**n, static_argnames="n")
    assert named(2.0, n=3) == 8.0


def test_a_signature_is_traced_once():
    count = 0

    def f(x: Any):
        nonlocal count
        count += 1
        return jnp.sin(x)

    g = from_jax(f)
    for _ in range(3):
        g(1.0), g(np.ones(3))
    assert count == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_are_those_of_the_arguments(dtype: Any):
    jax.config.update("jax_enable_x64", False)
    f = from_jax(lambda x: jax.nn.relu(x) + jnp.zeros(2) + 1.5)
    x = np.ones(2, dtype)
    assert f(x).dtype == dtype and dx.grad(lambda x: f(x).sum())(x).dtype == dtype
    assert f(dx.numpy.asarray(x)).weak_type is False


def test_a_primitive_of_somebody_else_keeps_its_rules():
    from jax.interpreters import ad, batching, mlir

    cube = jax.extend.core.Primitive("sin")  # a name that is taken
    cube.def_impl(lambda x: x * x * x)
    cube.def_abstract_eval(lambda x: jax.core.ShapedArray(x.shape, x.dtype))
    ad.defjvp(cube, lambda t, x: 5 * t * x * x)  # five, to tell it from the true one
    batching.defvectorized(cube)
    mlir.register_lowering(cube, mlir.lower_fun(lambda x: x * x * x, multiple_results=False))
    f = from_jax(cube.bind)
    assert f(2.0) == 8.0 and dx.grad(f)(2.0) == 20.0 and dx.jit(f)(2.0) == 8.0
    assert dx.vmap(f)(np.array([1.0, 2.0])).tolist() == [1.0, 8.0]
    assert dx.grad(dx.grad(f))(2.0) == 20.0


def test_a_primitive_without_translation_is_named():
    opaque = jax.extend.core.Primitive("opaque")
    opaque.def_abstract_eval(lambda x: jax.core.ShapedArray(x.shape, x.dtype))
    opaque.def_impl(lambda x: opaque.bind(x))
    with pytest.raises(NotImplementedError, match=r"'opaque'.*\n.*test_interop_jax.py"):
        from_jax(opaque.bind)(1.0)


@pytest.mark.parametrize("name", sorted(n for n in dir(known) if n.endswith("_p")))
def test_the_table_is_complete(name: str):
    """Each of jax's public primitives has a rule, or stands here with the reason."""
    primitive = getattr(known, name)
    assert primitive.name in reader.RULES or primitive.name in UNTRANSLATED, primitive.name


#: jax's primitives that have no rule: name -> why.
UNTRANSLATED = {
    "after_all": "orders effects, which no public function of arrays makes",
    "create_token": "orders effects",
    "all_gather": "of mapped axes; vmap has replaced it",
    "all_to_all": "of mapped axes; vmap has replaced it",
    "axis_index": "of mapped axes; vmap has replaced it",
    "ppermute": "of mapped axes; vmap has replaced it",
    "ragged_all_to_all": "of meshes of devices",
    "get": "of mutable references",
    "swap": "of mutable references",
    "random_gamma": "is translated by its impl and its derivative rule in jax",
    "select_and_scatter": "no public function of jax's makes it",
    "custom_lin": "exists while jax transposes only",
}


# --------------------------------------------------------------------------------------------------
# to_jax

#: Samples with other numbers in jax, or none: the start of the name -> why.
NOT_IN_JAX = {
    "psum": "named axes", "pmax": "named axes", "pmin": "named axes", "ppermute": "named axes",
    "all_": "named axes", "axis_index": "named axes", "psum_scatter": "named axes",
}  # fmt: skip


def without_keys(s: Sample) -> bool:
    """Whether no array of keys goes in or out, which has another class in jax."""
    makes = isinstance(s.primitive, WrapWords)
    return not makes and not any([np.asarray(a).dtype.names for a in s.args])


def one_of_each(keep: Callable[[Sample], bool] = lambda s: True) -> list[Any]:
    """The samples: the first of every fourth primitive is slow, the others are for a long night."""
    seen: set[str] = set()
    params = []
    for s in SAMPLES:
        name = s.primitive.name
        if any([name.startswith(n) for n in NOT_IN_JAX]) or not keep(s):
            continue
        chosen = name not in seen and len(seen) % 4 == 0
        mark = pytest.mark.slow if chosen else pytest.mark.exhaustive
        params.append(pytest.param(s, marks=(mark,), id=s.name))
        seen.add(name)
    return params


def is_differentiable(s: Sample) -> bool:
    real = any([o.dtype == np.float64 for o in s.impl(*s.args)]) if s.differentiable else False
    return real and s.primitive.name not in ("while", "replay")  # jax has no reverse mode there


def as_function(s: Sample) -> tuple[Callable, list[Any]]:
    """A sample as a function of its arrays."""
    arrays = [a for a in s.args if type(a) not in SCALARS]

    def bind(*xs: Any) -> Any:
        given = iter(xs)
        return s.bind(*[a if type(a) in SCALARS else next(given) for a in s.args])

    return bind, arrays


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("s", one_of_each(without_keys))
@pytest.mark.sampled(2)
def test_to_jax(s: Sample):
    bind, arrays = as_function(s)
    outs = jax.jit(to_jax(bind))(*arrays)
    for out, expected in zip(outs, s.impl(*s.args)):
        close(out, expected)


def close(out: Any, expected: Any, tol: float = 1e-8) -> None:
    out = np.asarray(out)
    assert out.shape == expected.shape and out.dtype == expected.dtype
    narrow = out.dtype.kind == "V" or out.dtype.itemsize == 2
    if narrow:
        out, expected = out.astype(float), expected.astype(float)
    tol = 2e-2 if narrow else 2e-5 if out.dtype in (np.float32, np.complex64) else tol
    np.testing.assert_allclose(out, expected, rtol=tol, atol=tol)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("s", one_of_each(lambda s: s.differentiable))
@pytest.mark.sampled(2)
def test_gradients_in_jax(s: Sample):
    bind, arrays = as_function(s)
    by = tuple([i for i, a in enumerate(arrays) if a.dtype == np.float64])
    if not by or not is_differentiable(s):
        pytest.skip("no derivative that jax could have")
    ours = dx.grad(total(bind, list, dx.numpy), by)(*arrays)
    theirs = jax.jit(jax.grad(total(to_jax(bind), list, jnp), by))(*arrays)
    same(ours, theirs, 1e-6)


FUNCTIONS = {
    "sum of squares": lambda x: dx.numpy.sum(dx.numpy.sin(x) ** 2),
    "fresnel": lambda x: dx.numpy.sum(dx.scipy.special.fresnel(x)[0]),
    "solve": lambda x: dx.numpy.linalg.solve(dx.numpy.outer(x, x) + dx.numpy.eye(3), x)[0],
    "svd": lambda x: dx.numpy.linalg.svd(dx.numpy.outer(x, x) + dx.numpy.eye(3))[1].sum(),
    "scan": lambda x: dx.lax.scan(lambda c, y: (dx.numpy.sin(c + y), c), 0.0, x)[1].sum(),
    "cond": lambda x: dx.lax.cond(x[0] > 0, dx.numpy.sin, dx.numpy.cos, x).sum(),
    "checkpoint": dx.checkpoint(lambda x: dx.numpy.sin(dx.numpy.sin(x)).sum()),
    "gradient inside": lambda x: dx.grad(lambda y: (dx.numpy.tanh(y) ** 3).sum())(x).sum(),
    "max pool": lambda x: dx.lax.reduce_window(x, -np.inf, dx.lax.max, (2,)).sum(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inside_of_jax(name: str):
    f, x = FUNCTIONS[name], np.array([0.3, 0.7, 0.5])
    g = to_jax(f)
    same(f(x), jax.jit(g)(x))
    same(dx.grad(f)(x), jax.jit(jax.grad(g))(x))
    rows = np.stack([x, 0.9 * x])
    same(dx.vmap(dx.grad(f))(rows), jax.jit(jax.vmap(jax.grad(g)))(rows))
    same(dx.hessian(f)(x), jax.jit(jax.hessian(g))(x), 1e-6)


def test_rules_of_the_users_own_go_to_jax():
    @dx.custom_jvp
    def f(x: Any):
        return dx.numpy.sin(x)

    f.defjvp(lambda p, t: (f(*p), 3 * t[0]))

    @dx.custom_vjp
    def g(x: Any):
        return dx.numpy.sin(x)

    g.defvjp(lambda x: (g(x), x), lambda x, ct: (5 * ct,))
    assert jax.grad(to_jax(f))(1.0) == 3.0 and jax.jit(jax.grad(to_jax(g)))(1.0) == 5.0
    assert jax.jvp(to_jax(f), (1.0,), (2.0,))[1] == 6.0


@pytest.mark.parametrize("name", ["softmax", "custom_jvp", "custom_vjp", "scan", "cond", "solve"])
def test_there_and_back(name: str):
    f, *args = PROGRAMS[name]
    by = tuple(floats(tuple(args)))
    g = to_jax(from_jax(f))
    same(g(*args), f(*args))
    theirs, again = total(f, jax.tree.leaves, jnp), total(g, jax.tree.leaves, jnp)
    same(jax.jit(jax.grad(again, by))(*args), jax.jit(jax.grad(theirs, by))(*args))


@pytest.mark.parametrize("name", ["sum of squares", "fresnel", "svd", "scan"])
def test_back_and_there(name: str):
    f, x = FUNCTIONS[name], np.array([0.3, 0.7, 0.5])
    g = from_jax(to_jax(f))
    same(g(x), f(x))
    same(dx.grad(g)(x), dx.grad(f)(x))


def test_trees_and_static_leaves_in_jax():
    f = to_jax(lambda tree, kind: {kind: tree["a"] * 2, "b": None})
    out = jax.jit(lambda x: f({"a": x}, "k"))(3.0)
    assert out["k"] == 6.0 and out["b"] is None


def test_64_bits_in_a_jax_of_32():
    jax.config.update("jax_enable_x64", False)
    assert to_jax(lambda x: x * 2.0 + dx.numpy.zeros(()))(jnp.ones(())).dtype == np.float32
    with pytest.raises(TypeError, match="jax is set to 32 bits"):
        to_jax(lambda x: x * np.ones(2))(jnp.ones(2))


def test_callbacks_of_both():
    seen: list[float] = []

    def f(x: Any):
        dx.debug.callback(lambda v: seen.append(float(v)), x)
        return dx.pure_callback(np.sin, dx.ShapeDtypeStruct((), "float64"), x)

    assert np.allclose(jax.jit(to_jax(f))(2.0), np.sin(2.0))
    jax.effects_barrier()
    assert seen == [2.0]
    lines: list[float] = []
    g = from_jax(lambda x: (jax.debug.callback(lambda v: lines.append(float(v)), x), x * 2)[1])
    assert dx.jit(g)(3.0) == 6.0 and lines == [3.0]


def test_debug_print(capsys: Any):
    from_jax(lambda x: (jax.debug.print("x = {x:.2f} {}", 7, x=x), x)[1])(1.5)
    assert capsys.readouterr().out == "x = 1.50 7\n"


# --------------------------------------------------------------------------------------------------
# Arrays meet

ours = dx.numpy.array([1.0, 2.0])


def theirs() -> Any:
    return jnp.array([1.0, 2.0])


MEETINGS: dict[str, tuple[Callable, str]] = {
    "jnp.sin": (lambda j: jnp.sin(ours), "jaxlib"),
    "jnp.stack": (lambda j: jnp.stack([ours, j]), "jaxlib"),
    "jax.jit": (lambda j: jax.jit(lambda p: jnp.sin(p["a"]))({"a": ours}), "jaxlib"),
    "jax.grad": (lambda j: jax.grad(lambda x: jnp.sum(x**2))(ours), "jaxlib"),
    "jax.vmap": (lambda j: jax.vmap(jnp.sin)(ours), "jaxlib"),
    "jax.lax": (lambda j: jax.lax.add(j, ours), "jaxlib"),
    "closed over": (lambda j: jax.jit(lambda x: x * ours)(j), "jaxlib"),
    "closed over, first": (lambda j: jax.jit(lambda x: ours * x)(j), "jaxlib"),
    "jax first": (lambda j: j + ours, "jaxlib"),
    "diffeo first": (lambda j: ours + j, "diffeo"),
    "compared": (lambda j: ours == j, "diffeo"),
    "dx.numpy": (lambda j: dx.numpy.sin(j), "diffeo"),
    "dx.jit": (lambda j: dx.jit(dx.numpy.sin)(j), "diffeo"),
    "dx.grad": (lambda j: dx.grad(lambda x: dx.numpy.sum(x**2))(j), "diffeo"),
    "dx.vmap": (lambda j: dx.vmap(dx.numpy.sin)(j), "diffeo"),
    "constant": (lambda j: dx.jit(lambda x: x * j)(ours), "diffeo"),
    "dx.lax": (lambda j: dx.lax.add(j, ours), "diffeo"),
    "index": (lambda j: ours[j.astype(int) - 1], "diffeo"),
    "update": (lambda j: ours.at[0].set(j[1]), "diffeo"),
    "tree": (lambda j: jax.tree.map(lambda x, y: x * y, {"a": ours}, {"a": j})["a"], "diffeo"),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_arrays_meet(name: str):
    f, whose = MEETINGS[name]
    out = f(theirs())
    assert type(out).__module__.partition(".")[0] == whose
    np.testing.assert_allclose(out, f_numpy(f), rtol=1e-12)


def f_numpy(f: Callable) -> Any:
    """What NumPy's numbers say of the same."""
    return np.asarray(f(theirs()))


def test_the_numbers_of_jax_arrays_are_not_copied():
    j = theirs()
    assert np.shares_memory(np.asarray(as_value(j)), np.asarray(j))


def test_tracers_of_the_other_are_refused():
    with pytest.raises(TypeError, match="to_jax"):
        jax.jit(lambda x: dx.numpy.sin(x))(theirs())
    with pytest.raises(UnexpectedTracerError, match="from_jax"):
        dx.jit(lambda x: jnp.multiply(theirs(), x))(ours)
    with pytest.raises(UnexpectedTracerError, match="from_jax"):
        dx.grad(lambda x: jnp.sin(x))(1.0)
    with pytest.raises(TypeError, match="traced by jax"):
        jax.jit(from_jax(jnp.sin))(theirs())


def test_operators_of_jaxs_arrays_leave_traced_values_to_diffeo():
    for f in (lambda y, x: y * x, lambda y, x: x - y, lambda y, x: y / x, lambda y, x: y @ x):
        expected = dx.grad(lambda x, f=f: dx.numpy.sum(f(np.asarray(theirs()), x)))(ours)
        same(dx.grad(lambda x, f=f: dx.numpy.sum(f(theirs(), x)))(ours), expected)
        same(dx.jit(lambda x, f=f: f(theirs(), x))(ours), f(np.asarray(theirs()), np.asarray(ours)))


def test_half_precision_and_keys():
    half = jnp.ones(2, jnp.bfloat16)
    assert dx.numpy.add(half, half).dtype == half.dtype
    key = jax.random.key(3)
    normal = from_jax(lambda k: jax.random.normal(k, (2,)))
    same(normal(key), jax.random.normal(key, (2,)))
    same(normal(dx.random.key(3)), jax.random.normal(key, (2,)))
    inside = dx.random.key(4)
    f = lambda k: dx.random.normal(k, (2,)) + dx.random.uniform(dx.random.split(inside)[0], (2,))
    for k in (key, dx.random.key(3)):
        same(jax.jit(to_jax(f))(k) if k is key else to_jax(f)(k), np.asarray(f(dx.random.key(3))))
