"""A short day on a platform inside one process, journalled as the workload does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from deploy.local.provision import Role
from deploy.local.stack import StackAddresses
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, LogBounds, Partition
from tests.chaos.workload.journal import Journal, Operation, outcome_of
from tests.support.platform_databases import database_of
from tests.support.platform_harness import PlatformHarness, member_id_of

PREFIX = "checking"
STATEMENTS = "/moderation/v1/statements"
HELP_CALL = "Dimanche 29 novembre : j’ai envie de mourir."
INSULT = "Tu es vraiment un connard, dégage."
Json = dict[str, Any]


@dataclass(frozen=True)
class PrefixedAddresses:
    """The addresses of the sample platform's databases."""

    addresses: StackAddresses

    def database_url(self, service: str, role: Role) -> str:
        return database_of(self.addresses, PREFIX, service, role)


@dataclass(frozen=True)
class MemoryLog:
    """The memory bus, as the checker reads a log."""

    bus: MemoryBus

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        return await self.bus.get_log_bounds(topics)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        return await self.bus.fetch(partition, begin, limit)

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        return self.bus.committed_offsets(group)


@dataclass
class SampleDay:
    """A sample day: requests of several people, with their responses in a journal."""

    world: PlatformHarness
    journal: Journal
    created_ids: dict[str, str] = field(default_factory=dict)

    async def request(
        self, name: str, verb: str, method: str, path: str, body: object = None
    ) -> Json:
        """Send a request and write its outcome to the journal."""
        begun, number = datetime.now(UTC), self.journal.next_number()
        key = f"{self.journal.run}/{number}" if method == "POST" else ""
        headers = {"idempotency_key": key} if key else {}
        response = await self.world.request(name, method, path, body, **headers)
        response_body: Json = response.json() if response.content else {}
        self.journal.write(
            Operation(
                n=number,
                run=self.journal.run,
                begun=begun,
                ended=datetime.now(UTC),
                member=str(member_id_of(self.world.tokens[name])),
                tenant=str(self.world.seeded.tenant),
                service=path.split("/")[1],
                verb=verb,
                method=method,
                path=path,
                body=body,
                idempotency_key=key or None,
                status=response.status_code,
                answer=response_body or None,
                outcome=outcome_of(response.status_code, response.headers.get("content-type", "")),
                expected=403 if verb.startswith("wrong_") else None,
            )
        )
        return response_body

    async def play(self) -> None:
        """Something of everything."""
        await self._write_contents()
        await self._moderate()
        await self._change_members()
        await self.world.wait_until_idle()

    async def _write_contents(self) -> None:
        space = await self._open_space()
        question_id = await self._post("zoe", space, "Qui vient ?", "question")
        answer_id = await self._reply("hamid", question_id, "answer", "Nous tous.")
        await self._reply("zoe", answer_id, "comment", "Merci 👍")
        await self._reply("zoe", answer_id, "comment", "Merci 👍")
        await self.request("zoe", "accept", "POST", f"/community/v1/contents/{answer_id}/accept")
        for body in ("Qui vient vendredi ?", "Qui vient samedi ?"):
            path = f"/community/v1/contents/{question_id}"
            await self.request("zoe", "edit", "PUT", path, {"body": body})
        # What changes nothing is answered, and leaves no fact.
        path = f"/community/v1/contents/{answer_id}"
        await self.request("hamid", "edit", "PUT", path, {"body": "Nous tous."})
        removed_id = await self._post("tom", space, "À supprimer", "discussion")
        await self.request("tom", "remove", "DELETE", f"/community/v1/contents/{removed_id}")
        for name in ("ines", "malik", "tom"):
            path = f"/community/v1/contents/{answer_id}/flags"
            await self.request(name, "flag", "POST", path, {"reason": "spam"})
        path = f"/community/v1/contents/{answer_id}"
        await self.request("tom", "wrong_author", "PUT", path, {"body": "non"})
        self.created_ids |= {
            "space": space,
            "question": question_id,
            "answer": answer_id,
            "removed": removed_id,
        }
        await self._import_history(space)

    async def _open_space(self) -> str:
        new = {"name": "Cour d’essai 🌳", "structure_id": await self.world.school_id()}
        opened_space = await self.request(
            "claire", "open_space", "POST", "/community/v1/spaces", new
        )
        space = str(opened_space["space_id"])
        for name in ("zoe", "hamid", "malik", "ines", "tom"):
            await self.request(name, "join", "POST", f"/community/v1/spaces/{space}/members")
        await self.request("ines", "leave", "DELETE", f"/community/v1/spaces/{space}/members")
        await self.request("ines", "join", "POST", f"/community/v1/spaces/{space}/members")
        await self.world.wait_until_idle()
        return space

    async def _post(self, name: str, space: str, body: str, kind: str) -> str:
        new = {"kind": kind, "title": "Où ça ? 🤔", "body": body}
        path = f"/community/v1/spaces/{space}/posts"
        return str((await self.request(name, "publish", "POST", path, new))["content_id"])

    async def _reply(self, name: str, parent: str, verb: str, body: str) -> str:
        path = f"/community/v1/contents/{parent}/{verb}s"
        return str((await self.request(name, verb, "POST", path, {"body": body}))["content_id"])

    async def _import_history(self, space: str) -> None:
        old = {"outside_id": "post:1", "kind": "question", "created_at": "2024-02-29T23:30:00Z"}
        good = old | {"body": "<p>Vieille question</p>", "title": "Jadis", "author": "7"}
        bad = good | {"outside_id": "post:2", "created_at": "2999-01-01T00:00:00Z"}
        body = {"space_id": space, "source": "ailleurs", "lines": [good, bad], "accepted": []}
        await self.request("operator", "import_contents", "POST", "/community/v1/imports", body)

    async def _moderate(self) -> None:
        insult = await self._reply("malik", self.created_ids["question"], "comment", INSULT)
        await self.world.wait_for_notification("malik", "statement")
        notice = await self.world.wait_for_notification("zoe", "answer_to_mine")
        path = f"/notifications/v1/inbox/{notice['notification_id']}/read"
        await self.request("zoe", "mark_read", "POST", path)
        case = (await self.world.wait_for_case(insult))["case_id"]
        await self.request("omar", "claim", "POST", f"/moderation/v1/cases/{case}/claim")
        decision = {"version": 1, "action": "remove", "policy": "insult", "reason": "insult.direct"}
        path = f"/moderation/v1/cases/{case}/decision"
        await self.request("omar", "decide", "POST", path, decision)
        self.created_ids |= {"insult": insult, "case": case, "notice": notice["notification_id"]}
        await self._contest()

    async def _contest(self) -> None:
        """Publish a call for help, and have a decision overturned on appeal."""
        call = await self._post("zoe", self.created_ids["space"], HELP_CALL, "discussion")
        await self.world.wait_for_notification("zoe", "help", call)
        await self.request("zoe", "remove", "DELETE", f"/community/v1/contents/{call}")
        hidden = await self._post("malik", self.created_ids["space"], INSULT, "discussion")
        await self.world.wait_for_standing("malik", hidden, "hidden")
        statements = (await self.world.request_ok("malik", "GET", STATEMENTS))["items"]
        path = next(
            e["contest"]["path"] for e in statements if e["content"]["content_id"] == hidden
        )
        appeal = await self.request("malik", "contest", "POST", path, {"text": "Une citation."})
        path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
        outcome = {"outcome": "overturned", "answer": "En effet."}
        await self.request("anne", "judge", "POST", path, outcome)

    async def _change_members(self) -> None:
        tom = str(member_id_of(self.world.tokens["tom"]))
        path = f"/identity/v1/members/{tom}/suspension"
        await self.request("anne", "suspend", "POST", path, {"reason": "spam"})
        await self.request("anne", "reinstate", "DELETE", path)
        school = await self.world.school_id()
        role = {"member_id": tom, "role": "parent", "structure_id": school}
        await self.request("anne", "grant", "POST", "/identity/v1/roles", role)
        new = {
            "display_name": "Maël Ørsted 🎈",
            "email": "mael@invité.example",
            "structure_id": school,
        }
        await self.request("anne", "add_member", "POST", "/identity/v1/members", new)
        self.created_ids |= {"tom": tom, "school": school}


def rewrite_journal(journal: Path, out: Path, change: Any) -> Path:
    """Write another journal, in which `change` has altered or dropped operations (as JSON)."""
    lines = [msgspec.json.decode(line) for line in journal.read_bytes().splitlines()]
    changed_lines = [changed_line for line in lines if (changed_line := change(line)) is not None]
    out.write_bytes(
        b"".join(msgspec.json.encode(changed_line) + b"\n" for changed_line in changed_lines)
    )
    return out
