"""Prompts in which no check found anything: they are not checked again for a while."""

import hashlib
import json
from typing import Final

from nextcall.cache.cache import Cache
from nextcall.serve.safety.guard_settings import GuardSettings

_CHARACTERS: Final = 12  # of the guard's own part of a name


class HarmlessPrompts:
    """Knows again the prompts that every check of one guard let pass without a word.

    An agent asks the same prompt after each call; to know it again takes a fiftieth of the time of
    the checks. What any check noticed, and what was looked at while one failed, is never among
    them, so a refusal is judged each time. Prompts are known by hashes.

    Parameters
    ----------
    kept : Cache or None
        May hold other things, too; without it every prompt is new.
    settings : GuardSettings
        Which checks there are.
    version : str
        Of the guard's model.

    Examples
    --------
    >>> known = HarmlessPrompts(Cache(ttl=60, entries=10), GuardSettings(), "v1")
    >>> "list users" in known
    False
    >>> known.remember("list users", since=known.mark)
    >>> "list users" in known, "List users" in known
    (True, False)
    """

    def __init__(self, kept: Cache[object] | None, settings: GuardSettings, version: str) -> None:
        self._kept = kept
        checks = {name: getattr(settings, name) for name in sorted(GuardSettings.model_fields)}
        told = json.dumps([version, checks], default=str, sort_keys=True)
        guard = hashlib.sha256(told.encode()).hexdigest()[:_CHARACTERS]
        self._begin = f"prompt/harmless/{guard}/"

    def __contains__(self, prompt: str) -> bool:
        return self._kept is not None and self._kept.get(self._name(prompt)) is not None

    @property
    def mark(self) -> int:
        """Stands for this moment among what was forgotten; see `remember`."""
        return 0 if self._kept is None else self._kept.mark

    def remember(self, prompt: str, *, since: int) -> None:
        """Keep a prompt whose checks were begun at a mark."""
        if self._kept is not None:
            self._kept.put(self._name(prompt), True, since=since)

    def _name(self, prompt: str) -> str:
        return self._begin + hashlib.blake2b(prompt.encode(), digest_size=20).hexdigest()
