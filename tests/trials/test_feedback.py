"""What was taken of two rankers' answers decides a test, and teaches a ranker."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from nextcall.ranking.metrics import reciprocal_rank
from nextcall.sessions.call import calls_of
from nextcall.trials.definition import Definition
from nextcall.trials.feedback import Feedback
from nextcall.trials.trials import Trials

SHOWN = ("list", "create", "delete")


def told(taken: str | None) -> Feedback:
    return Feedback(prediction_id="p", prompt="make one", shown=SHOWN, taken=taken)


@pytest.mark.parametrize("taken", SHOWN)
def test_the_place_counts_as_in_evaluation(taken: str) -> None:
    metrics = told(taken).metrics()
    relevance = [float(each == taken) for each in SHOWN]
    assert metrics["reciprocal_rank"] == pytest.approx(reciprocal_rank(relevance, [3, 2, 1]))
    assert metrics["taken"] == 1
    assert metrics["taken_first"] == relevance[0]


@pytest.mark.parametrize("taken", [None, "archive"])
def test_what_was_not_shown_counts_nothing(taken: str | None) -> None:
    assert set(told(taken).metrics().values()) == {0.0}


def test_it_becomes_a_prompt_to_learn_from() -> None:
    history = calls_of(["list"])
    query = replace(told("archive"), history=history).query()
    assert query is not None
    assert (query.query_id, query.prompt, query.relevant) == ("p", "make one", ("archive",))
    assert tuple(query.history) == tuple(history)
    assert told(None).query() is None


@pytest.mark.parametrize(("shown", "rule"), [((), "at least one"), (("a", "a"), "each operation")])
def test_a_list_that_cannot_be_shown(shown: tuple[str, ...], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Feedback(prediction_id="p", prompt="make one", shown=shown, taken=None)


def test_the_better_of_two_rankers_wins_by_feedback(trials: Trials, definition: Definition) -> None:
    """Ranker B shows what is wanted first in two thirds of answers, A in one third."""
    rng = np.random.default_rng(3)
    plan = replace(definition, primary_metric="reciprocal_rank", min_sample_size=100)
    test_id = trials.create(plan).test_id
    trials.start(test_id)

    async def serve(number: int, draw: float) -> None:
        unit = f"user-{number}"
        variant = (await trials.assign_async(test_id, unit)).variant_id
        first = draw < (2 / 3 if variant == "B" else 1 / 3)
        report = Feedback(
            prediction_id=f"answer-{number}",
            prompt="make one",
            shown=("create", "list") if first else ("list", "create"),
            taken="create",
        )
        for _ in range(2):  # a client that sends again changes nothing
            await trials.record_async(
                test_id, unit, variant, report.metrics(), event_id=report.prediction_id
            )

    async def serve_all() -> None:
        await asyncio.gather(*(serve(*each) for each in enumerate(rng.random(600))))

    asyncio.run(serve_all())
    found = trials.analyze(test_id)
    assert found.winner_variant_id == "B"
    assert {each.variant_id: each.n for each in found.variant_results} == {
        each.variant_id: each.units for each in found.variant_results
    }
    assert sum(each.events for each in found.variant_results) == 600
