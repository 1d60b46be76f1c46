"""`python -m shared.kit.tools.docs [--check]`: what `make events` and `make docs-fresh` call."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.telemetry import document as telemetry
from shared.kit.tools.docs import asyncapi, events
from shared.kit.tools.docs.services import find_reactions, has_module, openapi


def documents() -> Iterator[tuple[str, str]]:
    """Yield every document: its place under `docs/` and its text."""
    heard = find_reactions(tuple(PUBLISHERS))
    yield "events.md", events.render(heard)
    yield "asyncapi.yaml", asyncapi.render(heard)
    yield "telemetry.md", telemetry.render_metric_document()
    for name in PUBLISHERS:
        if has_module(name, "main"):
            shown = json.dumps(openapi(name), ensure_ascii=False, indent=2)
            yield f"openapi/{name}.json", f"{shown}\n"
        else:
            click.echo(f"{name} has no main.py: no OpenAPI document of it.", err=True)


def stale_documents(folder: Path) -> list[Path]:
    """Name the documents that differ from what the code says, or are missing."""
    found = []
    for place, text in documents():
        path = folder / place
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found.append(path)
    return found


def write_documents(folder: Path) -> None:
    """Write all of them."""
    for place, text in documents():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; name what is stale and exit with 1.")
@click.option(
    "--into",
    "folder",
    default="docs",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the documents.",
)
def main(*, check: bool, folder: Path) -> None:
    """Write the documents that come from the code."""
    if not check:
        write_documents(folder)
        return
    found = stale_documents(folder)
    for path in found:
        click.echo(f"{path} is stale: run `make events` and commit it.", err=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
