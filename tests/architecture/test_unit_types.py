"""mypy refuses a batched unit where a store needs a transaction (ADR 0065)."""

import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT

COMMANDS = """
from services.community.conversations.store import SqlContents, SqlConversations
from shared.contracts.ids import ContentId, SpaceId, TenantId
from shared.kit.core.unit_of_work import BatchedUnit, Caller, Unit
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database, connection

contents, conversations = SqlContents(), SqlConversations()


async def run_batched(batched: BatchedDatabase, caller: Caller, tenant: TenantId) -> None:
    async with batched.unit(caller) as unit:
        await contents.find(unit, tenant, [])
        await contents.add(unit, [])
        await contents.lock(unit, tenant, [])  # refused
        await conversations.list_posts(unit, tenant, SpaceId(tenant), None, 10)  # refused
        connection(unit)  # refused


async def take_batched(unit: BatchedUnit, tenant: TenantId) -> None:
    await contents.lock(unit, tenant, [])  # refused


async def run_in_transaction(database: Database, caller: Caller, tenant: TenantId) -> None:
    async with database.unit(caller) as unit:
        await contents.find(unit, tenant, [])
        await contents.add(unit, [])
        await contents.lock(unit, tenant, [])
        await conversations.list_posts(unit, tenant, SpaceId(tenant), None, 10)
        connection(unit)


async def take_transaction(unit: Unit, tenant: TenantId) -> None:
    batched: BatchedUnit = unit  # refused
    await contents.find(batched, tenant, [ContentId(tenant)])
"""


def test_mypy_refuses_a_batched_unit_that_locks_or_lists(tmp_path: Path) -> None:
    snippet = tmp_path / "commands.py"
    snippet.write_text(COMMANDS)

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(snippet)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    errors = re.findall(r"commands\.py:(\d+): error: .*\[(.*)\]", checked.stdout)
    refused_lines = [
        str(number)
        for number, line in enumerate(COMMANDS.splitlines(), start=1)
        if line.endswith("# refused")
    ]
    assert [line for line, _ in errors] == refused_lines, checked.stdout + checked.stderr
    assert {code for _, code in errors} == {"arg-type", "assignment"}
