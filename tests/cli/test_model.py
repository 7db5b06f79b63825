"""The verbs of the ranker, through the real entry point: train, evaluate, predict, rank."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.jsonl import write_jsonl
from nextcall.cli.main import main
from nextcall.locations import packaged_model
from nextcall.ranking.baselines import BASELINES
from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.metrics import rank_metrics
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions import Query
from nextcall.sessions.jsonl import read_predictions, read_queries, write_queries
from nextcall.training.judged import load_judged

NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = {"List": "list all the {}s", "Get": "show me one {}", "Create": "make a new {}",
         "Delete": "remove the {} for good"}  # fmt: skip
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue in both forms, prompts for its calls, and a cache of their vectors."""
    folder = tmp_path_factory.mktemp("shop")
    catalog = Catalog(
        "shop",
        tuple(
            describe_operation(
                operation_id=f"{verb}{noun}",
                method="POST",
                path=f"/{noun.lower()}s/{verb.lower()}",
                service=f"{noun.lower()}s",
                description=f"{verb}s what the shop knows of a {noun.lower()}.",
            )
            for noun in NOUNS
            for verb in VERBS
        ),
    )
    catalog.save(folder / "shop.parquet")
    write_jsonl(catalog, folder / "catalog.jsonl")
    queries = [
        Query(
            query_id=f"{verb}{noun}",
            prompt=prompt.format(noun.lower()),
            relevant=(f"{verb}{noun}",),
            task="next_call",
            session_id=noun,
        )
        for noun in NOUNS
        for verb, prompt in VERBS.items()
    ]
    write_queries(queries, folder / "queries.jsonl")
    sessions = [
        {"session_id": f"s{noun}", "calls": [
            {"operation_id": f"List{noun}", "prompt": f"which {noun.lower()}s are there"},
            {"operation_id": f"Delete{noun}"},
        ]}
        for noun in NOUNS
    ]  # fmt: skip
    lines = "".join(json.dumps(session) + "\n" for session in sessions)
    (folder / "sessions.jsonl").write_text(lines)
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
def model(folder: Path, run: Run) -> Path:
    """A ranker trained by the command, once."""
    path = folder / "model"
    if not path.exists():
        code, out, err = run(
            *("train", "--catalog", folder / "shop.parquet", "--output", path),
            *("--queries", folder / "queries.jsonl", "--trees", 8),
            *("--sessions", folder / "sessions.jsonl", "--simulated", 0),
        )
        assert code == 0, err
        assert "validation.ndcg@10" in out
        assert f"trees: {path}" in err
    return path


def test_training_leaves_a_ranker_that_knows_what_it_is_made_of(model: Path) -> None:
    ranker, card = load_ranker(model)
    assert card.catalog == "shop"
    assert ranker.trees_.n_trees <= 8
    assert 30 <= card.n_queries < 36  # 24 prompts and 12 calls of sessions, less the part held back


def _renamed(given: tuple[object, ...], folder: Path, to: Path) -> tuple[object, ...]:
    """Name sessions anew, so that others are held back."""
    for name in ("queries.jsonl", "sessions.jsonl"):
        text = (folder / name).read_text()
        (to / name).write_text(text.replace('"session_id": "', '"session_id": "x'))
    files = {folder / name: to / name for name in ("queries.jsonl", "sessions.jsonl")}
    return tuple(files.get(each, each) if isinstance(each, Path) else each for each in given)


def test_a_new_ranker_is_held_against_another(
    folder: Path, model: Path, run: Run, tmp_path: Path
) -> None:
    given = (
        *("train", "--catalog", folder / "shop.parquet", "--queries", folder / "queries.jsonl"),
        *("--sessions", folder / "sessions.jsonl", "--simulated", 0, "--trees", 2),
    )
    new = tmp_path / "new"
    code, _, err = run(*given, "--output", new, "--against", model)
    assert code == 0, err
    # The same sessions are held back, from which neither learned.
    told = r"NDCG@10 (\S+), (\S+) \(\S+ to \S+\) beside \S+model on the same (\d+) queries"
    found = re.search(told, err)
    assert found is not None
    judged = load_judged(new, trees=load_ranker(new)[0].digest)
    assert judged is not None
    assert judged.on_same is not None
    assert (judged.left_out, judged.may_have_learned) == (0, False)
    figures = f"{judged.on_same.ndcg:.4f}", f"{judged.on_same.difference:+.4f}"
    assert found.groups() == (*figures, str(judged.on_same.queries))
    again = tmp_path / "again"
    code, _, err = run(*given, "--output", again, "--against", new, "--seed", 3)
    assert f"on the same {judged.on_same.queries} queries" in err  # no seed says which they are
    assert "left out" not in err
    code, _, err = run(*_renamed(given, folder, tmp_path), "--output", again, "--against", new)
    assert "held-out queries are left out" in err
    assert "Too few held-out queries are left to judge by." in err
    code, _, err = run(*given, "--output", again, "--no-keep-prompts")
    assert code == 0, err
    assert not list(again.glob("learned-*"))
    code, _, err = run(*given, "--output", tmp_path / "more", "--against", again)
    assert "may have learned from the held-out queries, which favours it." in err
    code, _, err = run(*given, "--output", tmp_path / "none", "--against", tmp_path)
    assert code == 2
    assert "must hold a ranker" in err
    assert not (tmp_path / "none").exists()  # it is told before the work


