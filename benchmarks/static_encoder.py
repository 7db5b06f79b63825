"""Speed and memory of the static encoder beside the ONNX one; see docs/embedding.md.

Takes the folder of an encoder (`nextcall embed distill`). Both encode the same prompts in turn, one
at a time, so that what else the machine does falls on both alike, caches that the other one emptied
included; figures are medians over the rounds, and the least. Then the static one runs alone. Memory
is what a process that imported numpy grows by until it has encoded a prompt.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from json_output import give, parser_of

from nextcall.embedding import Embedder, OnnxEmbedder
from nextcall.embedding.static_files import load_static

PROMPTS = (
    "list buckets",
    "To describe the load balancers of an Auto Scaling group",
    "stop the instance that I started this morning",
    "show who changed the policy of the production database and when they did so",
)
_MEMORY = """
import resource, sys
from pathlib import Path
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
import numpy
start = held()
if sys.argv[1] == "onnx":
    from nextcall.embedding.onnx import OnnxEmbedder
    embedder = OnnxEmbedder()
else:
    from nextcall.embedding.static_files import load_static
    embedder = load_static(Path(sys.argv[1]))[0]
embedder.encode(["list buckets"])
print(held() - start, "onnxruntime" in sys.modules)
"""


def speed(encoders: dict[str, Embedder], rounds: int) -> dict[str, float]:
    """Microseconds a prompt, one at a time."""
    taken: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(rounds):
        for prompt in PROMPTS:
            for name, encoder in encoders.items():
                start = time.perf_counter()
                encoder.encode([prompt])
                taken[name].append(1e6 * (time.perf_counter() - start))
    result: dict[str, float] = {}
    for name, values in taken.items():
        result[f"{name}_us_median"] = statistics.median(values)
        result[f"{name}_us_least"] = min(values)
    alone = []
    for prompt in PROMPTS * rounds:  # caches stay warm, as in a run of many prompts
        start = time.perf_counter()
        encoders["static"].encode([prompt])
        alone.append(1e6 * (time.perf_counter() - start))
    result["static_alone_us_median"] = statistics.median(alone)
    result["ratio_of_medians"] = result["onnx_us_median"] / result["static_us_median"]
    return result


def memory(folder: Path) -> dict[str, float]:
    """Megabytes that each encoder adds to a fresh process that has imported numpy."""
    result: dict[str, float] = {}
    for name, argument in (("onnx", "onnx"), ("static", str(folder))):
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, argument], capture_output=True, text=True, check=True
        )
        added, opened = done.stdout.split()
        result[f"{name}_added_mb"] = float(added)
        result[f"{name}_imports_onnxruntime"] = float(opened == "True")
    return result


def main() -> None:
    """Measure; print JSON, or write it."""
    parser = parser_of(__doc__, rounds=100)
    parser.add_argument("encoder", type=Path, help="folder of the static encoder")
    options = parser.parse_args()
    static, _ = load_static(options.encoder)
    encoders: dict[str, Embedder] = {"onnx": OnnxEmbedder(), "static": static}
    for encoder in encoders.values():
        encoder.encode(PROMPTS)
    result = speed(encoders, options.rounds) | memory(options.encoder)
    result["load_average"] = os.getloadavg()[0]
    give(result, options.output)


if __name__ == "__main__":
    main()
