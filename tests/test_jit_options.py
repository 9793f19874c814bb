"""jit: donation, unused and static arguments, compiler options, stages, explanations."""

import gc
import logging
import weakref

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises

dnp = dx.numpy


def device_array(*shape, value=1.0):
    """An array whose numbers live on the device only."""
    return dx.jit(lambda: dnp.full(shape, value))()


# -- Donation --


def test_a_donated_array_is_gone_and_its_memory_is_the_result():
    step = dx.jit(lambda s, x: s + x, donate_argnums=0)
    s = device_array(1000)
    new = step(s, 1.0)
    close(new, np.full(1000, 2.0))
    assert step.lower(new, 1.0).compile().memory_analysis()["alias"] == 8000
    for use in (lambda: s + 1, lambda: np.asarray(s), lambda: s.tolist(), lambda: float(s[0])):
        with raises(RuntimeError, "no data any more", "donated"):
            use()
    with raises(RuntimeError, "jit of <lambda>: argument 0: the array has no data"):
        step(s, 1.0)
    with raises(RuntimeError, "jit of other: argument 1['a']: the array has no data"):

        @dx.jit
        def other(x, t):
            return x + t["a"]

        other(1.0, {"a": s})


def test_donation_in_a_loop():
    step = dx.jit(lambda s: {k: v * 2 for k, v in s.items()}, donate_argnames="s")
    s = {"a": dnp.ones(3), "b": dnp.ones((2, 2))}
    for _ in range(5):
        s = step(s)
    close(s, {"a": np.full(3, 32.0), "b": np.full((2, 2), 32.0)})
    assert step.lower(s).compile().memory_analysis()["alias"] == 8 * 7


def test_donated_memory_without_a_result_of_its_type_is_freed():
    total = dx.jit(lambda x: x.sum(), donate_argnums=0)
    x = device_array(100)
    assert total(x) == 100.0
    with raises(RuntimeError, "no data any more"):
        x + 1


def test_a_view_of_donated_memory_lives_on():
    step = dx.jit(lambda s: s + 1, donate_argnums=0)
    s = device_array(1000)
    view = np.asarray(s)
    close(step(s), np.full(1000, 2.0))
    with raises(RuntimeError, "no data any more"):
        s + 1
    close(step(device_array(1000, value=7.0)), np.full(1000, 8.0))
    close(view, np.ones(1000))


def test_arrays_of_the_host_can_be_donated_and_numpy_arrays_are_not_touched():
    step = dx.jit(lambda s: s + 1, donate_argnums=0)
    x = np.zeros(64)
    for _ in range(3):
        close(step(x), np.ones(64))
    assert not x.any()
    y = dnp.asarray(x)
    close(step(y), np.ones(64))
    assert not x.any()


def test_one_array_twice_of_which_one_is_donated():
    f = dx.jit(lambda a, b: a + b, donate_argnums=0)
    x = device_array(3)
    with raises(RuntimeError, "argument 0 is donated, but the same array is also argument 1"):
        f(x, x)


@pytest.mark.parametrize(
    ("options", "error", "parts"),
    [
        ({"donate_argnums": 3}, ValueError, ("donate_argnums has 3", "['x', 'n']")),
        ({"donate_argnames": "y"}, ValueError, ("donate_argnames has 'y'",)),
        ({"donate_argnums": "x"}, TypeError, ("donate_argnums must be an integer", "'x'")),
        ({"static_argnums": 1.0}, TypeError, ("static_argnums must be an integer",)),
        ({"static_argnums": 0, "donate_argnums": 0}, ValueError, ("both static and donated",)),
    ],
)
def test_arguments_that_do_not_exist(options, error, parts):
    def f(x, n):
        return x * n

    with raises(error, "jit of f", *parts):
        dx.jit(f, **options)


def test_donation_beside_static_arguments_and_keywords():
    @dx.jit(static_argnums=0, donate_argnames=("state",))
    def step(n, x, state):
        return state * n + x

    s = device_array(3)
    assert step(2, 1.0, s).tolist() == [3.0] * 3
    with raises(RuntimeError, "jit of step: argument 2: the array has no data"):
        step(2, 1.0, s)
    s = device_array(3)
    assert step(2, 1.0, state=s).tolist() == [3.0] * 3
    with raises(RuntimeError, "keyword argument state: the array has no data"):
        step(2, 1.0, state=s)


# -- Static arguments --


class NeverEqual:
    def __eq__(self, other):
        return False

    __hash__ = object.__hash__


