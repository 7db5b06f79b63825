"""The features of the ranker: one table that the code, the checks and the documentation share."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one column holds."""

    name: str
    formula: str
    unit: str
    low: float = 0.0
    high: float = float("inf")
    needs_history: bool = False
    """NaN where no call came before."""


def _f(
    name: str,
    formula: str,
    unit: str,
    low: float = 0.0,
    high: float = float("inf"),
    *,
    history: bool = False,
) -> Feature:
    return Feature(name=name, formula=formula, unit=unit, low=low, high=high, needs_history=history)


FEATURES: Final = (
    # What the retrievers say.
    _f(
        "dense_similarity",
        "cosine of prompt and the operation's vector (text and label)",
        "cosine",
        -1,
        1,
    ),
    _f(
        "dense_similarity_gap",
        "highest dense_similarity of the catalogue minus this one",
        "cosine",
        0,
        2,
    ),
    _f("prompt_similarity", "cosine of prompt and operation text", "cosine", -1, 1),
    _f(
        "prompt_similarity_gap",
        "highest prompt_similarity of the candidates minus this one",
        "cosine",
        0,
        2,
    ),
    _f(
        "label_similarity",
        "cosine of prompt and the operation's name with its service",
        "cosine",
        -1,
        1,
    ),
    _f(
        "label_similarity_gap",
        "highest label_similarity of the candidates minus this one",
        "cosine",
        0,
        2,
    ),
    _f(
        "bm25_text",
        "BM25 over service, name and start of documentation / prompt terms",
        "score per term",
    ),
    _f("bm25_text_share", "the same / the highest of the catalogue", "share", 0, 1),
    _f("bm25_name", "BM25 over name (twice) and service / prompt terms", "score per term"),
    _f("bm25_name_share", "the same / the highest of the catalogue", "share", 0, 1),
    _f(
        "bm25_full", "BM25 over whole documentation and parameters / prompt terms", "score per term"
    ),
    _f("bm25_full_share", "the same / the highest of the catalogue", "share", 0, 1),
    _f("rank_dense", "rank by dense_similarity, from 0, 200 beyond", "rank", 0, 200),
    _f("rank_text", "rank by BM25 over short text, 200 where no word is shared", "rank", 0, 200),
    _f("rank_name", "rank by BM25 over name, 200 where no word is shared", "rank", 0, 200),
    _f("rank_full", "rank by BM25 over whole text, 200 where no word is shared", "rank", 0, 200),
    _f("rank_fused", "rank after fusion", "rank", 0, 100),
    _f("fused_share", "fused score / the highest fused score", "share", 0, 1),
    # Words that the prompt and the operation share, weighted by rarity.
    _f(
        "name_covers_prompt",
        "weight of prompt terms that stand in the name / weight of prompt terms",
        "share",
        0,
        1,
    ),
    _f(
        "prompt_covers_name",
        "weight of name terms that stand in the prompt / weight of name terms",
        "share",
        0,
        1,
    ),
    _f("name_unmatched", "weight of name terms that do not stand in the prompt", "weight"),
    _f(
        "resource_covers_prompt",
        "weight of prompt terms that stand in the resource / weight of prompt terms",
        "share",
        0,
        1,
    ),
    _f(
        "resource_match",
        "weight of resource terms that stand in the prompt / weight of resource terms",
        "share",
        0,
        1,
    ),
    _f(
        "service_covers_prompt",
        "weight of prompt terms that stand in the service's name / weight of prompt terms",
        "share",
        0,
        1,
    ),
    _f(
        "prompt_covers_service",
        "weight of the service's terms that stand in the prompt / weight of them",
        "share",
        0,
        1,
    ),
    _f(
        "text_covers_prompt",
        "weight of prompt terms that stand in the short text / weight of prompt terms",
        "share",
        0,
        1,
    ),
    _f(
        "parameters_covers_prompt",
        "weight of prompt terms that stand in parameter names / weight of prompt terms",
        "share",
        0,
        1,
    ),
    _f(
        "name_bigrams",
        "pairs of neighbouring name terms that are neighbours in the prompt",
        "pairs",
    ),
    _f("name_bigram_share", "the same / pairs in the name", "share", 0, 1),
    _f(
        "action_verb_match",
        "1 where the prompt's verb stands for the operation's action; NaN without a verb",
        "0 or 1",
        0,
        1,
    ),
    _f(
        "verb_match",
        "1 where the prompt's verb is the operation's own; NaN without a known verb",
        "0 or 1",
        0,
        1,
    ),
    _f("plural_match", "1 - |plural of the prompt's noun - plural of the name|", "share", 0, 1),
    _f(
        "prompt_action",
        "code of the action that the prompt's verb stands for, -1 for none",
        "code",
        -1,
        11,
    ),
    _f("prompt_words", "terms in the prompt", "terms"),
    # What the candidates say together about the service that is meant.
    _f(
        "service_vote",
        "sum of 1 / (fused rank + 5) over candidates of the service / over all",
        "share",
        0,
        1,
    ),
    _f("service_vote_gap", "highest service_vote minus this one", "share", 0, 1),
    _f(
        "service_best_similarity",
        "highest dense_similarity of the service's candidates",
        "cosine",
        -1,
        1,
    ),
    _f(
        "similarity_within_service",
        "service_best_similarity minus dense_similarity",
        "cosine",
        0,
        2,
    ),
    _f("rank_within_service", "rank among the service's candidates after fusion", "rank", 0, 100),
    # The operation itself.
    _f("endpoint_type", "code of the operation's action", "code", 0, 11),
    _f("n_parameters", "parameters of the operation", "parameters"),
    _f("n_required", "parameters that are required", "parameters"),
    _f("n_name_words", "words of the name", "words"),
    _f("description_length", "length of the documentation", "characters"),
    _f("deprecated", "1 where the documentation's start says deprecated", "0 or 1", 0, 1),
    _f("service_size", "operations of the service", "operations"),
    _f("name_twins", "other operations of the catalogue with the same name terms", "operations"),
    # The calls so far.
    _f("session_length", "calls so far, at most 100", "calls", 0, 100),
    _f(
        "time_since_last",
        "log(1 + seconds since the last call); NaN where not known",
        "log seconds",
    ),
    _f("last_endpoint_type", "code of the last call's action", "code", 0, 11, history=True),
    _f(
        "last_resource",
        "weight of terms shared with the last call's resource / weight of both",
        "share",
        0,
        1,
        history=True,
    ),
    _f(
        "history_resource",
        "weight of resource terms found in the last 10 calls' / weight of them",
        "share",
        0,
        1,
        history=True,
    ),
    _f(
        "workflow_distance",
        "workflow steps from the last action to this one, + 1 for another resource",
        "steps",
        0,
        13,
        history=True,
    ),
    _f("bigram_prob", "P(action, relation | last call)", "probability", 0, 1, history=True),
    _f("trigram_prob", "P(action, relation | last two calls)", "probability", 0, 1, history=True),
    _f(
        "last_service", "1 where the last call is of the same service", "0 or 1", 0, 1, history=True
    ),
    _f(
        "same_service_share",
        "share of the calls that are of the same service",
        "share",
        0,
        1,
        history=True,
    ),
    _f(
        "same_resource_share",
        "share of the calls that are of the same resource",
        "share",
        0,
        1,
        history=True,
    ),
    _f(
        "last_similarity",
        "cosine of the operation's vector and the last call's",
        "cosine",
        -1,
        1,
        history=True,
    ),
    _f("history_similarity", "mean cosine with the last 10 calls", "cosine", -1, 1, history=True),
    _f("times_called", "calls of this very operation so far", "calls", 0, 100, history=True),
    _f("called_last", "1 where it is the last call", "0 or 1", 0, 1, history=True),
    # What the operation graph says: whose answer gives what another one takes.
    _f(
        "fed_by_history",
        "weight of what the calls so far gave back for it",
        "weight",
        history=True,
    ),
    _f("unmet_needs", "things that it requires and that no call so far gave", "things"),
    _f(
        "feeds_candidates",
        "share of the likely candidates that wait for what it gives / (1 + unmet_needs)",
        "share",
    ),
    _f("rank_feeding", "rank by feeds_candidates, from 0, 100 where it is 0", "rank", 0, 100),
)
"""Every feature, in the order of the columns; none names a catalogue or an operation."""

FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)

_FIRST_OF_GROUP: Final = {
    "vectors": "dense_similarity",
    "BM25 scores": "bm25_text",
    "ranks of retrievers": "rank_dense",
    "words of name and resource": "name_covers_prompt",
    "words of service and text": "service_covers_prompt",
    "pairs of words": "name_bigrams",
    "verb and number": "action_verb_match",
    "vote on the service": "service_vote",
    "facts of the operation": "endpoint_type",
    "calls so far": "session_length",
    "operation graph": "fed_by_history",
}


def feature_groups() -> dict[str, tuple[str, ...]]:
    """Divide the features by what they look at; each is in the group that stands last before it.

    Examples
    --------
    >>> feature_groups()["pairs of words"]
    ('name_bigrams', 'name_bigram_share')
    """
    starts = [FEATURE_NAMES.index(name) for name in _FIRST_OF_GROUP.values()]
    ends = [*starts[1:], len(FEATURE_NAMES)]
    return {
        group: FEATURE_NAMES[start:end]
        for group, start, end in zip(_FIRST_OF_GROUP, starts, ends, strict=True)
    }


def features_markdown() -> str:
    """Write the table as the page ``docs/features.md``."""
    lines = [
        "# Features",
        "",
        "What the ranker knows of each candidate. Made from `nextcall.ranking.feature_table` by",
        "`make features`; a test compares. No feature names a catalogue or an operation.",
        "",
        "| name | what it is | unit | range | without calls before |",
        "| --- | --- | --- | --- | --- |",
    ]
    for feature in FEATURES:
        high = "" if feature.high == float("inf") else f"{feature.high:g}"
        known = "not known" if feature.needs_history else "known"
        formula = feature.formula.replace("|", "\\|")
        lines.append(
            f"| `{feature.name}` | {formula} | {feature.unit} | {feature.low:g} to {high or 'any'} "
            f"| {known} |"
        )
    return "\n".join(lines) + "\n"
