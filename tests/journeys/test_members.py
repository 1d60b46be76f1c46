"""Members join, sign in, are suspended and reinstated, across all five services."""

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
READ_PATHS = (
    "/identity/v1/structures",
    "/community/v1/spaces",
    "/moderation/v1/cases",
    "/notifications/v1/inbox",
    "/metrics/v1/alerts",
)


async def test_suspended_member_is_refused_everywhere_until_reinstated(
    platform: PlatformHarness,
) -> None:
    await platform.request_ok("tom", "GET", READ_PATHS[1])
    tom = member_id_of(platform.tokens["tom"])
    path = f"/identity/v1/members/{tom}/suspension"
    until = (datetime.now(UTC) + timedelta(days=3)).astimezone().isoformat()
    await platform.request_ok("anne", "POST", path, {"reason": "repeated_insults", "until": until})
    await platform.wait_until_idle()
    for read_path in READ_PATHS:
        response = await platform.request("tom", "GET", read_path)
        problem = response.json()
        assert (response.status_code, problem["rule"]) == (403, "member.suspended"), read_path
        assert problem["reason"] == "repeated_insults"
        assert datetime.fromisoformat(problem["until"]) == datetime.fromisoformat(until)
    await platform.request_ok("anne", "DELETE", path)
    await platform.wait_until_idle()
    for read_path in READ_PATHS:
        await platform.request_ok("tom", "GET", read_path)


async def test_suspension_end_needs_a_time_zone(platform: PlatformHarness) -> None:
    await platform.request_ok("tom", "GET", READ_PATHS[1])
    path = f"/identity/v1/members/{member_id_of(platform.tokens['tom'])}/suspension"
    suspension = {"reason": "repeated_insults", "until": "2026-12-24T18:00:00"}
    response = await platform.request("anne", "POST", path, suspension)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/until"


async def test_member_cannot_suspend_themselves_or_higher_roles(platform: PlatformHarness) -> None:
    await platform.request_ok("anne", "GET", READ_PATHS[1])
    path = f"/identity/v1/members/{member_id_of(platform.tokens['anne'])}/suspension"
    for user, rule in (
        ("anne", "member.manage.not_oneself"),
        ("claire", "member.manage.administrator"),
    ):
        response = await platform.request(user, "POST", path, {"reason": "x"})
        assert (response.status_code, response.json()["rule"]) == (403, rule)


async def test_member_cannot_grant_more_than_own_role(platform: PlatformHarness) -> None:
    await platform.request_ok("tom", "GET", READ_PATHS[1])
    change = {
        "member_id": str(member_id_of(platform.tokens["tom"])),
        "role": "operator",
        "structure_id": str(platform.seeded.structure_id),
    }
    response = await platform.request("anne", "POST", "/identity/v1/roles", change)
    assert (response.status_code, response.json()["rule"]) == (403, "role.grant.not_more_than_held")


async def test_wrong_password_and_unknown_address_get_same_response(
    platform: PlatformHarness,
) -> None:
    responses = []
    for email in ("zoe@demo.example", "personne@demo.example"):
        body = {"tenant": "academie-de-demonstration", "email": email, "password": "raté 🙈"}
        response = await platform.http.post("/identity/v1/sessions", json=body)
        responses.append((response.status_code, response.json()["type"], response.json()["title"]))
    assert responses[0] == responses[1]
    assert responses[0][0] == 401


async def test_expired_foreign_and_altered_tokens_are_refused_by_all_five(
    platform: PlatformHarness,
) -> None:
    signer = platform.features.sessions.tokens.access
    assert isinstance(signer, JwtSigner)
    tenant, member = platform.seeded.tenant, MemberId(platform.seeded.operator)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    foreign_signer = JwtSigner(
        pem, issuer=ISSUER, audience=AUDIENCE, clock=lambda: datetime.now(UTC)
    )
    valid_token = signer.sign_access(tenant, member, "s")
    head, _, signature = valid_token.split(".")
    claims = {
        "sub": str(member),
        "tenant": str(platform.other_tenant),
        "sid": "s",
        "exp": 9e9,
        "nbf": 0,
    }
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    real_clock, signer._clock = signer._clock, lambda: datetime.now(UTC) - timedelta(hours=1)
    expired = signer.sign_access(tenant, member, "s")
    signer._clock = real_clock
    invalid_tokens = {
        "expired": expired,
        "foreign": foreign_signer.sign_access(tenant, member, "s"),
        "altered": f"{head}.{forged}.{signature}",
        "invitation": signer.sign_invitation(tenant, member, 1),
        "nonsense": "é" * 3,
    }
    for read_path in READ_PATHS:
        for name, token in invalid_tokens.items():
            headers = {b"authorization": f"Bearer {token}".encode()}
            response = await platform.http.get(read_path, headers=headers)
            assert response.status_code == 401, f"{read_path} {name}"
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"]
        headers = {b"authorization": f"Bearer {valid_token}".encode()}
        assert (await platform.http.get(read_path, headers=headers)).is_success, read_path
