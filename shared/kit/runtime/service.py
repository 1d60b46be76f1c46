"""The parts of a service that the runner starts and stops."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.kit.core.reactions import AnyBoundReaction
from shared.kit.database.audit.signing import AuditSigner
from shared.kit.database.database import Database
from shared.kit.inbox.consumer import BatchConsumer

ASGIApp = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """A periodic job: at most one process of the service runs it at a time."""

    name: str
    run: Callable[[], Awaitable[None]]
    interval: timedelta


class Resource(Protocol):
    """A resource that a service opened, such as connections or threads."""

    async def close(self) -> None:
        """Release the resource. Called once, after the last request."""


@dataclass(frozen=True)
class Service:
    """A service as `main.build` returns it and the runner runs it.

    `relay_url` is its database with the role that sees only the outbox. `consumer` reads its
    topics; None for a service without reactions. `replay_only_reactions` apply
    the service's own events, and only during a replay: its decisions and what members did to a read
    model are recorded in them. `resources` are closed at the stop, after the last request and
    before the database. `audit_signer` signs the heads of audit chains; None without a key.
    `inner` serves metrics and detailed health on the inner port.
    """

    name: str
    http: ASGIApp
    database: Database
    relay_url: str
    consumer: BatchConsumer | None = None
    jobs: tuple[Job, ...] = ()
    replay_only_reactions: tuple[AnyBoundReaction, ...] = ()
    resources: tuple[Resource, ...] = ()
    audit_signer: AuditSigner | None = None
    inner: ASGIApp | None = None
