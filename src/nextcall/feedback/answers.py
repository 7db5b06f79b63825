"""What was answered: read back, and turned into prompts to learn from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, select

from nextcall.feedback.draft import Draft
from nextcall.feedback.tables import ANSWER
from nextcall.sessions.call import Query, calls_of
from nextcall.storage.database import LONG, Database

SESSION_GAP: Final = timedelta(minutes=30)
"""Without a question for longer, a user's next one begins a session; as web analytics has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One prediction, and which of its operations was called.

    Parameters
    ----------
    prediction_id : str
    shown_at : datetime
        UTC.
    given_at : datetime
        When it was first answered, UTC.
    user : str, optional
        Who asked.
    model_version : str, optional
    catalog_hash : str
    prompt : str, optional
        Without personal data; None where prompts are not kept.
    history, operations : tuple of str
        Calls before, oldest first; what was shown, the first first.
    confidences : tuple of float or None
        Of what was shown.
    trial, variant : str, optional
        The A/B test that decided what was shown, and what it decided.
    draft : Draft, optional
        How it came of two models' lists, where it did; `model_version` is the first one's.
    chosen : str, optional
        What was called; None where nothing was.
    rank : int, optional
        Its place, from 1; None where it was not shown.
    """

    prediction_id: str
    shown_at: datetime
    given_at: datetime
    user: str | None
    model_version: str | None
    catalog_hash: str
    prompt: str | None
    history: tuple[str, ...]
    operations: tuple[str, ...]
    confidences: tuple[float | None, ...]
    trial: str | None
    variant: str | None
    draft: Draft | None
    chosen: str | None
    rank: int | None


_NAMES: Final = [each.name for each in fields(Answer)]
_LISTS: Final = ("history", "operations", "confidences")


def read_answers(
    database: Database, *, since: datetime | None = None, until: datetime | None = None
) -> list[Answer]:
    """Read the answers that were first given in a span of time, oldest first.

    Parameters
    ----------
    since, until : datetime, optional
        From, and before; with a zone.
    """
    asked = (
        select(*(ANSWER.c[name] for name in _NAMES), ANSWER.c.challenger)
        .where(*given_within(since, until))
        .order_by(ANSWER.c.given_at, ANSWER.c.prediction_id)
    )
    with database.reading(seconds=LONG) as connection:
        return [_answer(row) for row in connection.execute(asked).mappings()]


def _answer(row: RowMapping) -> Answer:
    fields = dict(row)
    challenger = fields.pop("challenger")
    if challenger is not None:
        fields["draft"] = Draft.read(challenger, fields["draft"])
    return Answer(**fields | {name: tuple(fields[name]) for name in _LISTS})


def given_within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Say in the words of the database that an answer was given in a span of time."""
    at = ANSWER.c.given_at
    found: list[ColumnElement[bool]] = [] if since is None else [at >= since]
    return found if until is None else [*found, at < until]


def answer_queries(answers: Iterable[Answer]) -> list[Query]:
    """Give what a ranker can learn from: prompts that are kept, after which something was called.

    What a user asked without a pause of half an hour, and without beginning anew (no history), is
    one session, for such questions are alike and a split must keep them together. Who asked without
    a name stands alone.

    Parameters
    ----------
    answers : iterable of Answer
        Their catalogue must be one.

    Returns
    -------
    list of Query
        In the order in which users were first seen, and each was asked.
    """
    by_user: dict[str, list[Answer]] = {}
    for each in answers:
        key = f"\0{each.prediction_id}" if each.user is None else each.user
        by_user.setdefault(key, []).append(each)
    return [
        query
        for own in by_user.values()
        for query in _user_queries(sorted(own, key=lambda each: each.shown_at))
    ]


def _user_queries(answers: Sequence[Answer]) -> list[Query]:
    queries = []
    first, before = answers[0], answers[0]
    for each in answers:
        if not each.history or each.shown_at - before.shown_at > SESSION_GAP:
            first = each
        before = each
        if each.prompt is None or each.chosen is None:
            continue
        queries.append(
            Query(
                query_id=each.prediction_id,
                prompt=each.prompt,
                history=calls_of(each.history),
                relevant=(each.chosen,),
                task="next_call",
                source="feedback",
                session_id=first.prediction_id,
                step=len(each.history),
                time=each.shown_at,
            )
        )
    return queries
