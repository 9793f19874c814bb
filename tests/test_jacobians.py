"""Full derivatives in chunks, of complex functions and by integers; products with second
derivatives: against dense matrices, against jax, and under other transformations.
"""

import functools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from tests.checks import array, close, raises, rng
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

WRAPS = {
    "eager": lambda f: f,
    "jit": dx.jit,
    "vmap": lambda f: (
        lambda *args: dx.tree.map(
            lambda y: y[1], dx.vmap(f)(*dx.tree.map(lambda x: np.stack([0 * x, x]), args))
        )
    ),
}


@pytest.fixture(params=WRAPS.values(), ids=WRAPS)
def wrap(request):
    return request.param


def several(lib, a, t):
    """Two results of three leaves; one does not depend on all of them."""
    return {
        "m": lib.sin(a)[:, None] * t["b"],
        "s": (lib.sum(a**3) * t["c"], lib.zeros(2)),
    }


def point(rows=2, columns=3):
    return rng(rows), {"b": rng(columns, seed=1), "c": np.array(0.5)}


# --------------------------------------------------------------------------------------------------
# Chunks

SIZES = st.integers(1, 40)


@given(
    st.integers(0, 4), st.integers(0, 4), SIZES, st.sampled_from([dx.jacfwd, dx.jacrev]),
    st.sampled_from(["eager", "jit", "vmap"]),
)  # fmt: skip
def test_chunks_do_not_change_the_result(rows, columns, chunk, transformation, how):
    args = point(rows, columns)
    f = functools.partial(several, dx.numpy)
    expected = transformation(f, (0, 1))(*args)
    found = WRAPS[how](transformation(f, (0, 1), chunk_size=chunk))(*args)
    close(found, expected)


@given(st.integers(1, 9), SIZES, st.booleans())
def test_chunks_of_a_hessian(size, chunk, compiled):
    f = lambda x: np.sum(np.sin(x)) * np.sum(x**2)
    x = rng(size)
    s, c = np.sin(x), np.cos(x)
    expected = np.diag(-s * np.sum(x**2) + 2 * np.sum(s)) + 2 * np.outer(c, x) + 2 * np.outer(x, c)
    hessian = dx.hessian(f, chunk_size=chunk)
    close((dx.jit(hessian) if compiled else hessian)(x), expected)


@pytest.mark.parametrize("by", ["jacfwd", "jacrev"])
def test_chunks_are_what_jax_computes(jax, by, wrap):
    args = point()
    expected = getattr(jax, by)(functools.partial(several, jax.numpy), (0, 1))(*args)
    ours = getattr(dx, by)(functools.partial(several, dx.numpy), (0, 1), chunk_size=3)
    close(wrap(ours)(*args), dx.tree.map(np.asarray, expected))


def largest(jaxpr):
    """The number of elements of the largest array in a program, or in a program inside of it."""
    sizes = [0]
    for eqn in jaxpr.eqns:
        sizes += [v.aval.size for v in eqn.outs]
        sizes += [largest(p) for p in vars(eqn.primitive).values() if isinstance(p, dx.Jaxpr)]
    return max(sizes)


def test_chunks_bound_what_a_program_holds_at_once():
    f = lambda x: np.sum(np.tanh(np.outer(x, x)))
    x = rng(60)
    whole = largest(dx.make_jaxpr(dx.jacfwd(f))(x))
    parts = largest(dx.make_jaxpr(dx.jacfwd(f, chunk_size=6))(x))
    assert whole == 60**3 and parts == 6 * 60**2
    close(dx.jit(dx.jacfwd(f, chunk_size=6))(x), dx.grad(f)(x))


def test_chunks_bound_what_eager_mode_holds_at_once():
    f = lambda x: np.sum(np.tanh(np.outer(x, x)))
    x = dx.numpy.asarray(rng(60))
    peaks = []
    for chunk in (None, 6):
        tracemalloc.start()
        close(dx.jacfwd(f, chunk_size=chunk)(x), dx.grad(f)(x))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 3


