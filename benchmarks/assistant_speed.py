"""What a run of the assistant takes besides its language model, which answers at once here.

    python benchmarks/assistant_speed.py

A server in a process of its own answers every question with the same two calls. New prompts, titles
of the AWS command line's examples, are answered by turns over operations of AWS: by a prediction;
by a run without a model, and by one that asks the server, behind a ledger in SQLite; and the bare
client of OpenAI asks the server what the run asked. Nothing is kept of answers, and there is no
HTTP but to the model. Milliseconds of wall and of this process's CPU, medians of the rounds, and of
the ratios within each. Prints JSON, or writes it to ``--output``.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from cold_rank import part_of
from json_output import give, parser_of, rounded
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from nextcall.assistant.assistant import Assistant
from nextcall.assistant.messages import question_of
from nextcall.assistant.task import Task
from nextcall.catalog.aws import read_aws
from nextcall.llm.language_models import LanguageModels
from nextcall.llm.model_table import read_model_table
from nextcall.llm.question import Question
from nextcall.resilience.breakers import Breakers
from nextcall.serve.answering import Answering
from nextcall.serve.assistant.runs import Runs
from nextcall.serve.loading import load_predictor, open_stores
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits
from nextcall.serve.settings import load_settings
from nextcall.sessions.awscli_examples import read_awscli_examples

_CALL: Final = {
    "reason": "it does what is wanted",
    "operation_id": "s3:CreateBucket",
    "arguments": [{"name": "Bucket", "value": "logs"}],
}
_SAID: Final = json.dumps({"calls": [_CALL, _CALL], "answer": "Two calls."})
_ANSWER: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "quick",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": _SAID}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 500, "completion_tokens": 80, "total_tokens": 580},
}
_SERVER: Final = """
import asyncio, sys
body = sys.argv[1].encode()
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
async def answer(reader, writer):
    while True:
        try:
            asked = await reader.readuntil(b"\\r\\n\\r\\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        lines = asked.lower().split(b"\\r\\n")
        (length,) = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        await reader.readexactly(length)
        writer.write(head % len(body) + body)
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
_TABLE: Final = """
providers: [{{name: here, protocol: openai, url: "{url}"}}]
models: [{{name: quick, provider: here, input_price: 0.01, output_price: 0.05}}]
tiers: {{trivial: [quick], low: [quick], medium: [quick], high: [quick], critical: [quick]}}
"""

Times = dict[str, list[float]]


def main() -> None:
    """Answer in turns, and write medians of the rounds and of the ratios within each."""
    parser = parser_of(__doc__, rounds=15, seed=0)
    parser.add_argument("--operations", type=int, default=1_000)
    parser.add_argument("--prompts", type=int, default=20, help="of each way in a round")
    arguments = parser.parse_args()
    catalog = read_aws()
    prompts = sorted({query.prompt for query in read_awscli_examples(catalog)})
    rng = np.random.default_rng(arguments.seed)
    drawn = [prompts[place] for place in rng.permutation(len(prompts))]
    with TemporaryDirectory() as folder:
        part_of(catalog, arguments.operations).save(Path(folder, "catalog.parquet"))
        wall, cpu = _measured(Path(folder), drawn, arguments.rounds, arguments.prompts)
    asked = [one + other for one, other in zip(wall["predict"], wall["client"], strict=True)]
    pairs = {
        "run without a model / predict": (wall["run without a model"], wall["predict"]),
        "run / (predict + client)": (wall["run"], asked),
    }
    result = {
        "benchmark": "assistant_speed",
        "operations": arguments.operations,
        "milliseconds": {name: round(statistics.median(each), 3) for name, each in wall.items()},
        "cpu_milliseconds": {name: round(statistics.median(each), 3) for name, each in cpu.items()},
        "ratios": {
            name: round(statistics.median(a / b for a, b in zip(*pair, strict=True)), 3)
            for name, pair in pairs.items()
        },
        "samples": {"milliseconds": rounded(wall), "cpu_milliseconds": rounded(cpu)},
    }
    give(result, arguments.output)


def _measured(folder: Path, prompts: Sequence[str], rounds: int, count: int) -> tuple[Times, Times]:
    settings = load_settings(
        catalog=folder / "catalog.parquet",
        database_url=f"sqlite:///{folder}/a.db",
        llm_daily_usd=1_000_000,
    )
    predictor = load_predictor(settings)
    predictor.warm()
    safety, limits = Safety(settings, predictor.index.catalog), Limits()
    with ExitStack() as opened:
        url = opened.enter_context(_server())
        stores = opened.enter_context(open_stores(settings))
        file = folder / "models.yaml"
        file.write_text(_TABLE.format(url=url), encoding="utf-8")

        async def measure() -> tuple[Times, Times]:
            client = AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
            models = LanguageModels(
                read_model_table(file, environment={}),
                ledger=stores.ledger,
                breakers=Breakers(),
                metrics=None,
                seconds=60,
            )
            answering = Answering(predictor, safety, limits)
            alone = Runs(predictor, safety, limits)
            asking = Runs(predictor, safety, limits, assistant=Assistant(models))
            ways: dict[str, Callable[[str], Awaitable[object]]] = {
                "predict": lambda prompt: answering.reply(
                    _body(prompt, "max_predictions"), "short"
                ),
                "run without a model": lambda prompt: alone.reply(_body(prompt, "shown")),
                "run": lambda prompt: asking.reply(_body(prompt, "shown")),
                "client": lambda prompt: _ask(client, _question(prompt)),
            }
            operations = predictor.index.catalog.operations[:5]

            def _question(prompt: str) -> Question:
                return question_of(Task(prompt=prompt, shown=operations))

            times = await _by_turns(ways, prompts, rounds, count)
            await models.close()
            await client.close()
            return times

        return asyncio.run(measure())


async def _by_turns(
    ways: dict[str, Callable[[str], Awaitable[object]]],
    prompts: Sequence[str],
    rounds: int,
    count: int,
) -> tuple[Times, Times]:
    """Give wall and CPU of each way, a number a round; no prompt is asked twice."""
    wall: Times = {name: [] for name in ways}
    cpu: Times = {name: [] for name in ways}
    left = iter(prompts)
    for number in range(rounds + 1):  # the first opens connections
        spent = {name: [0.0, 0.0] for name in ways}
        for _ in range(count):
            for name, way in ways.items():
                prompt = next(left)
                begin, begin_cpu = time.perf_counter(), time.process_time()
                await way(prompt)
                spent[name][0] += time.perf_counter() - begin
                spent[name][1] += time.process_time() - begin_cpu
        for name, (one, other) in spent.items() if number else ():
            wall[name].append(one / count * 1000)
            cpu[name].append(other / count * 1000)
    return wall, cpu


def _body(prompt: str, field: str) -> bytes:
    return json.dumps({"prompt": prompt, field: 5}).encode()


async def _ask(client: AsyncOpenAI, question: Question) -> object:
    system, user = question.messages
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": system.text},
        {"role": "user", "content": user.text},
    ]
    return await client.chat.completions.create(
        model="quick", messages=messages, max_completion_tokens=question.most_tokens
    )


@contextmanager
def _server() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, json.dumps(_ANSWER)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
