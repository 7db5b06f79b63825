"""A vendor of language models that answers what a test says, as vendors document it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


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
