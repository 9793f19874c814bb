"""The small modules with jax's names: segments, dtypes, stages, checks, events, profiles."""

from __future__ import annotations

import gzip
import logging
import os

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from diffeo import monitoring
from tests.checks import close, rng

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


# --------------------------------------------------------------------------------------------------
# Segments

SEGMENTS = ("sum", "prod", "max", "min")
IDS = np.array([0, 2, 2, 1, 5, -1, 0])


@needs_jax
@pytest.mark.parametrize(
    ("dtype", "options"),
    [("float64", {}), ("int32", {"mode": "clip"}), ("bfloat16", {"bucket_size": 3})],
    ids=str,
)
@pytest.mark.parametrize("name", SEGMENTS)
def test_segments_are_jaxs(name, options, dtype):
    data = (10 * rng(7, 2)).astype(dtype)
    ours = getattr(dx.ops, f"segment_{name}")
    theirs = getattr(jax.ops, f"segment_{name}")
    for f in (ours, dx.jit(ours, static_argnames=("num_segments", *options))):
        result = f(data, IDS, num_segments=4, **options)
        expected = theirs(data, IDS, num_segments=4, **options)
        assert result.dtype == expected.dtype and result.shape == expected.shape
        close(
            np.asarray(result, float),
            np.asarray(expected, float),
            1e-2 if dtype[0] == "b" else 1e-12,
        )


@pytest.mark.parametrize("name", SEGMENTS)
def test_derivatives_of_segments(name):
    f = lambda x: getattr(dx.ops, f"segment_{name}")(x, IDS, num_segments=4) ** 2
    used = lambda x: dnp.where(dnp.isfinite(f(x)), f(x), 0.0)
    dx.test_util.check_grads(used, (rng(7),), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-4)
    rows = rng(3, 7)
    close(dx.vmap(f)(rows), np.stack([f(x) for x in rows]))


def test_bad_segments():
    with pytest.raises(TypeError, match="vector of integers"):
        dx.ops.segment_sum(np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match="vector of integers"):
        dx.ops.segment_sum(np.ones(3), np.ones(2, int))
    with pytest.raises(ValueError, match="negative"):
        dx.ops.segment_sum(np.ones(3), np.ones(3, int), -1)
    with pytest.raises(TypeError, match="num_segments must be an integer"):
        dx.ops.segment_sum(np.ones(3), np.ones(3, int), 2.5)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="num_segments"):
        dx.jit(dx.ops.segment_sum)(np.ones(3), np.ones(3, int))
    with pytest.raises(NotImplementedError, match="out_sharding"):
        dx.ops.segment_sum(np.ones(3), np.ones(3, int), out_sharding="x")


# --------------------------------------------------------------------------------------------------
# Dtypes, DLPack, types


@needs_jax
@pytest.mark.parametrize(
    "dtype", ["bool", "int4", "uint8", "int64", "bfloat16", "float16", "float64", "complex64",
              "float8_e4m3fn"],
)  # fmt: skip
def test_dtypes_are_jaxs(dtype):
    real = np.dtype(getattr(ml_dtypes, dtype, dtype))
    assert dx.dtypes.itemsize_bits(real) == jax.dtypes.itemsize_bits(real)
    assert dx.dtypes.canonicalize_dtype(real) == jax.dtypes.canonicalize_dtype(real)
    assert dx.dtypes.scalar_type_of(np.zeros(2, real)) is jax.dtypes.scalar_type_of(
        np.zeros(2, real)
    )
    assert dx.dlpack.is_supported_dtype(real) == jax.dlpack.is_supported_dtype(real)
    for other in (1.0, 2, np.float32(1), "int16") if dtype != "int4" else ():
        try:
            expected = jax.dtypes.result_type(real, other, return_weak_type_flag=True)
        except jax.dtypes.TypePromotionError:
            with pytest.raises(dx.dtypes.TypePromotionError):
                dx.dtypes.result_type(real, other)
            continue
        assert dx.dtypes.result_type(real, other, return_weak_type_flag=True) == expected


