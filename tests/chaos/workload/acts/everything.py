"""Every verb, and what someone does instead who finds nothing to do it to."""

from collections.abc import Mapping
from random import Random

from tests.chaos.workload.acts import (
    managing,
    mistaking,
    moderating,
    moving_in,
    reading,
    sessions,
    speaking,
)
from tests.chaos.workload.request import Act, Request
from tests.chaos.workload.world import Person

ACTS: Mapping[str, Act] = {
    **speaking.ACTS,
    **reading.ACTS,
    **managing.ACTS,
    **moderating.ACTS,
    **moving_in.ACTS,
    **mistaking.ACTS,
    **sessions.ACTS,
}
INSTEAD = {
    "publish": "read_inbox",
    "claim": "read_queue",
    "read_case": "read_queue",
    "decide": "read_queue",
    "mark_read": "read_inbox",
    "read_statement": "read_inbox",
    "close_alert": "list_alerts",
    "refresh": "sign_in",
    "suspend": "add_member",
}
OTHERWISE = "publish"


def turn_into_request(person: Person, verb: str, draw: Random) -> tuple[str, Request]:
    """Find what to ask for, and under which verb."""
    while True:
        request = ACTS[verb](person, draw)
        if request is not None:
            return verb, request
        verb = INSTEAD.get(verb, OTHERWISE)
