"""A platform with a history of events, on which replays are tested."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.stack import StackAddresses
from shared.kit.tools.replay.rebuild import Rebuilder, ReplayRequest
from shared.kit.tools.replay.report import Report
from tests.support.platform_databases import database_of
from tests.support.platform_harness import PlatformHarness, member_id_of, start_platform

INSULT = "Tu n’es qu’un connard."
CONTENTS = "/community/v1/contents"
PREFIX = "replay"
SERVICES = ("metrics", "notifications", "community", "moderation")


@dataclass
class ReplayPlatform:
    """The running platform and the rebuilders of its services."""

    harness: PlatformHarness
    addresses: StackAddresses
    space: str = ""
    progress_messages: list[str] = field(default_factory=list)
    shadow_schemas: set[tuple[str, str]] = field(default_factory=set)

    def owner_url(self, service: str) -> str:
        return database_of(self.addresses, PREFIX, service, "owner")

    def rebuilder(self, service: str) -> Rebuilder:
        environment = {"MODERATION_SEAL_KEY": "bm9ib2R5IGV2ZXIgb3BlbnMgdGhpcyBzZWFsIGtleSE="}
        return Rebuilder(
            self.owner_url(service), self.harness.bus, environment, self.progress_messages.append
        )

    async def replay(self, service: str, **options: Any) -> Report:
        options.setdefault("compare", True)
        request = ReplayRequest(service, **options)
        report = await self.rebuilder(service).run(request)
        self.shadow_schemas.add((service, request.into))
        return report

    async def sql(self, service: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Run a query as the owner, who sees the rows of both tenants."""
        connection = await asyncpg.connect(self.owner_url(service).replace("+asyncpg", ""))
        try:
            tenants = f"{self.harness.seeded.tenant},{self.harness.other_tenant}"
            await connection.execute("SELECT set_config('app.tenants', $1, false)", tenants)
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def replay_platform(postgres_addresses: StackAddresses) -> AsyncIterator[ReplayPlatform]:
    """A platform with every kind of event that a read model consumes."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        async with start_platform(postgres_addresses, Path(folder), PREFIX) as harness:
            platform = ReplayPlatform(harness, postgres_addresses)
            platform.space = await harness.open_space("zoe", "malik", "ines", "hamid", "omar")
            await _write_conversations(harness, platform.space)
            await _change_members(harness)
            await _raise_alerts(harness, platform.space)
            await _read_notifications(harness)
            await _import_history(harness, platform.space)
            await harness.wait_until_idle()
            yield platform


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _drop_shadow_schemas(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Drop the schemas of a test's replays."""
    yield
    if "replay_platform" in request.fixturenames:
        platform: ReplayPlatform = request.getfixturevalue("replay_platform")
        while platform.shadow_schemas:
            service, schema = platform.shadow_schemas.pop()
            await platform.rebuilder(service).drop(schema)


@pytest.fixture(autouse=True)
def _allow_sockets(socket_enabled: None) -> None:
    """Allow connections: the session's fixture may be created by any test."""


async def _write_conversations(harness: PlatformHarness, space: str) -> None:
    question = await harness.publish_post("zoe", space, "Comment écrire « cœur » ? 💙", "question")
    answer_id = await harness.publish_reply("hamid", question, "Avec un e dans l’o : œ.", "answers")
    await harness.publish_reply("malik", question, "Moi aussi je me le demande.")
    await harness.request_ok("zoe", "POST", f"{CONTENTS}/{answer_id}/accept")
    removed_post = await harness.publish_post("malik", space, "Je l’enlève tout de suite.")
    await harness.request_ok("malik", "DELETE", f"{CONTENTS}/{removed_post}")
    hidden_post = await harness.publish_post("malik", space, INSULT)
    await harness.decide_case(await harness.wait_for_case(hidden_post), "remove")
    unread_comment = await harness.publish_reply("malik", question, "Oups, mauvaise discussion.")
    read_comment = await harness.publish_reply("malik", question, "Lue, puis retirée.")
    notification = await harness.wait_for_notification("zoe", "comment_on_mine", read_comment)
    await harness.request_ok(
        "zoe", "POST", f"/notifications/v1/inbox/{notification['notification_id']}/read"
    )
    for comment in (unread_comment, read_comment):
        await harness.request_ok("malik", "DELETE", f"{CONTENTS}/{comment}")
    insulting_comment = await harness.publish_reply("malik", question, INSULT)
    await harness.wait_for_standing("malik", insulting_comment, "hidden")
    await harness.publish_reply("malik", question, "Un commentaire qui reste.")
    help_call = await harness.publish_post("zoe", space, "J’ai envie de mourir.")
    await harness.wait_for_notification("zoe", "help", help_call)
    await harness.request_ok("zoe", "DELETE", f"{CONTENTS}/{help_call}")


async def _change_members(harness: PlatformHarness) -> None:
    tom = member_id_of((await harness.sign_in("tom"))["access_token"])
    suspension = f"/identity/v1/members/{tom}/suspension"
    await harness.request_ok("anne", "POST", suspension, {"reason": "spam"})
    await harness.request_ok("anne", "DELETE", suspension)
    await harness.request_ok("anne", "POST", suspension, {"reason": "spam"})
    role = {"member_id": str(tom), "role": "moderator", "structure_id": await harness.school_id()}
    await harness.request_ok("anne", "POST", "/identity/v1/roles", role)
    await harness.request_ok("anne", "POST", "/identity/v1/roles/revoke", role)


async def _raise_alerts(harness: PlatformHarness, space: str) -> None:
    """Raise two alerts: the first is closed before the second is raised."""
    for _ in range(2):
        posts = [
            await harness.publish_post("malik", space, f"Un texte bien calme {n}.")
            for n in range(2)
        ]
        for member, post in (
            ("zoe", 0), ("ines", 0), ("hamid", 0), ("zoe", 1), ("ines", 1)
        ):  # fmt: skip
            await harness.flag_content(member, posts[post])
        await harness.wait_until_idle()
        alerts = (await harness.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
        if len(alerts) == 1:
            await harness.request_ok(
                "claire", "POST", f"/metrics/v1/alerts/{alerts[0]['alert_id']}/close"
            )


async def _read_notifications(harness: PlatformHarness) -> None:
    for member in ("zoe", "malik", "claire"):
        items = (await harness.request_ok(member, "GET", "/notifications/v1/inbox"))["items"]
        assert items, f"{member} has no notification"
        path = f"/notifications/v1/inbox/{items[0]['notification_id']}/read"
        await harness.request_ok(member, "POST", path)


async def _import_history(harness: PlatformHarness, space: str) -> None:
    row = {
        "outside_id": "post:1",
        "kind": "question",
        "title": "Autrefois",
        "body": "Une vieille question.",
        "created_at": "2019-05-31T23:30:00+00:00",
    }
    chunk = {"space_id": space, "source": "ailleurs", "lines": [row]}
    await harness.request_ok("anne", "POST", "/community/v1/imports", chunk)
