"""What a service lets the checker compare in its own database, as data.

A service's `projections.py` holds `AGREEMENTS`, and `EVENTS_NAMED`: the columns of its tables that
hold an event's id, whose tenant must be the row's.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """Two queries that must give the same rows: what is stored, and what it follows from.

    Both give the columns `key` and `value`, as text, one row for each key; `key` begins with the
    tenant. They see all tenants. They run in one statement, so that they may run at any time.
    """

    invariant: str
    name: str
    stored: str
    recomputed: str


def facts_required(name: str, required: str, topic: str) -> ConsistencyCheck:
    """Every key has left at least the facts that its rows owe, and none has facts but no rows.

    `owed` gives the columns `key` and `n`; sequences are taken from `heads`.
    """
    return ConsistencyCheck(
        "I2",
        name,
        f"SELECT key, n::text AS value FROM ({required}) AS owed",  # noqa: S608  a service's own words
        "SELECT h.key, least(h.sequence, owed.n)::text AS value FROM heads h"  # noqa: S608  as above
        f" LEFT JOIN ({required}) AS owed ON owed.key = h.key WHERE h.topic = '{topic}'",
    )


@dataclass(frozen=True, slots=True)
class EventReference:
    """A column of a business table that holds the id of the event that caused the row."""

    table: str
    column: str
