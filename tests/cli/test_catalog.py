"""`nextcall catalog`, run as a user runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nextcall.catalog import Catalog
from nextcall.catalog.load import load_catalog
from nextcall.cli.catalog import app

OPENAPI = """
openapi: 3.1.0
info: {title: Shop}
paths:
  /orders: {get: {summary: List orders, tags: [orders]}, post: {summary: Make an order}}
  /orders/{id}/cancel: {post: {summary: Cancel an order, operationId: cancelOrder}}
"""
TOOLS = '[{"name": "get_weather", "description": "Tells the weather.", "parameters": {}}]'


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "shop.yaml").write_text(OPENAPI)
    built = tmp_path / "shop.parquet"
    result = run("build", "openapi", tmp_path / "shop.yaml", "--output", built)
    assert result.exit_code == 0, result.output
    assert "3 operations of 2 services" in result.stderr
    return built


def test_a_description_is_built(shop: Path) -> None:
    assert [one.operation_id for one in load_catalog(shop)] == [
        "GET /orders", "POST /orders", "cancelOrder",
    ]  # fmt: skip


def test_functions_are_built_and_named(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(TOOLS)
    output = tmp_path / "deep" / "t.parquet"
    result = run(
        "build", "functions", tmp_path / "tools.json", "--output", output, "--name", "agent"
    )
    assert result.exit_code == 0, result.output
    assert Catalog.load(output).name == "agent"


def test_show_counts(shop: Path) -> None:
    result = run("show", shop)
    assert result.exit_code == 0, result.output
    assert "Shop: 3 operations, 2 services, 1 parameters" in result.stdout
    for text in ("orders", "delete", "cancelOrder", "POST /orders/{id}/cancel"):
        assert text in result.stdout


def test_show_as_json(shop: Path) -> None:
    shown = json.loads(run("show", shop, "--json").stdout)
    assert (shown["name"], shown["operations"], shown["services"]) == ("Shop", 3, 2)
    assert shown["operations_by_action"] == {"list": 1, "create": 1, "delete": 1}
    assert shown["operations_by_service"] == {"Shop": 2, "orders": 1}
    assert shown["content_hash"] == load_catalog(shop).content_hash


def test_show_leaves_out_small_services(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    lines = [json.dumps({"operation_id": f"get{n}", "service": f"s{n}"}) for n in range(40)]
    path.write_text("\n".join(lines))
    result = run("show", path)
    assert "... and 25 more services" in result.stdout
    assert result.stdout.count("get") == 20  # ten rows of the sample, each as id and as call


def test_search(shop: Path) -> None:
    result = run("search", shop, "cancelling orders", "--k", "1")
    assert result.exit_code == 0, result.output
    assert "cancelOrder" in result.stdout
    assert "GET /orders" not in result.stdout
    nothing = run("search", shop, "zebra")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "No operation has a word of 'zebra'" in nothing.stderr


def test_a_wrong_output_is_refused_before_the_work(tmp_path: Path) -> None:
    result = run("build", "openapi", tmp_path / "absent.yaml", "--output", tmp_path / "x.json")
    assert result.exit_code == 2
    assert "must end with .parquet" in result.stderr


def test_what_a_description_gets_wrong_is_said(tmp_path: Path) -> None:
    paths: dict[str, object] = {f"/orders/{{id{row}}}": {"get": {}} for row in range(7)}
    (tmp_path / "shop.json").write_text(json.dumps({"openapi": "3.0.0", "paths": paths}))
    result = run("build", "openapi", tmp_path / "shop.json", "--output", tmp_path / "x.parquet")
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())  # the terminal folds long lines
    assert said.count("must declare every parameter of its template") == 5
    assert "... and 2 more places that break a rule." in said


def test_a_broken_description_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    output = tmp_path / "x.parquet"
    result = run("build", "openapi", tmp_path / "bad.json", "--output", output)
    assert isinstance(result.exception, ValueError)
    assert "bad.json: #: must have the key openapi" in str(result.exception)
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.parametrize("source", ["aws", "google"])
def test_installed_packages_are_built(tmp_path: Path, source: str) -> None:
    if source == "google":
        pytest.importorskip("google_auth_httplib2", reason="the extra google is not installed")
    output = tmp_path / f"{source}.parquet"
    result = run("build", source, "--output", output)
    assert result.exit_code == 0, result.output
    assert len(load_catalog(output)) > 18_000
