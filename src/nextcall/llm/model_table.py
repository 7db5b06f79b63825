"""Which language models there are, who has them, and which of them answers what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

import yaml

from nextcall.llm.model import TIERS, Model, Tier
from nextcall.llm.table_reader import TableReader

Protocol = Literal["openai", "anthropic"]
"""What a provider speaks; the extra ``llm`` has a client of the same name for each."""

EXTRA: Final = "nextcall[llm]"
_PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
_VARIABLE: Final = re.compile("[A-Z_][A-Z0-9_]*")
_PACKAGED: Final = Path(__file__).parent / "data" / "models.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """A provider that can be asked."""

    name: str
    protocol: Protocol
    url: str | None = None
    """The vendor's own where it is None."""
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTable:
    """Models that can be asked; made by `read_model_table`.

    Attributes
    ----------
    providers : tuple of ProviderEntry
        Those that can be asked.
    models : tuple of Model
        Theirs, in the order of the table.
    tiers : mapping of tier to tuple of str
        Names of models in the order in which they are asked, those that cannot be among them.
    left_out : mapping of str to str
        Names of the other providers, and what each lacks: the variable of its key, or an extra.
    """

    providers: tuple[ProviderEntry, ...]
    models: tuple[Model, ...]
    tiers: Mapping[Tier, tuple[str, ...]]
    left_out: Mapping[str, str]

    def usable(self, tier: Tier) -> tuple[Model, ...]:
        """Give the models of a tier that can be asked, in the order in which they are."""
        named = {model.name: model for model in self.models}
        return tuple(named[name] for name in self.tiers[tier] if name in named)

    def cheapest(self) -> tuple[Model, ...]:
        """Give all that can be asked, by what a million tokens in and as many out cost."""
        return tuple(sorted(self.models, key=lambda model: model.input_price + model.output_price))


def read_model_table(path: Path | None, *, environment: Mapping[str, str]) -> ModelTable:
    """Read a table of models from a YAML file.

    A provider whose ``key_variable`` is not in the environment is left out with its models.

    Parameters
    ----------
    path : Path or None
        The packaged table where it is None. Of that one also those providers are left out whose
        client is not installed.
    environment : mapping of str to str
        Where the keys are; an empty one is none.

    Raises
    ------
    OSError
        Where the file cannot be read.
    ValueError
        Where a rule is broken, or a client is not installed; names the file, the place and the
        rule, and never a key.

    Examples
    --------
    >>> table = read_model_table(None, environment={})
    >>> table.usable("low")
    ()
    >>> table.left_out["openai"]
    'OPENAI_API_KEY'
    """
    file = _PACKAGED if path is None else path
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: must be YAML: {' '.join(str(error).split())}.") from None
    whole = TableReader(file, raw)
    providers = dict[str, ProviderEntry]()
    left_out = dict[str, str]()
    for reader in whole.each("providers"):
        provider, lacks = _provider(reader, environment, is_packaged=path is None)
        if provider.name in providers or provider.name in left_out:
            raise reader.wrong("name", "of no other provider", repr(provider.name))
        if lacks is None:
            providers[provider.name] = provider
        else:
            left_out[provider.name] = lacks
    models = _models(whole, {*providers, *left_out})
    tiers = _tiers(whole, models)
    whole.finish()
    return ModelTable(
        providers=tuple(providers.values()),
        models=tuple(model for model in models.values() if model.provider in providers),
        tiers=MappingProxyType(tiers),
        left_out=MappingProxyType(left_out),
    )


def _provider(
    reader: TableReader, environment: Mapping[str, str], *, is_packaged: bool
) -> tuple[ProviderEntry, str | None]:
    """Give a provider, and what it lacks."""
    name, url = reader.text("name"), _url(reader)
    protocol = _protocol(reader)
    variable = _variable(reader)
    if url is None and variable is None:
        raise reader.wrong("key_variable", "given where there is no url", "none")
    key = environment.get(variable) if variable else None
    provider = ProviderEntry(name=name, protocol=protocol, url=url, key=key or None)
    if variable and not key:
        return provider, variable
    if find_spec(protocol) is not None:
        return provider, None
    if is_packaged:
        return provider, EXTRA
    raise reader.wrong(
        "protocol", "one whose client is installed", f"{protocol!r}; it is in {EXTRA}"
    )


def _protocol(reader: TableReader) -> Protocol:
    protocol = reader.text("protocol")
    for known in _PROTOCOLS:
        if protocol == known:
            return known
    raise reader.wrong("protocol", f"one of {', '.join(_PROTOCOLS)}", repr(protocol))


def _variable(reader: TableReader) -> str | None:
    variable = reader.text_or_none("key_variable")
    if variable is not None and not _VARIABLE.fullmatch(variable):  # it may be the key itself
        raise reader.wrong("key_variable", "the name of a variable in capitals", "another")
    return variable


def _url(reader: TableReader) -> str | None:
    url = reader.text_or_none("url")
    if url is None:
        return None
    rule = "an address that begins with http:// or https:// and holds no key"
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        raise reader.wrong("url", rule, "another") from None
    if not known or parts.username or parts.password or parts.query or parts.fragment:
        raise reader.wrong("url", rule, "another")  # which may hold one
    return url


def _models(whole: TableReader, providers: set[str]) -> dict[str, Model]:
    models = dict[str, Model]()
    for reader in whole.each("models"):
        model = Model(
            name=reader.text("name"),
            provider=reader.text("provider"),
            input_price=reader.price("input_price"),
            output_price=reader.price("output_price"),
            cached_price=reader.price_or_none("cached_price"),
            written_price=reader.price_or_none("written_price"),
            takes_temperature=reader.flag("takes_temperature", default=True),
        )
        if model.name in models:
            raise reader.wrong("name", "of no other model", repr(model.name))
        if model.provider not in providers:
            raise reader.wrong("provider", "one of the table's", repr(model.provider))
        models[model.name] = model
    return models


def _tiers(whole: TableReader, models: Mapping[str, Model]) -> dict[Tier, tuple[str, ...]]:
    reader = whole.within("tiers")
    tiers = dict[Tier, tuple[str, ...]]()
    for tier in TIERS:
        tiers[tier] = reader.texts(tier)
        for name in tiers[tier]:
            if name not in models:
                raise reader.wrong(tier, "a list of models of the table", repr(name))
    reader.finish()
    return tiers
