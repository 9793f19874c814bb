"""Choosing flags: by timing variants of a program, and by looking at it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from diffeo.lowering import autotune, compat, compiler, flags
from diffeo.lowering.devices import buffers
from diffeo.primitives.types import ShapedArray

AVAL = ShapedArray((64,), np.float64)


def program(attributes="", operation="add"):
    return (
        f"module @f {{\nfunc.func public @main(%x: tensor<64xf64>{attributes}, %y: tensor<64xf64>) "
        "-> tensor<64xf64> {\n"
        f"  %z = stablehlo.{operation} %x, %y : tensor<64xf64>\n"
        "  return %z : tensor<64xf64>\n}\n}"
    )


def operands():
    return [buffers.put(np.full(64, value), AVAL) for value in (1.0, 2.0)]


def compiled(text, cache=None, **how):
    cache = cache or compiler.ProgramCache()
    return cache.compile_program(text, [AVAL, AVAL], [AVAL], **how)


@pytest.fixture
def folder(tmp_path):
    with dx.compilation_cache.set_path(tmp_path):
        yield


@pytest.fixture(autouse=True)
def in_short(monkeypatch):
    monkeypatch.setattr(autotune, "_BUDGET", 0.05)


@pytest.mark.parametrize(
    "donation", ["", " {tf.aliasing_output = 0 : i32}", " {jax.buffer_donor = true}"]
)
def test_the_arguments_survive(folder, donation):
    values, cache = operands(), compiler.ProgramCache()
    tuned = compiled(program(donation), cache, tune_with=values)
    assert tuned.origin == "tuned" and not any([value.is_deleted() for value in values])
    table = tuned.executable.tuning
    assert [m.variant for m in table][:2] == ["default", "no fusion"]
    assert [m.chosen for m in table].count(True) == 1
    assert all([m.run_seconds > 0 and m.compile_seconds > 0 for m in table])
    assert compiled(program(donation), cache, tune_with=values).origin == "memory"
    assert compiled(program(donation), cache).executable.tuning == ()
    loaded = compiled(program(donation), tune_with=values)
    assert loaded.origin == "disk" and loaded.executable.tuning == table
    [result] = loaded.executable.execute(values)
    assert buffers.to_numpy(result, AVAL).tolist() == [3.0] * 64
    assert values[0].is_deleted() == bool(donation)


def test_donation_is_taken_out():
    plain = autotune._without_donation(program())
    assert plain == program()
    for attributes in ("{jax.buffer_donor = true}", "{tf.aliasing_output = 3 : i32}"):
        assert autotune._without_donation(program(" " + attributes)) == plain
    both = ' {a.b = "c", tf.aliasing_output = 3 : i32}', ' {jax.buffer_donor = true, a.b = "c"}'
    for attributes in both:
        assert autotune._without_donation(program(attributes)) == program(' {a.b = "c"}')
    text = program(" {jax.buffer_donor = true}", "custom_call {}, jax.buffer_donor = true")
    assert text.split("\n")[2:] == autotune._without_donation(text).split("\n")[2:]


class Fake:
    """A program that takes so long, by a clock of its own."""

    device = SimpleNamespace(platform="cpu")
    compile_seconds = 0.1
    clock = 0.0

    def __init__(self, seconds):
        self.seconds, self.runs, self.tuning = seconds, 0, ()

    def execute(self, values):
        self.runs += 1
        Fake.clock += self.seconds
        return []


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(autotune, "time", SimpleNamespace(perf_counter=lambda: Fake.clock))


def tuned(seconds, given=None):
    """Tune with such run times of variants; those that are left out do not compile."""
    made, tried = {}, []

    def make(text, options):
        tried.append(options)
        name = next((n for n, v in variants.items() if v.items() <= options.items()), "default")
        if name not in seconds:
            raise ValueError("no such flag")
        return made.setdefault(name, Fake(seconds[name]))

    variants = autotune.VARIANTS["cpu"]
    best = autotune.tune(make, "", given or {}, given or {}, [])
    return next(n for n in made if made[n] is best), made, tried


def test_the_fastest_is_chosen(clock):
    for best in ("default", "no fusion", "wide vectors"):
        times = dict.fromkeys(("default", "no fusion", "wide vectors"), 0.004)
        name, made, _ = tuned({**times, best: 0.001})
        assert name == best
        assert [m.variant for m in made[name].tuning if m.chosen] == [best]


def test_the_default_stays_where_nothing_is_gained(clock):
    name, made, tried = tuned({"default": 0.0100, "no fusion": 0.0099})
    assert name == "default" and len(tried) == 4 and len(made) == 2


def test_what_is_hopeless_is_not_run_again(clock, monkeypatch):
    monkeypatch.setattr(autotune, "_BUDGET", 1.0)
    _, made, _ = tuned({"default": 0.001, "no fusion": 0.005, "wide vectors": 0.0011})
    assert made["no fusion"].runs == autotune._TURNS + 1 < made["wide vectors"].runs


def test_what_takes_long_is_run_a_few_times(clock):
    _, made, _ = tuned({"default": 0.06, "no fusion": 0.07})
    assert made["default"].runs == made["no fusion"].runs == 3


def test_flags_of_the_user_hold_for_all(clock):
    given = {"xla_cpu_prefer_vector_width": 128}
    name, _, tried = tuned({"default": 0.001}, given)
    assert name == "default" and all([given.items() <= options.items() for options in tried])
    assert len(tried) == 3


def test_programs_without_fusion_are_not_tried_with_it(clock):
    _, made, tried = tuned({"default": 0.001, "no fusion": 0.001}, dict(flags.NO_FUSION))
    assert tried == [flags.NO_FUSION] and len(made) == 1


def test_quick_mode(folder):
    text = program()
    quick, usual = compiled(text, optimize=False), compiled(text)
    assert quick.origin == usual.origin == "compiled"
    values = operands()
    results = [buffers.to_numpy(p.executable.execute(values)[0], AVAL) for p in (quick, usual)]
    assert results[0].tolist() == results[1].tolist()
    assert compiled(text, optimize=False, tune_with=values).origin == "disk"  # nothing to tune


def test_functions_are_not_called_by_trials():
    calls = []
    f = dx.jit(lambda x: dx.pure_callback(lambda a: calls.append(1) or a, x, x))
    lowered = f.lower(np.ones(64))
    made = compiler.compile_program(
        lowered.as_text(), [AVAL], [AVAL], functions=lowered._prepared.module.functions,
        tune_with=operands()[:1],
    )  # fmt: skip
    assert made.origin == "compiled" and not calls


# --------------------------------------------------------------------------------------------------
# Programs whose loops would repeat each other's work


@st.composite
def programs(draw):
    """Operations by the numbers of their operands, and the numbers of the results."""
    count = draw(st.integers(1, 20))
    operations = [
        draw(st.lists(st.integers(-2, i - 1), min_size=1, max_size=3)) for i in range(count)
    ]
    return operations, draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=5))


@given(programs())
def test_the_work_of_loops(drawn):
    operations, results = drawn
    names = lambda numbers: ", ".join([f"%{n}" if n >= 0 else f"%arg{-n}" for n in numbers])
    lines = [f'  %{i} = "stablehlo.add"({names(o)}) : f' for i, o in enumerate(operations)]
    lines += ['  %c = "stablehlo.constant"() : f', f"  func.return {names(results)} : f"]

    def behind(n):
        return {n}.union(*[behind(m) for m in operations[n] if m >= 0])

    expected = len(operations), sum([len(behind(r)) for r in set(results)])
    assert flags.loop_work("\n".join(lines)) == expected


def test_flags_by_the_looks_of_a_program():
    def orders(n):
        f = lambda t: dx.derivatives(lambda s: np.exp(np.sin(s)), t, n)
        return dx.jit(dx.vmap(f)).lower(np.linspace(0, 1, 10)).as_text()

    def along_ones(f):
        return lambda x: dx.jvp(f, (x,), (np.ones_like(x),))[1]

    def nested(n):
        f = lambda x: np.sin(x * np.tanh(x) + np.exp(-x * x))
        for _ in range(n):
            f = along_ones(f)
        return dx.jit(f).lower(np.linspace(0, 1, 10)).as_text()

    assert flags.default_flags(orders(40), "cpu") == flags.NO_FUSION
    assert flags.default_flags(orders(40), "gpu") == {}
    assert flags.default_flags(orders(16), "cpu") == {}
    with dx.config.separate_derivatives(), dx.config.simplification(False):
        text = nested(6)
    assert len(text) > 200_000 and flags.default_flags(text, "cpu") == {}


def test_all_flags_are_known_or_refused():
    """A misspelt flag would silently be no variant."""
    known = set()
    for variant in [flags.QUICK, *autotune.VARIANTS["cpu"].values()]:
        try:
            compiled(program(), options=variant)
            known.add(next(iter(variant)))
        except ValueError as error:
            assert re.search("No such compile option", str(error))
    expected = {"xla_backend_optimization_level", "xla_disable_hlo_passes",
                "xla_cpu_prefer_vector_width"}  # fmt: skip
    assert known - {"xla_cpu_use_fusion_emitters"} == expected
    if compat.version.startswith("0.10."):
        assert "xla_cpu_use_fusion_emitters" in known
