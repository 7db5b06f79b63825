"""The assistant of a service, opened from its settings; or why there is no language model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_settings import DotEnvSettingsSource

from nextcall.assistant.assistant import Assistant
from nextcall.llm.asked_provider import Health
from nextcall.llm.call_ledger import CallLedger
from nextcall.llm.language_models import LanguageModels
from nextcall.llm.model_table import read_model_table
from nextcall.resilience.breakers import Breakers
from nextcall.serve.observer import Observer
from nextcall.serve.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAssistant:
    """What the routes ask; to be closed in the loop that asks it.

    Attributes
    ----------
    models : LanguageModels or None
        None where none can be asked.
    reason : str or None
        Why that is so.
    left_out : mapping of str to str
        Providers of the table that cannot be asked, and what each lacks.
    """

    models: LanguageModels | None
    reason: str | None
    left_out: Mapping[str, str]

    @property
    def assistant(self) -> Assistant | None:
        """Who proposes calls."""
        return None if self.models is None else Assistant(self.models)

    @property
    def providers(self) -> Mapping[str, Health]:
        """Those that can be asked, and how they are as far as this worker knows."""
        return {} if self.models is None else self.models.available

    async def close(self) -> None:
        """Let go of all connections."""
        if self.models is not None:
            await self.models.close()


def open_assistant(
    settings: Settings,
    ledger: CallLedger,
    *,
    breakers: Breakers,
    observer: Observer | None = None,
    environment: Mapping[str, str] | None = None,
) -> ServiceAssistant:
    """Read which models there are, and make the clients of those that can be asked.

    Parameters
    ----------
    settings : Settings
    ledger : CallLedger
    breakers : Breakers
        Of the program.
    observer : Observer, optional
        Its metrics count the calls.
    environment : mapping of str to str, optional
        Where the keys are; that of the process over the file ``.env`` where none is given.

    Raises
    ------
    ValueError, OSError
        Where the table of models breaks a rule, or cannot be read.
    """
    if not settings.llm_enabled:
        return ServiceAssistant(models=None, reason="it is turned off", left_out={})
    keys = environment_of(settings) if environment is None else environment
    table = read_model_table(settings.llm_models, environment=keys)
    if not table.models:
        lacks = ", ".join(f"{name} lacks {what}" for name, what in table.left_out.items())
        reason = f"no provider can be asked: {lacks or 'there is none'}"
        return ServiceAssistant(models=None, reason=reason, left_out=table.left_out)
    models = LanguageModels(
        table,
        ledger=ledger,
        breakers=breakers,
        metrics=None if observer is None else observer.metrics,
        seconds=settings.llm_seconds,
    )
    return ServiceAssistant(models=models, reason=None, left_out=table.left_out)


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Give the variables of the process, over those of the file ``.env`` that settings are read of.

    Names are as they are written; an empty one is as good as none.
    """
    file = DotEnvSettingsSource(type(settings), case_sensitive=True, env_ignore_empty=True)
    both = {**file.env_vars, **{name: value for name, value in os.environ.items() if value}}
    return {name: value for name, value in both.items() if value}
