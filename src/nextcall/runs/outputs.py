"""Cells of an executed notebook as HTML that loads nothing from anywhere."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

_IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
_SCOPED_STYLE = re.compile(r"<style scoped>.*?</style>", re.DOTALL)  # no browser scopes it
_LOADING_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?((?:https?:)?//[^"')\s]+)""")
_LOADING_TAGS = {
    "audio", "embed", "iframe", "image", "img", "input", "link", "object", "script", "source",
    "track", "use", "video",
}  # fmt: skip


def markdown_html(source: str, *, folder: Path, attachments: dict[str, Any] | None = None) -> str:
    """Convert Markdown; images that lie in `folder` or are attached to the cell come inside.

    Examples
    --------
    >>> markdown_html("**bold**", folder=Path()).strip()
    '<p><strong>bold</strong></p>'
    """
    renderer = IPythonRenderer(
        escape=False,
        embed_images=True,
        exclude_anchor_links=True,
        path=str(folder),
        attachments=attachments,
    )
    return str(MarkdownWithMath(renderer=renderer).render(source))


def code_html(source: str) -> str:
    """Colour Python; the colours are those of the report's style sheet."""
    return str(Highlight2HTML()(source))


def output_html(output: Any, *, folder: Path) -> str:
    """Convert one output of a code cell, in its richest form that stands still.

    Parameters
    ----------
    output : nbformat.NotebookNode
        A stream, an error, a display or a result.
    folder : Path
        Where the images of Markdown lie.

    Returns
    -------
    str
        HTML; empty where the output has no form that a page can show, as a widget has not.
    """
    if output.output_type == "stream":
        kind = "stderr" if output.name == "stderr" else "stdout"
        return f'<pre class="stream {kind}">{ansi2html(_last_states(output.text))}</pre>'
    if output.output_type == "error":
        traceback = "\n".join(output.traceback)
        return f'<pre class="stream error">{ansi2html(traceback)}</pre>'
    return _display_html(output.data, folder=folder)


def external_loads(page: str) -> list[str]:
    """List what a page would load from elsewhere; a link that a reader may follow is no load.

    Examples
    --------
    >>> external_loads('<a href="https://a.org">a</a><img src="https://b.org/c.png">')
    ['https://b.org/c.png']
    """
    finder = _LoadFinder()
    finder.feed(page)
    finder.close()
    return finder.found


class _LoadFinder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if name == "style":
                self.found += _LOADING_CSS.findall(value or "")
            elif tag in _LOADING_TAGS and name in {"src", "href", "data", "poster", "xlink:href"}:
                self._add_address(value or "")
            elif tag in _LOADING_TAGS and name == "srcset":
                for part in (value or "").split(","):
                    self._add_address(part.strip())

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += _LOADING_CSS.findall(data)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # the base class's signature
        self._in_style = False

    def _add_address(self, address: str) -> None:
        if re.match(r"\s*(?:https?:)?//", address, re.IGNORECASE):
            self.found.append(address.strip())


def _display_html(data: Any, *, folder: Path) -> str:
    if any("widget-view" in kind for kind in data):
        return ""
    for kind in _IMAGES:
        if kind in data:
            return _figure(kind, data[kind])
    if "text/html" in data:
        return f'<div class="rich">{_SCOPED_STYLE.sub("", data["text/html"])}</div>'
    if "text/markdown" in data:
        return markdown_html(data["text/markdown"], folder=folder)
    text = html.escape(data.get("text/plain", ""))
    return f'<pre class="stream">{text}</pre>' if text else ""


def _figure(kind: str, content: str) -> str:
    if kind == "image/svg+xml":
        return f'<figure class="figure">{content[content.find("<svg") :]}</figure>'
    source = f"data:{kind};base64,{''.join(content.split())}"
    return f'<figure class="figure"><img src="{source}" alt=""></figure>'


def _last_states(text: str) -> str:
    """Keep of each line what stood there last: a progress bar writes over itself."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
