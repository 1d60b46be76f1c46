"""A route gives the same response whether it is called directly or by FastAPI."""

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


def without_direct_dispatch(app: SampleApp) -> SampleApp:
    """Override a dependency, so that FastAPI calls all routes."""
    app.app.dependency_overrides[_unused_dependency] = _unused_dependency
    return app


def _unused_dependency() -> None: ...


def outcome(response: httpx.Response) -> tuple[int, str, str]:
    return response.status_code, response.headers["content-type"], response.text


@pytest.mark.parametrize("body", _BODIES)
async def test_body_gets_the_same_response(body: bytes) -> None:
    assert outcome(await SampleApp().send(body)) == outcome(
        await without_direct_dispatch(SampleApp()).send(body)
    )


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/ld+json", "text/x"]
)
async def test_media_type_gets_the_same_response(kind: str) -> None:
    headers = {"Content-Type": kind}
    app, body = SampleApp(), _BODIES[0]
    direct_response = await app.send(body, **headers)
    assert outcome(direct_response) == outcome(
        await without_direct_dispatch(SampleApp()).send(body, **headers)
    )


@pytest.mark.parametrize("number", ["12", "douze", "%C3%A9"])
async def test_path_parameter_gets_the_same_response(number: str) -> None:
    path = f"/v1/invitations/{number}"
    assert outcome(await SampleApp().send(_BODIES[0], path)) == outcome(
        await without_direct_dispatch(SampleApp()).send(_BODIES[0], path)
    )


def test_route_with_query_parameters_is_called_by_fastapi() -> None:
    routes = [route for route in SampleApp().app.router.routes if isinstance(route, APIRoute)]
    has_direct_handler = {route.name: build_direct_handler(route) is not None for route in routes}
    assert has_direct_handler["write"]
    assert has_direct_handler["accept"]
    # It has a query parameter.
    assert not has_direct_handler["read"]
