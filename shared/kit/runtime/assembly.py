"""What every `main.build` does alike: open the database, put the service together."""

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

_WAITING = sa.text("SELECT count(*) FROM outbox")
_ANSWER = sa.text("SELECT 1")


def open_database(name: str, host: Host, settings: Settings) -> Database:
    """Describe the service's database; nothing is connected yet."""

    def trace(fact: Fact, event_id: EventId, parent: str | None) -> str | None:
        return record_create_span(
            host.telemetry, fact.wire_type(), fact.TOPIC, str(event_id), parent
        )

    pressure = LoadMonitor(f"preau-{name}", settings.load_limits(), host.telemetry)
    database = Database(
        name,
        settings.database_url,
        clock=host.clock,
        new_id=host.new_id,
        trace=trace,
        load_monitor=pressure,
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
    """Put a service together: its consumer, and its web application with all it serves alike.

    `limiter` counts for the routes too; one is opened if it is left out. It and `resources` are
    closed when the service stops.
    """
    limiter = limiter or open_limiter(settings.redis_url, host.telemetry)
    consumer = _consumer(name, host, settings, database, reactions)
    rates = RateCounter(name, limiter.redis)
    door = _door(host, settings, batched, rights, rates)
    operating = operating_routes(lambda: consumer, host.bus, _waiting(database))
    http = web_app(
        *(name, door, features, [operating, *extra_routers]),
        limits=settings.route_limits(),
        public_docs=settings.public_docs,
    )
    return Service(
        *(name, http, database, settings.relay_url, consumer, jobs, replay_only_reactions),
        resources=(*resources, rates, limiter),
        audit_signer=_audit_signer(name, settings),
        inner=_inner(host, database, limiter),
    )


def _audit_signer(name: str, settings: Settings) -> AuditSigner | None:
    """Read the key that signs audit heads. Raises `SettingError` when it is not one."""
    if settings.audit_key is None:
        return None
    try:
        return AuditSigner.from_pem(name, settings.audit_key)
    except NotAnEd25519Key as error:
        meaning = "an Ed25519 private key in PEM: openssl genpkey -algorithm ed25519"
        raise SettingError(
            f"{name.upper()}_AUDIT_KEY is wrong ({error}): give {meaning}."
        ) from None


def _door(
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


def _inner(host: Host, database: Database, limiter: FallbackLimiter) -> ASGIApp:
    """Build what the inner port answers for the service: its health and its numbers."""
    health = health_routes({}, {}, {"database": _answers(database)}, {"limits": limiter.state})
    return inner_app(health, metrics_routes(host.telemetry))


def _consumer(
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


def _waiting(database: Database) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        (row,) = await database.execute_once(_WAITING)
        return int(row[0])

    return count


def _answers(database: Database) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        try:
            await database.execute_once(_ANSWER)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
            return f"{type(error).__name__}"
        return None

    return check
