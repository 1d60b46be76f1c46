"""Records are CloudEvents that other libraries can read, and stay readable for later builds."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured
from cloudevents.core.formats.json import JSONFormat

from shared.contracts import example_data
from shared.contracts.catalogue import EVENTS, decoder_of
from shared.contracts.event import (
    CONTENT_TYPE,
    Envelope,
    Fact,
    Origin,
    decode_envelope,
    encode,
    encode_data,
)
from shared.kit.tools.docs.examples import example_envelope
from tests.contracts.records import GOLDEN_FOLDER, decode_record, golden_records
from tests.contracts.shapes import ACCEPT_COMMAND

every_fact = pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))


@pytest.mark.parametrize("file", list(golden_records()), ids=lambda file: file.stem)
def test_golden_record_decodes_to_the_same_data(file: Path) -> None:
    record = json.loads(file.read_text(encoding="utf-8"))
    fact = decode_record(file)
    assert fact.wire_type() == record["type"] == file.stem.split("~")[0]
    assert json.loads(bytes(encode_data(fact))) == record["data"]


@every_fact
def test_fact_has_a_golden_record(fact: type[Fact]) -> None:
    assert (GOLDEN_FOLDER / f"{fact.wire_type()}.json").is_file(), (
        f"write it with: {ACCEPT_COMMAND}"
    )


def test_sealed_imported_record_is_decoded() -> None:
    file = GOLDEN_FOLDER / "community.post.published.v1~sealed-import.json"
    envelope = decode_envelope(file.read_bytes())
    assert (envelope.origin, envelope.actor) == (Origin.IMPORT, None)
    content = json.loads(bytes(envelope.data))["content"]
    assert set(content) == {"jwe", "key_id"}


@every_fact
def test_example_survives_encoding_and_decoding(fact: type[Fact]) -> None:
    example = fact.example()
    envelope = decode_envelope(encode(example_envelope(example)))
    assert decoder_of(EVENTS[envelope.type]).decode(envelope.data) == example
    assert envelope == example_envelope(example)


@every_fact
def test_cloudevents_library_reads_our_records(fact: type[Fact]) -> None:
    written = example_envelope(fact.example())
    record = KafkaMessage({"content-type": CONTENT_TYPE.encode()}, b"key", encode(written))
    event = from_structured(record, JSONFormat())
    assert event.get_specversion() == "1.0"
    assert (event.get_id(), event.get_type()) == (str(written.id), fact.wire_type())
    assert (event.get_source(), event.get_subject()) == (written.source, written.subject)
    assert event.get_time() == example_data.NOON
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("tenant") == str(example_data.TENANT)
    assert event.get_extension("sequence") == "0000000001"
    assert event.get_data() == json.loads(bytes(written.data))


@every_fact
def test_unknown_fields_are_ignored(fact: type[Fact]) -> None:
    example = fact.example()
    data = json.loads(bytes(encode_data(example)))
    for target in (data, *(value for value in data.values() if isinstance(value, dict))):
        if target is not data.get("codes"):
            target["tomorrow"] = {"é": ["🌅"]}
    envelope = json.loads(encode(example_envelope(example))) | {"data": data, "later": "yes"}
    read_back = decode_envelope(json.dumps(envelope).encode())
    assert decoder_of(fact).decode(read_back.data) == example


@pytest.mark.parametrize("name", Envelope.__struct_fields__)
def test_attribute_names_follow_cloudevents(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]{0,19}", name)


def test_required_attributes_are_always_written() -> None:
    (fact_type, *_) = EVENTS.values()
    record = json.loads(encode(example_envelope(fact_type.example())))
    assert {"id", "source", "type", "specversion", "origin"} <= set(record)
    assert None not in record.values()


def test_record_without_tenant_is_rejected() -> None:
    (fact_type, *_) = EVENTS.values()
    record = json.loads(encode(example_envelope(fact_type.example())))
    del record["tenant"]
    with pytest.raises(msgspec.ValidationError, match="tenant"):
        decode_envelope(json.dumps(record).encode())
