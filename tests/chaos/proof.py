"""The proof that the suite would notice: each guard of the backbone switched off in its turn."""

from dataclasses import replace

import msgspec

from tests.chaos.campaign import LOG, Campaign, Options
from tests.chaos.disabled_guards import HURT_BY, MUTANTS

TABLE = LOG.with_name("mutants.json")
RUNS = 10


class Row(msgspec.Struct, frozen=True):
    """A guard, and what noticed that it was off; nothing in `caught_by`: nobody did."""

    guard: str
    meaning: str
    caught_by: list[str]
    runs: int
    seed: int | None
    example: str | None


async def prove(options: Options) -> int:
    """Switch off each guard, or the one named, until the suite notices; 0 when it noticed."""
    rows = _known()
    for name in [options.mutant] if options.mutant else MUTANTS:
        if name in rows and rows[name].caught_by:
            continue
        # The faults that the guard is for, and no others: ten runs of each guard take hours.
        own = replace(
            options, mutant=name, runs=min(options.runs, RUNS), only=HURT_BY[name], quiet=True
        )
        campaign = Campaign(own)
        await campaign.play()
        rows[name] = _row(name, campaign)
        TABLE.write_bytes(msgspec.json.format(msgspec.json.encode(list(rows.values())), indent=1))
        print(f"{name}: {', '.join(rows[name].caught_by) or 'NOT NOTICED'}", flush=True)
    return 0 if all(row.caught_by for row in rows.values()) else 1


def _known() -> dict[str, Row]:
    """Read what an earlier sitting found out."""
    if not TABLE.exists():
        return {}
    rows = msgspec.json.decode(TABLE.read_bytes(), type=list[Row])
    return {row.guard: row for row in rows if row.guard in MUTANTS}


def _row(name: str, campaign: Campaign) -> Row:
    meaning = (MUTANTS[name].__doc__ or "").strip()
    broken = campaign.broken
    if broken is None:
        return Row(name, meaning, [], campaign.runs, None, None)
    caught = sorted({violation.invariant for violation in broken.violations})
    return Row(name, meaning, caught, campaign.runs, broken.seed, str(broken.violations[0])[:300])
