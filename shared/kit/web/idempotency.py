"""Idempotency keys: the same POST twice is done once, and answered twice.

The key is kept in the transaction of the change itself: the route holds a unit open, the handler
joins it, the answer is stored beside the change, and all of it commits or none.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.kit.database import Held
from shared.kit.errors import Conflict, Invalid
from shared.kit.plain import Plain
from shared.kit.web.context import actor, caller_of, claims, door_of, operator

HEADER = "idempotency-key"
REPLAYED = "Idempotent-Replay"
_KEY = re.compile(r"[!-~]{1,200}")
ACTION, ACCESS = "x-action", "x-access"
"""Where a route keeps what it does and for whom: in its OpenAPI operation too."""
_OK = range(200, 300)
_FIND = Plain(
    sa.text("""
    SELECT fingerprint, status, content_type, body FROM idempotency
    WHERE tenant_id = :tenant AND member_id = :member AND key = :key
""")
)
_LOCK = Plain(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))"))
_KEEP = Plain(
    sa.text("""
    INSERT INTO idempotency (tenant_id, member_id, key, fingerprint, status, content_type, body,
                             created_at)
    VALUES (:tenant, :member, :key, :fingerprint, :status, :content_type, :body, :now)
""")
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotencyConflict(Conflict):
    """The key was used for another request."""

    key = "idempotency_conflict"


class IdempotentRoute(APIRoute):
    """A route that lets in whom it says, and honours `Idempotency-Key` on POST."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's own handler."""
        return guarded(self, super().get_route_handler())


def guarded(route: APIRoute, plain: Handler) -> Handler:
    """Let in whom a route says, and do it once, whoever calls the route's function."""
    access = (route.openapi_extra or {}).get(ACCESS)

    async def handle(request: Request) -> Response:
        # Nobody's key could be kept under nobody's name, and a sign-in's answer never is.
        keyed = request.method == "POST" and access != "anonymous"
        key = request.headers.get(HEADER) if keyed else None
        if key is not None and not _KEY.fullmatch(key):
            raise Invalid(field="Idempotency-Key", reason="1 to 200 visible characters")
        # The guard. Before a connection is held: looking up rights wants one of its own, and
        # who may no longer act gets no old answer either.
        if access != "anonymous":
            who = await actor(request)
            if access == "operator":
                await operator(who)
        return await (plain(request) if key is None else _once(request, key, plain))

    return handle


async def _once(request: Request, key: str, plain: Handler) -> Response:
    said = await claims(request)
    name = {"tenant": said.tenant, "member": said.member_id, "key": key}
    fingerprint = hashlib.sha256(
        f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
    ).digest()
    async with door_of(request).database.hold(caller_of(request, said)) as held:
        # The second of two at once waits here until the first has committed.
        lock = f"{said.tenant}:{said.member_id}:{key}"
        await _LOCK.fetch(held.unit.connection, {"name": lock})
        rows = await _FIND.fetch(held.unit.connection, name)
        if rows:
            found = rows[0]
            if found["fingerprint"] != fingerprint:
                raise IdempotencyConflict(idempotency_key=key)
            stored = Response(found["body"], found["status"], media_type=found["content_type"])
            stored.headers[REPLAYED] = "true"
            return stored
        request.state.held = held
        answer = await plain(request)
        if answer.status_code in _OK:
            await _keep(held, answer, name | {"fingerprint": fingerprint})
        return answer


async def _keep(held: Held, answer: Response, values: dict[str, Any]) -> None:
    await _KEEP.fetch(
        held.unit.connection,
        {
            **values,
            "status": answer.status_code,
            "content_type": answer.headers.get("content-type"),
            "body": bytes(answer.body),
            "now": held.unit.now,
        },
    )
