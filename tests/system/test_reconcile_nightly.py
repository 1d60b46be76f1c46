"""The nightly reconciliation on a whole platform: clean, its read models too."""

from pathlib import Path

import pytest

from tests.support.plain_clients import fetch_as_owner
from tests.system.conftest import Platform

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname IN ('reconcile', 'reconcile_aside')"


async def test_nightly_reconcile_replays_read_models_and_writes_metrics(
    platform: Platform, tmp_path: Path
) -> None:
    page = tmp_path / "preau.prom"
    words = ("--replay", "--wait", "60", "--state", str(tmp_path / "book"), "--metrics", str(page))

    completed = platform.command("reconcile", *words)

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "rows of community that a replay made of " in completed.stdout
    assert "moderation was not replayed: MODERATION_SEAL_KEY" in completed.stdout
    metrics = page.read_text()
    for group in ("community", "notifications", "metrics"):
        assert f'preau_reconcile_different{{group="{group}",service="reconcile"}} 0.0' in metrics
    for group in ("community", "notifications", "moderation", "metrics"):
        assert f'preau_reconcile_missing{{group="{group}",service="reconcile"}} 0.0' in metrics
        assert await fetch_as_owner(platform.addresses, group, SCHEMAS) == []
