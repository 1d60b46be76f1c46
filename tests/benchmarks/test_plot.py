from xml.etree import ElementTree as ET

from tests.benchmarks.plot import plot, points
from tests.benchmarks.rows import row

ROWS = [
    row("growth", f"Préau, effect, {members}, {events} events", "events/s", [value, value * 1.1])
    for members, events, value in (
        ("1,000,000 members", "10,000,000", 30_000.0),
        ("10,000 members", "100,000", 40_000.0),
    )
]
PUBLISH = row("growth", "Préau, publish, 10,000 members, 100,000 events", "requests/s", [3000.0])
SLOW = row("growth", "Préau, publish, 10,000 members, 100,000 events, p99", "ms", [30.0])


def test_points_of_one_series_are_sorted_by_members() -> None:
    series = points([*ROWS, PUBLISH, SLOW], "effect", "events/s")

    assert [(point.members, round(point.value)) for point in series] == [
        (10_000, 42_000),
        (1_000_000, 31_500),
    ]


def test_plot_has_one_panel_per_measured_series() -> None:
    both, single = plot([*ROWS, PUBLISH, SLOW]), plot(ROWS)
    assert both is not None
    assert single is not None

    for drawn, panels, circles in ((both, 2, 3), (single, 1, 2)):
        tree = ET.fromstring(drawn)  # noqa: S314  our own
        names = [element.tag.rpartition("}")[2] for element in tree.iter()]
        assert (names.count("g"), names.count("circle")) == (panels, circles)


def test_plot_without_measurements_is_none() -> None:
    failed = row("growth", "Préau, effect, 10,000 members, 1 events", "events/s", [], "no answer")

    assert plot([failed]) is None
