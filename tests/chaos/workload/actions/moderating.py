"""Moderators: the queue, claims, decisions."""

from collections.abc import Mapping
from random import Random

import msgspec

from tests.chaos.workload.request import Action, Request, get
from tests.chaos.workload.tenant_state import Person, pick

POLICIES = ("insult", "harassment", "personal_data", "spam")
REASONS = ("insult.direct", "harassment.pile_on", "spam", "C’est à côté de la question, désolé.")


class Case(msgspec.Struct):
    """A case in the queue."""

    case_id: str
    content_id: str
    claimed_by: str | None


class OpenedCase(msgspec.Struct):
    """A case that is read, and the version that it shows."""

    case_id: str
    version: int


class Queue(msgspec.Struct):
    """The queue."""

    items: list[Case]


_DOSSIER = msgspec.json.Decoder(OpenedCase)
_QUEUE = msgspec.json.Decoder(Queue)


def read_queue(person: Person, rng: Random) -> Request:
    world = person.tenant

    def remember(response_body: bytes) -> None:
        for case in _QUEUE.decode(response_body).items:
            if case.claimed_by in {None, person.member_id} and case.case_id not in world.cases:
                world.cases.append(case.case_id)
                world.case_contents[case.case_id] = case.content_id

    return get("moderation", "/cases", remember)


def claim(person: Person, rng: Random) -> Request | None:
    case = pick(rng, _decidable(person))
    return Request("moderation", "POST", f"/cases/{case}/claim") if case else None


def read_case(person: Person, rng: Random) -> Request | None:
    case = pick(rng, _decidable(person))

    def remember(response_body: bytes) -> None:
        dossier = _DOSSIER.decode(response_body)
        person.tenant.case_versions[dossier.case_id] = dossier.version

    return get("moderation", f"/cases/{case}", remember) if case else None


def decide(person: Person, rng: Random) -> Request | None:
    case = pick(rng, _decidable(person))
    if case is None:
        return None
    world = person.tenant
    action = rng.choice(("keep", "keep", "hide", "remove"))
    version = world.case_versions.get(case, 1)
    body: dict[str, object] = {"version": version, "action": action}
    body |= {"policy": rng.choice(POLICIES), "reason": rng.choice(REASONS)}
    if action != "keep":
        world.mark_gone(world.case_contents[case])

    def remember(_: bytes) -> None:
        # Only now: meanwhile another may decide it, too, and one of the two is refused.
        if case in world.cases:
            world.cases.remove(case)

    return Request("moderation", "POST", f"/cases/{case}/decision", body, remember)


def _decidable(person: Person) -> list[str]:
    """Return the cases that are known, but those of what they wrote themselves."""
    world = person.tenant
    own = {content.content_id for content in world.contents if content.author == person.name}
    return [case for case in world.cases if world.case_contents[case] not in own]


ACTIONS: Mapping[str, Action] = {
    "read_queue": read_queue,
    "claim": claim,
    "read_case": read_case,
    "decide": decide,
}
