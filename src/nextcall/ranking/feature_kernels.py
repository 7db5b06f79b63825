"""Features of all candidates of a query, filled in by loops: a row a candidate, a column a feature.

Each loop fills columns that stand side by side in the feature table, from the column `first` on, in
the order of the tuple of names beside it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.graph_kernels import flows
from nextcall.compiling import compiled
from nextcall.ranking.index_arrays import Facts, Words, field_sums

RETRIEVAL_FEATURES: Final = (
    "dense_similarity", "dense_similarity_gap", "prompt_similarity", "prompt_similarity_gap",
    "label_similarity", "label_similarity_gap", "bm25_text", "bm25_text_share", "bm25_name",
    "bm25_name_share", "bm25_full", "bm25_full_share", "rank_dense", "rank_text", "rank_name",
    "rank_full", "rank_fused", "fused_share",
)  # fmt: skip
WORD_FEATURES: Final = (
    "name_covers_prompt", "prompt_covers_name", "name_unmatched", "resource_covers_prompt",
    "resource_match", "service_covers_prompt", "prompt_covers_service", "text_covers_prompt",
    "parameters_covers_prompt", "name_bigrams", "name_bigram_share", "action_verb_match",
    "verb_match", "plural_match", "prompt_action", "prompt_words",
)  # fmt: skip
SERVICE_FEATURES: Final = (
    "service_vote", "service_vote_gap", "service_best_similarity", "similarity_within_service",
    "rank_within_service",
)  # fmt: skip
HISTORY_FEATURES: Final = (
    "last_endpoint_type", "last_resource", "history_resource", "workflow_distance", "bigram_prob",
    "trigram_prob", "last_service", "same_service_share", "same_resource_share", "last_similarity",
    "history_similarity", "times_called", "called_last",
)  # fmt: skip

FLOW_FEATURES: Final = ("fed_by_history", "unmet_needs", "feeds_candidates", "rank_feeding")

_LEAST: Final = np.float32(1e-6)  # what stands for a weight or a score of 0 below a fraction line
_LEAST_FUSED: Final = np.float32(1e-9)


@compiled()
def fill_retrieval(
    values: NDArray[np.float32],
    first: int,
    scores: tuple[NDArray[np.float32], ...],
    best: tuple[float, ...],
    ranks: tuple[NDArray[np.float32], ...],
    fused: NDArray[np.float32],
    text: NDArray[np.float32],
    norms: NDArray[np.float32],
    n_words: int,
) -> None:
    """Fill in `RETRIEVAL_FEATURES`.

    Parameters
    ----------
    scores, best, ranks : tuples
        As `Retrieved` holds them, in the order of `RETRIEVERS`; the vectors' come first.
    text : array of shape (n_candidates,)
        Similarity of prompt and operation text.
    norms : array of shape (n_candidates,)
        Norm of the sum of text and label, which the searched vector was divided by.
    """
    n = len(fused)
    dense = scores[0]
    highest_text, highest_label = np.float32(-np.inf), np.float32(-np.inf)
    for place in range(n):
        row = values[place, first:]
        label = dense[place] * norms[place] - text[place]
        highest_text, highest_label = max(highest_text, text[place]), max(highest_label, label)
        row[0] = dense[place]
        row[1] = np.float32(best[0]) - dense[place]
        row[2] = text[place]
        row[4] = label
        for field in range(3):
            score = scores[field + 1][place]
            row[6 + 2 * field] = score / np.float32(n_words) if n_words else np.float32(0)
            row[7 + 2 * field] = score / max(np.float32(best[field + 1]), _LEAST)
        for retriever in range(4):
            row[12 + retriever] = ranks[retriever][place]
        row[16] = place
        row[17] = fused[place] / max(fused[0], _LEAST_FUSED)
    for place in range(n):
        row = values[place, first:]
        row[3] = highest_text - row[2]
        row[5] = highest_label - row[4]


@compiled()
def fill_words(
    values: NDArray[np.float32],
    first: int,
    words: Words,
    facts: Facts,
    rows: NDArray[np.int64],
    asked: tuple[NDArray[np.int32], NDArray[np.int32]],
    weight: float,
    codes: tuple[int, int, int],
    plural: float,
) -> None:
    """Fill in `WORD_FEATURES` of some rows.

    Parameters
    ----------
    asked, weight, codes, plural
        ``(ids, bigrams)``, ``weight``, ``(action, verb, n_words)`` and ``plural`` of the prompt's
        `PromptTerms`.
    """
    ids, bigrams = asked
    action, verb, n_words = codes
    present = np.zeros(len(words.weights), dtype=np.float32)
    for term in ids:
        present[term] = words.weights[term]
    shared = field_sums(present, words.ids, words.bounds, rows)
    total = np.float32(weight)
    for place in range(len(rows)):
        operation = rows[place]
        row = values[place, first:]
        own = words.field_weights[operation]
        name, service = max(own[0], _LEAST), max(own[2], _LEAST)
        row[0] = shared[0, place] / total
        row[1] = shared[0, place] / name
        row[2] = name - shared[0, place]
        row[3] = shared[1, place] / total
        row[4] = shared[1, place] / max(own[1], _LEAST)
        row[5] = shared[2, place] / total
        row[6] = shared[2, place] / service
        row[7] = shared[3, place] / total
        row[8] = shared[4, place] / total
        matched = 0
        for pair in words.bigrams[operation]:
            for other in bigrams:
                matched += int(pair == other)
        row[9] = matched
        row[10] = matched / max(words.bigram_counts[operation], np.float32(1))
        row[11] = facts.action[operation] == action if action >= 0 else np.nan
        row[12] = facts.verb[operation] == verb if verb >= 0 else np.nan
        row[13] = np.float32(1) - abs(facts.plural[operation] - np.float32(plural))
        row[14] = action
        row[15] = n_words


@compiled()
def fill_services(
    values: NDArray[np.float32],
    first: int,
    service_of: NDArray[np.int32],
    rows: NDArray[np.int64],
    dense: NDArray[np.float32],
) -> None:
    """Fill in `SERVICE_FEATURES` of some rows: what they say together of the service meant."""
    n = len(rows)
    numbers = np.empty(n, dtype=np.int64)  # of the services, in the order in which they come
    service = np.empty(n, dtype=np.int32)
    votes = np.zeros(n, dtype=np.float64)
    best = np.full(n, -np.inf, dtype=np.float32)
    count = np.zeros(n, dtype=np.int64)
    n_services, total = 0, 0.0
    for place in range(n):
        own = service_of[rows[place]]
        number = 0
        while number < n_services and service[number] != own:
            number += 1
        if number == n_services:
            service[number] = own
            n_services += 1
        numbers[place] = number
        vote = 1.0 / (place + 5.0)
        votes[number] += vote
        total += vote
        best[number] = max(best[number], dense[place])
        values[place, first + 4] = count[number]
        count[number] += 1
    highest = votes[:n_services].max() / total
    for place in range(n):
        number = numbers[place]
        share = votes[number] / total
        row = values[place, first:]
        row[0] = share
        row[1] = highest - share
        row[2] = best[number]
        row[3] = best[number] - dense[place]


@compiled()
def numbers_above(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count for each value how many are higher."""
    numbers = np.empty(len(values), dtype=np.int64)
    for place in range(len(values)):
        number = 0
        for value in values:
            number += int(value > values[place])
        numbers[place] = number
    return numbers


