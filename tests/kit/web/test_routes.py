"""Routes name their action and access; every response has the security headers."""

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


def test_route_without_an_action_cannot_be_declared() -> None:
    routes = Routes("notes")
    with pytest.raises(TypeError, match="action"):
        routes.get("/notes")  # type: ignore[call-arg]  # the error under test
    with pytest.raises(ValueError, match="GET /notes names no action"):
        routes.get("/notes", action="")


async def _get_document(app: SampleApp) -> dict[str, Any]:
    async with app.client(None) as client:
        document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


async def test_document_has_action_and_access_of_every_operation() -> None:
    document = await _get_document(SampleApp())
    operations = {
        (method, path): (operation[ACTION_EXTENSION], operation[ACCESS_EXTENSION])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations[("post", "/v1/notes")] == ("note.write", "member")
    assert operations[("get", "/v1/all")] == ("note.operate", "operator")
    assert operations[("post", "/v1/sign-in")] == ("session.open", "anonymous")
    assert len(operations) == 8


async def test_document_has_its_mount_path_and_problem_types() -> None:
    document = await _get_document(SampleApp())
    assert document["servers"] == [{"url": "/notes"}]
    assert {"note_not_found", "too_large"} <= document["x-problem-types"].keys()
    responses = document["paths"]["/v1/notes"]["post"]["responses"]
    assert "application/problem+json" in responses["4XX"]["content"]


async def test_document_has_the_key_where_it_is_supported() -> None:
    paths = (await _get_document(SampleApp()))["paths"]
    headers = {
        path: [p["name"] for p in methods["post"].get("parameters", ())]
        for path, methods in paths.items()
        if "post" in methods
    }
    assert headers == {
        "/v1/notes": ["Idempotency-Key"],
        "/v1/shelves/{shelf}/import": ["shelf", "Idempotency-Key"],
        "/v1/sign-in": [],
        "/v1/invitations/{number}": ["number"],
    }


async def test_document_describes_pages_of_lists() -> None:
    routes = Routes("lists")

    @routes.get("/lists", action="list.read")
    async def lists() -> Page[Note]:
        return Page(items=(), next=None)

    async with SampleApp(routers=(routes.router,)).client() as client:
        assert "Page_Note_" in (await client.get("/openapi.json")).text
        assert (await client.get("/v1/lists")).json() == {"items": [], "next": None}


async def test_every_response_has_security_headers_unless_the_route_sets_them() -> None:
    async with SampleApp().client("hamid") as client:
        for path in ("/v1/all", "/v1/nothing", "/openapi.json", "/problems/conflict"):
            response = await client.get(path)
            for name, value in SECURITY_HEADERS.items():
                expected = "max-age=60" if (path, name) == ("/v1/all", "Cache-Control") else value
                assert response.headers[name] == expected


async def test_request_has_one_span_with_a_global_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans = InMemorySpanExporter()
    telemetry = OtelTelemetry("notes", sample_ratio=1, exporters=[spans])
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: telemetry._provider)
    app = SampleApp(telemetry=telemetry)
    await app.post({"text": "é"})
    assert len(spans.get_finished_spans()) == 1
    attributes = spans.get_finished_spans()[0].attributes or {}
    assert attributes["http.route"] == "/notes/v1/notes"


async def test_documents_are_public_only_by_a_setting() -> None:
    async with SampleApp(public_docs=False).client("hamid") as client:
        responses = [await client.get(path) for path in ("/docs", "/openapi.json")]
        problem = await client.get("/problems/conflict")
    assert [response.status_code for response in responses] == [404, 404]
    assert problem.status_code == 200
