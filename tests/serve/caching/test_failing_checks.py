"""What is made while a check of the guard fails by itself is not kept, whatever works beside it."""

from collections.abc import Sequence

import pytest
from starlette.testclient import TestClient
from tests.serve.caching.conftest import ask

from nextcall.guard.guard import Guard, Verdict
from nextcall.guard.output import OutputFilter, Proposal, Release

PROMPT = "list all the queues"


def status(asking: TestClient) -> str:
    told: str = asking.get("/health").json()["components"]["guard"]["status"]
    return told


@pytest.mark.parametrize("detail", ["short", "full"])
def test_it_is_not_kept_though_the_next_check_worked(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch, detail: str
) -> None:
    judge = Guard.detect

    def stumble(guard: Guard, text: str) -> Verdict:
        if text == PROMPT:
            raise RuntimeError("a word is too much")
        return judge(guard, text)

    path = f"/predict?detail={detail}"
    with monkeypatch.context() as broken:
        broken.setattr(Guard, "detect", stumble)
        for number in range(2):  # a call that is known to be harmless is not checked
            called = {"api_call": f"nobody knows it {number}"}
            body = {"prompt": PROMPT, "history": [called]}
            assert ask(asking, body, path)[0] == "MISS"
            assert status(asking) == "ok"
            assert ask(asking, body, path)[0] == "MISS"
    assert ask(asking, body, path)[0] == "MISS"
    assert ask(asking, body, path)[0] == "HIT"


@pytest.mark.parametrize("detail", ["short", "full"])
def test_it_is_not_kept_though_other_operations_were_looked_at(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch, detail: str
) -> None:
    """The texts of the first operation that is looked at are too much, those of others are not."""
    release, stumbled = OutputFilter.release, list[str]()

    def stumble(output: OutputFilter, proposals: Sequence[Proposal]) -> Release:
        name = proposals[0].operation_id
        if not stumbled or name in stumbled:
            stumbled.append(name)
            raise RuntimeError("a word is too much")
        return release(output, proposals)

    body, path = {"prompt": PROMPT}, f"/predict?detail={detail}"
    with monkeypatch.context() as broken:
        broken.setattr(OutputFilter, "release", stumble)
        assert [ask(asking, body, path)[0] for _ in range(2)] == ["MISS", "MISS"]
        assert status(asking) == "ok"
    assert len(stumbled) >= 2
    assert [ask(asking, body, path)[0] for _ in range(2)] == ["MISS", "HIT"]


def test_a_prompt_that_is_known_lets_a_check_show_that_it_works_again(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a model is gone")

    for calls in range(3):
        history = [{"api_call": "sqs:ListQueues"}] * calls
        ask(asking, {"prompt": PROMPT, "history": history})
    with monkeypatch.context() as broken:
        broken.setattr(Guard, "detect", fail)
        ask(asking, {"prompt": "create a bucket"})
    assert status(asking) == "failing"
    ask(asking, {"prompt": PROMPT, "max_predictions": 7})
    assert status(asking) == "ok"