def test_chunks_are_differentiated():
    f = lambda x: np.sin(x) * np.sum(x**2)
    x = rng(5)
    for inner in (dx.jacfwd, dx.jacrev):
        for outer in (dx.jacfwd, dx.jacrev):
            expected = outer(inner(f))(x)
            chunked = outer(inner(f, chunk_size=2), chunk_size=3)
            close(chunked(x), expected)
            close(dx.jit(chunked)(x), expected)
    total = lambda x: np.sum(dx.jacrev(f, chunk_size=2)(x) ** 2)
    slope = (total(x + 1e-6) - total(x - 1e-6)) / 2e-6
    assert float(dx.grad(total)(x).sum()) == pytest.approx(float(slope), rel=1e-7)
    close(dx.derivatives(lambda t: dx.jacfwd(f, chunk_size=2)(t * x).sum(), 1.0, 2)[2],
          dx.grad(dx.grad(lambda t: dx.jacfwd(f)(t * x).sum()))(1.0))  # fmt: skip


@pytest.mark.parametrize("size", [0, -1, 1.0, True, "all", (2,)])
@pytest.mark.parametrize("name", ["jacfwd", "jacrev", "hessian"])
def test_no_chunk_size(name, size):
    transformation = getattr(dx, name)
    with raises(ValueError, f"{name}: chunk_size", ">= 1", "None", str(size), line="np.sin"):
        transformation(np.sin, chunk_size=size)


def test_chunk_size_of_numpy():
    close(dx.jacfwd(np.sin, chunk_size=np.int32(2))(rng(3)), np.diag(np.cos(rng(3))))


# --------------------------------------------------------------------------------------------------
# Complex numbers, integers


def test_holomorphic_jacobians(jax, wrap):
    z, w = rng(2, kind=complex), rng(2, 2, kind=complex, seed=3)
    f = lambda lib, z: lib.numpy.exp(w @ z) * z[0]
    for name in ("jacfwd", "jacrev"):
        expected = getattr(jax, name)(functools.partial(f, jax), holomorphic=True)(z)
        for chunk in (None, 1):
            ours = getattr(dx, name)(functools.partial(f, dx), holomorphic=True, chunk_size=chunk)
            close(wrap(ours)(z), np.asarray(expected))
    scalar = lambda lib, z: f(lib, z)[0] * z[1] ** 2
    expected = jax.hessian(functools.partial(scalar, jax), holomorphic=True)(z)
    ours = dx.hessian(functools.partial(scalar, dx), holomorphic=True)
    close(wrap(ours)(z), np.asarray(expected))


def test_complex_and_real(jax):
    x, z = rng(3), rng(3, kind=complex)
    turn = lambda lib: lambda x: lib.numpy.exp(1j * x)
    close(dx.jacfwd(turn(dx))(x), np.asarray(jax.jacfwd(turn(jax))(x)))
    length = lambda lib: lambda z: lib.numpy.abs(z) ** 2
    close(dx.jacrev(length(dx))(z), np.asarray(jax.jacrev(length(jax))(z)))


def test_complex_numbers_without_a_single_derivative():
    z = np.ones(2, complex)
    with raises(TypeError, "jacfwd of conj", "argument 0", "c128[2]", "holomorphic=True", "dx.jvp",
                line="dx.jacfwd"):  # fmt: skip
        dx.jacfwd(np.conj)(z)
    with raises(TypeError, "hessian of conj", "argument 0", "c128[2]", line="dx.hessian"):
        dx.hessian(np.conj)(z)
    with raises(TypeError, "jacrev of conj", "returned", "c128[2]", "holomorphic=True", "dx.vjp",
                line="dx.jacrev"):  # fmt: skip
        dx.jacrev(np.conj)(z)
    for transformation in (dx.jacfwd, dx.jacrev, dx.hessian):
        with raises(TypeError, "holomorphic=True", "inputs", "f64[2]", line="transformation("):
            transformation(np.sin, holomorphic=True)(array(2))
        with raises(TypeError, "holomorphic=True", "results", "f64[2]", line="transformation("):
            transformation(np.abs, holomorphic=True)(z)


