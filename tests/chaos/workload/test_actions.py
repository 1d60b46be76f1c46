"""Every request that can be made is one of a documented route."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from shared.contracts.identity import Role
from tests.chaos.workload.actions import sessions
from tests.chaos.workload.actions.all_actions import ACTIONS, build_request
from tests.chaos.workload.request import Request
from tests.chaos.workload.tenant_state import KnownContent, Person, Space, TenantState

DOCUMENTS = Path(__file__).resolve().parents[3] / "docs" / "openapi"
NO_ROUTE = {"wrong_route"}


def a_world(label: str = "academy") -> TenantState:
    """A tenant in which there is one of everything to do something to."""
    world = TenantState("7-a", label, "slug", "secret", "t-1", "s-0", "s-1")
    for role in Role:
        person = Person(world, role.value, f"{role.value}@demo.example", role, f"m-{role.value}")
        person.access, person.refresh_token, person.access_expires_at = "a.b.c", "r", 1e12
        person.notices.append("n-1")
        person.statements.append("st-1")
        world.people[role.value] = person
    world.people["tom"] = Person(world, "tom", "tom@demo.example", Role.PUPIL, "m-tom")
    own_space = Space("sp-1", Role.COMMUNITY_MANAGER.value, joinable=True, is_base=True)
    other_space = Space("sp-2", "somebody", joinable=True)
    new = Space("sp-3", "somebody", joinable=True)
    world.spaces += [own_space, other_space, new]
    for person in world.people.values():
        person.spaces |= {own_space, other_space}
        for kind in ("discussion", "question", "answer", "comment"):
            content_id = f"c-{person.name}-{kind}"
            content = KnownContent(
                content_id, kind, content_id, person.name, own_space, may_be_moderated=False
            )
            content.question_author = "teacher" if person.name == "pupil" else "pupil"
            world.contents.append(content)
    world.cases.append("case-1")
    world.case_contents["case-1"] = "c-teacher-question"
    world.alerts.append("al-1")
    world.suspendable += ["m-tom", "m-tim"]
    world.suspended.append("m-tom")
    return world


def routes() -> list[tuple[str, str, re.Pattern[str]]]:
    documented = []
    for document in DOCUMENTS.glob("*.json"):
        for path, methods in json.loads(document.read_text())["paths"].items():
            pattern = re.compile(re.sub(r"\{\w+\}", r"[^/]+", path.removeprefix("/v1")))
            documented += [(document.stem, method.upper(), pattern) for method in methods]
    return documented


def is_documented(request: Request) -> bool:
    path = request.path.partition("?")[0]
    return any(
        (service, method) == (request.service, request.method) and pattern.fullmatch(path)
        for service, method, pattern in routes()
    )


@pytest.mark.parametrize("verb", sorted(ACTIONS))
def test_action_builds_a_documented_request(verb: str) -> None:
    for seed in range(8):
        world = a_world()
        world.other_tenant = a_world("lycee-2")
        name = "community_manager" if verb == "announce" else "pupil"
        done, request = build_request(world.people[name], verb, Random(seed))
        assert done == verb
        assert is_documented(request) is (verb not in NO_ROUTE), request
        assert (request.expected_status is not None) is verb.startswith("wrong_")
        assert request.path.isascii()


def test_an_invitation_is_accepted_on_a_documented_route() -> None:
    assert is_documented(sessions.accept_invitation(a_world().people["pupil"], "…"))


def test_who_finds_nothing_to_do_it_to_does_something_else() -> None:
    world = TenantState("7-a", "academy", "slug", "secret")
    person = Person(world, "zoe", "zoe@demo.example", Role.MODERATOR)
    world.people["tom"] = person
    done = {verb: build_request(person, verb, Random(1))[0] for verb in ACTIONS}

    assert done["answer"] == done["publish"] == done["mark_read"] == "read_inbox"
    assert done["decide"] == "read_queue"
    assert done["refresh"] == "sign_in"


def test_hidden_gone_and_foreign_contents_are_not_picked() -> None:
    person = a_world().people["pupil"]
    visible = person.tenant.contents[0]
    for content in list(person.tenant.contents)[1:]:
        content.gone = True
    assert person.pick_content(Random(1), lambda _: True) is visible
    visible.may_be_moderated = True
    assert person.pick_visible(Random(1)) is None
    visible.may_be_moderated = False
    person.spaces.clear()
    assert person.pick_visible(Random(1)) is None
