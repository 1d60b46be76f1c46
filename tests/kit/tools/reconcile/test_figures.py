"""What a reconciliation publishes: to a file, to a collector, or it says that nobody took it."""

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
PAGE = "preau.prom"


async def page(run: Run, tmp_path: Path, code: int, *words: str) -> dict[str, float]:
    """Run it, and read the figures from its file."""
    done = await asyncio.to_thread(run, "--metrics", str(tmp_path / PAGE), *words)
    assert done.exit_code == code, done.output
    lines = (tmp_path / PAGE).read_text().splitlines()
    told = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {
        name.removeprefix("preau_reconcile_").replace(',service="reconcile"', ""): float(value)
        for name, _, value in told
    }


async def test_all_is_well(run: Run, small: MiniService, tmp_path: Path) -> None:
    await small.publish_and_consume(times=3)

    told = await page(run, tmp_path, 0)

    assert told['missing{group="community"}'] == 0
    assert told['lag{group="community"}'] == 0
    assert told['repeated{service="reconcile"}'] == 0
    assert {name: n for name, n in told.items() if "violations" in name} == {
        f'violations{{invariant="{name}"}}': 0
        for name in ("I2", "I3", "I4", "I5", "I8", "I9", "I11")
    } | {name: 0 for name in told if '"I6"' in name}
    assert told['finished_seconds{service="reconcile"}'] > 1_700_000_000


def test_whoever_reads_the_file_meanwhile_never_sees_half_of_it(tmp_path: Path) -> None:
    ReconcileMetrics.from_report(Report(missing={"a": 1}), NOON).write(tmp_path / PAGE)
    with (tmp_path / PAGE).open() as before:
        ReconcileMetrics.from_report(Report(missing={"b": 2}), NOON).write(tmp_path / PAGE)

        assert 'group="a"' in before.read()
    assert [each.name for each in tmp_path.iterdir()] == [PAGE]


async def test_what_is_lost_twice_and_late_is_counted(
    run: Run, small: MiniService, tmp_path: Path
) -> None:
    await small.publish_and_consume(times=2)
    await small.sql("DELETE FROM inbox")

    told = await page(run, tmp_path, 1)

    assert told['missing{group="community"}'] == 2
    assert told['violations{invariant="I4"}'] == 2


class Replays:
    """A rebuilder that only says what it would find."""

    def __init__(self, found: Replayed | None) -> None:
        self.found, self.dropped = found, list[str]()

    async def run(self, wish: ReplayRequest) -> Replayed:
        assert wish.compare
        assert not wish.swap
        if self.found is None:
            raise NothingToRebuild("nothing")
        return self.found

    async def drop(self, into: str) -> bool:
        self.dropped.append(into)
        return True


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> Replays:
    shown = Difference({"space_id": "é"}, {"posts": 2}, {"posts": 1})
    table = TableComparison("space_counts", "read", 7, 7, 150, [shown])
    found = Replays(Replayed("community", "reconcile", "g", events=9, tables=[table]))
    monkeypatch.setattr(reconcile_cli, "Rebuilder", lambda *_: found)
    return found


async def test_a_read_model_that_is_not_what_the_log_says(
    run: Run, small: MiniService, tmp_path: Path, replays: Replays
) -> None:
    await small.publish_and_consume()

    told = await page(run, tmp_path, 1, "--replay")

    assert told['different{group="community"}'] == 150
    assert told['violations{invariant="I6"}'] == 150
    assert replays.dropped == ["reconcile"]


async def test_a_service_without_a_read_model(
    run: Run, small: MiniService, tmp_path: Path, replays: Replays
) -> None:
    await small.publish_and_consume()
    replays.found = None

    assert not any("different" in name for name in await page(run, tmp_path, 0, "--replay"))


async def test_a_collector_that_takes_nothing_is_no_success(
    run: Run, small: MiniService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await small.publish_and_consume()
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9/")
    asked = list[str]()

    def refuse(figures: ReconcileMetrics, environment: dict[str, str]) -> bool:
        asked.append(environment[ENDPOINT_VARIABLE])
        return False

    monkeypatch.setattr(ReconcileMetrics, "push", refuse)
    done = await asyncio.to_thread(run, "--publish")

    assert asked == ["http://127.0.0.1:9/"]
    assert (done.exit_code, "did not take" in done.output) == (EXIT_UNREACHABLE, True)


def test_nobody_to_publish_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)

    done = CliRunner().invoke(reconcile, ["--publish"])

    assert (done.exit_code, ENDPOINT_VARIABLE in done.output) == (2, True)
