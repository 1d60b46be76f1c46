"""What cannot be done to what is gone, and what changes nothing when it is done again."""

import httpx
import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
CONTENTS = "/community/v1/contents"
_END = sa.text(
    "UPDATE members SET suspended_until = now() - interval '1 hour' WHERE member_id = :m"
)


def _problem(answer: httpx.Response, status: int, key: str) -> None:
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, key)


async def _told(world: PlatformHarness, topic: str, about: str) -> int:
    """Count the facts that name something."""
    await world.wait_until_idle()
    count = 0
    for partition, end in (await world.bus.get_log_bounds([topic])).end.items():
        records = await world.bus.fetch(partition, 0, end)
        count += sum(about.encode() in (record.value or b"") for record in records)
    return count


async def test_a_removed_answer_is_not_accepted_and_still_flagged(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "hamid")
    question = await world.publish_post("zoe", space, "Qui sait ? 🤷", "question")
    answer = await world.publish_reply("hamid", question, "Moi !", "answers")
    await world.request_ok("hamid", "DELETE", f"{CONTENTS}/{answer}")
    accepted = await world.request("zoe", "POST", f"{CONTENTS}/{answer}/accept")
    _problem(accepted, 409, "content_gone")
    flag = await world.request("zoe", "POST", f"{CONTENTS}/{answer}/flags", {"reason": "spam"})
    assert flag.status_code == 204, "who saw it may still report it"
    (shown, _) = (await world.request_ok("zoe", "GET", f"{CONTENTS}/{question}"))["items"]
    assert shown["accepted_id"] is None


async def test_nothing_more_happens_below_a_removed_question(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "hamid")
    question = await world.publish_post("zoe", space, "Je l’enlève.", "question")
    answer = await world.publish_reply("hamid", question, "Dommage.", "answers")
    await world.request_ok("zoe", "DELETE", f"{CONTENTS}/{question}")
    for path, body in (
        (f"{CONTENTS}/{answer}/accept", None),
        (f"{CONTENTS}/{answer}/comments", {"body": "Ah bon ?"}),
    ):
        _problem(await world.request("zoe", "POST", path, body), 409, "content_gone")
    flag = await world.request("zoe", "POST", f"{CONTENTS}/{answer}/flags", {"reason": "spam"})
    assert flag.status_code == 204, "it is still read, so it is still reported"


async def test_an_edit_that_changes_nothing_changes_nothing(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "D’abord.")
    new = {"title": "Mieux ✍️", "body": "Ensuite."}
    first = await world.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", new)
    told = await _told(world, "community.post", post)
    again = await world.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", new)
    assert again == first
    assert again["version"] == 2
    bare = await world.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", {"body": "Ensuite."})
    assert bare == first, "a title that is not given stays"
    assert await _told(world, "community.post", post) == told
    titled = await world.request_ok("zoe", "PUT", f"{CONTENTS}/{post}", new | {"title": "Encore"})
    assert (titled["version"], titled["title"]) == (3, "Encore")


