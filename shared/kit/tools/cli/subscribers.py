"""`preau subscribers`: users of Kafka with which other systems read facts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import click

from shared.kit.bus.kafka.access import Access, connect_as_admin
from shared.kit.bus.kafka.subscribers import (
    RefusedSubscriber,
    add_subscriber,
    check_request,
    list_subscribers,
    remove_subscriber,
)
from shared.kit.core.errors import Transient
from shared.kit.core.settings import SettingError
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.operator_settings import kafka_cluster

T = TypeVar("T")


@click.group()
def subscribers() -> None:
    """Let other systems read facts from Kafka, each with a user of its own that can only read.

    \b
    Needs PREAU_KAFKA and the login of Kafka's administrator (OPERATOR_KAFKA_USERNAME,
    OPERATOR_KAFKA_PASSWORD); a platform of `make run` leaves them in its data folder (PREAU_HOME).

    \b
    Examples:
      preau subscribers add my-system --topics community.space,metrics.alert
      preau subscribers list
      preau subscribers remove my-system
    """


@subscribers.command()
@click.argument("name")
@click.option("--topics", required=True, help="What it may read, with commas between.")
@click.option("--personal-data", is_flag=True, help="It may have topics that hold personal data.")
def add(name: str, *, topics: str, personal_data: bool) -> None:
    """Make the user NAME and print its password: once, for it is kept nowhere.

    It may read these topics, in the consumer group NAME and in groups that begin with `NAME.`.

    \b
    Example: preau subscribers add my-system --topics community.post --personal-data
    """
    wanted = sorted({topic.strip() for topic in topics.split(",") if topic.strip()})
    try:
        check_request(name, wanted, personal_data=personal_data)
    except RefusedSubscriber as error:
        raise click.UsageError(f"{error}.") from error
    password = _run(lambda access: add_subscriber(access, name, wanted))
    click.echo(f"{name} may read {', '.join(wanted)}. It logs in with SCRAM-SHA-256:", err=True)
    click.echo(password)


@subscribers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_(*, as_json: bool) -> None:
    """List subscribers and what they may read."""
    rows = _run(list_subscribers)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row.name:24} {', '.join(row.topics)}")
    if not rows:
        click.echo("There is none.", err=True)


@subscribers.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the user NAME; what it reads ends at once.

    \b
    Example: preau subscribers remove my-system
    """
    _run(lambda access: remove_subscriber(access, name))
    click.echo(f"removed: {name}")


def _run(act: Callable[[Access], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connect_as_admin(kafka_cluster()) as access:
            return await act(access)

    try:
        return asyncio.run(run())
    except (RefusedSubscriber, SettingError) as error:
        raise PlatformError(f"{error}") from error
    except (Transient, TimeoutError) as error:
        raise PlatformError(f"Kafka does not do it ({error})", EXIT_UNREACHABLE) from error
