"""MemoryLimiter: every window keeps its limit in any history, and memory is bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.core.rate_limits import Charge, RateLimit
from shared.kit.limiting.memory import MemoryLimiter
from tests.support.manual_clock import ManualClock

STEPS = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["a", "b"]), st.booleans()), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, max_charges=st.integers(1, 5), seconds=st.integers(1, 20))
async def test_no_window_of_any_history_holds_more_than_the_limit(
    steps: list[tuple[int, str, bool]], max_charges: int, seconds: int
) -> None:
    clock = ManualClock()
    limiter, limit = MemoryLimiter(monotonic=clock), RateLimit("any", max_charges, seconds)
    charged_at: dict[str, list[float]] = {"a": [], "b": []}
    for number, (pause, key, undo) in enumerate(steps):
        clock.seconds += pause
        decision = await limiter.take(str(number), [Charge(limit, key)])
        in_window = [time for time in charged_at[key] if time > clock.seconds - seconds]

        assert decision.allowed == (len(in_window) < max_charges)
        if not decision.allowed:
            assert 0 < decision.wait_seconds <= seconds
            window_start = clock.seconds + decision.wait_seconds - seconds
            assert len([time for time in in_window if time > window_start]) < max_charges
            assert len([time for time in in_window if time > window_start - 1]) >= max_charges
            continue
        if undo:
            await limiter.refund(str(number), [Charge(limit, key)])
        else:
            charged_at[key].append(clock.seconds)


async def test_the_least_recently_charged_key_is_dropped() -> None:
    limiter = MemoryLimiter(monotonic=ManualClock(), max_keys=3)
    limit = RateLimit("bounded", 1, 10)
    for key in ("cold", "warm", "hot"):
        assert (await limiter.take(key, [Charge(limit, key)])).allowed

    assert (await limiter.take("new", [Charge(limit, "new")])).allowed

    assert not (await limiter.take("x", [Charge(limit, "warm")])).allowed
    assert (await limiter.take("x", [Charge(limit, "cold")])).allowed


async def test_keys_of_one_limit_do_not_evict_keys_of_another() -> None:
    limiter = MemoryLimiter(monotonic=ManualClock(), max_keys=3)
    address = Charge(RateLimit("address", 1, 10), "203.0.113.7")
    await limiter.take("first", [address])
    for number in range(100):
        await limiter.take(str(number), [Charge(RateLimit("pair", 1, 10), str(number))])

    assert not (await limiter.take("second", [address])).allowed
