"""The page of a report: whole, one file, for reading."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import nbformat
import nbformat.v4
import pytest

from nextcall.runs import render
from nextcall.runs.outputs import external_loads
from nextcall.runs.render import render_report
from nextcall.runs.run import RunResult


class _Page(HTMLParser):
    """Reads a page: texts by tag, anchors, and whether every tag is closed."""

    VOID = ("meta", "img", "br", "hr", "input", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")
        if identifier := values.get("id"):
            self.ids[identifier] += 1
        if tag == "a":
            self.links.append(values["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data


@pytest.fixture(scope="module")
def page(done: RunResult) -> _Page:
    return _Page(done.report.read_text())


def _render(done: RunResult, cells: list[Any], **changes: Any) -> str:
    return render_report(
        nbformat.v4.new_notebook(cells=cells),
        replace(done.manifest, **changes),
        result=done.result,
        folder=done.folder,
    )


def test_every_tag_is_closed_and_every_anchor_is_there_once(page: _Page) -> None:
    assert not page.open
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert anchors == ["counting", "counting-2"]  # two headings of the same words
    assert all(page.ids[anchor] == 1 for anchor in anchors)


def test_the_head_says_what_was_asked_and_found(page: _Page) -> None:
    assert page.texts["h1"] == ["How many are there?"]
    assert page.texts["title"] == ["How many are there? · nextcall"]
    assert page.texts["dt"] == ["Things", "Share that counts"]
    assert page.texts["dd"] == ["5", "0.500 [0.400, 0.600]"]
    head = page.texts["header"][0]
    assert re.search(r"\d+ \w+ 20\d\d, \d\d:\d\d UTC", head)
    assert "seed7" in re.sub(r"\s", "", head)


def test_code_is_there_behind_toggles(page: _Page, done: RunResult) -> None:
    assert "import json" in "".join(page.texts["details"])
    assert "<details open" not in done.report.read_text()
    assert "quiet warning" in done.report.read_text()


def test_the_foot_carries_the_manifest(page: _Page, done: RunResult) -> None:
    foot = page.texts["footer"][0]
    assert done.manifest.notebook_sha256 in foot
    assert done.manifest.versions["numpy"] in foot
    assert "nextcall run experiments/counting.yaml" in foot


def test_a_page_loads_nothing_and_is_small(done: RunResult) -> None:
    text = done.report.read_text()
    assert external_loads(text) == []
    assert len(text) < 40_000
    for needed in ("prefers-color-scheme: dark", "@media print", "viewport"):
        assert needed in text


def test_text_from_outside_is_escaped(done: RunResult) -> None:
    text = _render(done, [], question="<script>1</script>", parameters={"a": "<b>"})
    assert "<script>1" not in text
    assert "<code><b>" not in text


def test_a_page_without_headings_is_named_after_its_experiment(done: RunResult) -> None:
    text = _render(done, [nbformat.v4.new_raw_cell("raw"), nbformat.v4.new_code_cell("")])
    assert _Page(text).texts["h1"] == ["counting"]
    assert "<nav" not in text
    assert '<section class="cell">' not in text


def test_commit_and_changes_are_shown(done: RunResult) -> None:
    text = _render(done, [], commit="0123456789abcdef", dirty=True)
    assert "<code>0123456789</code>" in text
    assert "uncommitted changes" in text
    assert "uncommitted changes" not in _render(done, [], commit="0123456789abcdef", dirty=False)


def test_deep_headings_stay_out_of_the_contents_and_odd_ones_have_an_anchor(
    done: RunResult,
) -> None:
    text = _render(done, [nbformat.v4.new_markdown_cell("# A\n\n## ?\n\n#### Deep\n\n# `B` & C")])
    page = _Page(text)
    assert page.texts["li"] == ["?", "B & C"]
    assert page.ids["section"] == page.ids["deep"] == page.ids["b-c"] == 1


def test_a_page_that_would_load_is_refused(done: RunResult) -> None:
    cell = nbformat.v4.new_markdown_cell("![a](https://example.org/a.png)")
    with pytest.raises(ValueError, match=r"load nothing from the network, got https://example"):
        _render(done, [cell])


def test_a_page_too_large_names_the_cell(done: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "MAX_BYTES", 50_000)
    output = nbformat.v4.new_output("stream", name="stdout", text="x" * 50_000)
    cells = [nbformat.v4.new_code_cell("plot()\nmore", outputs=[output])]
    with pytest.raises(ValueError, match=r"at most 50,000 bytes, got .* begins 'plot\(\)'"):
        _render(done, [nbformat.v4.new_markdown_cell("text"), *cells])
