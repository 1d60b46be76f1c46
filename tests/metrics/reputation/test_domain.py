from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.metrics.reputation.domain import ALERT_WINDOW, Alert, Flag, detect_alert
from shared.contracts.cast import ALERT, COLLEGE, HAMID, NOON, SPACE
from tests.metrics.builders import a_flag

LONG = ALERT_WINDOW.total_seconds()
FIVE = [a_flag(1), a_flag(2, 10), a_flag(3, 20), a_flag(1, 30, 2), a_flag(2, 40, 2)]


def _look(flags: Sequence[Flag]) -> Alert | None:
    return detect_alert(flags, ALERT, SPACE, COLLEGE, NOON)


def test_five_flags_by_three_people_are_out_of_the_ordinary() -> None:
    alert = _look(FIVE)
    assert alert is not None
    assert (alert.observed, alert.people) == (5, 3)
    assert alert.first_content_id == alert.most_content_id == FIVE[0].content_id
    assert alert.window_end == NOON + timedelta(seconds=40)
    assert alert.window_end - alert.window_begin == ALERT_WINDOW


@pytest.mark.parametrize("flags", [[], FIVE[:4], [a_flag(1 + n % 2, n) for n in range(50)]])
def test_fewer_flags_or_fewer_people_are_not(flags: list[Flag]) -> None:
    assert _look(flags) is None


@pytest.mark.parametrize(
    ("last", "alerts"), [(LONG - 0.001, True), (LONG, False), (LONG + 0.001, False)]
)
def test_the_window_ends_with_the_last_flag_and_is_open_at_its_beginning(
    last: float, *, alerts: bool
) -> None:
    assert (_look([*FIVE[:4], a_flag(3, last)]) is not None) is alerts


def test_the_order_in_which_flags_arrive_changes_nothing() -> None:
    assert _look(FIVE[::-1]) == _look(FIVE)


def test_old_flags_neither_count_nor_name_the_first_content() -> None:
    old = [a_flag(9, -LONG, 7), a_flag(8, -2 * LONG, 7)]
    assert _look([*old, *FIVE]) == _look(FIVE)


def test_the_content_that_was_flagged_most_is_named() -> None:
    alert = _look([a_flag(1, 0, 1), *(a_flag(n, n, 2) for n in range(2, 7))])
    assert alert is not None
    assert (alert.first_content_id.int, alert.most_content_id.int) == (1, 2)


def test_an_alert_tells_that_it_was_raised_and_who_closed_it() -> None:
    alert = _look(FIVE)
    assert alert is not None
    assert (alert.to_raised_fact().observed, alert.to_raised_fact().people) == (5, 3)
    assert (alert.to_closed_fact(HAMID).alert_id, alert.to_closed_fact(HAMID).closed_by) == (
        ALERT,
        HAMID,
    )
