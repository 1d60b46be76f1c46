"""Every error of a service has a title and help in both languages."""

from importlib import import_module
from importlib.resources import files

import pytest

from shared.kit.core.errors import PreauError
from shared.kit.web.messages import LANGUAGES, Messages
from tests.architecture.source_tree import SERVICES, dotted, python_files


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_of_a_service_has_title_and_help(service: str, language: str) -> None:
    for module in python_files(f"services/{service}"):
        if not {"migrations", "__main__.py"} & set(module.parts):
            import_module(dotted(module))
    errors = [
        kind
        for kind in _subclasses(PreauError)
        if kind.__module__.startswith(f"services.{service}.")
    ]
    messages = Messages([files(f"services.{service}") / "locale"] if errors else [])
    messages_by_key = {kind.key: messages.for_error(kind, language, {}) for kind in errors}
    without_title = {
        key for key in messages_by_key if "title" not in _own_message(messages, key, language)
    }
    assert not without_title
    assert all(message["help"] for message in messages_by_key.values())


def test_error_without_a_message_is_detected() -> None:
    assert _own_message(Messages(), "not_found", "fr")
    assert not _own_message(Messages(), "note_eaten_by_the_cat", "fr")


def _own_message(messages: Messages, key: str, language: str) -> dict[str, str]:
    return dict(messages.get(key, language)) if key in messages.keys(language) else {}


def _subclasses(kind: type[PreauError]) -> set[type[PreauError]]:
    return {kind}.union(*(_subclasses(child) for child in kind.__subclasses__()))
