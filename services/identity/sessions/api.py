"""`/v1/sessions`, `/v1/password`, `/v1/invitations` and the public keys."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.identity.sessions.domain import MIN_PASSWORD_CHARACTERS, Session, Tokens
from services.identity.sessions.handlers.attempts import limit_attempts
from services.identity.sessions.handlers.change_password import ChangePassword, change_password
from services.identity.sessions.handlers.end_sessions import (
    end_own_session,
    end_own_sessions,
    list_own_sessions,
)
from services.identity.sessions.handlers.invite import accept_invitation
from services.identity.sessions.handlers.refresh import refresh
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from services.identity.sessions.policy import charge_token
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import SessionId
from shared.kit.text.mail_addresses import extract_mail_address
from shared.kit.web.context import (
    ActorDep,
    CallerDep,
    SessionDep,
    client_address,
    correlation_id,
)
from shared.kit.web.cursors import ApiModel
from shared.kit.web.routes import Routes
from shared.kit.web.user_agent import parse_user_agent

PASSWORD_RULE = (
    f"{MIN_PASSWORD_CHARACTERS} characters or more, not common, no words about the person"
)


class Credentials(ApiModel):
    """A member's tenant, address and password."""

    tenant: str = Field(max_length=100, examples=["academie-de-demonstration"])
    email: str = Field(max_length=320, examples=["zoe@demo.example"])
    password: str = Field(max_length=1000, examples=["…"])
    device_token: str | None = Field(
        default=None,
        max_length=2000,
        description="the token from the last sign-in on this device: with it, wrong passwords sent "
        "from elsewhere do not delay the sign-in",
    )
    suspended_too: bool = Field(
        default=False,
        description="sign in although suspended, to read notifications and statements of reasons "
        "and to contest",
    )


class RefreshToken(ApiModel):
    """The refresh token that was issued last."""

    refresh_token: str = Field(max_length=300)


class Acceptance(ApiModel):
    """An invitation, and the password to set."""

    invitation: str = Field(max_length=2000)
    password: str = Field(max_length=1000, description=PASSWORD_RULE)


class PasswordChange(ApiModel):
    """The current password, and the one to set."""

    current_password: str = Field(max_length=1000)
    new_password: str = Field(max_length=1000, description=PASSWORD_RULE)


class SessionShown(ApiModel):
    """A session of the caller; `current` marks the session of this request."""

    session_id: SessionId
    device: Literal["phone", "tablet", "computer", "program", "unknown"]
    client: str = Field(examples=["Firefox, Windows"])
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class SessionsShown(ApiModel):
    """The newest first, a hundred at most."""

    items: list[SessionShown]


class SessionsEnded(ApiModel):
    """The number of ended sessions."""

    ended: int


class TokensGiven(ApiModel):
    """`access_token` goes into `Authorization: Bearer …`; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class SignedInGiven(TokensGiven):
    """Keep `device_token` on the device, and send it with the next sign-in."""

    device_token: str


def _to_token_response(tokens: Tokens) -> TokensGiven:
    return TokensGiven(
        access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in
    )


def routes(deps: SessionsDeps) -> Routes:
    """Build the routes of sessions."""
    router = Routes("sessions")

    @router.post("/sessions", action="session.open", access="anonymous", status_code=201)
    async def open_one(request: Request, credentials: Credentials) -> SignedInGiven:
        signed_in = await sign_in(deps, _to_command(request, credentials), correlation_id(request))
        tokens = _to_token_response(signed_in.tokens)
        return SignedInGiven(**tokens.model_dump(), device_token=signed_in.device_token)

    @router.post("/sessions/refresh", action="session.refresh", access="anonymous")
    async def go_on(request: Request, token: RefreshToken) -> TokensGiven:
        async with limit_attempts(deps, charge_token("refresh", client_address(request))):
            return _to_token_response(
                await refresh(deps, token.refresh_token, correlation_id(request))
            )

    @router.post(
        "/invitations/accept", action="invitation.accept", access="anonymous", status_code=204
    )
    async def accept(request: Request, acceptance: Acceptance) -> Response:
        correlation = correlation_id(request)
        async with limit_attempts(deps, charge_token("invitation", client_address(request))):
            await accept_invitation(deps, acceptance.invitation, acceptance.password, correlation)
        return Response(status_code=204)

    _add_own_routes(router, deps)
    return router


def _to_command(request: Request, credentials: Credentials) -> SignIn:
    program = parse_user_agent(request.headers.get("user-agent", ""))
    return SignIn(
        credentials.tenant,
        extract_mail_address(credentials.email) or credentials.email,
        credentials.password,
        client_address(request),
        credentials.device_token,
        device=program.device,
        client=program.name,
        suspended_too=credentials.suspended_too,
    )


def _add_own_routes(router: Routes, deps: SessionsDeps) -> None:
    """Add the routes with which members manage their own sessions and password."""

    @router.get("/sessions", action="session.list")
    async def list_own(caller: CallerDep, actor: ActorDep, current: SessionDep) -> SessionsShown:
        sessions = await list_own_sessions(deps, caller, actor.member_id)
        return SessionsShown(items=[_to_session_response(session, current) for session in sessions])

    @router.post(
        "/sessions/sign-out", action="session.sign_out", access="suspended_too", status_code=204
    )
    async def sign_out(caller: CallerDep, actor: ActorDep, current: SessionDep) -> Response:
        if current is not None:
            await end_own_session(deps, caller, actor.member_id, current, SessionEnd.SIGNED_OUT)
        return Response(status_code=204)

    @router.delete("/sessions/{session_id}", action="session.end", status_code=204)
    async def end(
        caller: CallerDep, actor: ActorDep, current: SessionDep, session_id: SessionId
    ) -> Response:
        is_current = session_id == current
        reason = SessionEnd.SIGNED_OUT if is_current else SessionEnd.ENDED_BY_MEMBER
        await end_own_session(deps, caller, actor.member_id, session_id, reason)
        return Response(status_code=204)

    @router.delete("/sessions", action="session.end_all")
    async def end_every(
        caller: CallerDep, actor: ActorDep, current: SessionDep, spare_current: bool = False
    ) -> SessionsEnded:
        excluding = current if spare_current else None
        return SessionsEnded(ended=await end_own_sessions(deps, caller, actor.member_id, excluding))

    @router.put("/password", action="password.change", status_code=204)
    async def change(
        caller: CallerDep, actor: ActorDep, current: SessionDep, new: PasswordChange
    ) -> Response:
        command = ChangePassword(actor.member_id, new.current_password, new.new_password, current)
        await change_password(deps, caller, command)
        return Response(status_code=204)


def _to_session_response(session: Session, current: UUID | None) -> SessionShown:
    return SessionShown.model_validate(
        {
            "session_id": session.session_id,
            "device": session.device or "unknown",
            "client": session.client,
            "opened_at": session.opened_at,
            "last_used_at": session.last_used_at,
            "expires_at": session.expires_at,
            "current": session.session_id == current,
        }
    )


def key_routes(deps: SessionsDeps) -> APIRouter:
    """Build the route of the public keys, with which every service verifies tokens."""
    router = APIRouter()

    @router.get("/.well-known/jwks.json", include_in_schema=False)
    async def jwks() -> dict[str, object]:
        return deps.tokens.access.jwks()

    return router
