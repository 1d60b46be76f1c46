"""Who answered for what, by the time of the facts: whom each alert concerns."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from shared.kit.tools.reconcile.event import Event

Json = Any
MANAGING = {"community_manager", "administrator"}
GRANTED, REVOKED = "identity.role.granted.v1", "identity.role.revoked.v1"
OPENED, RAISED = "identity.structure.opened.v1", "metrics.alert.raised.v1"


class Alert(NamedTuple):
    """What was raised, where and when."""

    tenant: str
    event: str
    name: str
    structure: str
    at: datetime


@dataclass
class Duty:
    """A time in which somebody held a role; it ends by its own date, or when it was ended."""

    since: datetime
    until: datetime | None
    ended: datetime | None = None

    def held(self, at: datetime) -> bool:
        """Tell whether it was so at this moment."""
        return self.since <= at and all(end is None or at < end for end in (self.until, self.ended))


@dataclass
class Managing:
    """The facts about managers, structures and alerts, folded."""

    alerts: list[Alert] = field(default_factory=list)
    duties: dict[tuple[str, str, str, str], list[Duty]] = field(
        default_factory=lambda: defaultdict(list)
    )
    above: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def hear(self, event: Event, data: Json) -> None:
        """Take one event, in the order of its key."""
        tenant = str(event.tenant)
        if event.type == OPENED:
            self.above[tenant, data["structure_id"]] = tuple(data.get("path", ()))
        elif event.type == RAISED and event.origin == "live":
            where = data["structure_id"]
            self.alerts.append(Alert(tenant, str(event.id), data["alert_id"], where, event.time))
        elif event.type in (GRANTED, REVOKED) and data["role"] in MANAGING:
            self._duty(event, data, tenant)

    def _duty(self, event: Event, data: Json, tenant: str) -> None:
        held = self.duties[tenant, data["member_id"], data["role"], data["structure_id"]]
        granted = event.type == GRANTED
        for duty in held:
            begun = duty.since < event.time or (duty.since == event.time and not granted)
            if duty.ended is None and begun:
                duty.ended = event.time
        if granted:
            until = data.get("until")
            ends = datetime.fromisoformat(until) if until else None
            same = next((duty for duty in held if duty.since == event.time), None)
            if same is None:
                held.append(Duty(event.time, ends))
            else:
                same.until = ends

    def notices(self) -> Iterator[tuple[str, str]]:
        """Give who is to be told of which alert: `tenant:recipient:event`, and what it is about."""
        for alert in self.alerts:
            places = {alert.structure, *self.above.get((alert.tenant, alert.structure), ())}
            for (tenant, member, _, where), held in self.duties.items():
                mine = tenant == alert.tenant and where in places
                if mine and any(duty.held(alert.at) for duty in held):
                    yield f"{tenant}:{member}:{alert.event}", f"alert {alert.name}"
