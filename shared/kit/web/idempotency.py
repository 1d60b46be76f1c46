"""Idempotency keys: the same POST twice is done once, and answered twice.

The key is kept in the transaction of the change itself: the route holds a unit open, the handler
joins it, the answer is stored beside the change, and all of it commits or none.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.kit.core.access_tokens import Claims
from shared.kit.core.errors import Conflict, Invalid
from shared.kit.core.policy import Actor, Verdict
from shared.kit.database.batched.statements import BatchInsert, BatchQuery
from shared.kit.database.batched.unit import add
from shared.kit.database.driver_statement import DriverStatement
from shared.kit.database.tables import frame_metadata
from shared.kit.limiting.route_limits import RouteCost
from shared.kit.web.body import ParsedRequest
from shared.kit.web.context import (
    OPEN_UNIT_KEY,
    SUSPENDED_ALLOWED_KEY,
    app_context,
    build_caller,
    request_actor,
    request_claims,
    require_operator,
)
from shared.kit.web.route_table import ACCESS_EXTENSION

IDEMPOTENCY_KEY_HEADER = "idempotency-key"
REPLAYED_HEADER = "Idempotent-Replay"
_KEY = re.compile(r"[!-~]{1,200}")
RESPONSE_RETENTION = timedelta(hours=23, minutes=45)
"""Upkeep removes rows every few minutes: no answer is given again after more than a day."""
_OK = range(200, 300)
_FIND = DriverStatement(
    sa.text("""
    SELECT fingerprint, status, content_type, body, withheld FROM idempotency
    WHERE tenant_id = :tenant AND member_id = :member AND key = :key
""")
)
_LOCK = DriverStatement(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))"))
_ASK = BatchQuery(
    """
    SELECT i.tenant_id, i.fingerprint, i.status, i.content_type, i.body, i.withheld
    FROM idempotency i
    WHERE i.tenant_id = asked.tenant_id AND i.member_id = asked.member_id AND i.key = asked.key
    """,
    member_id="uuid",
    key="text",
)
_TABLE = frame_metadata().tables["idempotency"]
_KEEP = BatchInsert(_TABLE, fail_on_conflict=True)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Gate = Callable[[Actor], Verdict]
"""A policy of the actor alone, asked before the body is read."""


class IdempotencyConflict(Conflict):
    """The key was used for another request."""

    key = "idempotency_conflict"


class ResponseNotStored(Conflict):
    """It was done the first time; the answer held a secret, which is shown once.

    What else the answer said rides in the problem document.
    """

    key = "answer_not_kept"


class IdempotentRoute(APIRoute):
    """A route that lets in whom it says, and honours `Idempotency-Key` on POST.

    The units of a `light` one's command are light. `limit` is its largest body in bytes (None: the
    default), `gate` the policy that is asked before the body is read. The fields of its answer
    named in `secret` are never kept. `load` is how much it costs (None: by its method).
    """

    batched = False
    max_body_bytes: int | None = None
    gate: Gate | None = None
    secret_fields: tuple[str, ...] = ()
    load: RouteCost | None = None

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's own handler."""
        return guard_route(self, super().get_route_handler())


def guard_route(route: APIRoute, plain: Handler) -> Handler:
    """Let in whom a route says, and do it once, whoever calls the route's function."""
    access = (route.openapi_extra or {}).get(ACCESS_EXTENSION)

    async def handle(request: Request) -> Response:
        request = ParsedRequest(request.scope, request.receive)
        # Nobody's key could be kept under nobody's name, and a sign-in's answer never is.
        keyed = request.method == "POST" and access != "anonymous"
        key = request.headers.get(IDEMPOTENCY_KEY_HEADER) if keyed else None
        if key is not None and not _KEY.fullmatch(key):
            raise Invalid(field="Idempotency-Key", reason="1 to 200 visible characters")
        # The guard. Before a connection is held: looking up rights wants one of its own, and
        # who may no longer act gets no old answer either.
        if access != "anonymous":
            request.scope[SUSPENDED_ALLOWED_KEY] = access == "suspended_too"
            who = await request_actor(request)
            if access == "operator":
                await require_operator(who)
        if key is None:
            return await plain(request)
        once = _once_light if getattr(route, "batched", False) else _once
        return await once(request, key, plain, getattr(route, "secret_fields", ()))

    return handle


