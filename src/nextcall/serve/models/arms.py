"""What answers requests: one model, or one for each variant of an A/B test."""

from nextcall.feedback.feedback import Feedback
from nextcall.serve.answering import Answering
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.models.challenger import Challenger
from nextcall.serve.models.two_models import Answers, Model, TwoModels
from nextcall.serve.observer import Observer
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits
from nextcall.serve.settings import Settings
from nextcall.trials.trials import Trials


def answers_by(
    predictor: Predictor,
    safety: Safety,
    limits: Limits,
    *,
    settings: Settings,
    caches: ServiceCaches | None,
    observer: Observer | None,
    feedback: Feedback | None,
    trials: Trials | None,
    challenger: Challenger | None,
) -> Answers:
    """Make what answers; each part but the first three may be missing.

    There is one model where no challenger is loaded, or there are no A/B tests.

    Raises
    ------
    ValueError
        As `TwoModels`.
    """

    def answering(
        one: Predictor,
        kept: ServiceCaches | None,
        trial: str | None = None,
        variant: str | None = None,
    ) -> Answering:
        shown = None
        if feedback is not None:
            prompts = settings.feedback_prompts
            shown = ShownAnswers(
                feedback.shown, one, safety, prompts=prompts, trial=trial, variant=variant
            )
        return Answering(
            one,
            safety,
            limits,
            caches=kept,
            observer=observer,
            shown=shown,
            seconds=settings.prediction_seconds,
        )

    alone, test_id = answering(predictor, caches), settings.predict_trial
    if challenger is None or challenger.predictor is None or trials is None or test_id is None:
        return alone
    models = {
        "current": (predictor, caches),
        "challenger": (challenger.predictor, challenger.caches),
    }

    def arm(model: Model, variant: str) -> Answering:
        return answering(*models[model], trial=test_id, variant=variant)

    return TwoModels(trials, test_id, alone, arm)
