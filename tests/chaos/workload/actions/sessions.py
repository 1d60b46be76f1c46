"""Signing in, going on with a refresh token, accepting an invitation."""

import base64
import time
from collections.abc import Callable, Mapping
from random import Random

import msgspec

from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person

RENEWAL_MARGIN_SECONDS = 60
"""Seconds before its end from which an access token is renewed."""


class Tokens(msgspec.Struct):
    """What a session is kept with."""

    access_token: str
    refresh_token: str
    expires_in: int


class Claims(msgspec.Struct):
    """What of an access token its holder may read."""

    sub: str
    tenant: str


_TOKENS = msgspec.json.Decoder(Tokens)
_CLAIMS = msgspec.json.Decoder(Claims)


def sign_in(person: Person, rng: Random) -> Request:
    body = {
        "tenant": person.tenant.slug,
        "email": person.email,
        "password": person.tenant.password_of(person.email),
    }
    return Request("identity", "POST", "/sessions", body, _remember_tokens(person), token="")


def refresh(person: Person, rng: Random) -> Request | None:
    """Refresh the session; the refresh token is valid for one use, so it is removed first."""
    token, person.refresh_token = person.refresh_token, ""
    if not token:
        return None
    body = {"refresh_token": token}
    return Request(
        "identity", "POST", "/sessions/refresh", body, _remember_tokens(person), token=""
    )


def accept_invitation(person: Person, invitation: str) -> Request:
    body = {"invitation": invitation, "password": person.tenant.password}
    return Request("identity", "POST", "/invitations/accept", body, token="")


def _remember_tokens(person: Person) -> Callable[[bytes], None]:
    def remember(response_body: bytes) -> None:
        tokens = _TOKENS.decode(response_body)
        person.access, person.refresh_token = tokens.access_token, tokens.refresh_token
        person.access_expires_at = time.monotonic() + tokens.expires_in - RENEWAL_MARGIN_SECONDS
        claims = _claims(tokens.access_token)
        person.member_id, person.tenant.tenant_id = claims.sub, claims.tenant

    return remember


def _claims(token: str) -> Claims:
    claims = token.split(".")[1]
    return _CLAIMS.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


ACTIONS: Mapping[str, Action] = {"sign_in": sign_in, "refresh": refresh}
