"""`preau audit`: verify that the audit records of people's actions are unchanged."""

import asyncio

import asyncpg
import click
import msgspec

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster
from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.settings import SettingError
from shared.kit.database.audit.signing import AuditKeys, NotAnEd25519Key
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.operator_settings import kafka_cluster, operator_setting
from shared.kit.tools.reconcile.audit_chains import AuditedService, verify_audit
from shared.kit.tools.reconcile.log import KafkaLog
from shared.kit.tools.reconcile.report import Report

PUBLIC_KEYS_VARIABLE = "PREAU_AUDIT_PUBLIC_KEYS"


@click.group()
def audit() -> None:
    """Verify the audit records of people's actions."""


@audit.command()
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(tuple(PUBLISHERS)),
    help="Only this service; may be repeated. Default: all services.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def verify(services: tuple[str, ...], *, as_json: bool) -> None:
    """Compare every audit row with the signed ends of its chain in Kafka.

    \b
    Finds rows that were changed or removed, chains that were truncated, and chains or tables that
    are missing. Exit code 0: unchanged; 1: changed; 3: a server does not answer.
    Needs PREAU_KAFKA, <SERVICE>_OWNER_URL and PREAU_AUDIT_PUBLIC_KEYS (PEM, one after the other);
    `make run` writes them to its data folder (PREAU_HOME).

    \b
    Examples:
      preau audit verify
      preau audit verify --service identity --json
    """
    kafka = _require_cluster()
    sources = [
        AuditedService(
            name, _require_setting(f"{name.upper()}_OWNER_URL", f"PostgreSQL as {name}'s owner")
        )
        for name in services or tuple(PUBLISHERS)
    ]
    report = Report()
    try:
        asyncio.run(_verify(kafka, sources, public_keys(), report))
    except (Transient, NotFound, OSError, asyncpg.PostgresError) as error:
        message = f"A server does not answer as expected ({type(error).__name__}: {error})"
        raise PlatformError(message, EXIT_UNREACHABLE) from error
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        for line in report.lines():
            click.echo(line)
    if not report.clean:
        raise SystemExit(1)


def public_keys() -> AuditKeys:
    """Read the public keys that audit signatures may use; raises `click.UsageError` if invalid."""
    try:
        return AuditKeys.from_pems(
            (operator_setting(PUBLIC_KEYS_VARIABLE) or "").replace("\\n", "\n")
        )
    except NotAnEd25519Key as error:
        text = f"{PUBLIC_KEYS_VARIABLE} contains no Ed25519 public key in PEM format ({error})."
        raise click.UsageError(text) from None


async def _verify(
    kafka: Cluster, sources: list[AuditedService], keys: AuditKeys, report: Report
) -> None:
    log = KafkaLog(kafka)
    try:
        await verify_audit(log, sources, keys, report)
    finally:
        await log.close()


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
