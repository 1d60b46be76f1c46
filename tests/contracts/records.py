"""Golden records: records as they were published once, which every later build must decode."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shared.contracts.catalogue import EVENTS, decoder_of
from shared.contracts.event import Fact, decode_envelope
from shared.kit.tools.docs.examples import example_json

GOLDEN_FOLDER = Path(__file__).with_name("golden")


def golden_records() -> Iterator[Path]:
    """Yield every golden record: `<wire type>.json` or `<wire type>~<special case>.json`."""
    yield from sorted(GOLDEN_FOLDER.glob("*.json"))


def decode_record(file: Path) -> Fact:
    """Decode a record as a consumer does. Raises `msgspec.DecodeError`."""
    envelope = decode_envelope(file.read_bytes())
    return decoder_of(EVENTS[envelope.type]).decode(envelope.data)


def write_missing_records() -> None:
    """Write a record for each fact that has none, or none that can be decoded."""
    for wire, fact in EVENTS.items():
        file = GOLDEN_FOLDER / f"{wire}.json"
        if not file.is_file() or not _is_readable(file):
            text = json.dumps(example_json(fact.example()), ensure_ascii=False, indent=1)
            file.write_text(f"{text}\n", encoding="utf-8")


def _is_readable(file: Path) -> bool:
    try:
        decode_record(file)
    except msgspec.DecodeError:
        return False
    return True