def test_dtypes():
    assert dx.dtypes.bfloat16 is ml_dtypes.bfloat16 and dx.dtypes.float0 == dx.float0
    assert dx.dtypes.finfo("bfloat16").bits == 16 and dx.dtypes.iinfo("int4").max == 7
    assert dx.dtypes.issubdtype("bfloat16", np.floating)
    with dx.config.defaults(32):
        assert dx.dtypes.canonicalize_dtype(int) == np.int32
    with pytest.raises(dx.dtypes.TypePromotionError):
        dnp.add(dnp.zeros(2, ml_dtypes.float8_e4m3fn), dnp.zeros(2, ml_dtypes.float8_e5m2))
    assert isinstance(3.0, dx.typing.ArrayLike) and not isinstance([1.0], dx.typing.ArrayLike)
    assert dx.jit(lambda x: isinstance(x, dx.typing.ArrayLike))(1.0)
    torch_like = np.arange(4.0)
    close(dx.dlpack.from_dlpack(torch_like), torch_like)


def test_dtypes_of_keys():
    dtypes, key = dx.dtypes, dx.random.key(0)
    for kind in (dtypes.prng_key, dtypes.extended, np.generic):
        assert dtypes.issubdtype(key.dtype, kind)
    assert not dtypes.issubdtype(key.dtype, np.number) and not dtypes.issubdtype(key.dtype, float)
    assert not dtypes.issubdtype("float32", dtypes.prng_key)
    assert dtypes.issubdtype(dtypes.prng_key, dtypes.extended)
    assert dtypes.issubdtype(key.dtype, key.dtype)
    assert dtypes.canonicalize_dtype(key.dtype, allow_extended_dtype=True) == key.dtype
    with pytest.raises(TypeError, match="keys"):
        dtypes.canonicalize_dtype(key.dtype)


# --------------------------------------------------------------------------------------------------
# Stages


def test_stages_have_jaxs_names():
    f = dx.jit(lambda x, y: {"out": x + y["b"]}, donate_argnums=0)
    traced = f.trace(np.ones(3), {"b": 2.0})
    lowered = traced.lower()
    compiled = lowered.compile()
    stages = dx.stages
    assert isinstance(f, stages.Wrapped) and not isinstance(np.sin, stages.Wrapped)
    assert isinstance(traced, stages.Traced) and isinstance(lowered, stages.Lowered)
    assert isinstance(compiled, stages.Compiled)
    for stage in (traced, lowered, compiled):
        (x, y), kwargs = stage.args_info
        assert isinstance(x, stages.ArgInfo) and kwargs == {}
        assert (x.shape, x.dtype, x.donated, y["b"].donated) == ((3,), np.float64, True, False)
        assert stage.in_tree == traced.in_tree and stage.out_tree == traced.out_tree
    assert traced.fun_name == "<lambda>"
    assert lowered.cost_analysis()["flops"] == compiled.cost_analysis()["flops"] > 0
    assert compiled.runtime_executable() is not None


# --------------------------------------------------------------------------------------------------
# Checks of derivatives


def test_checks_accept_what_is_right():
    check = dx.test_util.check_grads
    check(lambda x, y: dnp.sin(x) * y["a"], (0.5, {"a": rng(3)}), 3)
    check(lambda z: z**2 * dnp.exp(z), (0.3 + 0.4j,), 2)
    check(lambda x, n: x[n], (rng(4), 2), 1)
    check(dnp.sin, (np.float32(0.5),), 1, modes="rev", eps=1e-2)


