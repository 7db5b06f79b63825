"""A vendor that answers what a test says, as vendors document it; a ledger; who asks with both."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from nextcall.llm.call_ledger import Outcome, OverBudgetError
from nextcall.llm.language_models import LanguageModels, Told
from nextcall.llm.model import BILLION, Model, Tier
from nextcall.llm.model_table import ModelTable, read_model_table
from nextcall.llm.question import Message, Question
from nextcall.resilience.breakers import Breakers
from nextcall.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Asked:
    """What a vendor was asked; names of headers are in small letters."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class Vendor:
    """Gives one answer after the other; the last one again and again."""

    url: str = ""
    answers: list[tuple[int, Mapping[str, str], bytes]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    """Set while answers are given at once."""

    def will_answer(
        self, body: object, *, status: int = 200, kind: str = "application/json", **headers: str
    ) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, {"Content-Type": kind, **named}, raw))


def chat_completion(
    text: str | None = "Paris", *, ended: str = "stop", refusal: str | None = None, **usage: Any
) -> dict[str, Any]:
    """Give an answer of OpenAI's chat completions."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "some",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": refusal},
                "logprobs": None,
                "finish_reason": ended,
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, **usage},
    }


def message(text: str = "Paris", *, ended: str = "end_turn", **usage: int) -> dict[str, Any]:
    """Give an answer of Anthropic's messages."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "some",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": ended,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 2, **usage},
    }


@contextmanager
def opened() -> Iterator[Vendor]:
    made = Vendor()
    made.waiting.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.asked.append(Asked(self.path, headers, body))
            made.waiting.wait(60)
            status, told, raw = made.answers[min(len(made.asked), len(made.answers)) - 1]
            self.send_response_only(status)
            for name, value in {**told, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that did not wait."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    made.waiting.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with opened() as made:
        yield made


@pytest.fixture
def other_vendor() -> Iterator[Vendor]:
    with opened() as made:
        yield made


@pytest.fixture(scope="session")
def chat_completions() -> Callable[..., dict[str, Any]]:
    """Give what makes answers of OpenAI."""
    return chat_completion


@pytest.fixture(scope="session")
def either() -> dict[str, Any]:
    """Give an answer of both."""
    return {**message(), **chat_completion(input_tokens=10, output_tokens=2)}


@pytest.fixture(scope="session")
def messages() -> Callable[..., dict[str, Any]]:
    """Give what makes answers of Anthropic."""
    return message


HELLO = Question(
    messages=(
        Message(role="system", text="Answer in one short sentence."),
        Message(role="user", text="What is the capital of Italy?"),
        Message(role="assistant", text="The capital of Italy is Rome."),
        Message(role="user", text="What is the capital of France?"),
    ),
    most_tokens=16,
    temperature=0.0,
)


@dataclass
class Row:
    """A call of the ledger."""

    model: str
    tier: Tier
    purpose: str
    reserved: int
    outcome: Outcome | None = None
    cost: int = 0
    tokens: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Book:
    """A ledger in memory."""

    budget: int = 10 * BILLION
    emergency: bool = False
    rows: list[Row] = field(default_factory=list)
    opened: threading.Event = field(default_factory=threading.Event)
    settling: threading.Event = field(default_factory=threading.Event)
    told_to_settle: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    away: bool = False
    broken: bool = False
    """Calls may be made, but it cannot be told of their end."""

    def __post_init__(self) -> None:
        self.opened.set()
        self.settling.set()

    def reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        self.waiting.set()
        assert self.opened.wait(60)
        if self.away:
            raise OSError("the database is away")
        if sum(row.cost if row.outcome else row.reserved for row in self.rows) + most > self.budget:
            raise OverBudgetError("no money is left.")
        self.rows.append(Row(model.name, tier, purpose, most))
        return str(len(self.rows) - 1)

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
        self.told_to_settle.set()
        assert self.settling.wait(60)
        if self.broken:
            raise OSError("the database is away")
        row = self.rows[int(call_id)]
        assert row.outcome is None, "a call is settled once"
        assert seconds >= 0
        row.outcome, row.cost = outcome, cost
        row.tokens = input_tokens, output_tokens, cached_tokens

    def is_emergency(self) -> bool:
        return self.emergency

    def told(self) -> list[tuple[str, Outcome | None]]:
        return [(row.model, row.outcome) for row in self.rows]


def table_of(
    path: Path, models: dict[str, tuple[str, dict[str, int]]], **tiers: list[str]
) -> ModelTable:
    """Make a table: each model has a provider of its own, at an address of OpenAI's protocol."""
    file = path / "models.yaml"
    every = {tier: list(models) for tier in ("trivial", "low", "medium", "high", "critical")}
    written = {
        "providers": [
            {"name": f"of-{name}", "protocol": "openai", "url": url}
            for name, (url, _) in models.items()
        ],
        "models": [
            {
                "name": name,
                "provider": f"of-{name}",
                "input_price": price["input"],
                "output_price": price["output"],
            }
            for name, (_, price) in models.items()
        ],
        "tiers": {**every, **tiers},
    }
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return read_model_table(file, environment={})


@asynccontextmanager
async def models_opened(
    table: ModelTable,
    book: Book,
    *,
    seconds: float = 60.0,
    metrics: Metrics | None = None,
    breakers: Breakers | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[LanguageModels]:
    options = {} if clock is None else {"clock": clock}
    models = LanguageModels(
        table,
        ledger=book,
        breakers=Breakers() if breakers is None else breakers,
        metrics=metrics,
        seconds=seconds,
        **options,
    )
    try:
        yield models
    finally:
        await models.close()


def ask(table: ModelTable, book: Book, *, tier: Tier = "low", **options: Any) -> Told:
    async def main() -> Told:
        async with models_opened(table, book, **options) as models:
            return await models.ask(HELLO, tier=tier, purpose="run")

    return asyncio.run(main())


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, for a minute at most."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # what a thread does
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def asking() -> SimpleNamespace:
    """Give what a test of `LanguageModels` asks with."""
    return SimpleNamespace(
        Book=Book, HELLO=HELLO, ask=ask, opened=models_opened, table_of=table_of, until=until
    )
