"""What an operation does, and to what: derived from its method, its path and its name."""

from collections.abc import Sequence
from typing import Final

from nextcall.catalog.text import identifier_words, singular
from nextcall.catalog.verbs import (
    ACTIONS,
    CLEAR_VERBS,
    PREPOSITIONS,
    QUALIFIERS,
    VERBS,
    verb_action,
)

__all__ = [
    "ACTIONS",
    "derive_action",
    "derive_resource",
    "is_parameter",
    "own_name_words",
    "path_segments",
    "verb_action",
]

_METHODS: Final = {
    "POST": "create", "GET": "read", "PUT": "update", "PATCH": "update", "DELETE": "delete",
    "HEAD": "read", "OPTIONS": "read",
}  # fmt: skip
_READS: Final = frozenset({"read", "list", "search"})
_DETERMINERS: Final = frozenset(
    {"a", "all", "an", "any", "current", "each", "its", "my", "new", "single", "some", "the"}
)
_PATH_NOISE: Final = frozenset({"api", "apis", "rest", "public", "json", "ajax", "services"})
# Last segments that say which of a collection: of many, or of one.
_MANY: Final = frozenset({"all", "featured", "popular", "recent", "top", "trending", "upcoming"})
_ONE: Final = frozenset({"current", "default", "latest", "me", "random", "self"})
# Plural in form, yet one thing to read.
_SINGLE_PLURALS: Final = frozenset(
    {
        *("attributes", "conditions", "contents", "credentials", "details", "directions"),
        *("insights", "metadata", "metrics", "options", "preferences", "properties", "settings"),
        *("stats", "statistics", "terms", "times"),
    }
)


def path_segments(path: str) -> list[str]:
    """Split a path template into its segments.

    Examples
    --------
    >>> path_segments("/users/{id}/posts")
    ['users', '{id}', 'posts']
    """
    return [segment for segment in path.split("?", 1)[0].split("#", 1)[0].split("/") if segment]


def is_parameter(segment: str) -> bool:
    """Tell whether a segment of a path template is filled in by the caller.

    Examples
    --------
    >>> is_parameter("{id}"), is_parameter(":id"), is_parameter("users")
    (True, True, False)
    """
    return segment.startswith((":", "<")) or "{" in segment


def own_name_words(name: str) -> tuple[str, ...]:
    """Split a name without its service into words; of a dotted one, the method comes first.

    Examples
    --------
    >>> own_name_words("compute.instances.list")
    ('list', 'instances')
    >>> own_name_words("compute.instances.get")
    ('get', 'instance')
    >>> own_name_words("compute.instances.setLabels")
    ('set', 'labels', 'of', 'instances')
    >>> own_name_words("FileSystem.copyFile")
    ('copy', 'file')
    """
    parts = [part for part in name.split(".") if part] if " " not in name else [name]
    if len(parts) < 2:
        return identifier_words(name)
    method, holder = identifier_words(parts[-1]), identifier_words(parts[-2])
    verbs = [word for word in method if word not in QUALIFIERS]
    if len(verbs) == 1 and verbs[0] in VERBS:
        many = len(method) > 1 or VERBS[verbs[0]] in {"list", "search"}
        return (*method, *(holder if many else (*holder[:-1], *map(singular, holder[-1:]))))
    return (*method, "of", *holder) if len(parts) > 2 else method


def derive_action(
    *, method: str | None, path: str | None, words: Sequence[str], summary: str = ""
) -> str:
    """Derive the action of an operation; one of `ACTIONS`.

    The verb in the name decides first, for it says most ("BatchGetItem" is a read although it is
    a POST); then a verb at the end of the path ("/orders/{id}/cancel"); then GET, which lists a
    collection and reads an item; then the verb that the summary begins with; then the method.

    Parameters
    ----------
    method : str or None
        Upper-case HTTP method.
    path : str or None
        Path template.
    words : sequence of str
        Words of the operation's own name; none where it is only named by method and path.
    summary : str
        Plain sentence.

    Examples
    --------
    >>> derive_action(method="POST", path="/", words=("describe", "db", "instances"))
    'list'
    >>> derive_action(method="GET", path="/users/{id}", words=())
    'read'
    >>> derive_action(method="POST", path="/orders/{id}/cancel", words=())
    'delete'
    """
    action = _named_action(words)
    if action is None and path is not None:
        action = _path_action(method, path_segments(path))
    if action is None and summary:
        first = identifier_words(summary.partition(" ")[0])
        action = verb_action(first[0]) if first else None
    return action or _METHODS.get(method or "", "other")


