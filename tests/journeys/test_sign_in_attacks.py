"""Sign-in under attack, with the real API and database."""

import asyncio

import httpx
import pytest

from deploy.local.seed import SLUG
from tests.support.platform_harness import PlatformHarness

pytestmark = pytest.mark.asyncio(loop_scope="session")
_VARYING_FIELDS = {"trace_id", "x-trace-id", "traceresponse", "retry_after", "retry-after", "help"}
PATH = "/identity/v1/sessions"


async def sign_in(
    platform: PlatformHarness, email: str, password: str, **more: str
) -> httpx.Response:
    body = {"tenant": SLUG, "email": email, "password": password, **more}
    transport = platform.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    # Another client address: failures here must not slow down other journeys.
    attacker_transport = httpx.ASGITransport(transport.app, client=("198.51.100.66", 50_000))
    async with httpx.AsyncClient(
        transport=attacker_transport, base_url=platform.http.base_url
    ) as http:
        return await http.post(PATH, json=body, headers={"Accept-Language": "en"})


def comparable_parts(response: httpx.Response) -> tuple[object, ...]:
    """Return the parts of a response that could reveal a member: without time and trace."""
    body = {name: value for name, value in response.json().items() if name not in _VARYING_FIELDS}
    headers = {
        name: value for name, value in response.headers.items() if name not in _VARYING_FIELDS
    }
    return response.status_code, str(body), str(headers), "Retry-After" in response.headers


async def test_concurrent_guesses_get_same_responses_for_unknown_address(
    platform: PlatformHarness,
) -> None:
    known_email_responses = await asyncio.gather(
        *(sign_in(platform, "hamid@demo.example", f"raté {n}") for n in range(40))
    )
    unknown_email_responses = await asyncio.gather(
        *(sign_in(platform, "personne@demo.example", f"raté {n}") for n in range(40))
    )
    unknown_tenant_responses = await asyncio.gather(
        *(
            sign_in(platform, "hamid@demo.example", f"raté {n}", tenant="ailleurs")
            for n in range(40)
        )
    )

    for responses in (known_email_responses, unknown_email_responses, unknown_tenant_responses):
        assert sum(response.status_code == 401 for response in responses) == 5
        assert sum(response.status_code == 429 for response in responses) == 35

    def distinct(responses: list[httpx.Response]) -> set[tuple[object, ...]]:
        return {comparable_parts(response) for response in responses}

    assert (
        distinct(known_email_responses)
        == distinct(unknown_email_responses)
        == distinct(unknown_tenant_responses)
    )
    rejection = next(response for response in known_email_responses if response.status_code == 429)
    assert rejection.json()["title"] == "Too many attempts in a short time"
    assert rejection.headers["Retry-After"] == str(rejection.json()["retry_after"])
    assert 20 <= int(rejection.headers["Retry-After"]) <= 30


async def test_known_device_signs_in_while_others_guess(platform: PlatformHarness) -> None:
    password = platform.seeded.password_of("malik")
    session = (await sign_in(platform, "malik@demo.example", password)).json()
    for _ in range(8):
        await sign_in(platform, "malik@demo.example", "raté")

    new_device = await sign_in(platform, "malik@demo.example", password)
    known_device = await sign_in(
        platform, "malik@demo.example", password, device_token=session["device_token"]
    )

    assert new_device.status_code == 429
    assert known_device.status_code == 201
    assert known_device.json()["device_token"] != session["device_token"]


async def test_device_token_gives_no_access(platform: PlatformHarness) -> None:
    session = (
        await sign_in(platform, "zoe@demo.example", platform.seeded.password_of("zoe"))
    ).json()
    token = session["device_token"]

    read_response = await platform.http.get(
        "/identity/v1/structures", headers={"Authorization": f"Bearer {token}"}
    )
    accept_response = await platform.http.post(
        "/identity/v1/invitations/accept",
        json={"invitation": token, "password": "Un tout autre mot de passe"},
    )

    assert (read_response.status_code, accept_response.status_code) == (401, 401)
