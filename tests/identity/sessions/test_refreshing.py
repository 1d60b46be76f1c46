"""Sequences of refreshes: honest clients are never signed out, a thief is always found out."""

import string
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.sessions.domain import REFRESH_GRACE, SessionOver
from shared.contracts.cast import TENANT
from tests.identity.sessions.sessions_harness import REFRESH_TOKENS, SessionsHarness

GRACE_SECONDS = REFRESH_GRACE.total_seconds()
TABS = 3
MOMENTS = st.lists(
    st.tuples(
        st.floats(0, 2 * 86_400),  # how long nothing happens
        st.lists(
            st.tuples(
                st.floats(0, GRACE_SECONDS / 8),  # between two requests
                st.integers(0, TABS - 1),
                st.booleans(),  # whether the answer arrives
            ),
            max_size=8,
        ),
    ),
    max_size=12,
)
LATER = st.floats(GRACE_SECONDS + 1, 5 * 86_400)


@given(MOMENTS)
async def test_concurrent_tabs_and_lost_responses_keep_session_open(moments: Any) -> None:
    """Each tab sends what it read when it woke; all of them keep the last answer that arrived."""
    harness = SessionsHarness()
    stored = await harness.sign_in()
    for pause, requests in moments:
        harness.advance_clock(pause)
        tabs = [stored] * TABS
        for gap, tab, arrives in requests:
            harness.advance_clock(gap)
            answer = await harness.refresh(tabs[tab])
            if arrives:
                tabs[tab] = stored = answer
        # Whoever got no answer asks again, within the grace.
        stored = await harness.refresh(stored)


@given(
    st.lists(LATER, max_size=5),
    st.lists(st.tuples(LATER, st.booleans()), min_size=2, max_size=8),
)
async def test_stolen_token_ends_session_when_both_holders_used_it(
    before: list[float], after: list[tuple[float, bool]]
) -> None:
    harness = SessionsHarness()
    stored = await harness.sign_in()
    for pause in before:
        harness.advance_clock(pause)
        stored = await harness.refresh(stored)
    tokens, used = {True: stored, False: stored}, set[bool]()
    for pause, by_thief in after:
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
    place = data.draw(st.integers(1, 3))
    letters = string.ascii_letters + string.digits + "-_"
    parts[place] = data.draw(
        st.text(letters, max_size=50)
        | st.sampled_from([str(uuid4()), "0", "1", "3", "01", "-1", parts[place][::-1]])
    )
    made_up = ".".join(parts)
    real = {REFRESH_TOKENS.derive(TENANT, key, n) for key in harness.sessions for n in (1, 2)}
    if made_up not in real:
        with pytest.raises(SessionOver) as caught:
            await harness.refresh(made_up)
        assert not caught.value.facts
        assert await harness.refresh(stored)
