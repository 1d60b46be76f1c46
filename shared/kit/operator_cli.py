"""`preau status` and `preau dead-letters`: what operators look at, over all services."""

import json
import time
from typing import Any

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.client import ApiClient

COLUMNS = ("published", "applied", "ignored", "duplicate", "parked", "dead_lettered", "lag")
_QUIET = 2
"""Looks in a row without lag and without a new fact before `--wait` believes it."""


def read_status(client: ApiClient) -> dict[str, Any]:
    """Ask every service and put their groups together."""
    groups: dict[str, Any] = {}
    outbox: dict[str, int] = {}
    for service in PUBLISHERS:
        said = client.get(f"/{service}/v1/operating/status")
        groups |= said["groups"]
        outbox[service] = said["outbox"]
    return {"groups": groups, "outbox": outbox}


def wait_until_applied(client: ApiClient, seconds: float = 600.0) -> dict[str, Any]:
    """Return when no outbox holds a fact and no group lags; raises after `seconds`."""
    deadline, quiet, before = time.monotonic() + seconds, 0, None
    while True:
        found = read_status(client)
        settled = not any(found["outbox"].values()) and not any(
            group["lag"] for group in found["groups"].values()
        )
        published = {name: group["published"] for name, group in found["groups"].items()}
        quiet = quiet + 1 if settled and published == before else 0
        before = published
        if quiet >= _QUIET:
            return found
        if time.monotonic() > deadline:
            raise click.ClickException(f"Still not applied after {seconds:.0f} s: {found}")
        time.sleep(0.15)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@click.option("--wait", is_flag=True, help="Return when every fact was applied everywhere.")
def status(*, as_json: bool, wait: bool) -> None:
    """Show what became of every event, per consumer group.

    published = applied + ignored + duplicate + parked + dead_lettered + lag
    """
    client = ApiClient()
    found = wait_until_applied(client) if wait else read_status(client)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(f"{'group':16}" + "".join(f"{name:>14}" for name in COLUMNS))
    for name, group in sorted(found["groups"].items()):
        click.echo(f"{name:16}" + "".join(f"{group[column]:>14,}" for column in COLUMNS))
        if group["halted"]:
            click.echo(f"  stopped: {group['halted']}")


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or skip the events that could not be applied.

    \b
    Examples:
      preau dead-letters list
      preau dead-letters show metrics community.post/3/1207
      preau dead-letters replay metrics community.post/3/1207
    """


@dead_letters.command("list")
@click.option("--all", "everything", is_flag=True, help="The parked and skipped ones too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_letters(*, everything: bool, as_json: bool) -> None:
    """List them, the oldest of each group first, with their cause."""
    found = _letters(everything=everything)
    if as_json:
        click.echo(json.dumps({"dead_letters": found}, ensure_ascii=False))
        return
    for letter in found:
        click.echo(
            f"{letter['group']:14} {_place(letter):32} {letter['state']:8} {letter['cause']}"
        )
    if not found:
        click.echo("No dead letters.")


@dead_letters.command()
@click.argument("group")
@click.argument("place")
def show(group: str, place: str) -> None:
    """Show one whole: its record, cause and stack. PLACE is topic/partition/offset."""
    for letter in _letters(everything=True):
        if letter["group"] == group and _place(letter) == place:
            for name, value in letter.items():
                click.echo(f"{name:14} {value}")
            return
    raise click.ClickException(f"No dead letter of {group} at {place}.")


@dead_letters.command()
@click.argument("group")
@click.argument("place")
def replay(group: str, place: str) -> None:
    """Try it again in this group, and what waits behind it."""
    _decide(group, place, "replay")


@dead_letters.command()
@click.argument("group")
@click.argument("place")
def skip(group: str, place: str) -> None:
    """Leave it out for good; what waits behind it goes on."""
    _decide(group, place, "skip")


def _letters(*, everything: bool) -> list[dict[str, Any]]:
    client = ApiClient()
    return [
        {"group": service, **letter}
        for service in PUBLISHERS
        for letter in client.get(
            f"/{service}/v1/operating/dead-letters", everything=str(everything).lower()
        )["items"]
    ]


def _place(letter: dict[str, Any]) -> str:
    return f"{letter['topic']}/{letter['partition']}/{letter['offset']}"


def _decide(group: str, place: str, decision: str) -> None:
    parts = place.rsplit("/", 2)
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):  # noqa: PLR2004  its three parts
        raise click.UsageError("PLACE is topic/partition/offset, as `list` prints it.")
    body = {"topic": parts[0], "partition": int(parts[1]), "offset": int(parts[2])}
    ApiClient().post(f"/{group}/v1/operating/dead-letters", {**body, "decision": decision})
    click.echo(f"{decision}: {group} {place}")
