"""A day on the platform, played through its API: what happened, and how long each reaction took."""

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
"""Seconds until a reaction is called missing."""
POLL_INTERVAL_SECONDS = 0.03
PEOPLE = ("zoe", "malik", "ines", "tom", "hamid", "claire", "omar")
INSULT = "Tu es vraiment un connard, dégage."
JsonObject = dict[str, Any]


@dataclass
class DemoClient:
    """The people, signed in, and the tale so far."""

    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    async def request(
        self, who: str, method: str, path: str, body: JsonObject | None = None
    ) -> JsonObject:
        """Do something as someone. Raises StackError with the problem's title."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = await self.http.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise StackError(f"{who}: {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else {}

    async def poll_until_found(
        self, look: Callable[[], Awaitable[JsonObject | None]]
    ) -> tuple[JsonObject, float]:
        """Look until something is there; give it, and the milliseconds it took."""
        began = time.perf_counter()
        while time.perf_counter() - began < REACTION_TIMEOUT_SECONDS:
            found = await look()
            if found is not None:
                return found, (time.perf_counter() - began) * 1000
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        raise StackError(f"Nothing after {REACTION_TIMEOUT_SECONDS:.0f} s: see preau status.")

    async def wait_for_notification(
        self, who: str, category: str, about: str | None = None
    ) -> tuple[JsonObject, float]:
        """Wait until someone's inbox holds a notification."""

        async def look() -> JsonObject | None:
            inbox = await self.request(who, "GET", "/notifications/v1/inbox")
            for item in inbox["items"]:
                if item["category"] == category and about in {None, item["about"]}:
                    found: JsonObject = item
                    return found
            return None

        return await self.poll_until_found(look)

    async def wait_until_hidden(self, who: str, content: str) -> tuple[JsonObject, float]:
        """Wait until a content is no longer shown to someone."""

        async def look() -> JsonObject | None:
            headers = {"Authorization": f"Bearer {self.tokens[who]}"}
            path = f"/community/v1/contents/{content}"
            answer = await self.http.get(path, headers=headers)
            return {} if answer.status_code == httpx.codes.NOT_FOUND else None

        return await self.poll_until_found(look)


def print_step(text: str, milliseconds: float | None = None) -> None:
    """Tell a line of the day."""
    took = f"{milliseconds:7.0f} ms  " if milliseconds is not None else " " * 12
    click.echo(f"{took}{text}")


def play_demo(home: Path, port: int, choices: ServerChoices) -> int:
    """Play it on the platform that runs on this port, else on one of our own."""
    return asyncio.run(_play(home, port, choices))


async def _play(home: Path, port: int, choices: ServerChoices) -> int:
    url = f"http://{LISTEN_HOST}:{port}"
    if await _runs(url):
        await _day(url, home)
        return 0
    click.echo("No platform runs here: starting one for the demonstration.\n")
    async with start_platform(home, port, choices) as started:
        await _day(started.url, home)
    return 0


