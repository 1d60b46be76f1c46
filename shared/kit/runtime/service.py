"""What a service is, as the runner sees it."""

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
    """What is due by the clock: at most one process of the service runs it at a time."""

    name: str
    run: Callable[[], Awaitable[None]]
    interval: timedelta


class Resource(Protocol):
    """A thing that a service opened and must close, such as connections or threads."""

    async def close(self) -> None:
        """Release it; the service takes no request any more. Called once."""


@dataclass(frozen=True)
class Service:
    """A whole service: what `main.build` returns and the runner runs.

    `relay_url` is its database as the role that sees only the outbox. `consumer` reads its topics;
    None for a service that reacts to nothing. `remembers` are reactions to facts of its own, which
    only a replay reads: what people did to a read model, and what was decided, stands in them.
    `resources` are closed when the service stops, after its requests and before its database.
    `audit_signer` signs where audit chains end; None where no key is set.
    `inner` answers on the inner port: metrics, and health with each of its checks.
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
