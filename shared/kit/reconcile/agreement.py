"""What a service lets the checker compare in its own database, as data.

A service's `projections.py` holds `AGREEMENTS`, and `EVENTS_NAMED`: the columns of its tables that
hold an event's id, whose tenant must be the row's.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two queries that must give the same rows: what is stored, and what it follows from.

    Both give the columns `key` and `value`, as text, one row for each key; `key` begins with the
    tenant. They see all tenants. They run in one statement, so that they may run at any time.
    """

    invariant: str
    name: str
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class EventNamed:
    """A column of a business table that holds the id of the event that caused the row."""

    table: str
    column: str
