"""`make chaos`: the platform under fire, from a seed. Exit status 1 when a promise was broken."""

import os
import subprocess
import sys

import click

from tests.chaos.campaign import RUN_LOG, Campaign, Options
from tests.chaos.disabled_guards import MUTANTS
from tests.chaos.mutation_run import MAX_RUNS_PER_MUTANT, run_mutants
from tests.chaos.schedule import BY_NAME
from tests.chaos.summary import summarize_runs
from tests.support.programs import run_program

PRIVATE_MOUNTS_VARIABLE = "FAULTS_PRIVATE_MOUNTS"
"""Set once this program runs in a mount namespace of its own."""


@click.command()
@click.option("--seed", type=int, help="The first seed; drawn and printed when left out.")
@click.option("--runs", type=int, help="How many seeds in a row: 1, or as many as --minutes give.")
@click.option("--minutes", type=float, help="Begin no run after so long.")
@click.option("--fresh", is_flag=True, help="A new platform for each run.")
@click.option("--keep", is_flag=True, help="Keep the data folder in any case.")
@click.option("--mutant", type=click.Choice(sorted(MUTANTS)), help="With this guard switched off.")
@click.option("--mutants", is_flag=True, help="Each guard in turn; writes build/mutants.json.")
@click.option("--summary", "only_sum_up", is_flag=True, help="Sum up all runs so far, and end.")
@click.option("--only", multiple=True, type=click.Choice(sorted(BY_NAME)), help="These faults.")
@click.option("--rate", type=float, default=40.0, show_default=True, help="Operations a second.")
def main(  # noqa: PLR0913  the options, by name
    seed: int | None,
    runs: int | None,
    minutes: float | None,
    mutant: str | None,
    only: tuple[str, ...],
    rate: float,
    *,
    fresh: bool,
    keep: bool,
    mutants: bool,
    only_sum_up: bool,
) -> None:
    """Run the five services under a random workload, hurt them, and look for what broke."""
    if only_sum_up:
        print(summarize_runs(RUN_LOG))
        return
    private = PRIVATE_MOUNTS_VARIABLE in os.environ
    if not private:
        _go_private()
        print("no private mounts here: a full disk will be skipped", flush=True)
    options = Options(
        seed=seed,
        runs=runs or (10**6 if minutes else MAX_RUNS_PER_MUTANT if mutants else 1),
        minutes=minutes,
        fresh=fresh,
        mutant=mutant or "",
        only=only,
        small_disk=private,
        rate=rate,
        keep=keep,
    )
    playing = run_mutants(options) if mutants else Campaign(options).run()
    sys.exit(run_program(playing))


def _go_private() -> None:
    """Restart in a private mount namespace, if allowed: a small disk can be mounted there."""
    unshare = ["unshare", "--mount", "--propagation", "private"]
    try:
        allowed = subprocess.run([*unshare, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return
    if allowed.returncode == 0:
        command = [*unshare, sys.executable, "-m", "tests.chaos", *sys.argv[1:]]
        os.execvpe("unshare", command, os.environ | {PRIVATE_MOUNTS_VARIABLE: "1"})  # noqa: S606  it becomes it


if __name__ == "__main__":
    main()
