"""`python -m shared.kit.runtime community [--role worker]`: what a pod runs."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import click
import uvloop

from shared.kit.core.settings import SettingError
from shared.kit.runtime.http_server import start_http_servers
from shared.kit.runtime.listen_settings import ListenSettings
from shared.kit.runtime.runner import ROLES, build_services
from shared.kit.telemetry.logs import configure_logging


@click.command()
@click.argument("services", nargs=-1, required=True)
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="All by default.")
def main(services: tuple[str, ...], roles: tuple[str, ...]) -> None:
    """Run these SERVICES in one process; settings are environment variables.

    PREAU_KAFKA is the bootstrap address, PREAU_LISTEN and PREAU_PORT where to answer,
    PREAU_INNER_LISTEN and PREAU_INNER_PORT where to serve metrics and detailed health.
    """
    configure_logging(os.environ.get("PREAU_LOG_LEVEL", "info"), os.environ.get("PREAU_LOG", ""))
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
    at = ListenSettings.from_environment(os.environ)
    async with build_services(services, os.environ, kafka) as parts:
        # First of all: who waits for a server that is away can be asked about it.
        serving = await start_http_servers(parts.services, at)
        try:
            if await _unless(stop, parts.start(roles)):
                await stop.wait()
        finally:
            await serving.stop()


async def _unless(stop: asyncio.Event, starting: Coroutine[Any, Any, None]) -> bool:
    """Start, or give up at once when told to stop; say whether it was started."""
    task, stopping = asyncio.create_task(starting), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        return False
    await task
    return True


if __name__ == "__main__":
    main()
