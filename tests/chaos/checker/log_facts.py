"""State folded from the log's facts while the checker reads it: notifications, versions, managers.

Everything here is decoded into plain dictionaries, by none of the services' code.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.kit.tools.reconcile.event import Event
from tests.chaos.checker.managers import ManagerHistory
from tests.chaos.finished_run import FOREIGN_SOURCE
from tests.chaos.violation import Violation

Json = Any
WRITTEN_TYPES = (
    "community.post.published.v1",
    "community.comment.published.v1",
    "community.post.edited.v1",
    "community.comment.edited.v1",
)

VISIBILITY_TYPES = tuple(
    f"community.{kind}.{what}.v1"
    for kind in ("post", "comment")
    for what in ("hidden", "removed", "restored")
)
CONTENT_CATEGORIES = ("answer_to_mine", "comment_on_mine", "answer_accepted")
MODERATION_NOTICES = {
    "moderation.statement.issued.v1": ("recipient", "statement", "statement_id"),
    "moderation.appeal.decided.v1": ("appellant", "appeal_decided", "statement_id"),
    "moderation.help.offered.v1": ("recipient", "help", "ref"),
}
"""Fact → whom it is for, the category, and where it says what to look at."""


@dataclass
class LogFacts:
    """The facts of the platform's own, folded."""

    versions: dict[str, int] = field(default_factory=dict)
    """Content → the version that its last fact names; `tenant:content`."""
    notifications: dict[str, str] = field(default_factory=dict)
    """`tenant:recipient:event` → category and what it is about."""
    hidden_contents: set[str] = field(default_factory=set)
    """The contents that readers cannot see; `tenant:content`."""
    managers: ManagerHistory = field(default_factory=ManagerHistory)
    sign_ins: dict[str, int] = field(default_factory=dict)
    """`tenant:member` → how often a session was opened."""
    violations: list[Violation] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Fold one event into the state; events must come in the order of their key."""
        if event.source == FOREIGN_SOURCE:
            return
        data: Json = msgspec.json.decode(event.data)
        if event.type in WRITTEN_TYPES:
            self._check_version(event, data["ref"])
        if event.type in VISIBILITY_TYPES:
            content_key = f"{event.tenant}:{data['ref']['id']}"
            (
                self.hidden_contents.discard
                if event.type.endswith(".restored.v1")
                else self.hidden_contents.add
            )(content_key)
        if event.type == "identity.session.opened.v1":
            member_key = f"{event.tenant}:{data['member_id']}"
            self.sign_ins[member_key] = self.sign_ins.get(member_key, 0) + 1
        self.managers.apply(event, data)
        if event.origin != "live":
            return
        notification = _notification_of(event.type, data)
        if notification is not None:
            recipient, category, about = notification
            self.notifications[f"{event.tenant}:{recipient}:{event.id}"] = f"{category} {about}"

    def expected_notifications(self) -> dict[str, str]:
        """Return the notices; what leads to a content that is gone is marked so."""
        return {
            key: value + self._hidden_suffix(key, value)
            for key, value in self.notifications.items()
        }

    def _hidden_suffix(self, key: str, value: str) -> str:
        category, about = value.split()
        is_hidden = f"{key.partition(':')[0]}:{about}" in self.hidden_contents
        return " gone" if is_hidden and category in CONTENT_CATEGORIES else ""

    def _check_version(self, event: Event, ref: Json) -> None:
        """I5 at its source: versions of a content go up by one, beginning with 1."""
        content_key, version = f"{event.tenant}:{ref['id']}", ref.get("version", 1)
        previous = self.versions.get(content_key, 0)
        if version != previous + 1:
            text = f"content {ref['id']}: version {version} follows {previous}"
            self.violations.append(Violation("I5", event.partitionkey, text))
        self.versions[content_key] = version


def _notification_of(kind: str, data: Json) -> tuple[str, str, str] | None:
    """Return recipient, category and subject of the notification of a fact, if any."""
    if kind in MODERATION_NOTICES:
        role, category, subject_field = MODERATION_NOTICES[kind]
        value = data["ref"]["id"] if subject_field == "ref" else data[subject_field]
        return data[role]["member_id"], category, value
    author = data.get("author", {}).get("member_id")
    if kind == "community.answer.accepted.v1":
        if author is None or author == data.get("accepted_by"):
            return None
        return author, "answer_accepted", data["ref"]["id"]
    if kind not in WRITTEN_TYPES[:2] or "reply_to" not in data:
        return None
    recipient = data["reply_to"]["member_id"]
    if recipient == author:
        return None
    is_answer = data["ref"]["kind"] == "answer"
    return recipient, "answer_to_mine" if is_answer else "comment_on_mine", data["ref"]["id"]
