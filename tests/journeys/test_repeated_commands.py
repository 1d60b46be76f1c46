"""Commands refused on removed content, and commands without effect when repeated."""

import httpx
import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
CONTENTS = "/community/v1/contents"
_END_SUSPENSION = sa.text(
    "UPDATE members SET suspended_until = now() - interval '1 hour' WHERE member_id = :m"
)


def _assert_problem(response: httpx.Response, status: int, key: str) -> None:
    assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (status, key)


async def _count_published_events(platform: PlatformHarness, topic: str, about: str) -> int:
    """Count the events that refer to an id."""
    await platform.wait_until_idle()
    count = 0
    for partition, end in (await platform.bus.get_log_bounds([topic])).end.items():
        records = await platform.bus.fetch(partition, 0, end)
        count += sum(about.encode() in (record.value or b"") for record in records)
    return count


async def test_removed_answer_cannot_be_accepted_but_can_be_flagged(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "hamid")
    question = await platform.publish_post("zoe", space, "Qui sait ? 🤷", "question")
    answer_id = await platform.publish_reply("hamid", question, "Moi !", "answers")
    await platform.request_ok("hamid", "DELETE", f"{CONTENTS}/{answer_id}")
    accepted = await platform.request("zoe", "POST", f"{CONTENTS}/{answer_id}/accept")
    _assert_problem(accepted, 409, "content_gone")
    flag = await platform.request(
        "zoe", "POST", f"{CONTENTS}/{answer_id}/flags", {"reason": "spam"}
    )
    assert flag.status_code == 204, "removed content can still be flagged"
    (content, _) = (await platform.request_ok("zoe", "GET", f"{CONTENTS}/{question}"))["items"]
    assert content["accepted_id"] is None


async def test_removed_question_accepts_no_answers_or_comments(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "hamid")
    question = await platform.publish_post("zoe", space, "Je l’enlève.", "question")
    answer_id = await platform.publish_reply("hamid", question, "Dommage.", "answers")
    await platform.request_ok("zoe", "DELETE", f"{CONTENTS}/{question}")
    for path, body in (
        (f"{CONTENTS}/{answer_id}/accept", None),
        (f"{CONTENTS}/{answer_id}/comments", {"body": "Ah bon ?"}),
    ):
        _assert_problem(await platform.request("zoe", "POST", path, body), 409, "content_gone")
    flag = await platform.request(
        "zoe", "POST", f"{CONTENTS}/{answer_id}/flags", {"reason": "spam"}
    )
    assert flag.status_code == 204, "an answer to a removed question can still be flagged"


async def test_identical_edit_changes_no_version_and_publishes_no_event(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "D’abord.")
    body = {"title": "Mieux ✍️", "body": "Ensuite."}
    first_edit = await platform.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", body)
    published = await _count_published_events(platform, "community.post", post)
    second_edit = await platform.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", body)
    assert second_edit == first_edit
    assert second_edit["version"] == 2
    edit_without_title = await platform.request_ok(
        "zoe", "PUT", f"{CONTENTS}/{post}", {"body": "Ensuite."}
    )
    assert edit_without_title == first_edit, "an edit without a title keeps the title"
    assert await _count_published_events(platform, "community.post", post) == published
    title_edit = await platform.request_ok(
        "zoe", "PUT", f"{CONTENTS}/{post}", body | {"title": "Encore"}
    )
    assert (title_edit["version"], title_edit["title"]) == (3, "Encore")


