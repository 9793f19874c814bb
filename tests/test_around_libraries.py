"""pandas, matplotlib, scikit-learn, torch and array-API libraries around diffeo.

None of them is needed by diffeo, so each part runs where its library is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

WHY = "it is no dependency of diffeo, and this is about what it does with our arrays"
V, W = np.linspace(0.0, 1.0, 12), np.random.default_rng(0).normal(size=12)
v, w = dnp.asarray(V), dnp.asarray(W)
M = np.add.outer(V, W)
m = dnp.asarray(M)

# --------------------------------------------------------------------------------------------------
# matplotlib

PLOTS: dict[str, Callable[[Any, Any], Any]] = {
    "plot": lambda ax, p: ax.plot(v, w, label=f"{w[0]:.2f}"),
    "plot y": lambda ax, p: ax.plot(w),
    "plot matrix": lambda ax, p: ax.plot(v, m),
    "scatter": lambda ax, p: ax.scatter(v, w, s=v * 10, c=w),
    "hist": lambda ax, p: ax.hist(w, bins=v),
    "hist2d": lambda ax, p: ax.hist2d(v, w, bins=4),
    "imshow": lambda ax, p: ax.imshow(m),
    "contour": lambda ax, p: ax.contour(v, v, m, levels=w.sort()),
    "contourf": lambda ax, p: ax.contourf(*dnp.meshgrid(v, v), m),
    "pcolormesh": lambda ax, p: ax.pcolormesh(v, v, m, shading="auto"),
    "errorbar": lambda ax, p: ax.errorbar(v, w, yerr=dnp.abs(w)),
    "bar": lambda ax, p: ax.bar(v, w),
    "barh": lambda ax, p: ax.barh(v, w),
    "fill_between": lambda ax, p: ax.fill_between(v, w, w + 1, where=w > 0),
    "quiver": lambda ax, p: ax.quiver(v, w, w, v),
    "streamplot": lambda ax, p: ax.streamplot(v, v, m, m),
    "boxplot": lambda ax, p: ax.boxplot([v, w]),
    "violinplot": lambda ax, p: ax.violinplot([v, w]),
    "stem": lambda ax, p: ax.stem(v, w),
    "step": lambda ax, p: ax.step(v, w),
    "semilogy": lambda ax, p: ax.semilogy(v, dnp.abs(w)),
    "stackplot": lambda ax, p: ax.stackplot(v, dnp.abs(w), dnp.abs(w)),
    "pie": lambda ax, p: ax.pie(dnp.abs(w)),
    "eventplot": lambda ax, p: ax.eventplot(w),
    "hexbin": lambda ax, p: ax.hexbin(v, w, gridsize=4),
    "tricontour": lambda ax, p: ax.tricontour(v, w, w),
    "vlines, axhline": lambda ax, p: (
        ax.vlines(v, 0, w),
        ax.axhline(w[0]),
        ax.set_xlim(v[0], v[-1]),
    ),
    "annotate": lambda ax, p: (ax.text(v[1], w[1], "a"), ax.annotate("b", (v[2], w[2]))),
    "3D": lambda ax, p: (
        p.plot_surface(*dnp.meshgrid(v, v), m),
        p.scatter(v, w, w),
        p.plot(v, w, w),
    ),
    "wireframe": lambda ax, p: (
        p.plot_wireframe(*dnp.meshgrid(v, v), m),
        p.contour(*dnp.meshgrid(v, v), m),
    ),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plots(name: str):
    matplotlib = pytest.importorskip("matplotlib", reason=WHY)
    matplotlib.use("agg", force=True)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2))
    in_space = figure.add_subplot(projection="3d") if name in ("3D", "wireframe") else None
    PLOTS[name](None if in_space else figure.add_subplot(), in_space)
    figure.canvas.draw()


# --------------------------------------------------------------------------------------------------
# pandas


def series(pd: Any) -> None:
    s = pd.Series(w, index=v)
    assert s.dtype == float and s.iloc[3] == W[3]
    assert isinstance(s + w, pd.Series) and isinstance(w * s, pd.Series)
    np.testing.assert_allclose((s - w).to_numpy(), 0)


def frame(pd: Any) -> None:
    table = pd.DataFrame({"a": v, "b": w})
    table["c"] = v * w
    table.loc[0, "a"] = w[0]
    table["d"] = np.sin(w)
    assert all(d.kind == "f" for d in table.dtypes) and table.loc[0, "a"] == W[0]
    assert pd.DataFrame(m).shape == (12, 12)


def columns(pd: Any) -> None:
    table = pd.DataFrame({"a": V, "b": W})
    loss = lambda a, b: dnp.sum(a * b)
    np.testing.assert_allclose(dx.grad(loss)(table["a"], table["b"]), W)
    np.testing.assert_allclose(dx.jit(loss)(table["a"], table.b), V @ W)
    np.testing.assert_allclose(dnp.mean(table, axis=0), [V.mean(), W.mean()])
    assert dx.vmap(lambda row: row.sum())(table).shape == (12,)
    np.testing.assert_allclose(dx.grad(lambda a: dnp.sum(a * table["b"]))(v), W)
    np.testing.assert_array_equal(v[pd.Series([0, 3])], V[[0, 3]])


def refused(pd: Any) -> None:
    for bad in (pd.Series(["a", "b"]), pd.Series(pd.to_datetime(["2020-01-01"]))):
        for call in (dnp.sin, dx.jit(lambda a: a), dx.grad(lambda a: a.sum()), dnp.asarray):
            with pytest.raises(TypeError):
                call(bad)


@pytest.mark.parametrize("use", [series, frame, columns, refused], ids=lambda f: f.__name__)
def test_pandas(use: Callable):
    use(pytest.importorskip("pandas", reason=WHY))


# --------------------------------------------------------------------------------------------------
# scikit-learn

kernel = dx.jit(lambda a, b: dnp.exp(-dnp.sum((a[:, None] - b[None]) ** 2, -1)))

LEARNERS: dict[str, Callable[[Any], Any]] = {
    "LinearRegression": lambda x: (
        use("linear_model", "LinearRegression")().fit(x, x[:, 0]).predict(x)
    ),
    "Ridge": lambda x: use("linear_model", "Ridge")().fit(x, x[:, 0]).coef_,
    "LogisticRegression": lambda x: (
        use("linear_model", "LogisticRegression")().fit(x, x[:, 0] > 0).predict(x)
    ),
    "SVC, kernel of ours": lambda x: (
        use("svm", "SVC")(kernel=kernel).fit(x, x[:, 0] > 0).predict(x)
    ),
    "GaussianProcess": lambda x: (
        use("gaussian_process", "GaussianProcessRegressor")(optimizer=None)
        .fit(x, x[:, 0])
        .predict(x)
    ),
    "pairwise_kernels": lambda x: use("metrics.pairwise", "pairwise_kernels")(x, metric="rbf"),
    "PCA": lambda x: np.abs(use("decomposition", "PCA")(2).fit_transform(x)),
    "KMeans": lambda x: use("cluster", "KMeans")(2, n_init=1, random_state=0).fit(x).inertia_,
    "StandardScaler": lambda x: use("preprocessing", "StandardScaler")().fit_transform(x),
    "RandomForest": lambda x: (
        use("ensemble", "RandomForestRegressor")(3, random_state=0).fit(x, x[:, 0]).predict(x)
    ),
    "train_test_split": lambda x: use("model_selection", "train_test_split")(
        np.asarray(x), random_state=0
    )[0],
    "r2_score": lambda x: use("metrics", "r2_score")(x[:, 0], x[:, 1]),
}


def use(module: str, name: str) -> Any:
    return getattr(pytest.importorskip(f"sklearn.{module}", reason=WHY), name)


@pytest.mark.parametrize("name", LEARNERS)
def test_learners(name: str):
    x = np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_allclose(LEARNERS[name](dnp.asarray(x)), LEARNERS[name](x), rtol=1e-9)


# --------------------------------------------------------------------------------------------------
# Arrays of other libraries as inputs


class Capsule:
    """An array that nothing but DLPack can read, as cupy's."""

    def __init__(self, host: np.ndarray):
        self.host = host

    def __dlpack__(self, **how: Any) -> Any:
        return self.host.__dlpack__(**how)

    def __dlpack_device__(self) -> Any:
        return self.host.__dlpack_device__()


