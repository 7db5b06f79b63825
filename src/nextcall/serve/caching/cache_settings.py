"""What the service is told of its caches: which there are, how much they keep, and for how long."""

from collections.abc import Mapping
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from nextcall.cache.layers import LAYERS, Layer

_NAMES: Final = tuple(layer.category for layer in LAYERS)
_MOST_BYTES: Final[Mapping[str, int]] = {"general": 32_000_000}
"""What a layer may take whose values may be large: pages, up to a megabyte each."""


def _by_layer(value: object) -> object:
    """Read numbers by the names of layers."""
    if isinstance(value, str):
        try:
            value = loads(value)
        except JSONDecodeError as error:
            raise ValueError(f'must be JSON, an object such as {{"query": 60}}: {error}') from None
    if not isinstance(value, Mapping):
        raise ValueError('must be an object such as {"query": 60}')  # noqa: TRY004  # pydantic's way
    if unknown := sorted(set(value) - set(_NAMES)):
        raise ValueError(f"must name layers of {list(_NAMES)}, {unknown} are none")
    if wrong := sorted(name for name, number in value.items() if not _is_above_0(number)):
        raise ValueError(f"must say a number above 0 of a layer, says otherwise of {wrong}")
    return value


def _is_above_0(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and number > 0


class CacheSettings(BaseSettings):
    """Every setting of the caches; a part of `Settings`."""

    cache_enabled: bool = Field(
        default=True, description="whether answers and vectors of prompts are kept at all"
    )
    cache_seconds: Annotated[Mapping[str, float], NoDecode, BeforeValidator(_by_layer)] = Field(
        {},
        description="seconds that values are kept, by layer, as JSON; a layer that is not named "
        "keeps its default: embedding 86400, prompt 3600, query 1800, general 3600",
    )
    cache_entries: Annotated[Mapping[str, int], NoDecode, BeforeValidator(_by_layer)] = Field(
        {},
        description="values that are kept, by layer, as JSON; by default embedding 10000, prompt "
        "1000, query 5000, general 1000",
    )
    cache_warm_up: Path | None = Field(
        None,
        description="file of requests, a line a JSON object as /predict takes it, that are "
        "answered before the service listens; none",
    )
    semantic_cache_enabled: bool = Field(
        default=True,
        description="whether a prompt that means the same as an earlier one has its answer",
    )
    semantic_cache_cosine: float = Field(
        0.95, gt=0, le=1, description="likeness of two prompts that mean the same, if words agree"
    )

    def layers(self) -> tuple[Layer, ...]:
        """Give the layers as they are set."""
        return tuple(
            Layer(
                category=layer.category,
                ttl=self.cache_seconds.get(layer.category, layer.ttl),
                entries=self.cache_entries.get(layer.category, layer.entries),
                max_bytes=_MOST_BYTES.get(layer.category, layer.max_bytes),
            )
            for layer in LAYERS
        )
