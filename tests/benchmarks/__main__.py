"""`python -m tests.benchmarks [--case …] [--runs 5] [--json build/bench.json]`."""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.cases import growth, latency, publishing, reading, relaying
from tests.benchmarks.contest import Bench
from tests.benchmarks.environments import REPOSITORY
from tests.benchmarks.rows import Report, Row, read, replaced, write
from tests.benchmarks.servers import Servers, servers
from tests.support.programs import run_program

Case = Callable[[Bench, Servers], Awaitable[list[Row]]]
CASES: dict[str, Case] = {
    "consume": reading.consume,
    "effect": reading.effect,
    "relay": relaying.relay,
    "publish": publishing.publish,
    "latency": latency.latency,
    "tracing": reading.tracing,
    "growth": growth.growth,
}
LONG, LONG_RUNS = {"latency", "growth"}, 3


def main(words: list[str]) -> int:
    """Measure, print, and keep the rows."""
    arguments = _arguments(words)
    run_program(_run(arguments))
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="all by default")
    parser.add_argument("--runs", type=int, default=5, help="3 at most where one takes long")
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench.json")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of records")
    parser.add_argument("--who", help="only contenders whose name holds this; writes no JSON")
    parser.add_argument("--profile", action="store_true", help="under py-spy; writes no JSON")
    return parser.parse_args(words)


async def _run(arguments: argparse.Namespace) -> None:
    plain = Bench(arguments.runs, arguments.scale, arguments.profile, arguments.who)
    began = time.monotonic()
    async with servers(REPOSITORY / "build" / "bench-home") as started:
        for name in arguments.case or CASES:
            print(f"{name} …", flush=True)
            at = time.monotonic()
            runs = min(plain.runs, LONG_RUNS) if name in LONG else plain.runs
            rows = await CASES[name](replace(plain, runs=runs), started)
            _print(rows)
            print(f"{name}: {time.monotonic() - at:.0f} s\n", flush=True)
            if not (arguments.profile or arguments.who):
                _keep(arguments, name, rows)
    print(f"{time.monotonic() - began:.0f} s in all")


def _keep(arguments: argparse.Namespace, case: str, rows: list[Row]) -> None:
    old = read(arguments.json)
    scale = f" --scale {arguments.scale:g}" if arguments.scale != 1 else ""
    command = f"python -m tests.benchmarks --case {case} --runs {arguments.runs}{scale}"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    commands = (old.commands if old else {}) | {case: f"{now}  {command}"}
    merged = replaced(old.rows if old else (), rows)
    report = Report(
        machine=machine.described(), versions=machine.versions(), commands=commands, rows=merged
    )
    write(arguments.json, report)


def _print(rows: list[Row]) -> None:
    for row in rows:
        if row.value is None:
            print(f"  {row.who:<46} –  {row.reason}")
        else:
            spread = f"{row.min:,.1f} – {row.max:,.1f}"
            print(f"  {row.who:<46} {row.value:>12,.1f} {row.unit}   ({spread})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
