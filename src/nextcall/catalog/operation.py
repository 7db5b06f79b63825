"""One operation of an API, whatever the API is described in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nextcall.catalog.actions import (
    derive_action,
    derive_resource,
    is_parameter,
    own_name_words,
    path_segments,
)
from nextcall.catalog.text import first_sentence, identifier_words, strip_html


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One input of an operation."""

    name: str
    location: str = "argument"
    """``path``, ``query``, ``header``, ``cookie``, ``body``, or ``argument`` of a function."""
    type: str = ""
    """JSON Schema type name; empty where the description states none."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One entry of a catalogue; `describe_operation` builds it from what a description states."""

    operation_id: str
    method: str | None
    """Upper-case HTTP method; None for a function."""
    path: str | None
    """Path template such as ``/users/{id}``; None for a function."""
    service: str
    """What the operation belongs to: an AWS service, the first tag, else the API."""
    tags: tuple[str, ...]
    summary: str
    """One plain sentence."""
    description: str
    """Plain text, HTML stripped."""
    parameters: tuple[Parameter, ...]
    action: str
    """One of `nextcall.catalog.actions.ACTIONS`."""
    resource: str
    """Singular noun that the operation works on, such as ``db instance``."""
    source: str
    """Name of the description that it comes from."""

    @property
    def api_call(self) -> str:
        """The call as a reader writes it: ``GET /users/{id}``, or the function's name."""
        if self.method is None or self.path is None:
            return self.operation_id
        return f"{self.method} {self.path}"

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the operation's own name, without its service."""
        return name_words(self.operation_id, method=self.method, path=self.path)


def name_words(operation_id: str, *, method: str | None, path: str | None) -> tuple[str, ...]:
    """Split an operation's id into words; where the id is ``METHOD /path``, the path's fixed words.

    Examples
    --------
    >>> name_words("ec2:DescribeInstances", method="POST", path="/")
    ('describe', 'instances')
    >>> name_words("GET /users/{id}", method="GET", path="/users/{id}")
    ('users',)
    """
    if path is not None and operation_id == f"{method} {path}":
        fixed = (segment for segment in path_segments(path) if not is_parameter(segment))
        return tuple(word for segment in fixed for word in identifier_words(segment))
    separator = "::" if "::" in operation_id else ":"
    own = operation_id.rsplit(separator, 1)[-1]
    return own_name_words(own.rsplit("/", 1)[-1] or own)


def describe_operation(
    *,
    operation_id: str,
    method: str | None = None,
    path: str | None = None,
    service: str = "",
    tags: Iterable[str] = (),
    summary: str = "",
    description: str = "",
    parameters: Sequence[Parameter] = (),
    source: str = "",
) -> Operation:
    """Build an operation from what its description states; strip HTML, derive action and resource.

    Raises
    ------
    ValueError
        Where `operation_id` is empty.

    Examples
    --------
    >>> operation = describe_operation(operation_id="getUser", method="get", path="/users/{id}")
    >>> operation.api_call, operation.action, operation.resource
    ('GET /users/{id}', 'read', 'user')
    """
    if not operation_id.strip():
        raise ValueError("operation_id must not be empty.")
    plain = strip_html(description)
    short = strip_html(summary) or first_sentence(plain)
    upper = method.upper() if method else None
    is_named = operation_id != f"{upper} {path}"
    words = name_words(operation_id, method=upper, path=path) if is_named else ()
    all_tags = tuple(tags)
    return Operation(
        operation_id=operation_id,
        method=upper,
        path=path,
        service=service or (all_tags[0] if all_tags else source),
        tags=all_tags,
        summary=short,
        description=plain or short,
        parameters=tuple(parameters),
        action=derive_action(method=upper, path=path, words=words, summary=short),
        resource=derive_resource(path=path, words=words),
        source=source,
    )