async def _once(request: Request, key: str, plain: Handler, secret: tuple[str, ...]) -> Response:
    said = await request_claims(request)
    name = {"tenant": said.tenant, "member": said.member_id, "key": key}
    fingerprint = await _fingerprint(request)
    async with app_context(request).database.open_unit(build_caller(request, said)) as held:
        # The second of two at once waits here until the first has committed.
        lock = f"{said.tenant}:{said.member_id}:{key}"
        await _LOCK.fetch(held.unit.connection, {"name": lock})
        before = _before(await _FIND.fetch(held.unit.connection, name), key, fingerprint)
        if before is not None:
            return before
        request.scope[OPEN_UNIT_KEY] = held
        answer = await plain(request)
        if answer.status_code in _OK:
            row = _row(said, key, fingerprint, answer, held.unit.now, secret)
            await _KEEP.insert(held.unit.connection, [row])
        return answer


async def _once_light(
    request: Request, key: str, plain: Handler, secret: tuple[str, ...]
) -> Response:
    """Do the same without a lock: of two at once the second fails to write, whole, and looks."""
    said, fingerprint = await request_claims(request), await _fingerprint(request)
    light = app_context(request).batched

    async def found() -> Response | None:
        rows = await light.load(_ASK, said.tenant, {"member_id": said.member_id, "key": key})
        return _before(rows, key, fingerprint)

    before = await found()
    if before is not None:
        return before
    try:
        async with light.open_unit(build_caller(request, said)) as held:
            request.scope[OPEN_UNIT_KEY] = held
            answer = await plain(request)
            if answer.status_code in _OK:
                row = _row(said, key, fingerprint, answer, held.unit.now, secret)
                await add(held.unit, _KEEP, [row])
    except asyncpg.UniqueViolationError as error:
        before = await found() if error.table_name == _TABLE.name else None
        if before is None:
            raise
        return before
    return answer


async def _fingerprint(request: Request) -> bytes:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(asked + await request.body()).digest()


def _before(rows: Sequence[asyncpg.Record], key: str, fingerprint: bytes) -> Response | None:
    """Return the answer that was given; None to a new key.

    Raises `IdempotencyConflict` and `ResponseNotStored`.
    """
    if not rows:
        return None
    (found,) = rows
    if found["fingerprint"] != fingerprint:
        raise IdempotencyConflict(idempotency_key=key)
    if found["withheld"]:
        facts = msgspec.json.decode(found["body"], type=dict[str, Any])
        raise ResponseNotStored(**{**facts, "idempotency_key": key})
    stored = Response(found["body"], found["status"], media_type=found["content_type"])
    stored.headers[REPLAYED_HEADER] = "true"
    return stored


def _row(
    said: Claims,
    key: str,
    fingerprint: bytes,
    answer: Response,
    now: datetime,
    secret: tuple[str, ...],
) -> dict[str, Any]:
    body = bytes(answer.body)
    return {
        "tenant_id": said.tenant,
        "member_id": said.member_id,
        "key": key,
        "fingerprint": fingerprint,
        "status": answer.status_code,
        "content_type": answer.headers.get("content-type"),
        "body": _without(secret, body) if secret else body,
        "created_at": now,
        "expires_at": now + RESPONSE_RETENTION,
        "withheld": bool(secret),
    }


def _without(secret: tuple[str, ...], body: bytes) -> bytes:
    """Keep the plain values of an answer, but for its secrets."""
    fields = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    kept = {
        name: value
        for name, value in fields.items()
        if name not in secret and isinstance(value, str | int | bool)
    }
    return msgspec.json.encode(kept)
