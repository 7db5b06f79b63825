"""Outputs as HTML: their richest still form, and nothing that loads."""

import base64
from pathlib import Path
from typing import Any

import nbformat.v4
import pandas as pd
import pytest

from nextcall.runs.outputs import code_html, external_loads, markdown_html, output_html


def _display(**data: str) -> Any:
    kinds = {name.replace("__", "/"): value for name, value in data.items()}
    return nbformat.v4.new_output("display_data", data=kinds)


def _html(output: Any) -> str:
    return output_html(output, folder=Path())


def test_text_is_escaped() -> None:
    assert "&lt;b&gt;" in _html(nbformat.v4.new_output("stream", name="stdout", text="<b>"))
    assert "&lt;b&gt;" in _html(_display(text__plain="<b>"))


def test_standard_error_is_marked() -> None:
    assert 'class="stream stderr"' in _html(
        nbformat.v4.new_output("stream", name="stderr", text="careful")
    )


def test_a_progress_bar_shows_its_last_state() -> None:
    text = "start\n 10%\r 50%\r100%\r\nend"
    html = _html(nbformat.v4.new_output("stream", name="stdout", text=text))
    assert html == '<pre class="stream stdout">start\n100%\nend</pre>'


def test_an_error_keeps_its_traceback_in_colour() -> None:
    output = nbformat.v4.new_output(
        "error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m", "line"]
    )
    assert '<span class="ansi-red-fg">E</span>\nline' in _html(output)


def test_a_picture_comes_inside() -> None:
    content = base64.b64encode(b"a picture").decode()
    html = _html(_display(image__png=content + "\n", text__plain="<Figure>"))
    assert f'src="data:image/png;base64,{content}"' in html
    assert "Figure&gt;" not in html


def test_a_drawing_comes_inside_without_its_prologue() -> None:
    html = _html(nbformat.v4.new_output("display_data", data={"image/svg+xml": "<?xml?><svg/>"}))
    assert html == '<figure class="figure"><svg/></figure>'


def test_a_frame_keeps_its_table_but_not_its_style() -> None:
    frame = pd.DataFrame({"a": [1]})
    notebook_form = "<style scoped>.dataframe { color: red }</style>" + frame.to_html()
    html = _html(_display(text__html=notebook_form, text__plain=str(frame)))
    assert html.startswith('<div class="rich">')
    assert "<th>a</th>" in html
    assert "<style scoped>" not in html


@pytest.mark.parametrize(
    ("output", "html"),
    [
        (_display(text__markdown="*a*"), "<p><em>a</em></p>\n"),
        (
            _display(**{"application__vnd.jupyter.widget-view+json": "{}", "text__plain": "HBox"}),
            "",
        ),
        (_display(application__json="{}"), ""),
    ],
)
def test_other_forms(output: Any, html: str) -> None:
    assert _html(output) == html


def test_images_of_text_come_inside(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a picture")
    content = base64.b64encode(b"a picture").decode()
    assert content in markdown_html("![a](a.png)", folder=tmp_path)
    attached = markdown_html(
        "![a](attachment:b.png)", folder=tmp_path, attachments={"b.png": {"image/png": content}}
    )
    assert f'src="data:image/png;base64,{content}"' in attached


def test_code_is_coloured() -> None:
    assert '<span class="k">return</span>' in code_html("return 1")


@pytest.mark.parametrize(
    "page",
    [
        '<img src="https://a.org/b.png">',
        '<IMG SRC=" //a.org/b.png">',
        '<img srcset="x.png 1x, https://a.org/b.png 2x">',
        '<script src="http://a.org/b.js"></script>',
        '<link rel="stylesheet" href="https://a.org/b.css">',
        '<iframe src="https://a.org"></iframe>',
        '<video poster="https://a.org/b.png"></video>',
        '<object data="https://a.org/b.svg"></object>',
        "<style>@import 'https://a.org/b.css';</style>",
        "<style>p { background: url( 'https://a.org/b.png') }</style>",
        '<p style="background: url(//a.org/b.png)">',
        "<svg><image xlink:href='https://a.org/b.png'/></svg>",
    ],
)
def test_what_loads_is_found(page: str) -> None:
    found = external_loads(page)
    assert len(found) == 1
    assert "//a.org" in found[0]


@pytest.mark.parametrize(
    "page",
    [
        '<a href="https://a.org">a link</a>',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        '<img src="data:image/png;base64,AA//">',
        '<img src="b.png" srcset="">',
        "<p>url(https://a.org)</p>",
        "<style>p { color: red }</style><p>@import 'https://a.org'</p>",
    ],
)
def test_what_does_not_load_is_not_found(page: str) -> None:
    assert external_loads(page) == []
