"""The same POST twice is done once and answered twice, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local import provision
from deploy.local.stack import StackAddresses
from shared.contracts import example_data
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.errors import Conflict
from shared.kit.core.policy import Actor
from shared.kit.database.batched.statements import BatchInsert
from shared.kit.database.batched.unit import add
from shared.kit.database.database import connection
from shared.kit.database.overload import LoadLimits, LoadMonitor
from shared.kit.database.tables import TENANT_ROW_POLICY, frame_metadata
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.routes import Routes
from tests.support.sample_app import FakeRights, SampleApp

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
DATABASE = "preau_idempotency"
KEY = "key-1"
_ADD = BatchInsert(
    sa.Table(
        "words", sa.MetaData(), sa.Column("tenant_id", sa.Uuid()), sa.Column("word", sa.Text())
    )
)


class Word(ApiModel):
    word: str


class Shop(SampleApp):
    """Takes words into a table; some are not for sale."""

    def extra_routers(self) -> Sequence[APIRouter]:
        return [self.words()]

    def words(self) -> APIRouter:
        routes = Routes("words")

        @routes.post("/words", action="word.write", status_code=201)
        async def write(
            caller: CallerDep, actor: ActorDep, response: Response, word: Word
        ) -> dict[str, Any]:
            async with self.database.unit(caller) as unit:
                found = await connection(unit).execute(
                    sa.text("INSERT INTO words VALUES (:tenant, :word) RETURNING number"),
                    {"tenant": caller.tenant, "word": word.word},
                )
                number = found.scalar_one()
            if word.word == "late":
                raise Conflict(number=number)
            if word.word == "elsewhere":
                response.status_code = 303
            return {"number": number}

        @routes.post("/secrets", action="word.hide", status_code=201, secret_fields=("password",))
        async def hide(caller: CallerDep) -> dict[str, Any]:
            return {"number": len(await self.written()), "password": "hunter2", "more": ["hunter2"]}

        return routes.router

    async def written(self, tenant: TenantId = example_data.TENANT) -> list[str]:
        rows = await self.database.execute_once(
            sa.text("SELECT word FROM words ORDER BY number"), [tenant]
        )
        return [row.word for row in rows]


class LightShop(Shop):
    """Takes them in light units."""

    def words(self) -> APIRouter:
        routes, light, numbers = Routes("words"), self.batched, count()

        @routes.post("/words", action="word.write", batched=True, status_code=201)
        async def write(
            caller: CallerDep, actor: ActorDep, response: Response, word: Word
        ) -> dict[str, Any]:
            number = next(numbers)
            async with light.unit(caller) as unit:
                await add(unit, _ADD, [{"tenant_id": caller.tenant, "word": word.word}])
            if word.word == "late":
                # With a key nothing is written yet; without one it is.
                raise Conflict(number=number)
            if word.word == "elsewhere":
                response.status_code = 303
            return {"number": number}

        @routes.post("/heavy", action="word.weigh", batched=True, status_code=201)
        async def weigh(caller: CallerDep) -> None:
            async with self.database.unit(caller):
                raise AssertionError("it has a transaction of its own")

        return routes.router


@pytest.fixture
async def url(postgres_addresses: StackAddresses) -> str:
    server = await asyncpg.connect(postgres_addresses.postgres)
    await server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await provision.create_database(server, "community", DATABASE)
    await server.close()
    admin = postgres_addresses.postgres
    inside = await asyncpg.connect(admin.rpartition("/")[0] + f"/{DATABASE}")
    await provision.provision_database(inside, "community")
    await inside.close()
    ours = provision.database_name("community")
    owner, app = (
        postgres_addresses.database_url("community", role).replace(ours, DATABASE)
        for role in ("owner", "app")
    )
    await _create(owner)
    return app


async def _create(owner: str) -> None:
    engine = create_async_engine(owner)
    async with engine.begin() as opened:
        await opened.run_sync(frame_metadata().create_all)
        await opened.execute(
            sa.text("CREATE TABLE words (tenant_id uuid, word text, number serial PRIMARY KEY)")
        )
        for table in ("words", "idempotency"):
            await opened.execute(sa.text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
            policy = f"USING ({TENANT_ROW_POLICY}) WITH CHECK ({TENANT_ROW_POLICY})"
            await opened.execute(sa.text(f"CREATE POLICY visible ON {table} {policy}"))
    await engine.dispose()


@pytest.fixture(params=[Shop, LightShop])
async def shop(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    kind: type[Shop] = request.param
    # Patient: what is refused when there is too much at once is another test's.
    shop = kind(url=url, pressure=LoadMonitor("notes", LoadLimits(max_wait_seconds=30.0)))
    await shop.database.start()
    yield shop
    await shop.database.stop()


async def _write(shop: Shop, word: str, key: str | None = KEY, who: str = "zoe") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    async with shop.client(who) as client:
        return await client.post("/v1/words", json={"word": word}, headers=headers)


async def test_the_same_twice_is_done_once_and_answered_twice(shop: Shop) -> None:
    first, again = await _write(shop, "été"), await _write(shop, "été")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert await shop.written() == ["été"]


async def test_without_a_key_twice_is_twice(shop: Shop) -> None:
    await _write(shop, "a", key=None)
    await _write(shop, "a", key=None)
    assert await shop.written() == ["a", "a"]


async def test_a_key_is_for_one_request_of_one_member(shop: Shop) -> None:
    await _write(shop, "mine")
    other = await _write(shop, "other")
    assert (other.status_code, other.json()["type"]) == (
        409,
        "/notes/problems/idempotency_conflict",
    )
    assert (await _write(shop, "his", who="hamid")).status_code == 201
    async with shop.client() as client:
        headers = {"Idempotency-Key": KEY}
        elsewhere = await client.post("/v1/words?x=1", json={"word": "mine"}, headers=headers)
    assert elsewhere.status_code == 409
    assert await shop.written() == ["mine", "his"]


async def test_what_failed_is_not_kept_and_leaves_nothing(shop: Shop) -> None:
    assert (await _write(shop, "late")).status_code == 409
    assert await shop.written() == []
    assert (await _write(shop, "in time")).status_code == 201
    assert await shop.written() == ["in time"]


async def test_only_a_success_is_kept(shop: Shop) -> None:
    assert (await _write(shop, "elsewhere")).status_code == 303
    again = await _write(shop, "elsewhere")
    assert "idempotent-replay" not in again.headers


async def test_twenty_at_once_are_one(shop: Shop) -> None:
    answers = await asyncio.gather(*(_write(shop, "vite") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await shop.written() == ["vite"]


async def test_of_two_different_ones_with_one_key_the_second_is_refused(shop: Shop) -> None:
    answers = await asyncio.gather(*(_write(shop, word) for word in ("un", "deux")))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await shop.written()) == 1


async def test_a_command_that_is_not_light_is_not_done_outside_of_its_key(url: str) -> None:
    shop = LightShop(url=url)
    async with shop.client() as client:
        answer = await client.post("/v1/heavy", headers={"Idempotency-Key": KEY})
    await shop.database.stop()
    assert answer.status_code == 500


async def test_more_at_once_than_there_are_connections_do_not_wait_for_each_other(
    shop: Shop,
) -> None:
    class Looking(FakeRights):
        async def find_actor(
            self, tenant: TenantId, member_id: MemberId, session: str | None = None
        ) -> Actor | None:
            await shop.database.execute_once(sa.text("SELECT pg_sleep(0.01)"))
            return await super().find_actor(tenant, member_id)

    shop.app.state.context = replace(shop.app.state.context, rights=Looking())
    many = (_write(shop, f"mot {n}", key=f"k{n}") for n in range(60))
    assert {answer.status_code for answer in await asyncio.gather(*many)} == {201}
    assert len(await shop.written()) == 60


async def test_who_may_no_longer_act_gets_no_old_answer(shop: Shop) -> None:
    assert (await _write(shop, "avant")).status_code == 201
    shop.rights.suspended = True
    assert (await _write(shop, "avant")).status_code == 403


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "a\x7fb"])
async def test_a_key_is_1_to_200_visible_characters(shop: Shop, key: str) -> None:
    answer = await _write(shop, "a", key=key)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
    assert (await _write(shop, "a", key="x" * 200)).status_code == 201


async def test_anonymous_routes_keep_no_answer(shop: Shop) -> None:
    async with shop.client(None) as client:
        headers = {"Idempotency-Key": KEY}
        answer = await client.post("/v1/sign-in", json={"text": "a"}, headers=headers)
    assert answer.status_code == 200
    assert not await shop.database.execute_once(
        sa.text("SELECT 1 FROM idempotency"), [example_data.TENANT]
    )


async def test_answer_with_a_secret_is_given_once_and_never_kept(shop: Shop) -> None:
    if isinstance(shop, LightShop):
        return
    async with shop.client() as client:
        first = await client.post("/v1/secrets", headers={"Idempotency-Key": KEY})
        again = await client.post("/v1/secrets", headers={"Idempotency-Key": KEY})
    assert (first.status_code, first.json()["password"]) == (201, "hunter2")
    problem = again.json()
    assert (again.status_code, problem["type"]) == (409, "/notes/problems/answer_not_kept")
    assert (problem["number"], problem["idempotency_key"]) == (0, KEY)
    rows = await shop.database.execute_once(
        sa.text("SELECT body, expires_at - created_at AS kept FROM idempotency"),
        [example_data.TENANT],
    )
    assert b"hunter2" not in again.content + rows[0].body
    assert timedelta(hours=23) < rows[0].kept <= timedelta(hours=24)
