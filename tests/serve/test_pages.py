"""The pages as files: what a browser is told with them, what they lead to, what they never do."""

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from nextcall.serve.app import create_app
from nextcall.serve.door.door import open_door
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "nextcall"
PAGES = PACKAGE / "serve" / "pages"
ASSETS = sorted((PAGES / "assets").iterdir())
ADDRESSES = ("/", "/dashboard")
SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def values(self, *names: str) -> list[str]:
        return [each[name] or "" for _, each in self.all for name in names if name in each]


def linked(address: str, text: str) -> set[str]:
    """Give the addresses that a file leads to, those of its page or those beside it."""
    if address.endswith(".js"):
        found = re.findall(r'^import .* from "([^"]+)";$', text, re.MULTILINE)
    elif address.endswith((".css", ".svg")):
        found = re.findall(r"url\(([^)]+)\)", text)
    else:
        found = Tags(text).values("src", "href")
    return {urljoin(address, each) for each in found if not each.startswith("#")}


def reached(client: TestClient, start: str) -> dict[str, str]:
    """Follow all that a page leads to; what each address answers."""
    texts: dict[str, str] = {}
    ahead = {start}
    while ahead:
        address = ahead.pop()
        answer = client.get(address)
        assert answer.status_code == 200, address
        texts[address] = answer.text
        if "/assets/" in address or address == start:
            ahead |= linked(address, answer.text) - set(texts)
    return texts


@pytest.mark.parametrize("address", [*ADDRESSES, *(f"/assets/{each.name}" for each in ASSETS)])
def test_a_browser_runs_nothing_but_the_pages_own_files(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = dict(
        (each.strip().partition(" ")[::2]) for each in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[each] for each in ("script-src", "style-src", "connect-src")} == {"'self'"}
    for each in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[each] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    kinds = {"": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    assert headers["content-type"].split(";")[0] == kinds[Path(address).suffix]


def test_an_asset_that_did_not_change_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/assets/look.css")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/assets/look.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_says_all_in_files_of_its_own(client: TestClient, address: str) -> None:
    page = Tags(client.get(address).text)
    for tag, attributes in page.all:
        assert tag not in {"style", "base", "iframe", "object", "embed"}
        assert tag != "script" or attributes["src"]
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    referred = " ".join(page.values("for", "aria-labelledby", "aria-describedby", "list")).split()
    assert set(referred) <= set(ids)
    fields = {each["id"] for tag, each in page.all if tag in {"input", "textarea", "select"}}
    assert fields <= set(page.values("for"))
    assert {f"#{one}" for one in ids} >= {each for each in page.values("href") if each[0] == "#"}


def test_the_pages_work_below_any_prefix(predictor: Predictor, settings: Settings) -> None:
    app = Starlette(routes=[Mount("/a/b", create_app(predictor, settings=settings))])
    with TestClient(app) as client:
        for start in ("/a/b/", "/a/b/dashboard"):
            texts = reached(client, start)
            assert {each for each in texts if not each.startswith("/a/b/")} == set()
            assert "/a/b/docs" in texts


def test_every_asset_is_of_use_and_no_other_host_is(client: TestClient) -> None:
    texts = reached(client, "/") | reached(client, "/dashboard")
    assert {Path(each).name for each in texts if "/assets/" in each} == {
        each.name for each in ASSETS
    }
    for address in {"/", "/dashboard", *(each for each in texts if "/assets/" in each)}:
        hosts = {urlsplit(each).netloc for each in re.findall(r"\w+://[^\s\"'`)]+", texts[address])}
        assert hosts <= {"www.w3.org"}  # the name of what SVG is, never asked
    assert sum(len(each) for each in texts.values() if "swagger" not in each) < 120_000


@pytest.mark.parametrize(
    "script", [each for each in ASSETS if each.suffix == ".js"], ids=lambda each: each.name
)
def test_no_script_makes_markup_of_texts(script: Path) -> None:
    text = script.read_text()
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b"
    assert re.search(markup, text) is None
    assert "localStorage" not in text
    assert re.search(r"new Function|cookie", text) is None


def test_the_package_holds_every_file_of_the_pages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["nextcall"]
    packed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert {each for each in PAGES.rglob("*") if each.is_file()} <= packed


@pytest.fixture
def guarded(predictor: Predictor, tmp_path: Path) -> Iterator[TestClient]:
    """Ask a service that asks everybody for a key."""
    settings = load_settings(environment="production", secret=SECRET)
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        with (
            open_door(settings, database) as door,
            TestClient(create_app(predictor, settings=settings, parts=Parts(door=door))) as asking,
        ):
            yield asking


def test_pages_are_open_and_what_they_ask_for_is_not(guarded: TestClient) -> None:
    for address in (*ADDRESSES, "/assets/playground.js", "/assets/look.css"):
        assert guarded.get(address).status_code == 200
    for _ in range(100):  # more than anybody may ask in a minute
        assert guarded.get("/assets/icon.svg").status_code == 200
    assert guarded.get("/performance/metrics").status_code == 401
    assert guarded.post("/feedback", json={}).status_code == 401
    assert guarded.get("/assets/../app.py").status_code == 401
    assert guarded.get("/assets/%2e%2e/playground.html").status_code in {401, 404}
    assert guarded.get("/assets/none.js").status_code == 404
