"""Messages by key, in French and English: what a problem is called and what to do about it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from shared.kit.core.errors import PreauError

LANGUAGES = ("fr", "en")
Message = Mapping[str, str]
_PLACE = re.compile(r"\{(\w+)\}")


class Messages:
    """The messages of the frame and of one service."""

    def __init__(self, folders: Sequence[Traversable] = ()) -> None:
        """Read `fr.toml` and `en.toml` of the frame and of each folder.

        A key holds a table of `title` and `help`, or a text alone: the title.
        """
        self._texts: dict[str, dict[str, Message]] = {language: {} for language in LANGUAGES}
        for folder in (files("shared.kit.web") / "locale", *folders):
            for language in LANGUAGES:
                text = (folder / f"{language}.toml").read_text(encoding="utf-8")
                for key, said in tomllib.loads(text).items():
                    message = {"title": said} if isinstance(said, str) else said
                    self._texts[language][key] = message

    def get(self, key: str, language: str) -> Message:
        """Return the message of a key as it is written. Raises KeyError for one that has none."""
        return self._texts[language][key]

    def for_error(
        self, error: type[PreauError], language: str, facts: Mapping[str, object]
    ) -> Message:
        """Return the message of an error with its facts filled in.

        What it has no words for, title or help, is said in its base's words (a test finds it).
        """
        texts = self._texts[language]
        found: dict[str, str] = {}
        for kind in reversed(error.__mro__):
            if issubclass(kind, PreauError):
                found.update(texts.get(kind.key, {}))
        return {name: _fill(text, facts) for name, text in found.items()}

    def keys(self, language: str) -> set[str]:
        """Name the keys that have a message in a language."""
        return set(self._texts[language])


def _fill(text: str, facts: Mapping[str, object]) -> str:
    # Not str.format: a fact is a stranger's text, and a missing one must not hide the message.
    return _PLACE.sub(lambda place: str(facts.get(place[1], place[0])), text)


def preferred_language(accept: str) -> str:
    """Choose from an Accept-Language header: French unless English is asked for first."""
    for choice in accept.split(","):
        code = choice.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
