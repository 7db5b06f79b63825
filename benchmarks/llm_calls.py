"""What asking a language model costs beside the vendor's own client, where the model takes no time.

    python benchmarks/llm_calls.py

A server in a process of its own answers every question at once with the same completion. It is
asked by turns, call by call: by the bare client of OpenAI, by `OpenAiProtocol` over that client,
and by `LanguageModels` with a ledger in memory, a breaker and metrics. Milliseconds of wall and of
this process's CPU, medians of the rounds, and of the ratios within each. Prints JSON, or writes it
to ``--output``.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from json_output import give, parser_of, rounded
from openai import AsyncOpenAI

from nextcall.llm.call_ledger import Outcome
from nextcall.llm.language_models import LanguageModels
from nextcall.llm.model import Model, Tier
from nextcall.llm.model_table import ModelTable, read_model_table
from nextcall.llm.openai_protocol import OpenAiProtocol
from nextcall.llm.question import Message, Question
from nextcall.resilience.breakers import Breakers
from nextcall.telemetry.metrics import open_metrics

_QUESTION: Final = Question(
    messages=(
        Message(role="system", text="You choose API calls. " * 100),
        Message(role="user", text="Make a bucket for logs."),
    )
)
_ANSWER: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "quick",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"operation_id": "s3.CreateBucket"}'},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 500, "completion_tokens": 12, "total_tokens": 512},
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
models: [{{name: quick, provider: here, input_price: 1, output_price: 5}}]
tiers: {{trivial: [quick], low: [quick], medium: [quick], high: [quick], critical: [quick]}}
"""
_BARE: Final = "client"


class _Ledger:
    """Takes everything, and keeps nothing."""

    def reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        return f"{model.name} {tier} {purpose} {most}"

    def settle(
        self,
        call_id: str,
        *,
        outcome: Outcome,
        cost: int,
        seconds: float,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        pass

    def is_emergency(self) -> bool:
        return False


def main() -> None:
    """Ask in turns, and write medians of the rounds and of the ratios within each."""
    parser = parser_of(__doc__, rounds=15)
    parser.add_argument("--calls", type=int, default=100, help="of each way in a round")
    arguments = parser.parse_args()
    with _server() as url, TemporaryDirectory() as folder:
        file = Path(folder, "models.yaml")
        file.write_text(_TABLE.format(url=url), encoding="utf-8")
        table = read_model_table(file, environment={})
        wall, cpu = asyncio.run(_measure(table, url, arguments.rounds, arguments.calls))
    result = {
        "benchmark": "llm_calls",
        "milliseconds": _medians(wall),
        "cpu_milliseconds": _medians(cpu),
        "ratios": {
            f"{name} / {_BARE}": round(
                statistics.median(a / b for a, b in zip(times, wall[_BARE], strict=True)), 3
            )
            for name, times in wall.items()
            if name != _BARE
        },
        "samples": {"milliseconds": rounded(wall), "cpu_milliseconds": rounded(cpu)},
    }
    give(result, arguments.output)


Times = dict[str, list[float]]


async def _measure(table: ModelTable, url: str, rounds: int, calls: int) -> tuple[Times, Times]:
    """Give wall and CPU of each way, a number a round."""
    client = AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
    protocol = OpenAiProtocol(key=None, url=url)
    with open_metrics(endpoints=()) as metrics:
        models = LanguageModels(
            table, ledger=_Ledger(), breakers=Breakers(), metrics=metrics, seconds=60
        )
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            _BARE: lambda: client.chat.completions.create(
                model="quick",
                messages=[
                    {"role": "system", "content": _QUESTION.messages[0].text},
                    {"role": "user", "content": _QUESTION.messages[1].text},
                ],
                max_completion_tokens=_QUESTION.most_tokens,
                temperature=_QUESTION.temperature,
            ),
            "OpenAiProtocol": lambda: protocol.complete(table.models[0], _QUESTION, seconds=60),
            "LanguageModels": lambda: models.ask(_QUESTION, tier="low", purpose="run"),
        }
        wall: Times = {name: [] for name in ways}
        cpu: Times = {name: [] for name in ways}
        for number in range(rounds + 1):  # the first opens connections
            spent = {name: [0.0, 0.0] for name in ways}
            for _ in range(calls):
                for name, way in ways.items():
                    begin, begin_cpu = time.perf_counter(), time.process_time()
                    await way()
                    spent[name][0] += time.perf_counter() - begin
                    spent[name][1] += time.process_time() - begin_cpu
            for name, (one, other) in spent.items() if number else ():
                wall[name].append(one / calls * 1000)
                cpu[name].append(other / calls * 1000)
        await models.close()
    await protocol.close()
    await client.close()
    return wall, cpu


def _medians(times: Times) -> dict[str, float]:
    return {name: round(statistics.median(each), 3) for name, each in times.items()}


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
