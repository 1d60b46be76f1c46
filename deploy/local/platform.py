"""The whole platform on this machine: three servers, five services, one process, two ports."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click
import uvloop
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local import kafka_users
from deploy.local.choices import ServerChoices
from deploy.local.errors import StackError
from deploy.local.home import choose_ports, is_free, make_home
from deploy.local.seed import ADMINISTRATOR, PEOPLE, SLUG, Person, SeededTenant, seed_first_tenant
from deploy.local.stack import Stack, StackAddresses
from services.identity.features import Features, build_features
from services.identity.settings import IdentitySettings
from shared.contracts.catalogue import PUBLISHERS
from shared.contracts.identity import Role
from shared.kit.core.access_tokens import LIFETIME_SECONDS
from shared.kit.database.audit.signing import public_pem
from shared.kit.database.migrations import migrate
from shared.kit.runtime.http_server import start_http_servers
from shared.kit.runtime.listen_settings import ListenSettings
from shared.kit.runtime.runner import RunningService, build_host, run_services
from shared.kit.telemetry.logs import configure_logging
from shared.kit.tools.cli.audit import PUBLIC_KEYS_VARIABLE

LISTEN_HOST = "127.0.0.1"
TOKEN_FILE = "operator.token"  # noqa: S105  the name of a file
OPERATOR_ENV_FILE = "operator.env"
SERVICE_NAMES = tuple(PUBLISHERS)
_HANDED_ON = (
    "PREAU_SHED_",
    "PREAU_LIMIT_",
    "PREAU_INBOX_",
    "IDENTITY_GUESSES_",
    "MODERATION_SCREENING_",
)


@dataclass(frozen=True)
class Platform:
    """A platform that runs."""

    url: str
    seeded: SeededTenant
    stack: Stack
    inner_url: str
    """Where metrics and detailed health are, for whoever runs it."""
    server_lines: list[str]
    services: list[RunningService]
    startup_seconds: float


def run_platform(home: Path, port: int, choices: ServerChoices) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status."""
    configure_logging(os.environ.get("PREAU_LOG_LEVEL", "warning"), os.environ.get("PREAU_LOG", ""))
    return uvloop.run(_run(home, port, choices))


async def _run(home: Path, port: int, choices: ServerChoices) -> int:
    stop = asyncio.Event()
    for received in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(received, stop.set)
    async with start_platform(home, port, choices) as started:
        _welcome(started)
        failure = asyncio.create_task(started.stack.wait_for_failure())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({failure, stopped}, return_when=asyncio.FIRST_COMPLETED)
        failure.cancel()
        if not stopped.done():
            stopped.cancel()
            click.echo(str(failure.result()), err=True)
            return 1
        click.echo("\nStopping: nothing in hand is lost.")
    return 0


@asynccontextmanager
async def start_platform(home: Path, port: int, choices: ServerChoices) -> AsyncIterator[Platform]:
    """Start everything, seed the first tenant once, and stop everything when left."""
    began = time.monotonic()
    make_home(home)
    if not is_free(port):
        raise StackError(f"Port {port} is in use: free it, or set PREAU_PORT to another.")
    stack = Stack(home, choices)
    async with stack as addresses:
        environment = _environment(home, port, addresses)
        _write_private(home / OPERATOR_ENV_FILE, _operator_addresses(addresses, environment))
        # One after the other: Alembic's `op` is one for the whole process.
        for name in SERVICE_NAMES:
            await migrate(name, addresses.database_url(name, "owner"))
        async with run_services(SERVICE_NAMES, environment, addresses.kafka) as services:
            own = _features(environment, addresses, services)
            seeded = await seed_first_tenant(own, home)
            renewal = asyncio.create_task(_renew_token(own, seeded, home))
            at = _listening(home, port)
            serving = await start_http_servers(services, at)
            try:
                url, inner = f"http://{LISTEN_HOST}:{port}", f"http://{LISTEN_HOST}:{at.inner_port}"
                seconds, lines = time.monotonic() - began, addresses.summary_lines(choices)
                yield Platform(url, seeded, stack, inner, lines, services, seconds)
            finally:
                renewal.cancel()
                with suppress(asyncio.CancelledError):
                    await renewal
                await serving.stop()


