"""By what one ranker is told from another whose trees it may share."""

import hashlib
import json

from nextcall.ranking.any_ranker import AnyRanker
from nextcall.ranking.ranker import CallRanker


def content_digest(ranker: AnyRanker) -> str:
    """Hash all that a ranker learned: trees, transitions, calibration, and when none answers.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    base = ranker if isinstance(ranker, CallRanker) else ranker.base
    abstention = base.abstention_
    told = json.dumps(
        [
            ranker.digest,
            base.prior_.to_dict(),
            base.calibration_.to_dict(),
            None if abstention is None else abstention.to_dict(),
        ],
        sort_keys=True,
    )
    return hashlib.sha256(told.encode()).hexdigest()
