"""What must be refused, and how."""

import base64
from collections.abc import Mapping
from random import Random
from urllib.parse import quote
from uuid import UUID

from tests.chaos.workload import texts
from tests.chaos.workload.request import Act, Request
from tests.chaos.workload.world import Person, Space, pick


def a_uuid(draw: Random) -> str:
    """Name something that is not there."""
    return str(UUID(int=draw.getrandbits(128), version=4))


def wrong_content(person: Person, draw: Random) -> Request:
    path = f"/contents/{a_uuid(draw)}/comments"
    return Request("community", "POST", path, {"body": texts.sentence(draw)}, expected=404)


def wrong_body(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.spaces)
    body = {"title": "é" * 301, "body": draw.choice(("", "d’accord"))}
    return _posting(space, body, 422)


def wrong_field(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.spaces)
    body = {"title": texts.title(draw), "body": texts.sentence(draw), "tenant_id": a_uuid(draw)}
    return _posting(space, body, 422)


def wrong_json(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.spaces)
    body = draw.choice((b'{"title": "', b'{"title": "\xff\xfe"}', b"bonjour"))
    return _posting(space, body, 400)


def wrong_author(person: Person, draw: Random) -> Request | None:
    known = person.content(draw, lambda each: not each.fated and each.author != person.name)
    body = {"body": texts.sentence(draw)}
    if known is None:
        return None
    path = f"/contents/{known.content_id}"
    return Request("community", "PUT", path, body, about=known, expected=403)


def wrong_tenant(person: Person, draw: Random) -> Request | None:
    """Something that is there, but in another tenant."""
    neighbour = person.world.neighbour
    known = pick(draw, neighbour.contents) if neighbour else None
    if known is None:
        return None
    asked = (
        ("GET", f"/contents/{known.content_id}", None),
        ("GET", f"/spaces/{known.space.space_id}/posts", None),
        ("POST", f"/contents/{known.content_id}/flags", {"reason": "spam"}),
        ("POST", f"/contents/{known.content_id}/comments", {"body": texts.sentence(draw)}),
    )
    method, path, body = draw.choice(asked)
    return Request("community", method, path, body, expected=404)


def wrong_parent(person: Person, draw: Random) -> Request | None:
    known = person.others(draw, "discussion", "comment", "answer")
    body = {"body": texts.sentence(draw)}
    if known is None:
        return None
    path = f"/contents/{known.content_id}/answers"
    return Request("community", "POST", path, body, about=known, expected=422)


def wrong_own_flag(person: Person, draw: Random) -> Request | None:
    known = person.own(draw)
    if known is None:
        return None
    path = f"/contents/{known.content_id}/flags"
    return Request("community", "POST", path, {"reason": "other"}, about=known, expected=403)


def wrong_password(person: Person, draw: Random) -> Request:
    """Of nobody: ten of somebody's would lock them out."""
    body = {
        "tenant": person.world.slug,
        "email": f"personne.{draw.randrange(10**6)}@demo.example",
        "password": "azerty-qwerty-1234",
    }
    return Request("identity", "POST", "/sessions", body, expected=401, token="")


def wrong_token(person: Person, draw: Random) -> Request:
    head, _, signature = person.access.partition(".")[2].partition(".")
    claims = base64.urlsafe_b64encode(b'{"sub": "' + a_uuid(draw).encode() + b'"}').decode()
    forged = (person.access.partition(".")[0], claims.rstrip("="), signature)
    token = draw.choice((".".join(forged), head, "connard", ""))
    return Request("notifications", "GET", "/inbox", expected=401, token=token)


def wrong_route(person: Person, draw: Random) -> Request:
    path = quote(f"/récréation/{draw.randrange(100)}")
    return Request("community", "GET", path, expected=404)


def wrong_period(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.spaces)
    return _figures(space, "from=2026-11-02&to=2026-11-01", 422)


def wrong_opening(person: Person, draw: Random) -> Request:
    body = {"name": f"Cour de {person.name}", "structure_id": person.world.school}
    return Request("community", "POST", "/spaces", body, expected=403)


def wrong_import(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.base)
    if space is None:
        return None
    body = {"space_id": space.space_id, "source": "ailleurs", "lines": []}
    return Request("community", "POST", "/imports", body, expected=403)


def wrong_figures(person: Person, draw: Random) -> Request | None:
    space = pick(draw, person.world.base)
    return _figures(space, "from=2026-11-01&to=2026-11-02&grain=day", 403)


def _posting(space: Space | None, body: object, expected: int) -> Request | None:
    if space is None:
        return None
    path = f"/spaces/{space.space_id}/posts"
    return Request("community", "POST", path, body, expected=expected)


def _figures(space: Space | None, query: str, expected: int) -> Request | None:
    if space is None:
        return None
    return Request("metrics", "GET", f"/kpis?space_id={space.space_id}&{query}", expected=expected)


ACTS: Mapping[str, Act] = {
    "wrong_content": wrong_content,
    "wrong_body": wrong_body,
    "wrong_field": wrong_field,
    "wrong_json": wrong_json,
    "wrong_author": wrong_author,
    "wrong_tenant": wrong_tenant,
    "wrong_parent": wrong_parent,
    "wrong_own_flag": wrong_own_flag,
    "wrong_password": wrong_password,
    "wrong_token": wrong_token,
    "wrong_route": wrong_route,
    "wrong_period": wrong_period,
    "wrong_opening": wrong_opening,
    "wrong_import": wrong_import,
    "wrong_figures": wrong_figures,
}