class RaisesWhenCompared:
    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ([1, 2], ("no hash", "a tuple")),
        (np.ones(2), ("no hash", "ordinary argument")),
        (float("nan"), ("not equal to itself",)),
        (NeverEqual(), ("not equal to itself",)),
        (RaisesWhenCompared(), ("its == raises RuntimeError: no comparison",)),
    ],
)
def test_static_arguments_that_cannot_be_keys(value, parts):
    f = dx.jit(lambda x, n: x, static_argnums=1)
    f(1.0, 2)
    f(dnp.ones(3), 2)
    for x in (1.0, np.ones(3), dnp.ones(3)):
        with raises(ValueError, "the static argument 1 is", *parts):
            f(x, value)


def test_calls_with_static_arguments_find_their_programs():
    f = dx.jit(lambda x, n: x * n, static_argnums=1)
    for _ in range(3):
        for x in (dnp.ones(2), np.ones(2), 1.0):
            for n in (0.0, -0.0, 2, 2.0, True):
                assert str(f(x, n)) == str(dnp.asarray(x) * n)
    assert sum(s.calls for s in f.explain().signatures) == 45
    assert len(f.explain().signatures) == 10  # a NumPy array is an Array; 1.0 is weak


# -- The fast path --


def test_arguments_and_keywords_of_one_structure():
    f = dx.jit(lambda *args, **kwargs: len(args) + 10 * len(kwargs))
    for _ in range(3):
        for x in (1.0, dnp.ones(()), np.ones(())):
            assert f((x,), {"k": x}) == 2
            assert f(x, k=x) == 11
            assert f(x) == 1
            assert f((x,)) == 1


def test_every_kind_of_leaf_again_and_again():
    f = dx.jit(lambda x, y: x * y + 1)
    values = [
        2, 2.5, True, 1 + 2j, np.float32(1.5), np.int8(3), np.arange(3), np.arange(6.0)[::2],
        np.asfortranarray(np.ones((2, 3))), np.ones(3, "float16"), np.ones((), "bool"),
        dnp.arange(3), device_array(3), dnp.ones(3, "bfloat16"), np.ones(3, ">f8"), np.str_("no"),
    ]  # fmt: skip
    for _ in range(3):
        for x in values[:-1]:
            for y in (3.0, np.ones(3), device_array(3)):
                if np.shape(x) == (2, 3) and np.shape(y):
                    y = np.ones((2, 3))
                expected = dnp.asarray(x) * y + 1 if np.ndim(x) or np.ndim(y) else x * y + 1
                close(f(x, y), np.asarray(expected))
        with raises(TypeError, "jit of <lambda>: argument 0", "there are no arrays of dtype <U2"):
            f(values[-1], 1.0)


