"""A test says from its sums what its rows say, and names no winner before it may."""

from collections.abc import Iterator
from dataclasses import replace
from math import isnan

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete, update

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Mean
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.trials.definition import Definition
from nextcall.trials.results import TrialResult, VariantResult
from nextcall.trials.tables import ARM, EVENT, EXPOSURE, UNIT_TOTAL
from nextcall.trials.trials import Trials


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Open an SQLite file; what is computed is the same in both databases."""
    with Database(f"sqlite:///{tmp_path_factory.mktemp('kept')}/a.db") as opened:
        migrate(opened)
        yield opened


def run(
    trials: Trials,
    definition: Definition,
    *,
    n: int = 300,
    effect: float = 0.0,
    events: int = 1,
    seed: int = 0,
) -> tuple[str, pd.DataFrame]:
    """Run a test with so many units; give its id and the rows that it was told of."""
    rng = np.random.default_rng(seed)
    test_id = trials.create(definition).test_id
    trials.start(test_id)
    rows = []
    sightings = []
    for unit in range(n):
        name = f"user-{unit}"
        known = trials._known.running(test_id)
        for event in range(events if unit % 3 else 1):
            variant = known.assigned(name).variant_id
            value = 10 + rng.normal() + effect * (variant != definition.control_variant_id)
            metrics = {definition.primary_metric: value, "cost": rng.gamma(3.0)}
            sightings.append(known.recorded(name, variant, metrics, str(event)))
            rows.append({"unit": name, "variant": variant, **metrics})
    with trials._database.writing() as connection:
        trials._writer._write(connection, sightings)
    return test_id, pd.DataFrame(rows)


@pytest.fixture
def plan(definition: Definition) -> Definition:
    return replace(definition, planned_sample_size=200)


def same(one: VariantResult, analysis: Analysis, metric: str) -> None:
    """Hold a treatment against the analysis of the rows."""
    (found,) = [
        each
        for each in analysis.comparisons
        if (each.metric, each.treatment) == (metric, one.variant_id)
    ]
    assert one.difference is not None
    assert one.relative is not None
    for field in ("value", "se", "ci_lower", "ci_upper", "pvalue"):
        assert getattr(one.difference, field) == pytest.approx(
            getattr(found.difference, field), rel=1e-9
        )
        assert getattr(one.relative, field) == pytest.approx(
            getattr(found.relative, field), rel=1e-9
        )
    assert one.mean_value == pytest.approx(found.treatment_estimate, rel=1e-12)
    assert (one.outcome, one.n) == (found.outcome, found.n_treatment)


@pytest.mark.parametrize("events", [1, 3])
@pytest.mark.parametrize("stopped", [False, True])
def test_sums_say_what_the_rows_say(
    trials: Trials,
    plan: Definition,
    events: int,
    stopped: bool,  # noqa: FBT001  # a parameter
) -> None:
    test_id, rows = run(trials, plan, effect=0.3, events=events)
    if stopped:
        trials.stop(test_id)
    found = trials.analyze(test_id)
    expected = analyze(
        rows,
        control="A",
        metrics=[Mean("taken"), Mean("cost")],
        unit="unit",
        shares={"A": 50, "B": 50},
        plan=0.05 if stopped else LookPlan(n=440),
    )
    assert found.method == ("fixed-horizon" if stopped else "always-valid")
    same(found.variant_results[1], expected, "taken")
    same(found.other_metrics["cost"][1], expected, "cost")
    assert found.reason == expected.verdict.sentence
    assert found.decision == expected.verdict.decision
    assert found.pvalue == pytest.approx(expected.comparisons[0].adjusted_pvalue)
    assert found.srm.pvalue == pytest.approx(expected.srm_pvalue)
    assert found.srm.observed == expected.units
    control = found.variant_results[0]
    assert (control.difference, control.relative, control.outcome) == (None, None, "control")
    assert control.mean_value == pytest.approx(rows["taken"][rows["variant"] == "A"].mean())
    assert control.ci_lower < control.mean_value < control.ci_upper
    assert control.events == (rows["variant"] == "A").sum()


def test_over_units_those_without_records_count_as_zero(trials: Trials, plan: Definition) -> None:
    test_id, rows = run(trials, replace(plan, mean_over="units"), n=300, events=2)
    for unit in range(300, 360):
        trials.assign(test_id, f"user-{unit}")
    trials.stop(test_id)
    found = trials.analyze(test_id)
    totals = rows.groupby(["unit", "variant"], as_index=False)[["taken", "cost"]].sum()
    idle = [f"user-{unit}" for unit in range(300, 360)]
    known = trials.get(test_id).assignment()
    more = pd.DataFrame(
        {"unit": idle, "variant": [known.assign(each).variant for each in idle]}
    ).assign(taken=0.0, cost=0.0)
    whole = pd.concat([totals, more])
    expected = analyze(
        whole, control="A", metrics=[Mean("taken"), Mean("cost")], shares={"A": 50, "B": 50}
    )
    same(found.variant_results[1], expected, "taken")
    assert sum(each.n for each in found.variant_results) == 360


def test_a_better_treatment_wins_and_a_worse_one_leaves_control(
    trials: Trials, plan: Definition
) -> None:
    better = trials.analyze(run(trials, plan, n=500, effect=1.0)[0])
    assert (better.decision, better.winner_variant_id, better.valid) == ("winner", "B", True)
    assert better.pvalue < 1e-4
    assert better.confidence_level == 0.95
    worse = trials.analyze(run(trials, plan, n=500, effect=-1.0)[0])
    assert (worse.decision, worse.winner_variant_id, worse.valid) == ("loser", "A", True)
    lower = trials.analyze(run(trials, replace(plan, better="lower"), n=500, effect=-1.0)[0])
    assert lower.winner_variant_id == "B"
    nothing = trials.analyze(run(trials, plan, n=500)[0])
    assert (nothing.winner_variant_id, nothing.valid) == (None, True)


def test_no_winner_below_the_smallest_sample(trials: Trials, plan: Definition) -> None:
    test_id, rows = run(trials, plan, n=150, effect=5.0)
    found = trials.analyze(test_id)
    n = int(rows["variant"].value_counts().min())
    assert n < 100
    assert (found.winner_variant_id, found.valid, found.decision) == (None, False, "invalid")
    assert f"has {n} units with a value of taken, and each variant must have 100" in found.reason
    assert found.pvalue < 1e-4  # which is told all the same


def test_no_winner_while_the_sample_ratio_fails(
    trials: Trials, database: Database, plan: Definition
) -> None:
    test_id, _ = run(trials, plan, n=500, effect=1.0)
    with database.writing() as connection:
        connection.execute(update(ARM).where(ARM.c.variant_id == "B").values(units=500))
    found = trials.analyze(test_id)
    assert (found.winner_variant_id, found.valid, found.srm.valid) == (None, False, False)
    assert found.reason.startswith("No winner can be named: ")
    trials.stop(test_id)
    assert not trials.analyze(test_id).valid


def numbers(result: TrialResult) -> NDArray[np.float64]:
    return np.array(
        [[each.mean_value, each.ci_lower, each.ci_upper] for each in result.variant_results]
    )


@pytest.mark.parametrize("units", [0, 1, 2])
def test_a_test_with_few_units_is_answered(
    trials: Trials, definition: Definition, units: int
) -> None:
    draft = trials.create(definition)
    assert trials.analyze(draft.test_id).valid is False
    test_id, _ = run(trials, definition, n=max(units, 1))
    if not units:
        test_id = draft.test_id
        trials.start(test_id)
    found = trials.analyze(test_id)
    assert (found.valid, found.winner_variant_id) == (False, None)
    assert isnan(found.pvalue)
    assert {each.outcome for each in found.variant_results} == {"control", "unknown"}
    assert np.isnan(numbers(found)).any()
    assert found.srm.valid


def test_units_that_are_all_alike_are_answered(trials: Trials, definition: Definition) -> None:
    test_id = trials.create(replace(definition, min_sample_size=2)).test_id
    trials.start(test_id)
    for unit in range(80):
        name = f"user-{unit}"
        trials.record(test_id, name, trials.assign(test_id, name).variant_id, {"taken": 1})
    found = trials.analyze(test_id)
    assert (found.valid, found.winner_variant_id) == (False, None)
    assert "no unit differs from another" in found.reason


def test_a_test_that_was_looked_at_keeps_its_interval(trials: Trials, plan: Definition) -> None:
    test_id, _ = run(trials, plan, effect=0.3)
    running = trials.analyze(test_id)
    trials.stop(test_id)
    stopped = trials.analyze(test_id)
    assert stopped.method == running.method == "always-valid"
    np.testing.assert_array_equal(numbers(stopped), numbers(running))
    first = trials.get(test_id).units_at_first_look
    assert first == running.srm.observed


def test_beyond_its_plan_a_test_that_is_watched_is_read_more_strictly(
    trials: Trials, plan: Definition
) -> None:
    small = replace(plan, min_sample_size=20)
    width = {}
    for planned in (150, 100):
        test_id, _ = run(trials, replace(small, planned_sample_size=planned))
        effect = trials.analyze(test_id).variant_results[1].difference
        assert effect is not None
        width[planned] = effect.ci_upper - effect.ci_lower
    assert width[100] > 1.2 * width[150]


def test_of_three_unequal_variants_the_best_is_named(
    trials: Trials, definition: Definition
) -> None:
    first, second = definition.variants
    third = replace(second, variant_id="C", variant_name="third", traffic_percentage=33.34)
    plan = replace(
        definition,
        variants=[
            replace(first, traffic_percentage=33.33), replace(second, traffic_percentage=33.33),
            third,
        ],
        planned_sample_size=200,
    )  # fmt: skip
    test_id = trials.create(plan).test_id
    trials.start(test_id)
    rng = np.random.default_rng(1)
    known = trials._known.running(test_id)
    sightings = []
    for unit in range(600):
        variant = known.assigned(f"u{unit}").variant_id
        value = rng.normal() + {"A": 0, "B": 1, "C": 2}[variant]
        sightings.append(known.recorded(f"u{unit}", variant, {"taken": value}, "e"))
    with trials._database.writing() as connection:
        trials._writer._write(connection, sightings)
    found = trials.analyze(test_id)
    assert found.winner_variant_id == "C"
    assert [each.outcome for each in found.variant_results] == ["control", "better", "better"]


def test_an_analysis_reads_no_record(trials: Trials, database: Database, plan: Definition) -> None:
    test_id, _ = run(trials, plan, effect=0.3, events=2)
    before = trials.analyze(test_id)
    with database.writing() as connection:
        for table in (EVENT, UNIT_TOTAL, EXPOSURE):
            connection.execute(delete(table))
    assert trials.analyze(test_id) == before
