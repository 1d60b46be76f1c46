"""The span and the duration of a request, in an application that is mounted or not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Scope

from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.telemetry.request_telemetry import RequestTelemetry
from tests.support.recorded_spans import (
    SAMPLED,
    UNSAMPLED,
    TelemetryRecorder,
    attributes_of,
    parent_ids,
    record_telemetry,
    span_traceparent,
    trace_and_span_ids,
)


def service(recorder: TelemetryRecorder, folder: Path | None = None) -> FastAPI:
    app = FastAPI()
    routes = APIRouter(prefix="/v1")

    @routes.get("/posts/{post_id}")
    async def read(post_id: str) -> str:
        return post_id

    @routes.get("/wrong")
    async def wrong() -> None:
        raise HTTPException(503)

    @routes.get("/broken")
    async def broken() -> None:
        raise RuntimeError("zoé@exemple.fr")

    app.include_router(routes)
    app.add_api_route("/health/live", read_nothing)
    app.add_api_route("/metrics", read_nothing)
    if folder is not None:
        app.mount("/static", StaticFiles(directory=folder))
    app.add_middleware(RequestTelemetry, telemetry=recorder.telemetry, service="community")
    return app


async def read_nothing() -> str:
    return ""


def client(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://préau", headers=headers)


async def test_request_is_named_by_its_route_below_a_mount() -> None:
    recorder = record_telemetry()
    outside = Starlette(routes=[Mount("/community", service(recorder))])

    async with client(outside) as http:
        await http.get("/community/v1/posts/élan-🌿?q=secret")

    span = recorder.span_named("GET /community/v1/posts/{post_id}")
    attributes = attributes_of(span)
    assert attributes["http.request.method"] == "GET"
    assert attributes["http.route"] == "/community/v1/posts/{post_id}"
    assert attributes["http.response.status_code"] == 200
    assert attributes["url.path"] == "/community/v1/posts/élan-🌿"
    assert attributes["url.scheme"] == "http"
    assert "secret" not in span.to_json()
    assert 'http_route="/community/v1/posts/{post_id}"' in recorder.metrics_page


async def test_starlette_routes_and_mounts_of_a_service_are_named(tmp_path: Path) -> None:
    recorder = record_telemetry()
    (tmp_path / "préau.css").write_text("a{}")
    app = Starlette(routes=[Route("/x/{y:int}", lambda _: PlainTextResponse("é"))])
    files = service(recorder, tmp_path)

    async with client(RequestTelemetry(app, recorder.telemetry, "s")) as http:
        await http.get("/x/3")
    async with client(Starlette(routes=[Mount("/community", files)])) as http:
        response = await http.get("/community/static/préau.css")

    assert response.status_code == 200
    assert recorder.names == ["GET /x/{y}", "GET /community/static"]


async def test_request_without_route_is_not_named_by_its_path() -> None:
    recorder = record_telemetry()

    async with client(service(recorder)) as http:
        await http.get("/nowhere/at/all")
        await http.request("GRRR", "/v1/posts/1")
    async with client(Starlette(routes=[Mount("/community", service(recorder))])) as http:
        await http.get("/community/nowhere/at/all")

    assert recorder.names == ["GET", "HTTP /v1/posts/{post_id}", "GET"]
    assert attributes_of(recorder.spans[1])["http.request.method"] == "_OTHER"
    assert attributes_of(recorder.spans[1])["http.request.method_original"] == "GRRR"
    assert "GRRR" not in recorder.metrics_page
    assert "nowhere" not in recorder.metrics_page


@pytest.mark.parametrize("context", [SAMPLED, UNSAMPLED])
async def test_incoming_trace_is_continued_and_its_id_returned(context: str) -> None:
    recorder = record_telemetry(sample_ratio=0.0 if context == SAMPLED else 1.0)

    async with client(service(recorder), traceparent=context) as http:
        response = await http.get("/v1/posts/1")

    assert response.headers["x-trace-id"] == trace_and_span_ids(context)[0]
    assert len(recorder.spans) == (context == SAMPLED)
    for span in recorder.spans:
        assert parent_ids(span) == trace_and_span_ids(SAMPLED)
        assert response.headers["traceresponse"] == span_traceparent(span)


async def test_malformed_traceparent_begins_a_new_trace() -> None:
    recorder = record_telemetry()

    async with client(service(recorder), traceparent="00-zzz") as http:
        response = await http.get("/v1/posts/1")

    assert parent_ids(recorder.spans[0]) is None
    assert (
        response.headers["x-trace-id"] == trace_and_span_ids(span_traceparent(recorder.spans[0]))[0]
    )


async def test_server_errors_set_the_status_and_client_errors_do_not() -> None:
    recorder = record_telemetry()

    async with client(service(recorder)) as http:
        for path in ("/v1/wrong", "/v1/broken", "/nowhere"):
            await http.get(path)

    wrong, broken, nowhere = recorder.spans
    assert wrong.status.status_code is StatusCode.ERROR
    assert attributes_of(wrong)["error.type"] == "503"
    assert broken.status.status_code is StatusCode.ERROR
    assert attributes_of(broken)["error.type"] == "RuntimeError"
    assert "exemple" not in broken.to_json()
    assert nowhere.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes_of(nowhere)
    assert 'error_type="RuntimeError",http_request_method="GET"' in recorder.metrics_page


async def test_probes_and_metrics_page_are_not_measured() -> None:
    recorder = record_telemetry()
    outside = Starlette(routes=[Mount("/community", service(recorder))])

    async with client(outside) as http:
        assert (await http.get("/community/health/live")).status_code == 200
        assert (await http.get("/community/metrics")).status_code == 200

    assert recorder.spans == ()
    assert recorder.metrics_page == ""


async def test_event_stream_is_measured_until_it_starts() -> None:
    recorder = record_telemetry()

    async def slow() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.sleep(0.6)

    app = FastAPI()

    @app.get("/v1/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(slow(), media_type="text/event-stream")

    async with client(RequestTelemetry(app, recorder.telemetry, "s")) as http:
        await http.get("/v1/events")

    (line,) = [line for line in recorder.metrics_page.splitlines() if "seconds_sum" in line]
    assert float(line.split()[-1]) < 0.5


async def test_response_is_the_same_without_telemetry() -> None:
    app = service(record_telemetry())
    quiet = RequestTelemetry(app, NoTelemetry(), "community")

    async with client(quiet) as http:
        assert (await http.get("/v1/posts/é")).json() == "é"


async def test_other_protocols_pass_through_unchanged() -> None:
    protocols: list[str] = []

    async def app(scope: Scope, _receive: object, _send: object) -> None:
        protocols.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def nowhere(_: Message) -> None: ...

    await RequestTelemetry(app, NoTelemetry(), "s")({"type": "lifespan"}, nothing, nowhere)

    assert protocols == ["lifespan"]
