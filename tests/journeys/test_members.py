"""Who comes, goes, signs in and is stopped: stories across all five services."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.identity.sessions.store.signer import JwtSigner
from shared.contracts.ids import MemberId
from tests.support.platform_harness import World, member_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
ISSUER, AUDIENCE = "https://preau.local", "preau"
READS = (
    "/identity/v1/structures",
    "/community/v1/spaces",
    "/moderation/v1/cases",
    "/notifications/v1/inbox",
    "/metrics/v1/alerts",
)


async def test_a_suspended_member_is_stopped_everywhere_and_comes_back(world: World) -> None:
    await world.ask("tom", "GET", READS[1])
    tom = member_of(world.tokens["tom"])
    path = f"/identity/v1/members/{tom}/suspension"
    until = (datetime.now(UTC) + timedelta(days=3)).astimezone().isoformat()
    await world.ask("anne", "POST", path, {"reason": "repeated_insults", "until": until})
    await world.settle()
    for read in READS:
        answer = await world.call("tom", "GET", read)
        problem = answer.json()
        assert (answer.status_code, problem["rule"]) == (403, "member.suspended"), read
        assert problem["reason"] == "repeated_insults"
        assert datetime.fromisoformat(problem["until"]) == datetime.fromisoformat(until)
    await world.ask("anne", "DELETE", path)
    await world.settle()
    for read in READS:
        await world.ask("tom", "GET", read)


async def test_a_suspension_ends_at_a_moment_with_its_zone(world: World) -> None:
    await world.ask("tom", "GET", READS[1])
    path = f"/identity/v1/members/{member_of(world.tokens['tom'])}/suspension"
    why = {"reason": "repeated_insults", "until": "2026-12-24T18:00:00"}
    answer = await world.call("anne", "POST", path, why)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/until"


async def test_nobody_suspends_themselves_or_above_them(world: World) -> None:
    await world.ask("anne", "GET", READS[1])
    path = f"/identity/v1/members/{member_of(world.tokens['anne'])}/suspension"
    for who, rule in (
        ("anne", "member.manage.not_oneself"),
        ("claire", "member.manage.administrator"),
    ):
        answer = await world.call(who, "POST", path, {"reason": "x"})
        assert (answer.status_code, answer.json()["rule"]) == (403, rule)


async def test_nobody_grants_more_than_they_hold(world: World) -> None:
    await world.ask("tom", "GET", READS[1])
    change = {
        "member_id": str(member_of(world.tokens["tom"])),
        "role": "operator",
        "structure_id": str(world.seeded.structure_id),
    }
    answer = await world.call("anne", "POST", "/identity/v1/roles", change)
    assert (answer.status_code, answer.json()["rule"]) == (403, "role.grant.not_more_than_held")


async def test_a_wrong_password_says_nothing_more_than_an_unknown_address(world: World) -> None:
    told = []
    for email in ("zoe@demo.example", "personne@demo.example"):
        body = {"tenant": "academie-de-demonstration", "email": email, "password": "raté 🙈"}
        answer = await world.http.post("/identity/v1/sessions", json=body)
        told.append((answer.status_code, answer.json()["type"], answer.json()["title"]))
    assert told[0] == told[1]
    assert told[0][0] == 401


async def test_expired_foreign_and_altered_tokens_are_refused_by_all_five(world: World) -> None:
    own = world.features.sessions.signer
    assert isinstance(own, JwtSigner)
    tenant, member = world.seeded.tenant, MemberId(world.seeded.operator)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    foreign = JwtSigner(pem, issuer=ISSUER, audience=AUDIENCE, clock=lambda: datetime.now(UTC))
    good = own.access(tenant, member, "s")
    head, _, signature = good.split(".")
    said = {"sub": str(member), "tenant": str(world.foreign), "sid": "s", "exp": 9e9, "nbf": 0}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    now, own._clock = own._clock, lambda: datetime.now(UTC) - timedelta(hours=1)
    expired = own.access(tenant, member, "s")
    own._clock = now
    bad = {
        "expired": expired,
        "foreign": foreign.access(tenant, member, "s"),
        "altered": f"{head}.{forged}.{signature}",
        "invitation": own.invitation(tenant, member, 1),
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
