"""How often the semantic cache answers what says the same, and what says another thing.

    python benchmarks/semantic_rates.py

Over the titles of the AWS command line's examples, encoded by all-MiniLM-L6-v2. ``changed`` are
pairs of a title and what says another thing: an opposite verb, another resource, "without" for
"with", "from" for "to", a number, a negation, one for many; ``near`` counts those that vectors
alone would answer (cosine >= 0.95), ``answered`` those that the cache does. ``variants`` are shares
of 300 titles that are answered when they are said in another way, and of those whose content words
agree, whatever their vectors. ``natural`` are pairs of titles of different operations. Prints JSON,
or writes it to ``--output``.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from json_output import give, parser_of

from nextcall.cache.content_words import content_words
from nextcall.cache.semantic import Scope, SemanticCache
from nextcall.catalog.aws import read_aws
from nextcall.embedding import OnnxEmbedder
from nextcall.sessions.awscli_examples import read_awscli_examples

_NEAR = 0.95
_SCOPE = Scope(caller_class="user", catalog_hash="c", model_hash="m", k=3)
_OPPOSITES = (
    "enable disable", "start stop", "create delete", "attach detach", "add remove", "list describe",
    "get put", "associate disassociate", "register deregister", "import export", "accept reject",
    "update view", "tag untag", "allocate release", "authorize revoke", "one all", "from to",
    "with without", "before after", "public private", "first last", "instance volume", "user role",
    "group policy", "cluster node", "bucket object", "key certificate", "vpc subnet",
)  # fmt: skip

VARIANTS: dict[str, Callable[[str], str]] = {
    "case": str.upper,
    "question mark": lambda title: f"{title}?",
    "three points": lambda title: f"{title} ...",
    "space": lambda title: title.replace(" ", "  "),
    "no to": lambda title: title.removeprefix("To "),
    "no articles": lambda title: re.sub(r"\b(?:an?|the|your) ", "", title),
    "the for a": lambda title: re.sub(r"\b(?:an?|your) ", "the ", title),
    "my for the": lambda title: re.sub(r"\bthe ", "my ", title),
    "how do I": lambda title: f"How do I {title.removeprefix('To ')}?",
    "I want to": lambda title: f"I want to {title.removeprefix('To ')}",
    "thanks": lambda title: f"{title.removeprefix('To ')}, thanks",
    "please": lambda title: f"Please {title.removeprefix('To ')}",
    "could you please": lambda title: f"Could you please {title.removeprefix('To ')}?",
    "-ing": lambda title: re.sub(r"^To (\w+?)e? ", r"\1ing ", title),
}
"""Ways to say the same, by name."""


def main() -> None:
    """Count what is answered, and write shares."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--most", type=int, default=100, help="changed titles of a kind")
    arguments = parser.parse_args()
    queries = read_awscli_examples(read_aws())
    relevant = {query.prompt: frozenset(query.relevant) for query in queries}
    order = np.random.default_rng(arguments.seed).permutation(len(relevant))
    titles = [list(relevant)[place] for place in order]
    embedder = OnnxEmbedder()
    pairs = changed_titles(titles, most=arguments.most)
    give(
        {
            "benchmark": "semantic_rates",
            "titles": len(titles),
            "changed": changed_rates(pairs, embedder),
            "variants": {name: variant_rates(name, titles[:300], embedder) for name in VARIANTS},
            "natural": _natural_rates(relevant, embedder),
        },
        arguments.output,
    )


def changed_titles(titles: Iterable[str], *, most: int) -> list[tuple[str, str]]:
    """Pair titles with what says another thing, at most so many of a kind."""
    pairs, of_kind = [], Counter[str]()
    for title in titles:
        for kind, other in _changed(title):
            if other != title and of_kind[kind] < most:
                of_kind[kind] += 1
                pairs.append((title, other))
    return pairs


def _changed(title: str) -> list[tuple[str, str]]:
    changed = [
        ("not", re.sub(r"^To ", "Do not ", title)),
        ("without", f"{title} without tags"),
        ("number", re.sub(r"\d+", lambda found: str(int(found[0]) + 5), title)),
        ("plural", title[:-1] if title.endswith("s") else f"{title}s"),
    ]
    for opposites in _OPPOSITES:
        one, other = opposites.split()
        for old, new in ((one, other), (other, one)):
            word = rf"(?<!^)\b{old}\b" if old == "to" else rf"\b{old}\b"
            changed.append((f"{old} {new}", re.sub(word, new, title, flags=re.IGNORECASE)))
    return changed


def changed_rates(pairs: list[tuple[str, str]], embedder: OnnxEmbedder) -> dict[str, int]:
    """Count pairs, those whose vectors are near, and those of which one answers the other."""
    texts = sorted({text for pair in pairs for text in pair})
    vectors = dict(zip(texts, embedder.encode(texts), strict=True))
    near = answered = 0
    for title, other in pairs:
        cache = SemanticCache[str](dimensions=embedder.dimensions, entries=1)
        cache.put(_SCOPE, title, vectors[title], title)
        near += float(vectors[title] @ vectors[other]) >= _NEAR
        answered += cache.get(_SCOPE, other, vectors[other]) is not None
    return {"pairs": len(pairs), "near": near, "answered": answered}


def variant_rates(name: str, titles: list[str], embedder: OnnxEmbedder) -> dict[str, float]:
    """Give shares of the titles that are answered, and whose content words agree."""
    said = [(title, VARIANTS[name](title)) for title in titles]
    said = [(title, other) for title, other in said if other != title]
    cache = SemanticCache[str](dimensions=embedder.dimensions)
    for title, vector in zip(titles, embedder.encode(titles), strict=True):
        cache.put(_SCOPE, title, vector, title)
    vectors = embedder.encode([other for _, other in said])
    answered = sum(
        cache.get(_SCOPE, other, vector) is not None
        for (_, other), vector in zip(said, vectors, strict=True)
    )
    same = sum(content_words(title) == content_words(other) for title, other in said)
    return {
        "asked": len(said),
        "answered": round(answered / len(said), 3),
        "same words": round(same / len(said), 3),
    }


def _natural_rates(relevant: dict[str, frozenset[str]], embedder: OnnxEmbedder) -> dict[str, int]:
    titles = list(relevant)
    vectors = embedder.encode(titles)
    words = [content_words(title) for title in titles]
    near = same = 0
    for row, title in enumerate(titles):
        for other in row + 1 + np.flatnonzero(vectors[row + 1 :] @ vectors[row] >= _NEAR):
            if not relevant[title] & relevant[titles[other]]:
                near += 1
                same += words[row] == words[other]
    return {"near": near, "answered": same}


if __name__ == "__main__":
    main()
