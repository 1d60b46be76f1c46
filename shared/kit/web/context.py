"""FastAPI dependencies: the claims, the actor and the caller of a request."""

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
"""Maximum wait for the event of a member who has just joined."""
_MEMBER_POLL_SECONDS = 0.05
_CLAIMS, _ACTOR, OPEN_UNIT_KEY = "preau.claims", "preau.actor", "preau.held"
"""Keys of a request's scope: cached claims, cached actor, and the value of `Caller.open_unit`."""
SUSPENDED_ALLOWED_KEY = "preau.suspended_too"
"""Key of a request's scope: True when a suspended member may call its route."""
_CORRELATION_HEADER = "x-correlation-id"
_MAX_CORRELATION_CHARACTERS = 100


class RightsReader(Protocol):
    """Reads members' rights from the service's database."""

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        """Return a member's rights, also when suspended; None before their first event arrived.

        Raises `SessionEnded` when the token's session has ended; `MemberSuspended` when it was
        ended by a suspension.
        """


@dataclass(frozen=True)
class AppContext:
    """What the web frame needs to serve a request; kept in `app.state.context`."""

    host: Host
    batched: BatchedDatabase
    verifier: TokenVerifier
    rights: RightsReader
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    rates: RateCounter | None = None
    """Counts requests per member and tenant; None: request rates are not limited."""

    @property
    def database(self) -> Database:
        """The database of `batched`, for commands in a transaction."""
        return self.batched.database


def app_context(request: Request) -> AppContext:
    """Return the context of the request's application."""
    context: AppContext = request.app.state.context
    return context


def client_address(request: Request) -> str:
    """Return the client's address of a request; see `TrustedProxies.client_address`."""
    return app_context(request).proxies.client_address(request.scope)


async def request_claims(request: Request) -> Claims:
    """Verify the bearer token, at most once per request. Raises `Unauthorised`."""
    claims: Claims | None = request.scope.get(_CLAIMS)
    if claims is None:
        claims = request.scope[_CLAIMS] = await _verify_token(request)
    return claims


async def _verify_token(request: Request) -> Claims:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorised(reason="no token")
    return await app_context(request).verifier.verify(token)


async def request_actor(request: Request) -> Actor:
    """Return the member's rights, read at most once per request.

    Waits for the event of a member who has just joined, then raises `Transient`. Raises
    `MemberSuspended` unless the route is open to suspended members.
    """
    # Not a parameter with Depends: FastAPI would resolve the claims again for each dependency.
    actor: Actor | None = request.scope.get(_ACTOR)
    if actor is None:
        claims = await request_claims(request)
        actor = request.scope[_ACTOR] = await _wait_for_actor(app_context(request).rights, claims)
    if actor.suspension is not None and not request.scope.get(SUSPENDED_ALLOWED_KEY):
        raise MemberSuspended.from_suspension(actor.suspension)
    return actor


def discard_actor(request: Request) -> None:
    """Make the next `request_actor` read rights again: a large body takes its time."""
    request.scope.pop(_ACTOR, None)


async def _wait_for_actor(rights: RightsReader, claims: Claims) -> Actor:
    for _ in range(int(MEMBER_WAIT_SECONDS / _MEMBER_POLL_SECONDS)):
        actor = await rights.find_actor(claims.tenant, claims.member_id, claims.session)
        if actor is not None:
            return actor
        await asyncio.sleep(_MEMBER_POLL_SECONDS)
    raise Transient(internal_reason="the member's facts have not arrived", retry_after=2)


async def request_caller(request: Request) -> Caller:
    """Return the caller of a request: member, tenant, correlation id and trace."""
    return build_caller(request, await request_claims(request))


def build_caller(request: Request, claims: Claims) -> Caller:
    """Build the caller, with the open unit of work of an idempotent request."""
    host = app_context(request).host
    return Caller(
        tenant=claims.tenant,
        member_id=claims.member_id,
        correlation=correlation_id(request),
        traceparent=host.telemetry.current(),
        open_unit=request.scope.get(OPEN_UNIT_KEY),
    )


def correlation_id(request: Request) -> str:
    """Return the client's correlation id if it is printable, otherwise a new one."""
    sent = request.headers.get(_CORRELATION_HEADER, "")[:_MAX_CORRELATION_CHARACTERS]
    return sent if sent and sent.isprintable() else str(app_context(request).host.new_id())


async def current_session(request: Request) -> UUID | None:
    """Return the session id of the request's token; None for a token without a session."""
    return parse_session_id((await request_claims(request)).session)


async def require_operator(actor: Annotated[Actor, Depends(request_actor)]) -> Actor:
    """Return the actor if it is an operator. Raises `Forbidden` otherwise."""
    if not actor.holds_anywhere(Role.OPERATOR):
        raise Forbidden(rule="operate.operator")
    return actor


ActorDep = Annotated[Actor, Depends(request_actor)]
CallerDep = Annotated[Caller, Depends(request_caller)]
OperatorDep = Annotated[Actor, Depends(require_operator)]
SessionDep = Annotated[UUID | None, Depends(current_session)]
