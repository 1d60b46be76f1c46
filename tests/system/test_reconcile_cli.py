"""`preau reconcile` on Apache Kafka and PostgreSQL, as an operator types it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.plain_clients import fetch_as_owner
from tests.system.conftest import Platform

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(300),
]
_LOSE = """
    DELETE FROM inbox WHERE (consumer_group, event_id) IN
        (SELECT consumer_group, event_id FROM inbox WHERE consumer_group = 'metrics' LIMIT 1)
    RETURNING event_id
"""


def test_reconcile_finds_a_deleted_inbox_row(platform: Platform, tmp_path: Path) -> None:
    book = str(tmp_path / "book")
    first_report = _reconcile(platform, "--wait", "90", "--state", book)
    # Other tests of this platform write records that look like ours, and are not.
    assert {violation["invariant"] for violation in first_report["wrong"]} <= {"I2", "I3", "I4"}
    assert first_report["lag"].keys() == {"community", "moderation", "notifications", "metrics"}
    counts = {label: number for _, label, number in first_report["looked"]}
    assert counts["events"] >= 20
    assert counts["partitions that metrics has committed"] >= 1
    assert counts["business tables of community"] >= 5

    (lost,) = asyncio.run(fetch_as_owner(platform.addresses, "metrics", _LOSE))
    try:
        second_report = _reconcile(platform, "--state", book)
    finally:
        again = "INSERT INTO inbox VALUES ('metrics', $1)"
        asyncio.run(fetch_as_owner(platform.addresses, "metrics", again, lost["event_id"]))

    new = [
        violation for violation in second_report["wrong"] if violation not in first_report["wrong"]
    ]
    assert [violation["invariant"] for violation in new] == ["I4"]
    assert str(lost["event_id"]) in new[0]["text"]


def test_operator_address_file_is_private(platform: Platform) -> None:
    assert (platform.home / "operator.env").stat().st_mode & 0o777 == 0o600


def _reconcile(platform: Platform, *words: str) -> Any:
    done = platform.command("reconcile", *words, "--json")
    assert done.stdout, done.stderr
    assert done.returncode in {0, 1}
    return msgspec.json.decode(done.stdout)