def test_a_seed_decides_the_ranker(folder: Path, run: Run, tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        code, _, err = run(
            *("train", "--catalog", folder / "shop.parquet", "--output", tmp_path / name),
            *("--queries", folder / "queries.jsonl", "--trees", 4, "--seed", seed),
        )
        assert code == 0, err
        texts.append(load_ranker(tmp_path / name)[0].trees_.to_text())
    assert texts[0] == texts[1] != texts[2]


def test_rankings_are_written_in_the_form_of_the_evaluation_data(
    model: Path, folder: Path, run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "predictions.jsonl"
    code, out, err = run(
        *("rank", "--model", model, "--catalog", folder / "catalog.jsonl"),
        *("--queries", folder / "queries.jsonl", "--top", 7, "--output", output),
    )
    assert (code, out) == (0, "")
    assert f"24 rankings: {output}" in err
    queries = {query.query_id: query for query in read_queries(folder / "queries.jsonl")}
    for line in output.read_text().splitlines():
        assert set(json.loads(line)) == {"query_id", "ranking", "confidence", "none_probability"}
    found = read_predictions(output)
    assert [one.query_id for one in found] == list(queries)
    for one in found:
        assert len(set(one.ranking)) == len(one.ranking) == len(one.confidence) == 7
        assert list(one.confidence) == sorted(one.confidence, reverse=True)
    ndcg = [rank_metrics(one.ranking, queries[one.query_id].relevant)["ndcg@5"] for one in found]
    assert sum(ndcg) / len(ndcg) > 0.8  # it was trained on them
    none = [one.none_probability for one in found]
    assert sum(p is not None and p < 0.5 for p in none) > 20


def test_the_evaluation_has_every_system_and_agrees_with_the_rankings(
    model: Path, folder: Path, run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "scores.csv"
    arguments = (
        *("evaluate", "--model", model, "--catalog", folder / "shop.parquet"),
        *("--queries", folder / "queries.jsonl"),
    )
    code, out, err = run(*arguments, "--output", output)
    assert code == 0, err
    assert run(*arguments)[1] == out
    for system in (*BASELINES, RANKER):
        assert system in out
    assert "expected calibration error" in out
    scores = pd.read_csv(output)
    assert scores.groupby("system")["query_id"].nunique().tolist() == [24] * 5
    own = scores[scores["system"] == RANKER]
    line = next(line for line in out.splitlines() if line.startswith(RANKER))
    assert f"{own['ndcg@10'].mean():.3f}" in line.split()


def test_one_prompt_is_answered(model: Path, folder: Path, run: Run) -> None:
    arguments = ("predict", "--model", model, "--catalog", folder / "shop.parquet", "--k", 3)
    code, out, _ = run(*arguments, "remove the parcel", "--history", "ListParcel")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["rank", "operation", "confidence", "similarity", "summary"]
    assert len(lines) == 5
    assert re.fullmatch(r"Nothing in the catalogue answers, with probability 0\.\d{3}\.", lines[4])
    assert lines[1].split()[:2] == ["1", "DeleteParcel"]
    code, out, _ = run(*arguments, "remove the parcel", "--json", "--history", "POST /parcels/list")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["rank"] for answer in answers] == [1, 2, 3]
    assert answers[0]["operation_id"] == "DeleteParcel"
    assert answers[0]["api_call"] == "POST /parcels/delete"
    assert 0 <= answers[0]["confidence"] <= 1
    stated = float(lines[4].split()[-1].rstrip("."))
    assert [answer["none_probability"] for answer in answers] == [
        pytest.approx(stated, abs=1e-3)
    ] * 3


def test_what_nothing_answers_is_said(model: Path, folder: Path, run: Run, tmp_path: Path) -> None:
    arguments = ("predict", "sing me a song", "--catalog", folder / "shop.parquet", "--model")
    code, out, _ = run(*arguments, model)
    assert code == 0
    assert out.splitlines()[-1].endswith("; so none of these, it seems.")
    assert "it seems" not in run(*arguments, model, "--none-threshold", 1)[1]
    plain = shutil.copytree(model, tmp_path / "plain")
    (plain / "abstention.json").unlink()  # a ranker that has not learned it says nothing
    assert "Nothing in the catalogue" not in run(*arguments, plain)[1]
    line = run(*arguments, plain, "--json")[1].splitlines()[0]
    assert json.loads(line)["none_probability"] is None
    code, _, err = run(*arguments, model, "--none-threshold", 1.5)
    assert code == 2
    assert "--none-threshold" in err


def test_an_answer_is_explained(model: Path, folder: Path, run: Run) -> None:
    code, out, _ = run(
        *("predict", "--model", model, "--catalog", folder / "shop.parquet"),
        *("make a new coupon", "--why"),
    )
    assert code == 0
    heading = ["feature", "value", "contribution"]
    at = [line.split() for line in out.splitlines()].index(heading)
    assert len(out.splitlines()) - at == 11


def test_an_unknown_earlier_call_is_named_and_passed_over(
    model: Path, folder: Path, run: Run
) -> None:
    arguments = ("predict", "--model", model, "--catalog", folder / "shop.parquet", "list users")
    code, out, err = run(*arguments, "--history", "NoSuchCall")
    assert code == 0
    assert "--history 'NoSuchCall' is no call of the catalogue and is passed over" in err
    assert out == run(*arguments)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "  "), "prompt must not be blank"),
        (("predict", "x", "--model", "no/model", "--catalog", "{catalog}"), "must hold a ranker"),
        (("predict", "x", "--model", "{model}", "--catalog", "no.parquet"), "no.parquet"),
        (("predict", "x", "--model", "{model}", "--catalog", "{queries}x"), "must be a .parquet"),
        (("predict", "x", "--k", "0"), "--k"),
        (("train", "--catalog", "{catalog}", "--output", "out"), "--queries or --sessions must be"),
        (
            ("train", "--catalog", "{catalog}", "--output", "out", "--queries", "{foreign}"),
            "query 'q1' must have relevant operations that the catalogue 'shop' knows",
        ),
        (
            ("evaluate", "--model", "{model}", "--catalog", "{catalog}", "--queries", "{foreign}"),
            "'NoSuch'",
        ),
        (
            ("rank", "--model", "{model}", "--catalog", "{catalog}", "--queries", "{broken}",
             "--output", "out.jsonl"),
            "broken.jsonl:1",
        ),
    ],
)  # fmt: skip
def test_bad_input_ends_with_exit_code_2_and_a_message_that_names_it(
    model: Path,
    folder: Path,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.jsonl").write_text("{}\n")
    foreign = {"query_id": "q1", "prompt": "list", "relevant": ["NoSuch"]}
    (tmp_path / "foreign.jsonl").write_text(json.dumps(foreign) + "\n")
    places = {
        "model": model,
        "catalog": folder / "shop.parquet",
        "queries": folder / "queries.jsonl",
        "broken": tmp_path / "broken.jsonl",
        "foreign": tmp_path / "foreign.jsonl",
    }
    code, out, err = run(*(argument.format(**places) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.jsonl").exists()


def test_without_the_demo_a_catalogue_must_be_named(model: Path, folder: Path, run: Run) -> None:
    code, _, err = run("predict", "list users")
    assert code == 2
    assert "no catalogue there; give --catalog, or run `nextcall demo`" in err
    data = folder / "data"
    (data / "models").mkdir(parents=True)
    (data / "models" / "aws").symlink_to(model)
    (data / "catalogs").mkdir()
    (data / "catalogs" / "aws.parquet").symlink_to(folder / "shop.parquet")
    code, out, _ = run("predict", "list all the users", "--k", 1)
    assert (code, out.split()[6]) == (0, "ListUser")


def test_the_packaged_ranker_serves_any_catalogue(folder: Path, run: Run) -> None:
    code, out, _ = run("predict", "list all the users", "--catalog", folder / "shop.parquet")
    assert (code, out.split()[6]) == (0, "ListUser")
    folder_of_model = packaged_model()
    assert sum(path.stat().st_size for path in folder_of_model.iterdir()) < 3_000_000
    _, card = load_ranker(folder_of_model)
    assert card.catalog == "aws"
    assert card.metrics["held_out.calibration_error"] < 0.05


def test_the_installed_command_ends_with_exit_code_2_too(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("nextcall")
    nowhere = ["--model", str(tmp_path / "none"), "--catalog", str(tmp_path / "none.parquet")]
    arguments = [str(command), "predict", "list users", *nowhere]
    found = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr.startswith(f"error: {tmp_path}")
