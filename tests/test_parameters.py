"""Parameters of NumPy's and jax's functions that are less known: beside NumPy, in all ways."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.ways import in_all_ways, slopes

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")

X = rng(3, 4)
HOLES = np.where(rng(3, 4, seed=1) > 0.6, np.nan, X)
HOLES[1] = np.nan
MASK = rng(3, 4, seed=2) > -0.5
_quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")

#: (name, operands, keywords): diffeo's function and NumPy's of that name agree.
CASES = [
    ("nansum", [HOLES], {"axis": 1, "initial": 2.0, "where": MASK}),
    ("nansum", [HOLES], {"keepdims": True, "where": MASK}),
    ("nanprod", [HOLES], {"axis": 0, "initial": 2.0, "where": MASK}),
    ("nanmax", [HOLES], {"axis": 1, "initial": 0.5}),
    ("nanmax", [HOLES], {"axis": 0, "initial": math.nan, "where": MASK}),
    ("nanmin", [HOLES], {"axis": 1, "initial": 0.5, "where": MASK, "keepdims": True}),
    ("nanmean", [HOLES], {"axis": 0, "where": MASK}),
    ("nanvar", [HOLES], {"axis": 0, "where": MASK, "ddof": 1}),
    ("nanvar", [HOLES], {"axis": 0, "keepdims": True, "mean": np.nanmean(X, 0, keepdims=True)}),
    ("nanstd", [HOLES], {"where": MASK}),
    ("ediff1d", [X], {"to_begin": 7.0, "to_end": np.array([1.0, 2.0])}),
    ("ediff1d", [np.arange(4)], {"to_begin": [[1, 2]]}),
    ("gradient", [X], {"axis": 1, "edge_order": 2}),
    ("pad", [X, 2], {"mode": "linear_ramp", "end_values": ((1, 2), (3, 4))}),
    ("pad", [X, ((1, 7), (0, 3))], {"mode": "reflect", "reflect_type": "odd"}),
    ("pad", [X, ((1, 7), (9, 3))], {"mode": "symmetric", "reflect_type": "odd"}),
    ("pad", [X[:1], ((2, 3), (1, 1))], {"mode": "reflect", "reflect_type": "odd"}),
    ("pad", [X, 3], {"mode": "mean", "stat_length": 2}),
    ("pad", [X, (1, 2)], {"mode": "median"}),
    ("pad", [X, 3], {"mode": "maximum", "stat_length": ((1, 2), (3, 9))}),
    ("pad", [X, 1], {"mode": "minimum"}),
    ("pad", [(9 * X).astype(int), 3], {"mode": "mean"}),
    ("pad", [(9 * X).astype(int), 3], {"mode": "linear_ramp", "end_values": -7}),
    ("pad", [(9 * X).astype(int), 9], {"mode": "reflect", "reflect_type": "odd"}),
    ("hstack", [[X, X]], {"dtype": "float32"}),
    ("vstack", [[X, X]], {"dtype": "float32"}),
    ("unwrap", [5 * X, None, 0, 3.0], {}),
    ("reshape", [X, (4, 3)], {"copy": True}),
    ("digitize", [X, np.array([-1.0, 0.0, 1.0])], {"right": True}),
]  # fmt: skip


@_quiet
@pytest.mark.parametrize("name, operands, options", CASES, ids=lambda v: str(v)[:20])
def test_beside_numpy(name, operands, options):
    theirs = getattr(np, name)
    if name == "unwrap":
        expected = theirs(operands[0], None, 0, period=3.0)
    else:
        if name in ("hstack", "vstack"):
            options = {**options, "casting": "same_kind"}
        expected = theirs(*operands, **options)
        options.pop("casting", None)
    first, rest = operands[0], operands[1:]
    f = lambda x: getattr(dnp, name)(x, *rest, **options)
    close(f(first), expected)
    close(dx.jit(f)(first), expected)
    if not isinstance(first, list):
        rows = dx.vmap(f)(np.stack([first, first]))
        close(np.asarray(rows)[1], expected)


@pytest.mark.parametrize("name", ["sum", "prod"])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "float32"])
def test_promote_integers(name, dtype):
    x = (10 * rng(3, 4)).astype(dtype)
    theirs, ours = getattr(np, name), getattr(dnp, name)
    f = lambda x: ours(x, axis=0, promote_integers=False)
    if dtype == "bool":
        expected = (np.any if name == "sum" else np.all)(x, 0)
        assert f(x).dtype == bool
        return
    expected = theirs(x, axis=0, dtype=dtype)
    in_all_ways(f, [x], expected, 1e-5)
    close(getattr(dnp.asarray(x), name)(0, promote_integers=False), expected, 1e-5)


WEIGHTS = {"fweights": np.array([1, 2, 0, 3]), "aweights": np.array([0.5, 1.0, 2.0, 0.3])}


@pytest.mark.parametrize("names", ["f", "a", "fa"])
@pytest.mark.parametrize("options", [{}, {"ddof": 0}, {"bias": True}, {"dtype": "float32"}])
def test_weighted_covariance(names, options):
    weights = {f"{n}weights": WEIGHTS[f"{n}weights"] for n in names}
    f = lambda x: dnp.cov(x, **weights, **options)
    rtol = 1e-5 if "dtype" in options else 1e-9
    # (NumPy's weights are float64, and widen a narrow result.)
    expected = np.cov(X, **weights, **options).astype(options.get("dtype", float))
    in_all_ways(f, [X], expected, rtol)
    if "dtype" not in options:
        slopes(f, X)
        traced = dx.jit(lambda x, w: dnp.cov(x, **w, **options))(X, weights)
        close(traced, f(X))


def test_bad_weights():
    with pytest.raises(TypeError, match="fweights must be integers"):
        dnp.cov(X, fweights=[1.5, 1, 1, 1])
    with pytest.raises(ValueError, match="aweights must not be negative"):
        dnp.cov(X, aweights=[-1, 1, 1, 1])
    with pytest.raises(ValueError, match=r"one for each of 4"):
        dnp.cov(X, aweights=[1, 1, 1])
    with pytest.raises(TypeError, match=r"to_end.*does not fit"):
        dnp.ediff1d(np.arange(3), to_end=0.5)


def test_interpolation_with_a_period_and_extrapolation():
    x, xp, fp = np.linspace(-7.03, 9, 41), np.array([1.0, 3.0, 2.5, 7.1]), rng(4)
    f = lambda x: dnp.interp(x, xp, fp, period=5.0)
    in_all_ways(f, [x], np.interp(x, xp, fp, period=5.0))
    slopes(f, x)
    both = dnp.interp(x, xp, 1j * fp + fp, period=-5.0)
    close(both, np.interp(x, xp, 1j * fp + fp, period=-5.0))
    xp = np.sort(xp)
    beyond = dnp.interp(x, xp, fp, left="extrapolate", right="extrapolate")
    line = lambda i, j: fp[i] + (x - xp[i]) * (fp[j] - fp[i]) / (xp[j] - xp[i])
    expected = np.where(
        x < xp[0], line(0, 1), np.where(x > xp[3], line(2, 3), np.interp(x, xp, fp))
    )
    close(beyond, expected)
    with pytest.raises(ValueError, match="period must be a number other than 0"):
        dnp.interp(x, xp, fp, period=0)
    with pytest.raises(ValueError, match="left must be a number or 'extrapolate'"):
        dnp.interp(x, xp, fp, left="linear")


@pytest.mark.parametrize("mode, options", [
    ("linear_ramp", {"end_values": 2.0}), ("mean", {}), ("reflect", {"reflect_type": "odd"}),
    ("symmetric", {"reflect_type": "odd"}), ("maximum", {"stat_length": 2}), ("median", {}),
])  # fmt: skip
def test_padding_has_derivatives(mode, options):
    slopes(lambda x: dnp.pad(x, ((1, 2), (5, 0)), mode, **options) ** 2, X)


def test_padding_by_a_function():
    def ends(line, widths, axis, keywords):
        low, high = widths
        return line.at[:low].set(keywords["value"]).at[len(line) - high :].set(axis)

    def in_place(line, widths, axis, keywords):
        line[: widths[0]], line[len(line) - widths[1] :] = keywords["value"], axis

    expected = np.pad(X, ((1, 2), (2, 1)), in_place, value=9)
    close(dx.jit(lambda x: dnp.pad(x, ((1, 2), (2, 1)), ends, value=9))(X), expected)
    with pytest.raises(TypeError, match="must return the line"):
        dnp.pad(X, 1, lambda *args: None)
    with pytest.raises(ValueError, match="mode='edge' has no keyword end_values; it has none"):
        dnp.pad(X, 1, "edge", end_values=3)


def test_parts_of_a_known_number():
    x, mask = rng(5, 3), np.array([True, False, True, True, False])
    f = lambda x, m: dnp.compress(m, x, 0, size=4, fill_value=-1.0)
    expected = np.vstack([x[mask], -np.ones((1, 3))])
    close(f(x, mask), expected)
    close(dx.jit(f)(x, mask), expected)
    slopes(lambda x: dx.jit(f)(x, mask) ** 2, x)
    close(dx.jit(lambda x: dnp.extract(x > 0, x, size=15))(x)[: (x > 0).sum()], x[x > 0])
    found = dx.jit(lambda m: dnp.where(m, size=4, fill_value=7))(mask)
    close(found, (np.array([0, 2, 3, 7]),))
    with pytest.raises(ValueError, match="size and fill_value go without x and y"):
        dnp.where(mask, 1, 2, size=3)
    with pytest.raises(IndexError, match="true beyond axis 0"):
        dnp.compress([False] * 5 + [True], x, 0, size=2)


@pytest.mark.parametrize("places", [[4, 0], [-1, -5], [2], []])
def test_traced_places_are_deleted(places):
    x, places = rng(5, 3), np.array(places, int)
    f = dx.jit(lambda x, i: dnp.delete(x, i, 0, assume_unique_indices=True))
    close(f(x, places), np.delete(x, places, 0))
    close(dx.jit(lambda x: dnp.delete(x, 3, 0))(x), np.delete(x, 3, 0))
    with pytest.raises(dx.errors.ConcretizationTypeError, match="assume_unique_indices"):
        dx.jit(lambda i: dnp.delete(x, i, 0))(np.array([1, 2]))


def test_polynomials():
    p = rng(5)
    for m, k in ((1, 2.0), (3, [1.0, 2.0, 3.0]), (2, 4.0), (0, None)):
        close(dx.jit(lambda p, m=m, k=k: dnp.polyint(p, m, k))(p), np.polyint(p, m, k))
    with pytest.raises(ValueError, match="expects 3 constants"):
        dnp.polyint(p, 3, [1.0, 2.0])
    a, b = np.array([0.0, 0.0, 2.0, 1.0]), np.array([0.0, 3.0, 0.0])
    close(dnp.polymul(a, b, trim_leading_zeros=True), np.polymul(a, b))
    close(dnp.polymul(a, b)[-3:], np.polymul(a, b))
    long = rng(40, seed=3) / 40
    for unroll in (1, 16, 64):
        f = lambda x, n=unroll: dnp.polyval(long, x, unroll=n)
        in_all_ways(f, [X], np.polyval(long, X))
        slopes(f, 0.5 * X)


def test_files_and_bytes(tmp_path):
    x = dnp.arange(4.0)
    for dtype in ("float64", "int8", "bfloat16", "complex64"):
        file = io.BytesIO()
        dnp.save(file, x.astype(dtype))
        file.seek(0)
        close(dnp.load(file), x.astype(dtype))
    dnp.savez(tmp_path / "a.npz", x, y=2 * x)
    both = dnp.load(tmp_path / "a.npz")
    close(both["arr_0"], x)
    close(both["y"], 2 * x)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        dnp.savez(tmp_path / "b.npz", np.array([None]), allow_pickle=False)
    (tmp_path / "raw").write_bytes(np.asarray(x).tobytes())
    close(dnp.fromfile(tmp_path / "raw"), x)
    close(dnp.frombuffer(np.asarray(x).tobytes(), count=2, offset=8), x[1:3])
    close(dnp.fromiter(iter([1, 2]), int), np.array([1, 2]))
    close(dnp.fromstring("1, 2", int, sep=","), np.array([1, 2]))


def test_options_that_are_not_honoured_are_refused_by_name():
    x = dnp.ones((2, 2))
    for call in (
        lambda v: dnp.zeros(2, out_sharding=v), lambda v: dnp.ones_like(x, out_sharding=v),
        lambda v: dnp.arange(3, out_sharding=v), lambda v: dnp.matmul(x, x, out_sharding=v),
        lambda v: dnp.einsum("ij", x, out_sharding=v), lambda v: x.reshape(4, out_sharding=v),
        lambda v: dx.lax.dot(x, x, out_sharding=v), lambda v: dx.lax.full_like(x, 1, sharding=v),
        lambda v: x.at[0].set(0.0, out_sharding=v), lambda v: x.at[0].get(out_sharding=v),
        lambda v: dx.nn.initializers.zeros(None, (2,), out_sharding=v),
        lambda v: dx.nn.initializers.he_normal()(dx.random.key(0), (2, 2), out_sharding=v),
        lambda v: dx.jit(lambda x: x, in_shardings=v), lambda v: dx.make_jaxpr(len, axis_env=v),
        lambda v: dx.ShapeDtypeStruct((2,), "int8", sharding=v),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError, match=r"sharding|axis_env"):
            call("somewhere")
        if "jit" not in str(call):
            call(None)
    for name, args in {"stack": ([x],), "round": (x,), "trace": (x,), "outer": (x, x),
                       "nansum": (x,), "nanargmax": (x,), "modf": (x,), "add": (x, x),
                       "isposinf": (x,), "compress": ([True], x)}.items():  # fmt: skip
        with pytest.raises(TypeError, match="arrays never change"):
            getattr(dnp, name)(*args, out=np.zeros(()))
    with pytest.raises(NotImplementedError, match="add: `where`"):
        dnp.add(x, x, where=x > 0)
    with pytest.raises(NotImplementedError, match="'F' cannot be had"):
        dnp.asarray(x, order="F")
    with pytest.raises(NotImplementedError, match=r"accuracy=AccuracyMode\.HIGHEST"):
        dx.lax.exp(1.0, accuracy=dx.lax.AccuracyMode.HIGHEST)
    with pytest.raises(NotImplementedError, match="sum_match"):
        dx.vmap(len, sum_match=True)


def test_other_small_parameters():
    x = dnp.arange(6.0).reshape(2, 3)
    assert dx.lax.exp(1.0, accuracy=dx.lax.AccuracyMode.DEFAULT) == dx.lax.exp(1.0)
    with pytest.raises(ValueError, match="tolerance above 0"):
        dx.lax.Tolerance()
    close(dx.lax.mul(np.int8([100]), np.int16([100]), out_dtype="int32"), np.int32([10000]))
    program, shape = dx.make_jaxpr(lambda x: {"a": x[0]}, return_shape=True)(x)
    assert shape == {"a": dx.ShapeDtypeStruct((3,), "float64")} and program.in_avals[0].ndim == 2
    assert dx.jit(lambda x: x, backend="cpu")(1.0).device.platform == "cpu"
    with pytest.raises(ValueError, match="device or backend"):
        dx.jit(lambda x: x, backend="cpu", device="cpu")
    close(dx.device_put(x, src=None, may_alias=True), x)
    with pytest.raises(ValueError, match="may_alias"):
        dx.device_put(x, donate=True, may_alias=True)
    assert x.item(1, 2) == 5.0 and x.item(4) == 4.0
    assert x.tobytes("F") == np.asarray(x).tobytes("F")
    close(dnp.ravel_multi_index((x[0].astype(int),), (9,), dtype="int16"), np.int16([0, 1, 2]))
    close(dx.lax.shape_as_value((2, 3)), np.int32([2, 3]))
    close(dnp.take_along_axis(x, np.array([[-1]]), 1, "fill", 7.0, wrap_negative_indices=False),
          np.full((2, 1), 7.0))  # fmt: skip


# --------------------------------------------------------------------------------------------------
# x.at[...]

INDICES = [np.array([-1, 2]), -1, (np.array([0, -5]), np.array([1, -1])), np.array([-1, 7])]


@needs_jax
@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("mode", ["drop", "clip", "fill"])
@pytest.mark.parametrize("op", ["get", "set", "add", "subtract", "mul", "multiply", "divide",
                                "power", "min", "max", "apply"])  # fmt: skip
@pytest.mark.sampled(2)
def test_negative_indices(op, mode, wrap):
    x = np.arange(12.0).reshape(4, 3) + 1
    how = {"mode": mode, "wrap_negative_indices": wrap}

    def call(x, index):
        at = x.at[index]
        if op == "get":
            return at.get(**how)
        return at.apply(lambda v: 2 * v, **how) if op == "apply" else getattr(at, op)(3.0, **how)

    for index in INDICES:
        expected = np.asarray(call(jax.numpy.asarray(x), index))
        close(call(dnp.asarray(x), index), expected)
        close(dx.jit(call)(x, index), expected)


def test_negative_indices_without_a_mode():
    x = dnp.arange(3.0)
    for call in (lambda a: a.get(wrap_negative_indices=False),
                 lambda a: a.set(0.0, wrap_negative_indices=False)):  # fmt: skip
        with pytest.raises(IndexError, match="index -1 is out of bounds"):
            call(x.at[-1])
    f = dx.jit(lambda x, i: x.at[i].add(5.0, wrap_negative_indices=False))
    close(f(x, -1), x)  # a traced index beyond an end is left out
    gradient = dx.grad(lambda x: x.at[np.array([-1, 1])].get(
        mode="fill", fill_value=0.0, wrap_negative_indices=False).sum())  # fmt: skip
    close(gradient(x), np.array([0.0, 1.0, 0.0]))
