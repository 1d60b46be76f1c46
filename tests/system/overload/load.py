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
    """Posts and comments through the public API, with their responses."""

    scene: OverloadPlatform
    http: HttpClient
    rng: random.Random = field(default_factory=lambda: random.Random(44))
    responses: list[LoadResponse] = field(default_factory=list)
    _roots: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_CONVERSATIONS))
    _headers: dict[str, dict[str, str]] = field(default_factory=dict)
    _signed_at: float = float("-inf")

    async def run_closed_loop(self, writers: int, seconds: float) -> float:
        """Run writers that wait for each response; return accepted requests per second."""
        until, first_index = time.monotonic() + seconds, len(self.responses)

        async def one() -> None:
            while time.monotonic() < until:
                await self.send_one()

        await asyncio.gather(*(one() for _ in range(writers)))
        return len(accepted(self.responses[first_index:])) / seconds

    async def run_open_loop(self, rate: float, seconds: float) -> list[LoadResponse]:
        """Send `rate` requests a second without waiting for responses; return all responses."""
        first_index, began = len(self.responses), time.monotonic()
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
        return self.responses[first_index:]

    async def send_one(self) -> None:
        """Publish a post, or a comment on a recent one, and record the response."""
        name, began = self.rng.choice(WRITER_NAMES), time.monotonic()
        is_post = len(self._roots) < MAX_CONVERSATIONS or self.rng.random() < 0.1
        if is_post:
            path = f"/v1/spaces/{self.scene.space}/posts"
            body = {"kind": "discussion", "title": "Participe passé", "body": POST_TEXT}
        else:
            path = f"/v1/contents/{self.rng.choice(self._roots)}/comments"
            body = {"body": POST_TEXT * self.rng.randint(1, 4)}
        content = msgspec.json.encode(body)
        try:
            url, headers = self.scene.community, self._authorization(name)
            response = await self.http.request(url, "POST", path, headers, content)
        except NoResponse as lost:
            self.responses.append(
                LoadResponse(began, 0, time.monotonic() - began, reason=str(lost))
            )
            return
        response_body = msgspec.json.decode(response.body)
        retry_after, seconds = response.headers.get("retry-after"), time.monotonic() - began
        reason = str(response_body.get("reason") or response_body.get("title", ""))
        self.responses.append(
            LoadResponse(
                began, response.status, seconds, int(retry_after) if retry_after else None, reason
            )
        )
        if is_post and response.status == 201:
            self._roots.append(response_body["content_id"])

    def _authorization(self, name: str) -> dict[str, str]:
        if time.monotonic() - self._signed_at > 240:
            self._signed_at = time.monotonic()
            self._headers = {name: self.scene.headers(name) for name in WRITER_NAMES}
        return self._headers[name]


def accepted(responses: Sequence[LoadResponse]) -> list[LoadResponse]:
    return [response for response in responses if response.status == 201]


def rejected(responses: Sequence[LoadResponse]) -> list[LoadResponse]:
    return [response for response in responses if response.status == 503]


def unexpected(responses: Sequence[LoadResponse]) -> Counter[str]:
    """Count responses that are neither 201 nor 503."""
    return Counter(
        f"{response.status} {response.reason}"
        for response in responses
        if response.status not in {201, 503}
    )


def rejection_reasons(responses: Sequence[LoadResponse]) -> dict[str, int]:
    """Count why requests were refused."""
    return dict(Counter(response.reason for response in rejected(responses)))


def describe_latency(name: str, responses: Sequence[LoadResponse]) -> str:
    """Put the times of some answers in a line."""
    if not responses:
        return f"{name}: none"
    times = sorted(response.seconds * 1000 for response in responses)
    if len(times) < 2:
        return f"{name}: one, {times[0]:.0f} ms"
    cuts = statistics.quantiles(times, n=100)
    return f"{name}: {len(times)}, p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, max {times[-1]:.0f} ms"
