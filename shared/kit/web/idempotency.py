"""Idempotency keys: a POST that is sent twice runs once and gets the same response twice.

The key and the response are stored in the transaction of the change: the route opens a unit of
work, the handler joins it, and everything commits together or not at all.
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
"""Less than a day, since maintenance removes expired rows only every few minutes."""
_SUCCESS_STATUSES = range(200, 300)
_FIND = DriverStatement(
    sa.text("""
    SELECT fingerprint, status, content_type, body, withheld FROM idempotency
    WHERE tenant_id = :tenant AND member_id = :member AND key = :key
""")
)
_LOCK = DriverStatement(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))"))
_FIND_BATCHED = BatchQuery(
    """
    SELECT i.tenant_id, i.fingerprint, i.status, i.content_type, i.body, i.withheld
    FROM idempotency i
    WHERE i.tenant_id = asked.tenant_id AND i.member_id = asked.member_id AND i.key = asked.key
    """,
    member_id="uuid",
    key="text",
)
_TABLE = frame_metadata().tables["idempotency"]
_INSERT = BatchInsert(_TABLE, fail_on_conflict=True)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Gate = Callable[[Actor], Verdict]
"""A policy that depends on the actor only, evaluated before the body is read."""


class IdempotencyConflict(Conflict):
    """The same key was used for a different request."""

    key = "idempotency_conflict"


class ResponseNotStored(Conflict):
    """The first request was carried out; its response contained a secret, which is shown once.

    The other fields of that response are in the problem document.
    """

    key = "answer_not_kept"


class IdempotentRoute(APIRoute):
    """A route that checks access and supports `Idempotency-Key` on POST.

    `batched`: its command runs in batched units of work. `max_body_bytes`: None for the default.
    `gate`: the policy that is evaluated before the body is read. `secret_fields` of its response
    are never stored. `cost`: the rate limit that applies (None: by its method).
    """

    batched = False
    max_body_bytes: int | None = None
    gate: Gate | None = None
    secret_fields: tuple[str, ...] = ()
    cost: RouteCost | None = None

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler inside `guard_route`."""
        return guard_route(self, super().get_route_handler())


def guard_route(route: APIRoute, handler: Handler) -> Handler:
    """Return a handler that checks the route's access and the idempotency key."""
    access = (route.openapi_extra or {}).get(ACCESS_EXTENSION)

    async def handle(request: Request) -> Response:
        request = ParsedRequest(request.scope, request.receive)
        # Without a member there is no owner of the key; a sign-in's response is never stored.
        keyed = request.method == "POST" and access != "anonymous"
        key = request.headers.get(IDEMPOTENCY_KEY_HEADER) if keyed else None
        if key is not None and not _KEY.fullmatch(key):
            raise Invalid(field="Idempotency-Key", reason="1 to 200 visible characters")
        # Before a connection is held, since reading rights needs another one; and before the
        # stored response, since a member without access must not get it.
        if access != "anonymous":
            request.scope[SUSPENDED_ALLOWED_KEY] = access == "suspended_too"
            requester = await request_actor(request)
            if access == "operator":
                await require_operator(requester)
        if key is None:
            return await handler(request)
        # Read per request: the route's options are set after its handler is built.
        options = route if isinstance(route, IdempotentRoute) else None
        run_once = _run_once_batched if options and options.batched else _run_once
        return await run_once(request, key, handler, options.secret_fields if options else ())

    return handle


async def _run_once(
    request: Request, key: str, handler: Handler, secret_fields: tuple[str, ...]
) -> Response:
    claims = await request_claims(request)
    parameters = {"tenant": claims.tenant, "member": claims.member_id, "key": key}
    fingerprint = await _fingerprint(request)
    async with app_context(request).database.open_unit(build_caller(request, claims)) as open_unit:
        # The second of two concurrent requests waits here until the first has committed.
        lock = f"{claims.tenant}:{claims.member_id}:{key}"
        await _LOCK.fetch(open_unit.unit.connection, {"name": lock})
        stored = _stored_response(
            await _FIND.fetch(open_unit.unit.connection, parameters), key, fingerprint
        )
        if stored is not None:
            return stored
        request.scope[OPEN_UNIT_KEY] = open_unit
        response = await handler(request)
        if response.status_code in _SUCCESS_STATUSES:
            row = _row(claims, key, fingerprint, response, open_unit.unit.now, secret_fields)
            await _INSERT.insert(open_unit.unit.connection, [row])
        return response


async def _run_once_batched(
    request: Request, key: str, handler: Handler, secret_fields: tuple[str, ...]
) -> Response:
    """Run once without a lock: the second of two concurrent requests fails on the primary key.

    It writes nothing then, and returns the stored response.
    """
    claims, fingerprint = await request_claims(request), await _fingerprint(request)
    batched = app_context(request).batched

    async def find_stored() -> Response | None:
        rows = await batched.load(
            _FIND_BATCHED, claims.tenant, {"member_id": claims.member_id, "key": key}
        )
        return _stored_response(rows, key, fingerprint)

    stored = await find_stored()
    if stored is not None:
        return stored
    try:
        async with batched.open_unit(build_caller(request, claims)) as open_unit:
            request.scope[OPEN_UNIT_KEY] = open_unit
            response = await handler(request)
            if response.status_code in _SUCCESS_STATUSES:
                row = _row(claims, key, fingerprint, response, open_unit.unit.now, secret_fields)
                await add(open_unit.unit, _INSERT, [row])
    except asyncpg.UniqueViolationError as error:
        stored = await find_stored() if error.table_name == _TABLE.name else None
        if stored is None:
            raise
        return stored
    return response


async def _fingerprint(request: Request) -> bytes:
    target = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(target + await request.body()).digest()


def _stored_response(
    rows: Sequence[asyncpg.Record], key: str, fingerprint: bytes
) -> Response | None:
    """Return the stored response; None for a new key.

    Raises `IdempotencyConflict` and `ResponseNotStored`.
    """
    if not rows:
        return None
    (row,) = rows
    if row["fingerprint"] != fingerprint:
        raise IdempotencyConflict(idempotency_key=key)
    if row["withheld"]:
        facts = msgspec.json.decode(row["body"], type=dict[str, Any])
        raise ResponseNotStored(**{**facts, "idempotency_key": key})
    stored = Response(row["body"], row["status"], media_type=row["content_type"])
    stored.headers[REPLAYED_HEADER] = "true"
    return stored


def _row(
    claims: Claims,
    key: str,
    fingerprint: bytes,
    response: Response,
    now: datetime,
    secret_fields: tuple[str, ...],
) -> dict[str, Any]:
    body = bytes(response.body)
    return {
        "tenant_id": claims.tenant,
        "member_id": claims.member_id,
        "key": key,
        "fingerprint": fingerprint,
        "status": response.status_code,
        "content_type": response.headers.get("content-type"),
        "body": _plain_fields(secret_fields, body) if secret_fields else body,
        "created_at": now,
        "expires_at": now + RESPONSE_RETENTION,
        "withheld": bool(secret_fields),
    }


def _plain_fields(secret_fields: tuple[str, ...], body: bytes) -> bytes:
    """Return the JSON of a response's strings, numbers and booleans without its secret fields."""
    fields = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    plain = {
        name: value
        for name, value in fields.items()
        if name not in secret_fields and isinstance(value, str | int | bool)
    }
    return msgspec.json.encode(plain)