@pytest.mark.parametrize("modes", ["fwd", "rev", ("fwd", "rev")])
@pytest.mark.parametrize("order", [1, 2])
def test_checks_find_what_is_wrong(modes, order):
    f = dx.custom_jvp(dnp.sin)
    # Wrong at the first order, or at the second only.
    slope = dx.custom_jvp(dnp.cos)
    slope.defjvp(lambda p, t: (dnp.cos(p[0]), t[0] * (1.0 if order == 2 else -dnp.sin(p[0]))))
    f.defjvp(lambda p, t: (dnp.sin(p[0]), t[0] * slope(p[0]) * (1.1 if order == 1 else 1.0)))
    if order == 2:
        dx.test_util.check_grads(f, (0.5,), 1, modes)
    with pytest.raises(AssertionError, match=r"tangent|projection"):
        dx.test_util.check_grads(f, (0.5,), order, modes)
    with pytest.raises(ValueError, match="modes"):
        dx.test_util.check_grads(f, (0.5,), 1, "forward")


# --------------------------------------------------------------------------------------------------
# Errors


def test_errors_are_of_jaxs_classes():
    errors = dx.errors
    with pytest.raises(errors.NonConcreteBooleanIndexError) as caught:
        dx.jit(lambda x: x[x > 0])(np.ones(3))
    assert isinstance(caught.value, IndexError | errors.ConcretizationTypeError)
    with pytest.raises(errors.JAXTypeError):
        dx.jit(lambda x: float(x))(1.0)
    jaxpr = dx.make_jaxpr(dnp.sin)(1.0)
    broken = type(jaxpr)(jaxpr.in_vars, jaxpr.eqns * 2, jaxpr.outs)
    with pytest.raises(errors.JaxprTypeError):
        dx.check_jaxpr(broken)
    assert issubclass(errors.JaxRuntimeError, RuntimeError)
    with pytest.raises(AttributeError, match=r"dimension"):
        errors.InconclusiveDimensionOperation


# --------------------------------------------------------------------------------------------------
# Events and profiles


@pytest.fixture
def listeners():
    yield
    monitoring.clear_event_listeners()


def test_listeners(listeners):
    heard = []
    kinds = {
        "event": (monitoring.register_event_listener, monitoring.record_event,
                  monitoring.unregister_event_listener, ()),
        "duration": (monitoring.register_event_duration_secs_listener,
                     monitoring.record_event_duration_secs,
                     monitoring.unregister_event_duration_listener, (0.5,)),
        "span": (monitoring.register_event_time_span_listener, monitoring.record_event_time_span,
                 monitoring.unregister_event_time_span_listener, (1.0, 2.0)),
        "scalar": (monitoring.register_scalar_listener, monitoring.record_scalar,
                   monitoring.unregister_scalar_listener, (7,)),
    }  # fmt: skip
    for name, (register, record, unregister, values) in kinds.items():
        listener = lambda *args, **kwargs: heard.append((args, kwargs))
        register(listener)
        record("/test/" + name, *values, a=1)
        unregister(listener)
        record("/test/" + name, *values)
        with pytest.raises(ValueError, match="not a listener"):
            unregister(listener)
        with pytest.raises(TypeError, match="function"):
            register(3)
        assert heard.pop() == (("/test/" + name, *values), {"a": 1}) and not heard


def test_what_jit_does_is_heard(listeners):
    heard = []
    monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **kwargs: heard.append((event.split("/")[-1], kwargs["fun_name"]))
    )

    @dx.jit
    def heard_of(x):
        return dnp.sin(x) * 3.21

    heard_of(1.0)
    heard_of(2.0)
    kinds = ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
    assert heard == [(f"{kind}_duration", "heard_of") for kind in kinds]


