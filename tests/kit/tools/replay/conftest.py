"""A world with a past: what people did, what was decided, what was brought from elsewhere."""

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
    """The world, and who rebuilds it."""

    world: PlatformHarness
    addresses: StackAddresses
    space: str = ""
    progress_messages: list[str] = field(default_factory=list)
    shadow_schemas: set[tuple[str, str]] = field(default_factory=set)

    def owner_url(self, service: str) -> str:
        return database_of(self.addresses, PREFIX, service, "owner")

    def rebuilder(self, service: str) -> Rebuilder:
        environment = {"MODERATION_SEAL_KEY": "bm9ib2R5IGV2ZXIgb3BlbnMgdGhpcyBzZWFsIGtleSE="}
        return Rebuilder(
            self.owner_url(service), self.world.bus, environment, self.progress_messages.append
        )

    async def replay(self, service: str, **wished: Any) -> Report:
        wished.setdefault("compare", True)
        wish = ReplayRequest(service, **wished)
        report = await self.rebuilder(service).run(wish)
        self.shadow_schemas.add((service, wish.into))
        return report

    async def sql(self, service: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Ask as the owner, who sees both tenants."""
        opened = await asyncpg.connect(self.owner_url(service).replace("+asyncpg", ""))
        try:
            both = f"{self.world.seeded.tenant},{self.world.other_tenant}"
            await opened.execute("SELECT set_config('app.tenants', $1, false)", both)
            return await opened.fetch(query, *values)
        finally:
            await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def past(postgres_addresses: StackAddresses) -> AsyncIterator[ReplayPlatform]:
    """Everything that a read model can have gone through."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        async with start_platform(postgres_addresses, Path(folder), PREFIX) as world:
            made = ReplayPlatform(world, postgres_addresses)
            made.space = await world.open_space("zoe", "malik", "ines", "hamid", "omar")
            await _conversations(world, made.space)
            await _members(world)
            await _flags(world, made.space)
            await _read_some(world)
            await _history(world, made.space)
            await world.wait_until_idle()
            yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _cleared(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Leave no schema of a replay behind."""
    yield
    if "past" in request.fixturenames:
        made: ReplayPlatform = request.getfixturevalue("past")
        while made.shadow_schemas:
            service, schema = made.shadow_schemas.pop()
            await made.rebuilder(service).drop(schema)


@pytest.fixture(autouse=True)
def _unhindered(socket_enabled: None) -> None:
    """Let a fixture of the whole session open its connections whichever test is the first."""


async def _conversations(world: PlatformHarness, space: str) -> None:
    question = await world.publish_post("zoe", space, "Comment écrire « cœur » ? 💙", "question")
    answer = await world.publish_reply("hamid", question, "Avec un e dans l’o : œ.", "answers")
    await world.publish_reply("malik", question, "Moi aussi je me le demande.")
    await world.request_ok("zoe", "POST", f"{CONTENTS}/{answer}/accept")
    gone = await world.publish_post("malik", space, "Je l’enlève tout de suite.")
    await world.request_ok("malik", "DELETE", f"{CONTENTS}/{gone}")
    hidden = await world.publish_post("malik", space, INSULT)
    await world.decide_case(await world.wait_for_case(hidden), "remove")
    slip = await world.publish_reply("malik", question, "Oups, mauvaise discussion.")
    read = await world.publish_reply("malik", question, "Lue, puis retirée.")
    notice = await world.wait_for_notification("zoe", "comment_on_mine", read)
    await world.request_ok(
        "zoe", "POST", f"/notifications/v1/inbox/{notice['notification_id']}/read"
    )
    for comment in (slip, read):
        await world.request_ok("malik", "DELETE", f"{CONTENTS}/{comment}")
    insult = await world.publish_reply("malik", question, INSULT)
    await world.wait_for_standing("malik", insult, "hidden")
    await world.publish_reply("malik", question, "Un commentaire qui reste.")
    call = await world.publish_post("zoe", space, "J’ai envie de mourir.")
    await world.wait_for_notification("zoe", "help", call)
    await world.request_ok("zoe", "DELETE", f"{CONTENTS}/{call}")


async def _members(world: PlatformHarness) -> None:
    tom = member_id_of((await world.sign_in("tom"))["access_token"])
    suspension = f"/identity/v1/members/{tom}/suspension"
    await world.request_ok("anne", "POST", suspension, {"reason": "spam"})
    await world.request_ok("anne", "DELETE", suspension)
    await world.request_ok("anne", "POST", suspension, {"reason": "spam"})
    role = {"member_id": str(tom), "role": "moderator", "structure_id": await world.school_id()}
    await world.request_ok("anne", "POST", "/identity/v1/roles", role)
    await world.request_ok("anne", "POST", "/identity/v1/roles/revoke", role)


async def _flags(world: PlatformHarness, space: str) -> None:
    """Two alerts: the first is closed, so that the second can be raised."""
    for _ in range(2):
        posts = [
            await world.publish_post("malik", space, f"Un texte bien calme {n}.") for n in range(2)
        ]
        for who, post in (
            ("zoe", 0), ("ines", 0), ("hamid", 0), ("zoe", 1), ("ines", 1)
        ):  # fmt: skip
            await world.flag_content(who, posts[post])
        await world.wait_until_idle()
        found = (await world.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
        if len(found) == 1:
            await world.request_ok(
                "claire", "POST", f"/metrics/v1/alerts/{found[0]['alert_id']}/close"
            )


async def _read_some(world: PlatformHarness) -> None:
    for who in ("zoe", "malik", "claire"):
        items = (await world.request_ok(who, "GET", "/notifications/v1/inbox"))["items"]
        assert items, f"{who} was told of nothing"
        path = f"/notifications/v1/inbox/{items[0]['notification_id']}/read"
        await world.request_ok(who, "POST", path)


async def _history(world: PlatformHarness, space: str) -> None:
    line = {
        "outside_id": "post:1",
        "kind": "question",
        "title": "Autrefois",
        "body": "Une vieille question.",
        "created_at": "2019-05-31T23:30:00+00:00",
    }
    chunk = {"space_id": space, "source": "ailleurs", "lines": [line]}
    await world.request_ok("anne", "POST", "/community/v1/imports", chunk)
