"""Builder of rules in the format of the catalogue."""

SOUND = {
    "id": '"no-sales"',
    "version": "1",
    "owner": '"vie scolaire"',
    "policy": '"spam"',
    "when": "\"text.contains(' vends ')\"",
    "verdict": '"review"',
    "score": "0.5",
    "reason": '"sales"',
    "message": '{ fr = "On ne vend rien ici.", en = "Nothing is sold here." }',
    "cases": '{ match = ["Je vends un vélo"], spare = ["Le vendeur est là"] }',
}


def a_rule(**changes: str | None) -> str:
    """Return a valid rule's TOML, with some fields changed (or left out: `None`)."""
    fields = {**SOUND, **changes}
    return "\n".join(f"{name} = {value}" for name, value in fields.items() if value is not None)
