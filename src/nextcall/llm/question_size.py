"""How many tokens a question has at most, whoever counts them."""

import json
from typing import Final

from nextcall.llm.question import Question

LONGEST_INPUT: Final = 100_000
"""Tokens; the prices of longer inputs are other ones, and no table has them."""

_OF_A_MESSAGE: Final = 32  # its role, and what stands before and after it
_OF_THE_WHOLE: Final = 64  # what begins a conversation and asks for the answer
_OF_A_SCHEMA: Final = 1024  # in what words a vendor tells its model of one


def most_input_tokens(question: Question) -> int:
    """Give a bound for the tokens of a question, whatever model counts them.

    A token of text stands for at least one byte of it in every vocabulary that is made of bytes,
    so there are no more tokens than bytes in UTF-8; in English there are four times as many. To
    them comes what a vendor puts around messages and a schema, for which there is ample room.

    Raises
    ------
    ValueError
        Where that is above `LONGEST_INPUT`.

    Examples
    --------
    >>> from nextcall.llm.question import Message
    >>> most_input_tokens(Question(messages=(Message(role="user", text="hello"),)))
    101
    """
    most = _OF_THE_WHOLE + sum(_OF_A_MESSAGE + _bytes(each.text) for each in question.messages)
    if question.schema is not None:
        most += _OF_A_SCHEMA + _bytes(json.dumps(dict(question.schema)))
    if most > LONGEST_INPUT:
        raise ValueError(
            f"question must have at most {LONGEST_INPUT} tokens, got up to {most}: each byte of it "
            "may be one."
        )
    return most


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
