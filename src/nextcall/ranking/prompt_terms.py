"""A prompt as a catalogue sees it: the terms it knows, the verb, and whether many are meant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.actions import ACTIONS, verb_action
from nextcall.catalog.text import identifier_words, singular
from nextcall.ranking.lexical_index import LexicalIndex
from nextcall.ranking.lexicon import prompt_tokens, stem, stems

_MEMORY: Final = 20_000  # tokens of prompts that are remembered


@dataclass(frozen=True, slots=True)
class PromptTerms:
    """A prompt as a catalogue sees it."""

    ids: NDArray[np.int32]
    """Distinct known terms, shape (n_known,)."""
    bigrams: NDArray[np.int32]
    """Distinct known pairs of neighbouring terms, shape (n_known_pairs,)."""
    weight: float
    """Sum of the weights of all distinct terms, unknown ones at the highest weight."""
    verb: int
    """Id of the prompt's verb, -1 where it has none."""
    action: int
    """Code of the action that the verb stands for, -1 where there is none."""
    plural: float
    """1 where the words after the verb speak of many things, 0 of one, 0.5 where neither shows."""
    n_words: int


class _Word(NamedTuple):
    """One word of a prompt as a catalogue sees it."""

    text: str
    stem: str
    """Empty for a stop word."""
    term: int
    """-1 where the catalogue does not know the stem."""
    action: int
    """Code of the action that it stands for as a verb, -1 for none."""
    verb: int
    """Its term as a verb, a stop word's too; -1 where there is none."""


class PromptWords:
    """Words of prompts, looked up in those of one catalogue; what tokens hold is remembered.

    Parameters
    ----------
    lexical : LexicalIndex
        Of the catalogue.
    """

    def __init__(self, lexical: LexicalIndex) -> None:
        self._lexical = lexical
        self._rarest = float(lexical.weights.max())
        self._words_of = _words_of(lexical.vocabulary)

    def terms(self, prompt: str) -> PromptTerms:
        """Look a prompt's words up in the vocabulary."""
        words = [word for token in prompt_tokens(prompt) for word in self._words_of(token)]
        kept = [word for word in words if word.stem]
        row = [word.term for word in kept]
        ids = np.array([term for term in dict.fromkeys(row) if term >= 0], dtype=np.int32)
        pairs = [self._lexical.bigrams[p] for p in pairwise(row) if p in self._lexical.bigrams]
        n_unknown = len({word.stem for word in kept if word.term < 0})
        weight = float(self._lexical.weights[ids].sum()) + self._rarest * n_unknown
        verb_at = next((i for i, word in enumerate(words) if word.action >= 0), None)
        verb = action = -1
        if verb_at is not None:
            action = words[verb_at].action
            verb = words[verb_at].verb
        after = words if verb_at is None else words[verb_at + 1 :]
        return PromptTerms(
            ids=ids,
            bigrams=np.array(list(dict.fromkeys(pairs)), dtype=np.int32),
            weight=max(weight, 1e-6),
            verb=verb,
            action=action,
            plural=_plural([word.text for word in after]),
            n_words=len(kept),
        )


def _words_of(vocabulary: Mapping[str, int]) -> Callable[[str], tuple[_Word, ...]]:
    """Give what looks up the words of a token of a prompt, and remembers them."""

    def word(text: str) -> _Word:
        [kept] = stems([text]) or [""]
        action = verb_action(text)
        code = -1 if action is None else ACTIONS.index(action)
        verb = vocabulary.get(stem(text), -1)
        return _Word(text, kept, vocabulary.get(kept, -1), code, verb)

    return lru_cache(_MEMORY)(lambda token: tuple(map(word, identifier_words(token))))


def _plural(words: Sequence[str]) -> float:
    for word in words:
        if word in {"a", "an", "one", "single", "specific"}:
            return 0.0
        if (
            word in {"all", "multiple", "several", "many", "every", "various"}
            or singular(word) != word
        ):
            return 1.0
    return 0.5
