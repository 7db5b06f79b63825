"""What is acknowledged is kept, once, with what was shown; what was said before stays beside it."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, delete, select

from nextcall.feedback import retention
from nextcall.feedback.answers import read_answers
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.retention import forget_old
from nextcall.feedback.shown import ShownPredictions
from nextcall.feedback.tables import ANSWER, REPLACED, TABLES
from nextcall.feedback.writing import UnknownPredictionError
from nextcall.storage.database import Database
from nextcall.storage.group_writer import WriterClosedError
from nextcall.storage.migrations import differences

from .conftest import DRAFT, NOW, OPERATIONS, MakeShown

KILLED = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.storage.database import Database
draft = Draft(challenger="m2", lists=(("a", "b"), ("b", "a")), teams=(0, 1))
shown = ShownPredictions()
feedback = Feedback(Database(sys.argv[1]), shown)
def give(number):
    now = datetime.now(UTC)
    shown.remember(f"p{number}", Shown(
        at=now, user="u", model_version=None, catalog_hash="c", operations=("a", "b"),
        confidences=(0.5, 0.25), draft=draft,
    ))
    feedback.give(f"p{number}", "b", at=now, user="u")
    os.write(1, b"%d\\n" % number)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(give, range(100_000)))
"""


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    with database.reading() as connection:
        asked = select(table).order_by(*table.primary_key)
        return [dict(row) for row in connection.execute(asked).mappings()]


def test_the_revision_makes_these_tables(feedback: Feedback, database: Database) -> None:
    assert len(feedback.shown) == 0
    assert differences(database, TABLES) == []


@pytest.mark.parametrize(
    ("draft", "challenger", "written"),
    [
        (None, None, None),
        (
            DRAFT,
            "m2",
            {"lists": [["list", "delete", "get"], ["get", "list", "put"]], "teams": [0, 1, 0]},
        ),
    ],
)
def test_an_answer_is_kept_with_all_that_was_shown(
    feedback: Feedback,
    database: Database,
    make_shown: MakeShown,
    now: datetime,
    draft: Draft | None,
    challenger: str | None,
    written: dict[str, Any] | None,
) -> None:
    feedback.shown.remember("p", make_shown(trial="t", variant="B", draft=draft))
    later = now + timedelta(minutes=1)
    told = feedback.give("p", "get", at=later, user="u")
    assert (told.rank, told.repeated, told.replaced) == (2, False, False)
    assert (told.operations, told.trial, told.variant) == (OPERATIONS, "t", "B")
    assert rows(database, ANSWER) == [
        {
            "prediction_id": "p",
            "shown_at": now,
            "given_at": later,
            "changed_at": later,
            "version": 1,
            "user": "u",
            "model_version": "m1",
            "catalog_hash": "c",
            "prompt": "what is there?",
            "history": ["create"],
            "operations": list(OPERATIONS),
            "confidences": [0.5, None, 0.125],
            "trial": "t",
            "variant": "B",
            "chosen": "get",
            "rank": 2,
            "challenger": challenger,
            "draft": written,
        }
    ]
    assert rows(database, REPLACED) == []
    (read,) = read_answers(database)
    assert (read.draft, read.operations, read.chosen) == (draft, OPERATIONS, "get")


@pytest.mark.parametrize(("chosen", "rank"), [("list", 1), ("delete", 3), ("else", None)])
def test_the_rank_is_the_place_among_what_was_shown(
    feedback: Feedback, make_shown: MakeShown, now: datetime, chosen: str, rank: int | None
) -> None:
    feedback.shown.remember("p", make_shown())
    assert feedback.give("p", chosen, at=now, user="u").rank == rank


