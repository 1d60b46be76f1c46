"""`python -m tests.system.overload --minutes 10 --factor 3`: overload, measured on this machine.

First how much the API takes on when writers wait for their answers; then so many times that, from
writers who wait for nothing; then how long it takes until all of it is applied everywhere, whether
anything is lost, repeated or out of order, and how much memory that took.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec
import uvloop

from tests.chaos.workload.http_client import HttpClient, NoResponse
from tests.support.programs import run_program
from tests.system.overload import checks
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

WRITER_COUNT, MEASURE_SECONDS = 16, 10.0
CATCH_UP_TIMEOUT_SECONDS = 900.0


@dataclass
class PodSampler:
    """Samples memory and community's outbox every second."""

    scene: OverloadPlatform
    http: HttpClient
    memory: list[Mapping[str, int]] = field(default_factory=list)
    outbox: list[tuple[float, float]] = field(default_factory=list)
    unanswered_count: int = 0
    """Looks at the outbox that no answer came to."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.memory.append(self.scene.memory())
            try:
                self.outbox.append(await self.scene.backlog(self.http))
            except NoResponse:  # as other requests are; the next look may be answered
                self.unanswered_count += 1
            await asyncio.sleep(1)

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator[None]:
        """Look until left."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()  # it ended by an error, and what it saw is half of it

    def report_lines(self) -> list[str]:
        """Return what each process took: at the beginning, at most, in the end."""
        lines = []
        for name in self.memory[0]:
            megabytes = [sample[name] for sample in self.memory if name in sample]
            lines.append(
                f"  {name:16} {megabytes[0]:5} MB, at most {max(megabytes):5},"
                f" {megabytes[-1]:5} at last"
            )
        facts = max((number for number, _ in self.outbox), default=0)
        age = max((seconds for _, seconds in self.outbox), default=0)
        looks = f"{len(self.outbox)} looks, {self.unanswered_count} unanswered"
        lines.append(f"  outbox: at most {facts:.0f} facts, {age:.1f} s old; {looks}")
        return lines


@click.command()
@click.option("--minutes", default=10.0, help="How long the overload lasts.")
@click.option("--factor", default=3.0, help="So many times what it takes on.")
@click.option("--into", type=click.Path(path_type=Path), help="Write the figures there, as JSON.")
def main(minutes: float, factor: float, into: Path | None) -> None:
    """Overload a new platform and print the results. Exit code 1 on a violation."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        figures = run_program(
            _run(Path(folder) / "home", minutes * 60, factor), uvloop.new_event_loop
        )
    if into is not None:
        into.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    violations = figures["violations"]
    click.echo("\n".join(map(str, violations)) if violations else "No violation.")  # type: ignore[call-overload]  # a list
    raise SystemExit(1 if violations else 0)


async def _run(home: Path, seconds: float, factor: float) -> dict[str, object]:
    async with (
        start_platform(home) as platform,
        HttpClient(timeout_seconds=REQUEST_TIMEOUT_SECONDS) as http,
    ):
        load = Load(platform, http)
        await load.run_closed_loop(WRITER_COUNT, MEASURE_SECONDS / 2)
        capacity = await load.run_closed_loop(WRITER_COUNT, MEASURE_SECONDS)
        await checks.wait_until_applied(platform, http, CATCH_UP_TIMEOUT_SECONDS)
        click.echo(f"{WRITER_COUNT} writers who wait: {capacity:.0f} accepted/s")
        watch = PodSampler(platform, http)
        async with watch.sampling():
            responses = await load.run_open_loop(capacity * factor, seconds)
            ended = time.monotonic()
            groups = await checks.wait_until_applied(platform, http, CATCH_UP_TIMEOUT_SECONDS)
            caught_up = time.monotonic() - ended
        violations = await _violations(platform, load, groups)
        _print_report(responses, seconds, capacity * factor, caught_up)
        click.echo("\n".join(watch.report_lines()))
        return {
            "capacity": capacity,
            "offered": capacity * factor,
            "accepted": len(accepted(responses)) / seconds,
            "refused": len(rejected(responses)) / seconds,
            "reasons": rejection_reasons(responses),
            "catch_up_seconds": caught_up,
            "memory": watch.memory,
            "outbox": watch.outbox,
            "violations": violations,
        }


async def _violations(
    platform: OverloadPlatform, load: Load, groups: Mapping[str, Mapping[str, object]]
) -> list[str]:
    log = await checks.read_sequences(platform)
    violations = [
        *checks.find_unaccounted(groups),
        *checks.find_disorder(log, await checks.read_heads(platform)),
    ]
    unexpected_counts = unexpected(load.responses)
    violations += [f"{number} times: {label}" for label, number in unexpected_counts.items()]
    rows, accepted_count = await checks.count_contents(platform), len(accepted(load.responses))
    if not accepted_count <= rows <= accepted_count + sum(unexpected_counts.values()):
        violations.append(f"{accepted_count} accepted, {rows} rows")
    violations += [
        f"{pod.name}: {dict(pod.probe_failures)}"
        for pod in platform.pods.values()
        if pod.probe_failures
    ]
    click.echo(f"{rows} contents, {sum(map(len, log.values()))} records of {len(log)} keys, ")
    click.echo(f"{checks.count_repeated(log)} of them repeated")
    return violations


def _print_report(
    responses: list[LoadResponse], seconds: float, offered: float, caught_up: float
) -> None:
    click.echo(f"{offered:.0f}/s offered for {seconds:.0f} s:")
    for name, some in (("accepted", accepted(responses)), ("refused", rejected(responses))):
        click.echo(f"  {len(some) / seconds:.0f}/s {describe_latency(name, some)}")
    click.echo(
        f"  refused for: {rejection_reasons(responses)}; neither: {dict(unexpected(responses))}"
    )
    click.echo(f"  all applied {caught_up:.1f} s after the end")


if __name__ == "__main__":
    main()
