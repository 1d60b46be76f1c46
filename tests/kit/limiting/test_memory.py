"""The limiter in memory: any history keeps to its windows, and memory has an end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.core.rate_limits import Charge, RateLimit
from shared.kit.limiting.memory import MemoryLimiter
from tests.support.manual_clock import ManualClock

STEPS = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["a", "b"]), st.booleans()), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, most=st.integers(1, 5), seconds=st.integers(1, 20))
async def test_no_window_of_any_history_holds_more_than_the_limit(
    steps: list[tuple[int, str, bool]], most: int, seconds: int
) -> None:
    moment = ManualClock()
    limiter, limit = MemoryLimiter(monotonic=moment), RateLimit("any", most, seconds)
    counted: dict[str, list[float]] = {"a": [], "b": []}
    for number, (pause, key, undo) in enumerate(steps):
        moment.seconds += pause
        decision = await limiter.take(str(number), [Charge(limit, key)])
        within = [each for each in counted[key] if each > moment.seconds - seconds]

        assert decision.allowed == (len(within) < most)
        if not decision.allowed:
            assert 0 < decision.wait_seconds <= seconds
            later = moment.seconds + decision.wait_seconds - seconds
            assert len([each for each in within if each > later]) < most
            assert len([each for each in within if each > later - 1]) >= most
            continue
        if undo:
            await limiter.refund(str(number), [Charge(limit, key)])
        else:
            counted[key].append(moment.seconds)


async def test_keys_of_a_limit_have_an_end_and_the_coldest_is_dropped() -> None:
    limiter = MemoryLimiter(monotonic=ManualClock(), max_keys=3)
    limit = RateLimit("bounded", 1, 10)
    for key in ("cold", "warm", "hot"):
        assert (await limiter.take(key, [Charge(limit, key)])).allowed

    assert (await limiter.take("new", [Charge(limit, "new")])).allowed

    assert not (await limiter.take("x", [Charge(limit, "warm")])).allowed
    assert (await limiter.take("x", [Charge(limit, "cold")])).allowed


async def test_keys_of_one_limit_do_not_push_out_those_of_another() -> None:
    limiter = MemoryLimiter(monotonic=ManualClock(), max_keys=3)
    address = Charge(RateLimit("address", 1, 10), "203.0.113.7")
    await limiter.take("first", [address])
    for number in range(100):
        await limiter.take(str(number), [Charge(RateLimit("pair", 1, 10), str(number))])

    assert not (await limiter.take("second", [address])).allowed
