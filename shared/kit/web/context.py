"""Who is asking: the caller and the actor of a request, for the routes' signatures."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import Claims, TokenVerifier
from shared.kit.core.errors import Forbidden, Transient, Unauthorised
from shared.kit.core.host import Host
from shared.kit.core.policy import Actor
from shared.kit.core.suspension import MemberSuspended, parse_session_id
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.web.client_address import TrustedProxies

MEMBER_WAIT_SECONDS = 2.0
"""Seconds that a request waits for the facts of a member who has just joined."""
_LOOK_EVERY = 0.05
_CLAIMS, _ACTOR, OPEN_UNIT_KEY = "preau.claims", "preau.actor", "preau.held"
"""Where, in a request's scope, stands what is known of it; the last is for `Caller.open_unit`."""
SUSPENDED_ALLOWED_KEY = "preau.suspended_too"
"""Where, in a request's scope, its route's guard says that a suspended member may call it."""
_CORRELATION = "x-correlation-id"
_MAX_CORRELATION = 100


class RightsReader(Protocol):
    """The service's own copy of rights."""

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        """Return who this is, suspended or not; None when no fact of theirs has arrived yet.

        Raises `SessionEnded`, or `MemberSuspended`, when the token's session is over.
        """


@dataclass(frozen=True)
class AppContext:
    """What the frame needs to let a request in; stands in `app.state.door`."""

    host: Host
    batched: BatchedDatabase
    verifier: TokenVerifier
    rights: RightsReader
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    rates: RateCounter | None = None
    """Counts what members and tenants ask; None without limits."""

    @property
    def database(self) -> Database:
        """The database of `batched`, for commands in a transaction."""
        return self.batched.database


def app_context(request: Request) -> AppContext:
    """Find the application's door."""
    door: AppContext = request.app.state.door
    return door


def client_address(request: Request) -> str:
    """Return which address the request comes from; see `TrustedProxies`."""
    return app_context(request).proxies.client_address(request.scope)


async def request_claims(request: Request) -> Claims:
    """Verify the bearer token, once a request. Raises `Unauthorised`."""
    known: Claims | None = request.scope.get(_CLAIMS)
    if known is None:
        known = request.scope[_CLAIMS] = await _verified(request)
    return known


async def _verified(request: Request) -> Claims:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorised(reason="no token")
    return await app_context(request).verifier.verify(token)


async def request_actor(request: Request) -> Actor:
    """Find who is asking; a member just joined is waited for. Raises `Transient` after that.

    Rights are read once a request: an idempotent route reads them before it holds a connection.
    It asks for the claims by itself: FastAPI solves what a dependency depends on anew each time.
    Raises `MemberSuspended` unless the route is for suspended members too.
    """
    known: Actor | None = request.scope.get(_ACTOR)
    if known is None:
        said = await request_claims(request)
        known = request.scope[_ACTOR] = await _arrived(app_context(request).rights, said)
    if known.suspension is not None and not request.scope.get(SUSPENDED_ALLOWED_KEY):
        raise MemberSuspended.from_suspension(known.suspension)
    return known


def discard_actor(request: Request) -> None:
    """Let rights be read anew: a large body takes its time, and they may change meanwhile."""
    request.scope.pop(_ACTOR, None)


async def _arrived(rights: RightsReader, said: Claims) -> Actor:
    for _ in range(int(MEMBER_WAIT_SECONDS / _LOOK_EVERY)):
        found = await rights.find_actor(said.tenant, said.member_id, said.session)
        if found is not None:
            return found
        await asyncio.sleep(_LOOK_EVERY)
    raise Transient(because="the member's facts have not arrived", retry_after=2)


async def request_caller(request: Request) -> Caller:
    """Say on whose behalf the request acts, and what its chain is called."""
    return build_caller(request, await request_claims(request))


def build_caller(request: Request, said: Claims) -> Caller:
    """Build the caller; an idempotent request's held transaction rides on it."""
    host = app_context(request).host
    return Caller(
        tenant=said.tenant,
        member_id=said.member_id,
        correlation=correlation_id(request),
        traceparent=host.telemetry.current(),
        open_unit=request.scope.get(OPEN_UNIT_KEY),
    )


def correlation_id(request: Request) -> str:
    """Return the chain's name that the client sent, if it is printable; a new one otherwise."""
    sent = request.headers.get(_CORRELATION, "")[:_MAX_CORRELATION]
    return sent if sent and sent.isprintable() else str(app_context(request).host.new_id())


async def current_session(request: Request) -> UUID | None:
    """Return the session of the request's token; None for a token that belongs to none."""
    return parse_session_id((await request_claims(request)).session)


async def require_operator(who: Annotated[Actor, Depends(request_actor)]) -> Actor:
    """Let operators in only."""
    if not who.holds_anywhere(Role.OPERATOR):
        raise Forbidden(rule="operate.operator")
    return who


ActorDep = Annotated[Actor, Depends(request_actor)]
CallerDep = Annotated[Caller, Depends(request_caller)]
OperatorDep = Annotated[Actor, Depends(require_operator)]
SessionDep = Annotated[UUID | None, Depends(current_session)]
