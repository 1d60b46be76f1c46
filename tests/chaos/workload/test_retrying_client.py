"""The retrying client: journal, state changes, retries."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from deploy.local.seed import SeededTenant
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from tests.chaos.workload import retrying_client as asking
from tests.chaos.workload.actions import posting as speaking
from tests.chaos.workload.http_client import HttpClient, HttpResponse, NoResponse
from tests.chaos.workload.journal import PROBLEM_TYPE, Journal, Operation, Outcome, read_journal
from tests.chaos.workload.plan import PlannedAction
from tests.chaos.workload.request import Request
from tests.chaos.workload.retrying_client import RetryingClient
from tests.chaos.workload.run import WorkloadRun, run_workload
from tests.chaos.workload.tenant_state import KnownContent, Person, Space, TenantState

ID = "01987f5e-0000-7000-8000-000000000001"
URLS = dict.fromkeys(("identity", "community"), "http://nowhere")


class Scripted(HttpClient):
    """Returns scripted responses and records the requests."""

    def __init__(self, *script: HttpResponse | NoResponse) -> None:
        super().__init__()
        self.script, self.asked = list(script), list[tuple[str, str, Mapping[str, str], bytes]]()

    async def request(
        self, url: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpResponse:
        self.asked.append((method, path, headers, body))
        response = self.script.pop(0) if self.script else NoResponse("nobody there")
        if isinstance(response, NoResponse):
            raise response
        return response


class Always(Random):
    """A generator for which every random condition is true."""

    def random(self) -> float:
        return 0.0


def an_answer(status: int, body: Any = None, **headers: str) -> HttpResponse:
    kind = PROBLEM_TYPE if status >= 400 else "application/json"
    body = b"" if body is None else json.dumps(body).encode()
    return HttpResponse(status, {"content-type": kind, **headers}, body)


def a_problem(status: int, key: str) -> HttpResponse:
    return an_answer(status, {"type": f"/community/problems/{key}", "status": status})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    new_journal = Journal(tmp_path / "journal.ndjson", "7-a")
    yield new_journal
    new_journal.close()


def zoe() -> Person:
    world = TenantState("7-a", "academy", "slug", "secret", tenant_id="t-1", school="s-1")
    person = Person(world, "zoe", "zoe@demo.example", Role.PUPIL, "m-1", access="a.b.c")
    world.people["zoe"] = person
    world.spaces.append(Space("p-1", "claire", joinable=True, is_base=True))
    person.spaces.add(world.spaces[0])
    return person


async def asked(
    journal: Journal, person: Person, request: Request, *script: HttpResponse | NoResponse
) -> tuple[list[Operation], Scripted]:
    http = Scripted(*script)
    await RetryingClient(http, URLS, journal).send(person, "publish", request, Always())
    return list(read_journal(journal.path)), http


def publishing(person: Person) -> Request:
    request = speaking.publish(person, Random(1))
    assert request is not None
    return request


async def test_success_is_journalled_and_updates_the_state(journal: Journal) -> None:
    person = zoe()
    body = {"content_id": ID, "kind": "question", "root_id": ID, "body": "…"}
    (line,), http = await asked(journal, person, publishing(person), an_answer(201, body))

    assert (line.outcome, line.status, line.answer) == (Outcome.OK, 201, body)
    assert (line.member, line.tenant, line.path) == ("m-1", "t-1", "/community/v1/spaces/p-1/posts")
    assert line.ended >= line.begun
    assert line.body == json.loads(http.asked[0][3])
    assert http.asked[0][2]["authorization"] == "Bearer a.b.c"
    assert http.asked[0][2]["idempotency-key"] == line.idempotency_key
    assert [content.content_id for content in person.tenant.contents] == [ID]


async def test_uncertain_request_is_retried_with_its_key(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio, "sleep", _at_once)
    response = an_answer(201, {"content_id": ID, "kind": "question", "root_id": ID})
    person = zoe()
    lines, http = await asked(
        journal,
        person,
        publishing(person),
        NoResponse("cut"),
        a_problem(503, "try_again"),
        response,
    )

    assert [line.outcome for line in lines] == [Outcome.MAYBE, Outcome.MAYBE, Outcome.OK]
    assert [line.status for line in lines] == [None, 503, 201]
    assert lines[0].answer == "cut"
    assert len({line.idempotency_key for line in lines}) == 1
    assert len({body for *_, body in http.asked}) == 1
    assert len({line.n for line in lines}) == 3


async def test_client_stops_after_max_attempts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio, "sleep", _at_once)
    person = zoe()
    lines, _ = await asked(journal, person, publishing(person))

    assert [line.outcome for line in lines] == [Outcome.MAYBE] * asking.MAX_ATTEMPTS


async def _at_once(_: float) -> None:
    return


async def test_rejected_request_is_not_retried(journal: Journal) -> None:
    person = zoe()
    lines, _ = await asked(journal, person, publishing(person), a_problem(403, "forbidden"))

    assert [line.outcome for line in lines] == [Outcome.FAILED]


async def test_request_without_key_is_not_retried(journal: Journal) -> None:
    for request in (
        Request("community", "PUT", "/contents/1", {"body": "é"}),
        Request("community", "POST", "/spaces", {}, expected_status=403),
        Request("identity", "POST", "/sessions", {"password": "x"}, token=""),
    ):
        await asked(journal, zoe(), request, NoResponse("cut"))

    lines = list(read_journal(journal.path))
    assert [line.idempotency_key for line in lines] == [None] * 3
    assert lines[2].body == {"password": "…"}
    assert lines[2].member is None


async def test_cancelled_request_is_journalled_as_maybe(journal: Journal) -> None:
    class Slow(HttpClient):
        async def request(self, *_: object) -> HttpResponse:
            await asyncio.sleep(60)
            raise AssertionError

    person = zoe()
    task = asyncio.create_task(
        RetryingClient(Slow(), URLS, journal).send(person, "publish", publishing(person), Always())
    )
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])

    (line,) = read_journal(journal.path)
    assert (line.outcome, line.answer) == (Outcome.MAYBE, "the asker left")


async def test_expired_token_and_gone_content_update_the_state(journal: Journal) -> None:
    person = zoe()
    content = KnownContent(
        ID, "question", ID, "hamid", person.tenant.spaces[0], may_be_moderated=False
    )
    reading = Request("community", "GET", f"/contents/{ID}", content=content)
    await asked(journal, person, reading, a_problem(404, "content_not_found"))
    await asked(journal, person, publishing(person), a_problem(401, "unauthorised"))

    assert content.gone
    assert not person.signed_in


async def test_expiring_token_is_refreshed_before_the_action(journal: Journal) -> None:
    person = zoe()
    person.refresh_token = "r-1"
    claims = base64.urlsafe_b64encode(b'{"sub": "m-1", "tenant": "t-1"}').decode().rstrip("=")
    tokens = {"access_token": f"h.{claims}.s", "refresh_token": "r-2", "expires_in": 600}
    http = Scripted(an_answer(200, tokens), an_answer(200, {"unread": 0, "items": []}))
    day = WorkloadRun(
        RetryingClient(http, URLS | {"notifications": "http://nowhere"}, journal), 1, 1.0, 0.0
    )

    await day.perform(person, PlannedAction("read_inbox", 0.0, Random(1)))

    assert [path.partition("?")[0] for _, path, *_ in http.asked] == [
        "/identity/v1/sessions/refresh",
        "/notifications/v1/inbox",
    ]
    assert http.asked[1][2]["authorization"] == f"Bearer h.{claims}.s"
    assert (person.refresh_token, person.signed_in) == ("r-2", True)
    assert "r-2" not in journal.path.read_text()


async def test_workload_ends_in_time_with_all_services_down(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> HttpResponse:
        raise NoResponse("not reached")

    monkeypatch.setattr(HttpClient, "request", nobody)
    seeded = SeededTenant(
        TenantId(UUID(int=1)),
        StructureId(UUID(int=2)),
        MemberId(UUID(int=3)),
        {"zoe@demo.example": "un secret"},
    )
    began = time.monotonic()
    await run_workload(URLS, seeded, 1, journal, seconds=0.6, rate=100)

    assert time.monotonic() - began < 8
    lines = list(read_journal(journal.path))
    assert {(line.verb, line.outcome) for line in lines} == {("sign_in", Outcome.MAYBE)}
    assert len(lines) >= 18
    assert "un secret" not in journal.path.read_text()
