"""Spaces and who is in them, suspensions, roles, structures."""

from collections.abc import Mapping
from random import Random

import msgspec

from shared.contracts.identity import Role
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person, Space, pick


class AddedMember(msgspec.Struct):
    """A member who was added."""

    member_id: str


class OpenedSpace(msgspec.Struct):
    """A space that was opened."""

    space_id: str
    visibility: str
    joining: str


_ADDED = msgspec.json.Decoder(AddedMember)
_OPENED = msgspec.json.Decoder(OpenedSpace)


def open_space(person: Person, draw: Random) -> Request:
    visibility = draw.choice(("public", "public", "structure", "closed", "secret"))
    joining = draw.choice(("open", "open", "on_request", "invited"))
    name = f"Cour {draw.randrange(10**6)} d’été 🌳 {person.tenant.run}"
    return open_named_space(person, name, visibility, joining)


def open_named_space(
    person: Person, name: str, visibility: str, joining: str, *, base: bool = False
) -> Request:
    """Open a space, and know of it."""
    body = {
        "name": name,
        "structure_id": person.tenant.school,
        "visibility": visibility,
        "joining": joining,
    }

    def learn(answer: bytes) -> None:
        opened = _OPENED.decode(answer)
        seen = opened.visibility in {"public", "structure"}
        joinable = seen and opened.joining == "open"
        space = Space(opened.space_id, person.name, joinable, base)
        person.tenant.spaces.append(space)
        person.spaces.add(space)

    return Request("community", "POST", "/spaces", body, learn)


def join(person: Person, draw: Random) -> Request | None:
    known = person.tenant.spaces
    space = pick(draw, (each for each in known if each.joinable and each not in person.spaces))
    return join_space(person, space) if space else None


def join_space(person: Person, space: Space) -> Request:
    """Join a space, and know that one is in it."""

    def learn(_: bytes) -> None:
        person.spaces.add(space)

    return Request("community", "POST", f"/spaces/{space.space_id}/members", on_success=learn)


def leave(person: Person, draw: Random) -> Request | None:
    """One that they did not open, and that is not everybody's."""
    mine = person.ordered_spaces
    space = pick(
        draw, (each for each in mine if not each.is_base and each.opened_by != person.name)
    )
    if space is None:
        return None
    # From now on: whatever comes of it, they ask for nothing there.
    person.spaces.discard(space)
    return Request("community", "DELETE", f"/spaces/{space.space_id}/members")


def suspend(person: Person, draw: Random) -> Request | None:
    suspended = person.tenant.suspended
    who = pick(draw, (each for each in person.tenant.suspendable if each not in suspended))
    if who is None:
        return None

    def learn(_: bytes) -> None:
        suspended.append(who)

    path = f"/members/{who}/suspension"
    return Request("identity", "POST", path, {"reason": "repeated_insults"}, learn)


def reinstate(person: Person, draw: Random) -> Request | None:
    suspended = person.tenant.suspended
    who = pick(draw, suspended)
    if who is None:
        return None

    def learn(_: bytes) -> None:
        if who in suspended:
            suspended.remove(who)

    return Request("identity", "DELETE", f"/members/{who}/suspension", on_success=learn)


def grant(person: Person, draw: Random) -> Request | None:
    """A second role that allows nothing more, so that no plan depends on it."""
    who = pick(draw, (each for each in person.tenant.people.values() if each.role is Role.PUPIL))
    return _role(person, who, "roles")


def revoke(person: Person, draw: Random) -> Request | None:
    who = pick(draw, (each for each in person.tenant.people.values() if each.role is Role.PUPIL))
    return _role(person, who, "roles/revoke")


def _role(person: Person, who: Person | None, path: str) -> Request | None:
    if who is None or not who.member_id:
        return None
    change = {
        "member_id": who.member_id,
        "role": Role.PARENT.value,
        "structure_id": person.tenant.school,
    }
    return Request("identity", "POST", f"/{path}", change)


def add_member(person: Person, draw: Random) -> Request:
    """Who is invited and does not come; they may be suspended all the same."""

    def learn(answer: bytes) -> None:
        person.tenant.suspendable.append(_ADDED.decode(answer).member_id)

    number = draw.randrange(10**9)
    body = {
        "display_name": f"Maël Ørsted-{number} 🎈",
        "email": f"mael.{number}.{person.tenant.run}@invité.example",
        "structure_id": person.tenant.school,
        "minor": draw.random() < 0.5,
    }
    return Request("identity", "POST", "/members", body, learn)


def open_structure(person: Person, draw: Random) -> Request:
    body = {
        "name": f"Classe de 4ᵉ {draw.randrange(10**6)}",
        "kind": "class",
        "parent_id": person.tenant.school,
    }
    return Request("identity", "POST", "/structures", body)


ACTIONS: Mapping[str, Action] = {
    "open_space": open_space,
    "join": join,
    "leave": leave,
    "suspend": suspend,
    "reinstate": reinstate,
    "grant": grant,
    "revoke": revoke,
    "add_member": add_member,
    "open_structure": open_structure,
}