async def test_answers_and_comments_have_no_title(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    question = await world.publish_post("zoe", space, "Un titre ?", "question")
    answer = await world.publish_reply("zoe", question, "Non.", "answers")
    comment = await world.publish_reply("zoe", answer, "Non plus.")
    for content in (answer, comment):
        new = {"title": "Si !", "body": "Si."}
        edited = await world.request("zoe", "PUT", f"{CONTENTS}/{content}", new)
        _problem(edited, 422, "no_title_here")
    shown = (await world.request_ok("zoe", "GET", f"{CONTENTS}/{question}"))["items"]
    assert [each["version"] for each in shown] == [1, 1, 1]


async def test_no_role_is_granted_until_a_moment_that_has_passed(world: PlatformHarness) -> None:
    await world.request_ok("ines", "GET", "/community/v1/spaces")
    member = str(member_id_of(world.tokens["ines"]))
    role = {"member_id": member, "role": "teacher", "structure_id": await world.school_id()}
    before = await _told(world, "identity.member", member)
    past = role | {"until": "2020-01-01T00:00:00+01:00"}

    _problem(await world.request("anne", "POST", "/identity/v1/roles", past), 422, "already_past")

    assert await _told(world, "identity.member", member) == before


async def test_a_suspension_ends_once(world: PlatformHarness) -> None:
    await world.request_ok("ines", "GET", "/community/v1/spaces")
    member = str(member_id_of(world.tokens["ines"]))
    path = f"/identity/v1/members/{member}/suspension"
    before = await _told(world, "identity.member", member)
    _problem(await world.request("anne", "DELETE", path), 409, "not_suspended")
    past = {"reason": "x", "until": "2020-01-01T00:00:00+01:00"}
    _problem(await world.request("anne", "POST", path, past), 422, "already_past")
    assert await _told(world, "identity.member", member) == before
    await world.request_ok("anne", "POST", path, {"reason": "x"})
    await world.request_ok("anne", "DELETE", path)
    _problem(await world.request("anne", "DELETE", path), 409, "not_suspended")
    await world.wait_until_idle()


async def test_who_was_suspended_until_a_moment_signs_in_after_it(world: PlatformHarness) -> None:
    await world.request_ok("tom", "GET", "/community/v1/spaces")
    member = member_id_of(world.tokens["tom"])
    path = f"/identity/v1/members/{member}/suspension"
    why = {"reason": "x", "until": "2999-01-01T00:00:00Z"}
    await world.request_ok("anne", "POST", path, why)
    body = {"tenant": "academie-de-demonstration", "email": "tom@demo.example"}
    body["password"] = world.seeded.password_of("tom")
    assert (await world.http.post("/identity/v1/sessions", json=body)).status_code == 403
    database = world.services["identity"].service.database
    await database.execute_once(_END, [world.seeded.tenant], m=member)
    assert (await world.http.post("/identity/v1/sessions", json=body)).status_code == 201
    _problem(await world.request("anne", "DELETE", path), 409, "not_suspended")
    await world.request_ok("anne", "POST", path, why)
    await world.request_ok("anne", "DELETE", path)
    await world.wait_until_idle()


async def test_an_address_is_one_however_it_is_written(world: PlatformHarness) -> None:
    school, name = await world.school_id(), f"Éloïse.Weiß.{uuid7()}"
    new = {"display_name": "Éloïse", "email": f"{name}@Demo.example", "structure_id": school}
    added = await world.request_ok("anne", "POST", "/identity/v1/members", new)
    for same in (f"{name}@Demo.example".lower(), f"{name}@Demo.example".upper()):
        other = await world.request("anne", "POST", "/identity/v1/members", new | {"email": same})
        _problem(other, 409, "email_taken")
    password = "un très long mot de passe 🔑"
    invitation = {"invitation": added["invitation"], "password": password}
    accept = await world.http.post("/identity/v1/invitations/accept", json=invitation)
    assert accept.status_code == 204
    for email in (new["email"], new["email"].upper()):
        body = {"tenant": "academie-de-demonstration", "email": email, "password": password}
        answer = await world.http.post("/identity/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text


async def test_pasted_address_is_tidied_and_then_known(world: PlatformHarness) -> None:
    school, address = await world.school_id(), f"camille.{uuid7().hex}@exemple.fr"
    new = {"display_name": "Camille", "structure_id": school, "email": f"Camille <{address}>;"}
    added = await world.request_ok("anne", "POST", "/identity/v1/members", new)
    for pasted in (address, f"{address};", f"<{address}>", f"mailto:{address}", f"{address}."):
        again = await world.request("anne", "POST", "/identity/v1/members", new | {"email": pasted})
        _problem(again, 409, "email_taken")
    zero_width = address.replace("@", "\u200b@")
    again = await world.request("anne", "POST", "/identity/v1/members", new | {"email": zero_width})
    _problem(again, 409, "email_taken")
    for refused in (f"{address}; {address}", "camille", "camille @exemple.fr"):
        answer = await world.request(
            "anne", "POST", "/identity/v1/members", new | {"email": refused}
        )
        _problem(answer, 422, "address_invalid")
    tenant = {"name": f"Université {uuid7()}", "admin": "chef"}
    answer = await world.request("operator", "POST", "/identity/v1/tenants", tenant)
    _problem(answer, 422, "address_invalid")
    password = "un très long mot de passe 🔑"
    invitation = {"invitation": added["invitation"], "password": password}
    await world.http.post("/identity/v1/invitations/accept", json=invitation)
    for typed in (address, f" {address.upper()} "):
        body = {"tenant": "academie-de-demonstration", "email": typed, "password": password}
        answer = await world.http.post("/identity/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text


async def test_a_tenants_name_may_be_in_any_script(world: PlatformHarness) -> None:
    slugs = []
    for name in ("京都大学", "Ελληνικό Πανεπιστήμιο", "🏝", f"Académie Œuvrard d’Æ {uuid7()}"):
        new = {"name": name, "admin": "chef@cote.example"}
        slugs.append(
            (await world.request_ok("operator", "POST", "/identity/v1/tenants", new))["slug"]
        )
    assert all(slug.startswith("tenant-") for slug in slugs[:3])
    assert len(set(slugs)) == len(slugs)
    assert slugs[3].startswith("academie-oeuvrard-d-ae-")
