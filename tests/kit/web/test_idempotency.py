"""Idempotency keys on a real PostgreSQL: one change, the same response twice."""

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


class WordApp(SampleApp):
    """Writes words into a table; `late` fails after the write, `elsewhere` redirects."""

    def extra_routers(self) -> Sequence[APIRouter]:
        return [self.words()]

    def words(self) -> APIRouter:
        routes = Routes("words")

        @routes.post("/words", action="word.write", status_code=201)
        async def write(
            caller: CallerDep, actor: ActorDep, response: Response, word: Word
        ) -> dict[str, Any]:
            async with self.database.unit(caller) as unit:
                result = await connection(unit).execute(
                    sa.text("INSERT INTO words VALUES (:tenant, :word) RETURNING number"),
                    {"tenant": caller.tenant, "word": word.word},
                )
                number = result.scalar_one()
            if word.word == "late":
                raise Conflict(number=number)
            if word.word == "elsewhere":
                response.status_code = 303
            return {"number": number}

        @routes.post("/secrets", action="word.hide", status_code=201, secret_fields=("password",))
        async def hide(caller: CallerDep) -> dict[str, Any]:
            return {
                "number": len(await self.stored_words()),
                "password": "hunter2",
                "more": ["hunter2"],
            }

        return routes.router

    async def stored_words(self, tenant: TenantId = example_data.TENANT) -> list[str]:
        rows = await self.database.execute_once(
            sa.text("SELECT word FROM words ORDER BY number"), [tenant]
        )
        return [row.word for row in rows]


class BatchedWordApp(WordApp):
    """Writes words in batched units of work."""

    def words(self) -> APIRouter:
        routes, batched, numbers = Routes("words"), self.batched, count()

        @routes.post("/words", action="word.write", batched=True, status_code=201)
        async def write(
            caller: CallerDep, actor: ActorDep, response: Response, word: Word
        ) -> dict[str, Any]:
            number = next(numbers)
            async with batched.unit(caller) as unit:
                await add(unit, _ADD, [{"tenant_id": caller.tenant, "word": word.word}])
            if word.word == "late":
                # With a key nothing is committed yet; without one it is.
                raise Conflict(number=number)
            if word.word == "elsewhere":
                response.status_code = 303
            return {"number": number}

        @routes.post("/unbatched", action="word.write_unbatched", batched=True, status_code=201)
        async def write_unbatched(caller: CallerDep) -> None:
            async with self.database.unit(caller):
                raise AssertionError("it opened a separate transaction")

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
    database_name = provision.database_name("community")
    owner, app = (
        postgres_addresses.database_url("community", role).replace(database_name, DATABASE)
        for role in ("owner", "app")
    )
    await _create(owner)
    return app


async def _create(owner: str) -> None:
    engine = create_async_engine(owner)
    async with engine.begin() as connection:
        await connection.run_sync(frame_metadata().create_all)
        await connection.execute(
            sa.text("CREATE TABLE words (tenant_id uuid, word text, number serial PRIMARY KEY)")
        )
        for table in ("words", "idempotency"):
            await connection.execute(sa.text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
            policy = f"USING ({TENANT_ROW_POLICY}) WITH CHECK ({TENANT_ROW_POLICY})"
            await connection.execute(sa.text(f"CREATE POLICY visible ON {table} {policy}"))
    await engine.dispose()


@pytest.fixture(params=[WordApp, BatchedWordApp])
async def app(url: str, request: pytest.FixtureRequest) -> AsyncIterator[WordApp]:
    app_class: type[WordApp] = request.param
    # A long maximum wait, since overload is not tested here.
    app = app_class(url=url, pressure=LoadMonitor("notes", LoadLimits(max_wait_seconds=30.0)))
    await app.database.start()
    yield app
    await app.database.stop()


async def _write(
    app: WordApp, word: str, key: str | None = KEY, user: str = "zoe"
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    async with app.client(user) as client:
        return await client.post("/v1/words", json={"word": word}, headers=headers)


async def test_repeated_request_runs_once_and_gets_the_same_response(app: WordApp) -> None:
    first, again = await _write(app, "été"), await _write(app, "été")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert await app.stored_words() == ["été"]


async def test_repeated_request_without_a_key_runs_twice(app: WordApp) -> None:
    await _write(app, "a", key=None)
    await _write(app, "a", key=None)
    assert await app.stored_words() == ["a", "a"]


async def test_key_belongs_to_one_request_of_one_member(app: WordApp) -> None:
    await _write(app, "mine")
    other = await _write(app, "other")
    assert (other.status_code, other.json()["type"]) == (
        409,
        "/notes/problems/idempotency_conflict",
    )
    assert (await _write(app, "his", user="hamid")).status_code == 201
    async with app.client() as client:
        headers = {"Idempotency-Key": KEY}
        other_url = await client.post("/v1/words?x=1", json={"word": "mine"}, headers=headers)
    assert other_url.status_code == 409
    assert await app.stored_words() == ["mine", "his"]


async def test_failed_request_stores_nothing(app: WordApp) -> None:
    assert (await _write(app, "late")).status_code == 409
    assert await app.stored_words() == []
    assert (await _write(app, "in time")).status_code == 201
    assert await app.stored_words() == ["in time"]


async def test_only_a_successful_response_is_stored(app: WordApp) -> None:
    assert (await _write(app, "elsewhere")).status_code == 303
    again = await _write(app, "elsewhere")
    assert "idempotent-replay" not in again.headers


async def test_twenty_concurrent_requests_run_once(app: WordApp) -> None:
    responses = await asyncio.gather(*(_write(app, "vite") for _ in range(20)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert await app.stored_words() == ["vite"]


async def test_second_of_two_different_requests_with_one_key_is_rejected(app: WordApp) -> None:
    responses = await asyncio.gather(*(_write(app, word) for word in ("un", "deux")))
    assert sorted(response.status_code for response in responses) == [201, 409]
    assert len(await app.stored_words()) == 1


async def test_unbatched_command_on_a_batched_route_fails(url: str) -> None:
    app = BatchedWordApp(url=url)
    async with app.client() as client:
        response = await client.post("/v1/unbatched", headers={"Idempotency-Key": KEY})
    await app.database.stop()
    assert response.status_code == 500


async def test_more_requests_than_connections_do_not_deadlock(
    app: WordApp,
) -> None:
    class SlowRights(FakeRights):
        async def find_actor(
            self, tenant: TenantId, member_id: MemberId, session: str | None = None
        ) -> Actor | None:
            await app.database.execute_once(sa.text("SELECT pg_sleep(0.01)"))
            return await super().find_actor(tenant, member_id)

    app.app.state.context = replace(app.app.state.context, rights=SlowRights())
    requests = (_write(app, f"mot {n}", key=f"k{n}") for n in range(60))
    assert {response.status_code for response in await asyncio.gather(*requests)} == {201}
    assert len(await app.stored_words()) == 60


async def test_suspended_member_gets_no_stored_response(app: WordApp) -> None:
    assert (await _write(app, "avant")).status_code == 201
    app.rights.suspended = True
    assert (await _write(app, "avant")).status_code == 403


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "a\x7fb"])
async def test_key_has_1_to_200_visible_characters(app: WordApp, key: str) -> None:
    response = await _write(app, "a", key=key)
    assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")
    assert (await _write(app, "a", key="x" * 200)).status_code == 201


async def test_anonymous_route_stores_no_response(app: WordApp) -> None:
    async with app.client(None) as client:
        headers = {"Idempotency-Key": KEY}
        response = await client.post("/v1/sign-in", json={"text": "a"}, headers=headers)
    assert response.status_code == 200
    assert not await app.database.execute_once(
        sa.text("SELECT 1 FROM idempotency"), [example_data.TENANT]
    )


async def test_response_with_a_secret_is_sent_once_and_not_stored(app: WordApp) -> None:
    if isinstance(app, BatchedWordApp):
        return
    async with app.client() as client:
        first = await client.post("/v1/secrets", headers={"Idempotency-Key": KEY})
        again = await client.post("/v1/secrets", headers={"Idempotency-Key": KEY})
    assert (first.status_code, first.json()["password"]) == (201, "hunter2")
    problem = again.json()
    assert (again.status_code, problem["type"]) == (409, "/notes/problems/answer_not_kept")
    assert (problem["number"], problem["idempotency_key"]) == (0, KEY)
    rows = await app.database.execute_once(
        sa.text("SELECT body, expires_at - created_at AS kept FROM idempotency"),
        [example_data.TENANT],
    )
    assert b"hunter2" not in again.content + rows[0].body
    assert timedelta(hours=23) < rows[0].kept <= timedelta(hours=24)
