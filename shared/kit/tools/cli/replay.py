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
HELP = """Rebuild what SERVICE knows from the facts of others, from the log alone.

The service goes on meanwhile. The replay has a group, inbox, positions and tables of its own
(in the schema --into) and sends nothing: facts that reactions record are counted and dropped.
It reads as far as the live group has, and leaves out what that has parked or given up.

--compare holds the group still for a moment, so that both sides stand at the same offsets.
--swap exchanges the tables in one transaction; positions stay, and the old tables remain in
the schema until --undo or --drop.

With --from, tables that a fact applied again leaves as they are (rights, spaces, inboxes)
begin as copies of the live ones, and every row that a later fact touches must come out the
same; counters and lists that grow begin empty, and the live ones must hold at least as much.
A row that nothing has touched since then is not checked, and nothing can be swapped.

Exit code 0: done, and equal if compared; 1: different, or events that could not be applied;
3: a server does not answer. Needs PREAU_KAFKA and <SERVICE>_OWNER_URL; a platform of
`make run` leaves them in its data folder (PREAU_HOME).

\b
Examples:
  preau replay metrics --compare
  preau replay notifications --compare --from 2026-11-01 --json
  preau replay community --swap
  preau replay community --undo
"""
_SCHEMA = re.compile(r"(?!public$|pg_)[a-z][a-z0-9_]{0,40}")


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read ISO 8601; without a zone, UTC is meant."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is no time such as 2026-11-25 or 2026-11-25T08:00+01:00.")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _named(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _SCHEMA.fullmatch(value):
        raise click.BadParameter("a schema's name: small letters, digits, _; not public.")
    return value


@click.command(help=HELP)
@click.argument("service", type=click.Choice(tuple(PUBLISHERS)))
@click.option("--from", "since", type=_Moment(), help="Read only what was sent from then on.")
@click.option("--into", default="shadow", callback=_named, help="The schema to rebuild in.")
@click.option(
    "--order",
    type=click.Choice([each.value for each in ReadOrder]),
    default=ReadOrder.TIME.value,
    help="How partitions interleave: as they were sent, or one after the other.",
)
@click.option("--compare", is_flag=True, help="Compare with what is live, row by row.")
@click.option("--swap", is_flag=True, help="Compare, then put the rebuilt tables in place.")
@click.option("--undo", is_flag=True, help="Bring back what a swap replaced, brought up to date.")
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
    """Rebuild, compare, swap, undo or drop, as `HELP` says."""
    if sum((undo, drop, swap or compare or since is not None)) > 1:
        raise click.UsageError("--undo and --drop stand alone.")
    wish = ReplayRequest(service, into, since, ReadOrder(order), compare, swap)
    if drop:
        gone = _run(service, lambda rebuilder: rebuilder.drop(into))
        click.echo(f"{service}: schema {into} is gone." if gone else "There was none.", err=True)
        return
    report = _run(service, lambda rebuilder: _do(rebuilder, wish, undo=undo))
    _show(report, as_json=as_json)
    if report.failed or (report.equal is False and not report.swapped):
        raise SystemExit(1)


async def _do(rebuilder: Rebuilder, wish: ReplayRequest, *, undo: bool) -> Report:
    if undo:
        return await rebuilder.undo(wish.service, wish.into)
    return await rebuilder.run(wish)


def _run(service: str, act: Callable[[Rebuilder], Awaitable[T]]) -> T:
    owner = _needed(f"{service.upper()}_OWNER_URL", f"PostgreSQL's URL as {service}'s owner role")

    async def run() -> T:
        bus = KafkaBus(kafka_cluster(), client_id="preau-replay")
        try:
            return await act(Rebuilder(owner, bus, os.environ, _tell))
        finally:
            await bus.close()

    try:
        return asyncio.run(run())
    except (ReplayError, SettingError) as error:
        raise PlatformError(str(error)) from error
    except (Transient, NotFound, OSError, DBAPIError) as error:
        said = f"A server does not answer as it must ({type(error).__name__}: {error})"
        raise PlatformError(said, EXIT_UNREACHABLE) from error


def _needed(name: str, what: str) -> str:
    found = operator_setting(name)
    if not found:
        raise PlatformError(
            f"{name} is not set ({what}), and no `make run` left it", EXIT_UNREACHABLE
        )
    return found


def _tell(progress: str) -> None:
    click.echo(progress, err=True)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        told = asdict(report) | {
            "equal": report.equal,
            "differences": report.differences,
            "events_per_second": round(report.events_per_second),
        }
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    for line in lines(report):
        click.echo(line)
