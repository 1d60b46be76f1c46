"""What must be refused, and how."""

import base64
from collections.abc import Mapping
from random import Random
from urllib.parse import quote
from uuid import UUID

from tests.chaos.workload import texts
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person, Space, pick


def random_uuid(rng: Random) -> str:
    """Name something that is not there."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def wrong_content(person: Person, rng: Random) -> Request:
    path = f"/contents/{random_uuid(rng)}/comments"
    return Request(
        "community", "POST", path, {"body": texts.random_sentence(rng)}, expected_status=404
    )


def wrong_body(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.spaces)
    body = {"title": "é" * 301, "body": rng.choice(("", "d’accord"))}
    return _post_request(space, body, 422)


def wrong_field(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.spaces)
    body = {
        "title": texts.random_title(rng),
        "body": texts.random_sentence(rng),
        "tenant_id": random_uuid(rng),
    }
    return _post_request(space, body, 422)


def wrong_json(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.spaces)
    body = rng.choice((b'{"title": "', b'{"title": "\xff\xfe"}', b"bonjour"))
    return _post_request(space, body, 400)


def wrong_author(person: Person, rng: Random) -> Request | None:
    content = person.pick_content(
        rng, lambda each: not each.may_be_moderated and each.author != person.name
    )
    body = {"body": texts.random_sentence(rng)}
    if content is None:
        return None
    path = f"/contents/{content.content_id}"
    return Request("community", "PUT", path, body, content=content, expected_status=403)


def wrong_tenant(person: Person, rng: Random) -> Request | None:
    """Request a content of another tenant."""
    other_tenant = person.tenant.other_tenant
    content = pick(rng, other_tenant.contents) if other_tenant else None
    if content is None:
        return None
    requests = (
        ("GET", f"/contents/{content.content_id}", None),
        ("GET", f"/spaces/{content.space.space_id}/posts", None),
        ("POST", f"/contents/{content.content_id}/flags", {"reason": "spam"}),
        ("POST", f"/contents/{content.content_id}/comments", {"body": texts.random_sentence(rng)}),
    )
    method, path, body = rng.choice(requests)
    return Request("community", method, path, body, expected_status=404)


def wrong_parent(person: Person, rng: Random) -> Request | None:
    content = person.pick_visible(rng, "discussion", "comment", "answer")
    body = {"body": texts.random_sentence(rng)}
    if content is None:
        return None
    path = f"/contents/{content.content_id}/answers"
    return Request("community", "POST", path, body, content=content, expected_status=422)


def wrong_own_flag(person: Person, rng: Random) -> Request | None:
    content = person.pick_own(rng)
    if content is None:
        return None
    path = f"/contents/{content.content_id}/flags"
    return Request(
        "community", "POST", path, {"reason": "other"}, content=content, expected_status=403
    )


def wrong_password(person: Person, rng: Random) -> Request:
    """Sign in with an unknown address: ten failures of a real one would lock it."""
    body = {
        "tenant": person.tenant.slug,
        "email": f"personne.{rng.randrange(10**6)}@demo.example",
        "password": "azerty-qwerty-1234",
    }
    return Request("identity", "POST", "/sessions", body, expected_status=401, token="")


def wrong_token(person: Person, rng: Random) -> Request:
    head, _, signature = person.access.partition(".")[2].partition(".")
    claims = base64.urlsafe_b64encode(b'{"sub": "' + random_uuid(rng).encode() + b'"}').decode()
    forged = (person.access.partition(".")[0], claims.rstrip("="), signature)
    token = rng.choice((".".join(forged), head, "connard", ""))
    return Request("notifications", "GET", "/inbox", expected_status=401, token=token)


def wrong_route(person: Person, rng: Random) -> Request:
    path = quote(f"/récréation/{rng.randrange(100)}")
    return Request("community", "GET", path, expected_status=404)


def wrong_period(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.spaces)
    return _figures_request(space, "from=2026-11-02&to=2026-11-01", 422)


def wrong_opening(person: Person, rng: Random) -> Request:
    body = {"name": f"Cour de {person.name}", "structure_id": person.tenant.school}
    return Request("community", "POST", "/spaces", body, expected_status=403)


def wrong_import(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.base_spaces)
    if space is None:
        return None
    body = {"space_id": space.space_id, "source": "ailleurs", "lines": []}
    return Request("community", "POST", "/imports", body, expected_status=403)


def wrong_figures(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.base_spaces)
    return _figures_request(space, "from=2026-11-01&to=2026-11-02&grain=day", 403)


def _post_request(space: Space | None, body: object, expected: int) -> Request | None:
    if space is None:
        return None
    path = f"/spaces/{space.space_id}/posts"
    return Request("community", "POST", path, body, expected_status=expected)


def _figures_request(space: Space | None, query: str, expected: int) -> Request | None:
    if space is None:
        return None
    return Request(
        "metrics", "GET", f"/kpis?space_id={space.space_id}&{query}", expected_status=expected
    )


ACTIONS: Mapping[str, Action] = {
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
