"""Spaces, memberships, suspensions, roles, structures."""

from collections.abc import Mapping
from random import Random

import msgspec

from shared.contracts.identity import Role
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person, Space, pick


class AddedMember(msgspec.Struct):
    """The response to an added member."""

    member_id: str


class OpenedSpace(msgspec.Struct):
    """A space that was opened."""

    space_id: str
    visibility: str
    joining: str


_ADDED = msgspec.json.Decoder(AddedMember)
_OPENED = msgspec.json.Decoder(OpenedSpace)


def open_space(person: Person, rng: Random) -> Request:
    visibility = rng.choice(("public", "public", "structure", "closed", "secret"))
    joining = rng.choice(("open", "open", "on_request", "invited"))
    name = f"Cour {rng.randrange(10**6)} d’été 🌳 {person.tenant.run}"
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

    def remember(body: bytes) -> None:
        opened_space = _OPENED.decode(body)
        is_visible = opened_space.visibility in {"public", "structure"}
        joinable = is_visible and opened_space.joining == "open"
        space = Space(opened_space.space_id, person.name, joinable, base)
        person.tenant.spaces.append(space)
        person.spaces.add(space)

    return Request("community", "POST", "/spaces", body, remember)


def join(person: Person, rng: Random) -> Request | None:
    spaces = person.tenant.spaces
    space = pick(rng, (space for space in spaces if space.joinable and space not in person.spaces))
    return join_space(person, space) if space else None


def join_space(person: Person, space: Space) -> Request:
    """Join a space, and know that one is in it."""

    def remember(_: bytes) -> None:
        person.spaces.add(space)

    return Request("community", "POST", f"/spaces/{space.space_id}/members", on_success=remember)


def leave(person: Person, rng: Random) -> Request | None:
    """Leave a space that is neither the person's own nor a base space."""
    own_spaces = person.ordered_spaces
    space = pick(
        rng,
        (space for space in own_spaces if not space.is_base and space.opened_by != person.name),
    )
    if space is None:
        return None
    # Before the response: its outcome may be unknown, and the space must not be used any more.
    person.spaces.discard(space)
    return Request("community", "DELETE", f"/spaces/{space.space_id}/members")


def suspend(person: Person, rng: Random) -> Request | None:
    suspended = person.tenant.suspended
    member_id = pick(
        rng, (member_id for member_id in person.tenant.suspendable if member_id not in suspended)
    )
    if member_id is None:
        return None

    def remember(_: bytes) -> None:
        suspended.append(member_id)

    path = f"/members/{member_id}/suspension"
    return Request("identity", "POST", path, {"reason": "repeated_insults"}, remember)


def reinstate(person: Person, rng: Random) -> Request | None:
    suspended = person.tenant.suspended
    member_id = pick(rng, suspended)
    if member_id is None:
        return None

    def remember(_: bytes) -> None:
        if member_id in suspended:
            suspended.remove(member_id)

    return Request("identity", "DELETE", f"/members/{member_id}/suspension", on_success=remember)


def grant(person: Person, rng: Random) -> Request | None:
    """A second role that allows nothing more, so that no plan depends on it."""
    person_to_change = pick(
        rng, (pupil for pupil in person.tenant.people.values() if pupil.role is Role.PUPIL)
    )
    return _role_request(person, person_to_change, "roles")


def revoke(person: Person, rng: Random) -> Request | None:
    person_to_change = pick(
        rng, (pupil for pupil in person.tenant.people.values() if pupil.role is Role.PUPIL)
    )
    return _role_request(person, person_to_change, "roles/revoke")


def _role_request(person: Person, member: Person | None, path: str) -> Request | None:
    if member is None or not member.member_id:
        return None
    change = {
        "member_id": member.member_id,
        "role": Role.PARENT.value,
        "structure_id": person.tenant.school,
    }
    return Request("identity", "POST", f"/{path}", change)


def add_member(person: Person, rng: Random) -> Request:
    """Add a member who never signs in and may be suspended."""

    def remember(response_body: bytes) -> None:
        person.tenant.suspendable.append(_ADDED.decode(response_body).member_id)

    number = rng.randrange(10**9)
    body = {
        "display_name": f"Maël Ørsted-{number} 🎈",
        "email": f"mael.{number}.{person.tenant.run}@invité.example",
        "structure_id": person.tenant.school,
        "minor": rng.random() < 0.5,
    }
    return Request("identity", "POST", "/members", body, remember)


def open_structure(person: Person, rng: Random) -> Request:
    body = {
        "name": f"Classe de 4ᵉ {rng.randrange(10**6)}",
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
