"""The authorisation matrix, tested on every route of every service for every persona."""

from collections.abc import Iterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from tests.journeys.authorisation_matrix import (
    ALL_PERSONAS,
    ALLOWED,
    PERSONAS,
    USER_BY_PERSONA,
    RouteArguments,
    create_route_arguments,
)
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
EXPECTED_ERRORS = {
    "session.refresh": {401},
    "invitation.accept": {401},
    "session.end": {404},
    "tenant.invite": {404},
    "password.change": {403},
    "operate.decide": {404},
    "operate.dead_letter": {404},
}
"""Allowed actions that are still rejected: a used token, an unknown record."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def route_arguments(platform: PlatformHarness) -> RouteArguments:
    return await create_route_arguments(platform)


def _routes(platform: PlatformHarness) -> Iterator[tuple[str, str, str]]:
    """Yield method, path and action of every route."""
    for name, running in platform.services.items():
        app = running.service.http
        assert isinstance(app, FastAPI)
        for path, methods in app.openapi()["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), f"/{name}{path}", operation.get("x-action", "")


async def test_every_route_has_an_action_and_every_action_a_row(platform: PlatformHarness) -> None:
    routes = list(_routes(platform))
    assert {action for _, _, action in routes} == set(ALLOWED)
    assert len(routes) > 40


@pytest.mark.parametrize("persona", PERSONAS)
async def test_each_persona_may_do_exactly_what_the_matrix_allows(
    platform: PlatformHarness, route_arguments: RouteArguments, persona: str
) -> None:
    failures = []
    # Leaving the space comes last: it removes permissions.
    for method, template, action in sorted(_routes(platform), key=lambda r: r[2] == "space.leave"):
        path, body = route_arguments.path(action, template), route_arguments.bodies.get(action)
        response = await platform.request(USER_BY_PERSONA[persona], method, path, body)
        allowed = persona in ALLOWED[action]
        if not _is_expected_response(response, action, persona, allowed=allowed):
            failures.append(
                f"{method} {path}: {response.status_code}, {allowed=} {response.text[:200]}"
            )
    assert not failures, "\n".join(failures)


def _is_expected_response(
    response: httpx.Response, action: str, persona: str, *, allowed: bool
) -> bool:
    if not allowed:
        return (
            response.status_code == 401
            if persona == "anonymous"
            else response.status_code in {403, 404}
        )
    if response.status_code in EXPECTED_ERRORS.get(action, ()):
        return True
    # 409: the request of another persona already had this effect.
    return response.is_success or response.status_code == 409


async def test_resources_of_another_tenant_are_not_found(
    platform: PlatformHarness, route_arguments: RouteArguments
) -> None:
    """Ulla administers the other tenant and has no rights in this one."""
    failures = []
    # Leaving the space comes last: it removes permissions.
    for method, template, action in sorted(_routes(platform), key=lambda r: r[2] == "space.leave"):
        if "{" in template and ALLOWED[action] != ALL_PERSONAS:
            path = route_arguments.path(action, template)
            response = await platform.request(
                "ulla", method, path, route_arguments.bodies.get(action)
            )
            if response.status_code != 404:
                failures.append(f"{method} {path}: {response.status_code}")
    assert not failures, "\n".join(failures)


async def test_ids_of_another_tenant_in_a_body_are_not_found(
    platform: PlatformHarness, route_arguments: RouteArguments
) -> None:
    tree = await platform.request_ok("ulla", "GET", "/identity/v1/structures")
    other_structure, own_structure = tree["items"][0]["structure_id"], await platform.school_id()
    grant = route_arguments.bodies["role.grant"]
    for user, path, body, status in (
        ("ulla", "/identity/v1/roles", grant, 404),
        ("ulla", "/identity/v1/roles", grant | {"structure_id": other_structure}, 404),
        ("ulla", "/identity/v1/structures", route_arguments.bodies["structure.open"], 404),
        ("ulla", "/identity/v1/members", route_arguments.bodies["member.add"], 404),
        ("ulla", "/community/v1/imports", route_arguments.bodies["content.import"], 404),
        ("ulla", "/community/v1/spaces", {"name": "Chez eux", "structure_id": own_structure}, 403),
        (
            "claire",
            "/community/v1/spaces",
            {"name": "Chez eux", "structure_id": other_structure},
            403,
        ),
    ):
        response = await platform.request(user, "POST", path, body)
        assert response.status_code == status, f"{user} {path} {response.text}"


async def test_only_author_and_moderators_can_read_hidden_content(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "malik", "ines")
    post = await platform.publish_post("malik", space, "Tu es vraiment un connard, dégage.")
    await platform.wait_for_standing("zoe", post, None)
    path = f"/community/v1/contents/{post}"
    for user in ("malik", "omar", "anne"):
        assert (await platform.wait_for_standing(user, post, "hidden"))["reason"], user
    for user in ("zoe", "ines", "hamid", "claire", "ulla"):
        for method, suffix, body in (
            ("GET", "", None),
            ("POST", "/comments", {"body": "Quoi ?"}),
            ("POST", "/flags", {"reason": "spam"}),
            ("DELETE", "", None),
        ):
            response = await platform.request(user, method, path + suffix, body)
            assert response.status_code == 404, f"{user} {method}{suffix}"


async def test_moderator_cannot_decide_on_own_content(platform: PlatformHarness) -> None:
    space = await platform.open_space("omar", "zoe")
    post = await platform.publish_post("omar", space, "On se retrouve tous contre lui.")
    await platform.flag_content("zoe", post)
    await platform.wait_until_idle()
    cases = (await platform.request_ok("anne", "GET", "/moderation/v1/cases"))["items"]
    (case,) = [item for item in cases if item["content_id"] == post]
    own_queue = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert post not in {item["content_id"] for item in own_queue}, (
        "the queue must not reveal the flag to its author"
    )
    body = {"version": 1, "action": "keep", "policy": "other", "reason": "other"}
    path = f"/moderation/v1/cases/{case['case_id']}"
    for method, suffix in (("GET", ""), ("POST", "/claim"), ("POST", "/decision")):
        response = await platform.request(
            "omar", method, path + suffix, body if suffix == "/decision" else None
        )
        assert response.status_code == 404, f"{method} {suffix}"
