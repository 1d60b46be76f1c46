"""I1 of moderation, inboxes and alerts: decisions, read notifications, closed alerts."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence

from tests.chaos.checker.logical_requests import LogicalRequest, with_verb
from tests.chaos.checker.tables import Row, Tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome

_DECISIONS = """
    SELECT tenant_id::text AS t, case_id::text AS id, moderator_id::text AS member, action
    FROM decisions WHERE moderator_id IS NOT NULL AND decided_at >= $1
"""
_READ = "SELECT notification_id::text AS id FROM notifications WHERE read_at IS NOT NULL"
_CLOSED = "SELECT alert_id::text AS id FROM alerts WHERE closed_at IS NOT NULL"


async def check_moderation(
    requests: Sequence[LogicalRequest], tables: Tables
) -> AsyncIterator[Violation]:
    """Check decisions, read notifications and closed alerts."""
    for violation in _decided(
        requests, await tables.rows("moderation", _DECISIONS, requests[0].begun)
    ):
        yield violation
    handled_ids = {
        "mark_read": await _ids(tables, "notifications", _READ),
        "close_alert": await _ids(tables, "metrics", _CLOSED),
    }
    for verb, ids in handled_ids.items():
        for request in with_verb(requests, verb):
            if request.outcome is Outcome.OK and request.target_id not in ids:
                yield Violation(
                    "I1", f"{request.tenant}:{request.target_id}", f"{verb} was answered, no more"
                )


def _decided(requests: Sequence[LogicalRequest], rows: Sequence[Row]) -> Iterator[Violation]:
    decisions: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        decisions[row["id"]].append(row)
    requested: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for request in with_verb(requests, "decide"):
        requested_decision = (request.member, request.body["action"])
        if request.may_have_succeeded:
            requested[request.target_id].append(requested_decision)
        if request.outcome is Outcome.OK:
            stored_decisions = [
                (row["member"], row["action"]) for row in decisions[request.target_id]
            ]
            if stored_decisions != [requested_decision]:
                stored = stored_decisions or "nothing"
                text = f"{requested_decision} was answered; decided was {stored}"
                yield Violation("I1", f"{request.tenant}:{request.target_id}", text)
    for case_id, made_rows in decisions.items():
        for row in made_rows:
            if (row["member"], row["action"]) not in requested[case_id]:
                text = f"decided by {row['member']}, who did not ask for it, or was refused"
                yield Violation("I1", f"{row['t']}:{case_id}", text)
        if len(made_rows) > 1:
            yield Violation("I1", f"{made_rows[0]['t']}:{case_id}", "decided more than once")


async def _ids(tables: Tables, service: str, query: str) -> set[str]:
    return {row["id"] for row in await tables.rows(service, query)}
