"""The table of models: what it gives, what it leaves out, and what it refuses."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
import yaml
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from nextcall.llm.model import BILLION, TIERS, Model
from nextcall.llm.model_table import read_model_table
from nextcall.llm.question_size import LONGEST_INPUT

KEYS = {"ANTHROPIC_API_KEY": "sk-of-anthropic", "OPENAI_API_KEY": "sk-of-openai"}
TABLE: dict[str, Any] = {
    "providers": [
        {"name": "here", "protocol": "openai", "url": "http://127.0.0.1:8080/v1"},
        {"name": "there", "protocol": "anthropic", "key_variable": "THERE_KEY"},
    ],
    "models": [
        {"name": "dear", "provider": "there", "input_price": 3, "output_price": 15},
        {"name": "small", "provider": "here", "input_price": 0, "output_price": 0},
        {"name": "fair", "provider": "there", "input_price": 0.1, "output_price": 0.5},
    ],
    "tiers": {
        "trivial": ["small"],
        "low": ["small", "fair"],
        "medium": ["fair", "small"],
        "high": ["dear", "fair"],
        "critical": ["dear"],
    },
}


def changed(path: Path, *keys: Any, to: object = None) -> Path:
    """Write the table with one field otherwise, or without it."""
    table = yaml.safe_load(yaml.safe_dump(TABLE))
    inner = table
    for key in keys[:-1]:
        inner = inner[key]
    if keys and to is None:
        del inner[keys[-1]]
    elif keys:
        inner[keys[-1]] = to
    file = path / "models.yaml"
    file.write_text(yaml.safe_dump(table), encoding="utf-8")
    return file


def test_a_table_is_read_as_it_is_written(tmp_path: Path) -> None:
    table = read_model_table(changed(tmp_path), environment={"THERE_KEY": "sk-1"})
    assert [(each.name, each.protocol, each.url, each.key) for each in table.providers] == [
        ("here", "openai", "http://127.0.0.1:8080/v1", None),
        ("there", "anthropic", None, "sk-1"),
    ]
    assert [model.name for model in table.usable("low")] == ["small", "fair"]
    assert [model.name for model in table.usable("medium")] == ["fair", "small"]
    assert [model.name for model in table.cheapest()] == ["small", "fair", "dear"]
    assert table.models[2] == Model(
        name="fair", provider="there", input_price=Decimal("0.1"), output_price=Decimal("0.5")
    )
    assert table.left_out == {}


@pytest.mark.parametrize("environment", [{}, {"THERE_KEY": ""}, {"OTHER_KEY": "sk-1"}])
def test_who_lacks_a_key_is_left_out_with_its_models(
    environment: dict[str, str], tmp_path: Path
) -> None:
    table = read_model_table(changed(tmp_path), environment=environment)
    assert [each.name for each in table.providers] == ["here"]
    assert [model.name for model in table.cheapest()] == ["small"]
    assert [model.name for model in table.usable("medium")] == ["small"]
    assert table.usable("critical") == ()
    assert table.left_out == {"there": "THERE_KEY"}


@pytest.mark.parametrize(
    ("keys", "to", "told"),
    [
        (("models", 0, "color"), "red", r"must have no other fields, got models\[0\].color"),
        (("providers", 1, "key"), "sk-1", r"no other fields, got providers\[1\].key"),
        (("more",), 1, "must have no other fields, got more"),
        (("tiers", "huge"), ["fair"], "must have no other fields, got tiers.huge"),
        (("tiers", "low"), None, "tiers.low must be given"),
        (("tiers", "low"), [], "tiers.low must be a list of names, at least one"),
        (("tiers", "low"), ["small", "small"], "tiers.low must be a list that has no name twice"),
        (("tiers", "low"), ["none"], "tiers.low must be a list of models of the table, got 'none'"),
        (("tiers", "low"), "small", "tiers.low must be a list of names, got 'small'"),
        (("tiers",), None, "tiers must be given"),
        (("models", 0, "provider"), "who", r"models\[0\].provider must be one of the table's"),
        (("models", 1, "name"), "dear", r"models\[1\].name must be of no other model, got 'dear'"),
        (("models", 0, "input_price"), None, r"models\[0\].input_price must be given"),
        (("models", 0, "input_price"), -1, r"input_price must be a number of at least 0, got -1"),
        (("models", 0, "output_price"), float("nan"), "a number of at least 0, got nan"),
        (("models", 0, "output_price"), float("inf"), "a number of at least 0, got inf"),
        (("models", 0, "cached_price"), "1", "cached_price must be a number, got '1'"),
        (("models", 0, "written_price"), True, "written_price must be a number"),
        (("models", 0, "takes_temperature"), "yes", "takes_temperature must be true or false"),
        (("models", 0, "name"), " ", "name must be a text without spaces around it"),
        (("models",), {"a": 1}, "models must be a list"),
        (("models", 0), "dear", r"models\[0\] must be a mapping, got str"),
        (("providers", 0, "protocol"), "http", "protocol must be one of openai, anthropic"),
        (("providers", 1, "name"), "here", r"providers\[1\].name must be of no other provider"),
        (("providers", 1, "key_variable"), None, "key_variable must be given where there is no"),
        (("providers", 0, "url"), "127.0.0.1:8080", "url must be an address that begins with"),
        (("providers", 0, "url"), "http://[", "url must be an address that begins with"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(
    keys: tuple[Any, ...], to: object, told: str, tmp_path: Path
) -> None:
    file = changed(tmp_path, *keys, to=to)
    with pytest.raises(ValueError, match=told) as raised:
        read_model_table(file, environment={"THERE_KEY": "sk-1"})
    assert str(raised.value).startswith(f"{file}: ")


@pytest.mark.parametrize("raw", [b"", b"- a", b"a: [", b"\xff"])
def test_a_file_that_is_no_table_is_named(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_bytes(raw)
    with pytest.raises(ValueError, match="must be") as raised:
        read_model_table(file, environment={})
    assert str(raised.value).startswith(f"{file}: ")
    with pytest.raises(FileNotFoundError):
        read_model_table(tmp_path / "none.yaml", environment={})


@pytest.mark.parametrize(
    "url", ["https://ada:sk-1@models.example/v1", "https://models.example/v1?key=sk-1", "sk-1"]
)
def test_no_key_is_told(url: str, tmp_path: Path) -> None:
    table = read_model_table(changed(tmp_path), environment={"THERE_KEY": "sk-1"})
    assert "sk-1" not in repr(table) + str(table)
    with pytest.raises(ValueError, match="holds no key") as raised:
        read_model_table(changed(tmp_path, "providers", 0, "url", to=url), environment={})
    assert "sk-1" not in str(raised.value)
    with pytest.raises(ValueError, match="the name of a variable in capitals, got another"):
        read_model_table(
            changed(tmp_path, "providers", 1, "key_variable", to="sk-1"), environment={}
        )


def test_without_a_client_the_packaged_table_does_without_and_another_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    table = read_model_table(None, environment=KEYS)
    assert table.left_out == {"openai": "nextcall[llm]"}
    assert {model.provider for model in table.models} == {"anthropic"}
    with pytest.raises(ValueError, match=r"providers\[0\].protocol .* it is in nextcall\[llm\]"):
        read_model_table(changed(tmp_path), environment={})


def test_the_packaged_table_has_a_model_of_each_vendor_for_every_tier() -> None:
    table = read_model_table(None, environment=KEYS)
    for tier in TIERS:
        assert {model.provider for model in table.usable(tier)} == {"anthropic", "openai"}
    for name, key in KEYS.items():
        one = read_model_table(None, environment={name: key})
        assert all(one.usable(tier) for tier in TIERS)
    assert read_model_table(None, environment={}).models == ()


def test_the_packaged_prices_are_those_of_genai_prices() -> None:
    named = {each.id: each for each in get_snapshot().providers}
    for model in read_model_table(None, environment=KEYS).models:
        (known,) = [each for each in named[model.provider].models if each.id == model.name]
        assert not isinstance(known.prices, list)
        for ours, theirs in (
            (model.input_price, known.prices.input_mtok),
            (model.cached_price, known.prices.cache_read_mtok),
            (model.written_price, known.prices.cache_write_mtok),
            (model.output_price, known.prices.output_mtok),
        ):
            if isinstance(theirs, TieredPrices):
                assert all(tier.start >= LONGEST_INPUT for tier in theirs.tiers)
                theirs = theirs.base  # noqa: PLW2901  # of inputs that are not longer
            assert ours == theirs, model.name


PACKAGED = read_model_table(None, environment=KEYS).models


@given(
    model=st.sampled_from(PACKAGED),
    parts=st.tuples(*[st.integers(0, LONGEST_INPUT // 3)] * 3),
    output_tokens=st.integers(0, 100_000),
)
def test_a_call_costs_what_genai_prices_says(
    model: Model, parts: tuple[int, int, int], output_tokens: int
) -> None:
    new, cached, written = parts
    cost = model.cost(
        input_tokens=sum(parts),
        output_tokens=output_tokens,
        cached_tokens=cached,
        written_tokens=written,
    )
    usage = genai_prices.Usage(
        input_tokens=sum(parts),
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output_tokens,
    )
    known = genai_prices.calc_price(usage, model.name, provider_id=model.provider)
    assert 0 <= cost - known.total_price * BILLION < 1  # rounded up
    assert cost <= model.most_cost(input_tokens=sum(parts), output_tokens=output_tokens)
    assert new >= 0
