"""The API browser: assets and calls of our host only, the access token, one document."""

import re
from typing import Any

import pytest

from shared.kit.web import api_browser
from shared.kit.web.error_boundary import SECURITY_HEADERS
from tests.support.sample_app import SampleApp

ASSETS = ("docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/api-browser.js")


async def test_page_loads_only_assets_of_its_own_host() -> None:
    async with SampleApp().client(None) as client:
        page = await client.get("/docs")
        assets = [await client.get(f"/{path}") for path in ASSETS]

    urls = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert sorted(urls) == sorted(("data:,", *ASSETS))
    assert [asset.status_code for asset in assets] == [200, 200, 200]
    assert [asset.headers["content-type"].split(";")[0] for asset in assets] == [
        "text/css",
        "text/javascript",
        "text/javascript",
    ]
    assert all("max-age" in asset.headers["cache-control"] for asset in assets)


async def test_page_policy_allows_own_host_and_no_inline_script() -> None:
    async with SampleApp().client(None) as client:
        page = await client.get("/docs")

    sources = dict(
        directive.strip().split(" ", 1)
        for directive in page.headers["content-security-policy"].split(";")
    )
    assert sources == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
    inherited = SECURITY_HEADERS.keys() - {"Content-Security-Policy"}
    assert all(page.headers[name] == SECURITY_HEADERS[name] for name in inherited)


async def test_script_sends_the_document_to_no_validator() -> None:
    async with SampleApp().client(None) as client:
        script = (await client.get("/docs/api-browser.js")).text
    assert "validatorUrl: null" in script
    assert "://" not in script


async def test_described_call_works_with_the_described_token() -> None:
    app = SampleApp()
    async with app.client(None) as client:
        document = (await client.get("/openapi.json")).json()
        operation = document["paths"]["/v1/notes"]["post"]
        (name,) = operation["security"][0]
        scheme = document["components"]["securitySchemes"][name]
        url = f"http://test{document['servers'][0]['url']}/v1/notes"
        headers = {"Authorization": f"{scheme['scheme']} zoe"}
        response = await client.post(url, json={"text": "Il pleut"}, headers=headers)
    assert (scheme["type"], response.status_code) == ("http", 201)


async def test_routes_without_a_token_require_none_in_the_document() -> None:
    async with SampleApp().client(None) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert "security" not in paths["/v1/sign-in"]["post"]
    assert "security" in paths["/v1/all"]["get"]


async def test_document_links_to_the_page_of_each_problem_type() -> None:
    async with SampleApp().client(None) as client:
        document = (await client.get("/openapi.json")).json()
        page = await client.get("/problems/note_not_found")
    assert "(problems/note_not_found)" in document["info"]["description"]
    assert page.status_code == 200


async def test_document_is_built_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    complete_document = api_browser.complete_document

    def complete_and_record(document: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        titles.append(document["info"]["title"])
        return complete_document(document, *arguments)

    monkeypatch.setattr(api_browser, "complete_document", complete_and_record)
    async with SampleApp().client(None) as client:
        responses = [await client.get("/openapi.json") for _ in range(3)]
    assert [response.status_code for response in responses] == [200] * 3
    assert len(titles) == 1
