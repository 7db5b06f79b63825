"""Real prompts out of the installed package awscli: how many, how clean, whose."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions import Query, awscli_examples
from nextcall.sessions.awscli_examples import (
    SERVICE_OF_COMMAND,
    clean_title,
    read_awscli_examples,
    with_history,
)


@pytest.fixture(scope="module")
def aws(all_of_aws: Catalog) -> Catalog:
    return all_of_aws


@pytest.fixture(scope="module")
def prompts(aws: Catalog) -> list[Query]:
    return read_awscli_examples(aws)


@pytest.fixture(scope="module")
def small() -> Catalog:
    names = {
        "s3": ("CreateBucket", "DeleteBucket", "ListBuckets"),
        "sqs": ("SendMessage", "ReceiveMessage"),
        "sts": ("GetCallerIdentity",),
    }
    return Catalog(
        "small",
        tuple(
            describe_operation(operation_id=f"{service}:{name}", service=service)
            for service, own in names.items()
            for name in own
        ),
    )


def test_every_prompt_of_the_pinned_package_is_read(aws: Catalog, prompts: list[Query]) -> None:
    """The counts that the pinned versions of awscli and botocore give, stated in data/README.md."""
    assert len(aws) == 18_378
    assert len(prompts) == 6_410
    several = sum(len(query.relevant) > 1 for query in prompts)
    assert several / len(prompts) == pytest.approx(0.067, abs=0.0005)


def test_every_prompt_has_words_an_own_operation_and_an_id(
    aws: Catalog, prompts: list[Query]
) -> None:
    assert len({query.query_id for query in prompts}) == len(prompts)
    for query in prompts:
        assert len(query.prompt.split()) >= 3
        assert query.prompt == query.prompt.strip()
        assert query.session_id in query.relevant
        assert query.source == aws[query.session_id].service
        assert not query.history
    order = [query.query_id for query in prompts]
    assert order == sorted(order)


def test_operations_that_share_a_title_are_all_right(prompts: list[Query]) -> None:
    asked: dict[str, set[str]] = {}
    for query in prompts:
        asked.setdefault(query.prompt.lower(), set()).add(query.session_id)
    for query in prompts:
        assert query.relevant == tuple(sorted(asked[query.prompt.lower()]))


def test_no_prompt_holds_the_name_of_its_command(prompts: list[Query]) -> None:
    """Neither as it is typed nor as it is written in code; names of one word are English too."""
    for query in prompts:
        own = query.session_id.split(":")[1]
        words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+", own)
        if len(words) < 2:
            continue
        prompt = query.prompt.lower()
        for joint in ("-", "_", ""):
            name = joint.join(words).lower()
            if name in prompt:  # as a part of another word at most
                assert not re.search(rf"(?<![\w-]){name}(?![\w-])", prompt), query


def test_no_markup_is_left(prompts: list[Query]) -> None:
    marks = Counter(
        mark for query in prompts for mark in ("``", "**", "\n") if mark in query.prompt
    )
    assert not marks
    assert not any(
        re.match(r"(example|step)\s*\d", query.prompt, re.IGNORECASE) for query in prompts
    )


@pytest.mark.parametrize(
    ("title", "command", "prompt"),
    [
        ("Example 1: To list tags with ``list-tags``", "list-tags", "To list tags with"),
        ("To describe an instance", "describe-instances", "To describe an instance"),
        ("Example to add a rule", "add-rule", "to add a rule"),
        ("EXAMPLE 2 - Copy an object", "copy-object", "Copy an object"),
        ("Step 3) Wait", "wait", "Wait"),
        ("(2) To delete a key", "delete-key", "To delete a key"),
        ("3. To run it", "run-it", "To run it"),
        ("Examples of a query", "query", "Examples of a query"),
        ("ListTags and list_tags and LIST-TAGS here", "list-tags", "and and here"),
        ("To relist-tags or list-tags-more", "list-tags", "To relist-tags or list-tags-more"),
        ("To list\n    all keys:", "list-keys", "To list all keys"),
        ("To use :code:`x`", "use-x", "To use x"),
        ("To publish a message", "publish", "To publish a message"),
        ('"To do it."', "do-it", "To do it"),
    ],
)
def test_titles_become_prompts(title: str, command: str, prompt: str) -> None:
    assert clean_title(title, command=command) == prompt


@settings(max_examples=300)
@given(st.text(alphabet="aeT o-_:.1*`'\"\n", max_size=30), st.sampled_from(["a-e", "to", "a-1-o"]))
def test_a_clean_title_is_on_one_line_without_quotes_around_it(title: str, command: str) -> None:
    prompt = clean_title(title, command=command)
    assert prompt == " ".join(prompt.split())
    assert prompt == prompt.strip(" :.-\"'")
    assert "`" not in prompt


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_folder_of_examples_is_read_as_the_package_is(small: Catalog, tmp_path: Path) -> None:
    _write(
        tmp_path,
        "s3api/create-bucket.rst",
        "**To create a bucket**\n\nText.\n\n**To create a bucket:**\n\n**Output**\n\n"
        "  **Example 2: To create one\nbucket elsewhere**\n\n**Too short**\n",
    )
    _write(tmp_path, "sqs/send-message.rst", "**to create a Bucket**\n**To shout at somebody**\n")
    _write(tmp_path, "s3/ls.rst", "**To list all of it**\n")
    _write(tmp_path, "sqs/no-such-command.rst", "**To do what cannot be**\n")
    found = read_awscli_examples(small, examples=tmp_path)
    both = ("s3:CreateBucket", "sqs:SendMessage")
    assert [(query.prompt, query.relevant) for query in found] == [
        ("To create a bucket", both),
        ("To create one bucket elsewhere", ("s3:CreateBucket",)),
        ("to create a Bucket", both),
        ("To shout at somebody", ("sqs:SendMessage",)),
    ]
    assert [query.source for query in found] == ["s3", "s3", "sqs", "sqs"]


def test_services_under_another_name_are_found(aws: Catalog, prompts: list[Query]) -> None:
    asked = {query.source for query in prompts}
    assert set(SERVICE_OF_COMMAND.values()) <= asked <= set(aws.services)
    assert asked.isdisjoint(SERVICE_OF_COMMAND)


def test_a_folder_without_a_fitting_title_is_refused(small: Catalog, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "no"):
        with pytest.raises(ValueError, match=f"{folder}: must hold SERVICE/COMMAND.rst"):
            read_awscli_examples(small, examples=folder)


def test_a_missing_package_is_named(small: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awscli_examples, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"the package awscli 1\.x; it is not installed"):
        read_awscli_examples(small)


@given(n_calls=st.integers(1, 5), seed=st.integers(0, 50))
def test_earlier_calls_are_others_of_the_same_service(
    small: Catalog, n_calls: int, seed: int
) -> None:
    queries = [
        Query(query_id=o.operation_id, prompt="x", relevant=(o.operation_id,), session_id="s")
        for o in small
    ]
    for name, both in (
        ("far", ("s3:CreateBucket", "sqs:SendMessage")),
        ("near", ("s3:CreateBucket", "s3:DeleteBucket")),
    ):
        queries.append(Query(query_id=name, prompt="x", relevant=both))
    rng = np.random.default_rng(seed)
    extended = with_history(queries, small, n_calls=n_calls, rng=rng)
    assert (
        with_history(queries, small, n_calls=n_calls, rng=np.random.default_rng(seed)) == extended
    )
    for before, after in zip(queries, extended, strict=True):
        called = [call.operation_id for call in after.history]
        service = small[before.relevant[0]].service
        others = {o.operation_id for o in small if o.service == service} - set(before.relevant)
        assert set(called) <= others
        assert len(set(called)) == len(called) == min(n_calls, len(others)) == after.step
        assert after.task == "next_call"
        assert after.query_id == f"{before.query_id}-h{n_calls}"
        assert (after.prompt, after.relevant, after.session_id, after.source) == (
            before.prompt, before.relevant, before.session_id, before.source,
        )  # fmt: skip


def test_earlier_calls_are_drawn_uniformly(small: Catalog) -> None:
    query = Query(query_id="q", prompt="x", relevant=("s3:CreateBucket",))
    drawn = with_history([query] * 4000, small, n_calls=1, rng=np.random.default_rng(0))
    counts = Counter(after.history[0].operation_id for after in drawn)
    assert set(counts) == {"s3:DeleteBucket", "s3:ListBuckets"}
    # Four standard deviations of a fair coin tossed 4,000 times.
    assert abs(counts["s3:ListBuckets"] - 2000) < 4 * np.sqrt(1000)


def test_no_earlier_call_is_refused(small: Catalog) -> None:
    with pytest.raises(ValueError, match="n_calls must be at least 1, got 0"):
        with_history([], small, n_calls=0, rng=np.random.default_rng(0))
