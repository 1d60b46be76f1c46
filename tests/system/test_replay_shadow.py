"""Replay on real servers: rebuilds the read models, finds damaged rows and repairs them."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.seed import SLUG
from tests.support.plain_clients import fetch_as_owner
from tests.system.conftest import Platform

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(300),
]
DUMP = Path(__file__).with_name("dump")
SPACE = "Cour rejouée ⏪"
SERVICES = ("metrics", "notifications", "community")


@dataclass
class People:
    """Those of the first tenant, signed in when first named."""

    platform: Platform
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def tenant(self) -> Mapping[str, Any]:
        text = (self.platform.home / "first-tenant.json").read_text(encoding="utf-8")
        claims: Mapping[str, Any] = json.loads(text)
        return claims

    def ask(self, name: str, method: str, path: str, body: object = None) -> Any:
        if name not in self.tokens:
            email, password = (
                f"{name}@demo.example",
                self.tenant["passwords"][f"{name}@demo.example"],
            )
            body_of = {"tenant": SLUG, "email": email, "password": password}
            session = self._send("POST", "/identity/v1/sessions", body_of, {})
            self.tokens[name] = session["access_token"]
        bearer = {"Authorization": f"Bearer {self.tokens[name]}"}
        return self._send(method, path, body, bearer)

    def _send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Any:
        url = self.platform.url + path
        with httpx.Client(trust_env=False, timeout=30) as client:
            response = client.request(method, url, json=body, headers=dict(headers))
        assert response.is_success, response.text
        return response.json() if response.content else {}

    def post(self, name: str, space: str, body: str, kind: str = "discussion") -> str:
        new = {"kind": kind, "title": "Où ça ? 🤔", "body": body}
        post = self.ask(name, "POST", f"/community/v1/spaces/{space}/posts", new)
        return str(post["content_id"])


@pytest.fixture(scope="module")
def people(platform: Platform) -> People:
    return People(platform)


@pytest.fixture(scope="module")
def space(platform: Platform, people: People) -> str:
    """A space with imported history and active members."""
    imported = platform.command("import", "stackexchange", str(DUMP), "--space", SPACE)
    assert imported.returncode in {0, 1}, imported.stderr
    spaces = people.ask("claire", "GET", "/community/v1/spaces")["items"]
    (space_id,) = [item["space_id"] for item in spaces if item["name"] == SPACE]
    names = ("zoe", "malik", "ines", "hamid")
    for name in names:
        people.ask(name, "POST", f"/community/v1/spaces/{space_id}/members")
    question = people.post("zoe", space_id, "Comment écrit-on « cœur » ?", "question")
    contents = "/community/v1/contents"
    answered = people.ask(
        "hamid", "POST", f"{contents}/{question}/answers", {"body": "Avec un œ. 💙"}
    )
    people.ask("zoe", "POST", f"{contents}/{answered['content_id']}/accept")
    for number in range(2):
        calm = people.post("malik", space_id, f"Un texte calme, {number}.")
        for name in ("zoe", "ines", "hamid"):
            people.ask(name, "POST", f"{contents}/{calm}/flags", {"reason": "spam"})
    platform.json("status", "--wait")
    notifications = people.ask("hamid", "GET", "/notifications/v1/inbox")["items"]
    read = f"/notifications/v1/inbox/{notifications[0]['notification_id']}/read"
    people.ask("hamid", "POST", read)
    platform.json("status", "--wait")
    return str(space_id)


def replay(
    platform: Platform, service: str, *options: str, code: int = 0
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    done = platform.command("replay", service, *options, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout.startswith("{") else {}, done


@pytest.mark.parametrize("service", SERVICES)
def test_the_log_says_what_is_live(platform: Platform, space: str, service: str) -> None:
    report, _ = replay(platform, service, "--compare")
    assert (report["equal"], report["differences"], report["failed"]) == (True, 0, [])
    assert all(table["rows"] == table["live_rows"] for table in report["tables"])
    assert sum(table["rows"] for table in report["tables"]) > 10
    status = platform.json("status")["groups"][service]
    if service != "community":  # whose other topics are the truth that it owns
        own = sum(report["remembered"].values())
        assert report["events"] == status["published"] + own


async def test_what_is_damaged_is_named_and_mended_and_life_goes_on(
    platform: Platform, people: People, space: str
) -> None:
    tenant = people.tenant["tenant"]
    counted = "SELECT sum(n) AS n FROM day_counts WHERE what = 'discussions'"

    async def ask(statement: str) -> list[Any]:
        return await fetch_as_owner(platform.addresses, "metrics", statement, tenants=tenant)

    (count_before,) = await ask(counted)
    await ask("UPDATE day_counts SET n = n + 1000 WHERE what = 'discussions'")

    report, _ = replay(platform, "metrics", "--compare", code=1)
    (table,) = [table for table in report["tables"] if table["differences"]]
    assert table["table"] == "day_counts"
    for row in table["shown"]:
        assert row["live"]["n"] == row["shadow"]["n"] + 1000
    _, text = replay(platform, "metrics", "--compare", "--from", "2000-01-01T00:00+01:00")
    assert "Traceback" not in text.stderr

    report, _ = replay(platform, "metrics", "--swap")
    assert report["swapped"]
    assert [tuple(row) for row in await ask(counted)] == [tuple(count_before)]
    people.post("zoe", space, "La vie continue.")
    platform.json("status", "--wait")
    (count_after,) = await ask(counted)
    assert count_after["n"] == count_before["n"] + 1
    report, _ = replay(platform, "metrics", "--compare", "--into", "second")
    assert report["equal"]

    _, refused = replay(platform, "metrics", "--compare", code=1)
    assert "--undo or --drop" in refused.stderr
    for into in ("shadow", "second"):
        assert platform.command("replay", "metrics", "--drop", "--into", into).returncode == 0
