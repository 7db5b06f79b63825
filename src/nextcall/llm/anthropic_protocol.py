"""The protocol of Anthropic."""

import asyncio
from typing import TYPE_CHECKING, Final, Literal

from nextcall.llm.completion import Completion
from nextcall.llm.failures import UnreadableAnswerError
from nextcall.llm.model import Model
from nextcall.llm.question import Message, Question

if TYPE_CHECKING:
    from anthropic.types import Message as Answer
    from anthropic.types import MessageParam

_VENDOR: Final = "https://api.anthropic.com"
_NO_KEY: Final = "none"  # else the client would look for one in files and variables
_CUT_OFF: Final = frozenset({"max_tokens", "model_context_window_exceeded"})


class AnthropicProtocol:
    """A `Provider` behind Anthropic's messages; needs the extra ``llm``.

    Neither key nor address is taken from the environment, and nothing is asked twice.

    Parameters
    ----------
    key : str or None
        Of the account; a server of one's own may want none.
    url : str or None
        What ``/v1/messages`` is put behind; Anthropic's own where it is None.

    Raises
    ------
    ImportError
        Where the extra is not installed.
    """

    def __init__(self, *, key: str | None, url: str | None) -> None:
        from anthropic import AsyncAnthropic  # noqa: PLC0415  # an extra

        self._client = AsyncAnthropic(
            api_key=key or _NO_KEY, base_url=url or _VENDOR, max_retries=0
        )

    async def complete(self, model: Model, question: Question, *, seconds: float) -> Completion:
        """Ask a model; see `Provider`.

        What Anthropic does not hold of a schema, such as the length of a text, the client writes
        into its descriptions; an object has there no properties but those that are named.
        """
        from anthropic import omit, transform_schema  # noqa: PLC0415  # as above

        system = "\n\n".join(each.text for each in question.messages if each.role == "system")
        schema = None if question.schema is None else transform_schema(dict(question.schema))
        async with asyncio.timeout(seconds):
            answer = await self._client.messages.create(
                model=model.name,
                system=system or omit,
                messages=[_message(each) for each in question.messages if each.role != "system"],
                max_tokens=question.most_tokens,
                # The client knows none, for Anthropic's newest models refuse it.
                extra_body={"temperature": question.temperature}
                if model.takes_temperature
                else None,
                output_config=omit
                if schema is None
                else {"format": {"type": "json_schema", "schema": schema}},
                timeout=None,  # the client's is for each read by itself
            )
        return _completion(answer)

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()


def _message(message: Message) -> "MessageParam":
    if message.role == "assistant":
        return {"role": "assistant", "content": message.text}
    return {"role": "user", "content": message.text}


def _completion(answer: "Answer") -> Completion:
    try:
        usage = answer.usage
        cached = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        return Completion(
            text="".join(block.text for block in answer.content if block.type == "text"),
            input_tokens=usage.input_tokens + cached + written,
            output_tokens=usage.output_tokens,
            cached_tokens=cached,
            written_tokens=written,
            ended=_ended(answer.stop_reason),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise UnreadableAnswerError("an answer must be a message of Anthropic.") from error


def _ended(reason: str | None) -> Literal["stop", "length", "refused"]:
    if reason == "refusal":
        return "refused"
    return "length" if reason in _CUT_OFF else "stop"
