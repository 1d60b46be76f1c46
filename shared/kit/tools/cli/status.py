"""`preau status` and `preau consumers`: what operators look at, over all services."""

import json
import time
from typing import Any

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.cli.api_client import ApiClient

STATUS_COLUMNS = ("published", "applied", "ignored", "duplicate", "parked", "dead_lettered", "lag")
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
    click.echo(f"{'group':16}" + "".join(f"{name:>14}" for name in STATUS_COLUMNS))
    for name, group in sorted(found["groups"].items()):
        click.echo(f"{name:16}" + "".join(f"{group[column]:>14,}" for column in STATUS_COLUMNS))
        if group["refused"]:
            click.echo(f"  refused: {group['refused']:,} of identity, forged or after lost records")
        if group["halted"]:
            click.echo(f"  {_told(group['halted'])}")
        if group["accepting"]:
            until = group["accepting"]["until"]
            left = f"until {until[:19]}Z" if until else f"{group['accepting']['failures']:,} more"
            click.echo(f"  failures accepted: {left}")


def _told(halted: dict[str, str]) -> str:
    return f"stopped: {halted['cause']}, since {halted['since'][:19]}Z, at {halted['place']}"


@click.group()
def consumers() -> None:
    """Let a consumer group go on that stopped because too much failed.

    \b
    Example: preau consumers resume metrics --accept-failures 200
    """


@consumers.command()
@click.argument("group", type=click.Choice(list(PUBLISHERS)))
@click.option(
    "--accept-failures",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="So many further events may fail: they are parked, tried again, and die.",
)
@click.option(
    "--for",
    "minutes",
    type=click.IntRange(1, 1440),
    metavar="MINUTES",
    help="For so long, whatever fails may.",
)
def resume(group: str, *, accept_failures: int | None, minutes: int | None) -> None:
    """Let GROUP go on, within half a minute. It also does by itself once a deploy mends it.

    Without an option the next batch is judged anew, and the group stops again if too much of it
    fails. Accept failures only when you know that these events really are bad.

    \b
    Examples:
      preau consumers resume metrics
      preau consumers resume metrics --accept-failures 200
      preau consumers resume metrics --for 10
    """
    body = {"accept_failures": accept_failures or 0, "minutes": minutes}
    done = ApiClient().post(f"/{group}/v1/operating/resume", body)
    if done["halted"]:
        click.echo(f"{group} was {_told(done['halted'])}")
    click.echo(f"resumed: {group}")
