"""`preau import stackexchange`."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from services.community.imports.handlers.read_stackexchange import (
    ANSWER_TYPE,
    QUESTION_TYPE,
    ConvertedRow,
    Dump,
    DumpError,
    RejectedRow,
)
from shared.kit.tools.cli.api_client import ApiClient
from shared.kit.tools.cli.status import wait_until_applied

MAX_CHUNK_LINES = 500
CHUNK_CHARACTERS = 4_000_000
OUTCOMES = ("read", "created", "unchanged", "repeated", "refused")
Send = Callable[[list[dict[str, object]]], list[dict[str, Any]]]


@dataclass
class Tally:
    """Counts of outcomes of the rows of one kind."""

    counts: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, int]:
        """Return the counts: read = created + unchanged + repeated + refused."""
        return {name: self.counts[name] for name in OUTCOMES}


@dataclass
class ImportRun:
    """One run of an import, with its counts, rejected rows and file errors."""

    client: ApiClient
    progress: Progress
    tallies: dict[str, Tally] = field(default_factory=dict)
    refusals: list[dict[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, kind: str, items: Iterable[ConvertedRow | RejectedRow], send: Send) -> None:
        """Send all rows of a kind in chunks; a broken file ends this kind and not the run."""
        tally = self.tallies.setdefault(kind, Tally())
        task = self.progress.add_task(kind, total=None)
        names: set[str] = set()
        try:
            for chunk in split_into_chunks(self._filter_new(kind, items, names)):
                verdicts = send([taken.payload for taken in chunk])
                for taken, verdict in zip(chunk, verdicts, strict=True):
                    self._count_outcome(kind, taken.name, verdict["outcome"], verdict.get("reason"))
                self.progress.update(task, completed=tally.counts["read"])
        except DumpError as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))
        row_count = tally.counts["read"]
        self.progress.update(task, completed=row_count, total=max(row_count, 1))

    def _filter_new(
        self, kind: str, items: Iterable[ConvertedRow | RejectedRow], names: set[str]
    ) -> Iterator[ConvertedRow]:
        for item in items:
            if isinstance(item, RejectedRow):
                self._count_outcome(kind, item.name, "refused", item.reason)
            elif item.name in names:
                self._count_outcome(kind, item.name, "repeated", None)
            else:
                names.add(item.name)
                yield item

    def _count_outcome(self, kind: str, row: str, outcome: str, reason: str | None) -> None:
        counts = self.tallies[kind].counts
        counts["read"] += 1
        counts[outcome] += 1
        if outcome == "refused":
            self.refusals.append({"kind": kind, "row": row, "reason": reason or ""})


def split_into_chunks(items: Iterable[ConvertedRow]) -> Iterator[list[ConvertedRow]]:
    """Group rows into chunks of at most 500 rows and about 4 million characters.

    Rows read before a file breaks are yielded first; then `DumpError` is raised.
    """
    chunk: list[ConvertedRow] = []
    size = 0
    file_error: DumpError | None = None
    try:
        for item in items:
            length = len(str(item.payload.get("body", "")))
            if chunk and (len(chunk) == MAX_CHUNK_LINES or size + length > CHUNK_CHARACTERS):
                yield chunk
                chunk, size = [], 0
            chunk.append(item)
            size += length
    except DumpError as error:
        file_error = error
    if chunk:
        yield chunk
    if file_error is not None:
        raise file_error


def find_or_open_space(client: ApiClient, name: str, time_zone: str) -> dict[str, Any]:
    """Find the space of this name, or open it with the dump's time zone."""
    spaces: list[dict[str, Any]] = client.get("/community/v1/spaces", name=name)["items"]
    if spaces:
        return spaces[0]
    root = client.get("/identity/v1/structures")["items"][0]
    new = {
        "name": name,
        "structure_id": root["structure_id"],
        "visibility": "public",
        "time_zone": time_zone,
    }
    space: dict[str, Any] = client.post("/community/v1/spaces", new)
    return space


def send_dump(run: ImportRun, dump: Dump, space: dict[str, Any]) -> None:
    """Send members, questions, answers, comments and accepted answers, in this order."""
    source = f"stackexchange:{space['name']}"
    client = run.client

    def members(lines: list[dict[str, object]]) -> list[dict[str, Any]]:
        target = {"source": source, "structure_id": space["structure_id"]}
        verdicts: list[dict[str, Any]] = client.post(
            "/identity/v1/imports", {**target, "lines": lines}
        )["lines"]
        return verdicts

    def contents(name: str) -> Send:
        def send(lines: list[dict[str, object]]) -> list[dict[str, Any]]:
            body = {"space_id": space["space_id"], "source": source, name: lines}
            verdicts: list[dict[str, Any]] = client.post("/community/v1/imports", body)[name]
            return verdicts

        return send

    run.run("members", dump.members(), members)
    run.run("questions", dump.posts(QUESTION_TYPE), contents("lines"))
    run.run("answers", dump.posts(ANSWER_TYPE), contents("lines"))
    run.run("comments", dump.comments(), contents("lines"))
    run.run("accepted", dump.acceptances(), contents("accepted"))
    run.run("other", dump.unsupported_posts(), contents("lines"))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--space", required=True, help="The space's name; it is opened if it does not exist.")
@click.option("--time-zone", default="UTC", show_default=True, help="The zone of the dump's times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def stackexchange(folder: Path, space: str, time_zone: str, *, as_json: bool) -> None:
    """Import the Stack Exchange dump in FOLDER into a space, with its original dates.

    Importing a dump again changes nothing: rows that exist are counted as unchanged. An interrupted
    import continues where it stopped. `seconds` is the time from the first row read until every
    reaction is applied. Exit code 1: some rows were refused, or a file is broken.

    \b
    Example:
      preau import stackexchange ./dump --space Entraide
    """
    if not (folder / "Posts.xml").exists():
        raise click.UsageError(f"{folder} holds no Posts.xml: is it a Stack Exchange dump?")
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise click.UsageError(f"--time-zone {time_zone}: no such IANA zone") from error
    client = ApiClient()
    target = find_or_open_space(client, space, time_zone)
    began = time.monotonic()
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=as_json) as progress:
        run = ImportRun(client, progress)
        send_dump(run, Dump(folder, zone), target)
    wait_until_applied(client)
    print_report(run, time.monotonic() - began, as_json=as_json)


def print_report(run: ImportRun, seconds: float, *, as_json: bool) -> None:
    """Print the counts per kind and the reasons of refusals; exit with code 1 if any."""
    if as_json:
        document: dict[str, Any] = {kind: tally.as_json() for kind, tally in run.tallies.items()}
        document |= {"seconds": round(seconds, 3), "refusals": run.refusals, "errors": run.errors}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo(f"{'':10}" + "".join(f"{name:>11}" for name in OUTCOMES))
        for kind, tally in run.tallies.items():
            cells = "".join(f"{count:>11,}" for count in tally.as_json().values())
            click.echo(f"{kind:10}{cells}")
        rows = sum(tally.counts["read"] for tally in run.tallies.values())
        rate = rows / max(seconds, 0.001)
        click.echo(f"{rows:,} rows in {seconds:.1f} s ({rate:,.0f} a second), all of it applied.")
        for reason, number in Counter(refusal["reason"] for refusal in run.refusals).most_common():
            click.echo(f"refused {number:,}: {reason}")
        for error in run.errors:
            click.echo(f"broken file: {error}", err=True)
    refused = [refusal for refusal in run.refusals if refusal["kind"] != "other"]
    if refused or run.errors:
        raise SystemExit(1)
