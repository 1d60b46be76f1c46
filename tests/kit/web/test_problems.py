"""Every error is a problem document: what happened, what to do, and no internal text."""

import logging
from importlib import import_module

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.kit.bus.kafka.conversions import raise_as_transient
from shared.kit.core.errors import Conflict, PreauError
from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.web.messages import LANGUAGES, Messages, preferred_language
from shared.kit.web.routes import Routes
from tests.architecture.source_tree import dotted, python_files
from tests.support.sample_app import FakeRights, SampleApp


async def test_problem_has_title_and_help_in_the_clients_language() -> None:
    async with SampleApp().client(language="fr-FR,fr;q=0.9") as client:
        response = await client.get("/v1/notes/7")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "/notes/problems/note_not_found",
        "title": "La note 7 n’existe pas",
        "status": 404,
        "help": "Regardez la liste de vos notes.",
        "instance": "/notes/v1/notes/7",
        "number": 7,
    }


async def test_missing_help_is_that_of_the_base_error() -> None:
    async with SampleApp().client(language="en") as client:
        problem = (await client.get("/v1/notes/7")).json()
    assert problem["title"] == "There is no note 7 for {nobody}"
    assert problem["help"] == "Check the address."


async def test_type_of_a_problem_is_a_page() -> None:
    async with SampleApp().client() as client:
        type_ = (await client.get("/v1/notes/7")).json()["type"]
        page = await client.get(f"http://test{type_}", headers={"Accept-Language": "fr"})
        missing = await client.get("/problems/nonsense")
    assert page.status_code == 200
    assert "Regardez la liste de vos notes." in page.text
    assert (missing.status_code, missing.json()["status"]) == (404, 404)


async def test_validation_error_names_each_field() -> None:
    problem = (await SampleApp().post({"text": 5, "tags": ["a", 2], "a/b~c": True})).json()
    assert problem["status"] == 422
    assert {error["pointer"] for error in problem["errors"]} == {"/text", "/tags/1", "/a~1b~0c"}
    assert all(error["message"] for error in problem["errors"])


async def test_unknown_route_is_not_found() -> None:
    async with SampleApp().client() as client:
        response = await client.get("/v1/no")
    assert (response.status_code, response.json()["type"]) == (404, "/notes/problems/not_found")


async def test_wrong_method_names_the_allowed_ones() -> None:
    async with SampleApp().client() as client:
        response = await client.put("/v1/notes", json={})
    assert response.json()["type"] == "/notes/problems/method_not_allowed"
    assert response.headers["allow"] == "POST"


async def test_unexpected_error_shows_its_trace_id_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = SampleApp(telemetry=OtelTelemetry("notes", sample_ratio=1))
    with caplog.at_level(logging.ERROR):
        async with app.client() as client:
            response = await client.delete("/v1/failing")
    problem = response.json()
    assert (response.status_code, problem["type"]) == (500, "/notes/problems/internal")
    assert problem["trace_id"] == response.headers["x-trace-id"]
    assert "hunter2" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "hunter2" in caplog.text


async def test_internal_reason_of_an_error_is_not_in_its_response() -> None:
    async with SampleApp().client() as client:
        assert "secret" not in (await client.get("/v1/notes/7")).text


async def test_brokers_error_text_is_logged_and_not_in_the_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = Routes("lag")

    @routes.get("/lag", action="note.lag", access="anonymous")
    async def read_lag() -> None:
        with raise_as_transient("asking for offsets"):
            raise KafkaConnectionError("kafka-3.internal:9093 refused user notes")

    async with SampleApp(routers=(routes.router,)).client(None) as client:
        with caplog.at_level(logging.WARNING):
            response = await client.get("/v1/lag")
    assert (response.status_code, response.json()["type"]) == (503, "/notes/problems/try_again")
    assert "kafka-3.internal" not in response.text
    (record,) = caplog.records
    assert "kafka-3.internal" in record.fields["internal_reason"]  # type: ignore[attr-defined]  # our extra


async def test_fact_does_not_overwrite_a_member_of_the_document() -> None:
    app = SampleApp(rights=FakeRights(missing_lookups=1_000))

    class Malicious(Conflict):
        key = "malicious"

    async def actor(*_: object) -> None:
        raise Malicious(status=200, title="all is well", type="x")

    app.rights.find_actor = actor  # type: ignore[method-assign, assignment]  # a stub
    response = await app.post({"text": "é"})
    problem = response.json()
    assert (response.status_code, problem["status"]) == (409, 409)
    assert problem["title"] == "Not possible in the present state"
    assert problem["type"] == "/notes/problems/malicious"


def test_every_error_of_the_frame_has_messages_in_both_languages() -> None:
    for module in python_files("shared/kit"):  # a class must be there to be counted
        import_module(dotted(module))
    messages = Messages()
    keys = {kind.key for kind in _subclasses(PreauError) if kind.__module__.startswith("shared.")}
    assert {"conflict", "setting", "too_large", "bad_cursor"} <= keys
    for language in LANGUAGES:
        assert not keys - messages.keys(language)
        for key in keys:
            assert {"title", "help"} <= messages.get(key, language).keys()


def _subclasses(kind: type[PreauError]) -> set[type[PreauError]]:
    return {kind}.union(*(_subclasses(below) for below in kind.__subclasses__()))


def test_first_known_language_of_the_header_is_used() -> None:
    headers = ["", "de", "en-GB", "de,en;q=0.5", "fr,en", "EN"]
    assert [preferred_language(accept) for accept in headers] == [
        "fr",
        "fr",
        "en",
        "en",
        "fr",
        "en",
    ]
