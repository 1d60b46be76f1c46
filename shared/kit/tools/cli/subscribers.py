"""`preau subscribers`: Kafka users with which other systems read events."""

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
    """Let other systems read events from Kafka, each with its own read-only user.

    \b
    Needs PREAU_KAFKA and the login of Kafka's administrator (OPERATOR_KAFKA_USERNAME,
    OPERATOR_KAFKA_PASSWORD); `make run` writes them to its data folder (PREAU_HOME).

    \b
    Examples:
      preau subscribers add my-system --topics community.space,metrics.alert
      preau subscribers list
      preau subscribers remove my-system
    """


@subscribers.command()
@click.argument("name")
@click.option("--topics", required=True, help="Topics that it may read, separated by commas.")
@click.option("--personal-data", is_flag=True, help="Allow topics with personal data.")
def add(name: str, *, topics: str, personal_data: bool) -> None:
    """Create the user NAME and print its password. It is printed once and stored nowhere.

    The user may read these topics in the consumer group NAME and in groups that begin with `NAME.`.

    \b
    Example: preau subscribers add my-system --topics community.post --personal-data
    """
    topic_names = sorted({topic.strip() for topic in topics.split(",") if topic.strip()})
    try:
        check_request(name, topic_names, personal_data=personal_data)
    except RefusedSubscriber as error:
        raise click.UsageError(f"{error}.") from error
    password = _run(lambda access: add_subscriber(access, name, topic_names))
    click.echo(
        f"{name} may read {', '.join(topic_names)}. It logs in with SCRAM-SHA-256:", err=True
    )
    click.echo(password)


@subscribers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_(*, as_json: bool) -> None:
    """List subscribers and the topics that they may read."""
    rows = _run(list_subscribers)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row.name:24} {', '.join(row.topics)}")
    if not rows:
        click.echo("There are no subscribers.", err=True)


@subscribers.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the user NAME; its connections end at once.

    \b
    Example: preau subscribers remove my-system
    """
    _run(lambda access: remove_subscriber(access, name))
    click.echo(f"removed: {name}")


def _run(action: Callable[[Access], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connect_as_admin(kafka_cluster()) as access:
            return await action(access)

    try:
        return asyncio.run(run())
    except (RefusedSubscriber, SettingError) as error:
        raise PlatformError(f"{error}") from error
    except (Transient, TimeoutError) as error:
        raise PlatformError(
            f"Kafka does not answer ({error}); try again", EXIT_UNREACHABLE
        ) from error
