"""A member who joined with an invitation, and the requests they send to all services."""

import httpx
from uuid_utils.compat import uuid7

from tests.support.platform_harness import Json, PlatformHarness

SESSIONS, REFRESH = "/identity/v1/sessions", "/identity/v1/sessions/refresh"
READ_PATHS = (
    "/identity/v1/structures",
    "/community/v1/spaces",
    "/moderation/v1/cases",
    "/notifications/v1/inbox",
    "/metrics/v1/alerts",
)
PASSWORD, NEW_PASSWORD = "tournesol vélo brume 7", "abricot pont violon 12"


class InvitedMember:
    """A member who joined with an invitation and may have several sessions."""

    def __init__(
        self, platform: PlatformHarness, member_id: str, email: str, invitation: str
    ) -> None:
        self.platform, self.member_id, self.email = platform, member_id, email
        self.invitation = invitation

    async def accept(self, invitation: str, password: str = PASSWORD) -> httpx.Response:
        body = {"invitation": invitation, "password": password}
        return await self.platform.http.post("/identity/v1/invitations/accept", json=body)

    async def try_sign_in(self, password: str = PASSWORD, **more: object) -> httpx.Response:
        body = {"tenant": "academie-de-demonstration", "email": self.email, "password": password}
        browser = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}
        return await self.platform.http.post(SESSIONS, json=body | more, headers=browser)

    async def sign_in(self, password: str = PASSWORD, **more: object) -> Json:
        response = await self.try_sign_in(password, **more)
        assert response.status_code == 201, response.text
        payload: Json = response.json()
        return payload

    async def refresh(self, token: str) -> httpx.Response:
        return await self.platform.http.post(REFRESH, json={"refresh_token": token})

    async def request(
        self, tokens: Json, method: str, path: str, body: object = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        return await self.platform.http.request(method, path, json=body, headers=headers)

    async def get_statuses(self, tokens: Json) -> set[int]:
        """Return the statuses of reads from all five services, once all events are applied."""
        await self.platform.wait_until_idle()
        return {(await self.request(tokens, "GET", path)).status_code for path in READ_PATHS}

    async def request_as_administrator(
        self, method: str, subresource: str, body: object = None
    ) -> httpx.Response:
        """Send a request about this member as the administrator."""
        path = f"/identity/v1/members/{self.member_id}/{subresource}"
        return await self.platform.request("anne", method, path, body)


async def join_with_invitation(platform: PlatformHarness) -> InvitedMember:
    """Add a member as the administrator, and accept the invitation with `PASSWORD`."""
    email = f"p.{uuid7().hex}@demo.example"
    body = {"display_name": "Gwenaëlle", "email": email, "structure_id": await platform.school_id()}
    response = await platform.request_ok("anne", "POST", "/identity/v1/members", body)
    member = InvitedMember(platform, response["member_id"], email, response["invitation"])
    assert (await member.accept(member.invitation)).status_code == 204
    return member


def assert_problem(response: httpx.Response, status: int, key: str) -> Json:
    assert (response.status_code, response.json()["type"]) == (status, f"/identity/problems/{key}")
    payload: Json = response.json()
    return payload
