"""The verb `crossval` through the real entry point."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.jsonl import write_jsonl
from nextcall.cli.main import main
from nextcall.ranking.metrics import rank_metrics
from nextcall.sessions.jsonl import read_predictions, read_queries

NOUNS = ("User", "Order", "Invoice")
VERBS = ("List", "Get", "Create", "Delete")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue, sessions of both tasks whose answers habit tells, and a base ranker."""
    folder = tmp_path_factory.mktemp("shop")
    operations = tuple(
        describe_operation(
            operation_id=f"{verb}{noun}",
            service=f"{noun.lower()}s",
            description=f"{verb}s what the shop knows of a {noun.lower()}.",
        )
        for noun in NOUNS
        for verb in VERBS
    )
    write_jsonl(Catalog("shop", operations), folder / "catalog.jsonl")
    lines = []
    for number in range(12):
        run = ("GetUser", "DeleteInvoice") if number % 2 else ("ListOrder", "CreateUser")
        prompt = f"{'night' if number % 2 else 'day'} {number}"
        said = {"prompt": prompt, "session_id": f"s{number}", "shift": number % 2}
        lines += [
            {"query_id": f"{number}-{step}", "history": list(run[:step]), "relevant": [run[step]],
             "task": "next_call", **said}
            for step in range(2)
        ]  # fmt: skip
        lines.append({"query_id": f"{number}-r", "relevant": run, "task": "retrieval", **said})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "queries.jsonl").write_text(text)
    return folder


def _run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: object,
) -> tuple[int, str, str]:
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("NEXTCALL_DATA_DIR", str(folder / "data"))
    monkeypatch.delenv("NEXTCALL_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["nextcall", *map(str, arguments)])
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def _base(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    base = folder / "base"
    if not base.exists():
        code, _, err = _run(
            *(folder, monkeypatch, capsys, "train", "--catalog", folder / "catalog.jsonl"),
            *("--queries", folder / "queries.jsonl", "--output", base),
            *("--trees", 2, "--simulated", 0),
        )
        assert code == 0, err
    return base


def test_held_out_rankings_are_written_and_their_figures_shown(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = (
        *("crossval", "--catalog", folder / "catalog.jsonl"),
        *("--queries", folder / "queries.jsonl", "--folds", 3, "--top", 6),
        *("--base", _base(folder, monkeypatch, capsys)),
    )
    shown = []
    for name in ("a.jsonl", "b.jsonl"):
        output = tmp_path / name
        code, out, err = _run(folder, monkeypatch, capsys, *arguments, "--output", output)
        assert code == 0, err
        assert f"36 rankings: {output}" in err
        assert "Adapting to folds" in err
        shown.append((out, output.read_text()))
    assert shown[0] == shown[1]  # the seed decides
    queries = read_queries(folder / "queries.jsonl")
    found = read_predictions(tmp_path / "a.jsonl")
    assert [one.query_id for one in found] == [query.query_id for query in queries]
    lines = {line.split()[0]: line.split() for line in shown[0][0].splitlines()}
    for task, n_queries in (("next_call", 24), ("retrieval", 12)):
        ndcg = [
            rank_metrics(one.ranking, query.relevant)["ndcg@10"]
            for one, query in zip(found, queries, strict=True)
            if query.task == task
        ]
        assert lines[task][1:4] == [str(n_queries), "12", f"{np.mean(ndcg):.3f}"]
        assert float(lines[task][4]) <= np.mean(ndcg) <= float(lines[task][5])
        assert np.mean(ndcg) > 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", "1"), "--folds must be from 2 to the number of groups, 12, got 1."),
        (("--folds", "13"), "--folds must be from 2 to the number of groups, 12, got 13."),
        (
            ("--sessions", "1"),
            "sessions must be from 2 to the groups of all folds but one, 9, got 1.",
        ),
        (("--folds", "2", "--sessions", "7"), "but one, 6, got 7."),
        (("--group", "team"), "queries.jsonl:1: 'team' must be a text that is not empty"),
        (("--group", "shift", "--folds", "3"), "the number of groups, 2, got 3."),
        (("--group", "shift", "--folds", "2"), "at least two sessions, got 1."),
        (("--catalog", "no.parquet"), "no.parquet"),
        (("--base", "no/model"), "must hold a ranker"),
        (("--encoder", "no/encoder"), "no/encoder"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_a_message_that_names_it(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(
        *(folder, monkeypatch, capsys, "crossval", "--catalog", folder / "catalog.jsonl"),
        *("--queries", folder / "queries.jsonl", "--output", tmp_path / "out.jsonl"),
        *("--base", _base(folder, monkeypatch, capsys), *options),
    )
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "out.jsonl").exists()


def test_few_sessions_teach_less(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ndcg = []
    for sessions in ("2", "9"):
        code, out, err = _run(
            *(folder, monkeypatch, capsys, "crossval", "--catalog", folder / "catalog.jsonl"),
            *("--queries", folder / "queries.jsonl", "--output", tmp_path / "out.jsonl"),
            *("--base", _base(folder, monkeypatch, capsys), "--folds", 4, "--sessions", sessions),
        )
        assert code == 0, err
        assert "36 rankings" in err
        ndcg.append([float(line.split()[3]) for line in out.splitlines()[-2:]])
    assert all(few < many for few, many in zip(*ndcg, strict=True))


def test_the_packaged_ranker_adapts_where_no_base_is_named(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = _run(
        *(folder, monkeypatch, capsys, "crossval", "--catalog", folder / "catalog.jsonl"),
        *("--queries", folder / "queries.jsonl", "--output", tmp_path / "out.jsonl", "--folds", 2),
    )
    assert code == 0, err
    assert "ndcg@10" in out
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) > 10


def test_a_task_of_one_group_has_no_interval(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = (folder / "queries.jsonl").read_text().splitlines()
    kept = [line for line in lines if "retrieval" not in line or '"s3"' in line]
    (tmp_path / "queries.jsonl").write_text("\n".join(kept))
    code, out, err = _run(
        *(folder, monkeypatch, capsys, "crossval", "--catalog", folder / "catalog.jsonl"),
        *("--queries", tmp_path / "queries.jsonl", "--output", tmp_path / "out.jsonl"),
        *("--base", _base(folder, monkeypatch, capsys), "--folds", 2),
    )
    assert code == 0, err
    last = out.splitlines()[-1].split()
    assert last[:3] == ["retrieval", "1", "1"]
    assert last[4:] == ["-", "-"]
