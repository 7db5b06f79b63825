"""A run in JSON and Markdown, and what a comparison of two makes of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nextcall.performance.figures import Figures, Samples
from nextcall.performance.report import report
from nextcall.performance.run import PerformanceRun
from nextcall.telemetry.comparison import BenchmarkComparison, compare_results, read_result

MakeRun: TypeAlias = Callable[..., PerformanceRun]


def test_two_runs_are_compared_by_their_samples(make_run: MakeRun, tmp_path: Path) -> None:
    def compared(milliseconds: float) -> BenchmarkComparison:
        for name, each in (("before", 10.0), ("after", milliseconds)):
            text = json.dumps(make_run(each).told(), allow_nan=False)
            (tmp_path / f"{name}.json").write_text(text)
        results = (read_result(tmp_path / f"{name}.json") for name in ("before", "after"))
        return compare_results(*results, rng=np.random.default_rng(0))

    slower = {change.name: change for change in compared(20.0).regressions}
    assert set(slower) == {
        f"parts.{part}.samples_ms" for part in ("guard", "ranking", "prediction", "kept")
    }
    assert all(change.ci_lower < 2 < change.ci_upper for change in slower.values())
    assert not compared(10.1).regressions


def test_errors_are_a_regression(make_run: MakeRun, tmp_path: Path) -> None:
    for name, errors in (("before", 0), ("after", 1)):
        (tmp_path / f"{name}.json").write_text(json.dumps(make_run(errors=errors).told()))
    results = (read_result(tmp_path / f"{name}.json") for name in ("before", "after"))
    found = compare_results(*results, rng=np.random.default_rng(0)).regressions
    assert "parts.guard.errors" in {change.name for change in found}


def test_the_report_has_a_line_a_part_and_a_promise(make_run: MakeRun) -> None:
    run = make_run(60.0)
    lines = report(run).splitlines()
    assert lines[2].endswith("model none, 20 users at once. Promises: missed.")
    assert "| guard | 21 | 0 | 60.0 | 65.4 | 65.9 | 60.0 | 16.7 |" in lines
    assert "| kept | cache_hit_p95 | 65.4 ms | 50.0 ms | -15.4 ms | -31% | missed |" in lines
    assert "| service | memory | 200 MB | 1,000 MB | 800 MB | 80% | met |" in lines
    assert sum(line.startswith("| ") for line in lines) == 4 + 4 + len(run.promises)


def test_what_is_not_known_is_a_dash_and_null(make_run: MakeRun) -> None:
    failed = Figures.of(Samples(seconds=[], errors=3, elapsed=1.0))
    few = replace(make_run(), parts={"guard": failed}, promises=())
    assert few.status == "unknown"
    told = json.loads(json.dumps(few.told(), allow_nan=False))
    assert told["parts"]["guard"]["p50"] is None
    assert "| guard | 3 | 3 | - | - | - | - | 0.000 |" in report(few).splitlines()