def _listening(home: Path, port: int) -> ListenSettings:
    """Listen on the loopback address only; the inner port is the next one, if that is free."""
    asked = os.environ.get("PREAU_INNER_PORT")
    settings = ListenSettings.from_environment({**os.environ, "PREAU_PORT": str(port)})
    inner = settings.inner_port
    if not is_free(inner):
        if asked:
            raise StackError(f"Port {inner} is in use: set PREAU_INNER_PORT to another.")
        inner = choose_ports(home, {"inner": None})["inner"]
    return replace(settings, host=LISTEN_HOST, inner_host=LISTEN_HOST, inner_port=inner)


def _environment(home: Path, port: int, addresses: StackAddresses) -> Mapping[str, str]:
    known = {"OTEL_EXPORTER_OTLP_ENDPOINT", "PREAU_TRACE_SAMPLE", "PREAU_TRUSTED_PROXIES"}
    found = {
        name: value
        for name, value in os.environ.items()
        if name in known or name.startswith(_HANDED_ON)
    }
    found["PREAU_PUBLIC_DOCS"] = os.environ.get("PREAU_PUBLIC_DOCS") or "1"
    # A stable name: a restart resumes at once instead of after the old session's end.
    found["PREAU_INSTANCE"] = "local"
    found["PREAU_JWKS_URL"] = f"http://{LISTEN_HOST}:{port}/identity/.well-known/jwks.json"
    found["IDENTITY_SIGNING_KEY"] = _kept(home / "signing-key.pem", _new_signing_key)
    found["MODERATION_SEAL_KEY"] = _kept(home / "seal.key", lambda: Fernet.generate_key().decode())
    found["PREAU_AUDIT_KEY"] = _kept(home / "audit-key.pem", _new_signing_key)
    found |= addresses.kafka_variables(*SERVICE_NAMES)
    found["PREAU_REDIS_URL"] = addresses.redis
    for name in SERVICE_NAMES:
        found[f"{name.upper()}_DATABASE_URL"] = addresses.database_url(name, "app")
        found[f"{name.upper()}_RELAY_URL"] = addresses.database_url(name, "relay")
    return found


def _operator_addresses(addresses: StackAddresses, environment: Mapping[str, str]) -> str:
    """Return where the servers are, for operators' commands such as `preau migrate`."""
    found = {"PREAU_KAFKA": addresses.kafka, **addresses.kafka_variables(kafka_users.ADMIN)}
    found[PUBLIC_KEYS_VARIABLE] = public_pem(environment["PREAU_AUDIT_KEY"]).replace("\n", "\\n")
    for name in SERVICE_NAMES:
        found[f"{name.upper()}_OWNER_URL"] = addresses.database_url(name, "owner")
        found[f"{name.upper()}_DATABASE_URL"] = addresses.database_url(name, "app")
    return "".join(f"{name}={value}\n" for name, value in found.items())


def _new_signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Read a secret of this data folder, made at the first start."""
    if not path.exists():
        _write_private(path, make())
    return path.read_text(encoding="ascii")


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="ascii")
    partial.replace(path)


def _features(
    environment: Mapping[str, str], addresses: StackAddresses, services: list[RunningService]
) -> Features:
    identity = next(each.service for each in services if each.service.name == "identity")
    settings = IdentitySettings.from_environment(environment)
    host = build_host("identity", environment, addresses.kafka)
    return build_features(host, settings, identity.database)


async def _renew_token(own: Features, seeded: SeededTenant, home: Path) -> None:
    """Keep an access token of the operator's in the data folder, for `preau`."""
    while True:
        token = own.sessions.tokens.access.sign_access(seeded.tenant, seeded.operator, "local")
        _write_private(home / TOKEN_FILE, token)
        await asyncio.sleep(LIFETIME_SECONDS / 2)


def _welcome(started: Platform) -> None:
    click.echo(f"Préau is ready after {started.startup_seconds:.1f} s at {started.url}\n")
    for line in started.server_lines:
        click.echo(f"  {line}")
    click.echo()
    for name in SERVICE_NAMES:
        click.echo(f"  {started.url}/{name}/docs")
    click.echo(
        f"  {started.inner_url}/health/ready, {started.inner_url}/<service>/metrics"
        " (this machine only)"
    )
    click.echo(f"\nSign in (tenant {SLUG}) as:")
    passwords = started.seeded.passwords
    for person in (*PEOPLE, Person("Anne", ADMINISTRATOR, Role.ADMINISTRATOR)):
        name = f"{person.role.value:18} {person.name}"
        click.echo(f"  {person.email:22} {passwords[person.email]:17} {name}")
    click.echo("\nNext: make demo · .venv/bin/preau status · Ctrl-C stops everything.")