def test_integers_where_they_are_allowed(jax):
    def f(t):
        return {"u": t["x"] * t["n"][0], "v": t["x"].sum()}

    t = {"x": rng(3), "n": np.array([2, 3])}
    for chunk in (None, 2):
        found = dx.jacrev(f, allow_int=True, chunk_size=chunk)(t)
        close(found["u"]["x"], 2 * np.eye(3))
        close(found["v"]["x"], np.ones(3))
        theirs = jax.jacrev(f, allow_int=True)(t)
        for k in ("u", "v"):
            assert found[k]["n"].dtype == dx.float0
            assert found[k]["n"].shape == theirs[k]["n"].shape
    with raises(TypeError, "jacrev of f", "argument 0['n']", "i64[2]", line="dx.jacrev"):
        dx.jacrev(f)(t)


# --------------------------------------------------------------------------------------------------
# Products

PRODUCTS = {"hvp": dx.hvp, "vhp": dx.vhp}


def energy(lib, a, t):
    """A scalar function of two arguments, one of them a tree."""
    return lib.sum(lib.tanh(lib.outer(a, t["b"])) ** 2) * t["c"] + lib.sum(a**3)


def vector_like(args):
    leaves, structure = dx.tree.flatten(args)
    drawn = [rng(*np.shape(x), seed=i + 7) for i, x in enumerate(leaves)]
    return dx.tree.unflatten(structure, drawn)


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_the_hessian(jax, name, wrap):
    args = point()
    v = vector_like(args)
    f = functools.partial(energy, dx.numpy)
    found = wrap(lambda a, t, va, vt: PRODUCTS[name](f, (a, t), (va, vt)))(*args, *v)
    _, expected = jax.jvp(jax.grad(functools.partial(energy, jax.numpy), (0, 1)), args, v)
    close(found, dx.tree.map(np.asarray, expected))
    step = 1e-6
    shifted = [dx.tree.map(lambda x, d, s=s: x + s * step * d, args, v) for s in (1, -1)]
    up, down = [dx.grad(f, (0, 1))(*at) for at in shifted]
    close(found, dx.tree.map(lambda p, m: (p - m) / (2 * step), up, down), 1e-6, 1e-8)


@given(st.integers(0, 5), st.sampled_from(sorted(PRODUCTS)), st.booleans())
def test_a_product_is_that_of_the_dense_hessian(size, name, compiled):
    f = lambda x: np.sum(np.cos(x) * np.sum(x**2))
    product = lambda x, v: PRODUCTS[name](f, (x,), (v,))
    x, v = rng(size), rng(size, seed=1)
    close((dx.jit(product) if compiled else product)(x, v), dx.hessian(f)(x) @ v)


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_compose(name):
    f, x, v = lambda x: np.sum(np.sin(x) ** 3), rng(4), rng(4, seed=1)
    product = PRODUCTS[name]
    third = dx.jacfwd(dx.hessian(f))(x)
    close(dx.jacfwd(lambda x: product(f, (x,), (v,)))(x), third @ v)
    close(dx.grad(lambda x: product(f, (x,), (v,)) @ v)(x), third @ v @ v)
    close(dx.vmap(lambda v: product(f, (x,), (v,)))(np.eye(4)), dx.hessian(f)(x))
    fourth = np.asarray(dx.jacfwd(lambda x: dx.jacfwd(dx.hessian(f))(x))(x))
    nested = product(lambda x: np.sum(product(f, (x,), (v,))), (x,), (v,))
    close(nested, np.einsum("ijkl,j,l->k", fourth, v, v))


@pytest.mark.parametrize("name", PRODUCTS)
def test_auxiliary_data(name):
    f = lambda x, y: (np.sum(x**3) * y, {"double": 2 * x, "note": "kept"})
    x, v = rng(2), rng(2, seed=1)
    found, aux = PRODUCTS[name](f, (x, 2.0), (v, 0.0), has_aux=True)
    close(found, (12 * x * v, np.asarray(3 * np.sum(x**2 * v))))
    close(aux["double"], 2 * x)
    assert aux["note"] == "kept"


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_by_complex_numbers(jax, name):
    z, v = rng(3, kind=complex), rng(3, kind=complex, seed=5)
    f = lambda lib: lambda z: lib.numpy.sum(lib.numpy.abs(z * z + z[::-1]) ** 2)
    _, expected = jax.jvp(jax.grad(f(jax)), (z,), (v,))
    close(PRODUCTS[name](f(dx), (z,), (v,)), np.asarray(expected))


