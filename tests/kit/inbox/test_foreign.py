"""What others may put on a topic: unreadable, unknown, newer, forged. The rest goes on."""

from collections.abc import Mapping

import msgspec
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.event import Envelope, encode
from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.kit.core.bus import IncomingRecord, OutgoingRecord, Partition
from shared.kit.inbox import decode
from shared.kit.inbox.dead_letters.decisions import DeadLetterDecision, StillUnreadable
from shared.kit.inbox.parked import Failure
from shared.kit.tools.reconcile.event import read_event as checked
from tests.support.inbox_harness import LYON, RENNES, InboxHarness, envelope_of, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KEY = f"{RENNES}:{member_id(1)}".encode()
SOUND = encode(envelope_of(MemberSuspended(member_id=member_id(1), reason="bon"), RENNES, uuid7()))
UNREADABLE = {
    "nothing": None,
    "empty": b"",
    "not JSON": b"<xml/>",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "truncated": SOUND[:-20],
    "a list": b"[1, 2, 3]",
    "very deep": b'{"data":' + b"[" * 100_000,
    "a NUL in its words": SOUND.replace(b"bon", b"b\\u0000n"),
    "half a surrogate pair": SOUND.replace(b"bon", b"\\ud800"),
    "no such day": SOUND.replace(b"2026-11-25T", b"2026-02-30T"),
    "a sequence in letters": SOUND.replace(b'"0000000001"', b'"un"'),
    "a field of another kind": SOUND.replace(b'"bon"', b"42"),
    "a key without end": SOUND.replace(KEY, KEY + b"x" * 9000),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_unreadable_record_is_dead_lettered_at_once(probe: InboxHarness, name: str) -> None:
    probe.publish("avant")
    probe.append(KEY, UNREADABLE[name])
    probe.publish("après")

    found = await probe.consume_all()

    assert await probe.effects() == ["avant", "après"]
    assert (found.applied, found.dead_lettered, found.lag) == (2, 1, 0)
    (letter,) = await probe.list_dead_letters()
    assert (letter.topic, letter.offset) == ("identity.member", 1)
    assert letter.cause
    (told,) = await probe.outbox()
    assert told.subject == f"{letter.topic}/{letter.partition}/{letter.offset}"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (KEY, b"{", {"record_key": KEY.decode(), "record": "{"}),
        ("clé 🔑".encode(), b"\xff", {"record_key": "clé 🔑", "record_base64": "/w=="}),
        (b"cl\xff\x00", b"{", {"record_key_base64": "Y2z/AA==", "record": "{"}),
        (b"cl\x00", b"\x00{", {"record_key_base64": "Y2wA", "record_base64": "AHs="}),
        (b"k" * 9000, None, {"record_key": None, "record_key_bytes": 9000, "record": None}),
    ],
)  # fmt: skip
async def test_dead_letter_contains_any_record_and_is_readable(
    probe: InboxHarness, key: bytes, value: bytes | None, told: Mapping[str, object]
) -> None:
    probe.append(key, value)
    await probe.consume_all()

    (row,) = await probe.query("SELECT value FROM outbox")
    letter = checked(IncomingRecord(Partition("dead.community", 0), 0, b"", row["value"]))
    data = msgspec.json.decode(letter.data)
    assert {name: data[name] for name in data if name.startswith("record")} == told


def test_nul_in_an_error_message_is_replaced() -> None:
    failure = Failure.from_exception(ValueError("ce mot: \x00"))
    assert failure.cause == "ValueError: ce mot: \ufffd"
    assert "\x00" not in failure.stack


async def test_escaped_backslash_before_u0000_is_no_nul(probe: InboxHarness) -> None:
    probe.publish("on écrit \\u0000 en JSON")

    found = await probe.consume_all()

    assert await probe.effects() == ["on écrit \\u0000 en JSON"]
    assert (found.applied, found.dead_lettered) == (1, 0)


