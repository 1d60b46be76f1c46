"""`preau reconcile`: is every fact where it must be, once? Reads only."""

import asyncio
from pathlib import Path

import asyncpg
import click
import msgspec

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.client import NOT_REACHED, PlatformError
from shared.kit.errors import NotFound, Transient
from shared.kit.operator_env import address
from shared.kit.reconcile.book import WrongBook
from shared.kit.reconcile.check import Checker
from shared.kit.reconcile.log import KafkaLog
from shared.kit.reconcile.report import Report
from shared.kit.reconcile.source import Source, declared


@click.command()
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
def reconcile(
    *, services: tuple[str, ...], as_json: bool, wait: float | None, state: Path | None
) -> None:
    """Check the log, the outboxes and what every group made of them against each other.

    Exit code 0: nothing is broken; 1: violations; 3: a server does not answer.
    Needs PREAU_KAFKA and <SERVICE>_OWNER_URL; a platform of `make run` leaves them in its data
    folder (PREAU_HOME). It only reads. It may run beside a living platform: what is still on its
    way is told as lag, not as a violation, unless --wait asks for rest. With --state, a run that
    was ended goes on where it stood; the file takes about 150 bytes a record.

    \b
    Examples:
      preau reconcile
      preau reconcile --wait 60 --state reconcile.book
      preau reconcile --service metrics --json
    """
    kafka = _needed("PREAU_KAFKA", "the addresses of the brokers")
    sources = [_source(name) for name in services or tuple(PUBLISHERS)]
    try:
        found = asyncio.run(_check(kafka, sources, wait, state))
    except WrongBook as error:
        raise click.UsageError(str(error)) from error
    except (Transient, NotFound, OSError, asyncpg.PostgresError) as error:
        message = f"A server does not answer as it must ({type(error).__name__}: {error})"
        raise PlatformError(message, NOT_REACHED) from error
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in found.lines():
            click.echo(line)
    if not found.clean:
        raise SystemExit(1)


def _needed(name: str, what: str) -> str:
    found = address(name)
    if not found:
        raise PlatformError(f"{name} is not set ({what}), and no `make run` left it", NOT_REACHED)
    return found


def _source(name: str) -> Source:
    owner = _needed(f"{name.upper()}_OWNER_URL", f"PostgreSQL's URL as {name}'s owner role")
    return declared(name, owner, address(f"{name.upper()}_DATABASE_URL"))


async def _check(
    kafka: str, sources: list[Source], wait: float | None, state: Path | None
) -> Report:
    log = KafkaLog(kafka)
    try:
        return await Checker(log, sources, state).check(wait)
    finally:
        await log.close()
