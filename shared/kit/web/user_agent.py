"""Names the client program of a `User-Agent` header. Pure."""

from dataclasses import dataclass

MAX_USER_AGENT_CHARACTERS = 400
"""Longer headers are cut; browsers send about 120 characters."""
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)
_SYSTEMS = (
    ("iPad", "iPadOS"),
    ("iPhone", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """`device`: `phone`, `tablet`, `computer`, `program` or `unknown`; `name` is for display."""

    device: str
    name: str


def parse_user_agent(user_agent: str) -> ClientProgram:
    """Return browser and system of a browser; of another program its first word."""
    text = user_agent[:MAX_USER_AGENT_CHARACTERS]
    if not text.startswith("Mozilla/"):
        name = "".join(c for c in text.split("/")[0] if c.isascii() and c.isprintable())[
            :40
        ].strip()
        return ClientProgram("program" if name else "unknown", name)
    browser = _first(text, _BROWSERS)
    system = _first(text, _SYSTEMS)
    return ClientProgram(_device(text, system), ", ".join(filter(None, (browser, system))))


def _device(text: str, system: str) -> str:
    if system == "iPadOS" or (system == "Android" and "Mobile" not in text):
        return "tablet"
    if system in {"iOS", "Android"}:
        return "phone"
    return "computer" if system else "unknown"


def _first(text: str, names: tuple[tuple[str, str], ...]) -> str:
    return next((name for mark, name in names if mark in text), "")
