"""Prompts that nobody asked before: plain wishes, each with a word of its own."""

from collections.abc import Iterator
from string import ascii_lowercase
from typing import Final

import numpy as np

_VERBS: Final = ("list", "create", "delete", "describe", "update", "find", "copy", "tag")
_NOUNS: Final = ("bucket", "queue", "user", "table", "topic", "instance", "file", "policy")
_LETTERS: Final = 8


def fresh_prompts(rng: np.random.Generator) -> Iterator[str]:
    """Give prompts without end; no two are alike, nor like those of another generator.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws; a new one for each run, for a service may have kept its answers of the last.

    Examples
    --------
    >>> prompts = fresh_prompts(np.random.default_rng(0))
    >>> next(prompts).split()[:3]
    ['copy', 'the', 'instance']
    """
    letters = list(ascii_lowercase)
    while True:
        verb, noun = rng.choice(_VERBS), rng.choice(_NOUNS)
        yield f"{verb} the {noun} of {''.join(rng.choice(letters, _LETTERS))}"
