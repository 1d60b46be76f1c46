"""The whole platform on this machine: three servers, and five services in one process."""

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
_PASSED_PREFIXES = (
    "PREAU_SHED_",
    "PREAU_LIMIT_",
    "PREAU_INBOX_",
    "IDENTITY_GUESSES_",
    "MODERATION_SCREENING_",
)


@dataclass(frozen=True)
class Platform:
    """A running platform."""

    url: str
    seeded: SeededTenant
    stack: Stack
    inner_url: str
    """URL of metrics and detailed health, for operators."""
    server_lines: list[str]
    services: list[RunningService]
    startup_seconds: float


def run_platform(home: Path, port: int, choices: ServerChoices) -> int:
    """Run the platform until Ctrl-C or SIGTERM, and return the exit status."""
    configure_logging(os.environ.get("PREAU_LOG_LEVEL", "warning"), os.environ.get("PREAU_LOG", ""))
    return uvloop.run(_run(home, port, choices))


async def _run(home: Path, port: int, choices: ServerChoices) -> int:
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with start_platform(home, port, choices) as running_platform:
        _print_welcome(running_platform)
        failure = asyncio.create_task(running_platform.stack.wait_for_failure())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({failure, stopped}, return_when=asyncio.FIRST_COMPLETED)
        failure.cancel()
        if not stopped.done():
            stopped.cancel()
            click.echo(str(failure.result()), err=True)
            return 1
        click.echo("\nStopping: requests and events that were accepted are kept.")
    return 0


@asynccontextmanager
async def start_platform(home: Path, port: int, choices: ServerChoices) -> AsyncIterator[Platform]:
    """Run servers and services inside the context; the first start creates the first tenant."""
    start = time.monotonic()
    make_home(home)
    if not is_free(port):
        raise StackError(f"Port {port} is in use: free it, or set PREAU_PORT to another.")
    stack = Stack(home, choices)
    async with stack as addresses:
        environment = service_environment(home, port, addresses)
        _write_private(home / OPERATOR_ENV_FILE, operator_environment(addresses, environment))
        # Not concurrently. Trap: Alembic's `op` is global in a process.
        for name in SERVICE_NAMES:
            await migrate(name, addresses.database_url(name, "owner"))
        async with run_services(SERVICE_NAMES, environment, addresses.kafka) as services:
            identity = _identity_features(environment, addresses, services)
            seeded = await seed_first_tenant(identity, home)
            renewal = asyncio.create_task(_renew_token(identity, seeded, home))
            settings = _listen_settings(home, port)
            http_servers = await start_http_servers(services, settings)
            try:
                url, inner = (
                    f"http://{LISTEN_HOST}:{port}",
                    f"http://{LISTEN_HOST}:{settings.inner_port}",
                )
                seconds, lines = time.monotonic() - start, addresses.summary_lines(choices)
                yield Platform(url, seeded, stack, inner, lines, services, seconds)
            finally:
                renewal.cancel()
                with suppress(asyncio.CancelledError):
                    await renewal
                await http_servers.stop()


def _listen_settings(home: Path, port: int) -> ListenSettings:
    """Return loopback settings; the default inner port is the next one, or any free port."""
    requested = os.environ.get("PREAU_INNER_PORT")
    settings = ListenSettings.from_environment({**os.environ, "PREAU_PORT": str(port)})
    inner = settings.inner_port
    if not is_free(inner):
        if requested:
            raise StackError(f"Port {inner} is in use: set PREAU_INNER_PORT to another.")
        inner = choose_ports(home, {"inner": None})["inner"]
    return replace(settings, host=LISTEN_HOST, inner_host=LISTEN_HOST, inner_port=inner)


