"""I3: one event id under two wire types is one event in two versions, or a reused id.

Uses the wire name alone, such as `community.post.published.v2`: the classes are what is checked.
"""

from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any
from uuid import UUID

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report

_EVENTS_WITH_SHARED_ID = """
    SELECT e.id, t.name, k.key, e.sequence, p.topic || '/' || p.partition, e."offset"
    FROM events e JOIN types t ON t.no = e.type JOIN keys k ON k.no = e.key
    JOIN places p ON p.no = e.place
    WHERE e.sequence IS NOT NULL
      AND e.id IN (SELECT id FROM events GROUP BY id HAVING count(*) > 1)
    ORDER BY e.id, 5, e."offset"
"""


def split_wire_type(name: str) -> tuple[str, int]:
    """Split a wire type into name and version; one without a version suffix has version 0."""
    fact, _, version = name.rpartition(".v")
    return (fact, int(version)) if fact and version.isdecimal() else (name, 0)


def compare_versions(version: int, declared: int) -> str:
    """Return how a version relates to the one that a group declares."""
    if version == declared:
        return "declared"
    return "older" if version < declared else "newer"


def check_versions(index: LogIndex, report: Report) -> None:
    """I3: the types of one id are versions of one event, adjacent in its key, newest first."""
    event_count = 0
    for _, id_rows in groupby(index.query(_EVENTS_WITH_SHARED_ID), key=itemgetter(0)):
        rows = list(id_rows)
        event_count += 1
        for first, second in pairwise(rows):
            if not _are_adjacent_versions(first, second):
                event_id, wire_type, key, sequence, partition, offset = second
                text = f"{partition}/{offset}: event {UUID(bytes=event_id)} is here as {wire_type}"
                text += f" with sequence {sequence}, and as {first[1]} with {first[3]} at"
                report.report_violation("I3", key, f"{text} {first[4]}/{first[5]}")
    report.record_check("I3", "events published in two versions", event_count)


def _are_adjacent_versions(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    (fact, newer), (other_fact, older) = split_wire_type(first[1]), split_wire_type(second[1])
    is_same_fact = (fact, first[2], first[4]) == (other_fact, second[2], second[4])
    return is_same_fact and newer > older and second[3] == first[3] + 1
