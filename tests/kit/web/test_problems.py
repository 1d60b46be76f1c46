"""Every error is a problem document: what happened, what to do, where, and nothing of ours."""

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


async def test_an_error_says_what_happened_and_what_to_do_in_the_readers_language() -> None:
    async with SampleApp().client(language="fr-FR,fr;q=0.9") as client:
        answer = await client.get("/v1/notes/7")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/notes/problems/note_not_found",
        "title": "La note 7 n’existe pas",
        "status": 404,
        "help": "Regardez la liste de vos notes.",
        "instance": "/notes/v1/notes/7",
        "number": 7,
    }


async def test_help_that_a_service_does_not_give_comes_from_the_kind_of_error() -> None:
    async with SampleApp().client(language="en") as client:
        said = (await client.get("/v1/notes/7")).json()
    assert said["title"] == "There is no note 7 for {nobody}"
    assert said["help"] == "Check the address."


async def test_the_type_of_a_problem_is_a_page() -> None:
    async with SampleApp().client() as client:
        type_ = (await client.get("/v1/notes/7")).json()["type"]
        page = await client.get(f"http://test{type_}", headers={"Accept-Language": "fr"})
        missing = await client.get("/problems/nonsense")
    assert page.status_code == 200
    assert "Regardez la liste de vos notes." in page.text
    assert (missing.status_code, missing.json()["status"]) == (404, 404)


async def test_validation_points_at_each_field() -> None:
    said = (await SampleApp().post({"text": 5, "tags": ["a", 2], "a/b~c": True})).json()
    assert said["status"] == 422
    assert {error["pointer"] for error in said["errors"]} == {"/text", "/tags/1", "/a~1b~0c"}
    assert all(error["message"] for error in said["errors"])


async def test_a_route_that_is_not_there() -> None:
    async with SampleApp().client() as client:
        answer = await client.get("/v1/no")
    assert (answer.status_code, answer.json()["type"]) == (404, "/notes/problems/not_found")


async def test_a_method_that_is_not_there_names_those_that_are() -> None:
    async with SampleApp().client() as client:
        answer = await client.put("/v1/notes", json={})
    assert answer.json()["type"] == "/notes/problems/method_not_allowed"
    assert answer.headers["allow"] == "POST"


async def test_our_own_failure_tells_its_trace_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = SampleApp(telemetry=OtelTelemetry("notes", sample_ratio=1))
    with caplog.at_level(logging.ERROR):
        async with house.client() as client:
            answer = await client.delete("/v1/roof")
    said = answer.json()
    assert (answer.status_code, said["type"]) == (500, "/notes/problems/internal")
    assert said["trace_id"] == answer.headers["x-trace-id"]
    assert "hunter2" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
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


async def test_a_fact_never_takes_the_place_of_the_documents_own_members() -> None:
    house = SampleApp(rights=FakeRights(missing_lookups=1_000))

    class Crooked(Conflict):
        key = "crooked"

    async def actor(*_: object) -> None:
        raise Crooked(status=200, title="all is well", type="x")

    house.rights.find_actor = actor  # type: ignore[method-assign, assignment]  # a fake's fake
    answer = await house.post({"text": "é"})
    said = answer.json()
    assert (answer.status_code, said["status"]) == (409, 409)
    assert said["title"] == "Not possible in the present state"
    assert said["type"] == "/notes/problems/crooked"


def test_every_error_of_the_frame_has_words_in_both_languages() -> None:
    for module in python_files("shared/kit"):  # a class must be there to be counted
        import_module(dotted(module))
    messages = Messages()
    ours = {kind.key for kind in _kinds(PreauError) if kind.__module__.startswith("shared.")}
    assert {"conflict", "setting", "too_large", "bad_cursor"} <= ours
    for language in LANGUAGES:
        assert not ours - messages.keys(language)
        for key in ours:
            assert {"title", "help"} <= messages.get(key, language).keys()


def _kinds(kind: type[PreauError]) -> set[type[PreauError]]:
    return {kind}.union(*(_kinds(below) for below in kind.__subclasses__()))


def test_languages_are_chosen_in_the_order_they_are_asked_for() -> None:
    asked = ["", "de", "en-GB", "de,en;q=0.5", "fr,en", "EN"]
    assert [preferred_language(accept) for accept in asked] == ["fr", "fr", "en", "en", "fr", "en"]
