"""A service with an assistant, whose language model is a server that says what a test says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from nextcall.llm.model import TIERS
from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.assistant.service_assistant import open_assistant
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings

KEY = "sk-of-the-tests-0000000000000000"
VARIABLE = "SAYING_KEY"


@dataclass
class Saying:
    """A server of language models that speaks OpenAI's protocol, and remembers what it was sent."""

    url: str = ""
    content: str = '{"calls": [], "answer": ""}'
    ended: str = "stop"
    status: int = 200
    sent: list[bytes] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    """Set while it answers at once."""

    def will_say(self, *calls: dict[str, Any], answer: str = "Here they are.") -> None:
        self.content = json.dumps({"calls": calls, "answer": answer})

    @property
    def body(self) -> dict[str, Any]:
        """What it was sent last."""
        found: dict[str, Any] = json.loads(self.sent[-1])
        return found

    @property
    def read(self) -> str:
        """What a model would have read last, beside its instructions."""
        text: str = self.body["messages"][-1]["content"]
        return text

    @property
    def answer(self) -> bytes:
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        message = {"role": "assistant", "content": self.content, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.ended, "logprobs": None}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "small"}
        return json.dumps({**told, "choices": [choice], "usage": usage}).encode()


@dataclass
class Assisted:
    """A service, asked in this process."""

    client: TestClient
    stores: Stores
    saying: Saying

    def run(self, prompt: str = "make a queue", *, status: int = 200, **asked: Any) -> Any:
        answer = self.client.post("/api/run", json={"prompt": prompt, **asked})
        assert answer.status_code == status, answer.text
        return answer.json()


Serving = Callable[..., AbstractContextManager[Assisted]]


@pytest.fixture
def saying() -> Iterator[Saying]:
    """Start the server; nothing waits for it where it is told to wait."""
    made = Saying()
    made.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            made.go.wait(60)
            answer = made.answer
            self.send_response(made.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that did not wait."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield made
    made.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def table_of(url: str, *, lacking: tuple[str, ...] = ()) -> dict[str, Any]:
    """Give a table of one model, and of another that answers some tiers, for which no key is."""
    provider = {"name": "here", "protocol": "openai", "url": url, "key_variable": VARIABLE}
    model = {"name": "small", "provider": "here", "input_price": 10, "output_price": 50}
    table: dict[str, Any] = {
        "providers": [provider],
        "models": [model],
        "tiers": {tier: ["large" if tier in lacking else "small"] for tier in TIERS},
    }
    if lacking:
        table["providers"].append({**provider, "name": "there", "key_variable": "NO_SUCH_KEY"})
        table["models"].append({**model, "name": "large", "provider": "there"})
    return table


@pytest.fixture
def serving(predictor: Predictor, saying: Saying, tmp_path: Path) -> Serving:
    """Give what opens a service: over the three services of AWS, unless another is given."""

    @contextmanager
    def opened(
        *,
        served: Predictor = predictor,
        key: str | None = KEY,
        table: dict[str, Any] | None = None,
        **given: Any,
    ) -> Iterator[Assisted]:
        file = tmp_path / "models.yaml"
        file.write_text(yaml.safe_dump(table or table_of(saying.url)), encoding="utf-8")
        given = {"llm_models": file, "log_dir": tmp_path / "log", **given}
        settings = load_settings(database_url=f"sqlite:///{tmp_path}/a.db", **given)
        with ExitStack() as stack:
            notes = BreakerNotes()
            breakers = Breakers(listener=notes)
            stores = stack.enter_context(open_stores(settings, breakers=breakers))
            observer = stack.enter_context(open_observer(settings))
            assistant = open_assistant(
                settings,
                stores.ledger,
                breakers=breakers,
                observer=observer,
                environment={} if key is None else {VARIABLE: key},
            )
            parts = Parts(
                observer=observer,
                ledger=stores.ledger,
                assistant=assistant,
                breakers=breakers,
                notes=notes,
            )
            app = create_app(served, settings=settings, parts=parts)
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            yield Assisted(client, stores, saying)

    return opened


def call(operation_id: str, reason: str = "it fits", **arguments: Any) -> dict[str, Any]:
    """Give a call as a model proposes it."""
    given = [{"name": name, "value": value} for name, value in arguments.items()]
    return {"reason": reason, "operation_id": operation_id, "arguments": given}
