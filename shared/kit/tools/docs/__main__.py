"""`python -m shared.kit.tools.docs [--check]`, called by `make events` and `make docs-fresh`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.telemetry import document as telemetry
from shared.kit.tools.docs import asyncapi, events
from shared.kit.tools.docs.services import find_reactions, has_module, openapi


def generate_documents() -> Iterator[tuple[str, str]]:
    """Yield every document: its path under `docs/` and its text."""
    reactions = find_reactions(tuple(PUBLISHERS))
    yield "events.md", events.render(reactions)
    yield "asyncapi.yaml", asyncapi.render(reactions)
    yield "telemetry.md", telemetry.render_metric_document()
    for name in PUBLISHERS:
        if has_module(name, "main"):
            text = json.dumps(openapi(name), ensure_ascii=False, indent=2)
            yield f"openapi/{name}.json", f"{text}\n"
        else:
            click.echo(f"{name} has no main.py: no OpenAPI document of it.", err=True)


def stale_documents(folder: Path) -> list[Path]:
    """Return the documents that are missing or differ from what the code generates."""
    stale = []
    for relative_path, text in generate_documents():
        path = folder / relative_path
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
    return stale


def write_documents(folder: Path) -> None:
    """Write every document into the folder."""
    for relative_path, text in generate_documents():
        path = folder / relative_path
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
    """Write the documents that are generated from the code."""
    if not check:
        write_documents(folder)
        return
    stale = stale_documents(folder)
    for path in stale:
        click.echo(f"{path} is stale: run `make events` and commit it.", err=True)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
