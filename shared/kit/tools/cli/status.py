"""`preau status` and `preau consumers`: the state of all consumer groups and outboxes."""

import json
import time
from typing import Any

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.cli.api_client import ApiClient

STATUS_COLUMNS = ("published", "applied", "ignored", "duplicate", "parked", "dead_lettered", "lag")
_MIN_IDLE_CHECKS = 2
"""Consecutive checks without lag and without new events before `--wait` returns."""


def read_status(client: ApiClient) -> dict[str, Any]:
    """Read the status of every service and combine their groups and outboxes."""
    groups: dict[str, Any] = {}
    outbox: dict[str, int] = {}
    for service in PUBLISHERS:
        service_status = client.get(f"/{service}/v1/operating/status")
        groups |= service_status["groups"]
        outbox[service] = service_status["outbox"]
    return {"groups": groups, "outbox": outbox}


def wait_until_applied(client: ApiClient, seconds: float = 600.0) -> dict[str, Any]:
    """Return the status when no outbox has rows and no group lags; raises after `seconds`."""
    deadline, idle_checks, published_before = time.monotonic() + seconds, 0, None
    while True:
        current = read_status(client)
        is_idle = not any(current["outbox"].values()) and not any(
            group["lag"] for group in current["groups"].values()
        )
        published = {name: group["published"] for name, group in current["groups"].items()}
        idle_checks = idle_checks + 1 if is_idle and published == published_before else 0
        published_before = published
        if idle_checks >= _MIN_IDLE_CHECKS:
            return current
        if time.monotonic() > deadline:
            raise click.ClickException(f"Still not applied after {seconds:.0f} s: {current}")
        time.sleep(0.15)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@click.option("--wait", is_flag=True, help="Return when every event is applied in all groups.")
def status(*, as_json: bool, wait: bool) -> None:
    """Show the outcomes of all events, per consumer group.

    published = applied + ignored + duplicate + parked + dead_lettered + lag
    """
    client = ApiClient()
    current = wait_until_applied(client) if wait else read_status(client)
    if as_json:
        click.echo(json.dumps(current, ensure_ascii=False))
        return
    click.echo(f"{'group':16}" + "".join(f"{name:>14}" for name in STATUS_COLUMNS))
    for name, group in sorted(current["groups"].items()):
        click.echo(f"{name:16}" + "".join(f"{group[column]:>14,}" for column in STATUS_COLUMNS))
        if group["refused"]:
            click.echo(f"  refused: {group['refused']:,} of identity, forged or after lost records")
        if group["halted"]:
            click.echo(f"  {_format_halt(group['halted'])}")
        if group["accepting"]:
            until = group["accepting"]["until"]
            remaining = (
                f"until {until[:19]}Z" if until else f"{group['accepting']['failures']:,} more"
            )
            click.echo(f"  failures accepted: {remaining}")


def _format_halt(halted: dict[str, str]) -> str:
    return f"stopped: {halted['cause']}, since {halted['since'][:19]}Z, at {halted['place']}"


@click.group()
def consumers() -> None:
    """Resume a consumer group that stopped because too many events failed.

    \b
    Example: preau consumers resume metrics --accept-failures 200
    """


@consumers.command()
@click.argument("group", type=click.Choice(list(PUBLISHERS)))
@click.option(
    "--accept-failures",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Accept N further failures: these events are parked, retried, then dead letters.",
)
@click.option(
    "--for",
    "minutes",
    type=click.IntRange(1, 1440),
    metavar="MINUTES",
    help="Accept all failures for this time.",
)
def resume(group: str, *, accept_failures: int | None, minutes: int | None) -> None:
    """Resume GROUP, within half a minute. A group also resumes when a deployment corrects its code.

    Without an option the next batch is checked again, and the group stops again if too many events
    fail. Accept failures only when you know that these events are faulty.

    \b
    Examples:
      preau consumers resume metrics
      preau consumers resume metrics --accept-failures 200
      preau consumers resume metrics --for 10
    """
    body = {"accept_failures": accept_failures or 0, "minutes": minutes}
    response = ApiClient().post(f"/{group}/v1/operating/resume", body)
    if response["halted"]:
        click.echo(f"{group} was {_format_halt(response['halted'])}")
    click.echo(f"resumed: {group}")
