"""What a new model can be told from the one in use by: the same queries, and which rule.

    python benchmarks/swap_judging.py

Rankers of one recipe are trained on AWS services, each on five of seven parts that are drawn, and
every two of them are compared on two parts that none saw. They differ by chance alone, so a good
rule refuses few of them. Then a ranker of few trees stands in for a worse one, which a good rule
refuses. Of all these queries some hundred are drawn, of half of the services, as a swap has them.
``spread`` holds the standard deviation over queries of NDCG@10 and of the difference of two models,
and the share of the queries that pairs need to tell as much as two separate sets; ``favour`` is
what having learned from the queries adds, ``favour_of_choice`` what having chosen the number of
trees by them adds, of 150 at most as `nextcall train` has it. Prints JSON, or writes it to
``--output``.
"""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog.aws import read_aws
from nextcall.locations import cache_dir
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.evaluation import score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.folds import share_out_services
from nextcall.training.opening import open_index
from nextcall.training.recipe import Material, Recipe, prepare

_MARGIN = 0.01  # of the service, where none is set
_TESTED, _VALIDATION, _LEARNED = [0, 1], 2, list(range(3, 10))
_PARTS = 5  # of those learned from, each time

Floats = NDArray[np.float64]
_Scored = tuple[CallRanker, pd.DataFrame]


def main() -> None:
    """Train, compare every two, and count what each rule refuses."""
    parser = parser_of(__doc__, rounds=8, seed=0)
    parser.add_argument("--services", type=int, default=150, help="the smallest that have prompts")
    parser.add_argument("--draws", type=int, default=20, help="of queries, for every two rankers")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    index, material = _material(arguments.services, arguments.seed)
    recipe = Recipe()
    poor = replace(recipe, boosting=replace(recipe.boosting, trees=4))
    tested = material.training_rows(_TESTED)
    alike: list[_Scored] = []
    worse: list[_Scored] = []
    parts: list[list[int]] = []
    for number in range(arguments.rounds):
        training = sorted(rng.choice(_LEARNED, _PARTS, replace=False).tolist())
        parts.append(training)
        for one, into in ((recipe, alike), (poor, worse)):
            ranker = material.fit(one, training=training, validation=[_VALIDATION], seed=number)
            into.append((ranker, score_ranker(ranker, tested, index)))
    services = alike[0][1]["service"]
    scores = [_ndcg(table) for _, table in alike]
    pairs = list(combinations(range(len(scores)), 2))
    result: dict[str, Any] = {
        "queries": len(tested),
        "services": int(services.nunique()),
        "ndcg@10": float(np.mean(scores)),
        "spread": _spread(scores, pairs),
        "favour_of_choice": _favour_of_choice(material, index),
        "favour": _favour([ranker for ranker, _ in alike], parts, material, index),
    }
    for size in (100, 400):
        draws = [_drawn(services, size, rng) for _ in range(arguments.draws)]
        chance = [(scores[a], scores[b]) for a, b in pairs]
        loss = [(_ndcg(table), scores[place]) for place, (_, table) in enumerate(worse)]
        result[f"alike.{size}"] = _refused(chance, draws, services, rng)
        result[f"worse.{size}"] = _refused(loss, draws, services, rng)
    give(result, arguments.output)


def _material(services: int, seed: int) -> tuple[CatalogIndex, Material]:
    whole = read_aws()
    prompts = read_awscli_examples(whole)
    asked = {whole[query.relevant[0]].service for query in prompts}
    sizes = pd.Series([each.service for each in whole]).value_counts()
    small = set(sizes[sizes.index.isin(asked)].sort_index().nsmallest(services).index)
    catalog = whole.subset([o.operation_id for o in whole if o.service in small], name="aws")
    own = [q for q in prompts if all(name in catalog for name in q.relevant)]
    index = open_index(catalog, cache=cache_dir())
    part_of = share_out_services(catalog.services, [catalog[q.relevant[0]].service for q in own])
    recipe = replace(Recipe(), sessions=0)
    rng = np.random.default_rng(seed)
    return index, prepare(index, own, recipe=recipe, rng=rng, part_of=part_of)


def _ndcg(table: pd.DataFrame) -> Floats:
    return table["ndcg@10"].to_numpy(np.float64)


def _spread(scores: list[Floats], pairs: list[tuple[int, int]]) -> dict[str, float]:
    own = float(np.mean([each.var() for each in scores]))
    both = float(np.mean([(scores[a] - scores[b]).var() for a, b in pairs]))
    return {"ndcg@10": own**0.5, "difference": both**0.5, "share_needed": both / (2 * own)}


def _favour(
    rankers: list[CallRanker], parts: list[list[int]], material: Material, index: CatalogIndex
) -> float:
    """Compare, part by part, rankers that learned from it with those that did not."""
    gains = []
    for part in _LEARNED:
        rows = material.training_rows([part])
        means = [float(_ndcg(score_ranker(each, rows, index)).mean()) for each in rankers]
        saw = np.array([part in each for each in parts])
        if saw.any() and not saw.all():
            gains.append(np.mean(np.array(means)[saw]) - np.mean(np.array(means)[~saw]))
    return float(np.mean(gains))


def _favour_of_choice(material: Material, index: CatalogIndex) -> float:
    """Compare, part by part, rankers whose trees it counted with those that another counted."""
    recipe = replace(Recipe(), boosting=replace(Recipe().boosting, trees=150))
    gains = []
    for part in _LEARNED:
        rows, training = material.training_rows([part]), [p for p in _LEARNED if p != part]
        chosen, other = (
            material.fit(recipe, training=training, validation=[by], seed=part)
            for by in (part, _VALIDATION)
        )
        means = [float(_ndcg(score_ranker(each, rows, index)).mean()) for each in (chosen, other)]
        gains.append(means[0] - means[1])
    return float(np.mean(gains))


def _drawn(services: pd.Series, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw half of the services, and queries of these."""
    labels = services.to_numpy()
    names = np.unique(labels)
    chosen = rng.choice(names, max(2, len(names) // 2), replace=False)
    places = np.flatnonzero(np.isin(labels, chosen))
    return rng.permutation(places)[:size]


def _refused(
    pairs: list[tuple[Floats, Floats]],
    draws: list[NDArray[np.intp]],
    services: pd.Series,
    rng: np.random.Generator,
) -> dict[str, float]:
    labels = services.to_numpy()
    found = [
        paired_difference(new[draw], present[draw], groups=labels[draw], rng=rng, resamples=1_000)
        for new, present in pairs
        for draw in draws
    ]
    return {
        "difference": float(np.mean([new.mean() - present.mean() for new, present in pairs])),
        "half_width": float(np.mean([(each.ci_upper - each.ci_lower) / 2 for each in found])),
        "refused_by_mean": float(np.mean([each.difference < -_MARGIN for each in found])),
        "refused_by_upper_end": float(np.mean([each.ci_upper < -_MARGIN for each in found])),
        "refused_by_lower_end": float(np.mean([each.ci_lower < -_MARGIN for each in found])),
    }


if __name__ == "__main__":
    main()