def test_profiles(tmp_path):
    profiler = dx.profiler
    with profiler.trace(tmp_path, create_perfetto_trace=True):
        with pytest.raises(RuntimeError, match="already"):
            profiler.start_trace(tmp_path)
        with profiler.StepTraceAnnotation("a step", step_num=3):
            profiler.annotate_function(lambda: dx.jit(dnp.sin)(1.0).block_until_ready(), "mine")()
    with pytest.raises(RuntimeError, match="start_trace"):
        profiler.stop_trace()
    [perfetto] = tmp_path.rglob("perfetto_trace.json.gz")
    recorded = gzip.decompress(perfetto.read_bytes()).decode()
    assert '"mine"' in recorded and "a step" in recorded and '"metadata"' not in recorded
    [planes] = tmp_path.rglob("*.xplane.pb")
    assert list(profiler.ProfileData.from_file(os.fspath(planes)).planes)
    profiler.save_device_memory_profile(tmp_path / "memory.prof")
    assert gzip.decompress((tmp_path / "memory.prof").read_bytes())
    with pytest.raises(NotImplementedError, match="perfetto"):
        profiler.start_trace(tmp_path, create_perfetto_link=True)
    with pytest.raises(ValueError, match="start_server"):
        profiler.stop_server()


def test_logged_values(caplog):
    with caplog.at_level(logging.INFO, "diffeo"):
        dx.jit(lambda x: dx.debug.log("x = {x:.1f}", x=x))(2.0)
    assert [r.getMessage() for r in caplog.records if r.name == "diffeo"] == ["x = 2.0"]
    with pytest.raises(ValueError, match=r"debug.log"):
        dx.debug.log("x = {y}", 1.0)
    with pytest.raises(NotImplementedError, match="partitioned"):
        dx.debug.print("{}", 1.0, partitioned=True)


# --------------------------------------------------------------------------------------------------
# Programs, the process


def test_core():
    core = dx.core
    weights = rng(3)
    jaxpr = dx.make_jaxpr(lambda x: dnp.dot(weights, x))(np.ones(3))
    [out] = core.eval_jaxpr(jaxpr, [2 * weights], np.ones(3))
    close(out, 2 * weights.sum())
    with pytest.raises(TypeError, match="constants"):
        core.eval_jaxpr(jaxpr, [], np.ones(3))
    assert isinstance(dx.typeof(1.0), core.AbstractValue)
    assert core.max_dim(2, 3) == 3 and core.min_dim(2, 3) == 2
    assert isinstance(jaxpr.eqns[0].outs[0], core.Atom)


def test_parts_that_run_while_a_function_is_traced():
    table = dnp.array([1, 3, 2])

    @dx.jit
    def f(x):
        with dx.ensure_compile_time_eval():
            n = int(table.max())
        assert dx.core.eval_context
        return dnp.tile(x, n)

    assert f(2.0).shape == (3,)
    close(dx.grad(lambda x: f(x).sum())(2.0), 3.0)

    @dx.ensure_compile_time_eval()
    def traced_inside(x):
        return x + 1

    with pytest.raises(dx.errors.UnexpectedTracerError):
        dx.jit(traced_inside)(1.0)


def test_this_process():
    assert (dx.process_count(), dx.process_index(), dx.process_indices()) == (1, 0, [0])
    assert (dx.host_count(), dx.host_id(), dx.host_ids()) == (1, 0, [0])
    with pytest.raises(RuntimeError):
        dx.process_count("no such platform")
    x = dx.jit(dnp.exp)(np.ones(3))
    assert any(a is x for a in dx.live_arrays("cpu"))
    x.delete()
    assert not any(a is x for a in dx.live_arrays())
    dx.effects_barrier()
    assert "jaxlib" in dx.print_environment_info(return_string=True)
    tree = {"a": dx.jit(dnp.exp)(0.0), "b": 3}
    assert dx.copy_to_host_async(tree) is tree


def test_what_a_policy_may_return():
    from diffeo.ad_checkpoint import Recompute, Saveable

    keep = lambda verdict: lambda primitive, *avals: verdict
    f = lambda policy: dx.checkpoint(lambda x: dnp.sin(dnp.sin(x)), policy=policy)
    counts = [
        len(dx.api.control_flow.checkpoint.saved_residuals(f(keep(v)), 1.0))
        for v in (Saveable, True, Recompute, False)
    ]
    assert counts[0] == counts[1] > counts[2] == counts[3]
    assert repr(Saveable) == "Saveable"
