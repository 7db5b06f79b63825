"""What a question, an answer and a model must be."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from nextcall.llm.completion import Completion
from nextcall.llm.model import Model
from nextcall.llm.question import Message, Question

ASKED = (Message(role="user", text="a"),)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Question(messages=()), "messages must end with one of the user"),
        (
            lambda: Question(messages=(*ASKED, Message(role="system", text="b"))),
            "messages must end",
        ),
        (lambda: Question(messages=ASKED, most_tokens=0), "most_tokens must be at least 1, got 0"),
        (lambda: Question(messages=ASKED, temperature=1.1), "temperature must be from 0 to 1"),
        (
            lambda: Model(name="a", provider="b", written_price=Decimal(-1)),
            "written_price of 'a' must be at least 0, got -1",
        ),
        (lambda: Model(name="a", provider="b", input_price=Decimal("nan")), "got NaN"),
        (
            lambda: Completion(text="", input_tokens=-1, output_tokens=0),
            "input_tokens must be a whole number of at least 0, got -1",
        ),
        (
            lambda: Completion(text="", input_tokens=3, output_tokens=0, cached_tokens=4),
            "cached_tokens and written_tokens must be among the 3 input_tokens, got 4 and 0",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(made: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made()
