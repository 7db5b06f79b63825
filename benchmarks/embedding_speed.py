"""Speed of the encoders: one prompt at a time, and a catalogue in bulk; ratios within one run.

    python benchmarks/embedding_speed.py --output embedding_speed.json

The texts are operations of AWS as botocore describes them. Every encoder runs once a round, in
turn, so that what else the machine does falls on all alike; figures are medians over the rounds.
Without the extra `research` the reference is left out.
"""

import gzip
import json
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files

import numpy as np
from json_output import give, parser_of

from nextcall.catalog.text import identifier_words, strip_html
from nextcall.embedding import Embedder, OnnxEmbedder
from nextcall.embedding.sentence_transformer import SentenceTransformerEmbedder

PROMPTS = (
    "list buckets",
    "To describe the load balancers of an Auto Scaling group",
    "stop the instance that I started this morning",
    "show who changed the policy of the production database and when they did so",
)
SERVICES = ("ec2/2016-11-15", "s3/2006-03-01", "iam/2010-05-08", "lambda/2015-03-31")


def documents(number: int) -> list[str]:
    """Texts of operations as a catalogue embeds them, every part of the list alike."""
    texts = []
    for service in SERVICES:
        path = files("botocore").joinpath("data", *service.split("/"), "service-2.json.gz")
        description = json.loads(gzip.decompress(path.read_bytes()))
        for name, operation in description["operations"].items():
            documentation = strip_html(operation.get("documentation", ""))[:200]
            words = " ".join(identifier_words(name))
            texts.append(f"{service.split('/', maxsplit=1)[0]} {words} {documentation}")
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[row] for row in order[:number]]


def encoders(*, max_tokens: int) -> dict[str, Embedder]:
    """Every encoder that is installed, its model loaded."""
    found: dict[str, Embedder] = {
        "onnx": OnnxEmbedder(max_tokens=max_tokens),
        "onnx_2_workers": OnnxEmbedder(max_tokens=max_tokens, workers=2),
    }
    with suppress(ImportError):
        found["sentence_transformers"] = SentenceTransformerEmbedder(max_tokens=max_tokens)
    for encoder in found.values():
        encoder.encode(PROMPTS)
    return found


def seconds(encoder: Embedder, texts: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    encoder.encode(texts)
    return time.perf_counter() - wall, time.process_time() - cpu


def prompt_speed(rounds: int) -> dict[str, float]:
    """Milliseconds a prompt, one at a time."""
    found = encoders(max_tokens=128)
    del found["onnx_2_workers"]  # one prompt has nothing to share out
    walls: dict[str, list[float]] = {name: [] for name in found}
    for prompt in PROMPTS * 5 * rounds:
        for name, encoder in found.items():
            walls[name].append(1000 * seconds(encoder, [prompt])[0])
    result: dict[str, float] = {}
    for name, values in walls.items():
        result[f"prompt_ms_{name}"] = statistics.median(values)
        result[f"prompt_ms_min_{name}"] = min(values)
    return result


def bulk_speed(rounds: int, texts: Sequence[str]) -> dict[str, float]:
    """Texts a second (wall) and CPU milliseconds a text, many at once."""
    found = encoders(max_tokens=48)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, encoder in found.items():
            taken[name].append(seconds(encoder, texts))
    result: dict[str, float] = {}
    for name, pairs in taken.items():
        wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        result[f"bulk_texts_per_second_{name}"] = len(texts) / wall
        result[f"bulk_cpu_ms_per_text_{name}"] = 1000 * cpu / len(texts)
    return result


def main() -> None:
    """Measure; print JSON, or write it."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--texts", type=int, default=400)
    options = parser.parse_args()
    texts = documents(options.texts)
    result = {"texts": float(len(texts)), "rounds": float(options.rounds)}
    result |= prompt_speed(options.rounds) | bulk_speed(options.rounds, texts)
    result["load_average"] = os.getloadavg()[0]
    for measure in ("prompt_ms", "bulk_cpu_ms_per_text"):
        if f"{measure}_sentence_transformers" in result:
            ratio = result[f"{measure}_onnx"] / result[f"{measure}_sentence_transformers"]
            result[f"{measure}_ratio"] = ratio
    give(result, options.output)


if __name__ == "__main__":
    main()