def test_the_order_matters_for_a_gradient_of_no_function():
    a = rng(3, 3)
    f = dx.custom_jvp(lambda x: x @ x)
    f.defjvp(lambda primals, tangents: (primals[0] @ primals[0], (a @ primals[0]) @ tangents[0]))
    x, v = rng(3, seed=1), rng(3, seed=2)
    close(dx.hvp(f, (x,), (v,)), a @ v)
    close(dx.vhp(f, (x,), (v,)), v @ a)


# --------------------------------------------------------------------------------------------------
# Gauss-Newton


def predict(lib, a, t):
    """Two leaves, and a count without derivative."""
    hidden = lib.tanh(lib.outer(a, t["b"]))
    return {"y": hidden.sum(0) * t["c"], "z": (hidden @ t["b"]) ** 2, "n": lib.arange(2)}


def divergence(lib, out):
    return lib.sum(lib.exp(out["y"])) + lib.sum(out["z"] ** 2 * out["n"][1])


@pytest.mark.parametrize("loss", [divergence, None], ids=["of a loss", "of squares"])
def test_gauss_newton(jax, loss, wrap):
    args = point()
    v = vector_like(args)
    ours = loss and functools.partial(loss, dx.numpy)
    f = functools.partial(predict, dx.numpy)
    found = wrap(lambda a, t, *v: dx.gauss_newton_vp(f, ours, (a, t), v))(*args, *v)

    floats = lambda a, t: {k: predict(jax.numpy, a, t)[k] for k in ("y", "z")}
    with_count = lambda out: divergence(jax.numpy, {**out, "n": np.arange(2)})
    out, u = jax.jvp(floats, args, v)
    ct = u if loss is None else jax.jvp(jax.grad(with_count), (out,), (u,))[1]
    expected = jax.vjp(floats, *args)[1](ct)
    close(found, dx.tree.map(np.asarray, expected))


@given(st.integers(0, 4), st.integers(0, 4), st.booleans(), st.booleans())
def test_gauss_newton_is_that_of_dense_matrices(rows, size, squares, compiled):
    w, x, v = rng(rows, size), rng(size, seed=1), rng(size, seed=2)
    f = lambda x: np.sin(w @ x)
    loss = None if squares else lambda y: np.sum(np.exp(y) * np.sum(y))
    j = np.asarray(dx.jacfwd(f)(x))
    h = np.eye(rows) if squares else np.asarray(dx.hessian(loss)(f(x)))
    product = lambda x, v: dx.gauss_newton_vp(f, loss, (x,), (v,))
    close((dx.jit(product) if compiled else product)(x, v), j.T @ h @ j @ v)


def test_gauss_newton_composes():
    w, x, v = rng(3, 4), rng(4), rng(4, seed=1)
    f = lambda x: np.sin(w @ x)
    product = lambda x, v: dx.gauss_newton_vp(f, lambda y: np.sum(y**4), (x,), (v,))
    dense = lambda x: dx.jacfwd(f)(x).T @ np.diag(12 * f(x) ** 2) @ dx.jacfwd(f)(x)
    close(dx.vmap(product, (None, 0))(x, np.eye(4)), dense(x))
    step = (np.asarray(dense(x + 1e-6 * v)) - np.asarray(dense(x - 1e-6 * v))) / 2e-6
    close(dx.jvp(lambda x: product(x, v), (x,), (v,))[1], step @ v, 1e-6, 1e-8)
    close(dx.grad(lambda x: product(x, v) @ v)(x), dx.jacfwd(lambda x: product(x, v))(x).T @ v)


def test_gauss_newton_of_a_linear_function_is_the_hessian():
    w, x, v = rng(3, 4), rng(4), rng(4, seed=1)
    loss = lambda y: np.sum(np.cos(y)) ** 2
    expected = dx.hvp(lambda x: loss(w @ x), (x,), (v,))
    close(dx.gauss_newton_vp(lambda x: w @ x, loss, (x,), (v,)), expected)


