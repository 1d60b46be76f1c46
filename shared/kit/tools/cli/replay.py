"""`preau replay`: rebuild a service's read model from the log, beside the live one."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

import click
from sqlalchemy.exc import DBAPIError

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import KafkaBus
from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.settings import SettingError
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.operator_settings import kafka_cluster, operator_setting
from shared.kit.tools.replay.errors import ReplayError
from shared.kit.tools.replay.feed import ReadOrder
from shared.kit.tools.replay.rebuild import Rebuilder, ReplayRequest
from shared.kit.tools.replay.report import Report, lines

T = TypeVar("T")
HELP = """Rebuild SERVICE's read model from the events in the log.

The service keeps running. The replay has its own consumer group, inbox, positions and tables
(in the schema --into) and publishes nothing: events that reactions record are counted and
dropped. It reads as far as the live group has, without the events that are parked or dead there.

--compare blocks the group for a moment, so that both sides are at the same offsets.
--swap exchanges the tables in one transaction; positions do not change, and the old tables
remain in the schema until --undo or --drop.

With --from, tables in which applying an event twice changes nothing (rights, spaces, inboxes)
begin as copies of the live ones, and every row that a later event changes must be the same in
both. Counters and growing lists begin empty, and the live ones must contain at least as much.
Rows that no event has changed since then are not checked, and --swap is not possible.

Exit code 0: done, and equal if compared; 1: different, or events that could not be applied;
3: a server does not answer. Needs PREAU_KAFKA and <SERVICE>_OWNER_URL; `make run` writes them
to its data folder (PREAU_HOME).

\b
Examples:
  preau replay metrics --compare
  preau replay notifications --compare --from 2026-11-01 --json
  preau replay community --swap
  preau replay community --undo
"""
_SCHEMA = re.compile(r"(?!public$|pg_)[a-z][a-z0-9_]{0,40}")


class _TimeParameter(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse ISO 8601; a time without a zone is UTC."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is not a time such as 2026-11-25 or 2026-11-25T08:00+01:00.")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check_schema_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _SCHEMA.fullmatch(value):
        raise click.BadParameter("give a schema name of small letters, digits and _; not public.")
    return value


@click.command(help=HELP)
@click.argument("service", type=click.Choice(tuple(PUBLISHERS)))
@click.option(
    "--from", "since", type=_TimeParameter(), help="Read only records sent from this time on."
)
@click.option(
    "--into", default="shadow", callback=_check_schema_name, help="The schema to rebuild in."
)
@click.option(
    "--order",
    type=click.Choice([order.value for order in ReadOrder]),
    default=ReadOrder.TIME.value,
    help="Order of the partitions: by the time of sending, or one after the other.",
)
@click.option("--compare", is_flag=True, help="Compare with the live tables, row by row.")
@click.option("--swap", is_flag=True, help="Compare, then replace the live tables.")
@click.option("--undo", is_flag=True, help="Restore the tables that a swap replaced, updated.")
@click.option("--drop", is_flag=True, help="Remove the schema of an earlier replay.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def replay(  # noqa: PLR0913  the options of one command
    *,
    service: str,
    since: datetime | None,
    into: str,
    order: str,
    compare: bool,
    swap: bool,
    undo: bool,
    drop: bool,
    as_json: bool,
) -> None:
    """Rebuild, compare, swap, undo or drop; see `HELP`."""
    if sum((undo, drop, swap or compare or since is not None)) > 1:
        raise click.UsageError("--undo and --drop cannot be combined with other actions.")
    request = ReplayRequest(service, into, since, ReadOrder(order), compare, swap)
    if drop:
        is_dropped = _run(service, lambda rebuilder: rebuilder.drop(into))
        click.echo(
            f"{service}: schema {into} is dropped." if is_dropped else "There is no such schema.",
            err=True,
        )
        return
    report = _run(service, lambda rebuilder: _replay_or_undo(rebuilder, request, undo=undo))
    _print_report(report, as_json=as_json)
    if report.failed or (report.equal is False and not report.swapped):
        raise SystemExit(1)


async def _replay_or_undo(rebuilder: Rebuilder, request: ReplayRequest, *, undo: bool) -> Report:
    if undo:
        return await rebuilder.undo(request.service, request.into)
    return await rebuilder.run(request)


def _run(service: str, action: Callable[[Rebuilder], Awaitable[T]]) -> T:
    owner = _require_setting(
        f"{service.upper()}_OWNER_URL", f"PostgreSQL's URL as {service}'s owner role"
    )

    async def run() -> T:
        bus = KafkaBus(kafka_cluster(), client_id="preau-replay")
        try:
            return await action(Rebuilder(owner, bus, os.environ, _print_progress))
        finally:
            await bus.close()

    try:
        return asyncio.run(run())
    except (ReplayError, SettingError) as error:
        raise PlatformError(str(error)) from error
    except (Transient, NotFound, OSError, DBAPIError) as error:
        message = f"A server does not answer as expected ({type(error).__name__}: {error})"
        raise PlatformError(message, EXIT_UNREACHABLE) from error


def _require_setting(name: str, meaning: str) -> str:
    value = operator_setting(name)
    if not value:
        raise PlatformError(
            f"{name} is not set ({meaning}): set it, or start `make run` first", EXIT_UNREACHABLE
        )
    return value


def _print_progress(message: str) -> None:
    click.echo(message, err=True)


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        fields = asdict(report) | {
            "equal": report.equal,
            "differences": report.differences,
            "events_per_second": round(report.events_per_second),
        }
        click.echo(json.dumps(fields, ensure_ascii=False, default=str))
        return
    for line in lines(report):
        click.echo(line)
