"""Words of identifiers and plain text of documentation."""

import re
from functools import lru_cache
from html import unescape

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_POINT = re.compile(r" ([.,;:!?)])")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")
_IDENTIFIER = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Plural acronyms and names that the general rule would cut: "DBInstances", "VPCs", "IPv6".
_PLURAL_ACRONYM = re.compile(r"(?<![A-Z])([A-Z]{2,})s(?=[A-Z]|$|[^a-zA-Z])")
_IRREGULAR = {
    "analyses": "analysis", "bonuses": "bonus", "calories": "calorie", "children": "child",
    "cookies": "cookie", "indices": "index", "movies": "movie", "people": "person",
    "lenses": "lens", "sizes": "size", "caches": "cache", "prizes": "prize",
}  # fmt: skip
_ES = ("sses", "xes", "zes", "ches", "shes", "aliases", "statuses", "viruses", "buses", "campuses")
_NOT_PLURAL = (
    *("ss", "us", "is", "ics", "news", "series", "species", "dns", "aws", "tls", "https"),
    *("alias", "atlas", "bias", "canvas", "kubernetes", "lens", "sns", "sms", "gas", "always"),
)


def strip_html(text: str) -> str:
    r"""Remove tags and entities, and fold white space.

    Examples
    --------
    >>> strip_html("<p>Gets an <b>object</b>.</p>\n<p>A &amp; B</p>")
    'Gets an object. A & B'
    """
    plain = unescape(_TAG.sub(" ", _without_comments(text)))
    return _SPACE_BEFORE_POINT.sub(r"\1", _SPACE.sub(" ", plain)).strip()


def _without_comments(text: str) -> str:
    """Remove HTML comments; one that is not closed stays, and is looked through once."""
    kept, end = [], 0
    while (start := text.find("<!--", end)) >= 0 and (close := text.find("-->", start + 4)) >= 0:
        kept.append(text[end:start])
        end = close + 3
    return " ".join((*kept, text[end:])) if kept else text


def first_sentence(text: str, *, limit: int = 300) -> str:
    """Take the first sentence of a plain text, cut at a word within `limit` characters.

    Examples
    --------
    >>> first_sentence("Gets an object. See also others.")
    'Gets an object.'
    """
    sentence = _SENTENCE.split(text, maxsplit=1)[0]
    if len(sentence) <= limit:
        return sentence
    return sentence[:limit].rsplit(" ", 1)[0]


@lru_cache(maxsize=20_000)
def identifier_words(identifier: str) -> tuple[str, ...]:
    """Split an identifier of any style into lower-case words.

    Examples
    --------
    >>> identifier_words("DescribeDBInstances")
    ('describe', 'db', 'instances')
    >>> identifier_words("get_user-by.id")
    ('get', 'user', 'by', 'id')
    >>> identifier_words("AssociateVPCsWithHostedZone")
    ('associate', 'vpcs', 'with', 'hosted', 'zone')
    """
    joined = _PLURAL_ACRONYM.sub(lambda match: match[1].lower().capitalize() + "s", identifier)
    return tuple(word.lower() for word in _IDENTIFIER.findall(joined))


@lru_cache(maxsize=20_000)
def singular(word: str) -> str:
    """Turn an English plural noun into its singular, by rule.

    Examples
    --------
    >>> [singular(word) for word in ("users", "policies", "addresses", "status", "boxes")]
    ['user', 'policy', 'address', 'status', 'box']
    """
    if (irregular := _IRREGULAR.get(word)) is not None:
        return irregular
    if len(word) <= 3 or word.endswith(_NOT_PLURAL):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(_ES):
        return word[:-2]
    return word.removesuffix("s")
