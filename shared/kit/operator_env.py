"""Where the servers are, for an operator's commands: a variable, else the data folder's file."""

import os
from pathlib import Path

FILE = "operator.env"
"""Written by `make run`, readable by its owner only: `NAME=value` lines."""
_CHOICES = ("embedded", "docker")
"""What `make run` may be told of a server in the same variables; no address."""


def address(name: str) -> str | None:
    """Give the variable `name`; where it is not set, what stands in `PREAU_HOME`'s file."""
    found = os.environ.get(name, "")
    if found and found.partition(":")[0] not in _CHOICES:
        return found
    try:
        text = (Path(os.environ.get("PREAU_HOME") or ".preau") / FILE).read_text(encoding="utf-8")
    except OSError:  # no platform of `make run` here: the variable alone counts
        return None
    lines = (line.partition("=") for line in text.splitlines())
    return next((value for key, _, value in lines if key == name), None)