OTHERS: dict[str, Callable[[np.ndarray], Any]] = {
    "dlpack": Capsule,
    "torch": lambda a: pytest.importorskip("torch", reason=WHY).from_numpy(a.copy()),
    "tensorflow": lambda a: pytest.importorskip("tensorflow", reason=WHY).constant(a),
    "jax": lambda a: pytest.importorskip("jax", reason=WHY).numpy.asarray(a),
    "pandas": lambda a: pytest.importorskip("pandas", reason=WHY).Series(a),
    "strict": lambda a: pytest.importorskip("array_api_strict", reason=WHY).asarray(a),
}
A = np.array([1.0, 2.0], np.float32)
x = dnp.asarray(A)
#: `f(a)` of a vector of two floats of 32 bits: one door of each kind.
DOORS: dict[str, Callable[[Any], Any]] = {
    "asarray": dnp.asarray,
    "array of": lambda a: dnp.array([a, a]),
    "sin": dnp.sin,
    "add": lambda a: dnp.add(x, a),
    "sum": dnp.sum,
    "where": lambda a: dnp.where(x > 1, x, a),
    "lax": lambda a: dx.lax.add(x, a),
    "concatenate": lambda a: dnp.concatenate([x, a]),
    "norm": dnp.linalg.norm,
    "fft": dnp.fft.fft,
    "zeros_like": dnp.zeros_like,
    "special": dx.scipy.special.gammaln,
    "nn": dx.nn.relu,
    "jit": dx.jit(lambda a: a * 2),
    "jit of a tree": lambda a: dx.jit(lambda t: t["a"] * 2)({"a": a}),
    "jit result": lambda a: dx.jit(lambda: a)(),
    "grad": dx.grad(lambda a: dnp.sum(a * a)),
    "jvp": lambda a: dx.jvp(lambda b: b * b, (a,), (a,))[1],
    "vjp": lambda a: dx.vjp(lambda b: b * b, a)[1](a)[0],
    "vmap": dx.vmap(lambda a: a * 2),
    "hessian": dx.hessian(lambda a: dnp.sum(a**3)),
    "scan": lambda a: dx.lax.scan(lambda c, b: (c + b, b), np.float32(0), a)[1],
    "scan init": lambda a: dx.lax.scan(lambda c, b: (c * 1, b), a, x)[0],
    "cond": lambda a: dx.lax.cond(True, lambda b: b, lambda b: b, a),
    "while": lambda a: dx.lax.while_loop(lambda b: b.sum() < 9, lambda b: b * 2, a),
    "device_put": dx.device_put,
    "at": lambda a: x.at[:].set(a),
    "tree": lambda a: dx.tree.map(dnp.sin, {"a": a})["a"],
    "closed over": lambda a: dx.jit(lambda b: dnp.multiply(a, b))(x),
}


