"""I1 of identity: members, their standing and roles, structures, tenants, sessions."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID, uuid5

from tests.chaos.checker.effects_spaces import last_certain
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.logical_requests import LogicalRequest, with_verb
from tests.chaos.checker.tables import Tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome

_MEMBERS = """
    SELECT member_id::text AS id, tenant_id::text AS t, email, suspended, joined_at FROM members
"""
_ROLES = "SELECT member_id::text AS m, role, structure_id::text AS s FROM roles"
_STRUCTURES = "SELECT structure_id::text AS id, name FROM structures"


async def check_people(
    wished: Sequence[LogicalRequest], tables: Tables, told: LogFacts
) -> AsyncIterator[Violation]:
    """Look at every member, role, structure and session of the run."""
    members = {row["id"]: row for row in await tables.rows("identity", _MEMBERS)}
    emails = Counter((row["t"], row["email"]) for row in members.values())
    for each in _added(wished, set(members), emails):
        yield each
    suspended = {row["id"] for row in members.values() if row["suspended"]}
    held = {(r["m"], r["role"], r["s"]) for r in await tables.rows("identity", _ROLES)}
    for each in _standing(wished, suspended, held):
        yield each
    structures = {row["id"] for row in await tables.rows("identity", _STRUCTURES)}
    for wish in with_verb(wished, "open_structure"):
        if wish.outcome is Outcome.OK and wish.answer["structure_id"] not in structures:
            yield Violation("I1", f"{wish.tenant}:{wish.body['name']}", "opened, and not there")
    for each in _sessions(wished, told):
        yield each


def _added(
    wished: Sequence[LogicalRequest], members: set[str], emails: Counter[tuple[str, str]]
) -> Iterator[Violation]:
    asked = Counter(
        (wish.tenant, wish.body["email"])
        for wish in with_verb(wished, "add_member")
        if wish.may_have_succeeded
    )
    for wish in with_verb(wished, "add_member"):
        place = (wish.tenant, wish.body["email"])
        if wish.outcome is Outcome.OK and wish.answer["member_id"] not in members:
            key = f"{wish.tenant}:{wish.answer['member_id']}"
            yield Violation("I1", key, "was added, and is not there")
        if emails[place] and not asked[place]:
            yield Violation("I1", wish.tenant, f"{place[1]} was refused, and is there")
    for wish in with_verb(wished, "import_members"):
        if wish.outcome is not Outcome.OK:
            continue
        for line, said in zip(wish.body["lines"], wish.answer["lines"], strict=True):
            name = f"{wish.body['source']}\nmember\n{line['outside_id']}"
            member = str(uuid5(UUID(wish.tenant), name))
            if (member in members) is (said["outcome"] == "refused"):
                text = f"line {line['outside_id']} was {said['outcome']}"
                yield Violation("I1", f"{wish.tenant}:{member}", text)


def _standing(
    wished: Sequence[LogicalRequest], suspended: set[str], held: set[tuple[str, str, str]]
) -> Iterator[Violation]:
    """The last change that was answered counts."""
    standing: defaultdict[str, list[LogicalRequest]] = defaultdict(list)
    for wish in with_verb(wished, "suspend", "reinstate"):
        if wish.may_have_succeeded:
            standing[wish.target_id].append(wish)
    for member, changes in standing.items():
        last = last_certain(changes)
        if last is not None and (member in suspended) is not (last.verb == "suspend"):
            yield Violation("I1", f"{last.tenant}:{member}", f"{last.verb} was answered, not done")
    roles: defaultdict[tuple[str, str, str], list[LogicalRequest]] = defaultdict(list)
    for wish in with_verb(wished, "grant", "revoke"):
        if wish.may_have_succeeded:
            body = wish.body
            roles[body["member_id"], body["role"], body["structure_id"]].append(wish)
    for role, changes in roles.items():
        last = last_certain(changes)
        if last is not None and (role in held) is not (last.verb == "grant"):
            text = f"{last.verb} of {role[1]} was answered, not done"
            yield Violation("I1", f"{last.tenant}:{role[0]}", text)


def _sessions(wished: Sequence[LogicalRequest], told: LogFacts) -> Iterator[Violation]:
    """At least as many sessions were told as sign-ins were answered.

    Who signs in is known from what they do next: the journal keeps no token.
    """
    opened = sum(told.sign_ins.values())
    answered = sum(wish.outcome is Outcome.OK for wish in with_verb(wished, "sign_in"))
    if opened < answered:
        text = f"{answered} sign-ins were answered, the log tells of {opened}"
        yield Violation("I1", "identity.session", text)
