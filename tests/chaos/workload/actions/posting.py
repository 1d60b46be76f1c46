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


def publish(person: Person, rng: Random) -> Request | None:
    kind = rng.choice(("discussion", QUESTION, QUESTION))
    return _post(person, rng, pick(rng, person.ordered_spaces), kind)


def announce(person: Person, rng: Random) -> Request | None:
    """Their own spaces only: elsewhere they may not."""
    own_spaces = (space for space in person.ordered_spaces if space.opened_by == person.name)
    return _post(person, rng, pick(rng, own_spaces), "announcement")


def _post(person: Person, rng: Random, space: Space | None, kind: str) -> Request | None:
    if space is None:
        return None
    title, text = texts.random_title(rng), texts.random_text(rng)
    body = {"kind": kind, "title": title, "body": text.body}
    path = f"/spaces/{space.space_id}/posts"

    def remember(response_body: bytes) -> None:
        _remember(person, response_body, text, space)

    return Request("community", "POST", path, body, remember)


def answer(person: Person, rng: Random) -> Request | None:
    return _reply(person, rng, person.pick_visible(rng, QUESTION), "answers")


def comment(person: Person, rng: Random) -> Request | None:
    return _reply(person, rng, person.pick_content(rng, _takes_comments), "comments")


def _takes_comments(content: KnownContent) -> bool:
    return not content.may_be_moderated and content.kind != "comment"


def _reply(person: Person, rng: Random, to: KnownContent | None, collection: str) -> Request | None:
    if to is None:
        return None
    text = texts.random_text(rng)
    question_author = to.author if to.kind == QUESTION else ""

    def remember(response_body: bytes) -> None:
        _remember(person, response_body, text, to.space, question_author)

    path = f"/contents/{to.content_id}/{collection}"
    return Request("community", "POST", path, {"body": text.body}, remember, content=to)


def edit(person: Person, rng: Random) -> Request | None:
    content = person.pick_own(rng)
    if content is None:
        return None
    text = texts.random_text(rng)
    body: dict[str, object] = {"body": text.body}
    if content.kind not in {ANSWER, "comment"} and rng.random() < 0.5:
        body["title"] = texts.random_title(rng)

    def remember(_: bytes) -> None:
        # A hidden content stays hidden after an edit.
        content.may_be_moderated = content.may_be_moderated or text.may_be_moderated

    path = f"/contents/{content.content_id}"
    return Request("community", "PUT", path, body, remember, content=content)


def remove(person: Person, rng: Random) -> Request | None:
    content = person.pick_own(rng)
    if content is None:
        return None

    def remember(_: bytes) -> None:
        content.gone = True

    path = f"/contents/{content.content_id}"
    return Request("community", "DELETE", path, on_success=remember, content=content)


def accept(person: Person, rng: Random) -> Request | None:
    content = person.pick_content(
        rng,
        lambda each: (
            each.kind == ANSWER
            and each.question_author == person.name
            and not each.may_be_moderated
        ),
    )
    if content is None:
        return None
    return Request("community", "POST", f"/contents/{content.content_id}/accept", content=content)


def flag(person: Person, rng: Random) -> Request | None:
    reason = rng.choice(REASONS)
    content = person.pick_content(
        rng,
        lambda each: (
            not each.may_be_moderated
            and each.author != person.name
            and person.name not in each.flagged
        ),
    )
    if content is None:
        return None
    content.flagged.add(person.name)
    path = f"/contents/{content.content_id}/flags"
    return Request("community", "POST", path, {"reason": reason}, content=content)


def _remember(
    person: Person, response_body: bytes, text: Text, space: Space, question_author: str = ""
) -> None:
    published = _SAID.decode(response_body)
    content = KnownContent(
        published.content_id,
        published.kind,
        published.root_id,
        person.name,
        space,
        text.may_be_moderated,
        question_author=question_author,
    )
    person.tenant.contents.append(content)


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
