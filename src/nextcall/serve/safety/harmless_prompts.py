"""Prompts in which no check found anything: they are not checked again for a while."""

import hashlib
import json
from typing import Final

from nextcall.cache.cache import Cache
from nextcall.cache.doorkeeper import Doorkeeper
from nextcall.serve.safety.guard_settings import GuardSettings

_CHARACTERS: Final = 12  # of the guard's own part of a name


class HarmlessPrompts:
    """Knows again the prompts that every check of one guard let pass without a word.

    An agent asks the same prompt after each call; to know it again takes a fiftieth of the time of
    the checks. It is kept where it comes a second time. What any check noticed, and what was looked
    at while one failed, is never among them, so a refusal is judged each time. Prompts are known by
    hashes.

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
    >>> known.name("list users") is None
    True
    >>> name = known.name("list users")
    >>> known.holds(name)
    False
    >>> known.keep(name, since=known.mark)
    >>> known.holds(name)
    True
    """

    def __init__(self, kept: Cache[object] | None, settings: GuardSettings, version: str) -> None:
        self._kept, self._door = kept, Doorkeeper()
        checks = {name: getattr(settings, name) for name in sorted(GuardSettings.model_fields)}
        told = json.dumps([version, checks], default=str, sort_keys=True)
        guard = hashlib.sha256(told.encode()).hexdigest()[:_CHARACTERS]
        self._begin = f"prompt/harmless/{guard}/"

    def name(self, prompt: str) -> str | None:
        """Name a prompt that came before; None for one that is new."""
        if self._kept is None or not self._door.again(prompt):
            return None
        return self._begin + hashlib.blake2b(prompt.encode(), digest_size=20).hexdigest()

    def holds(self, name: str | None) -> bool:
        """Tell whether a prompt is known to be harmless, by its name."""
        return self._kept is not None and name is not None and self._kept.get(name) is not None

    @property
    def mark(self) -> int:
        """Stands for this moment among what was forgotten; see `keep`."""
        return 0 if self._kept is None else self._kept.mark

    def keep(self, name: str | None, *, since: int) -> None:
        """Keep a prompt whose checks were begun at a mark, by its name; none that is new."""
        if self._kept is not None and name is not None:
            self._kept.put(name, True, since=since)
