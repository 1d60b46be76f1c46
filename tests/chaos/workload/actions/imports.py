"""Batches of history, for volume: questions, answers and comments of people from elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from tests.chaos.workload import texts
from tests.chaos.workload.request import Action, Request
from tests.chaos.workload.tenant_state import Person, pick

LINES_PER_IMPORT = (20, 100)
IMPORTED_AUTHORS = 50
ImportLine = dict[str, object]


def import_contents(person: Person, rng: Random) -> Request | None:
    """Every line is new but for some that were sent before, and some that are refused."""
    space = pick(rng, person.tenant.base_spaces)
    if space is None:
        return None
    imported = person.tenant.imported
    first = imported.get(space.space_id, 0)
    count = rng.randrange(*LINES_PER_IMPORT)
    imported[space.space_id] = first + count
    now = datetime.now(UTC)
    lines = [_line(rng, number, first, now) for number in range(first, first + count)]
    answers = [line for line in lines if line["kind"] == "answer"]
    accepted = [{"answer": post["outside_id"]} for post in answers if rng.random() < 0.2]
    if first and rng.random() < 0.3:
        lines.append(lines[0])
    if rng.random() < 0.2:
        lines.append(lines[0] | {"outside_id": "post:-1", "created_at": now + timedelta(days=2)})
    body = {
        "space_id": space.space_id,
        "source": f"ailleurs:{person.tenant.run}:{space.space_id}",
        "lines": lines,
        "accepted": accepted,
    }
    return Request("community", "POST", "/imports", body)


def _line(rng: Random, number: int, first: int, now: datetime) -> ImportLine:
    """Build a line: every fifth is a question, whose answers are in the same batch."""
    root = first + (number - first) // 5 * 5
    kind = "question" if number == root else rng.choice(("answer", "comment"))
    line: ImportLine = {
        "outside_id": f"post:{number}",
        "kind": kind,
        "body": f"<p>{texts.random_sentence(rng)}</p>",
        "created_at": now - timedelta(days=rng.uniform(1, 900)),
        "author": str(rng.randrange(IMPORTED_AUTHORS)),
    }
    return line | (
        {"title": texts.random_title(rng)} if number == root else {"parent": f"post:{root}"}
    )


def import_members(person: Person, rng: Random) -> Request:
    """Import some members from outside; a repeated one changes nothing."""
    joined = datetime.now(UTC) - timedelta(days=1000)
    lines = [
        {
            "outside_id": str(number),
            "display_name": f"Étranger nº {number} 🧳",
            "joined_at": joined,
        }
        for number in rng.sample(range(IMPORTED_AUTHORS), rng.randrange(3, 15))
    ]
    space = pick(rng, person.tenant.base_spaces)
    source = f"ailleurs:{person.tenant.run}:{space.space_id if space else ''}"
    body = {"source": source, "structure_id": person.tenant.school, "lines": lines}
    return Request("identity", "POST", "/imports", body)


ACTIONS: Mapping[str, Action] = {
    "import_contents": import_contents,
    "import_members": import_members,
}
