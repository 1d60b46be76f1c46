"""`python -m tests.contracts.accept`: accept the shapes that the facts have now.

A break is for a new version of a fact beside the old one; accepting it here is for facts that no
installation holds yet.
"""

from tests.contracts import records, shapes
from tests.contracts.compatibility import breaks


def main() -> None:
    """Write the shapes and the missing golden records; say what that breaks."""
    for name, kind in shapes.SHAPES.items():
        old, new = shapes.accepted(name), shapes.shape_of(kind)
        for line in breaks(old, new) if old else ():
            print(f"accepted, though it breaks: {name}: {line}")
        shapes.write(name, new)
    for gone in gone_facts():
        (shapes.FOLDER / f"{gone}.json").unlink()
        (records.FOLDER / f"{gone}.json").unlink(missing_ok=True)
        print(f"accepted: {gone} is gone")
    records.keep_readable()


def gone_facts() -> list[str]:
    """Name the facts that were accepted and are in the catalogue no more."""
    held = {file.stem for file in shapes.FOLDER.glob("*.json")}
    return sorted(held - set(shapes.SHAPES))


if __name__ == "__main__":
    main()
