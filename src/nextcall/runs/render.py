"""Makes one page to read out of an executed notebook: works offline, light and dark, printed."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nextcall.runs.manifest import Manifest
from nextcall.runs.outputs import code_html, external_loads, markdown_html, output_html
from nextcall.runs.page import environment
from nextcall.runs.result import format_result

MAX_BYTES = 1_500_000
"""A page of this size opens at once on a telephone and may be committed."""

_HEADING = re.compile(r"<h([1-6])([^>]*)>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    code: str
    """Coloured source, empty for text."""
    body: str
    """Text, or outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    level: int
    anchor: str
    text: str


def render_report(
    notebook: Any, manifest: Manifest, *, result: Mapping[str, float], folder: Path
) -> str:
    """Render an executed notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With its outputs. Its first heading is the title of the page.
    manifest : Manifest
        What the head and the foot say of where the report comes from.
    result : mapping
        Results by name; the head shows those that are figures of the manifest.
    folder : Path
        Where the images lie that the text shows.

    Returns
    -------
    str
        One HTML page.

    Raises
    ------
    ValueError
        Where the page would load anything from the network, or is larger than `MAX_BYTES`.
    """
    cells = [_cell(cell, folder=folder) for cell in notebook.cells]
    title, headings, cells = _contents(cells)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title or manifest.name,
            cells=[cell for cell in cells if cell.code or cell.body.strip()],
            headings=headings,
            manifest=manifest,
            figures=[
                (label, format_result(result, name)) for name, label in manifest.figures.items()
            ],
            details=json.dumps(
                {key: value for key, value in asdict(manifest).items() if key != "outputs"},
                indent=2,
                ensure_ascii=False,
            ),
        )
    )
    if loads := external_loads(page):
        raise ValueError(f"a report must load nothing from the network, got {loads[0]}.")
    if (size := len(page.encode())) > MAX_BYTES:
        largest = max(notebook.cells, key=lambda cell: len(json.dumps(cell.get("outputs", ""))))
        first = largest.source.partition("\n")[0]
        raise ValueError(
            f"a report must be at most {MAX_BYTES:,} bytes, got {size:,}; the cell that begins "
            f"{first!r} shows most: draw fewer points or rasterise."
        )
    return page


def _cell(cell: Any, *, folder: Path) -> _Cell:
    if cell.cell_type == "markdown":
        text = markdown_html(cell.source, folder=folder, attachments=cell.get("attachments"))
        return _Cell(code="", body=text)
    if cell.cell_type != "code" or not cell.source.strip():
        return _Cell(code="", body="")
    outputs = [output_html(output, folder=folder) for output in cell.outputs]
    return _Cell(code=code_html(cell.source), body="\n".join(outputs))


def _contents(cells: list[_Cell]) -> tuple[str, list[_Heading], list[_Cell]]:
    """Take the title off the text and give every other heading an anchor of its own."""
    title = ""
    headings: list[_Heading] = []
    anchors: set[str] = set()

    def anchored(match: re.Match[str]) -> str:
        nonlocal title
        level, attributes, inside = int(match[1]), match[2], match[3]
        text = html.unescape(_TAG.sub("", inside)).strip()
        if level == 1 and not title:
            title = text
            return ""
        stem = re.sub(r"\W+", "-", text.lower()).strip("-") or "section"
        anchor, count = stem, 1
        while anchor in anchors:
            count += 1
            anchor = f"{stem}-{count}"
        anchors.add(anchor)
        headings.append(_Heading(level=level, anchor=anchor, text=text))
        attributes = re.sub(r'\s*id="[^"]*"', "", attributes)
        return f'<h{level} id="{anchor}"{attributes}>{inside}</h{level}>'

    anchored_cells = [
        cell if cell.code else _Cell(code="", body=_HEADING.sub(anchored, cell.body))
        for cell in cells
    ]
    return title, [heading for heading in headings if heading.level <= 3], anchored_cells