@pytest.mark.parametrize(
    "headers",
    [
        (("content-type", None),),
        (("traceparent", None),),
        (("traceparent", b"00-\x00-\xff"),),
        (("ce_id", b"\xff"),),
    ],
)
async def test_malformed_headers_do_not_stop_the_batch(
    probe: InboxHarness, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    probe.append(KEY, b"{", headers)
    probe.append(KEY, SOUND.replace(b"bon", b"poison"), headers)
    probe.publish("autre", member=2)

    found = await probe.consume_all()

    assert await probe.effects() == ["autre"]
    assert found.lag == 0
    assert found.parked + found.dead_lettered == 2


async def test_unknown_types_and_versions_are_ignored_and_counted(
    probe: InboxHarness,
) -> None:
    probe.publish("x", type="identity.member.beamed_up.v1")
    probe.publish("x", type="identity.member.suspended.v2")
    probe.publish("x", type="identity.member.reinstated.v1")
    probe.publish("bon")

    found = await probe.consume_all()

    assert await probe.effects() == ["bon"]
    assert (found.ignored, found.applied) == (3, 1)
    assert len(await probe.query("SELECT 1 FROM inbox")) == 1


async def test_unknown_field_is_accepted(probe: InboxHarness) -> None:
    fields = msgspec.json.decode(SOUND)
    fields["data"]["mood"] = "😀"
    probe.append(KEY, msgspec.json.encode(fields | {"weather": "sunny"}))

    await probe.consume_all()

    assert await probe.effects() == ["bon"]


async def test_key_of_another_tenant_is_rejected(probe: InboxHarness) -> None:
    fields = msgspec.json.decode(SOUND)
    probe.append(KEY, msgspec.json.encode(fields | {"tenant": str(LYON)}))
    probe.publish("bon", member=2)

    found = await probe.consume_all()

    assert await probe.effects() == ["bon"]
    assert found.dead_lettered == 1
    (letter,) = await probe.list_dead_letters()
    assert "tenant" in (letter.cause or "")


async def test_binary_mode_is_decoded(probe: InboxHarness) -> None:
    fields = msgspec.json.decode(SOUND)
    data = msgspec.json.encode(fields.pop("data"))
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in fields.items())
    probe.append(KEY, data, headers)

    found = await probe.consume_all()

    assert (await probe.effects(), found.applied) == (["bon"], 1)


async def test_unreadable_record_can_be_skipped_but_not_replayed(
    probe: InboxHarness,
) -> None:
    probe.append(KEY, b"{")
    await probe.consume_all()

    (letter,) = await probe.list_dead_letters()
    with pytest.raises(StillUnreadable):
        await probe.decide(DeadLetterDecision("replay", (letter.position,)))
    await probe.decide(DeadLetterDecision("skip", (letter.position,), reason="du bruit"))

    assert await probe.query("SELECT state, record_value, reason FROM parked") == [
        {"state": "skipped", "record_value": b"{", "reason": "du bruit"}
    ]
    assert await probe.list_dead_letters() == []


async def test_replay_decodes_an_unreadable_record_again(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad deploy could not decode; the event, a repetition of it, and one for somebody else."""
    other = encode(envelope_of(MemberReinstated(member_id=member_id(1)), RENNES, uuid7()))

    def broken(raw: bytes) -> Envelope:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(decode, "_decode_envelope", broken)
    for value in (SOUND, SOUND, other, b"{"):
        probe.append(KEY, value)
    await probe.consume_all()
    monkeypatch.undo()

    dry = await probe.decide(DeadLetterDecision("replay", everything=True, dry_run=True))
    assert (dry.unreadable, len(await probe.list_dead_letters())) == (1, 4)
    done = await probe.decide(DeadLetterDecision("replay", everything=True))
    found = await probe.retry_parked()

    assert (done.unreadable, await probe.effects()) == (1, ["bon"])
    assert (found.applied, found.duplicate, found.ignored, found.dead_lettered) == (1, 1, 1, 1)


async def test_parked_record_in_binary_mode_is_retried(probe: InboxHarness) -> None:
    fields = msgspec.json.decode(SOUND.replace(b"bon", b"poison"))
    data = msgspec.json.encode(fields.pop("data"))
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in fields.items())
    probe.append(KEY, data, (*headers, ("odd", b"\xff"), ("none", None)))
    await probe.consume_all()
    probe.fixed = True

    found = await probe.retry_parked()

    assert (await probe.effects(), found.applied) == (["poison"], 1)


@pytest.mark.parametrize("value", [b'"' * 5_500_000, b"\x01" * 9_500_000, b"\xff" * 9_500_000])
async def test_dead_letter_of_a_huge_record_can_be_sent(probe: InboxHarness, value: bytes) -> None:
    probe.append(KEY, value)

    assert (await probe.consume_all()).dead_lettered == 1

    (row,) = await probe.query("SELECT topic, key, value FROM outbox")
    await probe.bus.send([OutgoingRecord(row["topic"], row["key"].encode(), row["value"])])
    (kept,) = await probe.query("SELECT record_value FROM parked")
    assert kept["record_value"] == value
