"""A prompt in which nothing was found is not checked again, and nothing else changes by that."""

from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.cache.cache import Cache
from nextcall.catalog import Catalog, describe_operation
from nextcall.guard.guard import Guard, Verdict
from nextcall.serve.problems import UnsafeError
from nextcall.serve.safety.safety import Checked, Safety
from nextcall.serve.schemas import HistoryEvent, PredictRequest
from nextcall.serve.settings import load_settings

CATALOG = Catalog("one", (describe_operation(operation_id="f"),))
PROMPTS = ("list users", "x' OR 1=1 --", "write to anna@example.com", "damn shit", "List users")
CALLS = ("f", "g", "/users/1", "<script>alert(1)</script>")
ROUTES = ("/predict", "/predict/batch")


class Counting(Guard):
    """Counts the texts that it judges."""

    def __init__(self) -> None:
        super().__init__(policy="block")
        self.judged: list[str] = []

    def detect(self, text: str) -> Verdict:
        self.judged.append(text)
        return super().detect(text)


def safety(kept: Cache[object] | None, guard: Guard | None = None, **changed: Any) -> Safety:
    return Safety(load_settings(**changed), CATALOG, guard=guard, prompts=kept)


def room() -> Cache[object]:
    return Cache(ttl=60, entries=100)


def asked(prompt: str, *calls: str) -> PredictRequest:
    history = [HistoryEvent(api_call=call) for call in calls]
    return PredictRequest(prompt=prompt, history=history, max_predictions=3)


def found(one: Safety, route: str, request: PredictRequest) -> object:
    try:
        checked: Checked = one.check_request(route, request)
    except UnsafeError as error:
        return error.refusal
    return checked.findings, checked.is_clean, checked.marks


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(ROUTES),
            st.sampled_from(PROMPTS),
            st.lists(st.sampled_from(CALLS), max_size=3),
        ),
        max_size=12,
    ),
    st.sampled_from(["observe", "flag", "block"]),
)
def test_what_is_found_and_counted_is_the_same(
    requests: list[tuple[str, str, list[str]]], policy: str
) -> None:
    policies = dict.fromkeys(ROUTES, policy)
    one, other = (safety(kept, guard_policies=policies) for kept in (room(), None))
    for route, prompt, calls in requests:
        request = asked(prompt, *calls)
        assert found(one, route, request) == found(other, route, request)
    assert one.snapshot() == other.snapshot()


def test_only_a_prompt_without_any_finding_is_known_again() -> None:
    guard, kept = Counting(), room()
    one = safety(kept, guard, guard_policies={"/predict": "observe"})
    for prompt in PROMPTS:
        for calls in ((), ("f",), ("g",)):
            one.check_request("/predict", asked(prompt, *calls))
    assert [guard.judged.count(prompt) for prompt in PROMPTS] == [2, 3, 3, 3, 2]
    assert len(kept) == 2
    assert all(prompt not in repr(kept.__dict__) for prompt in PROMPTS)
    assert one.snapshot().total == 3 * len(PROMPTS)
    kept.clear()
    one.check_request("/predict", asked("list users"))
    assert guard.judged.count("list users") == 3


def test_a_prompt_beside_a_call_that_is_noticed_is_looked_at_again() -> None:
    guard, kept = Counting(), room()
    one = safety(kept, guard, guard_policies={"/predict": "flag"})
    for _ in range(2):
        assert one.check_request("/predict", asked("list users", CALLS[-1])).marks
    assert guard.judged.count("list users") == 2
    one.check_request("/predict", asked("list users"))
    assert one.check_request("/predict", asked("list users", CALLS[-1])).marks
    assert guard.judged.count("list users") == 3  # known by now, the call is not


def test_what_was_looked_at_while_a_check_failed_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError

    guard, kept = Counting(), room()
    one = safety(kept, guard)
    one.check_request("/predict", asked("list users"))
    with monkeypatch.context() as broken:
        broken.setattr("nextcall.serve.safety.input_checks.find_pii", fail)
        one.check_request("/predict", asked("list users"))
    assert len(kept) == 0
    one.check_request("/predict", asked("list users"))
    assert (len(kept), guard.judged.count("list users")) == (1, 3)


def test_what_was_forgotten_meanwhile_is_not_kept() -> None:
    kept = room()

    class Forgetting(Guard):
        def detect(self, text: str) -> Verdict:
            kept.clear()
            return super().detect(text)

    one = safety(kept, Forgetting())
    for _ in range(3):
        one.check_request("/predict", asked("list users"))
    assert len(kept) == 0


def test_another_guard_knows_nothing_of_them() -> None:
    kept, guards = room(), [Counting() for _ in range(4)]
    different: list[dict[str, object]] = [{}, {}, {"pii_policy": "block"}, {"guard_threshold": 0.4}]
    for guard, changed in zip(guards, different, strict=True):
        one = safety(kept, guard, **changed)
        for _ in range(3):
            one.check_request("/predict", asked("list users"))
    assert [len(guard.judged) for guard in guards] == [2, 1, 2, 2]  # the first is new to each
    other = Safety(load_settings(), CATALOG, guard=guards[1], version="v2", prompts=kept)
    for _ in range(3):
        other.check_request("/predict", asked("list users"))
    assert len(guards[1].judged) == 3


def test_one_apart_that_is_measured_checks_each_time() -> None:
    guard, kept = Counting(), room()
    one = safety(kept, guard)
    for _ in range(3):
        one.check_request("/predict", asked("list users"))
    assert (len(guard.judged), len(kept)) == (2, 1)
    own = one.apart()
    for _ in range(3):
        own.check_request("/predict", asked("list users"))
        own.check_request("/predict", asked("list the groups"))
    assert (len(guard.judged), len(kept)) == (8, 1)


def test_where_the_guard_is_off_nothing_is_kept() -> None:
    kept = room()
    one = safety(kept, guard_enabled=False)
    for _ in range(3):
        one.check_request("/predict", asked("list users"))
    assert (kept.stats.entries, kept.stats.misses) == (0, 0)
