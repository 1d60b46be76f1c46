"""A day on the platform, played through its API, with the duration of each reaction."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import httpx

from deploy.local.choices import ServerChoices
from deploy.local.errors import StackError
from deploy.local.platform import LISTEN_HOST, start_platform
from deploy.local.seed import DOMAIN, FIRST_TENANT, SLUG, read_seeded

REACTION_TIMEOUT_SECONDS = 60.0
POLL_INTERVAL_SECONDS = 0.03
PEOPLE = ("zoe", "malik", "ines", "tom", "hamid", "claire", "omar")
INSULT = "Tu es vraiment un connard, dégage."
JsonObject = dict[str, Any]


@dataclass
class DemoClient:
    """HTTP client of the demo, with the access token of each person."""

    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    async def request(
        self, person: str, method: str, path: str, body: JsonObject | None = None
    ) -> JsonObject:
        """Send a request as a person. Raises StackError with the start of the error response."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}"}
        response = await self.http.request(method, path, json=body, headers=headers)
        if not response.is_success:
            raise StackError(
                f"{person}: {method} {path}: {response.status_code} {response.text[:300]}"
            )
        return response.json() if response.content else {}

    async def poll_until_found(
        self, find: Callable[[], Awaitable[JsonObject | None]]
    ) -> tuple[JsonObject, float]:
        """Poll until `find` returns a result; return it and the milliseconds until then."""
        start = time.perf_counter()
        while time.perf_counter() - start < REACTION_TIMEOUT_SECONDS:
            result = await find()
            if result is not None:
                return result, (time.perf_counter() - start) * 1000
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        raise StackError(f"No result after {REACTION_TIMEOUT_SECONDS:.0f} s: see preau status.")

    async def wait_for_notification(
        self, person: str, category: str, about: str | None = None
    ) -> tuple[JsonObject, float]:
        """Wait until a person's inbox has a notification of a category."""

        async def find() -> JsonObject | None:
            inbox = await self.request(person, "GET", "/notifications/v1/inbox")
            for item in inbox["items"]:
                if item["category"] == category and about in {None, item["about"]}:
                    notification: JsonObject = item
                    return notification
            return None

        return await self.poll_until_found(find)

    async def wait_until_hidden(self, person: str, content: str) -> tuple[JsonObject, float]:
        """Wait until a content is hidden from a person."""

        async def find() -> JsonObject | None:
            headers = {"Authorization": f"Bearer {self.tokens[person]}"}
            path = f"/community/v1/contents/{content}"
            response = await self.http.get(path, headers=headers)
            return {} if response.status_code == httpx.codes.NOT_FOUND else None

        return await self.poll_until_found(find)


def print_step(text: str, milliseconds: float | None = None) -> None:
    """Print one step of the day."""
    duration = f"{milliseconds:7.0f} ms  " if milliseconds is not None else " " * 12
    click.echo(f"{duration}{text}")


def play_demo(home: Path, port: int, choices: ServerChoices) -> int:
    """Play the day on the platform at this port; start a platform if none is running."""
    return asyncio.run(_play_or_start(home, port, choices))


async def _play_or_start(home: Path, port: int, choices: ServerChoices) -> int:
    url = f"http://{LISTEN_HOST}:{port}"
    if await _is_running(url):
        await _play_day(url, home)
        return 0
    click.echo("No platform runs here: starting one for the demonstration.\n")
    async with start_platform(home, port, choices) as started:
        await _play_day(started.url, home)
    return 0


