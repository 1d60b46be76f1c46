"""Overload with a suspended broker: writes are rejected in time, and nothing is lost."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
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
def suspended_broker(platform: OverloadPlatform) -> Iterator[None]:
    os.kill(platform.broker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(platform.broker, signal.SIGCONT)


async def test_old_outbox_rejects_writes_and_loses_nothing(
    tmp_path: Path,
) -> None:
    async with (
        start_platform(tmp_path / "maison d’été", outbox_age=AGE, outbox_events=EVENTS) as platform,
        HttpClient(timeout_seconds=REQUEST_TIMEOUT_SECONDS) as http,
    ):
        load = Load(platform, http)
        capacity = await load.run_closed_loop(writers=8, seconds=3)
        await wait_until_applied(platform, http, within=60)
        with suspended_broker(platform):
            began = time.monotonic()
            responses = await load.run_open_loop(max(capacity * FACTOR, LEAST_RATE), SECONDS)
            path = f"/v1/spaces/{platform.space}/posts"
            read = await http.request(platform.community, "GET", path, platform.headers("zoe"))
            memory = platform.memory()
        released = time.monotonic()
        groups = await wait_until_applied(platform, http, within=60)
        print_results(capacity, responses, memory)
        print(f"caught up in {time.monotonic() - released:.1f} s")
        later = await load.run_open_loop(2, 3)
        await wait_until_applied(platform, http, within=30)

        assert unexpected(load.responses) == {}, "no time-outs, no failures"
        assert read.status == 200
        assert_rejections_are_timely(responses, began)
        assert max(mb for name, mb in memory.items() if name != "kafka") < MOST_MEGABYTES
        assert accepted(later) == later, "it takes on work again"
        assert find_unaccounted(groups) == []
        assert await count_contents(platform) == len(accepted(load.responses))
        assert find_disorder(await read_sequences(platform), await read_heads(platform)) == []
        assert {
            pod.name: pod.probe_failures for pod in platform.pods.values() if pod.probe_failures
        } == {}


def print_results(
    capacity: float, responses: Sequence[LoadResponse], memory: Mapping[str, int]
) -> None:
    print(f"{capacity:.0f}/s when all wait; {rejection_reasons(responses)}")
    print(f"neither: {unexpected(responses)}; resident MB: {memory}")
    print(describe_latency("accepted", accepted(responses)))
    print(describe_latency("refused", rejected(responses)))


def assert_rejections_are_timely(responses: Sequence[LoadResponse], began: float) -> None:
    old = [response for response in rejected(responses) if response.reason == "outbox_age"]
    assert len(old) > LEAST_RATE
    assert min(response.sent_at + response.seconds for response in old) - began >= AGE - 1
    assert all(5 <= (response.retry_after or 0) <= 15 for response in old)