def test_a_numpy_array_may_be_written_to_as_soon_as_the_call_returns():
    heavy = dx.jit(lambda a, x: x + 0 * (a @ a @ a @ a)[0, 0])
    a = dnp.ones((500, 500))
    raw = np.empty(8 * 1000 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    x = raw[start : start + 8000].view(np.float64)  # aligned: jaxlib would use it in place
    for _ in range(5):
        x[:] = 1
        y = heavy(a, x)
        x[:] = 5
        close(y, np.ones(1000))


def test_an_integer_that_does_not_fit():
    f = dx.jit(lambda x: x + 1)
    assert f(1) == 2
    for _ in range(2):
        with raises(OverflowError, "does not fit into int64"):
            f(2**70)


def test_the_default_width_is_part_of_the_signature():
    f = dx.jit(lambda x: dnp.zeros(2) + x)
    for _ in range(2):
        for x in (1.0, dnp.ones(2, "float32"), np.ones(2, "float32")):
            assert f(x).dtype == np.float64
            with dx.config.defaults(32):
                assert f(x).dtype == np.float32


# -- Options --


def test_arguments_that_are_not_read():
    f = dx.jit(lambda x, y, z: x + 1)
    big = device_array(1000)
    for args in ((1.0, big, 2), (device_array(), big, big), (np.ones(()), np.ones(5), 1)):
        for _ in range(2):
            assert f(*args) == 2.0
    assert f.lower(1.0, big, 2).compile().memory_analysis()["argument"] == 8
    kept = dx.jit(lambda x, y, z: x + 1, keep_unused=True)
    assert kept(1.0, big, 2) == 2.0
    assert kept.lower(1.0, big, 2).compile().memory_analysis()["argument"] == 8 * 1002
    assert f.lower(1.0, big, 2).compile()(1.0, big, 2) == 2.0
    step = dx.jit(lambda x, y: x * 2, donate_argnums=(0, 1))
    assert step(device_array(), big) == 2.0
    assert big.sum() == 1000  # it was not handed over


def test_inline():
    inner = dx.jit(lambda x: x * 2 + 1, inline=True)
    jaxpr = dx.make_jaxpr(lambda x: inner(x) + inner(x))(1.0)
    assert [e.primitive.name for e in jaxpr.eqns] == ["mul", "add", "mul", "add", "add"]
    assert (inner(1.0), dx.grad(inner)(1.0)) == (3.0, 2.0)
    close(dx.vmap(inner)(np.arange(3.0)), np.array([1.0, 3.0, 5.0]))
    called = dx.make_jaxpr(lambda x: dx.jit(lambda x: x * 2)(x))(1.0)
    assert [e.primitive.name for e in called.eqns] == ["call"]


def test_jit_in_jit_is_one_function():
    inner = dx.jit(lambda x: dnp.sin(dnp.cos(dnp.sin(x) * 2) - 3) / 4)
    text = dx.jit(lambda x: inner(inner(x)) + inner(x * 3)).lower(1.0).as_text()
    assert text.count("func.func private") == 1 and text.count("func.call") == 3
    short = dx.jit(lambda x: x * 2)  # is not worth a function
    assert "func.call" not in dx.jit(lambda x: short(x) + short(x * 3)).lower(1.0).as_text()


def test_compiler_options():
    f = dx.jit(lambda x: dnp.sin(x), compiler_options={"xla_backend_optimization_level": 0})
    assert abs(float(f(1.0)) - np.sin(1.0)) < 1e-12
    wrong = dx.jit(lambda x: x + 1, compiler_options={"xla_no_such_option": 1})
    with raises(ValueError, "xla_no_such_option"):
        wrong(1.0)
    lowered = dx.jit(lambda x: x + 1).lower(1.0)
    assert lowered.compile({"xla_cpu_enable_fast_math": True})(1.0) == 2.0
    with raises(ValueError, "xla_no_such_option"):
        lowered.compile({"xla_no_such_option": 1})


def test_methods():
    class Model:
        def __init__(self, factor):
            self.factor = factor

        @dx.jit(static_argnums=0, donate_argnums=1)
        def step(self, x, *, twice=False):
            return self.factor * x

    model = Model(3.0)
    x = device_array(2)
    assert model.step(x).tolist() == [3.0, 3.0]
    with raises(RuntimeError, "argument 1: the array has no data"):
        model.step(x)


# -- Stages --


def test_what_the_stages_tell():
    f = dx.jit(lambda x, t: {"sum": x.sum() + t[0]})
    args = np.ones((2, 3)), (1.0,)
    traced = f.trace(*args)
    lowered = traced.lower()
    compiled = lowered.compile()
    struct = {"sum": dx.ShapeDtypeStruct((), "float64")}
    assert traced.out_info == lowered.out_info == compiled.out_info == struct
    assert f.eval_shape(*args) == struct
    assert "stablehlo.reduce" in lowered.as_text() and "HloModule" in compiled.as_text()
    assert compiled.cost_analysis()["flops"] > 0
    assert compiled.memory_analysis()["argument"] == 8 * 7
    inputs, keywords = compiled.input_shardings
    assert inputs[1][0].device is inputs[0].device and keywords == {}
    assert compiled.output_shardings["sum"].device_set == {inputs[0].device}
    assert [str(a) for a in compiled.in_avals] == ["f64[2,3]", "f64[]"]
    close(compiled(*args), {"sum": np.array(7.0)})
    with raises(TypeError, "another structure"):
        compiled(*args, 1)
    with raises(TypeError, "compiled for f64[2,3], called with"):
        compiled(np.ones(3), (1.0,))


def test_results_without_numbers():
    f = dx.jit(dx.grad(lambda x, n: x * 2.0, argnums=(0, 1), allow_int=True))
    for args in ((1.0, 2), (dnp.ones(()), dnp.asarray(3)), (np.ones(()), np.asarray(3))):
        for _ in range(2):
            g, none = f(*args)
            assert g == 2.0 and none.dtype == dx.float0 and none.shape == ()
    only = dx.jit(dx.grad(lambda n: n * 2.0, allow_int=True))
    assert only(np.arange(1)[0]).dtype == dx.float0


# -- Explanations --


def test_explain_names_what_differed():
    @dx.jit(static_argnames="mode")
    def f(x, y, mode="a"):
        return x + y["w"]

    f(np.ones(3), {"w": 1.0})
    f(np.ones(3), {"w": 2.0})
    f(np.ones(4), {"w": 1.0})
    f(np.ones(4), {"w": 1})
    f(np.ones(4), {"w": 1}, mode="b")
    f(np.ones(4), {"w": 1, "v": 1}, mode="b")
    with dx.config.defaults(32):
        f(np.ones(4), {"w": 1}, mode="b")
    found = f.explain()
    why = [s.why for s in found.signatures]
    assert why[0] == "first call"
    assert why[1] == "unlike signature 1: argument 0: f64[3] became f64[4]"
    assert why[2] == "unlike signature 2: argument 1['w']: f64[]~ became i64[]~"
    assert "static argument mode" in why[3] and "'b'" in why[3]
    assert "another structure of arguments" in why[4] and "'v'" in why[4]
    assert "setting default_bits: 64 became 32" in why[5]
    assert [s.calls for s in found.signatures] == [2, 1, 1, 1, 1, 1] and found.hits == 1
    first = found.signatures[0]
    assert first.arguments == (("argument 0", "f64[3]"), ("argument 1['w']", "f64[]~"))
    assert first.trace_seconds > 0 and first.lower_seconds > 0 and first.compile_seconds >= 0
    assert "jit of f: 6 signatures, 1 calls" in repr(found)
    assert "<table>" in found._repr_html_() and "f64[4]" in found._repr_html_()


def test_explain_before_the_first_call_and_after_tracing_only():
    f = dx.jit(lambda x: x)
    assert "not called yet" in repr(f.explain())
    f.lower(1.0)
    [s] = f.explain().signatures
    assert s.compile_seconds is None and s.origin == "" and s.calls == 0
    f.clear_cache()
    assert not f.explain().signatures


def test_the_overview():
    def some_function_of_this_test(x):
        return x + 1

    f = dx.jit(some_function_of_this_test)
    f(1.0), f(2.0)
    shown = dx.explain()
    mine = [e for e in shown.functions if e.name == "some_function_of_this_test"]
    assert mine[-1].hits == 1
    assert "some_function_of_this_test" in repr(shown) and "programs in memory" in repr(shown)
    assert "<table>" in shown._repr_html_()


def test_the_log(caplog):
    f = dx.jit(lambda x: x + 1)
    f(1.0)
    assert not caplog.records
    dx.config.log_compiles = True
    try:
        with caplog.at_level(logging.WARNING, "diffeo"):
            f(np.ones(2))
            f(np.ones(2))
    finally:
        dx.config.log_compiles = False
    [record] = caplog.records
    text = record.getMessage()
    assert "jit of <lambda> for (argument 0: f64[2])" in text and "f64[]~ became f64[2]" in text


def test_settings_that_do_not_exist():
    with pytest.raises(AttributeError, match=r"no setting 'default_bit'; .* default_bits"):
        dx.config.default_bit = 32
    with pytest.raises(ValueError, match="default_bits is 64 or 32, got 16"):
        dx.config.default_bits = 16
    with pytest.raises(TypeError, match=r"simplify is True or False, got 'no'"):
        dx.config.simplify = "no"
    assert dx.config.default_bits == 64 and dx.config.simplify is True


@pytest.mark.parametrize("options", [5, [1], {1: True}])
def test_compiler_options_that_are_none(options):
    with raises(TypeError, "jit of <lambda>: compiler_options are XLA's flags by name"):
        dx.jit(lambda x: x, compiler_options=options)
    with raises(TypeError, "compile of <lambda>: compiler_options are XLA's flags by name"):
        dx.jit(lambda x: x).lower(1.0).compile(options)


def test_programs_go_with_their_function():
    f = dx.jit(lambda x: x + 1)
    f(1.0), f(np.ones(2)), f(dnp.ones(2))
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


# -- Re-rolling, tuning, quick mode --


def layers(weights, x):
    for w in weights:
        x = dnp.tanh(x @ w) + x
        x = x / (1 + dnp.abs(x))
    return (x**2).sum()


def test_rerolled_layers_are_a_loop():
    weights, x = [np.eye(4) * (0.1 + 0.01 * i) for i in range(24)], np.ones((3, 4))
    plain = dx.jit(dx.value_and_grad(layers))
    rolled = dx.jit(dx.value_and_grad(layers), reroll=True)
    assert "stablehlo.while" not in plain.lower(weights, x).as_text()
    assert "stablehlo.while" in rolled.lower(weights, x).as_text()
    for _ in range(2):
        close(rolled(weights, x), plain(weights, x), rtol=1e-12)


def test_tuned_and_quick_programs_compute_the_same():
    x = np.linspace(0.0, 1.0, 7)
    f = lambda x: dnp.sin(x) @ dnp.cos(x)
    tuned, quick = dx.jit(dx.grad(f), autotune=True), dx.jit(dx.grad(f), optimize=False)
    for _ in range(2):
        close(tuned(x), dx.jit(dx.grad(f))(x), rtol=1e-14)
        close(quick(x), dx.jit(dx.grad(f))(x), rtol=1e-14)
    [s] = tuned.explain().signatures
    assert s.origin == "tuned" and sum(m.chosen for m in s.tuning) == 1
    assert "tuned: default" in repr(tuned.explain())


def test_tuning_does_not_consume_donated_arguments():
    step = dx.jit(lambda s: dnp.sin(s) * 2, donate_argnums=0, autotune=True)
    s = device_array(50)
    close(step(s), np.full(50, 2 * np.sin(1.0)))
    with raises(RuntimeError, "no data any more"):
        s + 1
