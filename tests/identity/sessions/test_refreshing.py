"""Sequences of refreshes: honest clients stay signed in, reuse of a stolen token is detected."""

import string
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.sessions.domain import REFRESH_GRACE, SessionOver
from shared.contracts.example_data import TENANT
from tests.identity.sessions.sessions_harness import REFRESH_TOKENS, SessionsHarness

GRACE_SECONDS = REFRESH_GRACE.total_seconds()
TABS = 3
MOMENTS = st.lists(
    st.tuples(
        st.floats(0, 2 * 86_400),  # seconds before the requests
        st.lists(
            st.tuples(
                st.floats(0, GRACE_SECONDS / 8),  # seconds between two requests
                st.integers(0, TABS - 1),
                st.booleans(),  # whether the response arrives
            ),
            max_size=8,
        ),
    ),
    max_size=12,
)
LATER = st.floats(GRACE_SECONDS + 1, 5 * 86_400)


@given(MOMENTS)
async def test_concurrent_tabs_and_lost_responses_keep_session_open(moments: Any) -> None:
    """Each tab sends the token stored when it woke; the last response received is stored."""
    harness = SessionsHarness()
    stored = await harness.sign_in()
    for pause, requests in moments:
        harness.advance_clock(pause)
        tabs = [stored] * TABS
        for gap, tab, arrives in requests:
            harness.advance_clock(gap)
            token = await harness.refresh(tabs[tab])
            if arrives:
                tabs[tab] = stored = token
        # A tab without a response retries within the grace.
        stored = await harness.refresh(stored)


@given(
    st.lists(LATER, max_size=5),
    st.lists(st.tuples(LATER, st.booleans()), min_size=2, max_size=8),
)
async def test_stolen_token_ends_session_when_both_holders_used_it(
    pauses_before_theft: list[float], uses_after_theft: list[tuple[float, bool]]
) -> None:
    harness = SessionsHarness()
    stored = await harness.sign_in()
    for pause in pauses_before_theft:
        harness.advance_clock(pause)
        stored = await harness.refresh(stored)
    tokens, used = {True: stored, False: stored}, set[bool]()
    for pause, by_thief in uses_after_theft:
        harness.advance_clock(pause)
        used.add(by_thief)
        if used == {True, False}:
            with pytest.raises(SessionOver):
                await harness.refresh(tokens[by_thief])
            with pytest.raises(SessionOver):
                await harness.refresh(tokens[not by_thief])
            return
        tokens[by_thief] = await harness.refresh(tokens[by_thief])


@given(st.data())
async def test_forged_token_ends_no_session(data: st.DataObject) -> None:
    harness = SessionsHarness()
    stored = await harness.refresh(await harness.sign_in())
    harness.advance_clock(86_400)
    parts = stored.split(".")
    part = data.draw(st.integers(1, 3))
    letters = string.ascii_letters + string.digits + "-_"
    parts[part] = data.draw(
        st.text(letters, max_size=50)
        | st.sampled_from([str(uuid4()), "0", "1", "3", "01", "-1", parts[part][::-1]])
    )
    forged = ".".join(parts)
    issued = {REFRESH_TOKENS.derive(TENANT, key, n) for key in harness.sessions for n in (1, 2)}
    if forged not in issued:
        with pytest.raises(SessionOver) as caught:
            await harness.refresh(forged)
        assert not caught.value.facts
        assert await harness.refresh(stored)
