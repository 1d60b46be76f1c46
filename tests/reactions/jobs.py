"""A screening job that never ends on some texts, as a pattern of ours once did."""

import os
import re
from collections.abc import Callable

from services.moderation.screening.handlers.worker import open_screening_worker


def open_stumbling() -> Callable[[bytes], bytes]:
    read = open_screening_worker()

    def stumble(content: bytes) -> bytes:
        if b"spin" in content:
            re.match(r"(a+)+$", "a" * 60 + "!")
        if b"die" in content:
            os._exit(1)
        return read(content)

    return stumble
