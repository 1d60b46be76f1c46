"""`python -m shared.kit.runtime community [--role worker]`: the command of a pod."""

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

    PREAU_KAFKA is the bootstrap address, PREAU_LISTEN and PREAU_PORT the public address,
    PREAU_INNER_LISTEN and PREAU_INNER_PORT the address of metrics and detailed health.
    """
    configure_logging(os.environ.get("PREAU_LOG_LEVEL", "info"), os.environ.get("PREAU_LOG", ""))
    try:
        uvloop.run(_run(services, roles or ROLES))
    except SettingError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


async def _run(services: Sequence[str], roles: Sequence[str]) -> None:
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    kafka = os.environ.get("PREAU_KAFKA")
    if not kafka:
        raise SettingError("PREAU_KAFKA is not set: the address of a Kafka broker, host:port.")
    listen_settings = ListenSettings.from_environment(os.environ)
    async with build_services(services, os.environ, kafka) as group:
        # Before the services start: health checks can report which server the start waits for.
        http_servers = await start_http_servers(group.services, listen_settings)
        try:
            if await _start_unless_stopped(stop, group.start(roles)):
                await stop.wait()
        finally:
            await http_servers.stop()


async def _start_unless_stopped(stop: asyncio.Event, start: Coroutine[Any, Any, None]) -> bool:
    """Run the start; a stop signal cancels it. Return whether the start completed."""
    start_task, stop_task = asyncio.create_task(start), asyncio.create_task(stop.wait())
    await asyncio.wait({start_task, stop_task}, return_when=asyncio.FIRST_COMPLETED)
    stop_task.cancel()
    if not start_task.done():
        start_task.cancel()
        await asyncio.wait({start_task})
        return False
    await start_task
    return True


if __name__ == "__main__":
    main()
