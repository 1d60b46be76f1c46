"""Consistency checks that a service declares for its own database, as data.

A service's `projections.py` declares `CONSISTENCY_CHECKS`, and `EVENT_REFERENCES`: the columns of
its tables that contain an event's id; the event's tenant must be the row's.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """Two queries that must return the same rows: the stored values and their recomputation.

    Both return the text columns `key` and `value`, one row per key; `key` begins with the tenant's
    id. They see all tenants, and run as one statement, so that concurrent writes cannot make them
    differ.
    """

    invariant: str
    name: str
    stored: str
    recomputed: str


def facts_required(name: str, required: str, topic: str) -> ConsistencyCheck:
    """Check that every key has at least the events that its rows require, and none without rows.

    `required` is a query with the columns `key` and `n`; sequences are read from `heads`.
    """
    return ConsistencyCheck(
        "I2",
        name,
        f"SELECT key, n::text AS value FROM ({required}) AS owed",  # noqa: S608  SQL declared by a service
        "SELECT h.key, least(h.sequence, owed.n)::text AS value FROM heads h"  # noqa: S608  as above
        f" LEFT JOIN ({required}) AS owed ON owed.key = h.key WHERE h.topic = '{topic}'",
    )


@dataclass(frozen=True, slots=True)
class EventReference:
    """Column of a business table that holds the id of the event that caused the row."""

    table: str
    column: str
