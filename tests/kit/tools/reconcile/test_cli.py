"""`preau reconcile`: what a person, or a nightly job, sees of it."""

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
def run(small: MiniService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command, on the small platform, whose addresses stand in its data folder."""
    (tmp_path / "operator.env").write_text(
        f"PREAU_KAFKA=127.0.0.1:1\nCOMMUNITY_OWNER_URL={small.owner_url}\n"
    )
    monkeypatch.setenv("PREAU_HOME", str(tmp_path))
    monkeypatch.setattr(reconcile_cli, "KafkaLog", lambda _: ClosingLog(small.bus))
    monkeypatch.setattr(reconcile_cli, "source_of_service", lambda *_: small.source())

    def call(*words: str) -> Result:
        return CliRunner().invoke(reconcile, ["--service", "community", *words])

    return call


async def test_clean_is_zero_and_told_by_invariant(run: Run, small: MiniService) -> None:
    await small.publish_and_consume(times=3)
    done = await asyncio.to_thread(run)
    assert done.exit_code == 0, done.output
    assert "I3   the log holds 1…head of every key" in done.output
    assert "holds\n       events: 3\n" in done.output
    assert "I7   nothing leaves the platform twice: not looked at" in done.output
    assert done.output.splitlines()[-1].startswith("No violations, in ")


async def test_a_violation_is_one_and_names_the_key(run: Run, small: MiniService) -> None:
    await small.publish_and_consume()
    await small.publish()
    await small.sql("DELETE FROM outbox")
    done = await asyncio.to_thread(run)
    assert done.exit_code == 1
    assert "I2   every change has its facts, and every fact its change: 1 VIOLATIONS" in done.output
    assert f"     ! {small.events()[0]['partitionkey']}: " in done.output


async def test_a_machine_reads_of_violations(run: Run, small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    await small.sql("DELETE FROM inbox")
    done = await asyncio.to_thread(run, "--json")
    said = json.loads(done.output)
    assert (done.exit_code, said["counted"], len(said["wrong"])) == (1, {"I4": 2}, 2)
    assert said["wrong"][0]["key"] == small.events()[0]["partitionkey"]


async def test_a_machine_reads_it_too(run: Run, small: MiniService, tmp_path: Path) -> None:
    await small.publish_and_consume()
    words = ("--json", "--wait", "5", "--state", str(tmp_path / "book"))
    done = await asyncio.to_thread(run, *words)
    said = json.loads(done.output)
    assert (done.exit_code, said["wrong"], said["lag"]) == (0, [], {"community": 0})
    assert ["I3", "events", 1] in said["looked"]
    assert (tmp_path / "book").exists()


async def test_a_book_that_is_none_is_a_wrong_command_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("autre chose " * 100)
    done = await asyncio.to_thread(run, "--state", str(tmp_path / "notes"))
    assert (done.exit_code, "no book" in done.output) == (2, True)


async def test_a_server_that_does_not_answer_is_three(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise Transient(reason="no broker")

    monkeypatch.setattr(InMemoryLog, "get_log_bounds", gone)
    done = await asyncio.to_thread(run)
    assert (done.exit_code, "does not answer" in done.output) == (EXIT_UNREACHABLE, True)


@pytest.mark.parametrize("kafka", [None, "embedded:9092"])
def test_nothing_to_go_by_is_three(
    kafka: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREAU_HOME", str(tmp_path))
    if kafka:
        monkeypatch.setenv("PREAU_KAFKA", kafka)
    else:
        monkeypatch.delenv("PREAU_KAFKA", raising=False)
    done = CliRunner().invoke(reconcile, [])
    assert done.exit_code == EXIT_UNREACHABLE
    assert "PREAU_KAFKA is not set" in done.output


async def test_it_could_not_write_if_it_wanted_to(small: MiniService) -> None:
    async with read_only_connection(small.owner_url) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM heads")
