"""What a ranker found of a prompt, kept for the questions that follow with other calls."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.cache.cache import Cache
from nextcall.cache.doorkeeper import Doorkeeper
from nextcall.ranking.answers import Answer
from nextcall.ranking.any_ranker import AnyRanker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.prompt_view import PromptView
from nextcall.sessions import Call

_NAMES: Final = "prompt/view"  # what the names of what is kept begin with


class PromptViews:
    """Views of prompts that come again, each under the identity of the model that it is of.

    Prompts are known by hashes. What depends on who asks, or on the calls, is no part of a view.

    Parameters
    ----------
    kept : Cache
        May hold other things, too.
    """

    def __init__(self, kept: Cache[Any]) -> None:
        self.kept = kept
        self._door = Doorkeeper()

    def answer(
        self,
        ranker: AnyRanker,
        identity: str,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call],
        *,
        k: int,
        vector: NDArray[np.float32],
        now: datetime,
    ) -> Answer:
        """Answer as the ranker does; the prompt is looked at where its view is not kept.

        It is kept where the prompt comes a second time.

        Parameters
        ----------
        ranker : CallRanker or AdaptedRanker
        identity : str
            Of the ranker and its encoder.
        """
        if not self._door.again(prompt):
            return ranker.answer(index, prompt, history, k=k, vector=vector, now=now)
        digest = hashlib.blake2b(prompt.encode(), digest_size=20).hexdigest()
        key = f"{_NAMES}/{identity}/{index.catalog.content_hash}/{digest}"
        mark = self.kept.mark
        view: PromptView | None = self.kept.get(key)
        answer = ranker.answer(index, prompt, history, k=k, vector=vector, now=now, view=view)
        if view is None:
            view = PromptView.of(answer.searched, answer.none_probability)
            self.kept.put(key, view, since=mark)
        return answer

    def forget(self) -> None:
        """Forget the views of all models."""
        self.kept.invalidate_pattern(f"{_NAMES}/*")
