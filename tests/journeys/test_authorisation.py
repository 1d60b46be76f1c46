"""The authorisation matrix: every route of every service, for everybody."""

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
IN_VAIN = {
    "session.refresh": {401},
    "invitation.accept": {401},
    "session.end": {404},
    "tenant.invite": {404},
    "password.change": {403},
    "operate.decide": {404},
    "operate.dead_letter": {404},
}
"""What is not refused for who asks, but for what is asked: a used token, an unknown record."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(world: PlatformHarness) -> RouteArguments:
    return await create_route_arguments(world)


def _routes(world: PlatformHarness) -> Iterator[tuple[str, str, str]]:
    """Return method, path and action of every route there is."""
    for name, running in world.services.items():
        app = running.service.http
        assert isinstance(app, FastAPI)
        for path, methods in app.openapi()["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), f"/{name}{path}", operation.get("x-action", "")


async def test_every_route_has_an_action_and_every_action_a_row(world: PlatformHarness) -> None:
    routes = list(_routes(world))
    assert {action for _, _, action in routes} == set(ALLOWED)
    assert len(routes) > 40


@pytest.mark.parametrize("who", PERSONAS)
async def test_everybody_may_do_what_the_matrix_says_and_no_more(
    world: PlatformHarness, scene: RouteArguments, who: str
) -> None:
    wrong = []
    # Who has left the space may do little else: last of all.
    for method, template, action in sorted(_routes(world), key=lambda r: r[2] == "space.leave"):
        path, body = scene.path(action, template), scene.bodies.get(action)
        answer = await world.request(USER_BY_PERSONA[who], method, path, body)
        allowed = who in ALLOWED[action]
        if not _as_expected(answer, action, who, allowed=allowed):
            wrong.append(f"{method} {path}: {answer.status_code}, {allowed=} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def _as_expected(answer: httpx.Response, action: str, who: str, *, allowed: bool) -> bool:
    if not allowed:
        return answer.status_code == 401 if who == "anonymous" else answer.status_code in {403, 404}
    if answer.status_code in IN_VAIN.get(action, ()):
        return True
    # 409: it was done before, by another column of the matrix.
    return answer.is_success or answer.status_code == 409


async def test_who_may_not_know_of_it_is_told_that_there_is_nothing(
    world: PlatformHarness, scene: RouteArguments
) -> None:
    """An administrator elsewhere holds every right there, and finds nothing here."""
    wrong = []
    # Who has left the space may do little else: last of all.
    for method, template, action in sorted(_routes(world), key=lambda r: r[2] == "space.leave"):
        if "{" in template and ALLOWED[action] != ALL_PERSONAS:
            path = scene.path(action, template)
            answer = await world.request("ulla", method, path, scene.bodies.get(action))
            if answer.status_code != 404:
                wrong.append(f"{method} {path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


async def test_ids_of_another_tenant_in_a_body_name_nothing(
    world: PlatformHarness, scene: RouteArguments
) -> None:
    tree = await world.request_ok("ulla", "GET", "/identity/v1/structures")
    theirs, ours = tree["items"][0]["structure_id"], await world.school_id()
    grant = scene.bodies["role.grant"]
    for who, path, body, status in (
        ("ulla", "/identity/v1/roles", grant, 404),
        ("ulla", "/identity/v1/roles", grant | {"structure_id": theirs}, 404),
        ("ulla", "/identity/v1/structures", scene.bodies["structure.open"], 404),
        ("ulla", "/identity/v1/members", scene.bodies["member.add"], 404),
        ("ulla", "/community/v1/imports", scene.bodies["content.import"], 404),
        ("ulla", "/community/v1/spaces", {"name": "Chez eux", "structure_id": ours}, 403),
        ("claire", "/community/v1/spaces", {"name": "Chez eux", "structure_id": theirs}, 403),
    ):
        answer = await world.request(who, "POST", path, body)
        assert answer.status_code == status, f"{who} {path} {answer.text}"


async def test_hidden_content_is_for_its_author_and_moderators(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "malik", "ines")
    post = await world.publish_post("malik", space, "Tu es vraiment un connard, dégage.")
    await world.wait_for_standing("zoe", post, None)
    path = f"/community/v1/contents/{post}"
    for who in ("malik", "omar", "anne"):
        assert (await world.wait_for_standing(who, post, "hidden"))["reason"], who
    for who in ("zoe", "ines", "hamid", "claire", "ulla"):
        for method, end, body in (
            ("GET", "", None),
            ("POST", "/comments", {"body": "Quoi ?"}),
            ("POST", "/flags", {"reason": "spam"}),
            ("DELETE", "", None),
        ):
            answer = await world.request(who, method, path + end, body)
            assert answer.status_code == 404, f"{who} {method}{end}"


async def test_nobody_decides_on_their_own_content(world: PlatformHarness) -> None:
    space = await world.open_space("omar", "zoe")
    post = await world.publish_post("omar", space, "On se retrouve tous contre lui.")
    await world.flag_content("zoe", post)
    await world.wait_until_idle()
    cases = (await world.request_ok("anne", "GET", "/moderation/v1/cases"))["items"]
    (case,) = [each for each in cases if each["content_id"] == post]
    own = (await world.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert post not in {each["content_id"] for each in own}, "not even that it was flagged"
    body = {"version": 1, "action": "keep", "policy": "other", "reason": "other"}
    path = f"/moderation/v1/cases/{case['case_id']}"
    for method, end in (("GET", ""), ("POST", "/claim"), ("POST", "/decision")):
        answer = await world.request(
            "omar", method, path + end, body if end == "/decision" else None
        )
        assert answer.status_code == 404, f"{method} {end}"
