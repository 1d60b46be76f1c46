"""Who is asking: the caller and the actor of a request, for the routes' signatures."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import Claims, Verifier
from shared.kit.core.errors import Forbidden, Transient, Unauthorised
from shared.kit.core.host import Host
from shared.kit.core.policy import Actor
from shared.kit.core.suspension import MemberSuspended, session_id_of
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.batched.unit import Light
from shared.kit.database.database import Database
from shared.kit.limiting.rates import Rates
from shared.kit.web.address import TrustedProxies

WAIT = 2.0
"""Seconds that a request waits for the facts of a member who has just joined."""
_LOOK_EVERY = 0.05
_CLAIMS, _ACTOR, HELD = "preau.claims", "preau.actor", "preau.held"
"""Where, in a request's scope, stands what is known of it; the last is for `Caller.held`."""
SUSPENDED_TOO = "preau.suspended_too"
"""Where, in a request's scope, its route's guard says that a suspended member may call it."""
_CORRELATION = "x-correlation-id"
_MAX_CORRELATION = 100


class RightsReader(Protocol):
    """The service's own copy of rights."""

    async def actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        """Say who this is, suspended or not; None when no fact of theirs has arrived yet.

        Raises `SessionEnded`, or `MemberSuspended`, when the token's session is over.
        """


@dataclass(frozen=True)
class Door:
    """What the frame needs to let a request in; stands in `app.state.door`."""

    host: Host
    database: Database
    batched: Light
    verifier: Verifier
    rights: RightsReader
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    rates: Rates | None = None
    """Counts what members and tenants ask; None without limits."""


def door_of(request: Request) -> Door:
    """Find the application's door."""
    door: Door = request.app.state.door
    return door


def client_address(request: Request) -> str:
    """Say which address the request comes from; see `TrustedProxies`."""
    return door_of(request).proxies.client_of(request.scope)


async def claims(request: Request) -> Claims:
    """Verify the bearer token, once a request. Raises `Unauthorised`."""
    known: Claims | None = request.scope.get(_CLAIMS)
    if known is None:
        known = request.scope[_CLAIMS] = await _verified(request)
    return known


async def _verified(request: Request) -> Claims:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorised(reason="no token")
    return await door_of(request).verifier.verify(token)


async def actor(request: Request) -> Actor:
    """Find who is asking; a member just joined is waited for. Raises `Transient` after that.

    Rights are read once a request: an idempotent route reads them before it holds a connection.
    It asks for the claims by itself: FastAPI solves what a dependency depends on anew each time.
    Raises `MemberSuspended` unless the route is for suspended members too.
    """
    known: Actor | None = request.scope.get(_ACTOR)
    if known is None:
        said = await claims(request)
        known = request.scope[_ACTOR] = await _arrived(door_of(request).rights, said)
    if known.suspension is not None and not request.scope.get(SUSPENDED_TOO):
        raise MemberSuspended.by(known.suspension)
    return known


def forget_actor(request: Request) -> None:
    """Let rights be read anew: a large body takes its time, and they may change meanwhile."""
    request.scope.pop(_ACTOR, None)


async def _arrived(rights: RightsReader, said: Claims) -> Actor:
    for _ in range(int(WAIT / _LOOK_EVERY)):
        found = await rights.actor(said.tenant, said.member_id, said.session)
        if found is not None:
            return found
        await asyncio.sleep(_LOOK_EVERY)
    raise Transient(because="the member's facts have not arrived", retry_after=2)


async def caller(request: Request) -> Caller:
    """Say on whose behalf the request acts, and what its chain is called."""
    return caller_of(request, await claims(request))


def caller_of(request: Request, said: Claims) -> Caller:
    """Build the caller; an idempotent request's held transaction rides on it."""
    host = door_of(request).host
    return Caller(
        tenant=said.tenant,
        member_id=said.member_id,
        correlation=correlation_of(request),
        traceparent=host.telemetry.current(),
        held=request.scope.get(HELD),
    )


def correlation_of(request: Request) -> str:
    """Give the chain's name that the client sent, if it is printable; a new one otherwise."""
    sent = request.headers.get(_CORRELATION, "")[:_MAX_CORRELATION]
    return sent if sent and sent.isprintable() else str(door_of(request).host.new_id())


async def current_session(request: Request) -> UUID | None:
    """Give the session of the request's token; None for a token that belongs to none."""
    return session_id_of((await claims(request)).session)


async def operator(who: Annotated[Actor, Depends(actor)]) -> Actor:
    """Let operators in only."""
    if not who.holds_anywhere(Role.OPERATOR):
        raise Forbidden(rule="operate.operator")
    return who


ActorDep = Annotated[Actor, Depends(actor)]
CallerDep = Annotated[Caller, Depends(caller)]
OperatorDep = Annotated[Actor, Depends(operator)]
SessionDep = Annotated[UUID | None, Depends(current_session)]
