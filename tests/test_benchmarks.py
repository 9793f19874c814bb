"""The arithmetic of the benchmarks, their table, which groups run; that both libraries agree."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

import diffeo
from benchmarks import __main__ as command
from benchmarks import report, scaling, summary
from benchmarks.case import Case, GeometricMean, Line, Pair, Result, measured
from benchmarks.clock import Timing, interleave
from benchmarks.clock import summary as summarise
from benchmarks.workloads import WORKLOADS


@dataclass(frozen=True)
class Known(Case):
    """A case whose times are known; of None, it fails."""

    times: tuple[float, float] | None = None

    def measure(self, ours, theirs):
        if self.times is None:
            raise ZeroDivisionError("nothing to divide")
        return Result(*[Timing(t, 2 * t, 0.1) for t in self.times])


def test_best_median_and_spread():
    timing = summarise([4.0, 1.0, 2.0, 3.0, 5.0])
    assert timing == Timing(1.0, 3.0, pytest.approx(2.0 / 3.0))
    assert summarise([7.0]) == Timing(7.0, 7.0, None)


def test_sides_are_timed_in_turn():
    order = []
    timer = lambda name: lambda n: order.append(name) or 0.01 * n
    timings = interleave((timer("a"), timer("b")), budget=0.0, rounds=(4, 4))
    assert "".join(order).endswith("abbaabba")
    assert [t.best for t in timings] == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize(
    "target, limit, passes",
    [(0.5, None, True), (0.49, None, False), (None, 1.0, True), (None, 0.9, False),
     (0.5, 0.9, False), (None, None, True)],
)  # fmt: skip
def test_what_passes(target, limit, passes):
    line = Line("x", Timing(1.0, 3.0), Timing(2.0, 4.0), target, limit)
    assert (line.ratio, line.medians, line.passes) == (0.5, 0.75, passes)


def test_nothing_measured_misses():
    assert not Line("x").passes
    assert not Line("x", Timing(1.0, 1.0), None, 1.0).passes
    assert math.isnan(Line("x", Timing(1.0, 1.0), Timing(1.0, 1.0), unit="").ratio)


def test_geometric_mean_measures_once_and_names_what_failed():
    one, two = Known("one", 1.0, times=(1.0, 2.0)), Known("two", 1.0, times=(4.0, 2.0))
    result = measured(GeometricMean("mean", 1.0, (one, two)), diffeo, diffeo)
    assert [t.best for t in (result.ours, result.theirs)] == pytest.approx([2.0, 2.0])
    assert measured(one, diffeo, diffeo) is measured(one, diffeo, diffeo)
    broken = Known("broken", 1.0)
    assert measured(broken, diffeo, diffeo).error == "ZeroDivisionError: nothing to divide"
    failed = GeometricMean("mean", 1.0, (one, broken)).measure(diffeo, diffeo)
    assert "broken" in failed.error and "one" not in failed.error.split(": ")[1]


def test_pair_refuses_different_numbers():
    constant = lambda value: lambda lib: lambda: lib.numpy.full(3, value)
    Pair("same", 1.0, constant(1.0), constant(1.0 + 1e-12)).sides(diffeo, diffeo)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        Pair("different", 1.0, constant(1.0), constant(1.1)).sides(diffeo, diffeo)


def test_growth_is_fitted():
    sizes = [10, 100, 1000]
    assert scaling.exponent(sizes, [3.0 * n**1.5 for n in sizes]) == pytest.approx(1.5)
    assert scaling.factor([1, 2, 3], [5.0 * 2.5**n for n in (1, 2, 3)]) == pytest.approx(2.5)


def test_rows_of_the_table():
    case = Case("a case", 0.4, limit=0.5)
    further = Line("per equation", Timing(2e-6, 2e-6), limit=8e-6)
    result = Result(Timing(1.0, 3.0, 0.05), Timing(2.0, 4.0, 0.1), (further,))
    assert report.rows(case, result) == [
        ("a case", "1 s", "2 s", "0.500", "0.750", "5, 10 %", "0.4, 500 ms", "MISSED"),
        ("... per equation", "2 µs", "", "", "", "", "8 µs", "ok"),
    ]
    assert report.rows(case, Result(error="no"))[0][1] == "error"
    assert len({line.count("|") for line in report.header().splitlines()}) == 1


def test_saved_tables_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    cases = [Known("met", 1.0, times=(1.0, 2.0)), Known("missed", 0.1, times=(1.0, 2.0)),
             Known("failed", 1.0), Known("not run", 1.0, times=(1.0, 1.0))]  # fmt: skip
    outcomes = [(case, measured(case, diffeo, diffeo)) for case in cases[:3]]
    text, numbers = report.save(outcomes, "", {"group": cases})
    assert report.kept(numbers) == {case.name: result for case, result in outcomes}
    assert json.loads(numbers.read_text())["groups"] == {"group": ["met", "missed", "failed"]}
    assert "## group" in text.read_text() and "- missed: not known" in text.read_text()
    report.save([(cases[3], Result(Timing(1.0, 1.0), Timing(1.0, 1.0)))], "", {"group": cases})
    assert list(report.kept(numbers)) == [case.name for case in cases]

    table = "\n".join(summary.readme())
    assert "| missed | 0.1 | **0.5** |" in table and "| failed | 1 | **error** |" in table
    assert "| met |" not in table


def test_summary_shows_cases_that_exist():
    names = {case.name for cases in command.GROUPS.values() for case in cases}
    for name in summary.SHOWN:
        assert name in names or name.rpartition(": ")[0] in names, name
    table = summary.table({"jaxlib 1": {"import": Line("import", Timing(1, 1), Timing(8, 8), 0.3)},
                           "jaxlib 2": {}})  # fmt: skip
    assert table[2:] == [
        "| import | 0.3 | 0.125 | — |", "| rows that meet their target | | 1 of 1 | 0 of 0 |"
    ]  # fmt: skip


def test_groups_are_chosen():
    chosen = command.selected(command.arguments(["dispatch", "eager", "--only", "ONE ARRAY"]))
    assert list(chosen) == ["eager", "dispatch"]
    assert not chosen["eager"] and all("one array" in case.name for case in chosen["dispatch"])
    assert list(command.selected(command.arguments([]))) == list(command.GROUPS)
    with pytest.raises(SystemExit):
        command.arguments(["no-such-group"])


def test_names_are_those_of_one_case():
    names = [case.name for cases in command.GROUPS.values() for case in cases]
    assert len(set(names)) == len(names)


def test_cases_of_missing_packages_are_left_out():
    assert Case("x", None).possible and Case("x", None, needs="numpy").possible
    assert not Case("x", None, needs="no_such_package").possible


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
@pytest.mark.sampled(4)
def test_both_libraries_agree(jax, workload):
    sides = []
    for lib in (diffeo, jax):
        compute = lib.jit(workload.function(lib))
        sides.append([np.asarray(x) for x in lib.tree.leaves(compute(*workload.arguments(lib)))])
    for a, b in zip(*sides, strict=True):
        assert a.dtype == b.dtype and np.all(np.isfinite(a))
        np.testing.assert_allclose(a, b, rtol=0.0, atol=workload.rtol * np.max(np.abs(b)))
