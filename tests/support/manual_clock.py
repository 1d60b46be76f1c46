"""A clock that stands until it is moved."""


class ManualClock:
    """Seconds, as `time.monotonic` and `time.time` give them."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds
