"""The protocol of OpenAI, which servers such as llama.cpp and vLLM speak too."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from nextcall.llm.completion import Completion
from nextcall.llm.failures import UnreadableAnswerError
from nextcall.llm.model import Model
from nextcall.llm.question import Message, Question

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
    from openai.types.chat.chat_completion import Choice
    from openai.types.shared_params import ResponseFormatJSONSchema

_VENDOR: Final = "https://api.openai.com/v1"
_NO_KEY: Final = "none"  # the client wants one, also for a server that wants none


class OpenAiProtocol:
    """A `Provider` behind OpenAI's chat completions; needs the extra ``llm``.

    Neither key nor address is taken from the environment, and nothing is asked twice.

    Parameters
    ----------
    key : str or None
        Of the account; a server of one's own may want none.
    url : str or None
        What ``/chat/completions`` is put behind; OpenAI's own where it is None.

    Raises
    ------
    ImportError
        Where the extra is not installed.
    """

    def __init__(self, *, key: str | None, url: str | None) -> None:
        from openai import AsyncOpenAI  # noqa: PLC0415  # an extra

        self._client = AsyncOpenAI(api_key=key or _NO_KEY, base_url=url or _VENDOR, max_retries=0)

    async def complete(self, model: Model, question: Question, *, seconds: float) -> Completion:
        """Ask a model; see `Provider`.

        A schema is held strictly where OpenAI can: where it is closed, as `is_closed` says. Other
        servers hold every schema that they know.
        """
        from openai import omit  # noqa: PLC0415  # as above

        async with asyncio.timeout(seconds):
            answer = await self._client.chat.completions.create(
                model=model.name,
                messages=[_message(each) for each in question.messages],
                max_completion_tokens=question.most_tokens,
                temperature=question.temperature if model.takes_temperature else omit,
                response_format=omit if question.schema is None else _format(question.schema),
                timeout=None,  # the client's is for each read by itself
            )
        return _completion(answer)

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()


def is_closed(schema: Any) -> bool:
    """Say whether each object of a JSON Schema names all that it has, and needs each of it.

    Examples
    --------
    >>> is_closed({"type": "object", "properties": {"a": {"type": "string"}},
    ...     "required": ["a"], "additionalProperties": False})
    True
    >>> is_closed({"type": "object", "properties": {"a": {"type": "object"}},
    ...     "required": ["a"], "additionalProperties": False})
    False
    """
    if isinstance(schema, Mapping):
        properties = schema.get("properties", {})
        if schema.get("type") == "object" and (
            schema.get("additionalProperties") is not False
            or set(schema.get("required", ())) != set(properties)
        ):
            return False
        return all(map(is_closed, schema.values()))
    return not isinstance(schema, list | tuple) or all(map(is_closed, schema))


def _message(message: Message) -> "ChatCompletionMessageParam":
    match message.role:
        case "system":
            return {"role": "system", "content": message.text}
        case "user":
            return {"role": "user", "content": message.text}
        case "assistant":
            return {"role": "assistant", "content": message.text}


def _format(schema: Mapping[str, Any]) -> "ResponseFormatJSONSchema":
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": dict(schema), "strict": is_closed(schema)},
    }


def _completion(answer: "ChatCompletion") -> Completion:
    try:
        choice, usage = answer.choices[0], answer.usage
        if usage is None:  # some servers do not count
            return Completion(
                text=choice.message.content or "",
                input_tokens=0,
                output_tokens=0,
                ended=_ended(choice),
            )
        details = usage.prompt_tokens_details
        cached = 0 if details is None else details.cached_tokens or 0
        written = 0 if details is None else details.cache_write_tokens or 0
        return Completion(
            text=choice.message.content or "",
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cached_tokens=cached,
            # The client calls this count unadjusted: it may be above what is left of the input.
            written_tokens=min(written, usage.prompt_tokens - cached),
            ended=_ended(choice),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UnreadableAnswerError("an answer must be a chat completion of OpenAI.") from error


def _ended(choice: "Choice") -> Literal["stop", "length", "refused"]:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return "refused"
    return "length" if choice.finish_reason == "length" else "stop"
