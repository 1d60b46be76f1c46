"""Managers of each structure over time, folded from the facts: the recipients of each alert."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from shared.kit.tools.reconcile.event import Event

Json = Any
MANAGER_ROLES = {"community_manager", "administrator"}
ROLE_GRANTED, ROLE_REVOKED = "identity.role.granted.v1", "identity.role.revoked.v1"
STRUCTURE_OPENED, ALERT_RAISED = "identity.structure.opened.v1", "metrics.alert.raised.v1"


class Alert(NamedTuple):
    """An alert: its tenant, event, structure and time."""

    tenant: str
    event: str
    name: str
    structure: str
    at: datetime


@dataclass
class RoleTerm:
    """The time in which a member held a role, until its `until` or its revocation."""

    since: datetime
    until: datetime | None
    ended: datetime | None = None

    def is_held(self, at: datetime) -> bool:
        """Return whether it was so at this moment."""
        return self.since <= at and all(end is None or at < end for end in (self.until, self.ended))


@dataclass
class ManagerHistory:
    """The facts about managers, structures and alerts, folded."""

    alerts: list[Alert] = field(default_factory=list)
    role_terms: dict[tuple[str, str, str, str], list[RoleTerm]] = field(
        default_factory=lambda: defaultdict(list)
    )
    parents: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def apply(self, event: Event, data: Json) -> None:
        """Fold one event into the state; events must come in the order of their key."""
        tenant = str(event.tenant)
        if event.type == STRUCTURE_OPENED:
            self.parents[tenant, data["structure_id"]] = tuple(data.get("path", ()))
        elif event.type == ALERT_RAISED and event.origin == "live":
            where = data["structure_id"]
            self.alerts.append(Alert(tenant, str(event.id), data["alert_id"], where, event.time))
        elif event.type in (ROLE_GRANTED, ROLE_REVOKED) and data["role"] in MANAGER_ROLES:
            self._apply_role_change(event, data, tenant)

    def _apply_role_change(self, event: Event, data: Json, tenant: str) -> None:
        terms = self.role_terms[tenant, data["member_id"], data["role"], data["structure_id"]]
        granted = event.type == ROLE_GRANTED
        for term in terms:
            has_begun = term.since < event.time or (term.since == event.time and not granted)
            if term.ended is None and has_begun:
                term.ended = event.time
        if granted:
            until = data.get("until")
            end = datetime.fromisoformat(until) if until else None
            same_start = next((term for term in terms if term.since == event.time), None)
            if same_start is None:
                terms.append(RoleTerm(event.time, end))
            else:
                same_start.until = end

    def expected_notifications(self) -> Iterator[tuple[str, str]]:
        """Return the recipients of alerts: `tenant:recipient:event`, and the subject."""
        for alert in self.alerts:
            structures = {alert.structure, *self.parents.get((alert.tenant, alert.structure), ())}
            for (tenant, member, _, where), terms in self.role_terms.items():
                is_in_charge = tenant == alert.tenant and where in structures
                if is_in_charge and any(term.is_held(alert.at) for term in terms):
                    yield f"{tenant}:{member}:{alert.event}", f"alert {alert.name}"
