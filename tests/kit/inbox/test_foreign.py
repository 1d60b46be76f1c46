"""Records of foreign producers: unreadable, unknown, newer, forged; others are applied."""

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
from shared.kit.tools.reconcile.event import read_event as decode_independently
from tests.support.inbox_harness import LYON, RENNES, InboxHarness, envelope_of, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KEY = f"{RENNES}:{member_id(1)}".encode()
VALID_VALUE = encode(
    envelope_of(MemberSuspended(member_id=member_id(1), reason="bon"), RENNES, uuid7())
)
UNREADABLE = {
    "nothing": None,
    "empty": b"",
    "not JSON": b"<xml/>",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "truncated": VALID_VALUE[:-20],
    "a list": b"[1, 2, 3]",
    "very deep": b'{"data":' + b"[" * 100_000,
    "a NUL in its words": VALID_VALUE.replace(b"bon", b"b\\u0000n"),
    "half a surrogate pair": VALID_VALUE.replace(b"bon", b"\\ud800"),
    "no such day": VALID_VALUE.replace(b"2026-11-25T", b"2026-02-30T"),
    "a sequence in letters": VALID_VALUE.replace(b'"0000000001"', b'"un"'),
    "a field of another kind": VALID_VALUE.replace(b'"bon"', b"42"),
    "a key without end": VALID_VALUE.replace(KEY, KEY + b"x" * 9000),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_unreadable_record_is_dead_lettered_at_once(harness: InboxHarness, name: str) -> None:
    harness.publish("avant")
    harness.append(KEY, UNREADABLE[name])
    harness.publish("après")

    counts = await harness.consume_all()

    assert await harness.effects() == ["avant", "après"]
    assert (counts.applied, counts.dead_lettered, counts.lag) == (2, 1, 0)
    (letter,) = await harness.list_dead_letters()
    assert (letter.topic, letter.offset) == ("identity.member", 1)
    assert letter.cause
    (dead_letter,) = await harness.outbox()
    assert dead_letter.subject == f"{letter.topic}/{letter.partition}/{letter.offset}"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (KEY, b"{", {"record_key": KEY.decode(), "record": "{"}),
        ("clé 🔑".encode(), b"\xff", {"record_key": "clé 🔑", "record_base64": "/w=="}),
        (b"cl\xff\x00", b"{", {"record_key_base64": "Y2z/AA==", "record": "{"}),
        (b"cl\x00", b"\x00{", {"record_key_base64": "Y2wA", "record_base64": "AHs="}),
        (b"k" * 9000, None, {"record_key": None, "record_key_bytes": 9000, "record": None}),
    ],
)  # fmt: skip
async def test_dead_letter_contains_any_record_and_is_readable(
    harness: InboxHarness, key: bytes, value: bytes | None, expected: Mapping[str, object]
) -> None:
    harness.append(key, value)
    await harness.consume_all()

    (row,) = await harness.query("SELECT value FROM outbox")
    letter = decode_independently(
        IncomingRecord(Partition("dead.community", 0), 0, b"", row["value"])
    )
    data = msgspec.json.decode(letter.data)
    assert {name: data[name] for name in data if name.startswith("record")} == expected


def test_nul_in_an_error_message_is_replaced() -> None:
    failure = Failure.from_exception(ValueError("ce mot: \x00"))
    assert failure.cause == "ValueError: ce mot: \ufffd"
    assert "\x00" not in failure.stack


async def test_escaped_backslash_before_u0000_is_no_nul(harness: InboxHarness) -> None:
    harness.publish("on écrit \\u0000 en JSON")

    counts = await harness.consume_all()

    assert await harness.effects() == ["on écrit \\u0000 en JSON"]
    assert (counts.applied, counts.dead_lettered) == (1, 0)


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
    harness: InboxHarness, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    harness.append(KEY, b"{", headers)
    harness.append(KEY, VALID_VALUE.replace(b"bon", b"poison"), headers)
    harness.publish("autre", member=2)

    counts = await harness.consume_all()

    assert await harness.effects() == ["autre"]
    assert counts.lag == 0
    assert counts.parked + counts.dead_lettered == 2


