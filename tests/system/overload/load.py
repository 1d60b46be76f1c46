"""Writers who do not wait for each other: so many requests a second, answered or not."""

import asyncio
import random
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tests.chaos.workload.client import Http, Lost
from tests.system.overload.scene import WRITERS, Scene

PATIENCE = 10.0
"""Seconds after which a writer would call it a time-out; none may happen."""
ROOTS = 40
"""Conversations that are written in at once, each a key of its own."""
WORDS = "L’accord du participe passé, encore : « les fleurs que j’ai cueillies » 🌼 "


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one request: its answer, how long it took, when it may come back."""

    at: float
    status: int
    seconds: float
    retry_after: int | None = None
    reason: str = ""


@dataclass
class Load:
    """Posts and comments through the public API, and what was heard of each."""

    scene: Scene
    http: Http
    rng: random.Random = field(default_factory=lambda: random.Random(44))
    heard: list[Heard] = field(default_factory=list)
    _roots: deque[str] = field(default_factory=lambda: deque(maxlen=ROOTS))
    _headers: dict[str, dict[str, str]] = field(default_factory=dict)
    _signed: float = float("-inf")

    async def closed(self, writers: int, seconds: float) -> float:
        """Let so many write one after the other; give how many a second were accepted."""
        until, before = time.monotonic() + seconds, len(self.heard)

        async def one() -> None:
            while time.monotonic() < until:
                await self.write()

        await asyncio.gather(*(one() for _ in range(writers)))
        return len(accepted(self.heard[before:])) / seconds

    async def open(self, rate: float, seconds: float) -> list[Heard]:
        """Send `rate` requests a second, whatever comes back; give what was heard of them."""
        before, began = len(self.heard), time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            pause = began + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(self.write())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)
        return self.heard[before:]

    async def write(self) -> None:
        """Publish a post, or a comment on one of the last, and note what is heard."""
        who, began = self.rng.choice(WRITERS), time.monotonic()
        fresh = len(self._roots) < ROOTS or self.rng.random() < 0.1
        if fresh:
            path = f"/v1/spaces/{self.scene.space}/posts"
            body = {"kind": "discussion", "title": "Participe passé", "body": WORDS}
        else:
            path = f"/v1/contents/{self.rng.choice(self._roots)}/comments"
            body = {"body": WORDS * self.rng.randint(1, 4)}
        content = msgspec.json.encode(body)
        try:
            url, headers = self.scene.community, self._signed_in(who)
            answer = await self.http.ask(url, "POST", path, headers, content)
        except Lost as lost:
            self.heard.append(Heard(began, 0, time.monotonic() - began, reason=str(lost)))
            return
        told = msgspec.json.decode(answer.body)
        back, took = answer.headers.get("retry-after"), time.monotonic() - began
        reason = str(told.get("reason") or told.get("because") or told.get("title", ""))
        self.heard.append(Heard(began, answer.status, took, int(back) if back else None, reason))
        if fresh and answer.status == 201:
            self._roots.append(told["content_id"])

    def _signed_in(self, who: str) -> dict[str, str]:
        if time.monotonic() - self._signed > 240:
            self._signed = time.monotonic()
            self._headers = {name: self.scene.headers(name) for name in WRITERS}
        return self._headers[who]


def accepted(heard: Sequence[Heard]) -> list[Heard]:
    return [each for each in heard if each.status == 201]


def refused(heard: Sequence[Heard]) -> list[Heard]:
    return [each for each in heard if each.status == 503]


def others(heard: Sequence[Heard]) -> Counter[str]:
    """Count what should not have been heard at all."""
    return Counter(f"{e.status} {e.reason}" for e in heard if e.status not in {201, 503})


def reasons(heard: Sequence[Heard]) -> dict[str, int]:
    """Count why requests were refused."""
    return dict(Counter(each.reason for each in refused(heard)))


def told(name: str, heard: Sequence[Heard]) -> str:
    """Put the times of some answers in a line."""
    if not heard:
        return f"{name}: none"
    times = sorted(each.seconds * 1000 for each in heard)
    if len(times) < 2:
        return f"{name}: one, {times[0]:.0f} ms"
    cuts = statistics.quantiles(times, n=100)
    return f"{name}: {len(times)}, p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, max {times[-1]:.0f} ms"
