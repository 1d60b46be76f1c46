"""Who comes, goes, signs in and is stopped: stories across all five services."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.identity.sessions.store.signer import JwtSigner
from shared.contracts.ids import MemberId
from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
ISSUER, AUDIENCE = "https://preau.local", "preau"
READS = (
    "/identity/v1/structures",
    "/community/v1/spaces",
    "/moderation/v1/cases",
    "/notifications/v1/inbox",
    "/metrics/v1/alerts",
)


async def test_a_suspended_member_is_stopped_everywhere_and_comes_back(
    world: PlatformHarness,
) -> None:
    await world.request_ok("tom", "GET", READS[1])
    tom = member_id_of(world.tokens["tom"])
    path = f"/identity/v1/members/{tom}/suspension"
    until = (datetime.now(UTC) + timedelta(days=3)).astimezone().isoformat()
    await world.request_ok("anne", "POST", path, {"reason": "repeated_insults", "until": until})
    await world.wait_until_idle()
    for read in READS:
        answer = await world.request("tom", "GET", read)
        problem = answer.json()
        assert (answer.status_code, problem["rule"]) == (403, "member.suspended"), read
        assert problem["reason"] == "repeated_insults"
        assert datetime.fromisoformat(problem["until"]) == datetime.fromisoformat(until)
    await world.request_ok("anne", "DELETE", path)
    await world.wait_until_idle()
    for read in READS:
        await world.request_ok("tom", "GET", read)


async def test_a_suspension_ends_at_a_moment_with_its_zone(world: PlatformHarness) -> None:
    await world.request_ok("tom", "GET", READS[1])
    path = f"/identity/v1/members/{member_id_of(world.tokens['tom'])}/suspension"
    why = {"reason": "repeated_insults", "until": "2026-12-24T18:00:00"}
    answer = await world.request("anne", "POST", path, why)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/until"


async def test_nobody_suspends_themselves_or_above_them(world: PlatformHarness) -> None:
    await world.request_ok("anne", "GET", READS[1])
    path = f"/identity/v1/members/{member_id_of(world.tokens['anne'])}/suspension"
    for who, rule in (
        ("anne", "member.manage.not_oneself"),
        ("claire", "member.manage.administrator"),
    ):
        answer = await world.request(who, "POST", path, {"reason": "x"})
        assert (answer.status_code, answer.json()["rule"]) == (403, rule)


async def test_nobody_grants_more_than_they_hold(world: PlatformHarness) -> None:
    await world.request_ok("tom", "GET", READS[1])
    change = {
        "member_id": str(member_id_of(world.tokens["tom"])),
        "role": "operator",
        "structure_id": str(world.seeded.structure_id),
    }
    answer = await world.request("anne", "POST", "/identity/v1/roles", change)
    assert (answer.status_code, answer.json()["rule"]) == (403, "role.grant.not_more_than_held")


async def test_a_wrong_password_says_nothing_more_than_an_unknown_address(
    world: PlatformHarness,
) -> None:
    told = []
    for email in ("zoe@demo.example", "personne@demo.example"):
        body = {"tenant": "academie-de-demonstration", "email": email, "password": "raté 🙈"}
        answer = await world.http.post("/identity/v1/sessions", json=body)
        told.append((answer.status_code, answer.json()["type"], answer.json()["title"]))
    assert told[0] == told[1]
    assert told[0][0] == 401


async def test_expired_foreign_and_altered_tokens_are_refused_by_all_five(
    world: PlatformHarness,
) -> None:
    own = world.features.sessions.tokens.access
    assert isinstance(own, JwtSigner)
    tenant, member = world.seeded.tenant, MemberId(world.seeded.operator)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    foreign = JwtSigner(pem, issuer=ISSUER, audience=AUDIENCE, clock=lambda: datetime.now(UTC))
    good = own.sign_access(tenant, member, "s")
    head, _, signature = good.split(".")
    said = {"sub": str(member), "tenant": str(world.other_tenant), "sid": "s", "exp": 9e9, "nbf": 0}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    now, own._clock = own._clock, lambda: datetime.now(UTC) - timedelta(hours=1)
    expired = own.sign_access(tenant, member, "s")
    own._clock = now
    bad = {
        "expired": expired,
        "foreign": foreign.sign_access(tenant, member, "s"),
        "altered": f"{head}.{forged}.{signature}",
        "invitation": own.sign_invitation(tenant, member, 1),
        "nonsense": "é" * 3,
    }
    for read in READS:
        for name, token in bad.items():
            sent = {b"authorization": f"Bearer {token}".encode()}
            answer = await world.http.get(read, headers=sent)
            assert answer.status_code == 401, f"{read} {name}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"]
        sent = {b"authorization": f"Bearer {good}".encode()}
        assert (await world.http.get(read, headers=sent)).is_success, read
