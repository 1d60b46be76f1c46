"""What a person will ask for, one thing after the other: known from the seed alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from shared.contracts.identity import Role

SPEAKING = {
    "publish": 14, "answer": 13, "comment": 14, "edit": 8, "remove": 2.5, "accept": 4, "flag": 5,
}  # fmt: skip
READING = {
    "list_posts": 4, "read_conversation": 5, "list_spaces": 0.5, "read_inbox": 5, "mark_read": 4,
    "read_statement": 1,
}  # fmt: skip
COMING_AND_GOING = {"join": 2, "leave": 1.5, "sign_in": 0.2, "refresh": 0.8}
WRONG = {
    "wrong_content": 0.5, "wrong_body": 0.5, "wrong_field": 0.3, "wrong_json": 0.2,
    "wrong_author": 0.5, "wrong_tenant": 0.5, "wrong_parent": 0.5, "wrong_own_flag": 0.4,
    "wrong_password": 0.05, "wrong_token": 0.2, "wrong_route": 0.2, "wrong_period": 0.1,
}  # fmt: skip
"""Deliberate: each is refused, and with which status is known before."""
EVERYONE = SPEAKING | READING | COMING_AND_GOING | WRONG
WITHOUT_A_ROLE = {"wrong_opening": 0.4, "wrong_import": 0.3, "wrong_figures": 0.3}
MANAGING = {
    "open_space": 0.7, "announce": 5, "read_figures": 3, "read_definitions": 0.3, "list_alerts": 1,
    "close_alert": 0.5,
}  # fmt: skip
MODERATING = {"read_queue": 8, "claim": 5, "read_case": 2, "decide": 8}
ADMINISTERING = {
    "suspend": 1, "reinstate": 4, "grant": 0.7, "revoke": 0.7, "add_member": 0.4,
    "open_structure": 0.3, "import_contents": 9, "import_members": 1.5,
}  # fmt: skip
OPERATING = {"import_contents": 9, "read_figures": 1}
VERBS: Mapping[Role, Mapping[str, float]] = {
    Role.PUPIL: EVERYONE | WITHOUT_A_ROLE,
    Role.TEACHER: EVERYONE | WITHOUT_A_ROLE,
    Role.COMMUNITY_MANAGER: EVERYONE | MANAGING,
    Role.MODERATOR: EVERYONE | MODERATING,
    Role.ADMINISTRATOR: EVERYONE | MODERATING | ADMINISTERING,
    Role.OPERATOR: EVERYONE | OPERATING,
}
"""How often someone of a role does what: weights, not shares."""


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """What someone is about to do. Everything else about it is drawn from `draw`.

    `draw` belongs to this intention alone: what the answers so far made of it moves no other.
    """

    verb: str
    pause: float
    """How long after the one before, in mean pauses."""
    rng: Random


def plan_actions(seed: int, name: str, role: Role) -> Iterator[PlannedAction]:
    """Return what someone asks for, without end: the same for the same seed."""
    verb_rng = Random(f"{seed}/{name}")
    verbs, weights = list(VERBS[role]), list(VERBS[role].values())
    number = 0
    while True:
        number += 1
        (verb,) = verb_rng.choices(verbs, weights)
        yield PlannedAction(verb, verb_rng.expovariate(1), Random(f"{seed}/{name}/{number}"))
