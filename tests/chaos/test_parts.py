"""Parts of the chaos tests: poison records, late posts, backlog, step actions, log counts."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import msgspec
import pytest

from deploy.local.artifacts import REPOSITORY
from shared.contracts.catalogue import decoder_of
from shared.contracts.community import PostPublished
from shared.contracts.event import encode_data
from shared.contracts.ids import TenantId
from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.inbox.decode import (
    Decoded,
    DecodedRecord,
    Ignored,
    Unreadable,
    decode_record,
    decoders_for,
)
from tests.chaos.backlog import BacklogSnapshot
from tests.chaos.fault_injection import InjectedFaults
from tests.chaos.faults.records import POISON_KINDS
from tests.chaos.log_counts import LogCounter
from tests.chaos.next_build import CURRENT_BUILD, NEXT_BUILD, build_of, extended_fact_type
from tests.chaos.raw_kafka import Record, make_post, uuid7_at

TENANT = TenantId(UUID(int=7))
WANTED = decoders_for((PostPublished,))


def decode(record: Record) -> DecodedRecord:
    incoming = IncomingRecord(
        Partition(record.topic, 0), 0, record.key, record.value, record.headers
    )
    return decode_record(incoming, WANTED, datetime.now(UTC))


@pytest.mark.parametrize("kind", sorted(POISON_KINDS))
def test_poison_records_cannot_be_decoded(kind: str) -> None:
    assert isinstance(decode(POISON_KINDS[kind](Random(1))), Unreadable)


def test_own_post_is_decoded_and_newer_version_is_ignored() -> None:
    rng = Random(1)

    assert isinstance(decode(make_post(rng, TENANT, timedelta())), Decoded)
    assert isinstance(decode(make_post(rng, TENANT, timedelta(), version=2)), Ignored)


def test_late_post_has_id_and_time_of_its_day() -> None:
    day = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    event_id = uuid7_at(day, Random(1))

    assert event_id.version == 7
    assert event_id.int >> 80 == int(day.timestamp() * 1000)
    late = decode(make_post(Random(1), TENANT, timedelta(days=-7)))
    assert isinstance(late, Decoded)
    assert datetime.now(UTC) - late.delivery.time > timedelta(days=6)


def test_step_action_runs_once_at_the_nth_pass() -> None:
    faults = InjectedFaults()
    faults.run_command({"do": "arm", "step": "relay.sent", "nth": 2, "act": "sleep", "seconds": 0})

    faults.on_step("relay.sent")
    assert "relay.sent" in faults.step_actions
    faults.on_step("relay.read")
    faults.on_step("relay.sent")

    assert not faults.step_actions
    assert faults.pass_counts == {"relay.sent": 2, "relay.read": 1}


def snapshot(**changed: object) -> BacklogSnapshot:
    values: dict[str, object] = {
        "outbox": {"community": 0},
        "oldest_positions": {"community": 0},
        "ends": {("post", 0): 5, ("post", 1): 2, ("other", 0): 9},
        "positions": {"metrics": {("post", 0): 5, ("post", 1): 2}},
        "retry_due": {"metrics": 0},
        "dead": {"metrics": 1},
    }
    return BacklogSnapshot(**(values | changed))  # type: ignore[arg-type]  # a row of its fields


def test_backlog_is_idle_without_waiting_records_in_subscribed_topics() -> None:
    assert snapshot().is_idle
    assert not snapshot(outbox={"community": 1}).is_idle
    assert not snapshot(retry_due={"metrics": 1}).is_idle
    behind = snapshot(positions={"metrics": {("post", 0): 4}})
    assert not behind.is_idle
    assert behind.lag == {"metrics": 3}


def test_snapshot_covers_an_earlier_one_once_all_is_applied() -> None:
    mark = snapshot()

    assert snapshot(ends={("post", 0): 8}).covers(mark)
    assert not snapshot(positions={"metrics": {("post", 0): 4, ("post", 1): 2}}).covers(mark)


def test_both_builds_read_events_of_both_builds() -> None:
    fact = PostPublished.example()
    old = bytes(encode_data(fact))
    new = msgspec.json.encode(msgspec.json.decode(old) | {"since": NEXT_BUILD})

    assert decoder_of(PostPublished).decode(new) == fact
    coming = msgspec.json.Decoder(extended_fact_type(PostPublished))
    assert [build_of(coming.decode(data)) for data in (old, new)] == [CURRENT_BUILD, NEXT_BUILD]
    assert isinstance(coming.decode(old), PostPublished)


def test_log_counter_counts_lines_since_the_skipped_end(tmp_path: Path) -> None:
    log, notes = tmp_path / "pod.log", LogCounter()
    log.write_text("FAULTS fenced metrics 3\n", encoding="utf-8")
    notes.skip_to_end([log, tmp_path / "none"])
    with log.open("a", encoding="utf-8") as file:
        file.write("autre\nFAULTS fenced metrics 3\nFAULTS revoked metrics 8\n")

    assert notes.count([log]) == {("fenced", "metrics"): 1, ("revoked", "metrics"): 1}


def test_each_guard_can_still_be_switched_off() -> None:
    """In a separate process: a guard whose function was renamed fails here, not in a campaign."""
    program = (
        "from tests.chaos import disabled_guards as guards, fault_injection, next_build\n"
        "for name in guards.MUTANTS: guards.switch_off(name)\n"
        "fault_injection._wrap_reactions(fault_injection.InjectedFaults())\n"
        "fault_injection._shorten_poll_limit(3)\n"
        "next_build.install_next_build()\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
