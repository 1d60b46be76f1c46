"""Titles and help texts of errors by key, in French and English."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from shared.kit.core.errors import PreauError

LANGUAGES = ("fr", "en")
Message = Mapping[str, str]
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Messages:
    """The messages of the kit and of one service, by language and key."""

    def __init__(self, folders: Sequence[Traversable] = ()) -> None:
        """Read `fr.toml` and `en.toml` of the kit and of each folder.

        The value of a key is a table of `title` and `help`, or the title alone.
        """
        self._texts: dict[str, dict[str, Message]] = {language: {} for language in LANGUAGES}
        for folder in (files("shared.kit.web") / "locale", *folders):
            for language in LANGUAGES:
                text = (folder / f"{language}.toml").read_text(encoding="utf-8")
                for key, value in tomllib.loads(text).items():
                    message = {"title": value} if isinstance(value, str) else value
                    self._texts[language][key] = message

    def get(self, key: str, language: str) -> Message:
        """Return the message of a key with its placeholders. Raises KeyError for an unknown key."""
        return self._texts[language][key]

    def for_error(
        self, error: type[PreauError], language: str, facts: Mapping[str, object]
    ) -> Message:
        """Return the message of an error with its facts filled in.

        A missing title or help is taken from the nearest base class (a test reports it).
        """
        texts = self._texts[language]
        message: dict[str, str] = {}
        for kind in reversed(error.__mro__):
            if issubclass(kind, PreauError):
                message.update(texts.get(kind.key, {}))
        return {name: _fill(text, facts) for name, text in message.items()}

    def keys(self, language: str) -> set[str]:
        """Return the keys that have a message in a language."""
        return set(self._texts[language])


def _fill(text: str, facts: Mapping[str, object]) -> str:
    # Not str.format: facts may contain user input, and a missing fact must not raise.
    return _PLACEHOLDER.sub(lambda match: str(facts.get(match[1], match[0])), text)


def preferred_language(accept: str) -> str:
    """Return the first known language of an Accept-Language header; French if there is none."""
    for choice in accept.split(","):
        code = choice.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
