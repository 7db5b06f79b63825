import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, Operation, describe_operation
from nextcall.catalog.text import identifier_words
from nextcall.synth.prompts import PromptWriter, remove_name

NAMES = ("ec2:DescribeInstances", "get_user_by_id", "s3:list-objects-v2", "web::savePage")
OPERATIONS = [describe_operation(operation_id=name) for name in NAMES]
forms = st.sampled_from(
    [
        lambda words: "".join(word.capitalize() for word in words),
        "-".join,
        "_".join,
        ".".join,
        lambda words: f"`{'-'.join(words).upper()}()`,",
    ]
)
texts = st.lists(st.text("abcXY-_.`\"' ", max_size=8), max_size=6)


@given(st.sampled_from(OPERATIONS), forms, texts, texts)
def test_no_token_holds_the_name_of_several_words(
    operation: Operation, form: object, before: list[str], after: list[str]
) -> None:
    assert callable(form)
    prompt = " ".join([*before, form(operation.words), *after])
    for token in remove_name(prompt, operation).split():
        squeezed = "".join(letter for letter in token.lower() if letter.isalnum())
        assert "".join(operation.words) not in squeezed


@given(st.sampled_from(OPERATIONS), st.lists(st.sampled_from(["show", "the", "users", "(all)."])))
def test_prompts_without_the_name_stay(operation: Operation, words: list[str]) -> None:
    assert remove_name(" ".join(words), operation) == " ".join(words)


@pytest.mark.parametrize(
    ("operation", "prompt", "left"),
    [
        (
            "lambda:Invoke",
            "Invoke a function with the `invoke` command",
            "Invoke a function with the",
        ),
        ("lambda:Invoke", "the invoke operation runs it", "the runs it"),
        ("lambda:Invoke", "call lambda:Invoke now", "call now"),
        ("lambda:Invoke", "to invoke", "to invoke"),
        ("search", "search the web", "search the web"),
    ],
)
def test_a_name_of_one_word_goes_only_as_code(operation: str, prompt: str, left: str) -> None:
    assert remove_name(prompt, describe_operation(operation_id=operation)) == left


def test_paths_go() -> None:
    operation = describe_operation(operation_id="GET /users/{id}", method="GET", path="/users/{id}")
    assert remove_name("do GET /users/{id} please", operation) == "do GET please"
    root = describe_operation(operation_id="root", method="GET", path="/")
    assert remove_name("a / b", root) == "a / b"


def _one(name: str, summary: str) -> Catalog:
    return Catalog("one", (describe_operation(operation_id=name, service="web", summary=summary),))


@pytest.mark.parametrize(
    ("name", "summary", "said"),
    [
        ("GetPage", "Describes the page.", "describe the page"),
        ("GetPage", "This operation applies policies to a page.", "give me page"),
        ("GetPage", "This API returns AWS pages", "return AWS pages"),
        ("GetPage", "Page of the site", "give me page"),
        ("GetPage", "GetPage", "give me page"),
        ("GetPage", "", "give me page"),
        ("GetPage", "2 pages are shown.", "give me page"),
        ("Frobnicate", "", "handle web"),
        ("Invoke", "", "launch web"),
        ("ListByOf", "", "list by of"),
    ],
)
def test_summaries_become_wishes(name: str, summary: str, said: str) -> None:
    words = PromptWriter(_one(name, summary)).phrases(0)[0]
    assert " ".join(words) == said


def test_real_titles_come_first() -> None:
    catalog = _one("GetPage", "Describes the page.")
    titles = {"GetPage": ["To show a page:", "Example of GetPage", "to", "AWS pages"]}
    phrases = PromptWriter(catalog, titles).phrases(0)
    assert [" ".join(words) for words in phrases] == ["show a page", "example of", "AWS pages"]


def test_prompts_vary_and_say_what_is_wanted(shop: Catalog, rng: np.random.Generator) -> None:
    row = shop.positions["orders:UpdateShipment"]
    writer = PromptWriter(shop)
    written = writer.write(np.full(400, row), rng=rng)
    assert len(set(written)) > 50
    assert all("shipment" in prompt and "carrier" in prompt for prompt in written)
    assert any("specified" in prompt for prompt in written)
    assert any("specified" not in prompt for prompt in written)
    verbs = ("update", "change", "modify", "edit", "adjust")
    assert all(any(verb in prompt for prompt in written) for verb in verbs)
    assert all(any(verb in prompt for verb in verbs) for prompt in written)


def test_paraphrase_can_be_switched_off(shop: Catalog, rng: np.random.Generator) -> None:
    row = shop.positions["orders:UpdateShipment"]
    writer = PromptWriter(shop, synonym=0.0, dropped=0.0)
    for prompt in writer.write(np.full(50, row), rng=rng):
        assert prompt.endswith("update the specified shipment of a carrier")


def test_the_answer_never_stands_in_a_prompt(whole: Catalog, rng: np.random.Generator) -> None:
    rows = np.arange(len(whole))
    for operation, prompt in zip(whole, PromptWriter(whole).write(rows, rng=rng), strict=True):
        name = "".join(identifier_words(operation.operation_id.partition(":")[2]))
        assert prompt.strip()
        assert all(name not in token.replace("_", "") for token in prompt.split())
