"""A screening worker that hangs or exits on certain texts."""

import os
import re
from collections.abc import Callable

from services.moderation.screening.handlers.worker import open_screening_worker


def open_stumbling() -> Callable[[bytes], bytes]:
    screen = open_screening_worker()

    def screen_or_fail(content: bytes) -> bytes:
        if b"spin" in content:
            re.match(r"(a+)+$", "a" * 60 + "!")
        if b"die" in content:
            os._exit(1)
        return screen(content)

    return screen_or_fail
