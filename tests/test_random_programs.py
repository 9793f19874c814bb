"""Random programs over the public face agree in all ways to run them (see `random_programs/`)."""

import types

import pytest

import diffeo as dx
from tests.random_programs import checks
from tests.random_programs.checks import Failure, namespace
from tests.random_programs.drawing import draw_program
from tests.random_programs.program import ROWS, every_step
from tests.random_programs.reporting import program_text, small
from tests.random_programs.running import Bundle

pytestmark = pytest.mark.filterwarnings("ignore")


def check(seeds, **which):
    """No program of these seeds fails; what is printed if one does can be pasted."""
    reports = Bundle([draw_program(s) for s in seeds], **which).run()
    wrong = [(r.program, f) for r in reports for f in r.failures]
    assert not wrong, "\n".join([f"{f.site}\n{f.message}\n{program_text(p)}" for p, f in wrong[:3]])
    notes = [n for r in reports for n in r.program.notes]
    assert not notes, f"{notes[0].message}\n{notes[0].source}"
    assert sum([r.checks for r in reports]) > 5 * len(reports)


def test_eager(jax):
    check(range(30), compiled=False)


def test_compiled_together(jax):
    check(range(100, 105))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1200, 20))
@pytest.mark.sampled(5)
def test_compiled(jax, start):
    check(range(start, start + 20))


@pytest.mark.exhaustive
@pytest.mark.parametrize("start", range(2000, 4000, 20))
def test_second_derivatives_and_jax(jax, start):
    check(range(start, start + 20), second=True, by_jax=True)


@pytest.mark.exhaustive
@pytest.mark.parametrize("start", range(10_000, 20_000, 500))
def test_many_eager(jax, start):
    for first in range(start, start + 500, 50):
        check(range(first, first + 50), compiled=False)


def test_a_seed_is_a_program():
    assert draw_program(3).source() == draw_program(3).source()
    assert draw_program(3).source() != draw_program(4).source()


@pytest.mark.exhaustive
def test_every_row_is_drawn(jax):
    seen: set = set()
    for seed in range(5000):
        seen.update([step.row for step in every_step(draw_program(seed).steps)])
        if len(seen) == len(ROWS) - 1:  # all but the constants of smaller programs
            break
    assert {name for name in ROWS if name not in seen} == {"literal"}


@dx.custom_jvp
def bent(x):
    return dx.numpy.sin(x)


bent.defjvp(lambda p, t: (bent(*p), dx.numpy.cos(p[0]) * t[0] * (1 + 1e-4)))


@pytest.mark.parametrize(
    "wrong, check",
    [
        (bent, "jvp against differences"),
        (lambda x: dx.numpy.sin(x) * (1 + 1e-12), "value against NumPy"),
        (lambda x: dx.lax.stop_gradient(dx.numpy.sin(x)), "jvp against differences"),
    ],
    ids=["a slope", "a value", "no slope"],
)
def test_what_is_wrong_is_found_and_made_small(monkeypatch, wrong, check):
    """A sine that is off by little fails, and the program that is printed is little more."""
    face = types.SimpleNamespace(**{n: getattr(dx.numpy, n) for n in dir(dx.numpy)})
    face.sin = wrong
    monkeypatch.setattr(checks, "namespace", lambda *args: {**namespace(*args), "np": face})
    for seed in range(200, 400):
        program = draw_program(seed)
        if program.plain and any([s.row == "sin" for s in program.steps]):
            failures = Bundle([program], compiled=False).run()[0].failures
            found = next((f for f in failures if f.check == check), None)
            if found is not None:
                smaller, again = small(program, Failure(found.check, found.message))
                assert again.check == check and smaller.size() <= min(3, program.size())
                return
    raise AssertionError("nothing was found")