@pytest.mark.parametrize("library", OTHERS)
def test_arrays_of_other_libraries_come_in(library: str):
    theirs = OTHERS[library](A)
    for door, f in DOORS.items():
        got, want = f(theirs), f(A)
        assert type(got) is dx.Array and got.dtype == want.dtype, door
        np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=door)
    np.testing.assert_array_equal(dnp.arange(5.0)[OTHERS[library](np.array([3, 1]))], [3.0, 1.0])
    if library not in ("pandas", "strict"):  # they say themselves what `theirs * x` is
        left = theirs * x
        for got in (
            x * theirs,
            left,
            dx.jit(lambda b: theirs * b)(x),
            dx.jit(lambda b: b * theirs)(x),
        ):
            np.testing.assert_allclose(got, A * A, rtol=1e-6)
            # jax asks for the right operand as an array of its own.
            assert type(got) is (dx.Array if got is not left or library != "jax" else type(theirs))
        assert (x == theirs).all() and not (x < theirs).any()


def test_torch():
    torch = pytest.importorskip("torch", reason=WHY)
    np.testing.assert_array_equal(torch.from_dlpack(x), A)
    np.testing.assert_array_equal(torch.tensor(np.asarray(x)), A)
    recorded = torch.ones(2, requires_grad=True)
    for call in (dnp.sin, dx.jit(lambda a: a), lambda a: x + a):
        with pytest.raises(RuntimeError, match="requires grad"):
            call(recorded)
