"""Sessions are listed and ended in all services at once; passwords are reset."""

import unicodedata
from uuid import UUID

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from tests.journeys.invited_member import (
    NEW_PASSWORD,
    PASSWORD,
    SESSIONS,
    InvitedMember,
    assert_problem,
    join_with_invitation,
)
from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_member_lists_and_ends_own_sessions_only(platform: PlatformHarness) -> None:
    gwen, other_member = await join_with_invitation(platform), await join_with_invitation(platform)
    first, second, third = [await gwen.sign_in() for _ in range(3)]
    other_tokens = await other_member.sign_in()
    sessions = (await gwen.request(second, "GET", SESSIONS)).json()["items"]
    assert [item["current"] for item in sessions] == [False, True, False]
    assert {(item["device"], item["client"]) for item in sessions} == {
        ("computer", "Firefox, Linux")
    }
    moments = [item["opened_at"] for item in sessions]
    assert moments == sorted(moments, reverse=True)
    other_sessions = (await other_member.request(other_tokens, "GET", SESSIONS)).json()["items"]
    for unknown in (other_sessions[0]["session_id"], str(uuid7())):
        response = await gwen.request(second, "DELETE", f"{SESSIONS}/{unknown}")
        assert_problem(response, 404, "session_not_found")

    ended = await gwen.request(second, "DELETE", f"{SESSIONS}/{sessions[0]['session_id']}")

    assert ended.status_code == 204
    assert await gwen.get_statuses(third) == {401}
    assert await gwen.get_statuses(first) == await gwen.get_statuses(second) == {200}
    assert await other_member.get_statuses(other_tokens) == {200}
    problem = assert_problem(await gwen.refresh(third["refresh_token"]), 401, "session_over")
    assert problem["reason"] == "ended_by_member"
    end_all_response = await gwen.request(second, "DELETE", f"{SESSIONS}?spare_current=true")
    assert end_all_response.json() == {"ended": 1}
    assert await gwen.get_statuses(first) == {401}
    assert await gwen.get_statuses(second) == {200}


