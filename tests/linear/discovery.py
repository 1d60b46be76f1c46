"""Discovery of the public functions that take a text, in the modules that process user texts."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType

from services.moderation.text import domain as text_domain
from services.moderation.text.domain.normalisation import NormalisedText
from shared.kit.text import characters as kit_text
from shared.kit.text import html_balancing as balancing
from shared.kit.text import mail_addresses as kit_address
from shared.kit.text import markup as web_markup


def modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield each module that processes user texts, with a short name."""
    for module in pkgutil.iter_modules(text_domain.__path__):
        yield module.name, importlib.import_module(f"{text_domain.__name__}.{module.name}")
    yield "kit.text", kit_text
    yield "kit.address", kit_address
    yield "kit.web.markup", web_markup
    yield "kit.web.balancing", balancing


def text_functions() -> dict[str, FunctionType]:
    """Return the public functions and methods with a `str` parameter.

    Functions that take words, or a normalised text, are measured with their callers. Functions
    named `parse_…` read the lists of the package, once, when the service starts.
    """
    return {
        key: function
        for name, module in modules()
        for key, function in _public_functions(name, module)
        if not function.__name__.startswith("parse_")
        and str in (hints := _parameters(function))
        and NormalisedText not in hints
    }


def takes_one_text(function: FunctionType) -> bool:
    """Return whether a function can be called with a text alone."""
    first, *other_parameters = inspect.signature(function).parameters.values()
    return first.annotation is str and all(
        parameter.default is not parameter.empty for parameter in other_parameters
    )


def _parameters(function: FunctionType) -> list[object]:
    return [hint for key, hint in function.__annotations__.items() if key != "return"]


def _public_functions(name: str, module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{name}.{key}", value
        elif inspect.isclass(value):
            yield from (
                (f"{name}.{key}.{method}", function)
                for method, function in vars(value).items()
                if inspect.isfunction(function) and not method.startswith("_")
            )
