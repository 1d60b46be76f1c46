"""`preau reconcile`: check that every event was stored and applied exactly once."""

import asyncio
import os
from pathlib import Path

import asyncpg
import click
import msgspec
from sqlalchemy.exc import DBAPIError

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.clock import utc_now
from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.settings import SettingError
from shared.kit.telemetry.otel import ENDPOINT_VARIABLE
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.audit import public_keys
from shared.kit.tools.cli.operator_settings import kafka_cluster, operator_setting
from shared.kit.tools.cli.reconcile_metrics import ReconcileMetrics
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.log import KafkaLog
from shared.kit.tools.reconcile.log_index import InvalidLogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, source_of_service
from shared.kit.tools.replay.errors import NothingToRebuild, ReplayError
from shared.kit.tools.replay.rebuild import Rebuilder, ReplayRequest

REBUILD_SCHEMA = "reconcile"
"""PostgreSQL schema in which read models are rebuilt; dropped afterwards."""
HELP = """Compare the log, the outboxes and the tables of every consumer group with each other.

Exit code 0: no violations; 1: violations; 3: a server does not answer.
Needs PREAU_KAFKA and <SERVICE>_OWNER_URL; `make run` writes them to its data folder
(PREAU_HOME). It only reads, and may run while the platform runs: events that are not yet
applied count as lag, not as violations, unless you give --wait. With --state, an interrupted
run continues where it stopped; the file takes about 150 bytes a record.

--replay also compares read models with a replay of the log. It rebuilds each in a separate
schema, which is dropped at the end, and takes as long as `preau replay`. A service whose
settings are missing is left out, and the report says so.

Every night, as a CronJob of the cluster (with the credentials of the migrations and a volume
for the state file), with its results as metrics (`preau.reconcile.…`, docs/telemetry.md):

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
    help="Only this service's events and group; may be repeated. Default: all services.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@click.option("--wait", type=float, help="First wait until all is applied, for at most N seconds.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the index of the log in this file; the next run reads only new records.",
)
@click.option("--replay", is_flag=True, help="Rebuild read models from the log too, and compare.")
@click.option(
    "--publish", is_flag=True, help=f"Send the metrics to the collector at {ENDPOINT_VARIABLE}."
)
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the metrics to this file, for a node exporter to read.",
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
    """Check, print the report and publish its metrics; see `HELP`."""
    if publish and not os.environ.get(ENDPOINT_VARIABLE):
        raise click.UsageError(
            f"--publish needs {ENDPOINT_VARIABLE}, the address of the collector."
        )
    kafka = _require_cluster()
    sources = [_make_source(name) for name in services or tuple(PUBLISHERS)]
    try:
        report = asyncio.run(_run_checks(kafka, sources, wait, state, replay=replay))
    except InvalidLogIndex as error:
        raise click.UsageError(str(error)) from error
    except ReplayError as error:
        raise PlatformError(str(error)) from error
    except (Transient, NotFound, OSError, asyncpg.PostgresError, DBAPIError) as error:
        message = f"A server does not answer as expected ({type(error).__name__}: {error})"
        raise PlatformError(message, EXIT_UNREACHABLE) from error
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        for line in report.lines():
            click.echo(line)
    _publish(ReconcileMetrics.from_report(report, utc_now()), metrics, publish=publish)
    if not report.clean:
        raise SystemExit(1)


def _publish(report_metrics: ReconcileMetrics, metrics: Path | None, *, publish: bool) -> None:
    if metrics is not None:
        report_metrics.write(metrics)
    if publish and not report_metrics.push(os.environ):
        raise PlatformError(
            "The collector did not take the metrics; run the command again", EXIT_UNREACHABLE
        )


def _require_cluster() -> Cluster:
    try:
        return kafka_cluster()
    except SettingError as error:
        raise PlatformError(str(error), EXIT_UNREACHABLE) from error


def _require_setting(name: str, meaning: str) -> str:
    value = operator_setting(name)
    if not value:
        raise PlatformError(
            f"{name} is not set ({meaning}): set it, or start `make run` first", EXIT_UNREACHABLE
        )
    return value


def _make_source(name: str) -> Source:
    owner = _require_setting(
        f"{name.upper()}_OWNER_URL", f"PostgreSQL's URL as {name}'s owner role"
    )
    return source_of_service(name, owner, operator_setting(f"{name.upper()}_DATABASE_URL"))


async def _run_checks(
    kafka: Cluster, sources: list[Source], wait: float | None, state: Path | None, *, replay: bool
) -> Report:
    log = KafkaLog(kafka)
    try:
        checker = Checker(log, sources, state, audit_keys=public_keys())
        report = await checker.check(wait)
    finally:
        await log.close()
    if replay:
        for source in sources:
            await _check_by_replay(kafka, source, report)
    return report


async def _check_by_replay(kafka: Cluster, source: Source, report: Report) -> None:
    """I6 by replay: rebuild the service's read model from the log and compare."""
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
        report.add_note("I6", f"{source.service} was not replayed: {error}")
        return
    finally:
        await bus.close()
    name = source.service
    rows = sum(table.rows for table in replayed.tables)
    report.record_check(
        "I6", f"rows of {name} that a replay made of {replayed.events:,} events", rows
    )
    report.different[name] = replayed.differences
    for table in replayed.tables:
        for difference in table.shown:
            report.report_violation(
                "I6", table.table, f"{name}: live {difference.live}, the log {difference.shadow}"
            )
        # Differences beyond those listed are only counted.
        if more := table.differences - len(table.shown):
            report.counted["I6"] += more
    for failure in replayed.failed:
        report.report_violation("I6", name, f"a replay could not apply: {failure['cause']}")
