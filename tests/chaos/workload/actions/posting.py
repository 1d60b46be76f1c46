"""Publishing, answering, editing, removing, accepting, flagging."""

from collections.abc import Mapping
from random import Random

import msgspec

from tests.chaos.workload import texts
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import KnownContent, Person, Space, pick
from tests.chaos.workload.texts import Text

REASONS = ("insult", "harassment", "personal_data", "spam", "violence", "other")
QUESTION, ANSWER = "question", "answer"


class PublishedContent(msgspec.Struct):
    """What of an answer about a content is worth knowing."""

    content_id: str
    kind: str
    root_id: str


_SAID = msgspec.json.Decoder(PublishedContent)


def publish(person: Person, draw: Random) -> Request | None:
    kind = draw.choice(("discussion", QUESTION, QUESTION))
    return _post(person, draw, pick(draw, person.ordered_spaces), kind)


def announce(person: Person, draw: Random) -> Request | None:
    """Their own spaces only: elsewhere they may not."""
    theirs = (each for each in person.ordered_spaces if each.opened_by == person.name)
    return _post(person, draw, pick(draw, theirs), "announcement")


def _post(person: Person, draw: Random, space: Space | None, kind: str) -> Request | None:
    if space is None:
        return None
    title, text = texts.random_title(draw), texts.random_text(draw)
    body = {"kind": kind, "title": title, "body": text.body}
    path = f"/spaces/{space.space_id}/posts"

    def learn(answer: bytes) -> None:
        _remember(person, answer, text, space)

    return Request("community", "POST", path, body, learn)


def answer(person: Person, draw: Random) -> Request | None:
    return _reply(person, draw, person.pick_visible(draw, QUESTION), "answers")


def comment(person: Person, draw: Random) -> Request | None:
    return _reply(person, draw, person.pick_content(draw, _takes_comments), "comments")


def _takes_comments(known: KnownContent) -> bool:
    return not known.may_be_moderated and known.kind != "comment"


def _reply(person: Person, draw: Random, to: KnownContent | None, what: str) -> Request | None:
    if to is None:
        return None
    text = texts.random_text(draw)
    asker = to.author if to.kind == QUESTION else ""

    def learn(answer: bytes) -> None:
        _remember(person, answer, text, to.space, asker)

    path = f"/contents/{to.content_id}/{what}"
    return Request("community", "POST", path, {"body": text.body}, learn, content=to)


def edit(person: Person, draw: Random) -> Request | None:
    known = person.pick_own(draw)
    if known is None:
        return None
    text = texts.random_text(draw)
    body: dict[str, object] = {"body": text.body}
    if known.kind not in {ANSWER, "comment"} and draw.random() < 0.5:
        body["title"] = texts.random_title(draw)

    def learn(_: bytes) -> None:
        # Once hidden it stays hidden, whatever it now says.
        known.may_be_moderated = known.may_be_moderated or text.may_be_moderated

    path = f"/contents/{known.content_id}"
    return Request("community", "PUT", path, body, learn, content=known)


def remove(person: Person, draw: Random) -> Request | None:
    known = person.pick_own(draw)
    if known is None:
        return None

    def learn(_: bytes) -> None:
        known.gone = True

    path = f"/contents/{known.content_id}"
    return Request("community", "DELETE", path, on_success=learn, content=known)


def accept(person: Person, draw: Random) -> Request | None:
    known = person.pick_content(
        draw,
        lambda each: (
            each.kind == ANSWER
            and each.question_author == person.name
            and not each.may_be_moderated
        ),
    )
    if known is None:
        return None
    return Request("community", "POST", f"/contents/{known.content_id}/accept", content=known)


def flag(person: Person, draw: Random) -> Request | None:
    reason = draw.choice(REASONS)
    known = person.pick_content(
        draw,
        lambda each: (
            not each.may_be_moderated
            and each.author != person.name
            and person.name not in each.flagged
        ),
    )
    if known is None:
        return None
    known.flagged.add(person.name)
    path = f"/contents/{known.content_id}/flags"
    return Request("community", "POST", path, {"reason": reason}, content=known)


def _remember(person: Person, answer: bytes, text: Text, space: Space, asker: str = "") -> None:
    said = _SAID.decode(answer)
    found = KnownContent(
        said.content_id,
        said.kind,
        said.root_id,
        person.name,
        space,
        text.may_be_moderated,
        question_author=asker,
    )
    person.tenant.contents.append(found)


ACTIONS: Mapping[str, Action] = {
    "publish": publish,
    "announce": announce,
    "answer": answer,
    "comment": comment,
    "edit": edit,
    "remove": remove,
    "accept": accept,
    "flag": flag,
}
