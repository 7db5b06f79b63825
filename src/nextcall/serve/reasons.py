"""Why an operation stands where it stands, in a sentence made from what its features added."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.cold_start import ColdStartLevel

WITHOUT_RANKER: Final[Mapping[ColdStartLevel, str]] = {
    ColdStartLevel.FUSED_RETRIEVAL: (
        "Found by the fusion of keyword and meaning search; no trained ranker weighed it."
    ),
    ColdStartLevel.REST_CONVENTIONS: (
        "The prompt names nothing of the catalogue: this is what REST conventions put next."
    ),
    ColdStartLevel.GENERIC_CRUD: (
        "Neither prompt nor earlier calls nor paths tell anything: this is a usual first action."
    ),
}
"""The reason of an answer that no trained ranker gave."""

_MOST: Final = 3

ASPECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "how close its meaning is to the prompt": (
        "dense_similarity", "dense_similarity_gap", "prompt_similarity", "prompt_similarity_gap",
        "label_similarity", "label_similarity_gap", "rank_dense",
    ),
    "how well keyword search finds it": (
        "bm25_text", "bm25_text_share", "bm25_name", "bm25_name_share", "bm25_full",
        "bm25_full_share", "rank_text", "rank_name", "rank_full",
    ),
    "how both searches together rank it": ("rank_fused", "fused_share"),
    "how far its name and the prompt share words": (
        "name_covers_prompt", "prompt_covers_name", "name_unmatched", "name_bigrams",
        "name_bigram_share",
    ),
    "how its resource fits the prompt": ("resource_covers_prompt", "resource_match"),
    "how its documentation and parameters fit the prompt": (
        "text_covers_prompt", "parameters_covers_prompt",
    ),
    "how its service fits the prompt": (
        "service_covers_prompt", "prompt_covers_service", "service_vote", "service_vote_gap",
        "service_best_similarity", "similarity_within_service", "rank_within_service",
    ),
    "how its action fits the prompt's verb": (
        "action_verb_match", "verb_match", "plural_match", "prompt_action", "endpoint_type",
    ),
    "how long and how specific the prompt is": ("prompt_words",),
    "what kind of operation it is": (
        "n_parameters", "n_required", "n_name_words", "description_length", "deprecated",
        "service_size", "name_twins",
    ),
    "how it follows from the calls before": (
        "session_length", "time_since_last", "last_endpoint_type", "last_resource",
        "history_resource", "workflow_distance", "bigram_prob", "trigram_prob", "last_service",
        "same_service_share", "same_resource_share", "last_similarity", "history_similarity",
        "times_called", "called_last",
    ),
    "what it takes that the calls before gave": ("fed_by_history", "unmet_needs"),
    "what it gives that other likely calls wait for": ("feeds_candidates", "rank_feeding"),
}  # fmt: skip
"""What groups of features speak of; a feature of none speaks for itself."""

_ASPECT_OF: Final = {name: aspect for aspect, names in ASPECTS.items() for name in names}


def reasoning(names: Sequence[str], contributions: NDArray[np.float64]) -> str:
    """Name the aspects that raised a score most, with what each added to it.

    Parameters
    ----------
    names : sequence of str
        Features, in the order of the contributions.
    contributions : array of shape (n_features + 1,)
        What each feature added to the score, and the constant at the end.

    Examples
    --------
    >>> reasoning(["rank_fused", "verb_match", "plural_match"], np.array([0.5, 1, 0.25, -3]))
    "Its score was raised most by how its action fits the prompt's verb (+1.25) and how both \
searches together rank it (+0.50)."
    """
    added: dict[str, float] = {}
    for name, value in zip(names, contributions[:-1], strict=True):
        aspect = _ASPECT_OF.get(name, name)
        added[aspect] = added.get(aspect, 0.0) + float(value)
    best = sorted(added.items(), key=lambda pair: -pair[1])[:_MOST]
    parts = [f"{aspect} ({value:+.2f})" for aspect, value in best if value > 0]
    if not parts:
        return "Nothing raised its score above that of any operation; the others fit less still."
    *first, last = parts
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"Its score was raised most by {listed}."
