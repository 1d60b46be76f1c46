"""Mutation run: switches off each guard in turn and expects a violation."""

from dataclasses import replace

import msgspec

from tests.chaos.campaign import RUN_LOG, Campaign, Options
from tests.chaos.disabled_guards import FAULTS_OF_MUTANT, MUTANTS

RESULTS_PATH = RUN_LOG.with_name("mutants.json")
MAX_RUNS_PER_MUTANT = 10


class MutantResult(msgspec.Struct, frozen=True):
    """A guard and the invariants that were violated without it; an empty `caught_by` means none."""

    guard: str
    meaning: str
    caught_by: list[str]
    runs: int
    seed: int | None
    example: str | None


async def run_mutants(options: Options) -> int:
    """Switch off each guard, or the one named, until the suite notices; 0 when it noticed."""
    rows = _known()
    for name in [options.mutant] if options.mutant else MUTANTS:
        if name in rows and rows[name].caught_by:
            continue
        # The faults that the guard is for, and no others: ten runs of each guard take hours.
        own = replace(
            options,
            mutant=name,
            runs=min(options.runs, MAX_RUNS_PER_MUTANT),
            only=FAULTS_OF_MUTANT[name],
            quiet=True,
        )
        campaign = Campaign(own)
        await campaign.run()
        rows[name] = _row(name, campaign)
        RESULTS_PATH.write_bytes(
            msgspec.json.format(msgspec.json.encode(list(rows.values())), indent=1)
        )
        print(f"{name}: {', '.join(rows[name].caught_by) or 'NOT NOTICED'}", flush=True)
    return 0 if all(row.caught_by for row in rows.values()) else 1


def _known() -> dict[str, MutantResult]:
    """Read what an earlier sitting found out."""
    if not RESULTS_PATH.exists():
        return {}
    rows = msgspec.json.decode(RESULTS_PATH.read_bytes(), type=list[MutantResult])
    return {row.guard: row for row in rows if row.guard in MUTANTS}


def _row(name: str, campaign: Campaign) -> MutantResult:
    meaning = (MUTANTS[name].__doc__ or "").strip()
    broken = campaign.failed_run
    if broken is None:
        return MutantResult(name, meaning, [], campaign.runs, None, None)
    caught = sorted({violation.invariant for violation in broken.violations})
    return MutantResult(
        name, meaning, caught, campaign.runs, broken.seed, str(broken.violations[0])[:300]
    )
