"""Assemble a service: the steps that every `main.build` shares."""

from collections.abc import Awaitable, Callable, Sequence

import sqlalchemy as sa
from fastapi import APIRouter

from shared.contracts.event import Fact
from shared.contracts.ids import EventId
from shared.kit.core.host import Host
from shared.kit.core.reactions import AnyBoundReaction
from shared.kit.core.settings import SettingError
from shared.kit.database.audit.signing import AuditSigner, NotAnEd25519Key
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database
from shared.kit.database.overload import LoadMonitor
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.limiting.fallback import FallbackLimiter, open_limiter
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.runtime.service import ASGIApp, Job, Resource, Service
from shared.kit.runtime.settings import Settings
from shared.kit.telemetry.messaging import record_create_span
from shared.kit.telemetry.prometheus import metrics_routes
from shared.kit.telemetry.sql import instrument_engine
from shared.kit.web.app import inner_app, web_app
from shared.kit.web.context import AppContext, RightsReader
from shared.kit.web.health import health_routes
from shared.kit.web.operating import operating_routes
from shared.kit.web.routes import Routes
from shared.kit.web.tokens import JwksVerifier

_COUNT_OUTBOX = sa.text("SELECT count(*) FROM outbox")
_PING = sa.text("SELECT 1")


def open_database(name: str, host: Host, settings: Settings) -> Database:
    """Create the service's `Database` with its telemetry; it is not connected yet."""

    def trace(fact: Fact, event_id: EventId, parent: str | None) -> str | None:
        return record_create_span(
            host.telemetry, fact.wire_type(), fact.TOPIC, str(event_id), parent
        )

    load_monitor = LoadMonitor(f"preau-{name}", settings.load_limits(), host.telemetry)
    database = Database(
        name,
        settings.database_url,
        clock=host.clock,
        new_id=host.new_id,
        trace=trace,
        load_monitor=load_monitor,
    )
    instrument_engine(database.engine, host.telemetry)
    return database


def assemble_service(  # noqa: PLR0913  the parts of a service, by name
    name: str,
    host: Host,
    settings: Settings,
    database: Database,
    batched: BatchedDatabase,
    features: Sequence[Routes],
    *,
    rights: RightsReader,
    reactions: tuple[AnyBoundReaction, ...] = (),
    replay_only_reactions: tuple[AnyBoundReaction, ...] = (),
    jobs: tuple[Job, ...] = (),
    extra_routers: Sequence[APIRouter] = (),
    limiter: FallbackLimiter | None = None,
    resources: tuple[Resource, ...] = (),
) -> Service:
    """Build a service: its consumer, its public application and its inner application.

    `limiter` limits the routes too; without one, a limiter is opened. The limiter and `resources`
    are closed when the service stops.
    """
    limiter = limiter or open_limiter(settings.redis_url, host.telemetry)
    consumer = _build_consumer(name, host, settings, database, reactions)
    rates = RateCounter(name, limiter.redis)
    context = _build_context(host, settings, batched, rights, rates)
    operating = operating_routes(lambda: consumer, host.bus, _count_outbox(database))
    http = web_app(
        *(name, context, features, [operating, *extra_routers]),
        limits=settings.route_limits(),
        public_docs=settings.public_docs,
    )
    return Service(
        *(name, http, database, settings.relay_url, consumer, jobs, replay_only_reactions),
        resources=(*resources, rates, limiter),
        audit_signer=_read_audit_signer(name, settings),
        inner=_build_inner_app(host, database, limiter),
    )


def _read_audit_signer(name: str, settings: Settings) -> AuditSigner | None:
    """Read the key that signs audit heads. Raises `SettingError` for an invalid key."""
    if settings.audit_key is None:
        return None
    try:
        return AuditSigner.from_pem(name, settings.audit_key)
    except NotAnEd25519Key as error:
        meaning = "an Ed25519 private key in PEM: openssl genpkey -algorithm ed25519"
        raise SettingError(
            f"{name.upper()}_AUDIT_KEY is wrong ({error}): give {meaning}."
        ) from None


def _build_context(
    host: Host,
    settings: Settings,
    batched: BatchedDatabase,
    rights: RightsReader,
    rates: RateCounter,
) -> AppContext:
    verifier = JwksVerifier(
        settings.jwks_url, issuer=settings.issuer, audience=settings.audience, clock=host.clock
    )
    return AppContext(host, batched, verifier, rights, settings.proxies(), rates)


def _build_inner_app(host: Host, database: Database, limiter: FallbackLimiter) -> ASGIApp:
    """Build the application of the inner port: detailed health and metrics."""
    health = health_routes(
        {}, {}, {"database": _check_database(database)}, {"limits": limiter.state}
    )
    return inner_app(health, metrics_routes(host.telemetry))


def _build_consumer(
    name: str,
    host: Host,
    settings: Settings,
    database: Database,
    reactions: tuple[AnyBoundReaction, ...],
) -> BatchConsumer | None:
    if not reactions:
        return None
    return BatchConsumer(
        group=name,
        database=database,
        reactions=reactions,
        bus=host.bus,
        clock=host.clock,
        telemetry=host.telemetry,
        retry_limits=settings.retry_limits(),
    )


def _count_outbox(database: Database) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        (row,) = await database.execute_once(_COUNT_OUTBOX)
        return int(row[0])

    return count


def _check_database(database: Database) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        try:
            await database.execute_once(_PING)
        except Exception as error:  # noqa: BLE001  every error is reported
            return f"{type(error).__name__}"
        return None

    return check
