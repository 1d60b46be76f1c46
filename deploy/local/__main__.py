"""`python -m deploy.local fetch|up|down|run|demo`: what the Makefile's verbs call."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from deploy.local.artifacts import cache_folder
from deploy.local.choices import Choices
from deploy.local.errors import StackError
from deploy.local.fetch import fetch as fetch_artifacts
from deploy.local.fetch import lock as lock_artifacts
from deploy.local.home import home_folder, running_stack
from deploy.local.stack import Stack

FAILED = 1


def home() -> Path:
    """Give the data folder: `PREAU_HOME`, else `.preau`."""
    return home_folder(os.environ)


def port() -> int:
    """Give the platform's one port: `PREAU_PORT`, else 8000."""
    text = os.environ.get("PREAU_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004  the range of ports
        raise StackError(f"PREAU_PORT is {text!r}: it must be a port number, 1 to 65535.")
    return int(text)


@click.group()
def main() -> None:
    """Run Préau on this machine, on real Kafka, PostgreSQL and Redis."""


@main.command()
def fetch() -> None:
    """Bring the jars of Kafka and the Redis server; check what is already here."""
    fetch_artifacts(cache_folder(os.environ))


@main.command()
def lock() -> None:
    """Resolve jgo.toml again and write its lock."""
    click.echo(f"{lock_artifacts()} artifacts locked.")


@main.command()
def up() -> None:
    """Start the three servers only; Ctrl-C stops them."""
    asyncio.run(_up())


@main.command()
def run() -> None:
    """Start the three servers and the five services; Ctrl-C stops them all."""
    from deploy.local.platform import run as run_platform  # noqa: PLC0415  needs the services

    sys.exit(run_platform(home(), port(), Choices.from_environment(os.environ)))


@main.command()
def demo() -> None:
    """Play a day on the platform and say what happened."""
    from deploy.local.demo import play  # noqa: PLC0415  needs the services

    sys.exit(play(home(), port(), Choices.from_environment(os.environ)))


@main.command()
def down() -> None:
    """Stop a platform that runs on this data folder."""
    pid = running_stack(home())
    if pid is None:
        click.echo("Nothing runs on this data folder.")
        return
    os.kill(pid, signal.SIGTERM)
    click.echo(f"Asked process {pid} to stop.")


async def _up() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for received in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(received, stop.set)
    async with Stack(home(), Choices.from_environment(os.environ)) as addresses:
        click.echo(f"Kafka       {addresses.kafka}")
        click.echo(f"Redis       {addresses.redis}")
        click.echo(f"PostgreSQL  {addresses.postgres}")
        click.echo("Ctrl-C stops them.")
        await stop.wait()


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        click.echo(f"{error}", err=True)
        sys.exit(FAILED)
