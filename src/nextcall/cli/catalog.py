"""`nextcall catalog`: build, show and search the catalogue of an API."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli.console import note, print_table, progress

if TYPE_CHECKING:
    from nextcall.catalog.catalog import Catalog

app = typer.Typer(
    no_args_is_help=True,
    help="Build, show and search the catalogue of an API.",
    rich_markup_mode=None,  # as the whole command line
)
build_app = typer.Typer(
    no_args_is_help=True, help="Build a catalogue from a description.", rich_markup_mode=None
)
app.add_typer(build_app, name="build")

_SAMPLE_ROWS = 10
_SERVICE_ROWS = 15
_REMARK_ROWS = 5


def _check_output(output: Path) -> Path:
    """Refuse a wrong name before the work, not after it."""
    if output.suffix != ".parquet":
        raise typer.BadParameter(f"must end with .parquet, got {str(output)!r}.")
    return output


Output = Annotated[Path, typer.Option(help="Parquet file to write.", callback=_check_output)]
Name = Annotated[str | None, typer.Option(help="Name of the catalogue.")]
Location = Annotated[str, typer.Argument(help="File, or http(s) address.")]
Built = Annotated[Path, typer.Argument(help="Built catalogue, or catalog.jsonl.")]


@build_app.command("aws")
def build_aws(output: Output, name: Name = None) -> None:
    """Build the catalogue of AWS, out of the installed package botocore."""
    from nextcall.catalog.aws import read_aws
    from nextcall.catalog.catalog import Catalog

    catalog = read_aws(progress=progress)
    _save(Catalog(name or catalog.name, catalog.operations), output)


@build_app.command("google")
def build_google(output: Output, name: Name = None) -> None:
    """Build the catalogue of Google's APIs, out of google-api-python-client (extra: google)."""
    from nextcall.catalog.catalog import Catalog
    from nextcall.catalog.google import read_google

    catalog = read_google(progress=progress)
    _save(Catalog(name or catalog.name, catalog.operations), output)


@build_app.command("openapi")
def build_openapi(path: Location, output: Output, name: Name = None) -> None:
    """Build a catalogue from an OpenAPI 3 or Swagger 2 description, in JSON or YAML."""
    from nextcall.catalog.openapi import Remark, read_openapi

    remarks: list[Remark] = []
    catalog = read_openapi(path, name=name, cache_dir=_copies(), remark=remarks.append)
    _save(catalog, output)
    for remark in remarks[:_REMARK_ROWS]:
        note(str(remark))
    if len(remarks) > _REMARK_ROWS:
        note(f"... and {len(remarks) - _REMARK_ROWS:,} more places that break a rule.")


@build_app.command("functions")
def build_functions(path: Location, output: Output, name: Name = None) -> None:
    """Build a catalogue from function or tool schemas (OpenAI, Anthropic, MCP, plain)."""
    from nextcall.catalog.functions import read_functions

    _save(read_functions(path, name=name, cache_dir=_copies()), output)


@app.command()
def show(
    path: Built,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a catalogue: counts, services, actions, a sample."""
    from nextcall.catalog.load import load_catalog

    catalog = load_catalog(path)
    services = Counter(operation.service for operation in catalog).most_common()
    actions = Counter(operation.action for operation in catalog).most_common()
    step = max(1, len(catalog) // _SAMPLE_ROWS)  # evenly spread, so the same each time
    sample = catalog.operations[::step][:_SAMPLE_ROWS]
    counts = {
        "operations": len(catalog),
        "services": len(services),
        "parameters": sum(len(operation.parameters) for operation in catalog),
    }
    if as_json:
        shown = {
            "name": catalog.name,
            **counts,
            "content_hash": catalog.content_hash,
            "operations_by_service": dict(services),
            "operations_by_action": dict(actions),
            "sample": [operation.operation_id for operation in sample],
        }
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{catalog.name}: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
    typer.echo()
    print_table(("service", "operations"), services[:_SERVICE_ROWS])
    if len(services) > _SERVICE_ROWS:
        typer.echo(f"... and {len(services) - _SERVICE_ROWS:,} more services")
    typer.echo()
    print_table(("action", "operations"), actions)
    typer.echo()
    print_table(
        ("operation", "call", "action", "resource"),
        [(one.operation_id, one.api_call, one.action, one.resource) for one in sample],
    )


@app.command()
def search(
    path: Built,
    query: Annotated[str, typer.Argument(help="Words of a name or a documentation.")],
    k: Annotated[int, typer.Option(help="How many operations to show.")] = 10,
) -> None:
    """Search a catalogue for operations by name and documentation."""
    from nextcall.catalog.load import load_catalog
    from nextcall.catalog.search import search as search_catalog

    found = search_catalog(load_catalog(path), query, k)
    if not found:
        note(f"No operation has a word of {query!r}.")
        return
    print_table(
        ("score", "operation", "call", "summary"),
        [(score, one.operation_id, one.api_call, one.summary[:80]) for one, score in found],
    )


def _copies() -> Path:
    from nextcall.locations import cache_dir

    return cache_dir() / "descriptions"


def _save(catalog: "Catalog", output: Path) -> None:
    catalog.save(output)
    services = len(catalog.services)
    note(f"Wrote {output}: {len(catalog):,} operations of {services:,} services.")
