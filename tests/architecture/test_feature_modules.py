"""Every feature has the same modules, and uses other features by their public modules only."""

from pathlib import Path

import pytest

from tests.architecture.source_tree import (
    FEATURE_MODULES,
    NOT_FEATURES,
    ROOT,
    SERVICE_MODULES,
    SERVICES,
    dotted,
    features,
    imports,
    python_files,
)

# One feature of a service may import these modules of another feature.
PUBLIC_MODULES = frozenset({"handlers", "ports", "domain"})


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_only_its_modules_and_features(service: str) -> None:
    stray = {
        file.name
        for file in (ROOT / "services" / service).glob("*.py")
        if file.stem not in SERVICE_MODULES | {"__init__"}
    }
    assert not stray


@pytest.mark.parametrize("service", SERVICES)
def test_service_docstring_states_its_responsibility(service: str) -> None:
    docstring = " ".join((ROOT / "services" / service / "__init__.py").read_text().split())
    assert all(word in docstring for word in ("Owns", "Answers for", "Never"))


@pytest.mark.parametrize("feature", list(features()), ids=lambda folder: folder.name)
def test_feature_has_no_module_of_another_name(feature: Path) -> None:
    modules = {file.stem for file in feature.glob("*.py")} - {"__init__"}
    packages = {file.parent.name for file in feature.glob("*/__init__.py")}
    assert (modules | packages) <= FEATURE_MODULES


@pytest.mark.parametrize("feature", list(features()), ids=lambda folder: folder.name)
def test_feature_uses_other_feature_by_its_public_modules(feature: Path) -> None:
    service = feature.parent
    violations = [
        f"{dotted(file)} imports {name}"
        for file in feature.rglob("*.py")
        for name in imports(file)
        if not _is_allowed(name.split("."), service.name, feature.name)
    ]
    assert not violations


def _is_allowed(name: list[str], service: str, feature: str) -> bool:
    if name[:2] != ["services", service] or name[2:3] in ([], [feature]):
        return True
    return len(name) > 3 and name[3] in PUBLIC_MODULES


def test_no_module_shadows_the_standard_library() -> None:
    assert not [file for file in python_files("services", "shared") if file.stem == "http"]


def test_services_is_a_namespace_package() -> None:
    assert not (ROOT / "services" / "__init__.py").exists()


def test_other_folders_of_a_service_contain_no_feature_modules() -> None:
    for service in SERVICES:
        for name in NOT_FEATURES - {"__pycache__"}:
            modules = {file.stem for file in (ROOT / "services" / service / name).glob("*.py")}
            assert not modules & FEATURE_MODULES
