"""Far more than it can do, and a broker that stands still: refused in time, and nothing is lost."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.workload.http_client import HttpClient
from tests.system.overload.checks import (
    count_contents,
    find_disorder,
    find_unaccounted,
    read_heads,
    read_sequences,
    wait_until_applied,
)
from tests.system.overload.load import (
    REQUEST_TIMEOUT_SECONDS,
    Load,
    LoadResponse,
    accepted,
    describe_latency,
    rejected,
    rejection_reasons,
    unexpected,
)
from tests.system.overload.platform import OverloadPlatform, start_platform

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(240),
]
AGE, EVENTS = 4.0, 10
FACTOR, LEAST_RATE, SECONDS = 4, 60, 14
MOST_MEGABYTES = 250


@contextmanager
def broker_stands_still(made: OverloadPlatform) -> Iterator[None]:
    os.kill(made.broker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(made.broker, signal.SIGCONT)


async def test_when_the_outbox_ages_changes_are_refused_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with (
        start_platform(tmp_path / "maison d’été", outbox_age=AGE, outbox_events=EVENTS) as made,
        HttpClient(timeout_seconds=REQUEST_TIMEOUT_SECONDS) as http,
    ):
        load = Load(made, http)
        capacity = await load.run_closed_loop(writers=8, seconds=3)
        await wait_until_applied(made, http, within=60)
        with broker_stands_still(made):
            began = time.monotonic()
            heard = await load.run_open_loop(max(capacity * FACTOR, LEAST_RATE), SECONDS)
            path = f"/v1/spaces/{made.space}/posts"
            read = await http.request(made.community, "GET", path, made.headers("zoe"))
            memory = made.memory()
        released = time.monotonic()
        groups = await wait_until_applied(made, http, within=60)
        print(
            f"{capacity:.0f}/s when all wait; {rejection_reasons(heard)};"
            f" neither: {unexpected(heard)}"
        )
        print(
            describe_latency("accepted", accepted(heard)),
            describe_latency("refused", rejected(heard)),
            sep="\n",
        )
        print(f"caught up in {time.monotonic() - released:.1f} s; resident MB: {memory}")
        later = await load.run_open_loop(2, 3)
        await wait_until_applied(made, http, within=30)

        assert unexpected(load.responses) == {}, "no time-outs, no failures"
        assert read.status == 200
        refusals_are_right(heard, began)
        assert max(mb for name, mb in memory.items() if name != "kafka") < MOST_MEGABYTES
        assert accepted(later) == later, "it takes on work again"
        assert find_unaccounted(groups) == []
        assert await count_contents(made) == len(accepted(load.responses))
        assert find_disorder(await read_sequences(made), await read_heads(made)) == []
        assert {
            pod.name: pod.probe_failures for pod in made.pods.values() if pod.probe_failures
        } == {}


def refusals_are_right(heard: Sequence[LoadResponse], began: float) -> None:
    old = [each for each in rejected(heard) if each.reason == "outbox_age"]
    assert len(old) > LEAST_RATE
    assert min(each.sent_at + each.seconds for each in old) - began >= AGE - 1
    assert all(5 <= (each.retry_after or 0) <= 15 for each in old)
