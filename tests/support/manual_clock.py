"""A clock that advances only by hand."""


class ManualClock:
    """Returns `seconds`, as `time.monotonic` and `time.time` do."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds
