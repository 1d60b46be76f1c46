"""Reading: posts, conversations, the inbox, statements, figures."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import quote

import msgspec

from tests.chaos.workload.request import Action, Request, get
from tests.chaos.workload.tenant_state import Person, pick


class Notification(msgspec.Struct):
    """A notification."""

    notification_id: str
    category: str
    about: str
    read_at: str | None


class Inbox(msgspec.Struct):
    """A page of them."""

    items: list[Notification]


class Alert(msgspec.Struct):
    """An alert."""

    alert_id: str
    closed_at: str | None


class Alerts(msgspec.Struct):
    """All of them."""

    items: list[Alert]


_INBOX = msgspec.json.Decoder(Inbox)
_ALERTS = msgspec.json.Decoder(Alerts)


def list_posts(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.ordered_spaces)
    return get("community", f"/spaces/{space.space_id}/posts?limit=5") if space else None


def read_conversation(person: Person, rng: Random) -> Request | None:
    content = person.pick_visible(rng)
    if content is None:
        return None
    return Request("community", "GET", f"/contents/{content.content_id}", content=content)


def list_spaces(person: Person, rng: Random) -> Request:
    """By name: all of a tenant's are many after some runs."""
    return get("community", f"/spaces?name={quote(f'Cour {rng.randrange(100)}')}")


def read_inbox(person: Person, rng: Random) -> Request:
    def remember(response_body: bytes) -> None:
        for notice in _INBOX.decode(response_body).items:
            if notice.read_at is None and notice.notification_id not in person.notices:
                person.notices.append(notice.notification_id)
            if notice.category == "statement" and notice.about not in person.statements:
                person.statements.append(notice.about)

    return get("notifications", f"/inbox?limit={rng.choice((5, 10))}", remember)


def mark_read(person: Person, rng: Random) -> Request | None:
    if not person.notices:
        return None
    return Request("notifications", "POST", f"/inbox/{person.notices.pop()}/read")


def read_statement(person: Person, rng: Random) -> Request | None:
    statement_id = pick(rng, person.statements)
    return get("moderation", f"/statements/{statement_id}") if statement_id else None


def read_figures(person: Person, rng: Random) -> Request | None:
    space = pick(rng, person.tenant.base_spaces)
    today = datetime.now(UTC).date()
    begin, end = today - timedelta(days=rng.choice((1, 7, 30))), today + timedelta(days=1)
    query = f"from={begin}&to={end}&grain={rng.choice(('day', 'week'))}"
    return get("metrics", f"/kpis?space_id={space.space_id}&{query}") if space else None


def read_definitions(person: Person, rng: Random) -> Request:
    return get("metrics", "/definitions")


def list_alerts(person: Person, rng: Random) -> Request:
    def remember(response_body: bytes) -> None:
        for alert in _ALERTS.decode(response_body).items:
            if alert.closed_at is None and alert.alert_id not in person.tenant.alerts:
                person.tenant.alerts.append(alert.alert_id)

    return get("metrics", "/alerts", remember)


def close_alert(person: Person, rng: Random) -> Request | None:
    if not person.tenant.alerts:
        return None
    return Request("metrics", "POST", f"/alerts/{person.tenant.alerts.popleft()}/close")


ACTIONS: Mapping[str, Action] = {
    "list_posts": list_posts,
    "read_conversation": read_conversation,
    "list_spaces": list_spaces,
    "read_inbox": read_inbox,
    "mark_read": mark_read,
    "read_statement": read_statement,
    "read_figures": read_figures,
    "read_definitions": read_definitions,
    "list_alerts": list_alerts,
    "close_alert": close_alert,
}
