"""The plot of growth, written by hand: two panels, members on a logarithmic axis."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.rows import Row

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
PANELS = (
    ("effect", "events/s", "events applied a second"),
    ("publish", "requests/s", "posts published a second"),
)
BELOW = "members; ten events each in the past"
INK, LINE, SPREAD = "#333", "#1f6f8b", "#9cc5d3"


@dataclass(frozen=True)
class Point:
    """A median and its spread at a number of members."""

    members: int
    value: float
    low: float
    high: float


def points(rows: Sequence[Row], what: str, unit: str) -> list[Point]:
    """Return the points of one series of rows: `Préau, effect, 10,000 members, …`."""
    series = []
    for row in rows:
        if row.case != "growth" or row.unit != unit or row.value is None:
            continue
        _, kind, rest = row.who.split(", ", 2)
        if kind == what and row.min is not None and row.max is not None:
            members = int(rest.partition(" members")[0].replace(",", ""))
            series.append(Point(members, row.value, row.min, row.max))
    return sorted(series, key=lambda point: point.members)


def plot(rows: Sequence[Row]) -> str | None:
    """Return the plot as SVG; None without measurements."""
    lines = [(title, points(rows, what, unit)) for what, unit, title in PANELS]
    drawn = [(title, line) for title, line in lines if line]
    if not drawn:
        return None
    width = WIDTH * len(drawn)
    size = f'viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    font = f'font-family="sans-serif" font-size="11" fill="{INK}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>',
    ]
    for column, (title, line) in enumerate(drawn):
        parts += [f'<g transform="translate({column * WIDTH} 0)">', *_panel(title, line), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, line: Sequence[Point]) -> Iterator[str]:
    most = _round_up(max(point.high for point in line))
    low, high = math.log10(line[0].members), math.log10(line[-1].members)

    def x(members: int) -> float:
        share = (math.log10(members) - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT - 24) + 12

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)

    yield f'<text x="{LEFT}" y="20" font-size="13">{title}</text>'
    for step in range(5):
        value = most * step / 4
        attributes = f'y1="{y(value):.1f}" y2="{y(value):.1f}"'
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" {attributes} stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,.0f}</text>'
    for point in line:
        at = x(point.members)
        yield (
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(point.low):.1f}" y2="{y(point.high):.1f}" '
            f'stroke="{SPREAD}" stroke-width="6"/>'
        )
        yield f'<text x="{at:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{point.members:,}</text>'
    path = " ".join(f"{x(point.members):.1f},{y(point.value):.1f}" for point in line)
    yield f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"/>'
    for point in line:
        attributes = f'cx="{x(point.members):.1f}" cy="{y(point.value):.1f}"'
        yield f'<circle {attributes} r="3.5" fill="{LINE}"/>'
    middle = f'x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle"'
    yield f"<text {middle}>{BELOW}</text>"


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 5 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)
