"""A wheel holds what its folder holds: hatchling drops, without a word, what no pattern names."""

import zipfile
from pathlib import Path

import pytest

from deploy.install.wheels import MEMBERS, build_wheel
from tests.architecture.source_tree import ROOT

# What stands in a member's folder and belongs in no wheel.
LEFT_OUT = frozenset({"pyproject.toml", "README.md", ".DS_Store"})


@pytest.mark.parametrize("member", MEMBERS)
def test_wheel_contains_all_files_of_its_folder(member: str, tmp_path: Path) -> None:
    names = {name for name in _names(build_wheel(member, tmp_path)) if ".dist-info/" not in name}
    assert names == {file.relative_to(ROOT).as_posix() for file in _files(ROOT / member)}


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _files(folder: Path) -> list[Path]:
    return [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and file.name not in LEFT_OUT
        and not any(part.startswith(".") or part == "__pycache__" for part in file.parts[1:])
    ]
