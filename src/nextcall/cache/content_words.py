"""What a prompt says, without how it says it: the words that must agree for one answer to do."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from nextcall.catalog.verbs import VERBS

_STOP: Final = frozenset(("a", "an", "the", "please", "kindly", "my", "our", "your"))
_FRAME: Final = frozenset((
    "please", "kindly", "hello", "hi", "hey", "can", "could", "would", "you", "i", "we", "want",
    "need", "to", "how", "do", "does",
))  # fmt: skip
"""What leads up to what is asked: "could you please", "how do I", "I want to"."""
_FRAME_PAIRS: Final = frozenset((
    ("would", "like"), ("let", "me"), ("let", "us"), ("help", "me"), ("help", "us"),
))  # fmt: skip
_THANKS: Final = frozenset(("please", "thanks", "thank", "you"))
_WHOM: Final = ("me", "us")
_TOLD: Final = frozenset(
    (verb, who) for verb in ("show", "give", "tell") for who in _WHOM
)  # whom an answer goes to anyway
_SHORT: Final = {
    "can't": ("can", "not"), "won't": ("will", "not"), "cannot": ("can", "not"), "i'm": ("i",),
    "i'd": ("i", "would"), "we'd": ("we", "would"), "i've": ("i",), "we've": ("we",),
    "let's": (),
}  # fmt: skip
_TYPED: Final = str.maketrans("\u2018\u2019\u201b\u2032\u201c\u201d\u201e\u2033", "''''\"\"\"\"")
_QUOTES: Final = "\"'`"
_BEFORE: Final = _QUOTES + "([{\u00ab\u00bf\u00a1"
_AFTER: Final = _QUOTES + ")]}\u00bb.,;:?!\u2026"
_END: Final = " .,;:?!"
_JOINED: Final = re.compile(r"(?<=[^\W\d_])[-\u2010-\u2015](?=[^\W\d_])")  # "key-pairs"


def content_words(text: str) -> tuple[str, ...]:
    """Give the words of a prompt that make its meaning, in their order.

    Left out are articles, "my" and "your", what asks politely, case, and the punctuation around
    words. The first verb loses its ending: "describing" and "describes" are "describe". Everything
    else stays, for it may turn the meaning around: negations, numbers, "from" and "to", plurals
    (one user is another call than all of them), signs, and the case of what stands in quotes.

    Examples
    --------
    >>> content_words("Could you please describe the Key-Pairs, thanks?")
    ('describe', 'key', 'pairs')
    >>> content_words("Don't copy 5 files from a/b to 'C'")
    ('not', 'copy', '5', 'files', 'from', 'a/b', 'to', 'C')
    """
    words = _plain_words(text) or list(_words(_unquoted(text)))
    begin, end = 0, len(words)
    while end and words[end - 1] in _THANKS:
        end -= 1
    while begin < end:
        if begin + 1 < end and (words[begin], words[begin + 1]) in _FRAME_PAIRS:
            begin += 2
        elif words[begin] in _FRAME:
            begin += 1
        else:
            break
    asked = words[begin:end] or words
    said = [
        word
        for before, word in zip(("", *asked), asked, strict=False)
        if word not in _STOP and not (word in _WHOM and (before, word) in _TOLD)
    ]
    if said:
        said[0] = _verb(said[0])
    return tuple(said)


def _unquoted(text: str) -> str:
    """Take the quotes off a prompt that stands in quotes as a whole."""
    bare = text.strip()
    quote = bare[:1]
    is_whole = len(bare) > 1 and quote in _QUOTES and bare.find(quote, 1) == len(bare) - 1
    return bare[1:-1] if is_whole and " " in bare else text


def _plain_words(text: str) -> list[str]:
    """Give the words of a text of ASCII letters, digits and blanks, perhaps with an end.

    Nearly all prompts are such, and to look at each of their words takes five times as long. Of any
    other text, none.
    """
    whole = text.rstrip(_END)
    if not (whole.isascii() and whole.replace(" ", "").isalnum()):
        return []
    words = whole.casefold().split()
    return [] if "cannot" in words else words


def _words(text: str) -> Iterator[str]:
    """Give all words; those in quotes as they are written."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_TYPED)
        text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    if not text.isascii() or "-" in text:
        text = _JOINED.sub(" ", text)
    quote = ""
    for chunk in text.split():
        if not quote:
            if chunk.isalnum():
                word = chunk.casefold()
                yield from _SHORT["cannot"] if word == "cannot" else (word,)
                continue
            opening = chunk.lstrip("([{")[:1]
            quote = opening if opening and opening in _QUOTES else ""
        bare = chunk.lstrip(_BEFORE).rstrip(_AFTER)
        if not quote:
            if bare:
                yield from _spelt_out(bare.casefold())
            continue
        if bare:
            yield quote + bare if bare in _STOP else bare
        if chunk.rstrip(_AFTER.replace(quote, "")).endswith(quote) and chunk != quote:
            quote = ""


def _spelt_out(word: str) -> tuple[str, ...]:
    if (parts := _SHORT.get(word)) is not None:
        return parts
    if word.endswith("n't") and len(word) > len("n't"):
        return word[:-3], "not"
    return (word.removesuffix("'s"),)


def _verb(word: str) -> str:
    """Give the verb of which a word is a form, or the word."""
    if word in VERBS:
        return word
    if word.endswith("ing"):
        stem = word[:-3]
        forms = [stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem]
    elif word.endswith("s"):
        forms = [word[:-1], word[:-2], word[:-3] + "y"]
    else:
        return word
    return next((form for form in forms if form in VERBS), word)
