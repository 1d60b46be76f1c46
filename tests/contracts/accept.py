"""`python -m tests.contracts.accept`: accept the current schemas of the facts.

A breaking change needs a new version of the fact beside the old one. Accept it here only for facts
that no installation has stored yet.
"""

from tests.contracts import records, shapes
from tests.contracts.compatibility import find_breaks


def main() -> None:
    """Write the schemas and the missing golden records; print the breaking changes."""
    for name, kind in shapes.TYPES.items():
        old, new = shapes.accepted_schema(name), shapes.json_schema_of(kind)
        for line in find_breaks(old, new) if old else ():
            print(f"accepted, though it breaks: {name}: {line}")
        shapes.accept_schema(name, new)
    for removed in find_removed_facts():
        (shapes.SCHEMAS_FOLDER / f"{removed}.json").unlink()
        (records.GOLDEN_FOLDER / f"{removed}.json").unlink(missing_ok=True)
        print(f"accepted: {removed} is removed")
    records.write_missing_records()


def find_removed_facts() -> list[str]:
    """Return accepted facts that are no longer in the catalogue."""
    accepted_names = {file.stem for file in shapes.SCHEMAS_FOLDER.glob("*.json")}
    return sorted(accepted_names - set(shapes.TYPES))


if __name__ == "__main__":
    main()
