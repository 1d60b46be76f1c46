"""The three real servers, one of which can be killed and started again on its port and data."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from deploy.local import kafka, kafka_users, postgres
from deploy.local.choices import ServerName
from deploy.local.servers import ServerProcess
from deploy.local.stack import Stack, StackAddresses

HOST = "127.0.0.1"
RESTART_TIMEOUT_SECONDS = 60.0
"""Seconds: a broker that was killed waits for its old session's end."""


class Servers(Stack):
    """The stack, its broker with a second way in: the one that pods use, through our proxy."""

    def __init__(
        self, home: Path, *, proxied_port: int, advertised_port: int, disk_megabytes: int = 0
    ) -> None:
        """The broker listens on `proxied_port` for the proxy and advertises `advertised_port`.

        `small_disk` puts PostgreSQL's data on a disk of so many megabytes (needs `unshare -m`).
        """
        super().__init__(home)
        self._proxied_port, self._advertised_port, self._disk_megabytes = (
            proxied_port,
            advertised_port,
            disk_megabytes,
        )
        self.keep_data = False

    def _configure_kafka(self, listening: kafka.BrokerListener) -> None:
        """Open a second way in, for the same users. Java takes the last of two lines for a name."""
        clients = kafka_users.LISTENER
        direct, proxied = (
            f"{clients}://{HOST}:{listening.port}",
            f"PROXIED://{HOST}:{self._advertised_port}",
        )
        inner = (
            f"PROXIED://{HOST}:{self._proxied_port},CONTROLLER://{HOST}:{listening.controller_port}"
        )
        protocols = (clients, "PROXIED", "CONTROLLER")
        own = f"listener.name.{clients.lower()}."
        lines = {
            "listeners": f"{direct},{inner}",
            "advertised.listeners": f"{direct},{proxied}",
            "listener.security.protocol.map": ",".join(f"{n}:SASL_PLAINTEXT" for n in protocols),
        } | {
            f"listener.name.proxied.{name.removeprefix(own)}": value
            for name, value in listening.settings().items()
            if name.startswith(own)
        }
        with (kafka.kafka_folder(self._home) / "server.properties").open(
            "a", encoding="ascii"
        ) as file:
            file.writelines(f"{name}={value}\n" for name, value in lines.items())

    async def _start_embedded_postgres(self) -> str:
        if self._disk_megabytes and not postgres.data_folder(self._home).exists():
            await postgres.prepare_data_folder(
                self._home, self._passwords[postgres.ADMIN], self._lock_descriptors
            )
            await self._move_to_small_disk()
        return await super()._start_embedded_postgres()

    async def _move_to_small_disk(self) -> None:
        data_folder, moved_folder = postgres.data_folder(self._home), self._home / "postgres.moved"
        data_folder.rename(moved_folder)
        data_folder.mkdir()
        size = f"size={self._disk_megabytes}m"
        await run_command("mount", "-t", "tmpfs", "-o", size, "preau-small-disk", str(data_folder))
        await run_command("cp", "-a", f"{moved_folder}/.", str(data_folder))
        await run_command("rm", "-rf", str(moved_folder))
        with (data_folder / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write("max_wal_size = 256MB\n")

    async def stop_part(self, part: ServerName, how: signal.Signals) -> None:
        """Send a signal to the server itself, not to its supervisor; it is gone on return."""
        server = self._servers[part]
        for pid in child_pids(server.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        async with asyncio.timeout(RESTART_TIMEOUT_SECONDS):
            await server.wait_until_exit()

    async def start_part(self, part: ServerName) -> None:
        """Start a server again on its port and data; returns when it is ready."""
        starts = {
            "kafka": self._start_embedded_kafka,
            "postgres": self._start_embedded_postgres,
            "redis": self._start_redis,
        }
        async with asyncio.timeout(RESTART_TIMEOUT_SECONDS):
            while True:
                try:
                    await starts[part]()
                    return
                except Exception:
                    # The orphans of a killed postmaster hold its memory for a moment.
                    if not has_ended(self._servers[part]):
                        raise
                    await asyncio.sleep(0.3)

    async def __aenter__(self) -> StackAddresses:
        """Start the servers; after a failure, unmount the small disk."""
        try:
            return await super().__aenter__()
        except BaseException:
            await self._unmount_small_disk()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Stop the servers and unmount the small disk; its data are saved if `keep_data` is set."""
        await super().__aexit__()
        await self._unmount_small_disk()

    async def _unmount_small_disk(self) -> None:
        data_folder, kept_folder = postgres.data_folder(self._home), self._home / "postgres.kept"
        if self._disk_megabytes and data_folder.is_mount():
            if self.keep_data:
                await run_command("cp", "-a", str(data_folder), str(kept_folder))
            await run_command("umount", "-l", str(data_folder))
            if self.keep_data:
                data_folder.rmdir()
                kept_folder.rename(data_folder)


def has_ended(server: ServerProcess) -> bool:
    """Return whether a server has ended."""
    return server._process.poll() is not None


def child_pids(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


async def run_command(*command: str) -> None:
    """Run a command of the system; raises when it fails."""
    process = await asyncio.create_subprocess_exec(*command)
    status = await process.wait()
    if status != 0:
        raise OSError(f"{' '.join(command)}: exit status {status}")
