"""Try the workload alone, on a platform that `make run` started.

python -m tests.chaos.workload --url http://127.0.0.1:8000 --home .preau --seed 1
"""

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

import asyncpg
import click
import uvloop

from deploy.local.seed import SeededTenant, read_seeded
from shared.contracts.catalogue import PUBLISHERS
from tests.chaos.workload.journal import Journal, Operation, Outcome, read_journal
from tests.chaos.workload.run import run_workload
from tests.support.stack_process import addresses_of


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True)
@click.option("--home", type=click.Path(path_type=Path), default=Path(".preau"), show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--rate", default=200.0, show_default=True, help="Operations a second.")
@click.option("--journal", "kept", type=click.Path(path_type=Path), help="Where to keep it.")
def main(
    url: str, home: Path, seed: int, seconds: float, rate: float, journal_path: Path | None
) -> None:
    """Run the workload and print its outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        path = journal_path or Path(folder) / "journal.ndjson"
        journal = Journal(path, f"{seed}-{time.time_ns() // 1_000_000:x}")
        urls = dict.fromkeys(PUBLISHERS, url)
        facts, cpu = uvloop.run(_measured(urls, home, seed, journal, seconds, rate))
        journal.close()
        operations = [operation for operation in read_journal(path) if operation.run == journal.run]
    _print_counts(operations, facts, cpu)


async def _measured(
    urls: dict[str, str], home: Path, seed: int, journal: Journal, seconds: float, rate: float
) -> tuple[int, float]:
    facts_before, cpu = await _facts(home), time.process_time()
    await run_workload(urls, seeded_of(home), seed, journal, seconds, rate)
    cpu = time.process_time() - cpu
    await asyncio.sleep(1)  # what reactions still record
    return await _facts(home) - facts_before, cpu


def seeded_of(home: Path) -> SeededTenant:
    """Read what the first start of a platform left in its folder."""
    seeded = read_seeded(home)
    assert seeded is not None
    return seeded


async def _facts(home: Path) -> int:
    """Count the facts that all services have recorded so far."""
    addresses, total = addresses_of(home), 0
    for service in PUBLISHERS:
        url = addresses.database_url(service, "app").replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        total += int(await connection.fetchval("SELECT coalesce(sum(sequence), 0) FROM heads"))
        await connection.close()
    return total


def _print_counts(operations: list[Operation], facts: int, cpu: float) -> None:
    counts = Counter((operation.verb, operation.outcome) for operation in operations)
    click.echo(f"{'verb':20}" + "".join(f"{outcome.value:>8}" for outcome in Outcome))
    for verb in sorted({operation.verb for operation in operations}):
        click.echo(f"{verb:20}" + "".join(f"{counts[verb, outcome]:8}" for outcome in Outcome))
    totals = Counter(operation.outcome for operation in operations)
    click.echo(f"{'all':20}" + "".join(f"{totals[outcome]:8}" for outcome in Outcome))
    _print_unexpected(operations)
    duration_seconds = (
        max(operation.ended for operation in operations)
        - min(operation.begun for operation in operations)
    ).total_seconds()
    rates = (
        f"{len(operations) / duration_seconds:.0f} operations/s, "
        f"{facts / duration_seconds:.0f} events/s"
    )
    share = f"the workload used {cpu / duration_seconds:.0%} of a core"
    click.echo(f"\n{rates} in {duration_seconds:.1f} s; {share}.")


def _print_unexpected(operations: list[Operation]) -> None:
    """Print rejected valid requests, and invalid ones with an unexpected status."""
    surprises: Counter[str] = Counter()
    for operation in operations:
        key = ""
        if isinstance(operation.answer, dict):
            reason = operation.answer.get("rule") or operation.answer.get("reason") or ""
            key = f" {operation.answer.get('type', '')} {reason}"
        is_wrong_status = operation.expected is not None and operation.status != operation.expected
        if is_wrong_status and operation.outcome is not Outcome.MAYBE:
            surprises[f"{operation.verb}: {operation.status}, not {operation.expected}{key}"] += 1
        if operation.expected is None and operation.outcome is Outcome.FAILED:
            surprises[f"{operation.verb}: {operation.status}{key}"] += 1
        if operation.outcome is Outcome.MAYBE:
            surprises[f"maybe: {operation.status}{key or f' {operation.answer}'}"] += 1
    for text, number in surprises.most_common():
        click.echo(f"{number:8}  {text}")


if __name__ == "__main__":
    main()