def test_gauss_newton_with_auxiliary_data():
    f = lambda x, y: (x**2 * y, {"x": 3 * x})
    x = rng(2)
    found, aux = dx.gauss_newton_vp(f, None, (x, 2.0), (np.ones(2), 0.0), has_aux=True)
    close(found, (16 * x**2, np.asarray(np.sum(4 * x**3))))
    close(aux, {"x": 3 * x})
    product = lambda x: dx.gauss_newton_vp(f, np.sum, (x, 2.0), (np.ones(2), 0.0), has_aux=True)[0]
    close(dx.jit(product)(x), (np.zeros(2), np.array(0.0)))


def test_gauss_newton_of_a_constant_function():
    found = dx.gauss_newton_vp(lambda x: 3.0, lambda y: y * y, (rng(2),), (rng(2),))
    close(found, np.zeros(2))


def test_gauss_newton_of_complex_results(jax):
    w, x, v = rng(2, 3, kind=complex), rng(3), rng(3, seed=1)
    f = lambda lib: lambda x: lib.numpy.exp(w @ x)
    j = np.asarray(jax.jacfwd(f(jax))(x))
    squares = lambda y: 0.5 * np.sum(np.abs(y) ** 2)
    for loss in (None, squares):
        found = dx.gauss_newton_vp(f(dx), loss, (x,), (v,))
        close(found, (j.conj().T @ j).real @ v)


# --------------------------------------------------------------------------------------------------
# Errors


def half(x):
    return x * x / 2


EVERY = {
    **PRODUCTS,
    "gauss_newton_vp": lambda f, primals, v: dx.gauss_newton_vp(f, None, primals, v),
}


@pytest.mark.parametrize("name", EVERY)
def test_vectors_that_do_not_fit(name):
    product, called = EVERY[name], "cotangents" if name == "vhp" else "tangents"
    with raises(TypeError, name, "primals must be a tuple", "f64[2]"):
        product(half, array(2), (array(2),))
    with raises(TypeError, name, f"{called} must be a tuple", "f64[2]"):
        product(half, (array(2),), array(2))
    with raises(TypeError, f"{name}: {called} must have the structure of primals"):
        product(half, (array(2),), (array(2), array(2)))
    with raises(TypeError, f"{name}: {called[:-1]} at [0]['a']", "f64[2]", "f64[3]"):
        product(lambda t: half(t["a"]).sum(), ({"a": array(2)},), ({"a": array(3)},))
    with raises(TypeError, f"{name} of half", "argument 1", "i64[]", "close over"):
        product(half, (1.0, 3), (1.0, 1.0))


@pytest.mark.parametrize("name", PRODUCTS)
def test_functions_that_are_no_scalar(name):
    product = PRODUCTS[name]
    with raises(TypeError, f"{name} of half", "one real number", "f64[2]", "sum", line="product("):
        product(half, (array(2),), (array(2),))
    with raises(TypeError, f"{name} of half", "c128[]", "real part", line="product("):
        product(half, (1.0 + 2.0j,), (1.0 + 0.0j,))
    with raises(TypeError, f"{name} of <lambda>", "tuple of 2", "has_aux=True", line="product("):
        product(lambda x: (x, x), (1.0,), (1.0,))
    with raises(TypeError, f"{name} of <lambda>", "bool[]", line="product("):
        product(lambda x: x > 0, (1.0,), (1.0,))
    with raises(TypeError, "half", "has_aux=True", "pair", line="product("):
        product(half, (1.0,), (1.0,), has_aux=True)


def test_losses_that_are_no_scalar():
    x = array(2)
    with raises(TypeError, "gauss_newton_vp of half: the loss sin", "one real number", "f64[2]",
                line="dx.gauss"):  # fmt: skip
        dx.gauss_newton_vp(half, np.sin, (x,), (x,))
    with raises(TypeError, "gauss_newton_vp: loss", "function", "f64[2]", line="dx.gauss"):
        dx.gauss_newton_vp(half, x, (x,), (x,))
    for name in ("vhp", "gauss_newton_vp"):
        with raises(TypeError, name, "function", "int 3", line="getattr"):
            getattr(dx, name)(3, *(None,) * (name != "vhp"), (x,), (x,))
