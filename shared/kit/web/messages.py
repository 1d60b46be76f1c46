"""Messages by key, in French and English: what a problem is called and what to do about it."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

LANGUAGES = ("fr", "en")
Message = Mapping[str, str]


class Messages:
    """The messages of the frame and of one service."""

    def __init__(self, folders: Sequence[Traversable] = ()) -> None:
        """Read `fr.toml` and `en.toml` of the frame and of each folder."""
        self._texts: dict[str, dict[str, Message]] = {language: {} for language in LANGUAGES}
        for folder in (files("shared.kit") / "locale", *folders):
            for language in LANGUAGES:
                text = (folder / f"{language}.toml").read_text(encoding="utf-8")
                self._texts[language].update(tomllib.loads(text))

    def of(self, key: str, language: str) -> Message:
        """Give the message of a key; raises KeyError for one that has none (a test finds it)."""
        return self._texts[language][key]

    def keys(self, language: str) -> set[str]:
        """Name the keys that have a message in a language."""
        return set(self._texts[language])


def language_of(accept: str) -> str:
    """Choose from an Accept-Language header: French unless English is asked for first."""
    for choice in accept.split(","):
        code = choice.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