async def test_signing_out_ends_the_session_everywhere(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    first, second = await gwen.sign_in(), await gwen.sign_in()

    assert (await gwen.request(first, "POST", f"{SESSIONS}/sign-out")).status_code == 204

    assert await gwen.get_statuses(first) == {401}
    assert_problem(await gwen.request(first, "GET", SESSIONS), 401, "session_ended")
    assert_problem(await gwen.refresh(first["refresh_token"]), 401, "session_over")
    assert await gwen.get_statuses(second) == {200}
    assert (await gwen.request(second, "DELETE", SESSIONS)).json() == {"ended": 1}
    assert await gwen.get_statuses(second) == {401}


async def test_password_change_ends_the_other_sessions(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    first, second = await gwen.sign_in(), await gwen.sign_in()
    change = {"current_password": "raté", "new_password": NEW_PASSWORD}
    path = "/identity/v1/password"
    assert_problem(await gwen.request(first, "PUT", path, change), 403, "wrong_password")
    right = change | {"current_password": PASSWORD}
    for weak, key in (
        ("court", "password_too_short"),
        ("aaaaaaaaaaaaaa", "password_repeats"),
        ("123456789012", "password_guessable"),
        (gwen.email, "password_guessable"),
        ("academie de demonstration", "password_guessable"),
        ("\u200b" * 12, "password_too_short"),
        (" " * 12, "password_repeats"),
    ):
        response = await gwen.request(first, "PUT", path, right | {"new_password": weak})
        assert_problem(response, 422, key)

    assert (await gwen.request(first, "PUT", path, right)).status_code == 204

    assert await gwen.get_statuses(first) == {200}
    assert await gwen.get_statuses(second) == {401}
    problem = assert_problem(await gwen.refresh(second["refresh_token"]), 401, "session_over")
    assert problem["reason"] == "password_changed"
    assert_problem(await gwen.try_sign_in(PASSWORD), 401, "wrong_credentials")
    await gwen.sign_in(NEW_PASSWORD)


async def test_wrong_current_passwords_are_rate_limited(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    change = {"current_password": "raté", "new_password": NEW_PASSWORD}
    responses = [
        await gwen.request(tokens, "PUT", "/identity/v1/password", change) for _ in range(6)
    ]
    assert [response.status_code for response in responses] == [403] * 5 + [429]


async def test_new_invitation_resets_the_password_and_ends_all_sessions(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    assert (await platform.request("claire", "POST", _invitation_path(gwen))).status_code == 403
    older_invitation, newer_invitation = [
        (await gwen.request_as_administrator("POST", "invitation")).json()["invitation"]
        for _ in range(2)
    ]
    assert await gwen.get_statuses(tokens) == {200}, (
        "sessions stay open until the invitation is accepted"
    )
    assert_problem(await gwen.accept(older_invitation, NEW_PASSWORD), 409, "invitation_void")
    assert_problem(await gwen.accept(gwen.invitation, NEW_PASSWORD), 409, "invitation_void")

    assert (await gwen.accept(newer_invitation, NEW_PASSWORD)).status_code == 204

    assert_problem(await gwen.accept(newer_invitation, NEW_PASSWORD), 409, "invitation_used")
    assert await gwen.get_statuses(tokens) == {401}
    assert_problem(await gwen.try_sign_in(PASSWORD), 401, "wrong_credentials")
    await gwen.sign_in(NEW_PASSWORD)


async def test_withdrawn_invitation_is_refused(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    invitation = (await gwen.request_as_administrator("POST", "invitation")).json()["invitation"]
    assert (await gwen.request_as_administrator("DELETE", "invitation")).status_code == 204
    assert_problem(await gwen.accept(invitation, NEW_PASSWORD), 409, "invitation_void")
    assert_problem(
        await gwen.request_as_administrator("DELETE", "invitation"), 409, "invitation_void"
    )
    await gwen.sign_in(PASSWORD)


async def test_suspension_ends_sessions_and_gives_member_the_reason(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    invitation = (await gwen.request_as_administrator("POST", "invitation")).json()["invitation"]
    suspension = {"reason": "insultes répétées", "until": "2999-01-01T00:00:00Z"}
    assert (
        await gwen.request_as_administrator("POST", "suspension", suspension)
    ).status_code == 204
    await platform.wait_until_idle()

    for response in (
        await gwen.try_sign_in(),
        await gwen.refresh(tokens["refresh_token"]),
        await gwen.accept(invitation, NEW_PASSWORD),
        await gwen.request(tokens, "GET", SESSIONS),
    ):
        problem = assert_problem(response, 403, "member_suspended")
        assert (problem["reason"], problem["until"][:10]) == (suspension["reason"], "2999-01-01")
    assert_problem(await gwen.try_sign_in("raté"), 401, "wrong_credentials")
    restricted_tokens = await gwen.sign_in(suspended_too=True)
    assert (
        await gwen.request(restricted_tokens, "GET", "/notifications/v1/inbox")
    ).status_code == 200
    response = await gwen.request(restricted_tokens, "GET", "/community/v1/spaces")
    assert response.json()["rule"] == "member.suspended"
    assert (
        await gwen.request(restricted_tokens, "POST", f"{SESSIONS}/sign-out")
    ).status_code == 204

    assert (await gwen.request_as_administrator("DELETE", "suspension")).status_code == 204

    assert await gwen.get_statuses(tokens) == {401}
    problem = assert_problem(await gwen.refresh(tokens["refresh_token"]), 401, "session_over")
    assert problem["reason"] == "suspended"
    assert await gwen.get_statuses(await gwen.sign_in()) == {200}


async def test_administrator_ends_the_sessions_of_a_member(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    path = f"/identity/v1/members/{gwen.member_id}/sessions"
    assert (await platform.request("omar", "DELETE", path)).status_code == 403
    assert (await gwen.request_as_administrator("DELETE", "sessions")).status_code == 204
    assert await gwen.get_statuses(tokens) == {401}
    problem = assert_problem(await gwen.refresh(tokens["refresh_token"]), 401, "session_over")
    assert problem["reason"] == "administrator"


async def test_password_is_accepted_in_composed_and_decomposed_unicode(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    composed = "été à la forêt brumeuse"
    decomposed = unicodedata.normalize("NFD", composed)
    invitation = (await gwen.request_as_administrator("POST", "invitation")).json()["invitation"]
    assert (await gwen.accept(invitation, composed)).status_code == 204
    await gwen.sign_in(decomposed)
    await gwen.sign_in(composed)


async def test_replayed_invitation_does_not_give_the_secret_again(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    path, key = _invitation_path(gwen), f"invite-{uuid7()}"
    first_response = await platform.request("anne", "POST", path, idempotency_key=key)
    replay = await platform.request("anne", "POST", path, idempotency_key=key)
    problem = assert_problem(replay, 409, "answer_not_kept")
    assert problem["member_id"] == gwen.member_id
    assert first_response.json()["invitation"] not in replay.text
    assert (await gwen.accept(first_response.json()["invitation"], NEW_PASSWORD)).status_code == 204


async def test_member_without_an_address_is_not_invited(platform: PlatformHarness) -> None:
    line = {"outside_id": "1", "display_name": "Yann", "joined_at": "2020-01-01T00:00:00Z"}
    body = {"source": f"s{uuid7()}", "structure_id": await platform.school_id(), "lines": [line]}
    await platform.request_ok("anne", "POST", "/identity/v1/imports", body)
    await platform.request_ok("tom", "GET", "/community/v1/spaces")
    database = platform.services["identity"].service.database
    query = sa.text("SELECT member_id FROM members WHERE email IS NULL LIMIT 1")
    (row,) = await database.execute_once(query, [platform.seeded.tenant])
    path = f"/identity/v1/members/{row.member_id}/invitation"
    assert_problem(await platform.request("anne", "POST", path), 409, "no_address")


async def test_every_end_of_access_leaves_an_audit_row(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    await gwen.request(tokens, "POST", f"{SESSIONS}/sign-out")
    invitation = (await gwen.request_as_administrator("POST", "invitation")).json()["invitation"]
    await gwen.accept(invitation, NEW_PASSWORD)
    await gwen.request_as_administrator("POST", "invitation")
    await gwen.request_as_administrator("DELETE", "invitation")
    tokens = await gwen.sign_in(NEW_PASSWORD)
    for current in ("raté", NEW_PASSWORD):
        change = {"current_password": current, "new_password": PASSWORD}
        await gwen.request(tokens, "PUT", "/identity/v1/password", change)
    database = platform.services["identity"].service.database
    query = sa.text("""
        SELECT action, member_id FROM audit
        WHERE member_id = :gwen OR (member_id = :anne AND subject = :gwen)
    """)
    values = {"gwen": UUID(gwen.member_id), "anne": member_id_of(platform.tokens["anne"])}
    rows = await database.execute_once(query, [platform.seeded.tenant], **values)
    assert {row.action for row in rows if row.member_id == values["gwen"]} == {
        "password.set",
        "password.change_failed",
        "password.change",
        "identity.session.opened.v1",
        "identity.session.ended.v1",
    }
    assert {row.action for row in rows if row.member_id == values["anne"]} == {
        "identity.member.joined.v1",
        "invitation.issue",
        "invitation.withdraw",
    }


def _invitation_path(member: InvitedMember) -> str:
    return f"/identity/v1/members/{member.member_id}/invitation"


async def test_first_administrator_is_invited_again_until_a_password_is_set(
    platform: PlatformHarness,
) -> None:
    tenant_body = {"name": f"Université {uuid7()}", "admin": f"chef.{uuid7().hex}@cote.example"}
    key = f"open-{uuid7()}"
    path, invitations_path = "/identity/v1/tenants", "/identity/v1/tenants/invitations"
    opened_tenant = await platform.request(
        "operator", "POST", path, tenant_body, idempotency_key=key
    )
    problem = assert_problem(
        await platform.request("operator", "POST", path, tenant_body, idempotency_key=key),
        409,
        "answer_not_kept",
    )
    member = {"tenant_id": problem["tenant_id"], "member_id": problem["administrator_id"]}
    new_invitation = await platform.request_ok("operator", "POST", invitations_path, member)
    administrator = InvitedMember(
        platform, member["member_id"], tenant_body["admin"], new_invitation["invitation"]
    )
    older_response = await administrator.accept(opened_tenant.json()["invitation"])
    assert_problem(older_response, 409, "invitation_void")
    assert (await administrator.accept(new_invitation["invitation"])).status_code == 204
    assert_problem(
        await platform.request("operator", "POST", invitations_path, member), 409, "has_password"
    )
    unknown_member = {"tenant_id": str(platform.seeded.tenant), "member_id": str(uuid7())}
    assert_problem(
        await platform.request("operator", "POST", invitations_path, unknown_member),
        404,
        "member_not_found",
    )