async def test_unknown_types_and_versions_are_ignored_and_counted(
    harness: InboxHarness,
) -> None:
    harness.publish("x", type="identity.member.beamed_up.v1")
    harness.publish("x", type="identity.member.suspended.v2")
    harness.publish("x", type="identity.member.reinstated.v1")
    harness.publish("bon")

    counts = await harness.consume_all()

    assert await harness.effects() == ["bon"]
    assert (counts.ignored, counts.applied) == (3, 1)
    assert len(await harness.query("SELECT 1 FROM inbox")) == 1


async def test_unknown_field_is_accepted(harness: InboxHarness) -> None:
    fields = msgspec.json.decode(VALID_VALUE)
    fields["data"]["mood"] = "😀"
    harness.append(KEY, msgspec.json.encode(fields | {"weather": "sunny"}))

    await harness.consume_all()

    assert await harness.effects() == ["bon"]


async def test_key_of_another_tenant_is_rejected(harness: InboxHarness) -> None:
    fields = msgspec.json.decode(VALID_VALUE)
    harness.append(KEY, msgspec.json.encode(fields | {"tenant": str(LYON)}))
    harness.publish("bon", member=2)

    counts = await harness.consume_all()

    assert await harness.effects() == ["bon"]
    assert counts.dead_lettered == 1
    (letter,) = await harness.list_dead_letters()
    assert "tenant" in (letter.cause or "")


async def test_binary_mode_is_decoded(harness: InboxHarness) -> None:
    fields = msgspec.json.decode(VALID_VALUE)
    data = msgspec.json.encode(fields.pop("data"))
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in fields.items())
    harness.append(KEY, data, headers)

    counts = await harness.consume_all()

    assert (await harness.effects(), counts.applied) == (["bon"], 1)


async def test_unreadable_record_can_be_skipped_but_not_replayed(
    harness: InboxHarness,
) -> None:
    harness.append(KEY, b"{")
    await harness.consume_all()

    (letter,) = await harness.list_dead_letters()
    with pytest.raises(StillUnreadable):
        await harness.decide(DeadLetterDecision("replay", (letter.position,)))
    await harness.decide(DeadLetterDecision("skip", (letter.position,), reason="du bruit"))

    assert await harness.query("SELECT state, record_value, reason FROM parked") == [
        {"state": "skipped", "record_value": b"{", "reason": "du bruit"}
    ]
    assert await harness.list_dead_letters() == []


async def test_replay_decodes_an_unreadable_record_again(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faulty deployment could not decode an event, its duplicate and an ignored one."""
    reinstated = encode(envelope_of(MemberReinstated(member_id=member_id(1)), RENNES, uuid7()))

    def broken(raw: bytes) -> Envelope:
        raise ValueError("a bug")

    monkeypatch.setattr(decode, "_decode_envelope", broken)
    for value in (VALID_VALUE, VALID_VALUE, reinstated, b"{"):
        harness.append(KEY, value)
    await harness.consume_all()
    monkeypatch.undo()

    dry_run = await harness.decide(DeadLetterDecision("replay", everything=True, dry_run=True))
    assert (dry_run.unreadable, len(await harness.list_dead_letters())) == (1, 4)
    result = await harness.decide(DeadLetterDecision("replay", everything=True))
    counts = await harness.retry_parked()

    assert (result.unreadable, await harness.effects()) == (1, ["bon"])
    assert (counts.applied, counts.duplicate, counts.ignored, counts.dead_lettered) == (1, 1, 1, 1)


async def test_parked_record_in_binary_mode_is_retried(harness: InboxHarness) -> None:
    fields = msgspec.json.decode(VALID_VALUE.replace(b"bon", b"poison"))
    data = msgspec.json.encode(fields.pop("data"))
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in fields.items())
    harness.append(KEY, data, (*headers, ("odd", b"\xff"), ("none", None)))
    await harness.consume_all()
    harness.fixed = True

    counts = await harness.retry_parked()

    assert (await harness.effects(), counts.applied) == (["poison"], 1)


@pytest.mark.parametrize("value", [b'"' * 5_500_000, b"\x01" * 9_500_000, b"\xff" * 9_500_000])
async def test_dead_letter_of_a_huge_record_can_be_sent(
    harness: InboxHarness, value: bytes
) -> None:
    harness.append(KEY, value)

    assert (await harness.consume_all()).dead_lettered == 1

    (row,) = await harness.query("SELECT topic, key, value FROM outbox")
    await harness.bus.send([OutgoingRecord(row["topic"], row["key"].encode(), row["value"])])
    (parked_row,) = await harness.query("SELECT record_value FROM parked")
    assert parked_row["record_value"] == value