def derive_resource(*, path: str | None, words: Sequence[str]) -> str:
    """Derive the singular noun that an operation works on; empty where nothing names one.

    What follows the verb in the name, up to a preposition; else what the path ends with; else what
    stands before the verb, or after the preposition; else the whole of a name without a verb.

    Examples
    --------
    >>> derive_resource(path="/", words=("describe", "db", "instances"))
    'db instance'
    >>> derive_resource(path="/users/{id}/posts", words=())
    'post'
    >>> derive_resource(path=None, words=("add", "to", "cart"))
    'cart'
    """
    verb = _verb_position(words)
    after = words[verb + 1 :] if verb is not None else ()
    before = [word for word in words[:verb] if word not in QUALIFIERS]
    return (
        _noun(_phrase(after))
        or _noun(_path_nouns(path_segments(path or "")))
        or _noun(_phrase(before))
        or _noun(_phrase(after, skip=True))
        or _noun(before)
    )


def _verb_position(words: Sequence[str]) -> int | None:
    """Find the verb: the first word but for qualifiers, else a clear verb anywhere.

    A first word that may be a noun gives way to a clear verb beside it ("message_get_status").
    """
    first = next((i for i, word in enumerate(words[:3]) if word not in QUALIFIERS), None)
    if first is not None and words[first] in VERBS:
        beside = words[first + 1 : first + 2]
        yields = words[first] not in CLEAR_VERBS and set(beside) & CLEAR_VERBS
        return first + 1 if yields else first
    return next((i for i, word in enumerate(words) if word in CLEAR_VERBS), None)


def _named_action(words: Sequence[str]) -> str | None:
    verb = _verb_position(words)
    if verb is None:
        return None
    action = VERBS[words[verb]]
    if action == "read":
        named = words[verb + 1 :] or words[:verb]
        return "list" if _names_many(_phrase(named), all_of="all" in named[:1]) else "read"
    return action


def _path_action(method: str | None, segments: Sequence[str]) -> str | None:
    last = segments[-1] if segments else ""
    if ":" in last.lstrip(":"):  # Google's custom methods: /v1/{name}:cancel
        last = last.rsplit(":", 1)[1]
    tail = () if is_parameter(last) else own_name_words(last)
    stated = _named_action(tail) if len(tail) == 1 or set(tail[:1]) & CLEAR_VERBS else None
    if stated is not None and len(segments) == 1 and len(tail) == 1 and tail[0] not in CLEAR_VERBS:
        stated = None  # /orders is a collection
    if method in {"GET", "HEAD"}:
        if any(VERBS.get(segment.lower()) == "search" for segment in segments):
            return "search"
        many = bool(tail) and (tail[0] in _MANY or _names_many(tail))
        return stated if stated in _READS else "list" if many else "read"
    if method == "DELETE":
        return "detach" if stated == "attach" else "delete"
    if stated is None and method == "POST" and last and is_parameter(last):
        return "update"
    return stated


def _phrase(words: Sequence[str], *, skip: bool = False) -> list[str]:
    """Take the words up to a preposition, without determiners and version; `skip` leading ones."""
    nouns: list[str] = []
    for word in words:
        if word in PREPOSITIONS:
            if nouns or not skip:
                break
        elif word not in _DETERMINERS:
            nouns.append(word)
    while len(nouns) > 1 and (nouns[-1].isdigit() or nouns[-1] == "v"):
        nouns.pop()
    return nouns


def _path_nouns(segments: Sequence[str]) -> list[str]:
    """Give the words of the last fixed segment that names a thing."""
    fixed = [
        identifier_words(segment)
        for segment in segments
        if not is_parameter(segment) and segment.lower() not in _PATH_NOISE
    ]
    named = [words for words in fixed if words and not (words[0] == "v" and len(words) < 4)]
    for words in reversed(named):
        is_verb = len(words) == 1 and words[0] in VERBS
        if not is_verb and words[0] not in _MANY and words[0] not in _ONE:
            return _phrase(words) or list(words)
    return list(named[0]) if named else []  # verbs all: /report/export works on reports


def _noun(words: Sequence[str]) -> str:
    return " ".join((*words[:-1], singular(words[-1]))) if words else ""


def _names_many(nouns: Sequence[str], *, all_of: bool = False) -> bool:
    """Tell whether nouns name many things."""
    if not nouns:
        return all_of
    return all_of or (nouns[-1] not in _SINGLE_PLURALS and singular(nouns[-1]) != nouns[-1])
