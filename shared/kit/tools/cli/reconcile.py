"""`preau reconcile`: is every fact where it must be, once?"""

import asyncio
import os
from pathlib import Path

import asyncpg
import click
import msgspec
from sqlalchemy.exc import DBAPIError

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.settings import SettingError
from shared.kit.telemetry.otel import ENDPOINT_VARIABLE
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.audit import public_keys
from shared.kit.tools.cli.operator_settings import kafka_cluster, operator_setting
from shared.kit.tools.cli.reconcile_metrics import ReconcileMetrics
from shared.kit.tools.reconcile.check import Checker, utc_now
from shared.kit.tools.reconcile.log import KafkaLog
from shared.kit.tools.reconcile.log_index import InvalidLogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, source_of_service
from shared.kit.tools.replay.errors import NothingToRebuild, ReplayError
from shared.kit.tools.replay.rebuild import Rebuilder, ReplayRequest

REBUILD_SCHEMA = "reconcile"
"""Where read models are rebuilt; gone afterwards."""
HELP = """Check the log, the outboxes and what every group made of them against each other.

Exit code 0: nothing is broken; 1: violations; 3: a server does not answer.
Needs PREAU_KAFKA and <SERVICE>_OWNER_URL; a platform of `make run` leaves them in its data
folder (PREAU_HOME). It only reads. It may run beside a living platform: what is still on its
way is told as lag, not as a violation, unless --wait asks for rest. With --state, a run that
was ended goes on where it stood; the file takes about 150 bytes a record.

--replay also proves that read models are what the log makes of them. It rebuilds each in a
schema of its own, which is dropped at the end, and takes as long as `preau replay`. A service
whose settings are not at hand is left out, and that is said.

At night, by the clock of the cluster (a CronJob with the migrations' credentials and a volume
for the book), with what it found as metrics (`preau.reconcile.…`, docs/telemetry.md):

\b
  preau reconcile --replay --state /book/reconcile.book --publish

\b
Examples:
  preau reconcile
  preau reconcile --wait 60 --state reconcile.book
  preau reconcile --service metrics --json
  preau reconcile --metrics /var/lib/node_exporter/preau.prom
"""


@click.command(help=HELP)
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(tuple(PUBLISHERS)),
    help="Only this one's facts and group; may be repeated. All when left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@click.option("--wait", type=float, help="Let it come to rest first, for so many seconds at most.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what was read of the log in this file, and read only what is new the next time.",
)
@click.option("--replay", is_flag=True, help="Rebuild read models from the log too, and compare.")
@click.option(
    "--publish", is_flag=True, help=f"Tell the figures to the collector at {ENDPOINT_VARIABLE}."
)
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file, for a node exporter to read.",
)
def reconcile(  # noqa: PLR0913  the options of one command
    *,
    services: tuple[str, ...],
    as_json: bool,
    wait: float | None,
    state: Path | None,
    replay: bool,
    publish: bool,
    metrics: Path | None,
) -> None:
    """Check, tell, publish, as `HELP` says."""
    if publish and not os.environ.get(ENDPOINT_VARIABLE):
        raise click.UsageError(f"--publish needs {ENDPOINT_VARIABLE}, where the collector listens.")
    kafka = _cluster()
    sources = [_source(name) for name in services or tuple(PUBLISHERS)]
    try:
        found = asyncio.run(_check(kafka, sources, wait, state, replay=replay))
    except InvalidLogIndex as error:
        raise click.UsageError(str(error)) from error
    except ReplayError as error:
        raise PlatformError(str(error)) from error
    except (Transient, NotFound, OSError, asyncpg.PostgresError, DBAPIError) as error:
        message = f"A server does not answer as it must ({type(error).__name__}: {error})"
        raise PlatformError(message, EXIT_UNREACHABLE) from error
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in found.lines():
            click.echo(line)
    _publish(ReconcileMetrics.from_report(found, utc_now()), metrics, publish=publish)
    if not found.clean:
        raise SystemExit(1)


def _publish(figures: ReconcileMetrics, metrics: Path | None, *, publish: bool) -> None:
    if metrics is not None:
        figures.write(metrics)
    if publish and not figures.push(os.environ):
        raise PlatformError("The collector did not take the figures", EXIT_UNREACHABLE)


def _cluster() -> Cluster:
    try:
        return kafka_cluster()
    except SettingError as error:
        raise PlatformError(str(error), EXIT_UNREACHABLE) from error


def _needed(name: str, what: str) -> str:
    found = operator_setting(name)
    if not found:
        raise PlatformError(
            f"{name} is not set ({what}), and no `make run` left it", EXIT_UNREACHABLE
        )
    return found


def _source(name: str) -> Source:
    owner = _needed(f"{name.upper()}_OWNER_URL", f"PostgreSQL's URL as {name}'s owner role")
    return source_of_service(name, owner, operator_setting(f"{name.upper()}_DATABASE_URL"))


async def _check(
    kafka: Cluster, sources: list[Source], wait: float | None, state: Path | None, *, replay: bool
) -> Report:
    log = KafkaLog(kafka)
    try:
        checker = Checker(log, sources, state, audit_keys=public_keys())
        found = await checker.check(wait)
    finally:
        await log.close()
    if replay:
        for source in sources:
            await _replay(kafka, source, found)
    return found


async def _replay(kafka: Cluster, source: Source, found: Report) -> None:
    """I6 again, by the service's own reactions: a replay of the log makes its read model."""
    bus = KafkaBus(kafka, client_id="preau-reconcile")
    rebuilder = Rebuilder(
        operator_setting(f"{source.service.upper()}_OWNER_URL") or "", bus, os.environ
    )
    try:
        replayed = await rebuilder.run(
            ReplayRequest(source.service, into=REBUILD_SCHEMA, compare=True)
        )
        await rebuilder.drop(REBUILD_SCHEMA)
    except NothingToRebuild:
        return
    except SettingError as error:
        found.add_note("I6", f"{source.service} was not replayed: {error}")
        return
    finally:
        await bus.close()
    name = source.service
    rows = sum(table.rows for table in replayed.tables)
    found.record_check(
        "I6", f"rows of {name} that a replay made of {replayed.events:,} events", rows
    )
    found.different[name] = replayed.differences
    for table in replayed.tables:
        for each in table.shown:
            found.report_violation(
                "I6", table.table, f"{name}: live {each.live}, the log {each.shadow}"
            )
        # The others are only counted.
        if more := table.differences - len(table.shown):
            found.counted["I6"] += more
    for failure in replayed.failed:
        found.report_violation("I6", name, f"a replay could not apply: {failure['cause']}")