async def _is_running(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            return (await http.get(f"{url}/health/ready")).is_success
    except httpx.HTTPError:
        return False


async def _play_day(url: str, home: Path) -> None:
    seeded = read_seeded(home)
    if seeded is None:
        file = home / FIRST_TENANT
        raise StackError(f"{file} is not there: the platform at {url} has another data folder.")
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        client = DemoClient(http)
        for person in PEOPLE:
            login = {"email": f"{person}@{DOMAIN}", "password": seeded.password_of(person)}
            body = {"tenant": SLUG, **login}
            response = await http.post("/identity/v1/sessions", json=body)
            if not response.is_success:
                raise StackError(f"{person} cannot sign in: {response.text[:300]}")
            client.tokens[person] = response.json()["access_token"]
        space = await _open_space(client)
        figures = await _read_figures(client, space)
        question = await _question_and_answer(client, space)
        await _insult(client, question)
        await _flags_and_decision(client, space)
        await _show_figures(client, space, figures)


async def _open_space(client: DemoClient) -> str:
    tree = await client.request("claire", "GET", "/identity/v1/structures")
    school = next(node for node in tree["items"] if node["kind"] == "school")
    name = f"Cour du {datetime.now(UTC):%d/%m/%Y à %H:%M:%S}"
    new = {"name": name, "structure_id": school["structure_id"]}
    response = await client.request("claire", "POST", "/community/v1/spaces", new)
    space = str(response["space_id"])
    for person in PEOPLE:
        await client.request(person, "POST", f"/community/v1/spaces/{space}/members")
    print_step(f"Claire opens the space « {name} »; {len(PEOPLE)} people belong to it.")
    return space


async def _question_and_answer(client: DemoClient, space: str) -> str:
    body = {
        "kind": "question",
        "title": "« Malgré que », est-ce admis ? 🤔",
        "body": "J’ai lu *malgré que* dans un roman. Est-ce correct ?",
    }
    post = await client.request("zoe", "POST", f"/community/v1/spaces/{space}/posts", body)
    question = str(post["content_id"])
    print_step("Zoé asks a question.")
    answer_body = {"body": "On l’évite à l’écrit ; « bien que » convient mieux."}
    reply = await client.request(
        "hamid", "POST", f"/community/v1/contents/{question}/answers", answer_body
    )
    _, milliseconds = await client.wait_for_notification(
        "zoe", "answer_to_mine", reply["content_id"]
    )
    print_step("Hamid answers; the answer is in Zoé’s inbox.", milliseconds)
    await client.request("zoe", "POST", f"/community/v1/contents/{reply['content_id']}/accept")
    _, milliseconds = await client.wait_for_notification(
        "hamid", "answer_accepted", reply["content_id"]
    )
    print_step("Zoé accepts it; Hamid is notified.", milliseconds)
    return question


async def _insult(client: DemoClient, question: str) -> None:
    path = f"/community/v1/contents/{question}/comments"
    comment = await client.request("malik", "POST", path, {"body": INSULT})
    _, milliseconds = await client.wait_until_hidden("zoe", comment["content_id"])
    print_step("Malik writes an insult; it is hidden from readers.", milliseconds)
    notice, milliseconds = await client.wait_for_notification("malik", "statement")
    statement = await client.request("malik", "GET", f"/moderation/v1/statements/{notice['about']}")
    print_step(f"Malik is told the reason: « {statement['words']} »", milliseconds)


async def _flags_and_decision(client: DemoClient, space: str) -> None:
    posts = []
    for title in ("Vendredi", "Encore"):
        body = {"kind": "discussion", "title": title, "body": "On se retrouve tous contre lui."}
        path = f"/community/v1/spaces/{space}/posts"
        posts.append((await client.request("tom", "POST", path, body))["content_id"])
    flags = [("zoe", 0), ("ines", 0), ("malik", 0), ("zoe", 1), ("ines", 1)]
    for person, index in flags:
        path = f"/community/v1/contents/{posts[index]}/flags"
        await client.request(person, "POST", path, {"reason": "harassment"})
    _, milliseconds = await client.wait_for_notification("claire", "alert")
    print_step("Five flags by three people; the alert is in Claire’s inbox.", milliseconds)

    async def find_case() -> JsonObject | None:
        queue = await client.request("omar", "GET", "/moderation/v1/cases")
        cases = [item for item in queue["items"] if item["content_id"] == posts[0]]
        return cases[0] if cases else None

    case, _ = await client.poll_until_found(find_case)
    path = f"/moderation/v1/cases/{case['case_id']}"
    await client.request("omar", "POST", f"{path}/claim")
    version = (await client.request("omar", "GET", path))["version"]
    decision = {"version": version, "action": "hide", "policy": "harassment"}
    decision |= {"reason": "harassment.pile_on"}
    await client.request("omar", "POST", f"{path}/decision", decision)
    _, milliseconds = await client.wait_until_hidden("zoe", posts[0])
    print_step(
        f"Omar takes the case ({case['flags']} flags), decides; the post is hidden.", milliseconds
    )


async def _read_figures(client: DemoClient, space: str) -> dict[str, float]:
    today = datetime.now(UTC).date()
    begin, end = today - timedelta(days=1), today + timedelta(days=2)
    path = f"/metrics/v1/kpis?space_id={space}&from={begin}&to={end}&grain=day"

    async def find_rows() -> JsonObject | None:
        headers = {"Authorization": f"Bearer {client.tokens['claire']}"}
        response = await client.http.get(path, headers=headers)
        return response.json() if response.is_success else None

    rows, _ = await client.poll_until_found(find_rows)
    totals: dict[str, float] = {}
    for row in rows["items"]:
        totals[row["kpi"]] = totals.get(row["kpi"], 0) + (row["value"] or 0)
    return totals


async def _show_figures(client: DemoClient, space: str, old: dict[str, float]) -> None:
    expected = {"questions": 1, "answers": 1, "comments": 1, "flags": 5, "decisions": 2}

    async def find_new_figures() -> JsonObject | None:
        new = await _read_figures(client, space)
        changes = {name: new[name] - old[name] for name in expected}
        return new if changes == expected else None

    new, milliseconds = await client.poll_until_found(find_new_figures)
    changes = ", ".join(f"{name} {old[name]:.0f} → {new[name]:.0f}" for name in expected)
    print_step(f"The figures moved: {changes}.", milliseconds)
