"""`python -m shared.kit.pod community [--role worker]`: what a pod runs."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import click
import uvloop

from shared.kit.run import ROLES, running
from shared.kit.serve import serve
from shared.kit.settings import SettingError
from shared.kit.telemetry.logs import configure


@click.command()
@click.argument("services", nargs=-1, required=True)
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="All by default.")
def main(services: tuple[str, ...], roles: tuple[str, ...]) -> None:
    """Run these SERVICES in one process; settings are environment variables.

    PREAU_KAFKA is the bootstrap address, PREAU_LISTEN and PREAU_PORT where to answer.
    """
    configure(os.environ.get("PREAU_LOG_LEVEL", "info"), os.environ.get("PREAU_LOG", ""))
    try:
        uvloop.run(_run(services, roles or ROLES))
    except SettingError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


async def _run(services: Sequence[str], roles: Sequence[str]) -> None:
    stop = asyncio.Event()
    for received in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(received, stop.set)
    kafka = os.environ.get("PREAU_KAFKA")
    if not kafka:
        raise SettingError("PREAU_KAFKA is not set: the address of a Kafka broker, host:port.")
    async with running(services, os.environ, kafka, roles) as everything:
        listen = os.environ.get("PREAU_LISTEN", "127.0.0.1")
        serving = await serve(everything, listen, int(os.environ.get("PREAU_PORT", "8000")))
        await stop.wait()
        await serving.stop()


if __name__ == "__main__":
    main()
