"""`/v1/sessions`, `/v1/invitations` and the public keys."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.identity.sessions.domain import SHORTEST_PASSWORD, Tokens
from services.identity.sessions.handlers.invite import accept_invitation
from services.identity.sessions.handlers.refresh import refresh
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from services.identity.sessions.ports import SessionsDeps
from shared.kit.address import tidy_address
from shared.kit.web.context import client_address, correlation_of
from shared.kit.web.cursors import Model
from shared.kit.web.routes import Routes


class Credentials(Model):
    """Who is signing in."""

    tenant: str = Field(max_length=100, examples=["academie-de-demonstration"])
    email: str = Field(max_length=320, examples=["zoe@demo.example"])
    password: str = Field(max_length=1000, examples=["…"])
    device_token: str | None = Field(
        default=None,
        max_length=2000,
        description="what the last sign-in on this device gave: wrong passwords that others send "
        "do not slow it down",
    )


class RefreshToken(Model):
    """The refresh token that was given last."""

    refresh_token: str = Field(max_length=300)


class Acceptance(Model):
    """An invitation, and the password to set."""

    invitation: str = Field(max_length=2000)
    password: str = Field(min_length=SHORTEST_PASSWORD, max_length=1000)


class TokensGiven(Model):
    """`access_token` goes into `Authorization: Bearer …`; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class SignedInGiven(TokensGiven):
    """Keep `device_token` on the device, and send it with its next sign-in."""

    device_token: str


def _given(tokens: Tokens) -> TokensGiven:
    return TokensGiven(
        access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in
    )


def routes(deps: SessionsDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("sessions")

    @found.post("/sessions", action="session.open", access="anonymous", status_code=201)
    async def open_one(request: Request, who: Credentials) -> SignedInGiven:
        address = client_address(request)
        email = tidy_address(who.email) or who.email
        command = SignIn(who.tenant, email, who.password, address, who.device_token)
        signed_in = await sign_in(deps, command, correlation_of(request))
        tokens = _given(signed_in.tokens)
        return SignedInGiven(**tokens.model_dump(), device_token=signed_in.device_token)

    @found.post("/sessions/refresh", action="session.refresh", access="anonymous")
    async def go_on(request: Request, token: RefreshToken) -> TokensGiven:
        correlation = correlation_of(request)
        return _given(await refresh(deps, token.refresh_token, correlation))

    @found.post(
        "/invitations/accept", action="invitation.accept", access="anonymous", status_code=204
    )
    async def accept(request: Request, said: Acceptance) -> Response:
        correlation = correlation_of(request)
        await accept_invitation(deps, said.invitation, said.password, correlation)
        return Response(status_code=204)

    return found


def key_routes(deps: SessionsDeps) -> APIRouter:
    """Serve the public keys that every service verifies tokens with."""
    found = APIRouter()

    @found.get("/.well-known/jwks.json", include_in_schema=False)
    async def jwks() -> dict[str, object]:
        return deps.signer.jwks()

    return found
