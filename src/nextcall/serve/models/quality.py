"""Whether a new model is as good as the one in use: by the same queries, else by their cards."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from nextcall.jobs.job import JobRefusedError
from nextcall.ranking.model_files import ModelCard
from nextcall.serve.models.checks import validation_ndcg
from nextcall.training.judged import Judged

MAY_HAVE_LEARNED: Final = (
    "The model in use may have learned from these queries, which can only favour it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """NDCG@10 of a new model and of the one in use; None where it is not known."""

    judged_by: Literal["same queries", "cards"]
    """Queries that were kept from the new model's training, or what each model's card states of
    queries that were kept from its own."""
    ndcg: float
    present_ndcg: float | None
    difference: float | None
    """New minus present."""
    ci_lower: float | None = None
    """Lower end of the 95 % interval of the difference."""
    ci_upper: float | None = None
    queries: int | None = None
    groups: int | None = None
    """Services or sessions that the queries are of; the interval is by whole ones."""
    left_out: int | None = None
    """Queries that the model in use is known to have learned from."""
    note: str | None = None
    """What a reader of the figures must know."""

    def to_dict(self) -> dict[str, Any]:
        """Give each field by its name."""
        return asdict(self)


def quality(
    new: ModelCard | None, present: ModelCard | None, judged: Judged | None, *, against: str | None
) -> Quality:
    """Say how good a new model is beside the one in use.

    Parameters
    ----------
    new, present : ModelCard or None
    judged : Judged or None
        What the training of the new one found; None where it was held against none.
    against : str or None
        The model in use, as `model_digest` names it; None where it has no files.

    Raises
    ------
    JobRefusedError
        Where nothing is known of the new one.
    """
    if judged is None:
        why = "No queries were kept on which both could be judged."
    elif judged.against != against:
        why = "The new model was judged beside one that is not in use any more."
    elif judged.on_same is None:
        why = (
            "Too few of the queries that were kept from the new model are new to both; the one in "
            f"use learned from {judged.left_out}."
        )
    else:
        return Quality(
            judged_by="same queries",
            **asdict(judged.on_same),
            left_out=judged.left_out,
            note=MAY_HAVE_LEARNED if judged.may_have_learned else None,
        )
    stated, least = validation_ndcg(new), validation_ndcg(present)
    if stated is None or not math.isfinite(stated):
        raise JobRefusedError("The new model must state its NDCG@10, got none.")
    return Quality(
        judged_by="cards",
        ndcg=stated,
        present_ndcg=least,
        difference=None if least is None else stated - least,
        left_out=None if judged is None else judged.left_out,
        note=why,
    )


def check_quality(found: Quality, *, margin: float) -> None:
    """Refuse a model that is worse by more than a margin.

    It is the mean difference that decides, not an end of its interval: an end would let pass, or
    refuse, whatever few queries cannot tell.

    Raises
    ------
    JobRefusedError
        Where it is; what was found is told with it.
    """
    if found.present_ndcg is None or found.ndcg >= found.present_ndcg - margin:
        return
    on = f" on the same {found.queries} queries" if found.judged_by == "same queries" else ""
    raise JobRefusedError(
        f"NDCG@10 of the new model must be at most {margin:g} below {found.present_ndcg:.4f}, that "
        f"of the model in use{on}, got {found.ndcg:.4f}.",
        result={"quality": found.to_dict()},
    )
