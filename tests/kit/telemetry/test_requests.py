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

from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.telemetry.request_telemetry import App, Message, RequestTelemetry, Scope
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


def service(here: TelemetryRecorder, folder: Path | None = None) -> FastAPI:
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
    app.add_middleware(RequestTelemetry, telemetry=here.telemetry, service="community")
    return app


async def read_nothing() -> str:
    return ""


def client(app: App, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://préau", headers=headers)


async def test_a_request_is_named_by_its_route_also_below_a_mount() -> None:
    here = record_telemetry()
    outside = Starlette(routes=[Mount("/community", service(here))])

    async with client(outside) as asks:
        await asks.get("/community/v1/posts/élan-🌿?q=secret")

    span = here.span_named("GET /community/v1/posts/{post_id}")
    attributes = attributes_of(span)
    assert attributes["http.request.method"] == "GET"
    assert attributes["http.route"] == "/community/v1/posts/{post_id}"
    assert attributes["http.response.status_code"] == 200
    assert attributes["url.path"] == "/community/v1/posts/élan-🌿"
    assert attributes["url.scheme"] == "http"
    assert "secret" not in span.to_json()
    assert 'http_route="/community/v1/posts/{post_id}"' in here.metrics_page


async def test_plain_starlette_routes_and_mounts_within_a_service(tmp_path: Path) -> None:
    here = record_telemetry()
    (tmp_path / "préau.css").write_text("a{}")
    app = Starlette(routes=[Route("/x/{y:int}", lambda _: PlainTextResponse("é"))])
    files = service(here, tmp_path)

    async with client(RequestTelemetry(app, here.telemetry, "s")) as asks:
        await asks.get("/x/3")
    async with client(Starlette(routes=[Mount("/community", files)])) as asks:
        answer = await asks.get("/community/static/préau.css")

    assert answer.status_code == 200
    assert here.names == ["GET /x/{y}", "GET /community/static"]


async def test_what_has_no_route_has_no_name_of_a_stranger_s_making() -> None:
    here = record_telemetry()

    async with client(service(here)) as asks:
        await asks.get("/nowhere/at/all")
        await asks.request("GRRR", "/v1/posts/1")
    async with client(Starlette(routes=[Mount("/community", service(here))])) as asks:
        await asks.get("/community/nowhere/at/all")

    assert here.names == ["GET", "HTTP /v1/posts/{post_id}", "GET"]
    assert attributes_of(here.spans[1])["http.request.method"] == "_OTHER"
    assert attributes_of(here.spans[1])["http.request.method_original"] == "GRRR"
    assert "GRRR" not in here.metrics_page
    assert "nowhere" not in here.metrics_page


@pytest.mark.parametrize("context", [SAMPLED, UNSAMPLED])
async def test_an_incoming_trace_goes_on_and_its_id_is_given_back(context: str) -> None:
    here = record_telemetry(sample_ratio=0.0 if context == SAMPLED else 1.0)

    async with client(service(here), traceparent=context) as asks:
        answer = await asks.get("/v1/posts/1")

    assert answer.headers["x-trace-id"] == trace_and_span_ids(context)[0]
    assert len(here.spans) == (context == SAMPLED)
    for span in here.spans:
        assert parent_ids(span) == trace_and_span_ids(SAMPLED)
        assert answer.headers["traceresponse"] == span_traceparent(span)


async def test_rubbish_for_a_trace_begins_a_new_one() -> None:
    here = record_telemetry()

    async with client(service(here), traceparent="00-zzz") as asks:
        answer = await asks.get("/v1/posts/1")

    assert parent_ids(here.spans[0]) is None
    assert answer.headers["x-trace-id"] == trace_and_span_ids(span_traceparent(here.spans[0]))[0]


async def test_failures_set_the_status_and_errors_of_the_caller_do_not() -> None:
    here = record_telemetry()

    async with client(service(here)) as asks:
        for path in ("/v1/wrong", "/v1/broken", "/nowhere"):
            await asks.get(path)

    wrong, broken, nowhere = here.spans
    assert wrong.status.status_code is StatusCode.ERROR
    assert attributes_of(wrong)["error.type"] == "503"
    assert broken.status.status_code is StatusCode.ERROR
    assert attributes_of(broken)["error.type"] == "RuntimeError"
    assert "exemple" not in broken.to_json()
    assert nowhere.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes_of(nowhere)
    assert 'error_type="RuntimeError",http_request_method="GET"' in here.metrics_page


async def test_probes_and_the_page_itself_are_left_out() -> None:
    here = record_telemetry()
    outside = Starlette(routes=[Mount("/community", service(here))])

    async with client(outside) as asks:
        assert (await asks.get("/community/health/live")).status_code == 200
        assert (await asks.get("/community/metrics")).status_code == 200

    assert here.spans == ()
    assert here.metrics_page == ""


async def test_an_event_stream_took_until_it_began() -> None:
    here = record_telemetry()

    async def slow() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.sleep(0.6)

    app = FastAPI()

    @app.get("/v1/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(slow(), media_type="text/event-stream")

    async with client(RequestTelemetry(app, here.telemetry, "s")) as asks:
        await asks.get("/v1/events")

    (line,) = [each for each in here.metrics_page.splitlines() if "seconds_sum" in each]
    assert float(line.split()[-1]) < 0.5


async def test_without_telemetry_the_answer_is_the_same() -> None:
    app = service(record_telemetry())
    quiet = RequestTelemetry(app, NoTelemetry(), "community")

    async with client(quiet) as asks:
        assert (await asks.get("/v1/posts/é")).json() == "é"


async def test_other_than_requests_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: object, _send: object) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def nowhere(_: Message) -> None: ...

    await RequestTelemetry(app, NoTelemetry(), "s")({"type": "lifespan"}, nothing, nowhere)

    assert seen == ["lifespan"]
