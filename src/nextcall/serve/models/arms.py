"""What answers requests: one model, one for each variant of an A/B test, or two interleaved."""

import numpy as np

from nextcall.feedback.shown import ShownPredictions
from nextcall.serve.answering import Answering
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.models.interleaved import Interleaved
from nextcall.serve.models.two_models import Answers, Model, TwoModels
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits
from nextcall.serve.settings import Settings


def answers_by(
    predictor: Predictor,
    safety: Safety,
    limits: Limits,
    *,
    settings: Settings,
    parts: Parts,
) -> Answers:
    """Make what answers.

    There is one model where no challenger is loaded, or nothing says whom it answers: there are no
    A/B tests, and no feedback where both are to be interleaved.

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
        if parts.feedback is not None:
            prompts = settings.feedback_prompts
            shown = ShownAnswers(
                parts.feedback.shown, one, safety, prompts=prompts, trial=trial, variant=variant
            )
        return Answering(
            one,
            safety,
            limits,
            caches=kept,
            observer=parts.observer,
            shown=shown,
            seconds=settings.prediction_seconds,
        )

    alone, test_id = answering(predictor, parts.caches), settings.predict_trial
    challenger, trials, feedback = parts.challenger, parts.trials, parts.feedback
    if challenger is None or challenger.predictor is None:
        return alone
    if settings.interleaved and feedback is not None:
        one, apart = challenger.predictor, safety.apart()  # each request is counted once
        second = Answering(
            one,
            apart,
            limits,
            caches=challenger.caches,
            # What is kept of its answers is all that feedback needs, should it be the current one.
            shown=ShownAnswers(
                ShownPredictions(most=1), one, apart, prompts=settings.feedback_prompts
            ),
            seconds=settings.challenger_seconds,
        )
        return Interleaved(alone, second, feedback.shown, rng=np.random.default_rng())
    if trials is None or test_id is None:
        return alone
    models = {
        "current": (predictor, parts.caches),
        "challenger": (challenger.predictor, challenger.caches),
    }

    def arm(model: Model, variant: str) -> Answering:
        return answering(*models[model], trial=test_id, variant=variant)

    return TwoModels(trials, test_id, alone, arm)
