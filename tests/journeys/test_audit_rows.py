"""Every action of a member leaves a row in the audit of its service."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI

from deploy.local.seed import SLUG
from tests.journeys.authorisation_matrix import (
    ALLOWED,
    USER_BY_PERSONA,
    RouteArguments,
    create_route_arguments,
)
from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
ACTORS = ("owner", "pupil", "manager", "moderator", "administrator", "operator")
"""Personas in order of preference: the first one allowed sends the request."""
ACTIONS_WITHOUT_EFFECT = {
    "session.refresh": "continues a session whose opening left a row",
    "invitation.accept": "the matrix has no valid invitation; test_sessions accepts one",
    "password.change": "the matrix has a wrong password; tests/identity/sessions has a right one",
    "operate.decide": "the matrix names a missing record; see tests/kit/inbox",
    "operate.resume": "no circuit breaker is open; see tests/kit/inbox",
}
_COUNT_ROWS = sa.text("SELECT count(*) FROM audit")
_READ_ACTIONS = sa.text("SELECT action FROM audit WHERE subject = :subject ORDER BY at")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def route_arguments(platform: PlatformHarness) -> RouteArguments:
    return await create_route_arguments(platform)


def _list_changing_routes(platform: PlatformHarness) -> Iterator[tuple[str, str, str, str]]:
    """Yield service, method, path and action of every route that changes data."""
    for name, running in platform.services.items():
        app = running.service.http
        assert isinstance(app, FastAPI)
        for path, methods in app.openapi()["paths"].items():
            for method, operation in methods.items():
                action = operation.get("x-action", "")
                if method != "get" and action:
                    yield name, method.upper(), f"/{name}{path}", action


async def _count_audit_rows(platform: PlatformHarness, service: str) -> int:
    database = platform.services[service].service.database
    (row,) = await database.execute_once(_COUNT_ROWS, [platform.seeded.tenant])
    return int(row[0])


async def _list_actions_on(
    platform: PlatformHarness, service: str, tenant: UUID, subject: UUID
) -> list[str]:
    database = platform.services[service].service.database
    rows = await database.execute_once(_READ_ACTIONS, [tenant], subject=subject)  # type: ignore[list-item]  # ids from a response
    return [row.action for row in rows]


def _execution_order(route: tuple[str, str, str, str]) -> int:
    """Return a sort key: actions that end a session or membership come last."""
    action = route[3]
    ends = action.startswith(("session.", "password.")) and action != "session.open"
    # A suspension ends the sessions that an administrator could end.
    order = {"member.end_sessions": -1, "space.leave": 1, "space.join": 2}
    return order.get(action, 3 if ends else 0)


async def test_every_action_leaves_an_audit_row(
    platform: PlatformHarness, route_arguments: RouteArguments
) -> None:
    unaudited, audited = [], set()
    for service, method, template, action in sorted(
        _list_changing_routes(platform), key=_execution_order
    ):
        if action in ACTIONS_WITHOUT_EFFECT or action == "tenant.open":
            continue
        persona = next(actor for actor in ACTORS if actor in ALLOWED[action])
        rows_before = await _count_audit_rows(platform, service)
        path = route_arguments.path(action, template)
        response = await platform.request(
            USER_BY_PERSONA[persona], method, path, route_arguments.bodies.get(action)
        )
        # 404 and 409: an earlier action ended or decided the same resource.
        assert response.is_success or response.status_code in {404, 409}, (
            f"{action}: {response.text}"
        )
        if response.is_success:
            audited.add(action)
            if await _count_audit_rows(platform, service) <= rows_before:
                unaudited.append(action)
    assert not unaudited
    assert {"member.import", "content.import", "role.grant", "post.publish"} <= audited
    assert any(action.startswith("session.end") for action in audited)


async def test_opening_a_tenant_leaves_rows_in_its_own_audit(platform: PlatformHarness) -> None:
    body = {"name": "Lycée du bout du monde", "admin": "cheffe@monde.example"}
    opened_tenant = await platform.request_ok("operator", "POST", "/identity/v1/tenants", body)
    tenant = UUID(opened_tenant["tenant_id"])
    assert await _list_actions_on(platform, "identity", tenant, tenant) == [
        "identity.tenant.opened.v1"
    ]


async def test_unmasked_figures_about_few_members_leave_a_row(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    await platform.wait_until_idle()
    today = datetime.now(UTC).date()
    path = f"/metrics/v1/kpis?space_id={space}&from=2026-01-01&to={today}"
    for user, expected in (("claire", []), ("operator", ["figures.read_unmasked"])):
        await platform.request_ok(user, "GET", path)
        actions = await _list_actions_on(platform, "metrics", platform.seeded.tenant, UUID(space))
        assert actions == expected, user


async def test_failed_sign_in_leaves_a_row_about_the_member(
    platform: PlatformHarness,
) -> None:
    session = await platform.sign_in("malik")
    member = member_id_of(session["access_token"])
    credentials = {"tenant": SLUG, "email": "malik@demo.example", "password": "raté 🙈"}
    response = await platform.http.post("/identity/v1/sessions", json=credentials)
    assert response.status_code == 401
    actions = await _list_actions_on(platform, "identity", platform.seeded.tenant, member)
    assert actions[-1] == "sign_in.failed"
    unknown = credentials | {"email": "personne@demo.example"}
    await platform.http.post("/identity/v1/sessions", json=unknown)
    no_id = UUID(int=0)
    assert "sign_in.failed" in await _list_actions_on(platform, "identity", no_id, no_id)
