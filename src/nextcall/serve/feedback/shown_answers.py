"""Leaves what was answered where feedback finds it."""

from datetime import UTC, datetime

from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.serve.caching.kept_answer import NOTHING, Asking, KeptAnswer
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import PredictRequest


class ShownAnswers:
    """Remembers answers as they left, from many threads at once.

    Of a history only operations of the catalogue are remembered, for other calls may hold anything.

    Parameters
    ----------
    shown : ShownPredictions
    predictor : Predictor
        Whose answers they are.
    safety : Safety
        Masks prompts.
    prompts : bool
        Whether prompts are remembered.
    trial, variant : str, optional
        The A/B test that has the answers given, and to whom.
    """

    def __init__(
        self,
        shown: ShownPredictions,
        predictor: Predictor,
        safety: Safety,
        *,
        prompts: bool,
        trial: str | None = None,
        variant: str | None = None,
    ) -> None:
        self._trial, self._variant = trial, variant
        self._shown, self._predictor, self._safety = shown, predictor, safety
        self._prompts, self._catalog_hash = prompts, predictor.index.catalog.content_hash

    def asking(self, request: PredictRequest) -> Asking:
        """Take of a request what may be remembered."""
        if not (request.history or self._prompts):
            return NOTHING
        predictor = self._predictor
        events = request.history[-predictor.max_history :]
        calls = (predictor.operation(each.api_call, method=each.method) for each in events)
        return Asking(
            history=tuple([each.operation_id for each in calls if each is not None]),
            prompt=self._safety.masked(request.prompt).text if self._prompts else None,
        )

    def remember(self, prediction_id: str, kept: KeptAnswer, user: str | None) -> None:
        """Remember that an answer was given under an id, and who asked."""
        shown = Shown(
            at=datetime.now(UTC),
            user=user,
            model_version=kept.model_version,
            catalog_hash=self._catalog_hash,
            operations=kept.operations,
            confidences=kept.confidences,
            history=kept.asking.history,
            prompt=kept.asking.prompt,
            trial=self._trial,
            variant=self._variant,
        )
        self._shown.remember(prediction_id, shown)
