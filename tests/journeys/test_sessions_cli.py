"""`preau sessions`, as a member runs it in a terminal."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from shared.kit.tools.cli.main import LazyCommandGroup
from tests.journeys.invited_member import join_with_invitation
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


class Terminal:
    """Runs commands with the token of one session."""

    def __init__(self, platform: PlatformHarness, token: str, folder: Path) -> None:
        self.platform, self.file = platform, folder / "token"
        self.file.write_text(token)

    async def run(self, *arguments: str) -> Result:
        loop = asyncio.get_running_loop()

        def forward_request(request: httpx.Request) -> httpx.Response:
            path, query = request.url.path, request.url.query.decode()
            response_future = self.platform.http.request(
                request.method, f"{path}?{query}", headers={**request.headers, "host": "test"}
            )
            response = asyncio.run_coroutine_threadsafe(response_future, loop).result(30)
            return httpx.Response(
                response.status_code, content=response.content, headers=response.headers
            )

        def invoke() -> Result:
            with pytest.MonkeyPatch.context() as monkeypatch:
                client_class = httpx.Client
                transport = httpx.MockTransport(forward_request)
                monkeypatch.setattr(
                    httpx,
                    "Client",
                    lambda base_url, **_: client_class(base_url=base_url, transport=transport),
                )
                monkeypatch.setenv("PREAU_TOKEN_FILE", str(self.file))
                return CliRunner().invoke(LazyCommandGroup(name="preau"), arguments)

        return await asyncio.to_thread(invoke)


async def test_member_lists_and_ends_sessions_with_the_cli(
    platform: PlatformHarness, tmp_path: Path
) -> None:
    gwen = await join_with_invitation(platform)
    first, second, third = [await gwen.sign_in() for _ in range(3)]
    terminal = Terminal(platform, second["access_token"], tmp_path)

    list_result = await terminal.run("sessions", "list")
    items = json.loads((await terminal.run("sessions", "list", "--json")).output)

    assert [line[0] for line in list_result.output.splitlines()] == [" ", "*", " "]
    assert "Firefox, Linux" in list_result.output
    end_one_result = await terminal.run("sessions", "end", items[0]["session_id"])
    assert (end_one_result.exit_code, end_one_result.output) == (
        0,
        f"ended: {items[0]['session_id']}\n",
    )
    end_result = await terminal.run("sessions", "end", "--others")
    assert (end_result.exit_code, end_result.output) == (0, "ended: 1\n")
    assert await gwen.get_statuses(first) == await gwen.get_statuses(third) == {401}
    assert (await terminal.run("sessions", "end")).exit_code == 2
    assert (await terminal.run("sessions", "end", "--all")).output == "ended: 1\n"
    refused_result = await terminal.run("sessions", "list")
    assert refused_result.exit_code == 4
