"""Whatever a service may refuse, it says so in both languages, and says what to do."""

from importlib import import_module
from importlib.resources import files

import pytest

from shared.kit.core.errors import PreauError
from shared.kit.web.messages import LANGUAGES, Messages
from tests.architecture.source_tree import SERVICES, dotted, python_files


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_of_a_service_has_a_title_and_what_to_do(service: str, language: str) -> None:
    for module in python_files(f"services/{service}"):
        if not {"migrations", "__main__.py"} & set(module.parts):
            import_module(dotted(module))
    ours = [
        kind for kind in _below(PreauError) if kind.__module__.startswith(f"services.{service}.")
    ]
    messages = Messages([files(f"services.{service}") / "locale"] if ours else [])
    said = {kind.key: messages.for_error(kind, language, {}) for kind in ours}
    silent = {key for key in said if "title" not in _own(messages, key, language)}
    assert not silent
    assert all(message["help"] for message in said.values())


def test_a_kind_of_error_that_has_no_words_of_its_own_would_be_found() -> None:
    assert _own(Messages(), "not_found", "fr")
    assert not _own(Messages(), "note_eaten_by_the_cat", "fr")


def _own(messages: Messages, key: str, language: str) -> dict[str, str]:
    return dict(messages.get(key, language)) if key in messages.keys(language) else {}


def _below(kind: type[PreauError]) -> set[type[PreauError]]:
    return {kind}.union(*(_below(child) for child in kind.__subclasses__()))
