"""Command `preau reconcile`: output and exit codes."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from shared.kit.core.errors import Transient
from shared.kit.tools.cli import reconcile as reconcile_cli
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE
from shared.kit.tools.cli.reconcile import reconcile
from shared.kit.tools.reconcile.source import read_only_connection
from tests.support.mini_service import InMemoryLog, MiniService

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
Run = Callable[..., Result]


class ClosingLog(InMemoryLog):
    __test__ = False

    async def close(self) -> None: ...


@pytest.fixture
def run(mini_service: MiniService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command against the mini service, whose addresses are in the operator file."""
    (tmp_path / "operator.env").write_text(
        f"PREAU_KAFKA=127.0.0.1:1\nCOMMUNITY_OWNER_URL={mini_service.owner_url}\n"
    )
    monkeypatch.setenv("PREAU_HOME", str(tmp_path))
    monkeypatch.setattr(reconcile_cli, "KafkaLog", lambda _: ClosingLog(mini_service.bus))
    monkeypatch.setattr(reconcile_cli, "source_of_service", lambda *_: mini_service.source())

    def call(*words: str) -> Result:
        return CliRunner().invoke(reconcile, ["--service", "community", *words])

    return call


async def test_report_without_violations_exits_with_0(run: Run, mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=3)
    result = await asyncio.to_thread(run)
    assert result.exit_code == 0, result.output
    assert "I3   the log holds 1…head of every key" in result.output
    assert "holds\n       events: 3\n" in result.output
    assert "I7   nothing is sent to another system twice: not checked" in result.output
    assert result.output.splitlines()[-1].startswith("No violations, in ")


async def test_violation_exits_with_1_and_names_the_key(
    run: Run, mini_service: MiniService
) -> None:
    await mini_service.publish_and_consume()
    await mini_service.publish()
    await mini_service.sql("DELETE FROM outbox")
    result = await asyncio.to_thread(run)
    assert result.exit_code == 1
    assert (
        "I2   every change has its events, and every event its change: 1 VIOLATIONS"
        in result.output
    )
    assert f"     ! {mini_service.events()[0]['partitionkey']}: " in result.output


async def test_json_report_lists_violations(run: Run, mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    await mini_service.sql("DELETE FROM inbox")
    result = await asyncio.to_thread(run, "--json")
    report = json.loads(result.output)
    assert (result.exit_code, report["counted"], len(report["wrong"])) == (1, {"I4": 2}, 2)
    assert report["wrong"][0]["key"] == mini_service.events()[0]["partitionkey"]


async def test_json_report_without_violations(
    run: Run, mini_service: MiniService, tmp_path: Path
) -> None:
    await mini_service.publish_and_consume()
    words = ("--json", "--wait", "5", "--state", str(tmp_path / "index"))
    result = await asyncio.to_thread(run, *words)
    report = json.loads(result.output)
    assert (result.exit_code, report["wrong"], report["lag"]) == (0, [], {"community": 0})
    assert ["I3", "events", 1] in report["looked"]
    assert (tmp_path / "index").exists()


async def test_invalid_state_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("autre chose " * 100)
    result = await asyncio.to_thread(run, "--state", str(tmp_path / "notes"))
    assert (result.exit_code, "not a log index" in result.output) == (2, True)


async def test_unreachable_server_exits_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def raise_transient(*_: object) -> None:
        raise Transient(internal_reason="no broker")

    monkeypatch.setattr(InMemoryLog, "get_log_bounds", raise_transient)
    result = await asyncio.to_thread(run)
    assert (result.exit_code, "does not answer" in result.output) == (EXIT_UNREACHABLE, True)


@pytest.mark.parametrize("kafka", [None, "embedded:9092"])
def test_missing_kafka_address_exits_with_3(
    kafka: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREAU_HOME", str(tmp_path))
    if kafka:
        monkeypatch.setenv("PREAU_KAFKA", kafka)
    else:
        monkeypatch.delenv("PREAU_KAFKA", raising=False)
    result = CliRunner().invoke(reconcile, [])
    assert result.exit_code == EXIT_UNREACHABLE
    assert "PREAU_KAFKA is not set" in result.output


async def test_connection_rejects_writes(mini_service: MiniService) -> None:
    async with read_only_connection(mini_service.owner_url) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM heads")
