"""Which model is preferred: planted truths come out, and what differs by chance does not."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from sqlalchemy import text

from nextcall.abtest.interleaving import team_draft
from nextcall.feedback.accuracy import online_accuracy
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.interleaved import interleaved_preferences, preference_frame
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.storage.schema_state import REVISIONS

from .conftest import DRAFT, NOW, OPERATIONS, MakeShown

K = 5
ITEMS = [f"operation-{number}" for number in range(12)]
RIGHT = ITEMS[0]

Rank = Callable[[np.random.Generator], list[str]]


class Asked(NamedTuple):
    """One list of a user."""

    challenger: str
    user: str
    lists: tuple[list[str], list[str]]


def ranker(skill: float) -> Rank:
    """Rank so that what is right stands first with a chance, else anywhere."""

    def rank(rng: np.random.Generator) -> list[str]:
        others = rng.permutation(ITEMS[1:]).tolist()
        place = 0 if rng.random() < skill else int(rng.integers(len(ITEMS)))
        return [*others[:place], RIGHT, *others[place:]][:K]

    return rank


def play(
    feedback: Feedback, make_shown: MakeShown, asked: Sequence[Asked], rng: np.random.Generator
) -> None:
    """Show each user a draft; they choose what is right where they see it, with a slip or two."""
    said: list[tuple[str, str | None, str]] = []
    for place, one in enumerate(asked):
        shown = team_draft(one.lists, k=K, rng=rng)
        draft = Draft(
            challenger=one.challenger,
            lists=(tuple(one.lists[0]), tuple(one.lists[1])),
            teams=tuple(shown.teams.tolist()),
        )
        left = make_shown(
            user=one.user, operations=shown.items, confidences=(None,) * K, draft=draft
        )
        feedback.shown.remember(str(place), left)
        chosen = RIGHT if RIGHT in shown.items else None
        if rng.random() < 0.2:
            chosen = shown.items[int(rng.integers(K))]
        said.append((str(place), chosen, one.user))

    async def all_at_once() -> None:
        given = [feedback.give_async(name, chosen, at=NOW, user=u) for name, chosen, u in said]
        await asyncio.gather(*given)

    asyncio.run(all_at_once())


@pytest.mark.parametrize(
    ("skills", "winner"), [((0.3, 0.7), "challenger"), ((0.7, 0.3), "current")]
)
def test_the_better_one_is_preferred(
    feedback: Feedback,
    database: Database,
    make_shown: MakeShown,
    skills: tuple[float, float],
    winner: str,
) -> None:
    rng = np.random.default_rng(1)
    one, other = map(ranker, skills)
    asked = [Asked("m2", f"u{n % 40}", (one(rng), other(rng))) for n in range(400)]
    play(feedback, make_shown, asked, rng)
    (found,) = interleaved_preferences(database)
    assert (found.model_version, found.challenger) == ("m1", "m2")
    assert (found.answers, found.users, found.preferred) == (400, 40, winner)
    assert found.credit + found.challenger_credit == pytest.approx(found.taken)
    effect = found.preference.effect
    assert effect.value == pytest.approx((found.challenger_credit - found.credit) / 400)
    better, worse = ("m2", "m1") if winner == "challenger" else ("m1", "m2")
    assert found.verdict.startswith(f"{better} is preferred to {worse}: ")
    assert (effect.value > 0) == (winner == "challenger")
    (row,) = preference_frame([found]).to_dict("records")
    assert (row["preferred"], row["difference"]) == (winner, effect.value)


def test_the_interval_of_two_alike_covers_0_as_often_as_it_says(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    rng = np.random.default_rng(2)
    rank, runs = ranker(0.5), 60
    asked = [
        Asked(f"m{run:02}", f"u{n % 15}", (rank(rng), rank(rng)))
        for run in range(runs)
        for n in range(45)
    ]
    play(feedback, make_shown, asked, rng)
    found = interleaved_preferences(database)
    assert [each.challenger for each in found] == sorted({each.challenger for each in asked})
    covered = sum(
        each.preference.effect.ci_lower <= 0 <= each.preference.effect.ci_upper for each in found
    )
    assert covered >= 52  # fewer have a chance of 0.5 % where each covers with 0.95
    assert sum(each.preferred is None for each in found) == covered
    assert covered < runs  # an interval that never misses says nothing


@pytest.mark.parametrize(
    ("users", "each", "told"),
    [(1, 1, "1 answer, 1 user"), (1, 2, "2 answers, 1 user"), (2, 1, "2 answers, 2 users")],
)
def test_one_answer_and_one_user_are_told_as_one(
    feedback: Feedback,
    database: Database,
    make_shown: MakeShown,
    users: int,
    each: int,
    told: str,
) -> None:
    rng = np.random.default_rng(4)
    one, other = ranker(0.0), ranker(1.0)
    asked = [Asked("m2", f"u{user}", (one(rng), other(rng))) for user in range(users)]
    play(feedback, make_shown, asked * each, rng)
    (found,) = interleaved_preferences(database)
    assert found.verdict.endswith(f"; {told}).")


def test_one_user_says_nothing_of_others(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    rng = np.random.default_rng(3)
    one, other = ranker(0.0), ranker(1.0)
    play(feedback, make_shown, [Asked("m2", "u", (one(rng), other(rng)))] * 50, rng)
    (found,) = interleaved_preferences(database)
    assert (found.users, found.preferred, found.pvalue) == (1, None, 1.0)
    assert found.verdict.startswith("Neither of m1 and m2 is shown to be preferred")
    assert "no interval, for there is one user" in found.verdict


@pytest.mark.parametrize(("users", "preferred"), [(5, None), (6, "challenger")])
def test_where_all_users_are_alike_the_sign_test_decides(
    feedback: Feedback, database: Database, make_shown: MakeShown, users: int, preferred: str | None
) -> None:
    shown = team_draft([["a", "b"], [RIGHT, "c"]], k=2, rng=np.random.default_rng(0))
    draft = Draft(
        challenger="m2", lists=(("a", "b"), (RIGHT, "c")), teams=tuple(shown.teams.tolist())
    )
    for number in range(users):
        user = f"u{number}"
        left = make_shown(user=user, operations=shown.items, draft=draft)
        feedback.shown.remember(user, left)
        feedback.give(user, RIGHT, at=NOW, user=user)
    (found,) = interleaved_preferences(database)
    assert found.pvalue == pytest.approx(2 * 0.5**users)
    assert found.preferred == preferred


def test_what_counts_is_what_was_said_last_of_interleaved_lists_in_that_time(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    for days, draft in ((0, DRAFT), (1, DRAFT), (2, None)):
        at = NOW + timedelta(days=days)
        feedback.shown.remember(str(days), make_shown(at=at, draft=draft))
        for chosen in ("list", "get"):
            feedback.give(str(days), chosen, at=at, user="u")
    (found,) = interleaved_preferences(database)
    assert found.answers == 2
    # Of the drafts that give list, get, delete, the current model placed get in none.
    assert (found.credit, found.challenger_credit) == (0.0, 2.0)
    (late,) = interleaved_preferences(database, since=NOW + timedelta(days=1))
    assert late.answers == 1
    assert interleaved_preferences(database, until=NOW) == []
    assert preference_frame([]).empty
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1, got 2"):
        interleaved_preferences(database, alpha=2)


def test_accuracy_is_told_of_interleaved_lists_by_themselves(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    for name, draft in (("p", DRAFT), ("q", None)):
        feedback.shown.remember(name, make_shown(draft=draft))
        feedback.give(name, OPERATIONS[0], at=NOW, user="u")
    found = online_accuracy(database)
    assert [(each.model_version, each.answers) for each in found] == [("m1", 1), ("m1 and m2", 1)]
    (both,) = online_accuracy(database, by_version=False)
    assert (both.model_version, both.answers) == (None, 2)


def test_answers_from_before_there_were_drafts_stay(database: Database, tmp_path: Path) -> None:
    former = tmp_path / "revisions"
    shutil.copytree(REVISIONS, former)
    for later in ("interleaving", "llm_calls"):
        (former / f"{later}.py").unlink()
    migrate(database, revisions=former)
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO feedback_answer (prediction_id, shown_at, given_at, changed_at, "
                "version, catalog_hash, history, operations, confidences, chosen, rank) VALUES "
                "('p', :at, :at, :at, 1, 'c', '[]', '[\"a\"]', '[null]', 'a', 1)"
            ),
            {"at": NOW.replace(tzinfo=None)},
        )
    migrate(database)
    (found,) = online_accuracy(database)
    assert (found.answers, found.hit_at_1.value) == (1, 1.0)
    assert interleaved_preferences(database) == []
