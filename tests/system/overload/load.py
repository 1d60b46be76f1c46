"""Writers who do not wait for each other: so many requests a second, answered or not."""

import asyncio
import random
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tests.chaos.workload.http_client import HttpClient, NoResponse
from tests.system.overload.platform import WRITER_NAMES, OverloadPlatform

REQUEST_TIMEOUT_SECONDS = 10.0
"""Seconds after which a writer would call it a time-out; none may happen."""
MAX_CONVERSATIONS = 40
"""Conversations that are written in at once, each a key of its own."""
POST_TEXT = "L’accord du participe passé, encore : « les fleurs que j’ai cueillies » 🌼 "


@dataclass(frozen=True, slots=True)
class LoadResponse:
    """What became of one request: its answer, how long it took, when it may come back."""

    sent_at: float
    status: int
    seconds: float
    retry_after: int | None = None
    reason: str = ""


@dataclass
class Load:
    """Posts and comments through the public API, and what was heard of each."""

    scene: OverloadPlatform
    http: HttpClient
    rng: random.Random = field(default_factory=lambda: random.Random(44))
    responses: list[LoadResponse] = field(default_factory=list)
    _roots: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_CONVERSATIONS))
    _headers: dict[str, dict[str, str]] = field(default_factory=dict)
    _signed: float = float("-inf")

    async def run_closed_loop(self, writers: int, seconds: float) -> float:
        """Let so many write one after the other; give how many a second were accepted."""
        until, before = time.monotonic() + seconds, len(self.responses)

        async def one() -> None:
            while time.monotonic() < until:
                await self.send_one()

        await asyncio.gather(*(one() for _ in range(writers)))
        return len(accepted(self.responses[before:])) / seconds

    async def run_open_loop(self, rate: float, seconds: float) -> list[LoadResponse]:
        """Send `rate` requests a second, whatever comes back; give what was heard of them."""
        before, began = len(self.responses), time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            pause = began + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(self.send_one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)
        return self.responses[before:]

    async def send_one(self) -> None:
        """Publish a post, or a comment on one of the last, and note what is heard."""
        who, began = self.rng.choice(WRITER_NAMES), time.monotonic()
        fresh = len(self._roots) < MAX_CONVERSATIONS or self.rng.random() < 0.1
        if fresh:
            path = f"/v1/spaces/{self.scene.space}/posts"
            body = {"kind": "discussion", "title": "Participe passé", "body": POST_TEXT}
        else:
            path = f"/v1/contents/{self.rng.choice(self._roots)}/comments"
            body = {"body": POST_TEXT * self.rng.randint(1, 4)}
        content = msgspec.json.encode(body)
        try:
            url, headers = self.scene.community, self._signed_in(who)
            answer = await self.http.request(url, "POST", path, headers, content)
        except NoResponse as lost:
            self.responses.append(
                LoadResponse(began, 0, time.monotonic() - began, reason=str(lost))
            )
            return
        told = msgspec.json.decode(answer.body)
        back, took = answer.headers.get("retry-after"), time.monotonic() - began
        reason = str(told.get("reason") or told.get("title", ""))
        self.responses.append(
            LoadResponse(began, answer.status, took, int(back) if back else None, reason)
        )
        if fresh and answer.status == 201:
            self._roots.append(told["content_id"])

    def _signed_in(self, who: str) -> dict[str, str]:
        if time.monotonic() - self._signed > 240:
            self._signed = time.monotonic()
            self._headers = {name: self.scene.headers(name) for name in WRITER_NAMES}
        return self._headers[who]


def accepted(heard: Sequence[LoadResponse]) -> list[LoadResponse]:
    return [each for each in heard if each.status == 201]


def rejected(heard: Sequence[LoadResponse]) -> list[LoadResponse]:
    return [each for each in heard if each.status == 503]


def unexpected(heard: Sequence[LoadResponse]) -> Counter[str]:
    """Count what should not have been heard at all."""
    return Counter(f"{e.status} {e.reason}" for e in heard if e.status not in {201, 503})


def rejection_reasons(heard: Sequence[LoadResponse]) -> dict[str, int]:
    """Count why requests were refused."""
    return dict(Counter(each.reason for each in rejected(heard)))


def describe_latency(name: str, heard: Sequence[LoadResponse]) -> str:
    """Put the times of some answers in a line."""
    if not heard:
        return f"{name}: none"
    times = sorted(each.seconds * 1000 for each in heard)
    if len(times) < 2:
        return f"{name}: one, {times[0]:.0f} ms"
    cuts = statistics.quantiles(times, n=100)
    return f"{name}: {len(times)}, p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, max {times[-1]:.0f} ms"
