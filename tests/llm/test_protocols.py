"""Both protocols, against a real model, and against the shapes that the vendors document."""

import asyncio
import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.llm.anthropic_protocol import AnthropicProtocol
from nextcall.llm.completion import Completion, Provider
from nextcall.llm.failures import UnreadableAnswerError, category_of, is_timeout, may_have_cost
from nextcall.llm.model import Model
from nextcall.llm.openai_protocol import OpenAiProtocol
from nextcall.llm.question import Message, Question

MODEL = Model(name="smollm2", provider="local")
CAPITAL = Question(
    messages=(
        Message(role="system", text="Answer in one short sentence."),
        Message(role="user", text="What is the capital of Italy?"),
        Message(role="assistant", text="The capital of Italy is Rome."),
        Message(role="user", text="What is the capital of France?"),
    ),
    most_tokens=16,
    temperature=0.0,
)
OPERATIONS = ["s3.CreateBucket", "ec2.RunInstances", "dynamodb.CreateTable"]
CHOICE = {
    "type": "object",
    "properties": {
        "operation_id": {"enum": OPERATIONS},
        "reason": {"type": "string", "maxLength": 20},
    },
    "required": ["operation_id", "reason"],
    "additionalProperties": False,
}
KINDS = ("openai", "anthropic")


def opened(kind: str, address: str, *, key: str | None = None) -> Provider:
    if kind == "openai":
        return OpenAiProtocol(key=key, url=f"{address}/v1")
    return AnthropicProtocol(key=key, url=address)


def ask(
    kind: str,
    address: str,
    question: Question = CAPITAL,
    *,
    key: str | None = None,
    model: Model = MODEL,
    seconds: float = 120.0,
) -> Completion:
    async def asked() -> Completion:
        provider = opened(kind, address, key=key)
        try:
            return await provider.complete(model, question, seconds=seconds)
        finally:
            await provider.close()

    main: Coroutine[Any, Any, Completion] = asked()
    return asyncio.run(main)


def failure(kind: str, address: str, **options: Any) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # each vendor has its own
        ask(kind, address, **options)
    return raised.value


@pytest.fixture(scope="session")
def locked_model(start_language_model: Callable[..., str]) -> str:
    return start_language_model("the-right-key")


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_model_answers(kind: str, language_model: str) -> None:
    answer = ask(kind, language_model)
    assert "Paris" in answer.text
    assert answer.ended == "stop"
    assert 1 <= answer.output_tokens <= 16
    assert answer.input_tokens > 20
    assert 0 <= answer.cached_tokens <= answer.input_tokens


def test_both_protocols_ask_the_same(language_model: str) -> None:
    by_openai, by_anthropic = (ask(kind, language_model) for kind in KINDS)
    assert by_openai.text == by_anthropic.text
    assert by_openai.input_tokens == by_anthropic.input_tokens


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_too_long_is_cut_off(kind: str, language_model: str) -> None:
    question = Question(
        messages=(Message(role="user", text="Tell a long story."),), most_tokens=3, temperature=0.0
    )
    answer = ask(kind, language_model, question)
    assert answer.ended == "length"
    assert answer.output_tokens == 3


def test_a_real_model_holds_a_schema(language_model: str) -> None:
    question = Question(
        messages=(Message(role="user", text="I want a bucket. Which operation?"),),
        most_tokens=60,
        temperature=0.0,
        schema=CHOICE,
    )
    answer = ask("openai", language_model, question)
    chosen = json.loads(answer.text)
    assert set(chosen) == {"operation_id", "reason"}
    assert chosen["operation_id"] in OPERATIONS


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_key_opens_and_a_wrong_one_is_told(kind: str, locked_model: str) -> None:
    assert ask(kind, locked_model, key="the-right-key").text
    for key in ("a-wrong-key", None):
        error = failure(kind, locked_model, key=key)
        assert category_of(error) == "authentication"
        assert not may_have_cost(error)
        assert not is_timeout(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_address_is_told(kind: str, language_model: str) -> None:
    nowhere = failure(kind, f"{language_model}/nowhere")
    assert category_of(nowhere) == "validation"
    nobody = failure(kind, "http://127.0.0.1:9")
    assert category_of(nobody) == "network"
    assert not is_timeout(nobody)
    assert [may_have_cost(error) for error in (nowhere, nobody)] == [False, False]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Give the address of a server with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin.replace(year=2100))
    ).sign(key, hashes.SHA256())
    path = tmp_path / "stranger.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}"
        thread.join(60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_who_it_says_is_no_network_that_is_down(
    kind: str, stranger: str
) -> None:
    error = failure(kind, stranger)
    assert category_of(error) == "fatal"
    assert not may_have_cost(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_slow_is_late(kind: str, vendor: Any, messages: Any) -> None:
    vendor.will_answer(messages())
    vendor.waiting.clear()
    error = failure(kind, vendor.url, seconds=0.05)
    assert is_timeout(error)
    assert category_of(error) == "network"
    assert may_have_cost(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "category"),
    [
        (400, "validation"),
        (402, "authentication"),
        (403, "authentication"),
        (429, "api_limit"),
        (500, "transient"),
        (503, "transient"),
        (529, "transient"),
    ],
)
def test_what_a_vendor_refuses_is_told(kind: str, status: int, category: str, vendor: Any) -> None:
    vendor.will_answer({"error": {"type": "some", "message": "no"}}, status=status)
    error = failure(kind, vendor.url)
    assert category_of(error) == category
    assert not may_have_cost(error)
    assert len(vendor.asked) == 1  # nothing is asked twice


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"<html>a portal</html>", "text/html"),
        (b'{"a": ', "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b'{"choices": [], "content": 7}', "application/json"),
        (b'{"choices": [{"message": null}], "content": [{}]}', "application/json"),
    ],
)
def test_what_is_no_answer_is_the_other_sides_fault(
    kind: str, body: bytes, shape: str, vendor: Any
) -> None:
    vendor.will_answer(body, kind=shape)
    error = failure(kind, vendor.url)
    assert category_of(error) == "transient", error
    assert may_have_cost(error)


