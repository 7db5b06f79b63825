"""The A/B test in which it is recorded how good predictions were."""

from typing import Final

from nextcall.feedback.writing import Given
from nextcall.trials.definition import Definition
from nextcall.trials.errors import UnknownTrialError
from nextcall.trials.feedback import Feedback as Reported
from nextcall.trials.trials import Trials

_TYPES: Final = ("model", "routing")


class PredictionTrial:
    """Records feedback as metrics of a test: ``taken``, ``taken_first``, ``reciprocal_rank``.

    Parameters
    ----------
    trials : Trials
    test_id : str
        Of type model or routing; it need not run yet.
    as_shown : bool
        Whether only what the test has had shown counts, for its variants have models of their own.

    Raises
    ------
    ValueError
        Where there is no such test.
    """

    def __init__(self, trials: Trials, test_id: str, *, as_shown: bool = False) -> None:
        trial_of_rankers(trials, test_id)
        self._trials, self._id, self._as_shown = trials, test_id, as_shown

    async def record(self, given: Given, chosen: str | None, user: str | None) -> None:
        """Record what became of a prediction, for the variant of whoever asked.

        The first answer counts: one that replaces it changes nothing. Nothing is recorded while the
        test does not run, or of a user without a name.
        """
        if user is None or given.replaced or not given.operations:
            return
        told = Reported(
            prediction_id=given.prediction_id, prompt="", shown=given.operations, taken=chosen
        )
        try:
            if given.trial == self._id and given.variant is not None:
                variant = given.variant
            elif self._as_shown:
                return
            else:
                variant = (await self._trials.assign_async(self._id, user)).variant_id
            await self._trials.record_async(
                self._id, user, variant, told.metrics(), event_id=told.prediction_id
            )
        except ValueError:  # it does not run, another answer was recorded, the name is no unit's
            return


def trial_of_rankers(trials: Trials, test_id: str) -> Definition:
    """Find the test that is set, which must be of rankers.

    Raises
    ------
    ValueError
        Where there is no such test.
    """
    try:
        definition = trials.get(test_id).definition
    except UnknownTrialError:
        definition = None
    if definition is None or definition.test_type not in _TYPES:
        told = "none of this id" if definition is None else f"one of type {definition.test_type}"
        raise ValueError(
            f"NEXTCALL_PREDICT_TRIAL must be the id of an A/B test of type model or routing, "
            f"got {test_id[:100]!r}, {told}."
        )
    return definition
