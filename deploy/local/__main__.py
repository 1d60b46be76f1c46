"""`python -m deploy.local fetch|up|down|run|demo`: the commands of the Makefile."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from deploy.local.artifacts import cache_folder
from deploy.local.choices import ServerChoices
from deploy.local.errors import StackError
from deploy.local.fetch import fetch_artifacts, lock_artifacts
from deploy.local.home import home_folder, stop_running_stack
from deploy.local.stack import Stack

FAILED = 1


def home() -> Path:
    """Return the data folder: `PREAU_HOME`, else `.preau`."""
    return home_folder(os.environ)


def port() -> int:
    """Return the platform's public port: `PREAU_PORT`, else 8000."""
    text = os.environ.get("PREAU_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004  the range of ports
        raise StackError(f"PREAU_PORT is {text!r}: it must be a port number, 1 to 65535.")
    return int(text)


@click.group()
def main() -> None:
    """Run Préau on this machine with real Kafka, PostgreSQL and Redis."""


@main.command()
def fetch() -> None:
    """Download the jars of Kafka that are missing, and verify all."""
    fetch_artifacts(cache_folder(os.environ))


@main.command()
def lock() -> None:
    """Resolve jgo.toml again and write its lock."""
    click.echo(f"{lock_artifacts()} artifacts locked.")


@main.command()
def up() -> None:
    """Start the three servers only; Ctrl-C stops them."""
    # A requested stop is no failure.
    with suppress(asyncio.CancelledError):
        asyncio.run(_up())


@main.command()
def run() -> None:
    """Start the three servers and the five services; Ctrl-C stops them all."""
    from deploy.local.platform import run_platform  # noqa: PLC0415  needs the services

    sys.exit(run_platform(home(), port(), ServerChoices.from_environment(os.environ)))


@main.command()
def demo() -> None:
    """Play a day on the platform and print what happened."""
    from deploy.local.demo import play_demo  # noqa: PLC0415  needs the services

    sys.exit(play_demo(home(), port(), ServerChoices.from_environment(os.environ)))


@main.command()
def down() -> None:
    """Stop the stack or platform of this data folder, and wait for its end."""
    pid = stop_running_stack(home())
    click.echo("Nothing runs on this data folder." if pid is None else f"Stopped process {pid}.")


async def _up() -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  for mypy: a coroutine runs in a task
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)
    choices = ServerChoices.from_environment(os.environ)
    stack = Stack(home(), choices)
    async with stack as addresses:
        for line in addresses.summary_lines(choices):
            click.echo(line)
        click.echo(f"The passwords are in {home() / 'secrets.json'}. Ctrl-C stops them.")
        raise await stack.wait_for_failure()


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        click.echo(f"{error}", err=True)
        sys.exit(FAILED)
