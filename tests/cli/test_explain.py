"""The verb `explain` through the real entry point."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.cli.main import main
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.model_files import load_prompts
from nextcall.sessions import Query
from nextcall.sessions.jsonl import write_queries

NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = {"List": "list all the {}s", "Get": "show me one {}", "Create": "make a new {}",
         "Delete": "remove the {} for good"}  # fmt: skip
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue and prompts for its calls."""
    folder = tmp_path_factory.mktemp("shop")
    operations = tuple(
        describe_operation(
            operation_id=f"{verb}{noun}",
            method="POST",
            path=f"/{noun.lower()}s/{verb.lower()}",
            service=f"{noun.lower()}s",
            description=f"{verb}s what the shop knows of a {noun.lower()}.",
        )
        for noun in NOUNS
        for verb in VERBS
    )
    Catalog("shop", operations).save(folder / "shop.parquet")
    queries = [
        Query(
            query_id=f"{verb}{noun}",
            prompt=prompt.format(noun.lower()),
            relevant=(f"{verb}{noun}",),
            session_id=noun,
        )
        for noun in NOUNS
        for verb, prompt in VERBS.items()
    ]
    write_queries(queries, folder / "queries.jsonl")
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nextcall` with arguments; give exit code, standard output and standard error."""
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("NEXTCALL_DATA_DIR", str(folder / "data"))
    monkeypatch.delenv("NEXTCALL_DEBUG", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nextcall", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def arguments(folder: Path, run: Run) -> tuple[object, ...]:
    """What every question begins with: a ranker trained by the command, once, and its catalogue."""
    model = folder / "model"
    if not model.exists():
        _train(folder, run, model)
    return ("explain", "--model", model, "--catalog", folder / "shop.parquet")


def _train(folder: Path, run: Run, model: Path, *options: object) -> None:
    code, _, err = run(
        *("train", "--catalog", folder / "shop.parquet", "--queries", folder / "queries.jsonl"),
        *("--output", model, "--trees", 8, "--simulated", 0, *options),
    )
    assert code == 0, err


def test_the_parts_of_a_score_are_shown_and_sum_to_it(
    arguments: tuple[object, ...], run: Run
) -> None:
    code, out, _ = run(*arguments, "remove the parcel", "--k", 2, "--history", "ListParcel")
    assert code == 0
    blocks = out.split("\n2. ")
    assert blocks[0].startswith("1. DeleteParcel (confidence 0.")
    for block in blocks:
        lines = block.splitlines()[1:]
        assert lines[0].split() == ["feature", "value", "contribution"]
        assert lines[1].startswith("any operation")
        assert f"{len(FEATURE_NAMES) - 10} others" in lines[-2]
        numbers = [float(line.split()[-1]) for line in lines[1:]]
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.01)


def test_all_is_told_as_json(arguments: tuple[object, ...], run: Run) -> None:
    code, out, err = run(
        *(*arguments, "remove the parcel", "--json", "--k", 2, "--history", "NoSuch"),
        *("--against", "POST /parcels/list", "--nearest", 2),
    )
    assert code == 0
    assert "--history 'NoSuch' is no call of the catalogue and is passed over" in err
    told = json.loads(out)
    assert told["prompt"] == "remove the parcel"
    assert [one["rank"] for one in told["answers"]] == [1, 2]
    for one in told["answers"]:
        added = sum(feature["contribution"] for feature in one["features"])
        assert one["base"] + added == pytest.approx(one["score"])
    values = {f["feature"]: f["value"] for f in told["answers"][0]["features"]}
    assert values["last_service"] is None  # not known: no call came before
    contrast = told["contrast"]
    assert (contrast["first"], contrast["second"]) == ("DeleteParcel", "ListParcel")
    assert sum(feature["difference"] for feature in contrast["features"]) > 0
    near = told["nearest"][0]
    assert (near["prompt"], near["relevant"]) == ("remove the parcel for good", ["DeleteParcel"])
    assert len(told["nearest"]) == 2


def test_a_contrast_and_the_nearest_prompts_are_shown(
    arguments: tuple[object, ...], run: Run
) -> None:
    code, out, _ = run(*arguments, "remove the parcel", "--against", "DeleteCoupon", "--nearest", 3)
    assert code == 0
    _, contrast, near = out.split("\n\n")
    assert contrast.startswith("DeleteParcel above DeleteCoupon\nfeature")
    numbers = [float(line.split()[-1]) for line in contrast.splitlines()[2:]]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.01)
    assert near.splitlines()[0] == "nearest training prompts"
    assert near.splitlines()[2].startswith("remove the parcel for good  DeleteParcel")


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml")])
def test_a_picture_is_drawn(
    arguments: tuple[object, ...], run: Run, tmp_path: Path, name: str, begins: bytes
) -> None:
    pictures = []
    for options in ((), ("--against", "ListParcel")):
        code, _, err = run(*arguments, "remove the parcel", *options, "--plot", tmp_path / name)
        assert code == 0, err
        pictures.append((tmp_path / name).read_bytes())
        assert pictures[-1].startswith(begins)
    assert pictures[0] != pictures[1]


def test_prompts_that_are_not_kept_cannot_be_told(
    folder: Path, arguments: tuple[object, ...], run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    _train(folder, run, model)
    assert "list all the orders" in load_prompts(model).prompts
    _train(folder, run, model, "--no-keep-prompts")  # the same trees over the old ones
    assert not list(model.glob("prompts*"))
    own = (arguments[0], "--model", model, *arguments[3:])
    assert run(*own, "list users")[0] == 0
    code, out, err = run(*own, "list users", "--nearest", 1)
    assert (code, out) == (2, "")
    assert "keeps no training prompts" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("  ",), "prompt must not be blank"),
        (("x", "--plot", "a.pdf"), "--plot must end in .png or .svg, got 'a.pdf'"),
        (("x", "--against", "NoSuch"), "--against must be a call of the catalogue, got 'NoSuch'"),
        (("remove the parcel", "--against", "DeleteParcel"), "must be two operations"),
        (("x", "--k", "0"), "--k"),
    ],
)
def test_bad_input_is_named(
    arguments: tuple[object, ...], run: Run, options: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*arguments, *options)
    assert (code, out) == (2, "")
    assert message in err
