"""A folder of foreign catalogues: what is practised on, what is a background, what is left out."""

from pathlib import Path

import numpy as np
import pytest

from nextcall.catalog import Catalog, Operation, describe_operation
from nextcall.training.public_apis import PublicApis, read_public_apis

PROVIDERS = tuple(f"shop{number}.com" for number in range(12))


def _operation(provider: str, number: int) -> Operation:
    return describe_operation(
        operation_id=f"{provider}Thing{number}",
        method="GET",
        path=f"/things/{number}",
        service="Things",
        summary=f"Show thing {number} of {provider}.",
        description=f"Gives all that is known of number {number}. It is kept for a year.",
        source=provider,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve providers, one of them with many APIs, and some that must not be taken."""
    folder = tmp_path_factory.mktemp("apis")
    others = ("amazonaws.com__s3", "github.com__api.github.com", "themoviedb.org", "spotify.com")
    many = [f"shop0.com__part{number}" for number in range(25)]
    for name in (*PROVIDERS[1:], *many, *others):
        rows = [_operation(name, number) for number in range(9)]
        Catalog(name, tuple(rows)).save(folder / f"{name}.parquet")
    curt = describe_operation(operation_id="curt", method="GET", path="/curt")
    foreign = describe_operation(operation_id="fremd", summary="Zeigt alle Größen einer Bestellung")
    Catalog("curt.com", (curt, foreign)).save(folder / "curt.com.parquet")
    return folder


def _read(folder: Path, *, apis: int = 5, background: int = 100, seed: int = 0) -> PublicApis:
    rng = np.random.default_rng(seed)
    return read_public_apis(folder, apis=apis, operations=6, background=background, rng=rng)


def _providers(names: list[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_no_provider_is_on_both_sides_and_none_is_evaluated_on(folder: Path) -> None:
    for seed in range(8):
        found = _read(folder, seed=seed)
        practised = {name.split(".")[0] for name in found.practice.services}
        behind = _providers([operation.source for operation in found.background])
        assert len(practised) == 5
        assert not practised & behind
        assert practised | behind == {name.split(".")[0] for name in PROVIDERS}
        assert all(len(rows) == 6 for rows in _by_service(found.practice).values())


def _by_service(catalog: Catalog) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for operation in catalog:
        found.setdefault(operation.service, []).append(operation)
    return found


def test_neighbours_are_taken_and_belong_to_their_provider(folder: Path) -> None:
    found = _read(folder)
    for provider, rows in _by_service(found.practice).items():
        numbers = [int(operation.operation_id.rpartition("Thing")[2]) for operation in rows]
        assert numbers == list(range(numbers[0], numbers[0] + 6))
        assert {(operation.source, operation.tags) for operation in rows} == {(provider, ())}


def test_a_prompt_is_no_text_of_its_operation(folder: Path) -> None:
    """A summary that were searched too would be found by every word."""
    found = _read(folder)
    assert set(found.titles) == {operation.operation_id for operation in found.practice}
    for operation in found.practice:
        [title] = found.titles[operation.operation_id]
        assert title.startswith("Show thing")
        assert not title.endswith(".")
        assert title not in f"{operation.summary} {operation.description}"
        assert operation.summary.startswith("Gives all that is known of number")


def test_a_provider_of_many_apis_is_heard_more_than_others_but_not_much(folder: Path) -> None:
    for seed in range(20):
        found = _read(folder, seed=seed, apis=1)
        counts = {
            name: sum(o.source.split("__")[0] == name for o in found.background)
            for name in PROVIDERS
        }
        if counts["shop0.com"]:
            assert counts.pop("shop0.com") == 12
        assert set(counts.values()) <= {0, 2}
    assert len(_read(folder, background=7).background) == 7


def test_a_seed_decides_all(folder: Path) -> None:
    assert _read(folder, seed=3) == _read(folder, seed=3) != _read(folder, seed=4)


def test_too_few_providers_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"more than 13 providers, got 13\."):
        _read(folder, apis=13)
    with pytest.raises(ValueError, match=r"more than 1 providers, got 0\."):
        _read(tmp_path, apis=1)
