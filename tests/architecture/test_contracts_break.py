"""Each rule of imports is proven by breaking it: a rule that nothing breaks may check nothing.

The contracts of pyproject.toml are run on small sample trees. One keeps all contracts; in
each of the others one module breaks one of them.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, SERVICES

CONTRACTS = 9
KIT = (
    *("tools", "runtime", "web", "inbox", "relay", "rights", "limiting", "windows"),
    *("bus", "database", "redis", "workers", "telemetry", "core", "text"),
)
SAMPLE_TREE = {
    **{f"shared/kit/{package}/__init__.py": "" for package in KIT},
    "shared/__init__.py": "",
    "shared/contracts/__init__.py": "",
    "shared/contracts/community.py": "import msgspec",
    "shared/kit/__init__.py": "",
    "shared/kit/database/database.py": "import sqlalchemy",
    "shared/kit/bus/kafka.py": "import faststream.kafka, aiokafka, shared.contracts.community",
    "services/community/main.py": "import services.community.events",
    "services/community/events.py": "import services.community.feed.reactions",
    "services/community/feed/__init__.py": "",
    "services/community/feed/api.py": "import fastapi, services.community.feed.handlers.read",
    "services/community/feed/reactions.py": "import services.community.feed.handlers.read",
    "services/community/feed/store.py": "import services.community.feed.tables",
    "services/community/feed/tables.py": "import sqlalchemy",
    "services/community/feed/handlers/__init__.py": "",
    "services/community/feed/handlers/read.py": (
        "import services.community.feed.ports, services.community.spaces.handlers"
    ),
    "services/community/feed/ports.py": "import services.community.feed.domain",
    "services/community/feed/domain.py": "import shared.contracts.community",
    "services/community/spaces/__init__.py": "",
    "services/community/spaces/handlers.py": "",
}
VIOLATIONS = {
    "1.": {"services/community/feed/api.py": "import services.identity"},
    "2.": {"shared/kit/database/database.py": "import services.community.main"},
    "2. ": {"shared/contracts/community.py": "import shared.kit.bus"},
    "3.": {
        "services/community/feed/ports.py": "",
        "services/community/feed/domain.py": "import services.community.feed.ports",
    },
    "3. ": {"services/community/feed/utils.py": ""},
    "4.": {"services/community/spaces/handlers.py": "import services.community.feed.domain"},
    "5.": {
        "services/community/feed/handlers/read.py": "import shared.kit.core.host",
        "shared/kit/core/host.py": "import sqlalchemy",
    },
    "5. ": {"shared/contracts/community.py": "import redis"},
    "6.": {"services/community/feed/api.py": "import aiokafka"},
    "7.": {"shared/kit/core/__init__.py": "import shared.kit.telemetry"},
    "7. ": {"shared/kit/utils.py": ""},
    "7.  ": {"shared/kit/relay/__init__.py": "import shared.kit.inbox"},
    "8.": {
        "shared/kit/inbox/ledger.py": "import shared.kit.inbox.batch",
        "shared/kit/inbox/batch.py": "import shared.kit.inbox.ledger",
    },
    "9.": {"services/community/feed/domain.py": "import shared.kit.telemetry"},
}


def test_sample_tree_keeps_every_contract(tmp_path: Path) -> None:
    assert _lint(tmp_path, {}).count(" KEPT") == CONTRACTS


@pytest.mark.parametrize(("contract", "violation"), VIOLATIONS.items())
def test_violation_breaks_its_contract(
    contract: str, violation: Mapping[str, str], tmp_path: Path
) -> None:
    broken = [line for line in _lint(tmp_path, violation).splitlines() if " BROKEN" in line]
    assert [line[:2] for line in broken] == [contract.strip()]


def _lint(folder: Path, violation: Mapping[str, str]) -> str:
    """Write the sample tree with its violation and return the output of import-linter."""
    empty = {f"services/{name}/__init__.py": "" for name in SERVICES}
    for path, text in {**empty, **SAMPLE_TREE, **violation}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    done = subprocess.run(
        # -S: the .pth files of the editable members would add the real source tree.
        [
            sys.executable,
            "-S",
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            str(ROOT / "pyproject.toml"),
            "--no-cache",
        ],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": f"{folder}{os.pathsep}{sysconfig.get_path('purelib')}", "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr
