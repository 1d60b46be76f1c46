"""Routes name their action; documents and pages tell it; every answer is guarded."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.web.cursors import Page
from shared.kit.web.error_boundary import SECURITY_HEADERS
from shared.kit.web.route_table import ACCESS_EXTENSION, ACTION_EXTENSION
from shared.kit.web.routes import Routes
from tests.support.sample_app import Note, SampleApp


def test_a_route_without_an_action_cannot_be_written() -> None:
    routes = Routes("notes")
    with pytest.raises(TypeError, match="action"):
        routes.get("/notes")  # type: ignore[call-arg]  # what it refuses
    with pytest.raises(ValueError, match="GET /notes names no action"):
        routes.get("/notes", action="")


async def _document(house: SampleApp) -> dict[str, Any]:
    async with house.client(None) as client:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
    return found


async def test_the_document_names_the_action_and_access_of_every_operation() -> None:
    document = await _document(SampleApp())
    operations = {
        (method, path): (found[ACTION_EXTENSION], found[ACCESS_EXTENSION])
        for path, methods in document["paths"].items()
        for method, found in methods.items()
    }
    assert operations[("post", "/v1/notes")] == ("note.write", "member")
    assert operations[("get", "/v1/all")] == ("note.operate", "operator")
    assert operations[("post", "/v1/sign-in")] == ("session.open", "anonymous")
    assert len(operations) == 8


async def test_the_document_says_where_it_is_mounted_and_which_problems_there_are() -> None:
    document = await _document(SampleApp())
    assert document["servers"] == [{"url": "/notes"}]
    assert {"note_not_found", "too_large"} <= document["x-problem-types"].keys()
    responses = document["paths"]["/v1/notes"]["post"]["responses"]
    assert "application/problem+json" in responses["4XX"]["content"]


async def test_the_document_offers_the_key_where_it_is_honoured() -> None:
    paths = (await _document(SampleApp()))["paths"]
    named = {
        path: [p["name"] for p in methods["post"].get("parameters", ())]
        for path, methods in paths.items()
        if "post" in methods
    }
    assert named == {
        "/v1/notes": ["Idempotency-Key"],
        "/v1/shelves/{shelf}/import": ["shelf", "Idempotency-Key"],
        "/v1/sign-in": [],
        "/v1/invitations/{number}": ["number"],
    }


async def test_pages_of_lists_are_described_too() -> None:
    routes = Routes("lists")

    @routes.get("/lists", action="list.read")
    async def lists() -> Page[Note]:
        return Page(items=(), next=None)

    async with SampleApp(routers=(routes.router,)).client() as client:
        assert "Page_Note_" in (await client.get("/openapi.json")).text
        assert (await client.get("/v1/lists")).json() == {"items": [], "next": None}


async def test_every_answer_carries_the_security_headers_and_a_route_may_say_otherwise() -> None:
    async with SampleApp().client("hamid") as client:
        for path in ("/v1/all", "/v1/nothing", "/openapi.json", "/problems/conflict"):
            answer = await client.get(path)
            for name, value in SECURITY_HEADERS.items():
                expected = "max-age=60" if (path, name) == ("/v1/all", "Cache-Control") else value
                assert answer.headers[name] == expected


async def test_a_request_has_one_span_even_with_a_global_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans = InMemorySpanExporter()
    telemetry = OtelTelemetry("notes", sample_ratio=1, exporters=[spans])
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: telemetry._provider)
    house = SampleApp(telemetry=telemetry)
    await house.post({"text": "é"})
    assert len(spans.get_finished_spans()) == 1
    attributes = spans.get_finished_spans()[0].attributes or {}
    assert attributes["http.route"] == "/notes/v1/notes"


async def test_documents_are_public_by_a_setting_only() -> None:
    async with SampleApp(public_docs=False).client("hamid") as client:
        answers = [await client.get(path) for path in ("/docs", "/openapi.json")]
        problem = await client.get("/problems/conflict")
    assert [answer.status_code for answer in answers] == [404, 404]
    assert problem.status_code == 200
