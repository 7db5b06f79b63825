"""Answers by one of two models: that of the variant which an A/B test gives whoever asks."""

from collections.abc import Callable
from typing import Final, Literal, Protocol, get_args

from nextcall.serve.answering import Reply
from nextcall.serve.order import Detail
from nextcall.serve.trials.prediction_trial import trial_of_rankers
from nextcall.storage.database import OUT_OF_REACH
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.trials import Trials

Model = Literal["current", "challenger"]
"""What the configuration of a variant may name as its ``model``."""

MODELS: Final[tuple[Model, ...]] = get_args(Model)


class Answers(Protocol):
    """What answers requests, as `Answering` does."""

    async def reply(self, body: bytes, detail: Detail, *, user: str | None = None) -> Reply:
        """Answer a request of a user."""

    def reply_to_item(self, values: object, detail: Detail, *, user: str | None = None) -> bytes:
        """Answer one request of a batch; waits."""


class TwoModels:
    """Answers each user by the model of the variant that the user is assigned to.

    Who asks without a name, and everybody while the test does not run or its database is out of
    reach, is answered by the current model, and is no part of the test.

    Parameters
    ----------
    trials : Trials
    test_id : str
        Of a test whose variants name their model, ``current`` or ``challenger``, in their
        configuration; where one does not, it is the current one of the control, else the
        challenger.
    current : Answers
        Answers who is no part of the test.
    arm : callable
        Makes what answers by a model for a variant; asked once each.

    Raises
    ------
    ValueError
        Where there is no such test of rankers, a variant names another model, or the control
        names the challenger.
    """

    def __init__(
        self,
        trials: Trials,
        test_id: str,
        current: Answers,
        arm: Callable[[Model, str], Answers],
    ) -> None:
        definition = trial_of_rankers(trials, test_id)
        _check(definition)
        self._trials, self._id, self._current, self._arm = trials, test_id, current, arm
        self._control = definition.control_variant_id
        self._arms: dict[tuple[Model, str], Answers] = {}

    async def reply(self, body: bytes, detail: Detail, *, user: str | None = None) -> Reply:
        """Answer as `Answering.reply` does."""
        answers = self._current
        if user is not None:
            try:
                answers = self._of(await self._trials.assign_async(self._id, user))
            except (ValueError, *OUT_OF_REACH):  # it does not run, or the name is no unit's
                pass
        return await answers.reply(body, detail, user=user)

    def reply_to_item(self, values: object, detail: Detail, *, user: str | None = None) -> bytes:
        """Answer as `Answering.reply_to_item` does."""
        answers = self._current
        if user is not None:
            try:
                answers = self._of(self._trials.assign(self._id, user))
            except (ValueError, *OUT_OF_REACH):  # as above
                pass
        return answers.reply_to_item(values, detail, user=user)

    def _of(self, variant: Variant) -> Answers:
        name = variant.variant_id
        stated = variant.configuration.get("model")
        usual: Model = "current" if name == self._control else "challenger"
        model = next((each for each in MODELS if each == stated), usual)
        found = self._arms.get((model, name))
        if found is None:
            found = self._arms.setdefault((model, name), self._arm(model, name))
        return found


def _check(definition: Definition) -> None:
    for each in definition.variants:
        stated = each.configuration.get("model")
        if stated is not None and stated not in MODELS:
            raise ValueError(
                f"model of variant {each.variant_id!r} must be current or challenger where a "
                f"challenger is set, got {str(stated)[:100]!r}."
            )
        if stated == "challenger" and each.variant_id == definition.control_variant_id:
            raise ValueError(
                f"model of the control, {each.variant_id!r}, must be current, got 'challenger'."
            )
