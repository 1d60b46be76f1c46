"""One event under two types: a fact that is told in two versions, or an id that was taken twice.

It goes by the wire name alone, `community.post.published.v2`: what the classes say is checked.
"""

from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any
from uuid import UUID

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report

_SHARED = """
    SELECT e.id, t.name, k.key, e.sequence, p.topic || '/' || p.partition, e."offset"
    FROM events e JOIN types t ON t.no = e.type JOIN keys k ON k.no = e.key
    JOIN places p ON p.no = e.place
    WHERE e.sequence IS NOT NULL
      AND e.id IN (SELECT id FROM events GROUP BY id HAVING count(*) > 1)
    ORDER BY e.id, 5, e."offset"
"""


def split_wire_type(name: str) -> tuple[str, int]:
    """Take a wire type apart; one that is not of ours has version 0."""
    fact, _, version = name.rpartition(".v")
    return (fact, int(version)) if fact and version.isdecimal() else (name, 0)


def compare_versions(version: int, declared: int) -> str:
    """Return how a version stands to the one that a group reacts to."""
    if version == declared:
        return "declared"
    return "older" if version < declared else "newer"


def check_versions(book: LogIndex, report: Report) -> None:
    """I3: an id of two types is one fact's, its versions side by side in its key, newest first."""
    number = 0
    for _, shared in groupby(book.query(_SHARED), key=itemgetter(0)):
        rows = list(shared)
        number += 1
        for first, second in pairwise(rows):
            if not _belong(first, second):
                event, name, key, sequence, where, offset = second
                text = f"{where}/{offset}: event {UUID(bytes=event)} stands here as {name} with"
                text += f" sequence {sequence}, and as {first[1]} with {first[3]} at"
                report.report_violation("I3", key, f"{text} {first[4]}/{first[5]}")
    report.record_check("I3", "events told in two versions", number)


def _belong(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    (fact, newer), (other, older) = split_wire_type(first[1]), split_wire_type(second[1])
    same = (fact, first[2], first[4]) == (other, second[2], second[4])
    return same and newer > older and second[3] == first[3] + 1
