"""A world with a past: what people did, what was decided, what was brought from elsewhere."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.stack import Addresses
from shared.kit.tools.replay.rebuild import Rebuilder, Wish
from shared.kit.tools.replay.report import Report
from tests.support.platform_databases import database_of
from tests.support.platform_harness import World, member_of, open_world

INSULT = "Tu n’es qu’un connard."
CONTENTS = "/community/v1/contents"
PREFIX = "replay"
SERVICES = ("metrics", "notifications", "community", "moderation")


@dataclass
class Past:
    """The world, and who rebuilds it."""

    world: World
    addresses: Addresses
    space: str = ""
    said: list[str] = field(default_factory=list)
    rooms: set[tuple[str, str]] = field(default_factory=set)

    def owner_url(self, service: str) -> str:
        return database_of(self.addresses, PREFIX, service, "owner")

    def rebuilder(self, service: str) -> Rebuilder:
        environment = {"MODERATION_SEAL_KEY": "bm9ib2R5IGV2ZXIgb3BlbnMgdGhpcyBzZWFsIGtleSE="}
        return Rebuilder(self.owner_url(service), self.world.bus, environment, self.said.append)

    async def replay(self, service: str, **wished: Any) -> Report:
        wished.setdefault("compare", True)
        wish = Wish(service, **wished)
        report = await self.rebuilder(service).run(wish)
        self.rooms.add((service, wish.into))
        return report

    async def sql(self, service: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Ask as the owner, who sees both tenants."""
        opened = await asyncpg.connect(self.owner_url(service).replace("+asyncpg", ""))
        try:
            both = f"{self.world.seeded.tenant},{self.world.foreign}"
            await opened.execute("SELECT set_config('app.tenants', $1, false)", both)
            return await opened.fetch(query, *values)
        finally:
            await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def past(postgres_addresses: Addresses) -> AsyncIterator[Past]:
    """Everything that a read model can have gone through."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        async with open_world(postgres_addresses, Path(folder), PREFIX) as world:
            made = Past(world, postgres_addresses)
            made.space = await world.space("zoe", "malik", "ines", "hamid", "omar")
            await _conversations(world, made.space)
            await _members(world)
            await _flags(world, made.space)
            await _read_some(world)
            await _history(world, made.space)
            await world.settle()
            yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _cleared(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Leave no schema of a replay behind."""
    yield
    if "past" in request.fixturenames:
        made: Past = request.getfixturevalue("past")
        while made.rooms:
            service, schema = made.rooms.pop()
            await made.rebuilder(service).drop(schema)


@pytest.fixture(autouse=True)
def _unhindered(socket_enabled: None) -> None:
    """Let a fixture of the whole session open its connections whichever test is the first."""


async def _conversations(world: World, space: str) -> None:
    question = await world.post("zoe", space, "Comment écrire « cœur » ? 💙", "question")
    answer = await world.reply("hamid", question, "Avec un e dans l’o : œ.", "answers")
    await world.reply("malik", question, "Moi aussi je me le demande.")
    await world.ask("zoe", "POST", f"{CONTENTS}/{answer}/accept")
    gone = await world.post("malik", space, "Je l’enlève tout de suite.")
    await world.ask("malik", "DELETE", f"{CONTENTS}/{gone}")
    hidden = await world.post("malik", space, INSULT)
    await world.decide(await world.case_of(hidden), "remove")
    slip = await world.reply("malik", question, "Oups, mauvaise discussion.")
    read = await world.reply("malik", question, "Lue, puis retirée.")
    notice = await world.told("zoe", "comment_on_mine", read)
    await world.ask("zoe", "POST", f"/notifications/v1/inbox/{notice['notification_id']}/read")
    for comment in (slip, read):
        await world.ask("malik", "DELETE", f"{CONTENTS}/{comment}")
    insult = await world.reply("malik", question, INSULT)
    await world.seen_as("malik", insult, "hidden")
    await world.reply("malik", question, "Un commentaire qui reste.")
    call = await world.post("zoe", space, "J’ai envie de mourir.")
    await world.told("zoe", "help", call)
    await world.ask("zoe", "DELETE", f"{CONTENTS}/{call}")


async def _members(world: World) -> None:
    tom = member_of((await world.sign_in("tom"))["access_token"])
    suspension = f"/identity/v1/members/{tom}/suspension"
    await world.ask("anne", "POST", suspension, {"reason": "spam"})
    await world.ask("anne", "DELETE", suspension)
    await world.ask("anne", "POST", suspension, {"reason": "spam"})
    role = {"member_id": str(tom), "role": "moderator", "structure_id": await world.school()}
    await world.ask("anne", "POST", "/identity/v1/roles", role)
    await world.ask("anne", "POST", "/identity/v1/roles/revoke", role)


async def _flags(world: World, space: str) -> None:
    """Two alerts: the first is closed, so that the second can be raised."""
    for _ in range(2):
        posts = [await world.post("malik", space, f"Un texte bien calme {n}.") for n in range(2)]
        for who, post in (
            ("zoe", 0), ("ines", 0), ("hamid", 0), ("zoe", 1), ("ines", 1)
        ):  # fmt: skip
            await world.flag(who, posts[post])
        await world.settle()
        found = (await world.ask("claire", "GET", "/metrics/v1/alerts"))["items"]
        if len(found) == 1:
            await world.ask("claire", "POST", f"/metrics/v1/alerts/{found[0]['alert_id']}/close")


async def _read_some(world: World) -> None:
    for who in ("zoe", "malik", "claire"):
        items = (await world.ask(who, "GET", "/notifications/v1/inbox"))["items"]
        assert items, f"{who} was told of nothing"
        path = f"/notifications/v1/inbox/{items[0]['notification_id']}/read"
        await world.ask(who, "POST", path)


async def _history(world: World, space: str) -> None:
    line = {
        "outside_id": "post:1",
        "kind": "question",
        "title": "Autrefois",
        "body": "Une vieille question.",
        "created_at": "2019-05-31T23:30:00+00:00",
    }
    chunk = {"space_id": space, "source": "ailleurs", "lines": [line]}
    await world.ask("anne", "POST", "/community/v1/imports", chunk)
