"""A route answers the same, whether it is called directly or by FastAPI."""

import httpx
import pytest
from fastapi.routing import APIRoute

from shared.kit.web.direct_dispatch import build_direct_handler
from tests.support.sample_app import SampleApp

_BODIES = [
    b'{"text": "\xc3\x89t\xc3\xa9 \xe2\x98\x80\xef\xb8\x8f", "tags": ["a", "b"]}',
    b'{"text": "deux", "text": "fois", "more": {"n": 1.50, "big": 12345678901234567890}}',
    b'{"text": 5}',
    b'{"text": "' + b"x" * 51 + b'"}',
    b'{"text": "x", "unknown": 1}',
    b"[]",
    b"null",
    b"",
    b"{",
]


def slowly(house: SampleApp) -> SampleApp:
    """FastAPI's solver is asked whenever somebody overrides a dependency."""
    house.app.dependency_overrides[_nobody_asks] = _nobody_asks
    return house


def _nobody_asks() -> None: ...


def told(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers["content-type"], answer.text


@pytest.mark.parametrize("body", _BODIES)
async def test_the_same_answer(body: bytes) -> None:
    assert told(await SampleApp().send(body)) == told(await slowly(SampleApp()).send(body))


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/ld+json", "text/x"]
)
async def test_the_same_answer_whatever_the_body_is_called(kind: str) -> None:
    headers = {"Content-Type": kind}
    asked, body = SampleApp(), _BODIES[0]
    quickly = await asked.send(body, **headers)
    assert told(quickly) == told(await slowly(SampleApp()).send(body, **headers))


@pytest.mark.parametrize("number", ["12", "douze", "%C3%A9"])
async def test_the_same_answer_for_what_is_in_the_path(number: str) -> None:
    path = f"/v1/invitations/{number}"
    assert told(await SampleApp().send(_BODIES[0], path)) == told(
        await slowly(SampleApp()).send(_BODIES[0], path)
    )


def test_what_says_more_is_left_to_fastapi() -> None:
    routes = [each for each in SampleApp().app.router.routes if isinstance(each, APIRoute)]
    directly = {each.name: build_direct_handler(each) is not None for each in routes}
    assert directly["write"]
    assert directly["accept"]
    # It takes what stands in the query.
    assert not directly["read"]
