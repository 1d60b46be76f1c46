from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.metrics.reputation.domain import ALERT_WINDOW, Alert, Flag, detect_alert
from shared.contracts.example_data import ALERT, COLLEGE, HAMID, NOON, SPACE
from tests.metrics.builders import a_flag

WINDOW_SECONDS = ALERT_WINDOW.total_seconds()
FIVE_FLAGS = [a_flag(1), a_flag(2, 10), a_flag(3, 20), a_flag(1, 30, 2), a_flag(2, 40, 2)]


def _detect(flags: Sequence[Flag]) -> Alert | None:
    return detect_alert(flags, ALERT, SPACE, COLLEGE, NOON)


def test_five_flags_by_three_members_raise_an_alert() -> None:
    alert = _detect(FIVE_FLAGS)
    assert alert is not None
    assert (alert.observed, alert.people) == (5, 3)
    assert alert.first_content_id == alert.most_content_id == FIVE_FLAGS[0].content_id
    assert alert.window_end == NOON + timedelta(seconds=40)
    assert alert.window_end - alert.window_begin == ALERT_WINDOW


@pytest.mark.parametrize("flags", [[], FIVE_FLAGS[:4], [a_flag(1 + n % 2, n) for n in range(50)]])
def test_fewer_flags_or_members_raise_no_alert(flags: list[Flag]) -> None:
    assert _detect(flags) is None


@pytest.mark.parametrize(
    ("last", "alerts"),
    [(WINDOW_SECONDS - 0.001, True), (WINDOW_SECONDS, False), (WINDOW_SECONDS + 0.001, False)],
)
def test_window_ends_with_last_flag_and_excludes_its_start(last: float, *, alerts: bool) -> None:
    assert (_detect([*FIVE_FLAGS[:4], a_flag(3, last)]) is not None) is alerts


def test_order_of_flags_does_not_matter() -> None:
    assert _detect(FIVE_FLAGS[::-1]) == _detect(FIVE_FLAGS)


def test_flags_before_the_window_are_ignored() -> None:
    old = [a_flag(9, -WINDOW_SECONDS, 7), a_flag(8, -2 * WINDOW_SECONDS, 7)]
    assert _detect([*old, *FIVE_FLAGS]) == _detect(FIVE_FLAGS)


def test_alert_names_the_most_flagged_content() -> None:
    alert = _detect([a_flag(1, 0, 1), *(a_flag(n, n, 2) for n in range(2, 7))])
    assert alert is not None
    assert (alert.first_content_id.int, alert.most_content_id.int) == (1, 2)


def test_alert_makes_raised_and_closed_facts() -> None:
    alert = _detect(FIVE_FLAGS)
    assert alert is not None
    assert (alert.to_raised_fact().observed, alert.to_raised_fact().people) == (5, 3)
    assert (alert.to_closed_fact(HAMID).alert_id, alert.to_closed_fact(HAMID).closed_by) == (
        ALERT,
        HAMID,
    )