async def test_answers_and_comments_have_no_title(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    question = await platform.publish_post("zoe", space, "Un titre ?", "question")
    answer_id = await platform.publish_reply("zoe", question, "Non.", "answers")
    comment = await platform.publish_reply("zoe", answer_id, "Non plus.")
    for content in (answer_id, comment):
        body = {"title": "Si !", "body": "Si."}
        response = await platform.request("zoe", "PUT", f"{CONTENTS}/{content}", body)
        _assert_problem(response, 422, "no_title_here")
    contents = (await platform.request_ok("zoe", "GET", f"{CONTENTS}/{question}"))["items"]
    assert [item["version"] for item in contents] == [1, 1, 1]


async def test_role_with_a_past_end_is_refused(platform: PlatformHarness) -> None:
    await platform.request_ok("ines", "GET", "/community/v1/spaces")
    member = str(member_id_of(platform.tokens["ines"]))
    role = {"member_id": member, "role": "teacher", "structure_id": await platform.school_id()}
    published_before = await _count_published_events(platform, "identity.member", member)
    role_in_the_past = role | {"until": "2020-01-01T00:00:00+01:00"}

    _assert_problem(
        await platform.request("anne", "POST", "/identity/v1/roles", role_in_the_past),
        422,
        "already_past",
    )

    assert await _count_published_events(platform, "identity.member", member) == published_before


async def test_a_suspension_ends_once(platform: PlatformHarness) -> None:
    await platform.request_ok("ines", "GET", "/community/v1/spaces")
    member = str(member_id_of(platform.tokens["ines"]))
    path = f"/identity/v1/members/{member}/suspension"
    published_before = await _count_published_events(platform, "identity.member", member)
    _assert_problem(await platform.request("anne", "DELETE", path), 409, "not_suspended")
    suspension_in_the_past = {"reason": "x", "until": "2020-01-01T00:00:00+01:00"}
    _assert_problem(
        await platform.request("anne", "POST", path, suspension_in_the_past), 422, "already_past"
    )
    assert await _count_published_events(platform, "identity.member", member) == published_before
    await platform.request_ok("anne", "POST", path, {"reason": "x"})
    await platform.request_ok("anne", "DELETE", path)
    _assert_problem(await platform.request("anne", "DELETE", path), 409, "not_suspended")
    await platform.wait_until_idle()


async def test_member_signs_in_after_the_end_of_suspension(platform: PlatformHarness) -> None:
    await platform.request_ok("tom", "GET", "/community/v1/spaces")
    member = member_id_of(platform.tokens["tom"])
    path = f"/identity/v1/members/{member}/suspension"
    suspension = {"reason": "x", "until": "2999-01-01T00:00:00Z"}
    await platform.request_ok("anne", "POST", path, suspension)
    body = {"tenant": "academie-de-demonstration", "email": "tom@demo.example"}
    body["password"] = platform.seeded.password_of("tom")
    assert (await platform.http.post("/identity/v1/sessions", json=body)).status_code == 403
    database = platform.services["identity"].service.database
    await database.execute_once(_END_SUSPENSION, [platform.seeded.tenant], m=member)
    assert (await platform.http.post("/identity/v1/sessions", json=body)).status_code == 201
    _assert_problem(await platform.request("anne", "DELETE", path), 409, "not_suspended")
    await platform.request_ok("anne", "POST", path, suspension)
    await platform.request_ok("anne", "DELETE", path)
    await platform.wait_until_idle()


async def test_mail_address_is_unique_in_any_spelling(platform: PlatformHarness) -> None:
    school, name = await platform.school_id(), f"Éloïse.Weiß.{uuid7()}"
    member_body = {
        "display_name": "Éloïse",
        "email": f"{name}@Demo.example",
        "structure_id": school,
    }
    member = await platform.request_ok("anne", "POST", "/identity/v1/members", member_body)
    for spelling in (f"{name}@Demo.example".lower(), f"{name}@Demo.example".upper()):
        duplicate = await platform.request(
            "anne", "POST", "/identity/v1/members", member_body | {"email": spelling}
        )
        _assert_problem(duplicate, 409, "email_taken")
    password = "un très long mot de passe 🔑"
    invitation = {"invitation": member["invitation"], "password": password}
    accept = await platform.http.post("/identity/v1/invitations/accept", json=invitation)
    assert accept.status_code == 204
    for email in (member_body["email"], member_body["email"].upper()):
        body = {"tenant": "academie-de-demonstration", "email": email, "password": password}
        response = await platform.http.post("/identity/v1/sessions", json=body)
        assert response.status_code == 201, response.text


async def test_pasted_address_is_cleaned_and_found_taken(platform: PlatformHarness) -> None:
    school, address = await platform.school_id(), f"camille.{uuid7().hex}@exemple.fr"
    member_body = {
        "display_name": "Camille",
        "structure_id": school,
        "email": f"Camille <{address}>;",
    }
    member = await platform.request_ok("anne", "POST", "/identity/v1/members", member_body)
    for pasted in (address, f"{address};", f"<{address}>", f"mailto:{address}", f"{address}."):
        duplicate = await platform.request(
            "anne", "POST", "/identity/v1/members", member_body | {"email": pasted}
        )
        _assert_problem(duplicate, 409, "email_taken")
    zero_width = address.replace("@", "\u200b@")
    duplicate = await platform.request(
        "anne", "POST", "/identity/v1/members", member_body | {"email": zero_width}
    )
    _assert_problem(duplicate, 409, "email_taken")
    for invalid_address in (f"{address}; {address}", "camille", "camille @exemple.fr"):
        response = await platform.request(
            "anne", "POST", "/identity/v1/members", member_body | {"email": invalid_address}
        )
        _assert_problem(response, 422, "address_invalid")
    tenant = {"name": f"Université {uuid7()}", "admin": "chef"}
    response = await platform.request("operator", "POST", "/identity/v1/tenants", tenant)
    _assert_problem(response, 422, "address_invalid")
    password = "un très long mot de passe 🔑"
    invitation = {"invitation": member["invitation"], "password": password}
    await platform.http.post("/identity/v1/invitations/accept", json=invitation)
    for typed in (address, f" {address.upper()} "):
        body = {"tenant": "academie-de-demonstration", "email": typed, "password": password}
        response = await platform.http.post("/identity/v1/sessions", json=body)
        assert response.status_code == 201, response.text


async def test_a_tenants_name_may_be_in_any_script(platform: PlatformHarness) -> None:
    slugs = []
    for name in ("京都大学", "Ελληνικό Πανεπιστήμιο", "🏝", f"Académie Œuvrard d’Æ {uuid7()}"):
        body = {"name": name, "admin": "chef@cote.example"}
        slugs.append(
            (await platform.request_ok("operator", "POST", "/identity/v1/tenants", body))["slug"]
        )
    assert all(slug.startswith("tenant-") for slug in slugs[:3])
    assert len(set(slugs)) == len(slugs)
    assert slugs[3].startswith("academie-oeuvrard-d-ae-")