def test_openai_is_asked_as_it_documents(vendor: Any, chat_completions: Any) -> None:
    vendor.will_answer(chat_completions('{"operation_id": "a"}'))
    question = Question(messages=CAPITAL.messages, most_tokens=7, temperature=0.2, schema=CHOICE)
    ask("openai", vendor.url, question, key="sk-1")
    (asked,) = vendor.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert asked.body == {
        "model": "smollm2",
        "messages": [{"role": each.role, "content": each.text} for each in CAPITAL.messages],
        "max_completion_tokens": 7,
        "temperature": 0.2,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": CHOICE},
        },
    }


def test_anthropic_is_asked_as_it_documents(vendor: Any, messages: Any) -> None:
    vendor.will_answer(messages('{"operation_id": "a"}'))
    question = Question(messages=CAPITAL.messages, most_tokens=7, temperature=0.2, schema=CHOICE)
    ask("anthropic", vendor.url, question, key="sk-2")
    (asked,) = vendor.asked
    assert asked.path == "/v1/messages"
    assert asked.headers["authorization"] == "Bearer sk-2"
    properties = {
        "operation_id": {"enum": OPERATIONS},
        "reason": {"type": "string", "description": "{maxLength: 20}"},
    }
    assert asked.body == {
        "model": "smollm2",
        "system": CAPITAL.messages[0].text,
        "messages": [{"role": each.role, "content": each.text} for each in CAPITAL.messages[1:]],
        "max_tokens": 7,
        "temperature": 0.2,
        "output_config": {
            "format": {"type": "json_schema", "schema": {**CHOICE, "properties": properties}}
        },
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_takes_no_temperature_is_given_none(
    kind: str, vendor: Any, either: dict[str, Any]
) -> None:
    vendor.will_answer(either)
    ask(kind, vendor.url, model=Model(name="a", provider="b", takes_temperature=False))
    ask(kind, vendor.url)
    without, with_temperature = vendor.asked
    assert "temperature" not in without.body
    assert with_temperature.body["temperature"] == CAPITAL.temperature


@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_addresses_of_the_environment_are_left_alone(
    kind: str, vendor: Any, either: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of one's own is never sent the key of a vendor."""
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-secret")
        monkeypatch.setenv(f"{name}_AUTH_TOKEN", "sk-secret")
        monkeypatch.setenv(f"{name}_ADMIN_KEY", "sk-secret")
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9")
    vendor.will_answer(either)
    ask(kind, vendor.url)
    (asked,) = vendor.asked
    assert "sk-secret" not in str(asked)


@pytest.mark.parametrize(
    ("shape", "strict"),
    [
        (CHOICE, True),
        ({**CHOICE, "required": ["reason"]}, False),
        ({**CHOICE, "properties": {"a": {"type": "object"}}, "required": ["a"]}, False),
        ({"type": "array", "items": [CHOICE, {"type": "object"}]}, False),
        ({"anyOf": [CHOICE, {"type": "string"}]}, True),
    ],
)
def test_only_what_openai_can_hold_is_asked_for_strictly(
    shape: dict[str, Any],
    strict: bool,  # noqa: FBT001
    vendor: Any,
    chat_completions: Any,
) -> None:
    vendor.will_answer(chat_completions())
    ask("openai", vendor.url, Question(messages=CAPITAL.messages, schema=shape))
    assert vendor.asked[0].body["response_format"]["json_schema"]["strict"] is strict


def test_refusals_and_ends_are_read(vendor: Any, messages: Any, chat_completions: Any) -> None:
    told = {
        "content_filter": "refused", "length": "length", "stop": "stop",
        "refusal": "refused", "max_tokens": "length", "model_context_window_exceeded": "length",
        "end_turn": "stop", "stop_sequence": "stop",
    }  # fmt: skip
    for reason, ended in told.items():
        of_openai = reason in {"content_filter", "length", "stop"}
        vendor.will_answer((chat_completions if of_openai else messages)(ended=reason))
        kind = "openai" if of_openai else "anthropic"
        assert ask(kind, vendor.url).ended == ended, reason
    vendor.will_answer(chat_completions(None, refusal="I will not."))
    refused = ask("openai", vendor.url)
    assert (refused.text, refused.ended) == ("", "refused")
    vendor.will_answer(messages(""))
    assert not ask("anthropic", vendor.url).text


def test_tokens_are_read_as_genai_prices_reads_them(
    vendor: Any, messages: Any, chat_completions: Any
) -> None:
    details = {"cached_tokens": 300, "cache_write_tokens": 200}
    by_openai = chat_completions(
        prompt_tokens=1000, completion_tokens=70, total_tokens=1070, prompt_tokens_details=details
    )
    by_anthropic = messages(
        input_tokens=500,
        cache_read_input_tokens=300,
        cache_creation_input_tokens=200,
        output_tokens=70,
    )
    for kind, body in (("openai", by_openai), ("anthropic", by_anthropic)):
        body["model"] = "gpt-6.1-sol" if kind == "openai" else "claude-opus-5-5"
        vendor.will_answer(body)
        flavor = "chat" if kind == "openai" else "default"
        known = genai_prices.extract_usage(body, provider_id=kind, api_flavor=flavor).usage
        answer = ask(kind, vendor.url)
        assert (
            answer.input_tokens,
            answer.output_tokens,
            answer.cached_tokens,
            answer.written_tokens,
        ) == (
            known.input_tokens,
            known.output_tokens,
            known.cache_read_tokens,
            known.cache_write_tokens,
        )
        assert answer.input_tokens == 1000


def test_more_than_the_input_is_not_kept(vendor: Any, chat_completions: Any) -> None:
    details = {"cached_tokens": 300, "cache_write_tokens": 800}
    vendor.will_answer(
        chat_completions(prompt_tokens=1000, completion_tokens=1, prompt_tokens_details=details)
    )
    answer = ask("openai", vendor.url)
    assert (answer.cached_tokens, answer.written_tokens) == (300, 700)


def test_an_answer_without_counts_counts_nothing(vendor: Any, chat_completions: Any) -> None:
    body = chat_completions()
    del body["usage"]
    vendor.will_answer(body)
    assert ask("openai", vendor.url) == Completion(text="Paris", input_tokens=0, output_tokens=0)


COUNTS = st.one_of(st.none(), st.integers(-2, 5), st.sampled_from(["x", "3", 1.5, [], {}, True]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(COUNTS, min_size=4, max_size=4), text=st.sampled_from(["a", None, 7, []]))
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_server_counts_is_a_count_or_no_answer(
    kind: str, counts: list[Any], text: Any, vendor: Any, either: dict[str, Any]
) -> None:
    """What a call costs is computed from it."""
    new, out, cached, written = counts
    usage = {
        "prompt_tokens": new,
        "completion_tokens": out,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "input_tokens": new,
        "output_tokens": out,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
    }
    choice = {**either["choices"][0], "message": {"role": "assistant", "content": text}}
    content = [{"type": "text", "text": text}]
    vendor.answers.clear()
    vendor.will_answer({**either, "usage": usage, "choices": [choice], "content": content})
    try:
        answer = ask(kind, vendor.url)
    except UnreadableAnswerError:
        return
    model = Model(name="a", provider="b", input_price=Decimal(1), output_price=Decimal(1))
    cost = model.cost(
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cached_tokens=answer.cached_tokens,
        written_tokens=answer.written_tokens,
    )
    assert cost == (answer.input_tokens + answer.output_tokens) * 1000 >= 0
    assert isinstance(answer.text, str)


def test_an_unreadable_answer_says_which_it_should_be(vendor: Any) -> None:
    vendor.will_answer({})
    with pytest.raises(UnreadableAnswerError, match="chat completion of OpenAI"):
        ask("openai", vendor.url)
    with pytest.raises(UnreadableAnswerError, match="message of Anthropic"):
        ask("anthropic", vendor.url)
