"""Who knows one feature knows all: the same rooms, entered by the same doors."""

from pathlib import Path

import pytest

from tests.architecture.tree import (
    NOT_FEATURES,
    PARLOUR,
    ROOMS,
    ROOT,
    SERVICES,
    dotted,
    features,
    imports,
    python_files,
)

# By these rooms one feature of a service may use another.
DOORS = frozenset({"handlers", "ports", "domain"})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_its_parlour_and_its_features(service: str) -> None:
    stray = {
        file.name
        for file in (ROOT / "services" / service).glob("*.py")
        if file.stem not in PARLOUR | {"__init__"}
    }
    assert not stray


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_it_owns_and_what_it_never_does(service: str) -> None:
    docstring = " ".join((ROOT / "services" / service / "__init__.py").read_text().split())
    assert all(word in docstring for word in ("Owns", "Answers for", "Never"))


@pytest.mark.parametrize("feature", list(features()), ids=lambda folder: folder.name)
def test_a_feature_has_no_room_of_its_own_invention(feature: Path) -> None:
    modules = {file.stem for file in feature.glob("*.py")} - {"__init__"}
    packages = {file.parent.name for file in feature.glob("*/__init__.py")}
    assert (modules | packages) <= ROOMS


@pytest.mark.parametrize("feature", list(features()), ids=lambda folder: folder.name)
def test_a_feature_uses_another_by_its_doors_only(feature: Path) -> None:
    service = feature.parent
    climbed = [
        f"{dotted(file)} imports {name}"
        for file in feature.rglob("*.py")
        for name in imports(file)
        if not _by_the_door(name.split("."), service.name, feature.name)
    ]
    assert not climbed


def _by_the_door(name: list[str], service: str, feature: str) -> bool:
    if name[:2] != ["services", service] or name[2:3] in ([], [feature]):
        return True
    return len(name) > 3 and name[3] in DOORS


def test_no_name_of_a_room_shadows_the_standard_library() -> None:
    assert not [file for file in python_files("services", "shared") if file.stem == "http"]


def test_services_is_a_namespace() -> None:
    assert not (ROOT / "services" / "__init__.py").exists()


def test_the_folders_that_are_no_features_hold_no_rooms() -> None:
    for service in SERVICES:
        for name in NOT_FEATURES - {"__pycache__"}:
            modules = {file.stem for file in (ROOT / "services" / service / name).glob("*.py")}
            assert not modules & ROOMS