async def _runs(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            return (await http.get(f"{url}/health/ready")).is_success
    except httpx.HTTPError:
        return False


async def _day(url: str, home: Path) -> None:
    seeded = read_seeded(home)
    if seeded is None:
        file = home / FIRST_TENANT
        raise StackError(f"{file} is not there: the platform at {url} has another data folder.")
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        day = DemoClient(http)
        for who in PEOPLE:
            login = {"email": f"{who}@{DOMAIN}", "password": seeded.password_of(who)}
            body = {"tenant": SLUG, **login}
            answer = await http.post("/identity/v1/sessions", json=body)
            if not answer.is_success:
                raise StackError(f"{who} cannot sign in: {answer.text[:300]}")
            day.tokens[who] = answer.json()["access_token"]
        space = await _gather(day)
        before = await _figures(day, space)
        question = await _question_and_answer(day, space)
        await _insult(day, question)
        await _flags_and_decision(day, space)
        await _show_figures(day, space, before)


async def _gather(day: DemoClient) -> str:
    tree = await day.request("claire", "GET", "/identity/v1/structures")
    school = next(each for each in tree["items"] if each["kind"] == "school")
    name = f"Cour du {datetime.now(UTC):%d/%m/%Y à %H:%M:%S}"
    new = {"name": name, "structure_id": school["structure_id"]}
    opened = await day.request("claire", "POST", "/community/v1/spaces", new)
    space = str(opened["space_id"])
    for who in PEOPLE:
        await day.request(who, "POST", f"/community/v1/spaces/{space}/members")
    print_step(f"Claire opens the space « {name} »; {len(PEOPLE)} people belong to it.")
    return space


async def _question_and_answer(day: DemoClient, space: str) -> str:
    body = {
        "kind": "question",
        "title": "« Malgré que », est-ce admis ? 🤔",
        "body": "J’ai lu *malgré que* dans un roman. Est-ce correct ?",
    }
    asked = await day.request("zoe", "POST", f"/community/v1/spaces/{space}/posts", body)
    question = str(asked["content_id"])
    print_step("Zoé asks a question.")
    reply = {"body": "On l’évite à l’écrit ; « bien que » convient mieux."}
    answer = await day.request("hamid", "POST", f"/community/v1/contents/{question}/answers", reply)
    _, took = await day.wait_for_notification("zoe", "answer_to_mine", answer["content_id"])
    print_step("Hamid answers; the answer is in Zoé’s inbox.", took)
    await day.request("zoe", "POST", f"/community/v1/contents/{answer['content_id']}/accept")
    _, took = await day.wait_for_notification("hamid", "answer_accepted", answer["content_id"])
    print_step("Zoé accepts it; Hamid is told.", took)
    return question


async def _insult(day: DemoClient, question: str) -> None:
    path = f"/community/v1/contents/{question}/comments"
    comment = await day.request("malik", "POST", path, {"body": INSULT})
    _, took = await day.wait_until_hidden("zoe", comment["content_id"])
    print_step("Malik writes an insult; it is hidden from readers.", took)
    notice, took = await day.wait_for_notification("malik", "statement")
    statement = await day.request("malik", "GET", f"/moderation/v1/statements/{notice['about']}")
    print_step(f"Malik is told why: « {statement['words']} »", took)


async def _flags_and_decision(day: DemoClient, space: str) -> None:
    posts = []
    for title in ("Vendredi", "Encore"):
        body = {"kind": "discussion", "title": title, "body": "On se retrouve tous contre lui."}
        path = f"/community/v1/spaces/{space}/posts"
        posts.append((await day.request("tom", "POST", path, body))["content_id"])
    flags = [("zoe", 0), ("ines", 0), ("malik", 0), ("zoe", 1), ("ines", 1)]
    for who, which in flags:
        path = f"/community/v1/contents/{posts[which]}/flags"
        await day.request(who, "POST", path, {"reason": "harassment"})
    _, took = await day.wait_for_notification("claire", "alert")
    print_step("Five flags by three people; the alert is in Claire’s inbox.", took)

    async def case() -> JsonObject | None:
        queue = await day.request("omar", "GET", "/moderation/v1/cases")
        mine = [each for each in queue["items"] if each["content_id"] == posts[0]]
        return mine[0] if mine else None

    found, _ = await day.poll_until_found(case)
    path = f"/moderation/v1/cases/{found['case_id']}"
    await day.request("omar", "POST", f"{path}/claim")
    version = (await day.request("omar", "GET", path))["version"]
    decision = {"version": version, "action": "hide", "policy": "harassment"}
    decision |= {"reason": "harassment.pile_on"}
    await day.request("omar", "POST", f"{path}/decision", decision)
    _, took = await day.wait_until_hidden("zoe", posts[0])
    print_step(f"Omar takes the case ({found['flags']} flags), decides; the post is hidden.", took)


async def _figures(day: DemoClient, space: str) -> dict[str, float]:
    today = datetime.now(UTC).date()
    begin, end = today - timedelta(days=1), today + timedelta(days=2)
    path = f"/metrics/v1/kpis?space_id={space}&from={begin}&to={end}&grain=day"

    async def look() -> JsonObject | None:
        headers = {"Authorization": f"Bearer {day.tokens['claire']}"}
        answer = await day.http.get(path, headers=headers)
        return answer.json() if answer.is_success else None

    rows, _ = await day.poll_until_found(look)
    found: dict[str, float] = {}
    for row in rows["items"]:
        found[row["kpi"]] = found.get(row["kpi"], 0) + (row["value"] or 0)
    return found


async def _show_figures(day: DemoClient, space: str, before: dict[str, float]) -> None:
    wanted = {"questions": 1, "answers": 1, "comments": 1, "flags": 5, "decisions": 2}

    async def look() -> JsonObject | None:
        now = await _figures(day, space)
        moved = {name: now[name] - before[name] for name in wanted}
        return now if moved == wanted else None

    now, took = await day.poll_until_found(look)
    moved = ", ".join(f"{name} {before[name]:.0f} → {now[name]:.0f}" for name in wanted)
    print_step(f"The figures moved: {moved}.", took)
