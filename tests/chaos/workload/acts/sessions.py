"""Signing in, going on with a refresh token, accepting an invitation."""

import base64
import time
from collections.abc import Callable, Mapping
from random import Random

import msgspec

from tests.chaos.workload.request import Act, Request
from tests.chaos.workload.world import Person

MARGIN = 60
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


def sign_in(person: Person, draw: Random) -> Request:
    body = {
        "tenant": person.world.slug,
        "email": person.email,
        "password": person.world.password_of(person.email),
    }
    return Request("identity", "POST", "/sessions", body, _learning(person), token="")


def refresh(person: Person, draw: Random) -> Request | None:
    """With the last refresh token, which is good for one use: whatever comes of it, it is spent."""
    token, person.renewal = person.renewal, ""
    if not token:
        return None
    body = {"refresh_token": token}
    return Request("identity", "POST", "/sessions/refresh", body, _learning(person), token="")


def accept_invitation(person: Person, invitation: str) -> Request:
    body = {"invitation": invitation, "password": person.world.password}
    return Request("identity", "POST", "/invitations/accept", body, token="")


def _learning(person: Person) -> Callable[[bytes], None]:
    def learn(answer: bytes) -> None:
        tokens = _TOKENS.decode(answer)
        person.access, person.renewal = tokens.access_token, tokens.refresh_token
        person.good_until = time.monotonic() + tokens.expires_in - MARGIN
        claims = _claims(tokens.access_token)
        person.member_id, person.world.tenant = claims.sub, claims.tenant

    return learn


def _claims(token: str) -> Claims:
    claims = token.split(".")[1]
    return _CLAIMS.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


ACTS: Mapping[str, Act] = {"sign_in": sign_in, "refresh": refresh}