def service_environment(home: Path, port: int, addresses: StackAddresses) -> Mapping[str, str]:
    passed_names = {"OTEL_EXPORTER_OTLP_ENDPOINT", "PREAU_TRACE_SAMPLE", "PREAU_TRUSTED_PROXIES"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in passed_names or name.startswith(_PASSED_PREFIXES)
    }
    environment["PREAU_PUBLIC_DOCS"] = os.environ.get("PREAU_PUBLIC_DOCS") or "1"
    # A static group member: a restart continues at once, not after the old session's timeout.
    environment["PREAU_INSTANCE"] = "local"
    environment["PREAU_JWKS_URL"] = f"http://{LISTEN_HOST}:{port}/identity/.well-known/jwks.json"
    environment["IDENTITY_SIGNING_KEY"] = _load_or_create_secret(
        home / "signing-key.pem", _new_signing_key
    )
    environment["MODERATION_SEAL_KEY"] = _load_or_create_secret(
        home / "seal.key", lambda: Fernet.generate_key().decode()
    )
    environment["PREAU_AUDIT_KEY"] = _load_or_create_secret(
        home / "audit-key.pem", _new_signing_key
    )
    environment |= addresses.kafka_variables(*SERVICE_NAMES)
    environment["PREAU_REDIS_URL"] = addresses.redis
    for name in SERVICE_NAMES:
        environment[f"{name.upper()}_DATABASE_URL"] = addresses.database_url(name, "app")
        environment[f"{name.upper()}_RELAY_URL"] = addresses.database_url(name, "relay")
    return environment


def operator_environment(addresses: StackAddresses, services: Mapping[str, str]) -> str:
    """Return the variables of operator commands, such as `preau migrate`, as `NAME=value` lines."""
    environment = {"PREAU_KAFKA": addresses.kafka, **addresses.kafka_variables(kafka_users.ADMIN)}
    environment[PUBLIC_KEYS_VARIABLE] = public_pem(services["PREAU_AUDIT_KEY"]).replace("\n", "\\n")
    for name in SERVICE_NAMES:
        environment[f"{name.upper()}_OWNER_URL"] = addresses.database_url(name, "owner")
        environment[f"{name.upper()}_DATABASE_URL"] = addresses.database_url(name, "app")
    return "".join(f"{name}={value}\n" for name, value in environment.items())


def _new_signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _load_or_create_secret(path: Path, make: Callable[[], str]) -> str:
    """Read a secret of the data folder; the first start creates it."""
    if not path.exists():
        _write_private(path, make())
    return path.read_text(encoding="ascii")


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="ascii")
    partial.replace(path)


def _identity_features(
    environment: Mapping[str, str], addresses: StackAddresses, services: list[RunningService]
) -> Features:
    identity = next(s.service for s in services if s.service.name == "identity")
    settings = IdentitySettings.from_environment(environment)
    host = build_host("identity", environment, addresses.kafka)
    return build_features(host, settings, identity.database)


async def _renew_token(features: Features, seeded: SeededTenant, home: Path) -> None:
    """Write a fresh access token of the operator to the data folder, for `preau`, repeatedly."""
    while True:
        token = features.sessions.tokens.access.sign_access(seeded.tenant, seeded.operator, "local")
        _write_private(home / TOKEN_FILE, token)
        await asyncio.sleep(LIFETIME_SECONDS / 2)


def _print_welcome(platform: Platform) -> None:
    click.echo(f"Préau is ready after {platform.startup_seconds:.1f} s at {platform.url}\n")
    for line in platform.server_lines:
        click.echo(f"  {line}")
    click.echo()
    for name in SERVICE_NAMES:
        click.echo(f"  {platform.url}/{name}/docs")
    click.echo(
        f"  {platform.inner_url}/health/ready, {platform.inner_url}/<service>/metrics"
        " (this machine only)"
    )
    click.echo(f"\nSign in (tenant {SLUG}) as:")
    passwords = platform.seeded.passwords
    for person in (*PEOPLE, Person("Anne", ADMINISTRATOR, Role.ADMINISTRATOR)):
        name = f"{person.role.value:18} {person.name}"
        click.echo(f"  {person.email:22} {passwords[person.email]:17} {name}")
    click.echo("\nNext: make demo · .venv/bin/preau status · Ctrl-C stops everything.")
