"""Online accuracy beside other libraries and plain definitions."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from statsmodels.stats.proportion import proportion_confint

from nextcall.feedback.accuracy import accuracy_frame, online_accuracy
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.tables import ANSWER
from nextcall.ranking.metrics import reciprocal_rank
from nextcall.storage.database import Database

from .conftest import NOW, OPERATIONS, MakeShown

Said = tuple[str | None, str | None]  # user, and what was chosen
CHOICES = [*OPERATIONS, "else", None]
SAID = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(CHOICES)),
    min_size=1,
    max_size=30,
)


def give_all(feedback: Feedback, make_shown: MakeShown, said: Sequence[Said]) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(
            *(
                feedback.give_async(str(place), chosen, at=NOW, user=user)
                for place, (user, chosen) in enumerate(said)
            )
        )

    for place, (user, _) in enumerate(said):
        feedback.shown.remember(str(place), make_shown(user=user))
    asyncio.run(all_at_once())


@given(said=SAID)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shares_are_those_of_statsmodels(
    feedback: Feedback, database: Database, make_shown: MakeShown, said: list[Said]
) -> None:
    with database.writing() as connection:
        connection.execute(delete(ANSWER))
    give_all(feedback, make_shown, said)
    (found,) = online_accuracy(database)
    chosen = [each for _, each in said]
    hits = {
        "hit_at_1": sum(each == "list" for each in chosen),
        "hit_at_3": sum(each in OPERATIONS for each in chosen),
        "none_rate": sum(each is None for each in chosen),
    }
    for name, count in hits.items():
        told = getattr(found, name)
        ends = proportion_confint(count, len(said), method="wilson")
        assert told.value == count / len(said)
        assert (told.ci_lower, told.ci_upper) == pytest.approx(ends, abs=1e-12)
    assert found.outside == sum(each == "else" for each in chosen)
    named = [user for user, _ in said if user is not None]
    assert (found.answers, found.users) == (len(said), len({*named}) + len(said) - len(named))
    relevance = [[float(shown == each) for shown in OPERATIONS] for each in chosen]
    plain = [reciprocal_rank(each, [3, 2, 1]) if any(each) else 0.0 for each in relevance]
    assert found.mrr.value == pytest.approx(np.mean(plain))
    assert 0 <= found.mrr.ci_lower <= found.mrr.value <= found.mrr.ci_upper <= 1


def test_the_interval_of_the_mean_has_users_as_clusters(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    rng = np.random.default_rng(5)
    likes = rng.random(40)
    said: list[Said] = [
        (f"u{user}", "list" if rng.random() < likes[user] else "else")
        for user in rng.integers(0, 40, 1_500).tolist()
    ]
    give_all(feedback, make_shown, said)
    (found,) = online_accuracy(database)
    values = np.array([float(chosen == "list") for _, chosen in said])
    users = pd.factorize(np.array([user for user, _ in said]))[0]
    fit = sm.OLS(values, np.ones_like(values)).fit(
        cov_type="cluster", cov_kwds={"groups": users}, use_t=True
    )
    low, high = fit.conf_int()[0]
    assert (found.mrr.ci_lower, found.mrr.ci_upper) == pytest.approx((low, high), abs=1e-4)
    alone = found.hit_at_1.ci_upper - found.hit_at_1.ci_lower
    assert found.mrr.ci_upper - found.mrr.ci_lower > 1.5 * alone


def test_versions_and_windows_are_told_apart(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    for place, (hours, version, chosen) in enumerate(
        [(-1, "m1", "list"), (0, "m1", "get"), (1, "m2", "list"), (23, "m2", None), (24, None, "x")]
    ):
        at = midnight + timedelta(hours=hours)
        feedback.shown.remember(str(place), make_shown(at=at, model_version=version))
        feedback.give(str(place), chosen, at=at, user="u")
    day = timedelta(days=1)
    found = online_accuracy(database, window=day)
    assert [(each.since, each.model_version, each.answers) for each in found] == [
        (midnight - day, "m1", 1),
        (midnight, "m1", 1),
        (midnight, "m2", 2),
        (midnight + day, None, 1),
    ]
    of_day = online_accuracy(database, since=midnight, until=midnight + day, by_version=False)
    assert [(each.answers, each.hit_at_1.value) for each in of_day] == [(3, 1 / 3)]
    by_version = online_accuracy(database)
    assert [each.model_version for each in by_version] == [None, "m1", "m2"]
    frame = accuracy_frame(found)
    assert frame["answers"].sum() == 5
    assert frame["hit_at_1"].tolist() == [1.0, 0.0, 0.5, 0.0]
    assert (frame["mrr.low"] <= frame["mrr"]).all()


def test_without_answers_there_is_nothing_to_tell(feedback: Feedback, database: Database) -> None:
    assert len(feedback.shown) == 0
    assert online_accuracy(database) == []
    assert accuracy_frame([]).empty
    with pytest.raises(ValueError, match="window must be above 0, got 0:00:00"):
        online_accuracy(database, window=timedelta(0))
