"""Megabytes that a process holds once the AWS catalogue is loaded and has been asked.

    python benchmarks/memory.py

A fresh process for each encoder: MiniLM, and the static one whose folder is given, else one that is
distilled first. Each loads what a service loads, from files that are kept, and answers 50 prompts,
half of them after a call.
Prints JSON, or writes it to ``--output``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from json_output import give, parser_of

_PROCESS = """
import json, sys, time
from pathlib import Path
begin = time.perf_counter()
from nextcall.catalog import Catalog
from nextcall.embedding.static_files import load_static
from nextcall.locations import cache_dir, packaged_model
from nextcall.ranking.model_files import load_ranker
from nextcall.serve.process.memory import memory_usage_mb
from nextcall.sessions import calls_of
from nextcall.training.opening import open_index
catalog = Catalog.load(Path(sys.argv[1]))
index = open_index(catalog, cache=cache_dir())
if sys.argv[2]:
    index = index.with_embedder(load_static(Path(sys.argv[2]))[0])
ranker, _ = load_ranker(packaged_model())
first = calls_of([catalog.operations[0].operation_id])
ranker.rank(index, "list everything", first)
seconds = time.perf_counter() - begin
loaded = memory_usage_mb()
for operation in catalog.operations[:: len(catalog) // 50]:
    ranker.rank(index, operation.summary, first if len(operation.summary) % 2 else ())
print(json.dumps({
    "mb_after_first_answer": loaded,
    "mb_after_50_more": memory_usage_mb(),
    "seconds_to_first_answer": seconds,
    "onnxruntime": "onnxruntime" in sys.modules,
}))
"""


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--static", type=Path, help="folder of a static encoder")
    parser.add_argument("--catalog", type=Path, help="its Parquet file; AWS is read where none is")
    arguments = parser.parse_args()
    from nextcall.catalog.aws import read_aws  # noqa: PLC0415  # numpy loads with its threads set
    from nextcall.catalog.load import load_catalog  # noqa: PLC0415
    from nextcall.embedding.static_files import save_static  # noqa: PLC0415
    from nextcall.locations import cache_dir, data_dir, demo_catalog  # noqa: PLC0415
    from nextcall.training.opening import distilled, open_index  # noqa: PLC0415

    catalog = arguments.catalog or demo_catalog(data_dir())
    if not catalog.exists():
        read_aws().save(catalog)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    result: dict[str, object] = {"benchmark": "memory"}
    with TemporaryDirectory() as folder:
        static = arguments.static
        if static is None:
            static = Path(folder)
            index = open_index(load_catalog(catalog), cache=cache_dir())
            made, card = distilled(index, cache=cache_dir())
            save_static(made, static, card=card)
        for name, encoder in (("minilm", ""), ("static", static)):
            done = subprocess.run(
                [sys.executable, "-c", _PROCESS, str(catalog), str(encoder)],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            )
            result[name] = json.loads(done.stdout)
    give(result, arguments.output)


if __name__ == "__main__":
    main()
