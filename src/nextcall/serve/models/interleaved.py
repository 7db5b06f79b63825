"""Answers by two models at once: their lists interleaved, so that what is chosen compares them."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from nextcall.abtest.interleaving import team_draft
from nextcall.catalog import Catalog
from nextcall.feedback.draft import Draft
from nextcall.feedback.shown import ShownPredictions
from nextcall.serve.answering import Answering, Reply
from nextcall.serve.answers import Answer, InterleavedWith, PlacedBy
from nextcall.serve.order import Detail

_log: Final = logging.getLogger(__name__)
_TEAMS: Final[tuple[PlacedBy, PlacedBy]] = ("current", "challenger")


class Interleaved:
    """Answers each user who has a name by a draft of two models' lists.

    Each model keeps its answers by itself; the draft is drawn anew each time. Who asks without a
    name is answered by the current model alone, for errors are over users; so is who asks for all
    that is known, which tells of one model's way. So is everybody for whom the challenger fails, or
    takes too long: nothing is credited then.

    Parameters
    ----------
    current : Answering
        Counts requests, and remembers what it showed.
    challenger : Answering
        Counts none, and remembers elsewhere or nowhere.
    shown : ShownPredictions
        In which `current` remembers; both lists are left there, and who placed what.
    rng : numpy.random.Generator
        Draws drafts; its methods hold a lock, so threads may share it.
    """

    def __init__(
        self,
        current: Answering,
        challenger: Answering,
        shown: ShownPredictions,
        *,
        rng: np.random.Generator,
    ) -> None:
        self._current, self._challenger = current, challenger
        self._shown, self._rng = shown, rng
        self.failing: str | None = None
        """The kind of error by which the challenger failed last; None where it answered."""

    async def reply(self, body: bytes, detail: Detail, *, user: str | None = None) -> Reply:
        """Answer as `Answering.reply` does."""
        begin = time.perf_counter()
        first = await self._current.reply(body, detail, user=user)
        if user is None or detail == "full":
            return first
        try:
            second = await self._challenger.reply(body, detail, user=user)
            text = self._drafted(first.body, second.body, begin)
        except Exception as error:  # noqa: BLE001  # whatever it is, there is an answer
            self._tell(error)
            return first
        self._tell(None)
        return first if text is None else Reply(body=text, is_kept=first.is_kept and second.is_kept)

    def reply_to_item(self, values: object, detail: Detail, *, user: str | None = None) -> bytes:
        """Answer as `Answering.reply_to_item` does."""
        begin = time.perf_counter()
        first = self._current.reply_to_item(values, detail, user=user)
        if user is None or detail == "full":
            return first
        try:
            second = self._challenger.reply_to_item(values, detail, user=user)
            text = self._drafted(first, second, begin)
        except Exception as error:  # noqa: BLE001  # as above
            self._tell(error)
            return first
        self._tell(None)
        return text or first

    def _drafted(self, first: bytes, second: bytes, begin: float) -> bytes | None:
        current, challenger = map(Answer.model_validate_json, (first, second))
        before = self._shown.find(current.prediction_id, at=datetime.now(UTC))
        found = drafted(current, challenger, rng=self._rng)
        if found is None or before is None:
            return None
        answer, teams = found
        catalog = self._current.predictor.index.catalog
        draft = Draft(
            challenger=str(challenger.metadata.model_version),
            # Names as the catalogue has them, which are in memory once, however many wait.
            lists=(before.operations, _operations(challenger, catalog)),
            teams=teams,
        )
        shown = replace(
            before,
            operations=_operations(answer, catalog),
            confidences=tuple(answer.confidence_scores),
            draft=draft,
        )
        milliseconds = round(1000 * (time.perf_counter() - begin), 3)
        text = answer.model_copy(update={"processing_time_ms": milliseconds}).model_dump_json()
        self._shown.replace(answer.prediction_id, shown)
        return text.encode()

    def _tell(self, error: Exception | None) -> None:
        """Log where the challenger begins to fail, fails otherwise than before, or works again.

        Never with the error's words, which may be those of a prompt.
        """
        known, self.failing = self.failing, None if error is None else type(error).__name__
        if self.failing == known:
            return
        if self.failing is None:
            _log.warning("challenger works again")
        else:
            _log.warning("challenger failed", extra={"error": self.failing})


def _operations(answer: Answer, catalog: Catalog) -> tuple[str, ...]:
    return tuple([catalog[each.operation_id].operation_id for each in answer.predictions])


def drafted(
    current: Answer, challenger: Answer, *, rng: np.random.Generator
) -> tuple[Answer, tuple[int, ...]] | None:
    """Draft the predictions of two answers into one, and say who placed each: 0 or 1.

    As many as the shorter one has: so neither model ever has to pass, and the first ones of a list
    are all that a draft needs of it. All else is as the current model answers it.

    Parameters
    ----------
    current, challenger : Answer
        As either would be given: filtered, best first.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Answer and tuple of int, or None
        None where an answer is empty.
    """
    lists = [[each.operation_id for each in one.predictions] for one in (current, challenger)]
    k = min(map(len, lists))
    if k == 0:
        return None
    draft = team_draft(lists, k=k, rng=rng)
    by_name = [
        {each.operation_id: each for each in one.predictions} for one in (current, challenger)
    ]
    teams = tuple(draft.teams.tolist())
    predictions = [
        by_name[team][name].model_copy(update={"rank": place})
        for place, (name, team) in enumerate(zip(draft.items, teams, strict=True), start=1)
    ]
    placed = InterleavedWith(
        model_version=challenger.metadata.model_version,
        placed_by=[_TEAMS[team] for team in teams],
    )
    answer = current.model_copy(
        update={
            "predictions": predictions,
            "confidence_scores": [each.confidence for each in predictions],
            "metadata": current.metadata.model_copy(update={"interleaved": placed}),
        }
    )
    return answer, teams