@compiled()
def fill_flow(
    values: NDArray[np.float32],
    first: int,
    needs: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    yields: tuple[NDArray[np.int32], NDArray[np.float32]],
    rows: NDArray[np.int64],
    called: NDArray[np.int64],
    weights: NDArray[np.float32],
    n_terms: int,
    last_rank: int,
) -> None:
    """Fill in `FLOW_FEATURES` of some rows; what calls gave only where there are any.

    Parameters
    ----------
    needs, yields, n_terms
        As `flows` takes them.
    called : array of shape (n_calls,)
        Rows of the calls so far, oldest first.
    weights : array of shape (n_rows,)
        How right each row looks, at least 0.
    last_rank : int
        Of rows that give nothing.
    """
    total = np.float32(0)
    for weight in weights:
        total += weight
    shares = weights / max(total, _LEAST_FUSED)
    _, by_all, unmet, feeds = flows(needs, yields, rows, called, shares, n_terms)
    numbers = numbers_above(feeds)
    for place in range(len(rows)):
        row = values[place, first:]
        if len(called):
            row[0] = by_all[place]
        row[1] = unmet[place]
        row[2] = feeds[place]
        row[3] = numbers[place] if feeds[place] > 0 else last_rank


@compiled()
def fill_history(
    values: NDArray[np.float32],
    first: int,
    words: Words,
    facts: Facts,
    rows: NDArray[np.int64],
    called: NDArray[np.int64],
    similar: NDArray[np.float32],
    steps: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Fill in `HISTORY_FEATURES` of some rows.

    Parameters
    ----------
    called : array of shape (n_calls,)
        Rows of the calls so far, oldest first; at least one.
    similar : array of shape (n_rows, n_recent)
        Cosine with each of the newest calls, the last one's at the end.
    steps : three arrays
        `WorkflowPrior`'s probabilities by action and relation after the last call and after the
        last two, and its distances between actions.
    """
    bigram, trigram, distance = steps
    n_calls, n_recent = len(called), similar.shape[1]
    last = called[n_calls - 1]
    start, end = words.bounds[1], words.bounds[2]  # of the resource
    named = np.zeros(len(words.weights), dtype=np.float32)  # by the last call
    recent = np.zeros(len(words.weights), dtype=np.float32)  # by the newest
    for term in words.ids[last, start:end]:
        named[term] = words.weights[term]  # the padding's weight is 0
    for call in called[n_calls - n_recent :]:
        for term in words.ids[call, start:end]:
            recent[term] = words.weights[term]
    for place in range(len(rows)):
        operation = rows[place]
        row = values[place, first:]
        shared, found = np.float32(0), np.float32(0)
        for term in words.ids[operation, start:end]:
            shared += named[term]
            found += recent[term]
        own = words.field_weights[operation, 1]
        same_service = same_resource = times = 0
        for call in called:
            same_service += int(facts.service[call] == facts.service[operation])
            same_resource += int(facts.resource[call] == facts.resource[operation])
            times += int(call == operation)
        near = facts.service[operation] == facts.service[last]
        same = near and facts.resource[operation] == facts.resource[last]
        relation = 0 if same else 1 if near else 2
        action = facts.action[operation]
        mean = np.float32(0)
        for call in range(n_recent):
            mean += similar[place, call]
        row[0] = facts.action[last]
        row[1] = shared / max(own + words.field_weights[last, 1] - shared, _LEAST)
        row[2] = found / max(own, _LEAST)
        row[3] = distance[facts.action[last], action] + np.float32(relation > 0)
        row[4] = bigram[action, relation]
        row[5] = trigram[action, relation]
        row[6] = near
        row[7] = same_service / n_calls
        row[8] = same_resource / n_calls
        row[9] = similar[place, n_recent - 1]
        row[10] = mean / np.float32(n_recent)
        row[11] = times
        row[12] = operation == last
