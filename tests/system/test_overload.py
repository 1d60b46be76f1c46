"""Far more than it can do, and a broker that stands still: refused in time, and nothing is lost."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.workload.client import Http
from tests.system.overload.checks import (
    contents_of,
    disorder,
    heads_of,
    log_of,
    unanswered,
    until_applied,
)
from tests.system.overload.load import (
    PATIENCE,
    Heard,
    Load,
    accepted,
    others,
    reasons,
    refused,
    told,
)
from tests.system.overload.scene import Scene, scene

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(240),
]
AGE, EVENTS = 4.0, 10
FACTOR, LEAST_RATE, SECONDS = 4, 60, 14
MOST_MEGABYTES = 250


@contextmanager
def broker_stands_still(made: Scene) -> Iterator[None]:
    os.kill(made.broker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(made.broker, signal.SIGCONT)


async def test_when_the_outbox_ages_changes_are_refused_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with (
        scene(tmp_path / "maison d’été", outbox_age=AGE, outbox_events=EVENTS) as made,
        Http(timeout=PATIENCE) as http,
    ):
        load = Load(made, http)
        capacity = await load.closed(writers=8, seconds=3)
        await until_applied(made, http, within=60)
        with broker_stands_still(made):
            began = time.monotonic()
            heard = await load.open(max(capacity * FACTOR, LEAST_RATE), SECONDS)
            path = f"/v1/spaces/{made.space}/posts"
            read = await http.ask(made.community, "GET", path, made.headers("zoe"))
            memory = made.memory()
        released = time.monotonic()
        groups = await until_applied(made, http, within=60)
        print(f"{capacity:.0f}/s when all wait; {reasons(heard)}; neither: {others(heard)}")
        print(told("accepted", accepted(heard)), told("refused", refused(heard)), sep="\n")
        print(f"caught up in {time.monotonic() - released:.1f} s; resident MB: {memory}")
        later = await load.open(2, 3)
        await until_applied(made, http, within=30)

        assert others(load.heard) == {}, "no time-outs, no failures"
        assert read.status == 200
        refusals_are_right(heard, began)
        assert max(mb for name, mb in memory.items() if name != "kafka") < MOST_MEGABYTES
        assert accepted(later) == later, "it takes on work again"
        assert unanswered(groups) == []
        assert await contents_of(made) == len(accepted(load.heard))
        assert disorder(await log_of(made), await heads_of(made)) == []
        assert {pod.name: pod.unwell for pod in made.pods.values() if pod.unwell} == {}


def refusals_are_right(heard: Sequence[Heard], began: float) -> None:
    old = [each for each in refused(heard) if each.reason == "outbox_age"]
    assert len(old) > LEAST_RATE
    assert min(each.at + each.seconds for each in old) - began >= AGE - 1
    assert all(5 <= (each.retry_after or 0) <= 15 for each in old)
