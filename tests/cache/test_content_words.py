"""Prompts that say the same have the same words; those that say another thing have not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.content_words import content_words

SAME = [
    """To describe your key pairs | describe the key pairs | Describing key-pairs!
    | DESCRIBE KEY PAIRS | Could you please describe my key pairs? | How do I describe key pairs
    | describes key pairs | I'd like to describe key pairs, thank you. | Let me describe (key pairs)
    | "describe key pairs" | kindly describe key pairs | I want to describe  key\u00a0pairs \u2026
    | describe key pairs, please | help me describe key pairs; thanks
    | We need to describe our key\u2011pairs | Hi, can you describe \u201ckey\u201d pairs""",
    "show me the user's name | Show the user name",
    """don't stop it | Do not stop it | I do not stop it | can\u2019t stop it | Cannot stop it
    | not stop it""",
    "tagging instances | tag instances | tags the instances",
    "applying a patch | apply a patch | applies the patch",
    "putting objects | put objects",
    "thanks | Thanks!",
    "a/b.txt | a/b.txt.",
]
OTHER = [
    """delete a user | delete users | do not delete a user | never delete a user | undelete a user
    | create a user | delete a role | delete 5 users | delete 10 users | delete -5 users
    | delete all users | delete a user without tags | delete a user with tags | delete 5% users""",
    "copy from a-1 to b-2 | copy to a-1 from b-2 | copy from b-2 to a-1 | copy a-1 b-2",
    "rename 'A' to 'a' | rename 'a' to 'A' | rename 'a' to 'a'",
    "how many buckets | list buckets | buckets",
    "ports 80 | ports 8.0 | ports > 80 | ports < 80 | ports != 80 | ports 80-90 | ports 8090",
    "send me the mail | send you the mail | send the mail",
    "list .env | list env | list *.env | list !env",
    "list \u0915\u093f | list \u0915\u0940 | list \u0915",
    "let users delete | users delete | help users delete",
    'show the file named "the" | show the file named the',
]


def split(listed: str) -> list[str]:
    return [prompt.strip(" \n") for prompt in listed.split(" | ")]


@pytest.mark.parametrize("listed", SAME, ids=lambda listed: split(listed)[0])
def test_what_is_said_in_another_way_has_the_same_words(listed: str) -> None:
    prompts = split(listed)
    assert {content_words(prompt) for prompt in prompts} == {content_words(prompts[0])}
    assert content_words(prompts[0])


@pytest.mark.parametrize("listed", OTHER, ids=lambda listed: split(listed)[0])
def test_what_says_another_thing_has_other_words(listed: str) -> None:
    prompts = split(listed)
    assert len({content_words(prompt) for prompt in prompts}) == len(prompts)


@pytest.mark.parametrize("prompt", ["", " ", "...", "the", "Please!", "'", "''", "\u200b", "( )"])
def test_what_says_nothing_has_no_words(prompt: str) -> None:
    assert content_words(prompt) == ()


@given(st.text())
def test_case_and_space_around_words_say_nothing(text: str) -> None:
    words = content_words(text)
    assert content_words(f"  {text}\n") == words
    assert all(word and word == word.strip() for word in words)


@given(st.lists(st.from_regex("[a-z]{2,9}", fullmatch=True), min_size=1))
def test_case_and_final_points_say_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert content_words(text.upper() + ".") == content_words(text)


_WORDS = "show give tell me us the My cannot Let like would 80 VMs thanks please you do not delete"


@given(
    st.lists(st.sampled_from(_WORDS.split()), max_size=8),
    st.sampled_from(["", ".", "?!", " .", " ... ", ",", ";:"]),
)
def test_plain_texts_have_the_words_that_they_have_when_looked_at_in_full(
    words: list[str], end: str
) -> None:
    text = " ".join(words) + end
    assert content_words(text) == content_words(f"\t{text}")  # a tab makes it no plain one