def test_nothing_of_a_prompt_is_kept_where_none_was_left(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    feedback.shown.remember("p", make_shown(prompt=None))
    feedback.give("p", None, at=now, user="u")
    (row,) = rows(database, ANSWER)
    assert (row["prompt"], row["chosen"], row["rank"]) == (None, None, None)


@given(said=st.lists(st.sampled_from([*OPERATIONS, "else", None]), min_size=1, max_size=8))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_answer_stands_and_those_before_stay_beside_it(
    feedback: Feedback, database: Database, make_shown: MakeShown, said: list[str | None]
) -> None:
    with database.writing() as connection:
        connection.execute(delete(REPLACED))
        connection.execute(delete(ANSWER))
    feedback.shown.remember("p", make_shown())
    history: list[tuple[str | None, datetime]] = []
    for place, chosen in enumerate(said):
        at = NOW + timedelta(seconds=place)
        told = feedback.give("p", chosen, at=at, user="u")
        assert told.repeated == (bool(history) and history[-1][0] == chosen)
        assert told.replaced == (bool(history) and not told.repeated)
        if not told.repeated:
            history.append((chosen, at))
    (row,) = rows(database, ANSWER)
    assert (row["chosen"], row["changed_at"]) == history[-1]
    assert (row["given_at"], row["version"]) == (NOW, len(history))
    kept = [(each["chosen"], each["at"]) for each in rows(database, REPLACED)]
    assert kept == history[:-1]


def test_answers_of_one_group_follow_one_another(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    feedback.shown.remember("p", make_shown())
    said = ["get", "get", None, "list", "list"]

    async def all_at_once() -> list[tuple[bool, bool]]:
        given = [feedback.give_async("p", each, at=now, user="u") for each in said]
        return [(each.repeated, each.replaced) for each in await asyncio.gather(*given)]

    same, other, first = (True, False), (False, True), (False, False)
    assert asyncio.run(all_at_once()) == [first, same, other, other, same]
    assert [each["chosen"] for each in rows(database, REPLACED)] == ["get", None]
    assert [each["chosen"] for each in rows(database, ANSWER)] == ["list"]


def test_a_prediction_that_is_unknown_or_too_old_or_another_users_is_refused(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    feedback.shown.remember("p", make_shown())
    for name, user, late in (("q", "u", 0), ("p", "v", 0), ("p", None, 0), ("p", "u", 3_601)):
        with pytest.raises(UnknownPredictionError, match=f"to this user lately, got '{name}'"):
            feedback.give(name, "get", at=now + timedelta(seconds=late), user=user)
    assert rows(database, ANSWER) == []


def test_who_got_no_answer_may_ask_again_though_the_process_is_another(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    feedback.shown.remember("p", make_shown())
    feedback.give("p", "get", at=now, user="u")
    with Feedback(database, ShownPredictions()) as restarted:
        assert restarted.give("p", "get", at=now + timedelta(days=1), user="u").repeated
        assert restarted.give("p", "list", at=now + timedelta(days=1), user="u").replaced
        with pytest.raises(UnknownPredictionError):
            restarted.give("p", "get", at=now, user="v")


def test_threads_share_commits(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    for number in range(200):
        feedback.shown.remember(str(number), make_shown(user=f"u{number % 7}"))
    with ThreadPoolExecutor(8) as pool:
        given = list(
            pool.map(lambda n: feedback.give(str(n), "get", at=now, user=f"u{n % 7}"), range(200))
        )
    assert {each.rank for each in given} == {2}
    assert len(rows(database, ANSWER)) == 200


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(
    feedback: Feedback,
    database: Database,
    url: str,
    start_script: Callable[..., "subprocess.Popen[str]"],
) -> None:
    assert len(feedback.shown) == 0  # migrated
    process = start_script(KILLED, url)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(100)]
    process.kill()
    rest = process.stdout.read().split("\n")[:-1]  # a line that was cut short is none
    process.wait(60)
    kept = rows(database, ANSWER)
    assert {f"p{each}" for each in (*told, *map(int, rest))} <= {
        each["prediction_id"] for each in kept
    }
    assert {(each["chosen"], tuple(each["operations"])) for each in kept} == {("b", ("a", "b"))}
    written = {"lists": [["a", "b"], ["b", "a"]], "teams": [0, 1]}
    assert all((each["challenger"], each["draft"]) == ("m2", written) for each in kept)


def test_what_is_old_is_forgotten_with_what_was_said_before(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    for days in (0, 89, 91, 200):
        at = now - timedelta(days=days)
        feedback.shown.remember(str(days), make_shown(at=at))
        for chosen in ("get", "list"):
            feedback.give(str(days), chosen, at=at, user="u")
    assert forget_old(database, now=now, keep=timedelta(days=90)) == 2
    for table in (ANSWER, REPLACED):
        assert [each["prediction_id"] for each in rows(database, table)] == ["0", "89"]
    assert forget_old(database, now=now, keep=timedelta(days=90)) == 0


def test_much_that_is_old_goes_in_several_transactions(
    feedback: Feedback,
    database: Database,
    make_shown: MakeShown,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    for place, days in enumerate((0, 91, 92, 93, 94, 95)):
        at = now - timedelta(days=days)
        feedback.shown.remember(str(place), make_shown(at=at))
        feedback.give(str(place), "get", at=at, user="u")
    left, writing = list[int](), database.writing

    @contextmanager
    def noted() -> Iterator[Connection]:
        with writing() as connection:
            yield connection
        left.append(len(rows(database, ANSWER)))

    monkeypatch.setattr(database, "writing", noted)
    assert forget_old(database, now=now, keep=timedelta(days=90)) == 5
    assert left == [4, 2, 1, 1]


def test_a_closed_one_takes_nothing(
    feedback: Feedback, make_shown: MakeShown, now: datetime
) -> None:
    feedback.shown.remember("p", make_shown())
    feedback.close()
    with pytest.raises(WriterClosedError):
        feedback.give("p", "get", at=now, user="u")
