"""Metrics of a reconciliation: written to a file or pushed to a collector."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.kit.telemetry.otel import ENDPOINT_VARIABLE
from shared.kit.tools.cli import reconcile as reconcile_cli
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE
from shared.kit.tools.cli.reconcile import reconcile
from shared.kit.tools.cli.reconcile_metrics import ReconcileMetrics
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.replay.compare import Difference, TableComparison
from shared.kit.tools.replay.errors import NothingToRebuild
from shared.kit.tools.replay.rebuild import ReplayRequest
from shared.kit.tools.replay.report import Report as Replayed
from tests.kit.tools.reconcile.test_cli import Run, run
from tests.support.inbox_harness import NOON
from tests.support.mini_service import MiniService

__all__ = ["run"]
pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
METRICS_FILE = "preau.prom"


async def run_and_read_metrics(
    run: Run, tmp_path: Path, code: int, *words: str
) -> dict[str, float]:
    """Run the command, check its exit code, and return the metrics of its file."""
    result = await asyncio.to_thread(run, "--metrics", str(tmp_path / METRICS_FILE), *words)
    assert result.exit_code == code, result.output
    lines = (tmp_path / METRICS_FILE).read_text().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {
        name.removeprefix("preau_reconcile_").replace(',service="reconcile"', ""): float(value)
        for name, _, value in samples
    }


async def test_metrics_without_violations(
    run: Run, mini_service: MiniService, tmp_path: Path
) -> None:
    await mini_service.publish_and_consume(times=3)

    metrics = await run_and_read_metrics(run, tmp_path, 0)

    assert metrics['missing{group="community"}'] == 0
    assert metrics['lag{group="community"}'] == 0
    assert metrics['repeated{service="reconcile"}'] == 0
    assert {name: value for name, value in metrics.items() if "violations" in name} == {
        f'violations{{invariant="{name}"}}': 0
        for name in ("I2", "I3", "I4", "I5", "I8", "I9", "I11")
    } | {name: 0 for name in metrics if '"I6"' in name}
    assert metrics['finished_seconds{service="reconcile"}'] > 1_700_000_000


def test_metrics_file_is_replaced_atomically(tmp_path: Path) -> None:
    ReconcileMetrics.from_report(Report(missing={"a": 1}), NOON).write(tmp_path / METRICS_FILE)
    with (tmp_path / METRICS_FILE).open() as open_file:
        ReconcileMetrics.from_report(Report(missing={"b": 2}), NOON).write(tmp_path / METRICS_FILE)

        assert 'group="a"' in open_file.read()
    assert [file.name for file in tmp_path.iterdir()] == [METRICS_FILE]


async def test_missing_events_are_counted(
    run: Run, mini_service: MiniService, tmp_path: Path
) -> None:
    await mini_service.publish_and_consume(times=2)
    await mini_service.sql("DELETE FROM inbox")

    metrics = await run_and_read_metrics(run, tmp_path, 1)

    assert metrics['missing{group="community"}'] == 2
    assert metrics['violations{invariant="I4"}'] == 2


class FakeRebuilder:
    """Rebuilder with a given report."""

    def __init__(self, report: Replayed | None) -> None:
        self.report, self.dropped = report, list[str]()

    async def run(self, wish: ReplayRequest) -> Replayed:
        assert wish.compare
        assert not wish.swap
        if self.report is None:
            raise NothingToRebuild("nothing")
        return self.report

    async def drop(self, into: str) -> bool:
        self.dropped.append(into)
        return True


@pytest.fixture
def fake_rebuilder(monkeypatch: pytest.MonkeyPatch) -> FakeRebuilder:
    difference = Difference({"space_id": "é"}, {"posts": 2}, {"posts": 1})
    table = TableComparison("space_counts", "read", 7, 7, 150, [difference])
    rebuilder = FakeRebuilder(Replayed("community", "reconcile", "g", events=9, tables=[table]))
    monkeypatch.setattr(reconcile_cli, "Rebuilder", lambda *_: rebuilder)
    return rebuilder


async def test_read_model_that_differs_from_replay_is_counted(
    run: Run, mini_service: MiniService, tmp_path: Path, fake_rebuilder: FakeRebuilder
) -> None:
    await mini_service.publish_and_consume()

    metrics = await run_and_read_metrics(run, tmp_path, 1, "--replay")

    assert metrics['different{group="community"}'] == 150
    assert metrics['violations{invariant="I6"}'] == 150
    assert fake_rebuilder.dropped == ["reconcile"]


async def test_service_without_read_model_has_no_replay_metric(
    run: Run, mini_service: MiniService, tmp_path: Path, fake_rebuilder: FakeRebuilder
) -> None:
    await mini_service.publish_and_consume()
    fake_rebuilder.report = None

    assert not any(
        "different" in name for name in await run_and_read_metrics(run, tmp_path, 0, "--replay")
    )


async def test_failed_push_exits_with_3(
    run: Run, mini_service: MiniService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mini_service.publish_and_consume()
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9/")
    endpoints = list[str]()

    def refuse(metrics: ReconcileMetrics, environment: dict[str, str]) -> bool:
        endpoints.append(environment[ENDPOINT_VARIABLE])
        return False

    monkeypatch.setattr(ReconcileMetrics, "push", refuse)
    result = await asyncio.to_thread(run, "--publish")

    assert endpoints == ["http://127.0.0.1:9/"]
    assert (result.exit_code, "did not take" in result.output) == (EXIT_UNREACHABLE, True)


def test_publish_without_collector_address_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)

    result = CliRunner().invoke(reconcile, ["--publish"])

    assert (result.exit_code, ENDPOINT_VARIABLE in result.output) == (2, True)
