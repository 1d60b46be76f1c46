"""Every verb, and what someone does instead who finds nothing to do it to."""

from collections.abc import Mapping
from random import Random

from tests.chaos.workload.actions import imports as moving_in
from tests.chaos.workload.actions import invalid_requests as mistaking
from tests.chaos.workload.actions import managing, moderating, reading, sessions
from tests.chaos.workload.actions import posting as speaking
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person

ACTIONS: Mapping[str, Action] = {
    **speaking.ACTIONS,
    **reading.ACTIONS,
    **managing.ACTIONS,
    **moderating.ACTIONS,
    **moving_in.ACTIONS,
    **mistaking.ACTIONS,
    **sessions.ACTIONS,
}
FALLBACK_VERBS = {
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
DEFAULT_VERB = "publish"


def build_request(person: Person, verb: str, rng: Random) -> tuple[str, Request]:
    """Find what to ask for, and under which verb."""
    while True:
        request = ACTIONS[verb](person, rng)
        if request is not None:
            return verb, request
        verb = FALLBACK_VERBS.get(verb, DEFAULT_VERB)
