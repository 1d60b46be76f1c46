"""`python -m tests.contracts.accept`: accept the shapes that the facts have now.

A break is for a new version of a fact beside the old one; accepting it here is for facts that no
installation holds yet.
"""

from tests.contracts import records, shapes
from tests.contracts.compatibility import find_breaks


def main() -> None:
    """Write the shapes and the missing golden records; say what that breaks."""
    for name, kind in shapes.TYPES.items():
        old, new = shapes.accepted_schema(name), shapes.json_schema_of(kind)
        for line in find_breaks(old, new) if old else ():
            print(f"accepted, though it breaks: {name}: {line}")
        shapes.accept_schema(name, new)
    for gone in find_removed_facts():
        (shapes.SCHEMAS_FOLDER / f"{gone}.json").unlink()
        (records.GOLDEN_FOLDER / f"{gone}.json").unlink(missing_ok=True)
        print(f"accepted: {gone} is gone")
    records.write_missing_records()


def find_removed_facts() -> list[str]:
    """Name the facts that were accepted and are in the catalogue no more."""
    held = {file.stem for file in shapes.SCHEMAS_FOLDER.glob("*.json")}
    return sorted(held - set(shapes.TYPES))


if __name__ == "__main__":
    main()
