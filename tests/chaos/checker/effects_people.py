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
    requests: Sequence[LogicalRequest], tables: Tables, log_facts: LogFacts
) -> AsyncIterator[Violation]:
    """Look at every member, role, structure and session of the run."""
    members = {row["id"]: row for row in await tables.rows("identity", _MEMBERS)}
    emails = Counter((row["t"], row["email"]) for row in members.values())
    for violation in _added(requests, set(members), emails):
        yield violation
    suspended = {row["id"] for row in members.values() if row["suspended"]}
    role_rows = {(r["m"], r["role"], r["s"]) for r in await tables.rows("identity", _ROLES)}
    for violation in _suspensions_and_roles(requests, suspended, role_rows):
        yield violation
    structures = {row["id"] for row in await tables.rows("identity", _STRUCTURES)}
    for request in with_verb(requests, "open_structure"):
        if request.outcome is Outcome.OK and request.answer["structure_id"] not in structures:
            yield Violation(
                "I1", f"{request.tenant}:{request.body['name']}", "opened, and not there"
            )
    for violation in _sessions(requests, log_facts):
        yield violation


def _added(
    requests: Sequence[LogicalRequest], members: set[str], emails: Counter[tuple[str, str]]
) -> Iterator[Violation]:
    requested = Counter(
        (request.tenant, request.body["email"])
        for request in with_verb(requests, "add_member")
        if request.may_have_succeeded
    )
    for request in with_verb(requests, "add_member"):
        email_key = (request.tenant, request.body["email"])
        if request.outcome is Outcome.OK and request.answer["member_id"] not in members:
            key = f"{request.tenant}:{request.answer['member_id']}"
            yield Violation("I1", key, "was added, and is not there")
        if emails[email_key] and not requested[email_key]:
            yield Violation("I1", request.tenant, f"{email_key[1]} was refused, and is there")
    for request in with_verb(requests, "import_members"):
        if request.outcome is not Outcome.OK:
            continue
        for line, result in zip(request.body["lines"], request.answer["lines"], strict=True):
            name = f"{request.body['source']}\nmember\n{line['outside_id']}"
            member = str(uuid5(UUID(request.tenant), name))
            if (member in members) is (result["outcome"] == "refused"):
                text = f"line {line['outside_id']} was {result['outcome']}"
                yield Violation("I1", f"{request.tenant}:{member}", text)


def _suspensions_and_roles(
    requests: Sequence[LogicalRequest], suspended: set[str], role_rows: set[tuple[str, str, str]]
) -> Iterator[Violation]:
    """The last change that was answered counts."""
    suspensions: defaultdict[str, list[LogicalRequest]] = defaultdict(list)
    for request in with_verb(requests, "suspend", "reinstate"):
        if request.may_have_succeeded:
            suspensions[request.target_id].append(request)
    for member, changes in suspensions.items():
        last_change = last_certain(changes)
        if last_change is not None and (member in suspended) is not (last_change.verb == "suspend"):
            yield Violation(
                "I1", f"{last_change.tenant}:{member}", f"{last_change.verb} was answered, not done"
            )
    roles: defaultdict[tuple[str, str, str], list[LogicalRequest]] = defaultdict(list)
    for request in with_verb(requests, "grant", "revoke"):
        if request.may_have_succeeded:
            body = request.body
            roles[body["member_id"], body["role"], body["structure_id"]].append(request)
    for role, changes in roles.items():
        last_change = last_certain(changes)
        if last_change is not None and (role in role_rows) is not (last_change.verb == "grant"):
            text = f"{last_change.verb} of {role[1]} was answered, not done"
            yield Violation("I1", f"{last_change.tenant}:{role[0]}", text)


def _sessions(requests: Sequence[LogicalRequest], log_facts: LogFacts) -> Iterator[Violation]:
    """Check that the log has a session for each successful sign-in, at least.

    Who signs in is known from what they do next: the journal keeps no token.
    """
    opened_sessions = sum(log_facts.sign_ins.values())
    answered = sum(request.outcome is Outcome.OK for request in with_verb(requests, "sign_in"))
    if opened_sessions < answered:
        text = f"{answered} sign-ins were answered, the log tells of {opened_sessions}"
        yield Violation("I1", "identity.session", text)
